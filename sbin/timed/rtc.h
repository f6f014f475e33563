/*
 * rtc: what the registers of a PC's clock chip mean (Motorola MC146818A data sheet, "Time, Calendar and Alarm Locations" and registers A to D).
 * Pure.
 *
 * Numbers are BCD or binary, hours count to 12 or to 24, as the firmware left register B. The century is not the chip's: the FADT may name
 * a byte of its memory where firmware keeps it (ACPI 6.5 section 5.2.9).
 */
#pragma once
#include <abi/types.h>

enum {
	RTC_SECONDS = 0, RTC_MINUTES = 2, RTC_HOURS = 4, RTC_WEEKDAY = 6, RTC_DAY = 7, RTC_MONTH = 8, RTC_YEAR = 9,
	RTC_A = 0x0a, RTC_B = 0x0b, RTC_D = 0x0d,
	RTC_A_UPDATING = 0x80,          /* the time changes within 244 us: it is not to be read */
	RTC_B_SET = 0x80,               /* it stands still: it is being set */
	RTC_B_BINARY = 4, RTC_B_24 = 2,
	RTC_D_VALID = 0x80,             /* there was power all the time */
	RTC_INDEXES = 0x80,
};

/* A clock that says another year was never set. */
#define RTC_YEAR_MIN 2020
#define RTC_YEAR_MAX 2199               /* without a century: RTC_YEAR_PC + 99 */
#define RTC_YEAR_PC  1980

struct rtc_time {
	uint8_t second, minute, hour, weekday, day, month, year, century;       /* as the registers hold them; century: 0 without */
	uint8_t b, d;
};

/* Whether the FADT's number can be a register for the century, and not one of the clock's own. */
bool rtc_is_century(uint32_t index);
/*
 * Seconds since 1970, if the clock shows UTC. NULL: done; else why what it shows is not believed, and *seconds is untouched. A century
 * that makes no sense is left out of account, as if there were none.
 */
must_use const char *rtc_decode(const struct rtc_time *t, int64_t *seconds);
/* The registers for a moment, in the format that t->b asks for. False: the clock could not be read back: the year is beyond it. */
must_use bool rtc_encode(int64_t seconds, bool has_century, struct rtc_time *t);

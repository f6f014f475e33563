/*
 * cmos: see cmos.h. Bit 7 of port 0x70 masks NMIs on PCs; numbers below 0x80 leave them on.
 */
#include <gen/errors.h>
#include <gen/syscalls.h>
#include <string.h>
#include "cmos.h"

enum { INDEX = 0, DATA = 1, BASE = 0x70, PORTS = 2, TRIES = 10 };

/* An update takes 1,984 us, and is announced 244 us before (data sheet, figure 14). */
#define UPDATE_NS (20 * NS_PER_MS)

static uint8_t reg_get(const struct cmos *c, uint8_t reg)
{
	uint32_t value = 0xff;      /* as an empty bus reads */

	(void)!io_write(c->ports, INDEX, 1, reg);
	return io_read(c->ports, DATA, 1, &value) < 0 ? 0xff : (uint8_t)value;
}

static void reg_set(const struct cmos *c, uint8_t reg, uint8_t value)
{
	/* The ports are ours: this cannot fail. */
	(void)!io_write(c->ports, INDEX, 1, reg);
	(void)!io_write(c->ports, DATA, 1, value);
}

status_t cmos_open(struct cmos *c, handle_t resource, uint8_t century)
{
	*c = (struct cmos){ .century = rtc_is_century(century) ? century : 0 };
	status_t st = ioports_create(resource, BASE, PORTS, &c->ports);
	if (st < 0)
		return st;
	/* Bits 0 to 5 of register D read 0 or hold an alarm's day: all ones are an empty bus. */
	if (reg_get(c, RTC_D) == 0xff && reg_get(c, RTC_B) == 0xff) {
		handle_close(c->ports);
		c->ports = 0;
		return ERR_NOT_FOUND;
	}
	return OK;
}

static bool settled(const struct cmos *c)
{
	uint64_t now, end;

	if (clock_now(&now) < 0)
		return false;
	for (end = now + UPDATE_NS; reg_get(c, RTC_A) & RTC_A_UPDATING;)
		if (clock_now(&now) < 0 || now > end)
			return false;
	return true;
}

static bool read_once(const struct cmos *c, struct rtc_time *t)
{
	if (!settled(c))
		return false;
	*t = (struct rtc_time){
		.second = reg_get(c, RTC_SECONDS), .minute = reg_get(c, RTC_MINUTES), .hour = reg_get(c, RTC_HOURS), .weekday = reg_get(c, RTC_WEEKDAY),
		.day = reg_get(c, RTC_DAY), .month = reg_get(c, RTC_MONTH), .year = reg_get(c, RTC_YEAR),
		.century = c->century ? reg_get(c, c->century) : 0, .b = reg_get(c, RTC_B), .d = reg_get(c, RTC_D),
	};
	return true;
}

/* Twice the same: whatever kept us between two registers, no update came in between. */
status_t cmos_read(const struct cmos *c, struct rtc_time *t)
{
	struct rtc_time again;

	for (int tries = 0; tries < TRIES; tries++) {
		if (!read_once(c, t) || !read_once(c, &again))
			return ERR_IO;
		if (!memcmp(t, &again, sizeof(again)))
			return OK;
	}
	return ERR_IO;
}

/* Dead halfway it leaves SET behind: whoever starts next writes again (main.c, rtc_behind). */
status_t cmos_write(const struct cmos *c, int64_t seconds)
{
	uint8_t b = reg_get(c, RTC_B) & ~RTC_B_SET & 0xff;
	struct rtc_time t = { .b = b };

	if (!rtc_encode(seconds, c->century, &t)) {
		reg_set(c, RTC_B, b);
		return ERR_NOT_SUPPORTED;
	}
	reg_set(c, RTC_B, b | RTC_B_SET);
	reg_set(c, RTC_SECONDS, t.second);
	reg_set(c, RTC_MINUTES, t.minute);
	reg_set(c, RTC_HOURS, t.hour);
	reg_set(c, RTC_WEEKDAY, t.weekday);
	reg_set(c, RTC_DAY, t.day);
	reg_set(c, RTC_MONTH, t.month);
	reg_set(c, RTC_YEAR, t.year);
	if (c->century)
		reg_set(c, c->century, t.century);
	reg_set(c, RTC_B, b);
	return OK;
}

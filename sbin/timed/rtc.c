/*
 * rtc: see rtc.h.
 */
#include <tz/civil.h>
#include "rtc.h"

enum { PM = 0x80 };             /* of the hours, where they count to 12 */

bool rtc_is_century(uint32_t index)
{
	return index > RTC_D && index < RTC_INDEXES;
}

/* A register's number; above 99: it is none. */
static uint32_t number(const struct rtc_time *t, uint8_t value)
{
	if (t->b & RTC_B_BINARY)
		return value;
	return (value & 15) > 9 ? 255 : (value >> 4) * 10u + (value & 15);
}

static uint8_t digits(const struct rtc_time *t, uint32_t value)
{
	return (uint8_t)(t->b & RTC_B_BINARY ? value : value / 10 << 4 | value % 10);
}

static uint32_t hour_of(const struct rtc_time *t)
{
	if (t->b & RTC_B_24)
		return number(t, t->hour);
	uint32_t h = number(t, t->hour & ~PM & 0xff);
	if (h < 1 || h > 12)
		return 255;
	return h % 12 + (t->hour & PM ? 12 : 0);        /* 12 AM is midnight */
}

/* Firmware writes it in BCD or, some of it, as it writes the year: the two have no value in common. 0: neither. */
static uint32_t century_of(uint8_t value)
{
	switch (value) {
	case 19: case 0x19: return 19;
	case 20: case 0x20: return 20;
	case 21: case 0x21: return 21;
	default:            return 0;
	}
}

/* Without a century the first PC's year is the first. */
static uint32_t year_of(const struct rtc_time *t)
{
	uint32_t century = century_of(t->century), year = number(t, t->year);

	if (year > 99)
		return 0;
	if (century)
		return century * 100 + year;
	return year + (year < RTC_YEAR_PC % 100 ? 2000 : 1900);
}

const char *rtc_decode(const struct rtc_time *t, int64_t *seconds)
{
	struct civil c = {
		.year = (int32_t)year_of(t), .month = number(t, t->month), .day = number(t, t->day),
		.hour = hour_of(t), .minute = number(t, t->minute), .second = number(t, t->second),
	};

	if (!(t->d & RTC_D_VALID))
		return "its battery is empty";
	if (t->b & RTC_B_SET)
		return "it stands still";
	if (c.hour > 23 || c.minute > 59 || c.second > 59 || !civil_is_day(c.year, c.month, c.day))
		return "it shows no time";
	if (c.year < RTC_YEAR_MIN || c.year > RTC_YEAR_MAX)
		return "it was never set";
	*seconds = civil_to_seconds(&c);
	return NULL;
}

bool rtc_encode(int64_t seconds, bool has_century, struct rtc_time *t)
{
	struct civil c;

	civil_from_seconds(seconds, &c);
	if (c.year < RTC_YEAR_MIN || c.year > (has_century ? RTC_YEAR_MAX : RTC_YEAR_PC + 99))
		return false;
	t->second = digits(t, c.second);
	t->minute = digits(t, c.minute);
	t->hour = t->b & RTC_B_24 ? digits(t, c.hour) : digits(t, (c.hour + 11) % 12 + 1) | (c.hour >= 12 ? PM : 0);
	t->weekday = digits(t, c.weekday + 1);          /* 1 is Sunday */
	t->day = digits(t, c.day);
	t->month = digits(t, c.month);
	t->year = digits(t, (uint32_t)c.year % 100);
	t->century = has_century ? (uint8_t)((uint32_t)c.year / 1000 << 4 | (uint32_t)c.year / 100 % 10) : 0;
	return true;
}

/*
 * civil: see civil.h. Years are counted from March, so that the leap day is a year's last one, and in eras of 400 years, after which
 * the calendar repeats.
 */
#include "civil.h"

#define DAY_S    86400
#define ERA_DAYS 146097         /* 400 years */
#define EPOCH    719468         /* days from 0000-03-01 to 1970-01-01 */

bool civil_leap(int32_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

bool civil_is_day(int32_t year, uint32_t month, uint32_t day)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (year < 1 || year > 9999 || month < 1 || month > 12)
		return false;
	return day >= 1 && day <= days[month - 1] + (month == 2 && civil_leap(year));
}

int64_t civil_days(int32_t year, uint32_t month, uint32_t day)
{
	uint32_t from_march = (month + 9) % 12, y = (uint32_t)year - (month <= 2), of_era = y % 400;
	/* March to January have 31 30 31 30 31 days, over and over: (153 m + 2) / 5 are the days before month m. */
	uint32_t yearday = (153 * from_march + 2) / 5 + day - 1;

	return (int64_t)(y / 400) * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + yearday - EPOCH;
}

void civil_from_seconds(int64_t seconds, struct civil *c)
{
	seconds = MAX(CIVIL_MIN, MIN(seconds, CIVIL_MAX));
	/* From 0000-03-01 on nothing is negative. */
	uint64_t since = (uint64_t)(seconds + (int64_t)EPOCH * DAY_S);
	uint32_t days = (uint32_t)(since / DAY_S), time = (uint32_t)(since % DAY_S), in_era = days % ERA_DAYS;
	/* Without the leap days before it each year has 365 days: one in 1,461, none in 36,524, one in 146,096. */
	uint32_t of_era = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	uint32_t from_march = in_era - (of_era * 365 + of_era / 4 - of_era / 100), m = (5 * from_march + 2) / 153;

	c->month = m < 10 ? m + 3 : m - 9;
	c->day = from_march - (153 * m + 2) / 5 + 1;
	c->year = (int32_t)(days / ERA_DAYS * 400 + of_era + (c->month <= 2));
	c->hour = time / 3600;
	c->minute = time / 60 % 60;
	c->second = time % 60;
	c->weekday = (days + 3) % 7;            /* 0000-03-01 was a Wednesday */
	c->yearday = (uint32_t)((int64_t)days - EPOCH - civil_days(c->year, 1, 1));
}

int64_t civil_to_seconds(const struct civil *c)
{
	return civil_days(c->year, c->month, c->day) * DAY_S + c->hour * 3600 + c->minute * 60 + c->second;
}

/*
 * civil: dates of the Gregorian calendar, carried on into the past, and seconds since 1970-01-01 00:00:00 (POSIX.1-2017 section 4.16:
 * every day has 86,400). Pure.
 */
#pragma once
#include <abi/types.h>

/* The years 1 to 9999, in seconds: what the functions here take. */
#define CIVIL_MIN (-62135596800ll)
#define CIVIL_MAX 253402300799ll

struct civil {
	int32_t  year;              /* 1..9999 */
	uint32_t month, day;        /* 1..12, 1..31 */
	uint32_t hour, minute, second;
	uint32_t weekday;           /* 0: Sunday */
	uint32_t yearday;           /* 0: January 1st */
};

bool civil_leap(int32_t year);
/* Whether there is such a day, from year 1 to 9999. */
bool civil_is_day(int32_t year, uint32_t month, uint32_t day);
/* Days from 1970-01-01 to a day that there is. */
int64_t civil_days(int32_t year, uint32_t month, uint32_t day);
/* seconds: CIVIL_MIN to CIVIL_MAX; what is beyond counts as the limit. */
void civil_from_seconds(int64_t seconds, struct civil *c);
/* Of a day that there is; weekday and yearday do not count. */
int64_t civil_to_seconds(const struct civil *c);

/*
 * Expected: the days and seconds that this machine's own library tells, over all of the years 1 to 9999; no day that there is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>
#include "civil.c"

static void agree(int64_t seconds)
{
	time_t t = seconds;
	struct tm tm;
	struct civil c;

	assert_non_null(gmtime_r(&t, &tm));
	civil_from_seconds(seconds, &c);
	assert_int_equal(c.year, tm.tm_year + 1900);
	assert_int_equal(c.month, tm.tm_mon + 1);
	assert_int_equal(c.day, tm.tm_mday);
	assert_int_equal(c.hour, tm.tm_hour);
	assert_int_equal(c.minute, tm.tm_min);
	assert_int_equal(c.second, tm.tm_sec);
	assert_int_equal(c.weekday, tm.tm_wday);
	assert_int_equal(c.yearday, tm.tm_yday);
	assert_int_equal(civil_to_seconds(&c), seconds);
	assert_true(civil_is_day(c.year, c.month, c.day));
}

static void every_day(void **state unused)
{
	for (int64_t s = CIVIL_MIN; s <= CIVIL_MAX; s += DAY_S * 3 - 7919)
		agree(s);
	agree(CIVIL_MAX);
	for (int64_t s = -2 * DAY_S; s < 2 * DAY_S; s += 997)
		agree(s);
}

static void limits(void **state unused)
{
	struct civil c;

	civil_from_seconds(INT64_MIN, &c);
	assert_int_equal(civil_to_seconds(&c), CIVIL_MIN);
	civil_from_seconds(INT64_MAX, &c);
	assert_int_equal(civil_to_seconds(&c), CIVIL_MAX);
}

static void days_that_are_none(void **state unused)
{
	assert_true(civil_is_day(2024, 2, 29) && civil_is_day(2000, 2, 29));
	assert_false(civil_is_day(2023, 2, 29) || civil_is_day(2100, 2, 29) || civil_is_day(2024, 2, 30));
	assert_false(civil_is_day(2024, 0, 1) || civil_is_day(2024, 13, 1) || civil_is_day(2024, 4, 31) || civil_is_day(2024, 4, 0));
	assert_false(civil_is_day(0, 1, 1) || civil_is_day(10000, 1, 1) || civil_is_day(-5, 1, 1) || civil_is_day(2024, 1, UINT32_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_day), cmocka_unit_test(limits), cmocka_unit_test(days_that_are_none) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

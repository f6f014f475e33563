/*
 * Expected: whatever store it dies after, the settings are the old ones or the new ones, and an alarm is there or not; any byte that a crash
 * changed is noticed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static jmp_buf death;
static int lives = -1;                          /* stores left; -1: for ever */
#define KEPT_STORED() do { if (lives >= 0 && lives-- == 0) longjmp(death, 1); } while (0)

#include "../../abi/rt/sum.c"
#include "../../lib/tz/civil.c"
#include "../../lib/tz/tz.c"
#include "../../lib/tz/zones.c"
#include "kept.c"

static struct kept k;

static struct settings some(int64_t offset)
{
	return (struct settings){ .offset_ns = offset, .source = 1, .zone = "UTC", .tz = TZ_UTC };
}

static void the_newer_one(void **state unused)
{
	memset(&k, 0, sizeof(k));
	assert_null(settings_get(&k));
	for (int64_t i = 1; i < 10; i++) {
		settings_put(&k, some(i));
		assert_int_equal(settings_get(&k)->offset_ns, i);
	}
}

static void dies_anywhere(void **state unused)
{
	memset(&k, 0, sizeof(k));
	settings_put(&k, some(1));
	for (int64_t i = 2; i < 200; i++) {
		int64_t before = settings_get(&k)->offset_ns;
		lives = (int)(i % 4);
		if (!setjmp(death))
			settings_put(&k, some(i));
		lives = -1;
		int64_t now = settings_get(&k)->offset_ns;
		assert_true(now == before || now == i);
		if (i % 4 == 3)
			assert_int_equal(now, i);
	}
}

static void damage(void **state unused)
{
	for (size_t at = 0; at < sizeof(struct settings); at++) {
		memset(&k, 0, sizeof(k));
		settings_put(&k, some(1));
		settings_put(&k, some(2));
		((char *)&k.copy[1])[at] ^= 0x10;
		assert_int_equal(settings_get(&k)->offset_ns, 1);
	}
	memset(&k, 0xff, sizeof(k));
	assert_null(settings_get(&k));
	settings_put(&k, some(3));
	assert_int_equal(settings_get(&k)->offset_ns, 3);
	assert_int_equal(alarms_check(&k), ALARMS_MAX);
	assert_int_equal(alarm_first(&k), -1);
}

static void alarms(void **state unused)
{
	memset(&k, 0, sizeof(k));
	assert_int_equal(alarm_first(&k), -1);
	assert_int_equal(alarm_find(&k, 5), -1);
	for (int i = 0; i < ALARMS_MAX; i++) {
		assert_int_equal(alarm_find(&k, 0), i);
		alarm_put(&k, i, (uint64_t)i + 1, 1000 - i, 63);
		assert_int_equal(alarm_first(&k), i);
	}
	assert_int_equal(alarm_find(&k, 0), -1);
	assert_int_equal(alarm_find(&k, 5), 4);
	assert_int_equal(alarms_check(&k), 0);
	alarm_drop(&k, ALARMS_MAX - 1);
	assert_int_equal(alarm_first(&k), ALARMS_MAX - 2);
	for (size_t at = 0; at < offsetof(struct alarm, sum); at++) {
		((char *)&k.alarms[7])[at] ^= 1;
		assert_int_equal(alarms_check(&k), 1);
		assert_int_equal(alarm_find(&k, 0), 7);
		alarm_put(&k, 7, 8, 5, 3);
	}
}

static void an_alarm_dies_anywhere(void **state unused)
{
	for (int at = 0; at < 3; at++) {
		memset(&k, 0, sizeof(k));
		alarm_put(&k, 0, 1, 10, 1);
		alarm_drop(&k, 0);
		lives = at;
		if (!setjmp(death))
			alarm_put(&k, 0, 2, 20, 2);
		lives = -1;
		assert_int_equal(alarms_check(&k), 0);
		assert_int_equal(alarm_find(&k, 2), at < 1 ? -1 : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newer_one), cmocka_unit_test(dies_anywhere), cmocka_unit_test(damage), cmocka_unit_test(alarms),
		cmocka_unit_test(an_alarm_dies_anywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Expected: the same moment from BCD and binary, 12 and 24 hours, with and without a century; what was encoded decodes to itself; every way
 * of showing nonsense is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../lib/tz/civil.c"
#include "rtc.c"

#define MOMENT 1927857906               /* 2031-02-03 04:05:06 */

/* 2031-02-03 04:05:06, as a PC's firmware leaves it: BCD, 24 hours. */
static const struct rtc_time usual = {
	.second = 6, .minute = 5, .hour = 4, .weekday = 2, .day = 3, .month = 2, .year = 0x31, .century = 0x20, .b = RTC_B_24, .d = RTC_D_VALID,
};

static int64_t decoded(struct rtc_time t)
{
	int64_t seconds = -1;
	const char *why = rtc_decode(&t, &seconds);

	if (why)
		fail_msg("refused: %s", why);
	return seconds;
}

static void refused(struct rtc_time t)
{
	int64_t seconds = 77;

	assert_non_null(rtc_decode(&t, &seconds));
	assert_int_equal(seconds, 77);
}

static void formats(void **state unused)
{
	struct rtc_time t = usual;

	assert_int_equal(decoded(t), MOMENT);
	t.b = RTC_B_24 | RTC_B_BINARY, t.year = 31;
	assert_int_equal(decoded(t), MOMENT);
	t.century = 20;
	assert_int_equal(decoded(t), MOMENT);
	t = usual, t.b = 0;
	assert_int_equal(decoded(t), MOMENT);
	t.hour = 0x84;
	assert_int_equal(decoded(t), MOMENT + 12 * 3600);
	t.hour = 0x12;                                  /* 12 AM */
	assert_int_equal(decoded(t), MOMENT - 4 * 3600);
	t.hour = 0x92;                                  /* 12 PM */
	assert_int_equal(decoded(t), MOMENT + 8 * 3600);
	t.b = RTC_B_BINARY, t.hour = 0x8b, t.year = 31;
	assert_int_equal(decoded(t), MOMENT + 19 * 3600);
}

static void centuries(void **state unused)
{
	struct rtc_time t = usual;

	for (unsigned no = 0; no < 256; no++) {
		t.century = (uint8_t)no;
		if (no == 0x19 || no == 19)             /* 1931 */
			refused(t);
		else if (no != 0x21 && no != 21)        /* else a hundred years later, of which 24 are leap years */
			assert_int_equal(decoded(t), MOMENT);
		else
			assert_int_equal(decoded(t), MOMENT + 36524ll * 86400);
	}
	t = usual, t.century = 0, t.year = 0x20;
	assert_int_equal(decoded(t), MOMENT - 11ll * 365 * 86400 - 3 * 86400);
	t.year = 0x79;                                  /* 2079 */
	assert_int_equal(decoded(t), MOMENT + 48ll * 365 * 86400 + 12 * 86400);
	for (unsigned no = 0; no < 2; no++, t.century = 0x20) {
		t.year = 0x19;                          /* 2019, as one that was never set may say: or 2000, or 2009 */
		refused(t);
		t.year = 0x00;
		refused(t);
	}
	t.century = 0, t.year = 0x80;                   /* 1980 */
	refused(t);
	assert_true(rtc_is_century(0x32) && rtc_is_century(0x7f) && rtc_is_century(0x0e));
	assert_false(rtc_is_century(0) || rtc_is_century(9) || rtc_is_century(0x0d) || rtc_is_century(0x80) || rtc_is_century(0xff));
}

static void nonsense(void **state unused)
{
	struct rtc_time t;

#define BAD(...) do { t = usual; __VA_ARGS__; refused(t); } while (0)
	BAD(t.second = 0x60); BAD(t.second = 0x0a); BAD(t.second = 0xff); BAD(t.minute = 0x60); BAD(t.minute = 0xf0);
	BAD(t.hour = 0x24); BAD(t.hour = 0x84); BAD(t.b = 0, t.hour = 0); BAD(t.b = 0, t.hour = 0x13); BAD(t.b = 0, t.hour = 0x93);
	BAD(t.day = 0); BAD(t.day = 0x29); BAD(t.month = 0); BAD(t.month = 0x13); BAD(t.year = 0xa0); BAD(t.year = 0x9a);
	BAD(t.d = 0); BAD(t.b |= RTC_B_SET); BAD(t.b |= RTC_B_BINARY, t.year = 100); BAD(t = (struct rtc_time){ 0 });
	BAD(memset(&t, 0xff, sizeof(t)));
#undef BAD
}

static void back_and_forth(void **state unused)
{
	static const uint8_t formats_[] = { 0, RTC_B_24, RTC_B_BINARY, RTC_B_24 | RTC_B_BINARY };

	for (size_t f = 0; f < sizeof(formats_); f++)
		for (int64_t s = civil_days(2020, 1, 1) * 86400; s < civil_days(2200, 1, 1) * 86400; s += 86400 * 9 + 3607) {
			struct rtc_time t = { .b = formats_[f], .d = RTC_D_VALID };
			assert_true(rtc_encode(s, true, &t));
			assert_int_equal(decoded(t), s);
			bool fits = s < civil_days(2080, 1, 1) * 86400;
			assert_int_equal(rtc_encode(s, false, &t), fits);
			if (fits)
				assert_int_equal(decoded(t), s);
		}
	struct rtc_time t = { .b = RTC_B_24 };
	assert_false(rtc_encode(0, true, &t) || rtc_encode(INT64_MAX, true, &t) || rtc_encode(INT64_MIN, true, &t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats), cmocka_unit_test(centuries), cmocka_unit_test(nonsense), cmocka_unit_test(back_and_forth),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

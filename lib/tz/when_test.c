/*
 * Expected: every letter shows what strftime of this machine shows; moments written in the ways that are promised are read; others are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>
#include "civil.c"
#include "tz.c"
#include "when.c"

static const char berlin[] = "CET-1CEST,M3.5.0,M10.5.0/3";

static void letters(void **state unused)
{
	static const char all[] = "%Y %C %y %G %g %m %b %B %h %d %e %j %U %V %W %u %w %a %A %H %k %I %l %M %S %p %P %s %D %x %F %T %X %R %r %c %z %Z %n%t%%";
	struct tz tz;

	assert_true(tz_parse(&tz, berlin));
	setenv("TZ", berlin, 1);
	tzset();
	for (int64_t s = 700000000; s < 4200000000ll; s += 1234567) {
		char ours[512], theirs[512];
		time_t t = s;
		struct tm tm;
		localtime_r(&t, &tm);
		assert_true(strftime(theirs, sizeof(theirs), all, &tm) > 0);
		assert_int_equal(when_format(ours, sizeof(ours), all, (struct when){ s, 0 }, &tz), strlen(ours));
		assert_string_equal(ours, theirs);
	}
	setenv("TZ", "UTC0", 1);
	tzset();
}

static void odd_formats(void **state unused)
{
	static const struct { const char *format, *text; } want[] = {
		{ "", "" }, { "%", "%" }, { "%%", "%" }, { "%q", "%q" }, { "a%", "a%" }, { "%N", "000000042" }, { "%:z", "-03:30" }, { "%z", "-0330" }, { "%:", "%:" },
	};
	char text[64];
	struct tz tz;

	assert_true(tz_parse(&tz, "NST3:30"));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_int_equal(when_format(text, sizeof(text), want[i].format, (struct when){ 0, 42 }, &tz), strlen(want[i].text));
		assert_string_equal(text, want[i].text);
	}
	assert_int_equal(when_format(text, 10, "%F", (struct when){ 0, 0 }, &tz), SIZE_MAX);
	assert_int_equal(when_format(text, 11, "%F", (struct when){ 0, 0 }, &tz), 10);
	assert_int_equal(when_format(text, 0, "", (struct when){ 0, 0 }, &tz), SIZE_MAX);
}

static void iso(void **state unused)
{
	char text[WHEN_ISO];

	assert_int_equal(when_iso(text, (struct when){ 1927857906, 7 }), 30);
	assert_string_equal(text, "2031-02-03T04:05:06.000000007Z");
}

static void parses(void **state unused)
{
	static const struct { const char *text; int64_t seconds; uint32_t ns; } want[] = {
		{ "2031-02-03 04:05:06", 1927857906 - 3600, 0 }, { "2031-02-03T04:05:06Z", 1927857906, 0 }, { "2031-02-03 04:05:06.5Z", 1927857906, 500000000 },
		{ "2031-02-03T04:05:06.0000000019Z", 1927857906, 1 }, { "2031-02-03T05:05:06+01:00", 1927857906, 0 }, { "2031-02-03 00:35-0330", 1927857900, 0 },
		{ "2031-02-03T05:05:06+01", 1927857906, 0 }, { "2031-02-03", 1927857906 - 3600 - 4 * 3600 - 306, 0 }, { "2031-07-03 00:00", 1940796000, 0 },
		{ "@1927857906", 1927857906, 0 }, { "@-1.25", -2, 750000000 }, { "@0.000000001", 0, 1 }, { "2031-02-03Z", 1927857906 - 4 * 3600 - 306, 0 },
		{ "10:00", 1927857906 - 4 * 3600 - 306 + 9 * 3600, 0 }, { "00:00:01.5", 1927857906 - 5 * 3600 - 306 + 1, 500000000 },
	};
	struct when w;
	struct tz tz;

	assert_true(tz_parse(&tz, berlin));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		if (!when_parse(want[i].text, (struct when){ 1927857906, 0 }, &tz, &w))
			fail_msg("\"%s\" was refused", want[i].text);
		if (w.seconds != want[i].seconds)
			fail_msg("\"%s\" is %lld", want[i].text, (long long)w.seconds);
		assert_int_equal(w.ns, want[i].ns);
	}
}

static void refuses(void **state unused)
{
	static const char *const bad[] = {
		"", "now", "2031-02-30", "2031-13-01", "0000-01-01", "2031-2-3", "2031-02-03 ", "2031-02-03 4:05", "2031-02-03 24:00", "2031-02-03 23:60",
		"2031-02-03 23:59:60", "2031-02-03 23:59:59.", "2031-02-03 23:59Zx", "2031-02-03 23:59+", "2031-02-03 23:59+25", "2031-02-03 23:59+01:60",
		"2031-02-03 23:59+01:", "2031-02-03 23:59 ", "@", "@-", "@1x", "@1.", "@99999999999999999999", "@-99999999999", "12:", "12:0", "1:00",
		"9999-12-31 23:59:59-24", "0001-01-01 00:00+24",
	};
	struct when w;
	struct tz tz;

	assert_true(tz_parse(&tz, berlin));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (when_parse(bad[i], (struct when){ 0, 0 }, &tz, &w))
			fail_msg("\"%s\" was taken", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters), cmocka_unit_test(odd_formats), cmocka_unit_test(iso), cmocka_unit_test(parses), cmocka_unit_test(refuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Expected: the changes that people in these places know; the same local time as the library of this machine tells for the same string, over
 * many years; local time leads back to the moment; what is no TZ string is refused. Names are found in a table, and only whole ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>
#include "civil.c"
#include "tz.c"
#include "zones.c"

#define BERLIN    "CET-1CEST,M3.5.0,M10.5.0/3"
#define NEW_YORK  "EST5EDT,M3.2.0,M11.1.0"
#define SYDNEY    "AEST-10AEDT,M10.1.0,M4.1.0/3"
#define SANTIAGO  "<-04>4<-03>,M9.1.6/24,M4.1.6/24"
#define LORD_HOWE "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"
#define DUBLIN    "IST-1GMT0,M10.5.0,M3.5.0/1"
#define NUUK      "<-02>2<-01>,M3.5.0/-1,M10.5.0/0"
#define CAIRO     "EET-2EEST,M4.5.5/0,M10.5.4/24"
#define KATHMANDU "<+0545>-5:45"
#define ALL_YEAR  "XXX3EDT4,0/0,J365/23"

static int64_t utc(int32_t year, uint32_t month, uint32_t day, uint32_t hour, uint32_t minute)
{
	return civil_days(year, month, day) * DAY_S + hour * HOUR_S + minute * 60;
}

static struct tz parsed(const char *text)
{
	struct tz tz;

	assert_true(tz_parse(&tz, text));
	return tz;
}

static void known_changes(void **state unused)
{
	static const struct { const char *zone; int32_t y; uint32_t m, d, h, min; int32_t before_min, after_min; const char *before, *after; } want[] = {
		{ BERLIN, 2024, 3, 31, 1, 0, 60, 120, "CET", "CEST" }, { BERLIN, 2024, 10, 27, 1, 0, 120, 60, "CEST", "CET" },
		{ BERLIN, 2031, 3, 30, 1, 0, 60, 120, "CET", "CEST" }, { BERLIN, 2031, 10, 26, 1, 0, 120, 60, "CEST", "CET" },
		{ NEW_YORK, 2024, 3, 10, 7, 0, -300, -240, "EST", "EDT" }, { NEW_YORK, 2024, 11, 3, 6, 0, -240, -300, "EDT", "EST" },
		{ SYDNEY, 2024, 4, 6, 16, 0, 660, 600, "AEDT", "AEST" }, { SYDNEY, 2024, 10, 5, 16, 0, 600, 660, "AEST", "AEDT" },
		{ SANTIAGO, 2024, 4, 7, 3, 0, -180, -240, "-03", "-04" }, { SANTIAGO, 2024, 9, 8, 4, 0, -240, -180, "-04", "-03" },
		{ LORD_HOWE, 2024, 4, 6, 15, 0, 660, 630, "+11", "+1030" }, { LORD_HOWE, 2024, 10, 5, 15, 30, 630, 660, "+1030", "+11" },
		{ DUBLIN, 2024, 3, 31, 1, 0, 0, 60, "GMT", "IST" }, { DUBLIN, 2024, 10, 27, 1, 0, 60, 0, "IST", "GMT" },
		{ NUUK, 2024, 3, 31, 1, 0, -120, -60, "-02", "-01" }, { NUUK, 2024, 10, 27, 1, 0, -60, -120, "-01", "-02" },
		{ CAIRO, 2024, 4, 25, 22, 0, 120, 180, "EET", "EEST" }, { CAIRO, 2024, 10, 31, 21, 0, 180, 120, "EEST", "EET" },
	};
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct tz tz = parsed(want[i].zone);
		struct tz_local before, after;
		int64_t at = utc(want[i].y, want[i].m, want[i].d, want[i].h, want[i].min);
		tz_at(&tz, at - 1, &before);
		tz_at(&tz, at, &after);
		assert_int_equal(before.offset_s, want[i].before_min * 60);
		assert_int_equal(after.offset_s, want[i].after_min * 60);
		assert_string_equal(before.name, want[i].before);
		assert_string_equal(after.name, want[i].after);
	}
}

/* The library of this machine is asked for the same moments. */
static void as_others_tell(void **state unused)
{
	static const char *const zones[] = {
		BERLIN, NEW_YORK, SYDNEY, SANTIAGO, LORD_HOWE, DUBLIN, CAIRO, KATHMANDU, "UTC0", "EST5EDT4,J60,J300/4:30:15", "AAA-3BBB,59/1,299",
		"<+1345>-13:45", "NZST-12NZDT,M9.5.0,M4.1.0/3", "EET-2EEST,M3.4.4/50,M10.4.4/50",
	};
	for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
		struct tz tz = parsed(zones[i]);
		setenv("TZ", zones[i], 1);
		tzset();
		for (int64_t s = utc(1995, 1, 1, 0, 0); s < utc(2060, 1, 1, 0, 0); s += 5 * HOUR_S - 1) {
			struct tz_local l;
			struct tm tm;
			time_t t = s;
			tz_at(&tz, s, &l);
			assert_non_null(localtime_r(&t, &tm));
			if (l.offset_s != tm.tm_gmtoff)
				fail_msg("%s at %lld: %d, not %ld", zones[i], (long long)s, l.offset_s, tm.tm_gmtoff);
			assert_string_equal(l.name, tm.tm_zone);
		}
	}
	setenv("TZ", "UTC0", 1);
	tzset();
}

/* Summer from December on into January: the library here looks at one year alone. */
static void across_new_year(void **state unused)
{
	struct tz tz = parsed("STD10DST,M12.5.6/23,M1.1.0/1");
	struct tz_local l;

	/* From Saturday 1994-12-31 23:00 to Sunday 1995-01-01 01:00 as it counts then: one hour. */
	for (int minute = -180; minute < 180; minute++) {
		tz_at(&tz, utc(1995, 1, 1, 9, 0) + minute * 60, &l);
		assert_int_equal(l.summer, minute >= 0 && minute < 60);
	}
}

static void all_year(void **state unused)
{
	struct tz tz = parsed(ALL_YEAR);
	struct tz_local l;

	for (int64_t s = utc(2023, 12, 30, 0, 0); s < utc(2025, 1, 3, 0, 0); s += HOUR_S / 2) {
		tz_at(&tz, s, &l);
		assert_int_equal(l.offset_s, -4 * HOUR_S);
	}
}

static void and_back(void **state unused)
{
	static const char *const zones[] = { BERLIN, NEW_YORK, SYDNEY, LORD_HOWE, DUBLIN, KATHMANDU };

	for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
		struct tz tz = parsed(zones[i]);
		for (int64_t s = utc(2023, 12, 30, 0, 0); s < utc(2025, 2, 1, 0, 0); s += 601) {
			struct tz_local l, again;
			tz_at(&tz, s, &l);
			int64_t back = tz_from_local(&tz, s + l.offset_s);
			tz_at(&tz, back, &again);
			/* The same moment, or the same hour the first time. */
			assert_int_equal(back + again.offset_s, s + l.offset_s);
			assert_true(back == s || back == s - abs(tz.summer_s - tz.standard_s));
		}
	}
	struct tz tz = parsed(BERLIN);
	/* 02:30 comes twice on 2024-10-27, and not at all on 2024-03-31. */
	assert_int_equal(tz_from_local(&tz, utc(2024, 10, 27, 2, 30)), utc(2024, 10, 27, 0, 30));
	assert_int_equal(tz_from_local(&tz, utc(2024, 3, 31, 2, 30)), utc(2024, 3, 31, 1, 30));
	assert_int_equal(tz_from_local(&tz, utc(2024, 3, 31, 3, 0)), utc(2024, 3, 31, 1, 0));
}

static void years_at_the_ends(void **state unused)
{
	struct tz tz = parsed(BERLIN);
	struct tz_local l;

	tz_at(&tz, INT64_MIN, &l);
	assert_string_equal(l.name, "CET");
	tz_at(&tz, INT64_MAX, &l);
	assert_string_equal(l.name, "CET");
	assert_int_equal(tz_from_local(&tz, INT64_MAX), CIVIL_MAX - HOUR_S);
}

static void without_rules(void **state unused)
{
	struct tz a = parsed("EST5EDT"), b = parsed(NEW_YORK);

	for (int64_t s = utc(2024, 1, 1, 0, 0); s < utc(2025, 1, 1, 0, 0); s += HOUR_S) {
		struct tz_local x, y;
		tz_at(&a, s, &x);
		tz_at(&b, s, &y);
		assert_int_equal(x.offset_s, y.offset_s);
	}
}

static void refused(void **state unused)
{
	static const char *const bad[] = {
		"", "CET", "CE-1", "C1T-1", "CET-", "CET25", "CET-1:60", "CET-1:", "CET-1 ", "CET-1CE", "CET-1CEST,", "CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,",
		"CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M0.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.0.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0",
		"CET-1CEST,J0,J5", "CET-1CEST,J366,J5", "CET-1CEST,366,5", "CET-1CEST,1,2,", "CET-1CEST,1,2/168", "CET-1CEST,1,2/", "<CET-1", "<C>-1", "<CE T>-1",
		"<+0123456789012345>1", "ABCDEFGHIJKLMNOP0", "CET-0001", "Europe/Berlin", ":CET-1", "CET-1\n", "\xc3\x84\xc3\x84\xc3\x84-1",
	};
	struct tz tz;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (tz_parse(&tz, bad[i]))
			fail_msg("\"%s\" was taken", bad[i]);
}

static void table(void **state unused)
{
	static const char text[] = "Europe/Berlin " BERLIN "\nEurope/Ber CET-1\nBad/Zone nothing\nUTC UTC0\n"
		"Long/Zone AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA0\nEnd/Zone EET-2";
	char tz[TZ_TEXT];

	assert_true(zones_find(text, sizeof(text) - 1, "Europe/Berlin", tz));
	assert_string_equal(tz, BERLIN);
	assert_true(zones_find(text, sizeof(text) - 1, "End/Zone", tz));
	assert_string_equal(tz, "EET-2");
	assert_true(zones_find(text, sizeof(text) - 1, "UTC", tz));
	assert_false(zones_find(text, sizeof(text) - 1, "Europe", tz));
	assert_false(zones_find(text, sizeof(text) - 1, "Bad/Zone", tz));
	assert_false(zones_find(text, sizeof(text) - 1, "Long/Zone", tz));
	assert_false(zones_find(text, 0, "UTC", tz));
	assert_true(zone_is_name("America/Port-au-Prince") && zone_is_name("Etc/GMT+1"));
	assert_false(zone_is_name("") || zone_is_name("a b") || zone_is_name("../x") || zone_is_name("a\n"));
	assert_false(zone_is_name("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_changes), cmocka_unit_test(as_others_tell), cmocka_unit_test(across_new_year), cmocka_unit_test(all_year), cmocka_unit_test(and_back),
		cmocka_unit_test(years_at_the_ends), cmocka_unit_test(without_rules), cmocka_unit_test(refused), cmocka_unit_test(table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

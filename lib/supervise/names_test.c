/*
 * names_test: functions found at and around their borders, before and behind the entry; tables cut anywhere are harmless.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "names.c"

static const char table[] = "1100\n1000 first\n1100 _start\n1180 last\n";

static void found(void **state)
{
	(void)state;
	static const struct { int64_t from; const char *want; } cases[] = {
		{ 0, "_start+0x0" }, { 0x7f, "_start+0x7f" }, { 0x80, "last+0x0" }, { -0x100, "first+0x0" }, { -1, "first+0xff" },
		{ -0x101, NULL }, { 0x80 + 64 * KiB, NULL }, { INT64_MAX, NULL },
	};
	char buf[64];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(names_find(table, sizeof(table) - 1, cases[i].from, buf, sizeof(buf)), cases[i].want != NULL);
		if (cases[i].want)
			assert_string_equal(buf, cases[i].want);
	}
	char tiny[4];
	assert_true(names_find(table, sizeof(table) - 1, 0, tiny, sizeof(tiny)));
	assert_string_equal(tiny, "_st");
}

static void cut(void **state)
{
	(void)state;
	char buf[64];
	for (size_t n = 0; n < sizeof(table); n++) {
		char *part = malloc(n + !n);
		memcpy(part, table, n);
		(void)names_find(part, n, 0x80, buf, sizeof(buf));
		free(part);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(found), cmocka_unit_test(cut) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

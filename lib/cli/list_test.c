/*
 * Expected: dates as date(1) gives them, leap days included; modes as ls gives them; names that cannot
 * drive a terminal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "list.c"

static void times(void **state unused)
{
	static const struct { int64_t seconds; const char *text; } want[] = {
		{ 1, "1970-01-01 00:00:01" }, { 951782400, "2000-02-29 00:00:00" }, { 951868799, "2000-02-29 23:59:59" },
		{ 951868800, "2000-03-01 00:00:00" }, { 1735689599, "2024-12-31 23:59:59" }, { 4107542400, "2100-03-01 00:00:00" },
		{ 253402300799, "9999-12-31 23:59:59" }, { 0, "-" }, { -5, "-" }, { INT64_MAX, "-" },
	};
	char text[24];
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_string_equal(list_time(text, want[i].seconds), want[i].text);
}

static void modes(void **state unused)
{
	char text[16];
	assert_string_equal(list_mode(text, FILE_REGULAR, 0644), "-rw-r--r--");
	assert_string_equal(list_mode(text, FILE_DIRECTORY, 0755), "drwxr-xr-x");
	assert_string_equal(list_mode(text, 99, 0), "?---------");
	assert_string_equal(list_type(FILE_DEVICE), "device");
	assert_string_equal(list_type(99), "unknown");
}

static void names(void **state unused)
{
	char text[8];
	assert_string_equal(list_name(text, sizeof(text), "a\x1b[\n\x7f\xc3\xa4 and more"), "a?[??\xc3\xa4");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(times), cmocka_unit_test(modes), cmocka_unit_test(names) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

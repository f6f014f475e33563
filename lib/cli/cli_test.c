/*
 * Expected: letters, joined letters, joined and separate values, `--` and `-` are told apart as getopt
 * does; numbers that do not fit or have trailing text are refused; sizes keep to five characters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "cli.c"

static void options(void **state unused)
{
	char *argv[] = { "p", "-ab", "-n5", "-n", "7", "-", "-a", NULL };
	struct cli c = cli_start(7, argv);
	assert_int_equal(cli_option(&c, "abn:"), 'a');
	assert_int_equal(cli_option(&c, "abn:"), 'b');
	assert_int_equal(cli_option(&c, "abn:"), 'n');
	assert_string_equal(c.value, "5");
	assert_int_equal(cli_option(&c, "abn:"), 'n');
	assert_string_equal(c.value, "7");
	assert_int_equal(cli_option(&c, "abn:"), 0);
	assert_int_equal(c.next, 5);
}

static void double_dash_ends(void **state unused)
{
	char *argv[] = { "p", "-a", "--", "-b", NULL };
	struct cli c = cli_start(4, argv);
	assert_int_equal(cli_option(&c, "ab"), 'a');
	assert_int_equal(cli_option(&c, "ab"), 0);
	assert_int_equal(c.next, 3);
}

static void wrong_options(void **state unused)
{
	char *argv[] = { "p", "-x", "-:", "-n", NULL };
	struct cli c = cli_start(4, argv);
	assert_int_equal(cli_option(&c, "n:"), '?');
	assert_int_equal(c.bad, 'x');
	assert_false(c.no_value);
	assert_int_equal(cli_option(&c, "n:"), '?');
	assert_int_equal(cli_option(&c, "n:"), '?');
	assert_true(c.no_value);
	assert_int_equal(cli_option(&c, "n:"), 0);
}

static void no_arguments_at_all(void **state unused)
{
	char *argv[] = { NULL };
	struct cli c = cli_start(0, argv);
	assert_int_equal(cli_option(&c, "n:"), 0);
	assert_int_equal(c.next, 0);
}

static void numbers(void **state unused)
{
	static const struct { const char *text; uint64_t value; } good[] = {
		{ "0", 0 }, { "12", 12 }, { "0x1F", 31 }, { "010", 8 }, { "4k", 4096 }, { "2M", 2 << 20 }, { "1G", 1 << 30 },
		{ "18446744073709551615", UINT64_MAX },
	};
	static const char *const bad[] = { "", "x", "12z", "0x", "18446744073709551616", "99999999999999G", "1kk", "-1", "08" };
	uint64_t v;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(cli_number(good[i].text, &v));
		assert_int_equal(v, good[i].value);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(cli_number(bad[i], &v));
}

static void seconds(void **state unused)
{
	uint64_t ns;
	assert_true(cli_seconds("1.5", &ns));
	assert_int_equal(ns, 1500000000);
	assert_true(cli_seconds(".0000000019", &ns));
	assert_int_equal(ns, 1);
	assert_true(cli_seconds("3", &ns));
	assert_int_equal(ns, 3 * NS_PER_SEC);
	assert_false(cli_seconds("", &ns));
	assert_false(cli_seconds(".", &ns));
	assert_false(cli_seconds("1s", &ns));
	assert_false(cli_seconds("99999999999999", &ns));
}

static void sizes(void **state unused)
{
	char text[8];
	assert_string_equal(cli_size(0, text), "0");
	assert_string_equal(cli_size(999, text), "999");
	assert_string_equal(cli_size(4096, text), "4.0K");
	assert_string_equal(cli_size(1536, text), "1.5K");
	assert_string_equal(cli_size(12 * MiB + 300 * KiB, text), "12.2M");
	assert_string_equal(cli_size(999 * KiB, text), "999K");
	assert_string_equal(cli_size(UINT64_MAX, text), "15.9E");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options), cmocka_unit_test(double_dash_ends), cmocka_unit_test(wrong_options),
		cmocka_unit_test(no_arguments_at_all), cmocka_unit_test(numbers), cmocka_unit_test(seconds), cmocka_unit_test(sizes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

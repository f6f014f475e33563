/* format: says exactly what the host's printf says, for everything both know; the rest is shown as it stands. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>
#include <limits.h>
#include <stdlib.h>
#include "format.c"

static char got[512];
static size_t got_len;

static void keep(void *ctx, const char *text, size_t n)
{
	(void)ctx;
	assert_true(got_len + n < sizeof(got));
	memcpy(got + got_len, text, n);
	got_len += n;
	got[got_len] = 0;
}

static const char *ours(const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	got_len = 0;
	got[0] = 0;
	format_to(keep, NULL, format, ap);
	va_end(ap);
	return got;
}

#pragma clang diagnostic ignored "-Wformat"
#pragma clang diagnostic ignored "-Wformat-nonliteral"
#pragma clang diagnostic ignored "-Wformat-security"
#define SAME(...) do { char want[512]; snprintf(want, sizeof(want), __VA_ARGS__); \
	assert_string_equal(ours(__VA_ARGS__), want); } while (0)

static void every_flag_and_width(void **state)
{
	(void)state;
	static const char *const flags[] = { "", "-", "0", "+", " ", "#", "-0", "+0", "-+", "#0", "-#", " 0" };
	static const char *const counts[] = { "", "1", "7", "20", ".0", ".1", ".5", ".24", "9.3", "3.9", "12.0" };
	static const char kinds[] = "diuxXo";
	static const long values[] = { 0, 1, -1, 7, 8, 255, 4096, INT_MAX, INT_MIN, LONG_MAX, LONG_MIN };
	static const char *const lengths[] = { "hh", "h", "", "l", "ll", "z", "j", "t" };
	for (size_t f = 0; f < 12; f++)
		for (size_t c = 0; c < 11; c++)
			for (const char *k = kinds; *k; k++)
				for (size_t l = 0; l < 8; l++)
					for (size_t v = 0; v < 11; v++) {
						char format[32];
						snprintf(format, sizeof(format), "<%%%s%s%s%c>", flags[f], counts[c], lengths[l], *k);
						SAME(format, values[v]);
					}
}

static void strings_and_characters(void **state)
{
	(void)state;
	SAME("%s|%10s|%-10s|%.2s|%10.3s|%.0s|", "abc", "abc", "abc", "abc", "abcdef", "abc");
	SAME("%c%5c%-5c|", 'a', 'b', 'c');
	SAME("%d%%", 50);
	SAME("%*d|%-*d|%*d|%.*s|%.*d", 5, 1, 5, 2, -5, 3, 2, "xyz", -1, 7);
	SAME("%p", (void *)0x1234abcd);
	SAME("no conversion");
	SAME("");
	/* Not beyond its precision: the text need not end. */
	char open_end[3] = { 'a', 'b', 'c' };
	assert_string_equal(ours("%.3s", open_end), "abc");
	assert_string_equal(ours("%s", (char *)NULL), "(null)");
}

static void nonsense_is_shown(void **state)
{
	(void)state;
	assert_string_equal(ours("%f"), "%f");
	assert_string_equal(ours("a%"), "a%");
	assert_string_equal(ours("%5"), "%5");
	assert_string_equal(ours("%q%d", 1), "%q1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_flag_and_width),
		cmocka_unit_test(strings_and_characters),
		cmocka_unit_test(nonsense_is_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

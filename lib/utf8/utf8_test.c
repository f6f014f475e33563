/*
 * Expected: well-formed text decodes to its code points, every malformed byte to one UTF8_BAD, going
 * back lands where going forward began, and widths follow the columns of a terminal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "utf8.c"

static void decodes_well_formed(void **state unused)
{
	static const struct { const char *text; uint32_t code; size_t len; } good[] = {
		{ "a", 'a', 1 }, { "\xc3\xa4", 0xe4, 2 }, { "\xe2\x82\xac", 0x20ac, 3 }, { "\xf0\x9f\x98\x80", 0x1f600, 4 },
		{ "\xf4\x8f\xbf\xbf", 0x10ffff, 4 },
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		uint32_t code = 0;
		assert_int_equal(utf8_decode(good[i].text, strlen(good[i].text), &code), good[i].len);
		assert_int_equal(code, good[i].code);
		char again[UTF8_MAX];
		assert_int_equal(utf8_encode(code, again), good[i].len);
		assert_memory_equal(again, good[i].text, good[i].len);
	}
}

static void refuses_malformed(void **state unused)
{
	static const char *const bad[] = {
		"\x80", "\xc0\x80", "\xc3", "\xc3g", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xff",
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint32_t code = 0;
		assert_int_equal(utf8_decode(bad[i], strlen(bad[i]), &code), 1);
		assert_int_equal(code, UTF8_BAD);
	}
}

static void back_mirrors_forward(void **state unused)
{
	const char *text = "a\xc3\xa4\x80\xe2\x82\xacz\xf0\x9f\x98\x80\xc3";
	size_t starts[32], n = 0, len = strlen(text);
	for (size_t i = 0; i < len;) {
		uint32_t code;
		starts[n++] = i;
		i += utf8_decode(text + i, len - i, &code);
	}
	for (size_t at = len; at > 0;) {
		at = utf8_back(text, at);
		assert_int_equal(at, starts[--n]);
	}
	assert_int_equal(n, 0);
}

static void widths(void **state unused)
{
	assert_int_equal(utf8_width("abc", 3), 3);
	assert_int_equal(utf8_width("\xe4\xb8\xad", 3), 2);             /* a Han character */
	assert_int_equal(utf8_width("a\xcc\x81", 3), 1);                /* a and a combining accent */
	assert_int_equal(utf8_width("\x01x", 2), 3);                    /* ^Ax */
	assert_int_equal(utf8_width("\xff", 1), 1);
	assert_int_equal(utf8_columns(0x1f600), 2);
	assert_int_equal(utf8_columns(0x3ffff), 1);
	static const uint32_t wide[] = { 0x231a, 0x26a1, 0x2705, 0x1f004, 0x1f7e0, 0x1fae8, 0xff01 }, narrow[] = { 0xad, 0x2600, 0x1f321, 0xe0a0, 0xff61 };
	static const uint32_t none[] = { 0x5bf, 0x670, 0x94d, 0x1160, 0x200d, 0x3099, 0xd7b0, 0xe0100 };
	for (size_t i = 0; i < ARRAY_LEN(wide); i++)
		assert_int_equal(utf8_columns(wide[i]), 2);
	for (size_t i = 0; i < ARRAY_LEN(narrow); i++)
		assert_int_equal(utf8_columns(narrow[i]), 1);
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		assert_int_equal(utf8_columns(none[i]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_well_formed), cmocka_unit_test(refuses_malformed),
		cmocka_unit_test(back_mirrors_forward), cmocka_unit_test(widths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * uri_test: "scheme://path" and "/path" are split where they should be; everything else is ERR_INVALID.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "uri.c"

static void splits(const char *text, const char *scheme, const char *path)
{
	const char *s, *p;
	size_t sn, pn;
	assert_int_equal(uri_split(text, strlen(text), &s, &sn, &p, &pn), OK);
	assert_int_equal(sn, strlen(scheme));
	assert_memory_equal(s, scheme, sn);
	assert_int_equal(pn, strlen(path));
	assert_memory_equal(p, path, pn);
}

static void refused(const char *text, size_t len)
{
	const char *s = "untouched", *p = s;
	size_t sn = 77, pn = 77;
	assert_int_equal(uri_split(text, len, &s, &sn, &p, &pn), ERR_INVALID);
	assert_int_equal(sn, 77);
	assert_int_equal(pn, 77);
}

static void test_good(void **state)
{
	(void)state;
	splits("rng://", "rng", "");
	splits("fs:///home/a.txt", "fs", "/home/a.txt");
	splits("pci://00:1f.2", "pci", "00:1f.2");
	splits("/home", "fs", "/home");
	splits("/", "fs", "/");
	splits("a://://b", "a", "://b");
	splits("x+y.z-9://p", "x+y.z-9", "p");
	splits("abcdefghijklmno://x", "abcdefghijklmno", "x");
}

static void test_bad(void **state)
{
	static const char *const bad[] = { "", "rng", "rng:", "rng:/", "://", ":///x", "Rng://", "9p://", "-a://", "a b://", "a_b://", "rng:x//",
		"abcdefghijklmnop://x", "r\xc3\xa4://", "rng;//", " rng://", "a/b://" };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		refused(bad[i], strlen(bad[i]));
	refused("rng\0://x", 8);
	refused("rng://", 5);           /* only what was given counts, not what follows */
}

/* Every byte in a scheme's second place, against the rule written out. */
static void test_letters(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		char text[2] = { 'a', (char)c };
		bool want = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
		assert_int_equal(scheme_valid(text, 2), want);
	}
	assert_false(scheme_valid("a", 0));
	assert_false(scheme_valid("aaaaaaaaaaaaaaaa", 16));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_good), cmocka_unit_test(test_bad), cmocka_unit_test(test_letters) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

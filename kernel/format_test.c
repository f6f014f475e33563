/* format_test: every conversion against known text, cut output, and formats that are wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "format.c"

#define EXPECT(text, ...) do { \
	char buf_[128]; \
	size_t n_ = kformat(buf_, sizeof(buf_), __VA_ARGS__); \
	assert_string_equal(buf_, text); \
	assert_int_equal(n_, strlen(text)); \
} while (0)

static void test_conversions(void **state)
{
	(void)state;
	EXPECT("", "%s", "");
	EXPECT("plain 100%", "plain %d%%", 100);
	EXPECT("-1 1 0", "%d %i %u", -1, 1, 0u);
	EXPECT("-2147483648", "%d", INT32_MIN);
	EXPECT("-9223372036854775808", "%ld", INT64_MIN);
	EXPECT("18446744073709551615", "%lu", UINT64_MAX);
	EXPECT("18446744073709551615", "%llu", (unsigned long long)UINT64_MAX);
	EXPECT("ffffffffffffffff", "%zx", (size_t)UINT64_MAX);
	EXPECT("4294967295", "%u", UINT32_MAX);
	EXPECT("dead BEEF", "%x %X", 0xdeadu, 0xbeefu);
	EXPECT("x", "%c", 'x');
	EXPECT("0x1000", "%p", (void *)0x1000);
	EXPECT("0x0", "%p", NULL);
}

static void test_padding(void **state)
{
	(void)state;
	EXPECT("   42|00042|-0042|  -42", "%5d|%05d|%05d|%5d", 42, 42, -42, -42);
	EXPECT("000000000000beef", "%016lx", 0xbeeful);
	EXPECT("   ab", "%5s", "ab");
	EXPECT("abc", "%.*s", 3, "abcdef");
	EXPECT("", "%.*s", 0, "abcdef");
	EXPECT("abcdef", "%.*s", -1, "abcdef");
	EXPECT("123456", "%3d", 123456);
}

/* A %.*s must not read past its precision: the array has no terminating zero. */
static void test_bounded_string(void **state)
{
	(void)state;
	const char signature[4] = { 'F', 'A', 'C', 'P' };
	EXPECT("[FACP]", "[%.*s]", 4, signature);
}

static void test_cut(void **state)
{
	(void)state;
	char buf[8];
	memset(buf, 'z', sizeof(buf));
	assert_int_equal(kformat(buf, 5, "%s", "abcdefgh"), 4);
	assert_string_equal(buf, "abcd");
	assert_int_equal(buf[5], 'z');
	assert_int_equal(kformat(buf, 1, "%d", 12), 0);
	assert_int_equal(buf[0], 0);
	buf[0] = 'q';
	assert_int_equal(kformat(buf, 0, "%d", 12), 0);
	assert_int_equal(buf[0], 'q');
}

static void test_wrong_formats(void **state)
{
	(void)state;
	const char *volatile odd = "%q|%";      /* volatile: keeps the compiler's format check out of it */
	char buf[32];
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wformat-nonliteral"
#pragma clang diagnostic ignored "-Wformat-security"
	assert_int_equal(kformat(buf, sizeof(buf), odd), 4);
	assert_string_equal(buf, "%q|%");
	odd = "%0999999999999999999999d";
	kformat(buf, sizeof(buf), odd, 7);
#pragma clang diagnostic pop
	assert_int_equal(strlen(buf), sizeof(buf) - 1);
	const char *volatile none = NULL;
	EXPECT("(null)", "%s", none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversions), cmocka_unit_test(test_padding),
		cmocka_unit_test(test_bounded_string), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_wrong_formats),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Expected: byte for byte what the hexdump of BSD prints for -C.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "line.c"

static void expect(uint64_t offset, const char *bytes, size_t n, const char *want)
{
	char text[LINE_TEXT];
	size_t len = line_format(text, offset, (const uint8_t *)bytes, n);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(text, want, len);
}

static void lines(void **state unused)
{
	expect(0, "0123456789abcdef", 16, "00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|\n");
	expect(16, "\0a\n", 3, "00000010  00 61 0a                                          |.a.|\n");
	expect(0x123456789abcull, "\xff", 1, "123456789abc  ff                                                |.|\n");
	expect(UINT64_MAX, "0123456789abcdef", 16, "ffffffffffffffff  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(lines) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Words of the command line. Expected: the last of several counts, quotes are taken off and hold blanks together, one that never closes
 * ends with the line; nothing is found that only begins or ends like the key.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#define strlcpy value_copy              /* this C library may have none */
static void value_copy(char *to, const char *from, size_t size);
#include "cmdline.c"

static void value_copy(char *to, const char *from, size_t size)
{
	size_t n = MIN(strlen(from), size - 1);

	memcpy(to, from, n);
	to[n] = 0;
}

static const char *given;

status_t cmdline(void *buf, uint64_t len, uint64_t *size)
{
	*size = strlen(given);
	memcpy(buf, given, MIN(len, *size));
	return OK;
}

static const char *value_of(const char *line, const char *key)
{
	static char value[16];

	given = line;
	return cmdline_word(key, value, sizeof(value)) ? value : NULL;
}

static void words(void **state unused)
{
	assert_string_equal(value_of("a tz=UTC b", "tz"), "UTC");
	assert_string_equal(value_of("tz=UTC\ttz=CET-1\r\n", "tz"), "CET-1");
	assert_string_equal(value_of("tz", "tz"), "");
	assert_string_equal(value_of("tz= x", "tz"), "");
	assert_string_equal(value_of("tz=a=b", "tz"), "a=b");
	assert_null(value_of("", "tz"));
	assert_null(value_of("  ", "tz"));
	assert_null(value_of("tzx=1 xtz=2 t=3", "tz"));
	assert_string_equal(value_of("tz=0123456789abcdefgh", "tz"), "0123456789abcde");
}

static void quotes(void **state unused)
{
	assert_string_equal(value_of("tz=\"Europe/Berlin\" x", "tz"), "Europe/Berlin");
	assert_string_equal(value_of("q=\"a tz=no\" tz=\"<A B>0\"", "tz"), "<A B>0");
	assert_string_equal(value_of("tz=a\" \"b", "tz"), "a b");
	assert_string_equal(value_of("tz=\"a b", "tz"), "a b");
	assert_string_equal(value_of("tz=\"\"", "tz"), "");
	assert_string_equal(value_of("\"tz=x y\"", "tz"), "x y");
}

int main(int argc unused, char **argv unused)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(words), cmocka_unit_test(quotes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

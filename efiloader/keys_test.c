/*
 * Keys of a terminal on COM1. Expected: arrows and their like are keys, with modifiers and without; ESC alone is one; a sequence that nobody
 * knows is none, and nothing of it is left to be typed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "keys.c"

static const char *bytes;

static int soon(void)
{
	return *bytes ? (uint8_t)*bytes++ : -1;
}

static uint32_t key(const char *sent)
{
	bytes = sent + 1;
	uint32_t k = key_of_terminal((uint8_t)sent[0], soon);
	assert_int_equal(*bytes, 0);
	return k;
}

static void keys(void **state unused)
{
	assert_int_equal(key("a"), 'a');
	assert_int_equal(key("\r"), '\r');
	assert_int_equal(key("\x7f"), '\b');
	assert_int_equal(key("\x1b"), KEY_ESCAPE);
	assert_int_equal(key("\x1bx"), KEY_ESCAPE);
	assert_int_equal(key("\x1b[A"), KEY_UP);
	assert_int_equal(key("\x1b[B"), KEY_DOWN);
	assert_int_equal(key("\x1bOC"), KEY_RIGHT);
	assert_int_equal(key("\x1b[1;5D"), KEY_LEFT);
	assert_int_equal(key("\x1b[H"), KEY_HOME);
	assert_int_equal(key("\x1b[1~"), KEY_HOME);
	assert_int_equal(key("\x1b[8~"), KEY_END);
	assert_int_equal(key("\x1bOF"), KEY_END);
	assert_int_equal(key("\x1b[3~"), KEY_DELETE);
	assert_int_equal(key("\x1b[3;2~"), KEY_DELETE);
	assert_int_equal(key("\x1b[5~"), 0);
	assert_int_equal(key("\x1b[?1c"), 0);
	assert_int_equal(key("\x1b[111111111111~"), 0);
	assert_int_equal(key("\x1b["), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(keys) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

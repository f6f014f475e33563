/*
 * request_test: each verb is known, names go along, and anything else is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "request.c"

static struct request r;

static bool parse(const char *text)
{
	return request_parse(&r, text, strlen(text));
}

static void good(void **state)
{
	(void)state;
	assert_true(parse("restart rngd\n"));
	assert_int_equal(r.action, ACTION_RESTART);
	assert_string_equal(r.name, "rngd");
	assert_true(parse("  kill\tfsd.fat32  "));
	assert_int_equal(r.action, ACTION_KILL);
	assert_string_equal(r.name, "fsd.fat32");
	assert_true(parse("stop"));             /* for svc://NAME */
	assert_string_equal(r.name, "");
	assert_true(parse("poweroff"));
	assert_int_equal(r.action, ACTION_POWEROFF);
	assert_true(parse("exit 3"));
	assert_int_equal(r.value, 3);
}

static void bad(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"", " \n", "dance", "poweroff now", "restart a b", "exit x", "exit 3 4", "restartrngd",
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_false(parse(cases[i]));
	assert_false(request_parse(&r, "stop a\0b", 8));
	char longer[200];
	memset(longer, 'x', sizeof(longer));
	memcpy(longer, "stop ", 5);
	for (size_t n = 6; n <= sizeof(longer); n++)
		assert_int_equal(request_parse(&r, longer, n), n <= REQUEST_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(good), cmocka_unit_test(bad) };
	return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}

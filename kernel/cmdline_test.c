/* cmdline_test: words, quotes, the last of two wins, cut values, unknown options named, hostile lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "cmdline.c"

static char   said[8192];
static size_t said_len;

void klog(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	said_len += (size_t)vsnprintf(said + said_len, sizeof(said) - said_len, format, args);
	said_len += (size_t)snprintf(said + said_len, sizeof(said) - said_len, "\n");
	va_end(args);
}

static void give(const char *text)
{
	said_len = 0;
	said[0] = 0;
	cmdline_init(text, strlen(text));
}

static void test_values(void **state)
{
	(void)state;
	char buf[64];
	give("quiet root=nvme0  init=\"a b\"\tvideo=1024x768 empty= x=\"1\"2\"3 4\" root2=no\n");
	assert_string_equal(cmdline_get("root", buf, sizeof(buf)), "nvme0");
	assert_string_equal(cmdline_get("init", buf, sizeof(buf)), "a b");
	assert_string_equal(cmdline_get("video", buf, sizeof(buf)), "1024x768");
	assert_string_equal(cmdline_get("quiet", buf, sizeof(buf)), "");
	assert_string_equal(cmdline_get("empty", buf, sizeof(buf)), "");
	assert_string_equal(cmdline_get("x", buf, sizeof(buf)), "123 4");
	assert_null(cmdline_get("roo", buf, sizeof(buf)));
	assert_null(cmdline_get("root22", buf, sizeof(buf)));
	assert_null(cmdline_get("b\"", buf, sizeof(buf)));
	assert_null(cmdline_get("", buf, sizeof(buf)));
	assert_string_equal(cmdline_get("root", buf, 4), "nvm");
	assert_string_equal(cmdline_get("root", buf, 1), "");
	assert_null(cmdline_get("root", buf, 0));
}

static void test_flags(void **state)
{
	(void)state;
	give("a b=1 c=0 d=yes e=off f=perhaps g=1 g=no h=trueish");
	assert_true(cmdline_flag("a", false));
	assert_true(cmdline_flag("b", false));
	assert_false(cmdline_flag("c", true));
	assert_true(cmdline_flag("d", false));
	assert_false(cmdline_flag("e", true));
	assert_true(cmdline_flag("f", true));
	assert_false(cmdline_flag("f", false));
	assert_false(cmdline_flag("g", true));
	assert_true(cmdline_flag("h", true));
	assert_true(cmdline_flag("absent", true));
	assert_false(cmdline_flag("absent", false));
}

static void test_check(void **state)
{
	(void)state;
	give("quiet qiuet=1 rngd.foo=1 root=x.y rooty ro \"odd one\"=2");
	cmdline_check();
	assert_string_equal(said, "cmdline: unknown option \"qiuet\"\ncmdline: unknown option \"rooty\"\n"
	                          "cmdline: unknown option \"ro\"\ncmdline: unknown option \"\"odd one\"\"\n");
}

static void test_hostile(void **state)
{
	(void)state;
	char buf[16], big[3000];
	give("");
	assert_null(cmdline_get("a", buf, sizeof(buf)));
	cmdline_check();
	assert_string_equal(said, "");
	give("a=\"never closed b=1");
	assert_null(cmdline_get("b", buf, sizeof(buf)));
	assert_string_equal(cmdline_get("a", buf, sizeof(buf)), "never closed b=");
	cmdline_init("a=1\0b=2", 7);
	assert_string_equal(cmdline_get("b", buf, sizeof(buf)), "2");
	memset(big, 'q', sizeof(big));
	said_len = 0;
	cmdline_init(big, sizeof(big));
	assert_int_equal(strlen(cmdline_text()), CMDLINE_MAX - 1);
	cmdline_check();
	assert_non_null(strstr(said, "the rest is ignored"));
	give("= == =x");
	cmdline_check();
	assert_null(cmdline_get("x", buf, sizeof(buf)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values), cmocka_unit_test(test_flags),
		cmocka_unit_test(test_check), cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * config_test: boot.cfg as people write it, and as they should not: a bad line costs that line and a warning.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "config.c"

static struct config c;

/* Parses from a heap block of exactly that size, so that ASan sees a read too far. */
static void parse_bytes(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);
	memcpy(copy, text, len);
	config_parse(&c, copy, len);
	free(copy);
}

static void parse(const char *text)
{
	parse_bytes(text, strlen(text));
}

static void nothing_gives_the_usual(void **state)
{
	(void)state;
	config_parse(&c, NULL, 0);
	assert_int_equal(c.n_entries, 1);
	assert_string_equal(c.entries[0].name, "skerry");
	assert_string_equal(c.entries[0].kernel, "\\skerry\\kernel.elf");
	assert_string_equal(c.entries[0].first, "\\skerry\\initfsd");
	assert_string_equal(c.entries[0].initfs, "\\skerry\\initfs.tar.gz");
	assert_string_equal(c.entries[0].cmdline, "");
	assert_int_equal(c.timeout_s, 3);
	assert_int_equal(c.n_warnings, 0);
}

static void entries_and_defaults(void **state)
{
	(void)state;
	parse("\xef\xbb\xbf# of another system\r\n"
	      "timeout = 10\r\n cmdline=quiet=1 x=y\t\r\n\r\n"
	      "[one]\nkernel = /a/b.elf\n"
	      "[ two words ]\ncmdline =\ninitfs=\\c\n first = f");
	assert_int_equal(c.n_warnings, 0);
	assert_int_equal(c.n_entries, 2);
	assert_int_equal(c.timeout_s, 10);
	assert_string_equal(c.entries[0].name, "one");
	assert_string_equal(c.entries[0].kernel, "\\a\\b.elf");
	assert_string_equal(c.entries[0].cmdline, "quiet=1 x=y");
	assert_string_equal(c.entries[1].name, "two words");
	assert_string_equal(c.entries[1].kernel, "\\skerry\\kernel.elf");
	assert_string_equal(c.entries[1].cmdline, "");
	assert_string_equal(c.entries[1].initfs, "\\c");
	assert_string_equal(c.entries[1].first, "f");
}

static void timeouts(void **state)
{
	(void)state;
	parse("timeout = none");
	assert_int_equal(c.timeout_s, CONFIG_WAIT_FOREVER);
	parse("timeout = 0");
	assert_int_equal(c.timeout_s, 0);
	const char *bad[] = { "timeout = -1", "timeout = 3601", "timeout =", "timeout = 5s",
			      "timeout = 99999999999999999999" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		parse(bad[i]);
		assert_int_equal(c.timeout_s, 3);
		assert_int_equal(c.n_warnings, 1);
		assert_int_equal(c.warnings[0].line, 1);
	}
}

static void bad_lines_are_named_and_skipped(void **state)
{
	(void)state;
	parse("what is this\n[a]\nkernal = x\nkernel =\ninitfs = \x01\ncmdline = a\x01" "b\nfirst = good\n");
	assert_int_equal(c.n_warnings, 5);
	assert_int_equal(c.warnings[0].line, 1);
	assert_string_equal(c.warnings[0].why, "neither key = value nor [entry]");
	assert_string_equal(c.warnings[1].why, "unknown key");
	assert_string_equal(c.warnings[2].why, "no path given");
	assert_string_equal(c.warnings[3].why, "path with other than plain ASCII");
	assert_string_equal(c.warnings[4].why, "control character in the command line");
	assert_int_equal(c.warnings[4].line, 6);
	assert_string_equal(c.entries[0].first, "good");
	assert_string_equal(c.entries[0].kernel, "\\skerry\\kernel.elf");
}

/* Found by config_fuzz: a zero byte made a path that was checked only up to it, and empty. */
static void zero_bytes(void **state)
{
	(void)state;
	parse_bytes("kernel=\0x\n[\0\0a]\n", 16);
	assert_int_equal(c.n_warnings, 1);
	assert_string_equal(c.entries[0].kernel, "\\skerry\\kernel.elf");
	assert_string_equal(c.entries[0].name, "..a");
}

/* What follows a refused heading belongs to nobody. */
static void refused_entry_swallows_its_lines(void **state)
{
	(void)state;
	parse("[]\nkernel = lost\n[open\nkernel = lost\n[\n[good]\n");
	assert_int_equal(c.n_entries, 1);
	assert_string_equal(c.entries[0].name, "good");
	assert_string_equal(c.entries[0].kernel, "\\skerry\\kernel.elf");
	assert_int_equal(c.n_warnings, 3);
}

static void limits(void **state)
{
	(void)state;
	static char text[8192];
	size_t n = 0;
	for (int i = 0; i < 20; i++)
		n += (size_t)sprintf(text + n, "[e%d]\n", i);
	parse(text);
	assert_int_equal(c.n_entries, CONFIG_ENTRIES_MAX);
	assert_int_equal(c.n_warnings, 4);

	memcpy(text, "cmdline=", 8);
	memset(text + 8, 'x', CONFIG_CMDLINE_MAX + 1);
	parse_bytes(text, 8 + CONFIG_CMDLINE_MAX);
	assert_int_equal(strlen(c.entries[0].cmdline), CONFIG_CMDLINE_MAX);
	parse_bytes(text, 8 + CONFIG_CMDLINE_MAX + 1);
	assert_string_equal(c.entries[0].cmdline, "");
	assert_string_equal(c.warnings[0].why, "command line too long");

	memcpy(text, "kernel=/", 8);
	parse_bytes(text, 7 + CONFIG_PATH_MAX);
	assert_int_equal(strlen(c.entries[0].kernel), CONFIG_PATH_MAX);
	parse_bytes(text, 8 + CONFIG_PATH_MAX);
	assert_string_equal(c.warnings[0].why, "path too long");

	memset(text, '\n', 100);
	memset(text + 100, '=', 100);
	parse_bytes(text, 200);
	assert_int_equal(c.n_warnings, 1);
	assert_int_equal(c.warnings[0].line, 101);
}

static void words(void **state)
{
	(void)state;
	size_t len;
	assert_non_null(config_word("a nokaslr b", "nokaslr", &len));
	assert_null(config_word("xnokaslr nokaslrx nokaslr=1", "nokaslr", &len));
	assert_null(config_word("", "nokaslr", &len));
	const char *v = config_word("a video=12x4 b", "video=", &len);
	assert_non_null(v);
	assert_int_equal(len, 4);
	assert_memory_equal(v, "12x4", 4);
}

static void video(void **state)
{
	(void)state;
	uint32_t w = 7, h = 7;
	assert_true(config_video("quiet=1 video=1024x768", &w, &h));
	assert_int_equal(w, 1024);
	assert_int_equal(h, 768);
	const char *bad[] = { "", "video=", "video=x", "video=1024", "video=1024x", "video=x768", "video=0x0",
			      "video=65536x1", "video=1024x768x2", "video=-1x5", "video=99999999999x1" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(config_video(bad[i], &w, &h));
	assert_int_equal(w, 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_gives_the_usual),
		cmocka_unit_test(entries_and_defaults),
		cmocka_unit_test(timeouts),
		cmocka_unit_test(bad_lines_are_named_and_skipped),
		cmocka_unit_test(zero_bytes),
		cmocka_unit_test(refused_entry_swallows_its_lines),
		cmocka_unit_test(limits),
		cmocka_unit_test(words),
		cmocka_unit_test(video),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

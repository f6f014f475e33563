/*
 * lines_test: each line as a terminal gets it; names and reasons cannot drive the terminal; nothing is written beyond the buffer whatever its
 * size, and a cut line still ends its colours; troubles are told LINE_BURST at once, then at their rate.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "lines.c"

static char buf[LINE_BYTES + 1];

static void shows(size_t n, const char *expected)
{
	assert_true(n <= LINE_BYTES);
	buf[n] = 0;
	assert_string_equal(buf, expected);
}

static void each_line(void **state)
{
	(void)state;
	shows(line_name(buf, LINE_BYTES), "\033[1mSkerry " SKERRY_VERSION "\033[0m\r\n");
	shows(line_ready(buf, LINE_BYTES, 14, 14, 1234 * NS_PER_MS), "\033[38;5;245m14 services, ready after 1.23 s\033[0m\r\n\r\n");
	shows(line_ready(buf, LINE_BYTES, 13, 14, 50 * NS_PER_MS), "13 of 14 services run\033[38;5;245m, ready after 0.05 s\033[0m\r\n\r\n");
	shows(line_trouble(buf, LINE_BYTES, "acpid", "no memory", false), "\033[1;93macpid\033[0m: no memory\033[0m\r\n");
	shows(line_trouble(buf, LINE_BYTES, "", "no memory", true), "\033[1;91m\033[0mno memory\033[0m\r\n");
	shows(line_doing(buf, LINE_BYTES, "Restarting", "a b"), "\033[?7l\033[1mRestarting\033[0m\033[38;5;245m  a b\033[0m\033[?7h");
}

static unsigned count(const char *what)
{
	unsigned n = 0;

	for (const char *p = buf; (p = strstr(p, what)); p += strlen(what))
		n++;
	return n;
}

static void the_bar(void **state)
{
	(void)state;
	for (uint32_t of = 0; of < 70; of++)
		for (uint32_t up = 0; up <= of + 1; up++) {
			buf[line_progress(buf, LINE_BYTES, up, of, "x")] = 0;
			assert_int_equal(count(HEAVY) + count(LIGHT), BAR);
			assert_int_equal(count(HEAVY), of ? MIN(up, of) * BAR / of : 0);
		}
	buf[line_progress(buf, LINE_BYTES, 9, 14, "acpid kbd")] = 0;
	assert_non_null(strstr(buf, "  9 of 14  \033[38;5;245macpid kbd\033[0m"));
}

static void hostile_words(void **state)
{
	(void)state;
	buf[line_trouble(buf, LINE_BYTES, "a\033[2J\r\n", "\x9b\x7f\303\244z", true)] = 0;
	assert_string_equal(buf, "\033[1;91ma?[2J??\033[0m: ????z\033[0m\r\n");
	buf[line_progress(buf, LINE_BYTES, 0, 1, "\033c")] = 0;
	assert_non_null(strstr(buf, "?c"));
}

/* Into exactly as much memory as there is: ASan sees one byte more. */
static void any_size(void **state)
{
	char *words = malloc(3 * LINE_BYTES);

	(void)state;
	memset(words, 'w', 3 * LINE_BYTES);
	words[3 * LINE_BYTES - 1] = 0;
	for (size_t size = 1; size <= LINE_BYTES; size++) {
		char *b = malloc(size);
		assert_true(line_name(b, size) <= size);
		assert_true(line_progress(b, size, 1, 2, words) <= size);
		assert_true(line_ready(b, size, 1, 2, UINT64_MAX) <= size);
		assert_true(line_doing(b, size, "Restarting", words) <= size);
		size_t n = line_trouble(b, size, words, words, true);
		assert_true(n <= size);
		if (size > 20)
			assert_memory_equal(b + n - 6, "\033[0m\r\n", 6);
		free(b);
	}
	free(words);
}

static void the_rate(void **state)
{
	struct line_rate r = { 0 };
	uint32_t lost = 77;
	uint64_t now = 5 * NS_PER_SEC;

	(void)state;
	for (int i = 0; i < LINE_BURST; i++) {
		assert_true(line_allowed(&r, now, &lost));
		assert_int_equal(lost, 0);
	}
	for (int i = 0; i < 3; i++)
		assert_false(line_allowed(&r, now, &lost));
	now += LINE_PERIOD_NS;
	assert_true(line_allowed(&r, now, &lost));
	assert_int_equal(lost, 3);
	assert_false(line_allowed(&r, now, &lost));
	now += 1000 * LINE_PERIOD_NS;
	for (int i = 0; i < LINE_BURST; i++)
		assert_true(line_allowed(&r, now, &lost));
	assert_false(line_allowed(&r, now, &lost));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line), cmocka_unit_test(the_bar), cmocka_unit_test(hostile_words), cmocka_unit_test(any_size), cmocka_unit_test(the_rate),
	};
	return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}

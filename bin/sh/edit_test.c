/*
 * Expected: what the keys say ends up in the line, and a small terminal that is fed the output shows
 * the same line with the cursor in the same place, also when it wraps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "edit.c"
#include <utf8/utf8.c>

enum { COLUMNS = 20, ROWS = 8 };

/* Just enough of a terminal: one-column characters, late wrapping, the sequences that edit sends. */
static struct {
	char cell[ROWS][COLUMNS];
	unsigned row, column;
	bool wrap, escape;
	char args[16];
	size_t n_args;
	char raw[1 << 16];
	size_t raw_len;
} term;

static void term_clear(void)
{
	memset(&term, 0, sizeof(term));
	memset(term.cell, ' ', sizeof(term.cell));
}

static void term_sequence(char final)
{
	unsigned n = (unsigned)atoi(term.args + 1);
	if (final == 'A') {
		assert_true(term.row >= n);
		term.row -= n;
	} else if (final == 'C') {
		term.column += n;
		assert_true(term.column < COLUMNS);
	} else if (final == 'J' && n == 0) {
		memset(&term.cell[term.row][term.column], ' ', (size_t)(ROWS * COLUMNS) - (term.row * COLUMNS + term.column));
	} else if (final == 'J') {
		memset(term.cell, ' ', sizeof(term.cell));
	} else {
		assert_int_equal(final, 'H');
		term.row = term.column = 0;
	}
	term.wrap = false;
}

static void term_byte(char c)
{
	if (term.escape) {
		if (c == '[' || (c >= '0' && c <= '9')) {
			term.args[term.n_args++] = c;
			return;
		}
		term.args[term.n_args] = 0;
		term.escape = false;
		term_sequence(c);
	} else if (c == 27) {
		term.escape = true;
		term.n_args = 0;
	} else if (c == '\r') {
		term.column = 0;
		term.wrap = false;
	} else if (c == '\n') {
		term.row++;
		term.column = 0;
		term.wrap = false;
	} else if (c == '\b') {
		term.column -= term.column > 0;
		term.wrap = false;
	} else if (c != BELL) {
		if (term.wrap) {
			term.row++;
			term.column = 0;
		}
		assert_true(term.row < ROWS);
		term.cell[term.row][term.column] = c;
		term.wrap = term.column == COLUMNS - 1;
		term.column += !term.wrap;
	}
}

static void term_write(void *ctx unused, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		term_byte(data[i]);
		if (term.raw_len < sizeof(term.raw))
			term.raw[term.raw_len++] = data[i];
	}
}

static struct edit e;

static int fresh(void **state unused)
{
	e = (struct edit){ .write = term_write, .columns = COLUMNS };
	term_clear();
	edit_start(&e, "$ ");
	edit_flush(&e);
	return 0;
}

static int done(void **state unused)
{
	for (unsigned i = 0; i < e.n_history; i++)
		free(e.history[i]);
	free(e.draft);
	return 0;
}

static enum edit_result keys(const char *text)
{
	enum edit_result r = EDIT_MORE;
	for (; *text; text++)
		r = edit_byte(&e, (uint8_t)*text);
	edit_flush(&e);
	return r;
}

/* The line is `text`, the cursor at byte `cursor`, and the (ASCII) screen agrees. */
static void line_is(const char *text, size_t cursor)
{
	char want[ROWS * COLUMNS];
	assert_int_equal(e.len, strlen(text));
	assert_memory_equal(e.text, text, e.len);
	assert_int_equal(e.cursor, cursor);
	memset(want, ' ', sizeof(want));
	memcpy(want, "$ ", 2);
	memcpy(want + 2, text, strlen(text));
	assert_memory_equal(term.cell, want, sizeof(want));
	assert_int_equal(term.row * COLUMNS + term.column + term.wrap, cursor + 2);
}

static void typing(void **state unused)
{
	keys("hello");
	line_is("hello", 5);
	assert_int_equal(term.raw_len, 7);      /* the prompt and each key once */
	keys("\x7f\x7f");
	line_is("hel", 3);
	assert_int_equal(keys("\r"), EDIT_LINE);
	assert_string_equal(e.text, "hel");
	assert_int_equal(edit_byte(&e, '\n'), EDIT_MORE);       /* of CR LF */
}

/* The terminal has got narrower since the prompt was drawn. */
static void another_size(void **state unused)
{
	e.columns = 2 * COLUMNS;
	keys("abc");
	edit_resize(&e, COLUMNS);
	keys("defghijklmnopqrstuvwxyz0123");
	line_is("abcdefghijklmnopqrstuvwxyz0123", 30);
	keys("\x1b[D\x1b[D-");
	line_is("abcdefghijklmnopqrstuvwxyz01-23", 29);
	keys("\x01>");
	line_is(">abcdefghijklmnopqrstuvwxyz01-23", 1);
}

/* A wide character does not stand half on one row and half on the next. */
static void wide_at_the_edge(void **state unused)
{
	keys("12345678901234567\xe6\x97\xa5");
	assert_int_equal(place(&e, 17), 19);
	assert_int_equal(place(&e, 20), 22);
}

static void escapes(void **state unused)
{
	keys("one two\x1b");
	assert_int_equal(keys("\r"), EDIT_LINE);
	assert_string_equal(e.text, "one two");
	edit_start(&e, "$ ");
	keys("one two three\x1b\x7f");
	assert_int_equal(e.len, 8);
	keys("\x01\x1b" "d");
	assert_int_equal(e.len, 5);
	keys("\x1b[\x1b[C\x1b\x1b[F!");
	assert_int_equal(e.len, 6);
	assert_memory_equal(e.text, " two !", 6);
}

static void moving(void **state unused)
{
	keys("one two three\x1b[D\x1b[D-");
	line_is("one two thr-ee", 12);
	keys("\x01>\x05<");
	line_is(">one two thr-ee<", 16);
	keys("\x1b[1;5D\x1b[1;5D|");
	line_is(">one |two thr-ee<", 6);
	keys("\x1b[H\x1b[3~\x1b[F\x1b[D\x04");
	line_is("one |two thr-ee", 15);
	keys("\x17\x1b" "b\x0b");
	line_is("one ", 4);
	keys("\x02\x02\x15");
	line_is("e ", 0);
	keys("\x1b[C\x1bOFz\x1bOH");
	line_is("e z", 0);
}

static void wrapping(void **state unused)
{
	keys("0123456789abcdefgh");             /* exactly to the edge */
	line_is("0123456789abcdefgh", 18);
	assert_int_equal(term.raw_len, 20);     /* nothing but the keys: whoever reads along is not confused */
	keys("\x7f\x1b[D\x1b[Ch");
	line_is("0123456789abcdefgh", 18);
	keys("ijklmnopqrstuvwxyz0123456789");
	line_is("0123456789abcdefghijklmnopqrstuvwxyz0123456789", 46);
	keys("\x01X");
	line_is("X0123456789abcdefghijklmnopqrstuvwxyz0123456789", 1);
	keys("\x05\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f");
	line_is("X0123456789abcdefghijklmnopqrstuvwxy", 36);
	keys("\x01\x0b");
	line_is("", 0);
}

static void history(void **state unused)
{
	edit_remember(&e, "first");
	edit_remember(&e, "second");
	edit_remember(&e, "second");
	edit_remember(&e, "");
	assert_int_equal(e.n_history, 2);
	e.browsing = e.n_history;
	keys("draft\x1b[A");
	line_is("second", 6);
	keys("\x1b[A\x1b[A");
	line_is("first", 5);
	keys("\x1b[B\x1b[B");
	line_is("draft", 5);
	keys("\x1b[B");
	line_is("draft", 5);
	for (int i = 0; i < 3 * EDIT_HISTORY; i++) {
		char text[16];
		snprintf(text, sizeof(text), "line %d", i);
		edit_remember(&e, text);
	}
	assert_int_equal(e.n_history, EDIT_HISTORY);
	assert_string_equal(e.history[EDIT_HISTORY - 1], "line 299");
}

static void utf8_text(void **state unused)
{
	keys("a\xc3\xa4\xe2\x82\xac");
	assert_int_equal(e.len, 6);
	keys("\x1b[D\x7f");
	assert_memory_equal(e.text, "a\xe2\x82\xac", 4);
	assert_int_equal(e.cursor, 1);
	keys("\xff\x80\xc3z");                  /* malformed bytes are dropped */
	assert_memory_equal(e.text, "az\xe2\x82\xac", 5);
	assert_int_equal(e.len, 5);
}

static void endings(void **state unused)
{
	assert_int_equal(keys("abc\x03"), EDIT_INTERRUPT);
	edit_start(&e, "$ ");
	assert_int_equal(keys("\x04"), EDIT_END);
	edit_start(&e, "$ ");
	assert_int_equal(keys("\x1b[\x03"), EDIT_INTERRUPT);    /* never stuck in a sequence */
}

/* Knows two words. */
static size_t offers(void *ctx unused, const char *text, size_t cursor, unsigned columns, char *insert, size_t room, const char **shown)
{
	assert_int_equal(columns, COLUMNS);
	assert_true(room >= 4 && text[strlen(text)] == 0 && cursor <= strlen(text));
	if (cursor >= 2 && !memcmp(text + cursor - 2, "ca", 2)) {
		memcpy(insert, "t ", 2);
		return 2;
	}
	*shown = cursor == 0 ? "cat\ncow\n" : NULL;
	return 0;
}

static void tab(void **state unused)
{
	keys("ca\t");
	assert_int_equal(e.len, 2);             /* nobody to ask: a bell */
	assert_int_equal(term.raw[term.raw_len - 1], BELL);
	e.complete = offers;
	keys("\t");
	line_is("cat ", 4);
	keys("z\x1b[H" "ca\t");                 /* in the middle */
	line_is("cat cat z", 4);
	keys("\t\t\t");                         /* nothing to be said */
	line_is("cat cat z", 4);
	keys("\x15\x0b\t");
	line_is("", 0);
	keys("\t");
	const char *want[] = { "$ ", "cat", "cow", "$ " };
	for (unsigned i = 0; i < 4; i++)
		assert_memory_equal(term.cell[i], want[i], strlen(want[i]));
	assert_int_equal(term.row, 3);
	assert_int_equal(term.column, 2);
	keys("x");
	assert_memory_equal(term.cell[3], "$ x ", 4);
}

static void nowhere(void *ctx unused, const char *data unused, size_t len unused)
{
}

static void long_line(void **state unused)
{
	e.columns = 200;                        /* the small terminal is not asked */
	e.write = nowhere;
	for (int i = 0; i < EDIT_LINE_MAX + 10; i++)
		edit_byte(&e, 'x');
	assert_int_equal(e.len, EDIT_LINE_MAX);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, done)
	const struct CMUnitTest tests[] = {
		TEST(typing), TEST(another_size), TEST(wide_at_the_edge), TEST(escapes), TEST(moving), TEST(wrapping), TEST(history), TEST(utf8_text), TEST(endings), TEST(tab), TEST(long_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

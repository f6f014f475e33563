/*
 * Expected: what was committed is there again whatever came after it, also when the head was torn at any byte; what makes no sense is refused; sizes
 * change as people expect; the history can be looked at; damage is what changed and no more, and a scroll is a move; and
 * a marked write is done once however often its bytes come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <utf8/utf8.c>
#include "term.c"
#include "term_cells.c"
#include "term_damage.c"
#include "term_events.c"
#include "term_gate.c"
#include "term_keys.c"
#include "term_text.c"
#include "term_vt.c"
#include "model.h"

static const struct term_shape shape = { 5, 20, 24, 80, 100 };
static uint8_t *memory;
static struct term *t;

static int fresh(void **state unused)
{
	memory = calloc(1, term_size(&shape));
	assert_int_equal(term_open(&t, memory, term_size(&shape), &shape), OK);
	follow(t);
	return 0;
}

static int done(void **state unused)
{
	term_close(t);
	free(memory);
	return 0;
}

static void again(void)
{
	term_close(t);
	assert_int_equal(term_open(&t, memory, term_size(&shape), &shape), OK);
	follow(t);
}

static void say(const char *text)
{
	assert_int_equal(term_write(t, text, strlen(text)), strlen(text));
}

static void row_is(unsigned row, const char *want)
{
	char got[256];
	size_t n = term_row_text(t, row, got, sizeof(got));

	assert_int_equal(n, strlen(want));
	assert_memory_equal(got, want, n);
}

static void what_was_not_committed_never_was(void **state unused)
{
	say("kept");
	term_commit(t, &(struct term_mark){ .op = 7, .done = 4 });
	say("\33[1;31m lost\r\n\n\n\n\n\n\n\33[?1049h\33[2;4rmore\33[");
	again();
	row_is(0, "kept");
	assert_int_equal(term_history(t), 0);
	assert_int_equal(term_mark(t)->op, 7);
	assert_int_equal(term_mark(t)->done, 4);
	say(" on");
	row_is(0, "kept on");
	assert_int_equal(term_row(t, 0)[6].fg, 0);
}

/* Killed at any byte of writing the head: the screen before or the one after, nothing between. */
static void torn_heads(void **state unused)
{
	struct term_head old, new;

	say("first\r\n1\r\n2\r\n3\r\n4\r\n5");
	term_commit(t, NULL);
	uint8_t *copy = malloc(term_size(&shape));
	say("\r\nsecond");
	unsigned at = (t->head.seq + 1) & 1;
	old = t->saved[at];
	term_commit(t, NULL);
	new = t->saved[at];
	memcpy(copy, memory, term_size(&shape));
	for (size_t n = 0; n <= sizeof(new); n += n > 200 && n < sizeof(new) - 64 ? 61 : 1) {
		memcpy(memory, copy, term_size(&shape));
		memcpy(&((struct term_head *)memory)[at], &new, n);
		memcpy((uint8_t *)&((struct term_head *)memory)[at] + n, (uint8_t *)&old + n, sizeof(old) - n);
		again();
		bool whole = memcmp(&((struct term_head *)memory)[at], &new, sizeof(new)) == 0;
		row_is(4, whole ? "second" : "5");
		row_is(0, whole ? "2" : "1");
		assert_int_equal(term_history(t), whole ? 2 : 1);
	}
	free(copy);
}

static void nonsense_is_refused(void **state unused)
{
	struct term_head *h = (struct term_head *)memory;

	say("x");
	term_commit(t, NULL);
	for (int what = 0; what < 8; what++) {
		for (int i = 0; i < 2; i++) {
			if (what == 0) h[i].map[0][1] = h[i].map[0][0];
			if (what == 1) h[i].map[0][2] = 60000;
			if (what == 2) h[i].rows = 25;
			if (what == 3) h[i].cols = 7;
			if (what == 4) h[i].reply_put = h[i].reply_taken + 1000;
			if (what == 5) h[i].gate.len = 999;
			if (what == 6) h[i].last_col = -3;
			if (what == 7) h[i].alt = 2;
			h[i].check = head_check(&h[i]);
		}
		again();
		row_is(0, "");
		say("x");
		term_commit(t, NULL);
		again();
		row_is(0, "x");
	}
	h[0].vt.row = h[1].vt.row = 9999;               /* libvterm's part is clamped */
	h[0].vt.bottom = h[1].vt.bottom = -77;
	h[0].check = head_check(&h[0]), h[1].check = head_check(&h[1]);
	again();
	row_is(0, "x");
	assert_int_equal(term_cursor(t).row, 4);
	say("\n\n\n\n\n");
	struct term_shape bad = shape;
	bad.rows = 1;
	assert_int_equal(term_size(&bad), 0);
	bad = shape;
	bad.cols_max = TERM_COLS_MAX + 1;
	struct term *none;
	assert_int_equal(term_open(&none, memory, SIZE_MAX, &bad), ERR_INVALID);
	assert_int_equal(term_open(&none, memory, term_size_least(&shape) - 1, &shape), ERR_INVALID);
	bad = shape;
	bad.history--;                                  /* other maximums: another layout */
	term_close(t);
	assert_int_equal(term_open(&t, memory, term_size(&shape), &bad), OK);
	row_is(0, "");
}

static size_t granted, most;

static bool grant(void *ctx unused, size_t size)
{
	if (size > most)
		return false;
	granted = size;
	return true;
}

/* Without more memory the history is as short as it must be; with it, as long as it was meant to be; what was there stays so for the next instance. */
static void history_takes_memory_as_it_grows(void **state unused)
{
	size_t line = shape.cols_max * sizeof(struct term_cell), least = term_size_least(&shape);
	char text[32];

	memset(memory, 0, term_size(&shape));
	for (int round = 0; round < 3; round++) {
		term_close(t);
		assert_int_equal(term_open(&t, memory, least, &shape), OK);
		term_grows(t, grant, NULL);
		most = round == 0 ? 0 : round == 1 ? least + TERM_GROWTH : term_size(&shape);
		for (int i = 0; i < 300; i++) {
			size_t len = (size_t)snprintf(text, sizeof(text), "\r\nline %d", i);
			for (size_t n = 0, took; n < len; n += took) {
				term_commit(t, NULL);
				took = term_write(t, text + n, len - n);
				assert_true(took > 0);
			}
		}
		term_commit(t, NULL);
		row_is(4, "line 299");
		unsigned want = round == 0 ? (2 * shape.rows_max - shape.rows) : round == 1 ? (unsigned)(2 * shape.rows_max - shape.rows + TERM_GROWTH / line) : 100;
		assert_in_range(term_history(t), MIN(want, 100u) - MIN(want, (unsigned)TERM_SPARE + 2), MIN(want, 100u));
		term_view_by(t, 5);
		row_is(0, "line 290");
		term_view_by(t, -5);
	}
	assert_in_range(granted, term_size(&shape) - TERM_SLACK * line, term_size(&shape));
	assert_int_equal(term_history(t), 100);
	term_close(t);
	assert_int_equal(term_open(&t, memory, least, &shape), OK);
	assert_int_equal(term_history(t), 100);
	row_is(4, "line 299");
}

static void a_scribbled_history_is_dropped(void **state unused)
{
	for (int i = 0; i < 20; i++)
		say("line\r\n");
	term_commit(t, NULL);
	assert_int_equal(term_history(t), 16);
	((uint16_t *)((struct term_head *)memory + 2))[9] = 0xffff;
	again();
	assert_int_equal(term_history(t), 6);           /* lines 10 to 15 */
	row_is(0, "line");
}

static void sizes(void **state unused)
{
	say("1\r\n2\r\n3\r\n4\r\nlong line 123456");
	assert_int_equal(term_resize(t, 3, 10), OK);
	row_is(0, "3");
	row_is(2, "long line");
	assert_int_equal(term_history(t), 2);
	assert_int_equal(term_cursor(t).row, 2);
	assert_int_equal(term_cursor(t).col, 9);
	again();
	assert_int_equal(term_rows(t), 3);
	assert_int_equal(term_resize(t, 24, 80), OK);
	follow(t);
	row_is(2, "long line");
	row_is(23, "");
	say("\r\nx\33[24;80Hy\33[?1049h\33[2J");
	assert_int_equal(term_resize(t, 4, 20), OK);
	say("\33[?1049l");
	row_is(3, "");
	assert_int_equal(term_resize(t, 25, 20), ERR_INVALID);
	assert_int_equal(term_resize(t, 2, 81), ERR_INVALID);
	assert_int_equal(term_resize(t, 1, 20), ERR_INVALID);
	assert_int_equal(term_resize(t, 5, 7), ERR_INVALID);
	say("\33[H\33[2J12345678901234567890");                  /* a wrap put off is none in more room */
	assert_int_equal(term_resize(t, 4, 30), OK);
	say("x");
	row_is(0, "12345678901234567890x");
}

/* A program on the alternate screen does not decide what of the other one stays. */
static void sizes_behind_the_alternate_screen(void **state unused)
{
	for (int i = 0; i < 7; i++)
		say("line\r\n");
	say("$ vi\33[?1049h\33[H");
	assert_int_equal(term_resize(t, 4, 20), OK);
	say("\33[4;1H~\33[?1049l");
	row_is(3, "$ vi");
	assert_int_equal(term_cursor(t).row, 3);
	assert_int_equal(term_cursor(t).col, 4);
	say("\33[H\33[2J$ vi\33[?1049h\33[4;1H:");
	assert_int_equal(term_resize(t, 2, 20), OK);
	row_is(1, ":");
	say("\33[?1049l!");
	row_is(0, "$ vi!");
}

/* What a program that died has left; the text stays. */
static void recovery(void **state unused)
{
	say("\33[?1000;1006;2004h\33[?5h$ vi\33[31m\33[?1049h\33[2;5r\33[?6h\33[?25l\33[?1h\33(0\33[4hxyz\33]0;half a tit");
	term_recover(t);
	term_commit(t, NULL);
	again();
	say("q");
	row_is(0, "$ viq");
	assert_int_equal(term_row(t, 0)[4].fg, 0);
	assert_true(term_cursor(t).visible);
	assert_false(term_reversed(t));
	uint8_t b[TERM_KEY_BYTES];
	assert_int_equal(term_mouse(t, 0, 0, 1, true, 0, b), 0);
	assert_int_equal(term_paste(t, true, b), 0);
	assert_int_equal(term_key(t, TERM_KEY_UP, 0, b), 3);
	assert_memory_equal(b, "\33[A", 3);
}

static void the_view(void **state unused)
{
	for (int i = 0; i < 30; i++) {
		char line[16];
		snprintf(line, sizeof(line), "\r\n%d", i);
		say(line);
	}
	follow(t);
	row_is(4, "29");
	term_view_by(t, 3);
	row_is(0, "22");
	row_is(4, "26");
	assert_false(term_cursor(t).visible);
	follow(t);
	say("\r\nmore");                                 /* what one looks at stays */
	row_is(4, "26");
	follow(t);
	term_view_by(t, 1000);
	assert_int_equal(term_view(t), term_history(t));
	row_is(1, "0");
	term_view_by(t, -1000);
	row_is(4, "more");
	assert_true(term_cursor(t).visible);
	follow(t);
}

static unsigned damaged(void)
{
	unsigned cells = 0;

	for (unsigned row = 0; row < term_rows(t); row++)
		if (term_damage(t)->row[row].from < term_damage(t)->row[row].to)
			cells += term_damage(t)->row[row].to - term_damage(t)->row[row].from;
	return cells;
}

static void damage(void **state unused)
{
	assert_int_equal(damaged(), 0);
	say("abc");
	assert_int_equal(damaged(), 3);
	follow(t);
	say("\33[3;5Hx");
	assert_int_equal(damaged(), 1);
	follow(t);
	say("\33[5;1H\n");                                       /* a scroll is a move and one new row */
	assert_int_equal(term_damage(t)->moved.up, 1);
	assert_int_equal(term_damage(t)->moved.rows, 5);
	assert_int_equal(damaged(), 20);
	say("\n");
	assert_int_equal(term_damage(t)->moved.up, 2);
	assert_int_equal(damaged(), 40);
	follow(t);
	say("1\r\n2\r\n3");                                      /* output that scrolls: new rows only */
	assert_int_equal(term_damage(t)->moved.up, 2);
	follow(t);
	say("\33[2;4r\33[4H\n");                                  /* another region */
	assert_int_equal(term_damage(t)->moved.row, 1);
	assert_int_equal(term_damage(t)->moved.rows, 3);
	assert_int_equal(damaged(), 20);
	say("\33[r\33[5H\n");                                     /* two that do not fit: the first is drawn */
	assert_int_equal(term_damage(t)->moved.rows, 5);
	follow(t);
	say("\n\n\n\n\n\n\n");                                   /* nothing is left to be moved */
	assert_int_equal(term_damage(t)->moved.up, 0);
	assert_int_equal(damaged(), 100);
	follow(t);
}

static void other_questions(void **state unused)
{
	uint8_t b[TERM_KEY_BYTES];

	assert_int_equal(term_paste(t, true, b), 0);
	assert_int_equal(term_focus(t, true, b), 0);
	assert_int_equal(term_mouse(t, 1, 2, 1, true, 0, b), 0);
	say("\33[?2004;1004;1000;1006h");
	assert_int_equal(term_paste(t, true, b), 6);
	assert_memory_equal(b, "\33[200~", 6);
	assert_int_equal(term_paste(t, false, b), 6);
	assert_memory_equal(b, "\33[201~", 6);
	assert_int_equal(term_focus(t, false, b), 3);
	assert_memory_equal(b, "\33[O", 3);
	assert_int_equal(term_mouse(t, 1, 2, 1, true, 0, b), 9);
	assert_memory_equal(b, "\33[<0;3;2M", 9);
	assert_int_equal(term_mouse(t, 1, 3, 0, false, 0, b), 0);       /* moves: not asked for */
	assert_int_equal(term_mouse(t, 1, 3, 1, false, TERM_CTRL, b), 10);
	assert_memory_equal(b, "\33[<16;4;2m", 10);
	assert_int_equal(term_mouse(t, 5, 0, 1, true, 0, b), 0);
	assert_int_equal(term_character(t, 0x20ac, TERM_ALT, b), 4);
	assert_memory_equal(b, "\33\xe2\x82\xac", 4);
	assert_int_equal(term_character(t, 0xd800, 0, b), 0);
	/* evdev */
	assert_int_equal(term_key_of(103, false, false), TERM_KEY_UP);
	assert_int_equal(term_key_of(59, true, true), TERM_KEY_F1);
	assert_int_equal(term_key_of(88, true, true), TERM_KEY_F12);
	assert_int_equal(term_key_of(71, false, false), TERM_KEY_HOME);
	assert_int_equal(term_key_of(71, true, false), 0);              /* a digit: the key map's */
	assert_int_equal(term_key_of(71, true, true), TERM_KEY_KP_0 + 7);
	assert_int_equal(term_key_of(96, true, false), TERM_KEY_KP_ENTER);
	assert_int_equal(term_key_of(30, false, false), 0);
}

static struct term_keyboard keyboard;

static void typed(unsigned type, unsigned code, int32_t value, const char *want)
{
	uint8_t b[TERM_KEY_BYTES];
	size_t n = term_event(t, &keyboard, type, code, value, b);

	assert_int_equal(n, strlen(want));
	assert_memory_equal(b, want, n);
}

static void events_are_bytes(void **state unused)
{
	keyboard = (struct term_keyboard){ 0 };
	typed(1, 30, 1, "");                    /* a: the key, then its character */
	typed(0x20, 0, 'a', "a");
	typed(1, 30, 0, "");
	typed(1, 28, 1, "");                    /* Enter is a character to the key map */
	typed(0x20, 0, '\r', "\r");
	typed(1, 103, 1, "\33[A");
	typed(1, 103, 2, "\33[A");              /* held down */
	typed(1, 103, 0, "");
	typed(1, 29, 1, "");
	typed(1, 103, 1, "\33[1;5A");
	typed(1, 29, 0, "");
	typed(1, 42, 1, "");
	typed(1, 15, 1, "\33[Z");
	typed(0x20, 0, '\t', "");               /* should the key map have a character for it */
	typed(1, 42, 0, "");
	typed(1, 15, 1, "");
	typed(0x20, 0, '\t', "\t");
	typed(1, 56, 1, "");
	typed(1, 48, 1, "");
	typed(0x20, 0, 'b', "\33" "b");
	typed(0, 3, 0, "");                     /* events were lost: Alt may be up */
	typed(1, 48, 1, "");
	typed(0x20, 0, 0x20ac, "\xe2\x82\xac");
	typed(1, 71, 1, "\33[H");               /* the keypad */
	typed(0x11, 0, 1, "");
	typed(1, 71, 1, "");
	typed(0x20, 0, '7', "7");
	typed(1, 42, 1, "");                    /* Shift makes keys of digits, once */
	typed(1, 71, 1, "\33[H");
	typed(1, 42, 0, "");
	typed(1, 48, 1, "");                    /* an Alt key that the key map knows of */
	typed(0x20, 1, 'b', "\33" "b");
	say("\33=\33[20h");
	typed(1, 71, 1, "\33Ow");
	typed(0x20, 0, '7', "");
	typed(1, 96, 1, "\33OM");
	typed(0x20, 0, '\r', "");
	typed(1, 28, 1, "");
	typed(0x20, 0, '\r', "\r\n");
	for (int i = 0; i < 20; i++)
		say("line\n");
	typed(1, 54, 1, "");
	typed(1, 104, 1, "");                   /* Shift and Page Up */
	assert_int_equal(term_view(t), 4);
	typed(1, 104, 2, "");
	typed(1, 109, 1, "");
	assert_int_equal(term_view(t), 4);
	typed(1, 54, 0, "");
	assert_int_equal(term_view(t), 4);
	typed(1, 30, 1, "");
	typed(0x20, 0, 'a', "a");
	assert_int_equal(term_view(t), 0);
	typed(0x20, 0, -5, "");                 /* no character */
	typed(2, 0, 7, "");
	typed(1, 0x110, 1, "");
	typed(1, 99999, 1, "");
}

static void answers_are_taken(void **state unused)
{
	uint8_t b[64];

	say("\33[6n");
	assert_int_equal(term_reply(t, b, sizeof(b)), 6);
	term_reply_taken(t, 2);
	term_commit(t, NULL);
	again();
	assert_int_equal(term_reply(t, b, sizeof(b)), 4);
	assert_memory_equal(b, "1;1R", 4);
	term_reply_taken(t, 1000);
	assert_int_equal(term_reply(t, b, sizeof(b)), 0);
}

/* As long as there is no commit a write takes only so much, and then it goes on. */
static void a_write_waits_for_a_commit(void **state unused)
{
	char text[20000];
	size_t n, all = 0;
	unsigned commits = 0;

	memset(text, '\n', sizeof(text));
	memcpy(text + sizeof(text) - 4, "last", 4);
	while (all < sizeof(text)) {
		n = term_write(t, text + all, sizeof(text) - all);
		assert_true(n > 0);
		all += n;
		if (all < sizeof(text))
			assert_int_equal(term_write(t, text + all, 1), 0);
		term_commit(t, NULL);
		commits++;
	}
	assert_in_range(commits, 50, 200);
	row_is(4, "last");
	assert_int_equal(term_history(t), 100);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, done)
	const struct CMUnitTest tests[] = {
		TEST(what_was_not_committed_never_was), TEST(torn_heads), TEST(nonsense_is_refused), TEST(a_scribbled_history_is_dropped), TEST(history_takes_memory_as_it_grows), TEST(sizes), TEST(sizes_behind_the_alternate_screen), TEST(recovery),
		TEST(the_view), TEST(damage), TEST(other_questions), TEST(events_are_bytes), TEST(answers_are_taken), TEST(a_write_waits_for_a_commit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

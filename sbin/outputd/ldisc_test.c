/*
 * Expected: lines come out whole and edited, ends are told apart from lines, echo shows exactly what a
 * terminal needs (UTF-8 and wide characters erased by columns), mode changes lose no byte, and the saved
 * head survives a torn write and refuses scribbled ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "ldisc.c"
#include "tty.c"
#include <utf8/utf8.c>

static struct tty_state page;
static struct tty_head head;
static struct ldisc l;

static int fresh(void **state unused)
{
	memset(&page, 0, sizeof(page));
	memset(&l, 0, sizeof(l));
	tty_load(&page, &head);
	ldisc_init(&l, &head, &page);
	return 0;
}

static enum ldisc_result type(const char *text)
{
	enum ldisc_result last = LDISC_NOTHING;
	for (; *text; text++) {
		assert_true(ldisc_room(&l) > 0);
		last = ldisc_input(&l, (uint8_t)*text);
	}
	return last;
}

static enum ldisc_result set_mode(uint32_t mode)
{
	enum ldisc_result result = ldisc_set_mode(&l, mode), next;
	while (ldisc_again(&l, &next))
		result = MAX(result, next);
	return result;
}

/* Reads up to `want` bytes and compares; cells must have been there. */
static void expect(size_t want, const char *text)
{
	uint8_t buf[TTY_RING];
	uint32_t cells;
	size_t n = ldisc_peek(&l, buf, want, &cells);
	assert_int_equal(n, strlen(text));
	assert_memory_equal(buf, text, n);
	assert_true(cells > 0);
	ldisc_take(&l, cells);
}

static void expect_nothing(void)
{
	uint8_t buf[8];
	uint32_t cells = 77;
	assert_int_equal(ldisc_peek(&l, buf, sizeof(buf), &cells), 0);
	assert_int_equal(cells, 0);
}

static void expect_echo(const char *text)
{
	uint8_t buf[TTY_SHOWN];
	size_t n = ldisc_echo(&l, buf, sizeof(buf));
	head.echo_taken += (uint32_t)n;
	assert_int_equal(n, strlen(text));
	assert_memory_equal(buf, text, n);
}

/* More than can be rubbed out at once: nothing of it is left to be taken for input. */
static void a_long_line_is_given_up(void **state unused)
{
	char text[401];

	memset(text, 'x', 400);
	text[400] = 0;
	for (int i = 0; i < 400; i += 100) {
		char piece[101] = "";
		memcpy(piece, text + i, 100);
		type(piece);
		head.echo_taken = head.echo_put;
	}
	type("\x15");
	expect_echo("\r\n");
	type(text);
	head.echo_taken = head.echo_put;
	type(" yes\x17");
	expect_echo(" yes\b \b\b \b\b \b");
	type("\x17");
	expect_echo("\r\n");
	assert_int_equal(type("ok\r"), LDISC_READY);
	expect(100, "ok\n");
}

static void a_line_comes_whole(void **state unused)
{
	assert_int_equal(type("ls"), LDISC_NOTHING);
	expect_nothing();
	assert_int_equal(type("\r"), LDISC_READY);
	expect_echo("ls\r\n");
	expect(100, "ls\n");
	expect_nothing();
}

static void reads_stop_at_lines(void **state unused)
{
	type("one\ntwo\n");
	expect(2, "on");
	expect(100, "e\n");
	expect(4, "two\n");
	expect_nothing();
}

static void ends(void **state unused)
{
	type("\x04");
	expect(10, "");
	type("ab\x04");
	expect(10, "ab");
	expect_nothing();
	type("abc\x04");
	expect(3, "abc");               /* the end goes with the last byte even if the read is full */
	expect_nothing();
}

static void editing_keys(void **state unused)
{
	type("ab\x7f" "c\b\b\b\bxy zz  \x17q\n");
	expect(100, "xy q\n");
	type("gone\x15kept\n");
	expect(100, "kept\n");
	type("a\x16\x03" "b\n");
	expect(100, "a\x03" "b\n");
}

static void erase_by_columns(void **state unused)
{
	type("\xc3\xa4\x7f");
	expect_echo("\xc3\xa4\b \b");
	type("\xe4\xb8\xad\x7f");
	expect_echo("\xe4\xb8\xad\b \b\b \b");
	type("\x01\x7f");
	expect_echo("^A\b \b\b \b");
	type("ab\t\x7f");
	expect_echo("ab      \b \b\b \b\b \b\b \b\b \b\b \b");
	type("\x15\n");
	expect(9, "\n");
}

static void reprint(void **state unused)
{
	type("ab\x12");
	expect_echo("ab^R\r\nab");
}

static void interrupt_drops_the_line(void **state unused)
{
	type("done\nhalf");
	assert_int_equal(ldisc_input(&l, 3), LDISC_INTERRUPT);
	expect_echo("done\r\nhalf^C\r\n");
	expect(100, "done\n");
	type("\n");
	expect(100, "\n");
	ldisc_set_mode(&l, TTY_DEFAULT & ~(uint32_t)TTY_SIGNALS);
	type("\x03\n");
	expect(100, "\x03\n");
}

static void suspend_is_a_signal_where_it_is_wanted(void **state unused)
{
	type("a\x1a\n");
	expect(100, "a\x1a\n");
	ldisc_set_mode(&l, TTY_DEFAULT | TTY_SUSPEND);
	head.echo_taken = head.echo_put;
	type("done\nhalf");
	assert_int_equal(ldisc_input(&l, 26), LDISC_SUSPEND);
	expect_echo("done\r\nhalf^Z\r\n");
	expect(100, "done\n");
	ldisc_set_mode(&l, (TTY_DEFAULT | TTY_SUSPEND) & ~(uint32_t)TTY_SIGNALS);
	type("\x1a\n");
	expect(100, "\x1a\n");
}

static void flow_control(void **state unused)
{
	assert_int_equal(type("ab\x13"), LDISC_NOTHING);
	assert_true(ldisc_stopped(&l));
	type("c\x13\n");                       /* what is typed meanwhile counts */
	assert_true(ldisc_stopped(&l));
	type("\x11");
	assert_false(ldisc_stopped(&l));
	type("\x11");
	expect_echo("abc\r\n");
	expect(100, "abc\n");
	type("\x13\x03");                       /* ^C goes on, too */
	assert_false(ldisc_stopped(&l));
	type("\x13");
	struct tty_head again;
	tty_save(&page, &head);
	assert_true(tty_load(&page, &again) && again.stopped);
	ldisc_set_mode(&l, TTY_ECHO);           /* no key for it any more */
	assert_false(ldisc_stopped(&l));
	type("\x13\x11");
	assert_false(ldisc_stopped(&l));
	expect(100, "\x13\x11");
	ldisc_set_mode(&l, TTY_DEFAULT);
	type("\x16\x13\n");                     /* ^V: as it is */
	assert_false(ldisc_stopped(&l));
	expect(100, "\x13\n");
}

static void raw_mode(void **state unused)
{
	ldisc_set_mode(&l, TTY_NL_TO_CRNL);
	assert_int_equal(type("\x03"), LDISC_READY);
	expect(1, "\x03");
	type("\x04\x7f" "ab\rcd");
	expect(100, "\x04\x7f" "ab\r");
	expect(100, "cd");
	expect_echo("");
}

static void mode_changes_keep_input(void **state unused)
{
	type("half");
	assert_int_equal(ldisc_set_mode(&l, 0), LDISC_READY);
	expect(100, "half");
	type("ls\rne\x7fxt");
	assert_int_equal(set_mode(TTY_DEFAULT), LDISC_READY);
	expect(100, "ls\n");
	expect_nothing();
	type("\n");
	expect(100, "nxt\n");
	ldisc_set_mode(&l, 0);
	type("x\x03y");
	assert_int_equal(set_mode(TTY_DEFAULT), LDISC_INTERRUPT);
	type("\n");
	expect(100, "y\n");
	type("end\x04");                        /* stays behind what it ends */
	ldisc_set_mode(&l, 0);
	set_mode(TTY_DEFAULT);
	type("more\n");
	expect(100, "end");
	expect(100, "more\n");
}

/* A ring full of raw keys, edited anew by instances that are ended at every step, with what they have not saved lost: no key is lost or doubled. */
static void mode_changes_at_any_instant(void **state unused)
{
	char lines[6 * 170 + 1], want[7];
	ldisc_set_mode(&l, 0);
	for (int i = 0; i < 170; i++)
		snprintf(lines + 6 * i, 7, "x\x7f%03d\r", i);
	type(lines);
	assert_int_equal(ldisc_room(&l), 3);
	tty_save(&page, &head);
	for (int died = 0;; died = !died) {
		enum ldisc_result result;
		tty_load(&page, &head);
		head.echo_taken = head.echo_put;
		if (!(head.mode & TTY_CANONICAL))
			ldisc_set_mode(&l, TTY_DEFAULT);
		else if (!ldisc_again(&l, &result))
			break;
		if (died)
			tty_save(&page, &head);
	}
	for (int i = 0; i < 170; i++) {
		snprintf(want, 7, "%03d\n", i);
		expect(100, want);
	}
	expect_nothing();
}

static void full_line_and_full_ring(void **state unused)
{
	for (int i = 0; i < 3 * TTY_LINE && ldisc_room(&l); i++)
		assert_int_equal(ldisc_input(&l, 'a'), LDISC_NOTHING);
	assert_true(ldisc_room(&l) > 0);        /* an empty ring never blocks on the line alone */
	assert_int_equal(ldisc_input(&l, '\n'), LDISC_READY);
	assert_int_equal(head.put - head.taken, TTY_LINE - 1);
	uint8_t buf[2 * TTY_LINE];
	uint32_t cells;
	assert_int_equal(ldisc_peek(&l, buf, sizeof(buf), &cells), TTY_LINE - 1);
	assert_int_equal(ldisc_room(&l), 0);
	ldisc_take(&l, cells);
	ldisc_set_mode(&l, 0);
	unsigned n = 0;
	for (; ldisc_room(&l); n++)
		ldisc_input(&l, 'b');
	assert_int_equal(n, TTY_RING - 1);
	assert_int_equal(ldisc_input(&l, 'c'), LDISC_NOTHING);
	assert_int_equal(head.put - head.taken, TTY_RING - 1);  /* lost */
	ldisc_set_mode(&l, TTY_SIGNALS);
	assert_int_equal(ldisc_input(&l, 3), LDISC_INTERRUPT);
	set_mode(TTY_DEFAULT);  /* a ring full of raw bytes becomes the longest line */
	assert_int_equal(head.line_len, TTY_LINE - 2);
	assert_true(ldisc_room(&l) > 0);
}

/* Types until the line has `len` bytes. */
static void line_of(uint32_t len)
{
	while (head.line_len < len) {
		type("a");
		head.echo_taken = head.echo_put;
	}
}

/* A character is kept whole or not at all, and refused with one bell; after it, what is shorter still fits. */
static void characters_at_the_limit(void **state unused)
{
	line_of(TTY_LINE - 5);
	type("\xe6\x97\xa5\xf0\x9f\x98\x80");
	expect_echo("\xe6\x97\xa5\a");
	assert_int_equal(head.line_len, TTY_LINE - 2);
	type("\x7f");
	assert_int_equal(head.line_len, TTY_LINE - 5);
	type("b\xe6\x97\xa5\xc3\xa4\x80\n");
	expect_echo("\b \b\b \bb\a\xc3\xa4\r\n");
	uint8_t buf[TTY_LINE];
	uint32_t cells;
	assert_int_equal(ldisc_peek(&l, buf, sizeof(buf), &cells), TTY_LINE - 1);
	assert_memory_equal(buf + TTY_LINE - 6, "ab\xc3\xa4\n", 5);

	/* The same where unread lines have left no more room: it is to wait there, or is refused. */
	fresh(NULL);
	type("line\n");
	line_of(TTY_RING - 5 - 3);
	head.echo_taken = head.echo_put;
	assert_int_equal(ldisc_room(&l), 2);
	assert_false(ldisc_takes(&l, 0xe6));
	assert_true(ldisc_takes(&l, 0xc3));
	type("\xe6\x97\xa5\xc3\xa4");
	expect_echo("\a\xc3\xa4");
	assert_int_equal(ldisc_room(&l), 0);
	expect(100, "line\n");
	assert_true(ldisc_takes(&l, 0xe6));
	type("\x15\x80\xa5\n");                 /* what is none passes as ever */
	expect(100, "\x80\xa5\n");
	ldisc_set_mode(&l, 0);
	while (ldisc_room(&l) > 1)
		type("x");
	assert_true(ldisc_takes(&l, 0xe6));     /* bytes are bytes */
}

static void output_processing(void **state unused)
{
	uint8_t dst[16];
	size_t used;
	assert_int_equal(ldisc_output(TTY_DEFAULT, (const uint8_t *)"a\nb", 3, dst, 16, &used), 4);
	assert_memory_equal(dst, "a\r\nb", 4);
	assert_int_equal(used, 3);
	assert_int_equal(ldisc_output(TTY_DEFAULT, (const uint8_t *)"abc\n", 4, dst, 4, &used), 3);
	assert_int_equal(used, 3);
	assert_int_equal(ldisc_output(0, (const uint8_t *)"a\n\n\n", 4, dst, 4, &used), 4);
	assert_int_equal(used, 4);
}

static void state_survives(void **state unused)
{
	type("one\ntw");
	tty_save(&page, &head);
	struct tty_head again;
	assert_true(tty_load(&page, &again));
	assert_memory_equal(&again, &head, sizeof(head));
	type("o");
	tty_save(&page, &head);
	page.head[head.seq & 1].check ^= 1;     /* torn: the older copy counts */
	assert_true(tty_load(&page, &again));
	assert_int_equal(again.line_len, 2);
	page.head[(head.seq + 1) & 1].mode ^= 1;
	assert_false(tty_load(&page, &again));
	assert_int_equal(again.mode, TTY_DEFAULT);
	assert_int_equal(again.put, 0);
}

static void scribbled_heads(void **state unused)
{
	struct tty_head again;
	head.line_len = TTY_LINE + 1;
	tty_save(&page, &head);
	assert_false(tty_load(&page, &again));  /* a good checksum over nonsense is nonsense */
	fresh(NULL);
	head.put = 5000;
	tty_save(&page, &head);
	assert_false(tty_load(&page, &again));
	for (int what = 0; what < 4; what++) {
		fresh(NULL);
		head.again = what == 0 ? 7 : 3;
		head.again_end = what == 1 ? TTY_LINE + 1 : 6;
		head.mode = what == 2 ? 0 : TTY_DEFAULT;
		head.line_len = what == 3 ? 4 : 3;
		tty_save(&page, &head);
		assert_false(tty_load(&page, &again));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_line_comes_whole, fresh), cmocka_unit_test_setup(a_long_line_is_given_up, fresh), cmocka_unit_test_setup(reads_stop_at_lines, fresh),
		cmocka_unit_test_setup(ends, fresh), cmocka_unit_test_setup(editing_keys, fresh),
		cmocka_unit_test_setup(erase_by_columns, fresh), cmocka_unit_test_setup(reprint, fresh),
		cmocka_unit_test_setup(interrupt_drops_the_line, fresh), cmocka_unit_test_setup(suspend_is_a_signal_where_it_is_wanted, fresh), cmocka_unit_test_setup(flow_control, fresh),
		cmocka_unit_test_setup(raw_mode, fresh),
		cmocka_unit_test_setup(mode_changes_keep_input, fresh), cmocka_unit_test_setup(mode_changes_at_any_instant, fresh), cmocka_unit_test_setup(full_line_and_full_ring, fresh), cmocka_unit_test_setup(characters_at_the_limit, fresh),
		cmocka_unit_test_setup(output_processing, fresh), cmocka_unit_test_setup(state_survives, fresh),
		cmocka_unit_test_setup(scribbled_heads, fresh),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

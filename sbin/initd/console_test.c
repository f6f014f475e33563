/*
 * console_test: what a terminal gets, when it answers at once, late, with errors, or is not there. Expected: text in order, each once; the line
 * to be written over is taken back before anything else is written; a failed WRITE goes out again as it was, three times at most; nothing waits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>
#include "console.c"

enum { TOKEN = 7, PORT = 3, SESSION = 9 };

static struct console c;
static struct msg asked;                /* op 0: nothing */
static char shown[8192];                /* what the terminal was given and said yes to */
static status_t submit_status;
static unsigned closed;

status_t ipc_submit(handle_t session, const struct msg *m, handle_t port, uint64_t token)
{
	assert_int_equal(port, PORT);
	assert_int_equal(token, TOKEN);
	assert_int_equal(asked.op, 0);          /* one at a time */
	if (submit_status < 0)
		return submit_status;
	assert_int_equal(session, m->op == FILE_OPEN ? 0 : SESSION);
	asked = *m;
	return OK;
}

status_t handle_close(handle_t h)
{
	assert_int_equal(h, SESSION);
	closed++;
	return OK;
}

static int fresh(void **state unused)
{
	console_init(&c, "tty://1", TOKEN);
	asked = (struct msg){ 0 };
	shown[0] = 0;
	submit_status = OK;
	closed = 0;
	return 0;
}

static void answer(status_t st)
{
	struct event e = { .cmd = TOKEN, .status = st };
	struct msg m = asked;

	asked.op = 0;
	if (m.op == FILE_OPEN && st >= 0) {
		e.handles[0] = SESSION;
		e.n_handles = 1;
	} else if (m.op == FILE_WRITE && st >= 0) {
		strncat(shown, m.in, m.in_len);
	}
	console_done(&c, &e);
	assert_int_equal(e.handles[0], 0);
	console_go(&c, PORT);
}

static void say(const char *text)
{
	console_say(&c, text, strlen(text));
	console_go(&c, PORT);
}

static void line(const char *text)
{
	console_line(&c, text, strlen(text));
	console_go(&c, PORT);
}

static void in_order(void **state unused)
{
	assert_true(console_idle(&c));
	console_go(&c, PORT);
	assert_int_equal(asked.op, 0);          /* nothing to say: nobody is disturbed */
	say("a\n");
	assert_int_equal(asked.op, FILE_OPEN);
	say("b\n");
	answer(OK);
	assert_int_equal(asked.op, FILE_WRITE);
	say("c\n");
	assert_false(console_idle(&c));
	answer(OK);
	answer(OK);
	assert_string_equal(shown, "a\nb\nc\n");
	assert_true(console_idle(&c));
}

static void written_over(void **state unused)
{
	line("1 of 3");
	answer(OK);
	answer(OK);
	line("2 of 3");
	line("3 of 3");                         /* too late for this one */
	answer(OK);
	line("3 of 3");
	answer(OK);
	assert_int_equal(asked.op, 0);
	say("bad\n");
	answer(OK);
	line("");
	answer(OK);
	assert_string_equal(shown, "1 of 3" TAKE_BACK "2 of 3" TAKE_BACK "3 of 3" TAKE_BACK "bad\n3 of 3" TAKE_BACK);
	line("");
	assert_int_equal(asked.op, 0);
}

static void not_there(void **state unused)
{
	say("a");
	answer(ERR_NOT_FOUND);
	assert_true(console_idle(&c));
	assert_int_equal(asked.op, 0);
	say("b");                               /* perhaps now */
	assert_int_equal(asked.op, FILE_OPEN);
	answer(OK);
	answer(OK);
	assert_string_equal(shown, "b");
	/* Not even asking is possible. */
	fresh(NULL);
	submit_status = ERR_AGAIN;
	say("a");
	assert_true(console_idle(&c));
}

static void lost_session(void **state unused)
{
	say("a");
	answer(OK);
	answer(ERR_INVALID);
	assert_int_equal(closed, 1);
	assert_int_equal(asked.op, FILE_OPEN);
	say("b");
	answer(OK);
	answer(OK);
	answer(OK);
	assert_string_equal(shown, "ab");
	say("c");
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(asked.op, FILE_WRITE);
		answer(ERR_IO);
		if (i < 2)
			answer(OK);
	}
	assert_int_equal(asked.op, 0);
	assert_true(console_idle(&c));
	assert_string_equal(shown, "ab");
}

static void left_and_opened_again(void **state unused)
{
	say("a");
	console_leave(&c);
	answer(OK);
	console_leave(&c);
	assert_int_equal(closed, 0);
	answer(OK);
	console_leave(&c);
	console_leave(&c);
	assert_int_equal(closed, 1);
	say("b");
	assert_int_equal(asked.op, FILE_OPEN);
	answer(OK);
	answer(OK);
	assert_string_equal(shown, "ab");
}

static void too_much(void **state unused)
{
	char text[100];

	say("first ");
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "%099d", i);
		say(text);
	}
	answer(OK);
	answer(OK);
	assert_true(strlen(shown) > CONSOLE_TEXT - 100 && strlen(shown) <= CONSOLE_TEXT);
	assert_int_equal((strlen(shown) - 6) % 99, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(in_order, fresh), cmocka_unit_test_setup(written_over, fresh), cmocka_unit_test_setup(not_there, fresh),
		cmocka_unit_test_setup(lost_session, fresh), cmocka_unit_test_setup(too_much, fresh),
		cmocka_unit_test_setup(left_and_opened_again, fresh),
	};
	return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}

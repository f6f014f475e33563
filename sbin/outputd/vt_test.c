/*
 * The terminals of the screen against fake callers, on the real lib/term. Expected: what is written, echoed, answered and typed counts
 * once, whichever store an instance was killed before or after; keys go to the terminal in front, and Alt with F1 to F6 chooses it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <utf8/utf8.c>

/* Names that both sides have for files of their own. */
#define head_check lib_head_check
#define head_valid lib_head_valid
#define feed lib_feed
#define answer lib_answer
#define print lib_print
#include <term/term.c>
#include <term/term_cells.c>
#include <term/term_damage.c>
#include <term/term_events.c>
#include <term/term_gate.c>
#include <term/term_keys.c>
#include <term/term_text.c>
#include <term/term_vt.c>
#undef head_check
#undef head_valid
#undef feed
#undef answer
#undef print
#include "ldisc.c"
#include "tty.c"

/* Every store that counts is a place to die at: the n-th from now on, before or after it. */
static struct { unsigned at, seen; bool after; jmp_buf to; } death;

static bool dies_now(void)
{
	return ++death.seen == death.at;
}

#define DYING(call) do { bool now = dies_now(); if (now && !death.after) longjmp(death.to, 1); call; if (now) longjmp(death.to, 1); } while (0)

static void dying_save(struct tty_state *s, struct tty_head *h) { DYING(tty_save(s, h)); }
static void dying_commit(struct term *t, const struct term_mark *m) { DYING(term_commit(t, m)); }
#define tty_save dying_save
#define term_commit dying_commit
#include "terminal.c"
#include "vt.c"
#include "keys.c"
#undef tty_save
#undef term_commit

/* ---- the callers: command n has window[n] ---- */

enum { COMMANDS = 8 };
static struct { char window[1 << 16]; bool answered; status_t status; uint64_t done; } call[COMMANDS];
static const char *log_text;
static unsigned works;
static uint64_t shown_at;
static struct term *shown;
static struct { struct tty_state tty[VTS]; struct keys_kept keys; } *kept;
static uint8_t *memory;

static void reply(cmd_id_t cmd, const struct reply *r)
{
	assert_false(call[cmd].answered);
	call[cmd].answered = true;
	call[cmd].status = r->status;
	call[cmd].done = r->w[0];
}
void svc_reply(cmd_id_t cmd, const struct reply *r) { DYING(reply(cmd, r)); }
status_t svc_read_in(cmd_id_t cmd, uint64_t offset, void *buf, size_t len) { memcpy(buf, call[cmd].window + offset, len); return OK; }
status_t svc_write_out(cmd_id_t cmd, uint64_t offset, const void *buf, size_t len) { memcpy(call[cmd].window + offset, buf, len); return OK; }
status_t cmd_info(cmd_id_t cmd, struct cmd_info *info) { *info = (struct cmd_info){ .op_id = cmd + 100 }; return OK; }
static uint64_t signalled;
status_t notify_signal(handle_t h, uint64_t bits)
{
	if (h == 9) {
		signalled |= bits;
		return OK;
	}
	assert_int_equal(h, 8);
	assert_int_equal(bits, 4);
	works++;
	return OK;
}
status_t log_read(handle_t r unused, uint64_t seq, void *buf, uint64_t len, uint64_t *done, uint64_t *next)
{
	uint64_t all = strlen(log_text);
	*done = MIN(len, all - MIN(seq, all));
	memcpy(buf, log_text + MIN(seq, all), *done);
	*next = seq + *done;
	return OK;
}
enum screen_presence screen_presence(void) { return SCREEN_THERE; }
static unsigned shape_rows, shape_cols;
bool screen_shape(struct term_shape *s) { *s = (struct term_shape){ (uint16_t)shape_rows, (uint16_t)shape_cols, 10, 40, 50 }; return true; }
void screen_show(struct term *t) { shown = t; shown_at++; }
static uint32_t shells;         /* asked for, a bit for each terminal */
void shells_want(uint32_t i) { shells |= 1u << i; }

/* ---- what is not in question here ---- */

status_t handle_info(handle_t h, struct handle_info *i) { *i = (struct handle_info){ .type = OBJ_NOTIFY, .rights = RIGHT_ALL }; return h == 9 ? OK : ERR_BAD_HANDLE; }
status_t handle_close(handle_t h unused) { return OK; }
status_t vmem_commit(handle_t v unused, uint64_t va unused, uint64_t size unused) { return OK; }
status_t notify_timer(handle_t n unused, uint32_t b unused, uint64_t d unused, uint64_t p unused) { return OK; }
status_t clock_now(uint64_t *ns) { *ns = 0; return OK; }
status_t source_ask(struct source *s unused, handle_t p unused, uint64_t seen unused) { return OK; }
static status_t source_status;
status_t source_done(struct source *s unused, const struct event *e unused, uint64_t seen unused, size_t *n) { *n = 0; return source_status; }
void log_print(const char *f unused, ...) {}
const char *error_text(status_t st unused) { return ""; }

/* ---- a machine ---- */

/* The next instance, with the state that the one before left; commands that wait come again. */
static void restart(void)
{
	struct tty_state *states[VTS];

	death.at = 0;
	for (uint32_t i = 0; i < VTS; i++) {
		states[i] = &kept->tty[i];
		if (!vts[i].term)
			continue;
		while (vts[i].tty.readers.first)
			queue_drop(&vts[i].tty.readers, &vts[i].tty.readers.first);
		while (vts[i].tty.writers.first)
			queue_drop(&vts[i].tty.writers, &vts[i].tty.writers.first);
		term_close(vts[i].term);
	}
	memset(vts, 0, sizeof(vts));
	vts_init(states, memory, 7, 8, 2);
	keys_init(&kept->keys, 1, 2, 3, 0);
}

static int fresh(void **state unused)
{
	kept = calloc(1, sizeof(*kept));
	memory = calloc(VTS, VT_MEMORY);
	memset(call, 0, sizeof(call));
	log_text = "";
	shape_rows = 10;
	shape_cols = 40;
	signalled = 0;
	restart();
	return 0;
}

static int done(void **state unused)
{
	restart();
	free(kept);
	free(memory);
	return 0;
}

static struct terminal *terminal(uint32_t i)
{
	struct terminal *t;
	assert_int_equal(vts_open(i, &t), OK);
	return t;
}

static void write_cmd(uint32_t i, cmd_id_t cmd, const char *text, bool again)
{
	uint64_t n = 0;
	struct svc_cmd c = { .cmd = cmd, .in_len = (uint32_t)strlen(text), .redelivered = again };
	strcpy(call[cmd].window, text);
	assert_int_equal(terminal_write(terminal(i), &c, &n), SVC_LATER);
	while (vts[i].later)
		vts_work();
}

static void read_cmd(uint32_t i, cmd_id_t cmd, bool again)
{
	uint64_t n;
	struct svc_cmd c = { .cmd = cmd, .out_len = 100, .redelivered = again };
	assert_int_equal(terminal_read(terminal(i), &c, &n), SVC_LATER);
}

static void was_read(cmd_id_t cmd, const char *text)
{
	assert_true(call[cmd].answered);
	assert_int_equal(call[cmd].status, OK);
	assert_int_equal(call[cmd].done, strlen(text));
	assert_memory_equal(call[cmd].window, text, strlen(text));
}

/* The screen's rows up to the last that shows something, ended by |. */
static void shows(uint32_t i, const char *rows)
{
	terminal(i);
	static char text[4096];
	char row[512];
	size_t n = 0, end = 0;
	for (unsigned r = 0; r < 10; r++) {
		size_t len = term_row_text(vts[i].term, r, row, sizeof(row));
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s|", (int)len, row);
		end = len ? n : end;
	}
	text[end] = 0;
	assert_string_equal(text, rows);
}

static void event(uint16_t type, uint16_t code, int32_t value)
{
	on_event(&(struct input_event){ .seq = head.seen + 1, .type = type, .code = code, .value = value });
}

static void type(const char *text)
{
	for (; *text; text++)
		event(EV_TEXT, 0, *text);
}

/* ---- tests ---- */

static void written_and_typed(void **state unused)
{
	write_cmd(0, 1, "one\ntwo \33[1mbold\33[m\n", false);
	assert_int_equal(call[1].done, 20);
	shows(0, "one|two bold|");
	read_cmd(0, 2, false);
	type("typed\r");
	was_read(2, "typed\n");
	shows(0, "one|two bold|typed|");
	type("\3");             /* nobody asked for it, but it is echoed */
	shows(0, "one|two bold|typed|^C|");
}

/* Answers to questions come as if typed. */
static void questions(void **state unused)
{
	read_cmd(0, 1, false);
	assert_int_equal(terminal_ctl(terminal(0), &(struct svc_cmd){ .rights = RIGHT_READ }, &(struct file_ctl_req){ .code = CTL_TTY_SET_MODE }, &(struct file_ctl_rep){ 0 }), OK);
	write_cmd(0, 2, "\33[3;4H\33[6n", false);
	was_read(1, "\33[3;4R");
	restart();
	read_cmd(0, 3, false);
	assert_false(call[3].answered);
}

static void sizes(void **state unused)
{
	struct file_ctl_rep p;
	struct svc_cmd c = { .rights = RIGHT_READ };
	assert_int_equal(terminal_ctl(terminal(2), &c, &(struct file_ctl_req){ .code = CTL_TTY_GET_SIZE }, &p), OK);
	assert_int_equal(p.value0, 40);
	assert_int_equal(p.value1, 10);
	assert_int_equal(terminal_ctl(terminal(2), &c, &(struct file_ctl_req){ .code = CTL_TTY_SET_SIZE, .arg0 = 80, .arg1 = 24 }, &p), ERR_NOT_SUPPORTED);
}

/* The screen becomes smaller and what it was, also while nobody served: text stays, who asked is told, and programs that ask get the size. */
static void resized(void **state unused)
{
	struct file_ctl_rep p;
	struct svc_cmd c = { .rights = RIGHT_READ, .n_handles = 1, .handles = { 9 } };
	assert_int_equal(terminal_ctl(terminal(2), &c, &(struct file_ctl_req){ .code = CTL_TTY_SIGNAL, .arg2 = 6 }, &p), OK);
	write_cmd(2, 1, "one\ntwo\n", false);
	shape_rows = 7;
	shape_cols = 30;
	vts_resized();
	assert_int_equal(signalled, 1 << 5);
	assert_int_equal(terminal_ctl(terminal(2), &c, &(struct file_ctl_req){ .code = CTL_TTY_GET_SIZE }, &p), OK);
	assert_int_equal(p.value0, 30);
	assert_int_equal(p.value1, 7);
	assert_int_equal(term_rows(vts[2].term), 7);
	signalled = 0;
	vts_resized();
	assert_int_equal(signalled, 0);
	restart();
	shape_rows = 10;
	shape_cols = 40;
	terminal(2);
	write_cmd(2, 3, "three", false);
	shows(2, "one|two|three|");
	assert_int_equal(terminal_ctl(terminal(2), &c, &(struct file_ctl_req){ .code = CTL_TTY_GET_SIZE }, &p), OK);
	assert_int_equal(p.value0, 40);
}

static void stopped(void **state unused)
{
	type("\x13");
	terminal(0);
	type("\x13");
	uint64_t n;
	strcpy(call[1].window, "held\n");
	assert_int_equal(terminal_write(terminal(0), &(struct svc_cmd){ .cmd = 1, .in_len = 5 }, &n), SVC_LATER);
	assert_false(call[1].answered);
	shows(0, "");
	type("\x11");
	assert_true(call[1].answered);
	shows(0, "held|");
}

static void terminals_are_chosen(void **state unused)
{
	terminal(0);
	uint64_t before = shown_at;
	event(EV_KEY, KEY_F1 + 1, KEY_DOWN);            /* without Alt it is the reader's */
	assert_int_equal(keys_front(), 0);
	event(EV_KEY, KEY_LEFTALT, KEY_DOWN);
	event(EV_KEY, KEY_F1 + 1, KEY_DOWN);
	assert_int_equal(keys_front(), 1);
	assert_int_equal(shells, 1 << 1);
	assert_int_equal(shown_at, before + 1);
	assert_ptr_equal(shown, vts[1].term);
	event(EV_KEY, KEY_F1 + 1, KEY_UP);
	event(EV_KEY, KEY_LEFTALT, KEY_UP);
	event(EV_KEY, 30, KEY_DOWN);                    /* a key whose text counts, after one whose does not */
	type("second\r");
	restart();
	assert_int_equal(keys_front(), 1);
	read_cmd(1, 1, false);
	was_read(1, "second\n");
	shows(1, "second|");
	event(EV_KEY, KEY_LEFTALT, KEY_DOWN);
	event(EV_SYN, SYN_DROPPED, 0);                  /* it may have been let go */
	event(EV_KEY, KEY_F1, KEY_DOWN);
	assert_int_equal(keys_front(), 1);
	event(EV_KEY, KEY_RIGHTALT, KEY_DOWN);          /* either will do */
	event(EV_KEY, KEY_LEFTALT, KEY_DOWN);
	event(EV_KEY, KEY_LEFTALT, KEY_UP);
	event(EV_KEY, KEY_F1 + 2, KEY_DOWN);
	assert_int_equal(keys_front(), 2);
}

static status_t ctl(uint32_t i, uint32_t rights, uint32_t code)
{
	return terminal_ctl(terminal(i), &(struct svc_cmd){ .cmd = 7, .rights = rights }, &(struct file_ctl_req){ .code = code }, &(struct file_ctl_rep){ 0 });
}

/* The shell asks for what a program that died had no time for. */
static void a_terminal_is_reset(void **state unused)
{
	write_cmd(0, 1, "$ vi\33[?1049hscreen\33[5", false);
	assert_int_equal(ctl(0, RIGHT_READ, CTL_TTY_RESET), ERR_DENIED);
	assert_int_equal(ctl(0, RIGHT_WRITE, CTL_TTY_RESET), OK);
	shows(0, "$ vi|");
	restart();
	write_cmd(0, 2, "!", false);
	shows(0, "$ vi!|");
	struct file_ctl_rep size = { 0 };
	assert_int_equal(terminal_ctl(terminal(0), &(struct svc_cmd){ .cmd = 7 }, &(struct file_ctl_req){ .code = CTL_TTY_GET_SIZE }, &size), OK);
	assert_int_equal(size.value2, 5);
}

/* inputd lost its state: its first event is a new one, though its number is an old one's. */
static void events_counted_anew(void **state unused)
{
	terminal(0);
	type("abc");
	restart();
	source_status = ERR_INVALID;
	keys_done(&(struct event){ .status = ERR_INVALID });
	assert_int_equal(head.seen, 0);
	type("d\r");
	read_cmd(0, 1, false);
	was_read(1, "abcd\n");
}

static void the_log_comes_first(void **state unused)
{
	static const char text[] = "[0.000] one\n[0.001] two\n";
	done(NULL);
	for (int after = 0; after < 2; after++)
		for (unsigned at = 1;; at++) {
			fresh(NULL);
			log_text = text;
			death = (typeof(death)){ .at = at, .after = after };
			if (!setjmp(death.to)) {
				terminal(0);
				death.at = 0;
				assert_true(at > 3);
				done(NULL);
				break;
			}
			restart();
			write_cmd(0, 1, "$ ", false);
			shows(0, "[0.000] one|[0.001] two|$|");
			done(NULL);
		}
	fresh(NULL);
}

/* Until somebody writes, what is logged meanwhile as well. */
static void the_log_goes_on(void **state unused)
{
	done(NULL);
	fresh(NULL);
	log_text = "[0.000] one\n";
	terminal(0);
	shows(0, "[0.000] one|");
	log_text = "[0.000] one\n[0.001] two\n";
	write_cmd(0, 1, "$ ", false);
	shows(0, "[0.000] one|[0.001] two|$|");
	log_text = "[0.000] one\n[0.001] two\n[0.002] three\n";
	write_cmd(0, 2, "x", false);
	shows(0, "[0.000] one|[0.001] two|$ x|");
	done(NULL);
	fresh(NULL);
}

/* More than a commit's room, in many pieces: nothing is lost. */
static void a_flood(void **state unused)
{
	static char text[60001];
	for (int i = 0; i < 6000; i++)
		snprintf(text + i * 10, 11, "line %04d\n", i);
	write_cmd(0, 1, text, false);
	assert_int_equal(call[1].done, 60000);
	assert_true(works > 0);
	char row[512];
	assert_int_equal(term_row_text(vts[0].term, 8, row, sizeof(row)), 9);
	assert_memory_equal(row, "line 5999", 9);
}

/* Killed before or after any store of a story: all of it happens once. */
static void killed_anywhere(void **state unused)
{
	static const char keys[] = "ab\r", text[] = "x\ny\33[6n";
	done(NULL);
	for (int after = 0; after < 2; after++)
		for (volatile unsigned at = 1, end = 0; !end; at++) {
			volatile bool again = false;
			fresh(NULL);
			head.begun = 1;
			death = (typeof(death)){ .at = at, .after = after };
			if (setjmp(death.to)) {
				restart();
				again = true;
			}
			terminal(0);
			while (head.seen < 3)
				type((char[]){ keys[head.seen], 0 });
			if (!call[1].answered)
				write_cmd(0, 1, text, again);
			if (!call[2].answered)
				read_cmd(0, 2, again);
			while (vts[0].later || terminal_echoes(&vts[0].tty))
				vts_work();
			assert_int_equal(call[1].done, strlen(text));
			was_read(2, "ab\n");
			/* The answer to the question is echoed as the line that it begins. */
			shows(0, "ab|x|y^[[3;2R|");
			end = !again;
			assert_true(!end || at > 10);
			done(NULL);
		}
	fresh(NULL);
}

int main(int argc unused, char **argv unused)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, done)
	const struct CMUnitTest tests[] = {
		TEST(written_and_typed), TEST(questions), TEST(sizes), TEST(resized), TEST(stopped), TEST(terminals_are_chosen), TEST(a_terminal_is_reset), TEST(events_counted_anew),
		TEST(the_log_comes_first), TEST(the_log_goes_on), TEST(a_flood), TEST(killed_anywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Pseudo-terminals against fake callers. Expected: what programs write the master reads, what it writes is typed, once and in order, whichever
 * store an instance was killed before or after; neither side runs the other over; each end of a Session is seen by who is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <utf8/utf8.c>
#include "ldisc.c"
#include "tty.c"

/* Every store that counts is a place to die at: the n-th from now on. */
static struct { unsigned at, seen; bool after; jmp_buf to; } death;

static bool dies_now(void)
{
	return ++death.seen == death.at;
}

#define DYING(call) do { bool now = dies_now(); if (now && !death.after) longjmp(death.to, 1); call; if (now) longjmp(death.to, 1); } while (0)

static void dying_save(struct tty_state *s, struct tty_head *h) { DYING(tty_save(s, h)); }
#define tty_save dying_save
#include "terminal.c"
#define PTY_STORED() do { if (dies_now()) longjmp(death.to, 1); } while (0)
#include "pty.c"
#undef tty_save

/* ---- the callers: command n has window[n] ---- */

enum { COMMANDS = 32, WINDOW = 1 << 16 };
static struct { char window[WINDOW]; bool answered, gone; status_t status; uint64_t done; } call[COMMANDS];
static uint64_t signalled;
static unsigned works, decommitted;

static void reply(cmd_id_t cmd, const struct reply *r)
{
	assert_false(call[cmd].answered);
	call[cmd].answered = true;
	call[cmd].status = r->status;
	call[cmd].done = r->w[0];
}
void svc_reply(cmd_id_t cmd, const struct reply *r) { DYING(reply(cmd, r)); }
status_t svc_read_in(cmd_id_t cmd, uint64_t offset, void *buf, size_t len)
{
	if (call[cmd].gone)
		return ERR_GONE;
	memcpy(buf, call[cmd].window + offset, len);
	return OK;
}
status_t svc_write_out(cmd_id_t cmd, uint64_t offset, const void *buf, size_t len)
{
	if (call[cmd].gone)
		return ERR_GONE;
	assert_true(offset + len <= WINDOW);
	memcpy(call[cmd].window + offset, buf, len);
	return OK;
}
status_t cmd_info(cmd_id_t cmd, struct cmd_info *info) { *info = (struct cmd_info){ .op_id = cmd + 100 }; return OK; }
status_t notify_signal(handle_t h, uint64_t bits)
{
	if (h == 8)
		works++;
	else
		signalled |= bits;
	return OK;
}
static bool no_memory;
status_t vmem_commit(handle_t v unused, uint64_t va unused, uint64_t size unused) { return no_memory ? ERR_NO_MEMORY : OK; }
status_t handle_info(handle_t h, struct handle_info *i) { *i = (struct handle_info){ .handle = h, .type = OBJ_NOTIFY, .rights = RIGHT_ALL }; return OK; }
status_t handle_close(handle_t h unused) { return OK; }
uint64_t clock_value(void) { return 1 << 20; }
static unsigned said;
void log_print(const char *f unused, ...) { said++; }

/* ---- a machine ---- */

static struct { uint64_t ids[PTYS]; struct pty_kept kept[PTYS]; } *state;

status_t frame_decommit(handle_t f, uint64_t offset, uint64_t size)
{
	assert_int_equal(f, 5);
	memset((char *)state + offset, 0, size);
	decommitted++;
	return OK;
}

/* The next instance, with the state that the one before left; commands that wait come again. */
static void restart(void)
{
	death.at = 0;
	for (uint32_t i = 0; i < PTYS; i++) {
		if (!ptys[i])
			continue;
		struct queue *q[] = { &ptys[i]->takers, &ptys[i]->typers, &ptys[i]->tty.readers, &ptys[i]->tty.writers };
		for (size_t k = 0; k < ARRAY_LEN(q); k++)
			for (queue_release(q[k]); q[k]->first;)
				queue_drop(q[k], &q[k]->first);
		free(ptys[i]);
		ptys[i] = NULL;
	}
	ptys_init(state->ids, state->kept, 5, offsetof(typeof(*state), kept), 8, 2);
	decommitted = 0;
}

static int fresh(void **s unused)
{
	state = calloc(1, sizeof(*state));
	memset(call, 0, sizeof(call));
	signalled = works = decommitted = said = 0;
	no_memory = false;
	death.at = 0;
	restart();
	return 0;
}

static int done(void **s unused)
{
	restart();
	free(state);
	return 0;
}

static status_t ctl(uint64_t badge, uint32_t code, uint64_t a, uint64_t b, uint64_t *value)
{
	struct file_ctl_rep p = { 0 };
	status_t st = pty_ctl(&(struct svc_cmd){ .badge = badge, .rights = RIGHT_READ }, &(struct file_ctl_req){ .code = code, .arg0 = a, .arg1 = b }, &p);
	*value = p.value0;
	return st;
}

static uint64_t master(void)
{
	uint64_t badge = pty_master_badge(), n;
	assert_int_equal(ctl(badge, CTL_TTY_PTY, TTY_PTY_NAMED, 0, &n), OK);
	return badge;
}

static status_t open_slave(uint64_t of, cmd_id_t cmd, bool again, uint64_t *badge)
{
	return pty_open_slave(&(struct svc_cmd){ .cmd = cmd, .redelivered = again }, of, badge);
}

static uint64_t slave(uint64_t of)
{
	static cmd_id_t cmd = 1000;
	uint64_t badge;
	assert_int_equal(open_slave(of, cmd++, false, &badge), OK);
	assert_true(pty_is_slave(badge) && !pty_is_master(badge));
	return badge;
}

static struct terminal *side(uint64_t badge)
{
	struct terminal *t;
	assert_int_equal(pty_slave(badge, &t), OK);
	return t;
}

static struct svc_cmd command(uint64_t badge, cmd_id_t cmd, const char *in, uint32_t out, bool again)
{
	if (in)
		strcpy(call[cmd].window, in);
	return (struct svc_cmd){ .cmd = cmd, .badge = badge, .in_len = in ? (uint32_t)strlen(in) : 0, .out_len = out, .redelivered = again };
}

static void settle(void)
{
	for (unsigned before = works + 1; before != works;) {
		before = works;
		ptys_work();
	}
}

static void master_writes(uint64_t m, cmd_id_t cmd, const char *text, bool again)
{
	struct svc_cmd c = command(m, cmd, text, 0, again);
	uint64_t n;
	assert_int_equal(pty_write(&c, &n), SVC_LATER);
	settle();
}

static void master_reads(uint64_t m, cmd_id_t cmd, uint32_t len, bool again)
{
	struct svc_cmd c = command(m, cmd, NULL, len, again);
	uint64_t n;
	assert_int_equal(pty_read(&c, &n), SVC_LATER);
	settle();
}

static void slave_writes(uint64_t s, cmd_id_t cmd, const char *text, bool again)
{
	struct svc_cmd c = command(s, cmd, text, 0, again);
	uint64_t n;
	assert_int_equal(terminal_write(side(s), &c, &n), SVC_LATER);
	settle();
}

static void slave_reads(uint64_t s, cmd_id_t cmd, uint32_t len, bool again)
{
	struct svc_cmd c = command(s, cmd, NULL, len, again);
	uint64_t n;
	assert_int_equal(terminal_read(side(s), &c, &n), SVC_LATER);
	settle();
}

static void recovered(void)
{
	ptys_recovered();
	settle();
}

/* Reads to the end of what is there: `n` bytes `filler`, then `tail`. */
static void reads_all(void (*reads)(uint64_t, cmd_id_t, uint32_t, bool), uint64_t from, cmd_id_t cmd, char filler, size_t n, const char *tail)
{
	size_t end = n + strlen(tail);

	for (size_t at = 0; at < end; at += call[cmd].done) {
		memset(&call[cmd], 0, sizeof(call[cmd]));
		reads(from, cmd, 1000, false);
		assert_true(call[cmd].answered && at + call[cmd].done <= end);
		for (size_t i = 0; i < call[cmd].done; i++)
			assert_int_equal(call[cmd].window[i], at + i < n ? filler : tail[at + i - n]);
	}
}

static void got(cmd_id_t cmd, const char *text)
{
	assert_true(call[cmd].answered);
	assert_int_equal(call[cmd].status, OK);
	assert_int_equal(call[cmd].done, strlen(text));
	assert_memory_equal(call[cmd].window, text, strlen(text));
	memset(&call[cmd], 0, sizeof(call[cmd]));
}

/* ---- tests ---- */

static void both_ways(void **s unused)
{
	uint64_t m = master(), p = slave(m);
	slave_reads(p, 1, 100, false);
	master_writes(m, 2, "hellp\177o\r", false);
	assert_int_equal(call[2].done, 8);
	got(1, "hello\n");
	master_reads(m, 3, 100, false);
	got(3, "hellp\b \bo\r\n");
	master_reads(m, 4, 3, false);
	assert_false(call[4].answered);
	slave_writes(p, 5, "a\nb", false);
	assert_int_equal(call[5].done, 3);
	got(4, "a\r\n");
	master_reads(m, 6, 100, false);
	got(6, "b");
}

static void names(void **s unused)
{
	uint64_t m = pty_master_badge(), found, n, v;
	struct terminal *t;
	assert_int_equal(ctl(m, CTL_TTY_GET_SIZE, 0, 0, &v), ERR_INVALID);
	assert_int_equal(ctl(m, CTL_TTY_PTY, 2, 0, &n), ERR_INVALID);
	assert_int_equal(open_slave(m, 1, false, &found), ERR_GONE);
	assert_int_equal(ctl(m, CTL_TTY_PTY, TTY_PTY_PRIVATE, 0, &n), OK);
	assert_int_equal(n, 0);
	assert_int_equal(pty_find("0", &found), ERR_NOT_FOUND);
	assert_int_equal(ctl(m, CTL_TTY_PTY, TTY_PTY_NAMED, 0, &n), OK);
	assert_int_equal(pty_find("0", &found), OK);
	assert_int_equal(found, m);
	for (const char **bad = (const char *[]){ "", "1", "16", "-1", "+0", "0x", " 0", "99999999999999999999", NULL }; *bad; bad++)
		assert_int_equal(pty_find(*bad, &found), ERR_NOT_FOUND);
	uint64_t p = slave(m);
	pty_close(m);
	assert_int_equal(decommitted, 1);
	assert_int_equal(pty_slave(p, &t), ERR_GONE);
	/* The place is another's. */
	uint64_t other = master();
	assert_true(other != m);
	assert_int_equal(pty_slave(p, &t), ERR_GONE);
	pty_close(p);
	assert_int_equal(pty_find("0", &found), OK);
}

static void limits(void **s unused)
{
	uint64_t m[PTYS], v, p[PTY_SLAVES];
	no_memory = true;
	assert_int_equal(ctl(pty_master_badge(), CTL_TTY_PTY, 0, 0, &v), ERR_NO_MEMORY);
	no_memory = false;
	for (int i = 0; i < PTYS; i++)
		m[i] = master();
	uint64_t more = pty_master_badge();
	assert_int_equal(ctl(more, CTL_TTY_PTY, 0, 0, &v), ERR_LIMIT);
	pty_close(m[7]);
	assert_int_equal(ctl(more, CTL_TTY_PTY, 0, 0, &v), OK);
	assert_int_equal(v, 7);
	for (int i = 0; i < PTY_SLAVES; i++)
		p[i] = slave(m[3]);
	assert_int_equal(open_slave(m[3], 1, false, &v), ERR_LIMIT);
	pty_unopened(p[5]);
	side(slave(m[3]));
	/* Signals and modes are the programs'. */
	assert_int_equal(ctl(m[3], CTL_TTY_SIGNAL, 0, 0, &v), ERR_NOT_SUPPORTED);
	assert_int_equal(ctl(m[3], CTL_TTY_SET_MODE, 0, 0, &v), ERR_NOT_SUPPORTED);
}

/* Neither side is lost to the other's slowness. */
static void back_pressure(void **s unused)
{
	static char text[30001];
	uint64_t m = master(), p = slave(m);
	for (int i = 0; i < 30000; i++)
		text[i] = (char)('a' + i % 23);
	slave_writes(p, 1, text, false);
	assert_false(call[1].answered);
	size_t at = 0;
	while (at < 30000) {
		master_reads(m, 2, 777, false);
		assert_true(call[2].answered && call[2].done > 0);
		assert_memory_equal(call[2].window, text + at, call[2].done);
		at += call[2].done;
		memset(&call[2], 0, sizeof(call[2]));
	}
	assert_int_equal(call[1].done, 30000);
	memset(&call[1], 0, sizeof(call[1]));

	/* Typed raw, more than there is room for; then ^C where it is a signal and nothing is read. */
	struct file_ctl_rep rep;
	struct svc_cmd c = { .rights = RIGHT_READ, .n_handles = 1, .handles = { 9 } };
	assert_int_equal(terminal_ctl(side(p), &c, &(struct file_ctl_req){ .code = CTL_TTY_SET_MODE, .arg0 = 0 }, &rep), OK);
	text[5000] = 0;
	master_writes(m, 3, text, false);
	assert_false(call[3].answered);
	for (at = 0; at < 5000;) {
		slave_reads(p, 4, 100, false);
		assert_memory_equal(call[4].window, text + at, call[4].done);
		at += call[4].done;
		memset(&call[4], 0, sizeof(call[4]));
	}
	assert_int_equal(call[3].done, 5000);
	memset(&call[3], 0, sizeof(call[3]));
	assert_int_equal(terminal_ctl(side(p), &c, &(struct file_ctl_req){ .code = CTL_TTY_SET_MODE, .arg0 = TTY_SIGNALS }, &rep), OK);
	assert_int_equal(terminal_ctl(side(p), &c, &(struct file_ctl_req){ .code = CTL_TTY_SIGNAL, .arg0 = 4 }, &rep), OK);
	text[TTY_RING - 1] = 0;
	master_writes(m, 3, text, false);
	assert_true(call[3].answered);
	master_writes(m, 5, "\3", false);
	assert_true(call[5].answered);
	assert_int_equal(signalled, 1 << 4);
	master_writes(m, 6, "x", false);
	assert_false(call[6].answered);
	/* While it waits: keys at the beginning of another WRITE act, and are all of it. */
	struct svc_cmd w = command(m, 7, "\3\3behind\3", 0, false);
	uint64_t n;
	signalled = 0;
	assert_int_equal(pty_write(&w, &n), OK);
	assert_int_equal(n, 2);
	assert_int_equal(signalled, 1 << 4);
	master_writes(m, 7, "behind\3", false);
	assert_false(call[7].answered);
	assert_true(ptys_cancel(7));
	assert_true(ptys_cancel(6));
	assert_int_equal(call[6].status, ERR_CANCELLED);
}

/* Stopped output, and then more typed than there is room for: ^Q is seen, and all comes in order. */
static void stopped_and_full(void **s unused)
{
	char keys[1501];
	uint64_t m = master(), p = slave(m), n;
	for (int i = 0; i < 1500; i++)
		keys[i] = i % 100 == 99 ? '\r' : 'k';
	keys[1500] = 0;
	master_writes(m, 1, "\x13", false);
	slave_writes(p, 2, "held back", false);
	master_writes(m, 3, keys, false);
	assert_false(call[2].answered || call[3].answered);
	restart();
	slave_writes(p, 2, "held back", true);
	master_writes(m, 3, keys, true);
	recovered();
	assert_false(call[2].answered || call[3].answered);
	struct svc_cmd w = command(m, 4, "\x11", 0, false);
	assert_int_equal(pty_write(&w, &n), OK);
	assert_int_equal(n, 1);
	settle();
	assert_true(call[2].answered && !call[3].answered);
	for (int i = 0; i < 15; i++) {
		slave_reads(p, 5, 200, false);
		assert_int_equal(call[5].done, 100);
		memset(&call[5], 0, sizeof(call[5]));
	}
	assert_int_equal(call[3].done, 1500);
}

static void size_is_told(void **s unused)
{
	uint64_t m = master(), p = slave(m), v;
	struct file_ctl_rep rep;
	struct svc_cmd c = { .rights = RIGHT_READ, .n_handles = 1, .handles = { 9 } };
	assert_int_equal(terminal_ctl(side(p), &c, &(struct file_ctl_req){ .code = CTL_TTY_SIGNAL, .arg0 = 0, .arg2 = 3, .arg3 = 4 }, &rep), OK);
	assert_int_equal(ctl(m, CTL_TTY_SET_SIZE, 100, 30, &v), OK);
	assert_int_equal(signalled, 1 << 2);
	assert_int_equal(ctl(m, CTL_TTY_SET_SIZE, 0, 30, &v), ERR_INVALID);
	restart();
	assert_int_equal(terminal_ctl(side(p), &c, &(struct file_ctl_req){ .code = CTL_TTY_GET_SIZE }, &rep), OK);
	assert_int_equal(rep.value0, 100);
	assert_int_equal(rep.value1, 30);
}

static void the_master_leaves(void **s unused)
{
	uint64_t m = master(), p = slave(m);
	struct file_ctl_rep rep;
	struct svc_cmd c = { .rights = RIGHT_READ, .n_handles = 1, .handles = { 9 } };
	static char text[PTY_RING + 100];
	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(terminal_ctl(side(p), &c, &(struct file_ctl_req){ .code = CTL_TTY_SIGNAL, .arg0 = 0, .arg3 = 4 }, &rep), OK);
	slave_reads(p, 1, 100, false);
	slave_writes(p, 2, text, false);
	slave_writes(p, 3, "never seen", false);
	assert_false(call[1].answered || call[2].answered);
	pty_close(m);
	got(1, "");
	assert_int_equal(call[2].done, PTY_RING);       /* it was taken so far */
	assert_int_equal(call[3].status, ERR_GONE);
	assert_int_equal(signalled, 1 << 3);
}

static void the_slaves_leave(void **s unused)
{
	uint64_t m = master();
	master_reads(m, 1, 100, false);
	assert_false(call[1].answered);                 /* nobody came yet */
	uint64_t a = slave(m), b = slave(m);
	slave_writes(a, 2, "last words", false);
	got(1, "last words");
	pty_close(a);
	master_reads(m, 1, 100, false);
	assert_false(call[1].answered);                 /* there is another one */
	pty_close(b);
	got(1, "");
	restart();
	master_reads(m, 1, 100, false);
	got(1, "");
	uint64_t again = slave(m);
	master_reads(m, 1, 100, false);
	assert_false(call[1].answered);
	memset(&call[2], 0, sizeof(call[2]));
	slave_writes(again, 2, "back", false);
	got(1, "back");
	slave_writes(again, 3, "rest", false);
	pty_close(again);
	master_reads(m, 1, 100, false);
	got(1, "rest");
	master_reads(m, 1, 100, false);
	got(1, "");
}

/* A slave whose Session did nothing before an instance ended is seen to leave; one that is still there keeps the master waiting. */
static void a_slave_that_never_spoke(void **s unused)
{
	uint64_t m = master(), a = slave(m), b = slave(m);
	restart();
	pty_close(a);
	master_reads(m, 1, 100, false);
	assert_false(call[1].answered);
	restart();
	master_reads(m, 1, 100, true);
	assert_false(call[1].answered);
	pty_close(b);
	got(1, "");
}

/* Wherever an instance ends while a slave is opened: that OPEN, when it comes again, gets one badge, and another OPEN another. */
static void opened_again(void **s unused)
{
	for (volatile unsigned at = 1, end = 0; !end; at++) {
		uint64_t badge, other;
		done(NULL);
		fresh(NULL);
		volatile uint64_t m = master();
		volatile bool again = false;
		death = (typeof(death)){ .at = at };
		if (setjmp(death.to)) {
			restart();
			again = true;
		}
		assert_int_equal(open_slave(m, 1, again, &badge), OK);
		death.at = 0;
		restart();                      /* its answer was lost */
		assert_int_equal(open_slave(m, 1, true, &other), OK);
		assert_int_equal(badge, other);
		assert_int_equal(open_slave(m, 2, false, &other), OK);
		assert_true(badge != other);
		pty_close(badge);
		pty_close(other);
		master_reads(m, 3, 10, false);
		got(3, "");
		end = !again;
		assert_true(!end || at > 3);
	}
}

/* After a fault what may be to blame comes again first: what the last instance was at goes on from there all the same, before it. */
static void out_of_turn(void **s unused)
{
	static char text[PTY_RING + 101], keys[1501];
	struct file_ctl_rep rep;
	struct svc_cmd c = { .rights = RIGHT_READ };
	memset(text, 'x', sizeof(text) - 1);
	memset(keys, 'k', sizeof(keys) - 1);
	uint64_t m = master(), p = slave(m);
	assert_int_equal(terminal_ctl(side(p), &c, &(struct file_ctl_req){ .code = CTL_TTY_SET_MODE, .arg0 = 0 }, &rep), OK);
	slave_writes(p, 1, text, false);
	slave_writes(p, 2, "then", false);
	master_writes(m, 3, keys, false);
	master_writes(m, 4, "last", false);
	assert_false(call[1].answered || call[3].answered);
	restart();
	slave_writes(p, 2, "then", true);
	master_writes(m, 4, "last", true);
	slave_writes(p, 1, text, true);
	master_writes(m, 3, keys, true);
	recovered();
	reads_all(master_reads, m, 5, 'x', sizeof(text) - 1, "then");
	assert_int_equal(call[1].done, sizeof(text) - 1);
	reads_all(slave_reads, p, 6, 'k', sizeof(keys) - 1, "last");
	assert_int_equal(call[3].done, sizeof(keys) - 1);
	assert_true(call[2].answered && call[4].answered);

	/* What was begun does not come again: its caller has left. */
	memset(call, 0, sizeof(call));
	slave_writes(p, 1, text, false);
	slave_writes(p, 2, "then", false);
	restart();
	slave_writes(p, 2, "then", true);
	master_reads(m, 3, 8000, true);
	assert_false(call[2].answered);
	recovered();
	assert_true(call[2].answered && call[3].done == PTY_RING);
}

/* The same of READs: whose answer is not known to have left gets what it was given before another one is given anything. */
static void reads_out_of_turn(void **s unused)
{
	for (int left = 0; left < 2; left++) {
		done(NULL);
		fresh(NULL);
		uint64_t m = master(), p = slave(m);
		slave_writes(p, 1, "one", false);
		master_writes(m, 2, "eins\r", false);
		struct pty_kept *k = &state->kept[0];
		struct tty_head h;
		assert_true(tty_load(&k->tty, &h));
		h.read_op = 3 + 100;
		h.read_cells = 5;
		tty_save(&k->tty, &h);
		k->next = 3;
		k->read_op = 4 + 100;
		restart();
		slave_reads(p, 5, 100, true);
		master_reads(m, 6, 3, true);
		assert_false(call[5].answered || call[6].answered);
		if (!left) {
			slave_reads(p, 3, 100, true);
			master_reads(m, 4, 3, true);
			got(3, "eins\n");
			got(4, "one");
		}
		recovered();
		master_writes(m, 7, "zwei\r", false);
		got(5, "zwei\n");
		got(6, "ein");
	}
}

/* A READ like the one before it, delivered again, is not that one. */
static void a_read_like_the_last(void **s unused)
{
	uint64_t m = master(), p = slave(m);
	master_writes(m, 1, "eins\rzwei\r", false);
	struct tty_head h;
	assert_true(tty_load(&state->kept[0].tty, &h));
	h.read_op = 2 + 100;
	h.read_cells = 5;
	tty_save(&state->kept[0].tty, &h);
	restart();
	slave_reads(p, 3, 100, true);
	recovered();
	got(3, "zwei\n");
}

/* Whatever lies there after a crash: both sides are told once, the place is free, and the master may have it anew. */
static void scribbled(void **s unused)
{
	for (int what = 0; what < 9; what++) {
		done(NULL);
		fresh(NULL);
		uint64_t m = master(), p = slave(m), v;
		struct pty_kept *k = &state->kept[0];
		struct terminal *t;
		slave_writes(p, 1, "text", false);
		switch (what) {
		case 0: k->taken = 5; break;
		case 1: k->slave[9] = p + (1 << ID_SHIFT); break;
		case 2: k->slave[2] = m; break;
		case 3: k->open_badge = m; break;
		case 4: k->tty.sent += 2000; break;
		case 5: memset(k->tty.head, 0x5a, sizeof(k->tty.head)); break;
		case 6: k->named = 7; break;
		case 7: k->read_op = 1; k->next = 100; break;
		case 8: state->ids[0] ^= 1 << 20; break;
		}
		restart();
		assert_int_equal(said, 1);
		assert_int_equal(state->ids[0], 0);
		assert_int_equal(pty_slave(p, &t), ERR_GONE);
		assert_int_equal(ctl(m, CTL_TTY_GET_SIZE, 0, 0, &v), ERR_INVALID);
		assert_int_equal(ctl(m, CTL_TTY_PTY, 0, 0, &v), OK);
		assert_int_equal(v, 0);
	}
}

/* Memory of a place that was given up as an instance ended is given back by the next. */
static void given_up(void **s unused)
{
	uint64_t m = master();
	state->ids[0] = 0;
	restart();
	assert_int_equal(state->kept[0].id, 0);
	pty_close(m);
}

/* Killed before or after any store of a story: all of it happens once. */
static void killed_anywhere(void **s unused)
{
	done(NULL);
	for (int after = 0; after < 2; after++)
		for (volatile unsigned at = 1, end = 0; !end; at++) {
			static char seen[200];
			static size_t n;
			volatile bool again = false;
			volatile uint64_t m, p;
			fresh(NULL);
			m = master();
			p = slave(m);
			side(p);
			n = 0;
			death = (typeof(death)){ .at = at, .after = after };
			if (setjmp(death.to)) {
				restart();
				again = true;
			}
			/* Commands that wait are delivered again, in their order; those that were answered are not. */
			for (cmd_id_t cmd = 1; cmd <= 7; cmd++) {
				if (call[cmd].answered)
					continue;
				if (cmd == 1)
					slave_reads(p, 1, 100, again);
				else if (cmd == 2)
					master_writes(m, 2, "\303\251\177ab\r\3", again);
				else if (cmd == 3 || cmd == 6)
					slave_writes(p, cmd, cmd == 3 ? "x\ny" : "z", again);
				else
					master_reads(m, cmd, cmd == 4 ? 5 : 50, again);
			}
			if (again)
				recovered();
			for (cmd_id_t cmd = 4; cmd <= 7; cmd++) {
				if (cmd == 6)
					continue;
				memcpy(seen + n, call[cmd].window, call[cmd].done);
				n += call[cmd].done;
			}
			assert_int_equal(call[6].done, 1);
			assert_int_equal(call[3].done, 3);
			assert_int_equal(call[2].done, 7);
			assert_int_equal(call[1].done, 3);
			assert_memory_equal(call[1].window, "ab\n", 3);
			static const char all_of_it[] = "\303\251\b \bab\r\n^C\r\nx\r\nyz";
			assert_int_equal(n, strlen(all_of_it));
			assert_memory_equal(seen, all_of_it, n);
			end = !again;
			assert_true(!end || at > 20);
			done(NULL);
		}
	fresh(NULL);
}

int main(int argc unused, char **argv unused)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, done)
	const struct CMUnitTest tests[] = {
		TEST(both_ways), TEST(names), TEST(limits), TEST(back_pressure), TEST(stopped_and_full), TEST(size_is_told), TEST(the_master_leaves), TEST(the_slaves_leave),
		TEST(a_slave_that_never_spoke), TEST(opened_again), TEST(out_of_turn), TEST(reads_out_of_turn), TEST(a_read_like_the_last), TEST(scribbled),
		TEST(given_up), TEST(killed_anywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

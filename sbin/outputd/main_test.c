/*
 * outputd's serial line against a fake device and fake callers (the terminals of the screen: vt_test.c). Expected: readers are served in order, writers never
 * lose a byte whatever the device takes, cancelled ones leave, ^C finds its Notify, and an instance that begins
 * where another was killed neither repeats nor loses anything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>
#define main outputd_main
#include "main.c"
#undef main
#include "terminal.c"
#include "serial.c"
#include "ldisc.c"
#include "tty.c"
#include <utf8/utf8.c>

/* ---- the device ---- */

static struct { char in[16384], out[1 << 16]; size_t in_put, in_taken, out_len, room, taken_per_event; bool receive, transmit; } dev;
static struct { unsigned writes, reads; bool after; jmp_buf to; } death;       /* at which write or read from now on, 0: never; before or after it */
enum { BREAK = 1 };                                                     /* what the line seems to say when it broke */

status_t uart_open(struct uart *u, handle_t a unused, handle_t b unused)
{
	*u = (struct uart){ .irq = 1, .present = true, .depth = 16 };
	return OK;
}
bool uart_read(struct uart *u unused, struct io_byte *to, size_t n, uint64_t *sum)
{
	bool now = death.reads && --death.reads == 0;
	if (now && !death.after)
		longjmp(death.to, 1);
	size_t at = 0;
	for (; at < n && dev.in_taken < dev.in_put; at++, ++*sum)
		to[at] = (struct io_byte){ .byte = (uint8_t)dev.in[dev.in_taken], .status = dev.in[dev.in_taken] == BREAK }, dev.in_taken++;
	if (now)
		longjmp(death.to, 1);
	return at > 0;
}
bool uart_broke(struct io_byte b) { return b.status; }
size_t uart_room(struct uart *u unused) { return dev.room ? 16 : 0; }
void uart_write(struct uart *u unused, const uint8_t *data, size_t len, uint64_t *sum)
{
	bool now = death.writes && --death.writes == 0;
	if (now && !death.after)
		longjmp(death.to, 1);
	assert_true(dev.room > 0 && len <= 16 && dev.out_len + len <= sizeof(dev.out));
	dev.room--;
	memcpy(dev.out + dev.out_len, data, len);
	dev.out_len += len;
	*sum += len;
	if (now)
		longjmp(death.to, 1);
}
void uart_interrupts(struct uart *u unused, bool receive, bool transmit) { dev.receive = receive; dev.transmit = transmit; }
bool uart_receiving(const struct uart *u unused) { return dev.receive; }
void uart_ack(struct uart *u unused) {}

/* ---- the callers: command n has window[n] ---- */

enum { COMMANDS = 16 };
static struct { char window[8192]; bool answered, gone; status_t status; uint64_t done; } call[COMMANDS];
static uint64_t signalled;

void svc_reply(cmd_id_t cmd, const struct reply *r)
{
	assert_false(call[cmd].answered);
	call[cmd].answered = true;
	call[cmd].status = r->status;
	call[cmd].done = r->w[0];
}
status_t svc_read_in(cmd_id_t cmd, uint64_t offset, void *buf, size_t len)
{
	if (call[cmd].gone)
		return ERR_GONE;
	memcpy(buf, call[cmd].window + offset, len);
	return OK;
}
status_t cmd_info(cmd_id_t cmd, struct cmd_info *info)
{
	*info = (struct cmd_info){ .op_id = cmd + 100 };
	return OK;
}

status_t svc_write_out(cmd_id_t cmd, uint64_t offset, const void *buf, size_t len)
{
	if (call[cmd].gone)
		return ERR_GONE;
	memcpy(call[cmd].window + offset, buf, len);
	return OK;
}
status_t notify_signal(handle_t h, uint64_t bits)
{
	assert_int_equal(h, 9);
	signalled |= bits;
	return OK;
}

/* ---- what is not in question here ---- */

status_t handle_info(handle_t h, struct handle_info *i)
{
	/* 7: a Session; 6: a Notify that may not be signalled */
	*i = (struct handle_info){ .handle = h, .type = h == 7 ? OBJ_SESSION : OBJ_NOTIFY, .rights = h == 6 ? RIGHT_DUP : RIGHT_ALL };
	return OK;
}
handle_t start_handle(const char *name unused) { return 0; }
status_t frame_info(handle_t f unused, struct frame_info *i unused) { return ERR_BAD_HANDLE; }
status_t vmem_map(handle_t v unused, handle_t f unused, uint64_t o unused, uint64_t a unused, uint64_t s unused, uint32_t p unused, uint64_t *va unused) { return ERR_INVALID; }
status_t notify_bind(handle_t n unused, uint32_t b unused, handle_t s unused) { return OK; }
status_t notify_timer(handle_t n unused, uint32_t b unused, uint64_t d unused, uint64_t p unused) { return OK; }
static uint64_t now_ns;
status_t clock_now(uint64_t *ns) { *ns = now_ns; return OK; }
status_t port_reserve(handle_t p unused, uint32_t n unused) { return OK; }
status_t vmem_commit(handle_t v unused, uint64_t va unused, uint64_t size unused) { return ERR_INVALID; }
bool cmdline_word(const char *key unused, char *value unused, size_t size unused) { return false; }
bool cmdline_flag(const char *key unused, bool fallback) { return fallback; }
status_t svc_read_from(const struct svc_cmd *c unused, uint64_t o unused, const void *d unused, size_t s unused, uint64_t *done unused) { return ERR_INVALID; }

/* ---- there is no screen ---- */

void screen_init(const struct screen_start *start unused) {}
void screen_leave(void) {}
void screen_go(void) {}
void screen_done(struct event *e unused) {}
void screen_changed(const struct event *e unused) {}
void screen_draw(void) {}
void screen_show(struct term *t unused) {}
enum screen_presence screen_presence(void) { return SCREEN_ABSENT; }
void shells_init(handle_t p unused, uint64_t t unused) {}
void shells_want(uint32_t i unused) {}
void shells_done(struct event *e unused) {}
void keys_init(struct keys_kept *k unused, handle_t p unused, uint64_t t unused, handle_t n unused, uint32_t b unused) {}
void keys_go(void) {}
void keys_done(struct event *e unused) {}
uint32_t keys_front(void) { return 0; }
void vts_init(struct tty_state *const s[VTS] unused, void *m unused, handle_t l unused, handle_t n unused, uint32_t b unused) {}
status_t vts_open(uint32_t i unused, struct terminal **t unused) { return ERR_NOT_FOUND; }
struct terminal *vts_opened(uint32_t i unused) { return NULL; }
struct term *vts_term(uint32_t i unused) { return NULL; }
void vts_work(void) {}
void vts_resized(void) {}
status_t vts_text(uint32_t i unused, char **t unused, size_t *n unused) { return ERR_NOT_FOUND; }
status_t handle_close(handle_t h unused) { return OK; }
void ptys_init(uint64_t *i unused, struct pty_kept *k unused, handle_t f unused, uint64_t o unused, handle_t n unused, uint32_t b unused) {}
void ptys_work(void) {}
bool ptys_there(void) { return false; }
uint64_t pty_master_badge(void) { return 0; }
bool pty_is_master(uint64_t b unused) { return false; }
bool pty_is_slave(uint64_t b unused) { return false; }
status_t pty_open_slave(const struct svc_cmd *c unused, uint64_t b unused, uint64_t *s unused) { return ERR_GONE; }
status_t pty_find(const char *n unused, uint64_t *m unused) { return ERR_NOT_FOUND; }
status_t pty_slave(uint64_t b unused, struct terminal **t unused) { return ERR_GONE; }
status_t pty_read(const struct svc_cmd *c unused, uint64_t *d unused) { return ERR_INVALID; }
status_t pty_write(const struct svc_cmd *c unused, uint64_t *d unused) { return ERR_INVALID; }
status_t pty_sync(const struct svc_cmd *c unused) { return ERR_INVALID; }
status_t pty_ctl(struct svc_cmd *c unused, const struct file_ctl_req *q unused, struct file_ctl_rep *p unused) { return ERR_INVALID; }
void pty_close(uint64_t b unused) {}
void pty_unopened(uint64_t b unused) {}
bool ptys_cancel(cmd_id_t c unused) { return false; }
void ptys_recovered(void) {}
status_t svc_init(struct svc *s unused, const struct svc_proto *p unused, const void *o unused, void *self unused) { return OK; }
status_t svc_run(struct svc *s unused) { return OK; }
status_t svc_notify(struct svc *s unused, uint64_t badge unused, handle_t *n) { *n = 8; return OK; }
size_t dirent_put(void *b unused, size_t r unused, uint64_t i unused, uint64_t s unused, int t unused, const char *n unused) { return 0; }
void log_print(const char *f unused, ...) {}
const char *error_name(status_t st unused) { return ""; }
const char *error_text(status_t st unused) { return ""; }
void rt_panic(const char *f unused, ...) { abort(); }
const struct svc_proto file_proto;

/* ---- tests ---- */

static void drop_all(void)
{
	for (queue_release(&serial.readers); serial.readers.first;)
		queue_drop(&serial.readers, &serial.readers.first);
	for (queue_release(&serial.writers); serial.writers.first;)
		queue_drop(&serial.writers, &serial.writers.first);
	memset(call, 0, sizeof(call));
}

/* A new instance, with the state that the one before left. */
static void restart(void)
{
	drop_all();
	serial.signal_notify = 0;
	serial.stage.at = serial.stage.len = 0;
	outputd_main(0, NULL);
}

static int fresh(void **state_ unused)
{
	memset(&own_state, 0, sizeof(own_state));
	memset(&dev, 0, sizeof(dev));
	dev.room = SIZE_MAX;
	now_ns = 1;
	queue_init(&serial.readers);
	queue_init(&serial.writers);
	signalled = 0;
	restart();
	return 0;
}

static int done(void **state_ unused)
{
	drop_all();
	return 0;
}

static void type(const char *text)
{
	size_t n = strlen(text);
	memcpy(dev.in + dev.in_put, text, n);
	dev.in_put += n;
	on_notify(NULL, BADGE_DEVICE, 1 << SERIAL_IRQ);
}

static void read_cmd(cmd_id_t cmd, uint32_t len, uint64_t offset, bool redelivered)
{
	struct svc_cmd c = { .cmd = cmd, .badge = BADGE_SERIAL, .out_len = len, .redelivered = redelivered };
	struct file_read_rep p;
	assert_int_equal(on_read(NULL, &c, &(struct file_read_req){ offset }, &p), SVC_LATER);
}

static void write_cmd(cmd_id_t cmd, const char *text, uint64_t offset, bool redelivered)
{
	struct svc_cmd c = { .cmd = cmd, .badge = BADGE_SERIAL, .in_len = (uint32_t)strlen(text), .redelivered = redelivered };
	struct file_write_rep p;
	strcpy(call[cmd].window, text);
	assert_int_equal(on_write(NULL, &c, &(struct file_write_req){ offset, 0 }, &p), SVC_LATER);
}

static void was_read(cmd_id_t cmd, const char *text)
{
	assert_true(call[cmd].answered);
	assert_int_equal(call[cmd].status, OK);
	assert_int_equal(call[cmd].done, strlen(text));
	assert_memory_equal(call[cmd].window, text, strlen(text));
}

static void sent(const char *text)
{
	assert_int_equal(dev.out_len, strlen(text));
	assert_memory_equal(dev.out, text, dev.out_len);
	dev.out_len = 0;
}

static void readers_in_order(void **state_ unused)
{
	read_cmd(1, 100, 0, false);
	read_cmd(2, 100, 0, false);
	type("one\rtwo");
	was_read(1, "one\n");
	assert_false(call[2].answered);
	type("\r");
	was_read(2, "two\n");
	sent("one\r\ntwo\r\n");
}

static void type_ahead_waits(void **state_ unused)
{
	type("early\r");
	read_cmd(1, 3, 0, false);
	was_read(1, "ear");
	read_cmd(2, 100, 3, false);
	was_read(2, "ly\n");
}

static void back_pressure(void **state_ unused)
{
	dev.room = 0;
	write_cmd(1, "the first writer says more than a FIFO takes\n", 0, false);
	write_cmd(2, "second\n", 0, false);
	assert_false(call[1].answered);
	assert_true(dev.transmit);
	while (!call[1].answered) {
		dev.room = 1;
		on_notify(NULL, BADGE_DEVICE, 1 << SERIAL_IRQ);
	}
	assert_int_equal(call[1].done, 45);
	dev.room = 1;
	on_notify(NULL, BADGE_DEVICE, 1 << SERIAL_IRQ);
	assert_true(call[2].answered);
	assert_false(dev.transmit);
	sent("the first writer says more than a FIFO takes\r\nsecond\r\n");
}

static void long_write_lets_others_in(void **state_ unused)
{
	char text[5001];
	memset(text, 'x', 5000);
	text[5000] = 0;
	write_cmd(1, text, 0, false);
	assert_false(call[1].answered);         /* a piece at a time */
	read_cmd(2, 10, 0, false);
	type("q\r");
	was_read(2, "q\n");
	while (!call[1].answered)
		on_notify(NULL, BADGE_DEVICE, 1 << SERIAL_IRQ);
	assert_int_equal(dev.out_len, 5000 + 3);
}

static void callers_that_leave(void **state_ unused)
{
	dev.room = 0;
	write_cmd(1, "never seen", 0, false);
	write_cmd(2, "seen", 0, false);
	call[1].gone = true;
	read_cmd(3, 10, 0, false);
	read_cmd(4, 10, 0, false);
	on_cancel(NULL, 3);
	assert_int_equal(call[3].status, ERR_CANCELLED);
	dev.room = SIZE_MAX;
	on_notify(NULL, BADGE_DEVICE, 1 << SERIAL_IRQ);
	assert_int_equal(call[1].status, ERR_GONE);
	sent("seen");
	call[4].gone = true;
	type("kept\r");
	assert_int_equal(call[4].status, ERR_GONE);
	read_cmd(5, 10, 0, false);
	was_read(5, "kept\n");
	write_cmd(6, "and", 0, false);
	on_cancel(NULL, 6);                     /* too late: answered already */
	assert_int_equal(call[6].done, 3);
}

static void no_device_input_is_lost_when_full(void **state_ unused)
{
	char text[3001];
	for (int i = 0; i < 3000; i++)
		text[i] = i % 100 == 99 ? '\r' : 'a';
	text[3000] = 0;
	type(text);
	assert_false(dev.receive);
	for (int i = 0; i < 30; i++) {
		call[1].answered = false;
		read_cmd(1, 200, 0, false);
		assert_true(call[1].answered);
		assert_int_equal(call[1].done, 100);
	}
	assert_true(dev.receive);
}

static void time_goes_by(uint64_t ns)
{
	now_ns += ns;
	on_notify(NULL, BADGE_DEVICE, 1 << SERIAL_TIMER);
}

/* But nobody reads: after a while keys that act come through, and what was typed before them and had no room is lost, with bells. */
static void a_full_line_is_not_deaf(void **state_ unused)
{
	char text[2001];
	struct svc_cmd c = { .badge = BADGE_SERIAL, .rights = RIGHT_READ, .n_handles = 1, .handles = { 9 } };
	struct file_ctl_rep p;
	for (int i = 0; i < 2000; i++)
		text[i] = i % 100 == 99 ? '\r' : 'a';
	text[2000] = 0;
	assert_int_equal(on_ctl(NULL, &c, &(struct file_ctl_req){ .code = CTL_TTY_SIGNAL, .arg0 = 5 }, &p), OK);
	type("\x13");
	write_cmd(1, "held back", 0, false);
	type(text);
	type("\x11");
	time_goes_by(PATIENCE_NS - 1);
	assert_false(call[1].answered || dev.receive);
	time_goes_by(1);
	assert_true(call[1].answered && dev.receive);
	type("lost\x03");                      /* there is still no room: at once */
	assert_int_equal(signalled, 1 << 5);
	assert_memory_equal(dev.out + dev.out_len - 8, "\a\a\a\a^C\r\n", 8);
	for (int i = 0; i < 10; i++) {
		call[2].answered = false;
		read_cmd(2, 200, 0, false);
		assert_int_equal(call[2].done, 100);
	}
	type("kept\r");
	call[2].answered = false;
	read_cmd(2, 200, 0, false);
	was_read(2, "kept\n");

	/* Who reads, however slowly, loses nothing; and where no key acts there is nothing to be gained. */
	for (int keys = 1; keys >= 0; keys--) {
		set_mode(&serial, keys ? TTY_DEFAULT : 0);
		type(text);
		for (int i = 0; i < 20; i++) {
			time_goes_by(keys ? PATIENCE_NS - 1 : 10 * PATIENCE_NS);
			call[2].answered = false;
			read_cmd(2, 200, 0, false);
			assert_int_equal(call[2].done, 100);
		}
	}
}

static void interrupts(void **state_ unused)
{
	struct svc_cmd c = { .badge = BADGE_SERIAL, .rights = RIGHT_READ, .n_handles = 1, .handles = { 9 } };
	struct file_ctl_rep p;
	assert_int_equal(on_ctl(NULL, &c, &(struct file_ctl_req){ .code = CTL_TTY_SIGNAL, .arg0 = 5 }, &p), OK);
	assert_int_equal(c.handles[0], 0);
	for (handle_t h = 6; h <= 7; h++) {     /* what cannot be told stays the caller's, and the Notify before it is told */
		c.handles[0] = h;
		assert_int_equal(on_ctl(NULL, &c, &(struct file_ctl_req){ .code = CTL_TTY_SIGNAL, .arg0 = 6 }, &p), ERR_INVALID);
		assert_int_equal(c.handles[0], h);
	}
	type("half\x03");
	assert_int_equal(signalled, 1 << 5);
	signalled = 0;
	restart();
	type("\x03");
	assert_int_equal(signalled, 0);
	assert_int_equal(on_ctl(NULL, &c, &(struct file_ctl_req){ .code = CTL_TTY_GET_MODE }, &p), OK);
	assert_int_equal(p.value1, 0);
	c.handles[0] = 9;
	set_mode(&serial, TTY_DEFAULT);         /* whoever changes the mode has not heard of it */
	assert_int_equal(on_ctl(NULL, &c, &(struct file_ctl_req){ .code = CTL_TTY_SIGNAL, .arg0 = 5 }, &p), OK);
	assert_int_equal(signalled, 1 << 5);    /* it came while nobody could be told */
	signalled = 0;
	c.handles[0] = 9;
	assert_int_equal(on_ctl(NULL, &c, &(struct file_ctl_req){ .code = CTL_TTY_SIGNAL, .arg0 = 5 }, &p), OK);
	assert_int_equal(signalled, 0);         /* it is told once */
}

/* Nothing goes out while it is stopped, nor by the next instance, and no interrupt is asked for; then all of it in order. */
static void stopped_output(void **state_ unused)
{
	type("\x13");
	write_cmd(1, "held back\n", 0, false);
	type("typed\r");
	assert_false(call[1].answered);
	assert_int_equal(dev.out_len, 0);
	assert_false(dev.transmit);
	assert_true(dev.receive);
	restart();
	write_cmd(1, "held back\n", 0, true);
	assert_false(call[1].answered);
	assert_int_equal(dev.out_len, 0);
	type("\x11");
	assert_true(call[1].answered);
	sent("typed\r\nheld back\r\n");
	type("\x13");
	write_cmd(2, "more", 0, false);
	set_mode(&serial, TTY_NL_TO_CRNL);               /* a mode without flow control lets it go */
	assert_true(call[2].answered);
	sent("more");
}

static void sizes_and_suspension(void **state_ unused)
{
	struct svc_cmd c = { .badge = BADGE_SERIAL, .rights = RIGHT_READ, .n_handles = 1, .handles = { 9 } }, plain = { .badge = BADGE_SERIAL, .rights = RIGHT_READ };
	struct file_ctl_rep p;
	const struct file_ctl_req get = { .code = CTL_TTY_GET_SIZE }, set = { .code = CTL_TTY_SET_SIZE, .arg0 = 132, .arg1 = 50 };

	assert_int_equal(on_ctl(NULL, &plain, &get, &p), OK);
	assert_int_equal(p.value0, 80);
	assert_int_equal(on_ctl(NULL, &c, &(struct file_ctl_req){ .code = CTL_TTY_SIGNAL, .arg0 = 1, .arg1 = 65 }, &p), ERR_INVALID);
	assert_int_equal(on_ctl(NULL, &c, &(struct file_ctl_req){ .code = CTL_TTY_SIGNAL, .arg0 = 1, .arg1 = 3, .arg2 = 64 }, &p), OK);
	assert_int_equal(on_ctl(NULL, &plain, &set, &p), OK);
	assert_int_equal(signalled, 1ull << 63);
	signalled = 0;
	assert_int_equal(on_ctl(NULL, &plain, &set, &p), OK);
	assert_int_equal(signalled, 0);         /* the same size */
	restart();
	assert_int_equal(on_ctl(NULL, &plain, &get, &p), OK);
	assert_int_equal(p.value0, 132);
	assert_int_equal(p.value1, 50);
	static const uint64_t bad[][2] = { { 0, 24 }, { 80, 0 }, { TTY_SIZE_MAX + 1, 1 }, { 1, 1ull << 32 } };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(on_ctl(NULL, &plain, &(struct file_ctl_req){ .code = CTL_TTY_SET_SIZE, .arg0 = bad[i][0], .arg1 = bad[i][1] }, &p), ERR_INVALID);
	plain.rights = RIGHT_WRITE;
	assert_int_equal(on_ctl(NULL, &plain, &set, &p), ERR_DENIED);
	c.handles[0] = 9;
	c.n_handles = 1;
	assert_int_equal(on_ctl(NULL, &c, &(struct file_ctl_req){ .code = CTL_TTY_SIGNAL, .arg0 = 1, .arg1 = 3 }, &p), OK);
	set_mode(&serial, TTY_DEFAULT | TTY_SUSPEND);
	type("\x1a");
	assert_int_equal(signalled, 1 << 2);
	/* Both, come while nobody can be told, are told to whom they concern. */
	for (int wanted = 0; wanted < 2; wanted++) {
		restart();
		signalled = 0;
		type("\x1a");
		plain.rights = RIGHT_READ;
		assert_int_equal(on_ctl(NULL, &plain, &(struct file_ctl_req){ .code = CTL_TTY_SET_SIZE, .arg0 = 90, .arg1 = 50u + (unsigned)wanted }, &p), OK);
		restart();
		c.handles[0] = 9;
		assert_int_equal(on_ctl(NULL, &c, &(struct file_ctl_req){ .code = CTL_TTY_SIGNAL, .arg0 = 1, .arg1 = wanted ? 3 : 0, .arg2 = wanted ? 64 : 0 }, &p), OK);
		assert_int_equal(signalled, wanted ? 1 << 2 | 1ull << 63 : 0);
	}
	assert_int_equal(set_mode(&serial, TTY_MODES + 1), ERR_INVALID);
}

static void unread_line_survives(void **state_ unused)
{
	type("whole\rhalf");
	restart();
	type(" more\r");
	read_cmd(1, 100, 0, false);
	was_read(1, "whole\n");
	read_cmd(2, 100, 0, false);
	was_read(2, "half more\n");
}

/* Killed just before or just after the device gives or takes something: every byte comes once and is shown once, and a break is none. */
static void killed_while_typing(void **state_ unused)
{
	for (unsigned how = 0; how < 16; how++) {
		fresh(NULL);
		death.after = how & 1;
		*(how & 2 ? &death.reads : &death.writes) = 1 + (how >> 2);
		if (!setjmp(death.to)) {
			type("more than the device has room for at once\rhalf \1a line");
			assert_true(false);
		}
		death.reads = death.writes = 0;
		restart();
		type(" and its end\r");
		sent("more than the device has room for at once\r\nhalf a line and its end\r\n");
		read_cmd(1, 100, 0, false);
		was_read(1, "more than the device has room for at once\n");
		read_cmd(2, 100, 0, false);
		was_read(2, "half a line and its end\n");
	}
}

/* Killed between cmd_write and return, and between return and taking the cells. */
static void read_under_way(void **state_ unused)
{
	type("line\rnext\r");
	for (int answered = 0; answered < 2; answered++) {
		struct tty_head h;
		assert_true(tty_load(&own_state, &h));
		h.read_op = 100 + (answered ? 9 : 1);
		h.read_cells = 5;
		tty_save(&own_state, &h);
		restart();
		read_cmd(1, 100, answered ? 45 : 40, !answered);
		was_read(1, answered ? "next\n" : "line\n");
		if (!answered) {
			fresh(NULL);
			type("line\rnext\r");
		}
	}
}

static void write_under_way(void **state_ unused)
{
	dev.room = 2;
	write_cmd(1, "0123456789abcdef0123456789abcdefthe rest", 0, false);
	assert_false(call[1].answered);
	dev.room = SIZE_MAX;
	restart();
	write_cmd(1, "0123456789abcdef0123456789abcdefthe rest", 0, true);
	assert_true(call[1].answered);
	assert_int_equal(call[1].done, 40);
	sent("0123456789abcdef0123456789abcdefthe rest");
	restart();
	write_cmd(1, "0123456789abcdef0123456789abcdefthe rest", 0, true);      /* died between the last byte and the answer */
	assert_true(call[1].answered);
	assert_int_equal(dev.out_len, 0);
	restart();
	write_cmd(2, "0123456789abcdef0123456789abcdefthe rest", 0, true);      /* another of the same shape */
	on_recovered(NULL);
	assert_int_equal(dev.out_len, 40);
}

/* After a fault the WRITE that may be to blame comes again first: the one that was under way goes on before it all the same, nothing twice. */
static void writes_out_of_turn(void **state_ unused)
{
	for (int left = 0; left < 2; left++) {
		fresh(NULL);
		dev.room = 1;
		write_cmd(1, "0123456789abcdefghij", 0, false);
		write_cmd(2, "second", 0, false);
		assert_false(call[1].answered || call[2].answered);
		dev.room = SIZE_MAX;
		restart();
		write_cmd(2, "second", 0, true);
		assert_false(call[2].answered);
		if (!left)
			write_cmd(1, "0123456789abcdefghij", 0, true);
		on_recovered(NULL);
		assert_true(call[2].answered);
		sent(left ? "0123456789abcdefsecond" : "0123456789abcdefghijsecond");
	}
}

/* Killed just before or just after the device is given something, again and again: every byte comes once. */
static void write_killed_at_the_device(void **state_ unused)
{
	static const char text[] = "first\nline\nand 16 bytes 16 bytes 16 bytes\n\n\n and the rest of it";
	static const char shown[] = "first\r\nline\r\nand 16 bytes 16 bytes 16 bytes\r\n\r\n\r\n and the rest of it";
	for (unsigned how = 0; how < 4; how++)
		for (unsigned writes = 1; writes < 4; writes++) {
			static volatile unsigned lives;
			fresh(NULL);
			death.after = how & 1;
			lives = 0;
			while (!call[1].answered) {
				death.writes = death.after || writes > 1 || lives % 2 == 0 ? writes : 0;      /* it must come forward at all */
				if (!setjmp(death.to)) {
					if (how & 2 && lives % 3 == 0)
						type("k");      /* an echo before */
					write_cmd(1, text, 0, lives > 0);
					if (call[1].answered)
						break;
				}
				death.writes = 0;
				lives++;
				restart();
			}
			assert_true(lives > 0);
			death.writes = 0;
			size_t n = 0;
			for (size_t i = 0; i < dev.out_len; i++)
				if (dev.out[i] != 'k' || !(how & 2))
					dev.out[n++] = dev.out[i];
			dev.out_len = n;
			sent(shown);
		}
}

static void paths(void **state_ unused)
{
	static const struct { uint64_t badge; const char *path; status_t st; uint64_t found; } want[] = {
		{ 0, "", OK, 0 }, { 0, "/", OK, 0 }, { 0, NULL, OK, 0 }, { 0, "serial", OK, BADGE_SERIAL }, { 0, "//serial", OK, BADGE_SERIAL },
		{ 0, "serialx", ERR_NOT_FOUND, 0 }, { 0, "1", ERR_NOT_FOUND, 0 }, { 0, "serial/", ERR_NOT_FOUND, 0 }, { BADGE_SERIAL, "", OK, BADGE_SERIAL },
		{ BADGE_SERIAL, "/", ERR_NOT_DIRECTORY, 0 }, { BADGE_SERIAL, "x", ERR_NOT_DIRECTORY, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		uint64_t found = 0;
		assert_int_equal(find(want[i].badge, want[i].path, &found), want[i].st);
		assert_int_equal(found, want[i].found);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, done)
	const struct CMUnitTest tests[] = {
		TEST(readers_in_order), TEST(type_ahead_waits), TEST(back_pressure), TEST(long_write_lets_others_in), TEST(callers_that_leave),
		TEST(no_device_input_is_lost_when_full), TEST(a_full_line_is_not_deaf), TEST(interrupts), TEST(stopped_output), TEST(sizes_and_suspension), TEST(unread_line_survives), TEST(killed_while_typing), TEST(read_under_way),
		TEST(write_under_way), TEST(writes_out_of_turn), TEST(write_killed_at_the_device), TEST(paths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

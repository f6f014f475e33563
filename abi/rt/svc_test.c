/*
 * svc: a service meets a kernel made of a script. What a caller may send wrong is answered before any handler;
 * handles are closed by the rules of rt/svc.h; failures of one answer do not end the loop.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#define main program_main               /* rt/start.h declares the program's */
#define exit program_exit
#define ipc_return unused_return        /* the script's is used */
#define ipc_accept unused_accept
#define ipc_return_accept unused_return_accept
#include "ipc.c"
#undef ipc_return
status_t ipc_return(cmd_id_t cmd, const struct reply *r);
#include "svc.c"
#include "dirent.c"
#include "../../build/gen/rt/file_dispatch.c"
#undef main
#undef exit

/* ---- the kernel ---- */
static struct event script[8];
static size_t script_len, script_at;
static struct { cmd_id_t cmd; struct reply r; } answers[16];
static size_t n_answers;
static handle_t closed[16];
static size_t n_closed;
static char window[8192];               /* the caller's window, or its path */
static size_t window_len;
static status_t refuse_return;          /* the next return_accept fails with this */

void svc_commit(void) {}
void ipc_raw(struct ipc_regs *r) { (void)r; abort(); }

static status_t next_event(struct event *e)
{
	if (script_at == script_len)
		return ERR_BAD_HANDLE;  /* the Port is gone: ends svc_run */
	*e = script[script_at++];
	return OK;
}

status_t ipc_return(cmd_id_t cmd, const struct reply *r)
{
	for (size_t i = 0; i < n_answers; i++)
		if (answers[i].cmd == cmd)
			return ERR_NOT_FOUND;   /* a command is answered once */
	answers[n_answers].cmd = cmd;
	answers[n_answers++].r = *r;
	return OK;
}

/* What the kernel does with the registers of f->r. */
static void enter(struct ipc_regs *r)
{
	struct event e;
	handle_t port = (handle_t)r->rdi;
	status_t st = OK;
	if ((uint32_t)r->rax == SYS_return_accept) {
		struct reply a = { .status = (status_t)r->r13, .mint_badge = r->r14, .mint_rights = (uint32_t)r->r15, .mint = r->r15 >> 32 & RETURN_MINT };
		memcpy(a.w, r->w, sizeof(a.w));
		memcpy(a.handles, &r->rbx, 8);
		memcpy(a.handles + 2, &r->rbp, 8);
		port = (handle_t)(r->rax >> 32);
		st = refuse_return;
		refuse_return = 0;
		if (st == OK)
			assert_int_equal(ipc_return(r->rdi, &a), OK);
	} else {
		assert_int_equal(r->rax, SYS_accept);
		assert_true(r->rbp == FOREVER);
	}
	assert_int_equal(port, 9);
	if (st == OK)
		st = next_event(&e);
	memset(r, 0x55, sizeof(*r));
	r->rax = (uint64_t)st;
	if (st < 0)
		return;
	*r = (struct ipc_regs){ .rax = (uint64_t)e.kind, .rdi = e.cmd, .r13 = e.badge, .r14 = e.rights | (uint64_t)e.n_handles << 32,
		.r15 = IPC_META(e.op, e.in_len, e.out_len, e.flags) };
	memcpy(r->w, e.w, sizeof(e.w));
	memcpy(&r->rbx, e.handles, 8);
	memcpy(&r->rbp, e.handles + 2, 8);
}

/* serve.S in C; it may leave everything to svc.c, or do what it can. */
static bool fast;
int svc_serve(struct svc_frame *f)
{
	static const struct svc_cmd clean;
	for (;;) {
		assert_memory_equal(f->c.handles, clean.handles, sizeof(clean) - offsetof(struct svc_cmd, handles));
		enter(&f->r);
		if (!fast || f->r.rax != 0 || f->r.r14 >> 32 || IPC_META_FLAGS(f->r.r15))
			return SERVE_EVENT;
		f->c.cmd = f->r.rdi;
		f->c.badge = f->r.r13;
		f->c.rights = (uint32_t)f->r.r14;
		f->c.n_handles = f->c.flags = 0;
		f->c.op = IPC_META_OP(f->r.r15);
		f->c.in_len = IPC_META_IN(f->r.r15);
		f->c.out_len = IPC_META_OUT(f->r.r15);
		memset(f->reply, 0, sizeof(f->reply));
		status_t st = f->c.op < f->n ? f->on[f->c.op](f->self, &f->c, f->r.w, f->reply, f->ops) : ERR_NOT_SUPPORTED;
		f->r.r13 = (uint64_t)st;
		if (st == SVC_LATER || f->c.reply_handle || f->c.reply_close || f->c.mint)
			return SERVE_DISPATCHED;
		memcpy(f->r.w, f->reply, sizeof(f->reply));
		f->r.rax = f->answer;
		f->r.rdi = f->c.cmd;
		f->r.r14 = f->r.r15 = f->r.rbx = f->r.rbp = 0;
	}
}

status_t cmd_info(cmd_id_t cmd, struct cmd_info *info)
{
	if (!cmd)
		return ERR_NOT_FOUND;
	*info = (struct cmd_info){ .op_id = cmd + 1000 };
	return OK;
}

status_t cmd_read(cmd_id_t cmd, uint64_t offset, void *buf, uint64_t len, uint64_t *done)
{
	(void)cmd;
	*done = offset < window_len ? MIN(len, window_len - offset) : 0;
	*done = MIN(*done, 1000ul);     /* in pieces, as a kernel may */
	memcpy(buf, window + offset, *done);
	return OK;
}

status_t cmd_write(cmd_id_t cmd, uint64_t offset, const void *buf, uint64_t len, uint64_t *done)
{
	(void)cmd;
	*done = offset < sizeof(window) ? MIN(len, sizeof(window) - offset) : 0;
	memcpy(window + offset, buf, *done);
	return OK;
}

status_t handle_close(handle_t h) { closed[n_closed++] = h; return OK; }
status_t notify_create(handle_t *h) { *h = 50; return OK; }
status_t notify_port(handle_t n, handle_t p, uint64_t badge) { (void)n, (void)p; return badge == 13 ? ERR_BUSY : OK; }
status_t thread_yield(void) { return OK; }
handle_t start_handle(const char *name) { return strcmp(name, "port") == 0 ? 9 : 0; }

/* ---- the service ---- */
static int calls;
static struct svc_cmd seen;
static char seen_path[64];
static status_t give;
static uint64_t noted, note_badge, closed_badge, cancelled;
static bool stopped, recovered;

static status_t on_service_open(void *self, struct svc_cmd *c, const struct file_open_req *q, struct file_open_rep *p)
{
	(void)self, (void)q;
	calls++;
	seen = *c;
	snprintf(seen_path, sizeof(seen_path), "%s", c->path);
	p->type = FILE_REGULAR;
	p->size = 1234;
	c->mint = true;
	c->mint_badge = 0x100;
	c->mint_rights = RIGHT_READ;
	return give;
}

static status_t on_service_read(void *self, struct svc_cmd *c, const struct file_read_req *q, struct file_read_rep *p)
{
	(void)self;
	calls++;
	return svc_read_from(c, q->offset, "0123456789", 10, &p->done);
}

static status_t on_service_map(void *self, struct svc_cmd *c, const struct file_map_req *q, struct file_map_rep *p)
{
	(void)self, (void)q, (void)p;
	calls++;
	c->reply_handle = 70;
	c->reply_close = true;
	return give;
}

static status_t on_service_ctl(void *self, struct svc_cmd *c, const struct file_ctl_req *q, struct file_ctl_rep *p)
{
	(void)self, (void)p;
	calls++;
	if (q->code == CTL_TTY_SIGNAL)
		c->handles[0] = 0;      /* kept */
	return give;
}

static status_t on_service_rename(void *self, struct svc_cmd *c, const struct file_rename_req *q, struct file_rename_rep *p)
{
	(void)self, (void)q, (void)p, (void)c;
	calls++;
	return OK;
}

static void on_close(void *self, uint64_t badge) { (void)self; closed_badge = badge; }
static void on_notify(void *self, uint64_t badge, uint64_t bits) { (void)self; note_badge = badge; noted = bits; }
static void on_cancel(void *self, cmd_id_t cmd) { (void)self; cancelled = cmd; }
static void on_stop(void *self) { (void)self; stopped = true; }
static void on_recovered(void *self) { (void)self; recovered = true; }

static const struct file_ops ops = {
	.open = on_service_open, .read = on_service_read, .map = on_service_map, .ctl = on_service_ctl, .rename = on_service_rename,
};

static status_t run(struct event *events, size_t n, bool hooks)
{
	memcpy(script, events, n * sizeof(*events));
	script_len = n;
	script_at = n_answers = n_closed = 0;
	calls = 0;
	struct svc s;
	assert_int_equal(svc_init(&s, &file_proto, &ops, NULL), OK);
	if (hooks) {
		s.on_close = on_close;
		s.on_notify = on_notify;
		s.on_cancel = on_cancel;
		s.on_stop = on_stop;
		s.on_recovered = on_recovered;
	}
	return svc_run(&s);
}

/* One command alone; its answer's status. */
static status_t ask(struct event e)
{
	if (!e.cmd)
		e.cmd = 5;
	assert_int_equal(run(&e, 1, true), ERR_BAD_HANDLE);
	assert_int_equal(n_answers, 1);
	assert_int_equal(answers[0].cmd, e.cmd);
	return answers[0].r.status;
}

static struct event open_event(const char *path)
{
	window_len = strlen(path);
	memcpy(window, path, window_len);
	return (struct event){ .op = FILE_OPEN, .flags = IPC_PATH, .in_len = (uint32_t)window_len, .rights = RIGHT_READ | RIGHT_WRITE,
		.w = { OPEN_READ } };
}

static void a_good_open(void **state)
{
	(void)state;
	give = OK;
	struct event e = open_event("etc/motd");
	e.badge = 77;
	assert_int_equal(ask(e), OK);
	assert_int_equal(calls, 1);
	assert_string_equal(seen_path, "etc/motd");
	assert_int_equal(seen.badge, 77);
	const struct reply *r = &answers[0].r;
	assert_int_equal(r->w[0], FILE_REGULAR);
	assert_int_equal(r->w[1], 1234);
	assert_true(r->mint && r->mint_badge == 0x100 && r->mint_rights == RIGHT_READ);
	give = ERR_NOT_FOUND;
	assert_int_equal(ask(e), ERR_NOT_FOUND);
	assert_false(answers[0].r.mint);
	assert_int_equal(answers[0].r.w[1], 0);
	give = OK;
}

#define REFUSED(status, made, ...) do { struct event e = made; __VA_ARGS__; assert_int_equal(ask(e), status); assert_int_equal(calls, 0); } while (0)

static void the_malformed_reach_no_handler(void **state)
{
	(void)state;
	REFUSED(ERR_NOT_SUPPORTED, open_event("a"), e.op = 0);
	REFUSED(ERR_NOT_SUPPORTED, open_event("a"), e.op = 99);
	REFUSED(ERR_NOT_SUPPORTED, open_event("a"), e.op = FILE_STAT);
	REFUSED(ERR_INVALID, open_event("a"), e.flags = 0);
	REFUSED(ERR_INVALID, open_event("a"), e.out_len = 1);
	REFUSED(ERR_INVALID, open_event("a"), e.n_handles = 1; e.handles[0] = 3);
	REFUSED(ERR_INVALID, open_event("a"), e.w[0] = 0x100);
	REFUSED(ERR_INVALID, open_event("a"), e.w[0] |= 1ull << 32);
	REFUSED(ERR_INVALID, open_event("a"), e.w[1] = 0x1000);
	for (int i = 2; i < IPC_WORDS; i++)
		REFUSED(ERR_INVALID, open_event("a"), e.w[i] = 1);
	REFUSED(ERR_INVALID, open_event("abc"), window[1] = 0);
	REFUSED(ERR_TOO_LONG, open_event("a"), e.in_len = IPC_PATH_MAX + 1);
	/* It says it lends more than there is. */
	REFUSED(ERR_INVALID, open_event("a"), e.in_len = 10);
	REFUSED(ERR_DENIED, open_event("a"), e.rights = RIGHT_WRITE);
	REFUSED(ERR_DENIED, open_event("a"), e.rights = RIGHT_READ; e.w[0] = OPEN_READ | OPEN_CREATE);
	REFUSED(ERR_INVALID, ((struct event){ .op = FILE_READ, .rights = RIGHT_READ, .in_len = 1 }));
	REFUSED(ERR_INVALID, ((struct event){ .op = FILE_READ, .rights = RIGHT_READ, .out_len = IPC_WINDOW_MAX + 1 }));
	REFUSED(ERR_DENIED, ((struct event){ .op = FILE_READ, .out_len = 1 }));
}

static void a_refused_message_leaves_no_handle(void **state)
{
	(void)state;
	struct event e = open_event("a");
	e.n_handles = 2;
	e.handles[0] = 31;
	e.handles[1] = 32;
	assert_int_equal(ask(e), ERR_INVALID);
	assert_int_equal(n_closed, 2);
	assert_int_equal(closed[0], 31);
	assert_int_equal(closed[1], 32);
	/* Accepted: closed as well, but for those the handler kept. */
	e = (struct event){ .op = FILE_CTL, .n_handles = 2, .handles = { 31, 32 }, .w = { CTL_TTY_SIGNAL } };
	assert_int_equal(ask(e), OK);
	assert_int_equal(n_closed, 1);
	assert_int_equal(closed[0], 32);
}

static void rename_wants_two_paths(void **state)
{
	(void)state;
	static const struct { const char *text; size_t len; status_t want; } cases[] = {
		{ "a\0b", 3, OK }, { "abc", 3, ERR_INVALID }, { "\0ab", 3, ERR_INVALID }, { "ab\0", 3, ERR_INVALID },
		{ "a\0b\0c", 5, ERR_INVALID }, { "a\0", 2, ERR_INVALID },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		memcpy(window, cases[i].text, cases[i].len);
		window_len = cases[i].len;
		struct event e = { .op = FILE_RENAME, .flags = IPC_PATH, .in_len = (uint32_t)window_len, .rights = RIGHT_WRITE };
		assert_int_equal(ask(e), cases[i].want);
		assert_int_equal(calls, cases[i].want == OK);
	}
}

static void reading_from_memory(void **state)
{
	(void)state;
	struct event e = { .op = FILE_READ, .rights = RIGHT_READ, .out_len = 4, .w = { 8 } };
	assert_int_equal(ask(e), OK);
	assert_int_equal(answers[0].r.w[0], 2);
	assert_memory_equal(window, "89", 2);
	e.w[0] = UINT64_MAX;
	assert_int_equal(ask(e), OK);
	assert_int_equal(answers[0].r.w[0], 0);
}

static void reply_handles_are_closed_after(void **state)
{
	(void)state;
	struct event e = { .op = FILE_MAP, .rights = RIGHT_READ };
	give = OK;
	assert_int_equal(ask(e), OK);
	assert_int_equal(answers[0].r.handles[0], 70);
	assert_int_equal(n_closed, 1);
	give = ERR_IO;
	assert_int_equal(ask(e), ERR_IO);
	assert_int_equal(answers[0].r.handles[0], 0);
	assert_int_equal(n_closed, 1);
	give = OK;
}

static void later_means_no_answer_now(void **state)
{
	(void)state;
	struct event e = { .op = FILE_CTL, .cmd = 8, .n_handles = 1, .handles = { 31 } };
	give = SVC_LATER;
	assert_int_equal(run(&e, 1, true), ERR_BAD_HANDLE);
	assert_int_equal(n_answers, 0);
	assert_int_equal(n_closed, 1);
	/* Delivered again to be given back, which no event tells any more. */
	cancelled = 0;
	e.flags = IPC_REDELIVERED;
	assert_int_equal(run(&e, 1, true), ERR_BAD_HANDLE);
	assert_int_equal(cancelled, 0);
	e.flags |= IPC_CANCELLED;
	assert_int_equal(run(&e, 1, true), ERR_BAD_HANDLE);
	assert_int_equal(cancelled, 8);
	assert_int_equal(n_answers, 0);
	assert_int_equal(run(&e, 1, false), ERR_BAD_HANDLE);
	assert_int_equal(n_answers, 1);
	assert_int_equal(answers[0].r.status, ERR_CANCELLED);
	give = OK;
	assert_int_equal(run(&e, 1, true), ERR_BAD_HANDLE);
	assert_int_equal(answers[0].r.status, OK);              /* done at once */
}

static void an_answer_that_fails_is_made_up_for(void **state)
{
	(void)state;
	struct event e[2] = { { .op = FILE_CTL, .cmd = 8 }, { .op = FILE_CTL, .cmd = 9 } };
	refuse_return = ERR_DENIED;
	assert_int_equal(run(e, 2, true), ERR_BAD_HANDLE);
	assert_int_equal(calls, 2);
	assert_int_equal(n_answers, 2);
	assert_int_equal(answers[0].cmd, 8);
	assert_int_equal(answers[0].r.status, ERR_DENIED);
	assert_int_equal(answers[1].r.status, OK);
}

static void other_events(void **state)
{
	(void)state;
	struct event e[] = {
		{ .kind = ACCEPT_CLOSE, .cmd = 3, .badge = 0x101 },
		{ .kind = ACCEPT_NOTIFY, .badge = 6, .w = { 0x11 } },
		{ .kind = ACCEPT_CANCEL, .cmd = 4 },
		{ .kind = ACCEPT_RECOVERED }, { .kind = 99 },
		{ .kind = ACCEPT_NOTIFY, .badge = SVC_BADGE_STOP, .w = { 1 } },
		{ .op = FILE_CTL, .cmd = 10 },
	};
	assert_int_equal(run(e, ARRAY_LEN(e), true), OK);
	assert_int_equal(closed_badge, 0x101);
	assert_int_equal(n_answers, 1);
	assert_int_equal(answers[0].cmd, 3);
	assert_int_equal(note_badge, 6);
	assert_int_equal(noted, 0x11);
	assert_int_equal(cancelled, 4);
	assert_true(stopped);
	assert_true(recovered);
	assert_int_equal(calls, 0);     /* nothing after the stop */
	/* Without hooks: a close is answered, a cancel cancelled, a stop obeyed. */
	assert_int_equal(run(e, ARRAY_LEN(e), false), OK);
	assert_int_equal(n_answers, 2);
	assert_int_equal(answers[1].cmd, 4);
	assert_int_equal(answers[1].r.status, ERR_CANCELLED);
}

static void notify_leaves_nothing_behind(void **state)
{
	(void)state;
	struct svc s = { .port = 9 };
	handle_t h = 0;
	n_closed = 0;
	assert_int_equal(svc_notify(&s, 12, &h), OK);
	assert_int_equal(h, 50);
	h = 0;
	assert_int_equal(svc_notify(&s, 13, &h), ERR_BUSY);
	assert_int_equal(h, 0);
	assert_int_equal(n_closed, 1);
}

static void operations_have_ids(void **state)
{
	(void)state;
	assert_int_equal(svc_op_id(&(struct svc_cmd){ .cmd = 5 }), 1005);
	assert_int_equal(svc_op_id(&(struct svc_cmd){ .cmd = 0 }), 0);
}

static void directory_entries(void **state)
{
	(void)state;
	for (size_t room = 0; room < 64; room++) {
		char *buf = malloc(room ? room : 1);
		size_t n = dirent_put(buf, room, 7, 99, FILE_REGULAR, "name");
		assert_int_equal(n, room >= 32 ? 32 : 0);
		if (n) {
			struct dirent d;
			memcpy(&d, buf, sizeof(d));
			assert_true(d.ino == 7 && d.file_size == 99 && d.size == 32 && d.type == FILE_REGULAR && d.name_len == 4);
			assert_string_equal(buf + offsetof(struct dirent, name), "name");
		}
		free(buf);
	}
	char buf[512] aligned(8), name[300];
	memset(name, 'x', sizeof(name));
	name[NAME_MAX_BYTES] = 0;
	assert_true(dirent_put(buf, 280, 0, 0, 0, name) != 0);  /* READDIR's smallest window holds any entry */
	name[NAME_MAX_BYTES] = 'x';
	name[NAME_MAX_BYTES + 1] = 0;
	assert_int_equal(dirent_put(buf, sizeof(buf), 0, 0, 0, name), 0);
	assert_int_equal(dirent_put(buf, sizeof(buf), 0, 0, 0, ""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_open),
		cmocka_unit_test(the_malformed_reach_no_handler),
		cmocka_unit_test(a_refused_message_leaves_no_handle),
		cmocka_unit_test(rename_wants_two_paths),
		cmocka_unit_test(reading_from_memory),
		cmocka_unit_test(reply_handles_are_closed_after),
		cmocka_unit_test(later_means_no_answer_now),
		cmocka_unit_test(an_answer_that_fails_is_made_up_for),
		cmocka_unit_test(other_events),
		cmocka_unit_test(notify_leaves_nothing_behind),
		cmocka_unit_test(directory_entries),
		cmocka_unit_test(operations_have_ids),
	};
	int failed = cmocka_run_group_tests_name("everything by svc.c", tests, NULL, NULL);
	fast = true;
	return failed + cmocka_run_group_tests_name("small commands by serve.S", tests, NULL, NULL);
}

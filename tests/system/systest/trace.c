/*
 * trace: the kernel's record of commands (docs/tracing.md). Who may ask for it, what it says of a request that passes through two
 * servers in each way there is, what it leaves out, and that nothing of it stays when it is off.
 */
#include "test.h"

enum { OP_PLAIN = 40, OP_NESTED, OP_PASS, OP_SUBMIT, OP_QUIT };
enum { RECORDS = 64, TOKEN = 9 };

static struct place { handle_t port, session; struct worker thread; } front, back;
static handle_t completions;
static struct trace_record records[RECORDS];
static uint32_t n_records;
static uint32_t own_pid;

/* ---- two servers ---- */

static status_t on_front(const struct event *e, struct reply *r)
{
	uint64_t w[IPC_WORDS] = { 5 };

	switch (e->op) {
	case OP_NESTED:
		MUST(ipc_call_words(back.session, OP_PLAIN, w));
		r->w[0] = w[0] + 1;
		return OK;
	case OP_PASS:
		return forward(e->cmd, back.session, 2, RIGHT_ALL) == OK ? 1 : ERR_INVALID;
	case OP_SUBMIT:
		return ipc_submit(back.session, &(struct msg){ .op = OP_PLAIN, .w = { 3 } }, completions, TOKEN);
	default:
		return ERR_NOT_SUPPORTED;
	}
}

static void serve(struct worker *w)
{
	struct place *p = w->arg;
	struct event e;

	for (;;) {
		struct reply r = { .status = OK };
		w->result = ipc_accept(p->port, FOREVER, &e);
		if (w->result < 0)
			return;
		if (e.kind == ACCEPT_COMMAND && p == &front && e.op != OP_QUIT)
			r.status = on_front(&e, &r);
		else if (e.kind == ACCEPT_COMMAND)
			r.w[0] = e.w[0] + 1;
		for (uint32_t i = 0; i < e.n_handles; i++)
			handle_close(e.handles[i]);
		if (r.status == 1)
			continue;       /* forwarded */
		if (e.kind == ACCEPT_COMMAND || e.kind == ACCEPT_CLOSE)
			(void)ipc_return(e.cmd, &r);
		if (e.kind == ACCEPT_COMMAND && e.op == OP_QUIT)
			return;
	}
}

static void place_make(struct place *p, uint64_t badge)
{
	DONE(port_create(0, &p->port));
	DONE(session_create(p->port, badge, RIGHT_READ, &p->session));
	DONE(worker_start(&p->thread, serve, p, PRIORITY_NORMAL));
}

static void place_end(struct place *p)
{
	uint64_t w[IPC_WORDS] = { 0 };
	DONE(ipc_call_words(p->session, OP_QUIT, w));
	DONE(worker_join(&p->thread));
	handle_close(p->session);
	handle_close(p->port);
}

static void begin(void)
{
	struct process_info self;
	DONE(trace_control(res_info, TRACE_OFF, 0, 0));
	DONE(process_info(0, &self));
	own_pid = (uint32_t)self.pid;
	place_make(&front, 11);
	STILL_FINE();
	place_make(&back, 22);
	STILL_FINE();
	DONE(port_create(0, &completions));
	DONE(port_reserve(completions, 1));
}

static void end(void)
{
	handle_close(completions);
	place_end(&front);
	STILL_FINE();
	place_end(&back);
}

/* What was recorded of our own commands while `op` was asked, into records[]. */
static void ask_traced(uint32_t op, const char *path)
{
	uint64_t first;
	struct event e;
	struct msg m = { .op = op, .w = { 1, 0, 7 }, .flags = path ? IPC_PATH : 0, .in = path, .in_len = path ? strlen(path) : 0 };

	DONE(trace_control(res_info, TRACE_PROCESS, own_pid, 0));
	status_t st = ipc_call(front.session, &m);
	if (st == OK && op == OP_SUBMIT)
		st = ipc_accept(completions, FOREVER, &e);
	DONE(trace_control(res_info, TRACE_STOP, 0, 0));
	DONE(st);
	DONE(trace_read(res_info, 0, records, RECORDS, &n_records, &first));
	EQ(first, 0);
	DONE(trace_control(res_info, TRACE_OFF, 0, 0));
}

/* The i-th is of this kind, with `same` its command (0: another than the first one), by this request. */
static void expect(uint32_t i, int kind, uint64_t command)
{
	const struct trace_record *r = &records[i];
	CHECK(i < n_records);
	EQ(r->kind, kind);
	EQ(r->request, records[0].command);
	EQ(r->pid, own_pid);
	CHECK(i == 0 || r->time_ns >= records[i - 1].time_ns);
	if (command)
		EQ(r->command, command);
	else
		CHECK(r->command != records[0].command);
}

static void nested(void)
{
	static const struct { int kind; bool below; } want[] = {
		{ TRACE_SENT, false }, { TRACE_DELIVERED, false }, { TRACE_SENT, true }, { TRACE_DELIVERED, true }, { TRACE_RETURNED, true }, { TRACE_RETURNED, false },
	};
	begin();
	STILL_FINE();
	ask_traced(OP_NESTED, NULL);
	STILL_FINE();
	EQ(n_records, 6);
	for (uint32_t i = 0; i < 6; i++) {
		expect(i, want[i].kind, want[i].below ? 0 : records[0].command);
		STILL_FINE();
	}
	EQ(records[0].op, OP_NESTED);
	EQ(records[0].parent, 0);
	EQ(records[0].badge, 11);
	EQ(records[0].w[0], 1);
	EQ(records[0].w[2], 7);
	CHECK(!strcmp(records[1].text, "systest"));
	EQ(records[2].op, OP_PLAIN);
	EQ(records[2].parent, records[0].command);
	EQ(records[2].tid, records[1].tid);
	EQ(records[2].badge, 22);
	EQ(records[3].command, records[2].command);
	EQ(records[4].w[0], 6);
	EQ(records[5].w[0], 7);
	CHECK(records[2].port != records[0].port);
	end();
}

static void forwarded(void)
{
	begin();
	STILL_FINE();
	ask_traced(OP_PASS, "a/long/path/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789");
	STILL_FINE();
	EQ(n_records, 5);
	static const int kinds[] = { TRACE_SENT, TRACE_DELIVERED, TRACE_FORWARDED, TRACE_DELIVERED, TRACE_RETURNED };
	for (uint32_t i = 0; i < 5; i++) {
		expect(i, kinds[i], records[0].command);
		STILL_FINE();
	}
	EQ(records[0].flags, TRACE_PATH);
	EQ(strlen(records[0].text), TRACE_TEXT - 1);
	CHECK(!strcmp(records[0].text + TRACE_TEXT - 12, "/0123456789"));
	EQ(records[2].port, records[3].port);
	EQ(records[2].badge, 22);
	end();
}

static void submitted(void)
{
	uint64_t below = 0;
	unsigned seen = 0;
	begin();
	STILL_FINE();
	ask_traced(OP_SUBMIT, NULL);
	STILL_FINE();
	EQ(n_records, 7);
	for (uint32_t i = 0; i < n_records; i++) {
		EQ(records[i].request, records[0].command);
		if (records[i].kind == TRACE_SENT && i > 0) {
			EQ(records[i].parent, records[0].command);
			EQ(records[i].flags, TRACE_SUBMITTED);
			EQ(records[i].w[0], 3);
			below = records[i].command;
		}
		if (below && records[i].command == below)
			seen |= 1u << records[i].kind;
	}
	EQ(seen, 1u << TRACE_SENT | 1u << TRACE_DELIVERED | 1u << TRACE_RETURNED | 1u << TRACE_COMPLETED);
	end();
}

/* ---- who is traced ---- */

static void children(void)
{
	struct process_info info;
	uint64_t first, w[IPC_WORDS] = { 0 };

	begin();
	STILL_FINE();
	DONE(trace_control(res_info, TRACE_CHILDREN, own_pid, 0));
	/* Our own commands are not; a child's, if it sends any, would be; so would be what it starts. */
	DONE(ipc_call_words(back.session, OP_PLAIN, w));
	DONE(trace_read(res_info, 0, records, RECORDS, &n_records, &first));
	EQ(n_records, 0);
	struct child c;
	struct spawn_handle give[] = { { .name = "session", .handle = back.session } };
	DONE(child_start(&c, "call-once", NULL, give, 1, 0, 0));
	DONE(child_wait(&c, 5000, &info));
	DONE(trace_read(res_info, 0, records, RECORDS, &n_records, &first));
	CHECK(n_records >= 3);
	EQ(records[0].kind, TRACE_SENT);
	EQ(records[0].pid, c.pid);
	EQ(records[1].kind, TRACE_DELIVERED);
	EQ(records[1].pid, own_pid);
	DONE(trace_control(res_info, TRACE_OFF, 0, 0));
	end();
}

static void errors(void)
{
	uint64_t first = 1;
	uint32_t got = 1;
	handle_t weak;
	struct trace_info info;

	DONE(trace_control(res_info, TRACE_OFF, 0, 0));
	DONE(handle_dup(res_info, RIGHT_READ, &weak));
	EQ(trace_control(weak, TRACE_ALL, 0, 0), ERR_DENIED);
	EQ(trace_control(0, TRACE_ALL, 0, 0), ERR_BAD_HANDLE);
	EQ(trace_control(res_irq, TRACE_ALL, 0, 0), ERR_DENIED);
	EQ(trace_control(res_info, TRACE_CHILDREN + 1, 0, 0), ERR_INVALID);
	EQ(trace_control(res_info, TRACE_PROCESS, 0, 0), ERR_NOT_FOUND);
	EQ(trace_control(res_info, TRACE_CHILDREN, 1ull << 40, 0), ERR_NOT_FOUND);
	EQ(trace_control(res_info, TRACE_STOP, 0, 0), ERR_NOT_FOUND);
	EQ(trace_read(res_info, 0, records, 1, &got, &first), ERR_NOT_FOUND);
	DONE(trace_info(weak, &info));
	EQ(info.what, TRACE_OFF);
	DONE(trace_control(res_info, TRACE_ALL, 0, 77));
	EQ(trace_control(res_info, TRACE_ALL, 0, 0), ERR_BUSY);
	EQ(trace_read(weak, 0, records, 1, &got, &first), ERR_DENIED);
	DONE(trace_info(weak, &info));
	EQ(info.what, TRACE_ALL);
	EQ(info.owner, 77);
	EQ(info.stopped, 0);
	DONE(trace_control(res_info, TRACE_STOP, 0, 0));
	EQ(trace_control(res_info, TRACE_ALL, 0, 0), ERR_BUSY);
	DONE(trace_info(res_info, &info));
	EQ(info.stopped, 1);
	DONE(trace_read(res_info, 0, records, 0, &got, &first));
	EQ(got, 0);
	DONE(trace_read(res_info, UINT64_MAX, records, RECORDS, &got, &first));
	EQ(got, 0);
	EQ(first, UINT64_MAX);
	DONE(trace_control(res_info, TRACE_OFF, 0, 0));
	handle_close(weak);
}

static void overflow(void)
{
	uint64_t first = 0, w[IPC_WORDS] = { 0 }, calls;
	struct trace_info info;
	uint32_t got;

	begin();
	STILL_FINE();
	DONE(trace_control(res_info, TRACE_PROCESS, own_pid, 0));
	DONE(trace_info(res_info, &info));
	calls = info.room / 3 + 100;
	for (uint64_t i = 0; i < calls; i++) {
		w[0] = i;
		DONE(ipc_call_words(back.session, OP_PLAIN, w));
	}
	DONE(trace_control(res_info, TRACE_STOP, 0, 0));
	DONE(trace_info(res_info, &info));
	EQ(info.next, 3 * calls);
	EQ(trace_read(res_info, 0, (void *)kernel_addresses[0], RECORDS, &got, &first), ERR_FAULT);
	DONE(trace_read(res_info, 0, records, RECORDS, &got, &first));
	EQ(got, RECORDS);
	EQ(first, info.next - info.room);
	DONE(trace_read(res_info, info.next - 3, records, RECORDS, &got, &first));
	EQ(got, 3);
	EQ(first, info.next - 3);
	EQ(records[0].kind, TRACE_SENT);
	EQ(records[0].w[0], calls - 1);
	EQ(records[2].kind, TRACE_RETURNED);
	DONE(trace_control(res_info, TRACE_OFF, 0, 0));
	end();
}

/* Its memory is the caller's, and comes back to the byte. */
static void charged(void)
{
	struct budget_info before, during, after;
	struct kstat k[2];

	DONE(trace_control(res_info, TRACE_OFF, 0, 0));
	DONE(budget_info(0, &before));
	DONE(kstat(res_info, &k[0]));
	DONE(trace_control(res_info, TRACE_CHILDREN, 1, 0));
	DONE(budget_info(0, &during));
	CHECK(during.used.kernel_bytes > before.used.kernel_bytes);
	DONE(trace_control(res_info, TRACE_OFF, 0, 0));
	DONE(budget_info(0, &after));
	DONE(kstat(res_info, &k[1]));
	EQ(after.used.kernel_bytes, before.used.kernel_bytes);
	EQ(k[1].slab_bytes, k[0].slab_bytes);
}

/* ---- looking in ---- */

static void looked_into(void)
{
	struct child c;
	struct process_info info;
	struct process_way way;
	struct port_info at;
	struct thread_info threads[8];
	uint32_t got;
	handle_t weak, self;

	DONE(trace_control(res_info, TRACE_OFF, 0, 0));
	begin();
	STILL_FINE();
	pause_ms(1);
	DONE(port_info(back.port, &at));
	EQ(at.sessions, 1);
	EQ(at.waiting, 1);
	EQ(at.acceptor, own_pid);
	EQ(at.queued + at.accepted, 0);
	DONE(port_info(completions, &at));
	EQ(at.reserve, 1);
	/* Nobody accepts there: what we submit stays queued. */
	handle_t idle, idle_session;
	DONE(port_create(0, &idle));
	DONE(session_create(idle, 1, 0, &idle_session));
	DONE(ipc_submit(idle_session, &(struct msg){ .op = OP_PLAIN }, completions, 1));
	DONE(port_info(idle, &at));
	EQ(at.queued, 1);
	EQ(at.accepted, 0);
	handle_close(idle_session);
	handle_close(idle);
	DONE(handle_dup(back.port, RIGHT_SERVE, &weak));
	EQ(port_info(weak, &at), ERR_DENIED);
	EQ(port_info(back.session, &at), ERR_WRONG_TYPE);
	EQ(port_info(0, &at), ERR_BAD_HANDLE);
	handle_close(weak);
	DONE(process_open(res_info, own_pid, &self));
	DONE(thread_list(self, 0, threads, ARRAY_LEN(threads), &got));
	EQ(got, 3);
	unsigned accepting = 0;
	for (uint32_t i = 0; i < got; i++)
		accepting += threads[i].state == THREAD_IS_BLOCKED && threads[i].wait == THREAD_ACCEPTS && threads[i].port != 0;
	EQ(accepting, 2);
	DONE(thread_list(self, threads[2].id + 1, threads, ARRAY_LEN(threads), &got));
	EQ(got, 0);
	EQ(thread_list(self, 0, (void *)kernel_addresses[0], 8, &got), ERR_FAULT);
	EQ(thread_list(back.port, 0, threads, 8, &got), ERR_WRONG_TYPE);
	DONE(process_way(self, &way));
	EQ(way.n, 0);           /* it lives */
	handle_close(self);
	EQ(process_way(0, &way), ERR_BAD_HANDLE);
	DONE(child_start(&c, "read_null", NULL, NULL, 0, 0, 0));
	DONE(handle_dup(c.process, RIGHT_ALL, &weak));
	DONE(child_wait(&c, 5000, &info));
	DONE(process_way(weak, &way));
	CHECK(way.n >= 1 && way.n <= PROCESS_WAY);
	EQ(way.at[0], info.fault_rip);
	CHECK(way.entry != 0);
	handle_close(weak);
	/* A stack that is nowhere, and one outside of user memory, are not followed. */
	DONE(child_start(&c, "stack_noncanonical", NULL, NULL, 0, 0, 0));
	DONE(handle_dup(c.process, RIGHT_ALL, &weak));
	DONE(child_wait(&c, 5000, &info));
	DONE(process_way(weak, &way));
	CHECK(way.n >= 1 && way.n <= PROCESS_WAY);
	handle_close(weak);
	end();
}

const struct test trace_tests[] = {
	{ "look-inside", looked_into },
	{ "trace-errors", errors },
	{ "trace-nested", nested },
	{ "trace-forwarded", forwarded },
	{ "trace-submitted", submitted },
	{ "trace-children", children },
	{ "trace-overflow", overflow },
	{ "trace-charged", charged },
	{ NULL, NULL },
};

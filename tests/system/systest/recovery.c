/*
 * recovery: commands that outlive somebody. Submitted ones and their completions, cancel, forward, redelivery to
 * the next instance, suspects, identities. Most servers are this very thread, for submit does not wait; callers that
 * wait are workers, and whoever must die is a child that obeys the operations it is sent.
 */
#include "test.h"

enum { OP_HOLD = 1, OP_ECHO, OP_FAULT, OP_FAULT_LATER, OP_SUB, OP_FORWARD, OP_EXIT };
enum { BADGE = 0xbeef, OTHER = 0xfeed, SHORT_MS = 3, SOON_MS = 300, LONG_MS = 2000, ASKS = 12, HOPS = 8, POISON = 3 };

struct place { handle_t port, session; };
static struct place a, b;

static void place_make(struct place *p, uint32_t flags, uint64_t badge)
{
	DONE(port_create(flags, &p->port));
	DONE(session_create(p->port, badge, RIGHT_READ | RIGHT_WRITE, &p->session));
}

static void place_drop(struct place *p)
{
	DONE(handle_close(p->session));
	DONE(handle_close(p->port));
}

static status_t next(handle_t port, struct event *e)
{
	return ipc_accept(port, now_ns() + LONG_MS * NS_PER_MS, e);
}

static status_t nothing(handle_t port)
{
	struct event e;
	return ipc_accept(port, now_ns() + SHORT_MS * NS_PER_MS, &e);
}

static status_t reply(cmd_id_t cmd, status_t st)
{
	return ipc_return(cmd, &(struct reply){ .status = st });
}

/* ---- callers that wait ---- */

static struct ask { handle_t session; struct msg m; struct worker w; } asks[ASKS];

static void ask_run(struct worker *w)
{
	struct ask *k = w->arg;
	w->result = ipc_call(k->session, &k->m);
}

/* It has been sent when this returns. */
static void ask(unsigned i, handle_t session, const struct msg *m)
{
	asks[i].session = session;
	asks[i].m = *m;
	DONE(worker_start(&asks[i].w, ask_run, &asks[i], PRIORITY_NORMAL));
	worker_settle(&asks[i].w);
}

static void ask_op(unsigned i, handle_t session, uint32_t op, uint64_t w0)
{
	ask(i, session, &(struct msg){ .op = op, .w = { w0 } });
}

static void ask_end(unsigned i, status_t want)
{
	DONE(worker_join(&asks[i].w));
	EQ(asks[i].w.result, want);
}

/* ---- children ---- */

static void obey_start(struct child *c)
{
	struct spawn_handle give[] = { { .name = "port", .handle = a.port }, { .name = "other", .handle = b.session } };
	DONE(child_start(c, "obey", NULL, give, b.session ? 2 : 1, 0, 0));
}

/* Two short calls, a long one: each must have the same name whenever this is done again. */
static void sub_calls(cmd_id_t cmd, bool ask_first)
{
	handle_t other = start_handle("other");
	struct cmd_info info;
	if (ask_first)
		MUST(cmd_info(cmd, &info));
	for (uint64_t i = 0; i < 3; i++) {
		struct msg m = { .op = OP_ECHO, .w = { i }, .in = "x", .in_len = i == 2 };
		uint64_t w[IPC_WORDS] = { i };
		MUST(i < 2 ? ipc_call_words(other, OP_ECHO, w) : ipc_call(other, &m));
	}
}

static int obey(int argc unused, char **argv unused)
{
	handle_t port = start_handle("port"), other = start_handle("other");
	for (;;) {
		struct event e;
		struct reply r = { .status = OK };
		MUST(ipc_accept(port, FOREVER, &e));
		if (e.kind != ACCEPT_COMMAND && e.kind != ACCEPT_CLOSE)
			continue;
		if (e.kind == ACCEPT_COMMAND)
			switch (e.op) {
			case OP_HOLD:
				continue;
			case OP_FAULT_LATER:
				pause_ms(400);
				*(volatile int *)8 = 1;
				break;
			case OP_FAULT:
				*(volatile int *)8 = 1;
				break;
			case OP_EXIT:
				return 0;          /* in order: nothing is to blame */
			case OP_SUB:
				sub_calls(e.cmd, e.w[0]);
				if (!(e.flags & IPC_REDELIVERED))
					continue;
				break;
			case OP_FORWARD:
				r.status = forward(e.cmd, other, (uint32_t)e.w[0], (uint32_t)e.w[1]);
				if (r.status == OK)
					continue;
				break;
			default:
				r.w[0] = e.w[0] + 1;
			}
		MUST(ipc_return(e.cmd, &r));
	}
}

/* Submits two and sleeps. */
static int submit_2(int argc unused, char **argv unused)
{
	static char in[8] = "letters", out[8];
	struct msg m = { .op = OP_ECHO, .in = in, .in_len = sizeof(in), .out = out, .out_len = sizeof(out) };
	MUST(port_reserve(start_handle("mine"), 2));
	MUST(ipc_submit(start_handle("session"), &m, start_handle("mine"), 1));
	MUST(ipc_submit(start_handle("session"), &m, start_handle("mine"), 2));
	thread_sleep(FOREVER);
	return 1;
}

/* Submits two commands to itself, accepts the first, and dies of a fault. */
static int serve_self(int argc unused, char **argv unused)
{
	static char window[64];
	handle_t port = start_handle("port"), session;
	struct event e;
	struct msg m = { .op = OP_ECHO, .w = { 5 }, .in = window, .in_len = sizeof(window) };
	MUST(session_create(port, BADGE, RIGHT_READ | RIGHT_WRITE, &session));
	MUST(port_reserve(port, 2));
	for (uint64_t i = 0; i < 2; i++)
		MUST(ipc_submit(session, &m, port, i));
	MUST(ipc_accept(port, FOREVER, &e));
	*(volatile int *)8 = 1;
	return 0;
}

static int call_and_wait(int argc unused, char **argv unused)
{
	struct msg m = { .op = OP_HOLD, .in = "abc", .in_len = 3 };
	return (int)ipc_call(start_handle("session"), &m);
}

static int call_77(int argc unused, char **argv unused)
{
	uint64_t w[IPC_WORDS] = { 77 };
	return (int)ipc_call_words(start_handle("session"), OP_ECHO, w);
}

enum { CHAIN = 120 };
static handle_t chain[CHAIN + 1], chain_sessions[CHAIN];

static void wait_at(struct worker *w)
{
	struct event e;
	w->result = ipc_accept((handle_t)(uint64_t)w->arg, FOREVER, &e);
}

/* Is sent Ports. "hold": accepts what waits there; "full": has a thread wait at each, and when all are there no room for another handle. */
static int at_ports(int argc unused, char **argv)
{
	static struct worker w[CHAIN];
	handle_t port = start_handle("port"), copy;
	bool hold = !strcmp(argv[1], "hold");
	for (unsigned n = 0;;) {
		struct event e, held;
		MUST(ipc_accept(port, FOREVER, &e));
		if (e.kind != ACCEPT_COMMAND)
			continue;
		if (hold)
			MUST(next(e.handles[0], &held));
		else
			MUST(worker_start(&w[n++], wait_at, (void *)(uint64_t)e.handles[0], PRIORITY_NORMAL));
		while (n == CHAIN && handle_dup(port, RIGHT_ALL, &copy) == OK)
			;
		MUST(reply(e.cmd, OK));
	}
}

static int submit_own_port(int argc unused, char **argv unused)
{
	handle_t port;
	MUST(port_create(0, &port));
	MUST(port_reserve(port, 1));
	MUST(ipc_submit(start_handle("session"), &(struct msg){ .op = OP_HOLD, .handles = { port } }, port, 1));
	return (int)thread_sleep(FOREVER);
}

const struct deed recovery_deeds[] = {
	{ "call-77", call_77 },
	{ "obey", obey },
	{ "submit-2", submit_2 },
	{ "serve-self", serve_self },
	{ "call-and-wait", call_and_wait },
	{ "at-ports", at_ports },
	{ "submit-own-port", submit_own_port },
	{ NULL, NULL },
};

/* ---- submit ---- */

/* What somebody sent to himself is over with him: the next one who accepts there hears of nothing. */
static void served_itself(void)
{
	struct child c;
	struct process_info info;
	struct event e;
	for (unsigned i = 0; i < 5; i++) {
		place_make(&a, 0, BADGE);
		STILL_FINE();
		struct spawn_handle give[] = { { .name = "port", .handle = a.port } };
		DONE(child_start(&c, "serve-self", NULL, give, 1, 0, 0));
		DONE(child_wait(&c, LONG_MS, &info));
		EQ(info.exit_kind, EXIT_FAULT);
		DONE(next(a.port, &e));
		EQ(e.kind, ACCEPT_RECOVERED);
		do {                            /* the child's own Session is closed */
			DONE(next(a.port, &e));
			EQ(e.kind, ACCEPT_CLOSE);
			DONE(reply(e.cmd, OK));
		} while (e.badge != BADGE);
		EQ(nothing(a.port), ERR_TIMED_OUT);
		place_drop(&a);
		STILL_FINE();
	}
}

static void submit(void)
{
	static char in[16] = "from the sender", out[16], got[16];
	struct event e;
	struct handle_info info;
	handle_t n, weak;
	uint64_t done, id;
	place_make(&a, 0, BADGE);
	place_make(&b, 0, OTHER);
	STILL_FINE();
	DONE(notify_create(&n));
	DONE(handle_info(n, &info));
	id = info.object_id;
	struct msg m = { .op = OP_ECHO, .w = { 1, 2, 3, 4, 5, 6 }, .in = in, .in_len = sizeof(in), .out = out, .out_len = sizeof(out), .handles = { n, n, n } };
	EQ(ipc_submit(a.session, &m, b.port, 7), ERR_AGAIN);
	EQ(port_reserve(b.port, 0), ERR_INVALID);
	EQ(port_reserve(b.port, PORT_RESERVE_MAX + 1), ERR_INVALID);
	EQ(port_reserve(b.session, 1), ERR_WRONG_TYPE);
	DONE(handle_dup(b.port, RIGHT_MANAGE, &weak));
	EQ(port_reserve(weak, 1), ERR_DENIED);
	EQ(ipc_submit(a.session, &m, weak, 7), ERR_DENIED);
	EQ(cancel(weak, 7), ERR_DENIED);
	DONE(handle_close(weak));
	DONE(port_reserve(b.port, 2));
	EQ(ipc_submit(a.port, &m, b.port, 7), ERR_WRONG_TYPE);
	EQ(ipc_submit(a.session, &m, a.session, 7), ERR_WRONG_TYPE);
	EQ(ipc_submit(0, &m, b.port, 7), ERR_BAD_HANDLE);
	m.handles[2] = 0x7fff0000;
	EQ(ipc_submit(a.session, &m, b.port, 7), ERR_BAD_HANDLE);
	m.handles[2] = n;
	m.in = (void *)kernel_addresses[0];
	EQ(ipc_submit(a.session, &m, b.port, 7), ERR_FAULT);
	m.in = in;
	EQ(cancel(b.port, 7), ERR_NOT_FOUND);

	for (unsigned round = 0; round < 3; round++) {  /* the reserve fills again */
		memset(out, 0, sizeof(out));
		DONE(ipc_submit(a.session, &m, b.port, 7 + round));
		DONE(ipc_submit(a.session, &m, b.port, UINT64_MAX));
		EQ(ipc_submit(a.session, &m, b.port, 9), ERR_AGAIN);
		DONE(next(a.port, &e));
		EQ(e.kind, ACCEPT_COMMAND);
		EQ(e.badge, BADGE);
		EQ(e.op, OP_ECHO);
		EQ(e.flags, 0);
		EQ(e.rights, RIGHT_READ | RIGHT_WRITE);
		EQ(e.in_len, sizeof(in));
		EQ(e.out_len, sizeof(out));
		EQ(e.n_handles, 3);
		for (unsigned i = 0; i < IPC_WORDS; i++)
			EQ(e.w[i], i + 1);
		for (unsigned i = 0; i < 3; i++) {
			DONE(handle_info(e.handles[i], &info));
			EQ(info.object_id, id);
			DONE(handle_close(e.handles[i]));
		}
		EQ(e.handles[3], 0);
		DONE(cmd_read(e.cmd, 0, got, sizeof(got), &done));
		CHECK(done == sizeof(in) && !memcmp(got, in, sizeof(in)));
		DONE(cmd_write(e.cmd, 0, "answer", 7, &done));
		EQ(done, 7);
		struct reply r = { .status = 5, .w = { 10, 20, 30, 40, 50, 60 }, .handles = { 0, n }, .mint = true, .mint_badge = 99, .mint_rights = RIGHT_READ };
		DONE(ipc_return(e.cmd, &r));
		EQ(cmd_read(e.cmd, 0, got, sizeof(got), &done), ERR_NOT_FOUND);
		DONE(next(b.port, &e));
		EQ(e.kind, ACCEPT_COMPLETION);
		EQ(e.cmd, 7 + round);
		EQ(e.status, 5);
		EQ(e.n_handles, 2);
		for (unsigned i = 0; i < IPC_WORDS; i++)
			EQ(e.w[i], (i + 1) * 10);
		CHECK(!strcmp(out, "answer"));
		DONE(handle_info(e.handles[1], &info));
		EQ(info.object_id, id);
		DONE(handle_close(e.handles[1]));
		handle_t minted = e.handles[0];
		/* The second, with an error; then one over the minted Session. */
		DONE(next(a.port, &e));
		for (unsigned i = 0; i < 3; i++)
			DONE(handle_close(e.handles[i]));
		DONE(reply(e.cmd, ERR_IO));
		DONE(next(b.port, &e));
		EQ(e.cmd, UINT64_MAX);
		EQ(e.status, ERR_IO);
		EQ(e.n_handles, 0);
		DONE(ipc_submit(minted, &(struct msg){ .op = 1 }, b.port, 1));
		DONE(next(a.port, &e));
		EQ(e.badge, 99);
		EQ(e.rights, RIGHT_READ);
		EQ(e.n_handles, 0);
		DONE(reply(e.cmd, OK));
		DONE(next(b.port, &e));
		DONE(handle_close(minted));
		DONE(next(a.port, &e));
		EQ(e.kind, ACCEPT_CLOSE);
		EQ(e.badge, 99);
		DONE(reply(e.cmd, OK));
	}
	EQ(nothing(b.port), ERR_TIMED_OUT);
	DONE(handle_close(n));
	place_drop(&a);
	place_drop(&b);
}

/* The place of completion goes with a command in each state: nobody hears, nothing stays. */
static void submit_port_dies(void)
{
	struct event e;
	handle_t n;
	place_make(&a, 0, BADGE);
	place_make(&b, 0, OTHER);
	STILL_FINE();
	DONE(notify_create(&n));
	struct msg m = { .op = OP_ECHO, .handles = { n } };
	DONE(port_reserve(b.port, 5));
	for (unsigned i = 0; i < 4; i++)
		DONE(ipc_submit(a.session, &m, b.port, i));
	DONE(next(a.port, &e));
	DONE(handle_close(e.handles[0]));
	DONE(ipc_return(e.cmd, &(struct reply){ .status = OK, .handles = { n } }));
	DONE(next(a.port, &e));
	DONE(handle_close(e.handles[0]));
	cmd_id_t held = e.cmd;
	place_drop(&b);
	DONE(ipc_return(held, &(struct reply){ .status = OK, .handles = { n }, .mint = true, .mint_badge = 1 }));
	/* What was queued is still served, by who does not know. */
	for (unsigned closes = 0, commands = 0; closes < 1 || commands < 2;) {
		DONE(next(a.port, &e));
		closes += e.kind == ACCEPT_CLOSE;
		commands += e.kind == ACCEPT_COMMAND;
		if (e.kind == ACCEPT_COMMAND && e.n_handles)
			DONE(handle_close(e.handles[0]));
		DONE(reply(e.cmd, OK));
	}
	DONE(handle_close(n));
	place_drop(&a);
	/* The server's Port goes with one queued: GONE in the completion. */
	place_make(&a, 0, BADGE);
	place_make(&b, 0, OTHER);
	DONE(port_reserve(b.port, 1));
	DONE(ipc_submit(a.session, &(struct msg){ .op = 1 }, b.port, 3));
	DONE(handle_close(a.port));
	DONE(next(b.port, &e));
	EQ(e.kind, ACCEPT_COMPLETION);
	EQ(e.status, ERR_GONE);
	EQ(ipc_submit(a.session, &(struct msg){ .op = 1 }, b.port, 3), ERR_GONE);
	EQ(ipc_submit(a.session, &(struct msg){ .op = 1 }, b.port, 3), ERR_GONE);
	DONE(handle_close(a.session));
	place_drop(&b);
}

/* ---- completions that cannot be delivered ---- */

static void at_ports_start(struct child *c, const char *how, handle_t budget)
{
	struct place p;
	place_make(&p, 0, BADGE);
	STILL_FINE();
	struct spawn_handle give[] = { { .name = "port", .handle = p.port }, { .name = "stderr", .handle = start_handle("stderr") } };
	DONE(child_start(c, "at-ports", how, give, give[1].handle ? 2 : 1, budget, 0));
	for (unsigned i = 0; i < CHAIN; i++)
		DONE(ipc_call(p.session, &(struct msg){ .op = OP_HOLD, .handles = { chain[i] }, .deadline = now_ns() + LONG_MS * NS_PER_MS }));
	place_drop(&p);
	child_settle(c);
}

/*
 * All commands of one server are refused at once, and each completion finds one who waits and has no room for the handle that comes back:
 * the next Port of the chain. However many they are, none is delivered from within the delivery of another.
 */
static void refused_in_a_row(void)
{
	static const struct budget_limits few = { .pages = 4000, .kernel_bytes = 4 * MiB, .handles = 300, .threads = CHAIN + 8, .commands = 2 * CHAIN, .processes = 1 };
	struct child holder, full;
	handle_t budget, n;
	DONE(budget_create(0, &few, &budget));
	DONE(notify_create(&n));
	for (unsigned i = 0; i <= CHAIN; i++) {
		DONE(port_create(PORT_STATELESS, &chain[i]));
		DONE(port_reserve(chain[i], 1));
		if (i < CHAIN)
			DONE(session_create(chain[i], i, 0, &chain_sessions[i]));
	}
	for (unsigned i = 0; i < CHAIN; i++)
		DONE(ipc_submit(chain_sessions[i], &(struct msg){ .op = OP_HOLD, .handles = { n } }, chain[i + 1], i));
	at_ports_start(&holder, "hold", 0);
	STILL_FINE();
	at_ports_start(&full, "full", budget);
	DONE(child_kill(&holder));
	STILL_FINE();
	DONE(child_kill(&full));
	for (unsigned i = 0; i < CHAIN; i++)
		DONE(handle_close(chain_sessions[i]));
	for (unsigned i = 0; i <= CHAIN; i++)
		DONE(handle_close(chain[i]));
	DONE(handle_close(n));
	DONE(handle_close(budget));
}

/* A completion brings the handle of the very Port that it waits in, and the submitter dies: neither stays for the sake of the other. */
static void holds_its_port(void)
{
	struct child c;
	struct event e;
	place_make(&a, 0, BADGE);
	STILL_FINE();
	struct spawn_handle give[] = { { .name = "session", .handle = a.session } };
	DONE(child_start(&c, "submit-own-port", NULL, give, 1, 0, 0));
	status_t st = next(a.port, &e);
	if (st == OK) {
		st = ipc_return(e.cmd, &(struct reply){ .handles = { e.handles[0] } });
		DONE(handle_close(e.handles[0]));
	}
	DONE(child_kill(&c));
	place_drop(&a);
	DONE(st);
}

/* The submitter dies: its accepted command is asked back, its queued one never seen, the next hears of neither. */
static void submitter_dies(void)
{
	struct child c;
	struct event e;
	uint64_t done;
	char byte;
	handle_t n;
	place_make(&a, 0, BADGE);
	place_make(&b, 0, OTHER);
	STILL_FINE();
	DONE(notify_create(&n));
	struct spawn_handle give[] = { { .name = "session", .handle = a.session }, { .name = "mine", .handle = b.port } };
	DONE(child_start(&c, "submit-2", NULL, give, 2, 0, 0));
	DONE(next(a.port, &e));
	cmd_id_t held = e.cmd;
	pause_ms(SHORT_MS);
	DONE(cmd_read(held, 0, &byte, 1, &done));
	EQ(byte, 'l');
	DONE(child_kill(&c));
	EQ(cmd_read(held, 0, &byte, 1, &done), ERR_GONE);
	DONE(next(a.port, &e));
	EQ(e.kind, ACCEPT_CANCEL);
	EQ(e.cmd, held);
	EQ(nothing(a.port), ERR_TIMED_OUT);
	DONE(ipc_return(held, &(struct reply){ .status = OK, .handles = { n } }));
	EQ(nothing(b.port), ERR_TIMED_OUT);
	/* Both answered, with handles, and nobody fetched it. */
	DONE(child_start(&c, "submit-2", NULL, give, 2, 0, 0));
	for (unsigned i = 0; i < 2; i++) {
		DONE(next(a.port, &e));
		DONE(ipc_return(e.cmd, &(struct reply){ .status = OK, .handles = { n }, .mint = i == 1, .mint_badge = 9 }));
	}
	DONE(child_kill(&c));
	EQ(nothing(b.port), ERR_TIMED_OUT);
	DONE(next(a.port, &e));
	EQ(e.kind, ACCEPT_CLOSE);
	EQ(e.badge, 9);
	DONE(reply(e.cmd, OK));
	DONE(handle_close(n));
	/* What was left in the reserve is ours, and clean. */
	for (unsigned i = 0; i < 2; i++)
		DONE(ipc_submit(a.session, &(struct msg){ .op = 1 }, b.port, i));
	EQ(ipc_submit(a.session, &(struct msg){ .op = 1 }, b.port, 2), ERR_AGAIN);
	for (unsigned i = 0; i < 2; i++) {
		DONE(next(a.port, &e));
		EQ(e.kind, ACCEPT_COMMAND);
		EQ(e.n_handles, 0);
		DONE(reply(e.cmd, i));
		DONE(next(b.port, &e));
		EQ(e.cmd, i);
		EQ(e.status, i);
		EQ(e.n_handles, 0);
	}
	place_drop(&a);
	place_drop(&b);
}

/* ---- cancel ---- */

static void cancels(void)
{
	struct event e;
	place_make(&a, 0, BADGE);
	place_make(&b, 0, OTHER);
	STILL_FINE();
	DONE(port_reserve(b.port, 2));
	DONE(ipc_submit(a.session, &(struct msg){ .op = 1, .in = "path", .in_len = 4, .flags = IPC_PATH }, b.port, 11));
	DONE(ipc_submit(a.session, &(struct msg){ .op = 2 }, b.port, 12));
	EQ(cancel(b.port, 13), ERR_NOT_FOUND);
	EQ(cancel(a.port, 11), ERR_NOT_FOUND);
	DONE(cancel(b.port, 11));
	EQ(cancel(b.port, 11), ERR_NOT_FOUND);
	DONE(next(b.port, &e));
	EQ(e.kind, ACCEPT_COMPLETION);
	EQ(e.cmd, 11);
	EQ(e.status, ERR_CANCELLED);
	DONE(next(a.port, &e));
	EQ(e.op, 2);
	cmd_id_t held = e.cmd;
	DONE(cancel(b.port, 12));
	DONE(cancel(b.port, 12));
	DONE(next(a.port, &e));
	EQ(e.kind, ACCEPT_CANCEL);
	EQ(e.cmd, held);
	EQ(e.badge, BADGE);
	DONE(cancel(b.port, 12));
	EQ(nothing(a.port), ERR_TIMED_OUT);
	EQ(nothing(b.port), ERR_TIMED_OUT);
	DONE(reply(held, ERR_CANCELLED));
	DONE(next(b.port, &e));
	EQ(e.status, ERR_CANCELLED);
	EQ(cancel(b.port, 12), ERR_NOT_FOUND);
	/* Answered before it was told: not told. */
	DONE(ipc_submit(a.session, &(struct msg){ .op = 1 }, b.port, 14));
	DONE(next(a.port, &e));
	DONE(cancel(b.port, 14));
	DONE(reply(e.cmd, 3));
	EQ(nothing(a.port), ERR_TIMED_OUT);
	DONE(next(b.port, &e));
	EQ(e.status, 3);
	place_drop(&a);
	place_drop(&b);
}

/* Deadline or death of the caller: the server is told, its answer goes nowhere. */
static void caller_leaves(void)
{
	struct child c;
	struct event e;
	place_make(&a, 0, BADGE);
	STILL_FINE();
	for (unsigned death = 0; death < 2; death++) {
		if (death) {
			struct spawn_handle give[] = { { .name = "session", .handle = a.session } };
			DONE(child_start(&c, "call-and-wait", NULL, give, 1, 0, 0));
		} else {
			ask(0, a.session, &(struct msg){ .op = OP_HOLD, .in = "abc", .in_len = 3, .deadline = now_ns() + SOON_MS * NS_PER_MS });
		}
		DONE(next(a.port, &e));
		cmd_id_t held = e.cmd;
		char byte;
		uint64_t done;
		DONE(cmd_read(held, 0, &byte, 1, &done));
		if (death)
			DONE(child_kill(&c));
		else
			ask_end(0, ERR_TIMED_OUT);
		DONE(next(a.port, &e));
		EQ(e.kind, ACCEPT_CANCEL);
		EQ(e.cmd, held);
		EQ(cmd_read(held, 0, &byte, 1, &done), ERR_GONE);
		EQ(nothing(a.port), ERR_TIMED_OUT);
		DONE(reply(held, 8));
		EQ(reply(held, 8), ERR_NOT_FOUND);
	}
	place_drop(&a);
}

/* Cancelled, then its server dies: the next one sees it on the command. */
static void cancel_redelivered(void)
{
	struct child c;
	struct event e;
	b = (struct place){ 0 };
	place_make(&a, 0, BADGE);
	struct place q;
	place_make(&q, 0, OTHER);
	obey_start(&c);
	STILL_FINE();
	DONE(port_reserve(q.port, 2));
	DONE(ipc_submit(a.session, &(struct msg){ .op = OP_HOLD, .w = { 1 } }, q.port, 1));
	DONE(ipc_submit(a.session, &(struct msg){ .op = OP_HOLD, .w = { 2 } }, q.port, 2));
	child_settle(&c);                               /* it has taken both */
	DONE(cancel(q.port, 1));
	pause_ms(SHORT_MS);
	child_settle(&c);
	DONE(child_kill(&c));
	DONE(next(a.port, &e));
	EQ(e.w[0], 1);
	EQ(e.flags, IPC_REDELIVERED | IPC_CANCELLED);
	DONE(reply(e.cmd, ERR_CANCELLED));
	DONE(next(a.port, &e));
	EQ(e.w[0], 2);
	EQ(e.flags, IPC_REDELIVERED);
	DONE(reply(e.cmd, OK));
	DONE(next(a.port, &e));
	EQ(e.kind, ACCEPT_RECOVERED);
	EQ(nothing(a.port), ERR_TIMED_OUT);
	DONE(next(q.port, &e));
	EQ(e.status, ERR_CANCELLED);
	DONE(next(q.port, &e));
	DONE(e.status);
	place_drop(&q);
	place_drop(&a);
}

/* ---- forward ---- */

static void forwards(void)
{
	static char out[8], path[16];
	struct event e;
	struct cmd_info info;
	struct handle_info hi;
	uint64_t done, op_id, object;
	handle_t n, weak;
	place_make(&a, 0, BADGE);
	place_make(&b, 0, OTHER);
	STILL_FINE();
	DONE(notify_create(&n));
	DONE(handle_info(n, &hi));
	object = hi.object_id;
	DONE(handle_dup(b.session, RIGHT_CALL | RIGHT_READ, &weak));
	for (unsigned submitted = 0; submitted < 2; submitted++) {
		struct msg m = { .op = OP_ECHO, .w = { 1, 2, 3, 4, 5, 6 }, .in = "disk0/etc/motd", .in_len = 14, .flags = IPC_PATH, .out = out, .out_len = sizeof(out),
			.handles = { n } };
		memset(out, 0, sizeof(out));
		if (submitted) {
			DONE(port_reserve(a.port, 1));
			DONE(ipc_submit(a.session, &m, a.port, 5));
		} else {
			ask(0, a.session, &m);
		}
		DONE(next(a.port, &e));
		EQ(e.rights, RIGHT_READ | RIGHT_WRITE);
		DONE(cmd_info(e.cmd, &info));
		EQ(info.hops, 0);
		op_id = info.op_id;
		cmd_id_t was = e.cmd;
		DONE(handle_close(e.handles[0]));
		EQ(forward(was, a.port, 0, RIGHT_ALL), ERR_WRONG_TYPE);
		EQ(forward(was, 0, 0, RIGHT_ALL), ERR_BAD_HANDLE);
		EQ(forward(was, b.session, 15, RIGHT_ALL), ERR_INVALID);
		EQ(forward(was + (1ull << 32), b.session, 0, RIGHT_ALL), ERR_NOT_FOUND);
		DONE(forward(was, weak, 6, RIGHT_ALL));
		EQ(reply(was, OK), ERR_NOT_FOUND);
		EQ(forward(was, weak, 0, RIGHT_ALL), ERR_NOT_FOUND);
		DONE(next(b.port, &e));
		EQ(e.kind, ACCEPT_COMMAND);
		EQ(e.badge, OTHER);
		EQ(e.rights, RIGHT_READ);
		EQ(e.flags, IPC_PATH);
		EQ(e.op, OP_ECHO);
		EQ(e.in_len, 8);
		EQ(e.out_len, sizeof(out));
		EQ(e.n_handles, 1);
		for (unsigned i = 0; i < IPC_WORDS; i++)
			EQ(e.w[i], i + 1);
		DONE(handle_info(e.handles[0], &hi));
		EQ(hi.object_id, object);
		DONE(handle_close(e.handles[0]));
		DONE(cmd_info(e.cmd, &info));
		EQ(info.hops, 1);
		EQ(info.op_id, op_id);
		DONE(cmd_read(e.cmd, 0, path, sizeof(path), &done));
		CHECK(done == 8 && !memcmp(path, "etc/motd", 8));
		DONE(cmd_write(e.cmd, 0, "direct", 7, &done));
		DONE(ipc_return(e.cmd, &(struct reply){ .status = 6, .w = { 7 }, .mint = true, .mint_badge = 3 }));
		handle_t minted;
		if (submitted) {
			DONE(next(a.port, &e));
			EQ(e.kind, ACCEPT_COMPLETION);
			EQ(e.status, 6);
			EQ(e.w[0], 7);
			minted = e.handles[0];
		} else {
			ask_end(0, 6);
			EQ(asks[0].m.w[0], 7);
			minted = asks[0].m.handles[0];
		}
		CHECK(!strcmp(out, "direct"));
		/* The Session minted is one of the second server's Port. */
		DONE(handle_close(minted));
		DONE(next(b.port, &e));
		EQ(e.kind, ACCEPT_CLOSE);
		EQ(e.badge, 3);
		DONE(reply(e.cmd, OK));
	}
	/* The window of a plain command. */
	ask(0, a.session, &(struct msg){ .op = OP_ECHO, .in = "plain", .in_len = 5 });
	DONE(next(a.port, &e));
	EQ(forward(e.cmd, b.session, 1, RIGHT_ALL), ERR_INVALID);       /* no path */
	DONE(forward(e.cmd, b.session, 0, 0));
	DONE(next(b.port, &e));
	EQ(e.rights, 0);
	EQ(e.in_len, 5);
	DONE(cmd_read(e.cmd, 0, path, sizeof(path), &done));
	CHECK(done == 5 && !memcmp(path, "plain", 5));
	DONE(reply(e.cmd, 1));
	ask_end(0, 1);
	DONE(handle_close(weak));
	DONE(handle_close(n));
	place_drop(&a);
	place_drop(&b);
}

/* Round and round: eight times. And words only, with a thread waiting at the other end. */
static void forward_far(void)
{
	struct event e;
	struct child c;
	place_make(&a, 0, BADGE);
	place_make(&b, 0, OTHER);
	STILL_FINE();
	for (unsigned round = 0; round < 2; round++) {
		ask_op(0, a.session, OP_ECHO, 4);
		DONE(next(a.port, &e));
		for (unsigned i = 0; i < HOPS; i++) {
			DONE(forward(e.cmd, i % 2 ? a.session : b.session, 0, RIGHT_ALL));
			DONE(next(i % 2 ? a.port : b.port, &e));
			EQ(e.w[0], 4);
		}
		EQ(forward(e.cmd, b.session, 0, RIGHT_ALL), ERR_LOOP);
		DONE(reply(e.cmd, 12));
		ask_end(0, 12);
	}
	/* A dead Port: still ours. */
	ask_op(0, a.session, OP_ECHO, 4);
	DONE(next(a.port, &e));
	DONE(handle_close(b.port));
	EQ(forward(e.cmd, b.session, 0, RIGHT_ALL), ERR_GONE);
	DONE(reply(e.cmd, 13));
	ask_end(0, 13);
	DONE(handle_close(b.session));
	/* CLOSE is nobody else's. */
	place_make(&b, 0, OTHER);
	DONE(handle_close(a.session));
	DONE(next(a.port, &e));
	EQ(e.kind, ACCEPT_CLOSE);
	EQ(forward(e.cmd, b.session, 0, RIGHT_ALL), ERR_INVALID);
	DONE(reply(e.cmd, OK));
	DONE(session_create(a.port, BADGE, 0, &a.session));
	/* The first Session's CLOSE comes when its forwarded command has gone on, not before. */
	handle_t brief;
	DONE(session_create(a.port, 5, 0, &brief));
	ask_op(0, brief, OP_ECHO, 1);
	DONE(next(a.port, &e));
	cmd_id_t cmd = e.cmd;
	DONE(handle_close(brief));
	EQ(nothing(a.port), ERR_TIMED_OUT);
	DONE(forward(cmd, b.session, 0, RIGHT_ALL));
	DONE(next(a.port, &e));
	EQ(e.kind, ACCEPT_CLOSE);
	EQ(e.badge, 5);
	DONE(reply(e.cmd, OK));
	DONE(next(b.port, &e));
	DONE(reply(e.cmd, 14));
	ask_end(0, 14);
	/* A waiting server, and callers that call again and again. */
	obey_start(&c);
	STILL_FINE();
	for (unsigned i = 0; i < 20; i++) {
		ask(0, a.session, &(struct msg){ .op = OP_FORWARD, .w = { 0, i } });
		DONE(next(b.port, &e));
		EQ(e.op, OP_FORWARD);
		DONE(reply(e.cmd, i));
		ask_end(0, i);
		uint64_t w[IPC_WORDS] = { i };
		DONE(ipc_call_words(a.session, OP_ECHO, w));
		EQ(w[0], i + 1);
	}
	DONE(child_kill(&c));
	place_drop(&a);
	place_drop(&b);
}

/* The second server dies: the command comes again there, not at the first. The first dying changes nothing. */
static void forward_redelivered(void)
{
	struct event e;
	struct child c;
	struct cmd_info info;
	place_make(&a, 0, BADGE);
	place_make(&b, 0, OTHER);
	STILL_FINE();
	handle_t n;
	uint64_t done;
	char text[8];
	DONE(notify_create(&n));
	struct place first = b;         /* we forward to where the child serves */
	ask(0, first.session, &(struct msg){ .op = OP_HOLD, .in = "a/bc", .in_len = 4, .flags = IPC_PATH, .handles = { n } });
	DONE(next(first.port, &e));
	DONE(handle_close(e.handles[0]));
	DONE(cmd_info(e.cmd, &info));
	uint64_t op_id = info.op_id;
	DONE(forward(e.cmd, a.session, 2, RIGHT_READ));
	obey_start(&c);
	STILL_FINE();
	child_settle(&c);
	DONE(child_kill(&c));
	EQ(nothing(first.port), ERR_TIMED_OUT);
	DONE(next(a.port, &e));
	EQ(e.flags, IPC_REDELIVERED | IPC_PATH);
	EQ(e.badge, BADGE);
	EQ(e.rights, RIGHT_READ);
	EQ(e.n_handles, 1);
	DONE(handle_close(e.handles[0]));
	DONE(cmd_read(e.cmd, 0, text, sizeof(text), &done));
	CHECK(done == 2 && !memcmp(text, "bc", 2));
	DONE(cmd_info(e.cmd, &info));
	EQ(info.op_id, op_id);
	EQ(info.hops, 1);
	DONE(reply(e.cmd, 4));
	ask_end(0, 4);
	DONE(next(a.port, &e));
	EQ(e.kind, ACCEPT_RECOVERED);
	/* Forwarded by the child, which then dies. */
	obey_start(&c);
	STILL_FINE();
	ask(0, a.session, &(struct msg){ .op = OP_FORWARD, .w = { 0, RIGHT_ALL } });
	DONE(next(b.port, &e));
	DONE(child_kill(&c));
	DONE(reply(e.cmd, 5));
	ask_end(0, 5);
	DONE(next(a.port, &e));
	EQ(e.kind, ACCEPT_RECOVERED);
	EQ(nothing(a.port), ERR_TIMED_OUT);
	DONE(handle_close(n));
	place_drop(&a);
	place_drop(&b);
}

/* Who wants a command back is heard wherever it has gone. */
static void forward_cancelled(void)
{
	struct event e;
	place_make(&a, 0, BADGE);
	place_make(&b, 0, OTHER);
	STILL_FINE();
	DONE(port_reserve(b.port, 1));
	/* Cancelled after it went on, while it waits there: withdrawn. */
	DONE(ipc_submit(a.session, &(struct msg){ .op = 1 }, b.port, 1));
	DONE(next(a.port, &e));
	DONE(forward(e.cmd, a.session, 0, 0));
	DONE(cancel(b.port, 1));
	DONE(next(b.port, &e));
	EQ(e.status, ERR_CANCELLED);
	/* Accepted there. */
	DONE(ipc_submit(a.session, &(struct msg){ .op = 1 }, b.port, 2));
	DONE(next(a.port, &e));
	DONE(forward(e.cmd, a.session, 0, 0));
	DONE(next(a.port, &e));
	cmd_id_t held = e.cmd;
	DONE(cancel(b.port, 2));
	DONE(next(a.port, &e));
	EQ(e.kind, ACCEPT_CANCEL);
	EQ(e.cmd, held);
	DONE(reply(held, 1));
	DONE(next(b.port, &e));
	EQ(e.status, 1);
	/* Cancelled before it goes on, told or not told: nobody there begins what nobody wants. */
	for (unsigned told = 0; told < 2; told++) {
		DONE(ipc_submit(a.session, &(struct msg){ .op = 1 }, b.port, 3));
		DONE(next(a.port, &e));
		held = e.cmd;
		DONE(cancel(b.port, 3));
		if (told) {
			DONE(next(a.port, &e));
			EQ(e.kind, ACCEPT_CANCEL);
		}
		DONE(forward(held, a.session, 0, 0));
		DONE(next(b.port, &e));
		EQ(e.kind, ACCEPT_COMPLETION);
		EQ(e.status, ERR_CANCELLED);
		EQ(nothing(a.port), ERR_TIMED_OUT);
	}
	/* The same of a call whose caller has left. */
	ask(0, a.session, &(struct msg){ .op = 1, .deadline = now_ns() + SOON_MS * NS_PER_MS });
	DONE(next(a.port, &e));
	held = e.cmd;
	ask_end(0, ERR_TIMED_OUT);
	DONE(forward(held, a.session, 0, 0));
	EQ(nothing(a.port), ERR_TIMED_OUT);
	EQ(reply(held, OK), ERR_NOT_FOUND);
	place_drop(&a);
	place_drop(&b);
}

/* ---- redelivery ---- */

/* In the order of first acceptance, then RECOVERED, then what nobody had seen. */
static void recovered(void)
{
	struct child c;
	struct event e;
	cmd_id_t held[4];
	b = (struct place){ 0 };
	for (unsigned stateless = 0; stateless < 2; stateless++) {
		place_make(&a, stateless ? PORT_STATELESS : 0, BADGE);
		STILL_FINE();
		ask_op(0, a.session, OP_HOLD, 10);
		obey_start(&c);
		STILL_FINE();
		child_settle(&c);
		for (unsigned i = 1; i < 4; i++)
			ask_op(i, a.session, OP_HOLD, 10 + i);
		child_settle(&c);
		DONE(child_kill(&c));
		ask_op(4, a.session, OP_HOLD, 14);              /* fresh */
		for (unsigned i = 0; i < 4; i++) {
			DONE(next(a.port, &e));
			EQ(e.kind, ACCEPT_COMMAND);
			EQ(e.w[0], 10 + i);
			EQ(e.flags, IPC_REDELIVERED);
			held[i] = e.cmd;
		}
		if (!stateless) {
			DONE(next(a.port, &e));
			EQ(e.kind, ACCEPT_RECOVERED);
		}
		DONE(next(a.port, &e));
		EQ(e.kind, ACCEPT_COMMAND);
		EQ(e.w[0], 14);
		EQ(e.flags, 0);
		EQ(nothing(a.port), ERR_TIMED_OUT);
		DONE(reply(e.cmd, 4));
		for (unsigned i = 4; i-- > 0;)
			DONE(reply(held[i], i));
		for (unsigned i = 0; i < 5; i++)
			ask_end(i, i);
		place_drop(&a);
		STILL_FINE();
	}
	/* Nothing had been accepted: RECOVERED all the same, once. On the first instance: none. */
	place_make(&a, 0, BADGE);
	EQ(nothing(a.port), ERR_TIMED_OUT);
	place_drop(&a);
	place_make(&a, 0, BADGE);
	obey_start(&c);
	STILL_FINE();
	child_settle(&c);
	DONE(child_kill(&c));
	DONE(next(a.port, &e));
	EQ(e.kind, ACCEPT_RECOVERED);
	EQ(nothing(a.port), ERR_TIMED_OUT);
	place_drop(&a);
}

/* What was asked with 0 to 3 comes again in this order, and is answered; then RECOVERED. */
static void four_come_again(void)
{
	struct event e;
	for (unsigned i = 0; i < 4; i++) {
		DONE(next(a.port, &e));
		EQ(e.kind, ACCEPT_COMMAND);
		EQ(e.w[0], i);
		EQ(e.flags, IPC_REDELIVERED);
		DONE(reply(e.cmd, i));
		ask_end(i, i);
	}
	DONE(next(a.port, &e));
	EQ(e.kind, ACCEPT_RECOVERED);
}

/* The supervisor does not wait for the last breath: RECOVERED still comes after all that the dead one had. */
static void recovered_at_once(void)
{
	struct child c;
	b = (struct place){ 0 };
	place_make(&a, 0, BADGE);
	obey_start(&c);
	STILL_FINE();
	for (unsigned i = 0; i < 4; i++)
		ask_op(i, a.session, OP_HOLD, i);
	child_settle(&c);                               /* it has taken them all */
	DONE(process_kill(c.process, KILL_PLAIN));
	four_come_again();
	STILL_FINE();
	DONE(child_kill(&c));
	place_drop(&a);
}

/*
 * The kernel looks at its commands in pieces of 1,024, in the order of their places. The first sent has a late place, the
 * others early ones: nobody is given those while the first is still to be found.
 */
static void recovered_in_pieces(void)
{
	enum { PLACES = 6000, EARLY = 100 };
	static handle_t takes_place[PLACES];
	struct place away;
	struct child c;
	struct event e;
	b = (struct place){ 0 };
	place_make(&a, 0, BADGE);
	place_make(&away, 0, OTHER);
	STILL_FINE();
	obey_start(&c);
	STILL_FINE();
	for (unsigned i = 0; i < PLACES; i++)
		DONE(session_create(away.port, OTHER, RIGHT_READ, &takes_place[i]));    /* with its CLOSE */
	ask_op(0, a.session, OP_HOLD, 0);
	for (unsigned i = 0; i < EARLY; i++) {
		DONE(handle_close(takes_place[i]));
		DONE(next(away.port, &e));
		EQ(e.kind, ACCEPT_CLOSE);
		DONE(reply(e.cmd, OK));
	}
	pause_ms(SHORT_MS);                             /* they are reaped */
	for (unsigned i = 1; i < 4; i++)
		ask_op(i, a.session, OP_HOLD, i);
	child_settle(&c);                               /* it has taken them all */
	DONE(process_kill(c.process, KILL_PLAIN));
	four_come_again();
	STILL_FINE();
	DONE(child_kill(&c));
	for (unsigned i = EARLY; i < PLACES; i++)
		DONE(handle_close(takes_place[i]));
	place_drop(&away);
	place_drop(&a);
}

/* A caller leaves while its command waits to be delivered again: not delivered. */
static void left_meanwhile(void)
{
	struct child c;
	struct event e;
	b = (struct place){ 0 };
	place_make(&a, 0, BADGE);
	obey_start(&c);
	STILL_FINE();
	ask(0, a.session, &(struct msg){ .op = OP_HOLD, .deadline = now_ns() + SOON_MS * NS_PER_MS });
	ask_op(1, a.session, OP_HOLD, 1);
	child_settle(&c);                               /* it has taken both */
	DONE(child_kill(&c));
	ask_end(0, ERR_TIMED_OUT);
	DONE(next(a.port, &e));
	EQ(e.w[0], 1);
	EQ(e.flags, IPC_REDELIVERED);
	DONE(reply(e.cmd, 1));
	ask_end(1, 1);
	DONE(next(a.port, &e));
	EQ(e.kind, ACCEPT_RECOVERED);
	place_drop(&a);
}

/* ---- suspects ---- */

static void accept_short(struct worker *w)
{
	struct event e;
	w->result = ipc_accept(a.port, now_ns() + 10 * SHORT_MS * NS_PER_MS, &e);
}

/* What the server died of comes first and alone; a thread of its own that comes back for more ends that. */
static void suspect_alone(void)
{
	static struct worker w;
	struct child c;
	struct event e;
	struct cmd_info info;
	struct process_info end;
	b = (struct place){ 0 };
	for (unsigned way = 0; way < 2; way++) {
		place_make(&a, 0, BADGE);
		obey_start(&c);
		STILL_FINE();
		ask_op(0, a.session, OP_HOLD, 10);
		ask_op(1, a.session, OP_HOLD, 11);
		ask_op(2, a.session, OP_FAULT, 12);
		DONE(child_wait(&c, LONG_MS, &end));
		EQ(end.exit_kind, EXIT_FAULT);
		DONE(next(a.port, &e));
		EQ(e.w[0], 12);
		EQ(e.flags, IPC_REDELIVERED);
		DONE(cmd_info(e.cmd, &info));
		EQ(info.faults, 1);
		cmd_id_t suspect = e.cmd;
		DONE(worker_start(&w, accept_short, NULL, PRIORITY_NORMAL));
		worker_settle(&w);
		ask_op(3, a.session, OP_HOLD, 13);      /* not even what is fresh goes to a waiting thread */
		DONE(worker_join(&w));
		EQ(w.result, ERR_TIMED_OUT);
		if (way == 0)
			DONE(reply(suspect, 2));
		for (unsigned i = 0; i < 2; i++) {
			DONE(next(a.port, &e));
			EQ(e.w[0], 10 + i);
			EQ(e.flags, IPC_REDELIVERED);
			DONE(cmd_info(e.cmd, &info));
			EQ(info.faults, 0);
			DONE(reply(e.cmd, i));
			ask_end(i, i);
		}
		if (way == 1)
			DONE(reply(suspect, 2));
		ask_end(2, 2);
		DONE(next(a.port, &e));
		EQ(e.kind, ACCEPT_RECOVERED);
		DONE(next(a.port, &e));
		EQ(e.w[0], 13);
		EQ(e.flags, 0);
		DONE(reply(e.cmd, 3));
		ask_end(3, 3);
		place_drop(&a);
		STILL_FINE();
	}
}

/* Three faults: given up, and its neighbours are answered. Kills, and ends by itself, blame nobody. */
static void poisoned(void)
{
	struct child c;
	struct event e;
	struct cmd_info info;
	struct process_info end;
	b = (struct place){ 0 };
	for (unsigned submitted = 0; submitted < 2; submitted++) {
		struct place q;
		place_make(&a, 0, BADGE);
		place_make(&q, 0, OTHER);
		STILL_FINE();
		DONE(port_reserve(q.port, 1));
		ask_op(0, a.session, OP_HOLD, 10);
		if (submitted)
			DONE(ipc_submit(a.session, &(struct msg){ .op = OP_FAULT, .in = "a", .in_len = 1, .flags = IPC_PATH }, q.port, 1));
		else
			ask_op(1, a.session, OP_FAULT, 11);
		ask_op(2, a.session, OP_HOLD, 12);
		for (unsigned i = 0; i < POISON; i++) {
			obey_start(&c);
			STILL_FINE();
			DONE(child_wait(&c, LONG_MS, &end));
			EQ(end.exit_kind, EXIT_FAULT);
		}
		if (submitted) {
			DONE(next(q.port, &e));
			EQ(e.kind, ACCEPT_COMPLETION);
			EQ(e.status, ERR_POISONED);
		} else {
			ask_end(1, ERR_POISONED);
		}
		DONE(next(a.port, &e));
		EQ(e.w[0], 10);
		EQ(e.flags, IPC_REDELIVERED);
		DONE(reply(e.cmd, 1));
		DONE(next(a.port, &e));
		EQ(e.kind, ACCEPT_RECOVERED);
		DONE(next(a.port, &e));
		EQ(e.w[0], 12);         /* never seen by any of them: it stood behind */
		EQ(e.flags, 0);
		DONE(reply(e.cmd, 2));
		ask_end(0, 1);
		ask_end(2, 2);
		place_drop(&a);
		place_drop(&q);
		STILL_FINE();
	}
	place_make(&a, 0, BADGE);
	STILL_FINE();
	ask_op(0, a.session, OP_HOLD, 10);
	ask_op(1, a.session, OP_EXIT, 11);
	for (unsigned i = 0; i < 2 * POISON; i++) {
		obey_start(&c);
		STILL_FINE();
		if (i == POISON)
			DONE(process_kill(c.process, KILL_PLAIN));
		DONE(child_wait(&c, LONG_MS, &end));
		CHECK(end.exit_kind != EXIT_FAULT);
	}
	for (unsigned i = 0; i < 2; i++) {
		DONE(next(a.port, &e));
		EQ(e.w[0], 10 + i);
		DONE(cmd_info(e.cmd, &info));
		EQ(info.faults, 0);
		DONE(reply(e.cmd, i));
		ask_end(i, i);
	}
	place_drop(&a);
}

/* A heartbeat missed counts as a fault. */
static void heartbeat(void)
{
	struct child c;
	b = (struct place){ 0 };
	place_make(&a, 0, BADGE);
	STILL_FINE();
	ask_op(0, a.session, OP_FAULT_LATER, 0);
	for (unsigned i = 0; i < POISON; i++) {
		struct process_info end;
		obey_start(&c);
		STILL_FINE();
		pause_ms(150);
		DONE(process_kill(c.process, KILL_HEARTBEAT));
		DONE(child_wait(&c, LONG_MS, &end));
		EQ(end.exit_kind, EXIT_KILLED);
	}
	ask_end(0, ERR_POISONED);
	place_drop(&a);
}

/* A sibling that once served the same caller comes for more while the suspect is being served: no alibi. */
static void suspect_siblings(void)
{
	struct child c;
	struct event e;
	struct process_info end;
	uint64_t served = 0;
	b = (struct place){ 0 };
	place_make(&a, PORT_STATELESS, BADGE);
	STILL_FINE();
	DONE(port_reserve(a.port, 1));
	DONE(ipc_submit(a.session, &(struct msg){ .op = OP_ECHO }, a.port, 0));
	DONE(next(a.port, &e));
	DONE(reply(e.cmd, OK));
	DONE(next(a.port, &e));
	EQ(e.kind, ACCEPT_COMPLETION);
	DONE(ipc_submit(a.session, &(struct msg){ .op = OP_FAULT_LATER }, a.port, 1));  /* of the same storage */
	for (; served < POISON; served++) {
		obey_start(&c);
		STILL_FINE();
		pause_ms(150);
		status_t st = nothing(a.port);
		EQ(st, ERR_TIMED_OUT);
		DONE(child_wait(&c, LONG_MS, &end));
		EQ(end.exit_kind, EXIT_FAULT);
	}
	DONE(next(a.port, &e));
	EQ(e.kind, ACCEPT_COMPLETION);
	EQ(e.status, ERR_POISONED);
	place_drop(&a);
}

/* ---- the service is given up ---- */

static void given_up(void)
{
	struct child c;
	struct event e;
	handle_t weak;
	b = (struct place){ 0 };
	struct place q;
	place_make(&a, 0, BADGE);
	place_make(&q, 0, OTHER);
	STILL_FINE();
	EQ(port_fail(a.port, 0), ERR_INVALID);
	EQ(port_fail(a.port, 1), ERR_INVALID);
	EQ(port_fail(a.port, -4096), ERR_INVALID);
	EQ(port_fail(a.session, ERR_IO), ERR_WRONG_TYPE);
	DONE(handle_dup(a.port, RIGHT_SERVE, &weak));
	EQ(port_fail(weak, ERR_IO), ERR_DENIED);
	DONE(handle_close(weak));
	DONE(port_fail(a.port, ERR_IO));
	DONE(port_reserve(q.port, 1));
	obey_start(&c);
	STILL_FINE();
	ask_op(0, a.session, OP_HOLD, 1);
	ask_op(1, a.session, OP_FAULT, 1);
	DONE(child_wait(&c, LONG_MS, &(struct process_info){ 0 }));
	ask(2, a.session, &(struct msg){ .op = OP_HOLD, .in = "p", .in_len = 1, .flags = IPC_PATH });
	DONE(ipc_submit(a.session, &(struct msg){ .op = OP_HOLD, .handles = { q.session } }, q.port, 4));
	DONE(port_fail(a.port, ERR_IO));
	for (unsigned i = 0; i < 3; i++)
		ask_end(i, ERR_IO);
	DONE(next(q.port, &e));
	EQ(e.kind, ACCEPT_COMPLETION);
	EQ(e.status, ERR_IO);
	/* The next instance serves as ever; what is accepted is not reached. */
	DONE(next(a.port, &e));
	EQ(e.kind, ACCEPT_RECOVERED);
	ask_op(0, a.session, OP_HOLD, 1);
	DONE(next(a.port, &e));
	DONE(port_fail(a.port, ERR_IO));
	DONE(reply(e.cmd, 5));
	ask_end(0, 5);
	place_drop(&a);
	place_drop(&q);
}

/* ---- interrupts ---- */

static void sleep_long(struct worker *w)
{
	w->result = thread_sleep(now_ns() + LONG_MS * NS_PER_MS);
}

static void accept_long(struct worker *w)
{
	struct event e;
	w->result = next(a.port, &e);
}

static void spin_then_sleep(struct worker *w)
{
	while (!w->value[0])
		thread_yield();
	w->result = thread_sleep(now_ns() + LONG_MS * NS_PER_MS);
	w->value[1] = (uint64_t)thread_sleep(now_ns() + NS_PER_MS);
}

static void interrupts(void)
{
	static struct worker w;
	static void (*const waits[])(struct worker *) = { sleep_long, accept_long };
	struct event e;
	place_make(&a, 0, BADGE);
	STILL_FINE();
	for (unsigned i = 0; i < ARRAY_LEN(waits); i++) {
		DONE(worker_start(&w, waits[i], NULL, PRIORITY_NORMAL));
		pause_ms(SHORT_MS);
		DONE(thread_interrupt(w.thread));
		DONE(worker_join(&w));
		EQ(w.result, ERR_INTERRUPTED);
	}
	DONE(worker_start(&w, spin_then_sleep, NULL, PRIORITY_NORMAL));
	pause_ms(SHORT_MS);
	DONE(thread_interrupt(w.thread));
	DONE(thread_interrupt(w.thread));
	w.value[0] = 1;
	DONE(worker_join(&w));
	EQ(w.result, ERR_INTERRUPTED);
	EQ(w.value[1], OK);
	/* A call that is queued, one that is accepted. */
	ask_op(0, a.session, OP_HOLD, 1);
	DONE(thread_interrupt(asks[0].w.thread));
	ask_end(0, ERR_INTERRUPTED);
	EQ(nothing(a.port), ERR_TIMED_OUT);
	ask_op(0, a.session, OP_HOLD, 2);
	DONE(next(a.port, &e));
	cmd_id_t held = e.cmd;
	DONE(thread_interrupt(asks[0].w.thread));
	DONE(thread_interrupt(asks[0].w.thread));
	DONE(next(a.port, &e));
	EQ(e.kind, ACCEPT_CANCEL);
	EQ(e.cmd, held);
	EQ(nothing(a.port), ERR_TIMED_OUT);
	CHECK(!asks[0].w.done);
	DONE(reply(held, ERR_CANCELLED));
	ask_end(0, ERR_CANCELLED);
	EQ(thread_interrupt(a.port), ERR_WRONG_TYPE);
	EQ(thread_interrupt(0x7fff0000), ERR_BAD_HANDLE);
	place_drop(&a);
}

/* ---- wanted ---- */

static void wanted(void)
{
	handle_t n;
	uint64_t bits;
	struct event e;
	place_make(&a, 0, BADGE);
	STILL_FINE();
	DONE(notify_create(&n));
	DONE(notify_bind(n, 3, a.port));
	DONE(notify_take(n, &bits));
	EQ(bits, 0);
	ask_op(0, a.session, OP_ECHO, 1);
	DONE(notify_take(n, &bits));
	EQ(bits, 1u << 3);
	DONE(next(a.port, &e));
	EQ(e.kind, ACCEPT_COMMAND);
	DONE(reply(e.cmd, 1));
	ask_end(0, 1);
	/* It is served now. */
	ask_op(0, a.session, OP_ECHO, 1);
	DONE(notify_take(n, &bits));
	EQ(bits, 0);
	DONE(next(a.port, &e));
	DONE(reply(e.cmd, 1));
	ask_end(0, 1);
	place_drop(&a);
	/* The Notify goes first; the Port goes first. */
	place_make(&a, 0, BADGE);
	DONE(notify_bind(n, 5, a.port));        /* a bit stays bound */
	DONE(handle_close(n));
	EQ(ipc_call(a.session, &(struct msg){ .op = 1, .deadline = now_ns() + NS_PER_MS }), ERR_TIMED_OUT);
	DONE(notify_create(&n));
	DONE(notify_bind(n, 1, a.port));
	place_drop(&a);
	DONE(handle_close(n));
}

/* ---- identities ---- */

static void identities(void)
{
	struct event e;
	struct cmd_info info[3], again;
	struct child c;
	place_make(&a, 0, BADGE);
	place_make(&b, 0, OTHER);
	STILL_FINE();
	EQ(cmd_info(0, &again), ERR_NOT_FOUND);
	for (unsigned i = 0; i < 3; i++) {
		ask_op(i, a.session, OP_HOLD, i);
		DONE(next(a.port, &e));
		DONE(cmd_info(e.cmd, &info[i]));
		DONE(cmd_info(e.cmd, &again));
		EQ(again.op_id, info[i].op_id);
		EQ(info[i].accept_order, i + 1);
		CHECK(info[i].op_id && (!i || info[i].op_id != info[0].op_id) && (i < 2 || info[2].op_id != info[1].op_id));
		DONE(reply(e.cmd, OK));
		ask_end(i, OK);
		EQ(cmd_info(e.cmd, &again), ERR_NOT_FOUND);
	}
	place_drop(&a);
	/* A server that asks others for it, dies, and does it again: the same names, in the order of its calls. */
	for (uint64_t asked = 0; asked < 2; asked++) {
		place_make(&a, 0, BADGE);
		STILL_FINE();
		ask_op(0, a.session, OP_SUB, asked);
		for (unsigned life = 0; life < 2; life++) {
			obey_start(&c);
			STILL_FINE();
			for (unsigned i = 0; i < 3; i++) {
				DONE(next(b.port, &e));
				EQ(e.w[0], i);
				DONE(cmd_info(e.cmd, life ? &again : &info[i]));
				if (life)
					CHECK(again.op_id == info[i].op_id);
				DONE(reply(e.cmd, OK));
			}
			CHECK(info[0].op_id != info[1].op_id && info[1].op_id != info[2].op_id && info[0].op_id != info[2].op_id);
			pause_ms(SHORT_MS);
			if (life)
				ask_end(0, OK);
			DONE(child_kill(&c));
		}
		place_drop(&a);
		STILL_FINE();
	}
	place_drop(&b);
}

/* ---- who serves, and in what order ---- */

/* One process alone serves an attached Port; who comes after it ends it. */
static void attached(void)
{
	struct child c, d;
	struct process_info end;
	handle_t weak;
	b = (struct place){ 0 };
	place_make(&a, 0, BADGE);
	obey_start(&c);
	STILL_FINE();
	DONE(handle_dup(a.port, RIGHT_SERVE, &weak));
	EQ(port_attach(weak, c.process), ERR_DENIED);
	DONE(handle_close(weak));
	EQ(port_attach(a.port, a.port), ERR_WRONG_TYPE);
	EQ(port_attach(a.session, c.process), ERR_WRONG_TYPE);
	DONE(port_attach(a.port, c.process));
	DONE(port_attach(a.port, c.process));
	uint64_t w[IPC_WORDS] = { 5 };
	DONE(ipc_call_words(a.session, OP_ECHO, w));
	EQ(w[0], 6);
	EQ(nothing(a.port), ERR_TIMED_OUT);     /* not ours to serve */
	/* The next one may come before it is let in, and waits. */
	obey_start(&d);
	STILL_FINE();
	child_settle(&d);
	ask_op(0, a.session, OP_HOLD, 1);
	DONE(port_attach(a.port, d.process));
	DONE(child_wait(&c, LONG_MS, &end));
	EQ(end.exit_kind, EXIT_KILLED);
	w[0] = 7;
	DONE(ipc_call_words(a.session, OP_ECHO, w));
	EQ(w[0], 8);
	/* Nobody: commands wait, and what it had comes to whoever is next. */
	DONE(port_attach(a.port, 0));
	DONE(child_wait(&d, LONG_MS, &end));
	EQ(end.exit_kind, EXIT_KILLED);
	w[0] = 0;
	struct msg late = { .op = OP_ECHO, .deadline = now_ns() + 20 * NS_PER_MS };
	EQ(ipc_call(a.session, &late), ERR_TIMED_OUT);
	obey_start(&c);
	STILL_FINE();
	DONE(port_attach(a.port, c.process));
	DONE(ipc_call_words(a.session, OP_ECHO, w));
	EQ(w[0], 1);
	DONE(child_kill(&c));
	EQ(port_attach(a.port, 0), OK);
	DONE(handle_close(a.port));
	ask_end(0, ERR_GONE);
	DONE(handle_close(a.session));
}

/* The next instance is given nothing while something that the last one had sent is still under way. */
static void attached_late(void)
{
	struct child c, d;
	struct event e;
	place_make(&a, 0, BADGE);
	place_make(&b, 0, OTHER);
	obey_start(&c);
	STILL_FINE();
	DONE(port_attach(a.port, c.process));
	ask_op(0, a.session, OP_SUB, 0);
	DONE(next(b.port, &e));
	EQ(e.w[0], 0);
	cmd_id_t held = e.cmd;
	DONE(child_kill(&c));
	DONE(next(b.port, &e));
	EQ(e.kind, ACCEPT_CANCEL);
	EQ(e.cmd, held);
	obey_start(&d);
	STILL_FINE();
	DONE(port_attach(a.port, d.process));
	for (unsigned i = 0; i < 5; i++)
		EQ(nothing(b.port), ERR_TIMED_OUT);
	DONE(reply(held, OK));
	for (unsigned i = 0; i < 3; i++) {
		DONE(next(b.port, &e));
		EQ(e.kind, ACCEPT_COMMAND);
		EQ(e.w[0], i);
		DONE(reply(e.cmd, OK));
	}
	ask_end(0, OK);
	DONE(child_kill(&d));
	place_drop(&a);
	place_drop(&b);
}

/* A Port may go while something that its dead server had sent is still under way. */
static void attached_gone(void)
{
	struct child c;
	struct event e;
	place_make(&a, 0, BADGE);
	place_make(&b, 0, OTHER);
	obey_start(&c);
	STILL_FINE();
	DONE(port_attach(a.port, c.process));
	ask_op(0, a.session, OP_SUB, 0);
	DONE(next(b.port, &e));
	cmd_id_t held = e.cmd;
	DONE(child_kill(&c));
	DONE(next(b.port, &e));
	EQ(e.kind, ACCEPT_CANCEL);
	DONE(handle_close(a.port));
	ask_end(0, ERR_GONE);
	DONE(handle_close(a.session));
	DONE(reply(held, OK));
	place_drop(&b);
}

static const struct budget_limits small = { .pages = 500, .kernel_bytes = MiB, .handles = 100, .threads = 4, .commands = 32, .processes = 2 };

/* Who pays takes turns: a crowd of one payer's commands does not keep another's waiting. */
static void turns(void)
{
	static const uint64_t order[] = { 0, 77, 1, 2 };
	struct child c;
	struct event e;
	handle_t budget;
	place_make(&a, 0, BADGE);
	STILL_FINE();
	for (unsigned i = 0; i < 3; i++)
		ask_op(i, a.session, OP_ECHO, i);
	DONE(budget_create(0, &small, &budget));
	struct spawn_handle give[] = { { .name = "session", .handle = a.session } };
	DONE(child_start(&c, "call-77", NULL, give, 1, budget, 0));
	pause_ms(50);
	for (unsigned i = 0; i < ARRAY_LEN(order); i++) {
		DONE(next(a.port, &e));
		EQ(e.w[0], order[i]);
		DONE(reply(e.cmd, OK));
	}
	for (unsigned i = 0; i < 3; i++)
		ask_end(i, OK);
	DONE(child_kill(&c));
	DONE(handle_close(budget));
	place_drop(&a);
}

/* One Session has no more than so many commands in the queue. */
static void flood(void)
{
	struct event e;
	place_make(&a, 0, BADGE);
	place_make(&b, 0, OTHER);
	STILL_FINE();
	DONE(port_reserve(b.port, PORT_RESERVE_MAX));
	for (unsigned i = 0; i < PORT_RESERVE_MAX; i++)
		DONE(ipc_submit(a.session, &(struct msg){ .op = OP_ECHO }, b.port, i));
	EQ(ipc_call(a.session, &(struct msg){ .op = OP_ECHO, .deadline = now_ns() + NS_PER_SEC }), ERR_LIMIT);
	DONE(next(a.port, &e));
	EQ(ipc_call(a.session, &(struct msg){ .op = OP_ECHO, .deadline = now_ns() + NS_PER_MS }), ERR_TIMED_OUT);
	DONE(reply(e.cmd, OK));
	place_drop(&a);
	place_drop(&b);
}

/* What is wanted back and never answered goes on without its sender, after a while. */
static void grace(void)
{
	struct event e, f;
	place_make(&a, 0, BADGE);
	place_make(&b, 0, OTHER);
	STILL_FINE();
	DONE(port_reserve(b.port, 1));
	DONE(ipc_submit(a.session, &(struct msg){ .op = OP_HOLD }, b.port, 9));
	DONE(next(a.port, &e));
	ask_op(0, a.session, OP_HOLD, 1);
	DONE(next(a.port, &f));
	DONE(cancel(b.port, 9));
	DONE(thread_interrupt(asks[0].w.thread));
	ask_end(0, ERR_TIMED_OUT);
	struct event done;
	DONE(ipc_accept(b.port, now_ns() + 10 * NS_PER_SEC, &done));
	EQ(done.kind, ACCEPT_COMPLETION);
	EQ(done.cmd, 9);
	EQ(done.status, ERR_TIMED_OUT);
	DONE(reply(e.cmd, OK));
	DONE(reply(f.cmd, OK));
	EQ(nothing(b.port), ERR_TIMED_OUT);
	/* Its place in the reserve is there again. */
	DONE(ipc_submit(a.session, &(struct msg){ .op = OP_HOLD }, b.port, 10));
	EQ(ipc_submit(a.session, &(struct msg){ .op = OP_HOLD }, b.port, 11), ERR_AGAIN);
	place_drop(&a);
	place_drop(&b);
}

const struct test recovery_tests[] = {
	{ "serving-attached", attached },
	{ "serving-late", attached_late },
	{ "serving-gone", attached_gone },
	{ "serving-turns", turns },
	{ "serving-flood", flood },
	{ "serving-grace", grace },
	{ "recovery-submit", submit },
	{ "recovery-served-itself", served_itself },
	{ "recovery-submit-port-dies", submit_port_dies },
	{ "recovery-refused-in-a-row", refused_in_a_row },
	{ "recovery-holds-its-port", holds_its_port },
	{ "recovery-submitter-dies", submitter_dies },
	{ "recovery-cancel", cancels },
	{ "recovery-caller-leaves", caller_leaves },
	{ "recovery-cancel-redelivered", cancel_redelivered },
	{ "recovery-forward", forwards },
	{ "recovery-forward-far", forward_far },
	{ "recovery-forward-redelivered", forward_redelivered },
	{ "recovery-forward-cancelled", forward_cancelled },
	{ "recovery-order", recovered },
	{ "recovery-at-once", recovered_at_once },
	{ "recovery-in-pieces", recovered_in_pieces },
	{ "recovery-left-meanwhile", left_meanwhile },
	{ "recovery-suspect", suspect_alone },
	{ "recovery-poisoned", poisoned },
	{ "recovery-heartbeat", heartbeat },
	{ "recovery-suspect-siblings", suspect_siblings },
	{ "recovery-given-up", given_up },
	{ "recovery-interrupt", interrupts },
	{ "recovery-wanted", wanted },
	{ "recovery-identities", identities },
	{ NULL, NULL },
};

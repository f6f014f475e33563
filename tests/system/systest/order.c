/*
 * order: how urgent a server is, and whom it may ask. Servers here are threads of this process that do one step
 * at a time when told, so that the kernel's list of threads can be read in between; whoever has a level is a child.
 */
#include <stdio.h>
#include <stdlib.h>
#include "test.h"

enum { LOW = 4, MIDDLE = 7, HIGH = 10 };        /* below this process's own */
enum { OP = 1, SHORT_MS = 5, LONG_MS = 2000, ASKS = 4 };
enum step { NOTHING, ACCEPT, RETURN, RETURN_ACCEPT, FORWARD, SUBMIT, CALL, PLAIN_CALL, QUIT };

static struct server {
	handle_t port, session;
	struct worker w;
	struct event e;                         /* accepted last */
	volatile enum step step;                /* NOTHING: done */
	volatile status_t result;
	handle_t to;                            /* a Session; of FORWARD, SUBMIT and calls */
} a, b, c;

static handle_t self;

/* ---- servers ---- */

static status_t do_step(struct server *s)
{
	struct msg m = { .op = OP, .in = "x", .in_len = 1 };
	uint64_t w[IPC_WORDS] = { 0 };
	switch (s->step) {
	case ACCEPT: return ipc_accept(s->port, FOREVER, &s->e);     /* without a deadline: the short path */
	case RETURN: return ipc_return(s->e.cmd, &(struct reply){ .status = OK });
	case RETURN_ACCEPT: return ipc_return_accept(s->e.cmd, &(struct reply){ .status = OK }, s->port, &s->e);
	case FORWARD: return forward(s->e.cmd, s->to, 0, RIGHT_ALL);
	case SUBMIT: return ipc_submit(s->to, &m, s->port, 1);
	case CALL: return ipc_call(s->to, &m);
	case PLAIN_CALL: return ipc_call_words(s->to, OP, w);
	default: return OK;
	}
}

static void serve(struct worker *w)
{
	struct server *s = w->arg;
	for (bool on = true; on; s->step = NOTHING) {
		while (s->step == NOTHING)
			thread_sleep(now_ns() + NS_PER_MS);
		on = s->step != QUIT;
		s->result = do_step(s);
	}
}

static void begin(struct server *s, enum step step, handle_t to)
{
	s->to = to;
	s->step = step;
	pause_ms(SHORT_MS);
}

static void finish(struct server *s)
{
	for (unsigned i = 0; s->step != NOTHING && i < LONG_MS; i++)
		pause_ms(1);
	if (s->step != NOTHING) {
		(void)!thread_interrupt(s->w.thread);
		pause_ms(SHORT_MS);
	}
	EQ(s->step, NOTHING);
	DONE(s->result);
}

static void tell(struct server *s, enum step step, handle_t to)
{
	begin(s, step, to);
	finish(s);
}

static void server_make(struct server *s)
{
	*s = (struct server){ 0 };
	DONE(port_create(0, &s->port));
	DONE(session_create(s->port, 0, RIGHT_READ | RIGHT_WRITE, &s->session));
	DONE(port_reserve(s->port, 1));
	DONE(worker_start(&s->w, serve, s, LOW));
}

static void server_drop(struct server *s)
{
	tell(s, QUIT, 0);
	DONE(worker_join(&s->w));
	DONE(handle_close(s->session));
	DONE(handle_close(s->port));
}

static int priority_of(const struct server *s)
{
	struct handle_info info;
	struct thread_info thread;
	uint32_t got;
	if (handle_info(s->w.thread, &info) < 0 || thread_list(self, info.object_id, &thread, 1, &got) < 0 || got != 1 || thread.id != info.object_id)
		return -1;
	return (int)thread.priority;
}

static void self_open(void)
{
	struct process_info info;
	DONE(process_info(0, &info));
	CHECK(info.priority > HIGH);
	DONE(process_open(res_info, info.pid, &self));
}

/* ---- callers that wait ---- */

static struct ask { handle_t session; uint64_t ms; bool plain; struct worker w; } asks[ASKS];

static void ask_run(struct worker *w)
{
	const struct ask *k = w->arg;
	uint64_t words[IPC_WORDS] = { (uint64_t)(k - asks) };
	struct msg m = { .op = OP, .w = { (uint64_t)(k - asks) }, .in = "x", .in_len = 1, .deadline = now_ns() + k->ms * NS_PER_MS };
	w->result = k->plain ? ipc_call_words(k->session, OP, words) : ipc_call(k->session, &m);
}

static void ask_for(unsigned i, const struct server *s, uint32_t priority, uint64_t ms)
{
	asks[i].session = s->session;
	asks[i].ms = ms;
	DONE(worker_start(&asks[i].w, ask_run, &asks[i], priority));
	worker_settle(&asks[i].w);
}

static void ask(unsigned i, const struct server *s, uint32_t priority)
{
	ask_for(i, s, priority, LONG_MS);
}

static void ask_end(unsigned i, status_t want)
{
	DONE(worker_join(&asks[i].w));
	EQ(asks[i].w.result, want);
}

/* The server has a command of LOW in hand. */
static void busy(struct server *s, unsigned i)
{
	begin(s, ACCEPT, 0);
	ask(i, s, LOW);
	finish(s);
	STILL_FINE();
	EQ(priority_of(s), LOW);
}

/* ---- lent priority ---- */

/* Whoever waits in the queue lends; with the answer, the withdrawal or the deadline it is over. */
static void lend_queue(void)
{
	self_open();
	server_make(&a);
	STILL_FINE();
	for (unsigned plain = 0; plain < 2; plain++) {
		for (unsigned i = 0; i < ASKS; i++)
			asks[i].plain = plain;
		busy(&a, 0);
		STILL_FINE();
		ask(1, &a, MIDDLE);
		EQ(priority_of(&a), MIDDLE);
		ask(2, &a, HIGH);
		EQ(priority_of(&a), HIGH);
		DONE(thread_interrupt(asks[2].w.thread));
		ask_end(2, ERR_INTERRUPTED);
		EQ(priority_of(&a), MIDDLE);
		if (!plain) {
			ask_for(2, &a, HIGH, 50);
			EQ(priority_of(&a), HIGH);
			ask_end(2, ERR_TIMED_OUT);
			EQ(priority_of(&a), MIDDLE);
		}
		/* The answer to LOW: MIDDLE still waits, then is in hand, then is answered. */
		tell(&a, RETURN, 0);
		ask_end(0, OK);
		EQ(priority_of(&a), MIDDLE);
		tell(&a, ACCEPT, 0);
		EQ(a.e.w[0], 1);
		EQ(priority_of(&a), MIDDLE);
		tell(&a, RETURN, 0);
		ask_end(1, OK);
		EQ(priority_of(&a), LOW);
		/* To a server that waits it comes with its priority. */
		begin(&a, ACCEPT, 0);
		ask(1, &a, HIGH);
		finish(&a);
		EQ(priority_of(&a), HIGH);
		begin(&a, RETURN_ACCEPT, 0);
		ask_end(1, OK);
		EQ(priority_of(&a), LOW);
		ask(1, &a, MIDDLE);
		finish(&a);
		EQ(priority_of(&a), MIDDLE);
		tell(&a, RETURN, 0);
		ask_end(1, OK);
		STILL_FINE();
	}
	server_drop(&a);
	DONE(handle_close(self));
}

/* A server that takes an event while somebody urgent waits is as urgent. */
static void lend_event(void)
{
	static const enum step ways[] = { ACCEPT, RETURN_ACCEPT };
	handle_t n;
	self_open();
	server_make(&a);
	STILL_FINE();
	DONE(notify_create(&n));
	DONE(notify_port(n, a.port, 7));
	for (unsigned i = 0; i < ARRAY_LEN(ways); i++) {
		busy(&a, 0);
		STILL_FINE();
		ask(1, &a, HIGH);
		DONE(notify_signal(n, 1));
		tell(&a, ways[i], 0);
		EQ(a.e.kind, ACCEPT_NOTIFY);
		EQ(priority_of(&a), HIGH);
		tell(&a, ACCEPT, 0);
		EQ(a.e.w[0], 1);
		EQ(priority_of(&a), HIGH);
		tell(&a, RETURN, 0);
		ask_end(1, OK);
		EQ(priority_of(&a), LOW);
		if (ways[i] == ACCEPT) {
			/* What is left is the caller of before, whom nobody has answered: it leaves. */
			DONE(thread_interrupt(asks[0].w.thread));
			tell(&a, ACCEPT, 0);
			EQ(a.e.kind, ACCEPT_CANCEL);
			tell(&a, RETURN, 0);
		}
		ask_end(0, OK);
		STILL_FINE();
	}
	DONE(handle_close(n));
	server_drop(&a);
	DONE(handle_close(self));
}

/* What is passed on is as urgent as its caller, on whichever path it came and whether the next server waits or not. */
static void lend_forward(void)
{
	self_open();
	server_make(&a);
	server_make(&b);
	STILL_FINE();
	for (unsigned i = 0; i < 4; i++) {
		bool waits = i & 1;
		asks[2].plain = i & 2;
		asks[0].plain = asks[1].plain = false;
		begin(&a, ACCEPT, 0);
		ask(2, &a, HIGH);
		finish(&a);
		EQ(priority_of(&a), HIGH);
		if (waits) {
			begin(&b, ACCEPT, 0);
		} else {
			busy(&b, 0);
			ask(1, &b, MIDDLE);
			EQ(priority_of(&b), MIDDLE);
		}
		tell(&a, FORWARD, b.session);
		STILL_FINE();
		if (waits)
			finish(&b);
		EQ(priority_of(&b), HIGH);
		if (!waits) {
			tell(&b, RETURN, 0);
			ask_end(0, OK);
			EQ(priority_of(&b), HIGH);
			tell(&b, ACCEPT, 0);
			EQ(b.e.w[0], 2);        /* before MIDDLE, who came earlier */
			EQ(priority_of(&b), HIGH);
		}
		tell(&b, RETURN, 0);
		ask_end(2, OK);
		if (!waits) {
			tell(&b, ACCEPT, 0);
			EQ(b.e.w[0], 1);
			tell(&b, RETURN, 0);
			ask_end(1, OK);
		}
		EQ(priority_of(&b), LOW);
		STILL_FINE();
	}
	server_drop(&b);
	server_drop(&a);
	DONE(handle_close(self));
}

/* What a server submits for a command is as urgent as the command. */
static void lend_submit(void)
{
	self_open();
	server_make(&a);
	server_make(&b);
	STILL_FINE();
	for (unsigned waits = 0; waits < 2; waits++) {
		asks[2].plain = waits;
		begin(&a, ACCEPT, 0);
		ask(2, &a, HIGH);
		finish(&a);
		if (waits) {
			begin(&b, ACCEPT, 0);
		} else {
			busy(&b, 0);
			ask(1, &b, MIDDLE);
		}
		tell(&a, SUBMIT, b.session);
		STILL_FINE();
		if (waits)
			finish(&b);
		EQ(priority_of(&b), HIGH);
		if (!waits) {
			/* Withdrawn, it lends no longer. */
			DONE(cancel(a.port, 1));
			EQ(priority_of(&b), MIDDLE);
			tell(&a, RETURN, 0);
			ask_end(2, OK);
			tell(&a, ACCEPT, 0);
			EQ(a.e.kind, ACCEPT_COMPLETION);
			EQ(a.e.status, ERR_CANCELLED);
			tell(&b, RETURN, 0);
			ask_end(0, OK);
			tell(&b, ACCEPT, 0);
			tell(&b, RETURN, 0);
			ask_end(1, OK);
		} else {
			tell(&b, RETURN, 0);
			tell(&a, RETURN, 0);
			ask_end(2, OK);
			tell(&a, ACCEPT, 0);
			EQ(a.e.kind, ACCEPT_COMPLETION);
		}
		EQ(priority_of(&b), LOW);
		STILL_FINE();
	}
	server_drop(&b);
	server_drop(&a);
	DONE(handle_close(self));
}

/* Who waits at the first lends to the last, whether the chain was there before it came or not. */
static void lend_chain(void)
{
	self_open();
	server_make(&a);
	server_make(&b);
	server_make(&c);
	STILL_FINE();
	for (unsigned i = 0; i < 4; i++) {
		enum step call = i & 1 ? PLAIN_CALL : CALL;
		bool late = i & 2;
		unsigned urgent = late ? 1 : 0;
		asks[0].plain = asks[1].plain = false;
		begin(&a, ACCEPT, 0);
		begin(&b, ACCEPT, 0);
		begin(&c, ACCEPT, 0);
		ask(0, &a, late ? LOW : HIGH);
		finish(&a);
		begin(&a, call, b.session);
		finish(&b);
		begin(&b, call, c.session);
		finish(&c);
		STILL_FINE();
		if (late) {
			EQ(priority_of(&c), LOW);
			ask(1, &a, HIGH);
		}
		EQ(priority_of(&a), HIGH);
		EQ(priority_of(&b), HIGH);
		EQ(priority_of(&c), HIGH);
		tell(&c, RETURN, 0);
		finish(&b);
		EQ(priority_of(&c), LOW);
		EQ(priority_of(&b), HIGH);
		tell(&b, RETURN, 0);
		finish(&a);
		EQ(priority_of(&b), LOW);
		tell(&a, RETURN, 0);
		ask_end(0, OK);
		if (late) {
			tell(&a, ACCEPT, 0);
			EQ(priority_of(&a), HIGH);
			tell(&a, RETURN, 0);
			ask_end(urgent, OK);
		}
		EQ(priority_of(&a), LOW);
		STILL_FINE();
	}
	server_drop(&c);
	server_drop(&b);
	server_drop(&a);
	DONE(handle_close(self));
}

/* What it is for: somebody who computes cannot keep an urgent caller waiting for a server that is less urgent. */
static volatile bool computing;

static void compute(struct worker *w)
{
	for (uint64_t end = now_ns() + LONG_MS * NS_PER_MS; computing && now_ns() < end;)
		w->value[0]++;
}

static void lend_inversion(void)
{
	static struct worker hog;
	self_open();
	server_make(&a);
	busy(&a, 0);
	STILL_FINE();
	computing = true;
	DONE(worker_start(&hog, compute, NULL, MIDDLE));
	pause_ms(SHORT_MS);
	CHECK(hog.value[0] > 0);
	ask(1, &a, HIGH);
	tell(&a, RETURN, 0);
	tell(&a, ACCEPT, 0);
	begin(&a, RETURN, 0);
	ask_end(1, OK);
	bool in_time = !hog.done;
	computing = false;
	DONE(worker_join(&hog));
	CHECK(in_time);
	finish(&a);
	ask_end(0, OK);
	server_drop(&a);
	DONE(handle_close(self));
}

/* ---- slices ---- */

enum { WAKES = 31, SLICE_US = 10000 };

static void wake_often(struct worker *w)
{
	static uint64_t late[WAKES];
	for (unsigned i = 0; i < WAKES; i++) {
		uint64_t due = now_ns() + NS_PER_MS;
		(void)thread_sleep(due);
		uint64_t us = (now_ns() - due) / 1000;
		unsigned at = i;
		for (; at > 0 && late[at - 1] > us; at--)
			late[at] = late[at - 1];
		late[at] = us;
	}
	w->value[0] = late[WAKES / 4];          /* the host may take the machine's processors away for longer */
}

static uint64_t last_cpu;                       /* all of it happens there: a test machine may have more CPUs than its host */

static void pinned(struct worker *w)
{
	w->result = thread_set_affinity(0, last_cpu);
	if (w->arg)
		wake_often(w);
	else
		compute(w);
}

/* One that computes delays one that wakes often by the rest of its slice, and one more urgent not at all. */
static void slice_hog(void)
{
	static struct worker hog;
	struct worker wakes;
	struct kstat k;
	DONE(kstat(res_info, &k));
	last_cpu = 1ull << (k.cpus - 1);
	computing = true;
	DONE(worker_start(&hog, pinned, NULL, MIDDLE));
	DONE(worker_start(&wakes, pinned, &wakes, HIGH));
	DONE(worker_join(&wakes));
	DONE(wakes.result);
	uint64_t urgent = wakes.value[0];
	DONE(worker_start(&wakes, pinned, &wakes, MIDDLE));
	DONE(worker_join(&wakes));
	computing = false;
	DONE(worker_join(&hog));
	CHECK(hog.value[0] > 0);
	CHECK(urgent < SLICE_US / 4);
	CHECK(wakes.value[0] > urgent && wakes.value[0] < SLICE_US * 3 / 2);
}

/* Its own priority, set while it is lent one, is what it has afterwards. */
static volatile bool close_seen, close_over;

static void take_close(struct worker *w)
{
	const struct server *s = w->arg;
	struct event e;
	w->result = ipc_accept(s->port, FOREVER, &e);
	w->value[0] = e.kind;
	close_seen = true;
	while (!close_over)
		pause_ms(1);
	(void)ipc_return(e.cmd, &(struct reply){ .status = OK });
}

/* CLOSE comes from nobody: it lends what the maker of the Session could have given, and no more. */
static void lend_close(void)
{
	struct process_info info;
	struct server s = { 0 };
	self_open();
	DONE(process_info(0, &info));
	CHECK(info.priority < PRIORITY_SERVICE);
	close_seen = close_over = false;
	DONE(port_create(0, &s.port));
	DONE(session_create(s.port, 1, RIGHT_READ, &s.session));
	DONE(worker_start(&s.w, take_close, &s, LOW));
	DONE(handle_close(s.session));
	while (!close_seen)
		pause_ms(1);
	EQ(priority_of(&s), info.priority);
	close_over = true;
	DONE(worker_join(&s.w));
	EQ(s.w.result, OK);
	EQ(s.w.value[0], ACCEPT_CLOSE);
	DONE(handle_close(s.port));
	DONE(handle_close(self));
}

static void lend_and_set(void)
{
	self_open();
	server_make(&a);
	busy(&a, 0);
	STILL_FINE();
	ask(1, &a, HIGH);
	DONE(thread_set_priority(a.w.thread, MIDDLE));
	EQ(priority_of(&a), HIGH);
	tell(&a, RETURN, 0);
	ask_end(0, OK);
	tell(&a, ACCEPT, 0);
	EQ(priority_of(&a), HIGH);
	tell(&a, RETURN, 0);
	ask_end(1, OK);
	EQ(priority_of(&a), MIDDLE);
	DONE(thread_set_priority(a.w.thread, LOW));
	EQ(priority_of(&a), LOW);
	server_drop(&a);
	DONE(handle_close(self));
}

/* ---- levels ---- */

enum { SERVED = 50, PROGRAM = 100 };

static int serve_all(int argc unused, char **argv unused)
{
	for (;;) {
		struct event e;
		MUST(ipc_accept(start_handle("port"), FOREVER, &e));
		if (e.kind == ACCEPT_COMMAND || e.kind == ACCEPT_CLOSE)
			MUST(ipc_return(e.cmd, &(struct reply){ .status = 5 }));
	}
}

/* Calls in every way there is; 0: all were refused, 1: all were answered, 2: it depends. */
static int call_all(int argc unused, char **argv unused)
{
	handle_t to = start_handle("session");
	uint64_t w[IPC_WORDS] = { 1 };
	char text[100] = "x";
	const status_t got[] = {
		ipc_call_words(to, OP, w),
		ipc_call(to, &(struct msg){ .op = OP, .in = text, .in_len = 1 }),
		ipc_call(to, &(struct msg){ .op = OP, .in = text, .in_len = 1, .flags = IPC_PATH }),
		ipc_call(to, &(struct msg){ .op = OP, .in = text, .in_len = sizeof(text), .flags = IPC_PATH }),
		ipc_call(to, &(struct msg){ .op = OP, .deadline = now_ns() + LONG_MS * NS_PER_MS }),
		ipc_call(to, &(struct msg){ .op = OP, .handles = { to } }),
	};
	unsigned refused = 0, answered = 0;
	for (unsigned i = 0; i < ARRAY_LEN(got); i++) {
		refused += got[i] == ERR_LOOP;
		answered += got[i] == 5;
	}
	return refused == ARRAY_LEN(got) ? 0 : answered == ARRAY_LEN(got) ? 1 : 2;
}

/* Asks upwards without waiting; 1: it is answered. */
static int submit_up(int argc unused, char **argv unused)
{
	struct event e;
	handle_t port;
	MUST(port_create(0, &port));
	MUST(port_reserve(port, 1));
	if (ipc_submit(start_handle("session"), &(struct msg){ .op = OP }, port, 1) < 0)
		return 0;
	MUST(ipc_accept(port, now_ns() + LONG_MS * NS_PER_MS, &e));
	return e.kind == ACCEPT_COMPLETION && e.status == 5;
}

const struct deed order_deeds[] = {
	{ "serve-all", serve_all },
	{ "call-all", call_all },
	{ "submit-up", submit_up },
	{ NULL, NULL },
};

static void child_at(struct child *k, const char *deed, uint32_t level, const char *name, handle_t give)
{
	const char *argv[] = { "systest", "-d", deed };
	struct spawn_handle given[] = { { .name = name, .handle = give } };
	struct process_info info;
	DONE(process_info(0, &info));
	struct spawn s = { .name = deed, .image = own_image, .image_size = own_image_size, .argc = ARRAY_LEN(argv), .argv = argv,
		.handles = given, .n_handles = 1, .priority = info.priority, .level = level };
	DONE(spawn(&s, &k->process, &k->pid, NULL));
}

static void outcome(const char *deed, uint32_t level, handle_t session, int want)
{
	struct child k;
	struct process_info end;
	child_at(&k, deed, level, "session", session);
	STILL_FINE();
	DONE(child_wait(&k, LONG_MS, &end));
	EQ(end.exit_kind, EXIT_NORMAL);
	EQ(end.exit_status, want);
}

/* How often the log says so, from byte *seq on; leaves *seq at its end. */
static unsigned told(const char *line, uint64_t *seq)
{
	static char text[4096];
	unsigned hits = 0;
	for (uint64_t done = 1, next; done; *seq = next) {
		if (log_read(res_info, *seq, text, sizeof(text) - 1, &done, &next) < 0)
			return 0;
		text[done] = 0;
		for (const char *at = text; (at = strstr(at, line)); at++)
			hits++;
	}
	return hits;
}

/* Calls go downwards; without waiting, upwards too. Programs are asked by whoever likes. */
static void levels(void)
{
	static const struct { uint32_t server, caller; bool refused; } cases[] = {
		{ SERVED, SERVED - 1, true }, { SERVED, SERVED, true }, { SERVED, SERVED + 1, false }, { SERVED, PROGRAM, false },
		{ PROGRAM, SERVED, false }, { PROGRAM, PROGRAM, false },
	};
	handle_t port, session;
	struct child server;
	uint64_t seq = 0;
	DONE(port_create(0, &port));
	DONE(session_create(port, 0, RIGHT_READ | RIGHT_WRITE, &session));
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		char line[100];
		snprintf(line, sizeof(line), "call-all (level %u) calls serve-all (level %u): refused", cases[i].caller, cases[i].server);
		child_at(&server, "serve-all", cases[i].server, "port", port);
		STILL_FINE();
		child_settle(&server);
		(void)told(line, &seq);
		outcome("call-all", cases[i].caller, session, cases[i].refused ? 0 : 1);
		outcome("submit-up", cases[i].caller, session, 1);
		EQ(told(line, &seq), cases[i].refused ? 6 : 0);
		DONE(child_kill(&server));
	}
	DONE(handle_close(session));
	DONE(handle_close(port));
}

const struct test order_tests[] = {
	{ "lend-queue", lend_queue },
	{ "lend-event", lend_event },
	{ "lend-forward", lend_forward },
	{ "lend-submit", lend_submit },
	{ "lend-chain", lend_chain },
	{ "lend-inversion", lend_inversion },
	{ "lend-set", lend_and_set },
	{ "slice-hog", slice_hog },
	{ "lend-close", lend_close },
	{ "levels", levels },
	{ NULL, NULL },
};

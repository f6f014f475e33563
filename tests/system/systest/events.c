/*
 * events: Notify bits, timers, what is bound to ends, how they reach a Port, and who runs first.
 */
#include "test.h"

enum { WAIT_MS = 2000 };

static void bits(void)
{
	handle_t n, port;
	uint64_t b;
	struct event e;
	DONE(notify_create(&n));
	DONE(notify_take(n, &b));
	EQ(b, 0);
	DONE(notify_signal(n, 5));
	DONE(notify_signal(n, 1ull << 63));
	DONE(notify_signal(n, 0));
	DONE(notify_take(n, &b));
	EQ(b, 5 | 1ull << 63);
	DONE(notify_take(n, &b));
	EQ(b, 0);
	DONE(port_create(0, &port));
	DONE(notify_signal(n, 8));
	DONE(notify_port(n, port, 99));                 /* bits that were there arrive too */
	DONE(ipc_accept(port, 1, &e));
	EQ(e.kind, ACCEPT_NOTIFY);
	EQ(e.badge, 99);
	EQ(e.w[0], 8);
	for (unsigned i = 0; i < 10; i++)
		DONE(notify_signal(n, 1ull << i));
	DONE(ipc_accept(port, 1, &e));                  /* once for all of them */
	EQ(e.w[0], 1023);
	EQ(ipc_accept(port, 1, &e), ERR_TIMED_OUT);
	DONE(notify_signal(n, 2));
	DONE(notify_port(n, 0, 0));
	EQ(ipc_accept(port, 1, &e), ERR_TIMED_OUT);
	DONE(notify_take(n, &b));
	EQ(b, 2);
	DONE(notify_port(n, port, 1));
	DONE(notify_signal(n, 2));
	DONE(handle_close(n));                          /* bits that were set before may still arrive, once */
	(void)ipc_accept(port, 1, &e);
	EQ(ipc_accept(port, 1, &e), ERR_TIMED_OUT);
	DONE(notify_create(&n));
	DONE(notify_port(n, port, 1));
	DONE(handle_close(port));
	DONE(notify_signal(n, 1));                      /* to a Port that is gone: kept */
	DONE(notify_take(n, &b));
	EQ(b, 1);
	DONE(handle_close(n));
}

static void timers(void)
{
	handle_t n, port;
	struct event e;
	DONE(notify_create(&n));
	DONE(port_create(0, &port));
	DONE(notify_port(n, port, 7));
	uint64_t begin = now_ns();
	DONE(notify_timer(n, 3, begin + 10 * NS_PER_MS, 0));
	DONE(ipc_accept(port, now_ns() + WAIT_MS * NS_PER_MS, &e));
	EQ(e.w[0], 8);
	CHECK(now_ns() >= begin + 10 * NS_PER_MS && now_ns() < begin + 100 * NS_PER_MS);
	EQ(ipc_accept(port, now_ns() + 15 * NS_PER_MS, &e), ERR_TIMED_OUT);     /* once */
	begin = now_ns();
	DONE(notify_timer(n, 0, begin + 2 * NS_PER_MS, 2 * NS_PER_MS));
	for (unsigned i = 0; i < 5; i++)
		DONE(ipc_accept(port, now_ns() + WAIT_MS * NS_PER_MS, &e));
	CHECK(now_ns() >= begin + 10 * NS_PER_MS);
	DONE(notify_timer(n, 0, FOREVER, 0));
	(void)notify_take(n, &(uint64_t){ 0 });
	EQ(ipc_accept(port, now_ns() + 6 * NS_PER_MS, &e), ERR_TIMED_OUT);
	DONE(notify_timer(n, 5, 1, 0));                 /* long past: at once */
	DONE(ipc_accept(port, now_ns() + WAIT_MS * NS_PER_MS, &e));
	EQ(e.w[0], 32);
	EQ(notify_timer(n, 64, 1, 0), ERR_INVALID);
	EQ(notify_timer(n, 0, 1, 1), ERR_INVALID);      /* a period that would keep the machine busy */
	/* Deadlines and periods at the ends of what a number holds. */
	for (unsigned i = 0; i < 4; i++) {
		uint64_t period[] = { UINT64_MAX, UINT64_MAX - 1, 1ull << 63, (1ull << 63) + 1 };
		status_t st = notify_timer(n, 6, now_ns() + 1000, period[i]);
		CHECK(st == OK || st == ERR_INVALID);
		if (st == OK)
			DONE(ipc_accept(port, now_ns() + WAIT_MS * NS_PER_MS, &e));
		EQ(ipc_accept(port, now_ns() + 3 * NS_PER_MS, &e), ERR_TIMED_OUT);
		DONE(notify_timer(n, 6, UINT64_MAX - 1, 0));
	}
	DONE(handle_close(n));                          /* with timers armed */
	DONE(handle_close(port));
}

static void many_timers(void)
{
	enum { N = 64 };
	handle_t n;
	uint64_t b, got = 0;
	DONE(notify_create(&n));
	uint64_t base = now_ns() + 2 * NS_PER_MS;
	for (uint32_t i = 0; i < N; i++)
		DONE(notify_timer(n, i, base + (i * 37 % N) * 50 * NS_PER_US, 0));
	for (unsigned i = 0; i < 100 && got != UINT64_MAX; i++) {
		pause_ms(1);
		DONE(notify_take(n, &b));
		EQ(got & b, 0);
		got |= b;
	}
	EQ(got, UINT64_MAX);
	DONE(handle_close(n));
}

static void sleep_brief(struct worker *w unused)
{
	pause_ms(5);
}

static void bindings(void)
{
	handle_t n, port, weak;
	struct event e;
	struct child c;
	static struct worker w;
	DONE(notify_create(&n));
	DONE(port_create(0, &port));
	DONE(notify_port(n, port, 1));
	DONE(worker_start(&w, sleep_brief, NULL, PRIORITY_NORMAL));
	DONE(notify_bind(n, 1, w.thread));
	EQ(notify_bind(n, 1, w.thread), ERR_EXISTS);
	DONE(ipc_accept(port, now_ns() + WAIT_MS * NS_PER_MS, &e));
	EQ(e.w[0], 2);
	DONE(notify_bind(n, 2, w.thread));              /* ended already: at once */
	DONE(ipc_accept(port, now_ns() + WAIT_MS * NS_PER_MS, &e));
	EQ(e.w[0], 4);
	DONE(worker_join(&w));
	DONE(child_start(&c, "exit", "3", NULL, 0, 0, 0));
	DONE(notify_bind(n, 5, c.process));
	DONE(ipc_accept(port, now_ns() + WAIT_MS * NS_PER_MS, &e));
	EQ(e.w[0], 32);
	DONE(notify_bind(n, 6, c.process));
	DONE(ipc_accept(port, now_ns() + WAIT_MS * NS_PER_MS, &e));
	EQ(e.w[0], 64);
	EQ(ipc_accept(port, now_ns() + 2 * NS_PER_MS, &e), ERR_TIMED_OUT);      /* each once */
	EQ(notify_bind(n, 64, c.process), ERR_INVALID);
	EQ(notify_bind(n, 7, n), ERR_WRONG_TYPE);
	EQ(notify_bind(n, 7, 0), ERR_BAD_HANDLE);
	DONE(handle_dup(c.process, RIGHT_DUP, &weak));
	EQ(notify_bind(n, 7, weak), ERR_DENIED);
	DONE(handle_close(weak));
	DONE(handle_close(c.process));
	/* Either end may go while the other still lives. */
	DONE(child_start(&c, "sleep", NULL, NULL, 0, 0, 0));
	DONE(notify_bind(n, 8, c.process));
	DONE(handle_close(n));
	DONE(child_kill(&c));
	DONE(notify_create(&n));
	DONE(notify_port(n, port, 2));
	DONE(child_start(&c, "sleep", NULL, NULL, 0, 0, 0));
	DONE(notify_bind(n, 9, c.process));
	DONE(process_kill(c.process, KILL_PLAIN));
	DONE(handle_close(c.process));
	DONE(ipc_accept(port, now_ns() + WAIT_MS * NS_PER_MS, &e));
	EQ(e.w[0], 512);
	DONE(handle_close(n));
	DONE(handle_close(port));
}

/* A Notify that heard of an end keeps nothing of who ended, and the bit is free for the next one, or for a timer. */
static void let_go(void)
{
	handle_t n, port;
	struct event e;
	struct child c;
	struct kstat before, now;
	DONE(notify_create(&n));
	DONE(port_create(0, &port));
	DONE(notify_port(n, port, 0));
	DONE(kstat(res_info, &before));
	for (unsigned i = 0; i < 8; i++) {
		DONE(child_start(&c, "exit", "3", NULL, 0, 0, 0));
		DONE(notify_bind(n, 5, c.process));
		DONE(ipc_accept(port, now_ns() + WAIT_MS * NS_PER_MS, &e));
		EQ(e.w[0], 32);
		if (i % 2) {
			DONE(notify_timer(n, 5, now_ns() + NS_PER_MS, 0));
			EQ(notify_bind(n, 5, c.process), ERR_EXISTS);
			DONE(ipc_accept(port, now_ns() + WAIT_MS * NS_PER_MS, &e));
			EQ(e.w[0], 32);
			DONE(notify_timer(n, 5, FOREVER, 0));
		}
		DONE(handle_close(c.process));
	}
	for (unsigned ms = 0; ms < WAIT_MS; ms++) {
		DONE(kstat(res_info, &now));
		if (now.objects[OBJ_PROCESS] == before.objects[OBJ_PROCESS])
			break;
		pause_ms(1);
	}
	EQ(now.objects[OBJ_PROCESS], before.objects[OBJ_PROCESS]);
	DONE(handle_close(n));
	DONE(handle_close(port));
}

static volatile uint64_t trace[8];
static volatile unsigned trace_n;
static handle_t go_port;

static void wait_go(struct worker *w)
{
	struct event e;
	w->result = ipc_accept(go_port, FOREVER, &e);
	trace[trace_n++ % 8] = (uint64_t)w->arg;
}

/* More wait for one event than are told in one go: each hears of it, and once. */
static void many_watchers(void)
{
	enum { NOTIFIES = 40, GONE = 8 };
	const uint64_t all = 0xffffffffffff;
	static handle_t n[NOTIFIES];
	struct child c;
	struct worker w;
	uint64_t bits;
	DONE(port_create(0, &go_port));
	DONE(worker_start(&w, wait_go, NULL, PRIORITY_NORMAL));
	DONE(child_start(&c, "sleep", NULL, NULL, 0, 0, 0));
	for (unsigned i = 0; i < NOTIFIES; i++) {
		DONE(notify_create(&n[i]));
		for (unsigned bit = 0; bit < 48; bit++)
			DONE(notify_bind(n[i], bit, bit < 32 ? c.process : w.thread));
	}
	DONE(handle_close(go_port));            /* ends the thread's wait, and with it the thread */
	DONE(worker_join(&w));
	DONE(process_kill(c.process, KILL_PLAIN));
	for (unsigned i = 0; i < GONE; i++)
		DONE(handle_close(n[i]));
	for (unsigned i = GONE; i < NOTIFIES; i++) {
		uint64_t seen = 0;
		for (unsigned ms = 0; ms < WAIT_MS && seen != all; ms++) {
			DONE(notify_take(n[i], &bits));
			EQ(seen & bits, 0);
			seen |= bits;
			if (seen != all)
				pause_ms(1);
		}
		EQ(seen, all);
		DONE(handle_close(n[i]));
	}
	DONE(handle_close(c.process));
}

/* The signal runs the waiter of higher priority before the signaller goes on; one of lower priority waits. */
static void priorities(void)
{
	static struct worker w;
	handle_t n;
	DONE(port_create(0, &go_port));
	DONE(notify_create(&n));
	DONE(notify_port(n, go_port, 1));
	trace_n = 0;
	DONE(worker_start(&w, wait_go, (void *)1, PRIORITY_NORMAL));
	pause_ms(2);
	DONE(thread_set_priority(0, PRIORITY_NORMAL - 1));
	DONE(notify_signal(n, 1));
	trace[trace_n++ % 8] = 2;
	DONE(thread_set_priority(0, PRIORITY_NORMAL));
	DONE(worker_join(&w));
	EQ(trace[0], 1);
	EQ(trace[1], 2);
	trace_n = 0;
	DONE(worker_start(&w, wait_go, (void *)1, PRIORITY_NORMAL - 1));
	pause_ms(2);
	DONE(notify_signal(n, 1));
	trace[trace_n++ % 8] = 2;
	DONE(worker_join(&w));
	EQ(trace[0], 2);
	EQ(trace[1], 1);
	EQ(thread_set_priority(0, PRIORITY_MAX + 1), ERR_INVALID);
	EQ(thread_set_priority(0, PRIORITY_MAX), ERR_INVALID);          /* above the process's own */
	EQ(thread_set_priority(n, 1), ERR_WRONG_TYPE);
	DONE(handle_close(n));
	DONE(handle_close(go_port));
}

static volatile bool spin_stop;

static void spin(struct worker *w)
{
	while (!spin_stop)
		w->value[0]++;
}

/* Threads of one priority share the processor though none of them gives it up. */
static void slices(void)
{
	static struct worker w[3];
	bool even = false;
	for (unsigned tries = 0; !even && tries < 5; tries++) {         /* the host may not have been fair */
		spin_stop = false;
		for (size_t i = 0; i < ARRAY_LEN(w); i++)
			DONE(worker_start(&w[i], spin, NULL, PRIORITY_NORMAL - 1));
		pause_ms(500);
		spin_stop = true;
		for (size_t i = 0; i < ARRAY_LEN(w); i++)
			DONE(worker_join(&w[i]));
		even = w[0].value[0] > 0;
		for (size_t i = 1; i < ARRAY_LEN(w); i++)
			even &= w[i].value[0] < 4 * w[0].value[0] && w[0].value[0] < 4 * w[i].value[0];
	}
	CHECK(even);
}

static void sleeping(void)
{
	uint64_t begin = now_ns();
	DONE(thread_sleep(begin + 10 * NS_PER_MS));
	CHECK(now_ns() >= begin + 10 * NS_PER_MS && now_ns() < begin + 100 * NS_PER_MS);
	DONE(thread_sleep(0));
	DONE(thread_sleep(begin));
	thread_yield();
	uint64_t last = now_ns();
	for (unsigned i = 0; i < 10000; i++) {
		uint64_t t = now_ns();
		CHECK(t >= last);
		last = t;
	}
}

/* ---- a hundred thousand ---- */

enum { MANY = 100000, MANY_EACH = 64, MANY_NOTIFIES = (MANY + MANY_EACH - 1) / MANY_EACH, MANY_CANCELLED = 4 };
static handle_t many_notify[MANY_NOTIFIES], many_port;
static uint64_t many_first;

/* Every timer has a deadline of its own, in no order, 5 us from the next. */
static uint64_t many_deadline(uint64_t i)
{
	return many_first + i * 7919 % MANY * 5 * NS_PER_US;
}

static status_t many_arm(uint64_t first)
{
	status_t st = OK;
	many_first = first;
	for (uint64_t i = 0; i < MANY && st == OK; i++)
		st = notify_timer(many_notify[i / MANY_EACH], i % MANY_EACH, many_deadline(i), 0);
	return st;
}

static void many_run(void)
{
	struct event e;
	uint64_t seen = 0, last = 0, early = 0, disorder = 0, strange = 0;
	struct kstat k;
	/* Once for a time that does not come here, so that it is known how long that takes; then anew. */
	uint64_t begin = now_ns();
	DONE(many_arm(begin + 3600 * NS_PER_SEC));
	uint64_t end = now_ns();
	DONE(many_arm(end + 4 * (end - begin) + 50 * NS_PER_MS));
	DONE(kstat(res_info, &k));
	CHECK(k.timers >= MANY);
	for (uint64_t i = 0; i < MANY; i += MANY_CANCELLED)
		DONE(notify_timer(many_notify[i / MANY_EACH], i % MANY_EACH, FOREVER, 0));
	CHECK(now_ns() < many_first);
	while (seen < MANY - MANY / MANY_CANCELLED) {
		DONE(ipc_accept(many_port, now_ns() + 60 * NS_PER_SEC, &e));      /* a sanitized kernel takes long */
		uint64_t now = now_ns(), first = UINT64_MAX;
		for (uint64_t bits = e.w[0]; bits; bits &= bits - 1, seen++) {
			uint64_t i = e.badge * MANY_EACH + (uint64_t)__builtin_ctzll(bits);
			strange += i % MANY_CANCELLED == 0;
			early += many_deadline(i) > now;
			first = MIN(first, many_deadline(i));
		}
		disorder += first < last;       /* a Notify queues for its first bit */
		last = first;
	}
	EQ(strange, 0);
	EQ(early, 0);
	EQ(disorder, 0);
	EQ(ipc_accept(many_port, now_ns() + NS_PER_MS, &e), ERR_TIMED_OUT);
}

/* In order and never early, and what was cancelled does not come; all of one CPU. */
static void hundred_thousand_timers(void)
{
	DONE(thread_set_affinity(0, 1));
	DONE(port_create(0, &many_port));
	for (uint64_t i = 0; i < MANY_NOTIFIES; i++) {
		DONE(notify_create(&many_notify[i]));
		DONE(notify_port(many_notify[i], many_port, i));
	}
	many_run();
	for (unsigned i = 0; i < MANY_NOTIFIES; i++)
		handle_close(many_notify[i]);
	handle_close(many_port);
}

const struct test event_tests[] = {
	{ "notify-bits", bits },
	{ "notify-timers", timers },
	{ "notify-many-timers", many_timers },
	{ "notify-hundred-thousand-timers", hundred_thousand_timers },
	{ "notify-bindings", bindings },
	{ "notify-lets-go", let_go },
	{ "notify-many-watchers", many_watchers },
	{ "priorities", priorities },
	{ "slices", slices },
	{ "sleep", sleeping },
	{ NULL, NULL },
};

/*
 * smp: what goes wrong only when things happen at the same time: calls between threads on all CPUs, wakes that meet a thread on its
 * way into a wait, pages that go while another CPU has them, the end of a process that runs everywhere.
 */
#include <rt/clock.h>
#include <stdio.h>
#include <stdlib.h>
#include "test.h"

enum { PAIRS = 4, CALLS = 1500, ROUNDS = 400, OP_DOUBLE = 1, OP_QUIT = 2, KILLS = 6, BUSY_MS = 4, EXITS = 200, LEAVERS = 14, STORM_MS = 700, TIMERS_MS = 300, OTHERS = 4000 };

static uint32_t cpus(void)
{
	struct kstat k;
	return kstat(res_info, &k) == OK ? k.cpus : 1;
}

/* ---- calls ---- */

static handle_t ports[PAIRS], sessions[PAIRS];
static uint32_t n_cpus;

static void serve(struct worker *w)
{
	handle_t port = ports[(uint64_t)w->arg];
	struct event e;
	if (w->value[1])
		w->result = thread_set_affinity(0, 1ull << w->value[0]);
	status_t st = ipc_accept(port, FOREVER, &e);
	while (st == OK && e.op == OP_DOUBLE) {
		struct reply r = { .w = { 2 * e.w[0], e.w[1] + 1 } };
		st = ipc_return_accept(e.cmd, &r, port, &e);
	}
	w->result = st == OK ? ipc_return(e.cmd, &(struct reply){ .status = OK }) : st;
}

static void call(struct worker *w)
{
	uint64_t pair = (uint64_t)w->arg, me = w->value[2];
	if (w->value[1] && thread_set_affinity(0, 1ull << w->value[0]) < 0)
		return;
	for (uint64_t i = 0; i < CALLS; i++) {
		uint64_t words[IPC_WORDS] = { i + me, i };
		status_t st = ipc_call_words(sessions[pair], OP_DOUBLE, words);
		if (st < 0 || words[0] != 2 * (i + me) || words[1] != i + 1) {
			w->value[5] = words[0];
			w->result = st < 0 ? st : 99;
			return;
		}
	}
	w->result = OK;
}

static void quit(handle_t session)
{
	uint64_t words[IPC_WORDS] = { 0 };
	(void)ipc_call_words(session, OP_QUIT, words);
}

/* n clients of as many servers, or all of one Port; bound to CPUs so that some pairs share one and some do not, or free. */
static void calls(bool one_port, bool bound)
{
	struct worker servers[PAIRS], clients[PAIRS];
	n_cpus = cpus();
	for (uint64_t i = 0; i < PAIRS; i++) {
		DONE(port_create(0, &ports[i]));
		DONE(session_create(ports[i], i, RIGHT_READ, &sessions[i]));
	}
	for (uint64_t i = 0; i < PAIRS; i++) {
		DONE(worker_start(&servers[i], serve, (void *)(one_port ? 0 : i), PRIORITY_NORMAL));
		servers[i].value[0] = i % n_cpus;
		servers[i].value[1] = bound;
	}
	for (uint64_t i = 0; i < PAIRS; i++) {
		DONE(worker_start(&clients[i], call, (void *)(one_port ? 0 : i), PRIORITY_NORMAL));
		clients[i].value[0] = (i + i / 2) % n_cpus;
		clients[i].value[1] = bound;
		clients[i].value[2] = i * 1000000;
	}
	for (unsigned i = 0; i < PAIRS; i++) {
		DONE(worker_join(&clients[i]));
		DONE(clients[i].result);
	}
	for (unsigned i = 0; i < PAIRS; i++)
		quit(sessions[one_port ? 0 : i]);
	for (unsigned i = 0; i < PAIRS; i++) {
		DONE(worker_join(&servers[i]));
		DONE(servers[i].result);
		DONE(handle_close(sessions[i]));
		DONE(handle_close(ports[i]));
	}
}

static void pairs(void)
{
	calls(false, true);
	STILL_FINE();
	calls(false, false);
}

static void crowd(void)
{
	calls(true, false);
	STILL_FINE();
	calls(true, true);
}

/* ---- wakes ---- */

static handle_t bell, bell_port;
static volatile uint64_t heard;

/* Waits again and again, now for a time that is over at once, now for one that never is. */
static void listen(struct worker *w)
{
	struct event e;
	uint64_t bits = 0;
	for (unsigned i = 0; heard < ROUNDS; i++) {
		status_t st = ipc_accept(bell_port, i % 3 ? now_ns() + i % 7 * 5000 : FOREVER, &e);
		if (st == OK && e.kind == ACCEPT_NOTIFY)
			bits |= e.w[0];
		else if (st != ERR_TIMED_OUT)
			w->value[0] = (uint64_t)st;
		if (bits == 3)
			bits = 0, heard = heard + 1;
	}
	w->result = OK;
}

static bool wait_for(volatile uint64_t *count, uint64_t n)
{
	for (uint64_t end = now_ns() + 5 * NS_PER_SEC; *count < n;)
		if (now_ns() > end)
			return false;
	return true;
}

/* No bit is lost, whatever the listener was doing. */
static void wakes(void)
{
	struct worker w;
	heard = 0;
	DONE(notify_create(&bell));
	DONE(port_create(0, &bell_port));
	DONE(notify_port(bell, bell_port, 0));
	DONE(worker_start(&w, listen, NULL, PRIORITY_NORMAL));
	bool alone = cpus() == 1;
	for (uint64_t i = 1; i <= ROUNDS; i++) {
		DONE(notify_signal(bell, 1));
		DONE(notify_signal(bell, 2));
		while (alone && heard < i)
			thread_yield();
		CHECK(wait_for(&heard, i));
	}
	DONE(worker_join(&w));
	EQ(w.value[0], 0);
	DONE(handle_close(bell));
	DONE(handle_close(bell_port));
}

static void sleep_for_ever(struct worker *w)
{
	while (w->value[0] < ROUNDS)
		if (thread_sleep(FOREVER) == ERR_INTERRUPTED)
			w->value[0]++;
	w->result = OK;
}

/* Each interruption ends one sleep: that under way, or the next. */
static void interrupts(void)
{
	struct worker w;
	bool alone = cpus() == 1;
	DONE(worker_start(&w, sleep_for_ever, NULL, PRIORITY_NORMAL));
	for (uint64_t i = 1; i <= ROUNDS; i++) {
		DONE(thread_interrupt(w.thread));
		while (alone && w.value[0] < i)
			thread_yield();
		CHECK(wait_for(&w.value[0], i));
	}
	DONE(worker_join(&w));
}

/* ---- priorities ---- */

enum { NAPPERS = 3, SHAKES = 4000 };
static struct { handle_t bell, port; struct worker w; volatile uint64_t heard; } nappers[NAPPERS];
static volatile bool shaken;

static void nap(struct worker *w)
{
	uint64_t me = (uint64_t)w->arg;
	struct event e;
	do {
		w->result = ipc_accept(nappers[me].port, FOREVER, &e);
		nappers[me].heard++;
	} while (w->result == OK && !(e.w[0] & 2));
}

static void wake_all(struct worker *w)
{
	w->result = thread_set_affinity(0, 1ull << (uint64_t)w->arg);
	while (w->result == OK && !shaken)
		for (unsigned i = 0; i < NAPPERS && w->result == OK; i++)
			w->result = notify_signal(nappers[i].bell, 1);
}

/* Whose priority changes while it is queued, now here, now there, stays in one queue, and the queue knows it. */
static void priorities(void)
{
	static struct worker wakers[2];
	uint64_t n = cpus();
	shaken = false;
	for (uint64_t i = 0; i < NAPPERS; i++) {
		nappers[i].heard = 0;
		DONE(notify_create(&nappers[i].bell));
		DONE(port_create(0, &nappers[i].port));
		DONE(notify_port(nappers[i].bell, nappers[i].port, 0));
		DONE(worker_start(&nappers[i].w, nap, (void *)i, PRIORITY_NORMAL));
	}
	for (uint64_t i = 0; i < ARRAY_LEN(wakers); i++)
		DONE(worker_start(&wakers[i], wake_all, (void *)(i % n), PRIORITY_NORMAL));
	for (unsigned k = 0; k < SHAKES; k++)
		for (unsigned i = 0; i < NAPPERS; i++)
			DONE(thread_set_priority(nappers[i].w.thread, PRIORITY_NORMAL - k % 2));
	shaken = true;
	for (unsigned i = 0; i < ARRAY_LEN(wakers); i++) {
		DONE(worker_join(&wakers[i]));
		EQ(wakers[i].result, OK);
	}
	for (unsigned i = 0; i < NAPPERS; i++) {
		DONE(notify_signal(nappers[i].bell, 2));
		DONE(worker_join(&nappers[i].w));
		EQ(nappers[i].w.result, OK);
		CHECK(nappers[i].heard > 0);
		DONE(handle_close(nappers[i].bell));
		DONE(handle_close(nappers[i].port));
	}
}

/* ---- pages ---- */

static struct { volatile uint64_t turn, seen; } page_turn;

/* Looks at the page when told to, and has a translation of what was there before. */
static void look(struct worker *w)
{
	volatile uint64_t *at = w->arg;
	for (uint64_t turn = 1; turn <= ROUNDS; turn++) {
		while (page_turn.turn < 2 * turn - 1)
			thread_yield();
		if (at[0] != turn)
			w->value[0]++;
		page_turn.seen = 2 * turn - 1;
		while (page_turn.turn < 2 * turn)
			thread_yield();
		if (at[0] != (turn % 2 ? 0 : turn + ROUNDS))
			w->value[1]++;
		page_turn.seen = 2 * turn;
	}
	w->result = OK;
}

static void tell(uint64_t turn)
{
	page_turn.turn = turn;
	while (page_turn.seen < turn)
		thread_yield();
}

/* What another CPU had mapped is gone from it when decommit and unmap return. */
static void pages(void)
{
	struct worker w;
	handle_t frame, other;
	uint64_t va = 0, window = 0, back;
	page_turn.turn = page_turn.seen = 0;
	DONE(frame_create(PAGE_SIZE, 0, &frame));
	DONE(frame_create(PAGE_SIZE, 0, &other));
	DONE(vmem_map(0, frame, 0, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, &va));
	DONE(vmem_map(0, other, 0, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, &window));
	DONE(worker_start(&w, look, (void *)va, PRIORITY_NORMAL));
	for (uint64_t turn = 1; turn <= ROUNDS; turn++) {
		*(volatile uint64_t *)va = turn;
		tell(2 * turn - 1);
		if (turn % 2) {
			DONE(frame_decommit(frame, 0, PAGE_SIZE));
		} else {
			*(volatile uint64_t *)window = turn + ROUNDS;
			DONE(vmem_unmap(0, va, PAGE_SIZE));
			DONE(vmem_map(0, other, 0, va, PAGE_SIZE, PROT_READ | PROT_WRITE | MAP_FIXED, &back));
		}
		tell(2 * turn);
		if (turn % 2 == 0) {
			DONE(vmem_unmap(0, va, PAGE_SIZE));
			DONE(vmem_map(0, frame, 0, va, PAGE_SIZE, PROT_READ | PROT_WRITE | MAP_FIXED, &back));
		}
	}
	DONE(worker_join(&w));
	EQ(w.value[0], 0);
	EQ(w.value[1], 0);
	DONE(vmem_unmap(0, va, PAGE_SIZE));
	DONE(vmem_unmap(0, window, PAGE_SIZE));
	DONE(handle_close(frame));
	DONE(handle_close(other));
}

/* The tail of a mapping that is split is still one of the Frame's, at every moment: what the Frame gives back is gone from it, too. */
static volatile uint64_t dropped;
static volatile bool over;

static void drop_last(struct worker *w)
{
	w->result = thread_set_affinity(0, 2);
	while (!over && w->result == OK) {
		w->result = frame_decommit((handle_t)(uint64_t)w->arg, 2 * PAGE_SIZE, PAGE_SIZE);
		dropped++;
	}
}

static void split(void)
{
	static uint64_t others[OTHERS];
	struct worker w;
	handle_t frame, other;
	uint64_t va = 0, left = 0, back;
	status_t st = OK;
	if (cpus() == 1)
		return;
	over = false;
	DONE(frame_create(3 * PAGE_SIZE, 0, &frame));
	DONE(frame_create(PAGE_SIZE, 0, &other));
	DONE(vmem_map(0, frame, 0, 0, 3 * PAGE_SIZE, PROT_READ | PROT_WRITE, &va));
	/* All of them above it: where it is split, they make room for one more. */
	for (unsigned i = 0; i < OTHERS; i++)
		DONE(vmem_map(0, other, 0, va + 64 * PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE, &others[i]));
	DONE(thread_set_affinity(0, 1));
	DONE(worker_start(&w, drop_last, (void *)(uint64_t)frame, PRIORITY_NORMAL));
	volatile uint64_t *last = (void *)(va + 2 * PAGE_SIZE);
	for (uint64_t end = now_ns() + STORM_MS * NS_PER_MS; now_ns() < end && st == OK && !left && !w.done;) {
		last[0] = 1;                            /* it may take many decommits until the page is there */
		uint64_t before = dropped;
		st = vmem_unmap(0, va + PAGE_SIZE, PAGE_SIZE);
		while (dropped < before + 3 && !w.done)
			;
		left = last[0];                         /* at least one decommit began after the last write */
		if (st == OK)
			st = vmem_unmap(0, va, 3 * PAGE_SIZE);
		if (st == OK)
			st = vmem_map(0, frame, 0, va, 3 * PAGE_SIZE, PROT_READ | PROT_WRITE | MAP_FIXED, &back);
	}
	over = true;
	DONE(worker_join(&w));
	DONE(w.result);
	DONE(st);
	DONE(vmem_unmap(0, va, 3 * PAGE_SIZE));
	for (unsigned i = 0; i < OTHERS; i++)
		DONE(vmem_unmap(0, others[i], PAGE_SIZE));
	DONE(handle_close(frame));
	DONE(handle_close(other));
	EQ(left, 0);
}

/* ---- timers ---- */

static handle_t alarm;
static uint64_t other_period;

static void set_period(struct worker *w)
{
	uint64_t bits;
	w->result = thread_set_affinity(0, 1);
	while (!over && w->result == OK) {
		w->result = notify_timer(alarm, 0, 1, 10 * NS_PER_US);
		for (volatile unsigned i = 0; i < 20; i++)
			;
		if (w->result == OK)
			w->result = notify_take(alarm, &bits);
	}
}

static void set_otherwise(struct worker *w)
{
	w->result = thread_set_affinity(0, 2);
	while (!over && w->result == OK)
		w->result = notify_timer(alarm, 0, FOREVER - 1, other_period);
}

/* A timer is set anew, to fire once or with another period, while another CPU has it fire: it is armed once, for one of the two. */
static void timers(void)
{
	struct worker w[2];
	uint64_t bits = 0;
	if (cpus() == 1)
		return;
	for (unsigned round = 0; round < 2; round++) {
		other_period = round ? 10 * NS_PER_US : 0;
		over = false;
		DONE(notify_create(&alarm));
		DONE(worker_start(&w[0], set_period, NULL, PRIORITY_NORMAL - 1));
		DONE(worker_start(&w[1], set_otherwise, NULL, PRIORITY_NORMAL - 1));
		DONE(thread_sleep(now_ns() + TIMERS_MS * NS_PER_MS));
		over = true;
		for (unsigned i = 0; i < 2; i++)
			DONE(worker_join(&w[i]));
		for (unsigned i = 0; i < 2; i++)
			DONE(w[i].result);
		/* It still does what it is told. */
		DONE(notify_timer(alarm, 0, FOREVER, 0));
		DONE(notify_take(alarm, &bits));
		DONE(notify_timer(alarm, 0, 1, 0));
		for (unsigned ms = 0; ms < 1000 && (notify_take(alarm, &bits) < 0 || !bits); ms++)
			pause_ms(1);
		EQ(bits, 1);
		DONE(handle_close(alarm));
	}
}

/* ---- suspending ---- */

static void suspend_itself(struct worker *w)
{
	w->result = thread_set_affinity(0, 2);
	while (!w->value[1])
		thread_yield();
	while (!over && w->result == OK) {
		w->result = thread_suspend((handle_t)w->value[1]);
		w->value[0]++;
	}
}

/* Whom another one lets go on at the very moment that he suspends himself goes on. */
static void suspends(void)
{
	struct worker w;
	uint64_t resumed = 0;
	if (cpus() == 1)
		return;
	over = false;
	DONE(worker_start(&w, suspend_itself, NULL, PRIORITY_NORMAL - 1));
	w.value[1] = w.thread;
	DONE(thread_set_affinity(0, 1));
	uint64_t last = now_ns(), end = last + STORM_MS * NS_PER_MS;
	for (uint64_t now = last; !w.done && now < end && now < last + NS_PER_SEC / 2; now = now_ns())
		for (unsigned i = 0; i < 64; i++)       /* reading the clock takes longer than the moment that is to be met */
			if (thread_resume(w.thread) == OK)
				resumed++, last = now;
	over = true;
	for (unsigned ms = 0; ms < 1000 && !w.done; ms++) {
		(void)thread_resume(w.thread);
		pause_ms(1);
	}
	bool stuck = !w.done;
	if (stuck) {                            /* it counts as let go, and does not run: a second time lets it */
		(void)thread_suspend(w.thread);
		(void)thread_resume(w.thread);
	}
	DONE(worker_join(&w));
	DONE(w.result);
	CHECK(!stuck);
	CHECK(resumed > 0);
}

/* ---- ends ---- */

/* Few pages at a time: while a host keeps one CPU still, nothing is reaped, and the others must not use up all memory until then. */
static void map_and_unmap(struct worker *w)
{
	(void)w;
	for (uint64_t va = 0;; va = 0) {
		if (vmem_map(0, 0, 0, 0, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, &va) < 0)
			continue;
		memset((void *)va, 1, 2 * PAGE_SIZE);
		MUST(vmem_unmap(0, va, 2 * PAGE_SIZE));
	}
}

static void call_for_ever(struct worker *w)
{
	for (;;)
		call(w);
}

static void spin(struct worker *w)
{
	for (;;)
		w->value[0]++;
}

static int busy(int argc, char **argv)
{
	static struct worker w[6];
	(void)argc, (void)argv;
	if (port_create(0, &ports[0]) < 0 || session_create(ports[0], 0, RIGHT_READ, &sessions[0]) < 0)
		return 2;
	void (*const deeds[])(struct worker *) = { serve, call_for_ever, call_for_ever, map_and_unmap, map_and_unmap, spin };
	for (unsigned i = 0; i < ARRAY_LEN(deeds); i++)
		if (worker_start(&w[i], deeds[i], NULL, PRIORITY_NORMAL) < 0)
			return 3;
	for (;;)
		thread_sleep(now_ns() + NS_PER_MS);
}

static void kills(void)
{
	struct child c[2];
	struct process_info info;
	for (unsigned i = 0; i < KILLS; i++) {
		DONE(child_start(&c[0], "busy", NULL, NULL, 0, 0, 0));
		DONE(child_start(&c[1], "busy", NULL, NULL, 0, 0, 0));
		pause_ms(BUSY_MS * (i + 1));
		DONE(process_kill(c[0].process, KILL_PLAIN));
		DONE(process_kill(c[1].process, KILL_PLAIN));
		for (unsigned k = 0; k < 2; k++) {
			DONE(child_wait(&c[k], 5000, &info));
			EQ(info.exit_kind == EXIT_FAULT ? info.fault_rip : 0, 0);       /* where, if it has failed by itself */
			EQ(info.exit_kind, EXIT_KILLED);
		}
	}
}

/*
 * Threads end one by one, and while the reaper is at them the last one ends the process: that may be queued for it once more when it is
 * through with all.
 */
static void leave(uint64_t ends_all)
{
	for (uint64_t end = now_ns() + ends_all * 100; ends_all && now_ns() < end;)
		;
	if (ends_all)
		process_exit(0);
	thread_exit();
}

static int exit_together(int argc, char **argv)
{
	static uint8_t stacks[LEAVERS][2048] aligned(16);
	uint64_t wait = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
	handle_t t;
	for (unsigned i = 0; i < LEAVERS; i++)
		if (thread_create((uint64_t)leave, (uint64_t)stacks[i] + sizeof(stacks[i]) - 8, i == LEAVERS - 1 ? wait : 0, 1, &t) < 0)
			return 1;
	thread_exit();
	return 1;
}

static void exits(void)
{
	struct process_info info;
	char wait[16];
	for (unsigned i = 0; i < EXITS; i++) {
		snprintf(wait, sizeof(wait), "%u", i + 1);
		DONE(child_run("exit-together", wait, &info));
		EQ(info.exit_status, 0);
	}
}

/* ---- the clock ---- */

enum { CLOCK_LOOKS = 20000, CLOCK_SLACK_NS = 3000 };  /* the kernel allows 1 us between two CPUs */
static uint64_t clock_last, clocks_back;

/* Each on a CPU of its own; nobody is told less than what anybody was told before. */
static void look_at_clock(struct worker *w)
{
	w->result = thread_set_affinity(0, 1ull << (uint64_t)w->arg);
	for (unsigned i = 0; i < CLOCK_LOOKS; i++) {
		uint64_t last = __atomic_load_n(&clock_last, __ATOMIC_ACQUIRE), now = clock_value();
		if (now + CLOCK_SLACK_NS < last)
			__atomic_fetch_add(&clocks_back, 1, __ATOMIC_RELAXED);
		while (now > last && !__atomic_compare_exchange_n(&clock_last, &last, now, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			;
	}
}

/* The page's time is the kernel's, on every CPU, and does not go back; nobody can write there. */
static void clock_reading(void)
{
	struct worker w[PAIRS];
	handle_t frame, copy;
	uint64_t va = 0, done, bad = 0, last = 0;
	n_cpus = MIN(cpus(), (uint32_t)PAIRS);
	for (unsigned i = 0; i < CLOCK_LOOKS; i++) {
		uint64_t before = now_ns(), now = clock_value(), after = now_ns();
		bad += now + CLOCK_SLACK_NS < before || now > after + CLOCK_SLACK_NS || now + CLOCK_SLACK_NS < last;
		last = now;
	}
	EQ(bad, 0);
	clock_last = clocks_back = 0;
	for (uint64_t i = 0; i < n_cpus; i++)
		DONE(worker_start(&w[i], look_at_clock, (void *)i, PRIORITY_NORMAL));
	for (unsigned i = 0; i < n_cpus; i++) {
		DONE(worker_join(&w[i]));
		DONE(w[i].result);
	}
	EQ(clocks_back, 0);
	DONE(clock_page(&frame));
	EQ(vmem_map(0, frame, 0, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, &va), ERR_DENIED);
	EQ(vmem_map(0, frame, 0, 0, PAGE_SIZE, PROT_READ | PROT_EXEC, &va), ERR_DENIED);
	EQ(frame_write(frame, 0, &done, sizeof(done), &done), ERR_DENIED);
	EQ(frame_resize(frame, 0), ERR_DENIED);
	EQ(frame_decommit(frame, 0, PAGE_SIZE), ERR_DENIED);
	DONE(handle_dup(frame, RIGHT_ALL, &copy));
	EQ(frame_write(copy, 0, &done, sizeof(done), &done), ERR_DENIED);
	DONE(vmem_map(0, copy, 0, 0, PAGE_SIZE, PROT_READ, &va));
	EQ(vmem_protect(0, va, PAGE_SIZE, PROT_READ | PROT_WRITE), ERR_DENIED);
	const struct clock_page *p = (const struct clock_page *)va;
	EQ(p->cpus, cpus());
	CHECK(p->mult && p->tsc_hz);
	DONE(vmem_unmap(0, va, PAGE_SIZE));
	DONE(handle_close(copy));
	DONE(handle_close(frame));
}

/* ---- the last handle of a Port ---- */

enum { OP_SESSION = 3, OP_ANSWER };
static volatile uint32_t close_turn, close_delay;
static uint32_t close_edge;             /* how long until the answer takes the handle */
static volatile handle_t victim;

static void close_victim(struct worker *w)
{
	w->result = thread_set_affinity(0, 2);
	for (uint32_t seen = 0; !over;) {
		while (close_turn == seen && !over)
			;
		seen = close_turn;
		for (volatile uint32_t i = 0; i < close_delay; i++)
			;
		if (victim)
			(void)handle_close(victim);
		victim = 0;
	}
}

/* Asks for a Session, and calls it. */
static int asks_again(int argc unused, char **argv unused)
{
	for (;;) {
		struct msg m = { .op = OP_SESSION }, answered = { .op = OP_ANSWER };
		MUST(ipc_call(start_handle("session"), &m));
		(void)ipc_call(m.handles[0], &answered);
		for (unsigned i = 0; i < IPC_HANDLES; i++)
			if (answered.handles[i])
				MUST(handle_close(answered.handles[i]));
		MUST(handle_close(m.handles[0]));
	}
}

static status_t accept_op(handle_t port, uint32_t op, struct event *e)
{
	status_t st;
	do
		st = ipc_accept(port, now_ns() + 2 * NS_PER_SEC, e);
	while (st == OK && (e->kind != ACCEPT_COMMAND || e->op != op));
	return st;
}

/*
 * Answers with the Port that the command came to, and with the caller's own table, which it cannot have: what was taken is put back, and
 * meanwhile another CPU closes the Port's last handle.
 */
static status_t close_round(handle_t port, handle_t never, uint32_t delay)
{
	handle_t p = 0, s = 0;
	struct event e;
	status_t st = accept_op(port, OP_SESSION, &e);
	if (st == OK)
		st = port_create(PORT_STATELESS, &p);
	if (st == OK)
		st = session_create(p, 7, 0, &s);
	if (st == OK)
		st = ipc_return(e.cmd, &(struct reply){ .handles = { s } });
	if (s)
		(void)handle_close(s);
	if (st == OK)
		st = accept_op(p, OP_ANSWER, &e);
	if (st < 0)
		return st;
	victim = p;
	close_delay = delay;
	close_turn++;
	st = ipc_return(e.cmd, &(struct reply){ .handles = { p, never } });
	while (victim)
		;
	if (st == ERR_BAD_HANDLE)
		close_edge++;
	else if (close_edge)
		close_edge--;
	if (st < 0)                     /* then the caller still waits, unless the Port took it along */
		(void)ipc_return(e.cmd, &(struct reply){ .status = OK });
	return OK;
}

static void closes(void)
{
	handle_t port, session, never;
	struct child c;
	struct worker w;
	status_t st = OK;
	if (cpus() == 1)
		return;
	over = false;
	close_turn = close_edge = 0;
	victim = 0;
	DONE(port_create(0, &port));
	DONE(session_create(port, 1, 0, &session));
	struct spawn_handle give[] = { { .name = "session", .handle = session } };
	DONE(child_start(&c, "asks-again", NULL, give, 1, 0, 0));
	DONE(process_table(c.process, &never));
	DONE(worker_start(&w, close_victim, NULL, PRIORITY_NORMAL));
	DONE(thread_set_affinity(0, 1));
	uint64_t end = now_ns() + STORM_MS * NS_PER_MS;
	for (uint32_t i = 0; st == OK && now_ns() < end; i++)
		st = close_round(port, never, close_edge + i % 32);
	over = true;
	DONE(worker_join(&w));
	DONE(child_kill(&c));
	DONE(handle_close(never));
	DONE(handle_close(session));
	DONE(handle_close(port));
	DONE(st);
	DONE(w.result);
}

const struct test smp_tests[] = {
	{ "smp.pairs", pairs }, { "smp.crowd", crowd }, { "smp.wakes", wakes }, { "smp.priorities", priorities }, { "smp.interrupts", interrupts },
	{ "smp.pages", pages }, { "smp.split", split }, { "smp.timers", timers }, { "smp.suspends", suspends }, { "smp.closes", closes }, { "smp.kills", kills }, { "smp.exits", exits }, { "smp.clock", clock_reading }, { NULL, NULL },
};
const struct deed smp_deeds[] = { { "busy", busy }, { "exit-together", exit_together }, { "asks-again", asks_again }, { NULL, NULL } };

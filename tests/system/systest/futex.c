/*
 * futex: waiting for a word: what is refused, who is woken, in which order, how a wait ends otherwise; and that locks made
 * of it hold, between threads and between processes.
 */
#include "test.h"

enum { WAITERS = 8, LOCKERS = 4, LOCKS = 1500, PINGS = 500, WAIT_MS = 5000 };

static uint32_t word, other;
static volatile uint32_t order[WAITERS], n_woken;

static uint64_t in_ms(uint64_t ms)
{
	return now_ns() + ms * NS_PER_MS;
}

/* ---- what is refused, and what ends a wait ---- */

static void refusals(void)
{
	uint64_t edge = edge_make(), constant = page_make(PROT_READ);
	uint32_t woken, moved;
	word = 5;
	EQ(futex_wait((uint64_t)&word, 4, 0, FOREVER), ERR_AGAIN);
	EQ(futex_wait((uint64_t)&word + 2, 5, 0, FOREVER), ERR_INVALID);
	EQ(futex_wait((uint64_t)&word, 5, 2, FOREVER), ERR_INVALID);
	EQ(futex_wait(edge + PAGE_SIZE, 0, 0, FOREVER), ERR_FAULT);
	EQ(futex_wait(edge + PAGE_SIZE, 0, FUTEX_SHARED, FOREVER), ERR_FAULT);
	EQ(futex_wait(0, 0, 0, FOREVER), ERR_FAULT);
	for (size_t i = 0; i < KERNEL_ADDRESS_COUNT; i++)
		EQ(futex_wait(kernel_addresses[i] & ~3ull, 0, 0, FOREVER), ERR_FAULT);
	EQ(futex_wait(constant, 0x5a5a5a5a, 0, in_ms(5)), ERR_TIMED_OUT);
	EQ(futex_wait((uint64_t)&word, 5, 0, 0), ERR_TIMED_OUT);
	uint64_t before = now_ns();
	EQ(futex_wait((uint64_t)&word, 5, 0, before + 20 * NS_PER_MS), ERR_TIMED_OUT);
	CHECK(now_ns() - before >= 20 * NS_PER_MS);
	DONE(futex_wake((uint64_t)&word, 10, 0, &woken));
	EQ(woken, 0);
	EQ(futex_wake((uint64_t)&word + 1, 1, 0, &woken), ERR_INVALID);
	EQ(futex_wake(kernel_addresses[0] & ~3ull, 1, 0, &woken), ERR_FAULT);
	EQ(futex_requeue((uint64_t)&word, 4, 1, (uint64_t)&other, 1, 0, &woken, &moved), ERR_AGAIN);
	EQ(futex_requeue((uint64_t)&word, 5, 17, (uint64_t)&other, 1, 0, &woken, &moved), ERR_INVALID);
	EQ(futex_requeue((uint64_t)&word, 5, 1, (uint64_t)&word, 1, 0, &woken, &moved), ERR_INVALID);
	EQ(futex_requeue((uint64_t)&word, 5, 1, 2, 1, 0, &woken, &moved), ERR_INVALID);
	DONE(futex_requeue((uint64_t)&word, 5, 1, (uint64_t)&other, 1, 0, &woken, &moved));
	EQ(woken + moved, 0);
	edge_free(edge);
	page_free(constant);
}

static void waiter(struct worker *w)
{
	w->value[2] = 1;
	w->result = futex_wait((uint64_t)&word, 1, (uint32_t)(uint64_t)w->arg, FOREVER);
	order[__atomic_fetch_add(&n_woken, 1, __ATOMIC_SEQ_CST) % WAITERS] = (uint32_t)w->value[0];
}

static void start_waiter(struct worker *w, uint32_t number, uint64_t flags)
{
	DONE(worker_start(w, waiter, (void *)flags, PRIORITY_NORMAL));
	w->value[0] = number;
	for (unsigned ms = 0; !w->value[2] && ms < WAIT_MS; ms++)
		pause_ms(1);
	pause_ms(5);
}

static void order_and_number(void)
{
	struct worker w[WAITERS];
	uint32_t woken = 0, moved = 0;
	struct kstat k;
	DONE(kstat(res_info, &k));
	word = other = 1;
	n_woken = 0;
	for (uint32_t i = 0; i < WAITERS; i++) {
		start_waiter(&w[i], i, 0);
		STILL_FINE();
	}
	DONE(futex_wake((uint64_t)&word, 2, 0, &woken));
	EQ(woken, 2);
	pause_ms(5);
	EQ(n_woken, 2);
	/* One is woken, three wait at `other` from now on, in their order. */
	DONE(futex_requeue((uint64_t)&word, 1, 1, (uint64_t)&other, 3, 0, &woken, &moved));
	EQ(woken, 1);
	EQ(moved, 3);
	pause_ms(5);
	EQ(n_woken, 3);
	DONE(futex_wake((uint64_t)&other, 2, 0, &woken));
	EQ(woken, 2);
	pause_ms(5);
	/* One that was moved is told to leave; the last of `word` too. */
	DONE(thread_interrupt(w[5].thread));
	DONE(thread_interrupt(w[6].thread));
	pause_ms(5);
	EQ(n_woken, 7);
	DONE(futex_wake((uint64_t)&other, 100, 0, &woken));
	EQ(woken, 0);
	DONE(futex_wake((uint64_t)&word, UINT32_MAX, 0, &woken));
	EQ(woken, 1);
	for (uint32_t i = 0; i < WAITERS; i++) {
		DONE(worker_join(&w[i]));
		EQ(w[i].result, i == 5 || i == 6 ? ERR_INTERRUPTED : OK);
		if (k.cpus == 1)
			EQ(order[i], i);
	}
}

/* A wake at one shared word is none at another of the same Frame, nor at the private word of that address. */
static void shared_words(void)
{
	struct worker w;
	uint32_t woken = 9;
	uint64_t edge = edge_make();
	word = 1;
	EQ(futex_wake(edge + PAGE_SIZE, 1, FUTEX_SHARED, &woken), ERR_FAULT);
	edge_free(edge);
	start_waiter(&w, 0, FUTEX_SHARED);
	DONE(futex_wake((uint64_t)&other, 1, FUTEX_SHARED, &woken));
	EQ(woken, 0);
	DONE(futex_wake((uint64_t)&word, 1, 0, &woken));
	EQ(woken, 0);
	DONE(futex_wake((uint64_t)&word, 1, FUTEX_SHARED, &woken));
	EQ(woken, 1);
	DONE(worker_join(&w));
	DONE(w.result);
}

/* ---- locks ---- */

static struct { uint32_t lock; uint64_t count, owner; } shared;

/* 0: free, 1: held, 2: held, and somebody may wait. */
static void lock(uint32_t *at, uint32_t flags)
{
	uint32_t was = 0;
	if (__atomic_compare_exchange_n(at, &was, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	while (__atomic_exchange_n(at, 2, __ATOMIC_ACQUIRE))
		(void)futex_wait((uint64_t)at, 2, flags, FOREVER);
}

static void unlock(uint32_t *at, uint32_t flags)
{
	uint32_t woken;
	if (__atomic_exchange_n(at, 0, __ATOMIC_RELEASE) == 2)
		(void)futex_wake((uint64_t)at, 1, flags, &woken);
}

static void locker(struct worker *w)
{
	w->result = OK;
	for (unsigned i = 0; i < LOCKS; i++) {
		lock(&shared.lock, 0);
		shared.owner = (uint64_t)w;
		uint64_t n = shared.count;
		if (i % 64 == 0)
			thread_yield();         /* somebody else is to find it held */
		if (shared.owner != (uint64_t)w)
			w->result = 1;
		shared.count = n + 1;
		unlock(&shared.lock, 0);
	}
}

static void locks(void)
{
	struct worker w[LOCKERS];
	memset(&shared, 0, sizeof(shared));
	for (unsigned i = 0; i < LOCKERS; i++)
		DONE(worker_start(&w[i], locker, NULL, PRIORITY_NORMAL));
	for (unsigned i = 0; i < LOCKERS; i++) {
		DONE(worker_join(&w[i]));
		DONE(w[i].result);
	}
	EQ(shared.count, LOCKERS * LOCKS);
	EQ(shared.lock, 0);
}

static uint32_t turn;

static void ping(struct worker *w)
{
	uint32_t mine = (uint32_t)(uint64_t)w->arg, woken;
	w->result = OK;
	for (unsigned i = 0; i < PINGS && w->result == OK; i++) {
		uint32_t now;
		while ((now = __atomic_load_n(&turn, __ATOMIC_ACQUIRE)) != mine) {
			status_t st = futex_wait((uint64_t)&turn, now, 0, in_ms(WAIT_MS));
			if (st < 0 && st != ERR_AGAIN)
				w->result = st;
		}
		__atomic_store_n(&turn, 1 - mine, __ATOMIC_RELEASE);
		(void)futex_wake((uint64_t)&turn, 1, 0, &woken);
	}
}

/* None of a thousand wakes is lost between the look at the word and the wait. */
static void ping_pong(void)
{
	struct worker w[2];
	turn = 0;
	for (uint64_t i = 0; i < 2; i++)
		DONE(worker_start(&w[i], ping, (void *)i, PRIORITY_NORMAL));
	for (unsigned i = 0; i < 2; i++) {
		DONE(worker_join(&w[i]));
		DONE(w[i].result);
	}
}

/* ---- between processes ---- */

static int share_deed(int argc, char **argv)
{
	uint64_t va = 0;
	handle_t frame = start_handle("shared");
	(void)argc, (void)argv;
	if (vmem_map(0, frame, 0, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, &va) < 0)
		return 1;
	uint32_t *at = (uint32_t *)(va + 8);
	volatile uint64_t *count = (volatile uint64_t *)(va + 64);
	for (unsigned i = 0; i < 500; i++) {
		lock(at, FUTEX_SHARED);
		uint64_t n = *count;
		if (i % 16 == 0)
			thread_yield();
		*count = n + 1;
		unlock(at, FUTEX_SHARED);
	}
	return 0;
}

static void processes(void)
{
	handle_t frame;
	uint64_t va[2] = { 0, 0 };
	struct child c[3];
	uint32_t woken;
	DONE(frame_create(PAGE_SIZE, 0, &frame));
	for (unsigned i = 0; i < 2; i++)
		DONE(vmem_map(0, frame, 0, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, &va[i]));
	struct spawn_handle give[] = { { .name = "shared", .handle = frame } };
	for (unsigned i = 0; i < ARRAY_LEN(c); i++)
		DONE(child_start(&c[i], "futex-share", NULL, give, 1, 0, 0));
	for (unsigned i = 0; i < ARRAY_LEN(c); i++) {
		struct process_info info;
		DONE(child_wait(&c[i], WAIT_MS, &info));
		EQ(info.exit_status, 0);
	}
	EQ(*(uint64_t *)(va[0] + 64), 500 * ARRAY_LEN(c));
	/* By address it is another word than the same one mapped elsewhere. */
	word = 1;
	*(uint32_t *)va[0] = 1;
	DONE(futex_wake(va[1], 1, 0, &woken));
	EQ(woken, 0);
	for (unsigned i = 0; i < 2; i++)
		DONE(vmem_unmap(0, va[i], PAGE_SIZE));
	DONE(handle_close(frame));
}

/* ---- ends ---- */

static void leave_word(struct worker *w)
{
	w->value[1] = 1;
	w->value[0] = 1;
	w->result = thread_exit_clear((uint64_t)&w->value[1]);
}

static void exit_word(void)
{
	struct worker w;
	EQ(thread_exit_clear(kernel_addresses[0] & ~3ull), ERR_FAULT);
	EQ(thread_exit_clear((uint64_t)&word + 1), ERR_INVALID);
	for (unsigned i = 0; i < 20; i++) {
		w = (struct worker){ 0 };
		DONE(worker_start(&w, leave_word, NULL, PRIORITY_NORMAL - 1));
		for (unsigned ms = 0; !w.value[0] && ms < WAIT_MS; ms++)
			pause_ms(1);
		while (*(volatile uint32_t *)&w.value[1]) {
			status_t st = futex_wait((uint64_t)&w.value[1], 1, 0, in_ms(WAIT_MS));
			CHECK(st == OK || st == ERR_AGAIN);
		}
		DONE(handle_close(w.thread));
		pause_ms(2);
		DONE(vmem_unmap(0, w.stack, 64 * KiB));
	}
}

static int crowd_deed(int argc, char **argv)
{
	static struct worker w[WAITERS];
	(void)argc, (void)argv;
	word = other = 1;
	for (uint32_t i = 0; i < WAITERS; i++)
		if (worker_start(&w[i], waiter, NULL, PRIORITY_NORMAL) < 0)
			return 1;
	pause_ms(20);
	uint32_t woken, moved;
	(void)futex_requeue((uint64_t)&word, 1, 1, (uint64_t)&other, 3, 0, &woken, &moved);
	*(volatile int *)8 = 1;
	return 2;
}

/* A process that ends while its threads wait leaves nothing behind for those who use the same bucket next. */
static void death(void)
{
	struct process_info info;
	for (unsigned i = 0; i < 5; i++) {
		DONE(child_run("futex-crowd", NULL, &info));
		EQ(info.exit_kind, EXIT_FAULT);
	}
	ping_pong();
}

const struct test futex_tests[] = {
	{ "futex-refusals", refusals }, { "futex-order", order_and_number }, { "futex-shared-words", shared_words }, { "futex-locks", locks }, { "futex-ping-pong", ping_pong },
	{ "futex-processes", processes }, { "futex-exit-word", exit_word }, { "futex-death", death }, { NULL, NULL },
};
const struct deed futex_deeds[] = { { "futex-share", share_deed }, { "futex-crowd", crowd_deed }, { NULL, NULL } };

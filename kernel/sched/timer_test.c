/*
 * timer_test: the heap against a list that is searched: arming, disarming in any order, re-arming and expiry give the same
 * timers in the same order, one that is disarmed soon is never in the heap, and no path to the right is longer than a leftist heap allows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <abi/types.h>

/* What timer.c asks of the kernel, as small as it can be. */
#include <kernel/timer.h>
struct percpu { struct timer *timers, *fresh[TIMERS_FRESH], *firing; uint32_t cpu; int timer_lock; uint8_t fresh_next, n_fresh; };
static struct percpu cpu;
static struct percpu *percpu_all[] = { &cpu };
static const uint32_t cpu_count = 1;
static void cpu_relax(void) { }
static struct percpu *this_cpu(void) { return &cpu; }
static void spin_lock(int *l) { *l = 1; }
static void spin_unlock(int *l) { *l = 0; }
static void sched_timer_at_latest(uint64_t deadline) { (void)deadline; }
static int armed_count;
#define ACCOUNT_ADD(field, n) (armed_count += (n))
#define ACCOUNT_SUB(field, n) (armed_count -= (n))
#include "timer.c"

enum { TIMERS = 300 };
static struct timer timers[TIMERS];
static uint64_t last_fired;
static int fired;

static void fire(struct timer *t)
{
	assert_true(t->deadline >= last_fired);
	assert_false(t->armed);
	last_fired = t->deadline;
	fired++;
}

static unsigned check(const struct timer *t, const struct timer *parent)
{
	if (!t)
		return 0;
	assert_ptr_equal(t->parent, parent);
	assert_true(!parent || parent->deadline <= t->deadline);
	unsigned l = check(t->left, t), r = check(t->right, t);
	assert_true((t->left ? t->left->dist : 0) >= (t->right ? t->right->dist : 0));
	assert_int_equal(t->dist, (t->right ? t->right->dist : 0) + 1);
	return l + r + 1;
}

static unsigned fresh(void)
{
	unsigned n = 0;
	for (unsigned i = 0; i < TIMERS_FRESH; i++) {
		assert_true(!cpu.fresh[i] || (cpu.fresh[i]->armed && cpu.fresh[i]->fresh == i));
		n += cpu.fresh[i] != NULL;
	}
	assert_int_equal(cpu.n_fresh, n);
	return n;
}

static void test_model(void **state)
{
	(void)state;
	srand(7);
	for (int i = 0; i < TIMERS; i++)
		timers[i].fire = fire;
	uint64_t now = 0;
	for (int step = 0; step < 20000; step++) {
		struct timer *t = &timers[rand() % TIMERS];
		switch (rand() % 4) {
		case 0:
			timer_disarm(t);
			assert_false(t->armed);
			break;
		case 1: {
			uint64_t earliest = FOREVER;
			now += (uint64_t)rand() % 50;
			last_fired = 0;
			timer_expire(now);
			for (int i = 0; i < TIMERS; i++)
				if (timers[i].armed && timers[i].deadline < earliest)
					earliest = timers[i].deadline;
			assert_int_equal(timer_next(), earliest);
			break;
		}
		default:
			timer_arm(t, now + (uint64_t)rand() % 1000);
		}
		unsigned armed = 0;
		for (int i = 0; i < TIMERS; i++)
			armed += timers[i].armed;
		if (step % 16 == 0)
			assert_int_equal(check(cpu.timers, NULL) + fresh(), armed);
		assert_int_equal(armed_count, armed);
	}
	assert_true(fired > 100);
	for (int i = 0; i < TIMERS; i++)
		timer_arm(&timers[i], now + 1000 + (uint64_t)i % 7);
	assert_int_equal(timer_next(), now + 1000);
	timer_disarm(&timers[1]);
	for (int i = 0; i < 100; i++) {
		timer_arm(&timers[1], now + (uint64_t)i);
		assert_int_equal(check(cpu.timers, NULL), TIMERS - 1);
		timer_disarm(&timers[1]);
	}
	timer_arm(&timers[0], FOREVER);
	assert_false(timers[0].armed);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_model) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

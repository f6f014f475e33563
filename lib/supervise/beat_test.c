/*
 * beat_test: what counts as silence and what does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "beat.c"

#define LIMIT (2000 * NS_PER_MS)

/* Looks `n` times, BEAT_LOOK_NS apart, while it takes `cpu` ns between two looks; true: missed at the last one. */
static bool look(struct beat *b, struct process_beat p, unsigned n, uint64_t cpu, uint64_t *at)
{
	bool missed = false;
	p.cpu_time_ns = b->cpu_time_ns;
	p.progress = 7;
	for (unsigned i = 0; i < n; i++) {
		*at += BEAT_LOOK_NS;
		p.cpu_time_ns += cpu;
		missed = beat_missed(b, 5, &p, *at, LIMIT);
	}
	return missed;
}

static void silence(void **state)
{
	(void)state;
	const struct process_beat looping = { .ready = 1 }, sleeping = { .waiting = 1 }, calling = { .calling = 1 }, accepting = { .accepting = 1, .ready = 1 };
	uint64_t at = 0;
	struct beat b = { 0 };
	assert_false(look(&b, looping, 8, BEAT_LOOK_NS, &at));          /* the first look only begins */
	assert_true(look(&b, looping, 1, BEAT_LOOK_NS, &at));
	b = (struct beat){ 0 };
	assert_false(look(&b, looping, 100, 0, &at));                   /* kept from the CPU */
	assert_false(look(&b, looping, 79, BEAT_LOOK_NS / 10, &at));
	assert_true(look(&b, looping, 1, BEAT_LOOK_NS / 10, &at));
	b = (struct beat){ 0 };
	assert_false(look(&b, calling, 1000, 0, &at));                  /* a lower service takes its time */
	assert_false(look(&b, accepting, 1000, BEAT_LOOK_NS, &at));
	b = (struct beat){ 0 };
	assert_false(look(&b, sleeping, 8, 0, &at));
	assert_true(look(&b, sleeping, 1, 0, &at));
}

static void begins_again(void **state)
{
	(void)state;
	const struct process_beat looping = { .ready = 1 };
	uint64_t at = 0;
	struct beat b = { 0 };
	assert_false(look(&b, looping, 8, BEAT_LOOK_NS, &at));
	struct process_beat p = { .ready = 1, .progress = 8, .cpu_time_ns = b.cpu_time_ns + LIMIT };
	assert_false(beat_missed(&b, 5, &p, at += BEAT_LOOK_NS, LIMIT));        /* it went on with another command */
	assert_false(look(&b, looping, 8, BEAT_LOOK_NS, &at));
	p = (struct process_beat){ .ready = 1, .progress = 7, .cpu_time_ns = b.cpu_time_ns + LIMIT };
	assert_false(beat_missed(&b, 6, &p, at += BEAT_LOOK_NS, LIMIT));        /* another instance */
	/* The machine stood still for an hour while it slept. */
	b = (struct beat){ 0 };
	p = (struct process_beat){ .waiting = 1 };
	assert_false(beat_missed(&b, 6, &p, at, LIMIT));
	assert_false(beat_missed(&b, 6, &p, at + 3600 * NS_PER_SEC, LIMIT));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(silence), cmocka_unit_test(begins_again) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * lines_test: a line that the instance before had is found in its slot; no two devices get two slots of one line; what is left over is used
 * when there is no room. A storm ends, what is frequent and quick does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <abi/objects.h>
#include "lines.c"

static uint64_t words[LINES_MAX];
static uint32_t slot;

static int empty(void **unused_state)
{
	(void)unused_state;
	memset(words, 0, sizeof(words));
	slot = 99;
	return 0;
}

static void one_after_the_other(void **unused_state)
{
	(void)unused_state;
	uint32_t named = 0;
	for (uint32_t i = 0; i < LINES_MAX; i++) {
		assert_int_equal(line_place(words, named, 100 + i, IRQ_LEVEL, &slot), LINE_NEW);
		assert_int_equal(slot, i);
		words[slot] = LINE_WORD(100 + i, IRQ_LEVEL);
		named |= 1u << slot;
	}
	slot = 99;
	assert_int_equal(line_place(words, named, 5, 0, &slot), LINE_FULL);
	assert_int_equal(slot, 99);
	assert_int_equal(line_place(words, named, 131, IRQ_LEVEL, &slot), LINE_SAME);
	assert_int_equal(slot, 31);
	assert_int_equal(line_place(words, named, 130, IRQ_LEVEL | IRQ_ACTIVE_LOW, &slot), LINE_OTHER);
	assert_int_equal(line_place(words, named, 130, 0, &slot), LINE_OTHER);
}

static void kept_ones(void **unused_state)
{
	(void)unused_state;
	words[3] = LINE_WORD(0, 0);
	words[7] = LINE_WORD(1023, IRQ_LEVEL | IRQ_ACTIVE_LOW);
	assert_int_equal(line_place(words, 0, 0, 0, &slot), LINE_KEPT);
	assert_int_equal(slot, 3);
	assert_int_equal(line_place(words, 1u << 3, 0, 0, &slot), LINE_SAME);
	assert_int_equal(line_place(words, 0, 1023, IRQ_LEVEL | IRQ_ACTIVE_LOW, &slot), LINE_KEPT);
	assert_int_equal(slot, 7);
	/* The tables say otherwise now: it is to be made anew, in its slot, whatever else is empty. */
	assert_int_equal(line_place(words, 0, 1023, IRQ_LEVEL, &slot), LINE_STALE);
	assert_int_equal(slot, 7);
	assert_int_equal(line_place(words, 0, 12, 0, &slot), LINE_NEW);
	assert_int_equal(slot, 0);
}

static void leftovers_make_room(void **unused_state)
{
	(void)unused_state;
	for (uint32_t i = 0; i < LINES_MAX; i++)
		words[i] = LINE_WORD(100 + i, 0);
	assert_int_equal(line_place(words, ~(1u << 9), 5, 0, &slot), LINE_STALE);
	assert_int_equal(slot, 9);
}

static void words_of_nobody(void **unused_state)
{
	(void)unused_state;
	assert_true(line_sensible(LINE_WORD(0, 0)));
	assert_true(line_sensible(LINE_WORD(UINT32_MAX, IRQ_LEVEL | IRQ_ACTIVE_LOW)));
	assert_false(line_sensible(0));
	assert_false(line_sensible(5));
	assert_false(line_sensible(LINE_WORD(5, IRQ_ISA)));
	assert_false(line_sensible(UINT64_MAX));
}

/* Rings n times, `every` ns from begin to begin (or as soon as its pause allows), its method takes `took`. What it came to. */
static enum storm_verdict ring(uint32_t n, uint64_t every, uint64_t took, uint32_t *rung)
{
	struct storm s = { 0 };
	uint64_t now = 1000 * NS_PER_SEC, pause = 0;
	enum storm_verdict v = STORM_NONE, worst = STORM_NONE;

	for (*rung = 1; *rung <= n && v != STORM_END; ++*rung) {
		v = storm_ran(&s, now, now + took, &pause);
		assert_true(v != STORM_PAUSE || (pause >= STORM_PAUSE_NS && pause >= took));
		worst = v > worst ? v : worst;
		now += MAX(every, took + (v == STORM_PAUSE ? pause : 0));
	}
	return worst;
}

static void seldom(void **unused_state)
{
	(void)unused_state;
	uint32_t rung;
	assert_int_equal(ring(10, 0, NS_PER_MS, &rung), STORM_NONE);
	assert_int_equal(ring(100000, 34 * NS_PER_MS, NS_PER_MS, &rung), STORM_NONE);
	assert_int_equal(ring(1000, 4 * NS_PER_SEC, NS_PER_SEC, &rung), STORM_PAUSE);     /* a loop that AML is given a second for */
}

static void without_end(void **unused_state)
{
	(void)unused_state;
	uint32_t rung;
	/* Quick or slow, level lines are at an end after a while, of which clients have a good part. */
	assert_int_equal(ring(100000, 0, 100 * NS_PER_US, &rung), STORM_END);
	assert_true(rung > 300 && rung < 1000);
	assert_int_equal(ring(100000, 0, NS_PER_SEC, &rung), STORM_END);
	assert_true(rung > 5 && rung < 30);
	/* Edges heed no pause: they are at an end the sooner. */
	struct storm s = { 0 };
	uint64_t now = 0, pause;
	uint32_t n = 0;
	for (; storm_ran(&s, now, now + 1, &pause) != STORM_END; now += 100 * NS_PER_US)
		n++;
	assert_true(n > 300 && n < 500);
}

static void odd_clocks(void **unused_state)
{
	(void)unused_state;
	struct storm s = { 0 };
	uint64_t pause;
	assert_int_equal(storm_ran(&s, 0, UINT64_MAX, &pause), STORM_END);
	s = (struct storm){ .at_ns = 500, .level_ns = UINT64_MAX };
	assert_int_equal(storm_ran(&s, 400, 300, &pause), STORM_END);
	s = (struct storm){ .at_ns = 500 };
	assert_int_equal(storm_ran(&s, 400, 300, &pause), STORM_NONE);
	assert_int_equal(s.level_ns, STORM_RING_NS);
	/* Long ago is forgotten. */
	s = (struct storm){ .at_ns = 0, .level_ns = STORM_END_NS };
	assert_int_equal(storm_ran(&s, 3600 * NS_PER_SEC, 3600 * NS_PER_SEC, &pause), STORM_NONE);
	assert_int_equal(s.level_ns, STORM_RING_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_after_the_other, empty), cmocka_unit_test_setup(kept_ones, empty),
		cmocka_unit_test_setup(leftovers_make_room, empty), cmocka_unit_test(words_of_nobody),
		cmocka_unit_test(seldom), cmocka_unit_test(without_end), cmocka_unit_test(odd_clocks),
	};
	return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}

/*
 * backoff_test: two faults are free, the third within ten seconds waits 100 ms, waits double up to
 * 5 s and stay there, and a long life starts afresh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "backoff.c"

#define MS NS_PER_MS

static void doubles(void **state)
{
	(void)state;
	static const uint64_t expect_ms[] = { 0, 0, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000 };
	struct backoff b = { 0 };
	uint64_t now = 1000 * MS;
	for (size_t i = 0; i < ARRAY_LEN(expect_ms); i++) {
		uint64_t wait = backoff_fault(&b, now, now + MS);
		assert_int_equal(wait, expect_ms[i] * MS);
		now += MS + wait;
	}
	/* It lives for ten seconds, then dies: at once again. */
	assert_int_equal(backoff_fault(&b, now, now + 10000 * MS), 0);
}

static void window(void **state)
{
	(void)state;
	struct backoff b = { 0 };
	assert_int_equal(backoff_fault(&b, 0, 1000 * MS), 0);
	assert_int_equal(backoff_fault(&b, 1000 * MS, 6000 * MS), 0);
	assert_int_equal(backoff_fault(&b, 6000 * MS, 11000 * MS), 0);      /* ten seconds after the first */
	assert_int_equal(backoff_fault(&b, 11000 * MS, 15999 * MS), 100 * MS);
}

/* Ten calm ones in a row cost nothing; one that lives for half a second ends the row. */
static void calm(void **state)
{
	(void)state;
	struct backoff b = { 0 };
	for (uint64_t i = 0; i < 10; i++)
		assert_int_equal(backoff_calm_fault(&b, i * 100 * MS, (i * 100 + 99) * MS), 0);
	assert_int_equal(backoff_calm_fault(&b, 1000 * MS, 1499 * MS), 100 * MS);
	assert_int_equal(backoff_calm_fault(&b, 2000 * MS, 2499 * MS), 100 * MS);
	assert_int_equal(b.calm, 12);
	assert_int_equal(backoff_calm_fault(&b, 3000 * MS, 3500 * MS), 0);
	assert_int_equal(backoff_calm_fault(&b, 4000 * MS, 4001 * MS), 0);
	assert_int_equal(backoff_fault(&b, 5000 * MS, 5001 * MS), 0);      /* none of them was a fault of the other kind */
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(doubles), cmocka_unit_test(window), cmocka_unit_test(calm) };
	return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}

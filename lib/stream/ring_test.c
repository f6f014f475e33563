/*
 * Expected: events come out as they went in, numbered without gaps; who was too slow gets SYN_DROPPED with the last number that is gone;
 * what is put and not committed changes nothing that is given out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "commit.h"
#include "ring.c"

enum { KEEP = 8 };
static struct input_event slots[KEEP + RING_SPARE], out[32];

static void test_order(void **state unused)
{
	uint64_t last = 0;
	struct ring r = { slots, KEEP, &last };

	assert_false(ring_has(&r, 0));
	for (int i = 1; i <= 5; i++)
		ring_put(&r, 100, EV_KEY, 30, i);
	assert_int_equal(ring_get(&r, 0, out, 32), 5);
	for (int i = 0; i < 5; i++)
		assert_true(out[i].seq == (uint64_t)i + 1 && out[i].value == i + 1);
	assert_int_equal(ring_get(&r, 3, out, 1), 1);
	assert_int_equal(out[0].seq, 4);
	assert_int_equal(ring_get(&r, 5, out, 32), 0);
}

static void test_dropped(void **state unused)
{
	uint64_t last = 0;
	struct ring r = { slots, KEEP, &last };

	for (int i = 1; i <= 100; i++)
		ring_put(&r, 100, EV_KEY, 30, i);
	assert_int_equal(ring_get(&r, 10, out, 32), KEEP + 1);
	assert_true(out[0].type == EV_SYN && out[0].code == SYN_DROPPED && out[0].seq == 92);
	for (int i = 1; i <= KEEP; i++)
		assert_true(out[i].seq == 92 + (uint64_t)i && out[i].value == 92 + i);
	assert_int_equal(ring_get(&r, 92, out, 32), KEEP);
}

static void test_commit(void **state unused)
{
	uint64_t which = 0, copies[2] = { 0 }, last = 0;
	struct commit c = { copies, &which, sizeof(last) };
	struct ring r = { slots, KEEP, &last };

	for (int i = 1; i <= KEEP; i++)
		ring_put(&r, 100, EV_KEY, 30, i);
	commit_save(&c, &last);
	for (int i = 0; i < RING_SPARE; i++)
		ring_put(&r, 100, EV_KEY, 31, -1);
	commit_load(&c, &last);
	assert_int_equal(last, KEEP);
	assert_int_equal(ring_get(&r, 0, out, 32), KEEP);
	for (int i = 0; i < KEEP; i++)
		assert_int_equal(out[i].value, i + 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_order), cmocka_unit_test(test_dropped), cmocka_unit_test(test_commit) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * blame_test: tables that end acpid three times in a row lose their SSDTs, then all AML, whether they crash it or hang it; what ends it
 * now and then, between long lives, costs nothing for good.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "blame.c"

#define HEARTBEAT (10 * NS_PER_SEC)
#define WEEKS     (1000000 * NS_PER_SEC)

static struct blame blame;
static uint64_t now;

static void begins(bool faulted)
{
	now += NS_PER_MS;
	blame_begin(&blame, faulted, now);
}

/* Loads AML, and waits. */
static void settles(void)
{
	now += NS_PER_SEC;
	blame_idle(&blame, true, now);
}

/* Is woken after a time, and then hangs. */
static void hangs_after(uint64_t ns)
{
	now += ns;
	blame_busy(&blame, now);
	now += HEARTBEAT + 2 * NS_PER_SEC;
}

static int fresh(void **s)
{
	(void)s;
	blame = (struct blame){ 0 };
	now = NS_PER_SEC;
	begins(false);
	assert_int_equal(blame.ends, 0);
	return 0;
}

static void crashes(void **s)
{
	(void)s;
	for (uint32_t n = 1; n < 10; n++) {
		begins(true);
		assert_int_equal(blame.ends, MIN(n, (uint32_t)BLAME_AML));
	}
	/* By hand. */
	begins(false);
	assert_int_equal(blame.ends, BLAME_SSDTS - 1);
	begins(true);
	assert_int_equal(blame.ends, BLAME_SSDTS);
}

/* While it loads; with what an event brings, soon after. */
static void hangs(void **s)
{
	for (int event = 0; event < 2; event++) {
		fresh(s);
		for (uint32_t n = 1; n <= BLAME_AML; n++) {
			if (event)
				settles();
			hangs_after(event ? NS_PER_SEC : 0);
			begins(true);
			assert_int_equal(blame.ends, n);
		}
	}
}

static void now_and_then(void **s)
{
	(void)s;
	for (int i = 0; i < 10; i++) {
		settles();
		hangs_after(WEEKS);
		begins(true);
		assert_int_equal(blame.ends, 1);
	}
	/* It faults while it waits: another thread, or a test. */
	begins(true);
	settles();
	now += WEEKS;
	begins(true);
	assert_int_equal(blame.ends, 1);
}

/* What lives without SSDTs lives on without them, and no worse. */
static void without_ssdts(void **s)
{
	(void)s;
	for (uint32_t n = 0; n < BLAME_SSDTS; n++)
		begins(true);
	for (int i = 0; i < 10; i++) {
		settles();
		hangs_after(WEEKS);
		begins(true);
		assert_int_equal(blame.ends, BLAME_SSDTS);
	}
	settles();
	hangs_after(NS_PER_SEC);
	begins(true);
	assert_int_equal(blame.ends, BLAME_AML);
	/* Without AML it is not tried again by itself, however long that lives. */
	blame_idle(&blame, false, now);
	now += WEEKS;
	begins(true);
	assert_int_equal(blame.ends, BLAME_AML);
}

static void strays(void **s)
{
	(void)s;
	blame = (struct blame){ UINT32_MAX, 0, UINT64_MAX, 1 };
	begins(true);
	assert_int_equal(blame.ends, BLAME_AML);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(crashes, fresh), cmocka_unit_test_setup(hangs, fresh), cmocka_unit_test_setup(now_and_then, fresh),
		cmocka_unit_test_setup(without_ssdts, fresh), cmocka_unit_test_setup(strays, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

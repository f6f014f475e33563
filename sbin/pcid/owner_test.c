/*
 * owner_test: who has a function keeps it while pcid lives and after it has died; an OPEN that is delivered again finds what it made; and a
 * record whose Session was never used, so that there may be none, bars nobody once pcid has died.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "owner.c"

enum { AT = 0x18, OP = 7, OTHER = 8 };

static struct owner owners[OWNERS_MAX];

static enum claim_verdict opens(uint64_t op_id, bool redelivered, bool offered, uint64_t life)
{
	return owner_judge(owner_of(owners, AT), &(struct claim){ op_id, life, redelivered, offered });
}

static void found(void **s)
{
	(void)s;
	assert_null(owner_of(owners, 0));
	assert_int_equal(opens(OP, false, false, 1), CLAIM_FREE);
	owners[3] = (struct owner){ 5ull << 32 | AT, OP, 0, 0 };
	assert_ptr_equal(owner_of(owners, AT), &owners[3]);
	assert_null(owner_of(owners, AT + 1));
}

static void kept(void **s)
{
	(void)s;
	/* Not yet used: in the life that made it, it is about to be. */
	owners[3] = (struct owner){ 5ull << 32 | AT, OP, 0, 1 };
	assert_int_equal(opens(OTHER, false, false, 1), CLAIM_BUSY);
	assert_int_equal(opens(OTHER, false, true, 1), CLAIM_BUSY);
	owners[3].unheard = 0;
	assert_int_equal(opens(OTHER, false, false, 2), CLAIM_BUSY);
	assert_int_equal(opens(OTHER, true, true, 2), CLAIM_BUSY);
	/* Of initd's drivers the next one has it. */
	owners[3].offered = true;
	assert_int_equal(opens(OTHER, false, true, 1), CLAIM_OVER);
	assert_int_equal(opens(OTHER, false, false, 1), CLAIM_BUSY);
}

static void answered_again(void **s)
{
	(void)s;
	owners[3] = (struct owner){ 5ull << 32 | AT, OP, 0, 1 };
	assert_int_equal(opens(OP, true, false, 2), CLAIM_AGAIN);
	owners[3].op_id = 0;
	assert_int_equal(opens(0, true, false, 1), CLAIM_BUSY);
}

static void without_a_session(void **s)
{
	(void)s;
	owners[3] = (struct owner){ 5ull << 32 | AT, OP, 0, 1 };
	assert_int_equal(opens(OTHER, false, false, 2), CLAIM_OVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found), cmocka_unit_test(kept), cmocka_unit_test(answered_again), cmocka_unit_test(without_a_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

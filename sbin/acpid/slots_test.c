/*
 * slots_test: events come in order, each once for who counts them; who is too far behind, or ahead, is told to look everywhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "slots.c"

static struct slot_log log_;
static uint64_t number;
static uint16_t at;
static enum slot_kind kind;

static int empty(void **unused_state)
{
	(void)unused_state;
	log_ = (struct slot_log){ 0 };
	return 0;
}

static void in_order(void **unused_state)
{
	(void)unused_state;
	assert_false(slots_next(&log_, 0, &number, &at, &kind));
	slots_note(&log_, 0x100, SLOT_DEVICE_CHECK);
	slots_note(&log_, 0x208, SLOT_EJECT_REQUEST);
	assert_true(slots_next(&log_, 0, &number, &at, &kind));
	assert_true(number == 1 && at == 0x100 && kind == SLOT_DEVICE_CHECK);
	assert_true(slots_next(&log_, 1, &number, &at, &kind));
	assert_true(number == 2 && at == 0x208 && kind == SLOT_EJECT_REQUEST);
	assert_false(slots_next(&log_, 2, &number, &at, &kind));
}

static void lost(void **unused_state)
{
	(void)unused_state;
	for (unsigned i = 1; i <= 100; i++)
		slots_note(&log_, (uint16_t)i, SLOT_DEVICE_CHECK);
	assert_true(slots_next(&log_, 100 - SLOT_EVENTS, &number, &at, &kind));
	assert_true(number == 100 && at == SLOT_ANYWHERE && kind == SLOT_BUS_CHECK);
	assert_true(slots_next(&log_, 101 - SLOT_EVENTS, &number, &at, &kind));
	assert_true(number == 102 - SLOT_EVENTS && at == number && kind == SLOT_DEVICE_CHECK);
	assert_true(slots_next(&log_, UINT64_MAX, &number, &at, &kind));
	assert_true(number == 100 && at == SLOT_ANYWHERE);
	log_.events[100 % SLOT_EVENTS].kind = 77;
	assert_true(slots_next(&log_, 99, &number, &at, &kind));
	assert_true(number == 100 && at == SLOT_ANYWHERE && kind == SLOT_BUS_CHECK);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup(in_order, empty), cmocka_unit_test_setup(lost, empty) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * record_test: records torn at every byte, and the table of decisions. Expected: reading gives what was written
 * last or, torn, what was written before; a start that was not written down is counted once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "record.c"

static struct records table;

static void a_fresh_table(void **state)
{
	(void)state;
	memset(&table, 0x5a, sizeof(table));
	assert_false(records_check(&table));
	assert_true(records_check(&table));
	struct record_slot *a = record_slot(&table, 7), *b = record_slot(&table, 8);
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(record_slot(&table, 7), a);
	struct record r;
	assert_true(record_read(a, &r));
	assert_int_equal(r.owner, 7);
	assert_int_equal(r.state, RECORD_NEW);
	for (uint32_t i = 0; i < RECORDS_MAX - 2; i++)
		assert_non_null(record_slot(&table, 100 + i));
	assert_null(record_slot(&table, 9999));
}

/* The write stops after each byte; what is there must be the old record or the new one. */
static void torn_at_every_byte(void **state)
{
	(void)state;
	for (int round = 0; round < 2; round++) {       /* into either copy */
		struct record_slot before = { 0 }, after, torn;
		struct record old = { .owner = 3, .state = RECORD_DUE, .instances = 4, .pid = 40, .reason = "killed" };
		struct record new = { .owner = 3, .state = RECORD_RUNNING, .instances = 5, .pid = 41, .reason = "page fault" }, r;
		if (round)
			record_write(&before, &new);
		record_write(&before, &old);
		after = before;
		record_write(&after, &new);
		for (size_t n = 0; n <= sizeof(torn); n++) {
			torn = before;
			memcpy(&torn, &after, n);
			assert_true(record_read(&torn, &r));
			assert_true(!memcmp(&r, &old, sizeof(r)) || !memcmp(&r, &new, sizeof(r)));
			record_write(&torn, &new);
			assert_true(record_read(&torn, &r));
			assert_memory_equal(&r, &new, sizeof(r));
		}
	}
}

static void devices(void **state)
{
	(void)state;
	memset(&table, 0, sizeof(table));
	(void)records_check(&table);
	struct device_record *d = device_record_put(&table, 5, 0x20, 0x1af4, 0x1050, 0x038000);
	assert_true(device_record_valid(d));
	d->gone = 1;
	assert_true(device_record_valid(d));
	d->class ^= 1;
	assert_false(device_record_valid(d));
	assert_ptr_equal(device_record_put(&table, 6, 0x20, 0x1af4, 0x1050, 0x038000), d);      /* it takes the place of the damaged one */
	assert_int_equal(d->gone, 0);
	for (uint32_t k = 1; k < DEVICES_MAX; k++)
		assert_non_null(device_record_put(&table, 10 + k, (uint16_t)k, 1, 2, 3));
	assert_null(device_record_put(&table, 7, 1, 1, 1, 1));
	device_record_free(d);
	assert_false(device_record_valid(d));
	assert_ptr_equal(device_record_put(&table, 7, 1, 1, 1, 1), d);
	/* Slots given back are there for others. */
	struct record_slot *slot = NULL;
	for (uint32_t i = 0; i < RECORDS_MAX; i++)
		slot = record_slot(&table, 100 + i);
	assert_null(record_slot(&table, 9999));
	record_free(slot);
	struct record r;
	assert_false(record_read(slot, &r));
	assert_ptr_equal(record_slot(&table, 9999), slot);
}

static void intents(void **state)
{
	(void)state;
	memset(&table, 0, sizeof(table));
	(void)records_check(&table);
	assert_null(intent_find(&table, 5));
	struct intent *i = intent_put(&table, 5, 1, 2, 3);
	assert_ptr_equal(intent_find(&table, 5), i);
	assert_ptr_equal(intent_put(&table, 5, 9, 8, 7), i);
	assert_int_equal(i->pid, 7);
	for (uint32_t k = 0; k < INTENTS_MAX - 1; k++)
		assert_non_null(intent_put(&table, 100 + k, 0, 0, 0));
	assert_null(intent_put(&table, 6, 0, 0, 0));
	i->command = 0;
	assert_non_null(intent_put(&table, 6, 0, 0, 0));
}

/* Every state, with and without a process, alive and not. */
static void decisions(void **state)
{
	static const struct { uint32_t state; bool found, alive; uint32_t fate, instances, after; } cases[] = {
		{ RECORD_NEW, false, false, FATE_START, 4, RECORD_NEW },
		{ RECORD_NEW, true, true, FATE_KEEP, 5, RECORD_RUNNING },
		{ RECORD_NEW, true, false, FATE_ENDED, 5, RECORD_RUNNING },
		{ RECORD_DUE, false, false, FATE_START, 4, RECORD_DUE },
		{ RECORD_DUE, true, true, FATE_KEEP, 5, RECORD_RUNNING },
		{ RECORD_DUE, true, false, FATE_ENDED, 5, RECORD_RUNNING },
		{ RECORD_RUNNING, false, false, FATE_START, 4, RECORD_RUNNING },
		{ RECORD_RUNNING, true, true, FATE_KEEP, 4, RECORD_RUNNING },
		{ RECORD_RUNNING, true, false, FATE_ENDED, 4, RECORD_RUNNING },
		{ RECORD_WAITING, false, false, FATE_WAIT, 4, RECORD_WAITING },
		{ RECORD_STOPPED, false, false, FATE_REST, 4, RECORD_STOPPED },
		{ RECORD_ENDED, false, false, FATE_REST, 4, RECORD_ENDED },
		{ 77, false, false, FATE_START, 4, RECORD_NEW },
		{ 77, true, true, FATE_KEEP, 5, RECORD_RUNNING },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct record r = { .state = cases[i].state, .instances = 4, .pid = 30 };
		assert_int_equal(record_decide(&r, cases[i].found, cases[i].alive, 31), cases[i].fate);
		assert_int_equal(r.instances, cases[i].instances);
		assert_int_equal(r.state, cases[i].after);
		/* Dying again right here changes nothing: no instance is counted twice. */
		if (cases[i].found)
			assert_int_equal(record_decide(&r, true, cases[i].alive, 31), cases[i].fate);
		assert_int_equal(r.instances, cases[i].instances);
	}
}

static void whose_process(void **state)
{
	struct record r = { .state = RECORD_DUE, .pid = 30 };

	(void)state;
	assert_false(record_owns(&r, 30, true));        /* the last instance: its end was dealt with */
	assert_true(record_owns(&r, 31, false));        /* made, not yet tagged */
	assert_true(record_owns(&r, 31, true));
	r.state = RECORD_RUNNING;
	assert_true(record_owns(&r, 30, true));
	assert_false(record_owns(&r, 29, true));
	r.state = RECORD_NEW;
	assert_true(record_owns(&r, 5, true));
	assert_false(record_owns(&r, 5, false));
	assert_false(record_owns(&r, 30, true));        /* ended in order, and is not to start before it is used */
	r.state = RECORD_STOPPED;
	assert_false(record_owns(&r, 30, true));
}

static void owners(void **state)
{
	static const char *const names[] = { "rngd", "sysd", "sh", "outputd", "tmpd", "diskd", "vfsd", "usbd", "a", "b" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_true(service_owner(names[i]) > 0 && service_owner(names[i]) <= TAG_OWNER_MAX);
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(service_owner(names[i]), service_owner(names[k]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fresh_table), cmocka_unit_test(torn_at_every_byte), cmocka_unit_test(intents), cmocka_unit_test(devices),
		cmocka_unit_test(decisions), cmocka_unit_test(whose_process), cmocka_unit_test(owners),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * message_test: a message has one Irq however often it is asked for, also for pcid's next instance, and none once its function is stopped; no
 * function has all vectors; and of a record that a stray store has hit nothing is written to a device.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include "../../abi/rt/sum.c"
#include "message.c"

enum { ONE = 0x18, TWO = 0x20, THREE = 0x28, DMA = 9 };

static handle_t shelf[MESSAGE_SLOT + MESSAGES_MAX];
static uint32_t made;                   /* Irqs so far; a handle is the number of its Irq */
static int open_handles;
static status_t put_fails;

status_t irq_create_msi(handle_t resource, uint32_t number, handle_t *irq, uint64_t *address, uint32_t *data)
{
	assert_int_equal(resource, DMA);
	*irq = ++made;
	*address = 0xfee00000 + number;
	*data = made;
	open_handles++;
	return OK;
}

status_t shelf_put(handle_t s, uint32_t slot, handle_t h)
{
	(void)s;
	if (put_fails < 0)
		return put_fails;
	assert_in_range(slot, MESSAGE_SLOT, MESSAGE_SLOT + MESSAGES_MAX - 1);
	shelf[slot] = h;
	return OK;
}

status_t shelf_get(handle_t s, uint32_t slot, handle_t *h)
{
	(void)s;
	*h = shelf[slot];
	open_handles += *h != 0;
	return *h ? OK : ERR_NOT_FOUND;
}

status_t shelf_clear(handle_t s, uint32_t slot) { (void)s; shelf[slot] = 0; return OK; }
status_t handle_close(handle_t h) { (void)h; open_handles--; return OK; }

static struct message_record kept_records[MESSAGES_MAX];
static const struct state state;

static void next_instance(void)
{
	message_begin(&state, kept_records, DMA);
	assert_int_equal(open_handles, 0);
}

static int empty(void **s)
{
	(void)s;
	made = 0;
	open_handles = 0;
	put_fails = OK;
	memset(shelf, 0, sizeof(shelf));
	memset(kept_records, 0, sizeof(kept_records));
	next_instance();
	return 0;
}

/* Which Irq it gets; 0: ERR_NO_SPACE. */
static handle_t asks(uint16_t at, uint32_t number)
{
	handle_t irq;
	uint64_t address;
	uint32_t data;

	status_t st = message_irq(at, number, &irq, &address, &data);
	if (st == ERR_NO_SPACE)
		return 0;
	assert_int_equal(st, OK);
	assert_int_equal(address, 0xfee00000 + at);
	assert_int_equal(data, irq);
	handle_close(irq);
	assert_int_equal(open_handles, 0);
	return irq;
}

static void one_each(void **s)
{
	(void)s;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(asks(ONE, 0), 1);
		assert_int_equal(asks(ONE, 1), 2);
		assert_int_equal(asks(TWO, 0), 3);
		next_instance();
	}
	message_drop(ONE);
	assert_int_equal(asks(TWO, 0), 3);
	assert_int_equal(asks(ONE, 0), 4);
	message_drop(ONE);
	message_drop(TWO);
	for (uint32_t i = 0; i < ARRAY_LEN(shelf); i++)
		assert_true(!shelf[i] && !message_recorded(i));
}

static void not_all(void **s)
{
	(void)s;
	for (uint16_t at = ONE; at <= TWO; at += TWO - ONE) {
		for (uint32_t i = 0; i < MESSAGES_EACH; i++)
			assert_int_not_equal(asks(at, i), 0);
		assert_int_equal(asks(at, MESSAGES_EACH), 0);
		assert_int_not_equal(asks(at, MESSAGES_EACH - 1), 0);
	}
	for (uint32_t i = 0; i < MESSAGES_MAX - 2 * MESSAGES_EACH; i++)
		assert_int_not_equal(asks(THREE, i), 0);
	assert_int_equal(asks(THREE, MESSAGES_EACH - 1), 0);
	message_drop(ONE);
	assert_int_not_equal(asks(THREE, MESSAGES_EACH - 1), 0);
}

static void damaged(void **s)
{
	handle_t irq;
	uint64_t address;
	uint32_t data;

	(void)s;
	assert_int_equal(asks(ONE, 0), 1);
	for (size_t i = 0; i < MESSAGES_MAX; i++)
		kept_records[i].address ^= 0x1000;
	next_instance();
	assert_int_equal(asks(ONE, 0), 2);
	/* Recorded without an Irq. */
	memset(shelf, 0, sizeof(shelf));
	next_instance();
	assert_int_equal(asks(ONE, 0), 3);
	/* What cannot be kept is not given. */
	put_fails = ERR_LIMIT;
	assert_int_equal(message_irq(TWO, 0, &irq, &address, &data), ERR_LIMIT);
	assert_int_equal(open_handles, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_each, empty), cmocka_unit_test_setup(not_all, empty), cmocka_unit_test_setup(damaged, empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

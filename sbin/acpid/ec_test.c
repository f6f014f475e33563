/*
 * ec_test: bytes are read and written whatever the controller's pace; what never answers costs little time; and an instance killed
 * at any access loses no event, nor does the next one take an old answer for a new one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "ec.c"
#include "ec_model.h"

static struct model m;
static struct ec_kept kept;
static struct ec ec;
static uint32_t left;                   /* accesses until the kill; 0: never */
static jmp_buf killed;

static void step(void)
{
	if (left && --left == 0)
		longjmp(killed, 1);
}

static uint8_t hook_read(enum ec_port port)
{
	step();
	return model_read(port);
}

/* It may end before and after, and after a read all the same, but for the number of an event: that is lost then. */
static void hook_write(enum ec_port port, uint8_t value)
{
	step();
	model_write(port, value);
	step();
}

static const struct ec_hooks hooks = { hook_read, hook_write, model_pause, model_now };

static int sound(void **unused_state)
{
	(void)unused_state;
	left = 0;
	kept = (struct ec_kept){ 0 };
	model_begin(&m);
	assert_true(ec_begin(&ec, &hooks, &kept));
	return 0;
}

static uint8_t one(uint32_t address)
{
	uint8_t value = 0;

	assert_int_equal(ec_read(&ec, address, &value, 1), OK);
	return value;
}

static void reads_and_writes(void **unused_state)
{
	static const uint64_t paces[][2] = { { 0, 0 }, { 2000, 20000 }, { 300000, 900000 }, { 40 * NS_PER_MS, 60 * NS_PER_MS } };
	uint8_t bytes[4] = { 1, 2, 3, 4 }, back[4];

	for (size_t i = 0; i < ARRAY_LEN(paces); i++)
		for (int burst = 0; burst < 2; burst++) {
			sound(unused_state);
			m.take_ns = paces[i][0];
			m.answer_ns = paces[i][1];
			m.knows_burst = burst;
			assert_int_equal(one(0), 0x5a);
			assert_int_equal(one(255), 255 ^ 0x5a);
			assert_int_equal(ec_write(&ec, 252, bytes, 4), OK);
			ec_rest(&ec);
			assert_int_equal(ec_read(&ec, 252, back, 4), OK);
			assert_memory_equal(back, bytes, 4);
			assert_memory_equal(m.ram + 252, bytes, 4);
			assert_int_equal(ec.state, EC_WORKING);
			assert_false(m.burst);
			assert_int_equal(m.sins, 0);
		}
	/* One that does not know burst mode is asked for it once: 4 bytes, and nothing else. */
	sound(unused_state);
	m.knows_burst = false;
	assert_int_equal(ec_read(&ec, 0, back, 4), OK);
	uint32_t before = m.transactions;
	assert_int_equal(ec_read(&ec, 0, back, 4), OK);
	assert_int_equal(m.transactions - before, 4);
}

static void bounds(void **unused_state)
{
	uint8_t bytes[257];

	(void)unused_state;
	assert_int_equal(ec_read(&ec, 0, bytes, 0), ERR_INVALID);
	assert_int_equal(ec_read(&ec, 0, bytes, 257), ERR_INVALID);
	assert_int_equal(ec_read(&ec, 255, bytes, 2), ERR_INVALID);
	assert_int_equal(ec_write(&ec, 256, bytes, 1), ERR_INVALID);
	assert_int_equal(ec_write(&ec, UINT32_MAX, bytes, 2), ERR_INVALID);
	assert_int_equal(m.transactions, 0);
	assert_int_equal(ec_read(&ec, 0, bytes, 256), OK);
	for (int i = 0; i < 256; i++)
		assert_int_equal(bytes[i], i ^ 0x5a);
}

static void stale_byte(void **unused_state)
{
	(void)unused_state;
	m.obf = true;
	m.out = 0x77;
	assert_int_equal(one(3), 3 ^ 0x5a);
	/* Some instance asked for an event, and this is its number. */
	m.obf = true;
	m.out = 0x77;
	kept.owed = EC_OWED_QUERY;
	assert_true(ec_begin(&ec, &hooks, &kept));
	uint8_t number = 0;
	assert_true(ec_pending(&ec));
	assert_int_equal(ec_query(&ec, &number), OK);
	assert_int_equal(number, 0x77);
	assert_int_equal(ec_query(&ec, &number), ERR_NOT_FOUND);
	assert_int_equal(kept.queries[1], 1ull << (0x77 - 64));
	ec_settled(&ec);
	assert_int_equal(kept.queries[1], 0);
	assert_int_equal(m.sins, 0);
}

static void queries(void **unused_state)
{
	uint8_t number = 0;

	(void)unused_state;
	assert_int_equal(ec_query(&ec, &number), ERR_NOT_FOUND);
	assert_int_equal(m.transactions, 0);
	model_event(0xff);
	model_event(1);
	assert_true(ec_look(&ec));
	assert_int_equal(ec_query(&ec, &number), OK);
	assert_int_equal(number, 0xff);
	assert_int_equal(ec_query(&ec, &number), OK);
	assert_int_equal(number, 1);
	assert_int_equal(ec_query(&ec, &number), ERR_NOT_FOUND);
	assert_false(ec_look(&ec));
	m.kind = MODEL_ZEROS;
	assert_int_equal(ec_query(&ec, &number), ERR_NOT_FOUND);
	/* Not done: the next instance is given both again. */
	assert_true(ec_begin(&ec, &hooks, &kept));
	m.kind = MODEL_SOUND;
	assert_true(ec_pending(&ec));
	assert_int_equal(ec_query(&ec, &number), OK);
	assert_int_equal(number, 1);
	/* What was not given out is not settled. */
	ec_settled(&ec);
	assert_int_equal(kept.queries[0], 0);
	assert_int_equal(kept.queries[3], 1ull << 63);
	assert_true(ec_forget(&kept));
	assert_false(ec_forget(&kept));
	assert_int_equal(kept.queries[3], 0);
}

/* The number comes after the wait for it was given up: the next transaction finds it. */
static void late_number(void **unused_state)
{
	uint8_t number = 0;

	(void)unused_state;
	model_event(0x10);
	m.answer_ns = 700 * NS_PER_MS;
	assert_int_equal(ec_query(&ec, &number), ERR_IO);
	m.now += NS_PER_SEC;
	m.answer_ns = 0;
	assert_int_equal(one(9), 9 ^ 0x5a);
	assert_true(ec_pending(&ec));
	assert_int_equal(ec_query(&ec, &number), OK);
	assert_int_equal(number, 0x10);
	assert_int_equal(m.sins, 0);
}

static void out_of_order(void **unused_state)
{
	static const enum model_kind kinds[] = { MODEL_ABSENT, MODEL_DEAF, MODEL_MUTE, MODEL_FULL };
	uint8_t bytes[8];

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		sound(unused_state);
		assert_int_equal(one(0), 0x5a);
		m.kind = kinds[i];
		m.obf = kinds[i] == MODEL_FULL;
		uint64_t begin = m.now;
		for (int n = 0; n < 1000; n++) {
			assert_int_equal(ec_read(&ec, 0, bytes, 8), ERR_IO);
			assert_int_equal(ec_write(&ec, 0, bytes, 8), kinds[i] == MODEL_MUTE && n == 0 && ec.failures == 0 ? OK : ERR_IO);
		}
		assert_in_range(m.now - begin, 0, EC_FAILURES * 2 * EC_WAIT_NS);
		assert_int_equal(ec.state, kinds[i] == MODEL_ABSENT ? EC_ABSENT : EC_SILENT);
		/* It is asked again now and then, once. */
		m.now += EC_AGAIN_NS;
		begin = m.now;
		for (int n = 0; n < 1000; n++)
			assert_int_equal(ec_read(&ec, 0, bytes, 1), ERR_IO);
		assert_in_range(m.now - begin, 1, 2 * EC_WAIT_NS);
		/* And comes back. */
		m.kind = MODEL_SOUND;
		m.now += EC_AGAIN_NS;
		ec_rest(&ec);
		assert_int_equal(one(7), 7 ^ 0x5a);
		assert_int_equal(ec.state, EC_WORKING);
	}
}

/* Always in time, and yet too slow: a turn of the service ends. */
static void slow(void **unused_state)
{
	uint8_t byte;

	(void)unused_state;
	m.take_ns = m.answer_ns = 100 * NS_PER_MS;
	uint64_t begin = m.now;
	while (ec_read(&ec, 0, &byte, 1) == OK)
		;
	assert_in_range(m.now - begin, EC_TURN_NS, EC_TURN_NS + 4 * EC_WAIT_NS);
	assert_int_equal(ec.state, EC_WORKING);
	ec_rest(&ec);
	assert_int_equal(ec_read(&ec, 0, &byte, 1), OK);
}

static void nonsense(void **unused_state)
{
	uint8_t bytes[4], number;

	for (uint64_t seed = 0; seed < 200; seed++) {
		sound(unused_state);
		m.kind = MODEL_RANDOM;
		m.seed = seed;
		kept.owed = (uint32_t)seed;
		bool known = ec_begin(&ec, &hooks, &kept);
		(void)known;
		uint64_t begin = m.now;
		for (int n = 0; n < 300; n++) {
			status_t st = n % 3 == 0 ? ec_query(&ec, &number) : n % 3 == 1 ? ec_read(&ec, 0, bytes, 4) : ec_write(&ec, 0, bytes, 4);
			(void)st;
		}
		assert_in_range(m.now - begin, 0, EC_TURN_NS + 20 * EC_WAIT_NS);
	}
}

/* ---- kills ---- */

static bool heard[256];
static uint8_t seen[2];

/* What an instance does: takes over, lets two methods read, hears of all events, does what they ask, and is done. */
static void instance(uint32_t kill_at)
{
	static uint8_t number, byte, two[2];

	left = kill_at;
	bool known = ec_begin(&ec, &hooks, &kept);
	(void)known;                    /* it is not, when the one before died about to ask */
	assert_int_equal(ec_read(&ec, 0x20, &byte, 1), OK);
	assert_int_equal(byte, 0x20 ^ 0x5a);
	for (;;) {
		status_t st = ec_query(&ec, &number);
		assert_true(st == OK || st == ERR_NOT_FOUND);
		if (st != OK)
			break;
		/* _Qxx: it reads what happened. A kill in it is one before the end of the method. */
		assert_int_equal(ec_read(&ec, 0x30, two, 2), OK);
		assert_int_equal(two[0], 0x30 ^ 0x5a);
		assert_int_equal(two[1], 0x31 ^ 0x5a);
		step();
		heard[number] = true;
	}
	ec_settled(&ec);
	seen[0] = 0x11;
	seen[1] = 0x22;
	assert_int_equal(ec_write(&ec, 0x40, seen, 2), OK);
	left = 0;
}

/* False: it ended by itself. */
static bool dies(uint32_t kill_at)
{
	if (setjmp(killed))
		return true;
	instance(kill_at);
	return false;
}

static void kill_anywhere(void **unused_state)
{
	static const uint64_t paces[][2] = { { 0, 0 }, { 2000, 5000 }, { 15000, 45000 }, { 0, 5 * NS_PER_MS }, { 3 * NS_PER_MS, 200000 } };
	uint32_t most = 0;

	for (size_t pace = 0; pace < ARRAY_LEN(paces); pace++)
		for (uint32_t first = 1, more = 1; more; first++)
			/* And the instance after it, too: at each access of its own beginning. */
			for (uint32_t second = 0; second < 24; second++) {
				sound(unused_state);
				m.take_ns = paces[pace][0];
				m.answer_ns = paces[pace][1];
				memset(heard, 0, sizeof(heard));
				model_event(0x81);
				model_event(0x07);
				more = dies(first);
				if (second)
					(void)dies(second);
				assert_false(dies(0));
				assert_true(heard[0x81] && heard[0x07]);
				assert_int_equal(kept.queries[0] | kept.queries[1] | kept.queries[2] | kept.queries[3], 0);
				assert_int_equal(kept.owed, EC_OWED_NOTHING);
				assert_int_equal(m.ram[0x40] | m.ram[0x41] << 8, 0x2211);
				assert_int_equal(m.sins, 0);
				for (int i = 0; i < 256; i++)
					assert_true(!heard[i] || i == 0x81 || i == 0x07);
				most = first;
			}
	assert_true(most > 50);
}

/* The window that is left: the number was read, and not written down any more. */
static void killed_with_the_number(void **unused_state)
{
	(void)unused_state;
	kept.owed = EC_OWED_QUERY;
	uint64_t begin = m.now;
	assert_false(ec_begin(&ec, &hooks, &kept));
	assert_in_range(m.now - begin, 0, 2 * EC_WAIT_NS);
	assert_int_equal(one(1), 1 ^ 0x5a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(reads_and_writes, sound), cmocka_unit_test_setup(bounds, sound), cmocka_unit_test_setup(stale_byte, sound),
		cmocka_unit_test_setup(queries, sound), cmocka_unit_test_setup(late_number, sound), cmocka_unit_test_setup(out_of_order, sound),
		cmocka_unit_test_setup(slow, sound), cmocka_unit_test_setup(nonsense, sound), cmocka_unit_test_setup(kill_anywhere, sound),
		cmocka_unit_test_setup(killed_with_the_number, sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

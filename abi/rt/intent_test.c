/*
 * intent: a model of a service that dies. Operations add to counters and append to a text; the "kernel" delivers each until
 * it is returned. The run is repeated with a death after every single store, and with a second death after every
 * store of what follows. Expected: each operation happened exactly once, each answer is the one a life without deaths
 * gives, and damage is noticed and never leaves the region.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>
#include <abi/types.h>

static long stores, die_at, die_again;
static jmp_buf death;
static void stored(void);
#define INTENT_STORED() stored()
#include "intent.c"

enum { OPS = 7, RING = 3 };

/* What the Frame holds. `odd` keeps the text unaligned. */
static struct frame {
	struct intent_record ring[RING];
	struct { uint64_t count, size; uint8_t odd[3]; char text[61]; uint32_t last; } region;
} frame;

static uint64_t returned[OPS];
static volatile int next_op;                /* the kernel's: first operation not yet returned */
static volatile bool redelivered;

static void stored(void)
{
	stores++;
	if (stores == die_at)
		longjmp(death, 1);
}

uint64_t state_sum(uint64_t seed, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t h = seed * 31 + 7;
	while (len--)
		h = h * 1099511628211ull + *p++;
	return h;
}

/* The text is written behind its end first, as the data of an append is; then the record makes it count. */
static uint64_t handle(struct intent_log *log, int op, bool again)
{
	uint64_t id = 0x1000 + (uint64_t)op;
	const struct intent_answer *known = again ? intent_find(log, id) : NULL;
	if (!again)
		intent_settle(log);
	if (known)
		return known->w[0];
	uint64_t count = frame.region.count + 1, size = frame.region.size + 5;
	char piece[6];
	snprintf(piece, sizeof(piece), "<%03d>", op);
	store_bytes(frame.region.text + frame.region.size, piece, 5);
	uint32_t last = 0xabc00000u + (uint32_t)op;
	intent_begin(log, id, (uint32_t)op);
	assert_true(intent_set(log, &frame.region.count, &count, 8));
	assert_true(intent_set(log, &frame.region.size, &size, 8));
	assert_true(intent_set(log, &frame.region.last, &last, 4));
	/* More than one word: part of it may be there when the service dies. */
	assert_true(intent_set(log, frame.region.odd, (uint8_t[3]){ (uint8_t)op, (uint8_t)(op + 1), (uint8_t)(op + 2) }, 3));
	struct intent_answer a = { .w = { count * 100 } };
	intent_commit(log, &a);
	intent_act(log);
	intent_done(log);
	return a.w[0];
}

static unsigned recovered;
static void on_acted(void *ctx unused, const struct intent_record *r)
{
	recovered++;
	assert_int_equal(r->kind, (uint32_t)next_op);
}

static void live(void)
{
	struct intent_log log;
	assert_int_equal(intent_open(&log, frame.ring, RING, &frame.region, sizeof(frame.region)), 0);
	intent_recover(&log, on_acted, NULL);
	while (next_op < OPS) {
		uint64_t answer = handle(&log, next_op, redelivered);
		stored();                       /* dies before it returns */
		returned[next_op] = answer;
		next_op = next_op + 1;
		redelivered = false;
		stored();                       /* and after */
	}
}

static void run(void)
{
	memset(&frame, 0, sizeof(frame));
	memset(returned, 0, sizeof(returned));
	stores = 0;
	next_op = 0;
	redelivered = false;
	if (setjmp(death)) {
		redelivered = true;
		die_at = die_again ? stores + die_again : 0;
		die_again = 0;
	}
	live();
	for (int i = 0; i < OPS; i++)
		assert_int_equal(returned[i], (i + 1) * 100);
	assert_int_equal(frame.region.count, OPS);
	assert_int_equal(frame.region.size, 5 * OPS);
	assert_memory_equal(frame.region.text, "<000><001><002><003><004><005><006>", 5 * OPS);
	assert_int_equal(frame.region.last, 0xabc00000u + OPS - 1);
	assert_int_equal(frame.region.odd[2], OPS + 1);
}

static void dies_after_every_store(void **state unused)
{
	die_at = die_again = 0;
	run();
	long all = stores;
	assert_true(all > OPS * 10);
	recovered = 0;
	for (long i = 1; i <= all; i++) {
		die_at = i;
		die_again = 0;
		run();
	}
	assert_true(recovered >= OPS);          /* some deaths lay between commit and done */
}

static void dies_twice(void **state unused)
{
	die_at = die_again = 0;
	run();
	long all = stores;
	for (long i = 1; i <= all; i += 1)
		for (long k = 1; k <= 40; k++) {
			die_at = i;
			die_again = k;
			run();
		}
}

static struct intent_log fresh_log(void)
{
	struct intent_log log;
	die_at = die_again = 0;
	memset(&frame, 0, sizeof(frame));
	assert_int_equal(intent_open(&log, frame.ring, RING, &frame.region, sizeof(frame.region)), 0);
	return log;
}

/* One byte wrong anywhere in a record: either it does not matter, or the record is dropped. */
static void damage_is_noticed(void **state unused)
{
	struct intent_log log = fresh_log(), next;
	uint64_t value = 77;
	intent_begin(&log, 5, 9);
	assert_true(intent_set(&log, &frame.region.count, &value, 8));
	intent_commit(&log, &(struct intent_answer){ .w = { 1 } });
	struct frame good = frame;
	unsigned dropped = 0;
	struct intent_record *r = &frame.ring[1];
	assert_int_not_equal(r->commit, 0);
	for (size_t i = 0; i < sizeof(*r); i++)
		for (int bit = 0; bit < 8; bit++) {
			frame = good;
			((uint8_t *)r)[i] ^= (uint8_t)(1 << bit);
			dropped += intent_open(&next, frame.ring, RING, &frame.region, sizeof(frame.region));
			intent_recover(&next, NULL, NULL);
			assert_true(frame.region.count == 77 || frame.region.count == 0);
			assert_int_equal(frame.region.size, 0);
		}
	/* commit (but for the two state bits, which may say done), sum, op id, kind and length, answer, data */
	assert_in_range(dropped, 8 * (8 + 8 + 8 + 8 + 72 + 16) - 8, 8 * (8 + 8 + 8 + 8 + 72 + 16));
}

/* A record whose sum is right, but which points elsewhere. */
static void pieces_stay_in_the_region(void **state unused)
{
	static const struct intent_piece bad[] = {
		{ sizeof(frame.region), 8 }, { UINT32_MAX, 8 }, { 0, UINT32_MAX }, { sizeof(frame.region) - 4, 8 }, { 0, 928 }, { 0, 9 },
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct intent_log log = fresh_log(), next;
		uint64_t value = 1;
		intent_begin(&log, 5, 9);
		assert_true(intent_set(&log, &frame.region.count, &value, 8));
		intent_commit(&log, &(struct intent_answer){ .w = { 1 } });
		struct intent_record *r = &frame.ring[1];
		memcpy(r->data, &bad[i], sizeof(bad[i]));
		r->sum = sum_of(r, sequence_of(r));
		assert_int_equal(intent_open(&next, frame.ring, RING, &frame.region, sizeof(frame.region)), 1);
		intent_recover(&next, NULL, NULL);
		assert_int_equal(frame.region.count, 0);
	}
}

static void full_record_is_refused(void **state unused)
{
	struct intent_log log = fresh_log();
	uint64_t value = 1;
	unsigned n = 0;
	intent_begin(&log, 1, 0);
	while (intent_set(&log, &frame.region.count, &value, 8))
		n++;
	assert_int_equal(n, INTENT_DATA / 16);
}

/* Ids that come twice (the same request sent again) mean a new operation once the first was answered. */
static void settled_is_forgotten(void **state unused)
{
	struct intent_log log = fresh_log();
	intent_begin(&log, 42, 0);
	intent_commit(&log, &(struct intent_answer){ .status = 3 });
	assert_int_equal(intent_find(&log, 42)->status, 3);
	intent_act(&log);
	intent_done(&log);
	assert_int_equal(intent_find(&log, 42)->status, 3);
	assert_null(intent_find(&log, 43));
	intent_begin(&log, 41, 0);
	intent_commit(&log, &(struct intent_answer){ .status = 5 });
	intent_act(&log);
	intent_done(&log);
	intent_settle(&log);
	assert_null(intent_find(&log, 42));
	assert_null(intent_find(&log, 41));
	/* The next instance has forgotten it as well. */
	assert_int_equal(intent_open(&log, frame.ring, RING, &frame.region, sizeof(frame.region)), 0);
	assert_null(intent_find(&log, 42));
	intent_begin(&log, 42, 0);
	intent_commit(&log, &(struct intent_answer){ .status = 4 });
	assert_int_equal(intent_find(&log, 42)->status, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dies_after_every_store), cmocka_unit_test(dies_twice), cmocka_unit_test(damage_is_noticed),
		cmocka_unit_test(pieces_stay_in_the_region), cmocka_unit_test(full_record_is_refused), cmocka_unit_test(settled_is_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

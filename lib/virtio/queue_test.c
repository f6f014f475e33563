/*
 * A split virtqueue between us and a device that does what it should, then one that writes what it likes. Expected: each chain comes back once,
 * with its token, in whatever order the device chooses, over many turns of the indices; what cannot be breaks the queue and gives nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "queue.c"

static struct virtq q;
static void *memory;
static uint16_t taken;                  /* of what is available, by the device */

static void begin(uint16_t size)
{
	free(memory);
	memory = aligned_alloc(16, ALIGN_UP(VIRTQ_BYTES(size), 16ull));
	memset(memory, 0, VIRTQ_BYTES(size));
	virtq_init(&q, memory, size);
	taken = 0;
}

/* The device's view (section 2.7.5 to 2.7.8), from the raw bytes. */
static uint16_t word(uint64_t at)
{
	uint16_t v;

	memcpy(&v, (char *)memory + at, sizeof(v));
	return v;
}

static bool device_takes(uint16_t *head)
{
	if (taken == word(VIRTQ_AVAIL_AT(q.size) + 2))
		return false;
	*head = word(VIRTQ_AVAIL_AT(q.size) + 4 + 2ull * (taken++ % q.size));
	return true;
}

static void device_gives(uint32_t id, uint32_t length)
{
	uint16_t index = word(VIRTQ_USED_AT(q.size) + 2);
	struct virtq_used u = { id, length };

	memcpy((char *)memory + VIRTQ_USED_AT(q.size) + 4 + 8ull * (index % q.size), &u, sizeof(u));
	index++;
	memcpy((char *)memory + VIRTQ_USED_AT(q.size) + 2, &index, sizeof(index));
}

static void layout(void **s)
{
	static const struct virtq_buffer b[] = { { 0x1000, 10 }, { 0x2000, 20 }, { 0x3000, 30 } };
	struct virtq_desc d;
	uint16_t head = 9;

	(void)s;
	assert_int_equal(VIRTQ_AVAIL_AT(8), 128);
	assert_int_equal(VIRTQ_USED_AT(8), 152);        /* 128 + 6 + 16, to the next 4 */
	begin(8);
	assert_int_equal(virtq_add(&q, b, 1, 2, 77), OK);
	assert_false(device_takes(&head));              /* not shown yet */
	assert_true(virtq_publish(&q));
	assert_false(virtq_publish(&q));
	assert_true(device_takes(&head));
	for (unsigned i = 0; i < 3; i++) {
		memcpy(&d, (char *)memory + 16 * head, sizeof(d));
		assert_true(d.address == b[i].address && d.length == b[i].length);
		assert_int_equal(d.flags, (i < 2 ? 1 : 0) | (i > 0 ? 2 : 0));
		head = d.next;
	}
	uint16_t quiet = 1;                             /* VIRTQ_USED_F_NO_NOTIFY */
	memcpy((char *)memory + VIRTQ_USED_AT(8), &quiet, sizeof(quiet));
	assert_int_equal(virtq_add(&q, b, 1, 0, 78), OK);
	assert_false(virtq_publish(&q));
	assert_true(device_takes(&head));
}

static void limits(void **s)
{
	struct virtq_buffer b[6] = { { 1, 1 } };

	(void)s;
	begin(4);
	assert_int_equal(virtq_add(&q, b, 0, 0, 0), ERR_INVALID);
	assert_int_equal(virtq_add(&q, b, 3, 2, 0), ERR_INVALID);
	assert_int_equal(virtq_add(&q, b, 2, 1, 0), OK);
	assert_int_equal(virtq_add(&q, b, 1, 1, 0), ERR_AGAIN);
	assert_int_equal(virtq_add(&q, b, 1, 0, 0), OK);
	assert_int_equal(virtq_add(&q, b, 1, 0, 0), ERR_AGAIN);
}

/* Indices go round more than once, chains of all lengths come back in another order. */
static void long_life(void **s)
{
	uint64_t tokens[16] = { 0 }, next = 1, token, out = 0;
	uint16_t heads[16];
	uint32_t len, random = 1;

	(void)s;
	begin(16);
	for (uint32_t round = 0; round < 200000; round++) {
		struct virtq_buffer b[3] = { { 1, 5 }, { 2, 6 }, { 3, 7 } };
		random = random * 1664525 + 1013904223;
		uint16_t n_out = 1, n_in = random >> 16 & 1;
		if (out < 16 && random >> 20 & 3 && virtq_add(&q, b, n_out, n_in, next) == OK) {
			assert_int_equal(virtq_publish(&q), true);
			assert_true(device_takes(&heads[out]));
			tokens[out++] = next++ << 1 | n_in;
			continue;
		}
		if (!out)
			continue;
		uint64_t i = (random >> 24) % out;
		uint32_t wrote = tokens[i] & 1 ? random >> 8 & 3 : 0;
		/* One that could only be read: what it says of it is nothing. */
		device_gives(heads[i], tokens[i] & 1 ? wrote : random >> 8 & 15);
		assert_int_equal(virtq_next(&q, &token, &len), OK);
		assert_true(token == tokens[i] >> 1 && len == wrote);
		assert_int_equal(virtq_next(&q, &token, &len), ERR_AGAIN);
		out--;
		tokens[i] = tokens[out];
		heads[i] = heads[out];
	}
	assert_true(next > 3 * 65536 / 2);
}

static void broken(void **s)
{
	static const struct { uint32_t id, length; uint16_t index; } wrong[] = {
		{ 0, 0, 2 },                    /* more than there were */
		{ 0, 0, 0xffff },               /* backwards */
		{ 1, 0, 1 },                    /* in the middle of a chain */
		{ 3, 0, 1 },                    /* free */
		{ 4, 0, 1 },                    /* no descriptor */
		{ UINT32_MAX, 0, 1 },
		{ 0x10000, 0, 1 },              /* right in its lower half */
		{ 0, 21, 1 },                   /* more than it may write */
		{ 2, 0, 1 },                    /* not shown to it */
	};

	(void)s;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct virtq_buffer b[2] = { { 1, 10 }, { 2, 20 } };
		uint64_t token = 5;
		uint32_t len = 6;
		begin(4);
		assert_int_equal(virtq_add(&q, b, 1, 1, 1), OK);
		(void)!virtq_publish(&q);
		assert_int_equal(virtq_add(&q, b, 1, 0, 2), OK);
		memcpy((char *)memory + VIRTQ_USED_AT(4) + 4, &wrong[i], 8);
		memcpy((char *)memory + VIRTQ_USED_AT(4) + 2, &wrong[i].index, 2);
		assert_int_equal(virtq_next(&q, &token, &len), ERR_IO);
		assert_true(token == 5 && len == 6 && q.broken);
		/* For good. */
		uint16_t good = 1;
		memset((char *)memory + VIRTQ_USED_AT(4) + 4, 0, 8);
		memcpy((char *)memory + VIRTQ_USED_AT(4) + 2, &good, 2);
		assert_int_equal(virtq_next(&q, &token, &len), ERR_IO);
		assert_int_equal(virtq_add(&q, b, 1, 0, 3), ERR_IO);
		assert_false(virtq_publish(&q));
	}
	/* The same chain twice. */
	struct virtq_buffer b = { 1, 10 };
	uint64_t token;
	uint32_t len;
	begin(4);
	assert_int_equal(virtq_add(&q, &b, 1, 0, 1), OK);
	assert_int_equal(virtq_add(&q, &b, 1, 0, 2), OK);
	(void)!virtq_publish(&q);
	device_gives(0, 0);
	device_gives(0, 0);
	assert_int_equal(virtq_next(&q, &token, &len), OK);
	assert_int_equal(virtq_next(&q, &token, &len), ERR_IO);
	free(memory);
	memory = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(layout), cmocka_unit_test(limits), cmocka_unit_test(long_life), cmocka_unit_test(broken) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

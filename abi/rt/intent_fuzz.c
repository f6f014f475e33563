/*
 * A log of any content, as a crash may leave it: opening and completing it stays within its memory, and doing so again changes
 * nothing; a death after any number of stores on the way, and the next instance comes to the same; and after that the log serves
 * as a new one.
 */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <abi/types.h>

static long die_at;             /* stores to go; 0: never */
static jmp_buf death;
static void stored(void)
{
	if (die_at && --die_at == 0)
		longjmp(death, 1);
}
#define INTENT_STORED() stored()
#include "intent.c"
#include "sum.c"

enum { RECORDS = 4, REGION = 200 };

/* As a service keeps it. What changes may lie behind the log, or be named together with it, as tallyd does. */
struct kept { struct intent_record ring[RECORDS]; char region[REGION]; };

static void check(bool good)
{
	if (!good)
		abort();
}

/*
 * Of each record: flags, commit, op id and length in small numbers, so that they meet, then data. Flag 1: the sum is put right;
 * 2: data in order, as pieces that fit.
 */
static size_t fill(struct intent_record *ring, uint32_t room, const uint8_t *data, size_t size)
{
	size_t at = 0;

	memset(ring, 0, RECORDS * sizeof(*ring));
	for (unsigned i = 0; i < RECORDS && at + 6 <= size; i++) {
		struct intent_record *r = &ring[i];
		uint8_t flags = data[at];
		r->commit = flags & 4 ? (uint64_t)data[at + 1] << 54 | data[at + 2] : data[at + 1];
		r->op_id = data[at + 3] % 4;
		r->kind = data[at + 4];
		r->len = flags & 8 ? data[at + 4] * 0x01010101u : data[at + 5] * 4u;
		at += 6;
		size_t n = MIN(MIN(size - at, (size_t)data[at - 1]), sizeof(r->data));
		memcpy(r->data, data + at, n);
		at += n;
		if (flags & 2) {
			uint32_t end = 0;
			while (r->len <= INTENT_DATA && end + 16 <= r->len) {
				struct intent_piece *p = (struct intent_piece *)(r->data + end);
				p->offset %= room;
				p->len = p->len % 8 % (room - p->offset + 1);
				end += 16;
			}
			r->len = MIN(r->len, end);
		}
		if (flags & 1 && r->len <= INTENT_DATA)
			r->sum = sum_of(r, sequence_of(r));
	}
	return at;
}

static uint32_t open_and_recover(struct intent_log *log, struct kept *k, bool together)
{
	uint32_t damaged = intent_open(log, k->ring, RECORDS, together ? (char *)k : k->region, together ? sizeof(*k) : REGION);
	intent_recover(log, NULL, NULL);
	return damaged;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* From the heap, so that the sanitizer sees a byte too far. */
	struct kept *k = calloc(1, sizeof(*k)), *was = malloc(sizeof(*k)), *other = malloc(sizeof(*k));
	bool together = size && data[size - 1] & 1;
	struct intent_log log;

	size_t at = fill(k->ring, together ? sizeof(*k) : REGION, data, size);
	*other = *k;
	die_at = 0;
	open_and_recover(&log, k, together);

	/* Once more: nothing is damaged any more, and nothing changes. */
	*was = *k;
	check(open_and_recover(&log, k, together) == 0);
	check(!memcmp(was, k, sizeof(*k)));

	/* With a death on the way. */
	if (setjmp(death) == 0) {
		die_at = 1 + (size ? data[size - 1] : 0);
		open_and_recover(&log, other, together);
	}
	die_at = 0;
	open_and_recover(&log, other, together);
	check(!memcmp(k->region, other->region, REGION));

	/* A new operation after all that. */
	if (at < size && log.sequence < UINT64_MAX >> 3) {
		uint64_t value = data[at] * 0x0101010101010101ull;
		char *target = other->region + data[at] % (REGION - 8);
		intent_settle(&log);
		intent_begin(&log, 77, 0);
		check(intent_set(&log, target, &value, 8));
		intent_commit(&log, &(struct intent_answer){ .w = { value } });
		check(open_and_recover(&log, other, together) == 0);
		check(!memcmp(target, &value, 8));
		const struct intent_answer *a = intent_find(&log, 77);
		check(a && a->w[0] == value);
	}
	free(k), free(was), free(other);
	return 0;
}

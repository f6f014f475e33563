/*
 * intent: see rt/intent.h. Pure: memory in, memory out.
 *
 * Order of stores. x86 makes stores visible in program order, and a Frame loses nothing when its process dies: what
 * the next instance finds is exactly the stores up to some point. So it is the compiler alone that must be kept from
 * moving them, which the volatile words do. Each record is written only while its commit word is 0, and the commit word
 * is a single aligned store, so it is never seen half.
 */
#include <rt/intent.h>
#include <rt/state.h>
#include <string.h>

#ifndef INTENT_STORED
#define INTENT_STORED() ((void)0)       /* the model test dies here */
#endif

static void store(void *at, uint64_t value)
{
	*(volatile uint64_t *)at = value;
	INTENT_STORED();
}

/* Bytes in order. Whole words where both ends allow it, so that an aligned word of the target is never half new. */
static void store_bytes(void *at, const void *from, size_t len)
{
	volatile uint8_t *to = at;
	const uint8_t *p = from;

	while (len > 0) {
		if (((uintptr_t)to & 7) == 0 && len >= 8) {
			uint64_t w;
			memcpy(&w, p, 8);
			store((void *)to, w);
			to += 8, p += 8, len -= 8;
		} else {
			*to++ = *p++;
			len--;
			INTENT_STORED();
		}
	}
}

_Static_assert(offsetof(struct intent_record, kind) % 8 == 0 && offsetof(struct intent_record, len) == offsetof(struct intent_record, kind) + 4,
	"stored as one word");

static uint64_t sequence_of(const struct intent_record *r)
{
	return r->commit >> 2;
}

static enum intent_state state_of(const struct intent_record *r)
{
	return r->commit & 3;
}

static uint64_t sum_of(const struct intent_record *r, uint64_t sequence)
{
	return state_sum(sequence, &r->op_id, offsetof(struct intent_record, data) - offsetof(struct intent_record, op_id) + r->len);
}

/* The region may have the log in it, but nothing is done to the log by what it says. */
static bool touches_ring(const struct intent_log *log, const struct intent_piece *p)
{
	uintptr_t to = (uintptr_t)log->region + p->offset, ring = (uintptr_t)log->ring;

	return p->len && to < ring + log->n * sizeof(*log->ring) && ring < to + p->len;
}

/* Every piece lies in the record and in the region. */
static bool pieces_good(const struct intent_log *log, const struct intent_record *r)
{
	for (uint32_t at = 0; at < r->len;) {
		struct intent_piece p;
		if (r->len - at < sizeof(p))
			return false;
		memcpy(&p, r->data + at, sizeof(p));
		at += sizeof(p);
		if (p.len > r->len - at || ALIGN_UP(p.len, 8u) > r->len - at || p.offset > log->region_size || p.len > log->region_size - p.offset
		    || touches_ring(log, &p))
			return false;
		at += ALIGN_UP(p.len, 8u);
	}
	return true;
}

static bool record_good(const struct intent_log *log, const struct intent_record *r)
{
	return r->len <= INTENT_DATA && r->sum == sum_of(r, sequence_of(r)) && pieces_good(log, r);
}

uint32_t intent_open(struct intent_log *log, struct intent_record *ring, uint32_t n, void *region, size_t region_size)
{
	uint32_t damaged = 0;

	*log = (struct intent_log){ .ring = ring, .n = n, .region = region, .region_size = region_size };
	for (uint32_t i = 0; i < n; i++) {
		if (ring[i].commit == 0)
			continue;
		if (state_of(&ring[i]) == INTENT_FREE || !record_good(log, &ring[i])) {
			store(&ring[i].commit, 0);
			damaged++;
			continue;
		}
		log->sequence = MAX(log->sequence, sequence_of(&ring[i]));
	}
	return damaged;
}

static void act(const struct intent_log *log, const struct intent_record *r)
{
	for (uint32_t at = 0; at < r->len;) {
		struct intent_piece p;
		memcpy(&p, r->data + at, sizeof(p));
		at += sizeof(p);
		store_bytes(log->region + p.offset, r->data + at, p.len);
		at += ALIGN_UP(p.len, 8u);
	}
}

static void finish(struct intent_record *r)
{
	store(&r->commit, sequence_of(r) << 2 | INTENT_DONE);
}

/* The oldest record in this state. */
static struct intent_record *oldest(const struct intent_log *log, enum intent_state state)
{
	struct intent_record *found = NULL;

	for (uint32_t i = 0; i < log->n; i++)
		if (state_of(&log->ring[i]) == state && (!found || sequence_of(&log->ring[i]) < sequence_of(found)))
			found = &log->ring[i];
	return found;
}

void intent_recover(struct intent_log *log, void (*acted)(void *ctx, const struct intent_record *r), void *ctx)
{
	struct intent_record *r;

	while ((r = oldest(log, INTENT_BEGUN))) {
		act(log, r);
		if (acted)
			acted(ctx, r);
		finish(r);
	}
}

const struct intent_answer *intent_find(const struct intent_log *log, uint64_t op_id)
{
	const struct intent_record *found = NULL;

	for (uint32_t i = 0; op_id && i < log->n; i++) {
		const struct intent_record *r = &log->ring[i];
		if ((state_of(r) == INTENT_BEGUN || state_of(r) == INTENT_DONE) && r->op_id == op_id
		    && (!found || sequence_of(r) > sequence_of(found)))
			found = r;
	}
	return found ? &found->answer : NULL;
}

/* Newest first, up to one that was settled before: those behind it were too. */
void intent_settle(struct intent_log *log)
{
	for (uint64_t s = log->sequence; s > 0; s--) {
		struct intent_record *r = &log->ring[s % log->n];
		if (r->commit != (s << 2 | INTENT_DONE))
			break;
		store(&r->commit, s << 2 | INTENT_SETTLED);
	}
}

void intent_begin(struct intent_log *log, uint64_t op_id, uint32_t kind)
{
	/* Sequences go round the ring, so that the slot after the last one is free or the oldest. */
	struct intent_record *r = &log->ring[(log->sequence + 1) % log->n];

	store(&r->commit, 0);
	store(&r->op_id, op_id);
	log->sequence++;
	log->open = r;
	log->kind = kind;
	log->len = 0;
}

bool intent_set(struct intent_log *log, const void *target, const void *value, uint32_t len)
{
	const struct intent_piece p = { (uint32_t)((const char *)target - log->region), len };
	uint64_t size = sizeof(p) + ALIGN_UP((uint64_t)len, 8);

	if (size > INTENT_DATA - log->len)
		return false;
	store_bytes(log->open->data + log->len, &p, sizeof(p));
	store_bytes(log->open->data + log->len + sizeof(p), value, len);
	log->len += (uint32_t)size;
	return true;
}

void intent_commit(struct intent_log *log, const struct intent_answer *answer)
{
	struct intent_record *r = log->open;

	store_bytes(&r->answer, answer, sizeof(*answer));
	store(&r->kind, log->kind | (uint64_t)log->len << 32);
	store(&r->sum, sum_of(r, log->sequence));
	store(&r->commit, log->sequence << 2 | INTENT_BEGUN);
}

void intent_act(struct intent_log *log)
{
	act(log, log->open);
}

void intent_done(struct intent_log *log)
{
	finish(log->open);
	log->open = NULL;
}

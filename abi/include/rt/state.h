/*
 * state: what a service keeps across its death, and who may trust it.
 *
 * Two things outlive an instance: the *state Frame* (manifest key `state`), mapped here, and the *shelf* (`shelf = yes`),
 * where handles lie in numbered slots. A killed service leaves both as its last store left them. One that crashed may
 * have written anywhere before: whatever is read back is checked by whoever reads it. The head of the Frame is checked
 * here; records carry sums (state_sum).
 *
 *	MUST(state_open(&state, TMPD_STATE, sizeof(struct mine)));
 *	if (state.fresh) ... make it; else ... check it, roll intents forward (rt/intent.h)
 *	state_sweep(&state, recorded, ctx);     slots nobody recorded are cleared
 *	... and once the service has served:
 *	state_good(&state);
 *
 * Order: fill a slot, then record it; erase the record, then clear the slot.
 *
 * State that was there when STATE_TRIES instances in a row faulted before they called state_good is dropped, with a line
 * in the log. Kills count nothing.
 */
#pragma once
#include <rt/ipc.h>

#define STATE_TRIES 3

struct state_head {             /* the Frame's first 64 bytes */
	uint64_t magic;             /* STATE_MAGIC */
	uint64_t version;           /* the service's; another one's state is dropped */
	uint64_t size;              /* of the service's part */
	uint64_t sum;               /* of the three above */
	uint64_t faults;            /* instances in a row that faulted on it */
	uint64_t reserved[3];
};
_Static_assert(sizeof(struct state_head) == 64, "kept by one instance, read by the next, which may be another build");

#define STATE_MAGIC 0x5354415445303031ull

struct state {
	struct state_head *head;    /* mapped for ever */
	void    *memory;            /* `size` bytes behind the head; zero if fresh */
	size_t   size;
	handle_t shelf;             /* borrowed from the start page; 0: none */
	bool     fresh;             /* nothing usable was there: everything is to be made */
};

/* Without a state Frame, or with one too small, memory of our own serves: then nothing survives, and the log says so. */
must_use status_t state_open(struct state *s, uint64_t version, size_t size);
/* The service has come up on this state and served: earlier faults are forgiven. Cheap. */
static inline void state_good(struct state *s)
{
	if (s->head->faults)
		s->head->faults = 0;
}
/* Clears every slot of the shelf that `recorded` says no to. */
must_use status_t state_sweep(const struct state *s, bool (*recorded)(void *ctx, uint32_t slot), void *ctx);
/*
 * A store to the Frame, in one instruction, that comes after all stores before it in the program and before all after it: so a kill leaves
 * just those up to some point. x86 keeps the order of stores; the compiler shall, too. where: at most 8 bytes, aligned.
 */
#define state_store(where, value) do { \
		__atomic_signal_fence(__ATOMIC_SEQ_CST); \
		*(volatile __typeof__(*(where)) *)(where) = (value); \
		__atomic_signal_fence(__ATOMIC_SEQ_CST); \
	} while (0)
/* For noticing what a stray store did; no defence against anybody. `seed` chains several pieces. */
uint64_t state_sum(uint64_t seed, const void *data, size_t len);

/* What is to be done with a Frame of this content (pure; state_open does it). */
enum state_verdict { STATE_FRESH, STATE_KEEP, STATE_OTHER, STATE_DAMAGED, STATE_DEADLY };
enum state_verdict state_judge(struct state_head *h, uint64_t version, size_t size, bool faulted);

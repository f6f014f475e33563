/*
 * intent: doing exactly once what must not be done twice, in a service that may die at any instruction.
 *
 * The kernel delivers a command again when its server died before returning it. Reads, and writes at an offset, do no
 * harm a second time. Create, rename, unlink, append, open and close do. For these a service keeps a log of intents in its
 * state Frame and does each in four steps:
 *
 *	1. prepare   decide everything and copy everything, where nobody sees it yet; errors leave here
 *	2. begin     write down op id, the answer, and the change as *absolute* values; one 8-byte store makes it count
 *	3. act       make the change; doing it again from the record gives the same
 *	4. done      one 8-byte store: the record now only keeps the answer
 *
 * Whatever instruction the service dies at, either nothing happened (before the store in 2) and the command
 * delivered again starts afresh, or the next instance completes the change (intent_recover, before it serves) and the
 * command delivered again finds its answer here (intent_find). Nobody need be waiting for it any more.
 *
 *	if (c->redelivered && (a = intent_find(&log, svc_op_id(c))))
 *		... answer *a again
 *	... prepare
 *	intent_begin(&log, svc_op_id(c));
 *	intent_set(&log, &inode->size, &new_size, sizeof(new_size));    change memory of the region
 *	intent_commit(&log, &answer);
 *	intent_act(&log);
 *	... act on anything that is not memory (shelf, device) here: the record's `kind` and state_sweep serve its repetition
 *	intent_done(&log);
 *
 * The log is a ring of records; the oldest done one is used again. It must have more records than the service
 * has commands under way. One thread. The functions touch only the memory given: the model test kills them after every store.
 */
#pragma once
#include <abi/ipc.h>
#include <abi/types.h>

#define INTENT_DATA 920

struct intent_answer {
	int64_t  status;
	uint64_t mint_badge;
	uint32_t mint_rights;
	uint32_t mint;              /* 1: a Session is minted */
	uint64_t w[IPC_WORDS];      /* words, or the protocol's reply record; the service knows which */
};

struct intent_record {
	uint64_t commit;            /* sequence << 2 | state; 0: none. The only word that is ever believed by itself */
	uint64_t sum;               /* of what follows, up to `len` bytes of data, and the sequence */
	uint64_t op_id;
	uint32_t kind;              /* free for the service */
	uint32_t len;
	struct intent_answer answer;
	uint8_t  data[INTENT_DATA]; /* struct intent_piece, each followed by its bytes, padded to 8 */
};
_Static_assert(sizeof(struct intent_record) == 1024, "part of every service's state");

struct intent_piece { uint32_t offset, len; };  /* into the region */

enum intent_state { INTENT_FREE, INTENT_BEGUN, INTENT_DONE, INTENT_SETTLED };

struct intent_log {
	struct intent_record *ring; /* in the state Frame */
	uint32_t n;
	char    *region;            /* what intent_set changes */
	size_t   region_size;
	uint64_t sequence;          /* of the record in hand, or of the last one */
	struct intent_record *open; /* between begin and done */
	uint32_t kind, len;         /* of the record in hand */
};

/* Looks through the ring (zero memory is an empty one), which may lie in the region. Returns how many records were damaged and dropped. */
uint32_t intent_open(struct intent_log *log, struct intent_record *ring, uint32_t n, void *region, size_t region_size);
/* Completes what was begun, oldest first. `acted`, if not NULL, is called after each, before it counts as done. */
void intent_recover(struct intent_log *log, void (*acted)(void *ctx, const struct intent_record *r), void *ctx);
/*
 * The answer given to this operation, if it was begun; borrowed until the next intent_begin. NULL: it was not, or
 * the id is 0, which stands for what nobody will ask about again.
 */
const struct intent_answer *intent_find(const struct intent_log *log, uint64_t op_id);
/* Everything done so far has been answered: an operation with the same id is a new one. Cheap. */
void intent_settle(struct intent_log *log);

void intent_begin(struct intent_log *log, uint64_t op_id, uint32_t kind);
/* target lies in the region. False: the record is full, which is an error of the service's author. */
must_use bool intent_set(struct intent_log *log, const void *target, const void *value, uint32_t len);
void intent_commit(struct intent_log *log, const struct intent_answer *answer);
void intent_act(struct intent_log *log);
void intent_done(struct intent_log *log);

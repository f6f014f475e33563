/*
 * commit: a head in the state Frame that changes as a whole. The owner works on its own copy; one store makes that the one that
 * counts, so whatever instruction a kill comes at, the next instance finds the head before or the head after, never between.
 */
#pragma once
#include <abi/types.h>
#include <string.h>

struct commit {
	void     *copies;           /* two of `size` bytes, in the state Frame; borrowed */
	uint64_t *which;            /* in the state Frame: 0 or 1 */
	size_t    size;
};

/* The head that counts. */
static inline void commit_load(const struct commit *c, void *head)
{
	memcpy(head, (char *)c->copies + (*c->which & 1) * c->size, c->size);
}

static inline void commit_save(const struct commit *c, const void *head)
{
	uint64_t next = ~*c->which & 1;

	memcpy((char *)c->copies + next * c->size, head, c->size);
	/* Stores that were made stay made when a process is killed, in program order: so the compiler must keep it. */
	__atomic_store_n(c->which, next, __ATOMIC_RELEASE);
}

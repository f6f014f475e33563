/*
 * ring: the newest events of a stream, in the state Frame of who makes it (pure; docs/pc.md).
 *
 * What counts is the number of the newest event, which its owner keeps in a head that it commits as a whole (commit.h). Events
 * beyond the committed number are as good as not there; so many slots more than are given out keep them from
 * overwriting what is.
 */
#pragma once
#include <abi/input.h>

enum { RING_SPARE = 64 };       /* events put between two commits, at most */

struct ring {
	struct input_event *slots;  /* `keep` + RING_SPARE of them; borrowed */
	uint32_t keep;              /* events given out at most */
	uint64_t *last;             /* number of the newest, 0: none; in the owner's head */
};

/* Adds an event under the next number. At most RING_SPARE between two commits. */
void ring_put(const struct ring *r, uint64_t time_ns, uint16_t type, uint16_t code, int32_t value);
/* Whether there is something for a reader that has acted on all up to number `seen`. */
bool ring_has(const struct ring *r, uint64_t seen);
/*
 * Copies events from number seen + 1 on, at most `max`; returns how many. If some of them are not kept any more the first is EV_SYN
 * SYN_DROPPED with the number of the last of those.
 */
size_t ring_get(const struct ring *r, uint64_t seen, struct input_event *out, size_t max);

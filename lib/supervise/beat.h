/*
 * beat: whether a service still comes back for more. Looked at from time to time; what counts is the time in which it
 * could have come and did not: the CPU time that it took, and the time it waited for anything but the answer of a lower
 * service. Others that keep it from the CPU, or a host that stands still, cost it nothing.
 */
#pragma once
#include <abi/objects.h>

#define BEAT_LOOK_NS (250 * NS_PER_MS)

struct beat {
	uint64_t pid;               /* of whom the rest tells; 0: nothing yet */
	uint64_t progress, cpu_time_ns, at_ns;
	uint64_t silent_ns;         /* that long it could have accepted, and has not */
};

/* A look at process `pid` at `at_ns`. True: it has been silent for `limit_ns`. */
bool beat_missed(struct beat *b, uint64_t pid, const struct process_beat *now, uint64_t at_ns, uint64_t limit_ns);

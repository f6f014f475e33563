/*
 * blame: whether the tables are what ends acpid, and so what of their AML is left alone (pure). Ends count that come in a row: before an
 * instance has lived on for a while with its AML loaded. The time it was at something when it ended is no such life: one that hangs is
 * ended by the heartbeat, long after it has begun to hang.
 */
#pragma once
#include <abi/types.h>

#define BLAME_PROVEN_NS (10 * NS_PER_SEC)

/* After so many ends in a row. */
enum {
	BLAME_QUERIES = 2,      /* what is noted of the embedded controller's events is not tried again */
	BLAME_SSDTS = 3,        /* the SSDTs are left out */
	BLAME_AML = 4,          /* no AML runs */
};

/* Kept across instances. */
struct blame {
	uint32_t ends;          /* in a row, by faults and by the heartbeat; at most BLAME_AML */
	uint32_t reserved;
	uint64_t through_ns;    /* when the last instance had AML loaded and all done that came of it; 0: not yet */
	uint64_t busy_ns;       /* since when it is at something; 0: it waits for something to do */
};

/* An instance begins. faulted: the last one ended by itself; if not, somebody wants it to be tried once more. */
void blame_begin(struct blame *b, bool faulted, uint64_t now);
/* It has got something to do. */
void blame_busy(struct blame *b, uint64_t now);
/* All is done. aml: it has been loaded. */
void blame_idle(struct blame *b, bool aml, uint64_t now);

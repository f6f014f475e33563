/*
 * backoff: how long to wait before a program that died is started again. The first deaths cost
 * nothing; from the third within 10 seconds on the waits double, from 100 ms to 5 s, until an
 * instance has lived for 10 seconds. Whoever is killed on purpose is not counted: do not call it.
 */
#pragma once
#include <abi/types.h>

#define BACKOFF_WINDOW_NS (10 * NS_PER_SEC)
#define BACKOFF_FIRST_NS  (100 * NS_PER_MS)
#define BACKOFF_MAX_NS    (5 * NS_PER_SEC)

struct backoff {
	uint64_t before[2];         /* when the last two faults happened, latest first */
	uint32_t known;             /* how many of those are real */
	uint32_t calm;              /* faults in a row of instances that had waited, but not lived long */
	uint64_t wait_ns;           /* the last wait; 0: not backing off */
};

/* A fault at `now` of an instance started at `started` (ns): the wait before the next start. */
must_use uint64_t backoff_fault(struct backoff *b, uint64_t started, uint64_t now);
/*
 * The same for an instance that had waited for something to do, and so had done all that was there: that is no crash loop. Many in
 * a row that lived for a moment each are: of what comes again by itself, as an interrupt or a timer does. Ten a second do no harm.
 */
must_use uint64_t backoff_calm_fault(struct backoff *b, uint64_t started, uint64_t now);

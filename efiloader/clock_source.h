/*
 * clock_source: what clock.c asks of the counters it can measure the TSC against.
 */
#pragma once
#include <abi/types.h>

/* A counter that runs upwards, 2^bits wide, while it is read (bits <= 32). */
struct clock_source {
	const char *name;
	uint32_t (*read)(void);
	uint64_t period_fs;             /* femtoseconds per tick */
	uint32_t bits;
};

/* Each starts its counter; false: not there, or not believable. address: of the registers, or 0. */
bool hpet_start(struct clock_source *s, uint64_t address);
bool pit_start(struct clock_source *s);
void pit_stop(void);


/*
 * clock: how fast the processor's time stamp counter runs. Pure but for the counters (clock_source.h, cpu.h).
 */
#pragma once
#include <abi/boot.h>

/* Fills in tsc_hz. After the exit, interrupts off. */
void clock_measure(struct boot_info *info);

/*
 * clock: the time without a system call.
 */
#pragma once
#include <stdint.h>

/*
 * Nanoseconds since the start, as clock_now says; on another CPU perhaps a microsecond less than a thread was told there, for so much
 * their counters may differ (docs/smp.md). The first use maps the kernel's
 * clock page for good; if that fails for want of memory, every use is a system call.
 */
uint64_t clock_value(void);

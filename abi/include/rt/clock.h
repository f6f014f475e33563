/*
 * clock: the time without a system call.
 */
#pragma once
#include <stdint.h>

/*
 * Nanoseconds since the start, as clock_now says; never less than any thread was told before. The first use maps the kernel's
 * clock page for good; if that fails for want of memory, every use is a system call.
 */
uint64_t clock_value(void);

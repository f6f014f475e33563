/*
 * wait: for devices that need their time.
 */
#pragma once
#include <abi/types.h>
#include <gen/syscalls.h>

/* Without a clock there is no waiting. */
static inline void sleep_ms(uint64_t ms)
{
	uint64_t now;

	if (clock_now(&now) == OK)
		(void)!thread_sleep(now + ms * NS_PER_MS);
}

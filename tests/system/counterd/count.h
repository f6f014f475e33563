/*
 * count: what clients of tests/system/counterd say to it.
 */
#pragma once
#include <abi/types.h>

enum { COUNTERS = 64 };
enum count_code { COUNT_ADD = 0x100, COUNT_WAIT, COUNT_DIE };
enum count_death { COUNT_DIE_STORE = 1, COUNT_DIE_ASSERT, COUNT_DIE_LOOP };

/*
 * debug: what the sanitized build (make SAN=1, kernel/debug/) looks at on its way. In every other build all of it is nothing.
 */
#pragma once
#include <abi/boot.h>
#include <abi/types.h>

#ifdef SAN
#include "../../debug/hooks.h"
#else
#define DEBUG_REDZONE 0                 /* bytes behind every object of the allocator that nobody may touch */
#define debug_begin(entropy)            ((void)0)
#define debug_memory(mem, n)            ((void)0)
#define debug_pages(phys, pages, taken) ((void)0)
#define debug_slots(first, end)         ((void)0)
#define debug_taken(slot, size, end)    ((void)0)
#define debug_freed(slot)               (slot)
#define debug_unlocked_all()            ((void)0)
#define debug_waits()                   ((void)0)
#define debug_lock_handed(lock)         ((void)0)
#endif

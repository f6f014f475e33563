/*
 * spinlock: short exclusion between CPUs. Interrupts are off in the whole kernel, so a lock
 * only ever waits for another CPU; while it waits it answers TLB shootdowns (cpu_relax).
 * The order of locks is in docs/invariants.md.
 */
#pragma once
#include <abi/types.h>

struct spinlock { volatile uint8_t held; };

keeps_registers void spin_wait(struct spinlock *l);     /* slow path: another CPU holds it */

always_inline void spin_lock(struct spinlock *l)
{
	if (unlikely(__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE)))
		spin_wait(l);
}
always_inline bool spin_trylock(struct spinlock *l)
{
	return !__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE);
}
always_inline void spin_unlock(struct spinlock *l)
{
	__atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
}
#include <kernel/debug.h>              /* last: the sanitized build wraps what is above */

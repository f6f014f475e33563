/*
 * spinlock: waiting for another CPU.
 */
#include <kernel/spinlock.h>
#include <kernel/x86.h>

void spin_wait(struct spinlock *l)
{
	do {
		while (l->held)
			cpu_pause();
	} while (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE));
}

/*
 * spinlock: waiting for another CPU, and answering those that wait for us.
 */
#include <kernel/spinlock.h>
#include <kernel/smp.h>

keeps_registers void spin_wait(struct spinlock *l)
{
	do {
		while (l->held)
			cpu_relax();
	} while (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE));
}

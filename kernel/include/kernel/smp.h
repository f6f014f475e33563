/*
 * smp: several CPUs (docs/smp.md). A CPU that spins with interrupts off calls cpu_relax, so that it answers the others.
 */
#pragma once
#include <abi/boot.h>
#include <kernel/percpu.h>

void smp_start(const struct boot_mem *mem, uint32_t n_mem);
void cpu_kick(struct percpu *c);        /* it enters the kernel soon, and looks for work */
void cpu_answer(void);                  /* does what others wait for */
void cpu_relax(void);                   /* inside every loop that waits for another CPU */

/*
 * Quiescence: a CPU has left if it counted an exit since the mark, or says that it is out: it is idle, or waits here.
 * What it finds without a count while it is in stays until it has left.
 */
void cpus_mark(uint64_t mark[CPUS_MAX]);        /* and whoever runs is sent to leave soon */
bool cpus_left(const uint64_t mark[CPUS_MAX]);
void cpu_out(bool out);
void cpus_wait_left(void);              /* until all others have; no lock held, nothing borrowed kept */

/*
 * sched: who runs. Per-CPU run queues, 32 fixed priorities, round robin with slices inside one;
 * no tick when there is nothing to share.
 */
#pragma once
#include <kernel/percpu.h>
#include <kernel/process.h>

#define SLICE_NS (10 * NS_PER_MS)
#define REAP_INTERVAL_NS (100 * NS_PER_US)

void sched_init(void);
/* Blocks the current thread; it leaves the CPU when the kernel is left. The handler returns STATUS_BLOCKED. */
void sched_block_current(enum wait_kind wait, uint64_t deadline);
void sched_unblock_current(void);       /* it was not sent after all */
/* Makes a blocked thread ready; whoever took it off what it waited in calls this, once. */
void sched_wake(struct thread *t);
/* The same, and it runs next on this CPU if the current thread blocks (direct switch of a call). */
void sched_wake_direct(struct thread *t);
must_use bool sched_remove(struct thread *t);    /* a ready thread leaves its run queue for good. False: it is in none */
void sched_replace(struct thread *t);    /* its affinity has changed */
void sched_set_priority(struct thread *t, uint32_t priority);
void sched_drop_priority(void);         /* the current thread falls back to its own */
void sched_yield_current(void);
void sched_charge_all(void);            /* who runs for long on other CPUs is charged now. No borrowed pointer is held, no lock */
/* The current thread t has just been put where it waits: the registers to continue with. */
struct regs *sched_next(struct thread *t);
struct regs *sched_far(struct thread *t, struct thread *to);   /* t, which waits, woke `to`, which may not run here */
void sched_timer_interrupt(void);
struct regs *syscall_finish(status_t status);      /* the end of a system call; as kernel_leave */
struct regs *kernel_leave(void);          /* the registers to continue with, of whoever runs next */
void sched_timer_at_latest(uint64_t ns);  /* the hardware timer fires by then */
void sched_idle(void);                  /* runs what there is to run, and returns if there is nothing */
void sched_idle_timer(bool soon);       /* nobody runs: the hardware timer is set for the next deadline; soon: to look after what waits to be reaped */
/* Long kernel work asks here between pieces, holding no lock: true = stop, keep progress, restart. */
bool sched_preempt_point(void);

/* What handlers return instead of a status: */
#define STATUS_BLOCKED  (INT64_MIN + 1)  /* the answer comes by sched_wake */
#define STATUS_RESTART  (INT64_MIN + 2)  /* run this system call again */
#define STATUS_REGS     (INT64_MIN + 3)  /* all registers are set in thread->regs */

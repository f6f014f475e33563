/*
 * percpu: what each CPU has of its own, reached through GS. entry.S knows the offsets marked.
 */
#pragma once
#include <gen/syscall_handlers.h>
#include <kernel/list.h>
#include <kernel/object.h>
#include <kernel/timer.h>

struct thread;
struct vmem;

#define SYSCALL_TABLE_MAX 128

enum way { CALL_SHORT, CALL_LONG, RETURN_SHORT, RETURN_LONG, WAYS };
enum { WORK_RESCHED = 1, WORK_REAP = 2, WORK_DYING = 4, WORK_RESTORE = 8,
	WORK_PAGE = 16 /* the system call lacks a page: pager.h; entry.S */, WORK_PRESSURE = 32,
	WORK_ATTEND = 64 /* SPECIAL_ATTEND was told in the middle of a call */ };

/* Intel SDM 3A 8.7 */
struct packed tss {
	uint32_t reserved0;
	uint64_t rsp[3], reserved1, ist[7], reserved2;
	uint16_t reserved3, iomap;      /* past the limit: no I/O from ring 3 (SDM 1 19.5.2) */
};

struct percpu {
	struct percpu *self;            /* (f) 0 */
	struct thread *current;         /* (f) 8: NULL while idle */
	uint64_t       kstack_top;      /* (f) 16 */
	uint64_t       user_rsp;        /* (f) 24: scratch of the SYSCALL entry */
	uint32_t       work;            /* (f) 32: WORK_* to do before returning to user mode */
	uint32_t       cpu;             /* (f) 36 */
	struct vmem   *vmem;            /* (f) 40: whose tables CR3 holds; borrowed, see vmem_destroy */
	int64_t        commands_accepted;       /* (f) 48: this CPU's share of the account */
	uint8_t        run_top;         /* (f) 56: highest priority with ready threads; 0 also when there are none */
	void          *entries[SYSCALL_TABLE_MAX];      /* (f) 64: entry.S, by number: entry_light, entry_full ... */
	syscall_fn     handlers[SYSCALL_TABLE_MAX];     /* (f) 1088: the C function behind it */
	uint32_t       tss_align;       /* 2112: makes RSP0 8-byte aligned */
	struct tss     tss;             /* (f) 2116: RSP0 at 2120 */
	uint64_t       ways[WAYS];      /* (f) 2224: test builds count which way calls and answers went */

	struct thread *next;            /* direct switch: runs next; not in the run queue */
	bool           fpu_on;          /* (f) 2264: CR0.TS clear; always while an owner of vector state runs */
	uint32_t       apic_id;
	/* run queue */
	struct spinlock run_lock;
	uint32_t       run_mask;        /* bit per priority with ready threads */
	struct list    run[PRIORITY_MAX + 1];
	uint64_t       slice_end;       /* TSC; of whoever runs, also through direct switches */
	uint64_t       run_since_tsc;   /* whoever is current at the next full switch is charged from here: a server's
	                                   share of a short call goes to its caller */
	/* timers */
	struct spinlock timer_lock;
	struct timer  *timers, *fresh[TIMERS_FRESH];    /* the heap; armed last, in no order */
	uint8_t        fresh_next, n_fresh;
	uint64_t       timer_set, timer_set_tsc;        /* deadline the hardware is armed for, in ns and as the TSC will be then */
	struct timer  *firing;          /* under timer_lock: its function runs */
	/* quiescence (smp.h): exits from the kernel counted */
	uint64_t       epoch;
	bool           out;
	bool           dispatching;     /* port_dispatch is under way here */
	/* page cache */
	uint32_t       n_cached;
	uint64_t       cached[64];
	uint32_t       n_clean;         /* of zeros */
	uint64_t       clean[16];
	uint64_t       idle_since_tsc, idle_tsc;
	uint64_t       switches, interrupts, page_faults;
};
_Static_assert(offsetof(struct percpu, entries) == 64 && offsetof(struct percpu, handlers) == 1088, "entry.S");

#define CPUS_MAX 64
extern struct percpu *percpu_all[CPUS_MAX];
extern uint32_t cpu_count;

always_inline struct percpu *this_cpu(void)
{
	struct percpu *p;
	asm("mov %%gs:0, %0" : "=r"(p));
	return p;
}
always_inline struct thread *current_thread(void)
{
	struct thread *t;
	asm volatile("mov %%gs:8, %0" : "=r"(t));
	return t;
}
always_inline void way_taken(enum way way)
{
#ifdef TEST_BUILD
	this_cpu()->ways[way]++;
#else
	(void)way;
#endif
}
always_inline void cpu_left(void)
{
	__atomic_fetch_add(&this_cpu()->epoch, 1, __ATOMIC_SEQ_CST);
}
always_inline void cpu_work(uint32_t bits)
{
	asm volatile("orl %0, %%gs:32" :: "ri"(bits) : "memory", "cc");
}

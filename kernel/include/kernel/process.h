/*
 * process: a Vmem, a handle table, a Namespace and a Budget, and the threads that run in them.
 * Life:   RUNNING -> DYING (killed, faulted, exited: threads end, handles close, in bounded
 *         pieces by the reaper) -> DEAD (watchers told; the record stays while handles name it).
 *
 * thread: saved registers and what it waits for. A blocked thread is data: it has no kernel stack.
 * Life:   READY <-> RUNNING <-> BLOCKED (in exactly one place: `wait`) -> DEAD.
 */
#pragma once
#include <abi/boot.h>
#include <kernel/handle.h>
#include <kernel/ipc.h>
#include <kernel/list.h>
#include <kernel/notify.h>
#include <kernel/regs.h>
#include <kernel/timer.h>
#include <kernel/vmem.h>

enum thread_state { THREAD_READY, THREAD_RUNNING, THREAD_BLOCKED, THREAD_DEAD };
enum wait_kind { WAIT_NONE, WAIT_SLEEP, WAIT_CALL, WAIT_ACCEPT, WAIT_SOCKET, WAIT_START, WAIT_SUSPENDED, WAIT_FUTEX, WAIT_PAGE };

#define REGS_SYSCALL 0x100          /* regs.vector: leave by SYSRET; so always, but after an exception or interrupt until IRET */
#define QUEUE_NONE   0xffff

#define THREAD_PATH 96

struct futex_bucket;
struct futex_key { uint64_t object, offset; };      /* id of a Vmem or Frame, bytes */

/* The page of a paged Frame that a thread lacks, or waits for, or could not have (pager.c). */
struct thread_page {
	struct frame   *frame;          /* counted; NULL: none */
	struct command *command;        /* WAIT_PAGE: which brings it; frame->lock */
	uint64_t        id, index, rip; /* of the Frame; the page; where the thread was */
	status_t        error;          /* < 0: why it did not come, for when it is asked for again */
};

/* entry.S and fastpath.S know the fields marked (f). */
struct thread {
	struct regs     regs;           /* (f) first; owner CPU only, or whoever wakes it */
	struct process *process;        /* (f) counted; fixed */
	struct table   *table;          /* (f) the process's; borrowed, fixed */
	struct vmem    *vmem;           /* (f) the process's; borrowed */
	struct command *command;        /* (f) owned: for its calls; NULL only when memory ran out */
	struct command *serving;        /* (f) what it accepted last; command memory never goes away, so it may be stale */
	uint64_t        fs_base, gs_base;       /* (f) */
	struct port    *wait_port;      /* (f) where it accepts, or did last; borrowed only while WAIT_ACCEPT, as the Port lists it */
	struct list     run;            /* (f) run queue; while in accept: port->waiters */
	uint8_t         state;          /* (f) see docs/smp.md for who may change it */
	uint8_t         wait;           /* (f) enum wait_kind; lock of what it waits in; SLEEP, START, SUSPENDED: thread_claim */
	bool            stranger;       /* (f) WAIT_ACCEPT: in port->strangers; port.lock */
	bool            on_cpu;         /* (f) a CPU has it as current, or has not saved all of it yet */
	uint8_t         special;        /* (f) enum thread_special: not for the short path; atomic */
	bool            dying;
	uint8_t         priority;       /* (f) effective */
	uint8_t         base_priority;  /* (f) */
	bool            waited;         /* (f) ever, in accept with nothing to accept */
	bool            futex_lead;     /* futex_ring is the head of those who wait there, too; lock of the bucket */
	uint16_t        queue;          /* in which run queue: CPU << 8 | priority; else QUEUE_NONE; its lock */
	uint32_t        steps;          /* (f) calls since it accepted last */
	uint32_t        cpu;            /* whose run queue; else where it ran last */
	void           *fpu;            /* XSAVE area, NULL until first use; owned */
	struct object   obj;
	struct list     in_process;     /* process->threads */
	struct timer    timer;          /* deadline of its wait */
	uint64_t        progress, progress_key; /* of a call that begins again, and which that is; key 0: none */
	uint64_t        cpu_time_tsc;
	uint64_t        slice_end;      /* preempted: when its slice would have ended (TSC); else 0 */
	struct watchers watchers;
	struct socket  *wait_socket;    /* counted; waits in it, or was woken and has not begun its call again (socket.h) */
	struct list     wait_node;      /* its place there; in a call: in vmem->lenders */
	struct futex_key futex;         /* WAIT_FUTEX: where; lock of the bucket */
	struct futex_bucket *futex_bucket;
	uint64_t        affinity;       /* bit per CPU that it may run on */
	char            short_path[THREAD_PATH];        /* of its call under way; longer ones are allocated */
	struct upcall_record *upcall;   /* (f) in upcall_frame, through the kernel's mapping; NULL: none */
	uint64_t        upcall_entry, upcall_stack;     /* (f) the latter is also the record's address in the process */
	struct vmem    *building;       /* vmem_clone: counted; the copy, so far */
	uint64_t        upcall_event;
	struct frame   *upcall_frame;   /* counted */
	uint32_t        suspends;       /* it may not run while this is not 0; atomic */
	uint64_t        starved;        /* since when (ns) its page faults have found no memory (trap.c); 0: they do */
	struct list     futex_ring;     /* not wait_node: one that a Socket has woken may come here first */
	uint64_t        progress_stack; /* its RSP */
	struct thread_page need;
	bool            told;           /* thread_interrupt: its upcall is to hear of it; atomic */
};
enum thread_special { SPECIAL_ATTEND = 1 /* upcall.h */, SPECIAL_KEEP = 16 /* its vector state outlives native calls */, SPECIAL_FPU = 64, SPECIAL_DEADLINE = 2, SPECIAL_NO_COMMAND = 4, SPECIAL_INTERRUPTED = 8, SPECIAL_PINNED = 128,
	SPECIAL_PAGED = 32 /* its windows may lie in paged memory */,
	SPECIAL_FINE = SPECIAL_FPU | SPECIAL_PINNED /* not for all of it */ };
always_inline void thread_special_on(struct thread *t, uint8_t bit)  { __atomic_fetch_or(&t->special, bit, __ATOMIC_SEQ_CST); }
/* True: it was on. */
always_inline bool thread_special_off(struct thread *t, uint8_t bit) { return __atomic_fetch_and(&t->special, (uint8_t)~bit, __ATOMIC_SEQ_CST) & bit; }

struct process {
	struct object     obj;
	uint64_t          pid;          /* (f) fixed */
	uint32_t          level, priority;      /* fixed; level (f) */
	char              name[PROCESS_NAME_MAX];
	struct vmem      *vmem;         /* counted; gone when DEAD */
	struct table     *table;        /* counted; gone when DEAD */
	struct namespace *ns;           /* counted */
	struct budget    *budget;       /* counted */
	uint64_t          parent_pid, start_ns;
	struct spinlock   lock;         /* covers what follows */
	struct list       threads;              /* of struct thread */
	uint32_t          n_threads, n_live;    /* listed; of those, not exiting */
	uint8_t           phase;        /* teardown: enum in process.c */
	bool              dying, dead, teardown_queued;
	bool              ever_served;          /* accepted at least once */
	bool              first;                /* initfsd: executed again when it ends */
	bool              requeued;
	uint64_t          entry, way[PROCESS_WAY];      /* of its image; where it was when it ended (inspect.c) */
	uint32_t          n_way;
	uint32_t          traced;               /* trace.c: as the generation of a ring that follows it */
	bool              calm;                 /* one of its threads had waited */
	uint32_t          bury_next, dispatch_next;     /* teardown: progress through the command table */
	uint64_t          suspect;              /* id of the command that its faulting thread had accepted last */
	uint32_t          exit_kind;
	int64_t           exit_status;
	uint64_t          fault_rip, fault_address;
	uint64_t          dead_cpu_tsc; /* of threads that ended */
	uint32_t          died_handles;
	uint64_t          accepts;      /* (f) calls of accept, and of return_accept on the long way */
	/* attach_lock covers these three. */
	struct list       serves;       /* of struct port: its `server` */
	uint32_t          late;         /* commands it sent that go on without it */
	bool              buried;       /* all it had accepted is queued again, all it sent withdrawn or late */
	struct list       all;          /* list of processes */
	struct process   *reap_next;    /* dying list */
	bool              building, early;      /* who makes it is at it; to be torn down after that: it was asked for meanwhile */
	struct watchers   watchers;
};

/* table, vm: NULL for a fresh one. */
struct process *process_create(const char *name, struct budget *b, struct namespace *ns, struct table *table, struct vmem *vm, uint32_t priority, uint32_t level, status_t *why);
bool process_destroy(struct object *o);
bool process_uses_table(const struct table *table);
/* Starts the end of a process; the reaper finishes it. Idempotent. */
void process_end(struct process *p, enum exit_kind kind, int64_t status, uint64_t rip, uint64_t address);
void process_note_way(struct process *p, const struct thread *t);    /* inspect.c */
void process_fill_info(struct process *p, struct process_info *info);
bool process_teardown_some(void);   /* reaper: a bounded piece of the first dying process; false: nothing to do */

/* What t accepted last, if that is still its process's to answer; else NULL. */
always_inline struct command *thread_in_hand(const struct thread *t)
{
	struct command *c = t->serving;
	return c->state == CMD_ACCEPTED && c->server == t->process ? c : NULL;
}
/* t leaves the waiters of a Port, which is locked; who does that wakes it. */
always_inline void waiter_off_locked(struct thread *t)
{
	list_remove(&t->run);
	t->wait = WAIT_NONE;
}
status_t thread_find(handle_t h, struct thread **t);        /* by a handle of the current process with RIGHT_MANAGE */
struct thread *thread_create(struct process *p, uint64_t entry, uint64_t stack, uint64_t arg, uint32_t priority, status_t *why);
bool thread_destroy(struct object *o);
void thread_start(struct thread *t);
/* Reaper: it leaves whatever it waits in and never runs again. False: a CPU still has it, or is waking it; once more later. */
must_use bool thread_die(struct thread *t);
void thread_timeout(struct timer *t);
/* A wait with no list: whoever claims it wakes. */
bool thread_claim(struct thread *t, enum wait_kind wait);
/* A reason to end its wait still holds: ERR_TIMED_OUT only if its present deadline has come. */
bool thread_wait_over(const struct thread *t, status_t why);
/* SPECIAL_INTERRUPTED is on: if it waits, and no CPU has it any more, its wait ends. */
void thread_interrupt(struct thread *t);

extern struct list process_list;            /* by pid; process_list_lock */
extern struct spinlock process_list_lock;
struct process *process_find(uint64_t pid); /* counted, or NULL */

/* first.c: initfsd, from the segments that the loader checked. */
void first_process_start(const struct boot_info *boot);
void first_process_again(struct process *ended);
void process_teardown_queue(struct process *p);
void process_built(struct process *p);      /* by who created it, when that is through with it */

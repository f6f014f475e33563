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
enum wait_kind { WAIT_NONE, WAIT_SLEEP, WAIT_CALL, WAIT_ACCEPT, WAIT_SOCKET };

#define REGS_SYSCALL 0x100          /* regs.vector: entered by SYSCALL, leave by SYSRET */

#define THREAD_PATH 96

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
	uint8_t         state;          /* (f) run queue lock */
	uint8_t         wait;           /* (f) enum wait_kind; lock of what it waits in */
	bool            waited;         /* (f) ever, in accept with nothing to accept; written by one store with the two before it */
	uint8_t         spare;          /* (f) */
	uint8_t         priority;       /* (f) effective */
	uint8_t         base_priority;  /* (f) */
	uint8_t         special;        /* (f) enum thread_special: not for the short path */
	bool            dying;
	bool            stranger;       /* WAIT_ACCEPT: in port->strangers; port.lock */
	uint32_t        steps;          /* (f) calls since it accepted last */
	uint32_t        cpu;            /* whose run queue */
	void           *fpu;            /* XSAVE area, NULL until first use; owned */
	struct object   obj;
	struct list     in_process;     /* process->threads */
	struct timer    timer;          /* deadline of its wait */
	uint64_t        progress, progress_key; /* of a call that begins again, and which that is; key 0: none */
	uint64_t        cpu_time_tsc;
	uint64_t        slice_end;      /* preempted: when its slice would have ended (TSC); else 0 */
	struct watchers watchers;
	struct socket  *wait_socket;    /* counted; waits in it, or was woken and has not begun its call again (socket.h) */
	struct list     wait_node;      /* its place there */
	char            short_path[THREAD_PATH];        /* of its call under way; longer ones are allocated */
};
enum thread_special { SPECIAL_FPU = 1, SPECIAL_DEADLINE = 2, SPECIAL_NO_COMMAND = 4, SPECIAL_INTERRUPTED = 8 };

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
	struct watchers   watchers;
};

/* table: NULL for a fresh one. */
struct process *process_create(const char *name, struct budget *b, struct namespace *ns, struct table *table, uint32_t priority, uint32_t level, status_t *why);
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
struct thread *thread_create(struct process *p, uint64_t entry, uint64_t stack, uint64_t arg, uint32_t priority, status_t *why);
bool thread_destroy(struct object *o);
void thread_start(struct thread *t);
void thread_die(struct thread *t);          /* leaves whatever it waits in; never runs again */
void thread_timeout(struct timer *t);

extern struct list process_list;            /* by pid; process_list_lock */
extern struct spinlock process_list_lock;
struct process *process_find(uint64_t pid); /* counted, or NULL */

/* first.c: initfsd, from the segments that the loader checked. */
void first_process_start(const struct boot_info *boot);
void first_process_again(struct process *ended);
void process_teardown_queue(struct process *p);

/*
 * object: creation, counting, and the reaper.
 *
 * Reaper: an object that nobody refers to waits in `young`. A batch leaves it when every CPU has
 * left the kernel once since (a CPU that idles has), and is then destroyed piece by piece. One CPU at a time does that.
 */
#include <kernel/account.h>
#include <kernel/budget.h>
#include <kernel/dma.h>
#include <kernel/irq.h>
#include <kernel/mm.h>
#include <kernel/panic.h>
#include <kernel/percpu.h>
#include <kernel/plant.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/smp.h>
#include <kernel/socket.h>
#include <kernel/syscall.h>
#include <kernel/vmem.h>

struct kstat account;
static uint64_t next_id = 16;

static bool nothing(struct object *o)
{
	(void)o;
	return true;
}

static bool budget_destroy(struct object *o)
{
	struct budget *b = (struct budget *)o;
	OBJ_PUT(b->parent);
	return true;
}

const struct object_ops object_ops[OBJ_TYPES] = {
	[OBJ_NONE]      = { "none", NULL, nothing },
	[OBJ_PROCESS]   = { "process", NULL, process_destroy },
	[OBJ_THREAD]    = { "thread", NULL, thread_destroy },
	[OBJ_VMEM]      = { "vmem", NULL, vmem_destroy },
	[OBJ_FRAME]     = { "frame", NULL, frame_destroy },
	[OBJ_PORT]      = { "port", port_last_handle, port_destroy },
	[OBJ_SESSION]   = { "session", NULL, session_destroy },
	[OBJ_NAMESPACE] = { "namespace", NULL, ns_destroy },
	[OBJ_NOTIFY]    = { "notify", NULL, notify_destroy },
	[OBJ_IRQ]       = { "irq", NULL, irq_destroy },
	[OBJ_IOPORTS]   = { "ioports", NULL, nothing },
	[OBJ_RESOURCE]  = { "resource", NULL, nothing },
	[OBJ_BUDGET]    = { "budget", NULL, budget_destroy },
	[OBJ_TABLE]     = { "table", NULL, table_destroy },
	[OBJ_SHELF]     = { "shelf", NULL, table_destroy },
	[OBJ_SOCKET]    = { "socket", socket_last_handle, socket_destroy },
	[OBJ_DMA]       = { "dma", NULL, dma_destroy },
};

static const uint16_t object_size[OBJ_TYPES] = {
	[OBJ_PROCESS] = sizeof(struct process), [OBJ_THREAD] = sizeof(struct thread), [OBJ_VMEM] = sizeof(struct vmem),
	[OBJ_FRAME] = sizeof(struct frame), [OBJ_PORT] = sizeof(struct port), [OBJ_SESSION] = sizeof(struct session),
	[OBJ_NAMESPACE] = sizeof(struct namespace), [OBJ_NOTIFY] = sizeof(struct notify), [OBJ_IRQ] = sizeof(struct irq),
	[OBJ_IOPORTS] = sizeof(struct ioports), [OBJ_RESOURCE] = sizeof(struct resource), [OBJ_BUDGET] = sizeof(struct budget),
	[OBJ_TABLE] = sizeof(struct table), [OBJ_SHELF] = sizeof(struct table), [OBJ_SOCKET] = sizeof(struct socket),
	[OBJ_DMA] = sizeof(struct dma),
};

/* Where struct object lies inside the type: first everywhere, but for the registers of a thread. */
static size_t header_offset(unsigned type)
{
	return type == OBJ_THREAD ? offsetof(struct thread, obj) : 0;
}

struct object *object_create(enum object_type type, size_t size, struct budget *payer, status_t *why)
{
	ASSERT(size == object_size[type]);
	char *mem = budget_kmalloc(payer, size);
	*why = mem ? OK : ERR_NO_MEMORY;
	if (!mem)
		return NULL;
	struct object *o = (struct object *)(mem + header_offset(type));
	o->magic = OBJECT_MAGIC ^ type;
	o->type = (uint8_t)type;
	o->refs = 1;
	o->id = __atomic_fetch_add(&next_id, 1, __ATOMIC_RELAXED);
	o->payer = payer;
	if (payer)
		object_get(&payer->obj);
	ACCOUNT_ADD(objects[type], 1);
	return o;
}

void object_handle_get(struct object *o)
{
	object_get(o);
	__atomic_fetch_add(&o->handles, 1, __ATOMIC_RELAXED);
}

void object_handle_put(struct object *o)
{
	if (__atomic_sub_fetch(&o->handles, 1, __ATOMIC_ACQ_REL) == 0 && object_ops[o->type].last_handle)
		object_ops[o->type].last_handle(o);
	object_put(o);
}

status_t object_install(struct object *o, uint32_t rights, handle_t *h, status_t why)
{
	if (!o)
		return why;
	status_t st = handle_install(CURRENT_PROCESS->table, o, rights, 0, h);
	object_put(o);
	return st;
}

/* ---- reaper ---- */

static struct spinlock reap_lock;
static struct object *young, *waiting, *ready;
uint32_t reap_waiting;
static uint64_t waiting_mark[CPUS_MAX];
static uint64_t rounds;                 /* batches that were begun */
/* Until all that waits now is gone: a round does a piece of a process's end, and then come those that wait for CPUs, and what those let go. */
enum { ROUNDS = 64 };

/*
 * Whoever found o without a count may still count it: so it is destroyed only if from here on to the end of its wait nobody did,
 * which `revived` tells. True: it is in the list.
 */
static bool list_locked(struct object *o)
{
	__atomic_store_n(&o->revived, false, __ATOMIC_SEQ_CST);
	o->dropped = __atomic_load_n(&o->refs, __ATOMIC_SEQ_CST) == 0;
	if (o->dropped) {
		o->reap_next = young;
		young = o;
	}
	return o->dropped;
}

void object_put_slow(struct object *o)
{
	ASSERT(o->magic == (OBJECT_MAGIC ^ o->type));
	if (o->type == OBJ_SESSION && session_last_ref(o))
		return;
	spin_lock(&reap_lock);
	bool listed = !o->dropped && list_locked(o);
	spin_unlock(&reap_lock);
	if (listed)
		reap_wanted(reap_weight(o));
}

/* Takes the first one out of the list of those that are ready. False: somebody counted it since. */
static bool take_ready_locked(struct object *o)
{
	ready = o->reap_next;
	if (likely(!o->revived && !o->refs))
		return true;
	if (!list_locked(o))
		reap_done(reap_weight(o));
	return false;
}

void reap_wanted(uint32_t weight)
{
	if (__atomic_add_fetch(&reap_waiting, weight, __ATOMIC_RELAXED) >= REAP_URGENT)
		cpu_work(WORK_REAP);
}

static void advance_locked(void)
{
	if (cpu_count == 1) {           /* this is where it leaves the kernel */
		ready = young;
		young = NULL;
		rounds++;
		return;
	}
	if (waiting && !ready && cpus_left(waiting_mark)) {
		ready = waiting;
		waiting = NULL;
		rounds++;
	}
	if (young && !waiting) {
		waiting = young;
		young = NULL;
		cpus_mark(waiting_mark);
	}
}

static bool reap_pieces(void)
{
	bool done = process_teardown_some();
	done |= port_drain_some();
	done |= port_admit_some();
	done |= watchers_fire_late();
	for (unsigned i = 0; i < 8; i++) {
		spin_lock(&reap_lock);
		if (!ready)
			advance_locked();
		struct object *o = ready;
		bool last = o && take_ready_locked(o);
		spin_unlock(&reap_lock);
		if (!o)
			return done;
		done = true;
		if (unlikely(!last))
			continue;
		if (!object_ops[o->type].destroy(o)) {
			spin_lock(&reap_lock);
			o->reap_next = ready;
			ready = o;
			spin_unlock(&reap_lock);
			return true;
		}
		reap_done(reap_weight(o));
		size_t size = object_size[o->type];
		struct budget *payer = o->payer;
		ACCOUNT_SUB(objects[o->type], 1);
		o->magic = 0;
		budget_kfree(payer, (char *)o - header_offset(o->type), size);
		OBJ_PUT(PLANTED(use_after_free) ? o->payer : payer);
	}
	return true;
}

bool reap_all(uint64_t until, uint64_t round)
{
	while ((reap_pending() || vmem_trim_some()) && clock_ns() < until && __atomic_load_n(&rounds, __ATOMIC_RELAXED) < round) {
		cpu_left();
		(void)reap_some();
		if (sched_preempt_point())
			return false;
	}
	return true;
}

bool reap_before(uint32_t call, uint64_t *round)
{
	struct progress was = progress_load();
	*round = progress_of(&was, call, 0);
	bool done = !*round || reap_all(FOREVER, *round);
	if (!done)
		(void)progress_restart(call, 0, *round);
	return done;
}

status_t reap_after(uint32_t call, uint64_t round, status_t st)
{
	/* Though nothing waits now: another CPU may have reaped the last of it since. */
	if ((st != ERR_LIMIT && st != ERR_NO_MEMORY) || round)
		return st;
	cpu_work(WORK_RESCHED);         /* the quick way out knows no restart */
	return progress_restart(call, 0, rounds + ROUNDS);
}

bool reap_some(void)
{
	static struct spinlock reaper;  /* one CPU at a time: the pieces need no locks against one another */
	if (!spin_trylock(&reaper))
		return false;
	bool done = reap_pieces();
	spin_unlock(&reaper);
	return done;
}

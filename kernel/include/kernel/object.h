/*
 * object: what every kernel object begins with.
 *
 * Two counts: `refs` keeps the memory, `handles` says how many handles (in tables or in
 * commands under way) name it. When `handles` falls to 0 the type's `last_handle` runs; when
 * `refs` falls to 0 the object goes to the reaper (reap.h), which waits until every CPU has left
 * the kernel once and then calls `destroy` in bounded pieces. So a pointer found in a handle
 * table stays valid until the CPU that found it leaves the kernel, without a lock or a count.
 */
#pragma once
#include <abi/objects.h>
#include <abi/rights.h>
#include <gen/errors.h>
#include <kernel/spinlock.h>

struct budget;

struct object {
	uint32_t       magic;       /* OBJECT_MAGIC ^ type */
	uint8_t        type;        /* enum object_type; fixed */
	bool           dropped;     /* in the reaper's list (its lock) */
	bool           revived;     /* counted again since it came there */
	uint32_t       refs;        /* (f) atomic */
	uint32_t       handles;     /* atomic */
	uint64_t       id;          /* unique for ever; fixed */
	struct budget *payer;       /* counted; charged with the object's size */
	struct object *reap_next;   /* reaper's list */
};

#define OBJECT_MAGIC 0x0b1ec700u

/* Zeroed, refs 1. NULL: no memory, or over the payer's limit (*why says which). payer may be NULL at boot only. */
struct object *object_create(enum object_type type, size_t size, struct budget *payer, status_t *why);
void object_put_slow(struct object *o);

always_inline void object_get(struct object *o)
{
	if (unlikely(__atomic_fetch_add(&o->refs, 1, __ATOMIC_RELAXED) == 0))
		o->revived = true;      /* found in a table while its last handle went */
}
/* For lists that count nothing: false when the object is already on its way out. */
always_inline bool object_try_get(struct object *o)
{
	uint32_t n = __atomic_load_n(&o->refs, __ATOMIC_RELAXED);
	while (n)
		if (__atomic_compare_exchange_n(&o->refs, &n, n + 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return true;
	return false;
}
always_inline void object_put(struct object *o)
{
	if (o && __atomic_sub_fetch(&o->refs, 1, __ATOMIC_ACQ_REL) == 0)
		object_put_slow(o);
}
#define OBJ_GET(p) ({ object_get(&(p)->obj); (p); })
#define OBJ_PUT(p) do { __auto_type put_ = (p); if (put_) object_put(&put_->obj); } while (0)

/* A handle more, a handle less: count both refs and handles. */
void object_handle_get(struct object *o);
void object_handle_put(struct object *o);

struct object_ops {
	const char *name;
	void (*last_handle)(struct object *o);  /* may be NULL */
	bool (*destroy)(struct object *o);      /* one bounded piece; true: finished, memory may go */
};
extern const struct object_ops object_ops[OBJ_TYPES];

/* ---- reaper: destroys what nobody refers to any more, piece by piece ---- */
bool reap_some(void);           /* one bounded piece; called when leaving the kernel and when idle. False: it is for other CPUs to go on */
/*
 * All there is, at most until a time and until so many rounds were begun. False: there is more, and others want this CPU. No borrowed
 * pointer may be held, for this CPU counts as having left the kernel.
 */
#define REAP_PATIENCE_NS (500 * NS_PER_MS)
bool reap_all(uint64_t until, uint64_t round);
/*
 * Around a call that charges much at once. What ended a moment ago may be charged still, as long as another CPU has not left the kernel;
 * so who is refused begins again, once, when all that is cleared away. before: false: STATUS_RESTART.
 */
bool reap_before(uint32_t call, uint64_t *round);
status_t reap_after(uint32_t call, uint64_t round, status_t st);
/*
 * Objects, dying processes and dead Ports that wait for it, by weight; atomic. What holds next to nothing, a Session, waits until
 * there are many, or nothing else is to be done.
 */
extern uint32_t reap_waiting;
enum { REAP_LIGHT = 1, REAP_URGENT = 64 };
always_inline bool reap_pending(void) { return reap_waiting != 0; }
always_inline bool reap_urgent(void)  { return reap_waiting >= REAP_URGENT; }
always_inline uint32_t reap_weight(const struct object *o) { return o->type == OBJ_SESSION ? REAP_LIGHT : REAP_URGENT; }
void reap_wanted(uint32_t weight);      /* one more */
always_inline void reap_done(uint32_t weight) { __atomic_fetch_sub(&reap_waiting, weight, __ATOMIC_RELAXED); }

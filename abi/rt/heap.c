/*
 * heap: malloc and its family for small, long-lived services.
 *
 * Sizes are rounded up to a class: every 16 bytes to 128, then four to each doubling, to 32 KiB. A class
 * keeps its freed blocks in a list, new blocks are cut from an arena: first a little BSS, so that
 * most programs never ask for more, then 64 KiB at a time from the kernel. Larger sizes are mappings of their own
 * and go back at free. Blocks never move between classes: no merging, no search, and a bound on waste (a quarter
 * inside a block, plus each class's highest use).
 *
 * A header names each block's state; freeing twice, or what was never ours, ends the program.
 * One spinlock covers everything: almost every program has one thread.
 */
#include <gen/errors.h>
#include <gen/syscalls.h>
#include <rt/start.h>
#include <stdlib.h>
#include <string.h>

enum {
	GRAIN = 16,                     /* alignment of every block */
	BLOCK_MIN = 32,                 /* the smallest block, header included */
	FINE_LOG = 7,
	FINE_MAX = 1 << FINE_LOG,       /* up to here a class for every grain */
	FINE_CLASSES = (FINE_MAX - BLOCK_MIN) / GRAIN + 1,
	BLOCK_MAX_LOG = 15,             /* the largest block of a class: 32 KiB */
	CLASSES = FINE_CLASSES + (BLOCK_MAX_LOG - FINE_LOG) * 4,
	FIRST_ARENA = 16 * KiB,
	ARENA = 64 * KiB,
	SPINS = 100,
};

#define STATE_USED 0x75736564u          /* "used" */
#define STATE_FREE 0x66726565u          /* "free" */
#define STATE_BIG  0x62696721u          /* "big!" */

struct block {
	uint32_t state;                 /* STATE_* */
	uint32_t class;                 /* not for STATE_BIG */
	uint64_t size;                  /* of the whole block with this header */
	union {
		struct block *next;     /* STATE_FREE */
		char data[1];           /* what the program sees */
	};
};
#define HEADER offsetof(struct block, data)
_Static_assert(offsetof(struct block, data) % GRAIN == 0, "alignment of data");

static char first_arena[FIRST_ARENA] aligned(16);

static struct {
	uint32_t      lock;             /* covers everything below */
	char         *at, *end;         /* the arena's unused rest */
	struct block *free[CLASSES];
} heap = { .at = first_arena, .end = first_arena + FIRST_ARENA };

static void lock(void)
{
	for (int spins = 0; __atomic_exchange_n(&heap.lock, 1, __ATOMIC_ACQUIRE); spins++) {
		__builtin_ia32_pause();
		/* The holder may have lower priority: sleep, so that it can run at all. */
		uint64_t now = 0;
		if (spins >= SPINS && clock_now(&now) >= 0)
			thread_sleep(now + 50 * NS_PER_US);
	}
}

static void unlock(void)
{
	__atomic_store_n(&heap.lock, 0, __ATOMIC_RELEASE);
}

/* The class of a block of `need` bytes, and in *size what such a block has: 32 48 ... 128, 160 192 224 256, 320 ... */
static uint32_t class_of(size_t need, size_t *size)
{
	need = ALIGN_UP(MAX(need, (size_t)BLOCK_MIN), (size_t)GRAIN);
	if (need <= FINE_MAX) {
		*size = need;
		return (uint32_t)((need - BLOCK_MIN) / GRAIN);
	}
	uint32_t log = 63 - (uint32_t)__builtin_clzll(need - 1);        /* 2^log < need <= 2^(log+1) */
	size_t step = (size_t)1 << (log - 2);
	size_t quarters = (need - ((size_t)1 << log) + step - 1) / step; /* 1..4 */
	*size = ((size_t)1 << log) + quarters * step;
	return FINE_CLASSES - 1 + (log - FINE_LOG) * 4 + (uint32_t)quarters;
}

/* Memory that is there: what malloc gave never faults for want of a page. */
static void *map(size_t size)
{
	uint64_t va;
	if (vmem_map(0, 0, 0, 0, size, PROT_READ | PROT_WRITE, &va) < 0)
		return NULL;
	if (vmem_commit(0, va, size) == OK)
		return (void *)va;
	MUST(vmem_unmap(0, va, size));
	return NULL;
}

/* A fresh block from the arena. What is left of an old arena is given up: less than one block. */
static struct block *cut_locked(size_t size)
{
	if ((size_t)(heap.end - heap.at) < size) {
		char *arena = map(ARENA);
		if (!arena)
			return NULL;
		heap.at = arena;
		heap.end = arena + ARENA;
	}
	struct block *b = (struct block *)heap.at;
	heap.at += size;
	return b;
}

/* *fresh: the memory has never been used and is zero. */
static void *allocate(size_t n, bool *fresh)
{
	if (n > PTRDIFF_MAX - 2 * PAGE_SIZE)
		return NULL;
	size_t need = n + HEADER;
	*fresh = true;
	if (need > 1ul << BLOCK_MAX_LOG) {
		size_t size = ALIGN_UP(need, PAGE_SIZE);
		struct block *big = map(size);
		if (!big)
			return NULL;
		big->state = STATE_BIG;
		big->size = size;
		return big->data;
	}
	size_t size;
	uint32_t class = class_of(need, &size);
	lock();
	struct block *b = heap.free[class];
	if (b) {
		*fresh = false;
		heap.free[class] = b->next;
	} else {
		b = cut_locked(size);
	}
	unlock();
	if (!b)
		return NULL;
	b->state = STATE_USED;
	b->class = class;
	b->size = size;
	return b->data;
}

static struct block *block_of(void *p)
{
	return (struct block *)((char *)p - HEADER);
}

void *malloc(size_t n)
{
	bool fresh;
	return allocate(n, &fresh);
}

void free(void *p)
{
	if (!p)
		return;
	struct block *b = block_of(p);
	if (b->state == STATE_BIG) {
		b->state = STATE_FREE;
		MUST(vmem_unmap(0, (uint64_t)b, b->size));
		return;
	}
	if (b->state != STATE_USED)
		rt_panic("free(%p): %s", p, b->state == STATE_FREE ? "freed before" : "not from this heap, or overwritten");
	lock();
	b->state = STATE_FREE;
	b->next = heap.free[b->class];
	heap.free[b->class] = b;
	unlock();
}

void *calloc(size_t n, size_t each)
{
	size_t size;
	if (__builtin_mul_overflow(n, each, &size))
		return NULL;
	bool fresh;
	void *p = allocate(size, &fresh);
	return p && !fresh ? memset(p, 0, size) : p;
}

void *realloc(void *p, size_t n)
{
	if (!p)
		return malloc(n);
	struct block *b = block_of(p);
	if (b->state != STATE_USED && b->state != STATE_BIG)
		rt_panic("realloc(%p): not from this heap, or freed", p);
	size_t room = b->size - HEADER;
	if (n <= room && n >= room / 2)
		return p;
	void *to = malloc(n);
	if (!to)
		return n <= room ? p : NULL;
	memcpy(to, p, MIN(n, room));
	free(p);
	return to;
}

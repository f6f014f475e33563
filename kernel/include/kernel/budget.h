/*
 * budget: accounts that limit what a process and its children may use. A charge is taken from
 * the budget and all its parents or not at all. Lock-free: counters only.
 */
#pragma once
#include <kernel/object.h>

struct budget {
	struct object        obj;
	struct budget       *parent;    /* counted; NULL at the root */
	uint32_t             depth;     /* 0 at the root, at most BUDGET_DEPTH_MAX: a charge climbs it all */
	bool                 ended;     /* no process starts on it any more; under process_list_lock */
	uint64_t             log_paid_ns;   /* the log has been used up to this time (atomic enough: a line more or less) */
	uint32_t             log_lost;      /* lines refused since the last one taken */
	struct budget_limits limit;     /* fixed after create */
	struct budget_limits used;      /* atomic */
};

#define BUDGET_DEPTH_MAX 12

enum budget_item { CHARGE_PAGES, CHARGE_KERNEL, CHARGE_HANDLES, CHARGE_THREADS, CHARGE_COMMANDS, CHARGE_PROCESSES };

/* ERR_NO_MEMORY (pages, kernel bytes) or ERR_LIMIT. */
must_use status_t budget_charge(struct budget *b, enum budget_item item, uint64_t n);
void budget_release(struct budget *b, enum budget_item item, uint64_t n);
/* kmalloc and kfree at b's expense. NULL: the Budget or the memory is used up (ERR_NO_MEMORY). */
must_use void *budget_kmalloc(struct budget *b, size_t size);
void budget_kfree(struct budget *b, void *p, size_t size);
/* The same for a page of a process; `zero`: of zeros, else its content is undefined. 0: ERR_NO_MEMORY. */
must_use uint64_t budget_page(struct budget *b, bool zero);
void budget_page_free(struct budget *b, uint64_t phys);
struct budget *budget_create(struct budget *parent, const struct budget_limits *limits, status_t *why);
struct budget *budget_root(void);
/* Is b `top` or below it? */
bool budget_within(const struct budget *b, const struct budget *top);
bool budget_ended(const struct budget *b);      /* or one above it */

/*
 * budget: see budget.h. A charge climbs from the budget to the root; if one on the way has no
 * room, what was taken below it is given back.
 */
#include <kernel/budget.h>
#include <kernel/mm.h>
#include <kernel/panic.h>
#include <kernel/plant.h>

static struct budget root = {
	.obj = { .magic = OBJECT_MAGIC ^ OBJ_BUDGET, .type = OBJ_BUDGET, .refs = 1, .id = 1 },
	.limit = { UINT64_MAX, UINT64_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX },
};

struct budget *budget_root(void)
{
	return &root;
}

static bool take64(uint64_t *used, uint64_t limit, uint64_t n)
{
	if (__atomic_add_fetch(used, n, __ATOMIC_RELAXED) <= limit)
		return true;
	__atomic_fetch_sub(used, n, __ATOMIC_RELAXED);
	return false;
}

static bool take32(uint32_t *used, uint32_t limit, uint32_t n)
{
	if (__atomic_add_fetch(used, n, __ATOMIC_RELAXED) <= limit)
		return true;
	__atomic_fetch_sub(used, n, __ATOMIC_RELAXED);
	return false;
}

static uint32_t *count32(struct budget_limits *l, enum budget_item item)
{
	return item == CHARGE_HANDLES ? &l->handles : item == CHARGE_THREADS ? &l->threads :
		item == CHARGE_COMMANDS ? &l->commands : &l->processes;
}

static bool take(struct budget *b, enum budget_item item, uint64_t n)
{
	if (item == CHARGE_PAGES)
		return take64(&b->used.pages, b->limit.pages, n);
	if (item == CHARGE_KERNEL)
		return take64(&b->used.kernel_bytes, b->limit.kernel_bytes, n);
	return take32(count32(&b->used, item), *count32(&b->limit, item), (uint32_t)n);
}

static void give(struct budget *b, enum budget_item item, uint64_t n)
{
	if (item == CHARGE_PAGES)
		__atomic_fetch_sub(&b->used.pages, n, __ATOMIC_RELAXED);
	else if (item == CHARGE_KERNEL)
		__atomic_fetch_sub(&b->used.kernel_bytes, n, __ATOMIC_RELAXED);
	else
		__atomic_fetch_sub(count32(&b->used, item), (uint32_t)n, __ATOMIC_RELAXED);
}

status_t budget_charge(struct budget *b, enum budget_item item, uint64_t n)
{
	for (struct budget *at = b; at; at = at->parent)
		if (unlikely(!take(at, item, n))) {
			for (struct budget *back = b; back != at; back = back->parent)
				give(back, item, n);
			return item <= CHARGE_KERNEL ? ERR_NO_MEMORY : ERR_LIMIT;
		}
	return OK;
}

void budget_release(struct budget *b, enum budget_item item, uint64_t n)
{
	for (; b; b = b->parent)
		give(b, item, n);
}

void *budget_kmalloc(struct budget *b, size_t size)
{
	status_t st = budget_charge(b, CHARGE_KERNEL, size);
	ASSERT(st == OK || !PLANTED(no_memory_panics));
	if (st < 0)
		return NULL;
	void *p = kmalloc(size);
	if (!p)
		budget_release(b, CHARGE_KERNEL, size);
	return p;
}

void budget_kfree(struct budget *b, void *p, size_t size)
{
	if (!p)
		return;
	kfree(p, size);
	budget_release(b, CHARGE_KERNEL, size);
}

uint64_t budget_page(struct budget *b, bool zero)
{
	if (budget_charge(b, CHARGE_PAGES, 1) < 0)
		return 0;
	uint64_t phys = zero ? page_alloc_user_zero(b) : page_alloc_user(b, 0);
	if (!phys)
		budget_release(b, CHARGE_PAGES, 1);
	return phys;
}

void budget_page_free(struct budget *b, uint64_t phys)
{
	page_free(phys, 0);
	budget_release(b, CHARGE_PAGES, 1);
}

bool budget_within(const struct budget *b, const struct budget *top)
{
	while (b && b != top)
		b = b->parent;
	return b;
}

bool budget_ended(const struct budget *b)
{
	while (b && !b->ended)
		b = b->parent;
	return b;
}

struct budget *budget_create(struct budget *parent, const struct budget_limits *limits, status_t *why)
{
	*why = ERR_LIMIT;
	if (parent->depth == BUDGET_DEPTH_MAX)
		return NULL;
	struct budget *b = (struct budget *)object_create(OBJ_BUDGET, sizeof(*b), parent, why);
	if (b) {
		b->parent = OBJ_GET(parent);
		b->depth = parent->depth + 1;
		b->limit = *limits;
	}
	return b;
}

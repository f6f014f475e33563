/*
 * page: physical memory, a binary buddy allocator with one struct page per usable frame. Free
 * blocks of one size hang in a list; each CPU keeps a small stack of single pages in front of it.
 *
 * At boot the pages come from `early`, a bump pointer at the low end of the largest usable range above
 * 1 MiB; what it did not use goes to the allocator. Memory below 1 MiB stays out: firmware scribbles there,
 * and other processors start there.
 */
#include <kernel/account.h>
#include <kernel/budget.h>
#include <kernel/debug.h>
#include <kernel/log.h>
#include <kernel/mm.h>
#include <kernel/panic.h>
#include <kernel/percpu.h>
#include <kernel/plant.h>
#include <kernel/process.h>
#include <kernel/spinlock.h>

#define LOW_MEMORY    (1 * MiB)
/* Pages that user memory and kernel objects leave to whoever stands closer to the root. */
enum { SERVICES_LEAVE_USER = 256, SERVICES_LEAVE_KERNEL = 128 };
#define CACHE_ORDER   4
#define CACHE_BATCH   (1u << CACHE_ORDER)
#define RANGES_MAX    512            /* as many as the memory map can have */

static struct spinlock lock;            /* covers the lists */
static uint32_t free_list[2][PAGE_ORDER_MAX + 1];   /* below 4 GiB, and above: frame number of the first; 0: empty */
static uint64_t free_pages;             /* in the lists; under lock */
static bool above_4g;                   /* there is memory above 4 GiB */
uint64_t page_total;
static uint64_t low_edge, high_edge = UINT64_MAX;       /* pressure.c wants to hear when free_pages falls below, or rises above; under lock */

enum page_need { PAGE_USER, PAGE_KERNEL };

static uint64_t early_next, early_end;
static struct { uint64_t base, end; bool ram; } ranges[RANGES_MAX];    /* what HHDM maps; ram: ours */
static uint32_t n_ranges;

void kernel_map_page_array(uint64_t va, uint64_t end);

uint64_t page_early(void)
{
	if (early_next == early_end) {          /* after boot, tables for mmio_map come from the allocator */
		uint64_t p = page_alloc_zero();
		if (!p)
			panic("out of memory for kernel page tables");
		ACCOUNT_ADD(pages_kernel, 1);
		return p;
	}
	uint64_t p = early_next;
	early_next += PAGE_SIZE;
	mem_zero(HHDM(p), PAGE_SIZE);
	return p;
}

static uint32_t *list_of(uint32_t n, unsigned order)
{
	return &free_list[n >> (32 - PAGE_SHIFT) != 0][order];
}

static void push(uint32_t n, unsigned order)
{
	struct page *p = &PAGE_ARRAY[n];
	p->order = (uint8_t)order;
	p->free = 1;
	p->prev = 0;
	uint32_t *list = list_of(n, order);
	p->next = *list;
	if (p->next)
		PAGE_ARRAY[p->next].prev = n;
	*list = n;
}

static void unlink(uint32_t n, unsigned order)
{
	struct page *p = &PAGE_ARRAY[n];
	if (p->prev)
		PAGE_ARRAY[p->prev].next = p->next;
	else
		*list_of(n, order) = p->next;
	if (p->next)
		PAGE_ARRAY[p->next].prev = p->prev;
	p->free = 0;
}

/* Is frame number n one of ours? Only then does its struct page exist. */
static bool owned(uint64_t n)
{
	uint64_t phys = n << PAGE_SHIFT;
	for (uint32_t i = 0; i < n_ranges; i++)
		if (phys >= ranges[i].base && phys < ranges[i].end)
			return ranges[i].ram;
	return false;
}

static void free_locked(uint64_t phys, unsigned order)
{
	uint32_t n = (uint32_t)(phys >> PAGE_SHIFT);
	free_pages += 1ull << order;
	while (order < PAGE_ORDER_MAX) {
		uint32_t buddy = n ^ 1u << order;
		/* Buddies of low orders share a page of the array; higher ones may lie in a hole. */
		if (order >= 8 && !owned(buddy))
			break;
		if (!PAGE_ARRAY[buddy].free || PAGE_ARRAY[buddy].order != order)
			break;
		unlink(buddy, order);
		n &= ~(1u << order);
		order++;
	}
	push(n, order);
}

/* high: from above 4 GiB; what lies below is for devices first. */
static uint64_t alloc_locked(unsigned order, bool high)
{
	unsigned o = order;
	high = high && above_4g;
	while (o <= PAGE_ORDER_MAX && !free_list[high][o])
		o++;
	if (o > PAGE_ORDER_MAX)
		return high ? alloc_locked(order, false) : 0;
	uint32_t n = free_list[high][o];
	unlink(n, o);
	while (o > order) {
		o--;
		push(n + (1u << o), o);
	}
	free_pages -= 1ull << order;
	return (uint64_t)n << PAGE_SHIFT;
}

/*
 * The first process and the supervisor, on the root Budget, may use the last page: they are who brings the others back.
 * Services, right below, leave a little for them; programs, further down, leave enough to bring services back.
 */
static uint64_t reserve(const struct budget *b, enum page_need need)
{
	switch (b->depth) {
	case 0:  return 0;
	case 1:  return need == PAGE_USER ? SERVICES_LEAVE_USER : SERVICES_LEAVE_KERNEL;
	default: return PROGRAMS_LEAVE;
	}
}

static const struct budget *current_budget(void)
{
	struct thread *t = current_thread();
	return t ? t->process->budget : budget_root();
}

static uint64_t alloc(const struct budget *b, unsigned order, enum page_need need, bool high)
{
	struct percpu *c = this_cpu();
	if (order == 0 && high && c->n_cached) {
		debug_pages(c->cached[c->n_cached - 1], 1, true);
		return c->cached[--c->n_cached];
	}
	uint64_t p = 0;
	spin_lock(&lock);
	if (order > PAGE_ORDER_MAX || free_pages < (1ull << order) + reserve(b, need)) {
		spin_unlock(&lock);
		return 0;
	}
	p = alloc_locked(order, high);
	if (unlikely(free_pages < low_edge))
		cpu_work(WORK_PRESSURE);
	if (order == 0 && high && free_pages > PROGRAMS_LEAVE + CACHE_BATCH)
		for (uint64_t n = CACHE_BATCH, block = alloc_locked(CACHE_ORDER, true); block && n; n--)
			c->cached[c->n_cached++] = block + ((n - 1) << PAGE_SHIFT);
	spin_unlock(&lock);
	debug_pages(p, 1ull << order, true);
	return p;
}

uint64_t page_alloc(unsigned order)
{
	return alloc(current_budget(), order, PAGE_KERNEL, true);
}

uint64_t page_alloc_zero(void)
{
	uint64_t p = page_alloc(0);
	if (p)
		mem_zero(HHDM(p), PAGE_SIZE);
	return p;
}

uint64_t page_alloc_user(const struct budget *payer, unsigned order)
{
	return alloc(payer, order, PAGE_USER, true);
}

uint64_t page_alloc_dma32(const struct budget *payer, unsigned order)
{
	return alloc(payer, order, PAGE_USER, false);
}

uint64_t page_alloc_user_zero(const struct budget *payer)
{
	struct percpu *c = this_cpu();
	if (c->n_clean) {
		debug_pages(c->clean[c->n_clean - 1], 1, true);
		return c->clean[--c->n_clean];
	}
	uint64_t p = page_alloc_user(payer, 0);
	if (p && !(PLANTED(no_zero) && p / PAGE_SIZE % 256 == 7))
		mem_zero(HHDM(p), PAGE_SIZE);
	return p;
}

void page_free(uint64_t phys, unsigned order)
{
	struct percpu *c = this_cpu();
#ifdef TEST_BUILD
	memset(HHDM(phys), 0x5f, PAGE_SIZE << order);
#endif
	debug_pages(phys, 1ull << order, false);
	if (order == 0 && c->n_cached < ARRAY_LEN(c->cached)) {
		c->cached[c->n_cached++] = phys;
		return;
	}
	spin_lock(&lock);
	free_locked(phys, order);
	if (order == 0)
		while (c->n_cached > CACHE_BATCH)
			free_locked(c->cached[--c->n_cached], 0);
	if (unlikely(free_pages > high_edge))
		cpu_work(WORK_PRESSURE);
	spin_unlock(&lock);
}

void page_free_zero(uint64_t phys)
{
	struct percpu *c = this_cpu();
#ifdef TEST_BUILD
	for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
		ASSERT(!((const uint64_t *)HHDM(phys))[i]);
#endif
	if (c->n_clean == ARRAY_LEN(c->clean)) {
		page_free(phys, 0);
		return;
	}
	debug_pages(phys, 1, false);
	c->clean[c->n_clean++] = phys;
}

uint64_t page_watch(uint64_t low, uint64_t high)
{
	spin_lock(&lock);
	low_edge = low;
	high_edge = high;
	uint64_t n = free_pages;
	spin_unlock(&lock);
	return n;
}

uint64_t page_free_count(void)
{
	uint64_t n = free_pages;
	for (uint32_t i = 0; i < cpu_count; i++)
		n += percpu_all[i]->n_cached + percpu_all[i]->n_clean;
	return n;
}

void page_add_range(uint64_t phys, uint64_t pages)
{
	uint64_t n = phys >> PAGE_SHIFT, end = n + pages;
	debug_pages(phys, pages, false);
	spin_lock(&lock);
	above_4g = above_4g || end > 4 * GiB / PAGE_SIZE;
	while (n < end) {
		unsigned order = n ? (unsigned)__builtin_ctzll(n) : PAGE_ORDER_MAX;
		order = MIN(order, PAGE_ORDER_MAX);
		while (n + (1ull << order) > end)
			order--;
		free_locked(n << PAGE_SHIFT, order);
		n += 1ull << order;
	}
	spin_unlock(&lock);
	page_total += pages;
}

static bool becomes_ours(uint32_t type)
{
	return type == BOOT_MEM_USABLE || type == BOOT_MEM_LOADER || type == BOOT_MEM_KERNEL || type == BOOT_MEM_INITFSD || type == BOOT_MEM_INITFS;
}

/* Finds the early range; called before paging_init, which needs page_early. */
void page_early_init(const struct boot_mem *mem, uint32_t n)
{
	uint64_t best = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t base = MAX(mem[i].base, LOW_MEMORY), end = mem[i].base + mem[i].pages * PAGE_SIZE;
		if (mem[i].type == BOOT_MEM_USABLE && end > base && end - base > best) {
			best = end - base;
			early_next = base;
			early_end = end;
		}
	}
	if (!best)
		panic("the memory map has no usable memory above 1 MiB");
}

void page_init(const struct boot_mem *mem, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		bool ram = becomes_ours(mem[i].type);
		uint64_t base = mem[i].base, end = base + mem[i].pages * PAGE_SIZE;
		if (mem[i].type == BOOT_MEM_RESERVED || mem[i].type == BOOT_MEM_MMIO || mem[i].type == BOOT_MEM_BAD || mem[i].type == BOOT_MEM_RUNTIME)
			continue;
		if (n_ranges && ranges[n_ranges - 1].end == base && ranges[n_ranges - 1].ram == ram) {
			ranges[n_ranges - 1].end = end;
			continue;
		}
		if (n_ranges == RANGES_MAX) {
			klog("memory: more than %d ranges; 0x%llx and above is left alone", RANGES_MAX, (unsigned long long)base);
			break;
		}
		ranges[n_ranges].base = base;
		ranges[n_ranges].end = end;
		ranges[n_ranges++].ram = ram;
	}
	/* A struct page for every frame we own, and for its neighbours in the same page of the array. */
	for (uint32_t i = 0; i < n_ranges; i++)
		if (ranges[i].ram)
			kernel_map_page_array((uint64_t)&PAGE_ARRAY[ranges[i].base >> PAGE_SHIFT], (uint64_t)&PAGE_ARRAY[ranges[i].end >> PAGE_SHIFT]);
	for (uint32_t i = 0; i < n; i++) {
		if (mem[i].type != BOOT_MEM_USABLE)
			continue;
		uint64_t base = MAX(mem[i].base, LOW_MEMORY), end = mem[i].base + mem[i].pages * PAGE_SIZE;
		if (end <= base)
			continue;
		if (early_next > base && early_next <= end) {
			account.pages_kernel += (early_next - base) >> PAGE_SHIFT;
			page_total += (early_next - base) >> PAGE_SHIFT;
			base = early_next;
		}
		page_add_range(base, (end - base) >> PAGE_SHIFT);
	}
	early_next = early_end = 0;
}

bool phys_is_mapped(uint64_t phys, uint64_t size)
{
	for (uint32_t i = 0; i < n_ranges; i++)
		if (phys >= ranges[i].base && phys < ranges[i].end) {
			uint64_t here = MIN(size, ranges[i].end - phys);
			phys += here;
			size -= here;
			if (!size)
				return true;
		}
	return false;
}

bool phys_is_ram(uint64_t phys, uint64_t size)
{
	for (uint32_t i = 0; i < n_ranges; i++)
		if (ranges[i].ram && phys < ranges[i].end && phys + size > ranges[i].base)
			return true;
	return false;
}

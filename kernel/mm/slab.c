/*
 * slab: kernel objects. Sizes are rounded up to a class; each class fills single pages with equal
 * slots. A page's header lies in its first 64 bytes; a page whose slots are all free goes back.
 * Larger blocks are whole pages. Callers give the size back, so no header is needed per block.
 */
#include <kernel/account.h>
#include <kernel/debug.h>
#include <kernel/mm.h>
#include <kernel/panic.h>
#include <kernel/slab.h>
#include <kernel/spinlock.h>

const uint16_t slab_classes[SLAB_CLASSES] = { 32, 64, 128, 192, 256, 320, 448, 576, 672, 800, 1008, 1344, 2016 };

/* size and number of the slots in a page; those pages that have a free one */
static struct pool { struct spinlock lock; uint32_t size, slots; struct list partial; } pool[SLAB_CLASSES];
static uint8_t class_of[2016 / 32 + 1];

enum { SMALL_MAX = 2016 - DEBUG_REDZONE };      /* larger blocks are whole pages */

static void init(void)
{
	for (unsigned i = 0; i < SLAB_CLASSES; i++) {
		pool[i].size = slab_classes[i];
		pool[i].slots = (uint32_t)(PAGE_SIZE - SLAB_HEADER) / slab_classes[i];
		list_init(&pool[i].partial);
	}
	unsigned c = 0;
	for (unsigned s = 0; s <= 2016; s += 32) {
		while (slab_classes[c] < s)
			c++;
		class_of[s / 32] = (uint8_t)c;
	}
}

static unsigned class_for(size_t size)
{
	return class_of[(size + DEBUG_REDZONE + 31) / 32];
}

static unsigned page_order(size_t size)
{
	unsigned order = 0;
	while (PAGE_SIZE << order < size)
		order++;
	return order;
}

size_t kmalloc_takes(size_t size)
{
	return size > SMALL_MAX ? PAGE_SIZE << page_order(size) : slab_classes[class_for(size)];
}

void *kmalloc(size_t size)
{
	if (size > SMALL_MAX) {
		unsigned order = page_order(size);
		if (size > 1 * MiB)
			return NULL;
		uint64_t p = page_alloc(order);
		if (!p)
			return NULL;
		ACCOUNT_ADD(slab_bytes, PAGE_SIZE << order);
		ACCOUNT_ADD(pages_slab, 1ull << order);
		mem_zero(HHDM(p), size);
		debug_slots((char *)HHDM(p) + ALIGN_UP(size, 8), (char *)HHDM(p) + (PAGE_SIZE << order));
		return HHDM(p);
	}
	if (unlikely(!pool[0].partial.next))
		init();
	struct pool *pl = &pool[class_for(size)];
	spin_lock(&pl->lock);
	struct slab *s;
	if (list_empty(&pl->partial)) {
		uint64_t p = page_alloc(0);
		if (!p) {
			spin_unlock(&pl->lock);
			return NULL;
		}
		s = HHDM(p);
		*s = (struct slab){ .class_index = (uint32_t)(pl - pool), .magic = SLAB_MAGIC };
		debug_slots((char *)s + SLAB_HEADER, (char *)s + PAGE_SIZE);
		list_push_front(&pl->partial, &s->node);
		ACCOUNT_ADD(pages_slab, 1);
	} else {
		s = LIST_FIRST(&pl->partial, struct slab, node);
	}
	void *slot = s->free;
	if (slot)
		s->free = *(void **)slot;
	else
		slot = (char *)s + SLAB_HEADER + s->fresh++ * pl->size;
	if (++s->used == pl->slots)
		list_remove(&s->node);
	spin_unlock(&pl->lock);
	ACCOUNT_ADD(slab_bytes, pl->size);
	debug_taken(slot, size, (char *)slot + pl->size);
	mem_zero(slot, size);
	return slot;
}

void kfree(void *p, size_t size)
{
	if (!p)
		return;
	if (size > SMALL_MAX) {
		unsigned order = page_order(size);
		ACCOUNT_SUB(slab_bytes, PAGE_SIZE << order);
		ACCOUNT_SUB(pages_slab, 1ull << order);
		debug_pages(HHDM_PHYS(p), 1ull << order, true);
		page_free(HHDM_PHYS(p), order);
		return;
	}
	struct slab *s = (struct slab *)ALIGN_DOWN((uint64_t)p, PAGE_SIZE);
	unsigned c = class_for(size);
	if (s->magic != SLAB_MAGIC || s->class_index != c)
		panic("slab: %p of size %zu freed into class %u", p, size, s->class_index);
#ifdef TEST_BUILD
	memset(p, 0xa5, size);
#endif
	ACCOUNT_SUB(slab_bytes, slab_classes[c]);
	if (!(p = debug_freed(p)))
		return;
	s = (struct slab *)ALIGN_DOWN((uint64_t)p, PAGE_SIZE);
	struct pool *pl = &pool[s->class_index];
	spin_lock(&pl->lock);
	*(void **)p = s->free;
	s->free = p;
	if (s->used-- == pl->slots)
		list_push_back(&pl->partial, &s->node);
	if (s->used == 0) {
		list_remove(&s->node);
		s->magic = 0;
		ACCOUNT_SUB(pages_slab, 1);
		debug_pages(HHDM_PHYS(s), 1, true);
		page_free(HHDM_PHYS(s), 0);
	}
	spin_unlock(&pl->lock);
}

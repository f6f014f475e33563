/*
 * place: see place.h.
 */
#include "place.h"

enum { IO_BASE = 0x1c, IO_LIMIT = 0x1d, IO_UPPER = 0x30, MEMORY_WINDOW = 0x20, PREFETCH_WINDOW = 0x24, PREFETCH_UPPER = 0x28, WIDE = 1 };

/* [first, end); empty: closed, or none. */
struct window { uint64_t first, end; };

static uint32_t read(const struct config *c, uint16_t at, uint32_t reg, uint32_t width)
{
	return c->read(c->ctx, at, reg, width);
}

/* A limit that is below its base closes the window (§3.2.5.6 ff.). */
static struct window window(uint64_t base, uint64_t limit)
{
	return limit > base ? (struct window){ base, limit + 1 } : (struct window){ 0, 0 };
}

static struct window io_window(const struct config *c, uint16_t at)
{
	uint32_t base = read(c, at, IO_BASE, 1), limit = read(c, at, IO_LIMIT, 1), upper = (base & 0xf) == WIDE ? read(c, at, IO_UPPER, 4) : 0;

	return window((uint64_t)(upper & 0xffff) << 16 | (base & 0xf0) << 8, (uint64_t)(upper >> 16) << 16 | (limit & 0xf0) << 8 | 0xfff);
}

static struct window memory_window(const struct config *c, uint16_t at)
{
	uint32_t both = read(c, at, MEMORY_WINDOW, 4);

	return window((uint64_t)(both & 0xfff0) << 16, (uint64_t)(both >> 16 & 0xfff0) << 16 | 0xfffff);
}

static struct window prefetch_window(const struct config *c, uint16_t at)
{
	uint32_t both = read(c, at, PREFETCH_WINDOW, 4);
	bool wide = (both & 0xf) == WIDE;
	uint64_t base = wide ? read(c, at, PREFETCH_UPPER, 4) : 0, limit = wide ? read(c, at, PREFETCH_UPPER + 4, 4) : 0;

	return window(base << 32 | (uint64_t)(both & 0xfff0) << 16, limit << 32 | (uint64_t)(both >> 16 & 0xfff0) << 16 | 0xfffff);
}

/* The end of a BAR that is at [at, at + size); 0: nobody is there. */
static uint64_t taken(const struct pci_function *list, size_t n, bool io, uint64_t at, uint64_t size)
{
	for (size_t i = 0; i < n * PCI_BARS; i++) {
		const struct pci_bar *b = &list[i / PCI_BARS].bars[i % PCI_BARS];
		bool there = b->base && b->size && b->state != BAR_UNASSIGNED && (b->kind == BAR_IO ? io : !io && (b->kind == BAR_MEMORY || b->kind == BAR_MEMORY_64));
		if (there && b->base < at + size && at < b->base + b->size)
			return b->base + b->size;
	}
	return 0;
}

/* The lowest free place; 0: none. Not more than a page's worth of somebody else's: pages are what drivers map. */
static uint64_t room(const struct window *w, const struct pci_function *list, size_t n, const struct pci_bar *b)
{
	bool io = b->kind == BAR_IO;
	uint64_t size = io ? b->size : MAX(b->size, (uint64_t)PAGE_SIZE), at = ALIGN_UP(w->first, size), end;

	while (at >= w->first && at < w->end && size <= w->end - at) {
		end = taken(list, n, io, at, size);
		if (!end)
			return at;
		at = ALIGN_UP(end, size);
	}
	return 0;
}

static void give(const struct config *c, struct pci_function *f, unsigned i, uint64_t base)
{
	struct pci_bar *b = &f->bars[i];

	c->write(c->ctx, f->at, PCI_BAR0 + 4 * i, 4, (uint32_t)base);
	if (b->kind == BAR_MEMORY_64)
		c->write(c->ctx, f->at, PCI_BAR0 + 4 * i + 4, 4, (uint32_t)(base >> 32));
	b->base = base;
	b->state = BAR_GOOD;
}

/* The largest without a place, so that gaps stay small; PCI_BARS: none left. */
static unsigned next(const struct pci_function *f, unsigned failed)
{
	unsigned best = PCI_BARS;

	for (unsigned i = 0; i < PCI_BARS; i++)
		if (f->bars[i].state == BAR_UNASSIGNED && f->bars[i].size && !(failed & 1u << i) && (best == PCI_BARS || f->bars[i].size > f->bars[best].size))
			best = i;
	return best;
}

unsigned place(const struct config *c, const struct pci_function *bridge, struct pci_function *f, const struct pci_function *list, size_t n)
{
	struct window io = io_window(c, bridge->at), memory = memory_window(c, bridge->at), prefetch = prefetch_window(c, bridge->at);
	unsigned failed = 0, count = 0;

	for (unsigned i; (i = next(f, failed)) < PCI_BARS;) {
		struct pci_bar *b = &f->bars[i];
		uint64_t base = 0;
		if (b->kind == BAR_MEMORY_64 && b->prefetchable)
			base = room(&prefetch, list, n, b);
		if (!base)
			base = room(b->kind == BAR_IO ? &io : &memory, list, n, b);
		if (base) {
			give(c, f, i, base);
			continue;
		}
		failed |= 1u << i;
		count++;
	}
	return count;
}

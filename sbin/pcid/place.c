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

/* The end of what a bridge lets through of [at, at + size); 0: nothing. */
static uint64_t let_through(const struct config *c, const struct pci_function *bridge, bool io, uint64_t at, uint64_t size)
{
	struct window w[] = { io ? io_window(c, bridge->at) : memory_window(c, bridge->at), io ? (struct window){ 0, 0 } : prefetch_window(c, bridge->at) };

	for (size_t i = 0; i < ARRAY_LEN(w); i++)
		if (w[i].first < at + size && at < w[i].end)
			return w[i].end;
	return 0;
}

/* The end of a BAR, or of the window of another bridge on that bus, that is at [at, at + size); 0: nobody is there. */
static uint64_t taken(const struct config *c, const struct pci_function *list, size_t n, uint8_t bus, bool io, uint64_t at, uint64_t size)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t end = list[i].header == PCI_HEADER_BRIDGE && list[i].at >> 8 == bus ? let_through(c, &list[i], io, at, size) : 0;
		if (end)
			return end;
	}
	for (size_t i = 0; i < n * PCI_BARS; i++) {
		const struct pci_bar *b = &list[i / PCI_BARS].bars[i % PCI_BARS];
		bool there = b->base && b->size && b->state != BAR_UNASSIGNED && (b->kind == BAR_IO ? io : !io && (b->kind == BAR_MEMORY || b->kind == BAR_MEMORY_64));
		if (there && b->base < at + size && at < b->base + b->size)
			return b->base + b->size;
	}
	return 0;
}

/* The lowest free place; 0: none. Not more than a page's worth of somebody else's: pages are what drivers map. */
static uint64_t room(const struct config *c, const struct window *w, const struct pci_function *list, size_t n, uint8_t bus, const struct pci_bar *b)
{
	bool io = b->kind == BAR_IO;
	uint64_t size = io ? b->size : MAX(b->size, (uint64_t)PAGE_SIZE), at = ALIGN_UP(w->first, size), end;

	while (at >= w->first && at < w->end && size <= w->end - at) {
		end = taken(c, list, n, bus, io, at, size);
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
			base = room(c, &prefetch, list, n, f->at >> 8, b);
		if (!base)
			base = room(c, b->kind == BAR_IO ? &io : &memory, list, n, f->at >> 8, b);
		if (base) {
			give(c, f, i, base);
			continue;
		}
		failed |= 1u << i;
		count++;
	}
	return count;
}

void place_open(const struct config *c, uint16_t bridge)
{
	c->write(c->ctx, bridge, PCI_COMMAND, 2, c->read(c->ctx, bridge, PCI_COMMAND, 2) | PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_NO_INTX);
}

/* The bridge that leads to a function's bus; NULL: it is on a root bus. */
static const struct pci_function *bridge_of(const struct pci_function *list, size_t n, const struct pci_function *f)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].header == PCI_HEADER_BRIDGE && !list[i].lost && list[i].secondary == f->at >> 8)
			return &list[i];
	return NULL;
}

/* Something wants an address, and nothing has one. */
static bool unseen(const struct config *c, const struct pci_function *f)
{
	bool wants = false;

	if (f->header != PCI_HEADER_DEVICE || read(c, f->at, PCI_COMMAND, 2) & (PCI_COMMAND_IO | PCI_COMMAND_MEMORY))
		return false;
	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *b = &f->bars[i];
		if (b->kind != BAR_NONE && b->kind != BAR_UPPER && b->state != BAR_UNASSIGNED)
			return false;
		wants = wants || (b->size && b->state == BAR_UNASSIGNED);
	}
	return wants;
}

void place_unseen(const struct config *c, struct pci_function *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct pci_function *bridge = unseen(c, &list[i]) ? bridge_of(list, n, &list[i]) : NULL;
		if (!bridge)
			continue;
		place_open(c, bridge->at);
		(void)place(c, bridge, &list[i], list, n);
	}
}

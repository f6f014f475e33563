/*
 * bars: see bars.h.
 */
#include "bars.h"
#include <rt/state.h>
#include <string.h>

#define PHYS_END  (1ull << 52)
#define PORTS_END 0x10000ull
#define SCREEN_FAR (1ull << 30)         /* framebuffers begin near the beginning of a BAR */

enum { IS_IO = 1, TYPE_SHIFT = 1, TYPE_32 = 0, TYPE_LOW = 1, TYPE_64 = 2, PREFETCHABLE = 8, IO_FLAGS = 3, MEMORY_FLAGS = 0xf };

static const uint32_t express_controls[] = { 8, 0x10, 0x28 };

static uint32_t bar_count(const struct pci_function *f)
{
	return f->header == PCI_HEADER_DEVICE ? PCI_BARS : f->header == PCI_HEADER_BRIDGE ? 2 : 0;
}

/* ---- the journal ---- */

static uint64_t journal_sum(const struct bar_journal *j)
{
	return state_sum(1, &j->at, sizeof(*j) - offsetof(struct bar_journal, at));
}

/* Addresses first, then decoding: nothing answers anywhere else for a moment. */
static void put_back(const struct config *c, const struct bar_journal *j)
{
	for (uint32_t i = 0; i < j->n; i++)
		config_set(c, j->at, PCI_BAR0 + 4 * i, 4, j->old[i]);
	if (j->n == PCI_BARS)
		config_set(c, j->at, PCI_ROM, 4, j->rom);
	config_set(c, j->at, PCI_CACHE_LINE, 2, j->cache_latency);
	config_set(c, j->at, PCI_LINE, 1, j->line);
	for (uint32_t i = 0; i < ARRAY_LEN(express_controls) && i < j->n_express; i++)
		config_set(c, j->at, j->express + express_controls[i], 2, j->express_control[i]);
	config_set(c, j->at, PCI_COMMAND, 2, j->command);
}

static bool sensible(const struct bar_journal *j)
{
	uint32_t n = j->n_express <= ARRAY_LEN(express_controls) ? j->n_express : 0;
	bool express = n && j->express >= 0x40 && !(j->express & 3) && j->express + express_controls[n - 1] + 2 <= 0x100;

	return j->n <= PCI_BARS && (j->power == 0 || (j->power >= 0x40 && !(j->power & 3) && j->power <= 0xf8)) && (j->n_express == 0 || express);
}

/* The controls that there are: the last only from version 2 of the capability on (PCI Express 3.0 §7.8). */
static void journal_express(const struct config *c, const struct pci_function *f, struct bar_journal *j)
{
	uint32_t wanted = !f->express ? 0 : (config_get(c, f->at, f->express + 2u, 2) & 0xf) < 2 ? 2 : 3;

	j->express = f->express;
	j->n_express = 0;
	memset(j->express_control, 0, sizeof(j->express_control));
	for (uint32_t i = 0; i < wanted && f->express + express_controls[i] + 2 <= 0x100; i++) {
		j->express_control[i] = (uint16_t)config_get(c, f->at, f->express + express_controls[i], 2);
		j->n_express++;
	}
}

void bars_begin(const struct config *c, const struct pci_function *f, struct bar_journal *j)
{
	bars_begin_reset(c, f, j, 0, 0);
}

void bars_begin_reset(const struct config *c, const struct pci_function *f, struct bar_journal *j, uint16_t power, uint16_t bridge)
{
	j->power = power;
	j->bridge = bridge;
	j->reserved = 0;
	j->id = config_get(c, f->at, PCI_VENDOR, 4);
	memset(j->old, 0, sizeof(j->old));
	j->at = f->at;
	j->command = (uint16_t)config_get(c, f->at, PCI_COMMAND, 2);
	j->n = bar_count(f);
	for (uint32_t i = 0; i < j->n; i++)
		j->old[i] = config_get(c, f->at, PCI_BAR0 + 4 * i, 4);
	j->rom = j->n == PCI_BARS ? config_get(c, f->at, PCI_ROM, 4) : 0;
	j->cache_latency = (uint16_t)config_get(c, f->at, PCI_CACHE_LINE, 2);
	j->line = (uint16_t)config_get(c, f->at, PCI_LINE, 1);
	journal_express(c, f, j);
	j->sum = journal_sum(j);
	state_store(&j->active, 1);
}

void bars_end(const struct config *c, struct bar_journal *j)
{
	put_back(c, j);
	state_store(&j->active, 0);
}

bool bars_journal_good(const struct bar_journal *j)
{
	return j->active == 1 && sensible(j) && j->sum == journal_sum(j);
}

bool bars_roll_back(const struct config *c, struct bar_journal *j)
{
	bool good = bars_journal_good(j);

	if (good) {
		config_set(c, j->at, PCI_COMMAND, 2, j->command & ~(uint32_t)(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
		put_back(c, j);
	}
	state_store(&j->active, 0);
	return good;
}

/* ---- what a BAR is ---- */

/* Kinds and addresses from what stands in the registers; sizes are yet unknown. */
static void decode(struct pci_function *f, const uint32_t old[PCI_BARS])
{
	uint32_t n = bar_count(f);

	memset(f->bars, 0, sizeof(f->bars));
	for (uint32_t i = 0; i < n; i++) {
		struct pci_bar *b = &f->bars[i];
		uint32_t type = old[i] >> TYPE_SHIFT & 3;
		if (old[i] & IS_IO) {
			*b = (struct pci_bar){ .kind = BAR_IO, .base = old[i] & ~(uint32_t)IO_FLAGS };
			continue;
		}
		*b = (struct pci_bar){ .kind = BAR_MEMORY, .base = old[i] & ~(uint32_t)MEMORY_FLAGS, .prefetchable = old[i] & PREFETCHABLE };
		if (type == TYPE_64 && i + 1 < n) {
			b->kind = BAR_MEMORY_64;
			b->base |= (uint64_t)old[i + 1] << 32;
			f->bars[++i] = (struct pci_bar){ .kind = BAR_UPPER };
		} else if (type != TYPE_32 && type != TYPE_LOW) {
			b->kind = BAR_ODD;
		}
	}
}

/* The size from what all ones left standing; 0: nothing there, or no power of two. */
static uint64_t size_of(const struct pci_bar *b, uint32_t low, uint32_t high)
{
	uint64_t mask;

	if (b->kind == BAR_IO) {
		mask = low & ~(uint32_t)IO_FLAGS;
		if (mask && !(mask >> 16))      /* the upper half need not be there (PCI 3.0 §6.2.5.1) */
			mask |= 0xffff0000u;
		mask |= 0xffffffff00000000ull;
	} else {
		mask = low & ~(uint32_t)MEMORY_FLAGS;
		mask |= b->kind == BAR_MEMORY_64 ? (uint64_t)high << 32 : 0xffffffff00000000ull;
	}
	if ((mask & 0xffffffff) == 0 && b->kind != BAR_MEMORY_64)
		return 0;
	uint64_t size = mask & -mask;
	/* Upper address bits that are hard-wired to zero are allowed only above the others. */
	uint64_t gap = mask + size;
	return gap == 0 || (b->kind == BAR_MEMORY_64 && (gap & mask) == 0 && (gap & (gap - 1)) == 0) ? size : 0;
}

static void judge(struct pci_bar *b, uint64_t size)
{
	uint64_t end = b->kind == BAR_IO ? PORTS_END : PHYS_END;

	b->size = size;
	if (!size)
		b->kind = b->base ? BAR_ODD : BAR_NONE;
	else if (!b->base || b->base == (-size & 0xffffffff))
		b->state = BAR_UNASSIGNED;
	else if (b->base & (size - 1) || size > end || b->base > end - size)
		b->state = BAR_MISPLACED;
	else
		b->state = BAR_GOOD;
}

/* ---- asking ---- */

static bool has_size(const struct pci_bar *b)
{
	return b->kind == BAR_IO || b->kind == BAR_MEMORY || b->kind == BAR_MEMORY_64;
}

static void ask(const struct config *c, const struct pci_function *f, struct bar_journal *j, uint64_t sizes[PCI_BARS])
{
	bars_begin(c, f, j);
	config_set(c, f->at, PCI_COMMAND, 2, j->command & ~(uint32_t)(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
	for (uint32_t i = 0; i < j->n; i++) {
		uint32_t reg = PCI_BAR0 + 4 * i, high = 0;
		const struct pci_bar *b = &f->bars[i];
		if (!has_size(b))
			continue;
		config_set(c, f->at, reg, 4, UINT32_MAX);
		if (b->kind == BAR_MEMORY_64) {
			config_set(c, f->at, reg + 4, 4, UINT32_MAX);
			high = config_get(c, f->at, reg + 4, 4);
		}
		sizes[i] = size_of(b, config_get(c, f->at, reg, 4), high);
	}
	bars_end(c, j);
}

/* What stands in its BARs now. */
static void read_bars(const struct config *c, struct pci_function *f)
{
	uint32_t old[PCI_BARS] = { 0 };

	for (uint32_t k = 0; k < bar_count(f); k++)
		old[k] = config_get(c, f->at, PCI_BAR0 + 4 * k, 4);
	decode(f, old);
}

/* The framebuffer lies in it, as far as can be told without its sizes: what is drawn while its BARs are asked would be lost. */
static bool shows_screen(const struct config *c, const struct pci_function *f)
{
	struct pci_function copy = *f;

	if (!c->screen || f->class >> 16 != PCI_BASE_CLASS_DISPLAY)
		return false;
	read_bars(c, &copy);
	for (uint32_t k = 0; k < bar_count(f); k++) {
		const struct pci_bar *b = &copy.bars[k];
		if ((b->kind == BAR_MEMORY || b->kind == BAR_MEMORY_64) && b->base && c->screen >= b->base && c->screen - b->base < SCREEN_FAR)
			return true;
	}
	return false;
}

static bool in_use(const struct config *c, const struct pci_function *f, bool booted)
{
	if (shows_screen(c, f))
		return true;
	return !booted && f->header != PCI_HEADER_BRIDGE && config_get(c, f->at, PCI_COMMAND, 2) & PCI_COMMAND_MASTER;
}

static bool may_be_asked(const struct config *c, const struct pci_function *list, size_t n, bool booted, const struct pci_function *f)
{
	if (f->class >> 8 == PCI_CLASS_HOST_BRIDGE || in_use(c, f, booted))
		return false;
	/* Decoding off in a bridge cuts off what is behind it. */
	for (size_t i = 0; i < n && f->header == PCI_HEADER_BRIDGE; i++)
		if (list[i].at >> 8 >= f->secondary && list[i].at >> 8 <= f->subordinate && in_use(c, &list[i], booted))
			return false;
	return true;
}

/* ---- memory of earlier answers ---- */

static uint64_t memo_sum(const struct bar_memo *m)
{
	return state_sum(2, &m->at, sizeof(*m) - offsetof(struct bar_memo, at)) | 1;
}

/* NULL: none of this function that can be believed. */
static const struct bar_memo *memo_find(const struct pci_function *f, const struct bar_memo *memos, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct bar_memo *m = &memos[i];
		if (m->sum && m->at == f->at && m->vendor == f->vendor && m->device == f->device && m->sum == memo_sum(m))
			return m;
	}
	return NULL;
}

static void memo_add(const struct pci_function *f, const uint64_t sizes[PCI_BARS], struct bar_memo *memos, size_t n)
{
	struct bar_memo *m = NULL;

	for (size_t i = 0; i < n && !m; i++)
		if (!memos[i].sum || memos[i].at == f->at || memos[i].sum != memo_sum(&memos[i]))
			m = &memos[i];
	if (!m)
		return;
	state_store(&m->sum, 0);
	m->at = f->at;
	m->vendor = f->vendor;
	m->device = f->device;
	memcpy(m->sizes, sizes, sizeof(m->sizes));
	state_store(&m->sum, memo_sum(m));
}

static void judge_all(struct pci_function *f, const uint64_t sizes[PCI_BARS])
{
	for (uint32_t k = 0; k < bar_count(f); k++)
		if (has_size(&f->bars[k]))
			judge(&f->bars[k], sizes[k]);
}

bool bars_ask(const struct config *c, struct pci_function *f, struct bar_journal *j, struct bar_memo *memos, size_t n_memos)
{
	uint64_t sizes[PCI_BARS] = { 0 };
	bool unsized = false;

	for (uint32_t k = 0; k < bar_count(f); k++)
		unsized |= has_size(&f->bars[k]) && f->bars[k].state == BAR_UNSIZED;
	if (!unsized || f->header != PCI_HEADER_DEVICE)
		return false;
	read_bars(c, f);
	ask(c, f, j, sizes);
	memo_add(f, sizes, memos, n_memos);
	judge_all(f, sizes);
	return true;
}

void bars_find(const struct config *c, struct pci_function *list, size_t n, bool booted, struct bar_journal *j, struct bar_memo *memos, size_t n_memos)
{
	for (size_t i = 0; i < n; i++) {
		struct pci_function *f = &list[i];
		uint64_t sizes[PCI_BARS] = { 0 };
		read_bars(c, f);
		const struct bar_memo *m = memo_find(f, memos, n_memos);
		if (m) {
			memcpy(sizes, m->sizes, sizeof(sizes));
		} else if (may_be_asked(c, list, n, booted, f)) {
			ask(c, f, j, sizes);
			memo_add(f, sizes, memos, n_memos);
		} else {
			for (uint32_t k = 0; k < bar_count(f); k++)
				if (!f->bars[k].base && f->bars[k].kind != BAR_UPPER)
					f->bars[k] = (struct pci_bar){ .kind = BAR_NONE };
			continue;
		}
		judge_all(f, sizes);
	}
}

/* ---- overlaps ---- */

static bool placed(const struct pci_bar *b)
{
	return b->state == BAR_GOOD || b->state == BAR_OVERLAPS;
}

static bool meet(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

static void check_pair(struct pci_bar *a, struct pci_bar *b)
{
	if (a == b || !placed(b) || (a->kind == BAR_IO) != (b->kind == BAR_IO) || !meet(a->base, a->size, b->base, b->size))
		return;
	a->state = BAR_OVERLAPS;
	b->state = BAR_OVERLAPS;
}

void bars_check(struct pci_function *list, size_t n, const struct range *reserved, size_t n_reserved)
{
	for (size_t i = 0; i < n * PCI_BARS; i++) {
		struct pci_bar *a = &list[i / PCI_BARS].bars[i % PCI_BARS];
		if (!placed(a))
			continue;
		for (size_t k = 0; k < n_reserved && a->kind != BAR_IO; k++)
			if (meet(a->base, a->size, reserved[k].base, reserved[k].size))
				a->state = BAR_OVERLAPS;
		for (size_t k = i + 1; k < n * PCI_BARS; k++)
			check_pair(a, &list[k / PCI_BARS].bars[k % PCI_BARS]);
	}
}

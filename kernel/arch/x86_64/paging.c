/*
 * paging: four-level page tables (Intel SDM 3A 4.5), the kernel's own and those of Vmems.
 *
 * Kernel half (shared by every Vmem, all top-level entries made at boot, global pages):
 *   BOOT_HHDM             all RAM-like memory, RW, never executable, large pages
 *   PAGE_ARRAY            struct page, sparse
 *   MMIO_BASE             device memory, handed out upwards
 *   STACKS_BASE           the CPUs' kernel stacks, with holes between them
 *   BOOT_KERNEL_MIN..     the kernel, each segment with its own permissions
 */
#include <kernel/account.h>
#include <kernel/budget.h>
#include <kernel/cpu.h>
#include <kernel/log.h>
#include <kernel/mm.h>
#include <kernel/panic.h>
#include <kernel/percpu.h>
#include <kernel/vmem.h>
#include <kernel/x86.h>

enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_PWT = 8, PTE_PCD = 16, PTE_PS = 128, PTE_G = 256 };
#define PTE_PAT   128ull                /* in a 4 KiB entry */
#define PTE_PAT_LARGE 4096ull
#define PTE_NX    (cpu_features.nx ? 1ull << 63 : 0)
#define PTE_ADDR  0x000ffffffffff000ull
enum { ENTRIES = 512, FEW_ENTRIES = 64 };
#define MMIO_BASE 0xffffd00000000000ull
#define MMIO_END  STACKS_BASE

static uint64_t kernel_root;
static uint64_t mmio_next = MMIO_BASE;
static struct boot_image kernel_image;

void paging_image(const struct boot_image *kernel)
{
	kernel_image = *kernel;
}

uint64_t kernel_phys_of(const void *virt)
{
	for (unsigned i = 0; i < kernel_image.n_segments; i++) {
		const struct boot_segment *s = &kernel_image.segments[i];
		if ((uint64_t)virt >= s->virt && (uint64_t)virt < s->virt + s->size)
			return (uint64_t)virt - s->virt + s->phys;
	}
	panic("no physical address for kernel address %p", virt);
}

static unsigned index_at(uint64_t va, unsigned level)
{
	return va >> (12 + 9 * level) & 511;
}

/* The entry for va at `level` (0: 4 KiB page) of the kernel's tables, making tables above it. */
static uint64_t *kernel_entry_for(uint64_t va, unsigned level)
{
	uint64_t *table = HHDM(kernel_root);
	for (unsigned l = 3; l > level; l--) {
		uint64_t *e = &table[index_at(va, l)];
		if (!(*e & PTE_P))
			*e = page_early() | PTE_P | PTE_W;
		ASSERT(!(*e & PTE_PS));
		table = HHDM(*e & PTE_ADDR);
	}
	return &table[index_at(va, level)];
}

static uint64_t global(void)
{
	return cpu_features.pge ? PTE_G : 0;
}

/* Maps [phys, phys + size) at va with the largest pages that fit; flags without P, PS. */
static void kernel_map(uint64_t va, uint64_t phys, uint64_t size, uint64_t flags)
{
	while (size) {
		unsigned level = 0;
		uint64_t step = PAGE_SIZE;
		if (cpu_features.gb_pages && !((va | phys) & (GiB - 1)) && size >= GiB)
			level = 2, step = GiB;
		else if (!((va | phys) & (2 * MiB - 1)) && size >= 2 * MiB)
			level = 1, step = 2 * MiB;
		uint64_t *e = kernel_entry_for(va, level);
		*e = phys | flags | PTE_P | global() | (level ? PTE_PS : 0);
		va += step, phys += step, size -= step;
	}
}

void kernel_map_page_array(uint64_t va, uint64_t end)
{
	for (va = ALIGN_DOWN(va, PAGE_SIZE); va < end; va += PAGE_SIZE) {
		uint64_t *e = kernel_entry_for(va, 0);
		if (!(*e & PTE_P))
			*e = page_early() | PTE_P | PTE_W | PTE_NX | global();
	}
}

static bool ram_like(uint32_t type)
{
	return type != BOOT_MEM_RESERVED && type != BOOT_MEM_MMIO && type != BOOT_MEM_BAD && type != BOOT_MEM_RUNTIME;
}

/* Builds the kernel's tables and leaves the loader's. page_early() must work. */
void paging_init(const struct boot_info *boot)
{
	const struct boot_mem *mem = HHDM(boot->mem);
	kernel_root = page_early();
	/* Neighbouring RAM-like ranges are joined, so that large pages cover most of memory. */
	for (uint32_t i = 0; i < boot->n_mem;) {
		if (!ram_like(mem[i].type)) {
			i++;
			continue;
		}
		uint64_t base = mem[i].base, end = base;
		while (i < boot->n_mem && ram_like(mem[i].type) && mem[i].base == end)
			end += mem[i++].pages * PAGE_SIZE;
		kernel_map(BOOT_HHDM + base, base, end - base, PTE_W | PTE_NX);
	}
	for (unsigned i = 0; i < boot->kernel.n_segments; i++) {
		const struct boot_segment *s = &boot->kernel.segments[i];
		for (uint64_t at = 0; at < s->size; at += PAGE_SIZE)
			*kernel_entry_for(s->virt + at, 0) = (s->phys + at) | PTE_P | global() |
				(s->flags & BOOT_SEG_WRITE ? PTE_W : 0) | (s->flags & BOOT_SEG_EXEC ? 0 : PTE_NX);
	}
	/* Top-level entries are copied into every Vmem: make all that can ever be needed. */
	(void)kernel_entry_for(MMIO_BASE, 0);
	uint64_t *top = HHDM(kernel_root);
	ASSERT(top[index_at(MMIO_BASE, 3)] & PTE_P);
	write_cr3(kernel_root);
}

uint64_t paging_kernel_root(void)
{
	return kernel_root;
}

static uint64_t cache_bits(int cache)
{
	switch (cache) {
	case CACHE_UNCACHED:
		return PTE_PCD | PTE_PWT;
	case CACHE_WRITE_COMBINING:
		return cpu_features.pat ? PTE_PAT : PTE_PCD | PTE_PWT;
	default:
		return 0;
	}
}

void *mmio_map(uint64_t phys, uint64_t size, int cache)
{
	uint64_t offset = phys & (PAGE_SIZE - 1), va = mmio_next;
	size = ALIGN_UP(size + offset, PAGE_SIZE);
	phys -= offset;
	if (size > MMIO_END - va)
		return NULL;
	for (uint64_t at = 0; at < size; at += PAGE_SIZE)
		*kernel_entry_for(va + at, 0) = (phys + at) | PTE_P | PTE_W | PTE_NX | global() | cache_bits(cache);
	mmio_next = va + size;
	return (void *)(va + offset);
}

uint64_t stack_map(uint32_t cpu, uint64_t phys, uint64_t size)
{
	uint64_t top = STACKS_BASE + (cpu + 1) * KSTACK_SPAN;
	kernel_map(top - size, phys, size, PTE_W | PTE_NX);
	return top;
}

/* ---- tables of Vmems ---- */

/* The entries of the kernel's half become those of `top`: the kernel's table, or an empty one. They are few, and all made at boot. */
static void kernel_half(uint64_t root, const uint64_t *top)
{
	static uint16_t used[ENTRIES / 2];
	static unsigned n;
	if (unlikely(!n))               /* the first process's */
		for (unsigned i = ENTRIES / 2; i < ENTRIES; i++)
			if (top[i])
				used[n++] = (uint16_t)i;
	for (unsigned i = 0; i < n; i++)
		((uint64_t *)HHDM(root))[used[i]] = top[used[i]];
}

/* A Vmem's tables are in one list, so that its end need not look for them. */
static uint64_t table_alloc(struct vmem *vm)
{
	uint64_t phys = budget_page(vm->obj.payer, true);
	if (!phys)
		return 0;
	struct page *p = &PAGE_ARRAY[phys / PAGE_SIZE];
	p->low = ENTRIES;
	p->end = 0;
	p->prev = 0;
	p->next = vm->tables;
	if (p->next)
		PAGE_ARRAY[p->next].prev = (uint32_t)(phys / PAGE_SIZE);
	vm->tables = (uint32_t)(phys / PAGE_SIZE);
	vm->table_pages++;
	ACCOUNT_ADD(pages_tables, 1);
	return phys;
}

static void table_free(struct vmem *vm, uint64_t phys)
{
	struct page *p = &PAGE_ARRAY[phys / PAGE_SIZE];
	if (p->next)
		PAGE_ARRAY[p->next].prev = p->prev;
	*(p->prev ? &PAGE_ARRAY[p->prev].next : &vm->tables) = p->next;
	vm->table_pages--;
	ACCOUNT_SUB(pages_tables, 1);
	/* Most have few entries: it is less work to take these out than to clear the whole page for its next use. */
	if (phys == vm->root)
		kernel_half(phys, HHDM(zero_page_phys()));
	unsigned low = p->low, n = p->end - MIN(p->low, p->end);
	p->refs = 0;
	if (n <= FEW_ENTRIES) {
		mem_zero((uint64_t *)HHDM(phys) + low, n * 8);
		page_free_zero(phys);
		budget_release(vm->obj.payer, CHARGE_PAGES, 1);
	} else {
		budget_page_free(vm->obj.payer, phys);
	}
}

/* e gets its first value, or another. */
static void note_entry(const uint64_t *e)
{
	struct page *p = &PAGE_ARRAY[HHDM_PHYS(e) / PAGE_SIZE];
	uint16_t i = (uint64_t)e % PAGE_SIZE / 8;
	p->low = MIN(p->low, i);
	p->end = MAX(p->end, (uint16_t)(i + 1));
}

status_t pt_create(struct vmem *vm)
{
	vm->root = table_alloc(vm);
	if (!vm->root)
		return ERR_NO_MEMORY;
	kernel_half(vm->root, HHDM(kernel_root));
	return OK;
}

/* The entry for va at `level` (0: 4 KiB page, 1: LARGE_PAGE), or above it if that is a large page's: then *large is true. NULL: not there. */
static uint64_t *user_entry(struct vmem *vm, uint64_t va, unsigned level, bool make, bool *large)
{
	uint64_t *table = HHDM(vm->root);
	*large = false;
	for (unsigned l = 3; l > level; l--) {
		uint64_t *e = &table[index_at(va, l)];
		if (unlikely(!(*e & PTE_P))) {
			uint64_t t = make ? table_alloc(vm) : 0;
			if (!t)
				return NULL;
			*e = t | PTE_P | PTE_W | PTE_U;
			note_entry(e);
		} else if (l == 1 && unlikely(*e & PTE_PS)) {
			*large = true;
			return e;
		}
		table = HHDM(*e & PTE_ADDR);
	}
	return &table[index_at(va, level)];
}

static uint64_t prot_bits(uint32_t prot)
{
	return PTE_P | PTE_U | (prot & PROT_WRITE ? PTE_W : 0) | (prot & PROT_EXEC ? 0 : PTE_NX);
}

/* There is no table, or there was something else. */
static noinline status_t map_anew(struct vmem *vm, uint64_t va, uint64_t entry)
{
	bool large;
	uint64_t *e = user_entry(vm, va, 0, true, &large);
	if (!e)
		return ERR_NO_MEMORY;
	uint64_t old = *e;
	note_entry(e);
	*e = large ? 0 : entry;         /* a large page goes as a whole; what it held comes back by faults */
	if (old & PTE_P)
		tlb_flush(vm, va, PAGE_SIZE);
	return large ? map_anew(vm, va, entry) : OK;
}

status_t pt_map(struct vmem *vm, uint64_t va, uint64_t phys, uint32_t prot, int cache)
{
	bool large;
	uint64_t *e = user_entry(vm, va, 0, false, &large), entry = phys | prot_bits(prot) | cache_bits(cache);
	if (unlikely(!e || (*e & PTE_P)))
		return map_anew(vm, va, entry);
	note_entry(e);
	*e = entry;
	return OK;
}

bool pt_map_large(struct vmem *vm, uint64_t va, uint64_t phys, uint32_t prot, int cache)
{
	bool large;
	uint64_t *e = user_entry(vm, va, 1, true, &large), pat = cache_bits(cache);
	if (!e || ((*e & PTE_P) && !(*e & PTE_PS)))
		return false;
	uint64_t old = *e;
	note_entry(e);
	*e = phys | prot_bits(prot) | PTE_PS | (pat & PTE_PAT ? PTE_PAT_LARGE : pat);
	if (old)
		tlb_flush(vm, va, PAGE_SIZE);
	return true;
}

void pt_unmap(struct vmem *vm, uint64_t va)
{
	bool large;
	uint64_t *e = user_entry(vm, va, 0, false, &large);
	if (e)
		*e = 0;
}

uint64_t pt_lookup(struct vmem *vm, uint64_t va)
{
	bool large;
	uint64_t *e = user_entry(vm, va, 0, false, &large);
	if (!e || !(*e & PTE_P))
		return 0;
	return large ? (*e & PTE_ADDR & ~(LARGE_PAGE - 1)) | (va & (LARGE_PAGE - 1) & PTE_ADDR) : *e & PTE_ADDR;
}

uint64_t pt_peek(struct vmem *vm, uint64_t va, uint32_t access)
{
	bool large;
	uint64_t *e = user_entry(vm, va, 0, false, &large);
	uint64_t need = PTE_P | (access & PROT_WRITE ? PTE_W : 0);
	/* Device memory carries a cache mode and is nobody's window. A large page, where PAT's bit is PS, is found the other way. */
	return e && (*e & (need | PTE_PCD | PTE_PAT)) == need ? *e & PTE_ADDR : 0;
}

uint64_t pt_next_present(struct vmem *vm, uint64_t va, uint64_t end)
{
	while (va < end) {
		uint64_t *table = HHDM(vm->root);
		unsigned l = 3;
		for (; l > 0; l--) {
			uint64_t e = table[index_at(va, l)];
			if (!(e & PTE_P))
				break;
			if (l == 1 && (e & PTE_PS))
				return va;
			table = HHDM(e & PTE_ADDR);
		}
		if (l == 0)
			return va;
		uint64_t span = 1ull << (12 + 9 * l);
		va = ALIGN_DOWN(va, span) + span;
	}
	return end;
}

void pt_write_protect(struct vmem *vm, uint64_t va, uint64_t end, uint64_t *first, uint64_t *last)
{
	while ((va = pt_next_present(vm, va, end)) < end) {
		bool large;
		uint64_t *e = user_entry(vm, va, 0, false, &large);
		unsigned n = (unsigned)MIN((end - va) >> PAGE_SHIFT, 512ul - index_at(va, 0));
		for (unsigned i = 0; i < n; i++, va += PAGE_SIZE) {
			if (!(e[i] & PTE_W))
				continue;
			e[i] &= ~(uint64_t)PTE_W;
			*first = MIN(*first, va);
			*last = va + PAGE_SIZE;
		}
	}
}

/* Frees what is not wanted below `table` at `level`, whose first entry is for va. True: the table is empty now. */
static bool trim_level(struct vmem *vm, uint64_t *table, unsigned level, uint64_t va, bool (*wanted)(struct vmem *, uint64_t, uint64_t))
{
	uint64_t span = 1ull << (12 + 9 * level);
	bool empty = true;
	for (unsigned i = 0; i < (level == 3 ? 256u : 512u); i++, va += span) {
		if (!(table[i] & PTE_P))
			continue;
		if (level == 1 && (table[i] & PTE_PS)) {
			empty = false;
			continue;
		}
		bool gone = level == 1 ? !wanted(vm, va, span) : trim_level(vm, HHDM(table[i] & PTE_ADDR), level - 1, va, wanted);
		if (gone) {
			uint64_t phys = table[i] & PTE_ADDR;
			table[i] = 0;
			tlb_flush(vm, va, PAGE_SIZE);   /* drops the paging-structure caches too (SDM 3A 4.10.4.1) */
			table_free(vm, phys);
		} else {
			empty = false;
		}
	}
	return empty;
}

void pt_trim(struct vmem *vm, bool (*wanted)(struct vmem *, uint64_t, uint64_t))
{
	(void)trim_level(vm, HHDM(vm->root), 3, 0, wanted);
}

bool pt_destroy_some(struct vmem *vm)
{
	for (unsigned n = 0; vm->tables && n < 32; n++)
		table_free(vm, (uint64_t)vm->tables * PAGE_SIZE);
	return !vm->tables;
}

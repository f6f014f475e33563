/*
 * paging: the tables the kernel starts on, as abi/boot.h promises (Intel SDM 3A §4.5). The low half maps memory
 * one to one so that the loader survives the switch; the HHDM uses the very same tables, with "no execute" in the
 * entries above them; the kernel's segments get 4 KiB pages with their exact permissions.
 */
#include "loader.h"
#include "cpu.h"
#include "memmap.h"

enum { ENTRIES = 512 };
#define PTE_PRESENT 1ull
#define PTE_WRITE   2ull
#define PTE_LARGE   (1ull << 7)
#define PTE_NX      (1ull << 63)
#define PTE_ADDRESS 0x000ffffffffff000ull
#define TERABYTE_512 (512ull << 30)
#define HHDM_MIN    (4ull << 30)        /* devices and firmware tables below 4 GiB are always reachable */
#define HHDM_MAX    (127ull << 40)      /* the upper half up to the kernel */

static uint64_t nx;             /* PTE_NX, or 0 where the CPU has none */

static uint64_t *table_alloc(void)
{
	static uint8_t *pool, *pool_end;
	/* Pieces of 64 pages keep the list of ranges short. */
	if (pool == pool_end) {
		pool = pages_alloc(64 * PAGE_SIZE, BOOT_MEM_LOADER, "page tables");
		pool_end = pool + 64 * PAGE_SIZE;
	}
	uint64_t *table = (uint64_t *)pool;
	pool += PAGE_SIZE;
	return table;
}

static uint64_t *next_table(uint64_t *table, uint32_t index)
{
	if (!(table[index] & PTE_PRESENT))
		table[index] = (uint64_t)table_alloc() | PTE_PRESENT | PTE_WRITE;
	return (uint64_t *)(table[index] & PTE_ADDRESS);
}

/* All of [0, size) one to one; size is a multiple of 1 GiB. */
static void map_memory(uint64_t *pml4, uint64_t size, bool giant)
{
	for (uint64_t at = 0; at < size; at += 1ull << 30) {
		uint64_t *pdpt = next_table(pml4, (uint32_t)(at / TERABYTE_512));
		uint32_t index = at >> 30 & (ENTRIES - 1);
		if (giant) {
			pdpt[index] = at | PTE_PRESENT | PTE_WRITE | PTE_LARGE;
			continue;
		}
		uint64_t *directory = next_table(pdpt, index);
		for (uint32_t i = 0; i < ENTRIES; i++)
			directory[i] = (at + ((uint64_t)i << 21)) | PTE_PRESENT | PTE_WRITE | PTE_LARGE;
	}
	uint32_t hhdm = BOOT_HHDM >> 39 & (ENTRIES - 1);
	for (uint32_t i = 0; i < (size + TERABYTE_512 - 1) / TERABYTE_512; i++)
		pml4[hhdm + i] = pml4[i] | nx;
}

static void map_segment(uint64_t *pml4, const struct boot_segment *s)
{
	for (uint64_t at = 0; at < s->size; at += PAGE_SIZE) {
		uint64_t virt = s->virt + at;
		uint64_t *pdpt = next_table(pml4, virt >> 39 & (ENTRIES - 1));
		uint64_t *directory = next_table(pdpt, virt >> 30 & (ENTRIES - 1));
		uint64_t *pages = next_table(directory, virt >> 21 & (ENTRIES - 1));
		pages[virt >> 12 & (ENTRIES - 1)] = (s->phys + at) | PTE_PRESENT |
			(s->flags & BOOT_SEG_WRITE ? PTE_WRITE : 0) | (s->flags & BOOT_SEG_EXEC ? 0 : nx);
	}
}

/* Where RAM ends, from a first look at the firmware's map; it will not grow until we leave. */
static uint64_t ram_end(void)
{
	UINTN size = 0, key, descriptor = 0;
	UINT32 version;
	uint64_t end = 0;
	BS->GetMemoryMap(&size, NULL, &key, &descriptor, &version);
	size += 16 * descriptor;        /* the allocation below changes the map */
	uint8_t *map = pages_alloc(size, BOOT_MEM_LOADER, "memory map");
	EFI_STATUS status = BS->GetMemoryMap(&size, (EFI_MEMORY_DESCRIPTOR *)map, &key, &descriptor, &version);
	if (EFI_ERROR(status) || descriptor < sizeof(EFI_MEMORY_DESCRIPTOR))
		fail("the firmware gives no memory map: %r", status);
	for (UINTN at = 0; at + descriptor <= size; at += descriptor) {
		const EFI_MEMORY_DESCRIPTOR *d = (const EFI_MEMORY_DESCRIPTOR *)(map + at);
		struct boot_mem one = { d->PhysicalStart, d->NumberOfPages, memmap_type(d->Type), 0 };
		if (d->PhysicalStart < HHDM_MAX && d->NumberOfPages <= HHDM_MAX / PAGE_SIZE)
			end = MAX(end, memmap_ram_end(&one, 1));
	}
	pages_free(map);
	return MIN(end, HHDM_MAX);
}

void paging_build(struct boot_info *info)
{
	uint32_t extended = cpuid(0x80000000, 0).a;
	uint32_t features = extended >= 0x80000001 ? cpuid(0x80000001, 0).d : 0;
	nx = features & CPUID_NX ? PTE_NX : 0;

	uint64_t *pml4 = table_alloc();
	info->page_table = (uint64_t)pml4;
	info->hhdm_size = ALIGN_UP(MAX(ram_end(), HHDM_MIN), 1ull << 30);
	map_memory(pml4, info->hhdm_size, features & CPUID_1G_PAGES);
	for (uint32_t i = 0; i < info->kernel.n_segments; i++)
		map_segment(pml4, &info->kernel.segments[i]);
}

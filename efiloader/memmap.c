/*
 * memmap: from the firmware's memory map to the kernel's, sorted, merged, without overlaps. Firmware maps are
 * in no order and have been seen with overlapping entries; where two descriptions disagree the more careful one
 * holds, so that nobody allocates what someone else thinks is his. Called by exit.c with the final map.
 */
#include "memmap.h"
#include <string.h>

#define PHYS_MAX (1ull << 52)           /* architectural limit of a physical address (Intel SDM 3A §4.1.4) */

/* UEFI 2.10 §7.2.1, table 7.10. */
uint32_t memmap_type(uint32_t efi_type)
{
	static const uint8_t types[] = {
		[0] = BOOT_MEM_RESERVED,
		[1] = BOOT_MEM_LOADER,       /* EfiLoaderCode */
		[2] = BOOT_MEM_LOADER,       /* EfiLoaderData */
		[3] = BOOT_MEM_USABLE,       /* EfiBootServicesCode */
		[4] = BOOT_MEM_USABLE,       /* EfiBootServicesData */
		[5] = BOOT_MEM_RUNTIME,
		[6] = BOOT_MEM_RUNTIME,
		[7] = BOOT_MEM_USABLE,       /* EfiConventionalMemory */
		[8] = BOOT_MEM_BAD,
		[9] = BOOT_MEM_ACPI,
		[10] = BOOT_MEM_ACPI_NVS,
		[11] = BOOT_MEM_MMIO,
		[12] = BOOT_MEM_MMIO,        /* port space */
		[13] = BOOT_MEM_RESERVED,    /* PAL code: not on this architecture */
		[14] = BOOT_MEM_PERSISTENT,
		[15] = BOOT_MEM_BAD,         /* not accepted yet: touching it is fatal */
	};
	return efi_type < ARRAY_LEN(types) ? types[efi_type] : BOOT_MEM_RESERVED;
}

/* The higher, the less may be done with it. */
static uint32_t caution(uint32_t type)
{
	switch (type) {
	case BOOT_MEM_USABLE: return 0;
	case BOOT_MEM_LOADER: return 1;
	case BOOT_MEM_PERSISTENT: return 2;
	case BOOT_MEM_KERNEL: case BOOT_MEM_INITFSD: case BOOT_MEM_INITFS: return 3;
	case BOOT_MEM_ACPI: return 4;
	case BOOT_MEM_ACPI_NVS: return 5;
	case BOOT_MEM_RUNTIME: return 6;
	case BOOT_MEM_RESERVED: return 7;
	case BOOT_MEM_MMIO: return 8;
	default: return 9;
	}
}

static uint64_t end_of(const struct boot_mem *m)
{
	return m->base + m->pages * PAGE_SIZE;
}

static bool insert(struct boot_mem *map, uint32_t *n, uint32_t max, uint32_t at, uint64_t base, uint64_t end,
		   uint32_t type)
{
	if (*n == max)
		return false;
	memmove(&map[at + 1], &map[at], (*n - at) * sizeof(*map));
	map[at] = (struct boot_mem){ .base = base, .pages = (end - base) / PAGE_SIZE, .type = type };
	++*n;
	return true;
}

/* Splits the entry that holds `where` inside it, so that a border lies there. */
static bool split(struct boot_mem *map, uint32_t *n, uint32_t max, uint64_t where)
{
	for (uint32_t i = 0; i < *n; i++) {
		if (map[i].base >= where || end_of(&map[i]) <= where)
			continue;
		if (!insert(map, n, max, i + 1, where, end_of(&map[i]), map[i].type))
			return false;
		map[i].pages = (where - map[i].base) / PAGE_SIZE;
		return true;
	}
	return true;
}

static void merge(struct boot_mem *map, uint32_t *n)
{
	uint32_t out = 0;
	for (uint32_t i = 1; i < *n; i++) {
		if (map[i].type == map[out].type && map[i].base == end_of(&map[out]))
			map[out].pages += map[i].pages;
		else
			map[++out] = map[i];
	}
	if (*n)
		*n = out + 1;
}

bool memmap_add(struct boot_mem *map, uint32_t *n, uint32_t max, const struct mem_range *range, bool force)
{
	uint64_t base = range->base, end;
	if (base >= PHYS_MAX || range->pages == 0)
		return true;
	end = range->pages > (PHYS_MAX - base) / PAGE_SIZE ? PHYS_MAX : base + range->pages * PAGE_SIZE;
	/* UEFI counts in whole pages; a range that does not loses the pages it only touches, unless it forbids them. */
	bool grow = caution(range->type) > caution(BOOT_MEM_LOADER);
	base = grow ? ALIGN_DOWN(base, PAGE_SIZE) : ALIGN_UP(base, PAGE_SIZE);
	end = grow ? ALIGN_UP(end, PAGE_SIZE) : ALIGN_DOWN(end, PAGE_SIZE);
	if (base >= end)
		return true;

	/* Worst case: two splits, and a piece into every gap between the entries covered. */
	uint32_t need = 3;
	for (uint32_t i = 0; i < *n; i++)
		need += map[i].base < end && end_of(&map[i]) > base;
	if (max - *n < need)
		return false;
	if (!split(map, n, max, base) || !split(map, n, max, end))
		return false;

	uint64_t at = base;
	for (uint32_t i = 0; at < end; i++) {
		if (i < *n && end_of(&map[i]) <= at)
			continue;
		if (i == *n || map[i].base > at) {
			uint64_t stop = i == *n || map[i].base > end ? end : map[i].base;
			if (!insert(map, n, max, i, at, stop, range->type))
				return false;
			at = stop;
			continue;
		}
		if (force || caution(range->type) > caution(map[i].type))
			map[i].type = range->type;
		at = end_of(&map[i]);
	}
	merge(map, n);
	return true;
}

bool memmap_readable(const struct boot_mem *map, uint32_t n, uint64_t phys, uint64_t len)
{
	for (uint32_t i = 0; i < n; i++) {
		if (phys < map[i].base || phys >= end_of(&map[i]))
			continue;
		if (map[i].type == BOOT_MEM_MMIO || map[i].type == BOOT_MEM_BAD)
			return false;
		uint64_t here = end_of(&map[i]) - phys;
		if (len <= here)
			return len > 0;
		phys += here;
		len -= here;
	}
	return false;
}

uint64_t memmap_ram_end(const struct boot_mem *map, uint32_t n)
{
	uint64_t end = 0;
	for (uint32_t i = 0; i < n; i++)
		if (map[i].type != BOOT_MEM_RESERVED && map[i].type != BOOT_MEM_MMIO && map[i].type != BOOT_MEM_BAD)
			end = end_of(&map[i]);
	return end;
}

/*
 * memmap: from the firmware's memory map to the kernel's. Pure, tested on the host with broken maps.
 */
#pragma once
#include <abi/boot.h>

/* One range as the firmware, or the loader itself, describes it. */
struct mem_range {
	uint64_t base, pages;
	uint32_t type;              /* enum boot_mem_type */
};

/* The kernel's word for a UEFI memory type (UEFI 2.10 table 7.10). */
uint32_t memmap_type(uint32_t efi_type);

/*
 * Adds a range to `map`, which is kept sorted by base, without overlaps, neighbours of one type merged. Where
 * it overlaps what is there, the type that permits less wins (see memmap.c); with `force` the new type wins, so
 * that the loader's own ranges can be cut out of what the firmware called loader data. Empty and impossible ranges
 * (unaligned, past 2^52) are trimmed or ignored. False: no room; the map is then unchanged.
 */
must_use bool memmap_add(struct boot_mem *map, uint32_t *n, uint32_t max, const struct mem_range *range, bool force);

/* All of [phys, phys + len) is described, and nothing of it is MMIO or bad: it can be read where it is mapped. */
bool memmap_readable(const struct boot_mem *map, uint32_t n, uint64_t phys, uint64_t len);

/* One past the last byte of anything that is RAM. */
uint64_t memmap_ram_end(const struct boot_mem *map, uint32_t n);

/*
 * levels: some firmware runs with five levels of page tables; the kernel starts on four. The processor changes
 * between them only with paging off, outside of long mode (Intel SDM 3A §4.5.1), so a piece of code goes
 * through 32-bit mode, from memory below 4 GiB.
 */
#pragma once
#include <abi/types.h>

struct levels_target {
	uint64_t page_table;        /* below 4 GiB */
	uint64_t stack, argument, entry;
};

/* Before the exit: the memory for the code; nothing where the firmware uses four levels. */
void levels_prepare(void);
/* Where the PML4 must be copied to; 0: no change of levels is needed. */
void *levels_page_table(void);
noreturn void levels_change(const struct levels_target *target);

/*
 * memory: pages from the firmware, each remembered by what it is for. All are allocated as EfiLoaderData (types
 * of an OS loader's own upset some firmware); the record, laid over the firmware's map, is what the kernel sees.
 */
#include "loader.h"
#include "memmap.h"

enum { RANGES_MAX = 64, LOW_TRIES = 256 };
#define LOW_END (1ull << 20)    /* below: other processors start there, and firmware scribbles */

static struct mem_range ranges[RANGES_MAX];
static uint32_t n_ranges;

void *pages_alloc(uint64_t bytes, uint32_t type, const char *what)
{
	UINTN pages = (UINTN)(ALIGN_UP(bytes, PAGE_SIZE) >> PAGE_SHIFT);
	EFI_PHYSICAL_ADDRESS at = 0;
	if (n_ranges == RANGES_MAX)
		fail("%s: too many pieces of memory", what);
	/* Pages below 1 MiB are kept until we leave, so that the next try gets others. */
	for (int tries = 0;; tries++) {
		EFI_STATUS status = BS->AllocatePages(AllocateAnyPages, EfiLoaderData, pages, &at);
		if (EFI_ERROR(status) || tries == LOW_TRIES)
			fail("%s: no memory for %u KiB: %r", what, (uint64_t)pages * 4, status);
		if (at >= LOW_END)
			break;
	}
	memset((void *)at, 0, pages * PAGE_SIZE);
	ranges[n_ranges++] = (struct mem_range){ .base = at, .pages = pages, .type = type };
	return (void *)at;
}

void pages_free(void *pages)
{
	for (uint32_t i = 0; i < n_ranges; i++)
		if (ranges[i].base == (uint64_t)pages) {
			BS->FreePages(ranges[i].base, (UINTN)ranges[i].pages);
			ranges[i] = ranges[--n_ranges];
			return;
		}
}

void pages_free_all(void)
{
	while (n_ranges)
		pages_free((void *)ranges[0].base);
}

const struct mem_range *pages_ranges(uint32_t *n)
{
	*n = n_ranges;
	return ranges;
}

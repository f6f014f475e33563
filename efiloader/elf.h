/*
 * elf: checks a static PIE and lays it out in memory. Pure: no firmware, no allocation, so the same file runs
 * in the loader and under the host's sanitizers.
 *
 * Everything is checked before anything is copied; a reason is a constant text that reads after "FILE: ".
 */
#pragma once
#include <abi/boot.h>

#define ELF_SPAN_MAX (64ull << 20)     /* bytes of memory an image may ask for */

/* One PT_LOAD, rounded out to pages. */
struct elf_segment {
	uint64_t virt;              /* page aligned link address */
	uint64_t size;              /* bytes, multiple of a page */
	uint64_t data_virt;         /* where the file's bytes go */
	uint64_t data_offset;       /* where they are in the file */
	uint64_t data_size;
	uint64_t mem_size;          /* from data_virt on; the rest up to it is zero */
	uint32_t flags;             /* BOOT_SEG_* */
};

struct elf_image {
	uint64_t span;              /* bytes from link address 0 to the end of the last segment */
	uint64_t entry;             /* link address */
	uint64_t dynamic_offset;    /* in the file; size 0: there is none */
	uint64_t dynamic_size;
	uint32_t n_segments;        /* ascending by address, no page in two of them */
	struct elf_segment segments[BOOT_SEGMENTS_MAX];
};

/* Fills `image`; NULL when the file is sound, else why it is not. */
must_use const char *elf_check(const void *file, uint64_t size, struct elf_image *image);

/* Writes all segments to `memory`, which holds image->span bytes; everything else there becomes zero. */
void elf_place(const void *file, const struct elf_image *image, void *memory);

/*
 * Applies the RELATIVE relocations for an image placed at `memory` that will run at `base`. Any other kind
 * of relocation, or one that reaches outside the image, is a reason to refuse; memory is then half done.
 */
must_use const char *elf_relocate(const void *file, const struct elf_image *image, void *memory, uint64_t base);

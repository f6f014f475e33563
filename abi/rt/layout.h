/*
 * layout: where the parts of a new process go, and the text of its start page. Pure; spawn.c does the rest.
 */
#pragma once
#include <abi/start.h>
#include <rt/elf.h>
#include <rt/start.h>

#define STACK_DEFAULT (64 * KiB)
#define STACK_MAX     (64 * MiB)
#define STACK_GUARD   (64 * KiB)        /* unmapped, below the stack and above it */

struct layout {
	uint64_t base;                  /* the image's */
	uint64_t stack_low, stack_high;
	uint64_t start_page;
};

/* ERR_INVALID: a stack size that is not a multiple of the page or above STACK_MAX. */
must_use status_t layout_make(struct layout *l, const struct elf_image *image, uint64_t stack_size, uint64_t random);

/* Bytes that the start page takes; 0: too many. */
size_t start_page_size(const struct spawn *s);
/* Writes it; size as above. Handle i is given the value that it will have in the fresh table. */
void start_page_fill(void *page, size_t size, const struct spawn *s, const struct layout *l);

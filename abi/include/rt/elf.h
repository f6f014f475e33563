/*
 * elf: what a program file says about itself, checked. Pure: no system call, no memory of its own.
 */
#pragma once
#include <abi/objects.h>
#include <abi/types.h>
#include <gen/errors.h>

/* The headers must lie in this many bytes from the start of the file. */
#define ELF_HEAD_MAX     1024
/* Each may take two entries of EXEC_SEGMENTS_MAX, next to the stack and the start page. */
#define ELF_SEGMENTS_MAX ((EXEC_SEGMENTS_MAX - 2) / 2)
#define ELF_SPAN_MAX     (256 * MiB)

struct elf_segment {
	uint64_t va;            /* from the image's base; its place in a page is that of `offset` */
	uint64_t offset;        /* into the file */
	uint64_t file_size;     /* bytes of the file; offset + file_size lies inside it */
	uint64_t mem_size;      /* > 0, >= file_size; the rest is zero */
	uint32_t prot;          /* PROT_*, readable, never W and X */
};

struct elf_image {
	uint64_t entry;         /* from the base; inside an executable segment */
	uint64_t span;          /* bytes from the base to the end of the last segment, page aligned */
	uint32_t n;             /* > 0 */
	struct elf_segment segments[ELF_SEGMENTS_MAX];  /* rising, no two on one page */
};

/*
 * Reads the headers of a static PIE for this machine. head: the file's first bytes (all of it, or ELF_HEAD_MAX).
 * ERR_BAD_FORMAT: anything else; *why (may be NULL) says in words what was wrong.
 */
must_use status_t elf_parse(const void *head, size_t head_size, uint64_t file_size, struct elf_image *image, const char **why);

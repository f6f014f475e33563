/*
 * elf: checks a static PIE and lays it out in memory (System V gABI 4.1 chapters 4 and 5, x86-64 psABI 1.0
 * chapter 4). Called by image.c for the kernel, which is relocated here, and for the first process, which
 * relocates itself. The file is hostile until elf_check has returned NULL; elf_relocate still trusts nothing
 * in the dynamic section.
 */
#include "elf.h"
#include <string.h>

struct ehdr {
	uint8_t  ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct phdr {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
struct dyn { int64_t tag; uint64_t value; };
struct rela { uint64_t offset, info; int64_t addend; };
_Static_assert(sizeof(struct ehdr) == 64 && sizeof(struct phdr) == 56, "gABI figure 4-3, 5-1");

enum { CLASS64 = 2, LSB = 1, EV_CURRENT = 1, ET_DYN = 3, EM_X86_64 = 62 };
enum { PT_LOAD = 1, PT_DYNAMIC = 2, PT_INTERP = 3 };
enum { PF_X = 1, PF_W = 2, PF_R = 4 };
enum {
	DT_NULL = 0, DT_NEEDED = 1, DT_PLTRELSZ = 2, DT_RELA = 7, DT_RELASZ = 8, DT_RELAENT = 9,
	DT_REL = 17, DT_TEXTREL = 22, DT_JMPREL = 23, DT_RELRSZ = 35, DT_RELR = 36,
};
enum { R_X86_64_NONE = 0, R_X86_64_RELATIVE = 8 };
enum { PHNUM_MAX = 64 };

/* True when [offset, offset + length) lies in [0, size). */
static bool inside(uint64_t offset, uint64_t length, uint64_t size)
{
	return offset <= size && length <= size - offset;
}

static const char *check_header(const struct ehdr *h, uint64_t size)
{
	if (memcmp(h->ident, "\177ELF", 4) != 0)
		return "not an ELF file";
	if (h->ident[4] != CLASS64 || h->ident[5] != LSB || h->ident[6] != EV_CURRENT || h->version != EV_CURRENT)
		return "not a 64-bit little-endian ELF file";
	if (h->machine != EM_X86_64)
		return "made for another processor";
	if (h->type != ET_DYN)
		return "not a static PIE";
	if (h->ehsize != sizeof(struct ehdr) || h->phentsize != sizeof(struct phdr))
		return "ELF headers of an odd size";
	if (h->phnum == 0 || h->phnum > PHNUM_MAX)
		return "no or too many program headers";
	if (!inside(h->phoff, (uint64_t)h->phnum * sizeof(struct phdr), size))
		return "program headers lie outside the file";
	return NULL;
}

static uint32_t segment_flags(uint32_t pf)
{
	return (pf & PF_R ? BOOT_SEG_READ : 0) | (pf & PF_W ? BOOT_SEG_WRITE : 0) | (pf & PF_X ? BOOT_SEG_EXEC : 0);
}

/* Takes one PT_LOAD; they must come in ascending order, as the gABI demands. */
static const char *add_segment(struct elf_image *image, const struct phdr *p, uint64_t file_size)
{
	if (p->memsz == 0)
		return p->filesz ? "segment with more bytes in the file than in memory" : NULL;
	if (p->filesz > p->memsz)
		return "segment with more bytes in the file than in memory";
	if (!inside(p->offset, p->filesz, file_size))
		return "segment outside the file";
	if (!inside(p->vaddr, p->memsz, ELF_SPAN_MAX))
		return "segment beyond the largest image";
	if (p->align > 1 && (p->align & (p->align - 1)) != 0)
		return "segment aligned to no power of two";
	if (p->align > 1 && ((p->vaddr ^ p->offset) & (p->align - 1)) != 0)
		return "segment not aligned as it says";
	if ((p->flags & (PF_W | PF_X)) == (PF_W | PF_X))
		return "segment both writable and executable";
	if (!(p->flags & PF_R))
		return "segment that cannot be read";
	if (image->n_segments == BOOT_SEGMENTS_MAX)
		return "too many segments";

	struct elf_segment *s = &image->segments[image->n_segments];
	s->virt = ALIGN_DOWN(p->vaddr, PAGE_SIZE);
	s->size = ALIGN_UP(p->vaddr + p->memsz, PAGE_SIZE) - s->virt;
	if (s->virt < image->span)
		return "segments overlap, share a page or are out of order";
	s->data_virt = p->vaddr;
	s->data_offset = p->offset;
	s->data_size = p->filesz;
	s->mem_size = p->memsz;
	s->flags = segment_flags(p->flags);
	image->span = s->virt + s->size;
	image->n_segments++;
	return NULL;
}

static bool entry_is_code(const struct elf_image *image)
{
	for (uint32_t i = 0; i < image->n_segments; i++) {
		const struct elf_segment *s = &image->segments[i];
		if ((s->flags & BOOT_SEG_EXEC) && image->entry >= s->data_virt &&
		    image->entry - s->data_virt < s->data_size)
			return true;
	}
	return false;
}

const char *elf_check(const void *file, uint64_t size, struct elf_image *image)
{
	struct ehdr h;
	memset(image, 0, sizeof(*image));
	if (size < sizeof(h))
		return "too short for an ELF file";
	memcpy(&h, file, sizeof(h));
	const char *why = check_header(&h, size);
	if (why)
		return why;

	for (uint32_t i = 0; i < h.phnum; i++) {
		struct phdr p;
		memcpy(&p, (const uint8_t *)file + h.phoff + i * sizeof(p), sizeof(p));
		if (p.type == PT_LOAD) {
			why = add_segment(image, &p, size);
			if (why)
				return why;
		} else if (p.type == PT_DYNAMIC) {
			if (image->dynamic_size)
				return "two dynamic sections";
			if (!inside(p.offset, p.filesz, size))
				return "dynamic section outside the file";
			image->dynamic_offset = p.offset;
			image->dynamic_size = p.filesz;
		} else if (p.type == PT_INTERP) {
			return "wants a dynamic linker";
		}
	}
	image->entry = h.entry;
	if (image->n_segments == 0)
		return "nothing to load";
	if (!entry_is_code(image))
		return "entry point outside the code";
	return NULL;
}

void elf_place(const void *file, const struct elf_image *image, void *memory)
{
	memset(memory, 0, image->span);
	for (uint32_t i = 0; i < image->n_segments; i++) {
		const struct elf_segment *s = &image->segments[i];
		memcpy((uint8_t *)memory + s->data_virt, (const uint8_t *)file + s->data_offset, s->data_size);
	}
}

/* True when `length` bytes at link address `virt` belong to one segment. */
static bool loaded(const struct elf_image *image, uint64_t virt, uint64_t length)
{
	for (uint32_t i = 0; i < image->n_segments; i++) {
		const struct elf_segment *s = &image->segments[i];
		if (virt >= s->data_virt && inside(virt - s->data_virt, length, s->mem_size))
			return true;
	}
	return false;
}

/* Finds the table of relocations; every tag that would ask for more than RELATIVE ones is refused. */
static const char *find_rela(const void *file, const struct elf_image *image, uint64_t *table, uint64_t *bytes)
{
	uint64_t entry_size = sizeof(struct rela);
	*table = *bytes = 0;
	for (uint64_t at = 0; image->dynamic_size - at >= sizeof(struct dyn); at += sizeof(struct dyn)) {
		struct dyn d;
		memcpy(&d, (const uint8_t *)file + image->dynamic_offset + at, sizeof(d));
		switch (d.tag) {
		case DT_NULL: at = image->dynamic_size - sizeof(d); break;
		case DT_RELA: *table = d.value; break;
		case DT_RELASZ: *bytes = d.value; break;
		case DT_RELAENT: entry_size = d.value; break;
		case DT_NEEDED: return "wants a shared library";
		case DT_TEXTREL: return "has relocations in its code";
		case DT_REL: case DT_RELR: case DT_JMPREL: return "has relocations of a kind not supported";
		case DT_PLTRELSZ: case DT_RELRSZ:
			if (d.value)
				return "has relocations of a kind not supported";
			break;
		default: break;
		}
	}
	if (*bytes == 0)
		return NULL;
	if (entry_size != sizeof(struct rela) || *bytes % sizeof(struct rela) != 0)
		return "relocations of an odd size";
	if (!loaded(image, *table, *bytes))
		return "table of relocations outside the image";
	return NULL;
}

const char *elf_relocate(const void *file, const struct elf_image *image, void *memory, uint64_t base)
{
	uint64_t table, bytes;
	if (image->dynamic_size == 0)
		return NULL;
	const char *why = find_rela(file, image, &table, &bytes);
	if (why)
		return why;

	uint8_t *m = memory;
	for (uint64_t at = 0; at < bytes; at += sizeof(struct rela)) {
		struct rela r;
		memcpy(&r, m + table + at, sizeof(r));
		uint32_t type = (uint32_t)r.info;
		if (type == R_X86_64_NONE)
			continue;
		if (type != R_X86_64_RELATIVE || r.info >> 32 != 0)
			return "has a relocation other than RELATIVE";
		if (!loaded(image, r.offset, sizeof(uint64_t)))
			return "relocation outside the image";
		/* A pointer one past the end is still a pointer into the image. */
		if (r.addend < 0 || (uint64_t)r.addend > image->span)
			return "relocation to an address outside the image";
		uint64_t value = base + (uint64_t)r.addend;
		memcpy(m + r.offset, &value, sizeof(value));
	}
	return NULL;
}

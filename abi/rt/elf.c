/*
 * elf: the checks between a file somebody gave us and memory of a new process (ELF-64 Object File Format 1.5,
 * System V AMD64 psABI). Accepted: static PIE, x86-64, at most ELF_SEGMENTS_MAX loadable segments, page-separate
 * permissions. Everything else is refused with a reason; nothing is repaired.
 */
#include <elf.h>
#include <rt/elf.h>
#include <string.h>

static const char *check_header(const Elf64_Ehdr *h)
{
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0)
		return "not an ELF file";
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB)
		return "not 64-bit little-endian";
	if (h->e_ident[EI_VERSION] != EV_CURRENT || h->e_version != EV_CURRENT)
		return "unknown ELF version";
	if (h->e_machine != EM_X86_64)
		return "for another processor";
	if (h->e_type != ET_DYN)
		return "not position-independent";
	if (h->e_ehsize != sizeof(Elf64_Ehdr) || h->e_phentsize != sizeof(Elf64_Phdr))
		return "headers of unknown size";
	return NULL;
}

static const char *check_other(const Elf64_Phdr *p)
{
	switch (p->p_type) {
	case PT_INTERP:    return "needs a dynamic linker";
	case PT_TLS:       return p->p_memsz ? "has thread-local storage" : NULL;
	case PT_GNU_STACK: return p->p_flags & PF_X ? "wants an executable stack" : NULL;
	default:           return NULL;
	}
}

static uint32_t prot_of(uint32_t flags)
{
	return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) | (flags & PF_X ? PROT_EXEC : 0);
}

/* Adds a PT_LOAD to the image. image->span is where the last one ended. */
static const char *add_segment(struct elf_image *image, const Elf64_Phdr *p, uint64_t file_size)
{
	if (p->p_filesz > p->p_memsz)
		return "a segment is larger in the file than in memory";
	if (p->p_memsz == 0)
		return NULL;
	if (image->n == ELF_SEGMENTS_MAX)
		return "too many segments";
	if (p->p_offset > file_size || p->p_filesz > file_size - p->p_offset)
		return "a segment lies beyond the end of the file";
	if (p->p_vaddr > ELF_SPAN_MAX || p->p_memsz > ELF_SPAN_MAX - p->p_vaddr)
		return "a segment lies too high";
	if ((p->p_vaddr - p->p_offset) % PAGE_SIZE != 0)
		return "a segment is not aligned with the file";
	if (ALIGN_DOWN(p->p_vaddr, PAGE_SIZE) < image->span)
		return "segments overlap or are out of order";
	if (p->p_flags & ~(uint32_t)(PF_R | PF_W | PF_X))
		return "a segment has unknown flags";
	if (!(p->p_flags & PF_R))
		return "a segment cannot be read";
	if ((p->p_flags & PF_W) && (p->p_flags & PF_X))
		return "a segment is both writable and executable";
	image->segments[image->n++] = (struct elf_segment){
		.va = p->p_vaddr, .offset = p->p_offset, .file_size = p->p_filesz, .mem_size = p->p_memsz,
		.prot = prot_of(p->p_flags),
	};
	image->span = ALIGN_UP(p->p_vaddr + p->p_memsz, PAGE_SIZE);
	return NULL;
}

static bool entry_ok(const struct elf_image *image, uint64_t entry)
{
	for (uint32_t i = 0; i < image->n; i++) {
		const struct elf_segment *s = &image->segments[i];
		if ((s->prot & PROT_EXEC) && entry >= s->va && entry - s->va < s->file_size)
			return true;
	}
	return false;
}

static const char *parse(const uint8_t *head, size_t head_size, uint64_t file_size, struct elf_image *image)
{
	Elf64_Ehdr h;
	if (head_size < sizeof(h) || file_size < sizeof(h))
		return "too short";
	memcpy(&h, head, sizeof(h));
	const char *bad = check_header(&h);
	if (bad)
		return bad;
	uint64_t table = (uint64_t)h.e_phnum * sizeof(Elf64_Phdr);
	if (h.e_phnum == 0 || h.e_phoff > head_size || table > head_size - h.e_phoff)
		return "program headers missing or out of reach";
	for (uint32_t i = 0; i < h.e_phnum; i++) {
		Elf64_Phdr p;
		memcpy(&p, head + h.e_phoff + i * sizeof(p), sizeof(p));
		bad = p.p_type == PT_LOAD ? add_segment(image, &p, file_size) : check_other(&p);
		if (bad)
			return bad;
	}
	if (!entry_ok(image, h.e_entry))
		return "the entry is not inside executable code";
	image->entry = h.e_entry;
	return NULL;
}

status_t elf_parse(const void *head, size_t head_size, uint64_t file_size, struct elf_image *image, const char **why)
{
	*image = (struct elf_image){ 0 };
	const char *bad = parse(head, head_size, file_size, image);
	if (bad && why)
		*why = bad;
	return bad ? ERR_BAD_FORMAT : OK;
}

/* elf: whatever the bytes, an accepted image keeps every promise of rt/elf.h. */
#include "elf.c"

#define HOLDS(x) do { if (!(x)) __builtin_trap(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_image image;
	if (elf_parse(data, MIN(size, (size_t)ELF_HEAD_MAX), size, &image, NULL) < 0)
		return 0;
	HOLDS(image.n > 0 && image.n <= ELF_SEGMENTS_MAX);
	HOLDS(image.span <= ELF_SPAN_MAX && image.span % PAGE_SIZE == 0);
	uint64_t end = 0;
	bool entry = false;
	for (uint32_t i = 0; i < image.n; i++) {
		const struct elf_segment *s = &image.segments[i];
		HOLDS(s->mem_size > 0 && s->file_size <= s->mem_size);
		HOLDS(s->offset <= size && s->file_size <= size - s->offset);
		HOLDS(ALIGN_DOWN(s->va, PAGE_SIZE) >= end);
		end = ALIGN_UP(s->va + s->mem_size, PAGE_SIZE);
		HOLDS(end <= image.span);
		HOLDS(s->va % PAGE_SIZE == s->offset % PAGE_SIZE);
		HOLDS((s->prot & PROT_READ) && (s->prot & (PROT_WRITE | PROT_EXEC)) != (PROT_WRITE | PROT_EXEC));
		entry |= (s->prot & PROT_EXEC) && image.entry >= s->va && image.entry < s->va + s->file_size;
	}
	HOLDS(entry);
	return 0;
}

/*
 * elf_fuzz: any bytes are either refused or laid out inside `span`, with segments that keep the promises of
 * abi/boot.h, whatever base they get.
 */
#include <stdlib.h>
#include "elf.c"

static void check_promises(const struct elf_image *image)
{
	uint64_t end = 0;
	if (image->n_segments == 0 || image->n_segments > BOOT_SEGMENTS_MAX || image->span > 2 * ELF_SPAN_MAX)
		abort();
	for (uint32_t i = 0; i < image->n_segments; i++) {
		const struct elf_segment *s = &image->segments[i];
		if (s->virt % PAGE_SIZE || s->size % PAGE_SIZE || !s->size || s->virt < end)
			abort();
		if ((s->flags & BOOT_SEG_WRITE) && (s->flags & BOOT_SEG_EXEC))
			abort();
		end = s->virt + s->size;
	}
	if (end != image->span)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_image image;
	if (elf_check(data, size, &image))
		return 0;
	check_promises(&image);
	if (image.span > 1 << 20)       /* large ones only cost time */
		return 0;
	void *memory = malloc(image.span);
	elf_place(data, &image, memory);
	if (elf_relocate(data, &image, memory, BOOT_KERNEL_MIN)) {
		free(memory);
		return 0;
	}
	free(memory);
	return 0;
}

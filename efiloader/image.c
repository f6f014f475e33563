/*
 * image: reads an ELF file, checks it, and lays it out in memory for the kernel: itself, slid to a random place
 * and relocated; or the first process, which relocates itself.
 */
#include "loader.h"
#include "elf.h"

#define FILE_MAX        ELF_SPAN_MAX
#define PROGRAM_BASE    0x100000000000ull       /* where the first process goes; above 4 GiB as all programs */
#define SLIDE_STEP      0x10000ull

/* Where the kernel goes: a random multiple of 64 KiB in its range, or its beginning with "nokaslr". */
static uint64_t kernel_base(uint64_t span, const char *cmdline)
{
	size_t len;
	if (config_word(cmdline, "nokaslr", &len))
		return BOOT_KERNEL_MIN;
	uint64_t places = (BOOT_KERNEL_MAX - BOOT_KERNEL_MIN - span) / SLIDE_STEP;
	return BOOT_KERNEL_MIN + firmware_random() % places * SLIDE_STEP;
}

void image_load(struct boot_image *out, const char *path, uint32_t type, bool kernel, const char *cmdline)
{
	const char *why;
	uint64_t size;
	struct elf_image elf;
	void *file = file_read(path, BOOT_MEM_LOADER, FILE_MAX, &size, &why);
	if (!file)
		fail("%s: %s", path, why);
	why = elf_check(file, size, &elf);
	if (why)
		fail("%s: %s", path, why);

	uint64_t base = kernel ? kernel_base(elf.span, cmdline) : PROGRAM_BASE;
	uint8_t *memory = pages_alloc(elf.span, type, path);
	elf_place(file, &elf, memory);
	if (kernel) {
		why = elf_relocate(file, &elf, memory, base);
		if (why)
			fail("%s: %s", path, why);
	}
	pages_free(file);

	out->virt_base = base;
	out->virt_entry = base + elf.entry;
	out->n_segments = elf.n_segments;
	for (uint32_t i = 0; i < elf.n_segments; i++)
		out->segments[i] = (struct boot_segment){
			.virt = base + elf.segments[i].virt,
			.phys = (uint64_t)memory + elf.segments[i].virt,
			.size = elf.segments[i].size,
			.flags = elf.segments[i].flags,
		};
}

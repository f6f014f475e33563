/*
 * elf_test: a small sound image must be taken, laid out and relocated to the last byte; each way of being
 * broken must be named, and none may be read or written beyond its memory (ASan watches: the file lies in a
 * heap block of exactly its size).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include "elf.c"

enum {
	TEXT_OFFSET = 0x1000, RODATA_OFFSET = 0x2000, DATA_OFFSET = 0x3000, FILE_BYTES = 0x3040,
	TEXT_VIRT = 0, RODATA_VIRT = 0x1000, DATA_VIRT = 0x2000, DATA_MEM = 0x1800,
	DYN_AT = 0x2100, RELA_AT = 0x2200, RELA_VIRT = 0x1200, DYN_ENTRIES = 4,
};
#define BASE 0xffffffff80120000ull

/* One file with everything in it: text RX, rodata R with .dynamic and two relocations, data RW with bss. */
struct sample {
	struct ehdr h;
	struct phdr p[BOOT_SEGMENTS_MAX + 1];   /* four in use */
};

static uint8_t file[FILE_BYTES];

static struct sample *sample(void)
{
	struct sample *s = (struct sample *)file;
	memset(file, 0, sizeof(file));
	memcpy(s->h.ident, "\177ELF\2\1\1", 7);
	s->h.type = ET_DYN;
	s->h.machine = EM_X86_64;
	s->h.version = 1;
	s->h.entry = 0x10;
	s->h.phoff = sizeof(struct ehdr);
	s->h.ehsize = sizeof(struct ehdr);
	s->h.phentsize = sizeof(struct phdr);
	s->h.phnum = 4;
	s->p[0] = (struct phdr){ PT_LOAD, PF_R | PF_X, TEXT_OFFSET, TEXT_VIRT, TEXT_VIRT, 0x800, 0x800, 0x1000 };
	s->p[1] = (struct phdr){ PT_LOAD, PF_R, RODATA_OFFSET, RODATA_VIRT, RODATA_VIRT, 0x1000, 0x1000, 0x1000 };
	s->p[2] = (struct phdr){ PT_LOAD, PF_R | PF_W, DATA_OFFSET, DATA_VIRT, DATA_VIRT, 0x40, DATA_MEM, 0x1000 };
	s->p[3] = (struct phdr){ PT_DYNAMIC, PF_R, DYN_AT, DYN_AT - 0x1000, 0, DYN_ENTRIES * 16, DYN_ENTRIES * 16, 8 };
	memset(file + TEXT_OFFSET, 0x90, 0x800);
	memset(file + DATA_OFFSET, 0xda, 0x40);
	struct dyn d[DYN_ENTRIES] = { { DT_RELA, RELA_VIRT }, { DT_RELASZ, 48 }, { DT_RELAENT, 24 }, { DT_NULL, 0 } };
	memcpy(file + DYN_AT, d, sizeof(d));
	struct rela r[2] = { { DATA_VIRT + 8, R_X86_64_RELATIVE, 0x10 },
			     { RODATA_VIRT, R_X86_64_RELATIVE, DATA_VIRT } };
	memcpy(file + RELA_AT, r, sizeof(r));
	return s;
}

static struct rela *rela(int i) { return (struct rela *)(file + RELA_AT) + i; }
static struct dyn *dyn(int i) { return (struct dyn *)(file + DYN_AT) + i; }

/* Checks, places and relocates the first `size` bytes; the reason of the first refusal. */
static const char *load(size_t size, struct elf_image *image, uint8_t **memory)
{
	uint8_t *copy = malloc(size ? size : 1);
	memcpy(copy, file, size);
	const char *why = elf_check(copy, size, image);
	*memory = NULL;
	if (!why) {
		*memory = malloc(image->span);
		memset(*memory, 0xee, image->span);
		elf_place(copy, image, *memory);
		why = elf_relocate(copy, image, *memory, BASE);
	}
	free(copy);
	return why;
}

static void refused(const char *expected)
{
	struct elf_image image;
	uint8_t *memory;
	const char *why = load(sizeof(file), &image, &memory);
	free(memory);
	assert_non_null(why);
	assert_string_equal(why, expected);
}

static void sound_image_is_laid_out(void **state)
{
	(void)state;
	struct elf_image image;
	uint8_t *memory;
	uint64_t value;
	sample();
	assert_null(load(sizeof(file), &image, &memory));
	assert_int_equal(image.n_segments, 3);
	assert_int_equal(image.span, 0x4000);
	assert_int_equal(image.entry, 0x10);
	assert_int_equal(image.segments[0].flags, BOOT_SEG_READ | BOOT_SEG_EXEC);
	assert_int_equal(image.segments[1].flags, BOOT_SEG_READ);
	assert_int_equal(image.segments[2].flags, BOOT_SEG_READ | BOOT_SEG_WRITE);
	assert_int_equal(image.segments[2].size, 0x2000);
	assert_int_equal(memory[0x7ff], 0x90);
	assert_int_equal(memory[0x800], 0);             /* the rest of the page */
	assert_int_equal(memory[DATA_VIRT], 0xda);
	assert_int_equal(memory[DATA_VIRT + 0x40], 0);  /* bss */
	assert_int_equal(memory[0x3fff], 0);
	memcpy(&value, memory + DATA_VIRT + 8, 8);
	assert_true(value == BASE + 0x10);
	memcpy(&value, memory + RODATA_VIRT, 8);
	assert_true(value == BASE + DATA_VIRT);
	free(memory);
}

/* Linkers may let a segment begin inside a page, as long as it shares that page with no other. */
static void segment_inside_a_page(void **state)
{
	(void)state;
	struct elf_image image;
	uint8_t *memory;
	struct sample *s = sample();
	s->p[2].vaddr += 0x20, s->p[2].offset += 0x20, s->p[2].filesz -= 0x20;
	rela(0)->offset = DATA_VIRT + 0x28;
	assert_null(load(sizeof(file), &image, &memory));
	assert_int_equal(image.segments[2].virt, DATA_VIRT);
	assert_int_equal(memory[DATA_VIRT + 0x1f], 0);
	assert_int_equal(memory[DATA_VIRT + 0x20], 0xda);
	free(memory);
}

static void without_relocations(void **state)
{
	(void)state;
	struct elf_image image;
	uint8_t *memory;
	struct sample *s = sample();
	s->h.phnum = 3;
	assert_null(load(sizeof(file), &image, &memory));
	free(memory);
	sample();
	dyn(0)->tag = DT_NULL;
	assert_null(load(sizeof(file), &image, &memory));
	free(memory);
}

static void headers_are_checked(void **state)
{
	(void)state;
	sample()->h.ident[0] = 'M';      refused("not an ELF file");
	sample()->h.ident[4] = 1;        refused("not a 64-bit little-endian ELF file");
	sample()->h.ident[5] = 2;        refused("not a 64-bit little-endian ELF file");
	sample()->h.version = 0;         refused("not a 64-bit little-endian ELF file");
	sample()->h.machine = 183;       refused("made for another processor");
	sample()->h.type = 2;            refused("not a static PIE");
	sample()->h.phentsize = 55;      refused("ELF headers of an odd size");
	sample()->h.phnum = 0;           refused("no or too many program headers");
	sample()->h.phnum = 65535;       refused("no or too many program headers");
	sample()->h.phoff = FILE_BYTES - 100; refused("program headers lie outside the file");
	sample()->h.phoff = UINT64_MAX - 8;   refused("program headers lie outside the file");
	sample()->h.entry = 0x800;       refused("entry point outside the code");
	sample()->h.entry = RODATA_VIRT; refused("entry point outside the code");
	sample()->h.entry = UINT64_MAX;  refused("entry point outside the code");
}

static void segments_are_checked(void **state)
{
	(void)state;
	sample()->p[0].filesz = 0x801;              refused("segment with more bytes in the file than in memory");
	sample()->p[2].offset = 0x4000;             refused("segment outside the file");
	sample()->p[2].offset = ~0xfffull;          refused("segment outside the file");
	sample()->p[2].memsz = ELF_SPAN_MAX;        refused("segment beyond the largest image");
	sample()->p[2].vaddr = 0xfffffffffffff000;  refused("segment beyond the largest image");
	sample()->p[1].align = 3;                   refused("segment aligned to no power of two");
	sample()->p[1].vaddr += 8;                  refused("segment not aligned as it says");
	sample()->p[0].flags |= PF_W;               refused("segment both writable and executable");
	sample()->p[0].flags = PF_X;                refused("segment that cannot be read");
	sample()->p[1].vaddr = 0;                   refused("segments overlap, share a page or are out of order");
	struct sample *s = sample();
	s->p[2].vaddr = 0x1f80, s->p[2].offset = 0x2f80, s->p[2].align = 0x80;
	refused("segments overlap, share a page or are out of order");
	s = sample();
	s->p[1].type = PT_INTERP;                   refused("wants a dynamic linker");
	s = sample();
	s->p[2] = s->p[3];                          refused("two dynamic sections");
	sample()->p[3].offset = FILE_BYTES - 8;     refused("dynamic section outside the file");
	s = sample();
	s->p[0].type = s->p[1].type = s->p[2].type = 0; refused("nothing to load");
}

static void too_many_segments(void **state)
{
	(void)state;
	struct sample *s = sample();
	s->h.phnum = BOOT_SEGMENTS_MAX + 1;
	for (int i = 0; i <= BOOT_SEGMENTS_MAX; i++)
		s->p[i] = (struct phdr){ PT_LOAD, PF_R | PF_X, 0x1000, (uint64_t)i * 0x1000, 0, 0x10, 0x20, 0x1000 };
	s->h.entry = 0;
	refused("too many segments");
}

static void relocations_are_checked(void **state)
{
	(void)state;
	sample(); rela(1)->info = 1;                      refused("has a relocation other than RELATIVE");
	sample(); rela(1)->info = 1ull << 32 | 8;         refused("has a relocation other than RELATIVE");
	sample(); rela(0)->offset = DATA_VIRT + DATA_MEM - 7; refused("relocation outside the image");
	sample(); rela(0)->offset = UINT64_MAX - 3;       refused("relocation outside the image");
	sample(); rela(0)->addend = -1;                   refused("relocation to an address outside the image");
	sample(); rela(0)->addend = 0x4001;               refused("relocation to an address outside the image");
	sample(); dyn(0)->value = 0x1fe0;                 refused("table of relocations outside the image");
	sample(); dyn(0)->value = UINT64_MAX - 10;        refused("table of relocations outside the image");
	sample(); dyn(1)->value = 47;                     refused("relocations of an odd size");
	sample(); dyn(2)->value = 16;                     refused("relocations of an odd size");
	sample(); dyn(2)->tag = DT_NEEDED;                refused("wants a shared library");
	sample(); dyn(2)->tag = DT_TEXTREL;               refused("has relocations in its code");
	sample(); dyn(2)->tag = DT_RELR;                  refused("has relocations of a kind not supported");
	sample(); dyn(2)->tag = DT_PLTRELSZ;              refused("has relocations of a kind not supported");
}

/* Every shorter file is refused, and nothing beyond it is read. */
static void cut_files_are_refused(void **state)
{
	(void)state;
	struct elf_image image;
	uint8_t *memory;
	sample();
	for (size_t size = 0; size < sizeof(file); size += size < 512 ? 1 : 37) {
		assert_non_null(load(size, &image, &memory));
		free(memory);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sound_image_is_laid_out),
		cmocka_unit_test(segment_inside_a_page),
		cmocka_unit_test(without_relocations),
		cmocka_unit_test(headers_are_checked),
		cmocka_unit_test(segments_are_checked),
		cmocka_unit_test(too_many_segments),
		cmocka_unit_test(relocations_are_checked),
		cmocka_unit_test(cut_files_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

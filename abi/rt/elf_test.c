/* elf: a well-made program is read as it is; each single defect is refused with its own reason. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "elf.c"

enum { FILE_SIZE = 0x3200 };

/* As ld.lld lays out a small program: R at 0, RX at 0x1000, RW at 0x3000 with bss. */
struct file {
	Elf64_Ehdr h;
	Elf64_Phdr p[12];
};

static struct file good(void)
{
	struct file f = {
		.h = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_entry = 0x1234,
			.e_phoff = sizeof(Elf64_Ehdr), .e_ehsize = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 6,
		},
		.p = {
			{ .p_type = PT_PHDR, .p_flags = PF_R, .p_offset = 64, .p_vaddr = 64, .p_filesz = 0x150, .p_memsz = 0x150 },
			{ .p_type = PT_LOAD, .p_flags = PF_R, .p_offset = 0, .p_vaddr = 0, .p_filesz = 0x413, .p_memsz = 0x413, .p_align = 0x1000 },
			{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = 0x1000, .p_vaddr = 0x1000, .p_filesz = 0x1d40, .p_memsz = 0x1d40, .p_align = 0x1000 },
			{ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 0x3000, .p_vaddr = 0x3000, .p_filesz = 0xd8, .p_memsz = 0x24f8, .p_align = 0x1000 },
			{ .p_type = PT_DYNAMIC, .p_flags = PF_R | PF_W, .p_offset = 0x3008, .p_vaddr = 0x3008, .p_filesz = 0xd0, .p_memsz = 0xd0 },
			{ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W },
		},
	};
	return f;
}

static status_t parse_file(const struct file *f, struct elf_image *image, const char **why)
{
	return elf_parse(f, sizeof(*f), FILE_SIZE, image, why);
}

static void refused(const struct file *f, const char *reason)
{
	struct elf_image image;
	const char *why = "nothing said";
	assert_int_equal(parse_file(f, &image, &why), ERR_BAD_FORMAT);
	assert_string_equal(why, reason);
	assert_int_equal(parse_file(f, &image, NULL), ERR_BAD_FORMAT);
}

static void reads_a_good_one(void **state)
{
	(void)state;
	struct file f = good();
	struct elf_image image;
	assert_int_equal(parse_file(&f, &image, NULL), OK);
	assert_int_equal(image.entry, 0x1234);
	assert_int_equal(image.n, 3);
	assert_int_equal(image.span, 0x6000);
	assert_int_equal(image.segments[0].prot, PROT_READ);
	assert_int_equal(image.segments[1].prot, PROT_READ | PROT_EXEC);
	assert_int_equal(image.segments[1].va, 0x1000);
	assert_int_equal(image.segments[1].file_size, 0x1d40);
	assert_int_equal(image.segments[2].prot, PROT_READ | PROT_WRITE);
	assert_int_equal(image.segments[2].file_size, 0xd8);
	assert_int_equal(image.segments[2].mem_size, 0x24f8);
}

static void skips_empty_segments(void **state)
{
	(void)state;
	struct file f = good();
	f.p[4] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_W | PF_X, .p_offset = UINT64_MAX };
	struct elf_image image;
	assert_int_equal(parse_file(&f, &image, NULL), OK);
	assert_int_equal(image.n, 3);
}

#define BREAK(reason, ...) do { struct file f = good(); __VA_ARGS__; refused(&f, reason); } while (0)

static void refuses_headers(void **state)
{
	(void)state;
	BREAK("not an ELF file", f.h.e_ident[0] = 'M');
	BREAK("not 64-bit little-endian", f.h.e_ident[EI_CLASS] = ELFCLASS32);
	BREAK("not 64-bit little-endian", f.h.e_ident[EI_DATA] = ELFDATA2MSB);
	BREAK("unknown ELF version", f.h.e_version = 2);
	BREAK("for another processor", f.h.e_machine = EM_AARCH64);
	BREAK("not position-independent", f.h.e_type = ET_EXEC);
	BREAK("not position-independent", f.h.e_type = ET_REL);
	BREAK("headers of unknown size", f.h.e_phentsize = 32);
	BREAK("headers of unknown size", f.h.e_ehsize = 52);
	BREAK("program headers missing or out of reach", f.h.e_phnum = 0);
	BREAK("program headers missing or out of reach", f.h.e_phnum = 13);
	BREAK("program headers missing or out of reach", f.h.e_phnum = UINT16_MAX);
	BREAK("program headers missing or out of reach", f.h.e_phoff = UINT64_MAX);
	BREAK("program headers missing or out of reach", f.h.e_phoff = UINT64_MAX - 100);
	BREAK("the entry is not inside executable code", f.h.e_entry = 0x10);
	BREAK("the entry is not inside executable code", f.h.e_entry = 0x1000 + 0x1d40);
	BREAK("the entry is not inside executable code", f.h.e_entry = UINT64_MAX);
	BREAK("the entry is not inside executable code", f.p[2].p_flags = PF_R);
}

static void refuses_segments(void **state)
{
	(void)state;
	BREAK("a segment is larger in the file than in memory", f.p[3].p_filesz = 0x24f9);
	BREAK("a segment lies beyond the end of the file", f.p[3].p_filesz = 0x201);
	BREAK("a segment lies beyond the end of the file", f.p[3].p_offset = UINT64_MAX & ~0xfffull);
	BREAK("a segment lies beyond the end of the file", f.p[2].p_filesz = f.p[2].p_memsz = UINT64_MAX);
	BREAK("a segment lies too high", f.p[3].p_vaddr = UINT64_MAX & ~0xfffull);
	BREAK("a segment lies too high", f.p[3].p_memsz = UINT64_MAX);
	BREAK("a segment lies too high", f.p[3].p_memsz = ELF_SPAN_MAX - 0x2fff);
	BREAK("a segment is not aligned with the file", f.p[2].p_vaddr = 0x1008);
	BREAK("segments overlap or are out of order", f.p[3].p_vaddr = 0x2000);
	BREAK("segments overlap or are out of order", f.p[1].p_memsz = 0x1001);
	BREAK("segments overlap or are out of order", Elf64_Phdr p = f.p[1]; f.p[1] = f.p[2]; f.p[2] = p);
	BREAK("a segment is both writable and executable", f.p[3].p_flags = PF_R | PF_W | PF_X);
	BREAK("a segment cannot be read", f.p[2].p_flags = PF_X);
	BREAK("a segment cannot be read", f.p[3].p_flags = 0);
	BREAK("a segment has unknown flags", f.p[3].p_flags = PF_R | 0x100000);
	BREAK("needs a dynamic linker", f.p[4].p_type = PT_INTERP);
	BREAK("has thread-local storage", f.p[4].p_type = PT_TLS);
	BREAK("wants an executable stack", f.p[5].p_flags |= PF_X);
	BREAK("too many segments", f.h.e_phnum = 10;
		for (unsigned i = 4; i < 10; i++)
			f.p[i] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R, .p_vaddr = i * 0x10000, .p_memsz = 1 });
}

static void refuses_what_is_cut(void **state)
{
	(void)state;
	struct file f = good();
	/* Every length, in memory of exactly that length, so that reading on is caught. */
	for (size_t n = 0; n < 64 + 6 * 56; n++) {
		void *cut = malloc(n ? n : 1);
		memcpy(cut, &f, n);
		struct elf_image image;
		assert_int_equal(elf_parse(cut, n, FILE_SIZE, &image, NULL), ERR_BAD_FORMAT);
		free(cut);
	}
}

static void refuses_this_very_program(void **state)
{
	(void)state;
	char head[ELF_HEAD_MAX];
	FILE *self = fopen("/proc/self/exe", "rb");
	assert_non_null(self);
	size_t n = fread(head, 1, sizeof(head), self);
	fclose(self);
	struct elf_image image;
	const char *why = NULL;
	assert_int_equal(elf_parse(head, n, 1 << 30, &image, &why), ERR_BAD_FORMAT);
	assert_string_equal(why, "needs a dynamic linker");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_good_one),
		cmocka_unit_test(skips_empty_segments),
		cmocka_unit_test(refuses_headers),
		cmocka_unit_test(refuses_segments),
		cmocka_unit_test(refuses_what_is_cut),
		cmocka_unit_test(refuses_this_very_program),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

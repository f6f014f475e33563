/*
 * spawn: the segments it hands to the kernel, put together, are the memory that the file describes; whatever fails on
 * the way, nothing of ours stays open.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#define main program_main               /* rt/start.h declares the program's */
#define exit program_exit
#include "elf.c"
#include "layout.c"
#include "spawn.c"
#undef main
#undef exit

enum { IMAGE = 5, FRESH = 6, FILE_SIZE = 0x6100 };

static uint8_t file[FILE_SIZE], fresh[1 << 20];
static uint64_t fresh_size;
static int opened;                      /* handles that spawn holds */
static struct exec_args args;
static struct exec_segment segments[EXEC_SEGMENTS_MAX];
static struct exec_handle handles[EXEC_HANDLES_MAX];
static int fail_at, calls;              /* the fail_at-th call, from 1, fails */
enum { PIECE = 1000 };                  /* frame_read may give less than asked; here so after the headers */

static bool fails(void) { return ++calls == fail_at; }

status_t frame_read(handle_t f, uint64_t offset, void *buf, uint64_t len, uint64_t *done)
{
	assert_int_equal(f, IMAGE);
	if (fails())
		return ERR_NO_MEMORY;
	*done = offset < FILE_SIZE ? MIN(len, FILE_SIZE - offset) : 0;
	if (offset)
		*done = MIN(*done, (uint64_t)PIECE);
	memcpy(buf, file + offset, *done);
	return OK;
}

status_t frame_write(handle_t f, uint64_t offset, const void *buf, uint64_t len, uint64_t *done)
{
	assert_int_equal(f, FRESH);
	if (fails())
		return ERR_NO_MEMORY;
	assert_true(offset + len <= fresh_size);
	memcpy(fresh + offset, buf, len);
	*done = len;
	return OK;
}

status_t frame_create(uint64_t size, uint32_t flags, handle_t *f)
{
	(void)flags;
	if (fails())
		return ERR_NO_MEMORY;
	assert_true(size % PAGE_SIZE == 0 && size <= sizeof(fresh));
	memset(fresh, 0, sizeof(fresh));
	fresh_size = size;
	opened++;
	*f = FRESH;
	return OK;
}

status_t handle_close(handle_t h)
{
	assert_int_equal(h, FRESH);
	opened--;
	return OK;
}

status_t process_exec(const struct exec_args *a, handle_t *process, uint64_t *pid)
{
	if (fails())
		return ERR_LIMIT;
	args = *a;
	memcpy(segments, (void *)a->segments, a->n_segments * sizeof(*segments));
	memcpy(handles, (void *)a->handles, a->n_handles * sizeof(*handles));
	*process = 9;
	*pid = 10;
	return OK;
}

status_t file_map_uri(const char *uri, handle_t *frame, uint64_t *size) { (void)uri, (void)frame, (void)size; abort(); }

/* The byte at `va` in the new process, and who may do what with it; -1: not mapped. */
static int byte_at(uint64_t va, uint32_t *prot)
{
	for (uint32_t i = 0; i < args.n_segments; i++) {
		const struct exec_segment *s = &segments[i];
		if (va < s->va || va - s->va >= s->size)
			continue;
		*prot = s->prot;
		uint64_t at = s->offset + (va - s->va);
		if (s->frame == IMAGE)
			return at < FILE_SIZE ? file[at] : 0;
		return s->frame == FRESH ? fresh[at] : 0;
	}
	return -1;
}

/* R, RX, R with zeros behind, RW in the middle of pages with a long zero tail, RW of zeros alone. */
static const Elf64_Phdr loads[] = {
	{ .p_type = PT_LOAD, .p_flags = PF_R, .p_offset = 0, .p_vaddr = 0, .p_filesz = 0x413, .p_memsz = 0x413 },
	{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = 0x1000, .p_vaddr = 0x1000, .p_filesz = 0x1d40, .p_memsz = 0x1d40 },
	{ .p_type = PT_LOAD, .p_flags = PF_R, .p_offset = 0x3000, .p_vaddr = 0x3000, .p_filesz = 0x10, .p_memsz = 0x20 },
	{ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 0x3f80, .p_vaddr = 0x4f80, .p_filesz = 0x2100, .p_memsz = 0x5000 },
	{ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 0x6000, .p_vaddr = 0xc000, .p_filesz = 0, .p_memsz = 0x1001 },
};

static void make_file(void)
{
	for (size_t i = 0; i < sizeof(file); i++)
		file[i] = (uint8_t)(i * 7 + i / 256 + 1);
	Elf64_Ehdr h = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_entry = 0x1234,
		.e_phoff = sizeof(h), .e_ehsize = sizeof(h), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = ARRAY_LEN(loads),
	};
	memcpy(file, &h, sizeof(h));
	memcpy(file + sizeof(h), loads, sizeof(loads));
}

static const char *const argv[] = { "initfs:///bin/thing", "arg" };
static const struct spawn_handle given[] = { { "stdin", 20, 0, 0 }, { "stdout", 21, RIGHT_CALL, 4 } };
static struct spawn plan(void)
{
	return (struct spawn){ .image = IMAGE, .image_size = FILE_SIZE, .argc = 2, .argv = argv, .handles = given, .n_handles = 2,
		.priority = PRIORITY_NORMAL, .level = 100, .budget = 3, .ns = 4 };
}

static status_t run(const struct spawn *s, int fail)
{
	handle_t process = 0;
	uint64_t pid = 0;
	const char *why = "?";
	fail_at = fail;
	calls = 0;
	status_t st = spawn(s, &process, &pid, &why);
	assert_int_equal(opened, 0);
	assert_true(st < 0 ? process == 0 && pid == 0 : process == 9 && pid == 10);
	return st;
}

static void check_memory(void)
{
	uint64_t base = args.entry - 0x1234;
	for (size_t i = 0; i < ARRAY_LEN(loads); i++) {
		const Elf64_Phdr *p = &loads[i];
		uint32_t prot, want = prot_of(p->p_flags);
		for (uint64_t at = 0; at < p->p_memsz; at++) {
			assert_int_equal(byte_at(base + p->p_vaddr + at, &prot), at < p->p_filesz ? file[p->p_offset + at] : 0);
			assert_int_equal(prot, want);
		}
	}
	for (uint32_t i = 0; i < args.n_segments; i++)
		assert_true(segments[i].frame != IMAGE || !(segments[i].prot & PROT_WRITE));
}

static void memory_is_as_described(void **state)
{
	(void)state;
	struct spawn s = plan();
	assert_int_equal(run(&s, 0), OK);
	check_memory();
	assert_string_equal(args.name, "thing");
	assert_true(args.budget == 3 && args.ns == 4 && args.priority == PRIORITY_NORMAL && args.level == 100);
	uint32_t prot;
	assert_int_equal(byte_at(args.stack - 1, &prot), 0);
	assert_int_equal(prot, PROT_READ | PROT_WRITE);
	assert_int_equal(byte_at(args.stack, &prot), -1);
	assert_int_equal(byte_at(args.stack - STACK_DEFAULT - 1, &prot), -1);
	assert_int_equal(args.stack % 16, 0);
}

static void start_page_and_handles(void **state)
{
	(void)state;
	struct spawn s = plan();
	assert_int_equal(run(&s, 0), OK);
	struct start_info info;
	uint32_t prot;
	for (size_t i = 0; i < sizeof(info); i++)
		((uint8_t *)&info)[i] = (uint8_t)byte_at(args.arg + i, &prot);
	assert_int_equal(prot, PROT_READ);
	assert_true(info.magic == START_MAGIC && info.argc == 2 && info.n_handles == 2);
	assert_int_equal(info.stack_high, args.stack);
	assert_int_equal(info.image_base + 0x1234, args.entry);
	assert_int_equal(args.n_handles, 2);
	assert_true(handles[0].handle == 20 && handles[0].rights == RIGHT_ALL);
	assert_true(handles[1].handle == 21 && handles[1].rights == RIGHT_CALL && handles[1].tag == 4);
}

static void every_failure_is_passed_on(void **state)
{
	(void)state;
	struct spawn s = plan();
	assert_int_equal(run(&s, 0), OK);
	int all = calls;
	assert_true(all >= 5 && all < 40);
	for (int i = 1; i <= all; i++)
		assert_int_equal(run(&s, i), i == all ? ERR_LIMIT : ERR_NO_MEMORY);
}

static void bad_orders_are_refused(void **state)
{
	(void)state;
	struct spawn s = plan();
	s.image_size = 100;
	assert_int_equal(run(&s, 0), ERR_BAD_FORMAT);
	s = plan();
	s.image_size = UINT64_MAX;      /* more than the Frame has: the segments end inside all the same */
	assert_int_equal(run(&s, 0), OK);
	s = plan();
	s.stack_size = 100;
	assert_int_equal(run(&s, 0), ERR_INVALID);
	s = plan();
	s.n_handles = EXEC_HANDLES_MAX + 1;
	assert_int_equal(run(&s, 0), ERR_TOO_LONG);
	s = plan();
	s.name = "a-name-that-is-longer-than-a-process-name-may-be";
	assert_int_equal(run(&s, 0), OK);
	assert_int_equal(strlen(args.name), PROCESS_NAME_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_as_described),
		cmocka_unit_test(start_page_and_handles),
		cmocka_unit_test(every_failure_is_passed_on),
		cmocka_unit_test(bad_orders_are_refused),
	};
	make_file();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

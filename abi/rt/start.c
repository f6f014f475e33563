/*
 * start: from the first instruction to main, and the end of the process.
 *
 * A program arrives as its maker laid it out: segments mapped, nothing relocated. rt_start applies the
 * program's own relocations (static PIE: RELATIVE only), checks the start page and calls main.
 * The maker of a process owns it anyway; the page is checked so that a mistake there is named
 * instead of becoming a wild pointer here.
 */
#include <elf.h>
#include <rt/start.h>
#include <string.h>
#include "internal.h"

enum { EXIT_BAD_START = 127 };

void (*rt_exit_hook)(void);

static const struct start_info *info;
static const char *program_name;         /* NULL until known: no .data, nothing to copy at each start */

/* Runs before any relocation: uses no table of pointers, calls nothing. */
always_inline void relocate(uint64_t base, const Elf64_Dyn *dyn)
{
	const Elf64_Rela *rela = NULL;
	uint64_t size = 0;
	for (; dyn->d_tag != DT_NULL; dyn++) {
		if (dyn->d_tag == DT_RELA)
			rela = (const Elf64_Rela *)(base + dyn->d_un.d_ptr);
		else if (dyn->d_tag == DT_RELASZ)
			size = dyn->d_un.d_val;
	}
	for (uint64_t i = 0; rela && i < size / sizeof(*rela); i++) {
		if (ELF64_R_TYPE(rela[i].r_info) != R_X86_64_RELATIVE)
			__builtin_trap();       /* the linker was run with other flags than ours */
		*(uint64_t *)(base + rela[i].r_offset) = base + (uint64_t)rela[i].r_addend;
	}
}

/* `n` records of `each` bytes from `offset` lie inside the page. */
static bool inside(const struct start_info *s, uint32_t offset, uint32_t n, size_t each)
{
	return offset % 4 == 0 && offset <= s->size && n <= (s->size - offset) / each;
}

/* Every string of the table begins and ends inside. */
static bool strings_ok(const struct start_info *s, uint32_t table, uint32_t n)
{
	const uint32_t *offsets = (const uint32_t *)((const char *)s + table);
	for (uint32_t i = 0; i < n; i++) {
		if (offsets[i] >= s->size)
			return false;
		size_t room = s->size - offsets[i];
		if (strnlen((const char *)s + offsets[i], room) == room)
			return false;
	}
	return true;
}

static bool page_ok(const struct start_info *s)
{
	return s && s->magic == START_MAGIC
		&& s->size >= sizeof(*s) && s->size <= START_PAGE_MAX
		&& inside(s, s->argv, s->argc, sizeof(uint32_t))
		&& inside(s, s->envp, s->envc, sizeof(uint32_t))
		&& inside(s, s->handles, s->n_handles, sizeof(struct start_handle))
		&& strings_ok(s, s->argv, s->argc)
		&& strings_ok(s, s->envp, s->envc);
}

static char *string_at(uint32_t table, uint32_t i)
{
	const uint32_t *offsets = (const uint32_t *)((const char *)info + table);
	return (char *)info + offsets[i];
}

noreturn void rt_start(const struct start_info *start, uint64_t base, const Elf64_Dyn *dyn)
{
	relocate(base, dyn);
	if (!page_ok(start)) {
		static const char text[] = "rt: bad start page";
		log_write(text, sizeof(text) - 1);
		process_exit(EXIT_BAD_START);
	}
	info = start;
	char *argv[info->argc + 1];
	for (uint32_t i = 0; i < info->argc; i++)
		argv[i] = string_at(info->argv, i);
	argv[info->argc] = NULL;
	if (info->argc) {
		const char *slash = strrchr(argv[0], '/');
		program_name = slash ? slash + 1 : argv[0];
	}
	exit(main((int)info->argc, argv));
}

const struct start_info *start_info(void)
{
	return info;
}

const char *rt_program_name(void)
{
	return program_name ? program_name : "?";
}

handle_t start_handle(const char *name)
{
	if (!info)
		return 0;
	const struct start_handle *h = (const void *)((const char *)info + info->handles);
	for (uint32_t i = 0; i < info->n_handles; i++)
		if (strncmp(h[i].name, name, START_HANDLE_NAME) == 0)
			return h[i].handle;
	return 0;
}

const char *env_get(const char *name)
{
	size_t len = strlen(name);
	for (uint32_t i = 0; info && i < info->envc; i++) {
		const char *entry = string_at(info->envp, i);
		if (strncmp(entry, name, len) == 0 && entry[len] == '=')
			return entry + len + 1;
	}
	return NULL;
}

noreturn void exit(int status)
{
	if (rt_exit_hook)
		rt_exit_hook();
	process_exit(status);
}

/*
 * layout: addresses and start page of a new process.
 *
 * From a random multiple of 2 MiB above IMAGE_BASE: image, gap, stack, gap, start page. They stay close
 * together because every 2 MiB apart cost a page of page tables, which the kernel has to clear and free again
 * for each program; a small one fits into a single table.
 */
#include <string.h>
#include "layout.h"

#define IMAGE_BASE   0x100000000000ull
#define IMAGE_ALIGN  (2 * MiB)
#define IMAGE_PLACES (1u << 19)         /* 1 TiB of places */

status_t layout_make(struct layout *l, const struct elf_image *image, uint64_t stack_size, uint64_t random)
{
	uint64_t size = stack_size ? stack_size : STACK_DEFAULT;
	if (size % PAGE_SIZE || size > STACK_MAX)
		return ERR_INVALID;
	l->base = IMAGE_BASE + random % IMAGE_PLACES * IMAGE_ALIGN;
	l->stack_low = l->base + image->span + STACK_GUARD;
	l->stack_high = l->stack_low + size;
	l->start_page = l->stack_high + STACK_GUARD;
	return OK;
}

static size_t strings_size(int n, const char *const *strings)
{
	size_t size = 0;
	for (int i = 0; i < n && size <= START_PAGE_MAX; i++)
		size += sizeof(uint32_t) + strnlen(strings[i], START_PAGE_MAX) + 1;
	return size;
}

size_t start_page_size(const struct spawn *s)
{
	if (s->argc < 0 || s->envc < 0 || s->n_handles > EXEC_HANDLES_MAX)
		return 0;
	size_t size = sizeof(struct start_info) + s->n_handles * sizeof(struct start_handle)
		+ strings_size(s->argc, s->argv) + strings_size(s->envc, s->envp);
	return size > START_PAGE_MAX ? 0 : size;
}

/* Puts strings at `at` and their offsets into `table`; returns the end. */
static size_t put_strings(char *page, size_t at, size_t table, int n, const char *const *strings)
{
	for (int i = 0; i < n; i++) {
		size_t len = strlen(strings[i]) + 1;
		uint32_t offset = (uint32_t)at;
		memcpy(page + table + (size_t)i * sizeof(offset), &offset, sizeof(offset));
		memcpy(page + at, strings[i], len);
		at += len;
	}
	return at;
}

void start_page_fill(void *memory, size_t size, const struct spawn *s, const struct layout *l)
{
	char *page = memory;
	size_t handles = sizeof(struct start_info);
	size_t argv = handles + s->n_handles * sizeof(struct start_handle);
	size_t envp = argv + (size_t)s->argc * sizeof(uint32_t);
	size_t text = envp + (size_t)s->envc * sizeof(uint32_t);
	struct start_info info = {
		.magic = START_MAGIC, .size = (uint32_t)size,
		.argc = (uint32_t)s->argc, .envc = (uint32_t)s->envc, .n_handles = (uint32_t)s->n_handles,
		.argv = (uint32_t)argv, .envp = (uint32_t)envp, .handles = (uint32_t)handles,
		.image_base = l->base, .stack_low = l->stack_low, .stack_high = l->stack_high,
	};
	memcpy(page, &info, sizeof(info));
	for (size_t i = 0; i < s->n_handles; i++) {
		struct start_handle h = { .handle = s->handles[i].handle ? HANDLE_FIRST(i) : 0 };
		strncpy(h.name, s->handles[i].name, sizeof(h.name));    /* START_HANDLE_NAME bytes need no zero */
		memcpy(page + handles + i * sizeof(h), &h, sizeof(h));
	}
	text = put_strings(page, text, argv, s->argc, s->argv);
	put_strings(page, text, envp, s->envc, s->envp);
}

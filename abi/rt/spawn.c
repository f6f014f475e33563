/*
 * spawn: from an ELF file in a Frame to a running process, with few system calls: starting small
 * programs is what a shell does all day.
 *
 * Read-only segments map the file's Frame itself, so that every instance of a program shares one copy of its
 * text. Contents that the program may change go into one fresh Frame, page after page, and behind them the
 * start page; memory that begins as zero is left to the kernel. This process keeps nothing of it.
 */
#include <rt/elf.h>
#include <rt/file.h>
#include <rt/start.h>
#include <stdlib.h>
#include <string.h>
#include "layout.h"

enum { COPY_CHUNK = 4096 };

/* What is being put together. */
struct plan {
	const struct spawn *s;
	struct elf_image image;
	struct layout layout;
	uint64_t copied;                /* bytes of `fresh` for changed segments; the start page follows */
	size_t start_size;
	handle_t fresh;
	struct exec_segment segments[EXEC_SEGMENTS_MAX];
	uint32_t n;
};

static uint64_t page_up(uint64_t x)
{
	return ALIGN_UP(x, PAGE_SIZE);
}

/* Must the segment's file part be private? Yes if it is written, or if zeros follow it on its last page. */
static bool needs_copy(const struct elf_segment *g)
{
	return g->file_size && ((g->prot & PROT_WRITE) || g->mem_size > g->file_size);
}

/* The pages that the file part of a segment touches. */
static uint64_t file_span(const struct elf_segment *g)
{
	return g->file_size ? page_up(g->va % PAGE_SIZE + g->file_size) : 0;
}

static uint64_t bytes_copied(const struct elf_image *image)
{
	uint64_t size = 0;
	for (uint32_t i = 0; i < image->n; i++)
		if (needs_copy(&image->segments[i]))
			size += file_span(&image->segments[i]);
	return size;
}

/* Copies a part of the file into the fresh Frame. */
static status_t copy_part(const struct plan *p, uint64_t from, uint64_t to, uint64_t size)
{
	char buf[COPY_CHUNK];
	for (uint64_t at = 0; at < size;) {
		uint64_t n = MIN(size - at, (uint64_t)sizeof(buf)), got = 0, put = 0;
		status_t st = frame_read(p->s->image, from + at, buf, n, &got);
		if (st < 0)
			return st;
		if (got == 0)
			return ERR_IO;          /* the Frame is shorter than its file was said to be */
		st = frame_write(p->fresh, to + at, buf, got, &put);
		if (st < 0)
			return st;
		if (put != got)
			return ERR_IO;
		at += got;
	}
	return OK;
}

static void add(struct plan *p, handle_t frame, uint64_t offset, uint64_t va, uint64_t size, uint32_t prot)
{
	p->segments[p->n++] = (struct exec_segment){ .frame = frame, .prot = prot, .offset = offset, .va = va, .size = size };
}

static status_t place_segment(struct plan *p, const struct elf_segment *g, uint64_t *fresh_at)
{
	uint64_t va = p->layout.base + ALIGN_DOWN(g->va, PAGE_SIZE);
	uint64_t file = file_span(g), all = page_up(g->va % PAGE_SIZE + g->mem_size);
	if (needs_copy(g)) {
		status_t st = copy_part(p, g->offset, *fresh_at + g->va % PAGE_SIZE, g->file_size);
		if (st < 0)
			return st;
		add(p, p->fresh, *fresh_at, va, file, g->prot);
		*fresh_at += file;
	} else if (file) {
		add(p, p->s->image, ALIGN_DOWN(g->offset, PAGE_SIZE), va, file, g->prot);
	}
	if (all > file)
		add(p, 0, 0, va + file, all - file, g->prot);
	return OK;
}

static status_t write_start_page(struct plan *p)
{
	char small[1024];
	char *page = p->start_size <= sizeof(small) ? small : malloc(p->start_size);
	if (!page)
		return ERR_NO_MEMORY;
	start_page_fill(page, p->start_size, p->s, &p->layout);
	uint64_t done = 0;
	status_t st = frame_write(p->fresh, p->copied, page, p->start_size, &done);
	if (st >= 0 && done != p->start_size)
		st = ERR_IO;
	if (page != small)
		free(page);
	return st < 0 ? st : OK;
}

static status_t fill_memory(struct plan *p)
{
	uint64_t fresh_at = 0;
	for (uint32_t i = 0; i < p->image.n; i++) {
		status_t st = place_segment(p, &p->image.segments[i], &fresh_at);
		if (st < 0)
			return st;
	}
	add(p, 0, 0, p->layout.stack_low, p->layout.stack_high - p->layout.stack_low, PROT_READ | PROT_WRITE);
	add(p, p->fresh, p->copied, p->layout.start_page, page_up(p->start_size), PROT_READ);
	return write_start_page(p);
}

static const char *process_name(const struct spawn *s)
{
	const char *name = s->name ? s->name : s->argc ? s->argv[0] : "?";
	const char *slash = strrchr(name, '/');
	return slash && slash[1] ? slash + 1 : name;
}

static status_t execute(const struct plan *p, handle_t *process, uint64_t *pid)
{
	const struct spawn *s = p->s;
	struct exec_handle handles[EXEC_HANDLES_MAX];
	for (size_t i = 0; i < s->n_handles; i++)
		handles[i] = (struct exec_handle){
			.handle = s->handles[i].handle,
			.rights = s->handles[i].rights ? s->handles[i].rights : RIGHT_ALL,
			.tag = s->handles[i].tag,
		};
	struct exec_args a = {
		.segments = (uint64_t)p->segments, .n_segments = p->n,
		.handles = (uint64_t)handles, .n_handles = (uint32_t)s->n_handles,
		.entry = p->layout.base + p->image.entry, .stack = p->layout.stack_high, .arg = p->layout.start_page,
		.budget = s->budget, .ns = s->ns, .priority = s->priority, .level = s->level, .table = s->table,
	};
	strncpy(a.name, process_name(s), sizeof(a.name) - 1);
	return process_exec(&a, process, pid);
}

/*
 * Where the image goes is a guess worth a few million tries against somebody who cannot measure us, no more: the
 * time stamp counter, stirred. Handles, not addresses, are what keeps processes apart.
 */
static uint64_t stir(void)
{
	uint64_t x = __builtin_ia32_rdtsc() * 0x9e3779b97f4a7c15ull;
	return x >> 40;
}

status_t spawn(const struct spawn *s, handle_t *process, uint64_t *pid, const char **why)
{
	char head[ELF_HEAD_MAX];
	struct plan p = { .s = s };
	uint64_t got = 0;
	status_t st = frame_read(s->image, 0, head, MIN(s->image_size, (uint64_t)sizeof(head)), &got);
	if (st < 0)
		return st;
	st = elf_parse(head, got, s->image_size, &p.image, why);
	if (st < 0)
		return st;
	st = layout_make(&p.layout, &p.image, s->stack_size, stir());
	if (st < 0)
		return st;
	p.start_size = start_page_size(s);
	if (p.start_size == 0)
		return ERR_TOO_LONG;
	p.copied = bytes_copied(&p.image);
	st = frame_create(p.copied + page_up(p.start_size), 0, &p.fresh);
	if (st < 0)
		return st;
	st = fill_memory(&p);
	if (st >= 0)
		st = execute(&p, process, pid);
	handle_close(p.fresh);          /* the new process's mappings hold it */
	return st;
}

status_t spawn_uri(const char *uri, struct spawn *s, handle_t *process, uint64_t *pid, const char **why)
{
	status_t st = file_map_uri(uri, &s->image, &s->image_size);
	if (st < 0)
		return st;
	st = spawn(s, process, pid, why);
	handle_close(s->image);
	s->image = 0;
	return st;
}

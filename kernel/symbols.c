/*
 * symbols: names for kernel addresses, for panics and the log.
 *
 * tools/mksyms.py reads the kernel's first link and writes the table into the second, as the last thing
 * in read-only data, so that no code moves. All numbers are link addresses; the loader's slide is taken
 * off before the search. The table:
 *
 *   u32 magic, bytes of the whole table, bytes before the line rows, link address of __text_start
 *   file names, each ended by a zero; an empty name ends them. File n is the n-th, from 1.
 *   functions by rising address: uleb distance from the last one's start + 1 (0 ends them), uleb size,
 *     name and zero
 *   line rows by rising address: uleb 2 * distance + (1 if the file changes), then uleb file if so, sleb
 *     change of the line. File 0: from here on nothing is known. The rows end with the table.
 *
 * uleb and sleb are DWARF's LEB128. A search reads from the start, some ten thousand rows at most:
 * a panic has the time. Reads are bounded by the table's size, for a panic cannot trust its memory.
 */
#include <kernel/log.h>
#include <kernel/panic.h>

#define SYMBOLS_MAGIC 0x736d7973u       /* "syms" */

struct symbols_header { uint32_t magic, bytes, lines_at, text_start; };

/* The first link has only this; the second, strong definition takes its place. */
__attribute__((weak, section(".symbols"))) const struct symbols_header kernel_symbols = { 0, 0, 0, 0 };
extern const uint8_t __text_start[];

struct cursor { const uint8_t *p, *end; };

static uint64_t uleb(struct cursor *c)
{
	uint64_t v = 0;
	for (unsigned shift = 0; c->p < c->end && shift < 64; shift += 7) {
		uint8_t byte = *c->p++;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			break;
	}
	return v;
}

static int64_t sleb(struct cursor *c)
{
	uint64_t v = 0;
	for (unsigned shift = 0; c->p < c->end && shift < 64; ) {
		uint8_t byte = *c->p++;
		v |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
		if (!(byte & 0x80)) {
			if (byte & 0x40 && shift < 64)
				v |= ~0ull << shift;
			break;
		}
	}
	return (int64_t)v;
}

/* The string here; the cursor moves behind its zero. */
static const char *string(struct cursor *c)
{
	const char *s = (const char *)c->p;
	while (c->p < c->end && *c->p)
		c->p++;
	if (c->p == c->end)
		return "";
	c->p++;
	return s;
}

static const char *find_file(struct cursor files, uint64_t n)
{
	const char *name = "";
	for (uint64_t i = 0; i < n; i++) {
		name = string(&files);
		if (!*name)
			break;
	}
	return name;
}

/* The file and line that the last row at or before `address` gives. */
static bool find_line(struct cursor rows, uint64_t address, uint64_t *file, int64_t *line)
{
	uint64_t at = 0, f = 0;
	uint64_t l = 0;                 /* unsigned: a broken table may overflow it */

	*file = 0;
	while (rows.p < rows.end) {
		uint64_t head = uleb(&rows);
		at += head >> 1;
		if (at > address)
			break;
		if (head & 1)
			f = uleb(&rows);
		l += (uint64_t)sleb(&rows);
		*file = f;
		*line = (int64_t)l;
	}
	return *file != 0;
}

/* The name of the function around `address` and how far into it that is; NULL: none. */
static const char *find_function(struct cursor c, uint64_t address, uint64_t *offset)
{
	uint64_t at = 0, distance;

	while ((distance = uleb(&c)) != 0) {
		at += distance - 1;
		uint64_t size = uleb(&c);
		const char *name = string(&c);
		if (at > address)
			break;
		if (address - at < size) {
			*offset = address - at;
			return name;
		}
	}
	return NULL;
}

/* Looks a link address up in the table at `bytes`; at least a header's worth of it is there. */
static bool look_up(const uint8_t *bytes, uint64_t address, char *buf, size_t size)
{
	const struct symbols_header *t = (const struct symbols_header *)bytes;
	uint64_t offset, file;
	int64_t  line;

	if (t->magic != SYMBOLS_MAGIC || t->lines_at <= sizeof(*t) || t->lines_at > t->bytes)
		return false;
	struct cursor files = { bytes + sizeof(*t), bytes + t->lines_at };
	struct cursor functions = files;
	while (*string(&functions))
		;
	const char *name = find_function(functions, address, &offset);
	if (!name)
		return false;
	struct cursor rows = { bytes + t->lines_at, bytes + t->bytes };
	if (find_line(rows, address, &file, &line))
		kformat(buf, size, "%s+0x%lx (%s:%ld)", name, offset, find_file(files, file), line);
	else
		kformat(buf, size, "%s+0x%lx", name, offset);
	return true;
}

bool symbol_format(uint64_t address, char *buf, size_t size)
{
	const struct symbols_header *volatile table = &kernel_symbols;  /* volatile: not the empty one the compiler sees */

	return look_up((const uint8_t *)table, address - ((uint64_t)__text_start - table->text_start), buf, size);
}

/*
 * node: see node.h. Badge: kind + 1 in the top byte (so it is never a root's), then 16 bits of serial,
 * then 40 of arg.
 */
#include <string.h>
#include <abi/objects.h>
#include <gen/errors.h>
#include "node.h"

enum { ARG_BITS = 40, SERIAL_BITS = 16, KIND_SHIFT = ARG_BITS + SERIAL_BITS };
#define ARG_MASK ((1ull << ARG_BITS) - 1)

static const char *const file_names[] = { "name", "state", "cpu", "memory", "handles", "namespace", "info", "ctl" };
_Static_assert(ARRAY_LEN(file_names) == NODE_FILES, "a name for each");

uint64_t node_badge(struct node n)
{
	if (n.kind <= NODE_ZERO)
		return n.kind;
	return (uint64_t)(n.kind + 1) << KIND_SHIFT | (uint64_t)n.serial << ARG_BITS | (n.arg & ARG_MASK);
}

bool node_from_badge(uint64_t badge, struct node *n)
{
	uint64_t kind = badge >> KIND_SHIFT;

	if (badge <= NODE_ZERO)
		*n = (struct node){ .kind = (enum node_kind)badge };
	else if (kind > NODE_ZERO + 1 && kind <= NODE_KINDS)
		*n = (struct node){ (enum node_kind)(kind - 1), (uint16_t)(badge >> ARG_BITS), badge & ARG_MASK };
	else
		return false;
	return true;
}

const char *node_file_name(enum node_kind kind)
{
	return file_names[kind - NODE_FIRST_FILE];
}

bool node_is_directory(enum node_kind kind)
{
	return kind == NODE_PROC || kind == NODE_PROCESS;
}

static bool parse_pid(const char *text, size_t len, uint64_t *pid)
{
	uint64_t v = 0;

	if (len == 0 || len > 12)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(text[i] - '0');
	}
	*pid = v;
	return v > 0 && v <= ARG_MASK;
}

static bool is(const char *part, size_t len, const char *name)
{
	return len == strlen(name) && memcmp(part, name, len) == 0;
}

static status_t step(const struct node *from, const char *part, size_t len, struct node *to)
{
	switch (from->kind) {
	case NODE_LOG:
		if (!is(part, len, "follow"))
			return ERR_NOT_FOUND;
		*to = (struct node){ .kind = NODE_LOG_FOLLOW };
		return OK;
	case NODE_PROC:
		*to = (struct node){ .kind = NODE_KSTAT };
		if (is(part, len, "kstat"))
			return OK;
		to->kind = NODE_TRACE;
		if (is(part, len, "trace"))
			return OK;
		to->kind = NODE_PROCESS;
		return parse_pid(part, len, &to->arg) ? OK : ERR_NOT_FOUND;
	case NODE_PROCESS:
		for (int i = 0; i < NODE_FILES; i++)
			if (is(part, len, file_names[i])) {
				*to = (struct node){ .kind = NODE_FIRST_FILE + i, .arg = from->arg };
				return OK;
			}
		return ERR_NOT_FOUND;
	default:
		return ERR_NOT_DIRECTORY;
	}
}

status_t node_walk(struct node from, const char *path, struct node *to)
{
	/* Two steps is as deep as it gets; `up` remembers what ".." returns to. */
	struct node up = from, at = from;

	while (*path) {
		size_t len = strcspn(path, "/");
		struct node next = at;
		status_t st = OK;

		if (is(path, len, ".."))
			next = up;      /* a root, and where the walk began, are their own parents */
		else if (len && !is(path, len, "."))
			st = step(&at, path, len, &next);
		if (st < 0)
			return st;
		if (is(path, len, ".."))
			up = from;
		else if (len && !is(path, len, "."))
			up = at;
		at = next;
		path += len;
		if (*path == '/') {
			path++;
			if (!node_is_directory(at.kind) && at.kind != NODE_LOG)
				return ERR_NOT_DIRECTORY;
		}
	}
	*to = at;
	return OK;
}

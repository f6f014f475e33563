/*
 * tree: see tree.h.
 */
#include "tree.h"
#include <abi/file.h>
#include <gen/errors.h>
#include <stdlib.h>
#include <string.h>

static inline uint32_t hash_begin(uint32_t dir)
{
	return (dir + 1) * 0x9e3779b1u;
}

static inline uint32_t hash_byte(uint32_t h, char c)
{
	return (h ^ (uint8_t)c) * 0x01000193u;      /* FNV-1a */
}

static inline uint32_t hash_slot(uint32_t h)
{
	return h ^ h >> 15;
}

/* The child `name` of directory `dir`; 0: none. */
static uint32_t child_find(const struct tree *t, uint32_t dir, const char *name, size_t len, uint32_t hash)
{
	for (uint32_t i = hash_slot(hash);; i++) {
		uint32_t n = t->slots[i & t->mask];
		if (n == 0)
			return 0;
		const struct node *node = &t->nodes[n];
		if (node->hash == hash && node->parent == dir && node->name_len == len
		    && memcmp(t->names + node->name, name, len) == 0)
			return n;
	}
}

static void slot_enter(struct tree *t, uint32_t n)
{
	uint32_t i = hash_slot(t->nodes[n].hash);

	while (t->slots[i & t->mask])
		i++;
	t->slots[i & t->mask] = n;
}

/* Room for one more node with a name of `len` bytes. On error nothing has changed. */
static status_t make_room(struct tree *t, size_t len)
{
	if (t->n == TREE_NODES_MAX)
		return ERR_NO_SPACE;
	if (t->n == t->room) {
		struct node *nodes = realloc(t->nodes, 2 * t->room * sizeof(*nodes));
		if (!nodes)
			return ERR_NO_MEMORY;
		t->nodes = nodes;
		t->room *= 2;
	}
	if (t->names_len + len + 1 > t->names_room) {
		char *names = realloc(t->names, 2 * t->names_room + len);
		if (!names)
			return ERR_NO_MEMORY;
		t->names = names;
		t->names_room = 2 * t->names_room + (uint32_t)len;
	}
	if (2 * (t->n + 1) > t->mask) {
		uint32_t size = 2 * (t->mask + 1);
		uint32_t *slots = calloc(size, sizeof(*slots));
		if (!slots)
			return ERR_NO_MEMORY;
		free(t->slots);
		t->slots = slots;
		t->mask = size - 1;
		for (uint32_t n = 1; n < t->n; n++)
			slot_enter(t, n);
	}
	return OK;
}

static status_t child_add(struct tree *t, uint32_t dir, const char *name, size_t len, uint32_t hash, int type,
                          uint32_t *made)
{
	status_t st = make_room(t, len);
	if (st < 0)
		return st;
	uint32_t n = t->n++;
	t->nodes[n] = (struct node){
		.parent = dir, .hash = hash, .name = t->names_len, .name_len = (uint8_t)len, .type = (uint8_t)type,
		.mode = type == FILE_DIRECTORY ? 0555 : 0444,
	};
	memcpy(t->names + t->names_len, name, len);
	t->names[t->names_len + len] = 0;
	t->names_len += (uint32_t)len + 1;
	slot_enter(t, n);

	struct node *parent = &t->nodes[dir];
	if (parent->last_child)
		t->nodes[parent->last_child].next = n;
	else
		parent->first_child = n;
	parent->last_child = n;
	*made = n;
	return OK;
}

status_t tree_init(struct tree *t)
{
	*t = (struct tree){ .n = 1, .room = 64, .mask = 127, .names_len = 1, .names_room = 1024 };
	t->nodes = calloc(t->room, sizeof(*t->nodes));
	t->slots = calloc(t->mask + 1, sizeof(*t->slots));
	t->names = calloc(t->names_room, 1);
	if (!t->nodes || !t->slots || !t->names) {
		tree_free(t);
		return ERR_NO_MEMORY;
	}
	t->nodes[0].type = FILE_DIRECTORY;
	t->nodes[0].mode = 0555;
	return OK;
}

void tree_free(struct tree *t)
{
	free(t->nodes);
	free(t->slots);
	free(t->names);
	*t = (struct tree){ 0 };
}

status_t tree_add(struct tree *t, const char *path, int type, uint32_t *node, bool *existed)
{
	uint32_t at = 0;
	bool was_there = true;

	while (*path) {
		uint32_t h = hash_begin(at), next;
		size_t len = 0;
		for (; path[len] && path[len] != '/'; len++)
			h = hash_byte(h, path[len]);
		if (t->nodes[at].type != FILE_DIRECTORY)
			return ERR_NOT_DIRECTORY;
		next = child_find(t, at, path, len, h);
		was_there = next != 0;
		if (!next) {
			status_t st = child_add(t, at, path, len, h, path[len] ? FILE_DIRECTORY : type, &next);
			if (st < 0)
				return st;
		}
		at = next;
		path += len + (path[len] == '/');
	}
	if (t->nodes[at].type != type)
		return ERR_EXISTS;
	*node = at;
	*existed = was_there;
	return OK;
}

status_t tree_put(struct tree *t, uint32_t dir, const char *name, size_t len, int type, uint32_t *node)
{
	uint32_t h = hash_begin(dir);

	for (size_t i = 0; i < len; i++)
		h = hash_byte(h, name[i]);
	if (t->nodes[dir].type != FILE_DIRECTORY)
		return ERR_NOT_DIRECTORY;
	if (child_find(t, dir, name, len, h))
		return ERR_EXISTS;
	return child_add(t, dir, name, len, h, type, node);
}

status_t tree_find(const struct tree *t, uint32_t dir, const char *path, size_t len)
{
	const char *end = path + len;
	uint32_t at = dir;

	while (path < end) {
		const char *name = path;
		uint32_t h = hash_begin(at);
		while (path < end && *path != '/')
			h = hash_byte(h, *path++);
		size_t n = (size_t)(path - name);
		path++;
		if (t->nodes[at].type != FILE_DIRECTORY)
			return ERR_NOT_DIRECTORY;
		if (n == 0 || (n == 1 && name[0] == '.'))
			continue;
		if (n == 2 && name[0] == '.' && name[1] == '.') {
			if (at != dir)
				at = t->nodes[at].parent;
			continue;
		}
		at = child_find(t, at, name, n, h);
		if (!at)
			return ERR_NOT_FOUND;
	}
	/* "file/" asks for a directory; the loop saw no part after the slash. */
	if (len > 0 && end[-1] == '/' && t->nodes[at].type != FILE_DIRECTORY)
		return ERR_NOT_DIRECTORY;
	return at;
}

/*
 * memo: see memo.h. Each path has one place, by a hash of its words; who comes later takes it.
 */
#include "memo.h"
#include <string.h>

static inline uint64_t load(const char *p)
{
	uint64_t w;
	__builtin_memcpy(&w, p, sizeof(w));
	return w;
}

typedef __typeof__(((struct memo *)0)->entries[0]) entry;

static noinline status_t find_anew(entry *e, const struct tree *t, uint32_t dir, const char *path, size_t len)
{
	status_t node = tree_find(t, dir, path, len);
	if (node >= 0) {
		*e = (entry){ .dir = dir, .len = (uint32_t)len, .node = (uint32_t)node };
		memcpy(e->words, path, len);
	}
	return node;
}

status_t memo_find(struct memo *m, const struct tree *t, uint32_t dir, const char *path, size_t len)
{
	const uint64_t spread = 0x9e3779b97f4a7c15;
	size_t i = 0;

	if (len == 0 || len > MEMO_PATH)
		return tree_find(t, dir, path, len);
	const size_t last = (len - 1) / 8;
	const uint64_t tail = load(path + 8 * last) & UINT64_MAX >> (8 * last + 8 - len) * 8;
	uint64_t hash = (dir ^ tail) * spread;
#pragma clang loop unroll(disable)
	for (; i < last; i++)
		hash = (hash ^ load(path + 8 * i)) * spread;
	entry *e = &m->entries[hash >> 58];
	_Static_assert(MEMO_ENTRIES == 1 << (64 - 58), "the hash's upper bits choose");
	if (e->dir != dir || e->len != len || e->words[last] != tail)
		return find_anew(e, t, dir, path, len);
#pragma clang loop unroll(disable)
	for (i = 0; i < last; i++)
		if (e->words[i] != load(path + 8 * i))
			return find_anew(e, t, dir, path, len);
	return (status_t)e->node;
}

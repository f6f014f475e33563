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

status_t memo_find(struct memo *m, const struct tree *t, uint32_t dir, const char *path, size_t len)
{
	uint64_t words[MEMO_PATH / 8], hash = dir;
	size_t n = (len + 7) / 8;

	if (len == 0 || len > MEMO_PATH)
		return tree_find(t, dir, path, len);
	for (size_t i = 0; i < n; i++) {
		words[i] = load(path + 8 * i);
		if (i == n - 1)
			words[i] &= UINT64_MAX >> (8 * n - len) * 8;
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15;
		hash ^= hash >> 32;
	}
	__typeof__(m->entries[0]) *e = &m->entries[hash * 0x9e3779b97f4a7c15 >> 58];
	_Static_assert(MEMO_ENTRIES == 1 << (64 - 58), "the hash's upper bits choose");
	bool same = e->dir == dir && e->len == len;
	for (size_t i = 0; i < n && same; i++)
		same = e->words[i] == words[i];
	if (same)
		return (status_t)e->node;
	status_t node = tree_find(t, dir, path, len);
	if (node >= 0) {
		e->dir = dir;
		e->len = (uint32_t)len;
		e->node = (uint32_t)node;
		memcpy(e->words, words, 8 * n);
	}
	return node;
}

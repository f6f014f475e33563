/*
 * memo: where paths led lately, so that a path asked for again costs one comparison instead of a look-up for each of its parts.
 * The tree must not change any more once a memo is in use.
 */
#pragma once
#include "tree.h"

#define MEMO_PATH    48         /* longer paths are not kept */
#define MEMO_ENTRIES 64         /* a power of two */

struct memo {
	struct { uint64_t words[MEMO_PATH / 8]; uint32_t dir, len, node; } entries[MEMO_ENTRIES];  /* len 0: free */
};

/* As tree_find. Eight bytes from `path` + len on can be read. */
must_use status_t memo_find(struct memo *m, const struct tree *t, uint32_t dir, const char *path, size_t len);

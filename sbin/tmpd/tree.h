/*
 * tree: the names, types and sizes of tmp://, in a Frame that outlives its server. Pure: memory and intents.
 *
 * An inode is its own directory entry (there are no links): it holds its name and its directory's number. Number n is
 * also the shelf slot of the file's content; 1 is the root; 0, the Frame itself, means "none".
 *
 * Life:  free -> linked (has a directory) -> free
 *                                         -> unlinked (no directory, Sessions still name it) -> free at the last CLOSE
 * Each end of life raises the generation, which is part of every badge, so that a stale one names nothing.
 *
 * Changes are planned first (tree_plan_*: whole new inodes in a struct change; errors leave here), then committed
 * through the log of intents, so that a death at any store leaves them undone or to be completed. Sizes alone
 * may be set by one store (tree_set_size). What can be computed from the inodes (index, counts, free list) is
 * kept outside the Frame and built at attach.
 */
#pragma once
#include <abi/file.h>
#include <abi/objects.h>
#include <rt/intent.h>

#define TREE_INODES SHELF_SLOTS
#define TREE_ROOT   1u
#define TREE_MAGIC  0x3130454552544d54ull   /* "TMTREE01" */

struct inode {
	uint64_t size;
	uint32_t opens;             /* Sessions that name it */
	uint32_t sum;               /* of what follows: a stray store is noticed at attach */
	uint32_t generation;        /* from 1 */
	uint32_t parent;            /* inode of the directory; 0: unlinked. The root's: 0 */
	uint8_t  type;              /* enum file_type; 0: free */
	uint8_t  name_len;
	uint16_t mode;
	char     name[NAME_MAX_BYTES + 1];
	uint8_t  pad[4];
};
_Static_assert(sizeof(struct inode) == 288, "kept by one instance, read by the next");
#define INODE_HEAD 16           /* size, opens, sum: changes to these need not copy the name */

struct tree_image {
	uint64_t magic;             /* written last */
	uint64_t high;              /* inodes from here on were never used, and their memory never touched */
	uint64_t port;              /* object id of the Port whose Sessions `opens` counts */
	uint64_t reserved[5];
	struct inode inodes[TREE_INODES];
};

struct tree {
	struct tree_image *image;   /* borrowed */
	uint64_t file_max;          /* bytes of a file */
	uint32_t n_used;
	uint16_t free_first;        /* linked by next[] */
	uint16_t bucket[TREE_INODES];   /* (directory, name) -> inode, linked by next[] */
	uint16_t next[TREE_INODES];
	uint16_t children[TREE_INODES]; /* linked inodes of each directory */
};
_Static_assert(TREE_INODES <= UINT16_MAX, "inode numbers are kept in 16 bits");

/* What becomes of at most two inodes, in one step. */
struct change {
	unsigned n;
	struct { uint16_t ino; uint16_t len; struct inode to; } part[2];
};

/* Where a name is, or would be. */
struct place {
	uint32_t dir, ino;          /* ino 0: nobody has the name yet */
	const char *name;           /* borrowed from the path */
	uint32_t name_len;
	bool     slash;             /* "name/": it must be a directory */
};

/* The Port is another one: no Session names anything, so what is unlinked is free. Before tree_attach. */
void tree_forget_opens(struct tree_image *image);
/* Makes an empty tree if there is none; drops inodes that make no sense, and returns how many. Call after intent_recover. */
uint32_t tree_attach(struct tree *t, struct tree_image *image, uint64_t file_max);
static inline struct inode *tree_inode(struct tree *t, uint32_t ino) { return &t->image->inodes[ino]; }
/* A badge holds inode, generation and 16 bits for the service; 0 is the root. 0: it names nothing (any more). */
uint64_t tree_badge(struct tree *t, uint32_t ino, uint16_t flags);
uint32_t tree_by_badge(struct tree *t, uint64_t badge);
/*
 * Follows a path from directory `dir`: empty parts and "." are nothing, ".." goes up but never above `dir`. The path has no zero byte.
 * NOT_FOUND, NOT_DIRECTORY, TOO_LONG.
 */
must_use status_t tree_find(struct tree *t, uint32_t dir, const char *path, size_t len, uint32_t *ino);
/* The same for all but the last part, which must be a name. INVALID: it is "", "." or "..". */
must_use status_t tree_place(struct tree *t, uint32_t dir, const char *path, size_t len, struct place *p);
/* The next entry of a directory with a number above `after`; 0: none. Entries that stay are seen once, whatever changes. */
uint32_t tree_next(struct tree *t, uint32_t dir, uint32_t after);

/* A new inode at p (which is free). NO_SPACE, NOT_FOUND (the directory is unlinked), IS_DIRECTORY. */
must_use status_t tree_plan_create(struct tree *t, struct change *c, const struct place *p, int type, uint16_t mode, uint32_t opens);
/* IS_DIRECTORY, NOT_DIRECTORY, NOT_EMPTY, NOT_FOUND. */
must_use status_t tree_plan_unlink(struct tree *t, struct change *c, const struct place *p, bool directory);
/* Replaces a file, or an empty directory by a directory. INVALID: into itself. c->n = 0: nothing to do. */
must_use status_t tree_plan_rename(struct tree *t, struct change *c, const struct place *from, const struct place *to);
/* One Session more, with a new size. */
must_use status_t tree_plan_open(struct tree *t, struct change *c, uint32_t ino, uint64_t size);
/* One Session less; the last one frees what is unlinked. */
must_use status_t tree_plan_close(struct tree *t, struct change *c, uint32_t ino);
void tree_plan_size(struct tree *t, struct change *c, uint32_t ino, uint64_t size);

/* Makes the change happen, exactly once. */
void tree_commit(struct tree *t, struct intent_log *log, uint64_t op_id, const struct change *c, const struct intent_answer *answer);
/* One store: for what does no harm when repeated. */
static inline void tree_set_size(struct tree *t, uint32_t ino, uint64_t size)
{
	*(volatile uint64_t *)&t->image->inodes[ino].size = size;
}

/*
 * tree: the files of the initfs by name. Nodes are numbered in the order of their making, 0 is the
 * root, and a number never changes: it is the badge of the file's Session. Directories and names
 * are found through one hash table over (directory, name), so that a path of three parts costs
 * three short look-ups however many files there are.
 */
#pragma once
#include <abi/types.h>

#define TREE_NODES_MAX 12000        /* each file holds a Frame handle, and a table has 16,384 */

struct node {
	uint32_t    parent;
	uint32_t    first_child, last_child, next;  /* 0: none (the root is nobody's child) */
	uint32_t    hash;
	uint32_t    name;           /* offset in tree.names */
	uint8_t     name_len;
	uint8_t     type;           /* enum file_type: FILE_REGULAR or FILE_DIRECTORY */
	uint16_t    mode;
	uint64_t    size, mtime;
	uint64_t    sum;            /* state_sum of the content, as it was unpacked */
	const void *data;           /* the mapped content; borrowed from `frame` */
	handle_t    frame;          /* owned; 0: no content */
};

struct tree {
	struct node *nodes;         /* n of room; owned */
	uint32_t     n, room;
	uint32_t    *slots;         /* node numbers, 0: free; mask + 1 of them, at most half full; owned */
	uint32_t     mask;
	char        *names;         /* each zero-terminated; owned */
	uint32_t     names_len, names_room;
};

must_use status_t tree_init(struct tree *t);
void tree_free(struct tree *t);
/*
 * The node of a clean path ("a/b", see ustar_clean), made if it is not there, with its directories.
 * `existed` tells. ERR_EXISTS: a node of the other type is there; ERR_NOT_DIRECTORY: a file is on the
 * way; ERR_NO_SPACE: too many nodes; ERR_NO_MEMORY.
 */
must_use status_t tree_add(struct tree *t, const char *path, int type, uint32_t *node, bool *existed);
/* The next node: child `name` of directory `dir`. Errors as above; ERR_EXISTS: it has one of that name. */
must_use status_t tree_put(struct tree *t, uint32_t dir, const char *name, size_t len, int type, uint32_t *node);
/*
 * Follows `path` from directory `dir`: empty parts and "." are nothing, ".." goes up but not above
 * `dir`. Returns the node's number. ERR_NOT_FOUND, ERR_NOT_DIRECTORY.
 */
must_use status_t tree_find(const struct tree *t, uint32_t dir, const char *path, size_t len);
static inline const char *tree_name(const struct tree *t, uint32_t node) { return t->names + t->nodes[node].name; }

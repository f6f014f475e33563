/*
 * tree_check: what must hold of a tree whatever happened to it; for tree_test and tree_fuzz, which abort when it does not.
 */
#pragma once
#include <stdlib.h>

static void check_that(bool good)
{
	if (!good)
		abort();
}

static void tree_check(struct tree *t)
{
	uint32_t free = 0, used = 0, links = 0, children = 0;

	for (uint32_t i = t->free_first; i; i = t->next[i]) {
		check_that(i < t->image->high && !tree_inode(t, i)->type && free < TREE_INODES);
		free++;
	}
	for (uint32_t i = 1; i < t->image->high; i++) {
		const struct inode *n = tree_inode(t, i);
		children += t->children[i];
		if (!n->type)
			continue;
		used++;
		check_that(n->sum == inode_sum(n, i) && n->size <= t->file_max && (n->type == FILE_REGULAR || n->type == FILE_DIRECTORY));
		if (n->parent) {
			links++;
			check_that(child(t, n->parent, n->name, n->name_len) == i && name_good(n->name, n->name_len) && !n->name[n->name_len]);
			uint32_t up = i, steps = 0;
			while (tree_inode(t, up)->parent) {
				up = tree_inode(t, up)->parent;
				check_that(tree_inode(t, up)->type == FILE_DIRECTORY && ++steps < TREE_INODES);
			}
			check_that(up == TREE_ROOT);
		} else {
			check_that(i == TREE_ROOT || n->opens > 0);
		}
		uint32_t seen = 0;
		for (uint32_t k = 0; n->type == FILE_DIRECTORY && (k = tree_next(t, i, k));)
			seen++;
		check_that(seen == t->children[i]);
	}
	check_that(children == links && used == t->n_used && used + free == t->image->high - 1);
}

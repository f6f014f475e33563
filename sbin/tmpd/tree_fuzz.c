/*
 * A Frame of any content, then any operations on paths of any bytes: the tree is sound after attach and after each of them,
 * and sound again after the next attach, which then has nothing to drop.
 */
#include <abi/types.h>
#include <string.h>
#include "../../abi/rt/intent.c"
#include "../../abi/rt/sum.c"
#include "tree.c"
#include "tree_check.h"

static struct kept { struct tree_image image; struct intent_record ring[4]; } kept;

/* Scribbles pieces {offset, length, bytes} over the Frame, some with their sums put right. */
static size_t scribble(const uint8_t *data, size_t size)
{
	size_t at = 1;
	while (at + 6 <= size && data[at] != 0xff) {
		uint32_t ino = 1 + data[at] % 12, offset = data[at + 1] % 64, len = 1 + data[at + 2] % 8;
		bool mend = data[at + 3] & 1;
		at += 4;
		len = (uint32_t)MIN(len, size - at);
		memcpy((char *)&kept.image.inodes[ino] + offset, data + at, len);
		if (mend)
			kept.image.inodes[ino].sum = inode_sum(&kept.image.inodes[ino], ino);
		at += len;
	}
	return at + 1;
}

static void operation(struct tree *t, struct intent_log *log, uint8_t what, const char *path, size_t len)
{
	struct place a, b;
	struct change c = { .n = 0 };
	uint32_t from = what >> 4 & 1 ? TREE_ROOT : tree_next(t, TREE_ROOT, 0), ino;
	status_t st;

	if (!from || tree_inode(t, from)->type != FILE_DIRECTORY)
		from = TREE_ROOT;
	if (tree_find(t, from, path, len, &ino) == OK) {
		/* Never outside of where it began. */
		uint32_t up = ino;
		while (up != from && tree_inode(t, up)->parent)
			up = tree_inode(t, up)->parent;
		check_that(up == from);
		if (what & 0x20) {
			st = tree_plan_open(t, &c, ino, tree_inode(t, ino)->size / 2);
			if (st == OK)
				tree_commit(t, log, 1, &c, &(struct intent_answer){ 0 });
		} else if (what & 0x40 && tree_plan_close(t, &c, ino) == OK) {
			tree_commit(t, log, 1, &c, &(struct intent_answer){ 0 });
		}
		c.n = 0;
	}
	if (tree_place(t, from, path, len, &a) < 0)
		return;
	size_t half = len / 2;
	switch (what & 7) {
	case 0: st = a.ino ? ERR_EXISTS : tree_plan_create(t, &c, &a, FILE_DIRECTORY, 0, 0); break;
	case 1: st = a.ino ? ERR_EXISTS : tree_plan_create(t, &c, &a, FILE_REGULAR, 0, 1); break;
	case 2: st = tree_plan_unlink(t, &c, &a, what & 8); break;
	case 3:
		st = tree_place(t, from, path, half, &a);
		if (st == OK)
			st = tree_place(t, TREE_ROOT, path + half, len - half, &b);
		if (st == OK)
			st = tree_plan_rename(t, &c, &a, &b);
		break;
	default: return;
	}
	if (st == OK && c.n)
		tree_commit(t, log, 1, &c, &(struct intent_answer){ 0 });
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tree t;
	struct intent_log log;
	char path[64];

	if (size < 2)
		return 0;
	memset(kept.ring, 0, sizeof(kept.ring));
	memset(&kept.image, 0, offsetof(struct tree_image, inodes[20]));
	(void)!tree_attach(&t, &kept.image, 1 << 20);
	kept.image.high = data[0] == 0xfe ? data[1] : 13;
	size_t at = scribble(data, size);
	check_that(intent_open(&log, kept.ring, 4, &kept.image, sizeof(kept.image)) == 0);
	tree_attach(&t, &kept.image, 1 << 20);
	tree_check(&t);
	while (at + 2 <= size) {
		uint8_t what = data[at];
		size_t len = MIN(MIN(data[at + 1] % 64ul, size - at - 2), sizeof(path));
		/* The dispatcher lets no zero byte through. */
		for (size_t i = 0; i < len; i++)
			path[i] = data[at + 2 + i] ? (char)data[at + 2 + i] : '/';
		operation(&t, &log, what, path, len);
		at += 2 + len;
		tree_check(&t);
	}
	check_that(tree_attach(&t, &kept.image, 1 << 20) == 0);
	tree_check(&t);
	return 0;
}

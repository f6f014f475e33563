/*
 * Operations in any order against a model that is a list of nodes: what succeeds, and what is there afterwards, is the same; now and
 * then the tree is attached anew, and nothing is lost. Names are letters, paths at most three of them, below the root or an open directory.
 */
#include <abi/types.h>
#include <string.h>
#include "../../abi/rt/intent.c"
#include "../../abi/rt/sum.c"
#include "tree.c"
#include "tree_check.h"

enum { NODES = 64, ROOT = 0, GONE = -1, LETTERS = 5, FILE_MAX = 1 << 20 };

static struct kept { struct tree_image image; struct intent_record ring[4]; } kept;
static struct tree t;
static struct intent_log log_;

/* in: its directory; GONE: unlinked. badge: also of one that is no more. */
static struct node { bool live, dir; int in; char name; unsigned opens; uint64_t size, badge; uint32_t ino; } nodes[NODES];

static int entry(int dir, char name)
{
	for (int i = 1; i < NODES; i++)
		if (nodes[i].live && nodes[i].in == dir && nodes[i].name == name)
			return i;
	return GONE;
}

static bool has_entries(int dir)
{
	for (int i = 1; i < NODES; i++)
		if (nodes[i].live && nodes[i].in == dir)
			return true;
	return false;
}

static bool in_tree(int n)
{
	return n == ROOT || nodes[n].in != GONE;
}

/* The directory that all but the last letter lead to, and what has the last; false: they lead nowhere. */
static bool place(int base, const char *path, size_t n, int *dir, int *found)
{
	*dir = base;
	for (size_t i = 0; i + 1 < n && *dir != GONE; i++)
		*dir = nodes[*dir].dir ? entry(*dir, path[2 * i]) : GONE;
	if (*dir == GONE || !nodes[*dir].dir)
		return false;
	*found = entry(*dir, path[2 * (n - 1)]);
	return true;
}

static void drop_if_last(int n)
{
	if (!nodes[n].opens && nodes[n].in == GONE)
		nodes[n].live = false;
}

static void commit(const struct change *c)
{
	if (c->n)
		tree_commit(&t, &log_, 1, c, &(struct intent_answer){ 0 });
}

static void learn(int n, bool dir, int in, char name, unsigned opens, uint32_t ino)
{
	nodes[n] = (struct node){ true, dir, in, name, opens, 0, tree_badge(&t, ino, 0), ino };
}

static void compare(void)
{
	uint32_t live = 0;

	for (int i = 0; i < NODES; i++) {
		const struct node *n = &nodes[i];
		if (i != ROOT)
			check_that((tree_by_badge(&t, n->badge) == n->ino && n->ino) == n->live);
		if (!n->live)
			continue;
		const struct inode *is = tree_inode(&t, n->ino);
		uint32_t entries = 0, counted = 0;
		live++;
		check_that(is->type == (n->dir ? FILE_DIRECTORY : FILE_REGULAR) && is->opens == n->opens && is->size == n->size);
		if (i != ROOT && n->in != GONE)
			check_that(is->parent == nodes[n->in].ino && is->name_len == 1 && is->name[0] == n->name);
		for (int k = 1; k < NODES; k++)
			entries += nodes[k].live && nodes[k].in == i;
		for (uint32_t at = 0; (at = tree_next(&t, n->ino, at));)
			counted++;
		check_that(entries == counted);
	}
	check_that(live == t.n_used);
}

static int free_node(void)
{
	for (int i = 1; i < NODES; i++)
		if (!nodes[i].live)
			return i;
	return GONE;
}

/* op, base, and letters from the fuzzer: two paths "a/b/c". */
static void operation(const uint8_t *b)
{
	char path[2][6];
	size_t n[2];
	int base = b[1] % NODES, dir[2], found[2], made = free_node();
	struct place p[2];
	struct change c = { .n = 0 };
	bool there[2];

	if (!nodes[base].live || !nodes[base].dir || (base != ROOT && !nodes[base].opens))
		base = ROOT;
	for (unsigned i = 0; i < 2; i++) {
		n[i] = 1 + b[2 + 2 * i] % 3;
		for (size_t k = 0; k < 3; k++)
			path[i][2 * k] = (char)('a' + (b[3 + 2 * i] >> 2 * k) % LETTERS), path[i][2 * k + 1] = '/';
		there[i] = place(base, path[i], n[i], &dir[i], &found[i]);
		check_that((tree_place(&t, nodes[base].ino, path[i], 2 * n[i] - 1, &p[i]) == OK) == there[i]);
		if (there[i])
			check_that(p[i].dir == nodes[dir[i]].ino && p[i].ino == (found[i] == GONE ? 0 : nodes[found[i]].ino));
	}
	if (!there[0])
		return;
	int f = found[0];
	status_t st;
	switch (b[0] % 7) {
	case 0:
	case 1: {
		bool directory = b[0] % 7 == 0;
		if (f != GONE || made == GONE)
			return;
		st = tree_plan_create(&t, &c, &p[0], directory ? FILE_DIRECTORY : FILE_REGULAR, 0644, !directory);
		check_that((st == OK) == in_tree(dir[0]));
		if (st < 0)
			return;
		commit(&c);
		learn(made, directory, dir[0], path[0][2 * (n[0] - 1)], !directory, c.part[0].ino);
		return;
	}
	case 2:
		st = tree_plan_unlink(&t, &c, &p[0], b[0] & 0x80);
		check_that((st == OK) == (f != GONE && nodes[f].dir == !!(b[0] & 0x80) && !has_entries(f)));
		if (st < 0)
			return;
		commit(&c);
		nodes[f].in = GONE;
		drop_if_last(f);
		return;
	case 3: {
		if (!there[1])
			return;
		int to = found[1];
		bool good = f != GONE && in_tree(dir[1]);
		for (int up = dir[1]; good && up != ROOT && up != GONE; up = nodes[up].in)
			good = up != f;
		if (good && to != GONE && to != f)
			good = nodes[to].dir == nodes[f].dir && !has_entries(to);
		st = tree_plan_rename(&t, &c, &p[0], &p[1]);
		check_that((st == OK) == good);
		if (st < 0 || to == f)
			return;
		commit(&c);
		if (to != GONE) {
			nodes[to].in = GONE;
			drop_if_last(to);
		}
		nodes[f].in = dir[1];
		nodes[f].name = path[1][2 * (n[1] - 1)];
		return;
	}
	case 4:
		if (f == GONE)
			return;
		check_that(tree_plan_open(&t, &c, nodes[f].ino, nodes[f].size) == OK);
		commit(&c);
		nodes[f].opens++;
		return;
	case 5:
		f = b[1] % NODES;
		if (f == ROOT || !nodes[f].live)
			return;
		st = tree_plan_close(&t, &c, nodes[f].ino);
		check_that((st == OK) == (nodes[f].opens > 0));
		if (st < 0)
			return;
		commit(&c);
		nodes[f].opens--;
		drop_if_last(f);
		return;
	default:
		f = b[1] % NODES;
		if (!nodes[f].live || nodes[f].dir)
			return;
		nodes[f].size = b[3] * 1000u;
		if (b[2] & 1)
			tree_set_size(&t, nodes[f].ino, nodes[f].size);
		else
			tree_plan_size(&t, &c, nodes[f].ino, nodes[f].size);
		commit(&c);
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&kept.image, 0, offsetof(struct tree_image, inodes[NODES + 2]));
	memset(kept.ring, 0, sizeof(kept.ring));
	memset(nodes, 0, sizeof(nodes));
	check_that(intent_open(&log_, kept.ring, 4, &kept.image, sizeof(kept.image)) == 0);
	check_that(tree_attach(&t, &kept.image, FILE_MAX) == 0);
	nodes[ROOT] = (struct node){ true, true, GONE, 0, tree_inode(&t, TREE_ROOT)->opens, 0, 0, TREE_ROOT };
	for (size_t at = 0; at + 6 <= size; at += 6) {
		if (data[at] == 0xff) {
			check_that(intent_open(&log_, kept.ring, 4, &kept.image, sizeof(kept.image)) == 0);
			intent_recover(&log_, NULL, NULL);
			check_that(tree_attach(&t, &kept.image, FILE_MAX) == 0);
		} else {
			operation(data + at);
		}
		compare();
		tree_check(&t);
	}
	return 0;
}

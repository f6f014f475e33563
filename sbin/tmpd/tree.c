/*
 * tree: see tree.h.
 */
#include "tree.h"
#include <gen/errors.h>
#include <rt/state.h>
#include <string.h>

static uint32_t inode_sum(const struct inode *n, uint32_t ino)
{
	return (uint32_t)state_sum(ino, &n->generation, offsetof(struct inode, name) - offsetof(struct inode, generation) + n->name_len);
}

static uint32_t bucket_of(uint32_t dir, const char *name, size_t len)
{
	return (uint32_t)state_sum(dir, name, len) % TREE_INODES;
}

static bool name_good(const char *name, size_t len)
{
	return len > 0 && len <= NAME_MAX_BYTES && !memchr(name, 0, len) && !memchr(name, '/', len)
	       && !(len == 1 && name[0] == '.') && !(len == 2 && name[0] == '.' && name[1] == '.');
}

/* ---- index ---- */

static uint32_t child(struct tree *t, uint32_t dir, const char *name, size_t len)
{
	uint32_t i = t->bucket[bucket_of(dir, name, len)];

	for (; i; i = t->next[i]) {
		const struct inode *n = tree_inode(t, i);
		if (n->parent == dir && n->name_len == len && !memcmp(n->name, name, len))
			break;
	}
	return i;
}

static bool linked(const struct inode *n)
{
	return n->type && n->parent;
}

static void index_add(struct tree *t, uint32_t ino)
{
	const struct inode *n = tree_inode(t, ino);
	uint16_t *b = &t->bucket[bucket_of(n->parent, n->name, n->name_len)];

	t->next[ino] = *b;
	*b = (uint16_t)ino;
	t->children[n->parent]++;
}

static void index_remove(struct tree *t, uint32_t ino)
{
	const struct inode *n = tree_inode(t, ino);
	uint16_t *link = &t->bucket[bucket_of(n->parent, n->name, n->name_len)];

	while (*link != ino)
		link = &t->next[*link];
	*link = t->next[ino];
	t->children[n->parent]--;
}

/* ---- attach ---- */

static void make_free(struct inode *n, uint32_t ino, uint32_t generation)
{
	*n = (struct inode){ .generation = generation + 1 ? generation + 1 : 1 };
	n->sum = inode_sum(n, ino);
}

static void make_empty(struct tree_image *image)
{
	__atomic_store_n(&image->magic, 0, __ATOMIC_SEQ_CST);
	image->high = TREE_ROOT + 1;
	struct inode *root = &image->inodes[TREE_ROOT];
	*root = (struct inode){ .type = FILE_DIRECTORY, .mode = 0777, .generation = 1 };
	root->sum = inode_sum(root, TREE_ROOT);
	__atomic_store_n(&image->magic, TREE_MAGIC, __ATOMIC_SEQ_CST);
}

static bool inode_good(const struct tree *t, const struct inode *n, uint32_t ino)
{
	if ((n->type != FILE_REGULAR && n->type != FILE_DIRECTORY) || n->sum != inode_sum(n, ino) || n->size > t->file_max || !n->generation)
		return false;
	if (!n->parent)
		return n->name_len == 0 && (ino == TREE_ROOT || n->opens > 0);
	return ino != TREE_ROOT && n->parent < t->image->high && name_good(n->name, n->name_len) && !n->name[n->name_len];
}

/* Whether an inode may have others below it: a directory that is linked itself. */
static bool can_hold(struct tree *t, uint32_t ino)
{
	return tree_inode(t, ino)->type == FILE_DIRECTORY && (ino == TREE_ROOT || tree_inode(t, ino)->parent);
}

/*
 * Whether inode `ino` hangs below the root, or is unlinked. `seen` keeps answers; an inode that comes up again while
 * its ancestors are walked hangs on itself.
 */
enum { SEEN_NOT, SEEN_WALKING, SEEN_GOOD, SEEN_BAD };

static bool reachable(struct tree *t, uint8_t *seen, uint32_t ino)
{
	uint32_t at = ino;

	while (seen[at] == SEEN_NOT) {
		const struct inode *n = tree_inode(t, at);
		if (!n->type || !inode_good(t, n, at) || (n->parent && !can_hold(t, n->parent))) {
			seen[at] = SEEN_BAD;
		} else if (!n->parent) {
			seen[at] = SEEN_GOOD;
		} else {
			seen[at] = SEEN_WALKING;
			at = n->parent;
		}
	}
	uint8_t verdict = seen[at] == SEEN_GOOD ? SEEN_GOOD : SEEN_BAD;
	for (at = ino; seen[at] == SEEN_WALKING; at = tree_inode(t, at)->parent)
		seen[at] = verdict;
	return seen[ino] == SEEN_GOOD;
}

void tree_forget_opens(struct tree_image *image)
{
	for (uint32_t i = TREE_ROOT; image->magic == TREE_MAGIC && i < image->high && i < TREE_INODES; i++) {
		struct inode *n = &image->inodes[i];
		n->opens = 0;
		if (i != TREE_ROOT && n->type && !n->parent)
			make_free(n, i, n->generation);
	}
}

uint32_t tree_attach(struct tree *t, struct tree_image *image, uint64_t file_max)
{
	uint8_t seen[TREE_INODES] = { 0 };
	uint32_t dropped = 0;

	*t = (struct tree){ .image = image, .file_max = file_max };
	if (image->magic != TREE_MAGIC || !reachable(t, seen, TREE_ROOT)
	    || image->inodes[TREE_ROOT].type != FILE_DIRECTORY) {
		dropped = image->magic != 0;
		make_empty(image);
		memset(seen, 0, sizeof(seen));
	}
	if (image->high <= TREE_ROOT || image->high > TREE_INODES) {
		dropped++;
		image->high = TREE_INODES;
	}
	for (uint32_t i = (uint32_t)image->high - 1; i > 0; i--) {
		struct inode *n = tree_inode(t, i);
		bool good = reachable(t, seen, i);
		if (good && n->parent && child(t, n->parent, n->name, n->name_len))
			good = false;           /* a second one of this name */
		if (good) {
			t->n_used++;
			if (n->parent)
				index_add(t, i);
			continue;
		}
		if (n->type) {
			dropped++;
			make_free(n, i, n->generation);
		}
		t->next[i] = t->free_first;
		t->free_first = (uint16_t)i;
	}
	/* Of two of one name the one that went may have been a directory: what hung below it goes too. */
	for (bool again = dropped > 0; again;) {
		again = false;
		for (uint32_t i = TREE_ROOT + 1; i < image->high; i++) {
			struct inode *n = tree_inode(t, i);
			if (!linked(n) || tree_inode(t, n->parent)->type == FILE_DIRECTORY)
				continue;
			index_remove(t, i);
			make_free(n, i, n->generation);
			t->next[i] = t->free_first;
			t->free_first = (uint16_t)i;
			t->n_used--;
			dropped++;
			again = true;
		}
	}
	return dropped;
}

/* ---- finding ---- */

uint64_t tree_badge(struct tree *t, uint32_t ino, uint16_t flags)
{
	return (uint64_t)tree_inode(t, ino)->generation << 32 | (uint64_t)flags << 16 | ino;
}

uint32_t tree_by_badge(struct tree *t, uint64_t badge)
{
	uint32_t ino = badge & 0xffff;

	if (badge == 0)
		return TREE_ROOT;
	return ino && ino < t->image->high && tree_inode(t, ino)->type && tree_inode(t, ino)->generation == badge >> 32 ? ino : 0;
}

status_t tree_find(struct tree *t, uint32_t dir, const char *path, size_t len, uint32_t *ino)
{
	const char *end = path + len;
	uint32_t at = dir;

	while (path < end) {
		const char *slash = memchr(path, '/', (size_t)(end - path)), *name = path;
		size_t n = (size_t)((slash ? slash : end) - name);
		path = slash ? slash + 1 : end;
		if (tree_inode(t, at)->type != FILE_DIRECTORY)
			return ERR_NOT_DIRECTORY;
		if (n == 0 || (n == 1 && name[0] == '.'))
			continue;
		if (n == 2 && name[0] == '.' && name[1] == '.') {
			if (at != dir)
				at = tree_inode(t, at)->parent;
			continue;
		}
		if (n > NAME_MAX_BYTES)
			return ERR_TOO_LONG;
		at = child(t, at, name, n);
		if (!at)
			return ERR_NOT_FOUND;
	}
	/* "file/" asks for a directory; the loop saw no part after the slash. */
	if (len > 0 && end[-1] == '/' && tree_inode(t, at)->type != FILE_DIRECTORY)
		return ERR_NOT_DIRECTORY;
	*ino = at;
	return OK;
}

status_t tree_place(struct tree *t, uint32_t dir, const char *path, size_t len, struct place *p)
{
	size_t end = len;

	while (end > 0 && path[end - 1] == '/')
		end--;
	size_t begin = end;
	while (begin > 0 && path[begin - 1] != '/')
		begin--;
	if (end - begin > NAME_MAX_BYTES)
		return ERR_TOO_LONG;
	if (!name_good(path + begin, end - begin))
		return ERR_INVALID;
	uint32_t in;
	status_t st = tree_find(t, dir, path, begin, &in);
	if (st < 0)
		return st;
	if (tree_inode(t, in)->type != FILE_DIRECTORY)
		return ERR_NOT_DIRECTORY;
	*p = (struct place){
		.dir = in, .ino = child(t, in, path + begin, end - begin), .name = path + begin,
		.name_len = (uint32_t)(end - begin), .slash = end < len,
	};
	return OK;
}

uint32_t tree_next(struct tree *t, uint32_t dir, uint32_t after)
{
	if (t->children[dir])
		for (uint32_t i = after + 1; i < t->image->high; i++)
			if (tree_inode(t, i)->parent == dir && tree_inode(t, i)->type)
				return i;
	return 0;
}

/* ---- plans ---- */

/* Part of a change: a copy of the inode, to be altered. */
static struct inode *plan(struct tree *t, struct change *c, uint32_t ino, size_t len)
{
	c->part[c->n].ino = (uint16_t)ino;
	c->part[c->n].len = (uint16_t)len;
	c->part[c->n].to = *tree_inode(t, ino);
	return &c->part[c->n++].to;
}

static void put_name(struct inode *n, uint32_t ino, const struct place *p)
{
	memset(n->name, 0, sizeof(n->name));
	memcpy(n->name, p->name, p->name_len);
	n->name_len = (uint8_t)p->name_len;
	n->parent = p->dir;
	n->sum = inode_sum(n, ino);
}

/* A free inode, the head of the free list; 0: there is none. One never used before joins the list first, which nobody sees. */
static uint32_t free_inode(struct tree *t)
{
	uint32_t high = (uint32_t)t->image->high;

	if (!t->free_first && high < TREE_INODES) {
		make_free(tree_inode(t, high), high, tree_inode(t, high)->generation);
		__atomic_store_n(&t->image->high, high + 1, __ATOMIC_SEQ_CST);
		t->next[high] = 0;
		t->free_first = (uint16_t)high;
	}
	return t->free_first;
}

/* A name goes: the inode stays as long as Sessions name it. */
static void plan_unlinked(struct tree *t, struct change *c, uint32_t ino)
{
	struct inode *n = plan(t, c, ino, sizeof(*n));

	if (n->opens == 0) {
		make_free(n, ino, n->generation);
		return;
	}
	n->parent = 0;
	n->name_len = 0;
	memset(n->name, 0, sizeof(n->name));
	n->sum = inode_sum(n, ino);
}

static bool is_unlinked(struct tree *t, uint32_t ino)
{
	return ino != TREE_ROOT && !tree_inode(t, ino)->parent;
}

status_t tree_plan_create(struct tree *t, struct change *c, const struct place *p, int type, uint16_t mode, uint32_t opens)
{
	c->n = 0;
	if (is_unlinked(t, p->dir))
		return ERR_NOT_FOUND;
	if (p->slash && type != FILE_DIRECTORY)
		return ERR_IS_DIRECTORY;
	uint32_t ino = free_inode(t);
	if (!ino)
		return ERR_NO_SPACE;
	struct inode *n = plan(t, c, ino, sizeof(*n));
	*n = (struct inode){ .opens = opens, .generation = n->generation ? n->generation : 1, .type = (uint8_t)type, .mode = mode };
	put_name(n, ino, p);
	return OK;
}

status_t tree_plan_unlink(struct tree *t, struct change *c, const struct place *p, bool directory)
{
	c->n = 0;
	if (!p->ino)
		return ERR_NOT_FOUND;
	bool is_directory = tree_inode(t, p->ino)->type == FILE_DIRECTORY;
	if (is_directory && !directory)
		return ERR_IS_DIRECTORY;
	if (!is_directory && (directory || p->slash))
		return ERR_NOT_DIRECTORY;
	if (t->children[p->ino])
		return ERR_NOT_EMPTY;
	plan_unlinked(t, c, p->ino);
	return OK;
}

status_t tree_plan_rename(struct tree *t, struct change *c, const struct place *from, const struct place *to)
{
	c->n = 0;
	if (!from->ino || is_unlinked(t, to->dir))
		return ERR_NOT_FOUND;
	bool directory = tree_inode(t, from->ino)->type == FILE_DIRECTORY;
	if (!directory && (from->slash || to->slash))
		return ERR_NOT_DIRECTORY;
	if (to->ino == from->ino)
		return OK;
	for (uint32_t up = to->dir; directory && up; up = tree_inode(t, up)->parent)
		if (up == from->ino)
			return ERR_INVALID;     /* a directory cannot move below itself */
	if (to->ino) {
		bool onto_directory = tree_inode(t, to->ino)->type == FILE_DIRECTORY;
		if (onto_directory != directory)
			return onto_directory ? ERR_IS_DIRECTORY : ERR_NOT_DIRECTORY;
		if (t->children[to->ino])
			return ERR_NOT_EMPTY;
		plan_unlinked(t, c, to->ino);
	}
	struct inode *n = plan(t, c, from->ino, sizeof(*n));
	put_name(n, from->ino, to);
	return OK;
}

status_t tree_plan_open(struct tree *t, struct change *c, uint32_t ino, uint64_t size)
{
	c->n = 0;
	struct inode *n = plan(t, c, ino, INODE_HEAD);
	if (n->opens == UINT32_MAX)
		return ERR_NO_SPACE;
	n->opens++;
	n->size = size;
	return OK;
}

status_t tree_plan_close(struct tree *t, struct change *c, uint32_t ino)
{
	c->n = 0;
	const struct inode *now = tree_inode(t, ino);
	if (now->opens == 0)
		return ERR_NOT_FOUND;
	bool last = now->opens == 1 && is_unlinked(t, ino);
	struct inode *n = plan(t, c, ino, last ? sizeof(*n) : INODE_HEAD);
	n->opens--;
	if (last)
		make_free(n, ino, n->generation);
	return OK;
}

void tree_plan_size(struct tree *t, struct change *c, uint32_t ino, uint64_t size)
{
	c->n = 0;
	plan(t, c, ino, INODE_HEAD)->size = size;
}

/* ---- commit ---- */

static void commit_part(struct tree *t, uint32_t ino, bool before)
{
	const struct inode *n = tree_inode(t, ino);

	if (!n->type) {
		/* Free before: it is the head of the free list, where plan_create looked. */
		if (before) {
			t->free_first = t->next[ino];
			t->n_used++;
		} else {
			t->next[ino] = t->free_first;
			t->free_first = (uint16_t)ino;
			t->n_used--;
		}
	} else if (n->parent) {
		if (before)
			index_remove(t, ino);
		else
			index_add(t, ino);
	}
}

void tree_commit(struct tree *t, struct intent_log *log, uint64_t op_id, const struct change *c, const struct intent_answer *answer)
{
	bool fits = true;

	intent_begin(log, op_id, 0);
	for (unsigned i = 0; i < c->n; i++)
		fits &= intent_set(log, tree_inode(t, c->part[i].ino), &c->part[i].to, c->part[i].len);
	if (!fits)
		__builtin_trap();       /* two inodes fill two thirds of a record */
	intent_commit(log, answer);
	for (unsigned i = 0; i < c->n; i++)
		if (c->part[i].len == sizeof(struct inode))
			commit_part(t, c->part[i].ino, true);
	intent_act(log);
	for (unsigned i = 0; i < c->n; i++)
		if (c->part[i].len == sizeof(struct inode))
			commit_part(t, c->part[i].ino, false);
	intent_done(log);
}

/*
 * tmpd: files in memory, `tmp://`. It may be killed at any instruction: its clients see a pause.
 *
 * All that it knows lies outside it. The tree (tree.h) is in a Frame in slot 0 of its shelf; the content of inode n is the
 * Frame in slot n (content.h); the state Frame holds the intents (rt/intent.h), by which everything that must not be done
 * twice is done once. A Session's badge is inode and generation, and the inode counts its Sessions, so there is no
 * table of open files to lose.
 *
 * Files: tree.c names, content.c bytes; here is the protocol.
 */
#include "content.h"
#include "tree.h"
#include <gen/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <rt/state.h>
#include <rt/svc.h>
#include <string.h>

#define VERSION        1
#define TREE_SLOT      0
#define FILE_MAX_BYTES (1 * GiB)        /* less where the Budget is smaller */
#define CHUNK          (64 * KiB)
#define BADGE_APPEND   1                /* a badge's flag: every write of this Session goes to the end */
#define SESSION_RIGHTS (RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER)
#define OPEN_CHANGES   (OPEN_WRITE | OPEN_APPEND | OPEN_TRUNC)

enum { RECORDS = 32 };                  /* one thread: one command under way, and one is enough */

static struct tree tree;
static struct intent_log intents;
static struct state state;
static char chunk[CHUNK] aligned(64);

/* ---- exactly once ---- */

/*
 * Whether an earlier instance has already done this command: then its answer is given again. First thing in every
 * handler of an operation that must not be done twice. reply: the protocol's record, as kept by `commit`.
 */
static bool repeated(struct svc_cmd *c, void *reply, size_t size, status_t *st)
{
	if (!c->redelivered) {
		intent_settle(&intents);
		return false;
	}
	const struct intent_answer *a = intent_find(&intents, svc_op_id(c));
	if (!a)
		return false;
	if (size)
		memcpy(reply, a->w, size);
	c->mint = a->mint;
	c->mint_badge = a->mint_badge;
	c->mint_rights = a->mint_rights;
	*st = a->status;
	return true;
}

static void commit(const struct svc_cmd *c, const struct change *ch, const void *reply, size_t size)
{
	struct intent_answer a = { .status = OK, .mint = c->mint, .mint_badge = c->mint_badge, .mint_rights = c->mint_rights };

	if (size)
		memcpy(a.w, reply, size);
	tree_commit(&tree, &intents, svc_op_id(c), ch, &a);
	/* What is free has no content; a death before this line leaves it to the sweep at the next start. */
	for (unsigned i = 0; i < ch->n; i++)
		if (!ch->part[i].to.type && ch->part[i].len == sizeof(struct inode))
			content_drop(ch->part[i].ino);
}

/* ---- names ---- */

static uint32_t inode_of(const struct svc_cmd *c)
{
	return tree_by_badge(&tree, c->badge);
}

static status_t find(const struct svc_cmd *c, uint32_t *ino)
{
	*ino = inode_of(c);
	if (!*ino)
		return ERR_NOT_FOUND;
	return c->path ? tree_find(&tree, *ino, c->path, c->path_len, ino) : OK;
}

static status_t place(const struct svc_cmd *c, const char *path, size_t len, struct place *p)
{
	uint32_t dir = inode_of(c);

	return dir ? tree_place(&tree, dir, path, len, p) : ERR_NOT_FOUND;
}

/* ---- opening ---- */

static void mint(struct svc_cmd *c, uint64_t badge, uint32_t flags)
{
	uint32_t rights = SESSION_RIGHTS;

	if (flags & OPEN_READ)
		rights |= RIGHT_READ;
	if (flags & OPEN_CHANGES)
		rights |= RIGHT_WRITE;
	c->mint = true;
	c->mint_badge = badge;
	c->mint_rights = rights & (c->rights | ~(uint32_t)(RIGHT_READ | RIGHT_WRITE));
}

static status_t open_existing(struct svc_cmd *c, uint32_t ino, uint32_t flags, struct file_open_rep *p)
{
	const struct inode *n = tree_inode(&tree, ino);
	bool directory = n->type == FILE_DIRECTORY, cut = (flags & OPEN_TRUNC) && n->size > 0;
	struct change ch;

	if ((flags & OPEN_CREATE) && (flags & OPEN_EXCL))
		return ERR_EXISTS;
	if (!directory && (flags & OPEN_DIRECTORY))
		return ERR_NOT_DIRECTORY;
	if (directory && (flags & (OPEN_TRUNC | OPEN_APPEND)))
		return ERR_IS_DIRECTORY;
	p->type = n->type;
	p->size = cut ? 0 : n->size;
	mint(c, tree_badge(&tree, ino, flags & OPEN_APPEND ? BADGE_APPEND : 0), flags);
	status_t st = tree_plan_open(&tree, &ch, ino, p->size);
	if (st < 0)
		return st;
	commit(c, &ch, p, sizeof(*p));
	if (cut)
		content_cut(ino, 0);
	return OK;
}

static status_t open_new(struct svc_cmd *c, uint32_t flags, uint32_t mode, struct file_open_rep *p)
{
	struct change ch = { .n = 0 };
	struct place at;
	status_t st = place(c, c->path, c->path_len, &at);

	if (st == OK && (flags & OPEN_DIRECTORY))
		st = ERR_INVALID;               /* MKDIR makes directories */
	if (st == OK)
		st = tree_plan_create(&tree, &ch, &at, FILE_REGULAR, (uint16_t)mode, 1);
	if (st < 0)
		return st;
	p->type = FILE_REGULAR;
	p->size = 0;
	uint64_t flag = flags & OPEN_APPEND ? BADGE_APPEND : 0;
	mint(c, (uint64_t)ch.part[0].to.generation << 32 | flag << 16 | ch.part[0].ino, flags);
	commit(c, &ch, p, sizeof(*p));
	return OK;
}

static status_t open_or_create(struct svc_cmd *c, uint32_t flags, uint32_t mode, struct file_open_rep *p)
{
	uint32_t ino;
	status_t st;

	if (repeated(c, p, sizeof(*p), &st))
		return st;
	st = find(c, &ino);
	if (st == OK)
		return open_existing(c, ino, flags, p);
	return st == ERR_NOT_FOUND && (flags & OPEN_CREATE) ? open_new(c, flags, mode, p) : st;
}

static status_t on_open(void *self unused, struct svc_cmd *c, const struct file_open_req *q, struct file_open_rep *p)
{
	return open_or_create(c, q->flags, q->mode, p);
}

static status_t on_create(void *self unused, struct svc_cmd *c, const struct file_create_req *q, struct file_create_rep *p)
{
	struct file_open_rep o = { 0 };
	status_t st = open_or_create(c, q->flags | OPEN_CREATE, q->mode, &o);

	p->type = o.type;
	p->size = o.size;
	return st;
}

static void close_one(const struct svc_cmd *c)
{
	struct change ch;
	uint32_t ino = inode_of(c);

	if (c->badge && ino && tree_plan_close(&tree, &ch, ino) == OK)
		commit(c, &ch, NULL, 0);
}

static void on_closing(void *self unused, const struct svc_cmd *c)
{
	struct svc_cmd closing = *c;
	status_t st;

	if (!repeated(&closing, NULL, 0, &st))
		close_one(c);
}

static void on_unminted(void *self unused, uint64_t badge)
{
	intent_settle(&intents);
	close_one(&(struct svc_cmd){ .badge = badge });
}

/* ---- bytes ---- */

static status_t file_of(const struct svc_cmd *c, uint32_t *ino)
{
	*ino = inode_of(c);
	if (!*ino)
		return ERR_NOT_FOUND;
	return tree_inode(&tree, *ino)->type == FILE_DIRECTORY ? ERR_IS_DIRECTORY : OK;
}

static status_t on_read(void *self unused, struct svc_cmd *c, const struct file_read_req *q, struct file_read_rep *p)
{
	uint32_t ino;
	status_t st = file_of(c, &ino);
	if (st < 0)
		return st;
	uint64_t size = tree_inode(&tree, ino)->size;
	if (q->offset >= size)
		return OK;
	uint64_t len = MIN((uint64_t)c->out_len, size - q->offset);
	for (uint64_t at = 0; at < len; at += CHUNK) {
		size_t n = MIN(len - at, (size_t)CHUNK);
		st = content_read(ino, q->offset + at, chunk, n);
		if (st == OK)
			st = svc_write_out(c->cmd, at, chunk, n);
		if (st < 0)
			return st;
	}
	p->done = len;
	return OK;
}

/* The caller's bytes into the file at `offset`, wherever its size is. *done: how far it came. */
static status_t take(const struct svc_cmd *c, uint32_t ino, uint64_t offset, uint64_t *done)
{
	status_t st = OK;

	for (*done = 0; *done < c->in_len && st == OK;) {
		size_t n = MIN(c->in_len - *done, (size_t)CHUNK);
		st = svc_read_in(c->cmd, *done, chunk, n);
		if (st == OK)
			st = content_write(ino, offset + *done, chunk, n);
		if (st == OK)
			*done += n;
	}
	return st;
}

static status_t append(struct svc_cmd *c, uint32_t ino, uint64_t size, struct file_write_rep *p)
{
	struct change ch;
	status_t st = take(c, ino, size, &p->done);     /* behind the end: nobody sees it yet */

	if (st < 0)
		return st;
	tree_plan_size(&tree, &ch, ino, size + p->done);
	commit(c, &ch, p, sizeof(*p));
	return OK;
}

static status_t on_write(void *self unused, struct svc_cmd *c, const struct file_write_req *q, struct file_write_rep *p)
{
	bool at_end = (q->flags & WRITE_APPEND) || (c->badge >> 16 & BADGE_APPEND);
	uint32_t ino;
	status_t st;

	if (at_end && repeated(c, p, sizeof(*p), &st))
		return st;
	st = file_of(c, &ino);
	if (st < 0 || c->in_len == 0)
		return st;
	uint64_t size = tree_inode(&tree, ino)->size, offset = at_end ? size : q->offset;
	if (offset > tree.file_max || c->in_len > tree.file_max - offset)
		return ERR_NO_SPACE;
	st = content_reserve(ino, offset + c->in_len);
	if (st == OK && offset > size)
		st = content_zero(ino, size, offset);
	if (st < 0)
		return st;
	if (at_end)
		return append(c, ino, size, p);
	st = take(c, ino, offset, &p->done);
	if (st < 0 && p->done == 0)
		return st;
	if (offset + p->done > size)
		tree_set_size(&tree, ino, offset + p->done);
	return OK;
}

/* The same size again does no harm: no intent. */
static status_t on_truncate(void *self unused, struct svc_cmd *c, const struct file_truncate_req *q, struct file_truncate_rep *p unused)
{
	uint32_t ino;
	status_t st = file_of(c, &ino);
	if (st < 0)
		return st;
	uint64_t size = tree_inode(&tree, ino)->size;
	if (q->size > tree.file_max)
		return ERR_NO_SPACE;
	if (q->size > size) {
		st = content_zero(ino, size, q->size);
		if (st < 0)
			return st;
	}
	tree_set_size(&tree, ino, q->size);
	if (q->size < size)
		content_cut(ino, q->size);
	return OK;
}

static status_t on_map(void *self unused, struct svc_cmd *c, const struct file_map_req *q, struct file_map_rep *p)
{
	uint32_t ino, rights = RIGHT_READ | RIGHT_MAP | RIGHT_DUP | RIGHT_TRANSFER | RIGHT_INSPECT;
	status_t st = file_of(c, &ino);
	if (st < 0)
		return st;
	uint64_t size = tree_inode(&tree, ino)->size;
	if ((q->prot & PROT_WRITE) && (!(c->rights & RIGHT_WRITE) || (q->prot & PROT_EXEC)))
		return ERR_DENIED;
	if (q->offset > size)
		return ERR_INVALID;
	st = content_reserve(ino, size);
	if (st == OK)
		st = content_zero(ino, size, ALIGN_UP(size, PAGE_SIZE));        /* a mapping shows whole pages */
	if (st < 0)
		return st;
	if (q->prot & PROT_WRITE)
		rights |= RIGHT_WRITE;
	if (q->prot & PROT_EXEC)
		rights |= RIGHT_EXEC;
	st = content_share(ino, rights, &c->reply_handle);
	c->reply_close = st == OK;
	p->frame_offset = q->offset;        /* the Frame holds the whole file from its first byte */
	p->file_size = size;
	return st;
}

/* ---- names come and go ---- */

static status_t on_unlink(void *self unused, struct svc_cmd *c, const struct file_unlink_req *q, struct file_unlink_rep *p)
{
	struct change ch;
	struct place at;
	status_t st;

	if (repeated(c, p, sizeof(*p), &st))
		return st;
	st = place(c, c->path, c->path_len, &at);
	if (st == OK)
		st = tree_plan_unlink(&tree, &ch, &at, q->flags & UNLINK_DIR);
	if (st == OK)
		commit(c, &ch, p, sizeof(*p));
	return st;
}

static status_t on_rename(void *self unused, struct svc_cmd *c, const struct file_rename_req *q unused, struct file_rename_rep *p)
{
	struct change ch;
	struct place from, to;
	status_t st;

	if (repeated(c, p, sizeof(*p), &st))
		return st;
	size_t first = strlen(c->path);
	if (first + 1 >= c->path_len)
		return ERR_INVALID;
	st = place(c, c->path, first, &from);
	if (st == OK)
		st = place(c, c->path + first + 1, c->path_len - first - 1, &to);
	if (st == OK)
		st = tree_plan_rename(&tree, &ch, &from, &to);
	if (st == OK && ch.n > 0)
		commit(c, &ch, p, sizeof(*p));
	return st;
}

static status_t on_mkdir(void *self unused, struct svc_cmd *c, const struct file_mkdir_req *q, struct file_mkdir_rep *p)
{
	struct change ch;
	struct place at;
	status_t st;

	if (repeated(c, p, sizeof(*p), &st))
		return st;
	st = place(c, c->path, c->path_len, &at);
	if (st == OK && at.ino)
		st = ERR_EXISTS;
	if (st == OK)
		st = tree_plan_create(&tree, &ch, &at, FILE_DIRECTORY, (uint16_t)q->mode, 0);
	if (st == OK)
		commit(c, &ch, p, sizeof(*p));
	return st;
}

/* ---- looking ---- */

static status_t on_stat(void *self unused, struct svc_cmd *c, const struct file_stat_req *q unused, struct file_stat_rep *p)
{
	uint32_t ino;
	status_t st = find(c, &ino);
	if (st < 0)
		return st;
	const struct inode *n = tree_inode(&tree, ino);
	p->type = n->type;
	p->size = n->size;
	p->ino = ino;
	p->blocks = (n->size + 511) / 512;
	p->mode = n->mode;
	return OK;
}

/* A cookie is the number of the last entry given. */
static status_t on_readdir(void *self unused, struct svc_cmd *c, const struct file_readdir_req *q, struct file_readdir_rep *p)
{
	uint32_t dir = inode_of(c), after = (uint32_t)MIN(q->cookie, (uint64_t)TREE_INODES);
	size_t room = MIN((size_t)c->out_len, sizeof(chunk)), done = 0;

	if (!dir)
		return ERR_NOT_FOUND;
	if (tree_inode(&tree, dir)->type != FILE_DIRECTORY)
		return ERR_NOT_DIRECTORY;
	for (uint32_t i; (i = tree_next(&tree, dir, after)); after = i) {
		const struct inode *n = tree_inode(&tree, i);
		size_t size = dirent_put(chunk + done, room - done, i, n->size, n->type, n->name);
		if (size == 0)
			break;
		done += size;
	}
	p->done = done;
	p->next = after;
	return done ? svc_write_out(c->cmd, 0, chunk, done) : OK;
}

static status_t on_sync(void *self unused, struct svc_cmd *c unused, const struct file_sync_req *q unused, struct file_sync_rep *p unused)
{
	return OK;
}

static status_t on_poll(void *self unused, struct svc_cmd *c unused, const struct file_poll_req *q, struct file_poll_rep *p)
{
	p->ready = q->events & (POLL_IN | POLL_OUT);
	return OK;
}

static const struct file_ops ops = {
	.open = on_open, .read = on_read, .write = on_write, .stat = on_stat, .readdir = on_readdir, .create = on_create,
	.unlink = on_unlink, .rename = on_rename, .mkdir = on_mkdir, .truncate = on_truncate, .sync = on_sync, .map = on_map, .poll = on_poll,
};

/* At the second command the state has proved good for one. */
static void on_begin(void *self unused)
{
	static unsigned begun;

	if (begun < 2 && ++begun == 2)
		state_good(&state);
}

/* ---- start ---- */

/* The tree's Frame from the shelf, or a fresh one put there. */
static struct tree_image *tree_frame(void)
{
	uint64_t size = ALIGN_UP(sizeof(struct tree_image), PAGE_SIZE), va;
	struct frame_info info;
	handle_t h;

	status_t st = shelf_get(state.shelf, TREE_SLOT, &h);
	if (st == OK && (frame_info(h, &info) < 0 || info.size < size)) {
		log_print("the Frame with the tree is too small: it begins empty");
		handle_close(h);
		st = ERR_NOT_FOUND;
	}
	if (st == ERR_NOT_FOUND) {
		/* Intents name bytes of the tree that they were made for. */
		memset(state.memory, 0, state.size);
		MUST(frame_create(size, 0, &h));
		MUST(shelf_put(state.shelf, TREE_SLOT, h));
		st = OK;
	}
	MUST(st);
	MUST(vmem_map(0, h, 0, 0, size, PROT_READ | PROT_WRITE, &va));
	handle_close(h);
	return (struct tree_image *)va;
}

/* Slots of the shelf that something stands for. */
static bool recorded(void *ctx unused, uint32_t slot)
{
	return slot == TREE_SLOT || (slot < tree.image->high && tree_inode(&tree, slot)->type == FILE_REGULAR);
}

static uint64_t file_max(void)
{
	struct budget_info b;

	if (budget_info(0, &b) < 0 || b.limit.pages >= FILE_MAX_BYTES / PAGE_SIZE)
		return FILE_MAX_BYTES;
	return b.limit.pages * PAGE_SIZE;
}

static void recover(void)
{
	struct handle_info port;

	MUST(state_open(&state, VERSION, RECORDS * sizeof(struct intent_record)));
	if (!state.shelf)
		rt_panic("its manifest gives it no shelf");
	struct tree_image *image = tree_frame();
	uint32_t damaged = intent_open(&intents, state.memory, RECORDS, image, sizeof(*image));
	if (damaged)
		log_print("%u damaged intents are dropped", damaged);
	intent_recover(&intents, NULL, NULL);
	/* Stopped and started again we have another Port, and hear of no CLOSE of the one before. */
	MUST(handle_info(start_handle("port"), &port));
	if (image->port != port.object_id) {
		tree_forget_opens(image);
		image->port = port.object_id;
	}
	damaged = tree_attach(&tree, image, file_max());
	if (damaged)
		log_print("%u damaged files are dropped", damaged);
	MUST(state_sweep(&state, recorded, NULL));
	content_init(state.shelf);
}

int main(int argc unused, char **argv unused)
{
	static struct svc svc;

	recover();
	MUST(svc_init(&svc, &file_proto, &ops, NULL));
	svc.on_begin = on_begin;
	svc.on_closing = on_closing;
	svc.on_unminted = on_unminted;
	status_t st = svc_run(&svc);
	if (st < 0)
		rt_panic("the Port failed: %s", error_text(st));
	return 0;
}

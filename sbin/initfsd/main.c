/*
 * initfsd: the first process. It unpacks initfs.tar.gz, serves the files as initfs://, starts
 * initd and stays as file server and as initd's keeper. What it knows of a client is the badge, and
 * a badge is a file's number: there is no state that could be lost.
 *
 * When it ends, the kernel executes it again on the same handle table: the Port with whoever waits there, the
 * unpacked files and initd are found by their tags (kinds.h) and used further.
 *
 * Files: gunzip.c and ustar.c read the archive, load.c puts it into Frames, tree.c finds names (memo.c those asked for again), shelf.c
 * and index.c keep both for the next instance, keeper.c keeps initd; here is the protocol.
 */
#include "keeper.h"
#include "load.h"
#include "memo.h"
#include "shelf.h"
#include <abi/file.h>
#include <gen/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <rt/svc.h>
#include <stdlib.h>
#include <string.h>

/* Badges below are the roots of schemes; 0 is ours. */
#define BADGE_FIRST 0x100
/* A READDIR's cookie after the last entry. */
#define COOKIE_END  UINT64_MAX
#define SESSION_RIGHTS (RIGHT_READ | RIGHT_WRITE | RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER)

static struct tree tree;
static struct memo memo;
static handle_t empty_frame;        /* what MAP gives for a file of no bytes */

static inline uint64_t badge_of(uint32_t number)
{
	return number ? number + BADGE_FIRST : 0;
}

/* The node a Session names. NULL: a badge that we never gave out. */
static inline const struct node *node_of(uint64_t badge)
{
	uint64_t number = badge ? badge - BADGE_FIRST : 0;
	return number < tree.n ? &tree.nodes[number] : NULL;
}

/* The node that a command's path names. */
static status_t find(const struct svc_cmd *c)
{
	const struct node *from = node_of(c->badge);

	if (!from)
		return ERR_INVALID;
	uint32_t dir = (uint32_t)(from - tree.nodes);
	return c->path ? memo_find(&memo, &tree, dir, c->path, c->path_len) : (status_t)dir;
}

static status_t on_open(void *self, struct svc_cmd *c, const struct file_open_req *q, struct file_open_rep *p)
{
	(void)self;
	if (q->flags & (OPEN_WRITE | OPEN_CREATE | OPEN_TRUNC | OPEN_APPEND))
		return ERR_READ_ONLY;
	status_t number = find(c);
	if (number < 0)
		return number;
	const struct node *n = &tree.nodes[number];
	if ((q->flags & OPEN_DIRECTORY) && n->type != FILE_DIRECTORY)
		return ERR_NOT_DIRECTORY;
	p->type = n->type;
	p->size = n->size;
	c->mint = true;
	c->mint_badge = badge_of((uint32_t)number);
	c->mint_rights = SESSION_RIGHTS & (c->rights | ~(uint32_t)(RIGHT_READ | RIGHT_WRITE));
	return OK;
}

static status_t on_read(void *self, struct svc_cmd *c, const struct file_read_req *q, struct file_read_rep *p)
{
	(void)self;
	const struct node *n = node_of(c->badge);
	if (!n)
		return ERR_INVALID;
	if (n->type == FILE_DIRECTORY)
		return ERR_IS_DIRECTORY;
	return svc_read_from(c, q->offset, n->data, n->size, &p->done);
}

static status_t on_stat(void *self, struct svc_cmd *c, const struct file_stat_req *q, struct file_stat_rep *p)
{
	(void)self;
	(void)q;
	status_t number = find(c);
	if (number < 0)
		return number;
	const struct node *n = &tree.nodes[number];
	p->type = n->type;
	p->size = n->size;
	p->mtime = (int64_t)n->mtime;
	p->ino = badge_of((uint32_t)number);
	p->blocks = (n->size + 511) / 512;
	p->mode = n->mode;
	return OK;
}

/* A cookie is the number of the entry to go on with; it may come from anybody, so it is checked. */
static status_t on_readdir(void *self, struct svc_cmd *c, const struct file_readdir_req *q, struct file_readdir_rep *p)
{
	static char buf[16 * KiB] aligned(8);
	(void)self;
	const struct node *dir = node_of(c->badge);
	if (!dir)
		return ERR_INVALID;
	if (dir->type != FILE_DIRECTORY)
		return ERR_NOT_DIRECTORY;
	uint32_t self_number = (uint32_t)(dir - tree.nodes), at = dir->first_child;
	if (q->cookie == COOKIE_END)
		at = 0;
	else if (q->cookie != 0) {
		if (q->cookie >= tree.n || tree.nodes[q->cookie].parent != self_number)
			return ERR_INVALID;
		at = (uint32_t)q->cookie;
	}
	size_t room = MIN((size_t)c->out_len, sizeof(buf)), done = 0;
	for (; at; at = tree.nodes[at].next) {
		const struct node *n = &tree.nodes[at];
		size_t size = dirent_put(buf + done, room - done, badge_of(at), n->size, n->type, tree_name(&tree, at));
		if (size == 0)
			break;
		done += size;
	}
	p->done = done;
	p->next = at ? at : COOKIE_END;
	return done ? svc_write_out(c->cmd, 0, buf, done) : OK;
}

static status_t on_map(void *self, struct svc_cmd *c, const struct file_map_req *q, struct file_map_rep *p)
{
	(void)self;
	const struct node *n = node_of(c->badge);
	if (!n)
		return ERR_INVALID;
	if (n->type == FILE_DIRECTORY)
		return ERR_IS_DIRECTORY;
	if (q->prot & PROT_WRITE)
		return ERR_READ_ONLY;
	if (q->offset > n->size)
		return ERR_INVALID;
	c->reply_handle = n->frame ? n->frame : empty_frame;
	p->frame_offset = q->offset;        /* the Frame holds the whole file from its first byte */
	p->file_size = n->size;
	return OK;
}

static status_t on_poll(void *self, struct svc_cmd *c, const struct file_poll_req *q, struct file_poll_rep *p)
{
	(void)self;
	(void)c;
	p->ready = q->events & POLL_IN;
	return OK;
}

static status_t on_sync(void *self, struct svc_cmd *c, const struct file_sync_req *q, struct file_sync_rep *p)
{
	(void)self;
	(void)c;
	(void)q;
	(void)p;
	return OK;
}

/* Everything that would change something. */
#define REFUSE(op) static status_t on_##op(void *self, struct svc_cmd *c, const struct file_##op##_req *q, \
	                                   struct file_##op##_rep *p) \
	{ (void)self; (void)c; (void)q; (void)p; return ERR_READ_ONLY; }
REFUSE(write)
REFUSE(create)
REFUSE(unlink)
REFUSE(rename)
REFUSE(mkdir)
REFUSE(truncate)

static void on_notify(void *self, uint64_t badge, uint64_t bits)
{
	(void)self;
	(void)bits;
	keeper_notify(badge);
}

static const struct file_ops ops = {
	.open = on_open, .read = on_read, .write = on_write, .stat = on_stat, .readdir = on_readdir,
	.create = on_create, .unlink = on_unlink, .rename = on_rename, .mkdir = on_mkdir,
	.truncate = on_truncate, .sync = on_sync, .map = on_map, .poll = on_poll,
};

/* The archive as the kernel handed it over. A missing one leaves the tree empty. */
static void load(void)
{
	handle_t frame = start_handle("initfs");
	const char *size_text = env_get("INITFS_SIZE");
	uint64_t size = size_text ? strtoul(size_text, NULL, 10) : 0, va;

	if (!frame || size == 0) {
		log_print("initfs: the loader brought no initfs.tar.gz; initfs:// is empty");
		(void)!log_write("", 0);        /* also in a quiet boot */
		return;
	}
	uint64_t mapped = ALIGN_UP(size, PAGE_SIZE);
	status_t st = vmem_map(0, frame, 0, 0, mapped, PROT_READ, &va);
	if (st < 0) {
		log_print("initfs: initfs.tar.gz (%llu bytes) cannot be mapped: %s; initfs:// is empty",
		          (unsigned long long)size, error_text(st));
		(void)!log_write("", 0);
		return;
	}
	load_archive(&tree, (const void *)va, size);
	/* The handle stays: the next instance may need it, should it not trust what we leave. */
	MUST(vmem_unmap(0, va, mapped));
}

/* Read-only like every file. */
static handle_t make_empty_frame(void)
{
	handle_t whole, empty;

	MUST(frame_create(PAGE_SIZE, 0, &whole));
	MUST(handle_dup(whole, LOAD_FRAME_RIGHTS, &empty));
	MUST(handle_tag(empty, TAG(0, KIND_EMPTY)));
	handle_close(whole);
	return empty;
}

/*
 * The Port that initfs:// leads to: nobody stands above us to hand us one, so the first instance makes it. One that was
 * made, but died before its tag, is as good.
 */
static handle_t take_port(struct legacy *l)
{
	handle_t port = legacy_take(l, OBJ_PORT, TAG(0, KIND_PORT));

	if (!port)
		port = legacy_take(l, OBJ_PORT, 0);
	if (!port)
		MUST(port_create(0, &port));
	MUST(handle_tag(port, TAG(0, KIND_PORT)));
	return port;
}

/* What the kernel put into the table stays where it is. */
static void keep_start_handles(struct legacy *l)
{
	static const char *const names[] = { "self", "root", "boot", "ns", "initfs" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		legacy_keep(l, start_handle(names[i]));
}

static bool is_frame(const struct handle_info *h)
{
	return h->type == OBJ_FRAME;
}

int main(int argc, char **argv)
{
	static struct svc svc = { .proto = &file_proto, .ops = &ops, .on_notify = on_notify };

	(void)argc;
	(void)argv;
	struct legacy left;
	/* Whoever reads a file does so on his own account: commands lift us to their senders' priority. */
	MUST(thread_set_priority(0, PRIORITY_NORMAL));
	svc_commit();
	MUST(legacy_read(&left));
	keep_start_handles(&left);
	svc.port = take_port(&left);
	empty_frame = legacy_take(&left, OBJ_FRAME, TAG(0, KIND_EMPTY));
	if (!empty_frame)
		empty_frame = make_empty_frame();
	MUST(tree_init(&tree));
	if (!shelf_read(&tree, &left)) {
		legacy_discard(&left, is_frame);
		load();
		shelf_write(&tree);
	}
	keeper_begin(&svc, &tree, &left);
	status_t st = svc_run(&svc);
	rt_panic("the Port failed: %s", error_text(st));
}

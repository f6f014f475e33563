/*
 * stream: see stream.h.
 */
#include <abi/file.h>
#include <gen/errors.h>
#include <rt/svc.h>
#include <stdlib.h>
#include <string.h>
#include "stream.h"

enum { PIECE = 64, LIGHTS_MAX = 8 /* in one WRITE */, SESSION_RIGHTS = RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER };

void stream_init(struct stream_dir *d)
{
	d->first = NULL;
	d->last = &d->first;
}

const struct stream_file *stream_file(const struct stream_dir *d, uint64_t badge)
{
	return badge >= 1 && badge <= d->n && !d->file[badge - 1].hidden ? &d->file[badge - 1] : NULL;
}

/* Where a command's Session and path lead: a badge. */
static status_t find(const struct stream_dir *d, const struct svc_cmd *c, uint64_t *found)
{
	const char *path = c->path;
	uint64_t badge = c->badge;
	size_t slashes = path ? strspn(path, "/") : 0;

	if (path && !c->path_plain)
		return ERR_INVALID;
	*found = badge;
	if (!path || (!path[slashes] && (badge == 0 || !slashes)))
		return badge == 0 || stream_file(d, badge) ? OK : ERR_NOT_FOUND;
	if (badge != 0)
		return ERR_NOT_DIRECTORY;
	for (uint64_t i = 1; i <= d->n; i++)
		if (stream_file(d, i) && !strcmp(path + slashes, d->file[i - 1].name)) {
			*found = i;
			return OK;
		}
	return ERR_NOT_FOUND;
}

static uint64_t size_of(const struct stream_dir *d, uint64_t badge)
{
	const struct stream_file *f = stream_file(d, badge);

	return f && f->ring ? *f->ring->last * sizeof(struct input_event) : 0;
}

static uint32_t type_of(const struct stream_dir *d, uint64_t badge)
{
	return badge == 0 ? FILE_DIRECTORY : d->file[badge - 1].ring ? FILE_STREAM : FILE_REGULAR;
}

status_t stream_open(void *dir, struct svc_cmd *c, const struct file_open_req *q, struct file_open_rep *p)
{
	struct stream_dir *d = dir;
	uint64_t badge;

	status_t st = find(d, c, &badge);
	if (st < 0)
		return st;
	if (badge && q->flags & OPEN_DIRECTORY)
		return ERR_NOT_DIRECTORY;
	if (!badge && q->flags & OPEN_WRITE)
		return ERR_IS_DIRECTORY;
	if (q->flags & OPEN_EXCL)
		return ERR_EXISTS;
	if (badge && q->flags & OPEN_WRITE && !d->file[badge - 1].writable)
		return ERR_DENIED;
	c->mint = true;
	c->mint_badge = badge;
	c->mint_rights = SESSION_RIGHTS | (q->flags & OPEN_READ ? RIGHT_READ : 0) | (q->flags & OPEN_WRITE ? RIGHT_WRITE : 0);
	p->type = type_of(d, badge);
	p->size = size_of(d, badge);
	return OK;
}

static status_t give(cmd_id_t cmd, const struct ring *r, uint64_t seen, uint32_t room, uint64_t *bytes)
{
	struct input_event piece[PIECE];
	size_t n = ring_get(r, seen, piece, MIN(room, (uint32_t)PIECE));

	*bytes = n * sizeof(*piece);
	return svc_write_out(cmd, 0, piece, *bytes);
}

status_t stream_read(struct stream_dir *d, struct svc_cmd *c, const struct file_read_req *q, struct file_read_rep *p)
{
	const struct stream_file *f = stream_file(d, c->badge);
	uint64_t seen = q->offset / sizeof(struct input_event);
	uint32_t room = c->out_len / sizeof(struct input_event);

	if (c->badge == 0)
		return ERR_IS_DIRECTORY;
	if (!f)
		return ERR_NOT_FOUND;
	if (q->offset % sizeof(struct input_event) || room == 0 || seen > *f->ring->last)
		return ERR_INVALID;
	if (ring_has(f->ring, seen))
		return give(c->cmd, f->ring, seen, room, &p->done);
	struct stream_waiting *w = malloc(sizeof(*w));
	if (!w)
		return ERR_NO_MEMORY;
	*w = (struct stream_waiting){ .cmd = c->cmd, .seen = seen, .room = room, .file = (uint32_t)c->badge - 1 };
	*d->last = w;
	d->last = &w->next;
	return SVC_LATER;
}

status_t stream_stat(void *dir, struct svc_cmd *c, const struct file_stat_req *q unused, struct file_stat_rep *p)
{
	struct stream_dir *d = dir;
	uint64_t badge;

	status_t st = find(d, c, &badge);
	if (st < 0)
		return st;
	*p = (struct file_stat_rep){
		.type = type_of(d, badge), .size = size_of(d, badge), .ino = badge,
		.mode = badge == 0 ? 0555 : d->file[badge - 1].writable ? 0666 : 0444,
	};
	return OK;
}

status_t stream_readdir(void *dir, struct svc_cmd *c, const struct file_readdir_req *q, struct file_readdir_rep *p)
{
	struct stream_dir *d = dir;
	uint8_t buf[STREAM_FILES * 48] aligned(8);      /* less than any READDIR's window holds */
	size_t used = 0;

	if (c->badge != 0)
		return ERR_NOT_DIRECTORY;
	p->next = d->n;
	for (uint64_t i = q->cookie; i < d->n; i++)
		if (stream_file(d, i + 1))
			used += dirent_put(buf + used, sizeof(buf) - used, i + 1, 0, (int)type_of(d, i + 1), d->file[i].name);
	p->done = used;
	return used ? svc_write_out(c->cmd, 0, buf, used) : OK;
}

status_t stream_lights(const struct svc_cmd *c, uint32_t *lights)
{
	struct input_event e[LIGHTS_MAX];
	uint32_t now = *lights;

	if (c->in_len % sizeof(*e) || c->in_len > sizeof(e))
		return ERR_INVALID;
	status_t st = svc_read_in(c->cmd, 0, e, c->in_len);
	if (st < 0)
		return st;
	for (size_t i = 0; i < c->in_len / sizeof(*e); i++) {
		if (e[i].type == EV_SYN)
			continue;
		if (e[i].type != EV_LED || e[i].code > LED_SCROLLL || e[i].value < 0 || e[i].value > 1)
			return ERR_INVALID;
		now = (now & ~(1u << e[i].code)) | (uint32_t)e[i].value << e[i].code;
	}
	*lights = now;
	return OK;
}

static void drop(struct stream_dir *d, struct stream_waiting **link)
{
	struct stream_waiting *w = *link;

	*link = w->next;
	if (!w->next)
		d->last = link;
	free(w);
}

void stream_serve(struct stream_dir *d)
{
	for (struct stream_waiting **link = &d->first; *link;) {
		struct stream_waiting *w = *link;
		const struct ring *r = d->file[w->file].ring;
		struct reply reply = { 0 };
		if (!ring_has(r, w->seen)) {
			link = &w->next;
			continue;
		}
		reply.status = give(w->cmd, r, w->seen, w->room, &reply.w[0]);
		svc_reply(w->cmd, &reply);
		drop(d, link);
	}
}

void stream_cancel(void *dir, cmd_id_t cmd)
{
	struct stream_dir *d = dir;

	for (struct stream_waiting **link = &d->first; *link; link = &(*link)->next)
		if ((*link)->cmd == cmd) {
			svc_reply(cmd, &(struct reply){ .status = ERR_CANCELLED });
			drop(d, link);
			return;
		}
}

/*
 * svc: the accept loop of every service (rt/svc.h). One command at a time: fetch its path, let the
 * generated dispatcher check and run it, answer, accept the next with the same system call. Small commands
 * go round in serve.S without coming here; this file has the rest and all that is decided.
 *
 * What callers do cannot stop the loop: a bad message is answered, a caller that has gone makes the
 * return fail and is forgotten. Only the loss of the Port itself ends it.
 */
#include <abi/file.h>
#include <gen/syscall_numbers.h>
#include <rt/start.h>
#include <rt/svc.h>
#include <string.h>
#include "internal.h"

status_t svc_init(struct svc *s, const struct svc_proto *proto, const void *ops, void *self)
{
	handle_t port = start_handle("port");
	if (!port)
		return ERR_NOT_FOUND;
	svc_commit();
	*s = (struct svc){ .port = port, .proto = proto, .ops = ops, .self = self };
	return OK;
}

/* A command's path, zero-terminated, into `buf` of IPC_PATH_MAX + 1 bytes. */
static status_t fetch_path(const struct event *e, char *buf)
{
	if (e->in_len > IPC_PATH_MAX)
		return ERR_TOO_LONG;
	buf[e->in_len] = 0;
	return e->in_len ? svc_read_in(e->cmd, 0, buf, e->in_len) : OK;
}

/* What the loop does next. */
struct next {
	bool     answer;                /* return `reply` to `cmd` */
	bool     stop;                  /* end after it */
	handle_t close;                 /* ours, to be closed after the answer */
	cmd_id_t cmd;
	struct reply reply;
};

/* A dispatcher's verdict, with what the handler left in c and w, becomes an answer or none. */
static void conclude(struct next *n, const struct svc_cmd *c, status_t st, const uint64_t w[IPC_WORDS])
{
	if (st == SVC_LATER)
		return;
	n->answer = true;
	n->cmd = c->cmd;
	n->reply.status = st;
	if (c->reply_close)
		n->close = c->reply_handle;
	if (st < 0)
		return;
	memcpy(n->reply.w, w, sizeof(n->reply.w));
	n->reply.handles[0] = c->reply_handle;
	n->reply.mint = c->mint;
	n->reply.mint_badge = c->mint_badge;
	n->reply.mint_rights = c->mint_rights;
}

/* A command through the table of the protocol; r: the answer's words. */
static status_t run_handler(const struct svc *s, struct svc_cmd *c, const uint64_t w[IPC_WORDS], uint64_t r[IPC_WORDS])
{
	if (s->on_begin)
		s->on_begin(s->self);
	return c->op < s->proto->n ? s->proto->on[c->op](s->self, c, w, r, s->ops) : ERR_NOT_SUPPORTED;
}

static status_t run_command(struct svc *s, struct event *e, struct svc_cmd *c, char *path, uint64_t r[IPC_WORDS])
{
	if (e->flags & IPC_PATH) {
		status_t st = fetch_path(e, path);
		if (st < 0)
			return st;
		c->path = path;
		c->path_len = e->in_len;
		c->path_plain = strnlen(path, e->in_len) == e->in_len;
	}
	return run_handler(s, c, e->w, r);
}

/* A command that a handler may have kept is wanted back. */
static void take_back(const struct svc *s, cmd_id_t cmd, struct next *n)
{
	if (s->on_cancel) {
		s->on_cancel(s->self, cmd);
		return;
	}
	/* Whoever kept it will find it gone, which svc_reply takes as settled. */
	n->cmd = cmd;
	n->reply.status = ERR_CANCELLED;
	n->answer = true;
}

static void on_command(struct svc *s, struct event *e, char *path, struct next *n)
{
	struct svc_cmd c = {
		.cmd = e->cmd, .badge = e->badge, .op = e->op, .flags = e->flags, .rights = e->rights,
		.in_len = e->in_len, .out_len = e->out_len, .n_handles = e->n_handles,
		.redelivered = (e->flags & IPC_REDELIVERED) != 0,
	};
	memcpy(c.handles, e->handles, sizeof(c.handles));
	uint64_t r[IPC_WORDS] = { 0 };
	status_t st = run_command(s, e, &c, path, r);
	for (size_t i = 0; i < IPC_HANDLES; i++)
		if (c.handles[i])
			handle_close(c.handles[i]);
	conclude(n, &c, st, r);
	/* The instance before this one was to be told, or was, and did not come to answer: nobody says it again. */
	if (st == SVC_LATER && e->flags & IPC_CANCELLED)
		take_back(s, e->cmd, n);
}

static void on_event(struct svc *s, struct event *e, char *path, struct next *n)
{
	n->cmd = e->cmd;
	switch (e->kind) {
	case ACCEPT_COMMAND:
		on_command(s, e, path, n);
		break;
	case ACCEPT_CLOSE:
		if (s->on_closing)
			s->on_closing(s->self, &(struct svc_cmd){ .cmd = e->cmd, .badge = e->badge, .flags = e->flags,
				.redelivered = (e->flags & IPC_REDELIVERED) != 0 });
		else if (s->on_close)
			s->on_close(s->self, e->badge);
		n->answer = true;
		break;
	case ACCEPT_NOTIFY:
		if (e->badge == SVC_BADGE_STOP) {
			if (s->on_stop)
				s->on_stop(s->self);
			n->stop = true;
		} else if (s->on_notify) {
			s->on_notify(s->self, e->badge, e->w[0]);
		}
		break;
	case ACCEPT_CANCEL:
		take_back(s, e->cmd, n);
		break;
	case ACCEPT_COMPLETION:
		if (s->on_completion)
			s->on_completion(s->self, e);
		break;
	case ACCEPT_RECOVERED:
		if (s->on_recovered)
			s->on_recovered(s->self);
		break;
	default:
		break;
	}
	if (s->on_idle)
		s->on_idle(s->self);
}

/* In place of every handler, for services that want to know of every command's beginning or end. */
static status_t run_between(void *self unused, struct svc_cmd *c, const uint64_t w[IPC_WORDS], uint64_t r[IPC_WORDS], const void *service)
{
	const struct svc *s = service;
	status_t st = run_handler(s, c, w, r);
	if (s->on_idle)
		s->on_idle(s->self);
	return st;
}

/* The next system call takes the next event; with f->c.cmd = 0 it answers nothing. */
static void plan_accept(const struct svc *s, struct svc_frame *f)
{
	f->r = (struct ipc_regs){ .rax = SYS_accept, .rdi = s->port, .rbp = FOREVER };
	f->c = (struct svc_cmd){ 0 };
}

/* Sends what is to be sent, as part of the next system call if possible. */
static void plan(const struct svc *s, struct svc_frame *f, struct next *n)
{
	n->reply.mint_silent = f->mint_flags & RETURN_SILENT;
	plan_accept(s, f);
	if (n->answer && !n->close && !n->stop) {
		f->r.rax = f->answer;
		ipc_pack_return(&f->r, n->cmd, &n->reply);
		f->c.cmd = n->cmd;
		f->mint_cmd = n->reply.mint ? n->cmd : 0;
		f->mint_badge = n->reply.mint_badge;
		return;
	}
	if (n->answer)
		svc_reply(n->cmd, &n->reply);
	if (n->close)
		handle_close(n->close);
}

/* The Port is unusable from now on; anything else is about one command or passes by itself. */
static bool port_lost(status_t st)
{
	return st == ERR_BAD_HANDLE || st == ERR_WRONG_TYPE || st == ERR_DENIED || st == ERR_GONE;
}

/* The kernel returned an error. True: serve on. */
static bool recover(const struct svc *s, struct svc_frame *f, status_t st)
{
	if (f->c.cmd) {
		/* If the answer could not go as it was (a bad reply handle), the caller still gets one; if it did go, this is
		   ERR_NOT_FOUND and no harm. Whether the Port is lost shows at the accept that follows. */
		bool was_waiting = ipc_return(f->c.cmd, &(struct reply){ .status = st }) == OK;
		/* A Session that could not be made will never be closed: the open is undone here. */
		if (was_waiting && f->c.cmd == f->mint_cmd && s->on_unminted)
			s->on_unminted(s->self, f->mint_badge);
		else if (was_waiting && f->c.cmd == f->mint_cmd && s->on_close)
			s->on_close(s->self, f->mint_badge);
	} else if (port_lost(st)) {
		return false;
	} else {
		/* NO_MEMORY or LIMIT: wait for others to give something back instead of spinning. */
		thread_yield();
	}
	plan_accept(s, f);
	return true;
}

status_t svc_run(struct svc *s)
{
	char path[IPC_PATH_MAX + 8] aligned(8);
	bool between = s->on_begin || s->on_idle, no_close = !s->on_closing && !s->on_close && !s->on_idle;
	svc_handler *wrapped[SVC_OPS_MAX];
	for (size_t i = 0; i < SVC_OPS_MAX; i++)
		wrapped[i] = run_between;
	struct svc_frame f = {
		.on = between ? wrapped : s->proto->on,
		.ops = between ? s : s->ops,
		.self = s->self,
		.answer = SYS_return_accept | (uint64_t)s->port << 32,
		.n = s->proto->n,
		.path = path,
		.close_at_once = no_close,
		.mint_flags = RETURN_MINT | (no_close ? RETURN_SILENT : 0),
	};
	plan_accept(s, &f);
	for (;;) {
		struct next n = { 0 };
		if (svc_serve(&f) == SERVE_DISPATCHED) {
			conclude(&n, &f.c, (status_t)f.r.r13, f.reply);
		} else {
			struct event e;
			status_t st = ipc_unpack_event(&f.r, &e);
			if (st < 0) {
				if (!recover(s, &f, st))
					return st;
				continue;
			}
			on_event(s, &e, path, &n);
		}
		plan(s, &f, &n);
		if (n.stop)
			return OK;
	}
}

void svc_reply(cmd_id_t cmd, const struct reply *r)
{
	status_t st = ipc_return(cmd, r);
	if (st == OK || st == ERR_NOT_FOUND)
		return;                 /* sent, or nobody is waiting any more */
	struct reply bare = { .status = r->status < 0 ? r->status : st };
	st = ipc_return(cmd, &bare);
	(void)st;                       /* the same: sent, or nobody waits */
}

uint64_t svc_op_id(const struct svc_cmd *c)
{
	struct cmd_info info;

	return cmd_info(c->cmd, &info) == OK ? info.op_id : 0;
}

status_t svc_read_in(cmd_id_t cmd, uint64_t offset, void *buf, size_t len)
{
	for (size_t at = 0; at < len;) {
		uint64_t done = 0;
		status_t st = cmd_read(cmd, offset + at, (char *)buf + at, len - at, &done);
		if (st < 0)
			return st;
		if (done == 0)
			return ERR_INVALID;     /* beyond the window */
		at += done;
	}
	return OK;
}

status_t svc_write_out(cmd_id_t cmd, uint64_t offset, const void *buf, size_t len)
{
	for (size_t at = 0; at < len;) {
		uint64_t done = 0;
		status_t st = cmd_write(cmd, offset + at, (const char *)buf + at, len - at, &done);
		if (st < 0)
			return st;
		if (done == 0)
			return ERR_INVALID;
		at += done;
	}
	return OK;
}

status_t svc_notify(struct svc *s, uint64_t badge, handle_t *notify)
{
	handle_t h;
	status_t st = notify_create(&h);
	if (st < 0)
		return st;
	st = notify_port(h, s->port, badge);
	if (st < 0) {
		handle_close(h);
		return st;
	}
	*notify = h;
	return OK;
}

status_t svc_read_from(const struct svc_cmd *c, uint64_t offset, const void *data, size_t size, uint64_t *done)
{
	*done = 0;
	if (offset >= size)
		return OK;
	size_t n = MIN((size_t)c->out_len, size - (size_t)offset);
	status_t st = svc_write_out(c->cmd, 0, (const char *)data + offset, n);
	if (st < 0)
		return st;
	*done = n;
	return OK;
}

/*
 * svc: the accept loop of every service (rt/svc.h). One command at a time: fetch its path, let the
 * generated dispatcher check and run it, answer, accept the next with the same system call.
 *
 * What callers do cannot stop the loop: a bad message is answered, a caller that has gone makes the
 * return fail and is forgotten. Only the loss of the Port itself ends it.
 */
#include <abi/file.h>
#include <rt/start.h>
#include <rt/svc.h>
#include <string.h>

/* What one event asks of the loop. */
struct outcome {
	bool     answer;                /* return `reply` to the event's command */
	bool     stop;                  /* the loop ends after it */
	handle_t close;                 /* ours, to be closed after the answer */
};

status_t svc_init(struct svc *s, const struct svc_proto *proto, const void *ops, void *self)
{
	handle_t port = start_handle("port");
	if (!port)
		return ERR_NOT_FOUND;
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

static status_t run_command(struct svc *s, const struct event *e, struct svc_cmd *c, struct reply *r, char *path)
{
	if (e->flags & IPC_PATH) {
		status_t st = fetch_path(e, path);
		if (st < 0)
			return st;
		c->path = path;
		c->path_len = e->in_len;
	}
	return s->proto->dispatch(s->ops, s->self, c, e, r);
}

static void on_command(struct svc *s, const struct event *e, struct reply *r, char *path, struct outcome *o)
{
	struct svc_cmd c = {
		.cmd = e->cmd, .badge = e->badge, .op = e->op, .rights = e->rights,
		.in_len = e->in_len, .out_len = e->out_len, .n_handles = e->n_handles,
		.redelivered = (e->flags & IPC_REDELIVERED) != 0,
	};
	memcpy(c.handles, e->handles, sizeof(c.handles));
	status_t st = run_command(s, e, &c, r, path);
	for (size_t i = 0; i < IPC_HANDLES; i++)
		if (c.handles[i])
			handle_close(c.handles[i]);
	if (st == SVC_LATER)
		return;
	o->answer = true;
	r->status = st;
	if (c.reply_close)
		o->close = c.reply_handle;
	if (st < 0)
		return;
	r->handles[0] = c.reply_handle;
	r->mint = c.mint;
	r->mint_badge = c.mint_badge;
	r->mint_rights = c.mint_rights;
}

static struct outcome handle_event(struct svc *s, const struct event *e, struct reply *r, char *path)
{
	struct outcome o = { 0 };
	*r = (struct reply){ 0 };
	switch (e->kind) {
	case ACCEPT_COMMAND:
		on_command(s, e, r, path, &o);
		break;
	case ACCEPT_CLOSE:
		if (s->on_close)
			s->on_close(s->self, e->badge);
		o.answer = true;
		break;
	case ACCEPT_NOTIFY:
		if (e->badge == SVC_BADGE_STOP) {
			if (s->on_stop)
				s->on_stop(s->self);
			o.stop = true;
		} else if (s->on_notify) {
			s->on_notify(s->self, e->badge, e->w[0]);
		}
		break;
	case ACCEPT_CANCEL:
		if (s->on_cancel) {
			s->on_cancel(s->self, e->cmd);
		} else {
			/* Whoever kept it will find it gone, which svc_reply takes as settled. */
			r->status = ERR_CANCELLED;
			o.answer = true;
		}
		break;
	default:
		break;                  /* completions and recovery need nothing from a service that submits nothing */
	}
	if (s->on_idle)
		s->on_idle(s->self);
	return o;
}

/* The Port is unusable from now on; anything else is about one command or passes by itself. */
static bool port_lost(status_t st)
{
	return st == ERR_BAD_HANDLE || st == ERR_WRONG_TYPE || st == ERR_DENIED || st == ERR_GONE;
}

static status_t accept_next(struct svc *s, struct event *e)
{
	for (;;) {
		status_t st = ipc_accept(s->port, FOREVER, e);
		if (st >= 0 || port_lost(st))
			return st;
		/* NO_MEMORY or LIMIT: wait for others to give something back instead of spinning. */
		thread_yield();
	}
}

status_t svc_run(struct svc *s)
{
	char path[IPC_PATH_MAX + 1];
	struct event e;
	struct reply r;
	status_t st = accept_next(s, &e);
	while (st >= 0) {
		cmd_id_t cmd = e.cmd;
		struct outcome o = handle_event(s, &e, &r, path);
		if (o.answer && !o.close && !o.stop) {
			st = ipc_return_accept(cmd, &r, s->port, &e);
			if (st >= 0)
				continue;
			/* If the answer could not go as it was (a bad reply handle), the caller still gets one. */
			svc_reply(cmd, &(struct reply){ .status = st });
		} else {
			if (o.answer)
				svc_reply(cmd, &r);
			if (o.close)
				handle_close(o.close);
			if (o.stop)
				return OK;
		}
		st = accept_next(s, &e);
	}
	return st;
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

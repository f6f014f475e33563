/*
 * socket_name: unix://NAME in a Namespace: listening, connecting, accepting (socket.h).
 */
#include <kernel/mm.h>
#include <kernel/sched.h>
#include <kernel/socket.h>
#include <kernel/syscall.h>

static status_t name_in(user_in_t text, uint64_t len, char name[SOCKET_NAME_MAX])
{
	if (!len || len > SOCKET_NAME_MAX)
		return ERR_INVALID;
	status_t st = copy_in(name, text, len);
	for (uint64_t i = 0; st == OK && i < len; i++)
		if ((uint8_t)name[i] < 0x20 || name[i] == 0x7f)
			st = ERR_INVALID;
	return st;
}

static struct socket *listening_locked(struct namespace *ns, const char *name, uint64_t len)
{
	LIST_EACH(node, &ns->sockets) {
		struct socket *s = CONTAINER_OF(node, struct socket, in_ns);
		if (s->name_len == len && !memcmp(s->name, name, len))
			return s;
	}
	return NULL;
}

/* The name goes first, so that nobody joins the queue while it is emptied. */
void socket_close_listening(struct socket *s)
{
	struct link *k = s->link;
	spin_lock(&s->ns->lock);
	if (!list_empty(&s->in_ns)) {
		list_remove(&s->in_ns);
		s->ns->n_sockets--;
	}
	spin_unlock(&s->ns->lock);
	socket_close_end(s);
	for (;;) {
		spin_lock(&k->lock);
		struct socket *c = list_empty(&k->pending) ? NULL : LIST_FIRST(&k->pending, struct socket, pending);
		if (c) {
			list_remove(&c->pending);
			k->n_pending--;
		}
		spin_unlock(&k->lock);
		if (!c)
			return;
		socket_close_end(c);
		OBJ_PUT(c);
	}
}

status_t sys_socket_listen(handle_t h, user_in_t text, uint64_t len, uint32_t backlog, uint32_t flags, handle_t *out)
{
	struct namespace *ns;
	char name[SOCKET_NAME_MAX];
	/* A name is where others will look: giving it away is for who keeps the Namespace, as with schemes. */
	status_t st = h ? LOOKUP(h, OBJ_NAMESPACE, RIGHT_MANAGE, &ns) : ERR_DENIED;
	if (st == OK)
		st = name_in(text, len, name);
	if (st < 0)
		return st;
	if (flags > SOCKET_PACKET || !backlog || backlog > SOCKET_BACKLOG_MAX)
		return ERR_INVALID;
	struct link *k = link_create(flags, CURRENT_PROCESS->budget, &st);
	struct socket *s = k ? link_end_create(k, 0, &st) : NULL;
	if (!s)
		return st;
	k->backlog = backlog;
	s->listening = true;
	s->ns = OBJ_GET(ns);
	s->name_len = (uint32_t)len;
	memcpy(s->name, name, len);
	spin_lock(&ns->lock);
	if (listening_locked(ns, name, len))
		st = ERR_EXISTS;
	else if (ns->n_sockets == SOCKET_NAMES_MAX)
		st = ERR_NO_SPACE;
	else {
		ns->n_sockets++;
		list_push_back(&ns->sockets, &s->in_ns);
	}
	spin_unlock(&ns->lock);
	if (st == OK)
		st = handle_install(CURRENT_PROCESS->table, &s->obj, RIGHT_ALL, 0, out);
	OBJ_PUT(s);                     /* no handle: destroying it closes it */
	return st;
}

status_t sys_socket_accept(handle_t h, uint64_t deadline, handle_t *out)
{
	struct socket *s;
	status_t st = socket_find(h, RIGHT_SERVE, &s);
	if (st < 0)
		return st;
	if (!s->listening)
		return ERR_INVALID;
	struct link *k = socket_enter(s);
	struct socket *c = list_empty(&k->pending) ? NULL : LIST_FIRST(&k->pending, struct socket, pending);
	if (!c) {
		st = k->end[0] ? socket_wait_locked(s, &k->lane[0].readers, deadline) : ERR_GONE;
	} else if ((st = handle_install(CURRENT_PROCESS->table, &c->obj, RIGHT_ALL, 0, out)) == OK) {
		list_remove(&c->pending);
		k->n_pending--;
		spin_lock(&socket_flight_lock);
		c->link->flight[c->side]--;
		spin_unlock(&socket_flight_lock);
	}
	lane_pass_on_locked(k, &k->lane[0]);
	spin_unlock(&k->lock);
	if (st == OK)
		OBJ_PUT(c);
	return st;
}

static status_t connect(struct socket *s, uint64_t deadline, handle_t *out)
{
	struct socket *end[2], *watched = NULL;
	struct link *k = s->link;
	status_t st = link_pair_create(k->type, end);
	if (st < 0)
		return st;
	spin_lock(&k->lock);
	if (!k->end[0]) {
		st = ERR_NOT_FOUND;
	} else if (k->n_pending == k->backlog) {
		st = socket_wait_locked(s, &k->lane[0].writers, deadline);
	} else if ((st = handle_install(CURRENT_PROCESS->table, &end[0]->obj, RIGHT_ALL, 0, out)) == OK) {
		end[1]->link->flight[1] = 1;
		list_push_back(&k->pending, &OBJ_GET(end[1])->pending);
		k->n_pending++;
		watched = socket_watched_locked(k, 0, SOCKET_READABLE);
	}
	lane_pass_on_locked(k, &k->lane[0]);
	spin_unlock(&k->lock);
	if (unlikely(watched))
		socket_tell(watched, SOCKET_READABLE, false);
	OBJ_PUT(end[0]);
	OBJ_PUT(end[1]);
	return st;
}

status_t sys_socket_connect(handle_t h, user_in_t text, uint64_t len, uint64_t deadline, handle_t *out)
{
	struct namespace *ns = CURRENT_PROCESS->ns;
	struct socket *s = NULL;
	char name[SOCKET_NAME_MAX];
	socket_wait_leave(current_thread());
	status_t st = h ? LOOKUP(h, OBJ_NAMESPACE, RIGHT_INSPECT, &ns) : OK;
	if (st == OK)
		st = name_in(text, len, name);
	if (st < 0)
		return st;
	spin_lock(&ns->lock);
	s = listening_locked(ns, name, len);
	if (s && !object_try_get(&s->obj))
		s = NULL;
	spin_unlock(&ns->lock);
	if (!s)
		return ERR_NOT_FOUND;
	st = connect(s, deadline, out);
	OBJ_PUT(s);
	return st;
}

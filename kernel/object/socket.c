/*
 * socket: making, closing and binding the ends of connections (socket.h). Waiting, data and names have files of their own.
 */
#include <kernel/account.h>
#include <kernel/budget.h>
#include <kernel/mm.h>
#include <kernel/socket.h>
#include <kernel/syscall.h>

struct link *link_create(uint32_t type, struct budget *payer, status_t *why)
{
	struct link *k = budget_kmalloc(payer, sizeof(*k));
	*why = k ? OK : ERR_NO_MEMORY;
	if (!k)
		return NULL;
	k->type = (uint8_t)type;
	k->payer = OBJ_GET(payer);
	list_init(&k->woken);
	list_init(&k->pending);
	for (unsigned i = 0; i < 2; i++) {
		list_init(&k->lane[i].readers);
		list_init(&k->lane[i].writers);
	}
	return k;
}

static void link_destroy(struct link *k)
{
	struct budget *payer = k->payer;
	for (unsigned i = 0; i < 2 * SOCKET_PAGES; i++) {
		char *page = k->lane[i / SOCKET_PAGES].page[i % SOCKET_PAGES];
		if (!page)
			continue;
		budget_page_free(payer, HHDM_PHYS(page));
		ACCOUNT_SUB(pages_sockets, 1);
	}
	budget_kfree(payer, k, sizeof(*k));
	OBJ_PUT(payer);
}

struct socket *link_end_create(struct link *k, unsigned side, status_t *why)
{
	struct socket *s = (struct socket *)object_create(OBJ_SOCKET, sizeof(*s), k->payer, why);
	if (!s) {
		if (!k->n_ends)
			link_destroy(k);
		return NULL;
	}
	s->link = k;
	s->side = (uint8_t)side;
	for (unsigned i = 0; i < SOCKET_EVENTS; i++)
		watchers_init(&s->watchers[i]);
	list_init(&s->pending);
	list_init(&s->in_ns);
	k->end[side] = s;
	k->n_ends++;
	return s;
}

status_t link_pair_create(uint32_t type, struct socket *end[2])
{
	status_t why = OK;
	struct link *k = link_create(type, CURRENT_PROCESS->budget, &why);
	end[0] = k ? link_end_create(k, 0, &why) : NULL;
	end[1] = end[0] ? link_end_create(k, 1, &why) : NULL;
	if (end[1])
		return OK;
	OBJ_PUT(end[0]);
	return why;
}

/* Nobody takes anything out of l any more: what is in it goes. At most SOCKET_CARGO_MAX in left; their number. */
static unsigned refuse_locked(struct lane *l, struct cargo *left)
{
	unsigned n = 0;
	l->refused = true;
	while (l->n_cargo)
		cargo_unload_locked(l, &left[n++]);
	l->head = l->tail = 0;
	return n;
}

void socket_close_end(struct socket *s)
{
	struct cargo left[SOCKET_CARGO_MAX];
	struct link *k = s->link;
	spin_lock(&k->lock);
	if (k->end[s->side] != s) {
		spin_unlock(&k->lock);
		return;
	}
	k->end[s->side] = NULL;
	unsigned n = refuse_locked(&k->lane[s->side], left);
	k->lane[!s->side].ended = true;
	lane_pass_on_locked(k, &k->lane[0]);
	lane_pass_on_locked(k, &k->lane[1]);
	struct socket *peer = k->end[!s->side];
	if (peer && !object_try_get(&peer->obj))
		peer = NULL;            /* it never had a handle, and waits for its end itself */
	spin_unlock(&k->lock);
	while (n-- > 0)
		cargo_drop(&left[n]);
	for (unsigned i = 0; i < SOCKET_EVENTS; i++) {
		s->watchers[i].fired = true;    /* its bits can be bound to something else */
		if (peer)
			socket_tell(OBJ_GET(peer), (enum socket_event)i, i == SOCKET_CLOSED);
	}
	OBJ_PUT(peer);
}

void socket_last_handle(struct object *o)
{
	struct socket *s = (struct socket *)o;
	if (s->listening)
		socket_close_listening(s);
	else
		socket_close_end(s);
}

bool socket_destroy(struct object *o)
{
	struct socket *s = (struct socket *)o;
	socket_last_handle(o);          /* it may never have had one */
	OBJ_PUT(s->ns);
	spin_lock(&s->link->lock);
	bool last = --s->link->n_ends == 0;
	spin_unlock(&s->link->lock);
	if (last)
		link_destroy(s->link);
	return true;
}

status_t sys_socket_pair(uint32_t flags, handle_t *a, handle_t *b)
{
	struct table *t = CURRENT_PROCESS->table;
	struct socket *end[2];
	if (flags > SOCKET_PACKET)
		return ERR_INVALID;
	status_t st = link_pair_create(flags, end);
	if (st < 0)
		return st;
	st = handle_install(t, &end[0]->obj, RIGHT_ALL, 0, a);
	if (st == OK) {
		st = handle_install(t, &end[1]->obj, RIGHT_ALL, 0, b);
		if (st < 0)
			(void)handle_close(t, *a);
	}
	OBJ_PUT(end[0]);
	OBJ_PUT(end[1]);
	return st;
}

status_t sys_socket_shutdown(handle_t h, uint32_t how)
{
	struct cargo left[SOCKET_CARGO_MAX];
	struct socket *s;
	unsigned n = 0;
	uint32_t need = (how & SOCKET_END_READ ? RIGHT_READ : 0) | (how & SOCKET_END_WRITE ? RIGHT_WRITE : 0);
	status_t st = socket_find(h, need, &s);
	if (st < 0)
		return st;
	if (s->listening || !how || (how & ~(uint32_t)(SOCKET_END_READ | SOCKET_END_WRITE)))
		return ERR_INVALID;
	struct link *k = socket_enter(s);
	if (how & SOCKET_END_READ)
		n = refuse_locked(&k->lane[s->side], left);
	if (how & SOCKET_END_WRITE)
		k->lane[!s->side].ended = true;
	lane_pass_on_locked(k, &k->lane[0]);
	lane_pass_on_locked(k, &k->lane[1]);
	struct socket *reader = how & SOCKET_END_WRITE ? socket_watched_locked(k, !s->side, SOCKET_READABLE) : NULL;
	struct socket *writer = how & SOCKET_END_READ ? socket_watched_locked(k, !s->side, SOCKET_WRITABLE) : NULL;
	spin_unlock(&k->lock);
	while (n-- > 0)
		cargo_drop(&left[n]);
	if (reader)
		socket_tell(reader, SOCKET_READABLE, false);
	if (writer)
		socket_tell(writer, SOCKET_WRITABLE, false);
	return OK;
}

status_t sys_socket_notify(handle_t h, handle_t notify, uint32_t bit, uint32_t event)
{
	struct socket *s;
	struct notify *n;
	status_t st = socket_find(h, RIGHT_WAIT, &s);
	if (st == OK)
		st = LOOKUP(notify, OBJ_NOTIFY, RIGHT_WAIT, &n);
	if (st != OK)
		return st;
	if (bit > 63 || event >= SOCKET_EVENTS)
		return ERR_INVALID;
	struct watchers *w = &s->watchers[event];
	unsigned count = 0;
	spin_lock(&w->lock);
	LIST_EACH(node, &w->list)
		count++;
	spin_unlock(&w->lock);
	if (count >= SOCKET_WATCH_MAX)
		return ERR_LIMIT;
	st = notify_bind(n, bit, &s->obj, w, CURRENT_PROCESS->budget);
	if (st < 0)
		return st;
	struct link *k = socket_enter(s);
	bool now = socket_happened_locked(k, s->side, (enum socket_event)event);
	spin_unlock(&k->lock);
	if (now)
		notify_signal(n, 1ull << bit);
	return OK;
}

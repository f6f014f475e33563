/*
 * socket: see socket.h. Every call looks at the lane under the link's lock, and does its whole work there or none:
 * copies of at most 32 KiB, then `head` or `tail` moves. A call that must wait has done nothing yet, and begins again
 * when it is woken.
 *
 * Handles under way could hold each other for ever: an end whose last handle lies in the lane that it would read, or in
 * a ring of such lanes. So a Socket is not put under way while others are on their way to it, nor towards one
 * that is (flight_take); chains have one link, and no rings. A handle table or shelf, which could
 * hold any of them, does not travel.
 */
#include <kernel/account.h>
#include <kernel/budget.h>
#include <kernel/mm.h>
#include <kernel/panic.h>
#include <kernel/sched.h>
#include <kernel/socket.h>
#include <kernel/syscall.h>

#define PACKET_ROOM(len) (ALIGN_UP((uint64_t)(len), 4) + 4)    /* its length before it; so a length lies in one page */

static struct spinlock flight_lock;

struct watchers *socket_watchers(struct object *o)
{
	return ((struct socket *)o)->watchers;
}

/* ---- waiting ---- */

static uint64_t room(const struct lane *l)
{
	return SOCKET_BUFFER - (l->head - l->tail);
}

static bool readable(const struct link *k, const struct lane *l)
{
	return l->head != l->tail || l->ended || l->refused || k->n_pending;
}

/* A write of len bytes and n handles need not wait (nor a connect, where connections are accepted). */
static bool writable(const struct link *k, const struct lane *l, uint64_t len, uint32_t n)
{
	if (l->ended || l->refused)
		return true;
	if (k->backlog)
		return k->n_pending < k->backlog;
	return room(l) >= (k->type == SOCKET_PACKET ? PACKET_ROOM(len) : MIN(len, SOCKET_ATOMIC)) && (!n || l->n_cargo < SOCKET_CARGO_MAX);
}

static void wake_locked(struct link *k, struct list *queue, bool direct)
{
	struct thread *t = LIST_FIRST(queue, struct thread, wait_node);
	list_remove(&t->wait_node);
	list_push_back(&k->woken, &t->wait_node);
	t->regs.rip -= 2;               /* the SYSCALL instruction; its registers are as they were */
	if (direct)
		sched_wake_direct(t);
	else
		sched_wake(t);
}

/* Whoever is done with a lane, or no longer waits there, lets the next go on if it can. */
static void pass_on_locked(struct link *k, struct lane *l)
{
	if (unlikely(!list_empty(&l->readers)) && readable(k, l))
		wake_locked(k, &l->readers, l->answer);
	if (unlikely(!list_empty(&l->writers))) {
		const struct regs *r = &LIST_FIRST(&l->writers, struct thread, wait_node)->regs;
		/* What it asks for stands in its registers: the same call has come this far before. */
		if (writable(k, l, r->rdx, (uint32_t)r->r9))
			wake_locked(k, &l->writers, false);
	}
}

static noinline status_t wait_locked(struct socket *s, struct list *queue, uint64_t deadline)
{
	struct thread *t = current_thread();
	if (!deadline)
		return ERR_AGAIN;
	t->wait_socket = OBJ_GET(s);
	list_push_back(queue, &t->wait_node);
	sched_block_current(WAIT_SOCKET, deadline);
	return STATUS_BLOCKED;
}

/* Takes t off the Socket it is listed in; waiting: only if it was not woken meanwhile. */
static noinline bool leave(struct thread *t, bool waiting)
{
	struct socket *s = t->wait_socket;
	if (!s)
		return false;
	struct link *k = s->link;
	spin_lock(&k->lock);
	bool off = t->wait_socket == s && (!waiting || t->wait == WAIT_SOCKET);
	if (off) {
		list_remove(&t->wait_node);
		t->wait_socket = NULL;
		pass_on_locked(k, &k->lane[0]);
		pass_on_locked(k, &k->lane[1]);
	}
	spin_unlock(&k->lock);
	if (off)
		OBJ_PUT(s);
	return off;
}

void socket_wait_leave(struct thread *t)
{
	(void)leave(t, false);
}

void socket_wait_break(struct thread *t, status_t why)
{
	if (leave(t, true)) {
		t->regs.rax = (uint64_t)why;
		sched_wake(t);
	}
}

/* Looks a Socket up. Whatever comes of the call, the thread is not counted on any more for another Socket. */
static status_t find(handle_t h, uint32_t need, struct socket **s)
{
	struct thread *t = current_thread();
	status_t st = handle_lookup(t->table, h, OBJ_SOCKET, need, (struct object **)s, NULL);
	if (unlikely(t->wait_socket && (st < 0 || t->wait_socket != *s)))
		socket_wait_leave(t);
	return st;
}

/* Locks the link; a thread that was woken for this Socket is here now. */
static struct link *enter(struct socket *s)
{
	struct thread *t = current_thread();
	spin_lock(&s->link->lock);
	if (t->wait_socket) {
		list_remove(&t->wait_node);
		t->wait_socket = NULL;
		OBJ_PUT(s);
	}
	return s->link;
}

/* ---- readiness ---- */

/* The end, counted, if somebody is bound to this event of it. */
static struct socket *watched_locked(struct link *k, unsigned side, enum socket_event event)
{
	struct socket *s = k->end[side];
	return s && unlikely(!list_empty(&s->watchers[event].list)) ? OBJ_GET(s) : NULL;
}

/* link unlocked: signals reach Ports, whose locks come first. */
static noinline void tell(struct socket *s, enum socket_event event, bool last)
{
	watchers_fire(&s->watchers[event], last);
	OBJ_PUT(s);
}

static bool happened_locked(struct link *k, unsigned side, enum socket_event event)
{
	if (event == SOCKET_READABLE)
		return readable(k, &k->lane[side]);
	if (event == SOCKET_WRITABLE)
		return writable(k, &k->lane[!side], SOCKET_PACKET_MAX, 1);
	return !k->backlog && !k->end[!side];
}

/* ---- handles under way ---- */

/* Sockets among what c carries towards end `to` of k: counted, or refused (file comment). */
static status_t flight_take(struct link *k, unsigned to, const struct cargo *c)
{
	status_t st = OK;
	spin_lock(&flight_lock);
	for (unsigned i = 0; i < c->n; i++) {
		struct socket *x = (struct socket *)c->object[i];
		if (x->obj.type != OBJ_SOCKET)
			continue;
		if (x->link == k && x->side == to)
			st = ERR_INVALID;
		else if (k->flight[to] || x->link->lane[x->side].n_sockets)
			st = ERR_BUSY;
	}
	for (unsigned i = 0; st == OK && i < c->n; i++) {
		struct socket *x = (struct socket *)c->object[i];
		if (x->obj.type == OBJ_SOCKET) {
			x->link->flight[x->side]++;
			k->lane[to].n_sockets++;
		}
	}
	spin_unlock(&flight_lock);
	return st;
}

/* c goes along with what is put in next. */
static noinline status_t carry(struct link *k, unsigned to, struct cargo *c)
{
	struct lane *l = &k->lane[to];
	status_t st = flight_take(k, to, c);
	if (st < 0)
		return st;
	for (unsigned i = 0; i < c->n; i++)
		object_handle_get(c->object[i]);
	c->at = l->head;
	l->cargo[(l->first_cargo + l->n_cargo++) % SOCKET_CARGO_MAX] = *c;
	return OK;
}

/* The first cargo leaves its lane: its handle counts are the caller's now, to be dropped when k is unlocked. */
static noinline void unload_locked(struct lane *l, struct cargo *c)
{
	*c = l->cargo[l->first_cargo];
	l->first_cargo = (l->first_cargo + 1) % SOCKET_CARGO_MAX;
	l->n_cargo--;
	spin_lock(&flight_lock);
	for (unsigned i = 0; i < c->n; i++)
		if (c->object[i]->type == OBJ_SOCKET) {
			struct socket *x = (struct socket *)c->object[i];
			x->link->flight[x->side]--;
			l->n_sockets--;
		}
	spin_unlock(&flight_lock);
}

static noinline void drop(const struct cargo *c)
{
	for (unsigned i = 0; i < c->n; i++)
		object_handle_put(c->object[i]);
}

/* What a write is to carry; borrowed as yet. */
static noinline status_t load(struct cargo *c, user_in_t handles, uint32_t n)
{
	handle_t h[IPC_HANDLES];
	c->n = n;
	status_t st = n > IPC_HANDLES ? ERR_INVALID : copy_in(h, handles, n * sizeof(h[0]));
	for (unsigned i = 0; st == OK && i < n; i++) {
		st = handle_lookup(CURRENT_PROCESS->table, h[i], OBJ_NONE, RIGHT_TRANSFER, &c->object[i], &c->rights[i]);
		if (st == OK && (c->object[i]->type == OBJ_TABLE || c->object[i]->type == OBJ_SHELF))
			st = ERR_INVALID;
	}
	if (st < 0)
		socket_wait_leave(current_thread());    /* they were good when it began to wait */
	return st;
}

/* Gives the reader handles for what c carries, as far as there is room: all of these, or an error. */
static noinline status_t hand_over(const struct cargo *c, user_out_t to, uint32_t n)
{
	struct table *t = CURRENT_PROCESS->table;
	handle_t h[IPC_HANDLES];
	status_t st = OK;
	uint32_t i;
	for (i = 0; st == OK && i < n; i++)
		st = handle_install(t, c->object[i], c->rights[i], 0, &h[i]);
	if (st < 0)
		i--;
	else
		st = copy_out(to, h, n * sizeof(h[0]));
	while (st < 0 && i-- > 0)
		(void)handle_close(t, h[i]);
	return st;
}

/* ---- making and closing ---- */

static struct link *link_create(uint32_t type, struct budget *payer, status_t *why)
{
	*why = budget_charge(payer, CHARGE_KERNEL, sizeof(struct link));
	if (*why < 0)
		return NULL;
	struct link *k = kmalloc(sizeof(*k));
	if (!k) {
		budget_release(payer, CHARGE_KERNEL, sizeof(*k));
		*why = ERR_NO_MEMORY;
		return NULL;
	}
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
	for (unsigned i = 0; i < 2 * SOCKET_PAGES; i++) {
		char *page = k->lane[i / SOCKET_PAGES].page[i % SOCKET_PAGES];
		if (!page)
			continue;
		page_free(HHDM_PHYS(page), 0);
		budget_release(k->payer, CHARGE_PAGES, 1);
		ACCOUNT_SUB(pages_sockets, 1);
	}
	budget_release(k->payer, CHARGE_KERNEL, sizeof(*k));
	OBJ_PUT(k->payer);
	kfree(k, sizeof(*k));
}

/* An end of k. When the first cannot be made, k goes too. */
static struct socket *end_create(struct link *k, unsigned side, status_t *why)
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

static status_t pair_create(uint32_t type, struct socket *end[2])
{
	status_t why = OK;
	struct link *k = link_create(type, CURRENT_PROCESS->budget, &why);
	end[0] = k ? end_create(k, 0, &why) : NULL;
	end[1] = end[0] ? end_create(k, 1, &why) : NULL;
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
		unload_locked(l, &left[n++]);
	l->head = l->tail = 0;
	return n;
}

static void close_end(struct socket *s)
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
	pass_on_locked(k, &k->lane[0]);
	pass_on_locked(k, &k->lane[1]);
	struct socket *peer = k->end[!s->side];
	if (peer && !object_try_get(&peer->obj))
		peer = NULL;            /* it never had a handle, and waits for its end itself */
	spin_unlock(&k->lock);
	while (n-- > 0)
		drop(&left[n]);
	for (unsigned i = 0; i < SOCKET_EVENTS; i++) {
		s->watchers[i].fired = true;    /* its bits can be bound to something else */
		if (peer)
			tell(OBJ_GET(peer), (enum socket_event)i, i == SOCKET_CLOSED);
	}
	OBJ_PUT(peer);
}

/* The name goes first, so that nobody joins the queue while it is emptied. */
static void close_listening(struct socket *s)
{
	struct link *k = s->link;
	spin_lock(&s->ns->lock);
	if (!list_empty(&s->in_ns)) {
		list_remove(&s->in_ns);
		s->ns->n_sockets--;
	}
	spin_unlock(&s->ns->lock);
	close_end(s);
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
		close_end(c);
		OBJ_PUT(c);
	}
}

void socket_last_handle(struct object *o)
{
	struct socket *s = (struct socket *)o;
	if (s->listening)
		close_listening(s);
	else
		close_end(s);
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
	status_t st = pair_create(flags, end);
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
	status_t st = find(h, need, &s);
	if (st < 0)
		return st;
	if (s->listening || !how || (how & ~(uint32_t)(SOCKET_END_READ | SOCKET_END_WRITE)))
		return ERR_INVALID;
	struct link *k = enter(s);
	if (how & SOCKET_END_READ)
		n = refuse_locked(&k->lane[s->side], left);
	if (how & SOCKET_END_WRITE)
		k->lane[!s->side].ended = true;
	pass_on_locked(k, &k->lane[0]);
	pass_on_locked(k, &k->lane[1]);
	struct socket *reader = how & SOCKET_END_WRITE ? watched_locked(k, !s->side, SOCKET_READABLE) : NULL;
	struct socket *writer = how & SOCKET_END_READ ? watched_locked(k, !s->side, SOCKET_WRITABLE) : NULL;
	spin_unlock(&k->lock);
	while (n-- > 0)
		drop(&left[n]);
	if (reader)
		tell(reader, SOCKET_READABLE, false);
	if (writer)
		tell(writer, SOCKET_WRITABLE, false);
	return OK;
}

status_t sys_socket_notify(handle_t h, handle_t notify, uint32_t bit, uint32_t event)
{
	struct socket *s;
	struct notify *n;
	status_t st = find(h, RIGHT_WAIT, &s);
	if (st == OK)
		st = LOOKUP(notify, OBJ_NOTIFY, RIGHT_WAIT, &n);
	if (st < 0)
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
	struct link *k = enter(s);
	bool now = happened_locked(k, s->side, (enum socket_event)event);
	spin_unlock(&k->lock);
	if (now)
		notify_signal(n, 1ull << bit);
	return OK;
}

/* ---- names ---- */

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
	struct socket *s = k ? end_create(k, 0, &st) : NULL;
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
	status_t st = find(h, RIGHT_SERVE, &s);
	if (st < 0)
		return st;
	if (!s->listening)
		return ERR_INVALID;
	struct link *k = enter(s);
	struct socket *c = list_empty(&k->pending) ? NULL : LIST_FIRST(&k->pending, struct socket, pending);
	if (!c) {
		st = k->end[0] ? wait_locked(s, &k->lane[0].readers, deadline) : ERR_GONE;
	} else if ((st = handle_install(CURRENT_PROCESS->table, &c->obj, RIGHT_ALL, 0, out)) == OK) {
		list_remove(&c->pending);
		k->n_pending--;
		spin_lock(&flight_lock);
		c->link->flight[c->side]--;
		spin_unlock(&flight_lock);
	}
	if (st != STATUS_BLOCKED)
		pass_on_locked(k, &k->lane[0]);
	spin_unlock(&k->lock);
	if (c && st == OK)
		OBJ_PUT(c);
	return st;
}

static status_t connect(struct socket *s, uint64_t deadline, handle_t *out)
{
	struct socket *end[2], *watched = NULL;
	struct link *k = s->link;
	status_t st = pair_create(k->type, end);
	if (st < 0)
		return st;
	spin_lock(&k->lock);
	if (!k->end[0]) {
		st = ERR_NOT_FOUND;
	} else if (k->n_pending == k->backlog) {
		st = wait_locked(s, &k->lane[0].writers, deadline);
	} else if ((st = handle_install(CURRENT_PROCESS->table, &end[0]->obj, RIGHT_ALL, 0, out)) == OK) {
		end[1]->link->flight[1] = 1;
		list_push_back(&k->pending, &OBJ_GET(end[1])->pending);
		k->n_pending++;
		watched = watched_locked(k, 0, SOCKET_READABLE);
	}
	if (st != STATUS_BLOCKED)
		pass_on_locked(k, &k->lane[0]);
	spin_unlock(&k->lock);
	if (unlikely(watched))
		tell(watched, SOCKET_READABLE, false);
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

/* ---- reading ---- */

always_inline status_t ring_copy(struct lane *l, uint64_t at, uint64_t user, uint64_t n, bool out)
{
	while (n) {
		uint64_t offset = at % PAGE_SIZE, piece = MIN(n, PAGE_SIZE - offset);
		char *mem = l->page[at / PAGE_SIZE % SOCKET_PAGES] + offset;
		status_t st = out ? copy_out((user_out_t){ user }, mem, piece) : copy_in(mem, (user_in_t){ user }, piece);
		if (unlikely(st < 0))
			return st;
		at += piece;
		user += piece;
		n -= piece;
	}
	return OK;
}

static uint32_t *packet_length(struct lane *l, uint64_t at)
{
	return (uint32_t *)(l->page[at / PAGE_SIZE % SOCKET_PAGES] + at % PAGE_SIZE);
}

/* How much of a stream one read takes: not beyond where the next handles come. */
static uint64_t stream_piece(const struct lane *l, uint64_t len)
{
	uint64_t n = MIN(MIN(l->head - l->tail, len), SOCKET_PACKET_MAX);
	if (unlikely(l->n_cargo)) {
		const struct cargo *c = &l->cargo[l->first_cargo], *next = &l->cargo[(l->first_cargo + 1) % SOCKET_CARGO_MAX];
		if (c->at != l->tail)
			n = MIN(n, c->at - l->tail);
		else if (l->n_cargo > 1)
			n = MIN(n, next->at - l->tail);
	}
	return n;
}

/* Takes what a lane with data has. On an error all is as before. left->n: handles to drop. */
always_inline status_t take_locked(struct link *k, struct lane *l, user_out_t buf, uint64_t len, user_out_t handles, uint32_t room_for,
	uint64_t *done, uint64_t *size, uint32_t *got, struct cargo *left)
{
	bool packet = k->type == SOCKET_PACKET;
	uint64_t whole = packet ? *packet_length(l, l->tail) : stream_piece(l, len), n = MIN(whole, len);
	status_t st = ring_copy(l, packet ? l->tail + 4 : l->tail, buf.va, n, true);
	if (unlikely(st == OK && l->n_cargo && l->cargo[l->first_cargo].at == l->tail)) {
		const struct cargo *c = &l->cargo[l->first_cargo];
		*got = MIN(c->n, room_for);
		st = hand_over(c, handles, *got);
		if (st == OK)
			unload_locked(l, left);
	}
	if (unlikely(st < 0))
		return st;
	*done = n;
	*size = whole;
	k->lane[l == &k->lane[0]].answer = true;
	l->tail += packet ? PACKET_ROOM(whole) : n;
	if (l->tail == l->head)
		l->head = l->tail = 0;  /* begin with the page that is in the cache */
	return OK;
}

status_t sys_socket_read(handle_t h, user_out_t buf, uint64_t len, uint64_t deadline, user_out_t handles, uint32_t room_for,
	uint64_t *done, uint64_t *size, uint32_t *got)
{
	struct socket *s, *watched = NULL;
	struct cargo left;
	status_t st = find(h, RIGHT_READ, &s);
	if (unlikely(st < 0))
		return st;
	struct link *k = enter(s);
	struct lane *l = &k->lane[s->side];
	left.n = 0;
	if (l->head != l->tail) {
		bool was_full = room(l) < PACKET_ROOM(SOCKET_PACKET_MAX) || l->n_cargo;
		if (likely(len || k->type == SOCKET_PACKET))
			st = take_locked(k, l, buf, len, handles, room_for, done, size, got, &left);
		if (unlikely(was_full) && st == OK)
			watched = watched_locked(k, !s->side, SOCKET_WRITABLE);
	} else if (unlikely(s->listening)) {
		st = ERR_INVALID;
	} else if (!l->ended && !l->refused && len) {
		st = wait_locked(s, &l->readers, deadline);
		spin_unlock(&k->lock);
		return st;
	}
	pass_on_locked(k, l);
	spin_unlock(&k->lock);
	if (unlikely(left.n))
		drop(&left);
	if (unlikely(watched))
		tell(watched, SOCKET_WRITABLE, false);
	return st;
}

/* ---- writing ---- */

/* Pages for n more bytes. What is there stays if some cannot be had. */
static noinline status_t pages_locked(struct link *k, struct lane *l, uint64_t n)
{
	for (uint64_t at = l->head; at < l->head + n; at = ALIGN_DOWN(at, PAGE_SIZE) + PAGE_SIZE) {
		char **page = &l->page[at / PAGE_SIZE % SOCKET_PAGES];
		if (likely(*page))
			continue;
		status_t st = budget_charge(k->payer, CHARGE_PAGES, 1);
		if (st < 0)
			return st;
		uint64_t phys = page_alloc(0, PAGE_USER);
		if (!phys) {
			budget_release(k->payer, CHARGE_PAGES, 1);
			return ERR_NO_MEMORY;
		}
		*page = HHDM(phys);
		ACCOUNT_ADD(pages_sockets, 1);
	}
	return OK;
}

/* Puts n bytes and what c carries into a lane with room for them. On an error all is as before. */
always_inline status_t put_locked(struct link *k, unsigned to, uint64_t user, uint64_t n, struct cargo *c)
{
	struct lane *l = &k->lane[to];
	bool packet = k->type == SOCKET_PACKET;
	uint64_t moved = packet ? PACKET_ROOM(n) : n;
	uint64_t at = l->head % PAGE_SIZE;
	bool there = at + moved <= PAGE_SIZE && l->page[l->head / PAGE_SIZE % SOCKET_PAGES];
	status_t st = likely(there) ? OK : pages_locked(k, l, moved);
	if (st == OK)
		st = ring_copy(l, packet ? l->head + 4 : l->head, user, n, false);
	if (st == OK && unlikely(c))
		st = carry(k, to, c);
	if (unlikely(st < 0))
		return st;
	if (packet)
		*packet_length(l, l->head) = (uint32_t)n;
	l->head += moved;
	return OK;
}

status_t sys_socket_write(handle_t h, user_in_t buf, uint64_t len, uint64_t deadline, user_in_t handles, uint32_t n, uint64_t *done)
{
	struct socket *s, *watched = NULL;
	struct cargo c;
	status_t st = find(h, RIGHT_WRITE, &s);
	if (st == OK && unlikely(n))
		st = load(&c, handles, n);
	if (unlikely(st < 0))
		return st;
	struct link *k = enter(s);
	struct lane *l = &k->lane[!s->side];
	*done = len;
	if (unlikely(s->listening || (!len && (n || k->type == SOCKET_PACKET)))) {
		st = ERR_INVALID;
	} else if (unlikely(l->refused || l->ended)) {
		st = ERR_GONE;
	} else if (unlikely(k->type == SOCKET_PACKET && len > SOCKET_PACKET_MAX)) {
		st = ERR_TOO_LONG;
	} else if (unlikely(!writable(k, l, len, n))) {
		st = wait_locked(s, &l->writers, deadline);
		spin_unlock(&k->lock);
		return st;
	} else if (likely(len)) {
		if (k->type == SOCKET_STREAM)
			*done = MIN(MIN(len, room(l)), SOCKET_PACKET_MAX);
		st = put_locked(k, !s->side, buf.va, *done, n ? &c : NULL);
		if (st == OK)
			watched = watched_locked(k, !s->side, SOCKET_READABLE);
	}
	pass_on_locked(k, l);
	l->answer = false;
	spin_unlock(&k->lock);
	if (unlikely(watched))
		tell(watched, SOCKET_READABLE, false);
	return st;
}

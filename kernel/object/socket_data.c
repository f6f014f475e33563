/*
 * socket_data: reading and writing. A call looks at the lane under the link's lock, and does its whole work there or
 * none: copies of at most 32 KiB, then `head` or `tail` moves. A call that must wait has done nothing yet, and begins
 * again when it is woken.
 *
 * Handles under way could hold each other for ever: an end whose last handle lies in the lane that it would read, or in
 * a ring of such lanes. So a Socket is not put under way while others are on their way to it, nor towards one
 * that is (flight_take); chains have one link, and no rings. A handle table or shelf, which could hold any of them,
 * does not travel.
 */
#include <kernel/account.h>
#include <kernel/budget.h>
#include <kernel/mm.h>
#include <kernel/sched.h>
#include <kernel/socket.h>
#include <kernel/syscall.h>

/* ---- handles under way ---- */

struct spinlock socket_flight_lock;

/* Sockets among what c carries towards end `to` of k: counted, or refused (file comment). */
static status_t flight_take(struct link *k, unsigned to, const struct cargo *c)
{
	status_t st = OK;
	spin_lock(&socket_flight_lock);
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
	spin_unlock(&socket_flight_lock);
	return st;
}

/* c goes along with what is put in next. */
static noinline status_t cargo_carry_locked(struct link *k, unsigned to, struct cargo *c)
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

noinline void cargo_unload_locked(struct lane *l, struct cargo *c)
{
	*c = l->cargo[l->first_cargo];
	l->first_cargo = (l->first_cargo + 1) % SOCKET_CARGO_MAX;
	l->n_cargo--;
	spin_lock(&socket_flight_lock);
	for (unsigned i = 0; i < c->n; i++)
		if (c->object[i]->type == OBJ_SOCKET) {
			struct socket *x = (struct socket *)c->object[i];
			x->link->flight[x->side]--;
			l->n_sockets--;
		}
	spin_unlock(&socket_flight_lock);
}

noinline void cargo_drop(const struct cargo *c)
{
	for (unsigned i = 0; i < c->n; i++)
		object_handle_put(c->object[i]);
}

/* What a write is to carry; borrowed as yet. */
static noinline status_t cargo_load(struct cargo *c, user_in_t handles, uint32_t n)
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
static noinline status_t cargo_hand_over(const struct cargo *c, user_out_t to, uint32_t n)
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
		st = cargo_hand_over(c, handles, *got);
		if (st == OK)
			cargo_unload_locked(l, left);
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
	status_t st = socket_find(h, RIGHT_READ, &s);
	if (unlikely(st < 0))
		return st;
	struct link *k = socket_enter(s);
	struct lane *l = &k->lane[s->side];
	left.n = 0;
	if (l->head != l->tail) {
		bool was_full = lane_room(l) < PACKET_ROOM(SOCKET_PACKET_MAX) || l->n_cargo;
		if (likely(len || k->type == SOCKET_PACKET))
			st = take_locked(k, l, buf, len, handles, room_for, done, size, got, &left);
		if (unlikely(was_full) && st == OK)
			watched = socket_watched_locked(k, !s->side, SOCKET_WRITABLE);
	} else if (unlikely(s->listening)) {
		st = ERR_INVALID;
	} else if (!l->ended && !l->refused && len) {
		st = socket_wait_locked(s, &l->readers, deadline);
	}
	lane_pass_on_locked(k, l);
	spin_unlock(&k->lock);
	if (unlikely(left.n))
		cargo_drop(&left);
	if (unlikely(watched))
		socket_tell(watched, SOCKET_WRITABLE, false);
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
		uint64_t phys = budget_page(k->payer, false);
		if (!phys)
			return ERR_NO_MEMORY;
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
		st = cargo_carry_locked(k, to, c);
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
	status_t st = socket_find(h, RIGHT_WRITE, &s);
	if (st == OK && unlikely(n))
		st = cargo_load(&c, handles, n);
	if (unlikely(st != OK))
		return st;
	struct link *k = socket_enter(s);
	struct lane *l = &k->lane[!s->side];
	*done = len;
	if (unlikely(s->listening || (!len && (n || k->type == SOCKET_PACKET)))) {
		st = ERR_INVALID;
	} else if (unlikely(l->refused || l->ended)) {
		st = ERR_GONE;
	} else if (unlikely(k->type == SOCKET_PACKET && len > SOCKET_PACKET_MAX)) {
		st = ERR_TOO_LONG;
	} else if (unlikely(!lane_writable(k, l, len, n))) {
		st = socket_wait_locked(s, &l->writers, deadline);
	} else if (likely(len)) {
		if (k->type == SOCKET_STREAM)
			*done = MIN(MIN(len, lane_room(l)), SOCKET_PACKET_MAX);
		st = put_locked(k, !s->side, buf.va, *done, n ? &c : NULL);
		if (st == OK)
			watched = socket_watched_locked(k, !s->side, SOCKET_READABLE);
	}
	lane_pass_on_locked(k, l);
	l->answer = false;
	spin_unlock(&k->lock);
	if (unlikely(watched))
		socket_tell(watched, SOCKET_READABLE, false);
	return st;
}

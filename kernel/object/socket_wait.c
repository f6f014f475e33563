/*
 * socket_wait: threads that wait in a Socket, and those who are told when something happens there (socket.h).
 */
#include <kernel/sched.h>
#include <kernel/socket.h>
#include <kernel/syscall.h>

static bool lane_readable(const struct link *k, const struct lane *l)
{
	return l->head != l->tail || l->ended || l->refused || k->n_pending;
}

bool lane_writable(const struct link *k, const struct lane *l, uint64_t len, uint32_t n)
{
	if (l->ended || l->refused)
		return true;
	if (k->backlog)
		return k->n_pending < k->backlog;
	return lane_room(l) >= (k->type == SOCKET_PACKET ? PACKET_ROOM(len) : MIN(len, SOCKET_ATOMIC)) && (!n || l->n_cargo < SOCKET_CARGO_MAX);
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

void lane_pass_on_locked(struct link *k, struct lane *l)
{
	if (unlikely(!list_empty(&l->readers)) && lane_readable(k, l))
		wake_locked(k, &l->readers, l->answer);
	if (unlikely(!list_empty(&l->writers))) {
		const struct regs *r = &LIST_FIRST(&l->writers, struct thread, wait_node)->regs;
		/* What it asks for stands in its registers: the same call has come this far before. */
		if (lane_writable(k, l, r->rdx, (uint32_t)r->r9))
			wake_locked(k, &l->writers, false);
	}
}

noinline status_t socket_wait_locked(struct socket *s, struct list *queue, uint64_t deadline)
{
	struct thread *t = current_thread();
	if (!deadline)
		return ERR_AGAIN;
	if (unlikely(t->special & SPECIAL_INTERRUPTED)) {
		thread_special_off(t, SPECIAL_INTERRUPTED);
		return ERR_INTERRUPTED;
	}
	t->wait_socket = OBJ_GET(s);
	list_push_back(queue, &t->wait_node);
	sched_block_current(WAIT_SOCKET, deadline);
	return STATUS_BLOCKED;
}

/* Takes t off the Socket it is listed in; why: only if it was not woken meanwhile. */
static noinline bool leave(struct thread *t, status_t why)
{
	struct socket *s = t->wait_socket;
	if (!s)
		return false;
	struct link *k = s->link;
	spin_lock(&k->lock);
	bool off = t->wait_socket == s && (why == OK || (t->wait == WAIT_SOCKET && thread_wait_over(t, why)));
	if (off) {
		list_remove(&t->wait_node);
		t->wait_socket = NULL;
		t->wait = WAIT_NONE;
		lane_pass_on_locked(k, &k->lane[0]);
		lane_pass_on_locked(k, &k->lane[1]);
	}
	spin_unlock(&k->lock);
	if (off)
		OBJ_PUT(s);
	return off;
}

void socket_wait_leave(struct thread *t)
{
	(void)leave(t, OK);
}

bool socket_wait_break(struct thread *t, status_t why)
{
	if (!leave(t, why))
		return false;
	t->regs.rax = (uint64_t)why;
	if (why != ERR_GONE)            /* it dies */
		sched_wake(t);
	return true;
}

struct link *socket_enter(struct socket *s)
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

struct socket *socket_watched_locked(struct link *k, unsigned side, enum socket_event event)
{
	struct socket *s = k->end[side];
	return s && unlikely(!list_empty(&s->watchers[event].list)) ? OBJ_GET(s) : NULL;
}

/* link unlocked: signals reach Ports, whose locks come first. */
noinline void socket_tell(struct socket *s, enum socket_event event, bool last)
{
	watchers_fire(&s->watchers[event], last);
	OBJ_PUT(s);
}

bool socket_happened_locked(struct link *k, unsigned side, enum socket_event event)
{
	if (event == SOCKET_READABLE)
		return lane_readable(k, &k->lane[side]);
	if (event == SOCKET_WRITABLE)
		return lane_writable(k, &k->lane[!side], SOCKET_PACKET_MAX, 1);
	return !k->backlog && !k->end[!side];
}

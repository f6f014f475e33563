/*
 * notify: signal bits. Setting bits never waits and needs no memory; with a Port bound, the first
 * bit set queues the Notify there, and accept takes all bits at once.
 *
 * Order: port.lock, watchers.lock, notify.lock. A binding belongs to its Notify; the source lists it.
 */
#include <kernel/account.h>
#include <kernel/budget.h>
#include <kernel/ipc.h>
#include <kernel/irq.h>
#include <kernel/mm.h>
#include <kernel/notify.h>
#include <kernel/panic.h>
#include <kernel/plant.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>

#define FIRE_PIECE 64u                  /* Notifys told in one go */
#define PERIOD_MAX (1ull << 60)         /* 36 years: deadline + period never wraps */

void watchers_init(struct watchers *w)
{
	list_init(&w->list);
}

struct notify *notify_create(struct budget *payer, status_t *why)
{
	struct notify *n = (struct notify *)object_create(OBJ_NOTIFY, sizeof(*n), payer, why);
	if (n) {
		list_init(&n->in_port);
		list_init(&n->bindings);
	}
	return n;
}

/* What is not so simple: another CPU has a lock that comes first, timers go on, or nobody waits for nothing else. */
static noinline void signal_slowly(struct notify *n)
{
	struct thread *t = NULL;
	spin_lock(&n->lock);
	struct port *p = n->port;
	if (p)
		object_get(&p->obj);
	spin_unlock(&n->lock);
	if (!p)
		return;
	spin_lock(&p->lock);
	spin_lock(&n->lock);
	bool deliver = n->port == p && n->bits && !n->queued && !p->dead;
	if (deliver && !p->pending && !list_empty(&p->waiters)) {
		t = LIST_FIRST(&p->waiters, struct thread, run);
		waiter_off_locked(t);
		regs_event(&t->regs, ACCEPT_NOTIFY, notify_take_locked(n), n->badge);
	} else if (deliver) {
		n->queued = true;
		list_push_back(&p->events, &n->in_port);
		p->pending++;
	}
	spin_unlock(&n->lock);
	spin_unlock(&p->lock);
	if (t)
		sched_wake(t);
	OBJ_PUT(p);
}

/* Bits for a thread that waits for nothing else go into its registers at once. */
void notify_signal(struct notify *n, uint64_t bits)
{
	spin_lock(&n->lock);
	n->bits |= bits;
	struct port *p = n->port;
	if (unlikely(!p || !spin_trylock(&p->lock))) {
		spin_unlock(&n->lock);
	} else if (likely(n->bits && !n->resting && !p->pending && !p->dead && !list_empty(&p->waiters))) {
		struct thread *t = LIST_FIRST(&p->waiters, struct thread, run);
		waiter_off_locked(t);
		regs_event(&t->regs, ACCEPT_NOTIFY, n->bits, n->badge);
		n->bits = 0;
		spin_unlock(&p->lock);
		spin_unlock(&n->lock);
		sched_wake(t);
		return;
	} else {
		spin_unlock(&p->lock);
		spin_unlock(&n->lock);
	}
	signal_slowly(n);
}

static void unqueue(struct notify *n)
{
	struct port *p = __atomic_load_n(&n->port, __ATOMIC_ACQUIRE);
	if (!p)
		return;
	spin_lock(PLANTED(lock_reversed) ? &n->lock : &p->lock);
	spin_lock(PLANTED(lock_reversed) ? &p->lock : &n->lock);
	bool ours = n->port == p;       /* else another CPU was quicker */
	if (ours) {
		if (n->queued) {
			list_remove(&n->in_port);
			p->pending--;
		}
		n->queued = false;
		n->port = NULL;
	}
	spin_unlock(&n->lock);
	spin_unlock(&p->lock);
	if (ours)
		OBJ_PUT(p);
}

status_t notify_set_port(struct notify *n, struct port *p, uint64_t badge)
{
	for (bool set = !p; ; ) {
		unqueue(n);
		if (set)
			break;
		spin_lock(&n->lock);
		set = !n->port;
		if (set) {
			n->port = OBJ_GET(p);
			n->badge = badge;
		}
		spin_unlock(&n->lock);
		if (set)
			break;
	}
	if (!p)
		return OK;
	notify_signal(n, 0);                    /* bits that were there already */
	return OK;
}

/* ---- bindings ---- */

static struct watchers *watchers_of(struct object *o)
{
	switch (o->type) {
	case OBJ_IRQ:     return &((struct irq *)o)->watchers;
	case OBJ_PORT:    return &((struct port *)o)->watchers;
	case OBJ_PROCESS: return &((struct process *)o)->watchers;
	case OBJ_THREAD:  return &CONTAINER_OF(o, struct thread, obj)->watchers;
	default:          return NULL;
	}
}

static struct binding *binding_find_locked(struct notify *n, unsigned bit)
{
	LIST_EACH(node, &n->bindings) {
		struct binding *b = CONTAINER_OF(node, struct binding, in_notify);
		if (b->bit == bit)
			return b;
	}
	return NULL;
}

static void timer_again(struct binding *b)
{
	uint64_t now = clock_ns(), next = MIN(b->timer.deadline, now) + b->period;
	/* Periods that were missed are not made up for. */
	if (next <= now)
		next += (now - next) / b->period * b->period + b->period;
	timer_arm(&b->timer, next);
}

/*
 * A period whose bit nobody has taken yet says nothing new: the timer rests until it is taken. So timers cost no more
 * interrupts than their owner has time to look at, however many there are and however short their periods.
 */
static void timer_fired(struct timer *t)
{
	struct binding *b = CONTAINER_OF(t, struct binding, timer);
	struct notify *n = b->notify;
	uint64_t bit = 1ull << b->bit;
	spin_lock(&n->lock);
	bool rests = b->period && (n->bits & bit);
	if (rests)
		n->resting |= bit;
	else if (b->period)
		timer_again(b);
	spin_unlock(&n->lock);
	if (!rests)
		notify_signal(n, bit);
}

static noinline void timers_again(struct notify *n, uint64_t resting)
{
	for (; resting; resting &= resting - 1) {
		struct binding *b = binding_find_locked(n, (unsigned)__builtin_ctzll(resting));
		if (b && b->period)
			timer_again(b);
	}
}

uint64_t notify_take_locked(struct notify *n)
{
	uint64_t bits = n->bits, resting = n->resting & bits;
	n->bits = 0;
	n->resting = 0;
	if (unlikely(resting))
		timers_again(n, resting);
	return bits;
}

/* Listed at n, and bound to nothing yet. */
static struct binding *binding_create(struct notify *n, unsigned bit, struct budget *payer, status_t *why)
{
	*why = budget_charge(payer, CHARGE_KERNEL, sizeof(struct binding));
	if (*why < 0)
		return NULL;
	struct binding *b = kmalloc(sizeof(*b));
	if (!b) {
		budget_release(payer, CHARGE_KERNEL, sizeof(struct binding));
		*why = ERR_NO_MEMORY;
		return NULL;
	}
	b->notify = n;
	b->bit = (uint8_t)bit;
	b->payer = OBJ_GET(payer);
	b->timer.fire = timer_fired;
	list_init(&b->in_source);
	ACCOUNT_ADD(bindings, 1);
	spin_lock(&n->lock);
	list_push_back(&n->bindings, &b->in_notify);
	spin_unlock(&n->lock);
	return b;
}

static void binding_destroy(struct binding *b)
{
	/* Out of the list first: from then on only the timer itself can arm the timer again. */
	spin_lock(&b->notify->lock);
	list_remove(&b->in_notify);
	spin_unlock(&b->notify->lock);
	timer_cancel(&b->timer);
	struct object *source = __atomic_load_n(&b->source, __ATOMIC_ACQUIRE);
	if (source) {                   /* it may end now; but nothing is freed before this CPU has left the kernel */
		spin_lock(&b->watchers->lock);
		source = b->source;
		list_remove(&b->in_source);
		spin_unlock(&b->watchers->lock);
	}
	if (source)
		object_put(source);
	budget_release(b->payer, CHARGE_KERNEL, sizeof(*b));
	OBJ_PUT(b->payer);
	kfree(b, sizeof(*b));
	ACCOUNT_SUB(bindings, 1);
}

bool notify_destroy(struct object *o)
{
	struct notify *n = (struct notify *)o;
	unqueue(n);
	for (unsigned work = 0; !list_empty(&n->bindings); work++) {
		if (work == 16)
			return false;
		binding_destroy(LIST_FIRST(&n->bindings, struct binding, in_notify));
	}
	return true;
}

/* A process or thread that has ended says nothing more: the binding lets go of it. Its caller has a reference, too. */
static void heard_locked(struct watchers *w, struct binding *b)
{
	struct object *source = b->source;
	list_remove(&b->in_source);
	if (w->fired && (source->type == OBJ_PROCESS || source->type == OBJ_THREAD)) {
		__atomic_store_n(&b->source, NULL, __ATOMIC_RELEASE);
		object_put(source);
	} else {
		list_push_back(&w->list, &b->in_source);
	}
}

/* Has what it was bound to ended? Then the next one finds room. */
static bool ended(const struct binding *b)
{
	struct object *source = __atomic_load_n(&b->source, __ATOMIC_ACQUIRE);
	return source ? source->type != OBJ_IRQ && source->type != OBJ_BUDGET && b->watchers->fired : b->watchers != NULL;
}

static status_t bind_locked(struct notify *n, unsigned bit, struct object *source, struct watchers *w, struct budget *payer, bool *fired)
{
	status_t why = OK;
	spin_lock(&n->lock);
	struct binding *b = binding_find_locked(n, bit);
	spin_unlock(&n->lock);
	if (b && !ended(b))
		return ERR_EXISTS;
	if (b && (b->source || b->payer != payer)) {
		binding_destroy(b);
		b = NULL;
	}
	if (!b)
		b = binding_create(n, bit, payer, &why);
	if (!b)
		return why;
	b->watchers = w;
	object_get(source);
	bool wanted = source->type == OBJ_PORT && port_wanted((struct port *)source);
	spin_lock(&w->lock);
	b->source = source;
	b->seq = w->seq;
	list_push_back(&w->list, &b->in_source);
	*fired = w->fired || wanted;
	if (w->fired)
		heard_locked(w, b);
	spin_unlock(&w->lock);
	return OK;
}

status_t notify_bind(struct notify *n, unsigned bit, struct object *source, struct watchers *w, struct budget *payer)
{
	bool fired = false;
	spin_lock(&n->bind_lock);
	status_t st = bind_locked(n, bit, source, w, payer, &fired);
	spin_unlock(&n->bind_lock);
	if (fired)
		notify_signal(n, 1ull << bit);
	return st;
}

static status_t set_timer_locked(struct notify *n, unsigned bit, uint64_t deadline, uint64_t period, struct budget *payer)
{
	status_t why = OK;
	spin_lock(&n->lock);
	struct binding *b = binding_find_locked(n, bit);
	spin_unlock(&n->lock);
	if (b && __atomic_load_n(&b->source, __ATOMIC_ACQUIRE))
		return ERR_INVALID;
	if (deadline == FOREVER && b)
		binding_destroy(b);
	else if (deadline != FOREVER && !b && !(b = binding_create(n, bit, payer, &why)))
		return why;
	/* In one go: it may be firing on another CPU, or rest and be taken. */
	spin_lock(&n->lock);
	n->resting &= ~(1ull << bit);
	if (deadline != FOREVER) {
		b->watchers = NULL;
		b->period = period;
		timer_arm(&b->timer, deadline);
	}
	spin_unlock(&n->lock);
	return OK;
}

status_t notify_set_timer(struct notify *n, unsigned bit, uint64_t deadline, uint64_t period, struct budget *payer)
{
	spin_lock(&n->bind_lock);
	status_t st = set_timer_locked(n, bit, deadline, period, payer);
	spin_unlock(&n->bind_lock);
	return st;
}

/* ---- events ---- */

static struct spinlock late_lock;
static struct watchers *late_first, **late_end = &late_first;   /* not all of theirs have heard yet */

/*
 * Tells the next FIRE_PIECE that have not heard of the last event; the others are told when the reaper comes to it. Signalling
 * takes Port locks, which come first; so one binding at a time, and each goes to the end of the list before. Those that a later event
 * has reached stand there, too, and need no word of this one.
 */
static noinline void fire_some_locked(struct watchers *w)
{
	uint32_t seq = w->seq;
	for (unsigned work = 0; !list_empty(&w->list); work++) {
		struct binding *b = LIST_FIRST(&w->list, struct binding, in_source);
		struct notify *n = b->notify;
		uint64_t bit = 1ull << b->bit;
		if ((int32_t)(b->seq - seq) >= 0)
			break;
		if (work == FIRE_PIECE) {
			spin_lock(&late_lock);
			if (!w->late) {
				w->late = b->source;
				object_get(b->source);
				w->late_next = NULL;
				*late_end = w;
				late_end = &w->late_next;
				reap_wanted(REAP_URGENT);
			}
			spin_unlock(&late_lock);
			break;
		}
		b->seq = seq;
		/* First: a Notify that is on its way out waits for this lock only as long as the binding is in the list. */
		bool alive = object_try_get(&n->obj);
		heard_locked(w, b);
		if (!alive)
			continue;
		spin_unlock(&w->lock);
		notify_signal(n, bit);
		spin_lock(&w->lock);
		OBJ_PUT(n);
	}
	spin_unlock(&w->lock);
}

bool watchers_fire_late(void)
{
	struct object *source = NULL;
	spin_lock(&late_lock);
	struct watchers *w = late_first;
	if (w) {
		late_first = w->late_next;
		if (!late_first)
			late_end = &late_first;
		source = w->late;
		w->late = NULL;
	}
	spin_unlock(&late_lock);
	if (!w)
		return false;
	reap_done(REAP_URGENT);
	spin_lock(&w->lock);
	fire_some_locked(w);
	object_put(source);
	return true;
}

/* The lock is not free: another CPU is at it. */
static noinline void fire_waiting(struct watchers *w, bool last)
{
	spin_lock(&w->lock);
	w->fired |= last;
	w->seq++;
	fire_some_locked(w);
}

void watchers_fire(struct watchers *w, bool last)
{
	if (unlikely(!spin_trylock(&w->lock))) {
		fire_waiting(w, last);
		return;
	}
	if (last)
		w->fired = true;
	/*
	 * A single one, as nearly always, needs no count: what still has references is not freed before this CPU has left the
	 * kernel.
	 */
	struct list *node = w->list.next;
	struct binding *b = CONTAINER_OF(node, struct binding, in_source);
	if (unlikely(node == &w->list || node->next != &w->list || !__atomic_load_n(&b->notify->obj.refs, __ATOMIC_RELAXED))) {
		w->seq++;
		fire_some_locked(w);
		return;
	}
	struct notify *n = b->notify;
	uint64_t bit = 1ull << b->bit;
	if (last)
		heard_locked(w, b);
	spin_unlock(&w->lock);
	notify_signal(n, bit);
}

/* ---- system calls ---- */

status_t sys_notify_create(handle_t *h)
{
	status_t why = OK;
	struct notify *n = notify_create(CURRENT_PROCESS->budget, &why);
	if (!n)
		return why;
	why = handle_install(CURRENT_PROCESS->table, &n->obj, RIGHT_ALL, 0, h);
	OBJ_PUT(n);
	return why;
}

status_t sys_notify_signal(handle_t h, uint64_t bits)
{
	struct notify *n;
	status_t st = LOOKUP(h, OBJ_NOTIFY, RIGHT_SIGNAL, &n);
	if (st == OK)
		notify_signal(n, bits);
	return st;
}

status_t sys_notify_take(handle_t h, uint64_t *bits)
{
	struct notify *n;
	status_t st = LOOKUP(h, OBJ_NOTIFY, RIGHT_WAIT, &n);
	if (st < 0)
		return st;
	spin_lock(&n->lock);
	*bits = notify_take_locked(n);
	spin_unlock(&n->lock);
	return OK;
}

status_t sys_notify_port(handle_t h, handle_t port, uint64_t badge)
{
	struct notify *n;
	struct port *p = NULL;
	status_t st = LOOKUP(h, OBJ_NOTIFY, RIGHT_WAIT, &n);
	if (st == OK && port)
		st = LOOKUP(port, OBJ_PORT, RIGHT_SERVE, &p);
	return st < 0 ? st : notify_set_port(n, p, badge);
}

status_t sys_notify_bind(handle_t h, uint32_t bit, handle_t source)
{
	struct notify *n;
	struct object *o;
	uint32_t rights;
	status_t st = LOOKUP(h, OBJ_NOTIFY, RIGHT_WAIT, &n);
	if (st == OK)
		st = handle_lookup(CURRENT_PROCESS->table, source, OBJ_NONE, 0, &o, &rights);
	if (st < 0)
		return st;
	struct watchers *w = watchers_of(o);
	if (!w)
		return ERR_WRONG_TYPE;
	if (!(rights & (RIGHT_INSPECT | RIGHT_WAIT)))
		return ERR_DENIED;
	return bit > 63 ? ERR_INVALID : notify_bind(n, bit, o, w, CURRENT_PROCESS->budget);
}

status_t sys_notify_timer(handle_t h, uint32_t bit, uint64_t deadline, uint64_t period)
{
	struct notify *n;
	status_t st = LOOKUP(h, OBJ_NOTIFY, RIGHT_WAIT, &n);
	if (st < 0)
		return st;
	/* Shorter periods than this could keep the machine busy with nothing else. */
	if (bit > 63 || (period && period < 10 * NS_PER_US) || period > PERIOD_MAX)
		return ERR_INVALID;
	return notify_set_timer(n, bit, deadline, period, CURRENT_PROCESS->budget);
}

/*
 * port: where commands wait and are accepted. Highest priority first, first come first served
 * within one; what a dead server had accepted comes before all of its priority. Events (notify
 * bits) come before commands.
 */
#include <kernel/account.h>
#include <kernel/budget.h>
#include <kernel/ipc.h>
#include <kernel/notify.h>
#include <kernel/panic.h>
#include <kernel/plant.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>
#include <kernel/trace.h>

#define STRANGERS_MAX 64
#define DISPATCH_MAX  32                /* things handed out in one go, with interrupts off */

static void port_later(struct port *p);

struct port *port_create(uint32_t flags, struct budget *payer, status_t *why)
{
	struct port *p = (struct port *)object_create(OBJ_PORT, sizeof(*p), payer, why);
	if (!p)
		return NULL;
	p->flags = flags;
	for (unsigned i = 0; i <= PRIORITY_MAX; i++)
		list_init(&p->queue[i]);
	list_init(&p->events);
	list_init(&p->cancels);
	list_init(&p->completions);
	list_init(&p->reserve);
	list_init(&p->again);
	list_init(&p->by_server);
	list_init(&p->strangers);
	list_init(&p->held);
	p->grace.fire = grace_fire;
	watchers_init(&p->watchers);
	list_init(&p->waiters);
	return p;
}

/* `pending` counts the suspect too: while there is one, nothing goes straight to a waiting thread. */
void port_suspect_locked(struct port *p, struct command *c)
{
	p->pending += (c != NULL) - (p->suspect != NULL);
	p->suspect = c;
}

static void words_copy(struct regs *to, const struct regs *from)
{
	to->rsi = from->rsi;
	to->rdx = from->rdx;
	to->r10 = from->r10;
	to->r8 = from->r8;
	to->r9 = from->r9;
	to->r12 = from->r12;
}

/* Gives the server its own handles for what the command carries. */
static status_t install_handles(struct command *c, struct process *server, struct regs *r)
{
	handle_t h[IPC_HANDLES] = { 0, 0, 0, 0 };
	for (unsigned i = 0; i < c->n_handles; i++) {
		status_t st = handle_install(server->table, c->handles[i], c->handle_rights[i], 0, &h[i]);
		if (st < 0) {
			while (i-- > 0)
				(void)handle_close(server->table, h[i]);
			return st;
		}
	}
	r->rbx = h[0] | (uint64_t)h[1] << 32;
	r->rbp = h[2] | (uint64_t)h[3] << 32;
	return OK;
}

/* c, on no list, becomes accepted by t, whose registers receive it. On an error nothing changed. */
static status_t deliver_locked(struct port *p, struct command *c, struct thread *t)
{
	struct regs *r = &t->regs;
	r->rbx = r->rbp = 0;
	if (unlikely(c->n_handles)) {
		status_t st = install_handles(c, t->process, r);
		if (st < 0)
			return st;
	}
	c->state = CMD_ACCEPTED;
	c->server = t->process;
	c->id += 1ull << 32;
	if (!c->accept_seq)
		c->accept_seq = ++p->next_seq;
	this_cpu()->commands_accepted++;
	t->serving = c;
	t->steps = 0;
	uint32_t flags = (c->redelivered && !PLANTED(no_redelivered) ? IPC_REDELIVERED | (c->cancel ? IPC_CANCELLED : 0) : 0) | (c->path ? IPC_PATH : 0);
	uint64_t base;
	struct vmem *vm;
	if (likely(!c->submitted && c->caller)) {
		uint64_t meta = c->caller->regs.r15;
		words_copy(r, &c->caller->regs);
		r->r15 = IPC_META(IPC_META_OP(meta), c->path ? c->path_len : IPC_META_IN(meta), IPC_META_OUT(meta), flags);
	} else {
		r->rsi = c->w[0], r->rdx = c->w[1], r->r10 = c->w[2], r->r8 = c->w[3], r->r9 = c->w[4], r->r12 = c->w[5];
		uint64_t in_len = command_window(c, false, &base, &vm), out_len = command_window(c, true, &base, &vm);
		r->r15 = IPC_META(c->submitted ? IPC_META_OP(c->meta) : c->op, in_len, out_len, flags);
	}
	r->rax = c->is_close ? ACCEPT_CLOSE : ACCEPT_COMMAND;
	r->rdi = c->id;
	r->r13 = c->session->badge;
	r->r14 = c->rights | (uint64_t)c->n_handles << 32;
	if (c->priority > t->priority)
		t->priority = c->priority;
	if (unlikely(trace_on))
		trace_event(c, TRACE_DELIVERED, t, OK);
	return OK;
}

/* The caller of a command that is over goes on with an error. Port unlocked. */
static void fail_caller(struct thread *caller, status_t st)
{
	if (!caller)
		return;
	caller->regs.rax = (uint64_t)st;
	sched_wake(caller);
}

/* The same of one that may be a stranger. */
static void any_waiter_off_locked(struct port *p, struct thread *t)
{
	waiter_off_locked(t);
	p->n_strangers -= t->stranger;
	t->stranger = false;
}

static void notify_deliver_locked(struct port *p, struct thread *t)
{
	struct notify *n = LIST_FIRST(&p->events, struct notify, in_port);
	list_remove(&n->in_port);
	p->pending--;
	spin_lock(&n->lock);
	n->queued = false;
	regs_event(&t->regs, ACCEPT_NOTIFY, notify_take_locked(n), n->badge);
	spin_unlock(&n->lock);
}

static void cancel_deliver_locked(struct port *p, struct thread *t)
{
	struct command *c = LIST_FIRST(&p->cancels, struct command, event);
	list_remove(&c->event);
	p->pending--;
	c->cancel = CANCEL_TOLD;
	regs_event(&t->regs, ACCEPT_CANCEL, 0, c->session->badge);
	t->regs.rdi = c->id;
}

/* What take_locked leaves to do after the Port is unlocked. */
struct after {
	bool any;                       /* the rest counts */
	struct thread *caller;          /* its command could not be delivered: goes on with `status` */
	status_t status;
	struct residue residue;
};

static void after_taking(struct after *f)
{
	if (likely(!f->any))
		return;
	fail_caller(f->caller, f->status);
	residue_drop(&f->residue);
}

/* The answer of a submitted command; its handles become the taker's, its storage free for the next one. */
static status_t completion_deliver_locked(struct port *p, struct thread *t, struct after *f)
{
	struct command *c = LIST_FIRST(&p->completions, struct command, event);
	struct regs *r = &t->regs;
	bool ours = c->op == (uint32_t)t->process->pid;         /* else a dead instance's: dropped */
	*f = (struct after){ .any = true };
	if (unlikely(trace_on))
		trace_event(c, TRACE_COMPLETED, t, OK);
	list_remove(&c->event);
	p->pending--;
	if (ours)
		regs_event(r, ACCEPT_COMPLETION, 0, 0);
	status_t st = ours ? install_handles(c, t->process, r) : ERR_BUSY;
	for (unsigned i = 0; i < c->n_handles; i++)
		f->residue.handles[i] = c->handles[i];
	f->residue.n_handles = c->n_handles;
	c->n_handles = 0;
	f->residue.done_port = p;       /* the reference that the command held */
	c->state = CMD_IDLE;
	list_push_front(&p->reserve, &c->node);
	if (!ours)
		return ERR_BUSY;
	r->rdi = c->token;
	r->rsi = c->w[0], r->rdx = c->w[1], r->r10 = c->w[2], r->r8 = c->w[3], r->r9 = c->w[4], r->r12 = c->w[5];
	r->r13 = st < 0 ? (uint64_t)st : c->meta;
	r->r14 = st < 0 ? 0 : (uint64_t)f->residue.n_handles << 32;
	return OK;
}

/* A command off its list, to t. Refused for want of room in the server's table: *f, and ERR_BUSY. */
static status_t command_take_locked(struct port *p, struct command *c, struct thread *t, struct after *f)
{
	queue_remove(p, c, true);
	c->state = CMD_IDLE;
	status_t st = deliver_locked(p, c, t);
	if (likely(st == OK))
		return OK;
	f->any = true;
	f->status = st;
	f->caller = c->submitted ? NULL : c->caller;
	c->meta = (uint64_t)f->status;
	if (unlikely(trace_on))
		trace_event(c, TRACE_FAILED, t, f->status);
	command_finish_locked(c, &f->residue);
	return ERR_BUSY;
}

/*
 * Gives t the next thing: what a dead instance had accepted, RECOVERED, events, commands. OK: its registers are
 * set. ERR_AGAIN: nothing there for now. ERR_BUSY: a command was refused; try again. *f is to be seen to in any case.
 */
static status_t take_locked(struct port *p, struct thread *t, struct after *f)
{
	f->any = false;
	if (!p->pending)
		return ERR_AGAIN;
	/* The suspect is alone until it is answered, or its server comes back for more (accept clears it). */
	if (unlikely(p->suspect && p->suspect->state == CMD_ACCEPTED))
		return ERR_AGAIN;
	if (unlikely(!list_empty(&p->again)))
		return command_take_locked(p, LIST_FIRST(&p->again, struct command, node), t, f);
	if (unlikely(p->recovered)) {
		p->recovered = false;
		p->pending--;
		regs_event(&t->regs, ACCEPT_RECOVERED, 0, 0);
		return OK;
	}
	if (!list_empty(&p->events)) {
		notify_deliver_locked(p, t);
		return OK;
	}
	if (!list_empty(&p->cancels)) {
		cancel_deliver_locked(p, t);
		return OK;
	}
	if (!list_empty(&p->completions)) {
		return completion_deliver_locked(p, t, f);
	}
	return command_take_locked(p, queue_first(p), t, f);
}

status_t port_send(struct port *p, struct command *c, bool direct)
{
	status_t st = OK;
	if (unlikely(trace_on))
		trace_sent(p, c);
	spin_lock(&p->lock);
	if (unlikely(p->dead))
		st = ERR_GONE;
	else if (unlikely(!c->is_close && c->session->closing))
		st = ERR_BAD_HANDLE;
	else if (!c->is_close)
		c->session->in_flight++;
	struct thread *t = NULL;
	bool wanted = false, behind = p->pending && !list_empty(&p->waiters);   /* siblings wait while redelivery is under way */
	if (st == OK && !behind && !list_empty(&p->waiters)) {
		t = LIST_FIRST(&p->waiters, struct thread, run);
		st = deliver_locked(p, c, t);
		if (likely(st == OK))
			waiter_off_locked(t);
		else
			c->session->in_flight--;
	} else if (st == OK && !c->is_close && !c->is_page && c->session->queued >= SESSION_QUEUED_MAX) {
		c->session->in_flight--;
		st = ERR_LIMIT;
	} else if (st == OK) {
		queue_add(p, c);
		queue_priorities(p);
		wanted = !p->server && !((p->flags & PORT_STATELESS) && p->acceptor);
	}
	if (unlikely(st < 0)) {
		if (unlikely(trace_on))
			trace_event(c, TRACE_FAILED, NULL, st);
		c->session = NULL;
		c->caller = NULL;
	}
	spin_unlock(&p->lock);
	if (st == OK && t) {
		if (direct)
			sched_wake_direct(t);
		else
			sched_wake(t);
	} else if (behind) {
		port_dispatch(p);
	}
	if (unlikely(wanted))
		watchers_fire(&p->watchers, false);
	return st;
}

bool port_wanted(struct port *p)
{
	spin_lock(&p->lock);
	bool wanted = !p->server && queue_first(p);
	spin_unlock(&p->lock);
	return wanted;
}

/* What a refusal leaves to do may come back here, for another Port: that one's turn, and what is too much for one go, are the reaper's. */
void port_dispatch(struct port *p)
{
	struct percpu *c = this_cpu();
	bool nested = c->dispatching;
	status_t took = ERR_BUSY;
	c->dispatching = true;
	for (unsigned work = 0; !nested && took != ERR_AGAIN && work < DISPATCH_MAX; work++) {
		struct after f;
		spin_lock(&p->lock);
		struct thread *t = list_empty(&p->waiters) ? NULL : LIST_FIRST(&p->waiters, struct thread, run);
		f.any = false;
		took = t ? take_locked(p, t, &f) : ERR_AGAIN;
		if (took == OK)
			waiter_off_locked(t);
		spin_unlock(&p->lock);
		if (took == OK)
			sched_wake(t);
		after_taking(&f);
	}
	c->dispatching = nested;
	if (took != ERR_AGAIN)
		port_later(p);
}

bool port_waiter_remove(struct thread *t, status_t why)
{
	struct port *p = t->wait_port;
	if (!p)
		return false;
	spin_lock(&p->lock);
	bool waiting = t->wait == WAIT_ACCEPT && t->wait_port == p && thread_wait_over(t, why);
	if (waiting)
		any_waiter_off_locked(p, t);
	spin_unlock(&p->lock);
	if (!waiting)
		return false;
	t->regs.rax = (uint64_t)why;
	if (why != ERR_GONE)            /* it dies */
		sched_wake(t);
	return true;
}

/* Answers the first queued command with an error. False: there is none. */
static bool fail_first(struct port *p, status_t st)
{
	struct residue r = { 0 };
	spin_lock(&p->lock);
	struct command *c = queue_first(p);
	struct thread *caller = c && !c->submitted ? c->caller : NULL;
	if (c) {
		if (unlikely(trace_on))
			trace_event(c, TRACE_FAILED, NULL, st);
		c->meta = (uint64_t)st;
		command_finish_locked(c, &r);
	}
	spin_unlock(&p->lock);
	fail_caller(caller, st);
	residue_drop(&r);
	return c;
}

/* Ends up to 32 waits at a dead Port with ERR_GONE, and frees what was kept for submitting. True: nothing is left. */
static bool drain_some(struct port *p)
{
	for (unsigned work = 0; work < 32; work++) {
		struct thread *t = NULL;
		struct command *done = NULL, *spare = NULL;
		spin_lock(&p->lock);
		if (p->recovered) {
			p->recovered = false;
			p->pending--;
		}
		if ((!list_empty(&p->waiters) || !list_empty(&p->strangers)) && !PLANTED(port_forgets)) {
			t = LIST_FIRST(list_empty(&p->waiters) ? &p->strangers : &p->waiters, struct thread, run);
			any_waiter_off_locked(p, t);
		} else if (!list_empty(&p->completions)) {
			done = LIST_FIRST(&p->completions, struct command, event);
			list_remove(&done->event);
			p->pending--;
			done->state = CMD_IDLE;
		} else if (!list_empty(&p->reserve)) {
			spare = LIST_FIRST(&p->reserve, struct command, node);
			list_remove(&spare->node);
		}
		spin_unlock(&p->lock);
		if (t)
			fail_caller(t, ERR_GONE);
		else if (done)
			command_complete(done, false);
		else if (spare)
			command_free(spare);
		else if (!fail_first(p, ERR_GONE))
			return true;
	}
	return false;
}

/* ---- what the reaper does for Ports, piece by piece: those without a handle are drained ---- */

static struct spinlock drain_lock;
static struct port *drain_first;        /* linked by drain_next; a reference each */

static void port_later(struct port *p)
{
	spin_lock(&drain_lock);
	bool first = !p->draining;
	if (first) {
		p->draining = true;
		object_get(&p->obj);
		p->drain_next = drain_first;
		drain_first = p;
	}
	spin_unlock(&drain_lock);
	if (first)
		reap_wanted(REAP_URGENT);
}

bool port_drain_some(void)
{
	spin_lock(&drain_lock);
	struct port *p = drain_first;
	if (p) {
		drain_first = p->drain_next;
		p->draining = false;
	}
	spin_unlock(&drain_lock);
	if (!p)
		return false;
	reap_done(REAP_URGENT);
	if (!p->dead)
		port_dispatch(p);
	else if (!drain_some(p))
		port_later(p);
	OBJ_PUT(p);
	return true;
}

/* No handle is left, so nobody can ever accept: what waits learns it. Sessions may still point here. */
void port_last_handle(struct object *o)
{
	struct port *p = (struct port *)o;
	spin_lock(&p->lock);
	p->dead = true;
	spin_unlock(&p->lock);
	timer_disarm(&p->grace);
	port_later(p);
}

unsigned port_requeue_locked(struct port *p, struct command *c)
{
	if (!c->submitted && c->caller)
		c->priority = c->caller->priority;
	unsigned steps = queue_add_again(p, c);
	if (p->dead)
		port_later(p);
	return steps;
}

bool port_destroy(struct object *o)
{
	struct port *p = (struct port *)o;
	ASSERT(!p->pending && list_empty(&p->waiters) && list_empty(&p->strangers));
	timer_cancel(&p->grace);        /* sys_cancel may have set it after the last handle had gone */
	port_unattach(p);
	return true;
}

/* ---- accept and return ---- */

/* The first to accept after another process did hears RECOVERED, when all that was accepted before has come again. */
void port_acceptor_locked(struct port *p, struct process *server)
{
	if (p->server != server)
		port_serve_locked(p, server);
	if (p->acceptor && !(p->flags & PORT_STATELESS) && !p->recovered) {
		p->recovered = true;
		p->pending++;
	}
	p->acceptor = server->pid;
}

/* Somebody else serves here, or for now nobody may. */
static status_t wait_as_stranger(struct port *p, struct thread *t, uint64_t deadline)
{
	if (p->dead)
		return ERR_GONE;
	if (p->n_strangers == STRANGERS_MAX)
		return ERR_BUSY;
	p->n_strangers++;
	t->stranger = true;
	list_push_back(&p->strangers, &t->run);
	sched_block_current(WAIT_ACCEPT, deadline);
	return STATUS_BLOCKED;
}

static status_t accept(handle_t port, struct port *p, uint64_t deadline)
{
	struct thread *t = current_thread();
	status_t st;
	t->process->ever_served = true;
	if (unlikely(t->special & SPECIAL_INTERRUPTED)) {
		thread_special_off(t, SPECIAL_INTERRUPTED);
		return ERR_INTERRUPTED;
	}
	t->wait_port = p;
	t->process->accepts++;
	if (t->priority != t->base_priority)
		sched_drop_priority();
	for (unsigned refusals = 0; refusals < 32; refusals++) {
		struct after f;
		spin_lock(&p->lock);
		if (unlikely(!port_admits_locked(p, t->process))) {
			st = wait_as_stranger(p, t, deadline);
			spin_unlock(&p->lock);
			return st;
		}
		if (unlikely(p->acceptor != t->process->pid)) {
			if (p->server && p->server != t->process && p->server->dying) {
				st = wait_as_stranger(p, t, deadline);  /* until all that it had is queued again */
				spin_unlock(&p->lock);
				return st;
			}
			port_acceptor_locked(p, t->process);
		}
		struct command *suspect = p->suspect;
		if (unlikely(suspect && suspect == thread_in_hand(t))) {
			suspect->faults = 0;            /* it was taken and is being waited with: no killer */
			port_suspect_locked(p, NULL);
		}
		status_t took = likely(!p->pending) ? ERR_AGAIN : take_locked(p, t, &f);
		if (took == OK && unlikely(p->queue_mask))
			queue_priorities(p);            /* what is left in the queue lends, also to who takes an event first */
		bool more = took == OK && unlikely(p->pending) && !list_empty(&p->waiters);     /* a suspect kept it from them until now */
		if (took == ERR_AGAIN && !p->dead) {
			t->waited = true;
			list_push_front(&p->waiters, &t->run);
			sched_block_current(WAIT_ACCEPT, deadline);
			spin_unlock(&p->lock);
			return STATUS_BLOCKED;
		}
		spin_unlock(&p->lock);
		if (took == ERR_AGAIN)
			return ERR_GONE;        /* another thread closed the handle just now */
		after_taking(&f);
		if (unlikely(more))
			port_dispatch(p);
		if (took == OK) {
			cpu_work(WORK_RESTORE);
			return STATUS_REGS;
		}
	}
	/* Others first. As a plain accept, for return_accept has returned already. */
	t->regs.rax = SYS_accept;
	t->regs.rdi = port;
	t->regs.rbp = deadline;
	cpu_work(WORK_RESTORE);
	return STATUS_RESTART;
}

status_t raw_accept(uint64_t port, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	(void)a1, (void)a2, (void)a3, (void)a4, (void)a5;
	struct port *p;
	status_t st = LOOKUP((handle_t)port, OBJ_PORT, RIGHT_SERVE, &p);
	return st < 0 ? st : accept((handle_t)port, p, current_thread()->regs.rbp);
}

/* Looks up the handles that an answer carries: all, or none and an error. */
static status_t answer_handles(const struct regs *r, struct object *o[IPC_HANDLES], uint32_t rights[IPC_HANDLES])
{
	handle_t h[IPC_HANDLES] = { (handle_t)r->rbx, (handle_t)(r->rbx >> 32), (handle_t)r->rbp, (handle_t)(r->rbp >> 32) };
	for (unsigned i = 0; i < IPC_HANDLES; i++) {
		o[i] = NULL;
		if (!h[i])
			continue;
		status_t st = handle_lookup(CURRENT_PROCESS->table, h[i], OBJ_NONE, RIGHT_TRANSFER, &o[i], &rights[i]);
		if (st < 0)
			return st;
	}
	return OK;
}

static void caller_words(struct regs *to, const struct regs *from, status_t st)
{
	words_copy(to, from);
	to->rax = (uint64_t)st;
	to->r13 = to->r14 = to->r15 = to->rbp = to->rdi = to->rbx = 0;
}

/* Puts the answer's handles and the minted Session into the caller's table. */
static void caller_handles(struct thread *caller, struct object *o[IPC_HANDLES], uint32_t rights[IPC_HANDLES], struct session *minted, uint32_t mint_rights)
{
	struct table *table = caller->process->table;
	handle_t h[IPC_HANDLES] = { 0, 0, 0, 0 };
	status_t st = OK;
	if (minted) {
		uint32_t r = RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER | (mint_rights & SESSION_RIGHTS);
		st = handle_install(table, &minted->obj, r, 0, &h[0]);
	}
	for (unsigned i = minted ? 1 : 0; st == OK && i < IPC_HANDLES; i++)
		if (o[i])
			st = handle_install(table, o[i], rights[i], 0, &h[i]);
	if (st < 0) {
		for (unsigned i = 0; i < IPC_HANDLES; i++)
			if (h[i])
				(void)handle_close(table, h[i]);
		caller->regs.rax = (uint64_t)st;
		return;
	}
	caller->regs.rdi = h[0] | (uint64_t)h[1] << 32;
	caller->regs.rbx = h[2] | (uint64_t)h[3] << 32;
}

/* The answer of a submitted command waits in it until its sender accepts the COMPLETION. */
static void completion_fill(struct command *c, const struct regs *from, struct object *o[IPC_HANDLES], uint32_t rights[IPC_HANDLES], struct session *minted)
{
	c->w[0] = from->rsi, c->w[1] = from->rdx, c->w[2] = from->r10, c->w[3] = from->r8, c->w[4] = from->r9, c->w[5] = from->r12;
	c->meta = from->r13;
	if (minted) {
		object_handle_get(&minted->obj);
		c->handles[0] = &minted->obj;
		c->handle_rights[0] = RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER | ((uint32_t)from->r15 & SESSION_RIGHTS);
		c->n_handles = 1;
	}
	for (unsigned i = c->n_handles; i < IPC_HANDLES; i++)
		if (o[i]) {
			object_handle_get(o[i]);
			c->handles[c->n_handles] = o[i];
			c->handle_rights[c->n_handles++] = rights[i];
		}
}

static status_t answer(bool direct)
{
	struct thread *t = current_thread();
	struct regs *from = &t->regs;
	struct object *o[IPC_HANDLES] = { NULL };
	uint32_t rights[IPC_HANDLES];
	if (unlikely(from->rbx | from->rbp)) {
		status_t st = answer_handles(from, o, rights);
		if (st < 0)
			return st;
	}
	struct command *c = command_lock(from->rdi);
	if (!c)
		return ERR_NOT_FOUND;
	way_taken(RETURN_LONG);
	struct port *p = c->session->port;
	struct thread *caller = c->submitted ? NULL : c->caller;
	struct session *minted = NULL;
	status_t result = (status_t)from->r13;
	if (unlikely((from->r15 >> 32 & RETURN_MINT) && result >= 0)) {
		/* Made even when the caller has left: the server hears CLOSE of every badge that it gave away. */
		status_t why;
		minted = session_create(p, from->r14, (uint32_t)from->r15, (uint32_t)(from->r15 >> 32), c->payer, &why);
		if (!minted) {
			spin_unlock(&p->lock);
			return why;     /* nothing happened: the server answers with an error instead */
		}
	}
	if (caller) {
		caller_words(&caller->regs, from, result);
		if (unlikely(minted || o[0] || o[1] || o[2] || o[3])) {
			for (unsigned i = 0; i < IPC_HANDLES; i++)
				if (o[i])
					object_handle_get(o[i]);        /* another thread may close ours: the last must not go with p locked */
			caller_handles(caller, o, rights, minted, (uint32_t)from->r15);
		}
	}
	if (unlikely(trace_on))
		trace_event(c, TRACE_RETURNED, t, result);
	struct residue r;
	struct command *done = c->submitted && c->sender ? c : NULL;
	if (unlikely(c->is_page))
		c->meta = (uint64_t)result;
	command_finish_locked(c, &r);
	if (!direct && t->priority != t->base_priority)
		queue_priorities(p);
	if (done)
		completion_fill(c, from, o, rights, minted);
	if (caller) {
		if (direct)
			sched_wake_direct(caller);
		else
			sched_wake(caller);
	}
	spin_unlock(&p->lock);
	for (unsigned i = 0; caller && i < IPC_HANDLES; i++)
		if (unlikely(o[i]))
			object_handle_put(o[i]);
	residue_drop(&r);
	OBJ_PUT(minted);
	return OK;
}

status_t raw_return(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	(void)a0, (void)a1, (void)a2, (void)a3, (void)a4, (void)a5;
	return answer(false);
}

status_t raw_return_accept(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	(void)a0, (void)a1, (void)a2, (void)a3, (void)a4, (void)a5;
	struct port *p;
	handle_t port = (handle_t)(current_thread()->regs.rax >> 32);
	status_t st = LOOKUP(port, OBJ_PORT, RIGHT_SERVE, &p);
	if (st < 0)
		return st;
	st = answer(true);
	return st < 0 ? st : accept(port, p, FOREVER);
}

status_t sys_port_create(uint32_t flags, handle_t *h)
{
	status_t why = OK;
	if (flags & ~PORT_STATELESS)
		return ERR_INVALID;
	struct port *p = port_create(flags, CURRENT_PROCESS->budget, &why);
	if (!p)
		return why;
	why = handle_install(CURRENT_PROCESS->table, &p->obj, RIGHT_ALL, 0, h);
	OBJ_PUT(p);
	return why;
}

status_t sys_port_fail(handle_t h, int64_t error)
{
	struct port *p;
	status_t st = LOOKUP(h, OBJ_PORT, RIGHT_MANAGE, &p);
	if (st < 0)
		return st;
	if (error >= 0 || error < -4095)
		return ERR_INVALID;
	for (unsigned work = 1; fail_first(p, error); work++)
		if (work % 32 == 0 && sched_preempt_point())
			return STATUS_RESTART;
	return OK;
}

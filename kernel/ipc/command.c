/*
 * command: the table of commands, and their way back: answered, withdrawn, detached, requeued.
 */
#include <kernel/account.h>
#include <kernel/budget.h>
#include <kernel/ipc.h>
#include <kernel/mm.h>
#include <kernel/pager.h>
#include <kernel/panic.h>
#include <kernel/plant.h>
#include <kernel/sched.h>
#include <kernel/smp.h>
#include <kernel/syscall.h>
#include <kernel/trace.h>

#define CHUNK_ORDER   2                 /* 16 KiB: 64 commands */
#define CHUNK_SLOTS   64u
#define CHUNKS_MAX    4096u
#define LINE_MAX      16                /* commands sent for the sake of commands, as far as identities follow them */
#define GRACE_NS      (1 * NS_PER_SEC)  /* for a server to answer what is wanted back */
#define GRACE_SLOTS   1024u             /* of the table in one go, with interrupts off */
#define FAULTS_POISON 3                 /* servers that died of one command in a row before it is given up */
_Static_assert(CHUNK_SLOTS * sizeof(struct command) <= PAGE_SIZE << CHUNK_ORDER, "a chunk holds its slots");

static struct spinlock lock;            /* covers the free list and growth */
struct command *command_chunks[CHUNKS_MAX];     /* fastpath.S */
uint32_t command_chunk_count;
static struct command *free_list;       /* linked through `payer`, which nobody looks at without a lock */

static bool grow_locked(void)
{
	uint64_t p = command_chunk_count < CHUNKS_MAX ? page_alloc(CHUNK_ORDER) : 0;
	if (!p)
		return false;
	struct command *c = HHDM(p);
	mem_zero(c, PAGE_SIZE << CHUNK_ORDER);
	ACCOUNT_ADD(pages_slab, 1ull << CHUNK_ORDER);
	for (uint32_t i = CHUNK_SLOTS; i-- > (command_chunk_count == 0);) {     /* no id is 0: slot 0 stays unused */
		c[i].id = command_chunk_count * CHUNK_SLOTS + i;
		c[i].payer = (struct budget *)free_list;
		free_list = &c[i];
	}
	command_chunks[command_chunk_count] = c;
	__atomic_store_n(&command_chunk_count, command_chunk_count + 1, __ATOMIC_RELEASE);
	return true;
}

struct command *command_none(void)
{
	static struct command none;
	return &none;
}

struct command *command_alloc(struct budget *payer, status_t *why)
{
	*why = budget_charge(payer, CHARGE_COMMANDS, 1);
	if (*why < 0)
		return NULL;
	spin_lock(&lock);
	struct command *c = free_list || grow_locked() ? free_list : NULL;
	if (c)
		free_list = (struct command *)c->payer;
	spin_unlock(&lock);
	if (!c) {
		budget_release(payer, CHARGE_COMMANDS, 1);
		*why = ERR_NO_MEMORY;
		return NULL;
	}
	*c = (struct command){ .id = c->id, .payer = OBJ_GET(payer) };
	list_init(&c->node);
	ACCOUNT_ADD(slab_bytes, sizeof(*c));
	return c;
}

void command_free(struct command *c)
{
	struct budget *payer = c->payer;
	ASSERT(c->state == CMD_IDLE);
	ACCOUNT_SUB(slab_bytes, sizeof(*c));
	spin_lock(&lock);
	c->payer = (struct budget *)free_list;
	free_list = c;
	spin_unlock(&lock);
	budget_release(payer, CHARGE_COMMANDS, 1);
	OBJ_PUT(payer);
}

struct port *command_port(const struct command *c)
{
	/* In this order: an idle one's Session may be long gone, but it has another before its state says so. */
	uint8_t state = __atomic_load_n(&c->state, __ATOMIC_ACQUIRE);
	struct session *s = __atomic_load_n(&c->session, __ATOMIC_ACQUIRE);
	return state != CMD_IDLE && state != CMD_MOVING && s ? s->port : NULL;
}

/* The same when it is on its way to another Port: where it arrives. No lock held. */
static struct port *command_port_settled(const struct command *c)
{
	while (unlikely(__atomic_load_n(&c->state, __ATOMIC_ACQUIRE) == CMD_MOVING))
		cpu_relax();
	return command_port(c);
}

/* Locks the Port where c is queued or accepted; NULL: it is nowhere. */
static struct port *command_port_lock(const struct command *c)
{
	for (;;) {
		struct port *p = command_port_settled(c);
		if (!p)
			return NULL;
		spin_lock(&p->lock);
		if (likely(command_port(c) == p))
			return p;
		spin_unlock(&p->lock);
	}
}

static struct command *by_slot(uint32_t slot)
{
	uint32_t n = __atomic_load_n(&command_chunk_count, __ATOMIC_ACQUIRE);
	return slot / CHUNK_SLOTS < n ? &command_chunks[slot / CHUNK_SLOTS][slot % CHUNK_SLOTS] : NULL;
}

uint64_t command_window(const struct command *c, bool out, uint64_t *base, struct vmem **vm)
{
	*vm = NULL;
	*base = 0;
	if (command_detached(c) || c->is_close)
		return 0;
	if (unlikely(c->is_page)) {
		*base = out ? (uint64_t)HHDM(c->out) : 0;
		return out ? PAGE_SIZE : 0;
	}
	if (!out && c->path) {
		*base = (uint64_t)(c->path + c->path_offset);
		return c->path_len;
	}
	uint64_t meta;
	if (likely(!c->submitted)) {
		const struct regs *r = &c->caller->regs;
		*vm = c->caller->vmem;
		*base = out ? r->r14 : r->r13;
		meta = r->r15;
	} else {
		*vm = c->sender->vmem;
		*base = out ? c->out : c->in;
		meta = c->meta;
	}
	return out ? IPC_META_OUT(meta) : IPC_META_IN(meta);
}

/* A bijection that scatters: neighbouring numbers give identities far apart (splitmix64's finish). */
static uint64_t scatter(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* What the caller of c was serving when it sent c; NULL: nothing, or nobody waits. */
static struct command *parent_of(const struct command *c)
{
	const struct thread *t = c->submitted ? NULL : c->caller;
	return t ? thread_in_hand(t) : NULL;
}

/*
 * A command sent while its sender serves another takes its identity from that one and the number of the step, so that
 * the same request done again after a crash asks for the same things under the same names.
 */
uint64_t command_op_id(struct command *c)
{
	static uint64_t fresh;
	if (c->op_id)
		return c->op_id;
	struct command *parent = parent_of(c);
	if (parent && parent->op_id)
		c->op_id = scatter(parent->op_id + c->caller->steps) | 1;
	else
		c->op_id = scatter(__atomic_add_fetch(&fresh, 1, __ATOMIC_RELAXED) << 1) | 1;
	return c->op_id;
}

/*
 * Gives the accepted command c, if it still is the one of that id, its identity; before it, to those for whose sake it was
 * sent, or the next time round it would have another. One Port is locked at a time; what changes meanwhile is left alone.
 */
static void name_line(struct command *c, cmd_id_t id, unsigned depth)
{
	struct port *p = command_port(c);
	struct command *parent = NULL;
	cmd_id_t parent_id = 0;
	for (unsigned pass = 0; p && pass < 2; pass++) {
		spin_lock(&p->lock);
		bool same = c->id == id && c->state == CMD_ACCEPTED && command_port(c) == p;
		if (same && pass == 0 && !c->op_id && (parent = parent_of(c)))
			parent_id = parent->id;
		else if (same && pass == 1)
			(void)command_op_id(c);
		spin_unlock(&p->lock);
		if (pass == 0 && parent && !parent->op_id && depth < LINE_MAX)
			name_line(parent, parent_id, depth + 1);
	}
}

uint32_t command_count_some(struct port *p, uint32_t i, uint32_t *queued, uint32_t *accepted)
{
	uint32_t n = __atomic_load_n(&command_chunk_count, __ATOMIC_ACQUIRE) * CHUNK_SLOTS, end = MIN(i + 2048, n);
	for (; i < end; i++) {
		struct command *c = by_slot(i);
		if (command_port(c) == p) {
			*queued += c->state == CMD_QUEUED;
			*accepted += c->state == CMD_ACCEPTED;
		}
	}
	return end < n ? end : 0;
}

void command_name(struct command *c)
{
	name_line(c, c->id, 0);
}

void command_derive(struct command *c)
{
	struct thread *t = current_thread();
	struct command *parent = thread_in_hand(t);
	if (!parent)
		return;
	cmd_id_t id = parent->id;
	name_line(parent, id, 0);
	t->steps++;
	if (parent->id == id && parent->op_id)
		c->op_id = scatter(parent->op_id + t->steps) | 1;
}

struct command *command_lock(cmd_id_t id)
{
	struct thread *t = current_thread();
	struct command *c = t->serving;         /* nearly always that one */
	if (c->id != id)
		c = by_slot((uint32_t)id);
	if (!c || c->id != id)
		return NULL;
	struct port *p = command_port(c);
	if (!p)
		return NULL;
	spin_lock(&p->lock);
	if (likely(c->state == CMD_ACCEPTED && c->id == id && c->server == t->process && c->session->port == p))
		return c;
	spin_unlock(&p->lock);
	return NULL;
}

void command_unlend(struct command *c, struct thread *caller)
{
	if (c->lent)
		vmem_unlend(caller);
	c->lent = false;
}

/* Makes c IDLE, whatever list it is in; what is left to drop goes to r. */
void command_finish_locked(struct command *c, struct residue *r)
{
	struct session *s = c->session;
	struct port *p = s->port;
	*r = (struct residue){ .payer = c->payer };
	if (c->state == CMD_QUEUED)
		queue_remove(p, c, false);
	else if (c->state == CMD_ACCEPTED)
		this_cpu()->commands_accepted--;
	c->state = CMD_IDLE;
	if (unlikely(c->cancel == CANCEL_QUEUED)) {
		list_remove(&c->event);
		p->pending--;
	}
	if (unlikely(p->suspect == c)) {
		port_suspect_locked(p, NULL);
		r->dispatch = OBJ_GET(p);
	}
	if (unlikely(c->extra)) {
		command_unlend(c, c->caller);
		r->path = c->path_size ? c->path : NULL;
		r->path_size = c->path_size;
		r->n_handles = c->n_handles;
		for (unsigned i = 0; i < c->n_handles; i++)
			r->handles[i] = c->handles[i];
		c->path = NULL;
		c->n_handles = 0;
		c->extra = 0;
	}
	if (unlikely(c->submitted)) {
		r->done = c;
		r->tell = c->sender;
	} else if (unlikely(c->is_page)) {
		r->page = c;
	} else if (unlikely(!c->caller)) {
		r->dead = c;
		r->late = c->is_close ? NULL : c->late;
	}
	if (unlikely(c->is_close))
		r->closed = s;
	else if (--s->in_flight == 0 && unlikely(s->closing == SESSION_CLOSE_PENDING))
		r->close = s;
	c->server = NULL;
	c->session = NULL;
	c->caller = NULL;
}

void residue_drop(struct residue *r)
{
	for (unsigned i = 0; i < r->n_handles; i++)
		object_handle_put(r->handles[i]);
	if (r->path) {
		kfree(r->path, r->path_size);
		budget_release(r->payer, CHARGE_KERNEL, r->path_size);
	}
	if (r->dispatch) {
		port_dispatch(r->dispatch);
		OBJ_PUT(r->dispatch);
	}
	OBJ_PUT(r->done_port);
	if (r->close)
		session_send_close(r->close);
	if (r->closed)
		r->closed->close = NULL;        /* freed here, as every command without a caller */
	if (r->page)
		page_over(r->page);
	if (r->dead)
		command_free(r->dead);
	if (r->late)
		attach_answered(r->late);
	if (r->done)
		command_complete(r->done, r->tell);
	OBJ_PUT(r->closed);
}

void command_cancel_locked(struct command *c)
{
	struct port *p = c->session->port;
	if (c->state != CMD_ACCEPTED || c->cancel != CANCEL_NONE)
		return;
	if (unlikely(trace_on))
		trace_event(c, TRACE_CANCEL, NULL, OK);
	c->cancel = CANCEL_QUEUED;
	list_push_back(&p->cancels, &c->event);
	p->pending++;
}

/*
 * An accepted command goes on without its sender, which will not hear of it: words and operation are in it, windows are
 * gone, and until it is answered it is one that came late.
 */
static void detach_locked(struct command *c, struct process *sender)
{
	(void)command_op_id(c);
	command_unlend(c, c->caller);
	c->submitted = false;
	c->caller = NULL;
	c->late = sender;
	attach_late(sender);
	command_cancel_locked(c);
}

/* Before c is sent. */
void command_fresh(struct command *c)
{
	c->accept_seq = 0;
	c->op_id = 0;
	c->redelivered = false;
	c->faults = 0;
	c->hops = 0;
	c->cancel = CANCEL_NONE;
}

bool command_withdraw(struct thread *t, status_t why)
{
	struct command *c = t->command;
	struct residue r = { 0 };
	bool told = false;
	if (!c)
		return false;
	name_line(c, c->id, 0);
	struct port *p = command_port_lock(c);
	if (!p)
		return false;
	if (t->wait != WAIT_CALL || c->caller != t || !thread_wait_over(t, why)) {      /* answered meanwhile */
		spin_unlock(&p->lock);
		return false;
	}
	if (unlikely(trace_on))
		trace_event(c, TRACE_LEFT, t, why);
	if (c->state == CMD_QUEUED) {
		command_finish_locked(c, &r);
		queue_priorities(p);
	} else {
		const struct regs *from = &t->regs;
		uint64_t w[IPC_WORDS] = { from->rsi, from->rdx, from->r10, from->r8, from->r9, from->r12 };
		memcpy(c->w, w, sizeof(w));
		c->op = IPC_META_OP(from->r15);
		if (!c->path_size)
			c->path = NULL;         /* it was in the thread */
		t->command = NULL;
		detach_locked(c, t->process);
		told = true;
		object_get(&p->obj);
	}
	t->wait = WAIT_NONE;
	spin_unlock(&p->lock);
	t->regs.rax = (uint64_t)why;
	/* A thread has a command at all times but when this fails; its next call tries again. */
	if (!t->command && why != ERR_GONE) {
		t->command = command_alloc(t->process->budget, &(status_t){ 0 });
		if (!t->command)
			thread_special_on(t, SPECIAL_NO_COMMAND);
	}
	if (why != ERR_GONE)            /* it dies; who asked for that sees to it */
		sched_wake(t);
	residue_drop(&r);
	if (told) {
		port_dispatch(p);
		OBJ_PUT(p);
	}
	return true;
}

void command_page_left(struct command *c, struct frame *f)
{
	struct residue r = { 0 };
	struct port *p = command_port_lock(c);
	if (!p)
		return;
	if (page_left_locked(c, f)) {
		if (c->state == CMD_QUEUED) {
			c->meta = (uint64_t)ERR_CANCELLED;
			command_finish_locked(c, &r);
			queue_priorities(p);
		} else {
			command_cancel_locked(c);
			r.dispatch = OBJ_GET(p);
		}
	}
	spin_unlock(&p->lock);
	residue_drop(&r);
}

bool command_interrupt(struct thread *t)
{
	struct command *c = t->command;
	struct port *p = c ? command_port_lock(c) : NULL;
	if (!p)
		return false;
	bool accepted = t->wait == WAIT_CALL && c->caller == t && c->state == CMD_ACCEPTED;
	if (accepted) {
		command_cancel_locked(c);
		/* Its server has the grace time to answer; then it is as if the deadline had come. */
		uint64_t latest = clock_ns() + GRACE_NS;
		if (!(t->special & SPECIAL_DEADLINE) || t->timer.deadline > latest) {
			thread_special_on(t, SPECIAL_DEADLINE);
			timer_arm(&t->timer, latest);
		}
	}
	object_get(&p->obj);
	spin_unlock(&p->lock);
	if (accepted)
		port_dispatch(p);
	OBJ_PUT(p);
	return accepted || command_withdraw(t, ERR_INTERRUPTED);
}

/* ---- submitted commands ---- */

/* Back to the reserve it came from, or away with it. */
void submitted_release(struct command *c, struct port *q)
{
	spin_lock(&q->lock);
	bool keep = !q->dead;
	if (keep)
		list_push_front(&q->reserve, &c->node);
	spin_unlock(&q->lock);
	if (!keep)
		command_free(c);
}

/* An accepted one goes on detached, and is freed when it is answered: its Port has a place less in reserve. Returns that Port. */
static struct port *submitted_detach_locked(struct command *c, struct process *sender)
{
	struct port *q = c->completion;
	c->op = IPC_META_OP(c->meta);
	detach_locked(c, sender);
	__atomic_fetch_sub(&q->n_reserve, 1, __ATOMIC_RELAXED);
	return q;
}

static void drop_handles(struct command *c)
{
	for (unsigned i = 0; i < c->n_handles; i++)
		object_handle_put(c->handles[i]);
	c->n_handles = 0;
}

void command_complete(struct command *c, bool tell)
{
	struct port *q = c->completion;
	spin_lock(&q->lock);
	tell = tell && !q->dead;
	if (tell) {
		c->state = CMD_DONE;
		list_push_back(&q->completions, &c->event);
		q->pending++;
		object_get(&q->obj);
	}
	spin_unlock(&q->lock);
	if (tell) {
		port_dispatch(q);
		OBJ_PUT(q);
	} else {
		drop_handles(c);
		submitted_release(c, q);
		OBJ_PUT(q);
	}
}

/* What the dead process had accepted: again, or if nobody waits for it any more, away. */
static unsigned bury_accepted(struct command *c, struct port *p, struct process *dead)
{
	struct residue r = { 0 };
	unsigned steps = 0;
	bool suspect = c->id == dead->suspect;
	if (command_detached(c)) {
		command_finish_locked(c, &r);
		spin_unlock(&p->lock);
	} else if (suspect && ++c->faults >= FAULTS_POISON) {
		struct thread *caller = c->submitted ? NULL : c->caller;
		c->meta = (uint64_t)ERR_POISONED;
		if (unlikely(trace_on))
			trace_event(c, TRACE_FAILED, NULL, ERR_POISONED);
		command_finish_locked(c, &r);
		spin_unlock(&p->lock);
		if (caller) {
			caller->regs.rax = (uint64_t)ERR_POISONED;
			sched_wake(caller);
		}
	} else {
		if (!suspect)
			c->faults = 0;
		this_cpu()->commands_accepted--;
		if (c->cancel == CANCEL_QUEUED) {       /* becomes a flag of the next delivery */
			list_remove(&c->event);
			p->pending--;
			c->cancel = CANCEL_TOLD;
		}
		if (unlikely(trace_on))
			trace_event(c, TRACE_REQUEUED, NULL, OK);
		c->server = NULL;
		c->redelivered = true;
		steps = port_requeue_locked(p, c);
		if (suspect)
			port_suspect_locked(p, c);
		spin_unlock(&p->lock);
		dead->requeued = true;
	}
	residue_drop(&r);
	return steps;
}

/*
 * What it had submitted: a queued one is withdrawn, an accepted one detached; nobody hears of either. Whoever reserved its
 * place has died with that.
 */
static void bury_submitted(struct command *c, struct port *p, struct process *dead)
{
	struct residue r = { 0 };
	struct port *q = NULL;
	if (c->state == CMD_QUEUED) {
		c->sender = NULL;
		command_finish_locked(c, &r);
	} else {
		q = submitted_detach_locked(c, dead);
		r.dispatch = OBJ_GET(p);
	}
	spin_unlock(&p->lock);
	residue_drop(&r);
	OBJ_PUT(q);
}

/* An answer that waits for it, and that nobody else is given: what it carries may hold the very Port where it waits. */
static void bury_answer(struct command *c, const struct process *dead)
{
	struct port *q = c->completion;
	spin_lock(&q->lock);
	bool waits = c->state == CMD_DONE && c->completion == q && c->op == (uint32_t)dead->pid;
	if (waits) {
		list_remove(&c->event);
		q->pending--;
		c->state = CMD_IDLE;
	}
	spin_unlock(&q->lock);
	if (waits)
		command_complete(c, false);
}

static bool dispatch_some(struct process *dead, uint32_t n)
{
	for (unsigned work = 0; work < 512 && dead->dispatch_next < n; work++) {
		struct command *c = by_slot(dead->dispatch_next++);
		struct port *p = command_port(c);
		if (c->state != CMD_QUEUED || !c->redelivered || !p || list_empty(&p->waiters))
			continue;
		object_get(&p->obj);
		port_dispatch(p);
		OBJ_PUT(p);
	}
	return dead->dispatch_next >= n;
}

bool command_bury_some(struct process *dead)
{
	uint32_t n = __atomic_load_n(&command_chunk_count, __ATOMIC_ACQUIRE) * CHUNK_SLOTS;
	if (!dead->ever_served)         /* whoever submits has accepted, too, or has nothing to hear of it */
		return true;
	for (unsigned work = 0; work < 1024 && dead->bury_next < n; work++) {
		struct command *c = by_slot(dead->bury_next++);
		struct port *p = command_port_settled(c);
		bool served = c->server == dead && c->state == CMD_ACCEPTED;
		bool sent = c->submitted && c->sender == dead;
		if (__atomic_load_n(&c->state, __ATOMIC_ACQUIRE) == CMD_DONE && c->op == (uint32_t)dead->pid)
			bury_answer(c, dead);
		if (!p || (!served && !sent))
			continue;
		p = command_port_lock(c);
		if (!p)
			continue;
		if (c->submitted && c->sender == dead) {
			/* Accepted by itself, too: nobody hears of it, and then it is over. */
			dead->bury_next -= c->server == dead && c->state == CMD_ACCEPTED;
			bury_submitted(c, p, dead);
		} else if (c->server == dead && c->state == CMD_ACCEPTED) {
			work += bury_accepted(c, p, dead);
		} else {
			spin_unlock(&p->lock);
		}
	}
	if (dead->bury_next < n)
		return false;
	/* All of it is queued again: now, and not before, threads of other processes that wait there may take it. */
	return !dead->requeued || dispatch_some(dead, n);
}

/* ---- system calls ---- */

status_t sys_cmd_info(cmd_id_t id, struct cmd_info *info)
{
	struct command *c = command_lock(id);
	if (!c)
		return ERR_NOT_FOUND;
	if (!c->op_id) {
		spin_unlock(&c->session->port->lock);
		name_line(c, id, 0);
		c = command_lock(id);
		if (!c)
			return ERR_NOT_FOUND;
	}
	struct port *p = c->session->port;
	*info = (struct cmd_info){ .op_id = command_op_id(c), .accept_order = c->accept_seq, .hops = c->hops, .faults = c->faults };
	spin_unlock(&p->lock);
	return OK;
}

status_t sys_port_reserve(handle_t h, uint32_t count)
{
	struct port *q;
	status_t st = LOOKUP(h, OBJ_PORT, RIGHT_SERVE, &q);
	if (st < 0)
		return st;
	if (!count || count > PORT_RESERVE_MAX)
		return ERR_INVALID;
	while (st == OK && __atomic_load_n(&q->n_reserve, __ATOMIC_RELAXED) < count) {
		struct command *c = command_alloc(CURRENT_PROCESS->budget, &st);
		if (!c)
			break;
		spin_lock(&q->lock);
		if (q->dead) {
			st = ERR_GONE;
		} else {
			__atomic_fetch_add(&q->n_reserve, 1, __ATOMIC_RELAXED);
			list_push_front(&q->reserve, &c->node);
		}
		spin_unlock(&q->lock);
		if (st < 0)
			command_free(c);
	}
	return st;
}

static bool wanted_back(const struct command *c, const struct port *q)
{
	return c->submitted && c->sender && c->completion == q && c->state == CMD_ACCEPTED && c->cancel != CANCEL_NONE;
}

/* It goes on detached, and a spare tells its sender. */
static void give_up_locked(struct command *c, struct port *q, struct command *spare)
{
	spare->submitted = true;
	spare->sender = c->sender;
	spare->op = c->op;
	spare->token = c->token;
	spare->meta = (uint64_t)ERR_TIMED_OUT;
	spare->completion = submitted_detach_locked(c, c->sender);
	__atomic_fetch_add(&q->n_reserve, 1, __ATOMIC_RELAXED);
}

/* At the second look the grace time has passed. True: it is to be looked at again. */
static bool grace_look(struct command *c, struct port *q)
{
	struct port *p = command_port(c);
	struct command *spare = c->overdue ? command_alloc(q->obj.payer, &(status_t){ 0 }) : NULL;
	bool again = false, over = false;
	if (p) {
		spin_lock(&p->lock);
		bool wanted = command_port(c) == p && wanted_back(c, q);
		over = wanted && spare;
		again = wanted && !spare;
		if (over)
			give_up_locked(c, q, spare);
		else if (again)
			c->overdue = true;
		spin_unlock(&p->lock);
	}
	if (over)
		command_complete(spare, true);
	else if (spare)
		command_free(spare);
	return again;
}

/*
 * Once per grace time, while something submitted at this Port is wanted back: what was so at the last look already is
 * given up. In pieces: the timer fires again at once for the next.
 */
void grace_fire(struct timer *timer)
{
	struct port *q = CONTAINER_OF(timer, struct port, grace);
	uint32_t n = __atomic_load_n(&command_chunk_count, __ATOMIC_ACQUIRE) * CHUNK_SLOTS, end = MIN(n, q->grace_next + GRACE_SLOTS);
	for (; q->grace_next < end; q->grace_next++) {
		struct command *c = by_slot(q->grace_next);
		if (wanted_back(c, q) && grace_look(c, q))
			q->grace_again = true;
	}
	bool on = !q->dead;
	uint64_t wait = end < n ? 10 * NS_PER_US : GRACE_NS;
	if (end == n) {
		q->grace_next = 0;
		/* Another CPU may call grace_begin at any point of this. */
		if (!__atomic_exchange_n(&q->grace_again, false, __ATOMIC_SEQ_CST)) {
			__atomic_store_n(&q->grace_on, false, __ATOMIC_SEQ_CST);
			on = on && q->grace_again && !__atomic_exchange_n(&q->grace_on, true, __ATOMIC_SEQ_CST);
		}
	}
	if (on)
		timer_arm(timer, clock_ns() + wait);
}

static void grace_begin(struct port *q)
{
	__atomic_store_n(&q->grace_again, true, __ATOMIC_SEQ_CST);
	if (!__atomic_exchange_n(&q->grace_on, true, __ATOMIC_SEQ_CST))
		timer_arm(&q->grace, clock_ns() + GRACE_NS);
}

status_t sys_cancel(handle_t h, uint64_t token)
{
	struct progress was = progress_load();
	struct port *q;
	status_t st = LOOKUP(h, OBJ_PORT, RIGHT_SERVE, &q);
	if (st < 0)
		return st;
	uint32_t n = __atomic_load_n(&command_chunk_count, __ATOMIC_ACQUIRE) * CHUNK_SLOTS;
	for (uint32_t i = (uint32_t)progress_of(&was, SYS_cancel, q->obj.id); i < n; i++) {
		struct command *c = by_slot(i);
		struct port *p = c->submitted ? command_port_settled(c) : NULL;
		if (i % 4096 == 4095 && sched_preempt_point())
			return progress_restart(SYS_cancel, q->obj.id, i);
		if (!p || c->completion != q || c->token != token || !c->sender)
			continue;
		struct residue r = { 0 };
		p = command_port_lock(c);
		if (!p)
			continue;
		if (c->submitted && c->sender && c->completion == q && c->token == token) {
			if (c->state == CMD_QUEUED) {
				c->meta = (uint64_t)ERR_CANCELLED;
				command_finish_locked(c, &r);
				queue_priorities(p);
			} else {
				c->overdue = false;
				command_cancel_locked(c);
				grace_begin(q);
				r.dispatch = OBJ_GET(p);
			}
		}
		spin_unlock(&p->lock);
		residue_drop(&r);
		return OK;
	}
	return ERR_NOT_FOUND;
}

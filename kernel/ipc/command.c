/*
 * command: the table of commands, and their way back: answered, withdrawn, detached, requeued.
 */
#include <kernel/account.h>
#include <kernel/budget.h>
#include <kernel/ipc.h>
#include <kernel/mm.h>
#include <kernel/panic.h>
#include <kernel/plant.h>
#include <kernel/sched.h>

#define CHUNK_ORDER   2                 /* 16 KiB: 64 commands */
#define CHUNK_SLOTS   64u
#define CHUNKS_MAX    4096u
_Static_assert(CHUNK_SLOTS * sizeof(struct command) <= PAGE_SIZE << CHUNK_ORDER, "a chunk holds its slots");

static struct spinlock lock;            /* covers the free list and growth */
struct command *command_chunks[CHUNKS_MAX];     /* fastpath.S */
uint32_t command_chunk_count;
static struct command *free_list;       /* linked through `session` */

static bool grow_locked(void)
{
	uint64_t p = command_chunk_count < CHUNKS_MAX ? page_alloc(CHUNK_ORDER, PAGE_KERNEL) : 0;
	if (!p)
		return false;
	struct command *c = HHDM(p);
	mem_zero(c, PAGE_SIZE << CHUNK_ORDER);
	ACCOUNT_ADD(pages_slab, 1ull << CHUNK_ORDER);
	for (uint32_t i = CHUNK_SLOTS; i-- > (command_chunk_count == 0);) {     /* no id is 0: slot 0 stays unused */
		c[i].id = command_chunk_count * CHUNK_SLOTS + i;
		c[i].session = (struct session *)free_list;
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
		free_list = (struct command *)c->session;
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
	c->payer = NULL;
	c->session = (struct session *)free_list;
	free_list = c;
	spin_unlock(&lock);
	budget_release(payer, CHARGE_COMMANDS, 1);
	OBJ_PUT(payer);
}

/* NULL: it is nowhere. The Session, and with it its Port, lives until every CPU has left the kernel. */
static struct port *command_port(const struct command *c)
{
	struct session *s = __atomic_load_n(&c->session, __ATOMIC_ACQUIRE);
	return c->state != CMD_IDLE && s ? s->port : NULL;
}

static struct command *by_slot(uint32_t slot)
{
	uint32_t n = __atomic_load_n(&command_chunk_count, __ATOMIC_ACQUIRE);
	return slot / CHUNK_SLOTS < n ? &command_chunks[slot / CHUNK_SLOTS][slot % CHUNK_SLOTS] : NULL;
}

uint32_t command_in_len(const struct command *c)
{
	return c->path ? c->path_len : IPC_META_IN(c->caller->regs.r15);
}

uint32_t command_out_len(const struct command *c)
{
	return IPC_META_OUT(c->caller->regs.r15);
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

/* Makes c IDLE, whatever list it is in; what is left to drop goes to r. */
void command_finish_locked(struct command *c, struct residue *r)
{
	struct session *s = c->session;
	*r = (struct residue){ .payer = c->payer };
	if (c->state == CMD_QUEUED)
		port_dequeue_locked(s->port, c);
	else if (c->state == CMD_ACCEPTED)
		this_cpu()->commands_accepted--;
	c->state = CMD_IDLE;
	if (unlikely(c->extra)) {
		r->path = c->path;
		r->path_size = c->path_size;
		r->n_handles = c->n_handles;
		for (unsigned i = 0; i < c->n_handles; i++)
			r->handles[i] = c->handles[i];
		c->path = NULL;
		c->n_handles = 0;
		c->extra = 0;
	}
	if (unlikely(!c->caller))
		r->dead = c;
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
	if (r->close)
		session_send_close(r->close);
	if (r->closed)
		r->closed->close = NULL;        /* freed here, as every command without a caller */
	if (r->dead)
		command_free(r->dead);
	OBJ_PUT(r->closed);
}

void command_withdraw(struct thread *t, status_t why)
{
	struct command *c = t->command;
	struct port *p = command_port(c);
	if (!p)
		return;
	struct residue r = { 0 };
	spin_lock(&p->lock);
	if (t->wait != WAIT_CALL || c->caller != t || command_port(c) != p) {   /* answered meanwhile */
		spin_unlock(&p->lock);
		return;
	}
	if (c->state == CMD_QUEUED) {
		command_finish_locked(c, &r);
		r.dead = NULL;
	} else {
		/* Its server goes on undisturbed; windows are gone, the answer will be dropped. */
		const struct regs *from = &t->regs;
		uint64_t w[IPC_WORDS] = { from->rsi, from->rdx, from->r10, from->r8, from->r9, from->r12 };
		memcpy(c->w, w, sizeof(w));
		c->op = IPC_META_OP(from->r15);
		c->caller = NULL;
		t->command = NULL;
	}
	spin_unlock(&p->lock);
	t->regs.rax = (uint64_t)why;
	if (t->dying)
		t->wait = WAIT_NONE;
	else
		sched_wake(t);
	residue_drop(&r);
	/* A thread has a command at all times but when this fails; its next call tries again. */
	if (!t->command && !t->dying) {
		t->command = command_alloc(t->process->budget, &(status_t){ 0 });
		if (!t->command)
			t->special |= SPECIAL_NO_COMMAND;
	}
}

static bool dispatch_some(struct process *server, uint32_t n)
{
	if (!server->requeue_dispatch)
		return true;
	for (unsigned work = 0; work < 512 && server->dispatch_next < n; work++) {
		struct command *c = by_slot(server->dispatch_next++);
		struct port *p = command_port(c);
		if (c->state != CMD_QUEUED || !c->redelivered || !p || list_empty(&p->waiters))
			continue;
		object_get(&p->obj);
		port_dispatch(p);
		OBJ_PUT(p);
	}
	return server->dispatch_next >= n;
}

/* Looks through the table for what `server` had accepted; it is in order again in its queue (accept_seq). */
bool command_requeue_some(struct process *server)
{
	uint32_t n = __atomic_load_n(&command_chunk_count, __ATOMIC_ACQUIRE) * CHUNK_SLOTS;
	if (!server->ever_served)
		return true;
	for (unsigned work = 0; work < 1024 && server->requeue_next < n; work++) {
		struct command *c = by_slot(server->requeue_next++);
		struct port *p = command_port(c);
		struct residue r = { 0 };
		if (c->server != server || c->state != CMD_ACCEPTED || !p)
			continue;
		spin_lock(&p->lock);
		if (c->server != server || c->state != CMD_ACCEPTED || command_port(c) != p) {
			spin_unlock(&p->lock);
			continue;
		}
		if (!c->caller && !c->is_close) {
			/* Nobody waits any more, and its windows are gone. */
			command_finish_locked(c, &r);
			spin_unlock(&p->lock);
			residue_drop(&r);
			continue;
		}
		this_cpu()->commands_accepted--;
		c->server = NULL;
		c->redelivered = !PLANTED(no_redelivered);
		object_get(&p->obj);
		work += port_requeue_locked(p, c);
		spin_unlock(&p->lock);
		server->requeued = true;
		OBJ_PUT(p);
	}
	if (server->requeue_next < n)
		return false;
	/* All of it is queued again: now, and not before, threads of other processes that wait there may take it. */
	if (server->requeued) {
		server->requeued = false;
		server->requeue_dispatch = true;
	}
	return dispatch_some(server, n);
}

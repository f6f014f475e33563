/*
 * command: the table of commands, and their way back: answered, withdrawn, detached, requeued.
 */
#include <kernel/account.h>
#include <kernel/budget.h>
#include <kernel/ipc.h>
#include <kernel/mm.h>
#include <kernel/panic.h>
#include <kernel/sched.h>

#define CHUNK_ORDER   2                 /* 16 KiB of commands at a time */
#define CHUNK_SLOTS   ((uint32_t)((PAGE_SIZE << CHUNK_ORDER) / sizeof(struct command)))
#define CHUNKS_MAX    4096u

static struct spinlock lock;            /* covers the free list and growth */
static struct command *chunks[CHUNKS_MAX];
static uint32_t n_chunks;
static struct command *free_list;       /* linked through `session` */

static bool grow_locked(void)
{
	uint64_t p = n_chunks < CHUNKS_MAX ? page_alloc(CHUNK_ORDER, PAGE_KERNEL) : 0;
	if (!p)
		return false;
	struct command *c = HHDM(p);
	mem_zero(c, PAGE_SIZE << CHUNK_ORDER);
	ACCOUNT_ADD(pages_slab, 1ull << CHUNK_ORDER);
	for (uint32_t i = CHUNK_SLOTS; i-- > 0;) {
		c[i].slot = n_chunks * CHUNK_SLOTS + i;
		c[i].session = (struct session *)free_list;
		free_list = &c[i];
	}
	chunks[n_chunks] = c;
	__atomic_store_n(&n_chunks, n_chunks + 1, __ATOMIC_RELEASE);
	return true;
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
	uint32_t slot = c->slot, generation = c->generation;
	*c = (struct command){ .slot = slot, .generation = generation, .payer = payer };
	object_get(&payer->obj);
	list_init(&c->node);
	list_init(&c->serving);
	ACCOUNT_ADD(slab_bytes, sizeof(*c));
	return c;
}

void command_free(struct command *c)
{
	struct budget *payer = c->payer;
	ASSERT(c->state == CMD_IDLE && !c->session);
	ACCOUNT_SUB(slab_bytes, sizeof(*c));
	spin_lock(&lock);
	c->payer = NULL;
	c->session = (struct session *)free_list;
	free_list = c;
	spin_unlock(&lock);
	budget_release(payer, CHARGE_COMMANDS, 1);
	OBJ_PUT(payer);
}

struct command *command_lock(cmd_id_t id)
{
	uint32_t slot = (uint32_t)id, n = __atomic_load_n(&n_chunks, __ATOMIC_ACQUIRE);
	if (slot / CHUNK_SLOTS >= n)
		return NULL;
	struct command *c = &chunks[slot / CHUNK_SLOTS][slot % CHUNK_SLOTS];
	struct port *p = __atomic_load_n(&c->port, __ATOMIC_ACQUIRE);
	if (c->state != CMD_ACCEPTED || c->generation != id >> 32 || !p)
		return NULL;
	spin_lock(&p->lock);
	if (c->port == p && c->state == CMD_ACCEPTED && c->generation == id >> 32 && c->server == current_thread()->process)
		return c;
	spin_unlock(&p->lock);
	return NULL;
}

/* Takes c off whatever list it is in and makes it IDLE; what it held goes to r. */
void command_finish_locked(struct command *c, struct residue *r)
{
	struct port *p = c->port;
	list_remove(&c->node);
	if (c->state == CMD_QUEUED) {
		if (list_empty(&p->queue[c->priority]))
			p->queue_mask &= ~(1u << c->priority);
		p->n_queued--;
		ACCOUNT_SUB(commands_queued, 1);
	} else if (c->state == CMD_ACCEPTED) {
		p->n_accepted--;
		ACCOUNT_SUB(commands_accepted, 1);
		spin_lock(&c->server->lock);
		list_remove(&c->serving);
		spin_unlock(&c->server->lock);
	}
	c->state = CMD_IDLE;
	c->server = NULL;
	*r = (struct residue){ .session = c->session, .vmem = c->vmem, .payer = c->payer, .path = c->path,
		.path_size = c->path_size, .n_handles = c->n_handles };
	for (unsigned i = 0; i < c->n_handles; i++)
		r->handles[i] = c->handles[i].object;
	if (!c->caller)
		r->dead = c;
	c->session = NULL;
	c->port = NULL;
	c->vmem = NULL;
	c->path = NULL;
	c->n_handles = 0;
	c->caller = NULL;
	c->accept_seq = 0;
	c->redelivered = false;
}

void residue_drop(struct residue *r)
{
	for (unsigned i = 0; i < r->n_handles; i++)
		object_handle_put(r->handles[i]);
	if (r->path) {
		kfree(r->path, r->path_size);
		budget_release(r->payer, CHARGE_KERNEL, r->path_size);
	}
	OBJ_PUT(r->vmem);
	if (r->dead) {
		/* A CLOSE belongs to its Session, which goes with it. */
		if (r->dead->is_close)
			r->session->close = NULL;
		command_free(r->dead);
	}
	OBJ_PUT(r->session);
}

void command_withdraw(struct thread *t, status_t why)
{
	struct command *c = t->command;
	struct residue r = { 0 };
	struct port *p = c->port;
	spin_lock(&p->lock);
	if (t->wait != WAIT_CALL || c->caller != t) {   /* answered meanwhile */
		spin_unlock(&p->lock);
		return;
	}
	struct vmem *revoked = NULL;
	if (c->state == CMD_QUEUED) {
		command_finish_locked(c, &r);
		r.dead = NULL;
	} else {
		/* Its server goes on undisturbed; windows are gone, the answer will be dropped. */
		c->caller = NULL;
		revoked = c->vmem;
		c->vmem = NULL;
		t->command = NULL;
	}
	spin_unlock(&p->lock);
	t->regs.rax = (uint64_t)why;
	if (t->dying)
		t->wait = WAIT_NONE;
	else
		sched_wake(t);
	OBJ_PUT(revoked);
	if (r.session)
		residue_drop(&r);
	/* A thread has a command at all times but when this fails; its next call tries again. */
	if (!t->command && !t->dying)
		t->command = command_alloc(t->process->budget, &(status_t){ 0 });
}

bool command_requeue_some(struct process *server)
{
	for (unsigned work = 0; work < 16; work++) {
		spin_lock(&server->lock);
		bool none = list_empty(&server->serving);
		struct command *c = none ? NULL : LIST_FIRST(&server->serving, struct command, serving);
		spin_unlock(&server->lock);
		if (none)
			return true;
		struct port *p = c->port;
		struct residue r = { 0 };
		spin_lock(&p->lock);
		bool detached = !c->caller && !c->is_close;
		if (c->state != CMD_ACCEPTED || c->server != server) {
			spin_unlock(&p->lock);
			continue;
		}
		if (detached) {
			/* Nobody waits any more, and its windows are gone. */
			command_finish_locked(c, &r);
			spin_unlock(&p->lock);
			residue_drop(&r);
			continue;
		}
		list_remove(&c->node);
		p->n_accepted--;
		ACCOUNT_SUB(commands_accepted, 1);
		spin_lock(&server->lock);
		list_remove(&c->serving);
		spin_unlock(&server->lock);
		c->server = NULL;
		c->redelivered = true;
		port_requeue_locked(p, c);
		object_get(&p->obj);
		spin_unlock(&p->lock);
		port_dispatch(p);
		OBJ_PUT(p);
	}
	return false;
}

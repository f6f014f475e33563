/*
 * brief: the parts of the short path (fastpath.S) that read better in C: a command with a short path, an answer that
 * mints a Session, submit, a piece of a window within one page.
 *
 * Each does all that is asked or nothing: where something is out of the ordinary it says so with nothing changed, and
 * the long way (call.c, port.c) begins from the start, does the same and more, and finds the right error. Nothing here
 * waits: a lock that another CPU holds is out of the ordinary, too.
 */
#include "../arch/x86_64/offsets.h"
#include <kernel/arch.h>
#include <kernel/brief.h>
#include <kernel/cpu.h>
#include <kernel/process.h>
#include <kernel/syscall.h>

#define ONES 0x0101010101010101ull
#define WORD_OF(text) (*(const uint64_t *)(text))

/*
 * The Session that a URI in `text`, of `len` bytes, goes to, by a scheme of at most seven letters, which are compared in one
 * go; borrowed. *offset: where the path begins. What does not even look like a scheme is bound in no Namespace.
 */
static struct session *by_scheme(struct namespace *ns, const char *text, uint32_t len, uint32_t *rights, uint32_t *offset)
{
	uint64_t scheme = WORD_OF(text), colons = scheme ^ ONES * ':';
	colons = (colons - ONES) & ~colons & ONES << 7;
	uint32_t n = colons ? (uint32_t)__builtin_ctzll(colons) >> 3 : 0;
	if (text[0] == '/' && len) {
		scheme = 'f' | 's' << 8;
	} else {
		if (!n || n + 3 > len || text[n + 1] != '/' || text[n + 2] != '/')
			return NULL;
		scheme &= (1ull << 8 * n % 64) - 1;
		*offset = n + 3;
	}
	struct session *s = NULL;
	if (!spin_trylock(&ns->lock))
		return NULL;
	for (struct ns_binding *b = ns->entries, *end = b + ns->n; b < end; b++)
		if (WORD_OF(b->scheme) == scheme) {
			s = b->session;
			*rights = b->rights;
			break;
		}
	spin_unlock(&ns->lock);
	return s;
}

struct brief_target brief_path(struct thread *t)
{
	const struct brief_target none = { NULL, 0 };
	const struct regs *r = &t->regs;
	struct command *c = t->command;
	uint64_t meta = r->r15;
	uint32_t len = IPC_META_IN(meta), offset = 0, rights = 0;
	handle_t h = (handle_t)r->rdi;
	struct session *s = NULL;
	if (len > THREAD_PATH || !c || user_copy(t->short_path, (const void *)r->r13, len) < 0)
		return none;
	if (IPC_META_FLAGS(meta) & IPC_URI) {
		struct namespace *ns = t->process->ns;
		if (h && handle_lookup(t->table, h, OBJ_NAMESPACE, RIGHT_INSPECT, (struct object **)&ns, NULL) < 0)
			return none;
		s = by_scheme(ns, t->short_path, len, &rights, &offset);
		if (!s)
			return none;
	} else if (handle_lookup(t->table, h, OBJ_SESSION, RIGHT_CALL, (struct object **)&s, &rights) < 0) {
		return none;
	}
	/* Read only while c->path is set, which is at the commit. */
	c->path_len = (uint16_t)(len - offset);
	c->path_offset = (uint16_t)offset;
	c->path_size = 0;
	c->meta = IPC_META(IPC_META_OP(meta), len - offset, IPC_META_OUT(meta), IPC_PATH);
	return (struct brief_target){ s, rights };
}

/* A Session in the caller's table. The Port is locked. False: nothing changed. */
static bool mint(struct port *p, struct thread *caller, const struct regs *from, struct budget *payer, uint64_t *handle)
{
	handle_t h = 0;
	status_t why;
	uint32_t rights = (uint32_t)from->r15 & SESSION_RIGHTS;
	struct session *s = session_create(p, from->r14, rights, (uint32_t)(from->r15 >> 32), payer, &why);
	if (!s)
		return false;
	why = handle_install(caller->table, &s->obj, RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER | rights, 0, &h);
	*handle = h;
	if (why < 0)
		s->closing = SESSION_CLOSE_SENT;        /* nobody ever had it: it goes without a word */
	OBJ_PUT(s);
	return why == OK;
}

/* Nothing special about the two but that they are bound to CPUs, and `to` to this one. */
static noinline bool may_run_here(const struct thread *t, const struct thread *to)
{
	return !((to->special | t->special) & ~SPECIAL_FINE) && (to->affinity >> this_cpu()->cpu & 1);
}

struct brief_answer brief_return(struct thread *t)
{
	struct brief_answer a = { NULL, 0 };
	const struct regs *from = &t->regs;
	struct command *c = t->serving;
	struct port *p;
	if (handle_lookup(t->table, (handle_t)(from->rax >> 32), OBJ_PORT, RIGHT_SERVE, (struct object **)&p, NULL) < 0 || !spin_trylock(&p->lock))
		return a;
	/* Accepted here, or another lock covers the command. */
	if (t->wait_port != p || c->id != from->rdi || c->state != CMD_ACCEPTED || (c->extra | COMMAND_BRIEF) != COMMAND_BRIEF || p->pending)
		goto out;
	struct thread *caller = c->caller;
	if (!caller || caller->on_cpu || (((caller->special | t->special) & ~SPECIAL_FPU) && !may_run_here(t, caller)) ||
	    c->session->closing || this_cpu()->run_top > caller->priority)
		goto out;
	if ((from->r15 >> 32 & RETURN_MINT) && (int64_t)from->r13 >= 0 && !mint(p, caller, from, c->payer, &a.handle))
		goto out;
	a.command = c;
	debug_lock_handed(&p->lock);            /* the Port stays locked */
	return a;
out:
	spin_unlock(&p->lock);
	return a;
}

bool brief_submit(struct thread *t)
{
	const struct regs *from = &t->regs;
	uint32_t rights;
	if (from->rdi >> 32 || from->rbx || (from->r15 & META_LONG) || (from->r13 | from->r14) >> 46 || thread_in_hand(t))
		return false;
	struct port *q = (struct port *)handle_find(t->table, (handle_t)(from->rax >> 32), OBJ_PORT, RIGHT_SERVE, &rights);
	struct session *s = (struct session *)handle_find(t->table, (handle_t)from->rdi, OBJ_SESSION, RIGHT_CALL, &rights);
	struct port *p = q && s ? s->port : q;
	if (q == p || !spin_trylock(&p->lock))
		return false;
	if (p->pending || list_empty(&p->waiters) || p->dead || s->closing || !spin_trylock(&q->lock)) {
		spin_unlock(&p->lock);
		return false;
	}
	if (list_empty(&q->reserve)) {
		spin_unlock(&q->lock);
		spin_unlock(&p->lock);
		return false;
	}
	struct command *c = LIST_FIRST(&q->reserve, struct command, node);
	list_remove(&c->node);
	c->completion = OBJ_GET(q);
	spin_unlock(&q->lock);
	/* sent, and accepted */
	struct thread *to = LIST_FIRST(&p->waiters, struct thread, run);
	struct regs *r = &to->regs;
	waiter_off_locked(to);
	r->rsi = c->w[0] = from->rsi;
	r->rdx = c->w[1] = from->rdx;
	r->r10 = c->w[2] = from->r10;
	r->r8 = c->w[3] = from->r8;
	r->r9 = c->w[4] = from->r9;
	r->r12 = c->w[5] = from->r12;
	r->rax = ACCEPT_COMMAND;
	r->rdi = c->id += 1ull << 32;
	r->r13 = s->badge;
	r->r14 = c->rights = s->rights & rights;
	r->r15 = c->meta = from->r15;
	r->rbx = r->rbp = 0;
	c->in = from->r13;
	c->out = from->r14;
	c->token = from->rbp;
	c->op = (uint32_t)t->process->pid;
	c->sender = t->process;
	c->server = to->process;
	c->session = s;
	c->op_id = 0;
	c->accept_seq = ++p->next_seq;
	c->state = CMD_ACCEPTED;
	c->extra = COMMAND_SUBMITTED;
	c->priority = t->priority;
	c->cancel = CANCEL_NONE;
	c->redelivered = false;
	c->faults = 0;
	c->hops = 0;
	c->submitted = true;
	s->in_flight++;
	t->process->ever_served = true;
	this_cpu()->commands_accepted++;
	to->serving = c;
	to->steps = 0;
	to->priority = MAX(to->priority, t->priority);
	spin_unlock(&p->lock);
	way_taken(CALL_SHORT);
	sched_wake(to);
	return true;
}

/* Between the memory of the current process and `at`, which is the caller's or, with no vm, the kernel's. */
static status_t piece(struct vmem *vm, uint64_t at, uint64_t user, uint64_t n, bool to_caller)
{
	uint64_t in_page = at & (PAGE_SIZE - 1);
	if (vm) {
		if (in_page + n > PAGE_SIZE || !spin_trylock(&vm->lock))
			return ERR_AGAIN;
		uint64_t phys = pt_peek(vm, at, to_caller ? PROT_WRITE : PROT_READ);
		spin_unlock(&vm->lock);
		if (!phys)
			return ERR_AGAIN;
		at = (uint64_t)HHDM(phys) + in_page;
	}
	status_t st = to_caller ? user_copy((void *)at, (const void *)user, n) : user_copy((void *)user, (const void *)at, n);
	return st == OK && to_caller && unlikely(vmem_clones_under_way()) ? ERR_AGAIN : st;     /* as copy_piece */
}

always_inline int64_t window(cmd_id_t id, uint64_t offset, uint64_t user, uint64_t len, bool to_caller)
{
	struct thread *t = current_thread();
	struct command *c = t->serving;
	if (c->id != id || c->state != CMD_ACCEPTED || t->progress_key || len > PAGE_SIZE)
		return -1;
	/* Another thread of this process may be answering it: its Session can go at any time, but not its memory (command_port). */
	const struct session *s = __atomic_load_n(&c->session, __ATOMIC_ACQUIRE);
	struct port *p = s ? s->port : NULL;
	if (!p || !spin_trylock(&p->lock))
		return -1;
	int64_t done = -1;
	if (c->id == id && c->state == CMD_ACCEPTED && c->server == t->process && c->session == s && !c->submitted && c->caller) {
		const struct thread *caller = c->caller;
		const char *path = to_caller ? NULL : c->path;
		uint64_t at = path ? (uint64_t)path + c->path_offset : to_caller ? caller->regs.r14 : caller->regs.r13;
		uint64_t size = path ? c->path_len : to_caller ? IPC_META_OUT(caller->regs.r15) : IPC_META_IN(caller->regs.r15);
		if (offset < size) {
			uint64_t n = MIN(len, size - offset);
			if (user_range_ok(user, n) && piece(path ? NULL : caller->vmem, at + offset, user, n, to_caller) == OK)
				done = (int64_t)n;
		}
	}
	spin_unlock(&p->lock);
	return done;
}

int64_t brief_cmd_read(cmd_id_t id, uint64_t offset, uint64_t user, uint64_t len)
{
	return window(id, offset, user, len, false);
}

int64_t brief_cmd_write(cmd_id_t id, uint64_t offset, uint64_t user, uint64_t len)
{
	return window(id, offset, user, len, true);
}

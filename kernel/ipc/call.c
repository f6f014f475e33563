/*
 * call: sending a command and reaching into its windows.
 *
 * Decode, then commit: the Session is found, the path copied and the handles looked up before
 * the command is filled in; from port_send on the answer comes through the saved registers.
 */
#include <kernel/account.h>
#include <kernel/brief.h>
#include <kernel/budget.h>
#include <kernel/ipc.h>
#include <kernel/log.h>
#include <kernel/mm.h>
#include <kernel/pager.h>
#include <kernel/plant.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>
#include <kernel/uri.h>

/*
 * Copies the path in: to where the calling thread has room for a short one, or to memory that is charged. For a URI
 * also finds the Session (counted).
 */
static status_t take_path(struct command *c, uint64_t address, uint32_t len, struct namespace *ns, struct session **s, uint32_t *rights)
{
	if (len > IPC_PATH_MAX)
		return ERR_TOO_LONG;
	/* A submitted command outlives the call: the thread's room serves the thread's own command only. */
	bool brief = len <= THREAD_PATH && c == current_thread()->command;
	uint32_t size = brief ? 0 : MAX(len, 1u);
	status_t st = brief ? OK : budget_charge(c->payer, CHARGE_KERNEL, size);
	if (st < 0)
		return st;
	char *text = brief ? current_thread()->short_path : kmalloc(size - PLANTED(out_of_bounds));
	st = text ? copy_in(text, (user_in_t){ address }, len) : ERR_NO_MEMORY;
	uint32_t offset = 0;
	if (st == OK && ns) {
		const char *scheme, *path;
		size_t scheme_len, path_len;
		st = uri_split(text, len, &scheme, &scheme_len, &path, &path_len);
		if (st == OK)
			st = ns_lookup(ns, scheme, scheme_len, s, rights);
		offset = st == OK ? (uint32_t)(path - text) : 0;
	}
	if (st < 0) {
		if (!brief) {
			kfree(text, size);
			budget_release(c->payer, CHARGE_KERNEL, size);
		}
		return st;
	}
	c->path = text;
	c->path_size = (uint16_t)size;
	c->path_offset = (uint16_t)offset;
	c->path_len = (uint16_t)(len - offset);
	return OK;
}

static status_t take_handles(struct command *c, const struct regs *r, unsigned max)
{
	handle_t h[IPC_HANDLES] = { (handle_t)(r->rdi >> 32), (handle_t)r->rbx, (handle_t)(r->rbx >> 32), (handle_t)(r->rax >> 32) };
	for (unsigned i = 0; i < max; i++) {
		if (!h[i])
			continue;
		struct object *o;
		uint32_t rights;
		status_t st = handle_lookup(CURRENT_PROCESS->table, h[i], OBJ_NONE, RIGHT_TRANSFER, &o, &rights);
		if (st < 0)
			return st;
		object_handle_get(o);
		c->handles[c->n_handles] = o;
		c->handle_rights[c->n_handles++] = rights;
	}
	return OK;
}

/* Undoes take_path and take_handles of a command that was not sent. */
static status_t abandon(struct command *c, status_t st)
{
	struct residue r = { .payer = c->payer, .path = c->path_size ? c->path : NULL, .path_size = c->path_size, .n_handles = c->n_handles };
	for (unsigned i = 0; i < c->n_handles; i++)
		r.handles[i] = c->handles[i];
	command_unlend(c, current_thread());
	c->path = NULL;
	c->n_handles = 0;
	c->extra = 0;
	residue_drop(&r);
	return st;
}

#ifdef TEST_BUILD
/* Calls go downwards: a service that waits for one of its own level or above could wait for itself. */
static bool upwards(const struct process *from, const struct port *to)
{
	if (!to->level || from->level > to->level || PLANTED(no_levels))
		return false;
	const struct process *server = to->server;
	klog("%s (level %u) calls %s (level %u): refused", from->name, from->level, server ? server->name : "a dead service", to->level);
	return true;
}
#endif

static status_t send(struct thread *t, struct command *c, struct session *s, uint32_t rights, uint64_t deadline)
{
#ifdef TEST_BUILD
	if (upwards(t->process, s->port))
		return abandon(c, ERR_LOOP);
#endif
	if (unlikely(t->special & SPECIAL_INTERRUPTED)) {
		thread_special_off(t, SPECIAL_INTERRUPTED);
		return abandon(c, ERR_INTERRUPTED);
	}
	way_taken(CALL_LONG);
	command_fresh(c);
	t->steps++;
	c->session = s;
	c->caller = t;
	c->rights = s->rights & rights;
	c->priority = t->priority;
	/* Blocked before it is sent: the answer may come from another CPU at once. */
	sched_block_current(WAIT_CALL, deadline);
	status_t st = port_send(s->port, c, true);
	if (likely(st == OK))
		return STATUS_BLOCKED;
	sched_unblock_current();
	return abandon(c, st);
}

status_t own_command(struct thread *t)
{
	status_t why = OK;
	if (unlikely(!t->command)) {
		t->command = command_alloc(t->process->budget, &why);
		if (t->command)
			thread_special_off(t, SPECIAL_NO_COMMAND);
	}
	return why;
}

status_t raw_call_words(uint64_t session, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	(void)a1, (void)a2, (void)a3, (void)a4, (void)a5;
	struct thread *t = current_thread();
	struct session *s;
	uint32_t rights = 0;
	status_t st = handle_lookup(t->process->table, (handle_t)session, OBJ_SESSION, RIGHT_CALL, (struct object **)&s, &rights);
	if (unlikely(st < 0 || (st = own_command(t)) < 0))
		return st;
	t->regs.r15 = IPC_META_OP(t->regs.r15);
	return send(t, t->command, s, rights, FOREVER);
}

/*
 * The parts of a call that c carries along: Session, path, handles. *counted: a Session that was found by URI. On an
 * error c is as before.
 */
static status_t compose(struct command *c, const struct regs *r, unsigned max_handles, struct session **s, uint32_t *rights, struct session **counted)
{
	struct process *self = CURRENT_PROCESS;
	uint32_t flags = IPC_META_FLAGS(r->r15), in_len = IPC_META_IN(r->r15), out_len = IPC_META_OUT(r->r15);
	handle_t h = (handle_t)r->rdi;
	status_t st = OK;
	*counted = NULL;
	if ((flags & ~(uint32_t)(IPC_PATH | IPC_URI)) || in_len > IPC_WINDOW_MAX || out_len > IPC_WINDOW_MAX)
		return ERR_INVALID;
	if (!user_range_ok(r->r13, in_len) || !user_range_ok(r->r14, out_len))
		return ERR_FAULT;
	if (flags & IPC_URI) {
		struct namespace *ns = self->ns;
		if (h)
			st = handle_lookup(self->table, h, OBJ_NAMESPACE, RIGHT_INSPECT, (struct object **)&ns, NULL);
		if (st == OK)
			st = take_path(c, r->r13, in_len, ns, counted, rights);
		*s = *counted;
	} else {
		st = handle_lookup(self->table, h, OBJ_SESSION, RIGHT_CALL, (struct object **)s, rights);
		if (st == OK && (flags & IPC_PATH))
			st = take_path(c, r->r13, in_len, NULL, NULL, NULL);
	}
	if (st == OK)
		st = take_handles(c, r, max_handles);
	if (unlikely(st < 0)) {
		(void)abandon(c, st);
		OBJ_PUT(*counted);
		return st;
	}
	c->extra = flags || c->n_handles;
	return OK;
}

status_t raw_call(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	(void)a0, (void)a1, (void)a2, (void)a3, (void)a4, (void)a5;
	struct thread *t = current_thread();
	struct session *s, *counted;
	uint32_t rights = 0;
	status_t st = own_command(t);
	if (st == OK)
		st = compose(t->command, &t->regs, IPC_HANDLES, &s, &rights, &counted);
	if (st < 0)
		return st;
	if (unlikely(t->special & SPECIAL_PAGED)) {
		bool lent = false;
		st = vmem_lend(t, &lent);
		t->command->lent = lent;
		t->command->extra |= lent;      /* so that the end of it is seen */
		if (st < 0) {
			(void)abandon(t->command, st);
			OBJ_PUT(counted);
			return st;
		}
	}
	st = send(t, t->command, s, rights, t->regs.rbp);
	OBJ_PUT(counted);
	return st;
}

status_t raw_submit(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	(void)a0, (void)a1, (void)a2, (void)a3, (void)a4, (void)a5;
	const struct regs *r = &current_thread()->regs;
	struct port *q;
	struct command *c = NULL;
	struct session *s, *counted;
	uint32_t rights = 0;
	status_t st = LOOKUP((handle_t)(r->rax >> 32), OBJ_PORT, RIGHT_SERVE, &q);
	if (st < 0)
		return st;
	spin_lock(&q->lock);
	if (!list_empty(&q->reserve)) {
		c = LIST_FIRST(&q->reserve, struct command, node);
		list_remove(&c->node);
	}
	spin_unlock(&q->lock);
	if (!c)
		return ERR_AGAIN;
	st = compose(c, r, IPC_HANDLES - 1, &s, &rights, &counted);
	if (st == OK) {
		uint64_t w[IPC_WORDS] = { r->rsi, r->rdx, r->r10, r->r8, r->r9, r->r12 };
		command_fresh(c);
		memcpy(c->w, w, sizeof(w));
		c->in = r->r13;
		c->out = r->r14;
		c->meta = r->r15;
		c->token = r->rbp;
		c->op = (uint32_t)CURRENT_PROCESS->pid;
		c->extra = 1;
		c->submitted = true;
		c->sender = CURRENT_PROCESS;
		c->completion = OBJ_GET(q);
		c->session = s;
		c->rights = s->rights & rights;
		c->priority = current_thread()->priority;
		CURRENT_PROCESS->ever_served = true;
		command_derive(c);
		st = port_send(s->port, c, false);
		OBJ_PUT(counted);
		if (st == OK)
			return OK;
		(void)abandon(c, st);
		OBJ_PUT(q);
	}
	c->submitted = false;
	submitted_release(c, q);
	return st;
}

#define HOPS_MAX 8

status_t sys_forward(cmd_id_t id, handle_t session, uint32_t skip, uint32_t rights)
{
	struct session *to;
	uint32_t had;
	status_t st = handle_lookup(CURRENT_PROCESS->table, session, OBJ_SESSION, RIGHT_CALL, (struct object **)&to, &had);
	if (st < 0)
		return st;
	struct command *c = command_lock(id);
	if (!c)
		return ERR_NOT_FOUND;
	struct session *from = c->session;
	struct port *p = from->port;
	if (c->is_close || c->is_page || skip > (c->path ? c->path_len : 0u))
		st = ERR_INVALID;
	else if (c->hops == HOPS_MAX)
		st = ERR_LOOP;
	else if (to->port->dead)
		st = ERR_GONE;
	if (st < 0) {
		spin_unlock(&p->lock);
		return st;
	}
	/* The sender may leave while it is on its way. */
	struct process *late = command_detached(c) ? c->late : NULL;
	/* Off this Port; with its handles, path and windows it goes on under the other Session, and may go the short way back. */
	struct session *close = NULL;
	struct port *dispatch = NULL;
	this_cpu()->commands_accepted--;
	if (c->cancel == CANCEL_QUEUED) {
		list_remove(&c->event);
		p->pending--;
	}
	if (p->suspect == c) {
		port_suspect_locked(p, NULL);
		dispatch = OBJ_GET(p);
	}
	bool cancelled = c->cancel != CANCEL_NONE;
	c->state = CMD_MOVING;          /* whoever wants it back waits until it has arrived */
	c->cancel = CANCEL_NONE;
	c->faults = 0;
	c->accept_seq = 0;
	c->redelivered = false;
	c->server = NULL;
	c->hops++;
	c->path_offset = (uint16_t)(c->path_offset + skip);
	c->path_len = (uint16_t)(c->path_len - skip);
	c->rights &= rights & had & to->rights;
	if (--from->in_flight == 0 && from->closing == SESSION_CLOSE_PENDING)
		close = from;
	c->session = to;
	if (!PLANTED(no_carry))
		c->priority = command_priority(c);      /* the short path has left it open */
	struct thread *caller = c->submitted ? NULL : c->caller;
	spin_unlock(&p->lock);
	if (unlikely(close || dispatch))
		residue_drop(&(struct residue){ .close = close, .dispatch = dispatch });
	bool submitted = c->submitted, told = submitted && c->sender;
	st = cancelled ? ERR_CANCELLED : port_send(to->port, c, false);
	if (unlikely(st < 0)) {
		/* Nobody wants it any more, or the other side went in this instant: that is the answer. */
		__atomic_store_n(&c->state, CMD_IDLE, __ATOMIC_RELEASE);
		command_unlend(c, caller);
		c->session = NULL;
		c->caller = NULL;
		(void)abandon(c, st);
		if (caller) {
			caller->regs.rax = (uint64_t)st;
			sched_wake(caller);
		} else if (submitted) {
			c->meta = (uint64_t)st;
			command_complete(c, told);
		} else {
			command_free(c);
			attach_answered(late);
		}
	}
	return OK;
}

/* ---- windows ---- */

/* One piece of a window, within a page of the caller's. Port locked. */
static status_t copy_piece(uint64_t va, struct vmem *vm, uint64_t user, uint64_t *n, bool to_caller)
{
	uint64_t in_page = va & (PAGE_SIZE - 1), phys, now;
	*n = MIN(*n, PAGE_SIZE - in_page);
	status_t st = vmem_resolve(vm, va, to_caller ? PROT_WRITE : PROT_READ, &now);
	do {
		if (unlikely(st < 0))
			return st == ERR_FAULT ? ERR_GONE : st;         /* the caller's memory, not ours */
		phys = now;
		char *mem = (char *)HHDM(phys) + in_page;
		st = to_caller ? user_copy(mem, (const void *)user, *n) : user_copy((void *)user, mem, *n);
		/* Meanwhile the page may have gone to a copy of the Vmem, and the caller have got another. */
		if (st == OK && unlikely(to_caller && vmem_clones_under_way()))
			st = vmem_resolve(vm, va, PROT_WRITE, &now);
	} while (unlikely(now != phys));
	return st;
}

/*
 * Copies between the server's memory and the caller's, a page at a time under the Port's lock, so
 * that a caller who leaves revokes its windows after at most one page.
 */
static status_t window(cmd_id_t id, uint64_t offset, uint64_t user, uint64_t len, bool to_caller, uint64_t *result)
{
	uint32_t call = to_caller ? SYS_cmd_write : SYS_cmd_read;
	struct progress was = progress_load();
	uint64_t done = MIN(len, progress_of(&was, call, id));
	if (!user_range_ok(user, len))
		return ERR_FAULT;
	for (unsigned pieces = 0; ; pieces++) {
		struct command *c = command_lock(id);
		if (unlikely(!c))
			return ERR_NOT_FOUND;
		status_t st = OK;
		uint64_t n = 0, at = offset + done;
		struct port *p = c->session->port;
		uint64_t base, size;
		struct vmem *vm;
		if (unlikely(command_detached(c))) {
			st = ERR_GONE;
		} else if ((size = command_window(c, to_caller, &base, &vm)) > at && done < len && offset < size) {
			n = MIN(len - done, size - at);
			if (!vm && to_caller)
				st = copy_in((char *)base + at, (user_in_t){ user + done }, n);
			else if (!vm)
				st = copy_out((user_out_t){ user + done }, (const char *)base + at, n);
			else
				st = copy_piece(base + at, vm, user + done, &n, to_caller);
		}
		spin_unlock(&p->lock);
		if (unlikely(st < 0))
			return page_lacking() ? progress_restart(call, id, done) : st;
		done += n;
		if (!n || done == len)
			break;
		if (pieces % 8 == 7 && sched_preempt_point())
			return progress_restart(call, id, done);
	}
	*result = done;
	return OK;
}

status_t sys_cmd_read(cmd_id_t cmd, uint64_t offset, user_out_t buf, uint64_t len, uint64_t *done)
{
	return window(cmd, offset, buf.va, len, false, done);
}

status_t sys_cmd_write(cmd_id_t cmd, uint64_t offset, user_in_t buf, uint64_t len, uint64_t *done)
{
	return window(cmd, offset, buf.va, len, true, done);
}

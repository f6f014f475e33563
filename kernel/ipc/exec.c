/*
 * exec: one system call makes a running process from segments of Frames, a list of handles and an
 * entry point. ELF and arguments are user space's business. On any error nothing is left.
 */
#include <kernel/budget.h>
#include <kernel/log.h>
#include <kernel/mm.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>

static status_t map_segment(struct process *p, const struct exec_segment *s)
{
	struct frame *f;
	uint32_t rights = RIGHT_ALL;
	status_t st = OK;
	uint64_t va = s->va;
	if (s->prot & ~(uint32_t)(PROT_READ | PROT_WRITE | PROT_EXEC))
		return ERR_INVALID;
	if (s->frame) {
		st = handle_lookup(CURRENT_PROCESS->table, s->frame, OBJ_FRAME, RIGHT_MAP, (struct object **)&f, &rights);
		if (st < 0)
			return st;
		object_get(&f->obj);
	} else {
		f = frame_create(s->size, 0, p->budget, &st);
		if (!f)
			return st;
	}
	/* It stays within the access that it starts with: what is not written to need not be copied for a clone. */
	st = (s->prot & ~prot_of_rights(rights)) ? ERR_DENIED : vmem_map(p->vmem, f, s->offset, &va, s->size, s->prot | MAP_FIXED, s->prot);
	OBJ_PUT(f);
	return st;
}

/* Into slot `slot`, or under the value that it has here. */
static status_t pass_handle(struct process *p, uint32_t slot, const struct exec_handle *h, bool same)
{
	struct object *o;
	uint32_t rights;
	if (!h->handle)
		return OK;
	status_t st = handle_lookup(CURRENT_PROCESS->table, h->handle, OBJ_NONE, RIGHT_TRANSFER, &o, &rights);
	if (st < 0)
		return st;
	if (same)
		return handle_install_at(p->table, h->handle & (HANDLES_MAX - 1), h->handle >> HANDLE_INDEX_BITS, o, rights & h->rights, h->tag);
	return handle_install_at(p->table, slot, 0, o, rights & h->rights, h->tag);
}

static status_t build(struct process *p, const struct exec_args *a)
{
	for (uint32_t i = 0; i < a->n_segments; i++) {
		struct exec_segment s;
		status_t st = copy_in(&s, (user_in_t){ a->segments + i * sizeof(s) }, sizeof(s));
		if (st == OK)
			st = map_segment(p, &s);
		if (st < 0)
			return st;
	}
	for (uint32_t i = 0; i < a->n_handles; i++) {
		struct exec_handle h;
		status_t st = copy_in(&h, (user_in_t){ a->handles + i * sizeof(h) }, sizeof(h));
		if (st == OK)
			st = pass_handle(p, i, &h, a->flags & EXEC_SAME_HANDLES);
		if (st < 0)
			return st;
	}
	return OK;
}

static status_t execute(const struct exec_args *a, handle_t *h, uint64_t *pid)
{
	struct process *self = CURRENT_PROCESS;
	struct budget *b = self->budget;
	struct namespace *ns = self->ns;
	status_t st = OK;
	if (a->n_segments > EXEC_SEGMENTS_MAX || a->n_handles > (a->flags ? EXEC_SAME_HANDLES_MAX : EXEC_HANDLES_MAX) || (a->flags & ~EXEC_SAME_HANDLES) || a->reserved || (a->table && a->n_handles) || (a->vmem && a->n_segments) ||
	    a->priority > self->priority || a->entry < PAGE_SIZE || a->entry >= USER_TOP || a->stack >= USER_TOP || (a->stack & 15))
		return ERR_INVALID;
	if (a->budget)
		st = LOOKUP(a->budget, OBJ_BUDGET, RIGHT_MANAGE, &b);
	if (st == OK && a->ns)
		st = LOOKUP(a->ns, OBJ_NAMESPACE, RIGHT_INSPECT, &ns);
	if (st < 0)
		return st;
	struct vmem *vm = NULL;
	if (a->vmem && (st = LOOKUP(a->vmem, OBJ_VMEM, RIGHT_MAP | RIGHT_READ | RIGHT_WRITE, &vm)) < 0)
		return st;
	struct table *table = NULL;
	if (a->table && (st = LOOKUP(a->table, OBJ_TABLE, RIGHT_MANAGE, &table)) < 0)
		return st;
	if (table && process_uses_table(table))
		return ERR_BUSY;        /* its process is not gone yet */
	struct process *p = process_create(a->name, b, ns, table, vm, a->priority, a->level, &st);
	if (!p)
		return st;
	struct thread *t = NULL;
	p->entry = a->entry;
	st = build(p, a);
	if (st == OK)
		t = thread_create(p, a->entry, a->stack, a->arg, a->priority, &st);
	if (t && (st = handle_install(self->table, &p->obj, RIGHT_ALL, 0, h)) == OK) {
		*pid = p->pid;
		thread_start(t);
	} else {
		process_end(p, EXIT_KILLED, 0, 0, 0);
	}
	OBJ_PUT(t);
	process_built(p);
	return st;
}

status_t sys_process_exec(const struct exec_args *a, handle_t *h, uint64_t *pid)
{
	uint64_t round;
	return reap_before(SYS_process_exec, &round) ? reap_after(SYS_process_exec, round, execute(a, h, pid)) : STATUS_RESTART;
}

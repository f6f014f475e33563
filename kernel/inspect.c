/*
 * inspect: what a supervisor sees of a process and a Port from outside: where it was when it ended, what its threads wait
 * for, how much waits at a Port.
 */
#include <kernel/arch.h>
#include <kernel/mm.h>
#include <kernel/syscall.h>

/* A word of a process's memory, whatever it is worth: through the tables, never by the address itself. */
static bool peek(struct vmem *vm, uint64_t va, uint64_t *v)
{
	uint64_t phys;
	if (va % 8 || va < PAGE_SIZE || va >= USER_TOP || vmem_resolve(vm, va, PROT_READ, &phys) < 0)
		return false;
	*v = *(const uint64_t *)((const char *)HHDM(ALIGN_DOWN(phys, PAGE_SIZE)) + va % PAGE_SIZE);
	return true;
}

static bool is_code(struct vmem *vm, uint64_t va)
{
	uint64_t phys;
	return va >= PAGE_SIZE && va < USER_TOP && vmem_resolve(vm, va, PROT_EXEC, &phys) == OK;
}

/*
 * Follows the frame pointers of a process that ends, upwards and into code only. A function that calls nothing keeps no
 * frame: what lies on top of its stack may be its return address.
 */
void process_note_way(struct process *p, const struct thread *t)
{
	uint64_t frame = t->regs.rbp, back, above;
	p->way[0] = t->regs.rip;
	p->n_way = 1;
	/* Blocked on the short path it has left no frame pointer. */
	if (t != current_thread() && t->regs.vector == REGS_SYSCALL)
		return;
	if (peek(p->vmem, t->regs.rsp, &back) && is_code(p->vmem, back))
		p->way[p->n_way++] = back;
	while (p->n_way < PROCESS_WAY && peek(p->vmem, frame, &above) && peek(p->vmem, frame + 8, &back) && is_code(p->vmem, back)) {
		if (p->way[p->n_way - 1] != back)
			p->way[p->n_way++] = back;
		if (above <= frame)
			break;
		frame = above;
	}
}

status_t sys_process_way(handle_t h, struct process_way *out)
{
	struct process *p;
	status_t st = LOOKUP(h, OBJ_PROCESS, RIGHT_INSPECT, &p);
	if (st < 0)
		return st;
	out->entry = p->entry;
	out->n = p->dead ? p->n_way : 0;
	memcpy(out->at, p->way, out->n * sizeof(out->at[0]));
	return OK;
}

static void describe(const struct thread *t, struct thread_info *i)
{
	const struct port *at = t->wait_port;
	*i = (struct thread_info){ .id = t->obj.id, .cpu_time_ns = clock_tsc_to_ns(t->cpu_time_tsc), .priority = t->priority, .state = t->state, .wait = t->wait };
	if (t->state != THREAD_BLOCKED)
		return;
	if (t->wait == WAIT_CALL && t->command) {
		/* Session and server live until every CPU has left the kernel. */
		const struct session *s = __atomic_load_n(&t->command->session, __ATOMIC_ACQUIRE);
		const struct process *server = t->command->server;
		i->op = (uint32_t)IPC_META_OP(t->regs.r15);
		i->server = server && t->command->state == CMD_ACCEPTED ? server->pid : 0;
		at = s ? s->port : NULL;
	}
	i->port = (t->wait == WAIT_CALL || t->wait == WAIT_ACCEPT) && at ? at->obj.id : 0;
}

status_t sys_thread_list(handle_t h, uint64_t first, user_out_t buf, uint32_t count, uint32_t *got)
{
	struct thread_info found[8];
	struct process *p;
	status_t st = LOOKUP(h, OBJ_PROCESS, RIGHT_INSPECT, &p);
	uint32_t n = 0;
	if (st < 0)
		return st;
	count = MIN(count, (uint32_t)ARRAY_LEN(found));
	spin_lock(&p->lock);
	LIST_EACH(node, &p->threads) {
		const struct thread *t = CONTAINER_OF(node, struct thread, in_process);
		if (n < count && t->obj.id >= first)
			describe(t, &found[n++]);
	}
	spin_unlock(&p->lock);
	*got = n;
	return copy_out(buf, found, n * sizeof(found[0]));
}

status_t sys_port_info(handle_t h, struct port_info *info)
{
	struct progress was = progress_load();
	struct port *p;
	status_t st = LOOKUP(h, OBJ_PORT, RIGHT_INSPECT, &p);
	if (st < 0)
		return st;
	/* The sums so far travel with the place in the table: 20 bits each, and there are 2^18 commands at most. */
	const uint64_t mask = (1u << 20) - 1, done = progress_of(&was, SYS_port_info, p->obj.id);
	uint32_t next = (uint32_t)(done & mask);
	info->queued = (uint32_t)(done >> 20 & mask);
	info->accepted = (uint32_t)(done >> 40 & mask);
	while ((next = command_count_some(p, next, &info->queued, &info->accepted)) > 0)
		if (sched_preempt_point())
			return progress_restart(SYS_port_info, p->obj.id, next | (uint64_t)info->queued << 20 | (uint64_t)info->accepted << 40);
	info->sessions = __atomic_load_n(&p->n_sessions, __ATOMIC_RELAXED);
	spin_lock(&p->lock);
	LIST_EACH(node, &p->waiters)
		info->waiting++;
	info->acceptor = p->acceptor;
	info->accepted_ever = p->next_seq;
	info->reserve = p->n_reserve;
	spin_unlock(&p->lock);
	return OK;
}

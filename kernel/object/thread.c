/*
 * thread: creation, deadlines, and leaving whatever a thread waits in.
 */
#include "../arch/x86_64/offsets.h"
#include <kernel/budget.h>
#include <kernel/cpu.h>
#include <kernel/mm.h>
#include <kernel/panic.h>
#include <kernel/sched.h>
#include <kernel/socket.h>
#include <kernel/syscall.h>

/* The deadline of a wait has come. Whoever takes the thread off what it waits in wakes it. */
void thread_timeout(struct timer *timer)
{
	struct thread *t = CONTAINER_OF(timer, struct thread, timer);
	switch (t->wait) {
	case WAIT_SLEEP:
		t->regs.rax = OK;
		sched_wake(t);
		break;
	case WAIT_CALL:
		command_withdraw(t, ERR_TIMED_OUT);
		break;
	case WAIT_ACCEPT:
		port_waiter_remove(t, ERR_TIMED_OUT);
		break;
	case WAIT_SOCKET:
		(void)socket_wait_break(t, ERR_TIMED_OUT);
		break;
	default:
		break;
	}
}

struct thread *thread_create(struct process *p, uint64_t entry, uint64_t stack, uint64_t arg, uint32_t priority, status_t *why)
{
	struct budget *b = p->budget;
	*why = budget_charge(b, CHARGE_THREADS, 1);
	if (*why < 0)
		return NULL;
	char *mem = (char *)object_create(OBJ_THREAD, sizeof(struct thread), b, why);
	if (!mem) {
		budget_release(b, CHARGE_THREADS, 1);
		return NULL;
	}
	struct thread *t = CONTAINER_OF(mem, struct thread, obj);
	ASSERT(((uint64_t)t & 15) == 0);
	t->process = OBJ_GET(p);
	t->table = p->table;
	t->vmem = p->vmem;
	t->serving = command_none();
	t->regs = (struct regs){ .rip = entry, .rsp = stack, .rdi = arg, .rflags = 0x202, .cs = SEL_UCODE, .ss = SEL_UDATA, .vector = REGS_SYSCALL };
	t->priority = t->base_priority = (uint8_t)priority;
	t->state = THREAD_BLOCKED;
	t->timer.fire = thread_timeout;
	list_init(&t->run);
	list_init(&t->in_process);
	list_init(&t->wait_node);
	watchers_init(&t->watchers);
	t->command = command_alloc(b, why);
	if (!t->command) {
		object_put(&t->obj);
		return NULL;
	}
	/* Listed with a reference of its own: the caller's is dropped by thread_start's caller. */
	spin_lock(&p->lock);
	if (!p->entry)
		p->entry = entry;
	list_push_back(&p->threads, &t->in_process);
	p->n_threads++;
	p->n_live++;
	spin_unlock(&p->lock);
	object_get(&t->obj);
	return t;
}

void thread_start(struct thread *t)
{
	sched_wake(t);
}

bool thread_destroy(struct object *o)
{
	struct thread *t = CONTAINER_OF(o, struct thread, obj);
	fpu_free(t);
	if (t->command)
		command_free(t->command);
	budget_release(t->process->budget, CHARGE_THREADS, 1);
	OBJ_PUT(t->process);
	return true;
}

void thread_die(struct thread *t)
{
	t->dying = true;
	if (t->state == THREAD_BLOCKED) {
		switch (t->wait) {
		case WAIT_CALL:
			command_withdraw(t, ERR_GONE);
			break;
		case WAIT_ACCEPT:
			port_waiter_remove(t, ERR_GONE);
			break;
		case WAIT_SOCKET:
			socket_wait_leave(t);
			break;
		default:
			break;
		}
		timer_disarm(&t->timer);
		t->wait = WAIT_NONE;
		t->state = THREAD_DEAD;
	} else if (t->state == THREAD_READY) {
		sched_remove(t);
		t->state = THREAD_DEAD;
	}
	/* A running thread ends when it next leaves the kernel. */
}

/* ---- system calls ---- */

status_t sys_thread_create(uint64_t entry, uint64_t stack, uint64_t arg, uint32_t priority, handle_t *h)
{
	struct process *p = CURRENT_PROCESS;
	if (entry < PAGE_SIZE || entry >= USER_TOP || stack >= USER_TOP || (stack & 7) || priority > p->priority)
		return ERR_INVALID;
	status_t why = OK;
	struct thread *t = thread_create(p, entry, stack, arg, priority, &why);
	if (!t)
		return why;
	status_t st = handle_install(p->table, &t->obj, RIGHT_ALL, 0, h);
	if (st < 0) {
		t->dying = true;
		t->state = THREAD_DEAD;
		p->n_live--;
		process_teardown_queue(p);
	} else {
		thread_start(t);
	}
	OBJ_PUT(t);
	return st;
}

status_t sys_thread_exit(void)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	if (t->dying)
		return OK;
	spin_lock(&p->lock);
	bool last = --p->n_live == 0;
	spin_unlock(&p->lock);
	if (last) {
		process_end(p, EXIT_NORMAL, 0, 0, 0);
		return OK;
	}
	t->dying = true;
	cpu_work(WORK_DYING);
	process_teardown_queue(p);
	return OK;
}

status_t sys_thread_set_base(uint32_t which, uint64_t value)
{
	struct thread *t = current_thread();
	if (which > THREAD_GS_BASE || value >= USER_TOP)
		return ERR_INVALID;
	arch_save_bases(t);
	if (which == THREAD_FS_BASE)
		t->fs_base = value;
	else
		t->gs_base = value;
	arch_load_bases(t);
	return OK;
}

status_t sys_thread_set_priority(handle_t h, uint32_t priority)
{
	struct thread *t = current_thread();
	if (h) {
		struct object *o;
		status_t st = handle_lookup(CURRENT_PROCESS->table, h, OBJ_THREAD, RIGHT_MANAGE, &o, NULL);
		if (st < 0)
			return st;
		t = CONTAINER_OF(o, struct thread, obj);
	}
	if (priority > t->process->priority)
		return ERR_INVALID;
	uint32_t lent = t->priority > t->base_priority ? t->priority : 0;
	t->base_priority = (uint8_t)priority;
	sched_set_priority(t, MAX(lent, priority));
	return OK;
}

status_t sys_thread_sleep(uint64_t deadline)
{
	if (deadline <= clock_ns()) {
		sched_yield_current();
		return OK;
	}
	struct thread *t = current_thread();
	if (t->special & SPECIAL_INTERRUPTED) {
		t->special &= (uint8_t)~SPECIAL_INTERRUPTED;
		return ERR_INTERRUPTED;
	}
	t->regs.rax = OK;
	sched_block_current(WAIT_SLEEP, deadline);
	return STATUS_BLOCKED;
}

status_t sys_thread_yield(void)
{
	sched_yield_current();
	return OK;
}

status_t sys_thread_interrupt(handle_t h)
{
	struct object *o;
	status_t st = handle_lookup(CURRENT_PROCESS->table, h, OBJ_THREAD, RIGHT_MANAGE, &o, NULL);
	if (st < 0)
		return st;
	struct thread *t = CONTAINER_OF(o, struct thread, obj);
	switch (t->state == THREAD_BLOCKED ? t->wait : WAIT_NONE) {
	case WAIT_SLEEP:
		t->regs.rax = (uint64_t)ERR_INTERRUPTED;
		sched_wake(t);
		break;
	case WAIT_ACCEPT:
		port_waiter_remove(t, ERR_INTERRUPTED);
		break;
	case WAIT_CALL:
		command_interrupt(t);
		break;
	case WAIT_SOCKET:
		if (socket_wait_break(t, ERR_INTERRUPTED))
			break;
		/* fall through */
	default:
		t->special |= SPECIAL_INTERRUPTED;      /* its next wait ends at once */
	}
	return OK;
}

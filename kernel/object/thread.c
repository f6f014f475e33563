/*
 * thread: creation, deadlines, and leaving whatever a thread waits in.
 */
#include "../arch/x86_64/offsets.h"
#include <kernel/budget.h>
#include <kernel/cpu.h>
#include <kernel/futex.h>
#include <kernel/mm.h>
#include <kernel/pager.h>
#include <kernel/panic.h>
#include <kernel/sched.h>
#include <kernel/smp.h>
#include <kernel/socket.h>
#include <kernel/syscall.h>
#include <kernel/upcall.h>

bool thread_claim(struct thread *t, enum wait_kind wait)
{
	uint8_t was = (uint8_t)wait;
	return __atomic_compare_exchange_n(&t->wait, &was, WAIT_NONE, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* A timer that fires late, on another CPU, may find the thread in its next wait. */
bool thread_wait_over(const struct thread *t, status_t why)
{
	return why != ERR_TIMED_OUT || ((t->special & SPECIAL_DEADLINE) && t->timer.deadline <= clock_ns());
}

static bool sleep_end(struct thread *t, status_t why)
{
	bool ours = thread_claim(t, WAIT_SLEEP);
	if (ours) {
		t->regs.rax = (uint64_t)why;
		sched_wake(t);
	}
	return ours;
}

/* The deadline of a wait has come. Whoever takes the thread off what it waits in wakes it. */
void thread_timeout(struct timer *timer)
{
	struct thread *t = CONTAINER_OF(timer, struct thread, timer);
	switch (t->wait) {
	case WAIT_SLEEP:
		if (thread_wait_over(t, ERR_TIMED_OUT))
			(void)sleep_end(t, OK);
		break;
	case WAIT_CALL:
		(void)command_withdraw(t, ERR_TIMED_OUT);
		break;
	case WAIT_ACCEPT:
		(void)port_waiter_remove(t, ERR_TIMED_OUT);
		break;
	case WAIT_SOCKET:
		(void)socket_wait_break(t, ERR_TIMED_OUT);
		break;
	case WAIT_FUTEX:
		(void)futex_wait_break(t, ERR_TIMED_OUT);
		break;
	case WAIT_PAGE:
		(void)!page_wait_break(t, ERR_TIMED_OUT);
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
	t->wait = WAIT_START;
	t->queue = QUEUE_NONE;
	t->cpu = this_cpu()->cpu;
	t->affinity = current_thread() && !p->first ? current_thread()->affinity : UINT64_MAX;
	t->special = t->affinity == UINT64_MAX ? 0 : SPECIAL_PINNED;
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
	bool few = p->n_threads < PROCESS_THREADS_MAX;
	bool listed = few && (!p->dying || p->building);        /* else nobody would end it */
	if (listed) {
		object_get(&t->obj);
		list_push_back(&p->threads, &t->in_process);
		p->n_threads++;
		p->n_live++;
	}
	if (listed && t->vmem->paged)
		thread_special_on(t, SPECIAL_PAGED);
	spin_unlock(&p->lock);
	if (listed)
		return t;
	OBJ_PUT(t);
	*why = few ? ERR_GONE : ERR_LIMIT;
	return NULL;
}

void thread_start(struct thread *t)
{
	if (thread_claim(t, WAIT_START))
		sched_wake(t);
}

bool thread_destroy(struct object *o)
{
	struct thread *t = CONTAINER_OF(o, struct thread, obj);
	fpu_free(t);
	upcall_free(t);
	vmem_building_drop(t);
	page_forget(t);
	if (t->command)
		command_free(t->command);
	budget_release(t->process->budget, CHARGE_THREADS, 1);
	OBJ_PUT(t->process);
	return true;
}

/* Off what it waits in, to die. */
static bool wait_leave(struct thread *t)
{
	switch (t->wait) {
	case WAIT_CALL:
		return command_withdraw(t, ERR_GONE);
	case WAIT_ACCEPT:
		return port_waiter_remove(t, ERR_GONE);
	case WAIT_SOCKET:
		return socket_wait_break(t, ERR_GONE);
	case WAIT_FUTEX:
		return futex_wait_break(t, ERR_GONE);
	case WAIT_PAGE:
		return page_wait_break(t, ERR_GONE);
	case WAIT_SLEEP:
	case WAIT_START:
	case WAIT_SUSPENDED:
		return thread_claim(t, t->wait);
	default:
		return false;           /* somebody is waking it */
	}
}

bool thread_die(struct thread *t)
{
	__atomic_store_n(&t->dying, true, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&t->on_cpu, __ATOMIC_SEQ_CST)) {
		/* It ends when it leaves the kernel next. */
		for (uint32_t i = 0; i < cpu_count; i++)
			if (percpu_all[i]->current == t && percpu_all[i] != this_cpu())
				cpu_kick(percpu_all[i]);
		return false;
	}
	if (t->state == THREAD_DEAD)
		return true;
	bool off = t->state == THREAD_BLOCKED ? wait_leave(t) : t->state == THREAD_READY && sched_remove(t);
	if (off) {
		timer_disarm(&t->timer);
		t->wait = WAIT_NONE;
		t->state = THREAD_DEAD;
	}
	return off;
}

static bool wait_interrupt(struct thread *t)
{
	switch (t->wait) {
	case WAIT_SLEEP:
		return sleep_end(t, ERR_INTERRUPTED);
	case WAIT_ACCEPT:
		return port_waiter_remove(t, ERR_INTERRUPTED);
	case WAIT_CALL:
		return command_interrupt(t);
	case WAIT_SOCKET:
		return socket_wait_break(t, ERR_INTERRUPTED);
	case WAIT_FUTEX:
		return futex_wait_break(t, ERR_INTERRUPTED);
	case WAIT_PAGE:
		return page_wait_break(t, ERR_INTERRUPTED);
	default:
		return false;
	}
}

noinline void thread_interrupt(struct thread *t)
{
	if (t->on_cpu || t->state != THREAD_BLOCKED || !thread_special_off(t, SPECIAL_INTERRUPTED))
		return;
	if (!wait_interrupt(t))
		thread_special_on(t, SPECIAL_INTERRUPTED);      /* woken meanwhile: its next wait ends at once */
}

/* ---- system calls ---- */

status_t sys_thread_create(uint64_t entry, uint64_t stack, uint64_t arg, uint32_t priority, handle_t *h)
{
	struct process *p = CURRENT_PROCESS;
	uint64_t round;
	bool suspended = priority & THREAD_SUSPENDED;
	priority &= ~(uint32_t)THREAD_SUSPENDED;
	if (entry < PAGE_SIZE || entry >= USER_TOP || stack >= USER_TOP || (stack & 7) || priority > p->priority)
		return ERR_INVALID;
	if (!reap_before(SYS_thread_create, &round))
		return STATUS_RESTART;
	status_t why = OK;
	struct thread *t = thread_create(p, entry, stack, arg, priority, &why);
	if (!t)
		return reap_after(SYS_thread_create, round, why);
	status_t st = handle_install(p->table, &t->obj, RIGHT_ALL, 0, h);
	if (st < 0) {
		t->dying = true;
		spin_lock(&p->lock);
		p->n_live--;
		spin_unlock(&p->lock);
		process_teardown_queue(p);
	} else {
		t->suspends = suspended;
		if (suspended)
			thread_special_on(t, SPECIAL_ATTEND);
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

status_t thread_find(handle_t h, struct thread **t)
{
	struct object *o;
	status_t st = handle_lookup(CURRENT_PROCESS->table, h, OBJ_THREAD, RIGHT_MANAGE, &o, NULL);
	if (st == OK)
		*t = CONTAINER_OF(o, struct thread, obj);
	return st;
}

status_t sys_thread_set_priority(handle_t h, uint32_t priority)
{
	struct thread *t = current_thread();
	status_t st = h ? thread_find(h, &t) : OK;
	if (st < 0)
		return st;
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
		thread_special_off(t, SPECIAL_INTERRUPTED);
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
	struct thread *t;
	status_t st = thread_find(h, &t);
	if (st < 0)
		return st;
	thread_special_on(t, SPECIAL_INTERRUPTED);
	if (t->upcall)
		upcall_interrupt(t);
	if (t->on_cpu && t != current_thread()) {
		/* Perhaps on its way into a wait, past the point where it looks. Then it will have gone there. */
		object_get(&t->obj);
		cpus_wait_left();
		OBJ_PUT(t);
	}
	thread_interrupt(t);
	return OK;
}

status_t sys_thread_set_affinity(handle_t h, uint64_t cpus)
{
	struct thread *t = current_thread();
	uint64_t all = UINT64_MAX >> (64 - cpu_count);
	status_t st = h ? thread_find(h, &t) : OK;
	if (st < 0)
		return st;
	if (!(cpus & all))
		return ERR_INVALID;
	bool any = (cpus & all) == all;
	t->affinity = any ? UINT64_MAX : cpus & all;
	if (any)
		thread_special_off(t, SPECIAL_PINNED);
	else
		thread_special_on(t, SPECIAL_PINNED);
	sched_replace(t);
	return OK;
}

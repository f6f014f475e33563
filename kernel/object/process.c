/*
 * process: creation, and the end in bounded pieces (see process.h for its life).
 */
#include <kernel/account.h>
#include <kernel/arch.h>
#include <kernel/budget.h>
#include <kernel/log.h>
#include <kernel/mm.h>
#include <kernel/sched.h>
#include <kernel/socket.h>
#include <kernel/syscall.h>
#include <kernel/trace.h>

enum { PHASE_THREADS, PHASE_COMMANDS, PHASE_HANDLES, PHASE_MEMORY };

struct list process_list = { &process_list, &process_list };
struct spinlock process_list_lock;
static struct spinlock teardown_lock;
static struct process *teardown_first;          /* processes with something to tear down; counted */
static uint64_t next_pid = 1;

struct process *process_create(const char *name, struct budget *b, struct namespace *ns, struct table *table, struct vmem *vm, uint32_t priority, uint32_t level, status_t *why)
{
	*why = budget_charge(b, CHARGE_PROCESSES, 1);
	if (*why < 0)
		return NULL;
	struct process *p = (struct process *)object_create(OBJ_PROCESS, sizeof(*p), b, why);
	if (!p) {
		budget_release(b, CHARGE_PROCESSES, 1);
		return NULL;
	}
	p->pid = __atomic_fetch_add(&next_pid, 1, __ATOMIC_RELAXED);
	memcpy(p->name, name, PROCESS_NAME_MAX);
	p->name[PROCESS_NAME_MAX - 1] = 0;
	for (char *c = p->name; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
	p->budget = OBJ_GET(b);
	p->ns = OBJ_GET(ns);
	p->building = true;
	p->priority = priority;
	p->level = level;
	p->start_ns = clock_ns();
	p->parent_pid = current_thread() ? CURRENT_PROCESS->pid : 0;
	if (unlikely(trace_on))
		trace_process(p);
	list_init(&p->threads);
	list_init(&p->all);
	list_init(&p->serves);
	watchers_init(&p->watchers);
	p->vmem = vm ? OBJ_GET(vm) : vmem_create(b, why);
	if (p->vmem)
		p->table = table ? OBJ_GET(table) : table_create(b, current_thread() ? CURRENT_PROCESS->table->depth + 1u : 1u, why);
	if (!p->table) {
		object_put(&p->obj);
		return NULL;
	}
	spin_lock(&process_list_lock);
	bool ended = budget_ended(b);
	if (!ended)
		list_push_back(&process_list, &p->all);
	spin_unlock(&process_list_lock);
	if (!ended)
		return p;
	object_put(&p->obj);
	*why = ERR_LIMIT;
	return NULL;
}

bool process_destroy(struct object *o)
{
	struct process *p = (struct process *)o;
	OBJ_PUT(p->vmem);
	OBJ_PUT(p->table);
	budget_release(p->budget, CHARGE_PROCESSES, 1);
	OBJ_PUT(p->ns);
	OBJ_PUT(p->budget);
	return true;
}

struct process *process_find(uint64_t pid)
{
	struct process *found = NULL;
	spin_lock(&process_list_lock);
	LIST_EACH(node, &process_list) {
		struct process *p = CONTAINER_OF(node, struct process, all);
		if (p->pid == pid)
			found = OBJ_GET(p);
	}
	spin_unlock(&process_list_lock);
	return found;
}

bool process_uses_table(const struct table *table)
{
	bool used = false;
	spin_lock(&process_list_lock);
	LIST_EACH(node, &process_list)
		used |= CONTAINER_OF(node, struct process, all)->table == table;
	spin_unlock(&process_list_lock);
	return used;
}

/* ---- the end ---- */

void process_teardown_queue(struct process *p)
{
	spin_lock(&teardown_lock);
	bool queued = p->teardown_queued || p->building;
	p->early |= p->building;
	if (!queued) {
		p->teardown_queued = true;
		object_get(&p->obj);
		struct process **link = &teardown_first;
		while (*link)
			link = &(*link)->reap_next;
		p->reap_next = NULL;
		*link = p;
	}
	spin_unlock(&teardown_lock);
	if (!queued)
		reap_wanted(REAP_URGENT);
}

void process_built(struct process *p)
{
	spin_lock(&teardown_lock);
	p->building = false;
	spin_unlock(&teardown_lock);
	if (p->early)
		process_teardown_queue(p);
}

/* The first thread that serves something and does not wait for more, else the first of all; NULL: none. */
static struct thread *busy_thread(struct process *p)
{
	struct thread *found = NULL, *first = NULL;
	unsigned looked = 0;
	spin_lock(&p->lock);
	LIST_EACH(node, &p->threads) {
		struct thread *t = CONTAINER_OF(node, struct thread, in_process);
		if (!first)
			first = t;
		if (t->wait != WAIT_ACCEPT && thread_in_hand(t))
			found = t;
		if (found || ++looked == 64)
			break;
	}
	spin_unlock(&p->lock);
	return found ? found : first;
}

void process_end(struct process *p, enum exit_kind kind, int64_t status, uint64_t rip, uint64_t address)
{
	spin_lock(&p->lock);
	bool first = !p->dying;
	if (first) {
		p->dying = true;
		p->exit_kind = kind;
		p->exit_status = status;
		p->fault_rip = rip;
		p->fault_address = address;
	}
	spin_unlock(&p->lock);
	struct thread *t = current_thread();
	bool fault = kind == EXIT_FAULT || (kind == EXIT_NORMAL && status != 0) || (kind == EXIT_KILLED && status == KILL_HEARTBEAT);
	if (first && fault) {
		/*
		 * What the faulting thread accepted last is the suspect; of a hung process, what a thread has in hand. A failed assertion
		 * ends in an exit with a status.
		 */
		struct thread *blamed = t && t->process == p ? t : busy_thread(p);
		if (blamed) {
			p->suspect = blamed->serving->id;
			process_note_way(p, blamed);
		}
	}
	if (t && t->process == p) {
		t->dying = true;
		cpu_work(WORK_DYING);
	}
	if (first)
		process_teardown_queue(p);
}

/* Takes dead threads out, and makes dying ones dead, or all. True: no thread is left to wait for. */
static bool end_threads(struct process *p, bool all)
{
	unsigned work = 0;
	bool left = false;
	LIST_EACH_SAFE(node, next, &p->threads) {
		struct thread *t = CONTAINER_OF(node, struct thread, in_process);
		if (!all && !t->dying)
			continue;
		if (work++ == 16)
			return false;
		if (!thread_die(t)) {
			left = true;
			continue;
		}
		socket_wait_leave(t);
		spin_lock(&p->lock);
		list_remove(&t->in_process);
		p->n_threads--;
		p->dead_cpu_tsc += t->cpu_time_tsc;
		p->calm |= t->waited;
		spin_unlock(&p->lock);
		watchers_fire(&t->watchers, true);
		OBJ_PUT(t);
	}
	return !left;
}

static bool end_piece(struct process *p)
{
	/* Once: who sets it while threads are looked at queues the process again. From then on no thread is added. */
	bool all = __atomic_load_n(&p->dying, __ATOMIC_SEQ_CST);
	if (p->dead)
		return true;                    /* queued once more while its last thread ended */
	switch (p->phase) {
	case PHASE_THREADS:
		if (!end_threads(p, all))
			return false;
		if (!all)
			return true;            /* only single threads had ended */
		p->phase = PHASE_COMMANDS;
		/* fall through */
	case PHASE_COMMANDS:
		if (!command_bury_some(p) || !attach_bury_some(p))
			return false;
		p->died_handles = p->table->n_open;
		p->phase = PHASE_HANDLES;
		/* fall through */
	case PHASE_HANDLES:
		/* A table that somebody holds a handle to lives on for the next instance. */
		if (!p->table->obj.handles && !table_close_some(p->table))
			return false;
		p->phase = PHASE_MEMORY;
		/* fall through */
	default:
		spin_lock(&process_list_lock);
		list_remove(&p->all);
		spin_unlock(&process_list_lock);
		OBJ_PUT(p->vmem);
		p->vmem = NULL;
		struct table *t = p->table;
		p->table = NULL;
		OBJ_PUT(t);
		p->dead = true;
		watchers_fire(&p->watchers, true);
		if (p->first)
			first_process_again(p);
		OBJ_PUT(p);                     /* the reference of being alive */
		return true;
	}
}

bool process_teardown_some(void)
{
	spin_lock(&teardown_lock);
	struct process *p = teardown_first;
	if (p) {
		teardown_first = p->reap_next;
		p->teardown_queued = false;
	}
	spin_unlock(&teardown_lock);
	if (!p)
		return false;
	reap_done(REAP_URGENT);
	if (!end_piece(p))
		process_teardown_queue(p);
	OBJ_PUT(p);
	return true;
}

/* ---- looking in ---- */

void process_fill_info(struct process *p, struct process_info *info)
{
	mem_zero(info, sizeof(*info));
	info->pid = p->pid;
	memcpy(info->name, p->name, sizeof(info->name));
	info->level = p->level;
	info->priority = p->priority;
	info->parent_pid = p->parent_pid;
	info->start_time_ns = p->start_ns;
	spin_lock(&p->lock);
	info->exit_kind = p->dead ? p->exit_kind : EXIT_RUNNING;
	if (p->dead) {
		info->exit_status = p->exit_status;
		info->fault_rip = p->fault_rip;
		info->fault_address = p->fault_address;
	}
	info->threads = p->n_threads;
	info->calm = p->calm;
	uint64_t tsc = p->dead_cpu_tsc;
	info->state = p->dead ? PROC_DEAD : p->dying ? PROC_DYING : PROC_WAITING;
	LIST_EACH(node, &p->threads) {
		struct thread *t = CONTAINER_OF(node, struct thread, in_process);
		tsc += t->cpu_time_tsc;
		info->calm |= t->waited;
		if (!p->dying && t->state == THREAD_RUNNING)
			info->state = PROC_RUNNING;
		else if (info->state == PROC_WAITING && t->state == THREAD_READY)
			info->state = PROC_READY;
	}
	info->cpu_time_ns = clock_tsc_to_ns(tsc);
	struct vmem *vm = p->vmem;
	if (vm) {
		info->mapped_pages = vm->mapped_pages;
		info->memory_pages = vm->table_pages;
		/* Pages present in anonymous Frames that it maps; a shared Frame counts for each. */
		spin_lock(&vm->lock);
		struct frame *last = NULL;
		for (uint32_t i = 0; i < vm->n_maps && i < 4096; i++) {
			struct frame *f = vm->maps[i]->frame;
			if (f->kind == FRAME_ANONYMOUS && f != last)
				info->memory_pages += MIN(f->committed, vm->maps[i]->size >> PAGE_SHIFT);
			last = f;
		}
		spin_unlock(&vm->lock);
	}
	info->handles = p->table ? p->table->n_open : p->died_handles;
	spin_unlock(&p->lock);
}

static void count_thread(const struct thread *t, struct process_beat *b)
{
	b->progress += t->serving->id;
	if (t->state == THREAD_READY || t->state == THREAD_RUNNING)
		b->ready++;
	else if (t->wait == WAIT_ACCEPT)
		b->accepting++;
	else if (t->wait == WAIT_CALL)
		b->calling++;
	else
		b->waiting++;
}

status_t sys_process_beat(handle_t h, struct process_beat *b)
{
	struct process *p;
	sched_charge_all();
	status_t st = LOOKUP(h, OBJ_PROCESS, RIGHT_INSPECT, &p);
	if (st < 0)
		return st;
	mem_zero(b, sizeof(*b));
	spin_lock(&p->lock);
	b->progress = p->accepts;
	uint64_t tsc = p->dead_cpu_tsc;
	LIST_EACH(node, &p->threads) {
		const struct thread *t = CONTAINER_OF(node, struct thread, in_process);
		tsc += t->cpu_time_tsc;
		count_thread(t, b);
		b->progress += t->serving->id;  /* each acceptance makes a new one, on the short path too */
	}
	spin_unlock(&p->lock);
	b->cpu_time_ns = clock_tsc_to_ns(tsc);
	return OK;
}

status_t sys_process_info(handle_t h, struct process_info *info)
{
	struct process *p = CURRENT_PROCESS;
	sched_charge_all();
	status_t st = h ? LOOKUP(h, OBJ_PROCESS, RIGHT_INSPECT, &p) : OK;
	if (st == OK)
		process_fill_info(p, info);
	return st;
}

status_t sys_process_list(handle_t resource, uint64_t first_pid, user_out_t buf, uint32_t count, uint32_t *got)
{
	sched_charge_all();
	status_t st = resource_info(resource, RIGHT_READ);
	uint32_t n = 0;
	if (st < 0)
		return st;
	/* At most 16 a call: the caller goes on after the last pid it got. */
	for (uint64_t pid = first_pid; n < MIN(count, 16u);) {
		struct process *p = NULL;
		spin_lock(&process_list_lock);
		LIST_EACH(node, &process_list) {
			struct process *q = CONTAINER_OF(node, struct process, all);
			if (q->pid >= pid) {
				p = OBJ_GET(q);
				break;
			}
		}
		spin_unlock(&process_list_lock);
		if (!p)
			break;
		struct process_info info;
		process_fill_info(p, &info);
		pid = p->pid + 1;
		OBJ_PUT(p);
		st = copy_out(user_out_add(buf, n * sizeof(info)), &info, sizeof(info));
		if (st < 0)
			return st;
		n++;
	}
	*got = n;
	return OK;
}

status_t sys_process_open(handle_t resource, uint64_t pid, handle_t *h)
{
	status_t st = resource_info(resource, RIGHT_READ);
	if (st < 0)
		return st;
	uint32_t rights = RIGHT_INSPECT | RIGHT_DUP | RIGHT_TRANSFER;
	if (resource_info(resource, RIGHT_MANAGE) == OK)
		rights |= RIGHT_MANAGE;
	return object_install((struct object *)process_find(pid), rights, h, ERR_NOT_FOUND);
}

#ifdef TEST_BUILD
/* Its first thread, if it could run at this instant or `next`, goes on where the program's crt0 has a crash ready. */
static status_t process_crash(struct process *p, uint32_t which, bool next)
{
	status_t st = ERR_AGAIN;
	spin_lock(&p->lock);
	struct thread *t = p->dying || list_empty(&p->threads) ? NULL : LIST_FIRST(&p->threads, struct thread, in_process);
	if (t) {
		struct spinlock *queue = &percpu_all[t->cpu]->run_lock;
		spin_lock(queue);
		bool waits = t->state == THREAD_BLOCKED && t->wait == WAIT_ACCEPT;
		if (!t->dying && !t->on_cpu && (t->state == THREAD_READY || (waits && next))) {
			t->regs.rip = p->entry + (1 + which) * CRASH_STRIDE;
			st = OK;
		}
		spin_unlock(queue);
	}
	spin_unlock(&p->lock);
	return st;
}
#endif

status_t sys_process_kill(handle_t h, uint32_t reason)
{
	struct process *p;
	status_t st = LOOKUP(h, OBJ_PROCESS, RIGHT_MANAGE, &p);
	if (st < 0)
		return st;
#ifdef TEST_BUILD
	uint32_t crash = reason & ~(uint32_t)KILL_CRASH_NEXT;
	if (crash >= KILL_CRASH_STORE && crash < KILL_CRASH_END)
		return process_crash(p, crash - KILL_CRASH_STORE, reason & KILL_CRASH_NEXT);
#endif
	if (reason > KILL_HEARTBEAT)
		return ERR_INVALID;
	process_end(p, EXIT_KILLED, reason, 0, 0);
	return OK;
}

/* Whom a restart has ended is dying, and not met again. */
status_t sys_budget_end(handle_t h)
{
	struct budget *b;
	status_t st = LOOKUP(h, OBJ_BUDGET, RIGHT_MANAGE, &b);
	if (st < 0)
		return st;
	for (;;) {
		struct process *p = NULL;
		spin_lock(&process_list_lock);
		b->ended = true;
		LIST_EACH(node, &process_list) {
			struct process *q = CONTAINER_OF(node, struct process, all);
			if (q != CURRENT_PROCESS && !q->dying && budget_within(q->budget, b)) {
				p = OBJ_GET(q);
				break;
			}
		}
		spin_unlock(&process_list_lock);
		if (!p)
			break;
		process_end(p, EXIT_KILLED, KILL_PLAIN, 0, 0);
		OBJ_PUT(p);
		if (sched_preempt_point())
			return STATUS_RESTART;
	}
	if (budget_within(CURRENT_PROCESS->budget, b))
		process_end(CURRENT_PROCESS, EXIT_KILLED, KILL_PLAIN, 0, 0);
	return OK;
}

status_t sys_process_exit(int64_t status)
{
	process_end(CURRENT_PROCESS, EXIT_NORMAL, status, 0, 0);
	return OK;
}

status_t sys_process_table(handle_t h, handle_t *out)
{
	struct process *p;
	status_t st = LOOKUP(h, OBJ_PROCESS, RIGHT_MANAGE, &p);
	if (st < 0)
		return st;
	struct table *t = p->dying ? NULL : p->table;
	return t ? handle_install(CURRENT_PROCESS->table, &t->obj, RIGHT_MANAGE | RIGHT_DUP | RIGHT_TRANSFER | RIGHT_INSPECT, 0, out) : ERR_GONE;
}

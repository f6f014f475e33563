/*
 * sched: run queues, blocking and waking, and the one way out of the kernel (kernel_leave).
 *
 * The kernel never suspends a kernel stack. A system call that has to wait marks its thread
 * BLOCKED and returns; on the way out another thread's registers are loaded instead. What wakes the
 * thread later writes the result into its saved registers first.
 */
#include <kernel/account.h>
#include <kernel/arch.h>
#include <kernel/cpu.h>
#include <kernel/panic.h>
#include <kernel/sched.h>
#include <kernel/x86.h>

uint64_t noncanonical_count;            /* times a bad RIP was kept from SYSRET and IRET */

void sched_init(void)
{
	this_cpu()->work = 0;
}

static void enqueue_locked(struct percpu *c, struct thread *t, bool front)
{
	t->state = THREAD_READY;
	t->cpu = c->cpu;
	if (front)
		list_push_front(&c->run[t->priority], &t->run);
	else
		list_push_back(&c->run[t->priority], &t->run);
	c->run_mask |= 1u << t->priority;
	c->run_top = (uint8_t)(31 - __builtin_clz(c->run_mask));
}

static void dequeue_locked(struct percpu *c, struct thread *t)
{
	list_remove(&t->run);
	if (list_empty(&c->run[t->priority]))
		c->run_mask &= ~(1u << t->priority);
	c->run_top = c->run_mask ? (uint8_t)(31 - __builtin_clz(c->run_mask)) : 0;
}

void sched_block_current(enum wait_kind wait, uint64_t deadline)
{
	struct thread *t = current_thread();
	t->state = THREAD_BLOCKED;
	t->wait = (uint8_t)wait;
	t->regs.vector = REGS_SYSCALL;
	if (deadline != FOREVER) {
		t->special |= SPECIAL_DEADLINE;
		timer_arm(&t->timer, deadline);
	}
	cpu_work(WORK_RESCHED);
}

static void deadline_off(struct thread *t)
{
	if (t->special & SPECIAL_DEADLINE) {
		timer_disarm(&t->timer);
		t->special &= (uint8_t)~SPECIAL_DEADLINE;
	}
}

void sched_unblock_current(void)
{
	struct thread *t = current_thread();
	deadline_off(t);
	t->wait = WAIT_NONE;
	t->state = THREAD_RUNNING;
}

static void make_ready(struct thread *t, bool direct)
{
	struct percpu *c = this_cpu();
	deadline_off(t);
	t->wait = WAIT_NONE;
	if (direct && !c->next) {
		t->state = THREAD_READY;
		t->cpu = c->cpu;
		c->next = t;
		cpu_work(WORK_RESCHED);
		return;
	}
	spin_lock(&c->run_lock);
	enqueue_locked(c, t, false);
	spin_unlock(&c->run_lock);
	/* Even when it does not run at once, slices begin to matter, and choose() sets the timer; unless it fires soon enough. */
	if (!c->current || t->priority > c->current->priority || c->timer_set > c->slice_end_ns)
		cpu_work(WORK_RESCHED);
}

void sched_wake(struct thread *t)        { make_ready(t, false); }
void sched_wake_direct(struct thread *t) { make_ready(t, true); }

void sched_remove(struct thread *t)
{
	struct percpu *c = percpu_all[t->cpu];
	spin_lock(&c->run_lock);
	if (c->next == t)
		c->next = NULL;
	else if (t->state == THREAD_READY)
		dequeue_locked(c, t);
	spin_unlock(&c->run_lock);
}

void sched_set_priority(struct thread *t, uint32_t priority)
{
	struct percpu *c = percpu_all[t->cpu];
	spin_lock(&c->run_lock);
	if (t->state == THREAD_READY && c->next != t && !list_empty(&t->run)) {
		dequeue_locked(c, t);
		t->priority = (uint8_t)priority;
		enqueue_locked(c, t, false);
		cpu_work(WORK_RESCHED);
	} else {
		t->priority = (uint8_t)priority;
		if (t == c->current)
			cpu_work(WORK_RESCHED);
	}
	spin_unlock(&c->run_lock);
}

void sched_drop_priority(void)
{
	struct percpu *c = this_cpu();
	struct thread *t = c->current;
	t->priority = t->base_priority;
	if (c->run_mask >> t->priority > 1)
		cpu_work(WORK_RESCHED);
}

void sched_yield_current(void)
{
	this_cpu()->slice_end_ns = 0;
	cpu_work(WORK_RESCHED);
}

static void timer_at_latest(struct percpu *c, uint64_t need)
{
	if (need < c->timer_set) {
		c->timer_set = need;
		apic_timer(need);
	}
}

void sched_idle_timer(void)
{
	timer_at_latest(this_cpu(), timer_next());
}

/*
 * The hardware timer for the thread about to run: the next deadline, the end of a shared slice, or soon, when
 * there is something to reap and the thread might not enter the kernel by itself.
 */
static void set_timer(struct percpu *c, uint64_t now)
{
	uint64_t need = timer_next();
	/* Threads below this one's priority count too: it may be a server about to go back to its caller's. */
	if (c->run_mask) {
		if (c->slice_end_ns <= now)
			c->slice_end_ns = now + SLICE_NS;
		need = MIN(need, c->slice_end_ns);
	}
	if (reap_pending())
		need = MIN(need, now + REAP_INTERVAL_NS);
	timer_at_latest(c, need);
}

void sched_timer_interrupt(void)
{
	struct percpu *c = this_cpu();
	c->timer_set = FOREVER;
	timer_expire(clock_ns());
	/* It may have fired a little early, and others may wait behind what expired. */
	sched_idle_timer();
	cpu_work(WORK_RESCHED);
}

bool sched_preempt_point(void)
{
	interrupts_on_once();
	return (this_cpu()->work & (WORK_RESCHED | WORK_DYING)) || current_thread()->dying;
}

static struct thread *pick_locked(struct percpu *c)
{
	if (c->next) {
		struct thread *t = c->next;
		c->next = NULL;
		/* A direct switch gives way to anything more urgent that became ready meanwhile. */
		if (c->run_mask >> t->priority <= 1)
			return t;
		enqueue_locked(c, t, true);
	}
	if (!c->run_mask)
		return NULL;
	struct thread *t = LIST_FIRST(&c->run[31 - __builtin_clz(c->run_mask)], struct thread, run);
	dequeue_locked(c, t);
	return t;
}

static void switch_to(struct percpu *c, struct thread *from, struct thread *to, uint64_t now)
{
	if (from) {
		from->cpu_time_tsc += now - c->run_since_tsc;
		arch_save_bases(from);
	}
	c->run_since_tsc = now;
	to->state = THREAD_RUNNING;
	to->cpu = c->cpu;
	c->current = to;
	c->switches++;
	if ((from && from->fpu) || to->fpu || c->fpu_on)
		fpu_switch(from, to);
	arch_switch_to(to);
}

static void leave_cpu(struct percpu *c, struct thread *t)
{
	t->cpu_time_tsc += rdtsc() - c->run_since_tsc;
	arch_save_bases(t);
	if (t->fpu)
		fpu_switch(t, t);
	c->current = NULL;
}

/* Picks who runs and makes it current; does not return if nobody can. */
static struct thread *choose(struct percpu *c)
{
	struct thread *t = c->current, *next;
	uint64_t tsc = rdtsc(), now = clock_at(tsc);
	spin_lock(&c->run_lock);
	if (t && t->state == THREAD_RUNNING) {
		bool ended = (c->run_mask & 1u << t->priority) && now >= c->slice_end_ns;
		if (c->run_mask < 2u << t->priority && !ended && !c->next) {
			spin_unlock(&c->run_lock);
			set_timer(c, now);
			return t;
		}
		/* Preempted: first of its queue, and it keeps the rest of its slice; slice over: last. */
		t->slice_end_ns = ended ? 0 : c->slice_end_ns;
		enqueue_locked(c, t, !ended);
	}
	bool direct = c->next;
	next = pick_locked(c);
	spin_unlock(&c->run_lock);
	if (!next) {
		if (t)
			leave_cpu(c, t);
		cpu_idle();
	}
	if (next != t)
		switch_to(c, t, next, tsc);
	else
		t->state = THREAD_RUNNING;
	/* A thread that runs by direct switch does so in its caller's slice. */
	if (!direct || !c->slice_end_ns) {
		c->slice_end_ns = next->slice_end_ns > now ? next->slice_end_ns : now + SLICE_NS;
		next->slice_end_ns = 0;
	}
	set_timer(c, now);
	return next;
}

/*
 * The commonest way out after a wait: the caller or server that a command woke runs next, in the same
 * slice, and nothing more urgent is ready. Otherwise NULL.
 */
static struct thread *direct_switch(struct percpu *c, struct thread *t, uint32_t work)
{
	struct thread *next = c->next;
	if (!next || work != WORK_RESCHED || !t || t->state != THREAD_BLOCKED || c->run_top > next->priority || next->dying)
		return NULL;
	c->next = NULL;
	c->current = next;
	next->state = THREAD_RUNNING;
	arch_save_bases(t);
	if (t->fpu || next->fpu || c->fpu_on)
		fpu_switch(t, next);
	arch_switch_to(next);
	return next;
}

struct regs *kernel_leave(void)
{
	struct percpu *c = this_cpu();
	for (;;) {
		uint32_t work = c->work & ~(uint32_t)WORK_RESTORE;
		struct thread *t = c->current;
		c->work = 0;
		c->epoch++;
		struct thread *next = direct_switch(c, t, work);
		if (likely(next))
			return &next->regs;
		if (work & WORK_REAP) {
			reap_some();
			work |= c->work;
			c->work = 0;
		}
		if (t && t->dying && t->state == THREAD_RUNNING) {
			t->state = THREAD_DEAD;
			work |= WORK_RESCHED;
		}
		if (!t || t->state != THREAD_RUNNING || (work & (WORK_RESCHED | WORK_REAP)))
			t = choose(c);
		if (reap_pending())
			c->work |= WORK_REAP;
		if (unlikely(t->dying))
			continue;
		/* Never hand a non-canonical RIP to SYSRET or IRET (CVE-2012-0217). */
		if (unlikely(t->regs.rip >> 47)) {
			noncanonical_count++;
			process_end(t->process, EXIT_FAULT, 13, t->regs.rip, t->regs.rip);
			continue;
		}
		return &t->regs;
	}
}

struct regs *sched_leave_idle(void)
{
	return kernel_leave();
}

struct regs *syscall_finish(status_t status)
{
	struct thread *t = current_thread();
	if (status == STATUS_BLOCKED || status == STATUS_REGS) {
		if (status == STATUS_REGS)
			t->regs.vector = REGS_SYSCALL;
	} else {
		t->regs.vector = REGS_SYSCALL;
		if (status == STATUS_RESTART) {
			t->regs.rip -= 2;       /* the SYSCALL instruction; its registers are as they were */
		} else {
			t->regs.rax = (uint64_t)status;
			t->regs.rdi = t->regs.r8 = t->regs.r9 = 0;
		}
	}
	return kernel_leave();
}

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

static uint64_t slice_tsc;              /* SLICE_NS */

void sched_init(void)
{
	this_cpu()->work = 0;
	slice_tsc = clock_ns_to_tsc(SLICE_NS);
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

static noinline void deadline_off(struct thread *t)
{
	timer_disarm(&t->timer);
	t->special &= (uint8_t)~SPECIAL_DEADLINE;
}

void sched_unblock_current(void)
{
	struct thread *t = current_thread();
	if (t->special & SPECIAL_DEADLINE)
		deadline_off(t);
	t->wait = WAIT_NONE;
	t->state = THREAD_RUNNING;
}

static noinline void make_ready_queued(struct thread *t)
{
	struct percpu *c = this_cpu();
	spin_lock(&c->run_lock);
	enqueue_locked(c, t, false);
	spin_unlock(&c->run_lock);
	/* Even when it does not run at once, slices begin to matter, and choose() sets the timer; unless it fires soon enough. */
	if (!c->current || t->priority > c->current->priority || c->timer_set_tsc > c->slice_end)
		cpu_work(WORK_RESCHED);
}

/* Before its deadline. */
static noinline void make_ready_early(struct thread *t, bool direct)
{
	deadline_off(t);
	if (direct)
		sched_wake_direct(t);
	else
		sched_wake(t);
}

always_inline void make_ready(struct thread *t, bool direct)
{
	struct percpu *c = this_cpu();
	if (unlikely(t->special & SPECIAL_DEADLINE)) {
		make_ready_early(t, direct);
		return;
	}
	t->wait = WAIT_NONE;
	/* Who is more urgent than the current one runs next whatever that does, like the other side of a call: not by way of the queue. */
	if (!c->next && (direct || (c->current && t->priority > c->current->priority))) {
		t->state = THREAD_READY;
		t->cpu = c->cpu;
		c->next = t;
		cpu_work(WORK_RESCHED);
		return;
	}
	make_ready_queued(t);
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
	this_cpu()->slice_end = 0;
	cpu_work(WORK_RESCHED);
}

void sched_timer_at_latest(uint64_t need)
{
	struct percpu *c = this_cpu();
	if (need < c->timer_set) {
		c->timer_set = need;
		c->timer_set_tsc = clock_tsc_at(need);
		apic_timer(need);
	}
}

void sched_idle_timer(void)
{
	sched_timer_at_latest(timer_next());
}

/*
 * The hardware timer for the thread about to run: the end of a shared slice, or soon, when there is something to reap and the
 * thread might not enter the kernel by itself. For what is in the heap it is set already.
 */
always_inline void set_timer(struct percpu *c, uint64_t tsc)
{
	/* Threads below this one's priority count too: it may be a server about to go back to its caller's. */
	if (c->run_mask) {
		if (c->slice_end <= tsc)
			c->slice_end = tsc + slice_tsc;
		if (unlikely(c->timer_set_tsc > c->slice_end))
			sched_timer_at_latest(clock_at(c->slice_end));
	}
	if (unlikely(reap_urgent()))
		sched_timer_at_latest(clock_at(tsc) + REAP_INTERVAL_NS);
}

void sched_timer_interrupt(void)
{
	struct percpu *c = this_cpu();
	c->timer_set = c->timer_set_tsc = FOREVER;
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

/* It goes on after others: first of its queue with the rest of its slice, or last when that is over. */
always_inline void put_back_locked(struct percpu *c, struct thread *t, bool ended)
{
	t->slice_end = ended ? 0 : c->slice_end;
	enqueue_locked(c, t, !ended);
}

always_inline void begin_slice(struct percpu *c, struct thread *t, uint64_t tsc)
{
	c->slice_end = t->slice_end > tsc ? t->slice_end : tsc + slice_tsc;
	t->slice_end = 0;
}

/* Picks who runs and makes it current; does not return if nobody can. */
static struct thread *choose(struct percpu *c)
{
	struct thread *t = c->current, *next;
	uint64_t tsc = rdtsc();
	spin_lock(&c->run_lock);
	if (t && t->state == THREAD_RUNNING) {
		bool ended = (c->run_mask & 1u << t->priority) && tsc >= c->slice_end;
		if (c->run_mask < 2u << t->priority && !ended && !c->next) {
			spin_unlock(&c->run_lock);
			set_timer(c, tsc);
			return t;
		}
		put_back_locked(c, t, ended);
	}
	bool direct = c->next && !(t && t->state == THREAD_READY);
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
	if (!direct || !c->slice_end)
		begin_slice(c, next, tsc);
	set_timer(c, tsc);
	return next;
}

static noinline struct regs *leave_slowly(struct percpu *c)
{
	for (;;) {
		uint32_t work = c->work;
		struct thread *t = c->current;
		c->work = 0;
		c->epoch++;
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
		if (unlikely(reap_urgent()))
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

/* What a direct switch seldom needs. */
static noinline struct regs *leave_rest(struct percpu *c, struct thread *from, struct thread *to)
{
	fpu_switch(from, to);
	set_timer(c, rdtsc());
	return &to->regs;
}

/*
 * The commonest ways out come first: the caller or server that a command woke runs next, in the same slice; or somebody more urgent
 * whom the current thread woke. Nothing more urgent than those is ready. All calls are the last thing done, so that no register
 * has to be saved.
 */
struct regs *kernel_leave(void)
{
	struct percpu *c = this_cpu();
	struct thread *t = c->current, *next = c->next;
	bool rest = false;
	if (!next || (c->work & ~(uint32_t)WORK_RESTORE) != WORK_RESCHED || !t || c->run_top > next->priority || next->dying)
		return leave_slowly(c);
	if (t->state == THREAD_RUNNING) {
		if (next->priority <= t->priority || t->dying)
			return leave_slowly(c);
		uint64_t tsc = rdtsc();
		spin_lock(&c->run_lock);
		put_back_locked(c, t, false);
		spin_unlock(&c->run_lock);
		begin_slice(c, next, tsc);
		t->cpu_time_tsc += tsc - c->run_since_tsc;
		c->run_since_tsc = tsc;
		rest = c->timer_set_tsc > c->slice_end || reap_urgent();
	}
	c->work = 0;
	c->epoch++;
	c->next = NULL;
	c->current = next;
	next->state = THREAD_RUNNING;
	arch_save_bases(t);
	arch_switch_to(next);
	if (unlikely(rest || t->fpu || next->fpu || c->fpu_on))
		return leave_rest(c, t, next);
	return &next->regs;
}

/* The next one of the same priority at once, if that is all there is to it; else the long way. */
struct regs *sched_yield(void)
{
	struct percpu *c = this_cpu();
	struct thread *t = c->current, *next;
	struct list *queue = &c->run[t->priority];
	t->regs.vector = REGS_SYSCALL;
	t->regs.rax = t->regs.rdi = t->regs.r8 = t->regs.r9 = 0;
	spin_lock(&c->run_lock);
	next = LIST_FIRST(queue, struct thread, run);
	if (unlikely(c->work || c->run_top != t->priority || list_empty(queue) || next->dying || next->regs.rip >> 47)) {
		spin_unlock(&c->run_lock);
		sched_yield_current();
		return kernel_leave();
	}
	list_remove(&next->run);
	list_push_back(queue, &t->run);
	t->slice_end = 0;
	t->state = THREAD_READY;
	spin_unlock(&c->run_lock);
	uint64_t tsc = rdtsc();
	c->epoch++;
	begin_slice(c, next, tsc);
	switch_to(c, t, next, tsc);
	return &next->regs;
}

struct regs *sched_next(struct thread *t)
{
	struct percpu *c = this_cpu();
	if (likely(!c->work && !c->next && c->run_mask)) {
		spin_lock(&c->run_lock);
		struct thread *next = LIST_FIRST(&c->run[c->run_top], struct thread, run);
		if (likely(!next->dying && !(next->regs.rip >> 47))) {
			dequeue_locked(c, next);
			spin_unlock(&c->run_lock);
			uint64_t tsc = rdtsc();
			c->epoch++;
			begin_slice(c, next, tsc);
			switch_to(c, t, next, tsc);
			set_timer(c, tsc);
			return &next->regs;
		}
		spin_unlock(&c->run_lock);
	}
	cpu_work(WORK_RESCHED);
	return kernel_leave();
}

struct regs *syscall_finish(status_t status)
{
	struct thread *t = current_thread();
	if (status != STATUS_BLOCKED)           /* else whoever wakes it sets them */
		t->regs.vector = REGS_SYSCALL;
	if (likely(status > STATUS_REGS)) {
		t->regs.rax = (uint64_t)status;
		t->regs.rdi = t->regs.r8 = t->regs.r9 = 0;
	} else if (status == STATUS_RESTART) {
		t->regs.rip -= 2;               /* the SYSCALL instruction; its registers are as they were */
	}
	return kernel_leave();
}

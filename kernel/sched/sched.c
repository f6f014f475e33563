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
#include <kernel/debug.h>
#include <kernel/mm.h>
#include <kernel/pager.h>
#include <kernel/panic.h>
#include <kernel/plant.h>
#include <kernel/sched.h>
#include <kernel/smp.h>
#include <kernel/upcall.h>
#include <kernel/x86.h>

uint64_t noncanonical_count;            /* times a bad RIP was kept from SYSRET and IRET */

static uint64_t slice_tsc;              /* SLICE_NS */

void sched_init(void)
{
	this_cpu()->work = 0;
	slice_tsc = clock_ns_to_tsc(SLICE_NS);
}

static uint64_t idle_cpus;              /* atomic: CPUs that halt, or are about to and will look at all queues once more */

static bool allowed(const struct thread *t, uint32_t cpu)
{
	return t->affinity >> cpu & 1;
}

static void enqueue_locked(struct percpu *c, struct thread *t, bool front)
{
	t->state = THREAD_READY;
	t->cpu = c->cpu;
	unsigned priority = t->priority;
	t->queue = (uint16_t)(c->cpu << 8 | priority);
	if (front)
		list_push_front(&c->run[priority], &t->run);
	else
		list_push_back(&c->run[priority], &t->run);
	c->run_mask |= 1u << priority;
	c->run_top = (uint8_t)(31 - __builtin_clz(c->run_mask));
}

static void dequeue_locked(struct percpu *c, struct thread *t)
{
	unsigned priority = t->queue & 0xff;
	list_remove(&t->run);
	if (list_empty(&c->run[priority]))
		c->run_mask &= ~(1u << priority);
	t->queue = QUEUE_NONE;
	c->run_top = c->run_mask ? (uint8_t)(31 - __builtin_clz(c->run_mask)) : 0;
}

/* Somebody idle among `cpus` is sent to look at the queues. What it is to find was stored before. */
static void offer(uint64_t cpus)
{
	uint64_t idle = __atomic_fetch_or(&idle_cpus, 0, __ATOMIC_SEQ_CST) & cpus;
	if (idle) {
		__atomic_fetch_and(&idle_cpus, ~(idle & -idle), __ATOMIC_SEQ_CST);
		cpu_kick(percpu_all[__builtin_ctzll(idle)]);
	}
}

/* Where a thread that was woken goes: where it ran last if that is idle, else any idle CPU, else where it ran last. */
static struct percpu *place(const struct thread *t)
{
	struct percpu *here = this_cpu();
	if (cpu_count == 1)
		return here;
	uint64_t idle = __atomic_load_n(&idle_cpus, __ATOMIC_RELAXED) & t->affinity;
	if (idle >> t->cpu & 1)
		return percpu_all[t->cpu];
	if ((idle >> here->cpu & 1) || (!here->current && allowed(t, here->cpu)))
		return here;
	if (idle) {
		uint32_t cpu = (uint32_t)__builtin_ctzll(idle);
		__atomic_fetch_and(&idle_cpus, ~(1ull << cpu), __ATOMIC_SEQ_CST);
		return percpu_all[cpu];
	}
	return percpu_all[allowed(t, t->cpu) ? t->cpu : allowed(t, here->cpu) ? here->cpu : (uint32_t)__builtin_ctzll(t->affinity)];
}

static noinline keeps_registers void deadline_on(struct thread *t, uint64_t deadline)
{
	thread_special_on(t, SPECIAL_DEADLINE);
	timer_arm(&t->timer, deadline);
}

void sched_block_current(enum wait_kind wait, uint64_t deadline)
{
	struct thread *t = current_thread();
	t->state = THREAD_BLOCKED;
	t->wait = (uint8_t)wait;
	if (unlikely(deadline != FOREVER))
		deadline_on(t, deadline);
	cpu_work(WORK_RESCHED);
}

static noinline void deadline_off(struct thread *t)
{
	timer_disarm(&t->timer);
	thread_special_off(t, SPECIAL_DEADLINE);
}

void sched_unblock_current(void)
{
	struct thread *t = current_thread();
	if (t->special & SPECIAL_DEADLINE)
		deadline_off(t);
	t->wait = WAIT_NONE;
	t->state = THREAD_RUNNING;
}

static noinline void make_ready_somewhere(struct thread *t)
{
	struct percpu *c = place(t);
	uint64_t affinity = t->affinity;
	uint8_t priority = t->priority;
	spin_lock(&c->run_lock);
	bool first = !c->run_mask;
	enqueue_locked(c, t, false);
	spin_unlock(&c->run_lock);
	const struct thread *current = c->current;
	bool urgent = !current || priority > current->priority;
	if (c != this_cpu()) {
		if (urgent || first)
			cpu_kick(c);
	} else if (urgent || c->timer_set_tsc > c->slice_end) {
		cpu_work(WORK_RESCHED);
	}
	if (current)
		offer(affinity);
}

static noinline void make_ready_queued(struct thread *t)
{
	struct percpu *c = this_cpu();
	if (unlikely(cpu_count > 1)) {
		make_ready_somewhere(t);
		return;
	}
	enqueue_locked(c, t, false);
	/* Even when it does not run at once, slices begin to matter, and choose() sets the timer; unless it fires soon enough. */
	if (!c->current || t->priority > c->current->priority || c->timer_set_tsc > c->slice_end)
		cpu_work(WORK_RESCHED);
}

/* Before its deadline, or there is something that it is to attend to. */
static noinline void make_ready_specially(struct thread *t, bool direct)
{
	if (t->special & SPECIAL_DEADLINE)
		deadline_off(t);
	if ((t->special & SPECIAL_ATTEND) && thread_attend_woken(t))
		return;
	if (direct)
		sched_wake_direct(t);
	else
		sched_wake(t);
}

always_inline void make_ready(struct thread *t, bool direct)
{
	struct percpu *c = this_cpu();
	if (unlikely(t->special & (SPECIAL_DEADLINE | SPECIAL_ATTEND))) {
		make_ready_specially(t, direct);
		return;
	}
	t->wait = WAIT_NONE;
	/* Who is more urgent than the current one runs next whatever that does, like the other side of a call: not by way of the queue. */
	if (!c->next && (direct || (c->current && t->priority > c->current->priority)) && allowed(t, c->cpu)) {
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

/*
 * Locks the run queue that t is in; NULL: it is in none. Another CPU may just be putting it into its own queue, or take it out of that,
 * under another lock: so whether and where is one word.
 */
static struct percpu *lock_queue_of(struct thread *t)
{
	for (;;) {
		uint16_t queue = __atomic_load_n(&t->queue, __ATOMIC_RELAXED);
		struct percpu *c = percpu_all[queue != QUEUE_NONE ? queue >> 8 : t->cpu];
		spin_lock(&c->run_lock);
		queue = __atomic_load_n(&t->queue, __ATOMIC_RELAXED);
		if (queue != QUEUE_NONE && queue >> 8 == c->cpu)
			return c;
		bool moved = queue != QUEUE_NONE || t->cpu != c->cpu;
		spin_unlock(&c->run_lock);
		if (!moved)
			return NULL;
	}
}

bool sched_remove(struct thread *t)
{
	struct percpu *c = lock_queue_of(t);
	if (!c)
		return false;
	dequeue_locked(c, t);
	spin_unlock(&c->run_lock);
	return true;
}

void sched_set_priority(struct thread *t, uint32_t priority)
{
	struct percpu *c = lock_queue_of(t);
	t->priority = (uint8_t)priority;
	if (c) {
		dequeue_locked(c, t);
		enqueue_locked(c, t, false);
		spin_unlock(&c->run_lock);
	}
	if (c && c != this_cpu())
		cpu_kick(c);
	else if (c || t == current_thread())
		cpu_work(WORK_RESCHED);
}

void sched_replace(struct thread *t)
{
	struct percpu *c = lock_queue_of(t);
	if (c) {
		dequeue_locked(c, t);
		spin_unlock(&c->run_lock);
		make_ready_queued(t);
	}
	/* Whoever runs it looks; perhaps it is this CPU. */
	for (uint32_t i = 0; !c && i < cpu_count; i++)
		if (percpu_all[i]->current == t && percpu_all[i] != this_cpu())
			cpu_kick(percpu_all[i]);
	cpu_work(WORK_RESCHED);
}

void sched_drop_priority(void)
{
	struct percpu *c = this_cpu();
	struct thread *t = c->current;
	t->priority = t->base_priority;
	if (c->run_mask >> t->priority > 1)
		cpu_work(WORK_RESCHED);
}

void sched_charge_all(void)
{
	bool due = false;
	for (uint32_t i = 0; i < cpu_count; i++) {
		const struct percpu *c = percpu_all[i];
		due |= c != this_cpu() && c->current && rdtsc() - c->run_since_tsc > slice_tsc;
	}
	if (due)
		cpus_wait_left();
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

void sched_idle_timer(bool soon)
{
	uint64_t next = timer_next();
	sched_timer_at_latest(unlikely(soon) ? MIN(next, clock_ns() + REAP_INTERVAL_NS) : next);
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
	sched_idle_timer(false);
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

/* The first thread of another CPU's queue that may run here. */
static struct thread *steal(struct percpu *c)
{
	struct thread *found = NULL;
	uint32_t at = c->cpu;
	/* From the next one on, so that not all come to the same. */
	for (uint32_t i = 1; i < cpu_count && !found; i++) {
		at = at + 1 == cpu_count ? 0 : at + 1;
		struct percpu *from = percpu_all[at];
		if (!__atomic_load_n(&from->run_mask, __ATOMIC_RELAXED))
			continue;
		spin_lock(&from->run_lock);
		for (uint32_t mask = from->run_mask; mask && !found; mask &= ~(1u << (31 - __builtin_clz(mask)))) {
			unsigned looked = 0;
			LIST_EACH(node, &from->run[31 - __builtin_clz(mask)]) {
				struct thread *t = CONTAINER_OF(node, struct thread, run);
				if (allowed(t, c->cpu))
					found = t;
				if (found || ++looked == 16)
					break;
			}
		}
		if (found)
			dequeue_locked(from, found);
		spin_unlock(&from->run_lock);
	}
	return found;
}

/* What only this CPU has of t goes into its struct; from here on another CPU may run it. */
always_inline void put_down(struct thread *t)
{
	arch_save_bases(t);
	if (t->fpu)
		fpu_save(t);
	__atomic_store_n(&t->on_cpu, false, __ATOMIC_RELEASE);
}

/*
 * t was woken before the CPU that it waited on has put it down. That one may first wait for us to leave the kernel (to reap a Frame that
 * was shared): so we count as out, and hold nothing but t, which nobody ends while it is in our hands.
 */
static noinline void wait_put_down(const struct thread *t)
{
	this_cpu()->current = NULL;     /* who was has been put down, and may run elsewhere */
	cpu_out(true);
	while (__atomic_load_n(&t->on_cpu, __ATOMIC_ACQUIRE))
		cpu_relax();
	cpu_out(false);
}

always_inline void take_up(struct percpu *c, struct thread *t)
{
	if (unlikely(__atomic_load_n(&t->on_cpu, __ATOMIC_ACQUIRE)))
		wait_put_down(t);
	t->on_cpu = true;
	t->state = THREAD_RUNNING;
	t->cpu = c->cpu;
	c->current = t;
	if (t->fpu || c->fpu_on)
		fpu_load(t);
	arch_switch_to(t);
}

static void switch_to(struct percpu *c, struct thread *from, struct thread *to, uint64_t now)
{
	if (from) {
		from->cpu_time_tsc += now - c->run_since_tsc;
		put_down(from);
	}
	c->run_since_tsc = now;
	c->switches++;
	take_up(c, to);
}

static void leave_cpu(struct percpu *c, struct thread *t)
{
	t->cpu_time_tsc += rdtsc() - c->run_since_tsc;
	c->current = NULL;
	put_down(t);
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

/*
 * The time since the last full switch. Calls on the short path lie in it, which charge nobody: who serves shares it with its caller,
 * so that neither of two that are alone on a CPU seems to stand still.
 */
static void charge_shared(struct percpu *c, struct thread *t, uint64_t tsc)
{
	uint64_t ran = tsc - c->run_since_tsc;
	const struct command *in = thread_in_hand(t);
	struct thread *caller = in && !in->submitted ? in->caller : NULL;
	c->run_since_tsc = tsc;
	if (caller) {
		ran /= 2;
		__atomic_fetch_add(&caller->cpu_time_tsc, ran, __ATOMIC_RELAXED);
	}
	t->cpu_time_tsc += ran;
}

/* Picks who runs and makes it current; does not return if nobody can. */
static struct thread *choose(struct percpu *c)
{
	struct thread *t = c->current, *next;
	uint64_t tsc = rdtsc();
	if (t)
		charge_shared(c, t, tsc);
	spin_lock(&c->run_lock);
	bool moves = t && t->state == THREAD_RUNNING && unlikely(!allowed(t, c->cpu));
	if (t && t->state == THREAD_RUNNING && likely(!moves)) {
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
	uint64_t spare = c->run_mask ? LIST_FIRST(&c->run[c->run_top], struct thread, run)->affinity : 0;
	spin_unlock(&c->run_lock);
	if (unlikely(moves))
		make_ready_queued(t);   /* elsewhere; whoever takes it up there waits until it is put down here */
	if (spare && cpu_count > 1)
		offer(spare);
	if (!next) {
		if (t)
			leave_cpu(c, t);
		cpu_idle();             /* takes from the others what it can */
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
		if (work & (WORK_REAP | WORK_PRESSURE | WORK_ATTEND)) {
			if (work & WORK_ATTEND && t && t->state == THREAD_RUNNING && t->special & SPECIAL_ATTEND)
				thread_attend(t);
			if (work & WORK_REAP)
				(void)reap_some();
			if (work & WORK_PRESSURE)
				pressure_look();
			work |= c->work;        /* whom they have woken */
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
		if (unlikely(t->regs.rip >> 47) && !PLANTED(no_canonical)) {
			noncanonical_count++;
			process_end(t->process, EXIT_FAULT, 13, t->regs.rip, t->regs.rip);
			continue;
		}
		cpu_left();
		return &t->regs;
	}
}

/* What a quick switch seldom needs. */
static noinline struct regs *hand_over_rest(struct percpu *c, struct thread *from, struct thread *to)
{
	if (from->fpu)
		fpu_save(from);
	__atomic_store_n(&from->on_cpu, false, __ATOMIC_RELEASE);
	fpu_load(to);
	set_timer(c, rdtsc());
	cpu_left();
	return &to->regs;
}

/*
 * switch_to from one thread of this CPU to another, as the last thing done. Whoever comes here calls nothing before, so that no
 * register has to be saved. timer: it is to be set.
 */
always_inline struct regs *hand_over(struct percpu *c, struct thread *from, struct thread *to, bool timer)
{
	c->current = to;
	to->on_cpu = true;
	to->state = THREAD_RUNNING;
	arch_hand_over(from, to);
	if (unlikely(timer || to->fpu || c->fpu_on))            /* as it is if `from` has any */
		return hand_over_rest(c, from, to);
	__atomic_store_n(&from->on_cpu, false, __ATOMIC_RELEASE);
	cpu_left();
	return &to->regs;
}

/* The time since the last full switch is t's. */
always_inline void charge(struct percpu *c, struct thread *t, uint64_t tsc)
{
	t->cpu_time_tsc += tsc - c->run_since_tsc;
	c->run_since_tsc = tsc;
	c->switches++;
}

/* set_timer would do something. */
always_inline bool timer_wanted(const struct percpu *c)
{
	return (c->run_mask && c->timer_set_tsc > c->slice_end) || reap_urgent();
}

/*
 * The commonest ways out come first: the caller or server that a command woke runs next, in the same slice; or somebody more urgent
 * whom the current thread woke. Nothing more urgent than those is ready.
 */
struct regs *kernel_leave(void)
{
	struct percpu *c = this_cpu();
	struct thread *t = c->current, *next = c->next;
	bool timer = false;
	debug_unlocked_all();
	if (!next || (c->work & ~(uint32_t)WORK_RESTORE) != WORK_RESCHED || !t || c->run_top > next->priority || (next->dying | next->on_cpu))
		return leave_slowly(c);
	if (t->state == THREAD_RUNNING) {
		if (next->priority <= t->priority || t->dying || idle_cpus)     /* one of those may take t */
			return leave_slowly(c);
		uint64_t tsc = rdtsc();
		if (!spin_trylock(&c->run_lock))
			return leave_slowly(c);
		put_back_locked(c, t, false);
		spin_unlock(&c->run_lock);
		begin_slice(c, next, tsc);
		charge(c, t, tsc);
		timer = c->timer_set_tsc > c->slice_end || reap_urgent();       /* timer_wanted: t is in the queue */
	}
	c->work = 0;
	c->next = NULL;
	return hand_over(c, t, next, timer);
}

/* The next one of the same priority at once, if that is all there is to it; else the long way. */
struct regs *sched_yield(void)
{
	struct percpu *c = this_cpu();
	struct thread *t = c->current, *next;
	struct list *queue = &c->run[t->priority];
	t->regs.rax = t->regs.rdi = t->regs.r8 = t->regs.r9 = 0;
	if (unlikely(!spin_trylock(&c->run_lock))) {
		sched_yield_current();
		return kernel_leave();
	}
	next = LIST_FIRST(queue, struct thread, run);
	if (unlikely(c->work || c->run_top != t->priority || list_empty(queue) || (next->dying | next->on_cpu) || next->regs.rip >> 47)) {
		spin_unlock(&c->run_lock);
		sched_yield_current();
		return kernel_leave();
	}
	t->queue = next->queue;
	next->queue = QUEUE_NONE;
	list_remove(&next->run);
	list_push_back(queue, &t->run);
	t->slice_end = 0;
	t->state = THREAD_READY;
	spin_unlock(&c->run_lock);
	uint64_t tsc = rdtsc();
	begin_slice(c, next, tsc);
	charge(c, t, tsc);
	return hand_over(c, t, next, false);
}

struct regs *sched_next(struct thread *t)
{
	struct percpu *c = this_cpu();
	if (likely(!c->work && !c->next && spin_trylock(&c->run_lock))) {
		struct thread *next = c->run_mask ? LIST_FIRST(&c->run[c->run_top], struct thread, run) : NULL;
		if (likely(next && !(next->dying | next->on_cpu) && !(next->regs.rip >> 47))) {
			dequeue_locked(c, next);
			spin_unlock(&c->run_lock);
			uint64_t tsc = rdtsc();
			begin_slice(c, next, tsc);
			charge(c, t, tsc);
			return hand_over(c, t, next, timer_wanted(c));
		}
		spin_unlock(&c->run_lock);
		if (!next) {
			leave_cpu(c, t);
			cpu_idle();
		}
	}
	cpu_work(WORK_RESCHED);
	return leave_slowly(c);
}

struct regs *sched_far(struct thread *t, struct thread *to)
{
	make_ready_somewhere(to);
	return sched_next(t);
}

/* This CPU, which was idle, runs t, which it has taken off a queue, and does not return. */
static void run_from_idle(struct percpu *c, struct thread *t)
{
	uint64_t tsc = rdtsc();
	c->work &= ~(uint32_t)WORK_RESCHED;
	switch_to(c, NULL, t, tsc);
	begin_slice(c, t, tsc);
	set_timer(c, tsc);
	if (unlikely(c->work || t->dying || t->regs.rip >> 47))
		user_restore(leave_slowly(c));
	cpu_left();
	user_restore(&t->regs);
}

/*
 * It does not return while there is something to run here, or to be taken from elsewhere. Whoever queues a thread looks at idle_cpus
 * after that, and we at the queues after we are in it.
 */
void sched_idle(void)
{
	struct percpu *c = this_cpu();
	struct thread *t = NULL;
	if (cpu_count > 1)
		__atomic_fetch_or(&idle_cpus, 1ull << c->cpu, __ATOMIC_SEQ_CST);
	if (c->next || __atomic_load_n(&c->run_mask, __ATOMIC_RELAXED)) {
		spin_lock(&c->run_lock);
		t = pick_locked(c);
		spin_unlock(&c->run_lock);
	} else if (cpu_count > 1) {
		t = steal(c);
	}
	if (!t)
		return;
	if (cpu_count > 1)
		__atomic_fetch_and(&idle_cpus, ~(1ull << c->cpu), __ATOMIC_SEQ_CST);
	run_from_idle(c, t);
}

static noinline struct regs *finish_lacking(status_t status)
{
	return syscall_finish(page_finish(status));
}

struct regs *syscall_finish(status_t status)
{
	struct percpu *c = this_cpu();
	struct thread *t = c->current;
	if (unlikely(page_lacking()))
		return finish_lacking(status);
	if (status == STATUS_BLOCKED && c->work == WORK_RESCHED && !c->next) {
		c->work = 0;
		return sched_next(t);
	}
	if (likely(status > STATUS_REGS)) {
		t->regs.rax = (uint64_t)status;
		t->regs.rdi = t->regs.r8 = t->regs.r9 = 0;
	} else if (status == STATUS_RESTART) {
		t->regs.rip -= 2;               /* the SYSCALL instruction; its registers are as they were */
	}
	return kernel_leave();
}

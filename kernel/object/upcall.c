/*
 * upcall: a thread's events go to a handler in its own process; threads are suspended, looked at and changed.
 *
 * The kernel writes the record through its own mapping of a Frame that cannot lose pages, so an upcall never faults. It
 * believes nothing that it reads there: `depth` is read once, and registers are made harmless before they are loaded.
 *
 * What concerns a thread that somebody else runs (suspend, interrupt) is left in it, with SPECIAL_ATTEND, which keeps it off
 * the short path: it is seen to when the thread leaves a wait, or by who takes it out of the run queue, or, on another
 * CPU, in the interrupt that it gets for that.
 */
#include "../arch/x86_64/offsets.h"
#include <kernel/cpu.h>
#include <kernel/mm.h>
#include <kernel/plant.h>
#include <kernel/sched.h>
#include <kernel/smp.h>
#include <kernel/syscall.h>
#include <kernel/upcall.h>

#define RFLAGS_USER   0x240dd5u         /* CF PF AF ZF SF TF DF OF AC ID (SDM 1 3.4.3) */
#define RFLAGS_ALWAYS 0x202u            /* IF, and the bit that is always 1 */
#define SUSPENDS_MAX  0x10000u
#define REGS_ASIDE    0x101             /* regs.vector: a context that was set; all of it counts, so it leaves by IRET */

static void regs_out(struct thread_regs *to, const struct thread *t)
{
	const struct regs *r = &t->regs;
	*to = (struct thread_regs){ r->r15, r->r14, r->r13, r->r12, r->rbp, r->rbx, r->r11, r->r10, r->r9, r->r8, r->rax, r->rcx, r->rdx,
		r->rsi, r->rdi, r->rip, r->rflags, r->rsp, t->fs_base, t->gs_base };
}

static bool regs_in(struct thread *t, const struct thread_regs *from)
{
	if (from->rip >= USER_TOP && !PLANTED(no_canonical))
		return false;
	t->regs = (struct regs){ from->r15, from->r14, from->r13, from->r12, from->rbp, from->rbx, from->r11, from->r10, from->r9, from->r8,
		from->rax, from->rcx, from->rdx, from->rsi, from->rdi, REGS_ASIDE, 0, from->rip, SEL_UCODE,
		(from->rflags & RFLAGS_USER) | RFLAGS_ALWAYS, from->rsp, SEL_UDATA };
	return true;
}

bool upcall_event(struct thread *t, uint64_t reason, uint64_t address)
{
	struct upcall_record *u = t->upcall;
	struct regs *r = &t->regs;
	uint32_t depth = u ? *(volatile uint32_t *)&u->depth : 0;
	if (!u || depth >= UPCALL_DEPTH)
		return false;
	struct upcall_frame *f = &u->frame[depth];
	regs_out(&f->regs, t);
	f->reason = reason;
	f->vector = r->vector;
	f->error = r->error;
	f->address = address;
	u->depth = depth + 1;
	/* Below what the interrupted handler has in use, or on its empty stack. */
	uint64_t stack = depth ? ALIGN_DOWN(r->rsp - 128, 16) : t->upcall_stack;
	*r = (struct regs){ .rip = t->upcall_event, .rsp = stack, .rdi = t->upcall_stack, .rsi = depth, .rflags = RFLAGS_ALWAYS,
		.cs = SEL_UCODE, .ss = SEL_UDATA, .vector = REGS_ASIDE };
	return true;
}

/* Its program is told at once; its handler when it is through. */
static void tell_interrupt(struct thread *t)
{
	if (*(volatile uint32_t *)&t->upcall->depth)
		t->upcall->pending = 1;
	else if (upcall_event(t, UPCALL_INTERRUPT, 0))
		thread_special_off(t, SPECIAL_INTERRUPTED);
}

/*
 * upcall_return: everything as the newest frame has it. What came while it was handled follows at once. Returns the registers to
 * continue with.
 */
struct regs *upcall_return(struct thread *t)
{
	struct upcall_record *u = t->upcall;
	struct thread_regs from;
	uint32_t depth = u ? *(volatile uint32_t *)&u->depth : 0;
	bool good = depth && depth <= UPCALL_DEPTH;
	if (good) {
		memcpy(&from, (const void *)&u->frame[depth - 1].regs, sizeof(from));
		asm volatile("" ::: "memory");          /* read once */
		good = regs_in(t, &from);
	}
	if (!good)
		return syscall_finish(ERR_INVALID);
	u->depth = depth - 1;
	if (depth == 1 && *(volatile uint32_t *)&u->pending) {
		u->pending = 0;
		tell_interrupt(t);
	}
	return kernel_leave();
}

/* entry.S calls upcall_return instead. */
status_t raw_upcall_return(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	(void)a0, (void)a1, (void)a2, (void)a3, (void)a4, (void)a5;
	return ERR_INVALID;
}

/* ---- suspending ---- */

/* t, in nobody's hands, waits until it may go on. False: it may already. */
static bool suspend(struct thread *t)
{
	t->state = THREAD_BLOCKED;
	__atomic_store_n(&t->wait, WAIT_SUSPENDED, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&t->suspends, __ATOMIC_SEQ_CST) || !thread_claim(t, WAIT_SUSPENDED);
}

bool thread_attend_woken(struct thread *t)
{
	/* Who stops or tells sets the reason first and then the bit: what comes after this sets it again. */
	thread_special_off(t, SPECIAL_ATTEND);
	if (__atomic_load_n(&t->suspends, __ATOMIC_SEQ_CST)) {
		thread_special_on(t, SPECIAL_ATTEND);
		if (suspend(t))
			return true;
	}
	if (__atomic_exchange_n(&t->told, false, __ATOMIC_SEQ_CST) && t->upcall)
		tell_interrupt(t);
	return false;
}

void thread_attend(struct thread *t)
{
	if (thread_attend_woken(t))
		cpu_work(WORK_RESCHED);
	else
		t->state = THREAD_RUNNING;
}

static bool find_and_attend(struct thread *t)
{
	if (sched_remove(t)) {
		if (!thread_attend_woken(t))
			sched_wake(t);
		return true;
	}
	for (uint32_t i = 0; i < cpu_count; i++)
		if (percpu_all[i]->current == t && t->on_cpu) {
			cpu_kick(percpu_all[i]);
			return true;
		}
	return t->wait != WAIT_NONE || t->state == THREAD_DEAD || !(t->special & SPECIAL_ATTEND);
}

/*
 * t, which is not the current thread, is to look after itself. One that waits does so when it is woken; one that runs elsewhere is
 * interrupted; one that is ready is taken out of the queue for it. In between it is for a moment in the hands of another
 * CPU, which will have let it go when it has left the kernel, and which may have looked at it before the bit was set.
 */
static void call_attention(struct thread *t)
{
	thread_special_on(t, SPECIAL_ATTEND);
	object_get(&t->obj);
	do {
		cpus_wait_left();
	} while (!find_and_attend(t));
	OBJ_PUT(t);
}

void upcall_interrupt(struct thread *t)
{
	if (t == current_thread()) {
		t->upcall->pending = 1;         /* it is in its handler, or does as one */
		return;
	}
	__atomic_store_n(&t->told, true, __ATOMIC_SEQ_CST);
	call_attention(t);
}

void upcall_free(struct thread *t)
{
	OBJ_PUT(t->upcall_frame);
	t->upcall_frame = NULL;
	t->upcall = NULL;
}

/* ---- system calls ---- */

/* A suspended thread, in our hands until it is let_go. */
static status_t take_suspended(handle_t h, struct thread **t)
{
	status_t st = thread_find(h, t);
	if (st < 0)
		return st;
	if ((*t)->suspends && (*t)->on_cpu && *t != current_thread()) {
		sched_yield_current();          /* it has been told, and will be off in a moment */
		return STATUS_RESTART;
	}
	return thread_claim(*t, WAIT_SUSPENDED) ? OK : ERR_BUSY;
}

static void let_go(struct thread *t)
{
	if (!suspend(t))
		sched_wake(t);
}

status_t sys_thread_upcall(const struct upcall *a)
{
	struct thread *t = current_thread();
	struct frame *f = NULL;
	if (a->frame) {
		status_t st = LOOKUP(a->frame, OBJ_FRAME, RIGHT_WRITE, &f);
		if (st < 0)
			return st;
		if (f->kind != FRAME_CONTIG || a->reserved || (a->offset & 63) || a->offset >> PAGE_SHIFT >= f->n_pages ||
		    (a->offset & (PAGE_SIZE - 1)) + sizeof(struct upcall_record) > PAGE_SIZE || (a->record & 63) || a->record < PAGE_SIZE ||
		    a->record >= USER_TOP || a->entry < PAGE_SIZE || a->entry >= USER_TOP || a->event < PAGE_SIZE || a->event >= USER_TOP)
			return ERR_INVALID;
		object_get(&f->obj);
	}
	upcall_free(t);
	if (f) {
		t->upcall_frame = f;
		t->upcall_stack = a->record;
		t->upcall_entry = a->entry;
		t->upcall_event = a->event;
		t->upcall = (struct upcall_record *)((char *)HHDM(f->phys) + a->offset);
		if (t->fpu)
			thread_special_on(t, SPECIAL_KEEP);
	}
	return OK;
}

status_t sys_thread_suspend(handle_t h)
{
	struct thread *t;
	status_t st = thread_find(h, &t);
	if (st < 0)
		return st;
	if (__atomic_load_n(&t->suspends, __ATOMIC_RELAXED) >= SUSPENDS_MAX)
		return ERR_LIMIT;
	__atomic_fetch_add(&t->suspends, 1, __ATOMIC_SEQ_CST);
	if (t != current_thread()) {
		call_attention(t);
		return OK;
	}
	thread_special_on(t, SPECIAL_ATTEND);
	t->regs.rax = OK;
	if (!suspend(t)) {
		t->state = THREAD_RUNNING;
		return OK;
	}
	cpu_work(WORK_RESCHED);
	return STATUS_BLOCKED;
}

status_t sys_thread_resume(handle_t h)
{
	struct thread *t;
	status_t st = thread_find(h, &t);
	if (st < 0)
		return st;
	uint32_t suspends = __atomic_load_n(&t->suspends, __ATOMIC_SEQ_CST);
	do {
		if (!suspends)
			return ERR_INVALID;
	} while (!__atomic_compare_exchange_n(&t->suspends, &suspends, suspends - 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	if (suspends == 1 && thread_claim(t, WAIT_SUSPENDED))
		sched_wake(t);
	return OK;
}

status_t sys_thread_get_regs(handle_t h, struct thread_regs *regs)
{
	struct thread *t;
	status_t st = take_suspended(h, &t);
	if (st != OK)
		return st;
	regs_out(regs, t);
	let_go(t);
	return OK;
}

status_t sys_thread_set_regs(handle_t h, const struct thread_regs *regs)
{
	struct thread *t;
	status_t st = take_suspended(h, &t);
	if (st != OK)
		return st;
	if (regs->fs_base >= USER_TOP || regs->gs_base >= USER_TOP || !regs_in(t, regs)) {
		st = ERR_INVALID;
	} else {
		t->fs_base = regs->fs_base;
		t->gs_base = regs->gs_base;
		t->progress_key = 0;
	}
	let_go(t);
	return st;
}

/*
 * trap: exceptions and interrupts. A user program's exception ends its process; an exception
 * in the kernel is ours and panics, but for page faults while copying user memory.
 */
#include "offsets.h"
#include <kernel/account.h>
#include <kernel/cpu.h>
#include <kernel/irq.h>
#include <kernel/log.h>
#include <kernel/pager.h>
#include <kernel/panic.h>
#include <kernel/plant.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/smp.h>
#include <kernel/upcall.h>
#include <kernel/usercopy.h>
#include <kernel/x86.h>

enum { EXC_DB = 1, EXC_NMI = 2, EXC_NM = 7, EXC_DF = 8, EXC_PF = 14, EXC_MC = 18 };
enum { PF_PRESENT = 1, PF_WRITE = 2, PF_USER = 4, PF_RESERVED = 8, PF_FETCH = 16 };

static const char *const exception_names[32] = {
	"divide error", "debug", "NMI", "breakpoint", "overflow", "bound range", "invalid opcode", "no coprocessor",
	"double fault", "coprocessor overrun", "invalid TSS", "segment not present", "stack fault", "general protection",
	"page fault", "reserved 15", "x87 error", "alignment check", "machine check", "SIMD error", "virtualization",
	"control protection",
};

static const char *exception_name(uint64_t vector)
{
	return vector < 32 && exception_names[vector] ? exception_names[vector] : "unknown exception";
}

static uint64_t nmi_count;

extern char usercopy_start[], usercopy_end[], usercopy_fault[];

status_t copy_in(void *dst, user_in_t src, size_t size)
{
	if (unlikely(!user_range_ok(src.va, size)) && !PLANTED(no_range))
		return ERR_FAULT;
	return user_copy(dst, (const void *)src.va, size);
}

status_t copy_out(user_out_t dst, const void *src, size_t size)
{
	if (unlikely(!user_range_ok(dst.va, size)))
		return ERR_FAULT;
	return user_copy((void *)dst.va, src, size);
}

static uint32_t fault_access(uint64_t error)
{
	return error & PF_FETCH ? PROT_EXEC : error & PF_WRITE ? PROT_WRITE : PROT_READ;
}

static void user_exception(struct thread *t, uint64_t address)
{
	struct regs *r = &t->regs;
	struct process *p = t->process;
	if (upcall_event(t, UPCALL_EXCEPTION, address))
		return;
	klog("%s (pid %llu): %s, error 0x%llx, rip 0x%llx, address 0x%llx, rsp 0x%llx", p->name, (unsigned long long)p->pid,
		exception_name(r->vector), (unsigned long long)r->error, (unsigned long long)r->rip,
		(unsigned long long)address, (unsigned long long)r->rsp);
	process_end(p, EXIT_FAULT, (int64_t)r->vector, r->rip, address);
}

static void interrupt(uint64_t vector)
{
	this_cpu()->interrupts++;
	if (likely(vector >= VECTOR_IRQ_FIRST && vector <= VECTOR_IRQ_LAST)) {
		irq_interrupt((uint8_t)vector);
	} else if (vector == VECTOR_TIMER) {
		apic_eoi();
		sched_timer_interrupt();
	} else if (vector == VECTOR_RESCHED) {
		apic_eoi();
		cpu_work(WORK_RESCHED);
	} else if (vector == VECTOR_SHOOTDOWN) {
		apic_eoi();
		cpu_answer();
	} else if (vector != VECTOR_SPURIOUS) {
		apic_eoi();
	}
}

#define STARVED_NS (100 * NS_PER_MS)

/*
 * There is no memory for the page, but something to reap, which may give some back: the thread tries again when a piece of that
 * is done. Not for ever, for others may go on making things to reap.
 */
static bool try_again(struct thread *t, status_t why)
{
	uint64_t now = clock_ns();
	if (why != ERR_NO_MEMORY || !reap_pending() || (t->starved && now - t->starved > STARVED_NS))
		return false;
	if (!t->starved)
		t->starved = now;
	cpu_work(WORK_REAP | WORK_RESCHED);
	return true;
}

static noinline struct regs *exception(struct regs *r)
{
	struct thread *t = current_thread();
	if (r->vector == EXC_PF) {
		uint64_t address = read_cr2();
		this_cpu()->page_faults++;
		/* Without PF_USER the processor itself reached for something (a descriptor; under QEMU's TCG also the stack of
		   an IRET, against SMAP): mapping the page would not help, the fault would come again for ever. */
		status_t st = (r->error & PF_RESERVED) || !(r->error & PF_USER) ? ERR_FAULT : vmem_fault(t->process->vmem, address, fault_access(r->error));
		if (unlikely(st < 0)) {
			if (st == STATUS_ABSENT)
				st = page_wait(FOREVER);
			if (st > STATUS_REGS && !try_again(t, st))
				user_exception(t, address);
		} else {
			t->starved = 0;
			if (likely(!this_cpu()->work))
				return r;
		}
	} else if (r->vector == EXC_NM && !t->fpu && fpu_first_use(t) == OK) {
		;
	} else {
		user_exception(t, 0);
	}
	return kernel_leave();
}

struct regs *trap_user(struct regs *r)
{
	if (unlikely(r->vector < 32))
		return exception(r);
	interrupt(r->vector);
	if (unlikely(r->vector == VECTOR_RESCHED) && (current_thread()->special & SPECIAL_ATTEND))
		thread_attend(current_thread());
	return kernel_leave();
}

void trap_kernel(struct regs *r)
{
	if (r->vector >= 32) {
		bool idle = this_cpu()->out;
		if (idle)
			cpu_no_longer_idle();
		interrupt(r->vector);
		if (idle)
			sched_idle();
		else if (r->vector == VECTOR_RESCHED)
			cpu_work(WORK_ATTEND);
		return;                 /* to the idle loop */
	}
	if (r->vector == EXC_PF && r->rip >= (uint64_t)usercopy_start && r->rip < (uint64_t)usercopy_end) {
		uint64_t address = read_cr2();
		struct thread *t = current_thread();
		this_cpu()->page_faults++;
		bool ours = t && user_range_ok(address, 1) && !(r->error & PF_RESERVED);
		status_t st = ours ? vmem_fault(t->process->vmem, address, fault_access(r->error)) : ERR_FAULT;
		if (likely(st == OK))
			return;
		if (st == STATUS_ABSENT)
			cpu_work(WORK_PAGE);
		r->rip = (uint64_t)usercopy_fault;
		return;
	}
	/* A non-canonical user address in a copy is #GP, but ranges are checked before; so this is ours. */
	if (r->vector == EXC_PF)
		panic_regs(r, "page fault in the kernel at 0x%llx, error 0x%llx", (unsigned long long)read_cr2(), (unsigned long long)r->error);
	panic_regs(r, "%s in the kernel, error 0x%llx", exception_name(r->vector), (unsigned long long)r->error);
}

/*
 * NMI, #DB, #DF, #MC, on their own stacks. Returns NULL to resume what was interrupted with its GS
 * base, or registers to leave through when a user thread's #DB becomes an ordinary fault.
 */
struct regs *trap_paranoid(struct regs *r, uint64_t interrupted_gs)
{
	bool user = (r->cs & 3) != 0;
	switch (r->vector) {
	case EXC_NMI:
		if (panic_in_progress())
			panic_stop_this_cpu();
		nmi_count++;
		return NULL;
	case EXC_DB:
		if (!user)
			return NULL;    /* MOV SS shadow: a #DB meant for the user's SYSCALL (CVE-2018-8897) */
		break;
	case EXC_MC:
		panic_regs(r, "machine check, IA32_MCG_STATUS 0x%llx", (unsigned long long)rdmsr(0x17a));
	default:
		panic_regs(r, "%s, error 0x%llx", exception_name(r->vector), (unsigned long long)r->error);
	}
	/* From user mode: the stop is where an ordinary exception's would be; do as SWAPGS would have. */
	struct thread *t = current_thread();
	wrmsr(0xc0000102, interrupted_gs);
	t->regs = *r;
	asm volatile("mov %0, %%db6" :: "r"(0ul));
	user_exception(t, 0);
	return kernel_leave();
}

/* No native call has this number, and the thread has no upcall, or is in its handler. */
status_t syscall_foreign(struct thread *t)
{
	(void)t;
	return ERR_BAD_SYSCALL;
}

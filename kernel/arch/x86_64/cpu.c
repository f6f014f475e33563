/*
 * cpu: each processor's descriptor tables, control registers and per-CPU block.
 * GDT layout is dictated by SYSRET (Intel SDM 3A 5.8.8): user data directly before user code.
 */
#include "offsets.h"
#include <kernel/account.h>
#include <kernel/brief.h>
#include <kernel/cpu.h>
#include <kernel/log.h>
#include <kernel/mm.h>
#include <kernel/panic.h>
#include <kernel/plant.h>
#include <kernel/process.h>
#include <kernel/upcall.h>
#include <kernel/sched.h>
#include <kernel/smp.h>
#include <kernel/x86.h>

#define SAME(type, field, n) _Static_assert(offsetof(struct type, field) == (n), #type "." #field " in offsets.h")
SAME(percpu, current, PC_CURRENT); SAME(percpu, kstack_top, PC_KSTACK); SAME(percpu, user_rsp, PC_USER_RSP);
SAME(percpu, work, PC_WORK); SAME(percpu, cpu, PC_CPU); SAME(percpu, vmem, PC_VMEM);
SAME(percpu, commands_accepted, PC_ACCEPTED); SAME(percpu, entries, PC_ENTRIES); SAME(percpu, handlers, PC_HANDLERS);
SAME(percpu, tss.rsp, PC_RSP0); SAME(percpu, ways[CALL_SHORT], PC_CALLS); SAME(percpu, ways[RETURN_SHORT], PC_RETURNS);
 SAME(percpu, run_top, PC_RUN_TOP); SAME(percpu, fpu_on, PC_FPU_ON);
SAME(regs, rip, R_RIP); SAME(regs, rdi, R_RDI); SAME(regs, rax, R_RAX); SAME(regs, vector, R_VECTOR); SAME(thread, regs, 0);
SAME(thread, process, T_PROCESS); SAME(thread, table, T_TABLE); SAME(thread, vmem, T_VMEM); SAME(thread, command, T_COMMAND);
SAME(thread, serving, T_SERVING); SAME(thread, fs_base, T_FS); SAME(thread, gs_base, T_GS); SAME(thread, wait_port, T_WAIT_PORT);
SAME(thread, run, T_RUN); SAME(thread, state, T_STATE); SAME(thread, priority, T_PRIORITY);
SAME(thread, base_priority, T_BASE_PRIORITY); SAME(thread, special, T_SPECIAL); SAME(thread, steps, T_STEPS); SAME(command, op_id, C_OP_ID);
SAME(thread, short_path, T_SHORT_PATH); SAME(thread, waited, T_WAITED); SAME(thread, affinity, T_AFFINITY); SAME(command, path, C_PATH); SAME(command, meta, C_META);
SAME(thread, upcall, T_UPCALL); SAME(thread, upcall_entry, T_UPCALL_ENTRY); SAME(thread, upcall_stack, T_UPCALL_STACK);
SAME(upcall_record, rip, U_RIP); SAME(upcall_record, rflags, U_RFLAGS); SAME(upcall_record, rsp, U_RSP); SAME(upcall_record, depth, U_DEPTH);
SAME(table, n_slots, TB_SLOTS); SAME(table, chunks, TB_CHUNKS);
SAME(handle_entry, object, E_OBJECT); SAME(handle_entry, rights, E_RIGHTS); SAME(handle_entry, key, E_KEY);
SAME(session, port, S_PORT); SAME(session, badge, S_BADGE); SAME(session, rights, S_RIGHTS); SAME(session, in_flight, S_IN_FLIGHT);
SAME(session, closing, S_CLOSING);
SAME(port, lock, P_LOCK); SAME(port, pending, P_PENDING); SAME(port, next_seq, P_SEQ); SAME(port, waiters, P_WAITERS);
SAME(port, level, P_LEVEL); SAME(port, dead, P_DEAD); SAME(port, reserve, P_RESERVE); SAME(port, acceptor, P_ACCEPTOR);
SAME(port, exclusive, P_EXCLUSIVE); SAME(port, server, P_SERVER); SAME(port, n_before, P_N_BEFORE); SAME(port, obj.refs, O_REFS);
SAME(process, level, PR_LEVEL); SAME(process, pid, PR_PID); SAME(process, accepts, PR_ACCEPTS);
SAME(command, node, C_NODE); SAME(command, completion, C_COMPLETION); SAME(command, token, C_TOKEN);
SAME(command, id, C_ID); SAME(command, state, C_STATE); SAME(command, session, C_SESSION); SAME(command, caller, C_CALLER);
SAME(command, server, C_SERVER); SAME(command, accept_seq, C_SEQ); SAME(command, rights, C_RIGHTS);
SAME(vmem, root, V_ROOT); SAME(vmem, cpus, V_CPUS);
_Static_assert(sizeof(struct regs) == R_SIZE && REGS_SYSCALL == REGS_VECTOR_SYSCALL && sizeof(struct handle_entry) == 24 &&
	offsetof(struct thread, wait) == T_STATE + 1 && offsetof(struct thread, stranger) == T_STATE + 2 &&
	offsetof(struct thread, on_cpu) == T_ON_CPU && T_ON_CPU == T_STATE + 3 && T_SPECIAL == T_ON_CPU + 1 && offsetof(struct command, extra) == C_STATE + 1 &&
	HANDLE_CHUNK == 64 && HANDLE_TYPE_SHIFT == 24 && HANDLE_INDEX_BITS == 14, "offsets.h");
_Static_assert(OBJ_SESSION == TYPE_SESSION && OBJ_PORT == TYPE_PORT && RIGHT_CALL == 64 && RIGHT_SERVE == 128 &&
	THREAD_RUNNING == 1 && THREAD_BLOCKED == 2 && WAIT_CALL == 2 && WAIT_ACCEPT == 3 && CMD_IDLE == 0 && CMD_ACCEPTED == 2 &&
	ACCEPT_COMMAND == 0 && ACCEPT_COMPLETION == 3 && COMMAND_BRIEF == 2 && COMMAND_SUBMITTED == 4 && SPECIAL_FPU == SPECIAL_FPU_BIT &&
	SPECIAL_PINNED == SPECIAL_PINNED_BIT && WORK_PAGE == WORK_PAGE_BIT && IPC_PATH == 1 && IPC_URI == 2 && RETURN_MINT == 1, "fastpath.S");

#define MSR_EFER           0xc0000080u
#define MSR_STAR           0xc0000081u
#define MSR_LSTAR          0xc0000082u
#define MSR_FMASK          0xc0000084u
#define MSR_FS_BASE        0xc0000100u
#define MSR_GS_BASE        0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_PAT            0x277u

enum { CR0_TS = 1 << 3, CR0_WP = 1 << 16, CR0_EM = 1 << 2, CR0_MP = 1 << 1, CR0_NE = 1 << 5 };
enum { CR4_PGE = 1 << 7, CR4_OSFXSR = 1 << 9, CR4_OSXMMEXCPT = 1 << 10, CR4_UMIP = 1 << 11, CR4_FSGSBASE = 1 << 16,
       CR4_OSXSAVE = 1 << 18, CR4_SMEP = 1 << 20, CR4_SMAP = 1 << 21 };
enum { EFER_SCE = 1, EFER_NXE = 1 << 11 };

struct packed gate { uint16_t offset0, selector; uint8_t ist, type; uint16_t offset1; uint32_t offset2, reserved; };
struct packed descriptor_register { uint16_t limit; uint64_t base; };

#ifdef SAN
enum { KSTACK_SIZE = 32768 };           /* frames are larger by what lies between the variables */
#else
enum { KSTACK_SIZE = 16384 };
#endif

/* All that one CPU owns. IST stacks come first: entry.S finds their tops by alignment. */
struct cpu_block {
	uint8_t       ist[4][IST_STACK_SIZE];   /* NMI, #DB, #DF, #MC; the last 16 bytes hold the percpu pointer */
	uint8_t       stack[KSTACK_SIZE];
	struct percpu percpu;
	uint64_t      gdt[8];
} aligned(IST_STACK_SIZE);

static struct cpu_block boot_cpu;
static struct gate idt[256];
struct cpu_features cpu_features;
struct percpu *percpu_all[CPUS_MAX];
uint32_t cpu_count;

extern char vector_entries[], syscall_entry[], usercopy_stac[], usercopy_stac2[], usercopy_clac[], usercopy_clac2[], usercopy_clac3[];

static void gdt_init(struct cpu_block *b)
{
	uint64_t base = (uint64_t)&b->percpu.tss;
	b->gdt[0] = 0;
	b->gdt[1] = 0x00af9b000000ffff;         /* kernel code, long mode */
	b->gdt[2] = 0x00cf93000000ffff;         /* kernel data */
	b->gdt[3] = 0x00cff3000000ffff;         /* user data */
	b->gdt[4] = 0x00affb000000ffff;         /* user code, long mode */
	b->gdt[5] = (sizeof(struct tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	b->gdt[6] = base >> 32;
	b->percpu.tss.iomap = PLANTED(iopb_inside) ? 0 : sizeof(struct tss);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t top = (uint64_t)b->ist[i] + IST_STACK_SIZE - 16;
		*(struct percpu **)top = &b->percpu;
		b->percpu.tss.ist[i] = top;
	}
	struct descriptor_register r = { sizeof(b->gdt) - 1, (uint64_t)b->gdt };
	asm volatile("lgdt %0" :: "m"(r));
	asm volatile("push %0; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:" :: "i"(SEL_KCODE) : "rax", "memory");
	asm volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%ss; mov %1, %%fs; mov %1, %%gs" :: "r"(SEL_KDATA), "r"(0));
	asm volatile("ltr %w0" :: "r"(SEL_TSS));
}

static void idt_load(void)
{
	struct descriptor_register r = { sizeof(idt) - 1, (uint64_t)idt };
	asm volatile("lidt %0" :: "m"(r));
}

static void idt_init(void)
{
	for (unsigned v = 0; v < 256; v++) {
		uint64_t at = (uint64_t)vector_entries + v * 16;
		idt[v] = (struct gate){ .offset0 = (uint16_t)at, .selector = SEL_KCODE, .offset1 = (uint16_t)(at >> 16),
			.offset2 = (uint32_t)(at >> 32), .type = 0x8e };
	}
	/* INT3 and INTO may be raised by programs; any other INT n is a #GP for them. */
	idt[3].type = idt[4].type = 0xee;
	idt[2].ist = 1;
	idt[1].ist = 2;
	idt[8].ist = 3;
	idt[18].ist = 4;
}

static struct percpu *percpu_init(struct cpu_block *b)
{
	struct percpu *c = &b->percpu;
	c->self = c;
	c->cpu = cpu_count;
	c->timer_set = c->timer_set_tsc = FOREVER;
	for (unsigned i = 0; i <= PRIORITY_MAX; i++)
		list_init(&c->run[i]);
	return c;
}

static void load_tables(struct percpu *c)
{
	gdt_init(CONTAINER_OF(c, struct cpu_block, percpu));
	idt_load();
	wrmsr(MSR_GS_BASE, (uint64_t)c);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
}

void cpu_early_init(void)
{
	percpu_all[0] = percpu_init(&boot_cpu);
	idt_init();
	load_tables(percpu_all[0]);
	cpu_count = 1;
}

void cpu_stack_init(void)
{
	percpu_all[0]->kstack_top = stack_map(0, kernel_phys_of(boot_cpu.stack), KSTACK_SIZE);
}

struct percpu *cpu_create(uint32_t id)
{
	enum { ORDER = KSTACK_SIZE > 16384 ? 5 : 4 };
	_Static_assert(sizeof(struct cpu_block) <= PAGE_SIZE << ORDER, "a block is aligned by its size");
	uint64_t p = page_alloc(ORDER);
	if (!p)
		return NULL;
	mem_zero(HHDM(p), PAGE_SIZE << ORDER);
	ACCOUNT_ADD(pages_kernel, 1 << ORDER);
	struct percpu *c = percpu_init(HHDM(p)), *first = percpu_all[0];
	c->apic_id = id;
	c->kstack_top = stack_map(c->cpu, HHDM_PHYS(CONTAINER_OF(c, struct cpu_block, percpu)->stack), KSTACK_SIZE);
	memcpy(c->entries, first->entries, sizeof(c->entries));
	memcpy(c->handlers, first->handlers, sizeof(c->handlers));
	return c;
}

/* Never BLOCKED, RESTART or REGS: what the light entry requires of a handler. */
static const uint32_t light_calls[] = {
	SYS_nop, SYS_clock_now, SYS_handle_close, SYS_handle_dup, SYS_handle_tag, SYS_irq_ack,
	SYS_notify_signal, SYS_notify_take, SYS_futex_wake, SYS_io_read, SYS_io_write, SYS_io_write_bytes, SYS_io_read_bytes,
};
extern char entry_light[], entry_full[], entry_yield[], entry_upcall_return[], fast_call_words[], fast_call[], fast_return_accept[], fast_submit[], fast_accept[], fast_cmd_read[], fast_cmd_write[];

static void short_path(struct percpu *c, bool on)
{
	static const struct { uint32_t call; char *entry; } fast[] = {
		{ SYS_call_words, fast_call_words }, { SYS_call, fast_call }, { SYS_return_accept, fast_return_accept },
		{ SYS_submit, fast_submit }, { SYS_accept, fast_accept }, { SYS_cmd_read, fast_cmd_read }, { SYS_cmd_write, fast_cmd_write },
	};
	on = on && cpu_features.fsgsbase && cpu_features.xsave;         /* it knows these instructions only */
	for (unsigned i = 0; i < ARRAY_LEN(fast); i++)
		c->entries[fast[i].call - SYSCALL_BASE] = on ? fast[i].entry : entry_full;
}

void arch_short_path(bool on)
{
	for (uint32_t i = 0; i < cpu_count; i++)
		short_path(percpu_all[i], on);
}

static void patch(char *at, uint8_t last)
{
	/* The loader's HHDM is still writable over the kernel's text. */
	uint8_t *p = HHDM(kernel_phys_of(at));
	p[0] = 0x0f, p[1] = 0x01, p[2] = last;
}

/* What every CPU sets in itself. */
static void protect(void)
{
	const struct cpu_features *f = &cpu_features;
	/* Gate every CR4 bit on CPUID: setting one that is not there is #GP, and under TCG a hang. */
	uint64_t cr4 = read_cr4() & ~(uint64_t)(CR4_SMAP | CR4_SMEP | CR4_UMIP | CR4_FSGSBASE);
	cr4 |= (f->smep ? CR4_SMEP : 0) | (f->smap ? CR4_SMAP : 0) | (f->umip ? CR4_UMIP : 0) |
		(f->fsgsbase ? CR4_FSGSBASE : 0) | (f->pge ? CR4_PGE : 0) | CR4_OSFXSR | CR4_OSXMMEXCPT | (f->xsave ? CR4_OSXSAVE : 0);
	write_cr4(cr4);
	write_cr0((read_cr0() | CR0_WP | CR0_MP | CR0_NE | CR0_TS) & ~(uint64_t)CR0_EM);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | (f->nx ? EFER_NXE : 0));
	/* STAR[63:48] carries RPL 3, so that SYSRET's SS has it too (pitfalls: IRETQ dies of SS.RPL 0). */
	wrmsr(MSR_STAR, (uint64_t)(SEL_KDATA | 3) << 48 | (uint64_t)SEL_KCODE << 32);
	wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
	/* IF TF DF AC NT IOPL RF cleared on entry. */
	wrmsr(MSR_FMASK, 0x200 | 0x100 | 0x400 | 0x40000 | 0x4000 | 0x3000 | 0x10000);
	if (f->pat)     /* entry 4 = write combining, the rest as at reset (SDM 3A 12.12.4) */
		wrmsr(MSR_PAT, 0x0007040100070406ull);
	fpu_init();
}

void cpu_begin(struct percpu *c)
{
	load_tables(c);
	protect();
	write_cr3(paging_kernel_root());
}

void cpu_protect_init(void)
{
	struct cpu_features *f = &cpu_features;
	struct cpuid one = cpuid(1, 0), ext = cpuid(0x80000001, 0), seven = { 0, 0, 0, 0 };
	if (cpuid(0, 0).a >= 7)
		seven = cpuid(7, 0);
	f->smep = seven.b >> 7 & 1;
	f->smap = seven.b >> 20 & 1;
	f->umip = seven.c >> 2 & 1;
	f->fsgsbase = seven.b & 1;
	f->nx = ext.d >> 20 & 1;
	f->gb_pages = ext.d >> 26 & 1;
	f->pge = one.d >> 13 & 1;
	f->pat = one.d >> 16 & 1;
	f->xsave = one.c >> 26 & 1;
	f->x2apic = one.c >> 21 & 1;

	if (f->smap) {
		patch(usercopy_stac, 0xcb);
		patch(usercopy_stac2, 0xcb);
		patch(usercopy_clac, 0xca);
		patch(usercopy_clac2, 0xca);
		patch(usercopy_clac3, 0xca);
	}
	protect();
	for (unsigned i = 0; i < SYSCALL_COUNT; i++) {
		this_cpu()->entries[i] = entry_full;
		this_cpu()->handlers[i] = syscall_table[i];
	}
	short_path(this_cpu(), true);
	this_cpu()->entries[SYS_thread_yield - SYSCALL_BASE] = entry_yield;
	this_cpu()->entries[SYS_upcall_return - SYSCALL_BASE] = entry_upcall_return;
	for (unsigned i = 0; i < ARRAY_LEN(light_calls); i++)
		this_cpu()->entries[light_calls[i] - SYSCALL_BASE] = entry_light;
	klog("cpu: %s%s%s%s%s%s%s", f->nx ? "nx " : "", f->smep ? "smep " : "", f->smap ? "smap " : "", f->umip ? "umip " : "",
		f->fsgsbase ? "fsgsbase " : "", f->gb_pages ? "1g-pages " : "", f->xsave ? "xsave" : "fxsave");
}
void arch_save_bases(struct thread *t)
{
	if (cpu_features.fsgsbase) {
		/* SWAPGS at entry moved the user's GS base to KERNEL_GS_BASE. */
		asm volatile("rdfsbase %0" : "=r"(t->fs_base));
		asm volatile("swapgs; rdgsbase %0; swapgs" : "=r"(t->gs_base));
	}
}

always_inline void load_bases(const struct thread *t)
{
	if (cpu_features.fsgsbase) {
		asm volatile("wrfsbase %0" :: "r"(t->fs_base));
		asm volatile("swapgs; wrgsbase %0; swapgs" :: "r"(t->gs_base) : "memory");
	} else {
		wrmsr(MSR_FS_BASE, t->fs_base);
		wrmsr(MSR_KERNEL_GS_BASE, t->gs_base);
	}
}

void arch_load_bases(struct thread *t)
{
	load_bases(t);
}

always_inline void enter_vmem(struct thread *t)
{
	struct percpu *c = this_cpu();
	struct vmem *vm = t->vmem;
	c->tss.rsp[0] = (uint64_t)t + R_SIZE;
	if (c->vmem != vm) {
		__atomic_fetch_or(&vm->cpus, 1ull << c->cpu, __ATOMIC_SEQ_CST);
		c->vmem = vm;
		write_cr3(vm->root);
	}
}

void arch_switch_to(struct thread *t)
{
	enter_vmem(t);
	arch_load_bases(t);
}

__attribute__((__always_inline__)) void arch_hand_over(struct thread *from, struct thread *to)
{
	enter_vmem(to);
	if (unlikely(!cpu_features.fsgsbase)) {
		load_bases(to);
		return;
	}
	asm volatile("rdfsbase %0; wrfsbase %1" : "=&r"(from->fs_base) : "r"(to->fs_base));
	asm volatile("swapgs; rdgsbase %0; wrgsbase %1; swapgs" : "=&r"(from->gs_base) : "r"(to->gs_base) : "memory");
}

void arch_leave_vmem(struct vmem *vm)
{
	struct percpu *c = this_cpu();
	if (c->vmem == vm) {
		c->vmem = NULL;
		write_cr3(paging_kernel_root());
	}
	__atomic_fetch_and(&vm->cpus, ~(1ull << c->cpu), __ATOMIC_SEQ_CST);
}

static void idle_loop(void)
{
	struct percpu *c = this_cpu();
	for (;;) {
		sched_idle();
		cpu_left();
		if ((reap_pending() && reap_some()) || vmem_trim_some()) {
			interrupts_on_once();
			continue;
		}
		sched_idle_timer(reap_pending());
		c->idle_since_tsc = rdtsc();
		cpu_out(true);
		asm volatile("sti; hlt; cli" ::: "memory");
		cpu_out(false);         /* it may have been an NMI */
	}
}

void cpu_no_longer_idle(void)
{
	struct percpu *c = this_cpu();
	cpu_out(false);
	c->idle_tsc += rdtsc() - c->idle_since_tsc;
}

void cpu_idle(void)
{
	stack_reset_call(idle_loop);
}

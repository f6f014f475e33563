/*
 * hostile: a user program at its worst. Each deed is a child's; it must end as a fault of that child, or live on
 * with an error, and the machine must not mind.
 */
#include <stdio.h>
#include <stdlib.h>
#include "test.h"

enum { ANY = -1 };

/* ---- what the children do: 0 when they survive ---- */

#define DEED(id) static int deed_##id(int argc unused, char **argv unused)
/* Nothing around them lives in registers, so they may use those that a call may. */
#define ASM_DEED(id, code) DEED(id) { asm volatile(code); return 0; }

ASM_DEED(divide, "xor %edx, %edx; xor %ecx, %ecx; mov $1, %eax; div %ecx")
ASM_DEED(int3, "int3")
ASM_DEED(icebp, ".byte 0xf1")
ASM_DEED(single_step, "pushfq; orq $0x100, (%rsp); popfq; nop; nop")
ASM_DEED(ud2, "ud2")
ASM_DEED(hlt, "hlt")
ASM_DEED(cli, "cli")
ASM_DEED(sti, "sti")
ASM_DEED(in, "mov $0x60, %edx; in %dx, %al")
ASM_DEED(out, "mov $0x80, %edx; out %al, %dx")
ASM_DEED(outs, "mov $0x80, %edx; lea (%rsp), %rsi; outsb")
ASM_DEED(read_cr0, "mov %cr0, %rax")
ASM_DEED(write_cr3, "xor %eax, %eax; mov %rax, %cr3")
ASM_DEED(write_cr4, "xor %eax, %eax; mov %rax, %cr4")
ASM_DEED(write_dr7, "xor %eax, %eax; mov %rax, %dr7")
ASM_DEED(rdmsr, "mov $0xc0000080, %ecx; rdmsr")
ASM_DEED(wrmsr, "mov $0xc0000082, %ecx; xor %eax, %eax; xor %edx, %edx; wrmsr")
ASM_DEED(lgdt, "sub $16, %rsp; lgdt (%rsp); add $16, %rsp")
ASM_DEED(lidt, "sub $16, %rsp; lidt (%rsp); add $16, %rsp")
ASM_DEED(lmsw, "mov $1, %eax; lmsw %ax")
ASM_DEED(clts, "clts")
ASM_DEED(invlpg, "invlpg (%rsp)")
ASM_DEED(wbinvd, "wbinvd")
ASM_DEED(swapgs, "swapgs")
ASM_DEED(sysret, "sysretq")
ASM_DEED(xsetbv, "xor %ecx, %ecx; xor %eax, %eax; xor %edx, %edx; xsetbv")
ASM_DEED(ltr, "mov $0x28, %eax; ltr %ax")
ASM_DEED(bad_segment, "mov $0xfff8, %eax; mov %eax, %ds")
ASM_DEED(kernel_segment, "mov $0x10, %eax; mov %eax, %ss")
ASM_DEED(iret_kernel, "mov %rsp, %rax; push $0x10; push %rax; pushfq; push $8; lea 1f(%rip), %rax; push %rax; iretq; 1:")
ASM_DEED(lret_kernel, "push $8; lea 1f(%rip), %rax; push %rax; lretq; 1:")
ASM_DEED(iopl, "pushfq; orq $0x3000, (%rsp); popfq; cli")
ASM_DEED(stack_noncanonical, "movabs $0x8000000000000000, %rsp; push %rax")
ASM_DEED(read_null, "xor %eax, %eax; mov (%rax), %al")
ASM_DEED(write_null, "xor %eax, %eax; mov %al, (%rax)")
ASM_DEED(read_kernel, "movabs $0xffffffff80000000, %rax; mov (%rax), %al")
ASM_DEED(write_kernel, "movabs $0xffffffff80000000, %rax; mov %al, (%rax)")
ASM_DEED(read_hhdm, "movabs $0xffff800000100000, %rax; mov (%rax), %al")
ASM_DEED(jump_kernel, "movabs $0xffffffff80000000, %rax; jmp *%rax")
ASM_DEED(jump_null, "xor %eax, %eax; jmp *%rax")
ASM_DEED(read_noncanonical, "movabs $0x0000800000000000, %rax; mov (%rax), %al")
ASM_DEED(jump_noncanonical, "movabs $0x0000800000000000, %rax; jmp *%rax")
ASM_DEED(ret_noncanonical, "movabs $0x0000800000000000, %rax; push %rax; ret")
ASM_DEED(write_text, "lea 0(%rip), %rax; mov %al, (%rax)")
ASM_DEED(jump_stack, "lea -256(%rsp), %rax; movb $0xc3, (%rax); call *%rax")
ASM_DEED(x87, "fninit; push $0; fnstcw (%rsp); andw $0xfffb, (%rsp); fldcw (%rsp); fld1; fldz; fdivrp; fwait; add $8, %rsp")
ASM_DEED(alignment, "pushfq; orq $0x40000, (%rsp); popfq; mov 1(%rsp), %rax; pushfq; andq $~0x40000, (%rsp); popfq")

/* Whatever a program puts into its stack pointer and flags, the kernel neither uses nor keeps. */
DEED(odd_state)
{
	static const uint64_t stacks[] = { 0, 1, 0x7fffffffffff, 0x800000000000, 0xffffffff80000000, UINT64_MAX };
	for (size_t i = 0; i < ARRAY_LEN(stacks); i++) {
		uint64_t after;
		asm volatile("mov %%rsp, %%rbx; mov %1, %%rsp; mov %2, %%eax; syscall; mov %%rsp, %0; mov %%rbx, %%rsp"
			: "=&r"(after) : "r"(stacks[i]), "i"(SYS_nop) : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory");
		if (after != stacks[i])
			return 1;
	}
	/* Direction, nested task and alignment flags stay ours; copies inside the kernel go forwards. */
	static const uint64_t flags[] = { 0x400, 0x4000, 0x40000, 0x44400, 0x200000 };
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		struct process_info info[2];
		uint64_t after;
		status_t st;
		memset(info, 0x11, sizeof(info));
		asm volatile("lea -128(%%rsp), %%rsp; pushfq; pop %%rbx; mov %%rbx, %%rax; or %4, %%rax; push %%rax; popfq; mov %3, %%eax; xor %%edi, %%edi; syscall;"
			"pushfq; pop %1; push %%rbx; popfq; lea 128(%%rsp), %%rsp"
			: "=&a"(st), "=&r"(after), "+S"((uint64_t){ (uint64_t)info }) : "i"(SYS_process_info), "r"(flags[i])
			: "rbx", "rcx", "rdx", "rdi", "r8", "r9", "r10", "r11", "memory");
		if (st != OK || (after & flags[i]) != flags[i])
			return 2;
		if (info[0].pid == 0 || ((uint8_t *)info)[sizeof(info[0])] != 0x11)
			return 3;
	}
	return 0;
}

/* A SYSCALL as the very last instruction that fits: its return address is not mapped and never can be. */
DEED(syscall_at_top)
{
	uint64_t va;
	handle_t f;
	uint64_t done;
	MUST(frame_create(PAGE_SIZE, 0, &f));
	MUST(frame_write(f, PAGE_SIZE - 2, "\x0f\x05", 2, &done));
	MUST(vmem_map(0, f, 0, USER_TOP - PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_EXEC | MAP_FIXED, &va));
	asm volatile("jmp *%0" :: "r"(USER_TOP - 2), "a"(SYS_nop));
	return 0;
}

DEED(gs_base)
{
	uint64_t before;
	/* With FSGSBASE any canonical value can be loaded; without it this is #UD, which is as good. */
	asm volatile("rdgsbase %0" : "=r"(before));
	for (unsigned i = 0; i < 1000; i++) {
		asm volatile("wrgsbase %0" :: "r"(i % 2 ? 0xffffffff80000000ull : 0xffff800000000000ull));
		syscall_nop();
		if (i % 100 == 0)
			thread_sleep(now_ns() + 100000);
	}
	asm volatile("int3");
	return 0;
}

static volatile unsigned depth;

static noinline void descend(uint64_t *up)
{
	uint64_t here[64];
	here[0] = up[0] + 1;
	if (depth++ < UINT32_MAX)
		descend(here);
	up[0] = here[1];
}

DEED(stack_overflow)
{
	uint64_t zero[2] = { 0, 0 };
	descend(zero);
	return 0;
}

DEED(run_data)
{
	static uint8_t code[16] = { 0xc3 };
	asm volatile("call *%0" :: "r"(code) : "memory");
	return 0;
}

DEED(write_rodata)
{
	static const char text[] = "constant";
	*(volatile char *)text = 1;
	return 0;
}

DEED(read_unmapped)
{
	uint64_t edge = edge_make();
	return *(volatile uint8_t *)(edge + PAGE_SIZE);
}

DEED(write_protected)
{
	uint64_t page = page_make(PROT_READ);
	*(volatile uint8_t *)page = 1;
	return 0;
}

DEED(beyond_frame)
{
	handle_t f;
	uint64_t va;
	MUST(frame_create(2 * PAGE_SIZE, 0, &f));
	MUST(vmem_map(0, f, 0, 0, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, &va));
	*(volatile char *)(va + PAGE_SIZE) = 1;
	MUST(frame_resize(f, PAGE_SIZE));
	*(volatile char *)(va + PAGE_SIZE) = 1;
	return 0;
}

static int deed_int(int argc, char **argv)
{
	/* int n; ret, put together in a page that is then made executable. */
	uint64_t page = page_make(PROT_READ | PROT_WRITE);
	uint8_t *code = (uint8_t *)page;
	code[0] = 0xcd;
	code[1] = (uint8_t)(argc > 1 ? atoi(argv[1]) : 0);
	code[2] = 0xc3;
	MUST(vmem_protect(0, page, PAGE_SIZE, PROT_READ | PROT_EXEC));
	asm volatile("call *%0" :: "r"(page) : "memory");
	return 0;
}

/* Registers come back from a system call as they were, as a result, or empty: no word of the kernel's. */
DEED(residue)
{
	static const uint32_t calls[] = { SYS_nop, SYS_handle_close, SYS_handle_dup, SYS_thread_yield, SYS_frame_create, SYS_thread_sleep, SYSCALL_BASE + 500, 0,
		SYS_accept, SYS_call_words, SYS_return };
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		uint64_t regs[15];
		uint64_t number = calls[i];
		asm volatile(
			"lea -128(%%rsp), %%rsp; push %%rbx; push %%rbp; push %1;"       /* the red zone stays whole */
			"mov %0, %%rax; mov $1, %%ebx; mov %%ebx, %%ebp; mov %%ebx, %%edi; mov %%ebx, %%esi; mov %%ebx, %%edx; mov %%ebx, %%r8d; mov %%ebx, %%r9d;"
			"mov %%ebx, %%r10d; mov %%ebx, %%r12d; mov %%ebx, %%r13d; mov %%ebx, %%r14d; mov %%ebx, %%r15d; syscall;"
			"xchg %%rcx, (%%rsp); mov %%rax, 0(%%rcx); mov %%rbx, 8(%%rcx); mov %%rdx, 16(%%rcx); mov %%rsi, 24(%%rcx); mov %%rdi, 32(%%rcx); mov %%rbp, 40(%%rcx);"
			"mov %%r8, 48(%%rcx); mov %%r9, 56(%%rcx); mov %%r10, 64(%%rcx); mov %%r11, 72(%%rcx); mov %%r12, 80(%%rcx); mov %%r13, 88(%%rcx);"
			"mov %%r14, 96(%%rcx); mov %%r15, 104(%%rcx); pop %%rax; mov %%rax, 112(%%rcx); pop %%rbp; pop %%rbx; lea 128(%%rsp), %%rsp"
			: "+d"(number) : "c"(regs) : "rax", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
		if ((int64_t)regs[0] < -4096)
			return 1;
		for (size_t k = 1; k < ARRAY_LEN(regs); k++)
			if (regs[k] >> 47)
				return 2 + (int)k + 100 * (int)i;
	}
	return 0;
}

const struct deed hostile_deeds[] = {
#define NAMED(id) { #id, deed_##id }
	NAMED(divide), NAMED(int3), NAMED(icebp), NAMED(single_step), NAMED(ud2), NAMED(hlt), NAMED(cli), NAMED(sti), NAMED(in), NAMED(out), NAMED(outs),
	NAMED(read_cr0), NAMED(write_cr3), NAMED(write_cr4), NAMED(write_dr7), NAMED(rdmsr), NAMED(wrmsr), NAMED(lgdt), NAMED(lidt), NAMED(lmsw), NAMED(clts),
	NAMED(invlpg), NAMED(wbinvd), NAMED(swapgs), NAMED(sysret), NAMED(xsetbv), NAMED(ltr), NAMED(bad_segment), NAMED(kernel_segment), NAMED(iret_kernel),
	NAMED(lret_kernel), NAMED(iopl), NAMED(stack_noncanonical), NAMED(read_null), NAMED(write_null), NAMED(read_kernel), NAMED(write_kernel), NAMED(read_hhdm),
	NAMED(jump_kernel), NAMED(jump_null), NAMED(read_noncanonical), NAMED(jump_noncanonical), NAMED(ret_noncanonical), NAMED(write_text), NAMED(jump_stack),
	NAMED(x87), NAMED(alignment), NAMED(odd_state), NAMED(syscall_at_top), NAMED(gs_base), NAMED(stack_overflow), NAMED(run_data), NAMED(write_rodata),
	NAMED(read_unmapped), NAMED(write_protected), NAMED(beyond_frame), NAMED(int), NAMED(residue),
	{ NULL, NULL },
};

/* ---- the tests ---- */

/* vectors a deed may end with; ANY: any fault. Also that the record names the place. */
static void faults(const char *deed, int64_t vector, int64_t or_vector)
{
	struct process_info info;
	status_t st = child_run(deed, NULL, &info);
	if (st < 0)
		test_fail(__FILE__, __LINE__, "%s: %s", deed, error_name(st));
	else if (info.exit_kind != EXIT_FAULT || (vector != ANY && info.exit_status != vector && info.exit_status != or_vector))
		test_fail(__FILE__, __LINE__, "%s ended as %u with %lld at %#llx", deed, info.exit_kind, (long long)info.exit_status, (unsigned long long)info.fault_rip);
}

static void survives(const char *deed)
{
	struct process_info info;
	DONE(child_run(deed, NULL, &info));
	if (info.exit_kind != EXIT_NORMAL || info.exit_status != 0)
		test_fail(__FILE__, __LINE__, "%s ended as %u with %lld at %#llx", deed, info.exit_kind, (long long)info.exit_status, (unsigned long long)info.fault_rip);
}

static void exceptions(void)
{
	static const struct { const char *deed; int64_t vector, or_vector; } list[] = {
		{ "divide", 0, 0 }, { "icebp", 1, 6 /* QEMU's TCG */ }, { "single_step", 1, 1 }, { "int3", 3, 3 }, { "ud2", 6, 6 }, { "stack_noncanonical", 12, 13 /* TCG */ },
		{ "x87", 16, 16 }, { "bad_segment", 13, 13 }, { "kernel_segment", 13, 13 }, { "iret_kernel", 13, 14 /* TCG with SMAP */ }, { "lret_kernel", 13, 14 },
	};
	for (size_t i = 0; i < ARRAY_LEN(list); i++) {
		faults(list[i].deed, list[i].vector, list[i].or_vector);
		STILL_FINE();
	}
	/* Alignment checks are the program's own wish, where the kernel lets it have them. */
	struct process_info info;
	DONE(child_run("alignment", NULL, &info));
	CHECK(info.exit_kind == EXIT_NORMAL || (info.exit_kind == EXIT_FAULT && info.exit_status == 17));
}

static void privileged(void)
{
	static const char *const list[] = { "hlt", "cli", "sti", "in", "out", "outs", "read_cr0", "write_cr3", "write_cr4", "write_dr7", "rdmsr", "wrmsr", "lgdt",
		"lidt", "lmsw", "clts", "invlpg", "wbinvd", "swapgs", "ltr", "iopl" };
	for (size_t i = 0; i < ARRAY_LEN(list); i++) {
		faults(list[i], 13, 13);
		STILL_FINE();
	}
	faults("xsetbv", 13, 6);
	STILL_FINE();
	faults("sysret", 13, 6);
}

static void wild(void)
{
	static const struct { const char *deed; int64_t vector; uint64_t address; } list[] = {
		{ "read_null", 14, 0 }, { "write_null", 14, 0 }, { "jump_null", 14, 0 }, { "read_kernel", 14, 0xffffffff80000000 }, { "write_kernel", 14, 0xffffffff80000000 },
		{ "jump_kernel", 14, 0xffffffff80000000 }, { "read_hhdm", 14, 0xffff800000100000 },
	};
	for (size_t i = 0; i < ARRAY_LEN(list); i++) {
		struct process_info info;
		DONE(child_run(list[i].deed, NULL, &info));
		if (info.exit_kind != EXIT_FAULT || info.exit_status != list[i].vector || info.fault_address != list[i].address) {
			test_fail(__FILE__, __LINE__, "%s ended as %u with %lld, address %#llx", list[i].deed, info.exit_kind, (long long)info.exit_status, (unsigned long long)info.fault_address);
			return;
		}
	}
	static const char *const pages[] = { "write_text", "jump_stack", "run_data", "write_rodata", "read_unmapped", "write_protected", "beyond_frame" };
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		faults(pages[i], 14, 14);
		STILL_FINE();
	}
	static const char *const canonical[] = { "read_noncanonical", "jump_noncanonical", "ret_noncanonical" };
	for (size_t i = 0; i < ARRAY_LEN(canonical); i++) {
		faults(canonical[i], 13, 13);
		STILL_FINE();
	}
	faults("syscall_at_top", 14, 14);
}

static void stack_overflow(void)
{
	faults("stack_overflow", 14, 14);
}

/* No gate is open to INT but those of INT3 and INTO. */
static void interrupts(void)
{
	struct process_info info;
	char n[8];
	for (unsigned v = 0; v < 256; v++) {
		snprintf(n, sizeof(n), "%u", v);
		DONE(child_run("int", n, &info));
		EQ(info.exit_kind, EXIT_FAULT);
		if (info.exit_status != 13 && !(v == 3 && info.exit_status == 3) && !(v == 4 && info.exit_status == 4)) {
			test_fail(__FILE__, __LINE__, "int %u ended with vector %lld", v, (long long)info.exit_status);
			return;
		}
	}
}

static void odd_state(void)
{
	survives("odd_state");
}

static void residue(void)
{
	survives("residue");
}

static void gs_base(void)
{
	faults("gs_base", 3, 6);
}

const struct test hostile_tests[] = {
	{ "hostile-exceptions", exceptions },
	{ "hostile-privileged", privileged },
	{ "hostile-wild", wild },
	{ "hostile-stack", stack_overflow },
	{ "hostile-interrupts", interrupts },
	{ "hostile-state", odd_state },
	{ "hostile-residue", residue },
	{ "hostile-gs-base", gs_base },
	{ NULL, NULL },
};

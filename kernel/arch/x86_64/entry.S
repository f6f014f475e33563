/*
 * entry: every way into the kernel and out of it.
 *
 * The registers of a user thread live in struct thread; its address is percpu.current, and
 * TSS.RSP0 points at the end of its struct regs, so that interrupts push straight into it.
 * C code then runs on this CPU's one kernel stack, from the top, with interrupts off. When it is
 * done, the registers of whichever thread runs next are restored; nothing stays on the stack.
 */
#include "offsets.h"
#include <gen/syscall_numbers.h>

.macro push_all
	push %rdi
	push %rsi
	push %rdx
	push %rcx
	push %rax
	push %r8
	push %r9
	push %r10
	push %r11
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
.endm
.macro pop_all
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rax
	pop %rcx
	pop %rdx
	pop %rsi
	pop %rdi
	add $16, %rsp
.endm

	.text

/* RDI: struct boot_info. The loader's stack is given up here. */
	.globl kernel_entry
kernel_entry:
	lea boot_stack_top(%rip), %rsp
	xor %ebp, %ebp
	cld
	call kernel_main
	ud2

/*
 * SYSCALL (Intel SDM 3A 5.8.8): RCX = rip, R11 = rflags, interrupts masked by FMASK, still on
 * the user's stack. What SYSCALL destroys is saved; RSP then points at struct thread, and the
 * number chooses how the rest is treated (percpu.entries): ECX = index, all other registers are the user's.
 */
	.globl syscall_entry
	.p2align 6
syscall_entry:
	swapgs
	mov %rsp, %gs:PC_USER_RSP
	mov %gs:PC_CURRENT, %rsp
	mov %rcx, R_RIP(%rsp)
	mov %r11, R_RFLAGS(%rsp)
	mov %gs:PC_USER_RSP, %rcx
	mov %rcx, R_RSP(%rsp)
	lea -SYSCALL_BASE(%rax), %ecx
	cmp $SYSCALL_COUNT, %ecx
	jae syscall_unknown
	jmp *%gs:PC_ENTRIES(, %rcx, 8)

/*
 * Calls that never wait and never begin again: C keeps RBX, RBP, R12 to R15 by itself, and the
 * arguments are wanted once.
 */
/* The sanitized build looks whether a lock is still held. RAX is kept; what else C destroys is wanted no more. */
.macro leaving
#ifdef SAN
	push %rax
	call debug_unlocked_all
	pop %rax
#endif
.endm

	.globl entry_light
	.p2align 4
entry_light:
	mov %gs:PC_KSTACK, %rsp
	mov %ecx, %eax
	mov %r10, %rcx
	call *%gs:PC_HANDLERS(, %rax, 8)
	leaving
	cmpl $0, %gs:PC_WORK
	jne light_slow
	/* The same thread goes on, and only RAX, RSI, RDX and R10 carry something for it; RIP is one
	   past a SYSCALL in user memory, so it is canonical (docs/invariants.md). */
	.globl syscall_leave
syscall_leave:
	mov %gs:PC_CURRENT, %rsp
	mov R_RIP(%rsp), %rcx
	mov R_RFLAGS(%rsp), %r11
	mov R_RSI(%rsp), %rsi
	mov R_RDX(%rsp), %rdx
	mov R_R10(%rsp), %r10
	xor %edi, %edi
	xor %r8d, %r8d
	xor %r9d, %r9d
	mov R_RSP(%rsp), %rsp
	swapgs
	sysretq

	.globl light_slow
light_slow:
	mov %gs:PC_CURRENT, %rcx
	mov %r15, R_R15(%rcx)
	mov %r14, R_R14(%rcx)
	mov %r13, R_R13(%rcx)
	mov %r12, R_R12(%rcx)
	mov %rbp, R_RBP(%rcx)
	mov %rbx, R_RBX(%rcx)
	andl $~WORK_PAGE_BIT, %gs:PC_WORK       /* such a call does not begin again: an absent page is an error */
	jmp syscall_slow

/* What C functions keep. RSP = the current thread. */
.macro save_kept
	mov %r15, R_R15(%rsp)
	mov %r14, R_R14(%rsp)
	mov %r13, R_R13(%rsp)
	mov %r12, R_R12(%rsp)
	mov %rbp, R_RBP(%rsp)
	mov %rbx, R_RBX(%rsp)
.endm

/* thread_yield: no arguments, no results. */
	.globl entry_yield
	.p2align 4
entry_yield:
	save_kept
	mov %gs:PC_KSTACK, %rsp
	call sched_yield                /* returns the registers to continue with */
	mov %rax, %rdi
	jmp user_restore

/* upcall_return: no arguments; on success nothing of these registers is left. */
	.globl entry_upcall_return
	.p2align 4
entry_upcall_return:
	save_kept
	mov %rsp, %rdi
	mov %gs:PC_KSTACK, %rsp
	call upcall_return              /* returns the registers to continue with */
	mov %rax, %rdi
	jmp user_restore

/* All others: everything is saved before C runs, so that the thread can be left at any point. */
.macro save_rest
	save_kept
	mov %rdi, R_RDI(%rsp)
	mov %rsi, R_RSI(%rsp)
	mov %rdx, R_RDX(%rsp)
	mov %r10, R_R10(%rsp)
	mov %r8,  R_R8(%rsp)
	mov %r9,  R_R9(%rsp)
	mov %rax, R_RAX(%rsp)
.endm
	.globl entry_full
	.p2align 4
entry_full:
	save_rest
	mov %gs:PC_KSTACK, %rsp
	mov %ecx, %eax
	mov %r10, %rcx
	call *%gs:PC_HANDLERS(, %rax, 8)
	leaving
	cmpl $0, %gs:PC_WORK
	je syscall_leave

	.globl syscall_slow
syscall_slow:
	mov %rax, %rdi
	call syscall_finish             /* returns the registers to continue with */
	mov %rax, %rdi
	jmp user_restore

/* Perhaps another system's: its handler gets all registers but RCX and R11 as they are (docs/upcall.md). */
syscall_unknown:
	mov T_UPCALL(%rsp), %rcx
	test %rcx, %rcx
	jz 1f
	cmpl $0, U_DEPTH(%rcx)
	jne 1f
	movl $1, U_DEPTH(%rcx)
	mov R_RIP(%rsp), %r11
	mov %r11, U_RIP(%rcx)
	mov R_RFLAGS(%rsp), %r11
	mov %r11, U_RFLAGS(%rcx)
	mov R_RSP(%rsp), %r11
	mov %r11, U_RSP(%rcx)
	mov T_UPCALL_ENTRY(%rsp), %rcx  /* checked when it was set */
	mov T_UPCALL_STACK(%rsp), %rsp
	mov $0x202, %r11d
	swapgs
	sysretq
1:	save_rest
	mov %rsp, %rdi
	mov %gs:PC_KSTACK, %rsp
	call syscall_foreign
	jmp syscall_slow

/* RDI: struct regs of the thread to run. Never returns. */
	.globl user_restore
user_restore:
#ifdef SAN
	mov %rdi, %rbx
	call debug_user_regs
	mov %rbx, %rdi
#endif
	mov %rdi, %rsp
	cmpl $REGS_VECTOR_SYSCALL, R_VECTOR(%rsp)
	jne 1f
	mov R_R15(%rsp), %r15
	mov R_R14(%rsp), %r14
	mov R_R13(%rsp), %r13
	mov R_R12(%rsp), %r12
	mov R_RBP(%rsp), %rbp
	mov R_RBX(%rsp), %rbx
	mov R_R10(%rsp), %r10
	mov R_R9(%rsp), %r9
	mov R_R8(%rsp), %r8
	mov R_RAX(%rsp), %rax
	mov R_RDX(%rsp), %rdx
	mov R_RSI(%rsp), %rsi
	mov R_RDI(%rsp), %rdi
	mov R_RIP(%rsp), %rcx
	mov R_RFLAGS(%rsp), %r11
	mov R_RSP(%rsp), %rsp
	swapgs
	sysretq
1:
	movq $REGS_VECTOR_SYSCALL, R_VECTOR(%rsp)
	pop_all
	swapgs
	iretq

/* One 16-byte entry point per vector; the CPU pushes an error code for some (SDM 3A table 6-1). */
	.p2align 4
	.globl vector_entries
vector_entries:
	vector = 0
	.rept 256
	.p2align 4
	.if (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30)
	.else
	push $0
	.endif
	push $vector
	.if (vector == 1) || (vector == 2) || (vector == 8) || (vector == 18)
	jmp paranoid_common
	.else
	jmp vector_common
	.endif
	vector = vector + 1
	.endr

	.p2align 4
vector_common:
	testb $3, 24(%rsp)
	jz kernel_trap
	swapgs
	push_all
	mov %rsp, %rdi
	mov %gs:PC_KSTACK, %rsp
	xor %ebp, %ebp
	cld
	call trap_user                  /* returns the registers to continue with */
	mov %rax, %rdi
	jmp user_restore

/* Interrupted inside the kernel: an exception of ours, or an interrupt while idle. */
kernel_trap:
	push_all
	mov %rsp, %rdi
	cld
	call trap_kernel
	pop_all
	iretq

/*
 * NMI, #DB, #DF, #MC may come at any instruction, also between a SYSCALL and its SWAPGS, and with
 * FSGSBASE a user can load any GS base: so neither CS nor the GS base tells whose it is. Each has
 * its own stack; the top word of that stack is this CPU's percpu.
 */
	.p2align 4
paranoid_common:
	push_all
	cld
	mov $0xc0000101, %ecx           /* IA32_GS_BASE */
	rdmsr
	shl $32, %rdx
	or %rdx, %rax
	mov %rax, %rbx
	mov %rsp, %rax
	or $(IST_STACK_SIZE - 1), %rax
	mov -15(%rax), %rax             /* at stack top - 16 */
	mov %rax, %rdx
	shr $32, %rdx
	wrmsr
	mov %rsp, %rdi
	mov %rbx, %rsi
	call trap_paranoid              /* RDI: regs, RSI: interrupted GS base; 0, or user regs to leave through */
	test %rax, %rax
	jnz 1f
	mov %rbx, %rax
	mov %rbx, %rdx
	shr $32, %rdx
	mov $0xc0000101, %ecx
	wrmsr
	pop_all
	iretq
1:	/* came from user mode: GS is ours now, the user's is in KERNEL_GS_BASE as after SWAPGS */
	mov %rax, %rdi
	jmp user_restore

/* Runs the idle loop on a fresh stack: RDI = function. */
	.globl stack_reset_call
stack_reset_call:
	mov %gs:PC_KSTACK, %rsp
	xor %ebp, %ebp
	call *%rdi
	ud2

	.section .bss.boot_stack, "aw", @nobits
	.p2align 12
boot_stack:
	.skip 16384
boot_stack_top:
	.section .note.GNU-stack, "", @progbits

/*
 * foreign: what upcall.c cannot say in C: a program that is another system's, and the two ways into its handler.
 */
#include <gen/syscall_numbers.h>

	.text
	.macro fn name
	.section .text.\name, "ax"
	.globl	\name
	.hidden	\name
\name:
	.endm

/* struct thread_regs, as far as it is used here */
#define R_R15	0
#define R_R14	8
#define R_R13	16
#define R_R12	24
#define R_RBP	32
#define R_RBX	40
#define R_R11	48
#define R_R10	56
#define R_R9	64
#define R_R8	72
#define R_RAX	80
#define R_RCX	88
#define R_RDX	96
#define R_RSI	104
#define R_RDI	112

/* struct upcall_record */
#define U_RIP	 0
#define U_RSP	 16
#define U_DEPTH	 24
#define U_PENDING 28

/* A foreign call comes here; RSP = the record. upcall_call(number, arguments) says what it returns. */
	fn	foreign_entry
	push	%r9
	push	%r8
	push	%r10
	push	%rdx
	push	%rsi
	push	%rdi
	mov	%rax, %rdi
	mov	%rsp, %rsi
	call	upcall_call
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%r10
	pop	%r8
	pop	%r9
	mov	%rsp, %r11
1:	mov	U_RIP(%r11), %rcx
	mov	U_RSP(%r11), %rsp
	movl	$0, U_DEPTH(%r11)
	cmpl	$0, U_PENDING(%r11)
	jne	2f
	jmp	*%rcx
	/* An interrupt came meanwhile: noted, and back. */
2:	mov	%r11, %rsp
	movl	$0, U_PENDING(%r11)
	lock incl foreign_pendings(%rip)
	jmp	1b

/* An event; RDI = the record, RSI = number of the frame. */
	fn	foreign_event
	call	upcall_event
	mov	$SYS_upcall_return, %eax
	syscall
	mov	%rax, foreign_refused(%rip)     /* only when that is refused */
	mov	foreign_escape(%rip), %rcx
	jmp	*%rcx

/*
 * void foreign_run(struct thread_regs *r, void *code): all registers but RSP from *r, then `code`, which ends with a jump to
 * foreign_end; all registers into *r.
 */
	fn	foreign_run
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi
	mov	%rsp, foreign_stack(%rip)
	mov	%rsi, foreign_code(%rip)
	mov	R_R15(%rdi), %r15
	mov	R_R14(%rdi), %r14
	mov	R_R13(%rdi), %r13
	mov	R_R12(%rdi), %r12
	mov	R_RBP(%rdi), %rbp
	mov	R_RBX(%rdi), %rbx
	mov	R_R11(%rdi), %r11
	mov	R_R10(%rdi), %r10
	mov	R_R9(%rdi), %r9
	mov	R_R8(%rdi), %r8
	mov	R_RAX(%rdi), %rax
	mov	R_RCX(%rdi), %rcx
	mov	R_RDX(%rdi), %rdx
	mov	R_RSI(%rdi), %rsi
	mov	R_RDI(%rdi), %rdi
	stc
	jmp	*foreign_code(%rip)
	fn	foreign_end
	pushf
	push	%rdi
	mov	16(%rsp), %rdi
	mov	%r15, R_R15(%rdi)
	mov	%r14, R_R14(%rdi)
	mov	%r13, R_R13(%rdi)
	mov	%r12, R_R12(%rdi)
	mov	%rbp, R_RBP(%rdi)
	mov	%rbx, R_RBX(%rdi)
	mov	%r11, R_R11(%rdi)
	mov	%r10, R_R10(%rdi)
	mov	%r9, R_R9(%rdi)
	mov	%r8, R_R8(%rdi)
	mov	%rax, R_RAX(%rdi)
	mov	%rcx, R_RCX(%rdi)
	mov	%rdx, R_RDX(%rdi)
	mov	%rsi, R_RSI(%rdi)
	pop	%rax
	mov	%rax, R_RDI(%rdi)
	pop	%rax
	mov	%rax, foreign_flags(%rip)
	mov	foreign_stack(%rip), %rax
	sub	%rsp, %rax
	mov	%rax, foreign_stack(%rip)       /* 0: RSP came back as it was */
	pop	%rdi
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

/* Pieces of programs. Each faulting instruction is two bytes long. */
	fn	foreign_syscall
	syscall
	jmp	foreign_end
	fn	foreign_ud2
	ud2
	jmp	foreign_end
	fn	foreign_load
	mov	(%rsi), %bl
	jmp	foreign_end
	fn	foreign_store
	mov	%bl, (%rsi)
	jmp	foreign_end
	fn	foreign_divide
	div	%cl
	jmp	foreign_end
	fn	foreign_int3
	int3
	nop
	jmp	foreign_end

/* Goes round until R15 is not 0; R14 counts. */
	fn	foreign_spin
1:	inc	%r14
	test	%r15, %r15
	jz	1b
	jmp	foreign_end

/* Goes round until *RDI is not 0, with all registers that an interrupt could spoil checked: RAX becomes 1 if one was. */
	fn	foreign_check
	xor	%eax, %eax
1:	mov	$0x1111, %rcx
	mov	$0x2222, %r11
	mov	$0x3333, %r10
	mov	$0x4444, %rdx
	stc
	jnc	3f
	lea	0(%rcx, %r11), %r9
	sbb	$0x3332, %r10
	jne	3f
	cmp	$0x3333, %r9
	jne	3f
	cmp	$0x4444, %rdx
	jne	3f
	cmpl	$0, (%rdi)
	je	1b
	jmp	foreign_end
3:	mov	$1, %eax
	jmp	foreign_end

/* A foreign call with RDI = a place for XMM3, which is loaded from RSI before. */
	fn	foreign_vector
	movdqu	(%rsi), %xmm3
	syscall
	movdqu	%xmm3, (%rdi)
	jmp	foreign_end

	.section .data.foreign, "aw"
	.p2align 4
	.globl foreign_stack, foreign_flags, foreign_refused, foreign_escape, foreign_pendings
	.hidden foreign_stack, foreign_flags, foreign_refused, foreign_escape, foreign_pendings
foreign_stack:	.quad 0
foreign_code:	.quad 0
foreign_flags:	.quad 0
foreign_refused: .quad 0
foreign_escape:	.quad 0
foreign_pendings: .long 0
	.section .note.GNU-stack, "", @progbits

/*
 * entry: between a Linux program and the handler of its calls (docs/upcall.md). The program keeps all registers but RAX, RCX
 * and R11; C keeps RBX, RBP and R12 to R15, so six are left to keep here.
 */
#include <gen/syscall_numbers.h>

/* struct upcall_record */
#define U_RIP	0
#define U_RSP	16
#define U_DEPTH	24

	.section .text.linux_entry, "ax"
	.globl	linux_entry, linux_event, linux_start
	.hidden	linux_entry, linux_event, linux_start

/* RSP = the record, which is the end of the handler's stack; RAX = number. */
linux_entry:
	push	%r9
	push	%r8
	push	%r10
	push	%rdx
	push	%rsi
	push	%rdi
	mov	%rax, %rdi
	mov	%rsp, %rsi
	call	linux_call              /* (number, arguments) -> RAX */
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%r10
	pop	%r8
	pop	%r9
	mov	%rsp, %r11
	mov	U_RIP(%r11), %rcx
	mov	U_RSP(%r11), %rsp
	movl	$0, U_DEPTH(%r11)
	jmp	*%rcx

/* An exception, or an interrupt: RDI = the record, RSI = which frame. */
linux_event:
	call	linux_fault
	mov	$SYS_upcall_return, %eax
	syscall
	ud2

/* void linux_start(uint64_t rip, uint64_t rsp): as Linux begins a program. */
linux_start:
	mov	%rdi, %rcx
	mov	%rsi, %rsp
	xor	%eax, %eax
	xor	%ebx, %ebx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%ebp, %ebp
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d
	jmp	*%rcx
	.section .note.GNU-stack, "", @progbits

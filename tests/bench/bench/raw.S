/*
 * raw: the shortest client and server there can be: messages stay in registers, so what is counted
 * is the kernel and six or seven instructions of each side.
 */
#include <gen/syscall_numbers.h>

.macro save
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
.endm
.macro restore
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
.endm

/* status_t raw_calls0(handle_t session, uint64_t n, uint32_t op): n calls with no word worth sending. */
	.section .text.raw_calls0, "ax"
	.globl	raw_calls0
	.hidden	raw_calls0
raw_calls0:
	save
	push	%rdx
	push	%rsi
	push	%rdi
1:	mov	(%rsp), %edi
	mov	16(%rsp), %r15d
	mov	$SYS_call_words, %eax
	syscall
	test	%rax, %rax
	js	2f
	decq	8(%rsp)
	jnz	1b
2:	add	$24, %rsp
	restore

/* status_t raw_calls_zero(handle_t session, uint64_t n, uint32_t op): all six words zero each time, as a STAT wants. */
	.section .text.raw_calls_zero, "ax"
	.globl	raw_calls_zero
	.hidden	raw_calls_zero
raw_calls_zero:
	save
	push	%rdx
	push	%rsi
	push	%rdi
1:	mov	(%rsp), %edi
	mov	16(%rsp), %r15d
	xor	%esi, %esi
	xor	%edx, %edx
	xor	%r10d, %r10d
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r12d, %r12d
	mov	$SYS_call_words, %eax
	syscall
	test	%rax, %rax
	js	2f
	decq	8(%rsp)
	jnz	1b
2:	add	$24, %rsp
	restore

/* status_t raw_calls6(handle_t session, uint64_t n, uint32_t op, uint64_t w[6]): six words there and back. */
	.section .text.raw_calls6, "ax"
	.globl	raw_calls6
	.hidden	raw_calls6
raw_calls6:
	save
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
1:	mov	(%rsp), %edi
	mov	16(%rsp), %r15d
	mov	24(%rsp), %rcx
	mov	0(%rcx), %rsi
	mov	8(%rcx), %rdx
	mov	16(%rcx), %r10
	mov	24(%rcx), %r8
	mov	32(%rcx), %r9
	mov	40(%rcx), %r12
	mov	$SYS_call_words, %eax
	syscall
	mov	24(%rsp), %rcx
	mov	%rsi, 0(%rcx)
	mov	%rdx, 8(%rcx)
	mov	%r10, 16(%rcx)
	mov	%r8, 24(%rcx)
	mov	%r9, 32(%rcx)
	mov	%r12, 40(%rcx)
	test	%rax, %rax
	js	2f
	decq	8(%rsp)
	jnz	1b
2:	add	$32, %rsp
	restore

/* void raw_foreign(uint64_t n): n system calls of another system. */
	.section .text.raw_foreign, "ax"
	.globl	raw_foreign
	.hidden	raw_foreign
raw_foreign:
1:	mov	$39, %eax
	syscall
	dec	%rdi
	jnz	1b
	ret

/* Their handler: what a C one must have kept for it, and nothing to do. RSP = the record (abi/upcall.h). */
	.section .text.raw_handler, "ax"
	.globl	raw_handler
	.hidden	raw_handler
raw_handler:
	push	%r9
	push	%r8
	push	%r10
	push	%rdx
	push	%rsi
	push	%rdi
	mov	%rax, %rdi
	mov	%rsp, %rsi
	call	2f
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%r10
	pop	%r8
	pop	%r9
	mov	%rsp, %r11
	mov	(%r11), %rcx
	mov	16(%r11), %rsp
	movl	$0, 24(%r11)
	cmpl	$0, 28(%r11)
	jne	3f
	jmp	*%rcx
2:	mov	$1, %eax
	ret
3:	ud2

/* status_t raw_submits(handle_t session, uint64_t n, uint32_t op, handle_t port): n times submit, and accept at `port`. */
	.section .text.raw_submits, "ax"
	.globl	raw_submits
	.hidden	raw_submits
raw_submits:
	save
	shl	$32, %rcx
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	xor	%ebx, %ebx
1:	mov	(%rsp), %edi
	mov	16(%rsp), %r15d
	mov	24(%rsp), %rax
	or	$SYS_submit, %rax
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	syscall
	test	%rax, %rax
	js	2f
	mov	$SYS_accept, %eax
	mov	28(%rsp), %edi
	mov	$-1, %rbp
	syscall
	cmp	$3, %eax                /* ACCEPT_COMPLETION */
	jne	2f
	xor	%ebx, %ebx
	decq	8(%rsp)
	jnz	1b
	xor	%eax, %eax
2:	add	$32, %rsp
	restore

/*
 * status_t raw_serve(handle_t port, cmd_id_t first): returns the command `first` and every one after it
 * with the words it came with. Ends with what is not a command: the kind, or an error.
 */
	.section .text.raw_serve, "ax"
	.globl	raw_serve
	.hidden	raw_serve
raw_serve:
	save
	shl	$32, %rdi
	mov	$SYS_return_accept, %eax
	or	%rax, %rdi
	push	%rdi
	mov	%rsi, %rdi
	xor	%ebx, %ebx
	xor	%ebp, %ebp
1:	mov	(%rsp), %rax
	xor	%r13d, %r13d
	xor	%r15d, %r15d
	syscall
	test	%rax, %rax
	jz	1b
	add	$8, %rsp
	restore

/*
 * status_t raw_wait(handle_t port, const bool *stop): takes events until *stop or an error. The mark is where a waiting
 * thread begins to run.
 */
	.section .text.raw_wait, "ax"
	.globl	raw_wait
	.hidden	raw_wait
raw_wait:
	save
	push	%rsi
	push	%rdi
1:	mov	$SYS_accept, %eax
	mov	(%rsp), %edi
	mov	$-1, %rbp
	syscall
	.byte	0x0f, 0x1f, 0x80, 0x04, 0x00, 0x52, 0x4b
	test	%rax, %rax
	js	2f
	mov	8(%rsp), %rcx
	cmpb	$0, (%rcx)
	je	1b
2:	add	$16, %rsp
	restore

	.section .note.GNU-stack, "", @progbits

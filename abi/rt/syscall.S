/*
 * syscall: the raw calls of abi/ipc.h, whose registers C cannot name. Every other call has a C stub made
 * by tools/abigen.py.
 */
#include <gen/syscall_numbers.h>

/* struct ipc_regs (abi/ipc.h asserts its size) */
#define R_RAX	0
#define R_RDI	8
#define R_RSI	16
#define R_RDX	24
#define R_R10	32
#define R_R8	40
#define R_R9	48
#define R_R12	56
#define R_R13	64
#define R_R14	72
#define R_R15	80
#define R_RBX	88
#define R_RBP	96

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
.endm

/* void ipc_raw(struct ipc_regs *r): r->rax selects the call. */
	.section .text.ipc_raw, "ax"
	.globl	ipc_raw
	.hidden	ipc_raw
	.type	ipc_raw, @function
ipc_raw:
	save
	push	%rdi
	mov	R_RAX(%rdi), %rax
	mov	R_RSI(%rdi), %rsi
	mov	R_RDX(%rdi), %rdx
	mov	R_R10(%rdi), %r10
	mov	R_R8(%rdi), %r8
	mov	R_R9(%rdi), %r9
	mov	R_R12(%rdi), %r12
	mov	R_R13(%rdi), %r13
	mov	R_R14(%rdi), %r14
	mov	R_R15(%rdi), %r15
	mov	R_RBX(%rdi), %rbx
	mov	R_RBP(%rdi), %rbp
	mov	R_RDI(%rdi), %rdi
	syscall
	pop	%rcx                    /* SYSCALL has spent it anyway */
	mov	%rax, R_RAX(%rcx)
	mov	%rdi, R_RDI(%rcx)
	mov	%rsi, R_RSI(%rcx)
	mov	%rdx, R_RDX(%rcx)
	mov	%r10, R_R10(%rcx)
	mov	%r8, R_R8(%rcx)
	mov	%r9, R_R9(%rcx)
	mov	%r12, R_R12(%rcx)
	mov	%r13, R_R13(%rcx)
	mov	%r14, R_R14(%rcx)
	mov	%r15, R_R15(%rcx)
	mov	%rbx, R_RBX(%rcx)
	mov	%rbp, R_RBP(%rcx)
	restore
	ret
	.size	ipc_raw, . - ipc_raw

/* struct msg (rt/ipc.h; internal.h asserts these) */
#define M_OP	0
#define M_FLAGS	4
#define M_W	8
#define M_IN	56
#define M_IN_LEN 64
#define M_OUT	72
#define M_OUT_LEN 80
#define M_HANDLES 88
#define M_DEADLINE 104
#define WINDOW_MAX 0x100000             /* IPC_WINDOW_MAX */

/* status_t ipc_call(handle_t session, struct msg *m): every request of a client, so from struct to registers directly. */
	.section .text.ipc_call, "ax"
	.globl	ipc_call
	.hidden	ipc_call
	.type	ipc_call, @function
ipc_call:
	save
	push	%rsi
	mov	%rsi, %rcx
	mov	$WINDOW_MAX, %eax
	mov	M_IN_LEN(%rcx), %r8
	cmp	%rax, %r8
	cmova	%rax, %r8
	mov	M_OUT_LEN(%rcx), %r15
	cmp	%rax, %r15
	cmova	%rax, %r15
	shl	$21, %r15               /* r15 = op | in_len << 16 | out_len << 37 | flags << 58 */
	or	%r8, %r15
	shl	$16, %r15
	movzwl	M_OP(%rcx), %eax
	or	%rax, %r15
	mov	M_FLAGS(%rcx), %eax
	shl	$58, %rax
	or	%rax, %r15
	mov	M_DEADLINE(%rcx), %rbp
	mov	$-1, %rax               /* FOREVER */
	test	%rbp, %rbp
	cmovz	%rax, %rbp
	mov	M_HANDLES(%rcx), %eax
	shl	$32, %rax
	mov	%edi, %edi
	or	%rax, %rdi
	mov	M_HANDLES + 4(%rcx), %rbx
	mov	M_HANDLES + 12(%rcx), %eax
	shl	$32, %rax
	or	$SYS_call, %rax
	mov	M_IN(%rcx), %r13
	mov	M_OUT(%rcx), %r14
	mov	M_W + 0(%rcx), %rsi
	mov	M_W + 8(%rcx), %rdx
	mov	M_W + 16(%rcx), %r10
	mov	M_W + 24(%rcx), %r8
	mov	M_W + 32(%rcx), %r9
	mov	M_W + 40(%rcx), %r12
	syscall
	pop	%rcx
	test	%rax, %rax
	js	1f                      /* on error the message is as it was */
	mov	%rsi, M_W + 0(%rcx)
	mov	%rdx, M_W + 8(%rcx)
	mov	%r10, M_W + 16(%rcx)
	mov	%r8, M_W + 24(%rcx)
	mov	%r9, M_W + 32(%rcx)
	mov	%r12, M_W + 40(%rcx)
	mov	%rdi, M_HANDLES(%rcx)
	mov	%rbx, M_HANDLES + 8(%rcx)
1:	restore
	ret
	.size	ipc_call, . - ipc_call

/* status_t ipc_call_words(handle_t session, uint32_t op, uint64_t w[6]): the short path, no struct between. */
	.section .text.ipc_call_words, "ax"
	.globl	ipc_call_words
	.hidden	ipc_call_words
	.type	ipc_call_words, @function
ipc_call_words:
	save
	push	%rdx
	mov	%esi, %r15d
	mov	%edi, %edi
	mov	%rdx, %rcx
	mov	0(%rcx), %rsi
	mov	8(%rcx), %rdx
	mov	16(%rcx), %r10
	mov	24(%rcx), %r8
	mov	32(%rcx), %r9
	mov	40(%rcx), %r12
	mov	$SYS_call_words, %eax
	syscall
	pop	%rcx
	test	%rax, %rax
	js	1f                      /* on error the words are as they were */
	mov	%rsi, 0(%rcx)
	mov	%rdx, 8(%rcx)
	mov	%r10, 16(%rcx)
	mov	%r8, 24(%rcx)
	mov	%r9, 32(%rcx)
	mov	%r12, 40(%rcx)
1:	restore
	ret
	.size	ipc_call_words, . - ipc_call_words

	.section .note.GNU-stack, "", @progbits

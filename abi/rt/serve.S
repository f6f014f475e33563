/*
 * serve: the inner loop of svc.c, for commands without handles. It is what every round trip to a
 * service costs on this side, so it moves registers straight between the kernel and the handler's
 * arguments, and stores only what a handler may look at. See struct svc_frame in internal.h.
 *
 * int svc_serve(struct svc_frame *f)
 */
#include <gen/syscall_numbers.h>

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
#define C	104                     /* struct svc_cmd */
#define C_CMD	(C + 0)
#define C_BADGE	(C + 8)
#define C_RIGHTS (C + 16)               /* with n_handles */
#define C_OP	(C + 24)                /* with flags */
#define C_FLAGS	(C + 28)
#define C_IN	(C + 32)                /* with out_len */
#define C_OUT	(C + 36)
#define C_PATH	(C + 56)
#define C_PATH_LEN (C + 64)
#define C_REPLY	(C + 72)                /* reply_handle, reply_close, mint */
#define C_MINT_BADGE (C + 80)
#define C_MINT_RIGHTS (C + 88)
#define C_PLAIN	(C + 93)
#define ON	200
#define OPS	208
#define SELF	216
#define ANSWER	224
#define N	232
#define REPLY	240
#define PATH	288
#define CLOSE_AT_ONCE 296
#define MINT_CMD 304
#define MINT_BADGE 312
#define MINT_FLAGS 320

#define LATER	0x7fffffff              /* SVC_LATER */
#define PATH_MAX 255                    /* SERVE_PATH */
#define MINT_ONLY (1 << 40)             /* of C_REPLY: no handle, nothing to close */
#define EVENT	0
#define DISPATCHED 1

/* What the registers hold of a command, into the frame RBX. */
.macro store_command
	mov	%rdi, C_CMD(%rbx)
	mov	%r13, C_BADGE(%rbx)
	mov	%r14, C_RIGHTS(%rbx)
	mov	%rsi, R_RSI(%rbx)
	mov	%rdx, R_RDX(%rbx)
	mov	%r10, R_R10(%rbx)
	mov	%r8, R_R8(%rbx)
	mov	%r9, R_R9(%rbx)
	mov	%r12, R_R12(%rbx)
.endm

/* RBX = frame, R15 = operation, R11 = 0. */
.macro dispatch
	mov	%r11, REPLY + 0(%rbx)
	mov	%r11, REPLY + 8(%rbx)
	mov	%r11, REPLY + 16(%rbx)
	mov	%r11, REPLY + 24(%rbx)
	mov	%r11, REPLY + 32(%rbx)
	mov	%r11, REPLY + 40(%rbx)
	mov	ON(%rbx), %rax
	mov	OPS(%rbx), %r8
	mov	SELF(%rbx), %rdi
	lea	C(%rbx), %rsi
	lea	R_RSI(%rbx), %rdx
	lea	REPLY(%rbx), %rcx
	call	*(%rax, %r15, 8)
.endm

	.section .text.svc_serve, "ax"
	.globl	svc_serve
	.hidden	svc_serve
	.type	svc_serve, @function
svc_serve:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi                    /* seven words and the return address: aligned for the call below */
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
	jmp	.Lenter

.Lcommand:
	mov	%r15, C_OP(%rbx)
	mov	%r11, C_IN(%rbx)
	store_command
.Ldispatch:
	dispatch
	cmp	$LATER, %rax
	je	.Llater
	cmpq	$0, C_REPLY(%rbx)
	jne	.Lwith_handle
.Lanswer:                               /* RBP is 0 as it came, without handles; without RETURN_MINT R15 does not count */
	mov	%rax, %r13
	mov	ANSWER(%rbx), %rax
	mov	C_CMD(%rbx), %rdi
	mov	REPLY + 0(%rbx), %rsi
	mov	REPLY + 8(%rbx), %rdx
	mov	REPLY + 16(%rbx), %r10
	mov	REPLY + 24(%rbx), %r8
	mov	REPLY + 32(%rbx), %r9
	mov	REPLY + 40(%rbx), %r12
	xor	%ebx, %ebx
.Lenter:
	syscall
	mov	%r14, %r11
	shr	$32, %r11
	or	%rax, %r11
	jnz	.Lother                 /* an error, not a command, or handles came along */
	mov	(%rsp), %rbx            /* which was 0, without handles */
	cmp	N(%rbx), %r15           /* r15 = op | in_len << 16 | out_len << 37 | flags << 58 */
	jb	.Lcommand

.Llarger:                               /* windows, a path, or no such operation; RAX = 0 */
	movzwl	%r15w, %eax
	cmp	N(%rbx), %rax
	jae	.Levent_command
	mov	%r15, %r11
	shr	$58, %r11
	cmp	$1, %r11d               /* IPC_PATH alone */
	ja	.Levent_command
	mov	%eax, C_OP(%rbx)
	mov	%r11d, C_FLAGS(%rbx)
	shr	$16, %r15
	mov	%r15d, %r11d
	and	$0x1fffff, %r11d
	mov	%r11d, C_IN(%rbx)
	shr	$21, %r15
	and	$0x1fffff, %r15d
	mov	%r15d, C_OUT(%rbx)
	mov	%eax, %r15d
	store_command
	cmpl	$0, C_FLAGS(%rbx)
	jne	.Lpath
	xor	%r11d, %r11d
	jmp	.Ldispatch

/* The path is fetched here. R11D = its length. */
.Lpath:
	cmp	$PATH_MAX, %r11d
	ja	.Levent_stored
	mov	%r11d, %r12d
	mov	%r11, %r10
	mov	$SYS_cmd_read, %eax
	xor	%esi, %esi
	mov	PATH(%rbx), %rdx
	syscall
	xor	%r11d, %r11d
	test	%rax, %rax
	jnz	.Levent_stored
	cmp	%rsi, %r12
	jne	.Levent_stored
	/* Zero bytes in it? Eight at a time; those behind the end are not. */
	mov	PATH(%rbx), %rax
	movabs	$0x0101010101010101, %rsi
	movabs	$0x8080808080808080, %rdi
	xor	%r8d, %r8d
	movq	$-1, (%rax, %r12)
1:	mov	(%rax, %r11), %rdx
	mov	%rdx, %r9
	sub	%rsi, %rdx
	not	%r9
	and	%r9, %rdx
	or	%rdx, %r8
	add	$8, %r11
	cmp	%r12, %r11
	jb	1b
	xor	%r11d, %r11d
	test	%rdi, %r8
	setz	C_PLAIN(%rbx)
	mov	%r11b, (%rax, %r12)
	mov	%rax, C_PATH(%rbx)
	mov	%r12, C_PATH_LEN(%rbx)
	dispatch
	cmp	$LATER, %rax
	je	.Llater
	xor	%r15d, %r15d
	mov	%r15, C_PATH(%rbx)
	mov	%r15, C_PATH_LEN(%rbx)
	mov	%r15b, C_PLAIN(%rbx)
	cmp	%r15, C_REPLY(%rbx)
	je	.Lanswer
	jmp	.Lwith_handle

/* Nothing to answer now: as plan_accept in svc.c. */
.Llater:
	xor	%r15d, %r15d
	mov	%r15, C_CMD(%rbx)
	mov	%r15, C_PATH(%rbx)
	mov	%r15, C_PATH_LEN(%rbx)
	mov	%r15b, C_PLAIN(%rbx)
	mov	%r15, C_REPLY(%rbx)
	mov	%r15, C_MINT_BADGE(%rbx)
	mov	%r15d, C_MINT_RIGHTS(%rbx)
	mov	ANSWER(%rbx), %rdi
	shr	$32, %rdi               /* the Port */
	mov	$SYS_accept, %eax
	mov	$-1, %rbp
	xor	%ebx, %ebx
	jmp	.Lenter

.Lwith_handle:
	movabs	$MINT_ONLY, %rcx
	cmp	%rcx, C_REPLY(%rbx)
	jne	.Ldispatched
	test	%rax, %rax
	js	.Ldispatched
	mov	C_CMD(%rbx), %rcx
	mov	%rcx, MINT_CMD(%rbx)
	mov	C_MINT_BADGE(%rbx), %r14
	mov	%r14, MINT_BADGE(%rbx)
	mov	MINT_FLAGS(%rbx), %r15
	mov	C_MINT_RIGHTS(%rbx), %ecx
	shl	$32, %r15
	or	%rcx, %r15
	xor	%ecx, %ecx
	mov	%rcx, C_REPLY(%rbx)
	mov	%rcx, C_MINT_BADGE(%rbx)
	mov	%ecx, C_MINT_RIGHTS(%rbx)
	jmp	.Lanswer

.Ldispatched:
	mov	%rax, R_R13(%rbx)
	mov	$DISPATCHED, %eax
	jmp	.Lout

/* Stored, but too much for us: the registers as they came, from what was stored. */
.Levent_stored:
	xor	%ebp, %ebp
	mov	C_CMD(%rbx), %rdi
	mov	C_BADGE(%rbx), %r13
	mov	C_RIGHTS(%rbx), %r14
	mov	C_FLAGS(%rbx), %r15d
	shl	$21, %r15
	mov	C_OUT(%rbx), %eax
	or	%rax, %r15
	shl	$21, %r15
	mov	C_IN(%rbx), %eax
	or	%rax, %r15
	shl	$16, %r15
	mov	C_OP(%rbx), %eax
	or	%rax, %r15
	mov	R_RSI(%rbx), %rsi
	mov	R_RDX(%rbx), %rdx
	mov	R_R10(%rbx), %r10
	mov	R_R8(%rbx), %r8
	mov	R_R9(%rbx), %r9
	mov	R_R12(%rbx), %r12
.Levent_command:
	mov	%rbx, %rcx
	xor	%ebx, %ebx
	xor	%eax, %eax
	jmp	.Levent

.Lother:
	mov	(%rsp), %rcx
	cmp	$1, %rax                /* ACCEPT_CLOSE */
	jne	.Levent
	cmpq	$0, CLOSE_AT_ONCE(%rcx)
	je	.Levent
	mov	%rdi, C_CMD(%rcx)
	mov	ANSWER(%rcx), %rax
	xor	%r13d, %r13d
	xor	%r15d, %r15d
	xor	%ebx, %ebx
	xor	%ebp, %ebp
	jmp	.Lenter

.Levent:
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
	mov	$EVENT, %eax
.Lout:
	pop	%rdi
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
	.size	svc_serve, . - svc_serve

	.section .note.GNU-stack, "", @progbits

/*
 * serve: the inner loop of svc.c, for commands that are all words and windows. It is what every round trip to a
 * service costs on this side, so it moves registers straight between the kernel and the
 * dispatcher's arguments, and stores only what a handler may look at. See struct svc_frame in internal.h.
 *
 * int svc_serve(struct svc_frame *f)
 */
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
#define C_IN	(C + 32)                /* with out_len */
#define C_OUT	(C + 36)
#define C_REPLY	(C + 72)                /* reply_handle, reply_close, mint */
#define DISPATCH 200
#define OPS	208
#define SELF	216
#define ANSWER	224

#define LATER	0x7fffffff              /* SVC_LATER */
#define EVENT	0
#define DISPATCHED 1

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
.Lenter:
	syscall
	mov	(%rsp), %rcx
	test	%rax, %rax
	jnz	.Levent                 /* an error, or not a command */
	mov	%r14, %r11
	shr	$32, %r11
	jnz	.Levent                 /* handles came along */
	mov	%r15, %r11
	shr	$16, %r11
	jnz	.Lwindows
	mov	%r15, C_OP(%rcx)
	mov	%r11, C_IN(%rcx)
.Lcommand:
	mov	%rdi, C_CMD(%rcx)
	mov	%r13, C_BADGE(%rcx)
	mov	%r14, C_RIGHTS(%rcx)
	mov	%rsi, R_RSI(%rcx)
	mov	%rdx, R_RDX(%rcx)
	mov	%r10, R_R10(%rcx)
	mov	%r8, R_R8(%rcx)
	mov	%r9, R_R9(%rcx)
	mov	%r12, R_R12(%rcx)
	mov	%rcx, %rbx
	mov	OPS(%rbx), %rdi
	mov	SELF(%rbx), %rsi
	lea	C(%rbx), %rdx
	add	$R_RSI, %rcx
	call	*DISPATCH(%rbx)
	cmpq	$0, C_REPLY(%rbx)
	jne	.Ldispatched
	cmp	$LATER, %rax
	je	.Ldispatched
	mov	%rax, %r13
	mov	ANSWER(%rbx), %rax
	mov	C_CMD(%rbx), %rdi
	mov	R_RSI(%rbx), %rsi
	mov	R_RDX(%rbx), %rdx
	mov	R_R10(%rbx), %r10
	mov	R_R8(%rbx), %r8
	mov	R_R9(%rbx), %r9
	mov	R_R12(%rbx), %r12
	xor	%r14d, %r14d
	xor	%r15d, %r15d
	xor	%ebp, %ebp
	xor	%ebx, %ebx
	jmp	.Lenter

.Lwindows:                              /* r15 = op | in_len << 16 | out_len << 37 | flags << 58 */
	mov	%r15, %r11
	shr	$58, %r11
	jnz	.Levent
	movzwl	%r15w, %r11d
	mov	%r11, C_OP(%rcx)
	shr	$16, %r15
	mov	%r15d, %r11d
	and	$0x1fffff, %r11d
	mov	%r11d, C_IN(%rcx)
	shr	$21, %r15
	mov	%r15d, C_OUT(%rcx)      /* flags above it are zero */
	jmp	.Lcommand

.Ldispatched:
	mov	%rax, R_R13(%rbx)
	mov	$DISPATCHED, %eax
	jmp	.Lout

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

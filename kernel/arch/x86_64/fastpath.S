/*
 * fastpath: the short path of a command. Words and windows only, a server thread that waits, nothing
 * special about either thread: control passes straight from caller to server and back, with no queue, no
 * scheduler and no allocation; of a submitted command, on its way back. Whatever is not so simple goes to
 * entry_full and the C code of call.c and port.c, which does the same and more; a test runs every case through both.
 *
 * On entry (from syscall_entry): RSP = the current struct thread, its rip, rsp and rflags saved; all other
 * registers but RCX and R11 are the user's. By the ABI every register but RSP may change, so RBX,
 * RBP, R13 and R14 are free in call_words, and a thread that owns vector state finds the initial one when it
 * goes on. The six words pass through RSI RDX R10 R8 R9 R12 untouched.
 *
 * Until a line "commit" nothing has changed, and every jump to `slow` may still be taken.
 */
#include "offsets.h"
#include <gen/syscall_numbers.h>

#define STATE_RUNNING         1
#define STATE_BLOCKED_CALL    (2 | 2 << 8)
#define STATE_BLOCKED_ACCEPT  (2 | 3 << 8)
#define CMD_ACCEPTED_PLAIN    2                 /* state ACCEPTED, extra 0 */
#define CMD_ACCEPTED_BRIEF    (2 | 2 << 8)      /* state ACCEPTED, extra COMMAND_BRIEF */
#define CMD_ACCEPTED_SUBMITTED (2 | 4 << 8)     /* state ACCEPTED, extra COMMAND_SUBMITTED */
#define SPECIAL_FINE          (SPECIAL_FPU_BIT | SPECIAL_PINNED_BIT)
#define RIGHT_CALL            64
#define RIGHT_SERVE           128

	.text

/*
 * Finds handle \h (32-bit register, destroyed) in the current thread's table: \object, and its rights in \has (32-bit).
 * Uses RBX, RCX, R11. The mask keeps a mispredicted bounds check from reading beyond (Spectre v1). The key is looked
 * at before and after, for another CPU may close the handle meanwhile (handle.h).
 */
.macro find_handle h, type, right, object, has, slow
	mov T_TABLE(%rsp), %rbx
	mov \h, %ecx
	and $0x3fff, %ecx
	cmp TB_SLOTS(%rbx), %ecx
	jae \slow
	sbb %r11d, %r11d
	and %r11d, %ecx
	mov %ecx, %r11d
	shr $6, %r11d
	and $63, %ecx
	mov TB_CHUNKS(%rbx, %r11, 8), %r11
	lea (%rcx, %rcx, 2), %ecx
	lea (%r11, %rcx, 8), %rcx
	shr $14, \h
	or $(\type << 24), \h           /* generation and type in one comparison */
	cmp \h, E_KEY(%rcx)
	jne \slow
	mov E_RIGHTS(%rcx), \has
	mov E_OBJECT(%rcx), \object
	cmp \h, E_KEY(%rcx)
	jne \slow
	test $\right, \has
	jz \slow
.endm

/* Test builds count what took this path, so that a test can tell. */
.macro count at
#ifdef TEST_BUILD
	incq %gs:\at
#endif
.endm

/* Interrupts are off, so only another CPU can hold it: then the C path waits. Uses R11. */
.macro try_lock port, slow
	mov $1, %r11d
	xchg %r11b, P_LOCK(\port)
	test %r11b, %r11b
	jnz \slow
.endm

/*
 * From thread RSP to thread RCX: all but its registers. Uses RAX, RBX, R11; leaves with the user's GS. The Port RBP is unlocked when all
 * of the one is saved and its state says what it waits for: then any CPU may go on with it.
 */
.macro switch_threads state
	mov %rcx, %gs:PC_CURRENT
	lea R_SIZE(%rcx), %r11
	mov %r11, %gs:PC_RSP0
	mov T_VMEM(%rcx), %rbx
	mov T_VMEM(%rsp), %r11
	cmp %r11, %rbx
	je 7f
	mov %rbx, %gs:PC_VMEM
	mov %gs:PC_CPU, %eax
	lock bts %rax, V_CPUS(%rbx)
	mov V_ROOT(%rbx), %rbx
	mov %rbx, %cr3
7:	swapgs
	rdfsbase %rax
	mov %rax, T_FS(%rsp)
	rdgsbase %rax
	mov %rax, T_GS(%rsp)
	.ifc \state, BLOCKED_CALL
	movl $STATE_BLOCKED_CALL, T_STATE(%rsp)         /* not `on_cpu` */
	.else
	movl $STATE_BLOCKED_ACCEPT, T_STATE(%rsp)
	.endif
	movb $0, P_LOCK(%rbp)
	mov T_FS(%rcx), %rax
	wrfsbase %rax
	mov T_GS(%rcx), %rax
	wrgsbase %rax
.endm

/*
 * One of two threads, or both, own vector state. The one at \to goes on with the initial state if it owns any, and the other's
 * registers are out of its reach (CVE-2018-3665). Destroys RAX. What RDX asks for is in no XCR0.
 */
.macro switch_vectors to, done
	testb $SPECIAL_FPU_BIT, \to
	jz 7f
	clts
	movb $1, %gs:PC_FPU_ON
	mov $-1, %eax
	xrstor64 fpu_initial(%rip)
	jmp \done
7:	mov %cr0, %rax
	or $CR0_TS_BIT, %rax
	mov %rax, %cr0
	movb $0, %gs:PC_FPU_ON
	jmp \done
.endm

/*
 * \bits: a thread's on_cpu and `special`, this one's `special` and the Session's `closing`. Vector state does not matter, nor that a thread is
 * bound to CPUs. \far: \to may not run on this one.
 */
.macro special to, affinity, bits, half, wide, on, slow, far
	test $(~(SPECIAL_FPU_BIT << 8 | SPECIAL_FPU_BIT) & 0xffff), \bits
	jz 6f
	test $(~(SPECIAL_FINE << 8 | SPECIAL_FINE) & 0xffff), \bits
	jnz \slow
	mov %gs:PC_CPU, \half
	bt \wide, \affinity
	jnc \far
	testb $SPECIAL_FPU_BIT, T_SPECIAL(%rsp)
	jnz 6f
	testb $SPECIAL_FPU_BIT, \to
	jz \on
6:	switch_vectors \to, \on
.endm

/* The six words, as they are in registers, into those of a thread. */
.macro store_words thread
	mov %rsi, R_RSI(\thread)
	mov %rdx, R_RDX(\thread)
	mov %r10, R_R10(\thread)
	mov %r8,  R_R8(\thread)
	mov %r9,  R_R9(\thread)
	mov %r12, R_R12(\thread)
.endm

/* commit: the server thread, whose `run` node RCX is, off the Port, with the command. It becomes RCX, what it gets is in RDI, R13, R14, R15. */
.macro commit_send path, meta:vararg
	count PC_CALLS
	mov (%rcx), %r11
	mov %r11, P_WAITERS(%rbp)
	mov 8(%rcx), %rax
	mov %rax, 8(%r11)
	sub $T_RUN, %rcx                /* RCX = the server thread */
	mov %r13, C_SESSION(%rbx)       /* before the state says that there is one (command_port) */
	.if \path
	movq $CMD_ACCEPTED_BRIEF, C_STATE(%rbx)
	lea T_SHORT_PATH(%rsp), %rax
	mov %rax, C_PATH(%rbx)
	.else
	/* the message stays in the caller's registers until it is answered: that is what redelivery reads */
	store_words %rsp
	\meta
	mov %r15, R_R15(%rsp)
	movq $CMD_ACCEPTED_PLAIN, C_STATE(%rbx)         /* and nothing else about it */
	.endif
	/* the command: accepted by this server, under a fresh id */
	movq $0, C_OP_ID(%rbx)
	incl T_STEPS(%rsp)
	movl $0, T_STEPS(%rcx)
	mov %rsp, C_CALLER(%rbx)
	mov T_PROCESS(%rcx), %rax
	mov %rax, C_SERVER(%rbx)
	mov %rbx, T_SERVING(%rcx)
	incl S_IN_FLIGHT(%r13)
	incq P_SEQ(%rbp)
	mov P_SEQ(%rbp), %rax
	mov %rax, C_SEQ(%rbx)
	incl C_ID + 4(%rbx)
	mov C_ID(%rbx), %rdi
	incq %gs:PC_ACCEPTED
	and S_RIGHTS(%r13), %r14d
	mov %r14d, C_RIGHTS(%rbx)
	mov S_BADGE(%r13), %r13
	/* the server works at its caller's priority, if that is higher */
	movzbl T_PRIORITY(%rsp), %r11d
	cmp T_PRIORITY(%rcx), %r11b
	jbe 1f
	mov %r11b, T_PRIORITY(%rcx)
1:
.endm

/*
 * To the server: what the three ways of calling share. R13 = Session, R14D = rights of the handle. \path: 1 when all
 * registers are saved and R15 is what the server is to see; else \meta says how R15 is to be treated.
 */
.macro send_command slow, slow_unlock, path, meta:vararg
	mov S_PORT(%r13), %rbp
	mov T_COMMAND(%rsp), %rbx
	try_lock %rbp, \slow
#ifdef TEST_BUILD
	mov T_PROCESS(%rsp), %r11
	mov PR_LEVEL(%r11), %r11d
	cmp P_LEVEL(%rbp), %r11d
	jbe \slow_unlock               /* calls go downwards: the long way says so */
#endif
	/* The waiting server thread: RCX = its `run` node. */
	mov P_WAITERS(%rbp), %rcx
	lea P_WAITERS(%rbp), %r11
	cmp %r11, %rcx
	je \slow_unlock
	cmpl $0, P_PENDING(%rbp)
	jne \slow_unlock
	movzwl T_ON_CPU - T_RUN(%rcx), %r11d    /* and its `special` */
	or T_SPECIAL(%rsp), %r11b
	or S_CLOSING(%r13), %r11w               /* and a byte of nothing */
	jnz 8f
9:	commit_send \path, \meta
	movl $(STATE_RUNNING | 1 << 24), T_STATE(%rcx)         /* and `on_cpu` */
	switch_threads BLOCKED_CALL
	xor %eax, %eax                  /* ACCEPT_COMMAND */
	xor %ebx, %ebx
	xor %ebp, %ebp
	jmp fast_leave
8:	special T_SPECIAL - T_RUN(%rcx), T_AFFINITY - T_RUN(%rcx), %r11w, %r11d, %r11, 9b, \slow_unlock, 5f
5:	commit_send \path, \meta
	mov %r13, R_R13(%rcx)
	mov %r14, R_R14(%rcx)
	mov %r15, R_R15(%rcx)
	mov %rdi, R_RDI(%rcx)
	xor %eax, %eax
	movl $(STATE_BLOCKED_CALL | 1 << 24), T_STATE(%rsp)    /* until it is put down, `on_cpu` */
	jmp fast_far
.endm

/* The Session of the handle in EBP, for send_command. */
.macro find_session slow
	find_handle %ebp, TYPE_SESSION, RIGHT_CALL, %r13, %r14d, \slow
.endm

/* RCX = the words' owner; all six, from its saved registers. */
.macro load_words
	mov R_RSI(%rcx), %rsi
	mov R_RDX(%rcx), %rdx
	mov R_R10(%rcx), %r10
	mov R_R8(%rcx), %r8
	mov R_R9(%rcx), %r9
	mov R_R12(%rcx), %r12
.endm

/* Everything that C may change, and R12 to R15: RSP = current thread. */
.macro save_message
	mov %rdi, R_RDI(%rsp)
	store_words %rsp
	mov %r13, R_R13(%rsp)
	mov %r14, R_R14(%rsp)
	mov %r15, R_R15(%rsp)
.endm

/*
 * call_words: RDI = session, RSI.. = words, R15 = operation.
 */
	.globl fast_call_words
	.p2align 6
fast_call_words:
	mov %edi, %ebp
	find_session slow_words
	send_command slow_words, slow_words_unlock, 0, movzwl %r15w, %r15d

slow_words_unlock:
	movb $0, P_LOCK(%rbp)
slow_words:                             /* nothing of ours may reach the user through them */
	xor %ebx, %ebx
	xor %ebp, %ebp
	xor %r13d, %r13d
	xor %r14d, %r14d
	lea -SYSCALL_BASE(%rax), %ecx
	jmp entry_full

/*
 * call with windows (R13, R14, lengths in R15) or a short path, but no handles, no deadline.
 */
	.globl fast_call
	.p2align 6
fast_call:
	mov %rax, %rcx
	or %rdi, %rcx
	shr $32, %rcx
	or %rbx, %rcx
	jnz slow_call
	cmp $-1, %rbp
	jne slow_call
	mov %r13, %rcx
	or %r14, %rcx
	shr $46, %rcx                   /* far from the end of user memory; the long way checks exactly */
	jnz slow_call
	movabs $META_LONG, %r11
	test %r11, %r15
	jnz fast_call_path
	mov %r13, R_R13(%rsp)
	mov %r14, R_R14(%rsp)
	mov %edi, %ebp
	find_session slow_call_restore
	send_command slow_call_restore, slow_call_unlock, 0

fast_call_path:
	mov %r15, %rcx
	shr $58, %rcx
	btr $1, %ecx                    /* IPC_URI or not */
	cmp $1, %ecx                    /* IPC_PATH, and nothing else */
	jne slow_call
	bt $57, %r15
	jc slow_call
	save_message
	mov %rsp, %rbx
	mov %rsp, %rdi
	mov %gs:PC_KSTACK, %rsp
	call brief_path                 /* RAX = Session, RDX = rights of the handle */
	mov %rbx, %rsp
	test %rax, %rax
	jz slow_path
	mov %rax, %r13
	mov %edx, %r14d
	mov %rbx, %rcx
	load_words
	mov T_COMMAND(%rsp), %rbx
	mov C_META(%rbx), %r15
	send_command slow_path, slow_path_unlock, 1

slow_path_unlock:
	movb $0, P_LOCK(%rbp)
slow_path:                              /* the registers as they came */
	mov %rsp, %rcx
	load_words
	mov R_RDI(%rsp), %rdi
	mov R_R15(%rsp), %r15
	mov $SYS_call, %eax
	jmp slow_call_restore

slow_call_unlock:
	movb $0, P_LOCK(%rbp)
slow_call_restore:
	mov R_R13(%rsp), %r13
	mov R_R14(%rsp), %r14
	xor %ebx, %ebx
	mov $-1, %rbp
slow_call:
	lea -SYSCALL_BASE(%rax), %ecx
	jmp entry_full

/* list_push_front: \node becomes the first in the list at \list of \port. Uses R11. */
.macro push_front node, list, port
	mov \list(\port), %r11
	mov %r11, (\node)
	mov \node, 8(%r11)
	mov \node, \list(\port)
	lea \list(\port), %r11
	mov %r11, 8(\node)
.endm

/* This thread waits at the Port RBP, which is locked and its `wait_port`, first in the row. Uses RBX, R11. */
.macro wait_in_accept
	lea T_RUN(%rsp), %rbx
	push_front %rbx, P_WAITERS, %rbp
	movzbl T_BASE_PRIORITY(%rsp), %r11d
	mov %r11b, T_PRIORITY(%rsp)
	movb $1, T_WAITED(%rsp)
.endm

/*
 * The command RCX of the Session RBX is answered to the thread R11, all checks made and the Port RBP locked; this thread
 * waits there again. The words are in their registers, R13 = status. \brief: it had a path, or R14 = a handle for the caller.
 */
.macro answer_command brief
	commit_answer \brief
	movl $(STATE_RUNNING | 1 << 24), T_STATE(%rcx)
	switch_threads BLOCKED_ACCEPT
	mov %r13, %rax                  /* the status */
	.if \brief
	mov %r14, %rdi
	.else
	xor %edi, %edi
	.endif
	xor %ebx, %ebx
	xor %ebp, %ebp
	xor %r13d, %r13d
	xor %r14d, %r14d
	xor %r15d, %r15d
.endm

/* commit: the command is over. RCX = the caller. */
.macro commit_answer brief
	count PC_RETURNS
	.if \brief
	movw $0, C_STATE(%rcx)
	movq $0, C_PATH(%rcx)
	.else
	movb $0, C_STATE(%rcx)
	.endif
	decl S_IN_FLIGHT(%rbx)
	decq %gs:PC_ACCEPTED
	mov %r11, %rcx                  /* RCX = the caller */
	wait_in_accept
.endm

/*
 * return_accept: RAX = number | port << 32, RDI = command id, RSI.. = words, R13 = status.
 * Handles (RBX, RBP) take the long way.
 */
	.globl fast_return_accept
	.p2align 6
fast_return_accept:
	mov %rbx, %rcx
	or %rbp, %rcx
	jnz slow_return
	bt $32, %r15                    /* RETURN_MINT */
	jc fast_return_brief
	mov %rax, %r14
	shr $32, %r14
	find_handle %r14d, TYPE_PORT, RIGHT_SERVE, %rbp, %r11d, slow_return_clean
	/* the command this thread accepted last, if that is the one meant, and if it came through this Port */
	mov T_SERVING(%rsp), %rcx
	try_lock %rbp, slow_return_clean
	cmp C_ID(%rcx), %rdi
	jne slow_return_unlock
	cmpw $CMD_ACCEPTED_PLAIN, C_STATE(%rcx)
	jne fast_return_other
	cmp T_WAIT_PORT(%rsp), %rbp     /* else another lock covers the command */
	jne slow_return_unlock
	mov C_SESSION(%rcx), %rbx
	cmpl $0, P_PENDING(%rbp)
	jne slow_return_unlock
	mov C_CALLER(%rcx), %r11
	test %r11, %r11
	jz slow_return_unlock
	/* nothing more urgent than the caller may be ready: it would have had to wait for a server's priority only */
	mov %gs:PC_RUN_TOP, %r14b
	cmp T_PRIORITY(%r11), %r14b
	ja slow_return_unlock
	movzwl T_ON_CPU(%r11), %r14d    /* and its `special` */
	or T_SPECIAL(%rsp), %r14b
	or S_CLOSING(%rbx), %r14w       /* and a byte of nothing */
	jnz fast_return_special
fast_answer:
	answer_command 0
	/* fall through */

/* RCX = the thread to run, GS already the user's. Its RIP is one past a SYSCALL, so it is canonical. */
fast_leave:
	mov R_RFLAGS(%rcx), %r11
	mov R_RSP(%rcx), %rsp
	mov R_RIP(%rcx), %rcx
	sysretq

fast_return_special:
	special T_SPECIAL(%r11), T_AFFINITY(%r11), %r14w, %r14d, %r14, fast_answer, slow_return_unlock, fast_answer_far

fast_answer_far:
	commit_answer 0
	mov %r13, %rax                  /* the status */
	xor %edi, %edi
	mov %rdi, R_RDI(%rcx)
	mov %rdi, R_R13(%rcx)
	mov %rdi, R_R14(%rcx)
	mov %rdi, R_R15(%rcx)
	movl $(STATE_BLOCKED_ACCEPT | 1 << 24), T_STATE(%rsp)  /* until it is put down, `on_cpu` */
	/* fall through */

/*
 * To the thread RCX, which may not run on this CPU: the words are in their registers, RAX what it finds there, the others are written. This
 * thread's state says what it waits for; the Port RBP is locked.
 */
fast_far:
	store_words %rcx
	mov %rax, R_RAX(%rcx)
	xor %eax, %eax
	mov %rax, R_RBX(%rcx)
	mov %rax, R_RBP(%rcx)
	mov %al, T_WAIT(%rcx)           /* WAIT_NONE before the lock is free: who comes to end its wait finds nothing to end */
	mov %al, P_LOCK(%rbp)
	mov %rsp, %rdi
	mov %rcx, %rsi
	mov %gs:PC_KSTACK, %rsp
	call sched_far                  /* returns the registers to continue with */
	mov %rax, %rdi
	jmp user_restore

fast_return_other:
	cmpw $CMD_ACCEPTED_SUBMITTED, C_STATE(%rcx)
	je fast_complete
	cmpw $CMD_ACCEPTED_BRIEF, C_STATE(%rcx)
	jne slow_return_unlock
	movb $0, P_LOCK(%rbp)
	xor %ebx, %ebx
	xor %ebp, %ebp
fast_return_brief:
	mov %rax, R_RAX(%rsp)
	save_message
	mov %rsp, %rbx
	mov %rsp, %rdi
	mov %gs:PC_KSTACK, %rsp
	call brief_return               /* RAX = command, RDX = a handle for the caller */
	mov %rbx, %rsp
	mov %rbx, %rcx
	mov %rdx, %rdi
	load_words
	test %rax, %rax
	jz slow_brief
	mov %rdi, %r14
	mov %rax, %rcx
	mov C_SESSION(%rcx), %rbx
	mov S_PORT(%rbx), %rbp
	mov C_CALLER(%rcx), %r11
	mov T_SPECIAL(%rsp), %al
	or T_SPECIAL(%r11), %al
	jnz fast_brief_vectors
fast_brief_answer:
	answer_command 1
	jmp fast_leave

fast_brief_vectors:
	switch_vectors T_SPECIAL(%r11), fast_brief_answer

slow_brief:                             /* the registers as they came */
	mov R_RDI(%rsp), %rdi
	mov R_RAX(%rsp), %rax
	xor %ebx, %ebx
	jmp slow_return

slow_return_unlock:
	movb $0, P_LOCK(%rbp)
slow_return_clean:                      /* RBX and RBP were 0; R14 counts only with the mint flag */
	xor %r14d, %r14d
	xor %ebx, %ebx
	xor %ebp, %ebp
slow_return:
	lea -SYSCALL_BASE(%rax), %ecx
	jmp entry_full

/*
 * return_accept of a submitted command RCX, to a thread that waits for its COMPLETION. The Port RBP is locked; R14 = the other
 * Port, RDI = the `run` node of the thread that waits there.
 */
fast_complete:
	mov C_SESSION(%rcx), %rbx
	cmp S_PORT(%rbx), %rbp
	jne slow_return_unlock
	cmpl $0, P_PENDING(%rbp)
	jne slow_return_unlock
	mov C_COMPLETION(%rcx), %r14
	try_lock %r14, slow_return_unlock
	mov P_WAITERS(%r14), %rdi
	lea P_WAITERS(%r14), %r11
	cmp %r11, %rdi
	je slow_complete
	movzbl P_DEAD(%r14), %r11d
	or P_PENDING(%r14), %r11d
	jnz slow_complete
	mov T_PROCESS - T_RUN(%rdi), %r11
	cmp %r11, C_CALLER(%rcx)        /* its sender, which lives */
	jne slow_complete
	mov %gs:PC_RUN_TOP, %r11b
	cmp T_PRIORITY - T_RUN(%rdi), %r11b
	ja slow_complete
	movzwl T_ON_CPU - T_RUN(%rdi), %r11d    /* and its `special` */
	or T_SPECIAL(%rsp), %r11b
	or S_CLOSING(%rbx), %r11w               /* and a byte of nothing */
	jnz fast_complete_special
fast_complete_commit:
	count PC_RETURNS
	mov (%rdi), %r11                /* the thread off the Port */
	lea P_WAITERS(%r14), %rax
	mov %r11, (%rax)
	mov %rax, 8(%r11)
	movl $(STATE_RUNNING | 1 << 24), T_STATE - T_RUN(%rdi)
	movb $0, C_STATE(%rcx)          /* the command back to those for submit */
	lea C_NODE(%rcx), %rax
	push_front %rax, P_RESERVE, %r14
	lea -T_RUN(%rdi), %rax          /* the thread that goes on */
	mov C_TOKEN(%rcx), %rdi         /* with the lock gone the command is somebody else's */
	mov %rax, %rcx
	lock decl O_REFS(%r14)          /* the command's; not the last one, for the Port is not dead and so has a handle */
	movb $0, P_LOCK(%r14)
	decl S_IN_FLIGHT(%rbx)
	decq %gs:PC_ACCEPTED
	mov %rbp, T_WAIT_PORT(%rsp)
	wait_in_accept
	switch_threads BLOCKED_ACCEPT
	mov $3, %eax                    /* ACCEPT_COMPLETION */
	xor %ebx, %ebx
	xor %ebp, %ebp
	xor %r14d, %r14d
	xor %r15d, %r15d
	jmp fast_leave

fast_complete_special:
	special T_SPECIAL - T_RUN(%rdi), T_AFFINITY - T_RUN(%rdi), %r11w, %r11d, %r11, fast_complete_commit, slow_complete, slow_complete

slow_complete:
	movb $0, P_LOCK(%r14)
	mov C_ID(%rcx), %rdi
	jmp slow_return_unlock

/*
 * submit: RAX = number | port << 32, RDI = session, RBP = token, words and windows as for call.
 */
	.globl fast_submit
	.p2align 4
fast_submit:
	mov %rax, R_RAX(%rsp)
	mov %rbx, R_RBX(%rsp)
	mov %rbp, R_RBP(%rsp)
	save_message
	mov %rsp, %rdi
	mov %gs:PC_KSTACK, %rsp
	call brief_submit
	test %al, %al
	jz slow_submit
	xor %eax, %eax
	cmpl $0, %gs:PC_WORK
	jne syscall_slow
	jmp syscall_leave
slow_submit:
	mov %gs:PC_CURRENT, %rcx
	mov %rcx, %rsp
	load_words
	mov R_RDI(%rsp), %rdi
	mov R_RAX(%rsp), %rax
	lea -SYSCALL_BASE(%rax), %ecx
	jmp entry_full

/*
 * accept: RDI = port, RBP = deadline; for ever, where nothing is to be had. The next thread is the scheduler's choice.
 */
	.globl fast_accept
	.p2align 4
fast_accept:
	cmp $-1, %rbp
	jne slow_accept
	mov %edi, %r8d
	find_handle %r8d, TYPE_PORT, RIGHT_SERVE, %rbp, %r11d, slow_accept_clean
	try_lock %rbp, slow_accept_clean
	mov T_PROCESS(%rsp), %rcx
	movzbl P_DEAD(%rbp), %r11d
	or P_PENDING(%rbp), %r11d
	jnz slow_accept_unlock
	mov PR_PID(%rcx), %r11
	cmp %r11, P_ACCEPTOR(%rbp)
	jne slow_accept_unlock
	testb $(~SPECIAL_FINE & 0xff), T_SPECIAL(%rsp)
	jnz slow_accept_unlock
	mov T_PRIORITY(%rsp), %r11b
	cmp %r11b, T_BASE_PRIORITY(%rsp)
	jne slow_accept_unlock
	testb $1, P_EXCLUSIVE(%rbp)
	jnz fast_accept_exclusive
fast_accept_commit:
	incq PR_ACCEPTS(%rcx)
	mov %rbp, T_WAIT_PORT(%rsp)
	wait_in_accept
	movl $(STATE_BLOCKED_ACCEPT | 1 << 24), T_STATE(%rsp)  /* until it is put down, `on_cpu` */
	movb $0, P_LOCK(%rbp)
	mov %rsp, %rdi
	mov %gs:PC_KSTACK, %rsp
	call sched_next                 /* returns the registers to continue with */
	mov %rax, %rdi
	jmp user_restore

fast_accept_exclusive:                  /* as port_admits_locked */
	cmp %rcx, P_SERVER(%rbp)
	jne slow_accept_unlock
	cmpl $0, P_N_BEFORE(%rbp)
	je fast_accept_commit
slow_accept_unlock:
	movb $0, P_LOCK(%rbp)
slow_accept_clean:
	xor %ebx, %ebx
	mov $-1, %rbp
slow_accept:
	lea -SYSCALL_BASE(%rax), %ecx
	jmp entry_full

/*
 * cmd_read and cmd_write (RDI = command, RSI = offset, RDX = memory, R10 = length; out: RSI = bytes copied) within a page.
 */
.macro window_call name, function
	.globl \name
	.p2align 4
\name:
	mov %rdi, R_RDI(%rsp)
	mov %rsi, R_RSI(%rsp)
	mov %rdx, R_RDX(%rsp)
	mov %r10, R_R10(%rsp)
	mov %gs:PC_KSTACK, %rsp
	mov %r10, %rcx
	push %rax
	push %rax
	call \function
	pop %rcx
	mov %gs:PC_CURRENT, %rsp
	test %rax, %rax
	js slow_window
	mov %rax, R_RSI(%rsp)
	xor %eax, %eax
	mov %rax, R_RDX(%rsp)
	mov %rax, R_R10(%rsp)
	cmpl $0, %gs:PC_WORK
	je syscall_leave
	mov %gs:PC_KSTACK, %rsp
	jmp light_slow
.endm
	window_call fast_cmd_read, brief_cmd_read
	window_call fast_cmd_write, brief_cmd_write

slow_window:
	mov %rcx, %rax
	mov R_RDI(%rsp), %rdi
	mov R_RSI(%rsp), %rsi
	mov R_RDX(%rsp), %rdx
	mov R_R10(%rsp), %r10
	xor %r8d, %r8d
	xor %r9d, %r9d
	lea -SYSCALL_BASE(%rax), %ecx
	jmp entry_full
	.section .note.GNU-stack, "", @progbits

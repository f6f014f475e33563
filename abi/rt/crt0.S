/*
 * crt0: the first instructions of every program. rdi = start page (abi/start.h), rsp = top of the
 * stack. Nothing has been relocated yet, so all of it goes by rip.
 */
	.section .text._start, "ax"
	.globl	_start
	.type	_start, @function
_start:
	xor	%ebp, %ebp              /* the end of every backtrace */
	and	$-16, %rsp
	lea	__ehdr_start(%rip), %rsi
	lea	_DYNAMIC(%rip), %rdx
	.hidden	__ehdr_start
	.hidden	_DYNAMIC
	call	rt_start
	ud2
#ifdef TEST_BUILD
	/* Where KILL_CRASH_... sends a thread, wherever it was: a wild store, a failed assertion, an endless loop. */
	.org	32
	movl	$1, 8
	.org	64
	and	$-16, %rsp
	lea	crash_text(%rip), %rdi
	xor	%eax, %eax
	call	rt_panic
	.org	96
1:	jmp	1b
	.section .rodata.crash, "a"
crash_text:
	.asciz	"made to fail"
	.section .text._start
#endif
	.size	_start, . - _start

	.section .note.GNU-stack, "", @progbits

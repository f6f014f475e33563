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
	.size	_start, . - _start

	.section .note.GNU-stack, "", @progbits

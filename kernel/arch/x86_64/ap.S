/*
 * ap: what another processor runs first (Intel SDM 3A 9.4.4). Copied below 1 MiB by smp.c, entered in real mode at
 * the start of a page, straight into long mode with tables that map the first 2 MiB where they are.
 * BX = offset of struct ap_start, which smp.c fills in.
 */
	.section .rodata.ap, "a"
	.globl ap_code, ap_start, ap_long, ap_code_end
	.code16
ap_code:
	cli
	cld
	mov %cs, %ax
	mov %ax, %ds
	mov $(ap_start - ap_code), %bx
	movl (%bx), %eax
	movl %eax, %cr4
	movl 4(%bx), %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx          /* EFER */
	rdmsr
	orl 8(%bx), %eax
	wrmsr
	lgdtl 18(%bx)
	movl $0x80010033, %eax          /* PG WP NE ET MP PE */
	movl %eax, %cr0
	ljmpl *12(%bx)

	.code64
ap_long:
	mov ap_start+40(%rip), %rsp
	mov ap_start+48(%rip), %rdi
	mov ap_start+56(%rip), %rax
	xor %ebp, %ebp
	call *%rax
	ud2
	.p2align 3
ap_start:
	.skip 64
ap_code_end:
	.section .note.GNU-stack, "", @progbits

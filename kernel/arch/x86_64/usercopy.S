/*
 * usercopy: the instructions that touch user memory. A fault at an address between
 * usercopy_start and usercopy_end that cannot be resolved goes on at usercopy_fault.
 * The three-byte no-ops become STAC and CLAC where the CPU has SMAP (cpu.c).
 */
	.text
	.globl usercopy_start, usercopy_end, usercopy_fault, usercopy_stac, usercopy_stac2, usercopy_clac, usercopy_clac2, usercopy_clac3

/* status_t user_copy(void *dst, const void *src, size_t n): 0, or ERR_FAULT. */
	.globl user_copy
user_copy:
usercopy_stac:
	.byte 0x0f, 0x1f, 0x00
	mov %rdx, %rcx
	shr $3, %rcx
	and $7, %edx
usercopy_start:
	rep movsq
	mov %edx, %ecx
	rep movsb
usercopy_clac:
	.byte 0x0f, 0x1f, 0x00
	xor %eax, %eax
	ret

/* int64_t user_word(uint64_t va): the word there, or ERR_FAULT. It changes RAX alone. */
	.globl user_word
user_word:
usercopy_stac2:
	.byte 0x0f, 0x1f, 0x00
	mov (%rdi), %eax
usercopy_end:
usercopy_clac3:
	.byte 0x0f, 0x1f, 0x00
	ret
usercopy_fault:
usercopy_clac2:
	.byte 0x0f, 0x1f, 0x00
	mov $-6, %rax
	ret

	.globl memcpy, memset, memmove
memcpy:
	mov %rdi, %rax
	mov %rdx, %rcx
	shr $3, %rcx
	rep movsq
	mov %edx, %ecx
	and $7, %ecx
	rep movsb
	ret
memset:
	mov %rdi, %r9
	movzbl %sil, %eax
	mov $0x0101010101010101, %rcx
	imul %rcx, %rax
	mov %rdx, %rcx
	shr $3, %rcx
	rep stosq
	mov %edx, %ecx
	and $7, %ecx
	rep stosb
	mov %r9, %rax
	ret
memmove:
	mov %rdi, %rax
	sub %rsi, %rax
	cmp %rdx, %rax
	jae memcpy
	lea -1(%rdi, %rdx), %r9
	mov %rdi, %rax
	mov %r9, %rdi
	lea -1(%rsi, %rdx), %rsi
	mov %rdx, %rcx
	std
	rep movsb
	cld
	ret
	.section .note.GNU-stack, "", @progbits

/*
 * levels: from five levels of page tables to four, after the firmware is gone. Called by exit.c in place of its
 * own jump. The code below runs from a copy of its own in low memory, so everything in it is found from %rbx.
 */
#include "loader.h"
#include "cpu.h"
#include "levels.h"

extern const uint8_t levels_begin[], levels_target[], levels_end[];

__asm__(
	".text\n"
	".globl levels_begin, levels_target, levels_end\n"
	"levels_begin:\n"
	"	leaq levels_begin(%rip), %rbx\n"
	"	leaq levels_stack - levels_begin(%rbx), %rsp\n"
	"	leaq levels_gdt - levels_begin(%rbx), %rax\n"
	"	movq %rax, levels_gdtr - levels_begin + 2(%rbx)\n"
	"	lgdt levels_gdtr - levels_begin(%rbx)\n"
	"	leaq levels_32 - levels_begin(%rbx), %rax\n"
	"	pushq $8\n"
	"	pushq %rax\n"
	"	lretq\n"
	".code32\n"
	"levels_32:\n"
	"	movl $16, %eax\n"
	"	movl %eax, %ds\n"
	"	movl %eax, %es\n"
	"	movl %eax, %ss\n"
	"	movl %cr0, %eax\n"
	"	andl $0x7fffffff, %eax\n"
	"	movl %eax, %cr0\n"              /* paging off: long mode is left, EFER.LME stays */
	"	movl %cr4, %eax\n"
	"	xorl $0x1000, %eax\n"           /* CR4.LA57 */
	"	movl %eax, %cr4\n"
	"	movl levels_target - levels_begin(%ebx), %eax\n"
	"	movl %eax, %cr3\n"
	"	movl %cr0, %eax\n"
	"	orl $0x80000000, %eax\n"
	"	movl %eax, %cr0\n"
	"	leal levels_64 - levels_begin(%ebx), %eax\n"
	"	pushl $24\n"
	"	pushl %eax\n"
	"	lretl\n"
	".code64\n"
	"levels_64:\n"
	"	movl %ebx, %ebx\n"              /* upper halves are undefined after 32-bit mode */
	"	movq levels_target - levels_begin + 8(%rbx), %rsp\n"
	"	movq levels_target - levels_begin + 16(%rbx), %rdi\n"
	"	movq levels_target - levels_begin + 24(%rbx), %rax\n"
	"	xorl %ebp, %ebp\n"
	"	pushq $0\n"
	"	jmpq *%rax\n"
	"	.balign 16\n"
	"levels_gdt:\n"
	"	.quad 0\n"
	"	.quad 0x00cf9b000000ffff\n"     /* 8: code, 32 bit */
	"	.quad 0x00cf93000000ffff\n"     /* 16: data */
	"	.quad 0x00af9b000000ffff\n"     /* 24: code, 64 bit */
	"levels_gdtr:\n"
	"	.word 31\n"
	"	.quad 0\n"
	"	.balign 8\n"
	"levels_target:\n"
	"	.quad 0, 0, 0, 0\n"
	"	.fill 8, 8, 0\n"
	"levels_stack:\n"
	"levels_end:\n");

static uint8_t *low;            /* two pages: the copy, and the PML4 */

void levels_prepare(void)
{
	EFI_PHYSICAL_ADDRESS at = 0xffffffff;
	if (!(read_cr4() & CR4_LA57))
		return;
	/* Loader code: memory that firmware lets nobody execute would not do. */
	EFI_STATUS status = BS->AllocatePages(AllocateMaxAddress, EfiLoaderCode, 2, &at);
	if (EFI_ERROR(status))
		fail("no memory below 4 GiB, which leaving five-level page tables needs: %r", status);
	low = (uint8_t *)at;
	memcpy(low, levels_begin, (uint64_t)levels_end - (uint64_t)levels_begin);
}

void *levels_page_table(void)
{
	return low ? low + PAGE_SIZE : NULL;
}

void levels_change(const struct levels_target *target)
{
	memcpy(low + ((uint64_t)levels_target - (uint64_t)levels_begin), target, sizeof(*target));
	__asm__ volatile("jmpq *%0" : : "r"(low) : "memory");
	__builtin_unreachable();
}

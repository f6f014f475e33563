/*
 * regs: the registers of a stopped user thread, or of a trap inside the kernel. Laid out so that
 * the CPU's own interrupt frame (Intel SDM 3A 6.14.2) lands on the last five words when TSS.RSP0
 * points at its end; entry.S knows every offset.
 */
#pragma once
#include <abi/types.h>

struct regs {
	uint64_t r15, r14, r13, r12, rbp, rbx;              /* kept by C functions */
	uint64_t r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
} aligned(16);
_Static_assert(sizeof(struct regs) == 22 * 8, "entry.S");

/* What accept gives for an event: nothing in any register but these. */
always_inline void regs_event(struct regs *r, uint64_t kind, uint64_t bits, uint64_t badge)
{
	r->r8 = r->r9 = r->r10 = r->r12 = r->r14 = r->r15 = r->rdx = r->rbx = r->rbp = r->rdi = 0;
	r->rax = kind;
	r->rsi = bits;
	r->r13 = badge;
}

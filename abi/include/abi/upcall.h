/*
 * upcall: how a program written for another system runs in a process of this one. What it does that is not a native
 * call enters a handler in the same process (docs/upcall.md). Each thread has a record for that, in memory that the
 * kernel keeps present.
 */
#pragma once
#include <abi/types.h>

/* All registers of a stopped thread but those of vectors. */
struct thread_regs {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t rip, rflags, rsp, fs_base, gs_base;
};

enum upcall_reason { UPCALL_SYSCALL = 1, UPCALL_EXCEPTION, UPCALL_INTERRUPT };
#define UPCALL_DEPTH 2          /* events that may be handled within one another */

/* An event that may come at any instruction, and all that is needed to go on after it (upcall_return). */
struct upcall_frame {
	struct thread_regs regs;        /* the bases are not looked at by upcall_return */
	uint64_t reason;                /* EXCEPTION or INTERRUPT */
	uint64_t vector, error;         /* EXCEPTION: Intel SDM 3A 6.3.1, 6.13 */
	uint64_t address;               /* of a page fault */
};

/*
 * The record. A foreign call enters `entry` with depth 0 -> 1; RSP is then the record's address, and all other registers
 * but RCX and R11 are as the program left them. The handler goes back by itself: it sets depth to 0, looks at `pending`,
 * and jumps to `rip`. An event enters `event` with RDI = the record, RSI = the number of its frame; RSP is the record, or
 * within the handler's stack if that was interrupted; it ends with upcall_return.
 */
struct upcall_record {
	uint64_t rip, rflags, rsp;      /* where the foreign call goes on */
	uint32_t depth;                 /* 0: the program runs. Else handlers that have not returned */
	uint32_t pending;               /* 1: thread_interrupt, while depth was not 0 */
	uint64_t reserved[4];
	struct upcall_frame frame[UPCALL_DEPTH];
} aligned(64);

/* thread_upcall */
struct upcall {
	handle_t frame;                 /* contiguous, so that it cannot lose pages; 0: no upcalls any more */
	uint32_t reserved;              /* 0 */
	uint64_t offset;                /* of the record in the Frame; a multiple of 64, within one page */
	uint64_t record;                /* where the process has it mapped: the handler's stack ends there */
	uint64_t entry, event;          /* instructions */
};

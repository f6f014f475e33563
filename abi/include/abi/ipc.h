/*
 * ipc: the registers of a command (docs/ipc.md). Messages travel in registers only; memory is
 * named by windows and handles by number.
 *
 *              call                        accept (result)              return                      call (result)
 *   rax        number | handle[3] << 32    enum accept_kind or < 0      number | port << 32 (1)     status
 *   rdi        session | handle[0] << 32   command id, token            command id                  handle[0] | handle[1] << 32
 *   rsi rdx r10 r8 r9 r12                  w[0] .. w[5] in all four columns
 *   r13        in window: address          badge                        status                      0
 *   r14        out window: address         rights | n_handles << 32     badge to mint               0
 *   r15        IPC_META                    IPC_META                     rights to mint | flags << 32  0
 *   rbx        handle[1] | handle[2] << 32 handle[0] | handle[1] << 32  handle[0] | handle[1] << 32 handle[2] | handle[3] << 32
 *   rbp        deadline (ns)               handle[2] | handle[3] << 32  handle[2] | handle[3] << 32 0
 *   rcx r11    lost to SYSCALL
 *   (1) return_accept: the Port to wait on next; waits for ever. accept: rdi = port, rbp = deadline.
 *
 * call_words is call with words only: rdi = session, r15 = op, no windows, no handles, no deadline.
 * Every register but rsp may come back changed.
 */
#pragma once
#include <abi/types.h>

#define IPC_WORDS       6
#define IPC_HANDLES     4
#define IPC_WINDOW_MAX  (1u << 20)      /* bytes; longer windows are shortened */
#define IPC_PATH_MAX    4096

/* r15: operation, window lengths, flags. */
#define IPC_META(op, in_len, out_len, flags) \
	((uint64_t)(op) | (uint64_t)(in_len) << 16 | (uint64_t)(out_len) << 37 | (uint64_t)(flags) << 58)
#define IPC_META_OP(m)      ((uint32_t)((m) & 0xffff))
#define IPC_META_IN(m)      ((uint32_t)((m) >> 16 & 0x1fffff))
#define IPC_META_OUT(m)     ((uint32_t)((m) >> 37 & 0x1fffff))
#define IPC_META_FLAGS(m)   ((uint32_t)((m) >> 58))

enum ipc_flags {
	IPC_PATH = 1,           /* the in window is a path: the kernel keeps a copy, cmd_read reads that */
	IPC_URI  = 2,           /* call only: it is a whole URI; rdi is a Namespace or 0 for one's own.
	                           The server sees IPC_PATH and what follows "scheme://" */
	IPC_REDELIVERED = 4,    /* accept only: an earlier instance may have begun this */
	IPC_CANCELLED = 8,      /* accept only, redelivered: its caller wants it back */
};

enum accept_kind {
	ACCEPT_COMMAND = 0,
	ACCEPT_CLOSE = 1,       /* last handle to a Session of `badge` went; answer with return */
	ACCEPT_NOTIFY = 2,      /* w[0] = bits, taken; badge as given to notify_port */
	ACCEPT_COMPLETION = 3,  /* a submitted command is answered: token, w[] as answered, r13 = status */
	ACCEPT_CANCEL = 4,      /* the caller wants this accepted command back */
	ACCEPT_RECOVERED = 5,   /* all that a dead instance had accepted has been delivered again */
};

enum {                          /* flags of return */
	RETURN_MINT = 1,        /* make a Session (badge, rights) for the caller, as its handle[0] */
	RETURN_SILENT = 2,      /* ... which ends without a CLOSE: there is nothing to forget */
};

/* The memory form that the run-time's stubs load and store (abi/rt/syscall.S knows the offsets). */
struct ipc_regs {
	uint64_t rax, rdi, w[IPC_WORDS], r13, r14, r15, rbx, rbp;
};
_Static_assert(sizeof(struct ipc_regs) == 13 * 8, "offsets are used in syscall.S");

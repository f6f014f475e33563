/*
 * internal: what the files of the run-time share among themselves. Programs include <rt/...>.
 */
#pragma once
#include <abi/start.h>
#include <abi/types.h>
#include <rt/ipc.h>
#include <rt/svc.h>
#include <stdarg.h>

/* start.c: the program's name, for messages; never NULL. */
const char *rt_program_name(void);
/* start.c: called once by exit, before the process ends; io.c enters its flush here when it is used. */
extern void (*rt_exit_hook)(void);

/* format.c: calls put(ctx, text, n) with the pieces of a formatted text, in order. */
typedef void format_put(void *ctx, const char *text, size_t n);
void format_to(format_put *put, void *ctx, const char *format, va_list ap);

/* syscall.S: loads *r into the registers, enters the kernel and stores them back. */
void ipc_raw(struct ipc_regs *r);

/* ipc.c: registers to and from structs; see abi/ipc.h. */
status_t ipc_unpack_event(const struct ipc_regs *r, struct event *e);
void ipc_pack_return(struct ipc_regs *r, cmd_id_t cmd, const struct reply *a);

/*
 * serve.S: the part of the service loop that ordinary commands never leave. Enters the kernel with f->r (accept or
 * return_accept). A command without handles, not delivered before, with a path of at most SERVE_PATH bytes or none, is
 * dispatched and answered at once, again and again, a minted Session included; CLOSE is answered there when nobody
 * wants to hear of it. Returns for everything else:
 *   SERVE_EVENT       f->r is what the kernel gave: an error, another event, a larger command. f->c.cmd is the command
 *                     that the last return_accept was to answer, or 0.
 *   SERVE_DISPATCHED  a command was dispatched, but its answer needs care: f->c and f->reply as the dispatcher
 *                     left them, f->r.r13 its status.
 * Of f->c only what the registers hold is written: the caller keeps handles, path and reply fields zero.
 */
#define SERVE_PATH 255
struct svc_frame {
	struct ipc_regs r;
	struct svc_cmd c;
	svc_handler *const *on;         /* by operation, below n */
	const void *ops;
	void *self;
	uint64_t answer;                /* rax of a return_accept: number and Port */
	uint64_t n;
	uint64_t reply[IPC_WORDS];
	char *path;                     /* room for SERVE_PATH and eight bytes more */
	uint64_t close_at_once;         /* not 0: nobody wants to hear of CLOSE */
	cmd_id_t mint_cmd;              /* whose answer, last under way, mints a Session of mint_badge */
	uint64_t mint_badge;
	uint64_t mint_flags;            /* RETURN_*, for answers that mint */
};
enum { SERVE_EVENT, SERVE_DISPATCHED };
int svc_serve(struct svc_frame *f);

_Static_assert(offsetof(struct svc_frame, c) == 104, "serve.S");
_Static_assert(offsetof(struct svc_cmd, badge) == 8 && offsetof(struct svc_cmd, rights) == 16, "serve.S");
_Static_assert(offsetof(struct svc_cmd, n_handles) == 20 && offsetof(struct svc_cmd, op) == 24, "serve.S");
_Static_assert(offsetof(struct svc_cmd, flags) == 28 && offsetof(struct svc_cmd, in_len) == 32, "serve.S");
_Static_assert(offsetof(struct svc_cmd, out_len) == 36 && offsetof(struct svc_cmd, reply_handle) == 72, "serve.S");
_Static_assert(offsetof(struct svc_cmd, path) == 56 && offsetof(struct svc_cmd, path_len) == 64, "serve.S");
_Static_assert(offsetof(struct svc_cmd, mint) == 77 && offsetof(struct svc_cmd, mint_badge) == 80, "serve.S");
_Static_assert(offsetof(struct svc_cmd, mint_rights) == 88 && offsetof(struct svc_cmd, path_plain) == 93, "serve.S");
_Static_assert(offsetof(struct svc_frame, on) == 200 && offsetof(struct svc_frame, answer) == 224, "serve.S");
_Static_assert(offsetof(struct svc_frame, n) == 232 && offsetof(struct svc_frame, reply) == 240, "serve.S");
_Static_assert(offsetof(struct svc_frame, path) == 288 && offsetof(struct svc_frame, close_at_once) == 296, "serve.S");
_Static_assert(offsetof(struct svc_frame, mint_cmd) == 304 && offsetof(struct svc_frame, mint_badge) == 312 &&
	offsetof(struct svc_frame, mint_flags) == 320, "serve.S");
_Static_assert(ACCEPT_COMMAND == 0 && ACCEPT_CLOSE == 1 && IPC_PATH == 1, "serve.S");

_Static_assert(offsetof(struct msg, flags) == 4 && offsetof(struct msg, w) == 8 && offsetof(struct msg, in) == 56, "syscall.S");
_Static_assert(offsetof(struct msg, in_len) == 64 && offsetof(struct msg, out) == 72 && offsetof(struct msg, out_len) == 80, "syscall.S");
_Static_assert(offsetof(struct msg, handles) == 88 && offsetof(struct msg, deadline) == 104, "syscall.S");
_Static_assert(IPC_WINDOW_MAX == 0x100000, "syscall.S");

/*
 * ipc: a server's half of messages between C structs and the registers of abi/ipc.h; the caller's is in
 * syscall.S. Nothing is decided here.
 */
#include <gen/syscall_numbers.h>
#include <rt/ipc.h>
#include "internal.h"

static uint64_t pair(handle_t low, handle_t high)
{
	return low | (uint64_t)high << 32;
}

static void unpair(uint64_t v, handle_t *two)
{
	two[0] = (handle_t)v;
	two[1] = (handle_t)(v >> 32);
}

static void copy_words(uint64_t *to, const uint64_t *from)
{
	for (size_t i = 0; i < IPC_WORDS; i++)
		to[i] = from[i];
}

status_t ipc_unpack_event(const struct ipc_regs *r, struct event *e)
{
	status_t kind = (status_t)r->rax;
	if (kind < 0)
		return kind;
	e->kind = (int)kind;
	e->cmd = r->rdi;
	e->badge = r->r13;
	e->status = kind == ACCEPT_COMPLETION ? (status_t)r->r13 : OK;
	copy_words(e->w, r->w);
	e->op = IPC_META_OP(r->r15);
	e->flags = IPC_META_FLAGS(r->r15);
	e->in_len = IPC_META_IN(r->r15);
	e->out_len = IPC_META_OUT(r->r15);
	e->rights = (uint32_t)r->r14;
	e->n_handles = (uint32_t)(r->r14 >> 32);
	unpair(r->rbx, &e->handles[0]);
	unpair(r->rbp, &e->handles[2]);
	return OK;
}

void ipc_pack_return(struct ipc_regs *r, cmd_id_t cmd, const struct reply *a)
{
	r->rdi = cmd;
	copy_words(r->w, a->w);
	r->r13 = (uint64_t)a->status;
	r->r14 = a->mint_badge;
	r->r15 = a->mint ? a->mint_rights | (uint64_t)(RETURN_MINT | (a->mint_silent ? RETURN_SILENT : 0)) << 32 : 0;
	r->rbx = pair(a->handles[0], a->handles[1]);
	r->rbp = pair(a->handles[2], a->handles[3]);
}

status_t ipc_accept(handle_t port, uint64_t deadline, struct event *e)
{
	struct ipc_regs r = { .rax = SYS_accept, .rdi = port, .rbp = deadline };
	ipc_raw(&r);
	return ipc_unpack_event(&r, e);
}

status_t ipc_return(cmd_id_t cmd, const struct reply *a)
{
	struct ipc_regs r;
	r.rax = SYS_return;
	ipc_pack_return(&r, cmd, a);
	ipc_raw(&r);
	return (status_t)r.rax;
}

status_t ipc_return_accept(cmd_id_t cmd, const struct reply *a, handle_t port, struct event *e)
{
	struct ipc_regs r;
	r.rax = SYS_return_accept | (uint64_t)port << 32;
	ipc_pack_return(&r, cmd, a);
	ipc_raw(&r);
	return ipc_unpack_event(&r, e);
}

status_t ipc_submit(handle_t session, const struct msg *m, handle_t port, uint64_t token)
{
	struct ipc_regs r = {
		.rax = SYS_submit | (uint64_t)port << 32,
		.rdi = session | (uint64_t)m->handles[0] << 32,
		.r13 = (uint64_t)m->in,
		.r14 = (uint64_t)m->out,
		.r15 = IPC_META(m->op, MIN(m->in_len, (size_t)IPC_WINDOW_MAX), MIN(m->out_len, (size_t)IPC_WINDOW_MAX), m->flags),
		.rbx = pair(m->handles[1], m->handles[2]),
		.rbp = token,
	};
	copy_words(r.w, m->w);
	ipc_raw(&r);
	return (status_t)r.rax;
}

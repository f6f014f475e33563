/*
 * syscall: what handlers of system calls share. Numbers, glue and the list of handlers are
 * made from abi/syscalls.txt.
 */
#pragma once
#include <gen/syscall_handlers.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <gen/syscall_numbers.h>
#include <kernel/usercopy.h>

/* Result i (0..2) of the current call: rsi, rdx, r10. */
always_inline void syscall_result(unsigned i, uint64_t v)
{
	struct regs *r = &current_thread()->regs;
	if (i == 0)
		r->rsi = v;
	else if (i == 1)
		r->rdx = v;
	else
		r->r10 = v;
}
/*
 * Progress of long calls. It counts only for the same call on the same object: between the pieces another thread
 * may have put other code at this RIP.
 */
always_inline uint64_t progress_take(uint32_t call, uint64_t object_id)
{
	struct thread *t = current_thread();
	uint64_t done = t->progress_key == (object_id << 8 | (call & 0xff)) ? t->progress : 0;
	t->progress_key = 0;
	return done;
}
always_inline status_t progress_restart(uint32_t call, uint64_t object_id, uint64_t done)
{
	struct thread *t = current_thread();
	t->progress_key = object_id << 8 | (call & 0xff);
	t->progress = done;
	return STATUS_RESTART;
}

#define CURRENT_PROCESS (current_thread()->process)

/* Looks a handle of the current process up. */
#define LOOKUP(h, objtype, need, out) handle_lookup(CURRENT_PROCESS->table, h, objtype, need, (struct object **)(out), NULL)

/*
 * syscall: what handlers of system calls share. Numbers, glue and the list of handlers are
 * made from abi/syscalls.txt.
 */
#pragma once
#include <gen/syscall_handlers.h>
#include <kernel/process.h>
#include <kernel/sched.h>
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
#define CURRENT_PROCESS (current_thread()->process)

/* Looks a handle of the current process up. */
#define LOOKUP(h, objtype, need, out) handle_lookup(CURRENT_PROCESS->table, h, objtype, need, (struct object **)(out), NULL)

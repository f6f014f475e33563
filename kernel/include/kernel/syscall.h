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
 * Progress of long calls: loaded, and with that forgotten, first of all; used if it is of the same call on the same
 * object from the same stack. (Between the pieces another thread may have put other code at this RIP, or closed the handle, or an
 * upcall's handler calls the same.)
 */
struct progress { uint64_t key, done; };
always_inline struct progress progress_load(void)
{
	struct thread *t = current_thread();
	struct progress p = { t->regs.rsp == t->progress_stack ? t->progress_key : 0, t->progress };
	t->progress_key = 0;
	return p;
}
always_inline uint64_t progress_of(const struct progress *p, uint32_t call, uint64_t object_id)
{
	return p->key == (object_id << 8 | (call & 0xff)) ? p->done : 0;
}
always_inline status_t progress_restart(uint32_t call, uint64_t object_id, uint64_t done)
{
	struct thread *t = current_thread();
	t->progress_key = object_id << 8 | (call & 0xff);
	t->progress = done;
	t->progress_stack = t->regs.rsp;
	return STATUS_RESTART;
}

#define CURRENT_PROCESS (current_thread()->process)

/* A handle of the current process to what was just created; the creator's reference goes. o NULL: why it could not be. [object.c] */
status_t object_install(struct object *o, uint32_t rights, handle_t *h, status_t why);
/* Is h a Resource, with these rights, that shows the machine as a whole? [hardware.c] */
status_t resource_info(handle_t h, uint32_t rights);

/* Looks a handle of the current process up. */
#define LOOKUP(h, objtype, need, out) handle_lookup(CURRENT_PROCESS->table, h, objtype, need, (struct object **)(out), NULL)

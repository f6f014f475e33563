/*
 * trace: what becomes of commands, while somebody looks (docs/tracing.md). Callers test trace_on first; while it is off
 * nothing else of this runs.
 */
#pragma once
#include <kernel/ipc.h>

extern bool trace_on;

/* c is about to be sent to p, for the first time or forwarded; decides whether it is traced. No lock is held. */
void trace_sent(const struct port *p, struct command *c);
/* by: the thread that did it; NULL: the server's process, if there is one. The Port's lock may be held. */
void trace_event(const struct command *c, enum trace_kind kind, const struct thread *by, status_t status);
/* p was just made by the current process. */
void trace_process(struct process *p);

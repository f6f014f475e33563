/*
 * upcall: events that a handler in the same process sees to (docs/upcall.md), and threads that are stopped.
 */
#pragma once
#include <abi/upcall.h>
#include <kernel/process.h>

/* What `event` is to see of the current thread, whose registers are saved. False: no upcall, or too deep already. */
bool upcall_event(struct thread *t, uint64_t reason, uint64_t address);
/* A thread with SPECIAL_ATTEND, in user mode or about to go there: it stops, or hears of an interrupt. */
void thread_attend(struct thread *t);
/* The same for one that has just been woken. True: it stops, and is nobody's to run. */
bool thread_attend_woken(struct thread *t);
/* thread_interrupt of one with an upcall. */
void upcall_interrupt(struct thread *t);
struct regs *upcall_return(struct thread *t);    /* entry.S */
void upcall_free(struct thread *t);

/*
 * pager: pages that a Port supplies (docs/memory.md). Whoever finds one absent says so (page_want) and ends what it is doing as
 * if nothing had happened; the thread waits at the end of the system call or exception, and begins again when the page is there.
 */
#pragma once
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>

/*
 * Notes what the current thread lacks: STATUS_ABSENT. Or the pager's error, if that is what it got when it last asked for this page
 * at the same place.
 */
status_t page_want(struct frame *f, uint64_t index);
/* What it wanted is of no interest any more. */
void page_forget(struct thread *t);
/*
 * The current thread waits for the page: STATUS_BLOCKED; or it has come meanwhile: STATUS_RESTART. ERR_LOOP: the pager would wait for
 * itself. ERR_NO_MEMORY, ERR_LIMIT, ERR_INTERRUPTED.
 */
must_use status_t page_wait(uint64_t deadline);
/* The end of a system call that has met absent pages: its status, or that of waiting. */
status_t page_finish(status_t status);
/* The READ is over, and no Port locked. */
void page_over(struct command *c);
must_use bool page_wait_break(struct thread *t, status_t why);
/* Nobody waits for c, which is f's: it is not to be found any more (queued), or its server is to be told. Port locked. */
bool page_left_locked(struct command *c, struct frame *f);
/* Of what was asked for, all beyond the end comes in vain. f->lock held. */
void page_cut_locked(struct frame *f);
/* As frame_drop_pages, but only what is clean and in no call's window. */
void page_reclaim(struct frame *f, uint64_t first, uint64_t n, uint64_t *done);

/* A copy of this system call's failed for want of a page. */
always_inline bool page_lacking(void) { return this_cpu()->work & WORK_PAGE; }
/* A long call lacks a page that was wanted, `done` is done. */
always_inline status_t page_call(uint32_t call, uint64_t object_id, uint64_t done)
{
	cpu_work(WORK_PAGE);
	return progress_restart(call, object_id, done);
}

/*
 * futex: see futex.c.
 */
#pragma once
#include <kernel/process.h>

void futex_init(void);
/* A thread in WAIT_FUTEX stops waiting (deadline, interrupt, death). True: this did it. */
bool futex_wait_break(struct thread *t, status_t why);

/*
 * shells: who sits at a terminal of the screen finds a shell there. Terminal N's is the service shN, which the supervisor starts when outputd asks, the
 * first time that somebody looks. Nobody is waited for.
 */
#pragma once
#include <rt/svc.h>

/* port: where COMPLETIONs with `token` go; one command of its reserve. */
void shells_init(handle_t port, uint64_t token);
/* Somebody looks at terminal i (0..): its shell is started if it does not run. */
void shells_want(uint32_t i);
void shells_done(struct event *e);      /* takes its handles */

/*
 * shutdown: ends everything in order, then switches off or resets.
 */
#pragma once
#include <rt/svc.h>

/* info: a borrowed RES_INFO with RIGHT_MANAGE, to end programs that are not services. */
void shutdown_init(struct svc *svc, handle_t info);
/* Asked for: it begins at shutdown_idle, after the answer to whoever asked is on its way. */
void shutdown_request(bool reboot);
void shutdown_idle(void);
/* acpid has answered: the machine goes on. */
#define SHUTDOWN_TOKEN 1
void shutdown_answered(status_t st);
/* The grace time of a level is over. */
void shutdown_timer(void);
/* Ends every process but ourselves and initfsd, and waits until they are gone, a second at most. */
void shutdown_leftovers(void);

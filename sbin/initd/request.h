/*
 * request: what a person may ask of initd in words ("restart rngd", "poweroff"), written to svc://
 * or, without the name, to svc://NAME. Pure.
 */
#pragma once
#include <abi/types.h>

enum action { ACTION_START, ACTION_STOP, ACTION_RESTART, ACTION_KILL, ACTION_POWEROFF, ACTION_REBOOT, ACTION_EXIT, ACTION_DIE };

#define REQUEST_MAX 128             /* bytes of a line */

struct request {
	int      action;                /* enum action */
	char     name[REQUEST_MAX];     /* of the service; "": none was given */
	uint64_t value;                 /* test builds; ACTION_EXIT: the machine's exit code, ACTION_DIE: step.h */
};

/* False: not a request. Blanks around words and a newline at the end are fine. */
must_use bool request_parse(struct request *r, const char *text, size_t len);

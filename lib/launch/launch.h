/*
 * launch: starting a program by name, as a shell does, and saying how it ended.
 */
#pragma once
#include <abi/objects.h>

struct launch {
	int argc;
	const char *const *argv;            /* argv[0]: a URI, "/path", or a name looked up in initfs:///bin and initfs:///sbin */
	int envc;
	const char *const *envp;
	handle_t in, out, error;            /* its standard Sessions; 0: none */
	handle_t budget;                    /* 0: the caller's */
	uint32_t priority;                  /* 0: the caller's */
};

enum { LAUNCH_NOT_FOUND = 127, LAUNCH_FAILED = 126, LAUNCH_KILLED = 128 + 9, LAUNCH_FAULT = 128 + 11 };

/* Starts it with the caller's level and Namespace. ERR_NOT_FOUND: no such program. *why as spawn gives it, or NULL. */
must_use status_t launch(const struct launch *l, handle_t *process, uint64_t *pid, const char **why);
/* Ends a process by its number. ERR_NOT_FOUND: there is none. */
must_use status_t launch_kill(uint64_t pid);
/* What a shell's $? says of an end: 0..255. */
int launch_status(const struct process_info *info);

/* path.c (pure): the i-th folder that programs are looked for in, with the last '/'; NULL: no more. */
const char *launch_folder(unsigned i);
/* The i-th URI to try for a program's name; false: no more, or too long. */
bool launch_candidate(const char *name, unsigned i, char *uri, size_t size);

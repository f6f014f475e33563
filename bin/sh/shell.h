/*
 * shell: what the parts of sh share. One shell, one thread: the state is here for all to see.
 */
#pragma once
#include <abi/types.h>
#include "parse.h"

struct shell {
	handle_t in, out;           /* Sessions; in is read here, both are what programs inherit */
	bool     interactive;       /* in is a terminal */
	bool     leaving;           /* `exit` was run */
	int      status;            /* $? */
	uint64_t    cpu_ns;         /* of the program that was waited for last */
};
extern struct shell shell;

/* main.c */
void say(const char *format, ...) printf_like(1, 2);
void run_line(const char *line);

/* vars.c: variables, which are also the environment of programs */
void vars_init(void);
const char *var_get(const char *name);
/* "NAME=value". False: no memory. */
bool var_set(const char *assignment);
void var_unset(const char *name);
/* Length of the name if the word is an assignment, else 0. */
size_t var_assignment(const char *word);
int vars_list(const char *const **list);

/* jobs.c: programs that run */
status_t jobs_init(void);
/* Starts argv; waits for it unless it goes to the background. The result is the new $?. */
int job_run(int argc, char **argv, bool background);
void jobs_reap(void);           /* says which background jobs have ended */
void jobs_list(void);
int jobs_wait(uint64_t pid);    /* 0: for all */

/* builtin.c. False: argv[0] is none. */
bool builtin_run(int argc, char **argv, int *status);

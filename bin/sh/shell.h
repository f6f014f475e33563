/*
 * shell: what the parts of sh share. One shell, one thread: the state is here for all to see.
 */
#pragma once
#include <abi/types.h>
#include "parse.h"

struct shell {
	handle_t in, out;           /* Sessions or Sockets; in is read here, both are what programs inherit */
	handle_t terminal;          /* what `out` was at the start: for messages and for stderr of programs */
	bool     interactive;       /* in is a terminal */
	bool     interrupted;       /* ^C ended what ran: the rest of the line does not run */
	bool     leaving;           /* `exit` was run, or the terminal hung up */
	bool     hung;              /* the terminal hung up: nobody is there any more */
	int      status;            /* $? */
	uint64_t    cpu_ns;         /* of the program that was waited for last */
};
extern struct shell shell;

/* main.c */
void say(const char *format, ...) printf_like(1, 2);            /* a result, to `out` */
void complain(const char *format, ...) printf_like(1, 2);       /* to the terminal */
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
/* One command of a pipeline. */
struct stage {
	int      argc;              /* 0: only its redirects were wanted */
	char   **argv;
	handle_t in, out;           /* 0: none */
	handle_t owned[4];          /* ends of pipes and files, closed when it has been started */
	int      n_owned;
};
enum { STAGES_MAX = 16 };
void stage_close(struct stage *s);
/* Starts a pipeline; waits for all of it unless it goes to the background. The result is the new $?. */
int jobs_run(struct stage *stages, int n, bool background);
/* As file_open, but ^C ends it: ERR_INTERRUPTED. Who does not answer must not keep the shell. */
must_use status_t jobs_open(const char *uri, uint32_t flags, handle_t *file);
int job_run(int argc, char **argv);     /* one program, with the shell's own ends */
void jobs_reap(void);           /* says which background jobs have ended */
void jobs_list(void);
/* Whether the terminal has hung up: then all ends. */
bool terminal_hung(void);
/* Undoes what a program has left of modes and colours; false: that is not to be had, as on the serial line. */
bool terminal_reset(void);
/* Ends all jobs: nobody is left to see what they do. */
void jobs_end_all(void);
/* Ends a job of this shell, and all that it has started. False: it is none. */
bool jobs_kill(uint64_t pid, status_t *st);
int jobs_wait(uint64_t pid);    /* 0: for all */

/* builtin.c */
bool builtin_known(const char *name);
const char *builtin_name(unsigned i);   /* NULL: no more */
/* False: argv[0] is none. */
bool builtin_run(int argc, char **argv, int *status);

/* complete_io.c: what Tab asks (edit.h) */
size_t shell_complete(void *ctx, const char *text, size_t cursor, unsigned columns, char *insert, size_t room, const char **shown);

/*
 * start: what a program was given, and how it gives the same to another.
 */
#pragma once
#include <abi/start.h>
#include <rt/ipc.h>

int main(int argc, char **argv);
/* A named handle of the start page; 0: not given. */
handle_t start_handle(const char *name);
const struct start_info *start_info(void);
const char *env_get(const char *name);      /* NULL: not set */
noreturn void exit(int status);
/* The value of KEY=VALUE on the kernel's command line, cut to size, "" of a mere KEY; the last one counts. False: there is none. */
bool cmdline_word(const char *key, char *value, size_t size);
bool cmdline_flag(const char *key, bool fallback);      /* KEY, KEY=1, yes, on, true; KEY=0, no, off, false */
/* Prints "NAME: text" to the log and ends the process with status 134 and a backtrace in the log. */
noreturn void rt_panic(const char *format, ...) printf_like(1, 2);
#define MUST(expr) do { status_t must_ = (expr); if (must_ < 0) \
	rt_panic("%s:%d: %s: %s", __FILE__, __LINE__, #expr, error_name(must_)); } while (0)
const char *error_name(status_t st);        /* "ERR_NOT_FOUND" */
const char *error_text(status_t st);        /* "no such path, ..." as in abi/errors.txt */

struct spawn_handle { const char *name; handle_t handle; uint32_t rights, tag; };   /* rights 0: all it has */
struct spawn {
	const char *name;                       /* process name; NULL: last part of argv[0] */
	handle_t image;                         /* Frame with the ELF file */
	uint64_t image_size;
	int argc; const char *const *argv;
	int envc; const char *const *envp;
	const struct spawn_handle *handles; size_t n_handles;
	handle_t budget, ns;                    /* 0: ours */
	handle_t table;                         /* 0: a fresh one; else the handle table of one that ended, and no `handles` */
	uint32_t priority, level;
	uint64_t stack_size;                    /* 0: 64 KiB */
};
/* Loads a static-PIE ELF and starts it. *process (all rights) is the caller's. ERR_BAD_FORMAT names itself in *why (may be NULL). */
must_use status_t spawn(const struct spawn *s, handle_t *process, uint64_t *pid, const char **why);
/* Opens a program by URI and spawns it. */
must_use status_t spawn_uri(const char *uri, struct spawn *s, handle_t *process, uint64_t *pid, const char **why);
/* Waits for the end of a process; *info as by process_info. */
must_use status_t process_wait(handle_t process, uint64_t deadline, struct process_info *info);

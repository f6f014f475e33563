/*
 * builtin: what only the shell itself can do.
 */
#include <cli/cli.h>
#include <gen/errors.h>
#include <gen/syscalls.h>
#include <launch/launch.h>
#include <rt/clock.h>
#include <rt/start.h>
#include <string.h>
#include "shell.h"

static int run_exit(int argc, char **argv)
{
	uint64_t status = (uint64_t)shell.status;

	if (argc > 1 && !cli_number(argv[1], &status)) {
		complain("sh: exit: %s is no number\n", argv[1]);
		return CLI_USAGE;
	}
	shell.leaving = true;
	return (int)(status & 255);
}

static int run_set(int argc, char **argv)
{
	const char *const *list;
	int n;

	if (argc == 1) {
		n = vars_list(&list);
		for (int i = 0; i < n; i++)
			say("%s\n", list[i]);
		return 0;
	}
	for (int i = 1; i < argc; i++) {
		if (!var_assignment(argv[i])) {
			complain("sh: %s: usage: %s [NAME=VALUE...]\n", argv[i], argv[0]);
			return CLI_USAGE;
		}
		if (!var_set(argv[i])) {
			complain("sh: %s: no room for more variables\n", argv[i]);
			return 1;
		}
	}
	return 0;
}

static int run_unset(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		var_unset(argv[i]);
	return 0;
}

static int run_wait(int argc, char **argv)
{
	uint64_t pid = 0;

	if (argc > 1 && (!cli_number(argv[1], &pid) || !pid)) {
		complain("sh: wait: %s is no process number\n", argv[1]);
		return CLI_USAGE;
	}
	return jobs_wait(pid);
}

static int run_jobs(int argc unused, char **argv unused)
{
	jobs_list();
	return 0;
}

/* Here too, and not only a program: to end who left no room for one to start. Of a job, all that it has started ends. */
static int run_kill(int argc, char **argv)
{
	int status = 0;

	if (argc < 2) {
		complain("sh: usage: kill PID...\n");
		return CLI_USAGE;
	}
	for (int i = 1; i < argc; i++) {
		uint64_t pid;
		status_t st;
		if (!cli_number(argv[i], &pid) || pid == 0) {
			complain("sh: kill: %s: not a process number\n", argv[i]);
			status = CLI_USAGE;
			continue;
		}
		if (!jobs_kill(pid, &st))
			st = launch_kill(pid);
		if (st < 0) {
			complain("sh: kill: %s: %s\n", argv[i], st == ERR_NOT_FOUND ? "no such process" : error_text(st));
			status = 1;
		}
	}
	return status;
}

static void say_time(const char *what, uint64_t ns)
{
	complain("%s %llu.%03llu s\n", what, (unsigned long long)(ns / NS_PER_SEC), (unsigned long long)(ns % NS_PER_SEC / NS_PER_MS));
}

/* Here and not a program of its own: so ^C ends what is timed. */
static int run_time(int argc, char **argv)
{
	uint64_t begin, end;
	int status;

	if (argc < 2) {
		complain("sh: usage: time COMMAND [ARGUMENT...]\n");
		return CLI_USAGE;
	}
	shell.cpu_ns = 0;
	begin = clock_value();
	if (!builtin_run(argc - 1, argv + 1, &status))
		status = job_run(argc - 1, argv + 1);
	end = clock_value();
	say_time("real", end - begin);
	say_time("cpu ", shell.cpu_ns);
	return status;
}

/* Where the terminal's own reset is not to be had, what is behind the line is told (RIS, ECMA-48 8.3.105), CAN first, should it be in the middle of a sequence. */
static int run_reset(int argc unused, char **argv unused)
{
	if (!terminal_reset())
		say("\x18\x1b" "c");
	return 0;
}

static int run_help(int argc, char **argv);

static const struct { const char *name, *help; int (*run)(int argc, char **argv); } builtins[] = {
	{ "exit",   "exit [STATUS]          leave this shell", run_exit },
	{ "export", "export NAME=VALUE      the same as set", run_set },
	{ "help",   "help                   this", run_help },
	{ "jobs",   "jobs                   programs in the background", run_jobs },
	{ "kill",   "kill PID...            end programs, those of this shell with all that they have started", run_kill },
	{ "reset",  "reset                  the terminal as it was at first, after a program has left it in disorder", run_reset },
	{ "set",    "set [NAME=VALUE...]    variables, also for programs; NAME=VALUE alone does it too", run_set },
	{ "time",   "time COMMAND...        runs it and says how long that took", run_time },
	{ "unset",  "unset NAME...", run_unset },
	{ "wait",   "wait [PID]             until a program in the background ends, or all", run_wait },
};

static int run_help(int argc unused, char **argv unused)
{
	say("The shell's own commands:\n");
	for (size_t i = 0; i < ARRAY_LEN(builtins); i++)
		say("  %s\n", builtins[i].help);
	say("Programs: ls initfs:///bin. Also any URI of one. Every path is a URI: cat log://, hexdump -n 32 rng://\n"
	    "Signs: ; & && || | < > >> '..' \"..\" \\ $NAME $? #    Keys: arrows, ^A ^E ^K ^U ^W ^L, Tab, ^C ends a program, ^D the shell\n");
	return 0;
}

bool builtin_known(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(builtins); i++)
		if (!strcmp(name, builtins[i].name))
			return true;
	return false;
}

const char *builtin_name(unsigned i)
{
	return i < ARRAY_LEN(builtins) ? builtins[i].name : NULL;
}

bool builtin_run(int argc, char **argv, int *status)
{
	for (size_t i = 0; i < ARRAY_LEN(builtins); i++)
		if (!strcmp(argv[0], builtins[i].name)) {
			*status = builtins[i].run(argc, argv);
			return true;
		}
	return false;
}

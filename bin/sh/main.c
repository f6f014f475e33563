/*
 * sh: the shell of last resort. It lives in the initfs, needs no disk and no file system, and edits its line
 * itself, so that it works on any terminal that shows bytes.
 *
 *	sh                  reads commands from stdin, or from $TTY (tty://serial) if it was given nothing at all
 *	sh -c TEXT          runs TEXT
 *	sh URI              runs the lines of a file
 */
#include <abi/file.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "edit.h"
#include "shell.h"

#define PROMPT "skerry:/$ "
enum { SCRIPT_MAX = 1 * MiB, STATUS_SYNTAX = 2 };

struct shell shell;

static struct edit editor;
static uint64_t read_offset;            /* bytes of shell.in taken so far: how a READ is known again (tty.h of outputd) */

static void write_out(void *ctx unused, const char *data, size_t len)
{
	if (shell.out)
		(void)!file_append_all(shell.out, data, len);
}

void say(const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	int n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n > 0)
		write_out(NULL, text, MIN((size_t)n, sizeof(text) - 1));
}

/* ---- running ---- */

static const char *lookup(void *ctx, const char *name)
{
	char *status = ctx;

	if (strcmp(name, "?") != 0)
		return var_get(name);
	snprintf(status, 12, "%d", shell.status);
	return status;
}

/* The words of a command, expanded, into argv (room for all and a NULL). Their number, or -1: no memory. */
static int expand_words(const struct command *c, char **argv)
{
	char status[12];
	int argc = 0;

	for (int i = 0; i < c->n_words; i++) {
		char *word;
		if (!expand(c->words[i], lookup, status, &word)) {
			while (argc > 0)
				free(argv[--argc]);
			return -1;
		}
		if (word)
			argv[argc++] = word;
	}
	argv[argc] = NULL;
	return argc;
}

static bool all_assignments(const struct command *c)
{
	for (int i = 0; i < c->n_words; i++)
		if (!var_assignment(c->words[i]))
			return false;
	return true;
}

static void run_argv(const struct command *c, int argc, char **argv)
{
	if (all_assignments(c)) {
		shell.status = 0;
		for (int i = 0; i < argc; i++)
			if (!var_set(argv[i])) {
				say("sh: %s: no room for more variables\n", argv[i]);
				shell.status = 1;
			}
	} else if (!builtin_run(argc, argv, &shell.status)) {
		shell.status = job_run(argc, argv, c->background);
	}
}

static void run_command(const struct command *c)
{
	char **argv = malloc(((size_t)c->n_words + 1) * sizeof(*argv));
	int argc = argv ? expand_words(c, argv) : -1;

	if (argc < 0) {
		say("sh: out of memory\n");
		shell.status = 1;
	} else if (argc > 0) {
		run_argv(c, argc, argv);
	}
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	free(argv);
}

void run_line(const char *line)
{
	struct script s;
	const char *error = parse(line, &s);

	if (error) {
		say("sh: %s\n", error);
		shell.status = STATUS_SYNTAX;
		return;
	}
	for (int i = 0; i < s.n && !shell.leaving; i++) {
		enum join join = s.commands[i].join;
		if (join == JOIN_ALWAYS || (join == JOIN_AND) == (shell.status == 0))
			run_command(&s.commands[i]);
	}
	script_free(&s);
}

/* ---- where lines come from ---- */

/* A text of many lines, which it cuts up. */
static void run_text(char *text)
{
	while (text && *text && !shell.leaving) {
		char *line = strsep(&text, "\n");
		run_line(line);
		jobs_reap();
	}
}

static status_t read_in(char *buf, size_t len, size_t *done)
{
	*done = 0;
	status_t st = file_read(shell.in, read_offset, buf, len, done);
	if (st == OK)
		read_offset += *done;
	return st;
}

static void set_raw(void)
{
	(void)!file_ctl(shell.in, CTL_TTY_SET_MODE, (uint64_t[4]){ TTY_NL_TO_CRNL }, 0, NULL);
}

/* One line from the terminal into editor.text. A raw READ never goes past its line: what follows is for the program. */
static enum edit_result edit_line(void)
{
	char buf[256];
	size_t n;

	set_raw();
	edit_start(&editor, PROMPT);
	for (;;) {
		edit_flush(&editor);
		if (read_in(buf, sizeof(buf), &n) < 0 || n == 0)
			return EDIT_END;
		for (size_t i = 0; i < n; i++) {
			enum edit_result r = edit_byte(&editor, (uint8_t)buf[i]);
			if (r != EDIT_MORE) {
				edit_flush(&editor);
				return r;
			}
		}
	}
}

static void run_terminal(void)
{
	uint64_t size[3] = { 0 };

	editor.write = write_out;
	editor.columns = 80;
	if (file_ctl(shell.in, CTL_TTY_GET_SIZE, NULL, 0, size) >= 0 && size[0] > 1 && size[0] < 1000)
		editor.columns = (unsigned)size[0];
	while (!shell.leaving) {
		jobs_reap();
		enum edit_result r = edit_line();
		if (r == EDIT_END) {
			say("exit\n");
			break;
		}
		if (r == EDIT_INTERRUPT) {
			shell.status = 128 + 2;
			continue;
		}
		/* Running it lets the editor's text alone, but history keeps a copy anyway. */
		edit_remember(&editor, editor.text);
		run_line(editor.text);
	}
}

/* Lines from something that is no terminal, one byte at a time: what follows a line is for the program it starts. */
static void run_stream(void)
{
	char *line = NULL;
	size_t len = 0, room = 0, n = 1;

	while (n > 0 && !shell.leaving) {
		if (len + 1 >= room) {
			char *more = len < SCRIPT_MAX ? realloc(line, room ? 2 * room : 256) : NULL;
			if (!more) {
				say("sh: a line is too long\n");
				shell.status = STATUS_SYNTAX;
				break;
			}
			line = more;
			room = room ? 2 * room : 256;
		}
		if (read_in(line + len, 1, &n) < 0)
			n = 0;
		if (n > 0 && line[len] != '\n') {
			len++;
			continue;
		}
		line[len] = 0;
		len = 0;
		run_line(line);
		jobs_reap();
	}
	free(line);
}

/* ---- start ---- */

static status_t open_terminal(void)
{
	const char *uri = env_get("TTY");

	shell.in = start_handle("stdin");
	shell.out = start_handle("stdout");
	if (!shell.in && !shell.out) {
		status_t st = file_open(uri ? uri : "tty://serial", OPEN_READ | OPEN_WRITE, &shell.in);
		if (st < 0) {
			log_print("%s: %s", uri ? uri : "tty://serial", error_text(st));
			return st;
		}
		shell.out = shell.in;
	}
	/* With an output but no input it was started in the background: the terminal is somebody else's then. */
	uint64_t mode[3];
	shell.interactive = shell.in && file_ctl(shell.in, CTL_TTY_GET_MODE, NULL, 0, mode) >= 0;
	return OK;
}

static int run_file(const char *uri)
{
	char *text;
	size_t size;
	status_t st = file_slurp(uri, SCRIPT_MAX, &text, &size);

	if (st < 0) {
		say("sh: %s: %s\n", uri, error_text(st));
		return 127;
	}
	run_text(text);
	free(text);
	return shell.status;
}

int main(int argc, char **argv)
{
	bool text = argc == 3 && !strcmp(argv[1], "-c");

	vars_init();
	if (open_terminal() < 0)
		return 1;
	if (argc > 1 && !text && (argc > 2 || argv[1][0] == '-')) {
		say("sh: usage: sh [-c TEXT | URI]\n");
		return STATUS_SYNTAX;
	}
	status_t st = jobs_init();
	if (st < 0) {
		say("sh: %s\n", error_text(st));
		return 1;
	}
	if (text)
		run_text(argv[2]);
	else if (argc > 1)
		return run_file(argv[1]);
	else if (shell.interactive)
		run_terminal();
	else
		run_stream();
	return shell.status;
}

/*
 * sh: the shell of last resort. It lives in the initfs, needs no disk and no file system, and edits its line
 * itself, so that it works on any terminal that shows bytes.
 *
 *	sh                  reads commands from stdin, or from $TTY (tty://serial) if it was given nothing at all; a terminal that
 *	                    this machine has not is no error
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
static bool own_terminal;               /* it was given nothing, and opened one */
static uint64_t read_offset;            /* bytes of shell.in taken so far: how a READ is known again (tty.h of outputd) */

static void write_to(handle_t h, const char *data, size_t len)
{
	if (h)
		(void)!file_append_all(h, data, len);
}

static void write_out(void *ctx unused, const char *data, size_t len)
{
	write_to(shell.out, data, len);
}

static void write_formatted(handle_t h, const char *format, va_list args)
{
	char text[1024];
	int n = vsnprintf(text, sizeof(text), format, args);

	if (n > 0)
		write_to(h, text, MIN((size_t)n, sizeof(text) - 1));
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_formatted(shell.out, format, args);
	va_end(args);
}

void complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_formatted(shell.terminal, format, args);
	va_end(args);
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
	return c->n_words > 0;
}

static void set_variables(int argc, char **argv)
{
	shell.status = 0;
	for (int i = 0; i < argc; i++)
		if (!var_set(argv[i])) {
			complain("sh: %s: no room for more variables\n", argv[i]);
			shell.status = 1;
		}
}

/* ---- a pipeline: its commands expanded, its pipes and files opened ---- */

void stage_close(struct stage *s)
{
	while (s->n_owned > 0)
		handle_close(s->owned[--s->n_owned]);
	s->in = s->out = 0;
}

static void stage_own(struct stage *s, handle_t h)
{
	s->owned[s->n_owned++] = h;
}

/* Replaces *end by a handle to the file; one that an earlier redirect opened goes. */
static bool redirect(struct stage *s, const struct redirect *r)
{
	static const uint32_t flags[] = {
		[REDIRECT_IN] = OPEN_READ, [REDIRECT_OUT] = OPEN_WRITE | OPEN_CREATE | OPEN_TRUNC,
		[REDIRECT_APPEND] = OPEN_WRITE | OPEN_CREATE | OPEN_APPEND,
	};
	handle_t *end = r->kind == REDIRECT_IN ? &s->in : &s->out, file;
	char status[12], *uri;

	if (!expand(r->word, lookup, status, &uri))
		return false;
	status_t st = uri ? jobs_open(uri, flags[r->kind], &file) : ERR_INVALID;
	if (st < 0)
		complain("sh: %s: %s\n", uri ? uri : r->word, error_text(st));
	free(uri);
	if (st < 0)
		return false;
	for (int i = 0; i < s->n_owned; i++)
		if (s->owned[i] == *end) {
			handle_close(s->owned[i]);
			s->owned[i] = s->owned[--s->n_owned];
		}
	*end = file;
	stage_own(s, file);
	return true;
}

/* A pipe from stage a to the next. */
static bool pipe_between(struct stage *a, struct stage *b)
{
	handle_t write, read;
	status_t st = socket_pair(SOCKET_STREAM, &write, &read);

	if (st < 0) {
		complain("sh: pipe: %s\n", error_text(st));
		return false;
	}
	stage_own(a, a->out = write);
	stage_own(b, b->in = read);
	return true;
}

static bool stage_prepare(struct stage *s, const struct command *c)
{
	s->argv = malloc(((size_t)c->n_words + 1) * sizeof(*s->argv));
	s->argc = s->argv ? expand_words(c, s->argv) : -1;
	if (s->argc < 0) {
		s->argc = 0;
		complain("sh: out of memory\n");
		return false;
	}
	for (int i = 0; i < c->n_redirects; i++)
		if (!redirect(s, &c->redirects[i]))
			return false;
	return true;
}

static void run_pipeline(const struct command *c, int n)
{
	struct stage stages[STAGES_MAX] = { 0 };
	bool background = c[n - 1].background, good = n <= STAGES_MAX;

	if (!good) {
		complain("sh: more than %d commands in a pipeline\n", STAGES_MAX);
		n = 0;
	}
	for (int i = 0; i < n; i++) {
		stages[i].in = i > 0 || background ? 0 : shell.in;
		stages[i].out = shell.out;
	}
	for (int i = 0; good && i < n - 1; i++)
		good = pipe_between(&stages[i], &stages[i + 1]);
	for (int i = 0; good && i < n; i++)
		good = stage_prepare(&stages[i], &c[i]);
	if (!good)
		shell.status = 1;
	else if (n == 1 && all_assignments(c))
		set_variables(stages[0].argc, stages[0].argv);
	else if (n == 1 && stages[0].argc == 0)
		shell.status = 0;
	else
		shell.status = jobs_run(stages, n, background);
	for (int i = 0; i < n; i++) {
		stage_close(&stages[i]);
		for (int k = 0; k < stages[i].argc; k++)
			free(stages[i].argv[k]);
		free(stages[i].argv);
	}
}

void run_line(const char *line)
{
	struct script s;
	const char *error = parse(line, &s);

	if (error) {
		complain("sh: %s\n", error);
		shell.status = STATUS_SYNTAX;
		return;
	}
	shell.interrupted = false;
	for (int i = 0, n = 1; i < s.n && !shell.leaving && !shell.interrupted; i += n) {
		enum join join = s.commands[i].join;
		for (n = 1; i + n < s.n && s.commands[i + n].join == JOIN_PIPE; n++)
			;
		if (join == JOIN_ALWAYS || (join == JOIN_AND) == (shell.status == 0))
			run_pipeline(&s.commands[i], n);
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

/* Asked for each time something is typed: the screen may have got another mode meanwhile. Returns the cursor's column, as far as the terminal knows it. */
static uint64_t terminal_size(unsigned *columns)
{
	uint64_t size[3] = { 0 };

	*columns = editor.columns;
	if (file_ctl(shell.in, CTL_TTY_GET_SIZE, NULL, 0, size) < 0 || size[0] < 2 || size[0] >= 1000)
		return 0;
	*columns = (unsigned)size[0];
	return size[2];
}

/*
 * One line from the terminal into editor.text. A raw READ never goes past its line: what follows is for the program. It goes past ^C, which starts none: what
 * follows that is the next line's.
 */
static enum edit_result edit_line(void)
{
	static char buf[256];
	static size_t at, n;
	unsigned columns;

	set_raw();
	/* What was printed without an end of its line stays, however the line is drawn. */
	if (terminal_size(&editor.columns) > 0)
		say("\n");
	edit_start(&editor, PROMPT);
	for (;;) {
		edit_flush(&editor);
		if (at == n) {
			at = 0;
			if (read_in(buf, sizeof(buf), &n) < 0 || n == 0)
				return EDIT_END;
			(void)terminal_size(&columns);
			edit_resize(&editor, columns);
		}
		while (at < n) {
			enum edit_result r = edit_byte(&editor, (uint8_t)buf[at++]);
			if (r != EDIT_MORE) {
				edit_flush(&editor);
				return r;
			}
		}
	}
}

static void run_terminal(void)
{
	editor.write = write_out;
	editor.complete = shell_complete;
	editor.columns = 80;
	while (!shell.leaving) {
		jobs_reap();
		enum edit_result r = edit_line();
		if (r == EDIT_END) {
			if (!terminal_hung())
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
				complain("sh: a line is too long\n");
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
			if (st != ERR_NOT_FOUND)
				log_print("%s: %s", uri ? uri : "tty://serial", error_text(st));
			return st;
		}
		shell.out = shell.in;
		own_terminal = true;
	}
	shell.terminal = start_handle("stderr") ? start_handle("stderr") : shell.out;
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
		complain("sh: %s: %s\n", uri, error_text(st));
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
	status_t st = open_terminal();
	if (st < 0)
		return st == ERR_NOT_FOUND ? 0 : 1;
	if (argc > 1 && !text && (argc > 2 || argv[1][0] == '-')) {
		complain("sh: usage: sh [-c TEXT | URI]\n");
		return STATUS_SYNTAX;
	}
	st = jobs_init();
	if (st < 0) {
		complain("sh: %s\n", error_text(st));
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
	if (shell.hung)
		jobs_end_all();
	/* Whoever keeps a shell on a terminal starts the next: only one that found no terminal has done its work. */
	return own_terminal && !shell.status ? 1 : shell.status;
}

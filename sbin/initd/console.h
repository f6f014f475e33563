/*
 * console: text to a terminal by submitted commands: initd waits for no service, and what cannot be shown is dropped.
 *
 * Besides the text there is one line without an end, the last on the terminal, which is written over as often as it changes.
 */
#pragma once
#include <rt/svc.h>

enum { CONSOLE_TEXT = 3072, CONSOLE_LINE = 512 };
enum console_state { CONSOLE_CLOSED, CONSOLE_OPENING, CONSOLE_OPEN, CONSOLE_WRITING, CONSOLE_ABSENT };

struct console {
	const char *uri;
	uint64_t token;                 /* of its COMPLETIONs */
	handle_t session;               /* owned */
	int      state;                 /* enum console_state */
	unsigned tries;                 /* of what is under way */
	bool     line_shown;            /* the terminal's last line is one to be written over */
	bool     line_new;
	char     text[CONSOLE_TEXT], line[CONSOLE_LINE], flight[CONSOLE_TEXT + CONSOLE_LINE + 8];    /* flight: lent while under way */
	size_t   text_len, line_len, flight_len;
};

/* uri: borrowed for good. */
void console_init(struct console *c, const char *uri, uint64_t token);
/* What does not fit any more is left out, whole. */
void console_say(struct console *c, const char *text, size_t len);
/* In place of the line that was there; 0: none from now on. */
void console_line(struct console *c, const char *line, size_t len);
/* Sends what there is to send; a terminal that was not there is looked for once more. port: has a command in reserve. */
void console_go(struct console *c, handle_t port);
/* Takes what it needs of the event's handles. */
void console_done(struct console *c, struct event *e);
/* Leaves a terminal that nothing is to be said to; what is said later opens it again. */
void console_leave(struct console *c);
/* Nothing is to be said, or nobody is there to hear it. */
bool console_idle(const struct console *c);

/*
 * console: see console.h. One command is under way at most. A WRITE that fails is sent again through a new Session, a few times: its server
 * may have lost what the old one stood for.
 */
#include "console.h"
#include <abi/file.h>
#include <gen/file.h>
#include <string.h>

enum { TRIES = 3 };
#define TAKE_BACK "\r\033[K"            /* ECMA-48: to the line's beginning, erase to its end */

void console_init(struct console *c, const char *uri, uint64_t token)
{
	*c = (struct console){ .uri = uri, .token = token };
}

static void again(struct console *c)
{
	if (c->state == CONSOLE_ABSENT)
		c->state = CONSOLE_CLOSED;
}

void console_say(struct console *c, const char *text, size_t len)
{
	if (len > sizeof(c->text) - c->text_len)
		return;
	memcpy(c->text + c->text_len, text, len);
	c->text_len += len;
	again(c);
}

void console_line(struct console *c, const char *line, size_t len)
{
	len = MIN(len, sizeof(c->line));
	if (len == c->line_len && !memcmp(line, c->line, len))
		return;
	memcpy(c->line, line, len);
	c->line_len = len;
	c->line_new = true;
	again(c);
}

/* What is to be written next, into `flight`. */
static void load(struct console *c)
{
	size_t n = 0;

	if (c->line_shown) {
		memcpy(c->flight, TAKE_BACK, sizeof(TAKE_BACK) - 1);
		n = sizeof(TAKE_BACK) - 1;
	}
	memcpy(c->flight + n, c->text, c->text_len);
	n += c->text_len;
	memcpy(c->flight + n, c->line, c->line_len);
	c->flight_len = n + c->line_len;
	c->line_shown = c->line_len > 0;
	c->line_new = false;
	c->text_len = 0;
}

static void absent(struct console *c)
{
	c->state = CONSOLE_ABSENT;
	c->text_len = c->flight_len = 0;
	c->line_new = c->line_shown = false;
	c->tries = 0;
}

static void close_session(struct console *c)
{
	if (c->session)
		handle_close(c->session);
	c->session = 0;
	c->state = CONSOLE_CLOSED;
}

static status_t submit_open(struct console *c, handle_t port)
{
	struct msg m = { .op = FILE_OPEN, .flags = IPC_PATH | IPC_URI, .in = c->uri, .in_len = strlen(c->uri) };

	file_open_ask(&m, &(struct file_open_req){ .flags = OPEN_WRITE });
	return ipc_submit(0, &m, port, c->token);
}

static status_t submit_write(struct console *c, handle_t port)
{
	struct msg m = { .op = FILE_WRITE, .in = c->flight, .in_len = c->flight_len };

	file_write_ask(&m, &(struct file_write_req){ 0 });
	return ipc_submit(c->session, &m, port, c->token);
}

void console_go(struct console *c, handle_t port)
{
	if (c->state == CONSOLE_OPENING || c->state == CONSOLE_WRITING || c->state == CONSOLE_ABSENT)
		return;
	if (!c->flight_len && !c->text_len && !c->line_new)
		return;
	if (c->state == CONSOLE_CLOSED) {
		if (submit_open(c, port) == OK)
			c->state = CONSOLE_OPENING;
		else
			absent(c);
		return;
	}
	if (!c->flight_len)
		load(c);
	if (!c->flight_len)
		return;
	if (submit_write(c, port) == OK) {
		c->state = CONSOLE_WRITING;
	} else {
		close_session(c);
		absent(c);
	}
}

void console_done(struct console *c, struct event *e)
{
	if (c->state == CONSOLE_OPENING && e->status >= 0 && e->handles[0]) {
		c->session = e->handles[0];
		e->handles[0] = 0;
		c->state = CONSOLE_OPEN;
	} else if (c->state == CONSOLE_OPENING) {
		absent(c);
	} else if (c->state == CONSOLE_WRITING && e->status >= 0) {
		c->state = CONSOLE_OPEN;
		c->flight_len = 0;
		c->tries = 0;
	} else if (c->state == CONSOLE_WRITING) {
		close_session(c);
		if (++c->tries == TRIES)
			absent(c);
	}
}

void console_leave(struct console *c)
{
	if (c->state == CONSOLE_OPEN && console_idle(c))
		close_session(c);
}

bool console_idle(const struct console *c)
{
	return c->state == CONSOLE_ABSENT || (!c->flight_len && !c->text_len && !c->line_new);
}

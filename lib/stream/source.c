/*
 * source: see source.h.
 */
#include <abi/file.h>
#include <gen/file.h>
#include <rt/file.h>
#include <string.h>
#include "source.h"

/* An open that takes longer is tried again later: its maker is coming up, or busy with its hardware. */
#define OPEN_NS (100 * NS_PER_MS)

status_t source_open(struct source *s)
{
	struct msg m = { .op = FILE_OPEN, .flags = IPC_PATH | IPC_URI, .in = s->uri, .in_len = strlen(s->uri) };
	struct file_open_rep answer;
	uint64_t now;

	if (s->file)
		return OK;
	status_t st = clock_now(&now);
	if (st < 0)
		return st;
	file_open_ask(&m, &(struct file_open_req){ .flags = s->flags });
	m.deadline = now + OPEN_NS;
	st = ipc_call(0, &m);
	if (st < 0)
		return st;
	file_open_answer(&m, &answer);
	if (!m.handles[0])
		return ERR_IO;
	s->file = m.handles[0];
	s->newest = answer.size / sizeof(struct input_event);
	return OK;
}

status_t source_read(struct source *s, handle_t port, uint64_t seen)
{
	struct msg m = { .op = FILE_READ, .out = s->events, .out_len = sizeof(s->events) };

	if (s->reading)
		return OK;
	status_t st = source_open(s);
	if (st < 0)
		return st;
	m.w[0] = seen * sizeof(struct input_event);
	st = ipc_submit(s->file, &m, port, s->token);
	if (st == OK)
		s->reading = true;
	else if (st != ERR_AGAIN)
		file_close(s->file), s->file = 0;
	return st;
}

status_t source_done(struct source *s, const struct event *e, uint64_t seen, size_t *n)
{
	uint64_t bytes = e->w[0];

	s->reading = false;
	*n = 0;
	if (e->status < 0) {
		if (e->status != ERR_INVALID && e->status != ERR_CANCELLED)
			file_close(s->file), s->file = 0;
		return e->status;
	}
	if (bytes > sizeof(s->events) || bytes % sizeof(struct input_event))
		return ERR_BAD_FORMAT;
	for (size_t i = 0; i < bytes / sizeof(struct input_event); i++) {
		if (s->events[i].seq <= seen)
			return ERR_BAD_FORMAT;
		seen = s->events[i].seq;
	}
	*n = bytes / sizeof(struct input_event);
	return OK;
}

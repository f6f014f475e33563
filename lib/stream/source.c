/*
 * source: see source.h.
 */
#include <abi/file.h>
#include <gen/file.h>
#include <rt/file.h>
#include <string.h>
#include "source.h"

static status_t submit_open(struct source *s, handle_t port)
{
	struct msg m = { .op = FILE_OPEN, .flags = IPC_PATH | IPC_URI, .in = s->uri, .in_len = strlen(s->uri) };

	file_open_ask(&m, &(struct file_open_req){ .flags = s->flags });
	return ipc_submit(0, &m, port, s->token);
}

static status_t submit_read(struct source *s, handle_t port, uint64_t seen)
{
	struct msg m = { .op = FILE_READ, .out = s->events, .out_len = sizeof(s->events) };

	file_read_ask(&m, &(struct file_read_req){ .offset = seen * sizeof(struct input_event) });
	return ipc_submit(s->file, &m, port, s->token);
}

status_t source_ask(struct source *s, handle_t port, uint64_t seen)
{
	if (s->asked)
		return OK;
	bool reads = s->file;
	status_t st = reads ? submit_read(s, port, seen) : submit_open(s, port);
	s->asked = st == OK;
	s->opening = s->asked && !reads;
	if (st < 0 && st != ERR_AGAIN && reads)
		file_close(s->file), s->file = 0;
	return st;
}

static status_t opened(struct source *s, const struct event *e)
{
	struct msg m = { 0 };
	struct file_open_rep answer;

	if (e->status < 0)
		return e->status;
	if (!e->handles[0])
		return ERR_IO;
	memcpy(m.w, e->w, sizeof(m.w));
	file_open_answer(&m, &answer);
	s->file = e->handles[0];
	s->newest = answer.size / sizeof(struct input_event);
	return SOURCE_OPENED;
}

status_t source_done(struct source *s, const struct event *e, uint64_t seen, size_t *n)
{
	uint64_t bytes = e->w[0];

	s->asked = false;
	*n = 0;
	if (s->opening) {
		s->opening = false;
		return opened(s, e);
	}
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

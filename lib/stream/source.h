/*
 * source: a stream of another service, read by submitted READs, one at a time, so that its reader waits for nobody.
 * The number of the last event acted on is the caller's to keep (in its state Frame) and to give.
 */
#pragma once
#include <abi/input.h>
#include <rt/ipc.h>

enum { SOURCE_EVENTS = 16 };    /* in one READ: what is made of them must fit between two commits */

struct source {
	const char *uri;
	uint32_t flags;             /* enum open_flags */
	uint64_t token;             /* of its COMPLETIONs */
	handle_t file;              /* 0: closed */
	uint64_t newest;            /* number of the last event when it was opened: what follows is new */
	bool     reading;           /* `events` is lent */
	struct input_event events[SOURCE_EVENTS];
};

/* Opens the stream if it is closed. ERR_NOT_FOUND: there is none (its maker has ended); ERR_TIMED_OUT: its maker does not answer yet. */
must_use status_t source_open(struct source *s);
/*
 * Opens if need be and asks for what comes after number *seen; port: where the COMPLETION goes, with one command of its
 * reserve. OK also if it is reading already. ERR_NOT_FOUND: there is no such stream (its maker has ended).
 */
must_use status_t source_read(struct source *s, handle_t port, uint64_t seen);
/*
 * What the COMPLETION says: the number of good events in s->events (each numbered above `seen`), or an error. ERR_INVALID: the stream
 * has begun anew, the caller starts at 0. Closes the stream when it is gone.
 */
must_use status_t source_done(struct source *s, const struct event *e, uint64_t seen, size_t *n);

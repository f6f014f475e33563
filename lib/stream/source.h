/*
 * source: a stream of another service, opened and read by submitted commands, one at a time, so that its reader waits for nobody.
 * The number of the last event acted on is the caller's to keep (in its state Frame) and to give.
 */
#pragma once
#include <abi/input.h>
#include <rt/ipc.h>

enum { SOURCE_EVENTS = 16 };    /* in one READ: what is made of them must fit between two commits */
enum { SOURCE_OPENED = 1 };

struct source {
	const char *uri;
	uint32_t flags;             /* enum open_flags */
	uint64_t token;             /* of its COMPLETIONs */
	handle_t file;              /* 0: closed */
	uint64_t newest;            /* number of the last event when it was opened: what follows is new */
	bool     asked;             /* a COMPLETION will come; `events` is lent */
	bool     opening;           /* it says whether the stream is open */
	struct input_event events[SOURCE_EVENTS];
};

/*
 * Asks for what comes after number `seen`, or for the stream to be opened if it is closed; port: where the COMPLETION goes, with one
 * command of its reserve. OK also if that is under way. ERR_NOT_FOUND, ERR_GONE: there is no such stream (its maker has ended).
 */
must_use status_t source_ask(struct source *s, handle_t port, uint64_t seen);
/*
 * What the COMPLETION says. OK: *n good events in s->events, each numbered above `seen`. SOURCE_OPENED: the stream has just been opened,
 * ask again. ERR_INVALID: it has begun anew, the caller starts at 0. Closes the stream when it is gone. Takes the event's handle.
 */
must_use status_t source_done(struct source *s, const struct event *e, uint64_t seen, size_t *n);

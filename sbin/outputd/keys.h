/*
 * keys: what is typed on keyboards, from `input://events` (docs/pc.md): it goes to the terminal in front; Alt and F1 to F6 choose which
 * that is.
 */
#pragma once
#include <rt/ipc.h>
#include <stream/source.h>
#include <term/term.h>

/* What counts, as of the last event. */
struct keys_head {
	uint64_t seen;                  /* number of the last event that was acted on */
	struct term_keyboard keyboard;
	uint8_t alt;                    /* which are down: 1 the left one, 2 the right one */
	uint8_t front;                  /* which terminal is seen, 0..VTS - 1 */
	uint8_t begun;                  /* where the stream begins for us is known */
	uint8_t reserved;
};

/* In the state Frame; all zero at first. */
struct keys_kept { uint64_t which; struct keys_head head[2]; };

/* kept: borrowed for good. port: where COMPLETIONs with `token` go, one command of its reserve. retry: its timer of bit `bit` is ours. */
void keys_init(struct keys_kept *kept, handle_t port, uint64_t token, handle_t retry, uint32_t bit);
/* Asks for more, if nothing is under way; also when the timer says so. */
void keys_go(void);
void keys_done(struct event *e);        /* takes its handles */
uint32_t keys_front(void);

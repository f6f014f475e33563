/*
 * screen: one surface of fb:// for all terminals, of the whole screen (docs/pc.md). It shows one of them. Everything is asked for by
 * submitted commands, one at a time, so that nobody waits for fbd.
 */
#pragma once
#include <rt/ipc.h>
#include <term/term.h>

/* In the state Frame; all zero at first. */
struct screen_kept {
	uint64_t check;                 /* over what follows */
	uint32_t width, height;         /* 0: nobody has said yet */
	uint32_t shown;                 /* CTL_FB_SHOW was answered, as far as we know */
	uint32_t lines;                 /* of pixels, from the top, that may have been drawn on */
};

enum screen_presence { SCREEN_UNKNOWN, SCREEN_THERE, SCREEN_ABSENT };

/*
 * kept: borrowed for good. shelf: slot 0 is ours; 0: none. port: where COMPLETIONs with `token` go, one command of its reserve.
 * retry: a Notify whose timer of bit `bit` is ours: then call screen_go. known: is called once, when screen_presence is no longer UNKNOWN.
 */
struct screen_start { struct screen_kept *kept; handle_t shelf, port, retry; uint64_t token; uint32_t bit; size_t memory; unsigned history; void (*known)(void); };
void screen_init(const struct screen_start *start);
/* There is none, whatever fbd says. */
void screen_leave(void);
void screen_go(void);
void screen_done(struct event *e);      /* takes its handles */

enum screen_presence screen_presence(void);
/* What fits onto the screen and into the memory of a terminal; false: there is no screen. */
must_use bool screen_shape(struct term_shape *s);
/* Another terminal is shown from now on (borrowed). */
void screen_show(struct term *t);
/* Draws what changed since, unless the last picture is still under way. */
void screen_draw(void);

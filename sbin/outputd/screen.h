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
	uint32_t rows_max, cols_max, history;   /* for which terminals were laid out in memory; 0: not yet */
	uint32_t reserved;
};

enum screen_presence { SCREEN_UNKNOWN, SCREEN_THERE, SCREEN_ABSENT };

/*
 * kept: borrowed for good. shelf: slot 0 is ours; 0: none. port: where COMPLETIONs with `token` and
 * `token_change` go, a command of its reserve for each.
 * retry: a Notify whose timer of bit `bit` is ours: then call screen_go. known: is called once, when screen_presence is no longer UNKNOWN;
 * resized: whenever screen_shape says something else than before.
 */
struct screen_start { struct screen_kept *kept; handle_t shelf, port, retry; uint64_t token, token_change; uint32_t bit; size_t memory; unsigned history; void (*known)(void), (*resized)(void); };
void screen_init(const struct screen_start *start);
/* There is none, whatever fbd says. */
void screen_leave(void);
void screen_go(void);
void screen_done(struct event *e);      /* takes its handles */
void screen_changed(const struct event *e);     /* of token_change */

enum screen_presence screen_presence(void);
/* What fits onto the screen and into the memory of a terminal as it was laid out the first time. False: there is no screen. */
must_use bool screen_shape(struct term_shape *s);
/* Another terminal is shown from now on (borrowed). */
void screen_show(struct term *t);
/* Draws what changed since, unless the last picture is still under way. */
void screen_draw(void);

/*
 * draw: what changed of a terminal, as pixels 0x00RRGGBB in memory of the caller's. Pure: who shows them is told which rectangles.
 */
#pragma once
#include <font/font.h>
#include "term.h"

struct term_surface {
	uint32_t *pixels;                       /* borrowed */
	uint32_t width, height, stride;         /* in pixels */
};
struct term_rect { uint32_t x, y, width, height; };

struct term_face {
	const struct font *font;                /* borrowed */
	unsigned scale;                         /* pixels of the screen for one of the font, 1..TERM_SCALE_MAX */
	uint32_t fg, bg;                        /* the default colours */
	uint32_t palette[16];
};
enum { TERM_SCALE_MAX = 8 };

/*
 * What is on the surface. begun: false: of another terminal or another instance, so all is drawn. lines: of pixels, from the top, that may have been drawn on:
 * those below have the colour of the default background all over. All zero: a surface that was just made.
 */
struct term_drawn {
	bool begun;
	struct term_cursor cursor;
	uint32_t lines;
};

/* A scale at which text can be read on a screen of this size: 1 up to 1080 lines, 3 at 2160. */
unsigned term_scale(uint32_t width, uint32_t height);
/* Light text on black, which a fresh surface is, in the colours of xterm. */
void term_face_begin(struct term_face *f, const struct font *font, unsigned scale);
/* Rows and columns that fit; false: not TERM_ROWS_MIN of TERM_COLS_MIN. */
must_use bool term_fit(const struct term_surface *s, unsigned scale, unsigned *rows, unsigned *cols);
/* 0x00RRGGBB of a colour as cells have it. */
uint32_t term_colour(const struct term_face *f, uint32_t colour, uint32_t otherwise);

/* How many lines from the top the next term_draw reads or writes: at least d->lines; that many it will be then. */
uint32_t term_draw_lines(const struct term *t, const struct term_drawn *d, const struct term_face *f, const struct term_surface *s);
/*
 * Draws what changed since the last call, and says where: at most `room` (> 0) rectangles inside the surface, their number returned. The terminal begins at the
 * upper left corner; what does not fit is left out, what is left over gets the default background. What was only scrolled is copied in the surface, not drawn.
 */
size_t term_draw(struct term *t, struct term_drawn *d, const struct term_face *f, const struct term_surface *s, struct term_rect *rects, size_t room);

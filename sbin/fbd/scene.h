/*
 * scene: which surface gives each pixel of the screen (pure: pixels come and go through two functions).
 */
#pragma once
#include "rect.h"

#define SCENE_BAND 16384                /* pixels put together at a time; no screen is wider or higher */

struct scene_surface {
	uint64_t order;                 /* the highest is in front; 0: hidden, or none */
	int32_t  x, y;                  /* of its left upper corner on the screen */
	uint32_t width, height;         /* pixels, each < 2^16 */
	bool     blank;                 /* all is black while it is in front */
	int32_t  pointer_x, pointer_y;  /* where its cursor's hot spot is on the screen */
	uint32_t cursor_width, cursor_height;   /* 0: none; at most FB_CURSOR_MAX */
	uint32_t hot_x, hot_y;
	const uint32_t *cursor;         /* borrowed: cursor_width * cursor_height pixels 0xAARRGGBB */
};

struct scene {
	struct rect screen;             /* from 0, 0 */
	struct scene_surface surface[FB_SURFACES_MAX];
	/* `n` pixels from number `first` of a surface on; what it does not have is black. */
	void (*get)(void *ctx, uint32_t surface, uint64_t first, uint32_t *to, size_t n);
	/* A piece of line y of the screen. */
	void (*put)(void *ctx, uint32_t x, uint32_t y, const uint32_t *from, size_t n);
	void *ctx;
};

struct rect scene_place(const struct scene_surface *s);         /* where it lies on the screen, and beyond */
struct rect scene_cursor(const struct scene_surface *s);        /* where its cursor lies */
/* Draws what `area` (cut to the screen) has to show. */
void scene_draw(const struct scene *s, struct rect area);

/*
 * display: what a picture is drawn on: the firmware's framebuffer (screen.h) or a virtio-gpu (gpu.h).
 */
#pragma once
#include "rect.h"
#include <gen/errors.h>

struct display {
	uint32_t width, height;         /* pixels */
	uint32_t bits;                  /* of a pixel */
	bool     seen;                  /* it is ours: what is drawn there is on the screen */
	/* A piece of a line inside it, which is ours. */
	void (*put)(struct display *d, uint32_t x, uint32_t y, const uint32_t *from, size_t n);
	/* What was put into these rectangles (inside it) is on the screen. An error: this display is no more. */
	status_t (*present)(struct display *d, const struct damage *rects);
};

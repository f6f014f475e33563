/*
 * screen: the firmware's framebuffer, mapped write-combining, written and never read.
 */
#pragma once
#include "pixel.h"
#include <abi/boot.h>
#include <gen/errors.h>

struct screen {
	uint32_t width, height;         /* pixels */
	struct pixel_format format;
	uint64_t base, size;            /* physical; bytes */
	uint32_t stride;                /* bytes from line to line */
	uint8_t *pixels;                /* NULL: not taken */
};

/* Takes the description over. False: there is no framebuffer, or none that could be as described. */
bool screen_init(struct screen *s, const struct boot_framebuffer *fb);
/* Takes the screen from the kernel's log, for good. resource: RES_PHYS over just it. May be called again. */
must_use status_t screen_take(struct screen *s, handle_t resource);
/* A piece of a line inside the screen, which has been taken. */
void screen_put(const struct screen *s, uint32_t x, uint32_t y, const uint32_t *from, size_t n);

/*
 * screen: the firmware's framebuffer as display, mapped write-combining, written and never read.
 */
#pragma once
#include "display.h"
#include "pixel.h"
#include <abi/boot.h>

struct screen {
	struct display display;         /* first: `put` knows it by that */
	struct pixel_format format;
	uint64_t base, size;            /* physical; bytes */
	uint32_t stride;                /* bytes from line to line */
	uint8_t *pixels;                /* NULL: not taken */
};

/* Takes the description over. False: there is no framebuffer, or none that could be as described. */
bool screen_init(struct screen *s, const struct boot_framebuffer *fb);
/* Takes the screen from the kernel's log, for good. resource: RES_PHYS over just it. May be called again. */
must_use status_t screen_take(struct screen *s, handle_t resource);

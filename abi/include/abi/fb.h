/*
 * fb: the screen, `fb://` (docs/pc.md). An OPEN gives a Session of one's own; CTL_FB_SURFACE makes it a surface, MAP (protection
 * PROT_READ | PROT_WRITE) gives its Frame of 32-bit pixels 0x00RRGGBB, line after line without gaps. All but
 * CTL_FB_INFO and CTL_FB_WAIT need RIGHT_WRITE, and all but these, CTL_FB_SURFACE and CTL_FB_MODE a surface (else ERR_INVALID). What is answered is on the screen.
 */
#pragma once
#include <abi/types.h>

enum ctl_fb {
	CTL_FB_INFO = 64,       /* -> width, height, bits of a pixel on the screen */
	CTL_FB_SURFACE = 65,    /* arg0, arg1: width, height, at most the screen's. Again with another size: a fresh Frame, hidden; the old one's
	                           pages go at once. The same size: nothing. arg2: 0: its pages are there from the beginning; FB_SPARSE: each is made when it
	                           is written or committed (vmem_commit), and shows black until then. ERR_LIMIT: FB_SURFACES_MAX */
	CTL_FB_DAMAGE = 66,     /* in: 1 to FB_RECTS_MAX struct fb_rect in the surface's pixels; what lies outside is cut off */
	CTL_FB_SHOW = 67,       /* arg0, arg1: where its left upper corner is on the screen (int32_t); arg2: 0: shown, in front of all others; 1: hidden */
	CTL_FB_CURSOR = 68,     /* arg0, arg1: width, height (0: none; at most FB_CURSOR_MAX), arg2, arg3: hot spot; in: pixels 0xAARRGGBB */
	CTL_FB_POINTER = 69,    /* arg0, arg1: where the hot spot is on the screen (int32_t); a surface's cursor shows while that is in front */
	CTL_FB_BLANK = 70,      /* arg0: 1: while this surface is in front, all is black; 0: no longer */
	/*
	 * arg0, arg1: width, height that the screen gets; surfaces stay as they are, what lies outside is not seen. 0, 0: what it would like best,
	 * and what it would like later. ERR_NOT_SUPPORTED: it has one size, and that is another. ERR_INVALID, ERR_NO_MEMORY: the screen cannot. On an error nothing changes.
	 */
	CTL_FB_MODE = 90,
	/*
	 * arg0: the number of the last change that is known, 0: none -> number, width, height: when there is another one. The screen has another
	 * size, or would like one (fb://modes says which). ERR_LIMIT: too many wait.
	 */
	CTL_FB_WAIT = 91,
};

#define FB_SPARSE       1
#define FB_SURFACES_MAX 16
#define FB_RECTS_MAX    64
#define FB_CURSOR_MAX   64      /* pixels each way */

struct fb_rect { int32_t x, y; uint32_t width, height; };
_Static_assert(sizeof(struct fb_rect) == 16, "wire");

/*
 * rect: rectangles of pixels, and short lists of those that are to be drawn again (pure).
 */
#pragma once
#include <abi/fb.h>
#include <abi/types.h>

/* From x0, y0 to before x1, y1; nothing if x1 <= x0 or y1 <= y0. Wide numbers: no sum of two 32-bit ones overflows. */
struct rect { int64_t x0, y0, x1, y1; };

#define DAMAGE_MAX 8

/* Rectangles that do not overlap much; together they cover all that was added. */
struct damage {
	struct rect list[DAMAGE_MAX];
	uint32_t n;
};

static inline bool rect_empty(struct rect r)
{
	return r.x1 <= r.x0 || r.y1 <= r.y0;
}

struct rect rect_of(struct fb_rect r, int32_t dx, int32_t dy);          /* moved by dx, dy */
struct rect rect_cut(struct rect a, struct rect b);                     /* what both cover */
struct rect rect_join(struct rect a, struct rect b);                    /* the smallest that covers both, neither empty */
bool rect_inside(struct rect in, struct rect out);                      /* `in` lies wholly in `out` */
int64_t rect_area(struct rect r);                                       /* pixels; sides below 2^31 */
/* Adds what of r lies in `screen`; joins what touches, and the two that waste least where the list is full. */
void damage_add(struct damage *d, struct rect r, struct rect screen);

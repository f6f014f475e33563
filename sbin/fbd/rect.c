/*
 * rect: see rect.h.
 */
#include "rect.h"

struct rect rect_of(struct fb_rect r, int32_t dx, int32_t dy)
{
	int64_t x = (int64_t)r.x + dx, y = (int64_t)r.y + dy;
	return (struct rect){ x, y, x + r.width, y + r.height };
}

struct rect rect_cut(struct rect a, struct rect b)
{
	return (struct rect){ MAX(a.x0, b.x0), MAX(a.y0, b.y0), MIN(a.x1, b.x1), MIN(a.y1, b.y1) };
}

struct rect rect_join(struct rect a, struct rect b)
{
	return (struct rect){ MIN(a.x0, b.x0), MIN(a.y0, b.y0), MAX(a.x1, b.x1), MAX(a.y1, b.y1) };
}

bool rect_inside(struct rect in, struct rect out)
{
	return in.x0 >= out.x0 && in.y0 >= out.y0 && in.x1 <= out.x1 && in.y1 <= out.y1;
}

int64_t rect_area(struct rect r)
{
	return rect_empty(r) ? 0 : (r.x1 - r.x0) * (r.y1 - r.y0);
}

/* Pixels drawn for nothing, or (below 0) not drawn twice, if these two become one. */
static int64_t waste(struct rect a, struct rect b)
{
	return rect_area(rect_join(a, b)) - rect_area(a) - rect_area(b);
}

static void take_out(struct damage *d, uint32_t i)
{
	d->list[i] = d->list[--d->n];
}

void damage_add(struct damage *d, struct rect r, struct rect screen)
{
	r = rect_cut(r, screen);
	if (rect_empty(r))
		return;
	/* A join may touch others in turn; each takes one out, so this ends. */
	for (uint32_t i = 0; i < d->n;) {
		if (waste(d->list[i], r) > 0) {
			i++;
			continue;
		}
		r = rect_join(d->list[i], r);
		take_out(d, i);
		i = 0;
	}
	if (d->n == DAMAGE_MAX) {
		uint32_t best = 0;
		for (uint32_t i = 1; i < d->n; i++)
			if (waste(d->list[i], r) < waste(d->list[best], r))
				best = i;
		r = rect_join(d->list[best], r);
		take_out(d, best);
	}
	d->list[d->n++] = r;
}

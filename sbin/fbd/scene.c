/*
 * scene: see scene.h. Surfaces hide what is under them, so a band begins with the front one that covers all of it.
 */
#include "pixel.h"
#include "scene.h"
#include <string.h>

static uint32_t band[SCENE_BAND];

struct rect scene_place(const struct scene_surface *s)
{
	return rect_of((struct fb_rect){ 0, 0, s->width, s->height }, s->x, s->y);
}

struct rect scene_cursor(const struct scene_surface *s)
{
	struct rect r = rect_of((struct fb_rect){ 0, 0, s->cursor_width, s->cursor_height }, s->pointer_x, s->pointer_y);
	return (struct rect){ r.x0 - s->hot_x, r.y0 - s->hot_y, r.x1 - s->hot_x, r.y1 - s->hot_y };
}

/* Shown surfaces, the one in front first; of equal ones (damaged state) the first. */
static uint32_t sorted(const struct scene *s, uint32_t list[FB_SURFACES_MAX])
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < FB_SURFACES_MAX; i++) {
		uint32_t at = n;
		if (!s->surface[i].order)
			continue;
		for (n++; at > 0 && s->surface[list[at - 1]].order < s->surface[i].order; at--)
			list[at] = list[at - 1];
		list[at] = i;
	}
	return n;
}

/* What of surface `i` lies in `area` into the band, which holds exactly `area`. */
static void add_surface(const struct scene *s, uint32_t i, struct rect area)
{
	const struct scene_surface *f = &s->surface[i];
	struct rect piece = rect_cut(scene_place(f), area);
	size_t width = (size_t)(area.x1 - area.x0), n = rect_empty(piece) ? 0 : (size_t)(piece.x1 - piece.x0);

	if (n == 0)
		return;
	uint64_t first = (uint64_t)(piece.y0 - f->y) * f->width + (uint64_t)(piece.x0 - f->x);
	uint32_t *to = band + (size_t)(piece.y0 - area.y0) * width + (size_t)(piece.x0 - area.x0);
	if (n == width && n == f->width) {
		s->get(s->ctx, i, first, to, n * (size_t)(piece.y1 - piece.y0));
		return;
	}
	for (int64_t y = piece.y0; y < piece.y1; y++, first += f->width, to += width)
		s->get(s->ctx, i, first, to, n);
}

static void add_cursor(const struct scene_surface *f, struct rect area)
{
	struct rect whole = scene_cursor(f), piece = rect_cut(whole, area);
	size_t width = (size_t)(area.x1 - area.x0);

	for (int64_t y = piece.y0; y < piece.y1; y++)
		for (int64_t x = piece.x0; x < piece.x1; x++) {
			uint32_t *p = &band[(size_t)(y - area.y0) * width + (size_t)(x - area.x0)];
			*p = pixel_blend(f->cursor[(size_t)(y - whole.y0) * f->cursor_width + (size_t)(x - whole.x0)], *p);
		}
}

void scene_draw(const struct scene *s, struct rect area)
{
	uint32_t list[FB_SURFACES_MAX], n = sorted(s, list), deep = 0;

	area = rect_cut(area, s->screen);
	if (rect_empty(area))
		return;
	bool blank = n > 0 && s->surface[list[0]].blank, covered = false;
	while (!blank && !covered && deep < n)
		covered = rect_inside(area, scene_place(&s->surface[list[deep++]]));
	size_t width = (size_t)(area.x1 - area.x0);
	int64_t rows = (int64_t)(SCENE_BAND / width);
	for (struct rect b = area; b.y0 < area.y1; b.y0 = b.y1) {
		b.y1 = MIN(b.y0 + rows, area.y1);
		if (!covered)
			memset(band, 0, (size_t)(b.y1 - b.y0) * width * sizeof(band[0]));
		for (uint32_t i = deep; i-- > 0;)
			add_surface(s, list[i], b);
		if (n > 0 && !blank)
			add_cursor(&s->surface[list[0]], b);
		for (int64_t y = b.y0; y < b.y1; y++)
			s->put(s->ctx, (uint32_t)b.x0, (uint32_t)y, band + (size_t)(y - b.y0) * width, width);
	}
}

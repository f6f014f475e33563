/*
 * surfaces: what clients draw into, and how it comes to the screen: places in the state Frame, Frames of pixels on the shelf.
 *
 * A client may shrink its Frame or write there at any time: pixels are read with frame_read, and what is not there is black. The Frame is
 * charged to us: its pages are made at once, so that no client faults for want of them, unless it will see to them itself (FB_SPARSE), and
 * taken back with the surface, whoever still has it mapped.
 */
#include "inside.h"
#include <rt/io.h>
#include <rt/start.h>
#include <stdio.h>
#include <string.h>

struct scene scene;
static handle_t frames[FB_SURFACES_MAX];        /* of the shelf's slots; 0: not fetched */

/* ---- pixels ---- */

static void forget_frame(uint32_t i)
{
	if (frames[i])
		handle_close(frames[i]);
	frames[i] = 0;
}

static status_t frame_of(uint32_t i)
{
	status_t st = frames[i] ? OK : shelf_get(state.shelf, i, &frames[i]);
	if (st < 0)
		frames[i] = 0;
	return st;
}

/* What place i has no more, and what lies in its slot without belonging there. */
static void drop_frame(uint32_t i)
{
	if (frame_of(i) == OK)
		(void)!frame_resize(frames[i], PAGE_SIZE);
	forget_frame(i);
	MUST(shelf_clear(state.shelf, i));
}

static status_t make_frame(uint64_t size, bool sparse, handle_t *frame)
{
	uint64_t va;
	status_t st = frame_create(size, 0, frame);

	if (st < 0 || sparse)
		return st;
	st = vmem_map(0, *frame, 0, 0, size, PROT_READ | PROT_WRITE, &va);
	if (st == OK) {
		st = vmem_commit(0, va, size);
		MUST(vmem_unmap(0, va, size));
	}
	if (st < 0)
		handle_close(*frame);
	return st;
}

static void get(void *ctx unused, uint32_t i, uint64_t first, uint32_t *to, size_t n)
{
	uint64_t done = 0, bytes = n * sizeof(*to);

	if (frame_of(i) < 0 || frame_read(frames[i], first * sizeof(*to), to, bytes, &done) < 0)
		done = 0;
	memset((char *)to + done, 0, bytes - done);
}

static void put(void *ctx unused, uint32_t x, uint32_t y, const uint32_t *from, size_t n)
{
	display->put(display, x, y, from, n);
}

/* ---- what there is to draw ---- */

/* A place as the scene wants it; the cursor's picture is the place's own. */
static void to_scene(uint32_t i)
{
	const struct place *p = &kept->place[i];

	scene.surface[i] = (struct scene_surface){
		.order = p->badge && p->width ? p->order : 0, .x = p->x, .y = p->y, .width = p->width, .height = p->height, .blank = p->blank,
		.pointer_x = p->pointer_x, .pointer_y = p->pointer_y, .cursor_width = p->cursor_width, .cursor_height = p->cursor_height,
		.hot_x = p->hot_x, .hot_y = p->hot_y, .cursor = p->cursor,
	};
}

static bool in_front(uint32_t i)
{
	for (uint32_t k = 0; k < FB_SURFACES_MAX; k++)
		if (scene.surface[k].order > scene.surface[i].order)
			return false;
	return scene.surface[i].order > 0;
}

static void compose(const struct damage *d)
{
	for (uint32_t i = 0; i < d->n; i++)
		scene_draw(&scene, d->list[i]);
}

static void draw(const struct damage *d)
{
	if (!display->seen)
		return;
	compose(d);
	status_t st = display->present(display, d);
	if (st < 0)
		output_lost(st);
}

void surfaces_compose(void)
{
	compose(&(struct damage){ .list = { scene.screen }, .n = 1 });
}

void surfaces_draw(void)
{
	draw(&(struct damage){ .list = { scene.screen }, .n = 1 });
}

static void add_cursor(struct damage *d, uint32_t i)
{
	if (in_front(i))
		damage_add(d, scene_cursor(&scene.surface[i]), scene.screen);
}

/* Place i has changed: what it covered before is drawn again, and what it covers now. All, if what is in front changes or is blank. */
static void changed(uint32_t i, bool all)
{
	struct damage d = { .n = 0 };
	bool was_front = in_front(i);

	if (scene.surface[i].order)
		damage_add(&d, scene_place(&scene.surface[i]), scene.screen);
	to_scene(i);
	if (scene.surface[i].order)
		damage_add(&d, scene_place(&scene.surface[i]), scene.screen);
	if (all || was_front != in_front(i))
		damage_add(&d, scene.screen, scene.screen);
	draw(&d);
}

static void pointer_changed(uint32_t i)
{
	struct damage d = { .n = 0 };

	add_cursor(&d, i);
	to_scene(i);
	add_cursor(&d, i);
	draw(&d);
}

/* ---- surfaces ---- */

status_t surface_of(const struct svc_cmd *c, uint32_t *i)
{
	if (!(c->rights & RIGHT_WRITE))
		return ERR_DENIED;
	for (*i = 0; *i < FB_SURFACES_MAX; ++*i)
		if (c->badge && kept->place[*i].badge == c->badge)
			return kept->place[*i].width ? OK : ERR_INVALID;
	return ERR_INVALID;
}

/* Its own place, or a free one. */
static status_t place_for(uint64_t badge, uint32_t *i)
{
	for (*i = 0; *i < FB_SURFACES_MAX; ++*i)
		if (kept->place[*i].badge == badge)
			return OK;
	for (*i = 0; *i < FB_SURFACES_MAX; ++*i)
		if (!kept->place[*i].badge)
			return OK;
	return ERR_LIMIT;
}

status_t surface_make(const struct svc_cmd *c, const struct file_ctl_req *q)
{
	uint64_t width = q->arg0, height = q->arg1, flags = q->arg2;
	handle_t frame;
	uint32_t i;

	if (!(c->rights & RIGHT_WRITE))
		return ERR_DENIED;
	if (c->badge < FILES_END || !width || !height || width > display->width || height > display->height || flags & ~(uint64_t)FB_SPARSE)
		return ERR_INVALID;
	status_t st = place_for(c->badge, &i);
	struct place *p = &kept->place[i];
	if (st < 0 || (p->badge && p->width == width && p->height == height))
		return st;
	st = make_frame(ALIGN_UP(width * height * sizeof(uint32_t), PAGE_SIZE), flags & FB_SPARSE, &frame);
	if (st < 0)
		return st;
	/* Between the old size and the new one it has none, so that no size is believed of another's Frame. */
	if (p->badge)
		p->width = 0;
	else
		*p = (struct place){ .badge = 0 };
	in_order();
	drop_frame(i);
	st = shelf_put(state.shelf, i, frame);
	if (st < 0) {
		handle_close(frame);
		changed(i, false);
		return st;
	}
	frames[i] = frame;
	p->order = 0;
	p->height = (uint32_t)height;
	in_order();
	p->width = (uint32_t)width;
	in_order();
	p->badge = c->badge;
	changed(i, false);
	return OK;
}

status_t surface_damage(const struct svc_cmd *c, uint32_t i)
{
	struct fb_rect rects[FB_RECTS_MAX];
	const struct scene_surface *s = &scene.surface[i];
	struct damage d = { .n = 0 };

	if (!c->in_len || c->in_len % sizeof(rects[0]) || c->in_len > sizeof(rects))
		return ERR_INVALID;
	status_t st = svc_read_in(c->cmd, 0, rects, c->in_len);
	if (st < 0 || !s->order)
		return st;
	struct rect visible = rect_cut(scene_place(s), scene.screen);
	for (size_t k = 0; k < c->in_len / sizeof(rects[0]); k++)
		damage_add(&d, rect_of(rects[k], s->x, s->y), visible);
	draw(&d);
	return OK;
}

static bool is_position(uint64_t v)
{
	return (int64_t)v >= INT32_MIN && (int64_t)v <= INT32_MAX;
}

status_t surface_show(uint32_t i, const struct file_ctl_req *q)
{
	struct place *p = &kept->place[i];
	bool first = !display->seen;

	if (!is_position(q->arg0) || !is_position(q->arg1) || q->arg2 > 1)
		return ERR_INVALID;
	if (q->arg2) {
		p->order = 0;
		changed(i, p->blank);
		return OK;
	}
	status_t st = output_take();
	if (st < 0)
		return st;
	p->x = (int32_t)q->arg0;
	p->y = (int32_t)q->arg1;
	kept->order++;
	in_order();
	p->order = kept->order;
	changed(i, first);
	return OK;
}

status_t surface_cursor(const struct svc_cmd *c, uint32_t i, const struct file_ctl_req *q)
{
	uint32_t picture[FB_CURSOR_MAX * FB_CURSOR_MAX];
	struct place *p = &kept->place[i];

	if (q->arg0 > FB_CURSOR_MAX || q->arg1 > FB_CURSOR_MAX || !q->arg0 != !q->arg1 || c->in_len != q->arg0 * q->arg1 * sizeof(uint32_t)
	    || (q->arg0 ? q->arg2 >= q->arg0 || q->arg3 >= q->arg1 : q->arg2 || q->arg3))
		return ERR_INVALID;
	status_t st = c->in_len ? svc_read_in(c->cmd, 0, picture, c->in_len) : OK;
	if (st < 0)
		return st;
	struct damage d = { .n = 0 };
	add_cursor(&d, i);
	p->cursor_width = 0;
	in_order();
	memcpy(p->cursor, picture, c->in_len);
	p->cursor_height = (uint32_t)q->arg1;
	p->hot_x = (uint32_t)q->arg2;
	p->hot_y = (uint32_t)q->arg3;
	in_order();
	p->cursor_width = (uint32_t)q->arg0;
	to_scene(i);
	add_cursor(&d, i);
	draw(&d);
	return OK;
}

status_t surface_pointer(uint32_t i, const struct file_ctl_req *q)
{
	if (!is_position(q->arg0) || !is_position(q->arg1))
		return ERR_INVALID;
	kept->place[i].pointer_x = (int32_t)q->arg0;
	kept->place[i].pointer_y = (int32_t)q->arg1;
	pointer_changed(i);
	return OK;
}

status_t surface_blank(uint32_t i, uint64_t on)
{
	if (on > 1)
		return ERR_INVALID;
	kept->place[i].blank = (uint32_t)on;
	changed(i, in_front(i));
	return OK;
}

void surface_close(uint64_t badge)
{
	for (uint32_t i = 0; i < FB_SURFACES_MAX; i++) {
		if (badge < FILES_END || kept->place[i].badge != badge)
			continue;
		kept->place[i].badge = 0;
		in_order();
		changed(i, false);
		drop_frame(i);
	}
}

status_t surface_frame(uint32_t i, handle_t *frame)
{
	status_t st = frame_of(i);

	*frame = frames[i];
	return st;
}

size_t surfaces_text(char *text, size_t size)
{
	size_t n = 0;

	for (uint32_t i = 0; i < FB_SURFACES_MAX; i++) {
		const struct scene_surface *s = &scene.surface[i];
		if (kept->place[i].badge && n < size)
			n += (size_t)snprintf(text + n, size - n, "surface %ux%u at %d %d%s\n", s->width, s->height, s->x, s->y,
			                      !s->order ? " hidden" : in_front(i) ? " front" : "");
	}
	return MIN(n, size - 1);
}

/* ---- what an earlier instance left ---- */

static bool place_good(const struct place *p, uint32_t i)
{
	return p->badge >= FILES_END && p->width <= SCENE_BAND && p->height <= SCENE_BAND && p->order <= kept->order && p->blank <= 1
	       && p->cursor_width <= FB_CURSOR_MAX && p->cursor_height <= FB_CURSOR_MAX && p->hot_x < FB_CURSOR_MAX && p->hot_y < FB_CURSOR_MAX
	       && (!p->width || (p->height && frame_of(i) == OK));
}

static bool recorded(void *ctx unused, uint32_t slot)
{
	return slot < FB_SURFACES_MAX && kept->place[slot].badge && kept->place[slot].width;
}

void surfaces_begin(void)
{
	scene = (struct scene){ .get = get, .put = put };
	for (uint32_t i = 0; i < FB_SURFACES_MAX; i++) {
		if (kept->place[i].badge && !place_good(&kept->place[i], i)) {
			log_print("surface %u, as an earlier instance left it, cannot be: it is gone", i);
			kept->place[i].badge = 0;
		}
		if (!recorded(NULL, i))
			drop_frame(i);
		to_scene(i);
	}
	MUST(state_sweep(&state, recorded, NULL));
}

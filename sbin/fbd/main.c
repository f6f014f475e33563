/*
 * fbd: the screen, `fb://` (abi/fb.h, docs/pc.md). Killed at any instruction, it shows as nothing: the next instance draws all again.
 *
 * A Session's badge is a number that is never used again, and stands for nothing until CTL_FB_SURFACE gives it a place in the state
 * Frame, whose Frame of pixels lies in the shelf's slot of the same number. So an OPEN that is delivered again leaves nothing behind.
 * Everything else sets absolute values: doing it twice does no harm. A place is taken by the store of its badge, last, and given up by
 * erasing it, first. What is read back is checked: what does not fit the screen is dropped.
 *
 * A client may shrink its Frame or write there at any time: pixels are read with frame_read, and what is not there is black. The Frame is
 * charged to us: its pages are made at once, so that no client faults for want of them, unless it will see to them itself (FB_SPARSE), and
 * taken back with the surface, whoever still has it mapped.
 *
 * What is drawn on is the firmware's framebuffer, or a virtio-gpu: where there is no such framebuffer, or it is the virtio-gpu's and
 * somebody wants another size. Which of them, and what size, is one word in the state Frame; the next instance makes it so again. A device that
 * fails is let go: back to the framebuffer, or, without one, to an orderly end.
 *
 * Files: rect.c damage, scene.c composition, pixel.c conversion, screen.c the framebuffer, gpu.c the virtio-gpu; here is the protocol.
 */
#include "gpu.h"
#include "scene.h"
#include "screen.h"
#include <abi/file.h>
#include <gen/file.h>
#include <pci/name.h>
#include <rt/clock.h>
#include <rt/io.h>
#include <rt/start.h>
#include <rt/state.h>
#include <rt/svc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION        2
#define SESSION_RIGHTS (RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER)
#ifndef KEPT_STORED
#define KEPT_STORED()                   /* after each step of what is kept; the test dies there */
#endif

enum { FILE_MODE = 1, FILE_MODES, FILES_END };  /* badges of files; that of a Session to draw with is larger */
enum { BADGE_GPU = 1, CMDLINE_MAX = 4096, WAITING_MAX = 64 };

/* kept->mode: how a virtio-gpu is driven; 0: none is. */
#define MODE_DRIVEN    (1ull << 63)
#define MODE_FOLLOWS   (1ull << 62)             /* it gets the size that it would like best, whenever that changes */
#define MODE_OF(at, width, height) (MODE_DRIVEN | (uint64_t)(at) << 32 | (uint64_t)(width) << 16 | (height))
#define MODE_AT(mode)     ((uint16_t)((mode) >> 32))
#define MODE_WIDTH(mode)  ((uint32_t)((mode) >> 16 & 0xffff))
#define MODE_HEIGHT(mode) ((uint32_t)((mode) & 0xffff))
_Static_assert(SCENE_BAND <= 0xffff, "a side has 16 bits");

struct place {
	uint64_t badge;                 /* 0: free */
	uint64_t order;                 /* of the last CTL_FB_SHOW; 0: hidden */
	uint32_t width, height;         /* width 0: it has no Frame */
	int32_t  x, y, pointer_x, pointer_y;
	uint32_t blank;
	uint32_t cursor_width, cursor_height, hot_x, hot_y;
	uint32_t reserved;
	uint32_t cursor[FB_CURSOR_MAX * FB_CURSOR_MAX];
};

static struct kept {
	uint64_t order;                 /* the last one given */
	uint64_t taken;                 /* the screen is ours, and shows what we drew */
	uint64_t mode;                  /* stored as a whole */
	uint64_t begun;                 /* what the command line says has been done */
	uint64_t changes;               /* a number that grows when the mode, or what it could be, changes; before the mode does */
	struct place place[FB_SURFACES_MAX];
} *kept;                                /* in the state Frame */

static struct state state;
static struct svc svc;
static struct screen screen;            /* the firmware's framebuffer, */
static bool has_screen;                 /* if there is one */
static struct display *display;         /* that, or the virtio-gpu */
static struct scene scene;
static handle_t resource;
static handle_t frames[FB_SURFACES_MAX];        /* of the shelf's slots; 0: not fetched */
static cmd_id_t waiting[WAITING_MAX];   /* for a change; oldest first */
static uint32_t n_waiting;

/* Stores before it are made before those after it, as a kill sees them. */
static inline void in_order(void)
{
	__asm__ volatile("" ::: "memory");
	KEPT_STORED();
}

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

static void lost(status_t why);

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
		lost(st);
}

static void draw_all(void)
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

static status_t surface_of(const struct svc_cmd *c, uint32_t *i)
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

static status_t make_surface(const struct svc_cmd *c, uint64_t width, uint64_t height, uint64_t flags)
{
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

static status_t damage(const struct svc_cmd *c, uint32_t i)
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

/* What is drawn is on the screen from now on. */
static status_t take_screen(void)
{
	if (display->seen)
		return OK;
	status_t st = screen_take(&screen, resource);
	if (st == OK)
		kept->taken = 1;
	return st;
}

static bool is_position(uint64_t v)
{
	return (int64_t)v >= INT32_MIN && (int64_t)v <= INT32_MAX;
}

static status_t show(uint32_t i, const struct file_ctl_req *q)
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
	status_t st = take_screen();
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

static status_t cursor(const struct svc_cmd *c, uint32_t i, const struct file_ctl_req *q)
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

static status_t pointer(uint32_t i, const struct file_ctl_req *q)
{
	if (!is_position(q->arg0) || !is_position(q->arg1))
		return ERR_INVALID;
	kept->place[i].pointer_x = (int32_t)q->arg0;
	kept->place[i].pointer_y = (int32_t)q->arg1;
	pointer_changed(i);
	return OK;
}

static status_t blank(uint32_t i, uint64_t on)
{
	if (on > 1)
		return ERR_INVALID;
	kept->place[i].blank = (uint32_t)on;
	changed(i, in_front(i));
	return OK;
}

/* ---- modes ---- */

static void answer_change(cmd_id_t cmd)
{
	svc_reply(cmd, &(struct reply){ .w = { kept->changes, display->width, display->height } });
}

/* Before what changes; so whoever dies between has said too much, not too little. */
static void change_begins(void)
{
	kept->changes = MAX(kept->changes + 1, clock_value());
	in_order();
}

static void change_is_done(void)
{
	uint32_t n = n_waiting;

	n_waiting = 0;
	for (uint32_t i = 0; i < n; i++)
		answer_change(waiting[i]);
}

static void use(struct display *d)
{
	display = d;
	scene.screen = (struct rect){ 0, 0, d->width, d->height };
}

/* The virtio-gpu fails. */
static void lost(status_t why)
{
	log_print("the virtio-gpu does not work any more (%s): %s", error_text(why), has_screen ? "back to the firmware's framebuffer" : "there is no screen");
	change_begins();
	kept->mode = 0;
	gpu_close();
	if (!has_screen)
		exit(0);
	use(&screen.display);
	status_t st = screen_take(&screen, resource);
	if (st < 0)
		log_print("the screen cannot be had again: %s", error_text(st));
	draw_all();
	change_is_done();
}

/* The virtio-gpu, open, gets this size. On an error all is as before, unless it has failed: then it is `lost`, or not ours yet. */
static status_t switch_to(uint16_t at, struct mode m, uint64_t follows)
{
	struct display *before = display;
	status_t st = gpu_begin(m.width, m.height);

	if (st == OK) {
		use(gpu_display());
		compose(&(struct damage){ .list = { scene.screen }, .n = 1 });
		st = gpu_commit();
		if (st < 0) {
			gpu_abort();
			if (before)
				use(before);
		}
	}
	if (st == OK) {
		change_begins();
		kept->taken = 1;
		kept->mode = MODE_OF(at, m.width, m.height) | follows;
		in_order();
		change_is_done();
	}
	return st;
}

/* Takes a virtio-gpu that is not driven yet. ERR_NOT_FOUND: there is none. */
static status_t bring_up(uint16_t at, struct mode m, uint64_t follows)
{
	status_t st = gpu_open(at, &svc, BADGE_GPU);

	if (st < 0)
		return st;
	if (m.width == 0)
		m = gpu_preferred();
	if (m.width == 0)
		m = display ? (struct mode){ display->width, display->height } : (struct mode){ 1024, 768 };
	/* The kernel's log has no screen from here on, for it is not its framebuffer that is seen. */
	st = has_screen ? screen_take(&screen, resource) : OK;
	if (st == OK)
		st = switch_to(at, m, follows);
	if (st == OK)
		return OK;
	gpu_close();
	if (screen.display.seen) {
		kept->taken = 1;
		draw_all();
	}
	return st;
}

/* 0x0: what the screen would like best, from now on. ERR_NOT_SUPPORTED: this screen has one size. */
static status_t set_mode(struct mode m)
{
	uint64_t follows = m.width ? 0 : MODE_FOLLOWS;
	bool same = m.width == display->width && m.height == display->height;
	uint16_t at;

	if (!(kept->mode & MODE_DRIVEN)) {
		if (same)
			return OK;
		status_t st = gpu_find(screen.base, &at);
		if (st == OK)
			st = bring_up(at, m, follows);
		else
			st = follows ? OK : ERR_NOT_SUPPORTED;
		return st;
	}
	at = MODE_AT(kept->mode);
	if (follows)
		m = gpu_preferred();
	if (m.width == 0 || (m.width == display->width && m.height == display->height)) {
		kept->mode = MODE_OF(at, display->width, display->height) | follows;
		return OK;
	}
	status_t st = switch_to(at, m, follows);
	if (st < 0 && st != ERR_NO_MEMORY && st != ERR_INVALID && st != ERR_LIMIT)
		lost(st);
	return st;
}

static void on_notify(void *self unused, uint64_t badge, uint64_t bits unused)
{
	bool changed;

	if (badge != BADGE_GPU || !(kept->mode & MODE_DRIVEN))
		return;
	status_t st = gpu_event(&changed);
	if (st < 0) {
		lost(st);
	} else if (changed) {
		change_begins();
		if (kept->mode & MODE_FOLLOWS && (st = set_mode((struct mode){ 0, 0 })) < 0)
			log_print("the screen would like %ux%u: %s", gpu_preferred().width, gpu_preferred().height, error_text(st));
		change_is_done();
	}
}

/* Who knows of all changes waits. */
static status_t wait_change(const struct svc_cmd *c, uint64_t known, struct file_ctl_rep *p)
{
	if (known != kept->changes) {
		*p = (struct file_ctl_rep){ kept->changes, display->width, display->height };
		return OK;
	}
	if (n_waiting == WAITING_MAX)
		return ERR_LIMIT;
	waiting[n_waiting++] = c->cmd;
	return SVC_LATER;
}

static void on_cancel(void *self unused, cmd_id_t cmd)
{
	for (uint32_t i = 0; i < n_waiting; i++)
		if (waiting[i] == cmd) {
			memmove(&waiting[i], &waiting[i + 1], (--n_waiting - i) * sizeof(waiting[0]));
			svc_reply(cmd, &(struct reply){ .status = ERR_CANCELLED });
			return;
		}
}

/* A line for each size, the largest first, with what is special about it. */
static size_t modes_text(char *text, size_t size)
{
	struct mode now = { display->width, display->height }, best = { 0, 0 };
	struct modes list = { .n = 0 };
	uint16_t at;
	size_t n = 0;

	if (kept->mode & MODE_DRIVEN) {
		best = gpu_preferred();
		gpu_modes(&list);
	} else if (gpu_find(screen.base, &at) == OK) {
		gpu_modes(&list);
	}
	modes_add(&list, now);
	if (best.width)
		modes_add(&list, best);
	for (uint32_t i = 0; i < list.n && n < size; i++) {
		struct mode m = list.list[i];
		n += (size_t)snprintf(text + n, size - n, "%ux%u%s%s\n", m.width, m.height, m.width == now.width && m.height == now.height ? " current" : "",
		                      m.width == best.width && m.height == best.height ? " preferred" : "");
	}
	return MIN(n, size - 1);
}

/* ---- the protocol ---- */

/* The badge of what the path names; 0: fb:// itself. */
static status_t walk(const struct svc_cmd *c, uint64_t *file)
{
	static const struct { const char *name; uint64_t file; } files[] = { { "", 0 }, { "info", 0 }, { "mode", FILE_MODE }, { "modes", FILE_MODES } };
	const char *path = c->path ? c->path + strspn(c->path, "/.") : "";

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (!strcmp(path, files[i].name)) {
			*file = files[i].file;
			return OK;
		}
	return ERR_NOT_FOUND;
}

/* For a Session: one that none had before, whoever served then. The kernel's clock goes on, and no two opens take a nanosecond. */
static uint64_t fresh_number(void)
{
	static uint64_t last = FILES_END;

	last = MAX(last + 1, clock_value());
	return last;
}

static status_t on_open(void *self unused, struct svc_cmd *c, const struct file_open_req *q, struct file_open_rep *p)
{
	uint64_t file;
	status_t st = walk(c, &file);

	if (st < 0)
		return st;
	if (q->flags & OPEN_DIRECTORY)
		return ERR_NOT_DIRECTORY;
	if ((q->flags & OPEN_CREATE) && (q->flags & OPEN_EXCL))
		return ERR_EXISTS;
	p->type = file ? FILE_REGULAR : FILE_DEVICE;
	c->mint = true;
	c->mint_badge = file ? file : fresh_number();
	c->mint_rights = SESSION_RIGHTS | (c->rights & (RIGHT_READ | RIGHT_WRITE));
	if (!(q->flags & (OPEN_WRITE | OPEN_APPEND | OPEN_TRUNC | OPEN_CREATE)))
		c->mint_rights &= ~(uint32_t)RIGHT_WRITE;
	return OK;
}

static void on_close(void *self unused, uint64_t badge)
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

static status_t on_ctl(void *self unused, struct svc_cmd *c, const struct file_ctl_req *q, struct file_ctl_rep *p)
{
	uint32_t i;

	if ((q->code < CTL_FB_INFO || q->code > CTL_FB_BLANK) && q->code != CTL_FB_MODE && q->code != CTL_FB_WAIT)
		return ERR_NOT_SUPPORTED;
	if (c->n_handles || c->out_len || (c->in_len && q->code != CTL_FB_DAMAGE && q->code != CTL_FB_CURSOR))
		return ERR_INVALID;
	if (q->code == CTL_FB_INFO) {
		*p = (struct file_ctl_rep){ display->width, display->height, display->bits };
		return OK;
	}
	if (q->code == CTL_FB_WAIT)
		return wait_change(c, q->arg0, p);
	if (q->code == CTL_FB_MODE) {
		if (!(c->rights & RIGHT_WRITE))
			return ERR_DENIED;
		if (q->arg0 > SCENE_BAND || q->arg1 > SCENE_BAND || !q->arg0 != !q->arg1)
			return ERR_INVALID;
		return set_mode((struct mode){ (uint32_t)q->arg0, (uint32_t)q->arg1 });
	}
	if (q->code == CTL_FB_SURFACE)
		return make_surface(c, q->arg0, q->arg1, q->arg2);
	status_t st = surface_of(c, &i);
	if (st < 0)
		return st;
	switch (q->code) {
	case CTL_FB_DAMAGE:  return damage(c, i);
	case CTL_FB_SHOW:    return show(i, q);
	case CTL_FB_CURSOR:  return cursor(c, i, q);
	case CTL_FB_POINTER: return pointer(i, q);
	default:             return blank(i, q->arg0);
	}
}

static status_t on_map(void *self unused, struct svc_cmd *c, const struct file_map_req *q, struct file_map_rep *p)
{
	uint32_t i, rights = RIGHT_READ | RIGHT_WRITE | RIGHT_MAP | RIGHT_DUP | RIGHT_TRANSFER | RIGHT_INSPECT;
	status_t st = surface_of(c, &i);

	if (st < 0)
		return st;
	if (q->offset || (q->prot & PROT_EXEC))
		return ERR_INVALID;
	if (!(q->prot & PROT_WRITE))
		rights &= ~(uint32_t)RIGHT_WRITE;
	st = frame_of(i);
	if (st == OK)
		st = handle_dup(frames[i], rights, &c->reply_handle);
	c->reply_close = st == OK;
	p->file_size = (uint64_t)kept->place[i].width * kept->place[i].height * sizeof(uint32_t);
	return st;
}

/* A line about the screen, and one for each surface, by number. */
static status_t on_read(void *self unused, struct svc_cmd *c, const struct file_read_req *q, struct file_read_rep *p)
{
	static char text[(FB_SURFACES_MAX + 1) * 80];
	size_t n;

	if (c->badge == FILE_MODES)
		return svc_read_from(c, q->offset, text, modes_text(text, sizeof(text)), &p->done);
	if (c->badge == FILE_MODE) {
		n = (size_t)snprintf(text, sizeof(text), "%ux%u\n", display->width, display->height);
		return svc_read_from(c, q->offset, text, n, &p->done);
	}
	n = (size_t)snprintf(text, sizeof(text), "screen %ux%u %u", display->width, display->height, display->bits);
	if (kept->mode & MODE_DRIVEN) {
		char name[PCI_NAME_SIZE];
		pci_name(name, MODE_AT(kept->mode));
		n += (size_t)snprintf(text + n, sizeof(text) - n, " virtio-gpu %s%s", name, kept->mode & MODE_FOLLOWS ? " auto" : "");
	}
	n += (size_t)snprintf(text + n, sizeof(text) - n, "\n");
	for (uint32_t i = 0; i < FB_SURFACES_MAX; i++) {
		const struct scene_surface *s = &scene.surface[i];
		if (kept->place[i].badge && n < sizeof(text))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "surface %ux%u at %d %d%s\n", s->width, s->height, s->x, s->y,
			                      !s->order ? " hidden" : in_front(i) ? " front" : "");
	}
	return svc_read_from(c, q->offset, text, MIN(n, sizeof(text) - 1), &p->done);
}

/* The mode, as text. */
static status_t on_write(void *self unused, struct svc_cmd *c, const struct file_write_req *q unused, struct file_write_rep *p)
{
	char text[MODE_TEXT_MAX];
	struct mode m;

	if (c->badge != FILE_MODE)
		return ERR_NOT_SUPPORTED;
	if (c->in_len > sizeof(text))
		return ERR_INVALID;
	status_t st = svc_read_in(c->cmd, 0, text, c->in_len);
	if (st < 0)
		return st;
	if (!mode_parse(text, c->in_len, SCENE_BAND, &m))
		return ERR_INVALID;
	st = set_mode(m);
	if (st == OK)
		p->done = c->in_len;
	return st;
}

static status_t on_stat(void *self unused, struct svc_cmd *c, const struct file_stat_req *q unused, struct file_stat_rep *p)
{
	uint64_t file = c->badge < FILES_END ? c->badge : 0;
	status_t st = c->path ? walk(c, &file) : OK;

	if (st < 0)
		return st;
	p->type = file ? FILE_REGULAR : FILE_DEVICE;
	p->mode = file == FILE_MODES ? 0444 : 0666;
	return OK;
}

static const struct file_ops ops = { .open = on_open, .read = on_read, .write = on_write, .stat = on_stat, .ctl = on_ctl, .map = on_map };

static void on_begin(void *self unused)
{
	static unsigned begun;

	/* At the second command the state has proved good for one. */
	if (begun < 2 && ++begun == 2)
		state_good(&state);
}

/* ---- start ---- */

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

static void recover(void)
{
	MUST(state_open(&state, VERSION, sizeof(*kept)));
	if (!state.shelf)
		rt_panic("its manifest gives it no shelf");
	kept = state.memory;
	/* So that a first use takes nothing more, and no store here fails for want of memory. */
	MUST(vmem_commit(0, ALIGN_DOWN((uint64_t)kept, PAGE_SIZE), ALIGN_UP((uint64_t)(kept + 1), PAGE_SIZE) - ALIGN_DOWN((uint64_t)kept, PAGE_SIZE)));
	scene = (struct scene){ .get = get, .put = put };
	if (has_screen)
		use(&screen.display);
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
	if (!kept->changes)
		change_begins();
}

/* The last `fb.mode=` of the kernel's command line; `video=`, which is the loader's, counts where the firmware had no framebuffer. */
static bool option(struct mode *m)
{
	static char line[CMDLINE_MAX + 1];
	uint64_t len;
	bool found = false;

	if (cmdline(line, sizeof(line) - 1, &len) < 0)
		return false;
	line[MIN(len, sizeof(line) - 1)] = 0;
	for (char *rest, *word = strtok_r(line, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
		const char *value = strchr(word, '=');
		if (strncmp(word, "fb.mode=", 8) && (has_screen || strncmp(word, "video=", 6)))
			continue;
		found = mode_parse(value + 1, strlen(value + 1), SCENE_BAND, m);
		if (!found)
			log_print("%s is no mode", word);
	}
	return found;
}

/* As it was, or as the command line wants it. False: there is nothing to draw on. */
static bool light_up(void)
{
	struct mode m = { MODE_WIDTH(kept->mode), MODE_HEIGHT(kept->mode) };
	uint64_t follows = kept->mode & MODE_FOLLOWS;
	uint16_t at = MODE_AT(kept->mode);
	bool driven = kept->mode & MODE_DRIVEN && m.width && m.height && m.width <= SCENE_BAND && m.height <= SCENE_BAND, wanted = false;
	status_t st = OK;

	if (!driven && (!kept->begun || !has_screen)) {
		m = (struct mode){ 0, 0 };
		wanted = option(&m);
		follows = wanted && !m.width ? MODE_FOLLOWS : 0;
		wanted &= !has_screen || m.width != screen.display.width || m.height != screen.display.height;
		if (wanted || !has_screen)
			st = gpu_find(has_screen ? screen.base : 0, &at);
	}
	if (st == OK && (driven || wanted || !has_screen)) {
		st = bring_up(at, m, follows);
		if (st < 0 && m.width)          /* better another size than none */
			st = bring_up(at, (struct mode){ 0, 0 }, follows);
	}
	if (st == OK && kept->mode & MODE_DRIVEN && display != &screen.display)
		return true;
	/* What has one size has the one that it would like best. */
	if (!driven && wanted && st == ERR_NOT_FOUND && !follows)
		log_print("fb.mode: this screen has one size");
	if (driven || (wanted && st != ERR_NOT_FOUND))
		log_print("the virtio-gpu cannot be had%s: %s", driven ? " again" : "", error_text(st));
	if (kept->mode)
		change_begins();
	kept->mode = 0;
	if (!has_screen)
		return false;
	if (kept->taken && (st = screen_take(&screen, resource)) < 0)
		log_print("the screen cannot be had again: %s", error_text(st));
	draw_all();
	return true;
}

int main(int argc unused, char **argv unused)
{
	struct boot_info info;
	uint64_t done;
	uint16_t at;
	handle_t boot = start_handle("boot");

	if (!boot || frame_read(boot, 0, &info, sizeof(info), &done) < 0 || done < sizeof(info) || info.magic != BOOT_MAGIC)
		rt_panic("no boot information");
	resource = start_handle("res:framebuffer");
	has_screen = screen_init(&screen, &info.fb) && resource;
	if (!has_screen)
		screen.base = 0;
	if (!has_screen && gpu_find(0, &at) < 0) {
		log_print(info.fb.base ? "the firmware's framebuffer is none that could be" : "no framebuffer");
		return 0;
	}
	MUST(svc_init(&svc, &file_proto, &ops, NULL));
	svc.on_close = on_close;
	svc.on_begin = on_begin;
	svc.on_notify = on_notify;
	svc.on_cancel = on_cancel;
	recover();
	if (!light_up())
		return 0;
	kept->begun = 1;
	status_t st = svc_run(&svc);
	if (st < 0)
		rt_panic("the Port failed: %s", error_text(st));
	return 0;
}

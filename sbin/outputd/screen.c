/*
 * screen: see screen.h.
 *
 * From nothing: fb://, CTL_FB_INFO, CTL_FB_SURFACE, MAP, the first picture, CTL_FB_SHOW. The Session lies on the shelf: the next
 * instance goes on at MAP. fbd answers ERR_INVALID when it has lost its state: then the surface is made anew, once, as large as the screen is then. Any other error,
 * and what does not go on by itself, begins at fb:// again a second later.
 *
 * The surface's pages are made as far down as there is text: a fresh one is black, as the terminals' ground is.
 */
#include "screen.h"
#include <abi/fb.h>
#include <abi/file.h>
#include <gen/file.h>
#include <rt/clock.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <rt/state.h>
#include <stdlib.h>
#include <string.h>
#include <term/draw.h>

enum step { STEP_OPEN, STEP_INFO, STEP_SURFACE, STEP_MAP, STEP_DRAW, STEP_NONE };
enum { SLOT = 0, SIDE_MAX = 16384 };
enum { ROWS_FORESEEN = 75, COLS_FORESEEN = 240 };      /* of 1920 x 1200; a screen that is much larger has larger letters */
#define RETRY_NS (1000 * NS_PER_MS)
#define FRAME_NS (NS_PER_SEC / 60)      /* as often as screens show another picture */
#define PAUSE_MAX_NS (250 * NS_PER_MS)
enum { PAUSE_PARTS = 4 };               /* drawing has one part of the time, what is drawn has so many, at least */

static struct screen_start with;
static enum screen_presence presence;
static enum step step;
static bool asked, showing;             /* a COMPLETION will come; it is that of CTL_FB_SHOW */
static bool waiting;                    /* for the timer */
static uint64_t due;                    /* when there may be another picture */
static struct { uint32_t width, height; } wanted;       /* what the screen has become while something was asked; 0: nothing */
static bool watching, watches;          /* CTL_FB_WAIT is under way; is to be */
static uint64_t change;                 /* the last one of the screen that we know of */
static bool remade;                     /* the surface; nothing has been drawn on it yet */
static handle_t session;
static uint64_t mapped, made;           /* bytes at surface.pixels; of these have pages */
static struct term_surface surface;
static struct term_face face;
static struct font font;
static bool has_font;
static struct term_drawn drawn;
static struct term *front;
static struct fb_rect rects[FB_RECTS_MAX];      /* lent while asked */

static uint64_t kept_sum(void)
{
	return state_sum(1, &with.kept->width, sizeof(*with.kept) - offsetof(struct screen_kept, width));
}

static void keep(uint32_t width, uint32_t height, bool shown, uint32_t lines)
{
	with.kept->check = 0;
	with.kept->width = width;
	with.kept->height = height;
	with.kept->shown = shown;
	with.kept->lines = lines;
	__asm__ volatile("" ::: "memory");
	with.kept->check = kept_sum();
}

static bool kept_good(void)
{
	return with.kept->check && with.kept->check == kept_sum() && with.kept->width && with.kept->width <= SIDE_MAX && with.kept->height <= SIDE_MAX;
}

/* ---- what fits ---- */

/* The smallest scale at which a terminal's memory is enough for the rows and columns. */
static bool fit(uint32_t width, uint32_t height, struct term_shape *shape, unsigned *scale)
{
	struct term_surface s = { .width = width, .height = height };
	unsigned rows, cols;

	for (*scale = term_scale(width, height); *scale <= TERM_SCALE_MAX && term_fit(&s, *scale, &rows, &cols); ++*scale)
		for (unsigned history = with.history;; history /= 2) {
			*shape = (struct term_shape){ (uint16_t)rows, (uint16_t)cols, (uint16_t)rows, (uint16_t)cols, (uint16_t)history };
			if (term_size(shape) && term_size(shape) <= with.memory)
				return true;
			if (!history)
				break;
		}
	return false;
}

/* A terminal's memory is laid out once: for the first size of the screen, and for larger ones if there is enough. */
static void lay_out(struct screen_kept *k, const struct term_shape *first)
{
	struct term_shape s = *first;

	s.rows_max = MAX(s.rows, (uint16_t)ROWS_FORESEEN);
	s.cols_max = MAX(s.cols, (uint16_t)COLS_FORESEEN);
	s.history = (uint16_t)with.history;
	if (!term_size(&s) || term_size(&s) > with.memory)
		s = *first;
	k->check = 0;
	k->rows_max = s.rows_max;
	k->cols_max = s.cols_max;
	k->history = s.history;
	__asm__ volatile("" ::: "memory");
	k->check = kept_sum();
}

bool screen_shape(struct term_shape *s)
{
	struct screen_kept *k = with.kept;
	unsigned scale;

	if (presence != SCREEN_THERE || !fit(k->width, k->height, s, &scale))
		return false;
	if (!k->rows_max)
		lay_out(k, s);
	*s = (struct term_shape){
		(uint16_t)MIN(s->rows, k->rows_max), (uint16_t)MIN(s->cols, k->cols_max), (uint16_t)k->rows_max, (uint16_t)k->cols_max, (uint16_t)k->history,
	};
	return true;
}

enum screen_presence screen_presence(void)
{
	return presence;
}

static void decide(enum screen_presence what)
{
	if (presence != SCREEN_UNKNOWN)
		return;
	presence = what;
	with.known();
}

/* ---- the surface ---- */

static void unmap(void)
{
	if (surface.pixels)
		MUST(vmem_unmap(0, (uint64_t)surface.pixels, mapped));
	surface.pixels = NULL;
}

static void retry(void)
{
	uint64_t now = 0;

	(void)!clock_now(&now);
	(void)!notify_timer(with.retry, with.bit, now + RETRY_NS, 0);
}

static void leave_session(void)
{
	if (watching)
		(void)!cancel(with.port, with.token_change);
	if (session)
		handle_close(session);
	session = 0;
}

static void begin_again(void)
{
	unmap();
	leave_session();
	remade = false;
	step = STEP_OPEN;
	waiting = true;
	retry();
}

static void give_up(const char *why, status_t st)
{
	log_print("no terminals on the screen: %s: %s", why, error_text(st));
	screen_leave();
}

void screen_leave(void)
{
	unmap();
	leave_session();
	step = STEP_NONE;
	if (with.shelf)
		(void)!shelf_clear(with.shelf, SLOT);
	decide(SCREEN_ABSENT);
}

/* Shared with who serves the file, as a program's code is. */
static status_t map_font(const void **file, uint64_t *size)
{
	struct frame_info info;
	handle_t h, frame;
	uint64_t va, n;
	status_t st = file_open(FONT_URI, OPEN_READ, &h);

	if (st < 0)
		return st;
	st = file_map(h, &frame, &n);
	file_close(h);
	if (st < 0)
		return st;
	st = frame_info(frame, &info);
	if (st >= 0 && (n == 0 || n > info.size))
		st = ERR_BAD_FORMAT;
	if (st >= 0)
		st = vmem_map(0, frame, 0, 0, ALIGN_UP(n, PAGE_SIZE), PROT_READ, &va);
	handle_close(frame);
	if (st < 0)
		return st;
	*file = (const void *)va;
	*size = n;
	return OK;
}

static void load_font(void)
{
	const void *file = &font;       /* of no size: a font of line drawing */
	uint64_t size = 0;

	if (has_font)
		return;
	status_t st = map_font(&file, &size);
	if (st < 0)
		log_print(FONT_URI ": %s: only lines are drawn", error_text(st));
	if (!font_open(&font, file, size) && st == OK)
		log_print(FONT_URI " is no font: only lines are drawn");
	has_font = true;
}

static status_t map(handle_t frame)
{
	uint32_t width = with.kept->width, height = with.kept->height;
	struct term_shape shape;
	struct frame_info info;
	unsigned scale;
	uint64_t va, size = ALIGN_UP((uint64_t)width * height * sizeof(uint32_t), PAGE_SIZE);
	status_t st = frame_info(frame, &info);

	if (st < 0 || info.size < size || !fit(width, height, &shape, &scale))
		return st < 0 ? st : ERR_BAD_FORMAT;
	st = vmem_map(0, frame, 0, 0, size, PROT_READ | PROT_WRITE, &va);
	if (st < 0)
		return st;
	mapped = size;
	surface = (struct term_surface){ (uint32_t *)va, width, height, width };
	load_font();
	term_face_begin(&face, &font, scale);
	drawn = (struct term_drawn){ .lines = MIN(with.kept->lines, height) };
	made = 0;
	return OK;
}

/* Pages for what is to be drawn now. What lies above it was drawn on before, or is now. */
static status_t make_pages(void)
{
	uint32_t lines = term_draw_lines(front, &drawn, &face, &surface);
	uint64_t end = ALIGN_UP((uint64_t)lines * surface.stride * sizeof(uint32_t), PAGE_SIZE);

	if (end > made) {
		status_t st = vmem_commit(0, (uint64_t)surface.pixels + made, end - made);
		if (st < 0)
			return st;
		made = end;
	}
	if (lines > with.kept->lines)
		keep(with.kept->width, with.kept->height, with.kept->shown, lines);
	return OK;
}

/* ---- asking ---- */

static status_t submit_open(void)
{
	static const char uri[] = "fb://";
	struct msg m = { .op = FILE_OPEN, .flags = IPC_PATH | IPC_URI, .in = uri, .in_len = strlen(uri) };

	file_open_ask(&m, &(struct file_open_req){ .flags = OPEN_READ | OPEN_WRITE });
	return ipc_submit(0, &m, with.port, with.token);
}

static status_t submit_ctl(const struct file_ctl_req *q, const void *in, size_t len)
{
	struct msg m = { .op = FILE_CTL, .in = in, .in_len = len };

	file_ctl_ask(&m, q);
	return ipc_submit(session, &m, with.port, with.token);
}

static status_t submit_map(void)
{
	struct msg m = { .op = FILE_MAP };

	file_map_ask(&m, &(struct file_map_req){ .prot = PROT_READ | PROT_WRITE });
	return ipc_submit(session, &m, with.port, with.token);
}

/* Beside all that is asked. If it fails, not before there is another surface. */
static void watch(void)
{
	struct msg m = { .op = FILE_CTL };

	if (watching || !watches || step != STEP_DRAW)
		return;
	file_ctl_ask(&m, &(struct file_ctl_req){ .code = CTL_FB_WAIT, .arg0 = change });
	watching = watches = ipc_submit(session, &m, with.port, with.token_change) == OK;
}

/* What changed; if nothing did, the surface comes to the front when it has not yet. ERR_AGAIN: there is nothing to ask, or no memory now to draw on. */
static status_t submit_draw(void)
{
	struct term_rect r[FB_RECTS_MAX];
	uint64_t begin = clock_value();

	if (front && make_pages() < 0) {
		waiting = true;
		retry();
		return ERR_AGAIN;
	}
	size_t n = front ? term_draw(front, &drawn, &face, &surface, r, ARRAY_LEN(r)) : 0;
	for (size_t i = 0; i < n; i++)
		rects[i] = (struct fb_rect){ (int32_t)r[i].x, (int32_t)r[i].y, r[i].width, r[i].height };
	if (n > 0) {
		status_t st = submit_ctl(&(struct file_ctl_req){ .code = CTL_FB_DAMAGE }, rects, n * sizeof(rects[0]));
		if (st < 0)
			drawn.begun = false;    /* nobody was told */
		uint64_t now = clock_value();
		due = now + MAX(FRAME_NS, MIN(PAUSE_PARTS * (now - begin), PAUSE_MAX_NS));
		return st;
	}
	if (!front || with.kept->shown)
		return ERR_AGAIN;
	showing = true;
	return submit_ctl(&(struct file_ctl_req){ .code = CTL_FB_SHOW }, NULL, 0);
}

static status_t submit(void)
{
	switch (step) {
	case STEP_OPEN:
		return submit_open();
	case STEP_INFO:
		return submit_ctl(&(struct file_ctl_req){ .code = CTL_FB_INFO }, NULL, 0);
	case STEP_SURFACE:
		return submit_ctl(&(struct file_ctl_req){ .code = CTL_FB_SURFACE, .arg0 = with.kept->width, .arg1 = with.kept->height, .arg2 = FB_SPARSE }, NULL, 0);
	case STEP_MAP:
		return submit_map();
	case STEP_DRAW:
		return submit_draw();
	default:
		return ERR_AGAIN;
	}
}

static bool away(status_t st)
{
	return st != ERR_AGAIN && st != ERR_NO_MEMORY && st != ERR_LIMIT && st != ERR_CANCELLED;
}

/* fb:// cannot be opened: there is none, or there was one. */
static void no_fb(status_t st)
{
	if (presence == SCREEN_UNKNOWN && away(st)) {
		screen_leave();
		return;
	}
	begin_again();
}

/* Output that streams is drawn only so often, however slow drawing is here; what comes after a pause is drawn at once. */
static bool too_soon(void)
{
	static uint64_t armed;

	if (!with.kept->shown || clock_value() >= due)
		return false;
	if (armed != due && notify_timer(with.retry, with.bit, due, 0) == OK)
		armed = due;
	return armed == due;
}

void screen_go(void)
{
	if (asked || step == STEP_NONE || (step == STEP_DRAW && too_soon()))
		return;
	showing = waiting = false;
	status_t st = submit();
	if (st == OK) {
		asked = true;
		return;
	}
	if (step == STEP_OPEN) {
		no_fb(st);
	} else if (step == STEP_DRAW && st == ERR_AGAIN) {
		return;
	} else {
		begin_again();
	}
}

void screen_draw(void)
{
	if (step == STEP_DRAW)
		screen_go();
}

void screen_show(struct term *t)
{
	front = t;
	drawn.begun = false;
	term_damage_all(t);
}

/* ---- answers ---- */

static bool size_good(uint64_t width, uint64_t height)
{
	struct term_shape shape;
	unsigned scale;

	return width && height && width <= SIDE_MAX && height <= SIDE_MAX && fit((uint32_t)width, (uint32_t)height, &shape, &scale);
}

static void take_size(uint32_t width, uint32_t height)
{
	unmap();
	keep(width, height, false, 0);
	remade = false;
	step = STEP_SURFACE;
	with.resized();
}

/* The screen has another size: the surface gets it, and terminals as far as they can. One that is of no use, or the same, changes nothing. */
static void new_size(uint64_t width, uint64_t height)
{
	if (presence != SCREEN_THERE || step < STEP_SURFACE || step == STEP_NONE || !size_good(width, height))
		return;         /* else it will be asked, or of no use */
	if (asked) {
		wanted.width = (uint32_t)width;
		wanted.height = (uint32_t)height;
		return;
	}
	if (width == with.kept->width && height == with.kept->height)
		return;
	take_size((uint32_t)width, (uint32_t)height);
	screen_go();
}

void screen_changed(const struct event *e)
{
	watching = false;
	watches = e->status == OK;
	if (e->status < 0)
		return;
	change = e->w[0];
	new_size(e->w[1], e->w[2]);
	watch();
}

static void opened(handle_t *h)
{
	session = *h;
	*h = 0;
	step = STEP_INFO;
	keep(with.kept->width, with.kept->height, false, 0);
	if (with.shelf && shelf_put(with.shelf, SLOT, session) < 0)
		log_print("the screen's Session cannot be kept");
}

static void informed(const struct event *e)
{
	uint64_t width = e->w[0], height = e->w[1];

	if (!size_good(width, height)) {
		give_up("its size is none for them", ERR_BAD_FORMAT);
		return;
	}
	if (presence == SCREEN_UNKNOWN)
		keep((uint32_t)width, (uint32_t)height, false, 0);
	else if (width != with.kept->width || height != with.kept->height)
		take_size((uint32_t)width, (uint32_t)height);
	step = STEP_SURFACE;
}

/* The surface is lost, or could not be made. */
static void failed(status_t st)
{
	if (st == ERR_INVALID && (step == STEP_MAP || step == STEP_DRAW) && !remade) {
		unmap();
		keep(with.kept->width, with.kept->height, false, with.kept->lines);
		step = STEP_INFO;       /* what made fbd forget it may have changed the mode, too */
		return;
	}
	if (presence == SCREEN_UNKNOWN && st != ERR_AGAIN && st != ERR_CANCELLED)
		give_up("no surface to draw on", st);
	else
		begin_again();
}

static void answered(struct event *e)
{
	switch (step) {
	case STEP_INFO:
		informed(e);
		return;
	case STEP_SURFACE:
		remade = true;
		step = STEP_MAP;
		return;
	case STEP_MAP:
		if (!e->handles[0] || map(e->handles[0]) < 0) {
			if (presence == SCREEN_UNKNOWN)
				give_up("its pixels cannot be mapped", ERR_NO_MEMORY);
			else
				begin_again();
			return;
		}
		step = STEP_DRAW;
		decide(SCREEN_THERE);
		watches = true;
		watch();
		return;
	default:
		remade = false;
		if (showing)
			keep(with.kept->width, with.kept->height, true, with.kept->lines);
		return;
	}
}

void screen_done(struct event *e)
{
	asked = false;
	if (step == STEP_OPEN) {
		if (e->status < 0)
			no_fb(e->status);
		else if (!e->handles[0])
			begin_again();
		else
			opened(&e->handles[0]);
	} else if (e->status < 0) {
		failed(e->status);
	} else {
		answered(e);
	}
	for (uint32_t i = 0; i < e->n_handles; i++)
		if (e->handles[i])
			handle_close(e->handles[i]);
	if (wanted.width && step >= STEP_SURFACE && step != STEP_NONE && (wanted.width != with.kept->width || wanted.height != with.kept->height))
		take_size(wanted.width, wanted.height);
	wanted.width = 0;
	if (!waiting)
		screen_go();
}

void screen_init(const struct screen_start *start)
{
	with = *start;
	presence = SCREEN_UNKNOWN;
	step = STEP_OPEN;
	if (!kept_good()) {
		*with.kept = (struct screen_kept){ 0 };
		if (with.shelf)
			(void)!shelf_clear(with.shelf, SLOT);
		return;
	}
	presence = SCREEN_THERE;
	if (with.shelf && shelf_get(with.shelf, SLOT, &session) == OK)
		step = STEP_MAP;
	else
		session = 0;
}

/*
 * fake: kernel, screen, virtio-gpu and clients around main.c on the host, for main_test.c and surfaces_fuzz.c. Clients ask for all that there is to ask for,
 * well and badly; fbd dies at any system call and at any step of what it keeps, begins again, and is asked again; or the client has
 * died meanwhile, too. A model of our own says what each is answered, and what is on the screen then, pixel by pixel.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static jmp_buf death;
static int lives = -1;                  /* steps left; -1: for ever */

static void live(void)
{
	if (lives >= 0 && lives-- == 0)
		longjmp(death, 1);
}

#define KEPT_STORED() live()
#define main fbd_main
#include "main.c"
#undef main
#include "output.c"
#include "modes.c"
#include "pixel.c"
#include "rect.c"
#define add_cursor scene_add_cursor     /* main.c has one, too */
#include "scene.c"
#undef add_cursor
#include "screen.c"
#include "surfaces.c"
#include "pci/name.c"

#define MUST_HOLD(what) do { if (!(what)) { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); abort(); } } while (0)

/* ---- the kernel ---- */

enum {
	HANDLES = 64, OBJECTS = 128, SHELF = 40, H_BOOT = 900, H_RESOURCE, H_SHELF, WIDTH = 40, HEIGHT = 30, OFFSET = 0x40, UNTOUCHED = 0xee,
	DEVICE = 1,                     /* the object that is the framebuffer */
};
#define BASE 0x80000000ull

static struct { uint8_t *data; uint64_t size; uint32_t count; } object[OBJECTS];        /* 0 is none */
static uint32_t table[HANDLES], shelf[SHELF];                                           /* object numbers */
static struct boot_info boot;
static uint8_t *glass;                  /* the framebuffer, exactly as large as it says */
static bool short_of_memory, first_life;
static struct kept memory;
static uint64_t now = 1000;
static const uint8_t *window;
static size_t window_len;
static char log_text[256];

static uint32_t object_new(uint64_t size)
{
	for (uint32_t o = DEVICE + 1; o < OBJECTS; o++)
		if (!object[o].count) {
			object[o].data = calloc(1, size);
			object[o].size = size;
			object[o].count = 1;
			return o;
		}
	abort();
}

static void object_put(uint32_t o)
{
	if (o <= DEVICE)
		return;
	MUST_HOLD(object[o].count > 0);
	if (--object[o].count == 0)
		free(object[o].data);
}

static handle_t handle_new(uint32_t o)
{
	for (handle_t h = 1; h < HANDLES; h++)
		if (!table[h]) {
			table[h] = o;
			return h;
		}
	abort();
}

static uint32_t object_of(handle_t h)
{
	MUST_HOLD(h > 0 && h < HANDLES && table[h]);
	return table[h];
}

status_t handle_close(handle_t h)
{
	live();
	object_put(object_of(h));
	table[h] = 0;
	return OK;
}

status_t handle_dup(handle_t h, uint32_t rights unused, handle_t *copy_)
{
	live();
	object[object_of(h)].count++;
	*copy_ = handle_new(object_of(h));
	return OK;
}

status_t frame_create(uint64_t size, uint32_t flags unused, handle_t *h)
{
	live();
	MUST_HOLD(size > 0 && size % PAGE_SIZE == 0);
	if (short_of_memory)
		return ERR_NO_MEMORY;
	*h = handle_new(object_new(size));
	live();
	return OK;
}

static void resize_object(uint32_t o, uint64_t size)
{
	object[o].data = realloc(object[o].data, size);
	if (size > object[o].size)
		memset(object[o].data + object[o].size, 0, size - object[o].size);
	object[o].size = size;
}

status_t frame_resize(handle_t h, uint64_t size)
{
	live();
	resize_object(object_of(h), size);
	live();
	return OK;
}

status_t frame_read(handle_t h, uint64_t offset, void *buf, uint64_t len, uint64_t *done)
{
	const uint8_t *from = h == H_BOOT ? (const uint8_t *)&boot : object[object_of(h)].data;
	uint64_t size = h == H_BOOT ? sizeof(boot) : object[object_of(h)].size;

	live();
	*done = offset >= size ? 0 : MIN(len, size - offset);
	memcpy(buf, from + offset, *done);
	return OK;
}

status_t frame_device(handle_t r, uint64_t phys, uint64_t size, uint32_t cache, handle_t *h)
{
	MUST_HOLD(r == H_RESOURCE && phys == BASE && size == ALIGN_UP(boot.fb.size + OFFSET, PAGE_SIZE) && cache == CACHE_WRITE_COMBINING);
	live();
	*h = handle_new(DEVICE);
	live();
	return OK;
}

status_t vmem_map(handle_t v unused, handle_t f, uint64_t offset unused, uint64_t at unused, uint64_t size unused, uint32_t prot unused, uint64_t *va)
{
	live();
	*va = object_of(f) == DEVICE ? (uint64_t)glass - OFFSET : (uint64_t)object[object_of(f)].data;
	return OK;
}

status_t vmem_commit(handle_t v unused, uint64_t va unused, uint64_t size unused) { live(); return OK; }
status_t vmem_unmap(handle_t v unused, uint64_t va unused, uint64_t size unused) { live(); return OK; }

status_t shelf_put(handle_t s, uint32_t slot, handle_t h)
{
	MUST_HOLD(s == H_SHELF && slot < FB_SURFACES_MAX);
	live();
	object_put(shelf[slot]);
	shelf[slot] = object_of(h);
	object[shelf[slot]].count++;
	live();
	return OK;
}

status_t shelf_get(handle_t s unused, uint32_t slot, handle_t *h)
{
	live();
	if (!shelf[slot])
		return ERR_NOT_FOUND;
	object[shelf[slot]].count++;
	*h = handle_new(shelf[slot]);
	return OK;
}

status_t shelf_clear(handle_t s unused, uint32_t slot)
{
	live();
	object_put(shelf[slot]);
	shelf[slot] = 0;
	live();
	return OK;
}

status_t state_open(struct state *s, uint64_t version unused, size_t size)
{
	static struct state_head head;

	MUST_HOLD(size == sizeof(memory));
	*s = (struct state){ .head = &head, .memory = &memory, .size = size, .shelf = H_SHELF, .fresh = first_life };
	first_life = false;
	return OK;
}

status_t state_sweep(const struct state *s unused, bool (*wanted)(void *ctx, uint32_t slot), void *ctx)
{
	for (uint32_t i = 0; i < SHELF; i++)
		if (shelf[i] && !wanted(ctx, i))
			MUST_HOLD(shelf_clear(H_SHELF, i) == OK);
	return OK;
}

handle_t start_handle(const char *name)
{
	return !strcmp(name, "boot") ? H_BOOT : !strcmp(name, "res:framebuffer") && boot.fb.base ? H_RESOURCE : 0;
}

status_t svc_read_in(cmd_id_t cmd unused, uint64_t offset, void *buf, size_t len)
{
	MUST_HOLD(offset <= window_len && len <= window_len - offset);
	memcpy(buf, window + offset, len);
	return OK;
}

status_t svc_read_from(const struct svc_cmd *c unused, uint64_t offset unused, const void *data, size_t size, uint64_t *done)
{
	MUST_HOLD(strnlen(data, size + 1) == size);
	*done = size;
	return OK;
}

static unsigned served;
status_t svc_init(struct svc *s unused, const struct svc_proto *p unused, const void *o unused, void *self unused) { return OK; }
status_t svc_run(struct svc *s unused) { served++; return OK; }
uint64_t clock_value(void) { return now; }      /* it may stand still */
const char *error_name(status_t st unused) { return ""; }
const char *error_text(status_t st unused) { return ""; }
bool cmdline_word(const char *key unused, char *value unused, size_t size unused) { return false; }
static unsigned told;                   /* of a change of the mode */
void svc_reply(cmd_id_t cmd unused, const struct reply *r) { live(); MUST_HOLD(r->status == OK && r->w[0] > 0); told++; }
noreturn void rt_panic(const char *format unused, ...) { abort(); }
void log_print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(log_text, sizeof(log_text), format, args);
	va_end(args);
}
const struct svc_proto file_proto;

/* ---- the virtio-gpu, which ends with whoever has it (gpu.h) ---- */

enum { GPU_AT = 0x123, GPU_MAX = 70, GPU_BEST_WIDTH = 50, GPU_BEST_HEIGHT = 22 };

static struct gpu_fake {
	bool there, open, drawing;      /* drawing: between begin and commit */
	struct display display;
	struct picture_fake { uint32_t width, height, memory[GPU_MAX * GPU_MAX]; } now, next;
	uint32_t shown[GPU_MAX * GPU_MAX];      /* what was presented of `now` */
} fake_gpu;

static struct mode gpu_best = { GPU_BEST_WIDTH, GPU_BEST_HEIGHT };

static void fake_put(struct display *d unused, uint32_t x, uint32_t y, const uint32_t *from, size_t n)
{
	struct picture_fake *p = fake_gpu.drawing ? &fake_gpu.next : &fake_gpu.now;

	MUST_HOLD(y < p->height && x < p->width && n <= p->width - x);
	memcpy(&p->memory[y * p->width + x], from, n * 4);
}

static status_t fake_present(struct display *d unused, const struct damage *rects)
{
	const struct picture_fake *p = &fake_gpu.now;

	live();
	if (!fake_gpu.there)
		return ERR_GONE;
	MUST_HOLD(!fake_gpu.drawing);
	for (uint32_t i = 0; i < rects->n; i++) {
		struct rect r = rects->list[i];
		MUST_HOLD(rect_empty(r) || rect_inside(r, (struct rect){ 0, 0, p->width, p->height }));
		for (int64_t y = r.y0; y < r.y1; y++)
			for (int64_t x = r.x0; x < r.x1; x++)
				fake_gpu.shown[y * p->width + x] = p->memory[y * p->width + x];
	}
	live();
	return OK;
}

status_t gpu_find(uint64_t screen_ unused, uint16_t *at)
{
	live();
	*at = GPU_AT;
	return fake_gpu.there ? OK : ERR_NOT_FOUND;
}

status_t gpu_open(uint16_t at, struct svc *s unused, uint64_t badge unused)
{
	live();
	if (!fake_gpu.there || at != GPU_AT)
		return ERR_NOT_FOUND;
	MUST_HOLD(!fake_gpu.open);
	fake_gpu = (struct gpu_fake){ .there = true, .open = true, .display = { .bits = 32, .put = fake_put, .present = fake_present } };
	return OK;
}

void gpu_close(void)
{
	live();
	fake_gpu.open = false;
}

struct display *gpu_display(void) { return &fake_gpu.display; }
struct mode gpu_preferred(void) { return gpu_best; }
void gpu_modes(struct modes *list) { modes_add_usual(list); }

status_t gpu_begin(uint32_t width, uint32_t height)
{
	live();
	MUST_HOLD(fake_gpu.open && width && height && !fake_gpu.drawing);
	if (!fake_gpu.there)
		return ERR_GONE;
	if (width > GPU_MAX || height > GPU_MAX)
		return ERR_INVALID;
	memset(&fake_gpu.next, 0, sizeof(fake_gpu.next));
	fake_gpu.next.width = fake_gpu.display.width = width;
	fake_gpu.next.height = fake_gpu.display.height = height;
	fake_gpu.drawing = true;
	return OK;
}

status_t gpu_commit(void)
{
	live();
	MUST_HOLD(fake_gpu.drawing);
	if (!fake_gpu.there)
		return ERR_GONE;
	fake_gpu.now = fake_gpu.next;
	memcpy(fake_gpu.shown, fake_gpu.now.memory, sizeof(fake_gpu.shown));
	fake_gpu.drawing = false;
	fake_gpu.display.seen = true;
	live();
	return OK;
}

void gpu_abort(void)
{
	fake_gpu.drawing = false;
	fake_gpu.display.width = fake_gpu.now.width;
	fake_gpu.display.height = fake_gpu.now.height;
}

status_t gpu_event(bool *changed_)
{
	live();
	*changed_ = true;
	return fake_gpu.there ? OK : ERR_GONE;
}

/* ---- what decides: bytes, and zeros when there are none left ---- */

static const uint8_t *dice, *dice_end;

static uint32_t take(void)
{
	return dice < dice_end ? *dice++ : 0;
}

static uint32_t take_below(uint32_t n)
{
	return (take() << 8 | take()) % n;
}

/* ---- clients, as the model knows them ---- */

enum { CLIENTS = FB_SURFACES_MAX + 3 };

static struct client {
	uint64_t badge, order;                          /* 0: none; hidden */
	bool     writes, blank;
	uint32_t width, height, object;                 /* 0: no surface yet */
	int32_t  x, y, pointer_x, pointer_y;
	uint32_t cursor_width, cursor_height, hot_x, hot_y, cursor[FB_CURSOR_MAX * FB_CURSOR_MAX];
} clients[CLIENTS];
static uint64_t orders;
static struct { bool driven; uint32_t width, height; } mode;    /* of the screen; driven: it is the virtio-gpu's */

struct request { uint64_t code, arg[4]; uint8_t in[FB_CURSOR_MAX * FB_CURSOR_MAX * 4 + 16]; size_t len; };
static struct request q;

static bool position(uint64_t v)
{
	return v <= INT32_MAX || v >= (uint64_t)INT32_MIN;
}

static status_t model_mode(uint64_t width, uint64_t height)
{
	if (width > SCENE_BAND || height > SCENE_BAND || (width == 0) != (height == 0))
		return ERR_INVALID;
	if (width == mode.width && height == mode.height)
		return OK;
	if (!fake_gpu.there)
		return width ? ERR_NOT_SUPPORTED : OK;
	if (width > GPU_MAX || height > GPU_MAX)
		return ERR_INVALID;
	mode.driven = true;
	mode.width = width ? (uint32_t)width : GPU_BEST_WIDTH;
	mode.height = width ? (uint32_t)height : GPU_BEST_HEIGHT;
	return OK;
}

/* What c is to be answered; if that is OK, it is done. */
static status_t model(struct client *c)
{
	uint32_t surfaces = 0;

	for (size_t i = 0; i < CLIENTS; i++)
		surfaces += clients[i].width > 0;
	if ((q.code < 64 || q.code > 70) && q.code != CTL_FB_MODE && q.code != CTL_FB_WAIT)
		return ERR_NOT_SUPPORTED;
	if (q.len && q.code != CTL_FB_DAMAGE && q.code != CTL_FB_CURSOR)
		return ERR_INVALID;
	if (q.code == CTL_FB_INFO)
		return OK;
	if (q.code == CTL_FB_WAIT)
		return q.arg[0] == kept->changes ? SVC_LATER : OK;
	if (!c->writes)
		return ERR_DENIED;
	if (q.code == CTL_FB_MODE)
		return model_mode(q.arg[0], q.arg[1]);
	if (q.code == CTL_FB_SURFACE) {
		if (!q.arg[0] || !q.arg[1] || q.arg[0] > mode.width || q.arg[1] > mode.height || q.arg[2] > 1)
			return ERR_INVALID;
		if (!c->width && surfaces == FB_SURFACES_MAX)
			return ERR_LIMIT;
		if (c->width == q.arg[0] && c->height == q.arg[1])
			return OK;
		if (short_of_memory)
			return ERR_NO_MEMORY;
		c->width = (uint32_t)q.arg[0];
		c->height = (uint32_t)q.arg[1];
		c->order = 0;
		return OK;
	}
	if (!c->width)
		return ERR_INVALID;
	switch (q.code) {
	case CTL_FB_DAMAGE:
		return q.len == 0 || q.len % 16 || q.len > FB_RECTS_MAX * 16 ? ERR_INVALID : OK;
	case CTL_FB_SHOW:
		if (!position(q.arg[0]) || !position(q.arg[1]) || q.arg[2] > 1)
			return ERR_INVALID;
		c->order = q.arg[2] ? 0 : ++orders;
		if (!q.arg[2]) {
			c->x = (int32_t)q.arg[0];
			c->y = (int32_t)q.arg[1];
		}
		return OK;
	case CTL_FB_CURSOR:
		if (q.arg[0] > FB_CURSOR_MAX || q.arg[1] > FB_CURSOR_MAX || (q.arg[0] == 0) != (q.arg[1] == 0) || q.len != q.arg[0] * q.arg[1] * 4)
			return ERR_INVALID;
		if (q.arg[0] ? q.arg[2] >= q.arg[0] || q.arg[3] >= q.arg[1] : q.arg[2] || q.arg[3])
			return ERR_INVALID;
		c->cursor_width = (uint32_t)q.arg[0];
		c->cursor_height = (uint32_t)q.arg[1];
		c->hot_x = (uint32_t)q.arg[2];
		c->hot_y = (uint32_t)q.arg[3];
		memcpy(c->cursor, q.in, q.len);
		return OK;
	case CTL_FB_POINTER:
		if (!position(q.arg[0]) || !position(q.arg[1]))
			return ERR_INVALID;
		c->pointer_x = (int32_t)q.arg[0];
		c->pointer_y = (int32_t)q.arg[1];
		return OK;
	default:
		if (q.arg[0] > 1)
			return ERR_INVALID;
		c->blank = q.arg[0];
		return OK;
	}
}

static struct client *front(void)
{
	struct client *f = NULL;

	for (size_t i = 0; i < CLIENTS; i++)
		if (clients[i].order && (!f || clients[i].order > f->order))
			f = &clients[i];
	return f;
}

static uint32_t pixel_of(const struct client *c, int64_t x, int64_t y)
{
	uint64_t at = ((uint64_t)y * c->width + (uint64_t)x) * 4;
	uint32_t v = 0;

	if (at + 4 <= object[c->object].size)
		memcpy(&v, object[c->object].data + at, 4);
	return v & 0xffffff;
}

static uint32_t seen(int64_t x, int64_t y)
{
	const struct client *top = NULL, *f = front();
	uint32_t v = 0;

	if (!f || f->blank)
		return 0;
	for (const struct client *c = clients; c < clients + CLIENTS; c++)
		if (c->order && x >= c->x && y >= c->y && x - c->x < c->width && y - c->y < c->height && (!top || c->order > top->order))
			top = c;
	if (top)
		v = pixel_of(top, x - top->x, y - top->y);
	int64_t cx = x - f->pointer_x + f->hot_x, cy = y - f->pointer_y + f->hot_y;
	if (cx >= 0 && cy >= 0 && cx < f->cursor_width && cy < f->cursor_height) {
		uint32_t over = f->cursor[cy * f->cursor_width + cx], alpha = over >> 24, out = 0;
		for (unsigned s = 0; s < 24; s += 8)
			out |= ((over >> s & 255) * alpha + (v >> s & 255) * (255 - alpha) + 127) / 255 << s;
		v = out;
	}
	return v;
}

static uint32_t field(uint32_t mask, uint32_t v)
{
	uint32_t shift = (uint32_t)__builtin_ctz(mask), bits = (uint32_t)__builtin_popcount(mask);

	v &= 255;
	return (bits <= 8 ? v >> (8 - bits) : (v << 8 | v) >> (16 - bits)) << shift;
}

/* What fbd keeps of c is what the model says, also where it does not show. */
static void check_place(const struct client *c)
{
	const struct place *p = kept->place;

	while (p < kept->place + FB_SURFACES_MAX && p->badge != c->badge)
		p++;
	MUST_HOLD(p < kept->place + FB_SURFACES_MAX && p->width == c->width && p->height == c->height && !p->order == !c->order);
	MUST_HOLD(p->x == c->x && p->y == c->y && p->pointer_x == c->pointer_x && p->pointer_y == c->pointer_y && p->blank == c->blank);
	MUST_HOLD(p->cursor_width == c->cursor_width && p->cursor_height == c->cursor_height && p->hot_x == c->hot_x && p->hot_y == c->hot_y);
	MUST_HOLD(!memcmp(p->cursor, c->cursor, (size_t)c->cursor_width * c->cursor_height * 4));
}

static void check_boot_screen(void)
{
	uint32_t bytes = boot.fb.bytes_per_pixel;

	for (uint32_t y = 0; y < HEIGHT; y++) {
		const uint8_t *row = glass + y * boot.fb.stride;
		for (uint32_t x = 0; x < WIDTH; x++) {
			uint32_t v = seen(x, y), is = 0, wanted = 0xeeeeeeee >> (32 - 8 * bytes), colours = UINT32_MAX;
			if (memory.taken) {
				colours = boot.fb.red_mask | boot.fb.green_mask | boot.fb.blue_mask;
				wanted = field(boot.fb.red_mask, v >> 16) | field(boot.fb.green_mask, v >> 8) | field(boot.fb.blue_mask, v);
			}
			memcpy(&is, row + x * bytes, bytes);
			MUST_HOLD((is & colours) == wanted);
		}
		for (uint32_t i = WIDTH * bytes; i < boot.fb.stride; i++)
			MUST_HOLD(row[i] == UNTOUCHED);
	}
}

static void check_gpu(void)
{
	MUST_HOLD(fake_gpu.open && fake_gpu.now.width == mode.width && fake_gpu.now.height == mode.height && MODE_AT(kept->mode) == GPU_AT);
	for (uint32_t y = 0; y < mode.height; y++)
		for (uint32_t x = 0; x < mode.width; x++)
			MUST_HOLD((fake_gpu.shown[y * mode.width + x] & 0xffffff) == seen(x, y));
}

/* The screen is what it should be, and nothing beside it was written; nobody keeps what he should not. */
static void check(void)
{
	uint32_t handles = 0, own = 0;

	MUST_HOLD(mode.driven == ((kept->mode & MODE_DRIVEN) != 0) && display->width == mode.width && display->height == mode.height);
	if (mode.driven)
		check_gpu();
	else
		check_boot_screen();
	for (size_t i = 0; i < CLIENTS; i++)
		if (clients[i].width)
			check_place(&clients[i]);
	for (handle_t h = 1; h < HANDLES; h++)
		handles += table[h] != 0;
	for (uint32_t i = 0; i < FB_SURFACES_MAX; i++) {
		own += frames[i] != 0;
		MUST_HOLD(!shelf[i] || kept->place[i].badge);
	}
	MUST_HOLD(handles == own);
}

/* ---- lives ---- */

/* Where the killed instance's memory was is nothing any more. */
static void begin_again(void)
{
	for (handle_t h = 1; h < HANDLES; h++) {
		object_put(table[h]);
		table[h] = 0;
	}
	memset(frames, 0, sizeof(frames));
	memset(&screen, 0, sizeof(screen));
	memset(&scene, 0, sizeof(scene));
	resource = 0;
	kept = NULL;
	display = NULL;
	n_waiting = 0;
	fake_gpu.open = fake_gpu.drawing = false;
	now += 1 << 20;         /* later instances are later: as on a machine */
}

static void restart(void)
{
	/* Also while it recovers. */
	for (unsigned deaths = take() % 3;;) {
		begin_again();
		lives = deaths ? (int)take_below(120) : -1;
		if (setjmp(death) == 0) {
			unsigned before = served;
			MUST_HOLD(fbd_main(0, NULL) == 0);
			lives = -1;
			MUST_HOLD(served == before + 1);
			return;
		}
		deaths = deaths ? deaths - 1 : 0;
	}
}

static void setup(uint32_t bytes, uint32_t red, uint32_t green, uint32_t blue)
{
	memset(&memory, 0, sizeof(memory));
	memset(clients, 0, sizeof(clients));
	memset(&fake_gpu, 0, sizeof(fake_gpu));
	mode.driven = false;
	mode.width = WIDTH;
	mode.height = HEIGHT;
	boot = (struct boot_info){ .magic = BOOT_MAGIC, .fb = { .base = BASE + OFFSET, .width = WIDTH, .height = HEIGHT, .stride = WIDTH * bytes + 12,
		.bytes_per_pixel = bytes, .red_mask = red, .green_mask = green, .blue_mask = blue } };
	boot.fb.size = (uint64_t)boot.fb.stride * HEIGHT;
	glass = malloc(boot.fb.size);
	memset(glass, UNTOUCHED, boot.fb.size);
	first_life = true;
	restart();
}

/* The last of them all: nothing is left. */
static void teardown(void)
{
	begin_again();
	for (uint32_t i = 0; i < SHELF; i++)
		MUST_HOLD(!shelf[i]);
	for (uint32_t i = DEVICE + 1; i < OBJECTS; i++)
		MUST_HOLD(!object[i].count);
	free(glass);
}

/* ---- commands, each with its deaths ---- */

static status_t command_status;
static struct svc_cmd command;

/* Serves what `serve` says, until it is served. False: the client is gone before. */
static bool deliver(void (*serve)(void), bool may_go)
{
	static unsigned deaths;

	for (deaths = take() % 4 == 0 ? 1 + take() % 2 : 0;; deaths--) {
		lives = deaths ? (int)take_below(40) : -1;
		if (setjmp(death) == 0) {
			serve();
			lives = -1;
			return true;
		}
		restart();
		if (may_go && take() % 4 == 0)
			return false;
	}
}

/* Nobody has more than a page of what was a surface. */
static void give_up(uint32_t o)
{
	MUST_HOLD(!o || object[o].size == PAGE_SIZE);
	object_put(o);
}

static uint64_t closing;
static void serve_close(void) { on_close(NULL, closing); }

static void leave(struct client *c)
{
	static uint32_t kept_by_it;

	closing = c->badge;
	kept_by_it = c->object;
	*c = (struct client){ 0 };
	deliver(serve_close, false);
	give_up(kept_by_it);
}

static uint32_t open_flags;
static void serve_open(void)
{
	struct file_open_rep p = { 0 };

	command = (struct svc_cmd){ .cmd = 1, .rights = RIGHT_READ | RIGHT_WRITE | RIGHT_CALL };
	command_status = on_open(NULL, &command, &(struct file_open_req){ .flags = open_flags }, &p);
}

static void arrive(struct client *c)
{
	open_flags = take() % 8 ? OPEN_READ | OPEN_WRITE : OPEN_READ;
	deliver(serve_open, false);
	MUST_HOLD(command_status == OK && command.mint);
	for (size_t i = 0; i < CLIENTS; i++)
		MUST_HOLD(clients[i].badge != command.mint_badge);
	MUST_HOLD(command.mint_badge >= FILES_END);
	*c = (struct client){ .badge = command.mint_badge, .writes = command.mint_rights & RIGHT_WRITE };
	MUST_HOLD(c->writes == ((open_flags & OPEN_WRITE) != 0));
}

static struct client *asker;
static uint8_t *exact;
static void serve_ctl(void)
{
	struct file_ctl_rep p = { 0 };

	command = (struct svc_cmd){ .cmd = 1, .badge = asker->badge, .rights = RIGHT_READ | (asker->writes ? RIGHT_WRITE : 0), .in_len = (uint32_t)q.len };
	command_status = on_ctl(NULL, &command, &(struct file_ctl_req){ (uint32_t)q.code, q.arg[0], q.arg[1], q.arg[2], q.arg[3] }, &p);
}

static struct file_map_rep mapped;
static void serve_map(void)
{
	command = (struct svc_cmd){ .cmd = 1, .badge = asker->badge, .rights = RIGHT_READ | (asker->writes ? RIGHT_WRITE : 0) };
	command_status = on_map(NULL, &command, &(struct file_map_req){ .prot = PROT_READ | PROT_WRITE }, &mapped);
}

/* Whose message set the mode has died: it is the one before or the one after. */
static void see_mode(void)
{
	mode.driven = kept->mode & MODE_DRIVEN;
	mode.width = mode.driven ? MODE_WIDTH(kept->mode) : WIDTH;
	mode.height = mode.driven ? MODE_HEIGHT(kept->mode) : HEIGHT;
}

/* Asks q; false: c is gone. */
static bool ask(struct client *c)
{
	struct client before = *c;
	uint32_t width = mode.width, height = mode.height;
	status_t expected = model(c);

	asker = &before;
	exact = malloc(q.len);          /* so that whoever reads on is seen */
	memcpy(exact, q.in, q.len);
	window = exact;
	window_len = q.len;
	bool there = deliver(serve_ctl, true);
	free(exact);
	if (!there) {
		uint32_t wanted_width = mode.width, wanted_height = mode.height;
		see_mode();
		MUST_HOLD((mode.width == width && mode.height == height) || (mode.width == wanted_width && mode.height == wanted_height));
		leave(c);
		return false;
	}
	MUST_HOLD(command_status == expected);
	if (mode.width != width || mode.height != height)
		MUST_HOLD(n_waiting == 0);
	MUST_HOLD(!front() || memory.taken);
	if (c->width == before.width && c->height == before.height)
		return true;
	asker = c;
	deliver(serve_map, false);
	MUST_HOLD(command_status == OK && command.reply_close && mapped.file_size == (uint64_t)c->width * c->height * 4);
	give_up(c->object);
	c->object = object_of(command.reply_handle);
	table[command.reply_handle] = 0;                /* what the client has now was ours */
	for (uint64_t i = 0; i < object[c->object].size; i++)
		MUST_HOLD(!object[c->object].data[i]);  /* and it is fresh */
	return true;
}

/* ---- what they do ---- */

static uint64_t some_position(uint32_t size)
{
	static const uint64_t odd[] = { INT32_MAX, (uint64_t)(int64_t)INT32_MIN, UINT32_MAX, UINT64_MAX, 1ull << 31, (uint64_t)INT64_MIN };

	return take() % 16 ? (uint64_t)((int64_t)take_below(size * 2) - (int64_t)size / 2) : odd[take() % ARRAY_LEN(odd)];
}

/* New pixels, and word of it; the rectangle may be larger than what has changed. */
static void paint(struct client *c)
{
	uint32_t n = 1 + take() % 3;

	q.len = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct fb_rect r = { (int32_t)take_below(c->width), (int32_t)take_below(c->height), 0, 0 };
		r.width = 1 + take_below(c->width - (uint32_t)r.x);
		r.height = 1 + take_below(c->height - (uint32_t)r.y);
		uint32_t v = take() << 24 | take() << 16 | take() << 8 | take();
		for (uint32_t y = (uint32_t)r.y; y < (uint32_t)r.y + r.height; y++)
			for (uint32_t x = (uint32_t)r.x; x < (uint32_t)r.x + r.width; x++, v = v * 1664525 + 1013904223)
				if (((uint64_t)y * c->width + x) * 4 + 4 <= object[c->object].size)
					memcpy(object[c->object].data + ((uint64_t)y * c->width + x) * 4, &v, 4);
		if (take() % 16 == 0)
			r = (struct fb_rect){ INT32_MIN, INT32_MIN, UINT32_MAX, UINT32_MAX };
		memcpy(q.in + i * sizeof(r), &r, sizeof(r));
		q.len += sizeof(r);
	}
	q.code = CTL_FB_DAMAGE;
}

static void serve_event(void)
{
	on_notify(NULL, BADGE_GPU, 1);
}

/* By a client, or because the device comes or fails; somebody waits for it. */
static void change_mode(struct client *c)
{
	uint32_t what = take() % 8;

	if (what == 0 && mode.driven) {
		fake_gpu.there = false;
		mode.driven = false;
		mode.width = WIDTH;
		mode.height = HEIGHT;
		deliver(serve_event, false);
		MUST_HOLD(memory.taken && n_waiting == 0);
		return;
	}
	if (what == 1 && mode.driven) {
		if (kept->mode & MODE_FOLLOWS) {
			mode.width = GPU_BEST_WIDTH;
			mode.height = GPU_BEST_HEIGHT;
		}
		deliver(serve_event, false);
		return;
	}
	fake_gpu.there |= what > 3;
	q.code = CTL_FB_WAIT;
	q.arg[0] = what & 1 ? kept->changes : 0;
	if (n_waiting == WAITING_MAX || !ask(c))
		return;
	q.code = CTL_FB_MODE;
	q.arg[0] = take() % 8 ? 1 + take_below(GPU_MAX) : 0;
	q.arg[1] = q.arg[0] ? 1 + take_below(GPU_MAX + 2) : 0;
	ask(c);
}

static void step(void)
{
	struct client *c = &clients[take() % CLIENTS];
	struct file_read_rep read = { 0 };

	memset(&q, 0, sizeof(q));
	if (!c->badge) {
		arrive(c);
		return;
	}
	switch (take() % 16) {
	case 0:
		leave(c);
		break;
	case 1:
		/* Any message at all. */
		q.code = take() % 4 ? 64 + take() % 8 : take() % 2 ? CTL_FB_MODE + take() % 2 : take() << 8 | take();
		for (unsigned i = 0; i < 4; i++)
			q.arg[i] = take() % 2 ? take() % 4 : some_position(WIDTH);
		q.len = take() % 2 ? take_below(200) : 0;
		for (size_t i = 0; i < q.len; i++)
			q.in[i] = (uint8_t)take();
		ask(c);
		break;
	case 2:
		/* The client makes its Frame smaller or larger, and says that all has changed. */
		if (c->width) {
			resize_object(c->object, PAGE_SIZE * (1 + take() % 3));
			q.code = CTL_FB_DAMAGE;
			q.len = sizeof(struct fb_rect);
			memcpy(q.in, &(struct fb_rect){ 0, 0, c->width, c->height }, q.len);
			ask(c);
		}
		break;
	case 3:
	case 4:
		q.code = CTL_FB_SURFACE;
		q.arg[0] = take_below(mode.width + 2);
		q.arg[1] = take_below(mode.height + 2);
		q.arg[2] = take() % 4 == 0;
		short_of_memory = take() % 8 == 0;
		ask(c);
		short_of_memory = false;
		break;
	case 5:
	case 6:
		q.code = CTL_FB_SHOW;
		q.arg[0] = some_position(WIDTH);
		q.arg[1] = some_position(HEIGHT);
		q.arg[2] = take() % 4 == 0;
		ask(c);
		break;
	case 7:
		q.code = CTL_FB_CURSOR;
		q.arg[0] = take() % 12;
		q.arg[1] = q.arg[0] ? 1 + take() % 12 : 0;
		q.arg[2] = q.arg[0] ? take() % q.arg[0] : 0;
		q.arg[3] = q.arg[0] ? take() % q.arg[1] : 0;
		q.len = q.arg[0] * q.arg[1] * 4;
		for (size_t i = 0; i < q.len; i++)
			q.in[i] = (uint8_t)(take() + i * 37);
		ask(c);
		break;
	case 8:
	case 9:
		q.code = CTL_FB_POINTER;
		q.arg[0] = some_position(WIDTH);
		q.arg[1] = some_position(HEIGHT);
		ask(c);
		break;
	case 10:
		q.code = CTL_FB_BLANK;
		q.arg[0] = take() % 4 == 0;
		ask(c);
		break;
	case 11:
		MUST_HOLD(on_read(NULL, &command, &(struct file_read_req){ 0 }, &read) == OK && read.done > 10);
		break;
	case 12:
		restart();
		break;
	case 13:
		change_mode(c);
		break;
	default:
		if (c->width) {
			paint(c);
			ask(c);
		}
	}
}

static void play(const uint8_t *data, size_t size, bool look)
{
	dice = data;
	dice_end = data + size;
	while (dice < dice_end) {
		step();
		if (look)
			check();
	}
	for (size_t i = 0; i < CLIENTS; i++)
		if (clients[i].badge)
			leave(&clients[i]);
}

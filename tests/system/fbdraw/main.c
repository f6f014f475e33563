/*
 * fbdraw: surfaces of fb://, for tests/boot/test_fb.py and test_gpu.py, which know the same pattern.
 *
 *   fbdraw W H X Y SEED          shows a surface with the pattern, says so, and stays
 *   fbdraw cursor W H X Y SEED   the same, with a cursor of CURSOR pixels each way, half seen through, its hot spot (3, 2) at 100, 60 of the
 *                                screen; then it blanks the screen and, told so by a line on its input, unblanks it
 *   fbdraw live W H X Y MS       a moving pattern for so many ms, in rectangles at random; at last that of seed 0, and stays
 *   fbdraw sizes W H             one surface after the other through one Session, the last of W x H stays, with the pattern of seed 5
 *   fbdraw wrong                 what is refused
 *   fbdraw mode W H              gives the screen that mode, and says what comes of it
 *   fbdraw changes               says what size the screen has, now and after each change
 *   fbdraw many                  surfaces until there are no more; closed, they leave room for as many
 */
#include "../random.h"
#include <abi/fb.h>
#include <gen/file.h>
#include <rt/clock.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdlib.h>
#include <string.h>

enum { CURSOR = 16, RECTS = 5 };

struct surface { handle_t session, frame; uint32_t width, height, *pixels; uint64_t size; };

#define CHECK(what) do { if (!(what)) { print_error("line %d: %s", __LINE__, #what); exit(1); } } while (0)

static uint32_t pattern(uint32_t x, uint32_t y, uint32_t seed)
{
	return ((x * 7 + seed * 50) & 0xff) << 16 | ((y * 5 + seed * 80) & 0xff) << 8 | ((x ^ y ^ seed) & 0xff);
}

static handle_t open_fb(uint32_t flags)
{
	handle_t h;

	MUST(file_open("fb://", flags, &h));
	return h;
}

/* A CTL with bytes to read. */
static status_t ctl(handle_t session, uint32_t code, uint64_t a, uint64_t b, uint64_t c, uint64_t d, const void *in, size_t len)
{
	struct msg m = { .in = in, .in_len = len };
	struct file_ctl_req q = { .code = code, .arg0 = a, .arg1 = b, .arg2 = c, .arg3 = d };

	file_ctl_ask(&m, &q);
	return ipc_call(session, &m);
}

static status_t map_frame(handle_t session, uint32_t prot, handle_t *frame, uint64_t *size)
{
	struct msg m = { 0 };
	struct file_map_req q = { .prot = prot };

	file_map_ask(&m, &q);
	status_t st = ipc_call(session, &m);
	*frame = st == OK ? m.handles[0] : 0;
	*size = m.w[1];
	return st;
}

/* s->session's surface gets this size, and is mapped. */
static void resize(struct surface *s, uint32_t width, uint32_t height)
{
	uint64_t va;

	MUST(ctl(s->session, CTL_FB_SURFACE, width, height, 0, 0, NULL, 0));
	if (s->pixels) {
		MUST(vmem_unmap(0, (uint64_t)s->pixels, ALIGN_UP(s->size, PAGE_SIZE)));
		handle_close(s->frame);
	}
	MUST(map_frame(s->session, PROT_READ | PROT_WRITE, &s->frame, &s->size));
	CHECK(s->size == (uint64_t)width * height * sizeof(uint32_t));
	MUST(vmem_map(0, s->frame, 0, 0, ALIGN_UP(s->size, PAGE_SIZE), PROT_READ | PROT_WRITE, &va));
	s->pixels = (uint32_t *)va;
	s->width = width;
	s->height = height;
}

static struct surface make(uint32_t width, uint32_t height)
{
	struct surface s = { .session = open_fb(OPEN_READ | OPEN_WRITE) };

	resize(&s, width, height);
	return s;
}

static void fill(struct surface *s, struct fb_rect r, uint32_t seed)
{
	for (uint32_t y = (uint32_t)r.y; y < (uint32_t)r.y + r.height; y++)
		for (uint32_t x = (uint32_t)r.x; x < (uint32_t)r.x + r.width; x++)
			s->pixels[(size_t)y * s->width + x] = pattern(x, y, seed) | 0xab000000;        /* the upper byte is nobody's */
}

static struct fb_rect whole(const struct surface *s)
{
	return (struct fb_rect){ 0, 0, s->width, s->height };
}

static status_t show(struct surface *s, int64_t x, int64_t y)
{
	return ctl(s->session, CTL_FB_SHOW, (uint64_t)x, (uint64_t)y, 0, 0, NULL, 0);
}

static noreturn void stay(void)
{
	print("fbdraw: shown\n");
	print_flush();
	for (;;)
		(void)!thread_sleep(FOREVER);
}

static void wait_line(void)
{
	char c;
	size_t done = 0;

	print_flush();
	do {
		MUST(input_read(&c, 1, &done));
	} while (done && c != '\n');
}

static void with_cursor(struct surface *s)
{
	uint32_t picture[CURSOR * CURSOR];

	for (uint32_t y = 0; y < CURSOR; y++)
		for (uint32_t x = 0; x < CURSOR; x++)
			picture[y * CURSOR + x] = (x < 8 ? 0xff000000 : 0x80000000) | 0xffff00;
	MUST(ctl(s->session, CTL_FB_CURSOR, CURSOR, CURSOR, 3, 2, picture, sizeof(picture)));
	MUST(ctl(s->session, CTL_FB_POINTER, 500, 300, 0, 0, NULL, 0));
	MUST(ctl(s->session, CTL_FB_POINTER, 100, 60, 0, 0, NULL, 0));
	print("fbdraw: cursor\n");
	wait_line();
	MUST(ctl(s->session, CTL_FB_BLANK, 1, 0, 0, 0, NULL, 0));
	print("fbdraw: blank\n");
	wait_line();
	MUST(ctl(s->session, CTL_FB_BLANK, 0, 0, 0, 0, NULL, 0));
	MUST(ctl(s->session, CTL_FB_CURSOR, 0, 0, 0, 0, NULL, 0));
}

static void live(struct surface *s, uint64_t ms)
{
	uint64_t end = clock_value() + ms * NS_PER_MS, rounds = 0;
	struct random r = { clock_value() };

	while (clock_value() < end) {
		struct fb_rect rects[RECTS];
		uint32_t seed = (uint32_t)below(&r, 256);
		for (size_t i = 0; i < RECTS; i++) {
			rects[i].width = 1 + (uint32_t)below(&r, MIN(s->width, 80u));
			rects[i].height = 1 + (uint32_t)below(&r, MIN(s->height, 60u));
			rects[i].x = (int32_t)below(&r, s->width - rects[i].width + 1);
			rects[i].y = (int32_t)below(&r, s->height - rects[i].height + 1);
			fill(s, rects[i], seed);
		}
		MUST(ctl(s->session, CTL_FB_DAMAGE, 0, 0, 0, 0, rects, sizeof(rects)));
		rounds++;
	}
	fill(s, whole(s), 0);
	struct fb_rect all = whole(s);
	MUST(ctl(s->session, CTL_FB_DAMAGE, 0, 0, 0, 0, &all, sizeof(all)));
	print("fbdraw: %llu rounds\n", (unsigned long long)rounds);
}

static void sizes(uint32_t width, uint32_t height)
{
	struct surface s = make(1, 1);

	for (uint32_t n = 1; n < 40; n++) {
		resize(&s, 1 + n * 7 % 97, 1 + n * 13 % 71);
		fill(&s, whole(&s), n);
		MUST(show(&s, (int64_t)n * 3 - 50, (int64_t)n * 5 - 60));
		/* The same size again changes nothing. */
		MUST(ctl(s.session, CTL_FB_SURFACE, s.width, s.height, 0, 0, NULL, 0));
	}
	resize(&s, width, height);
	fill(&s, whole(&s), 5);
	MUST(show(&s, 0, 0));
	stay();
}

static int wrong(void)
{
	handle_t reader = open_fb(OPEN_READ), writer = open_fb(OPEN_READ | OPEN_WRITE), frame;
	uint64_t screen[3], size;
	uint32_t picture[4] = { 0 };
	struct fb_rect rects[FB_RECTS_MAX + 1] = { { 0, 0, 1, 1 } }, odd = { INT32_MAX, INT32_MIN, UINT32_MAX, UINT32_MAX };

	MUST(file_ctl(reader, CTL_FB_INFO, NULL, 0, screen));
	CHECK(ctl(reader, CTL_FB_SURFACE, 8, 8, 0, 0, NULL, 0) == ERR_DENIED);
	CHECK(map_frame(reader, PROT_READ, &frame, &size) == ERR_DENIED);
	for (uint32_t code = CTL_FB_DAMAGE; code <= CTL_FB_BLANK; code++) {
		CHECK(ctl(reader, code, 0, 0, 0, 0, code == CTL_FB_DAMAGE ? rects : NULL, code == CTL_FB_DAMAGE ? 16 : 0) == ERR_DENIED);
		CHECK(ctl(writer, code, 0, 0, 0, 0, code == CTL_FB_DAMAGE ? rects : NULL, code == CTL_FB_DAMAGE ? 16 : 0) == ERR_INVALID);
	}
	CHECK(map_frame(writer, PROT_READ, &frame, &size) == ERR_INVALID);
	CHECK(ctl(reader, CTL_FB_MODE, screen[0], screen[1], 0, 0, NULL, 0) == ERR_DENIED);
	CHECK(ctl(writer, CTL_FB_MODE, 0, 8, 0, 0, NULL, 0) == ERR_INVALID && ctl(writer, CTL_FB_MODE, 8, 0, 0, 0, NULL, 0) == ERR_INVALID);
	CHECK(ctl(writer, CTL_FB_MODE, 1 << 15, 8, 0, 0, NULL, 0) == ERR_INVALID && ctl(writer, CTL_FB_MODE, (1ull << 32) + 640, 480, 0, 0, NULL, 0) == ERR_INVALID);
	CHECK(ctl(writer, CTL_FB_MODE, 640, 480, 0, 0, rects, 16) == ERR_INVALID && ctl(writer, CTL_FB_WAIT, 0, 0, 0, 0, rects, 16) == ERR_INVALID);
	MUST(ctl(writer, CTL_FB_MODE, screen[0], screen[1], 0, 0, NULL, 0));
	MUST(ctl(reader, CTL_FB_WAIT, 0, 0, 0, 0, NULL, 0));
	CHECK(ctl(writer, CTL_FB_BLANK + 1, 0, 0, 0, 0, NULL, 0) == ERR_NOT_SUPPORTED);
	CHECK(ctl(writer, CTL_FB_SURFACE, 0, 8, 0, 0, NULL, 0) == ERR_INVALID && ctl(writer, CTL_FB_SURFACE, 8, 0, 0, 0, NULL, 0) == ERR_INVALID);
	CHECK(ctl(writer, CTL_FB_SURFACE, screen[0] + 1, 8, 0, 0, NULL, 0) == ERR_INVALID);
	CHECK(ctl(writer, CTL_FB_SURFACE, 8, screen[1] + 1, 0, 0, NULL, 0) == ERR_INVALID);
	CHECK(ctl(writer, CTL_FB_SURFACE, 8, (1ull << 32) + 8, 0, 0, NULL, 0) == ERR_INVALID);
	CHECK(ctl(writer, CTL_FB_SURFACE, 8, 8, 0, 0, picture, 4) == ERR_INVALID);
	CHECK(file_ctl(writer, CTL_FB_SURFACE, (uint64_t[4]){ 8, 8 }, writer, NULL) == ERR_INVALID);
	MUST(ctl(writer, CTL_FB_SURFACE, 8, 8, 0, 0, NULL, 0));
	CHECK(ctl(writer, CTL_FB_DAMAGE, 0, 0, 0, 0, NULL, 0) == ERR_INVALID && ctl(writer, CTL_FB_DAMAGE, 0, 0, 0, 0, rects, 15) == ERR_INVALID);
	CHECK(ctl(writer, CTL_FB_DAMAGE, 0, 0, 0, 0, rects, sizeof(rects)) == ERR_INVALID);
	MUST(ctl(writer, CTL_FB_DAMAGE, 0, 0, 0, 0, rects, sizeof(rects) - sizeof(rects[0])));
	CHECK(ctl(writer, CTL_FB_SHOW, 1ull << 31, 0, 0, 0, NULL, 0) == ERR_INVALID && ctl(writer, CTL_FB_SHOW, 0, 0, 2, 0, NULL, 0) == ERR_INVALID);
	CHECK(show(&(struct surface){ .session = writer }, INT32_MIN - 1ll, 0) == ERR_INVALID);
	CHECK(ctl(writer, CTL_FB_CURSOR, FB_CURSOR_MAX + 1, 1, 0, 0, picture, 4) == ERR_INVALID);
	CHECK(ctl(writer, CTL_FB_CURSOR, 2, 2, 0, 0, picture, 12) == ERR_INVALID && ctl(writer, CTL_FB_CURSOR, 2, 0, 0, 0, NULL, 0) == ERR_INVALID);
	CHECK(ctl(writer, CTL_FB_CURSOR, 2, 2, 2, 0, picture, 16) == ERR_INVALID && ctl(writer, CTL_FB_CURSOR, 0, 0, 0, 1, NULL, 0) == ERR_INVALID);
	CHECK(ctl(writer, CTL_FB_POINTER, 0, 1ull << 40, 0, 0, NULL, 0) == ERR_INVALID && ctl(writer, CTL_FB_BLANK, 2, 0, 0, 0, NULL, 0) == ERR_INVALID);
	CHECK(map_frame(writer, PROT_READ | PROT_EXEC, &frame, &size) == ERR_INVALID);
	MUST(map_frame(writer, PROT_READ, &frame, &size));
	CHECK(frame_resize(frame, 1) == ERR_DENIED);
	handle_close(frame);
	/* Far out, and cut to nothing: no errors. The Frame made smaller and larger behind fbd's back: its pixels are black. */
	MUST(show(&(struct surface){ .session = writer }, INT32_MAX, INT32_MIN));
	MUST(ctl(writer, CTL_FB_DAMAGE, 0, 0, 0, 0, &odd, sizeof(odd)));
	MUST(ctl(writer, CTL_FB_SURFACE, 64, 64, 0, 0, NULL, 0));
	MUST(map_frame(writer, PROT_WRITE, &frame, &size));
	MUST(frame_resize(frame, PAGE_SIZE));
	MUST(show(&(struct surface){ .session = writer }, 0, 0));
	MUST(frame_resize(frame, 64 * PAGE_SIZE));
	MUST(ctl(writer, CTL_FB_DAMAGE, 0, 0, 0, 0, rects, 16));
	print("fbdraw: as it should be\n");
	return 0;
}

static noreturn void changes(void)
{
	handle_t fb = open_fb(OPEN_READ);
	uint64_t values[3] = { 0 };

	for (;;) {
		MUST(file_ctl(fb, CTL_FB_WAIT, (uint64_t[4]){ values[0] }, 0, values));
		print("fbdraw: %llux%llu\n", (unsigned long long)values[1], (unsigned long long)values[2]);
		print_flush();
	}
}

static uint32_t fill_places(handle_t *sessions)
{
	for (uint32_t n = 0; n <= FB_SURFACES_MAX; n++) {
		sessions[n] = open_fb(OPEN_READ | OPEN_WRITE);
		status_t st = ctl(sessions[n], CTL_FB_SURFACE, 16, 16, 0, 0, NULL, 0);
		if (st < 0) {
			CHECK(st == ERR_LIMIT);
			handle_close(sessions[n]);
			return n;
		}
	}
	return FB_SURFACES_MAX + 1;
}

static int many(void)
{
	handle_t sessions[FB_SURFACES_MAX + 1];
	uint32_t first = fill_places(sessions), second;

	for (uint32_t i = 0; i < first; i++)
		handle_close(sessions[i]);
	second = fill_places(sessions);
	print("fbdraw: %u, and %u again\n", first, second);
	return first == second ? 0 : 1;
}

static uint32_t number(const char *text)
{
	return (uint32_t)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	bool word = *what && !strchr("0123456789", *what);
	char **a = argv + (word ? 2 : 1);
	int n = argc - (int)(a - argv);

	if (!strcmp(what, "wrong"))
		return wrong();
	if (!strcmp(what, "many"))
		return many();
	if (!strcmp(what, "changes"))
		changes();
	if (!strcmp(what, "mode") && n == 2) {
		status_t st = ctl(open_fb(OPEN_READ | OPEN_WRITE), CTL_FB_MODE, number(a[0]), number(a[1]), 0, 0, NULL, 0);
		print("fbdraw: %s\n", st < 0 ? error_name(st) : "OK");
		return st < 0;
	}
	if (!strcmp(what, "sizes") && n == 2)
		sizes(number(a[0]), number(a[1]));
	if (n != 5) {
		print_error("usage: fbdraw [cursor] W H X Y SEED | live W H X Y MS | sizes W H | mode W H | changes | wrong | many");
		return 2;
	}
	struct surface s = make(number(a[0]), number(a[1]));
	fill(&s, whole(&s), strcmp(what, "live") ? number(a[4]) : 0);
	MUST(show(&s, strtol(a[2], NULL, 10), strtol(a[3], NULL, 10)));
	if (!strcmp(what, "cursor"))
		with_cursor(&s);
	if (!strcmp(what, "live"))
		live(&s, number(a[4]));
	stay();
}

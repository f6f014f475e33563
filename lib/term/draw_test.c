/*
 * Expected: a surface that is drawn bit by bit is to the pixel the one that is drawn at once, whatever was sent, and nothing outside the
 * rectangles told has changed; no line below those announced is touched, and a fresh surface has few; a scroll draws new rows only; attributes, colours and the cursor look as they should; nothing is written beyond the surface.
 *
 * DRAW_PPM=FILE draws a page of everything there, to be looked at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sanitizer/asan_interface.h>
#include <font/box.c>
#include <font/font.c>
#include <utf8/utf8.c>
#include "draw.c"
#include "term.c"
#include "term_cells.c"
#include "term_damage.c"
#include "term_gate.c"
#include "term_keys.c"
#include "term_text.c"
#include "term_vt.c"

enum { GUARD = 0xdeadbeef };

static struct font font;
static uint8_t *font_bytes;
static struct term_face face;

/* A surface in the midst of memory that nobody may touch. */
struct canvas {
	struct term_surface s;
	uint32_t *all;
	size_t len;
};

static struct canvas canvas_make(uint32_t width, uint32_t height)
{
	struct canvas c = { .s = { .width = width, .height = height, .stride = width + 3 } };

	c.len = (size_t)c.s.stride * (height + 2);
	c.all = malloc(c.len * 4);
	for (size_t i = 0; i < c.len; i++)
		c.all[i] = GUARD;
	c.s.pixels = c.all + c.s.stride;
	return c;
}

/* As a surface that was just made. */
static void canvas_fresh(const struct canvas *c)
{
	for (uint32_t y = 0; y < c->s.height; y++)
		memset(c->s.pixels + (size_t)y * c->s.stride, 0, c->s.width * 4);
}

static void canvas_check(const struct canvas *c)
{
	for (size_t i = 0; i < c->len; i++)
		if (i < c->s.stride || i >= c->len - c->s.stride || i % c->s.stride >= c->s.width)
			assert_int_equal(c->all[i], GUARD);
}

static void write_all(struct term *t, const char *text, size_t len)
{
	for (size_t n = 0; n < len; term_commit(t, NULL))
		n += term_write(t, text + n, len - n);
}

static void say(struct term *t, const char *text)
{
	write_all(t, text, strlen(text));
}

static struct term *open_term(const struct term_shape *shape, void **memory)
{
	struct term *t;

	*memory = calloc(1, term_size(shape));
	assert_int_equal(term_open(&t, *memory, term_size(shape), shape), OK);
	return t;
}

static int load_font(void **state unused)
{
	FILE *p = popen("/usr/bin/python3 tools/mkscreenfont.py /usr/share/consolefonts /usr/share/unifont/unifont.hex", "r");

	font_bytes = malloc(FONT_FILE_MAX);
	size_t n = fread(font_bytes, 1, FONT_FILE_MAX, p);
	assert_int_equal(pclose(p), 0);
	assert_true(font_open(&font, font_bytes, n));
	term_face_begin(&face, &font, 1);
	return 0;
}

static int drop_font(void **state unused)
{
	free(font_bytes);
	return 0;
}

static bool inside(const struct term_rect *r, size_t n, uint32_t x, uint32_t y)
{
	for (size_t i = 0; i < n; i++)
		if (x >= r[i].x && x - r[i].x < r[i].width && y >= r[i].y && y - r[i].y < r[i].height)
			return true;
	return false;
}

/* Draws what changed into c, and all into a new one: the same, and what differs from before was told. */
static void compare(struct term *t, struct term_drawn *d, struct canvas *c, size_t room)
{
	struct canvas all = canvas_make(c->s.width, c->s.height);
	uint32_t *before = malloc(c->len * 4);
	struct term_rect rects[64], whole[4];

	memcpy(before, c->all, c->len * 4);
	uint32_t lines = term_draw_lines(t, d, &face, &c->s);
	assert_in_range(lines, d->lines, c->s.height);
	uint8_t *below = (uint8_t *)ALIGN_UP((uintptr_t)(c->s.pixels + (size_t)lines * c->s.stride), 8);
	size_t rest = (size_t)((uint8_t *)(c->all + c->len) - below) & ~7ul;
	ASAN_POISON_MEMORY_REGION(below, rest);
	size_t n = term_draw(t, d, &face, &c->s, rects, room);
	ASAN_UNPOISON_MEMORY_REGION(below, rest);
	assert_true(n <= room && d->lines == lines);
	for (size_t i = 0; i < n; i++)
		assert_true(rects[i].width > 0 && rects[i].height > 0 && rects[i].x + rects[i].width <= c->s.width && rects[i].y + rects[i].height <= c->s.height);
	term_draw(t, &(struct term_drawn){ .lines = c->s.height }, &face, &all.s, whole, 4);
	for (uint32_t y = 0; y < c->s.height; y++)
		for (uint32_t x = 0; x < c->s.width; x++) {
			size_t at = (size_t)(y + 1) * c->s.stride + x;
			assert_int_equal(c->all[at], all.all[at]);
			if (c->all[at] != before[at])
				assert_true(inside(rects, n, x, y));
		}
	canvas_check(c);
	canvas_check(&all);
	free(before);
	free(all.all);
}

static void bit_by_bit(void **state unused)
{
	static const char *const pieces[] = {
		"hello ", "\r\n", "\n", "\33[%d;%dH", "\33[%dS", "\33[%dT", "\33[%dL", "\33[%dM", "\33[%dP", "\33[%d@", "\33[K", "\33[1K", "\33[J",
		"\xe6\xbc\xa2\xe5\xad\x97", "e\xcc\x81", "\33[1;3%dm", "\33[7m", "\33[0m", "\33[4;9m", "\33[3m", "\33[4%dm", "\33[%d;%dr", "\33[r", "\33[?25l",
		"\33[?25h", "\33[%d q", "\33[?5h", "\33[?5l", "\33[?1049h", "\33[?1049l", "\33M", "\33[?69h\33[3;%ds", "\33[?69l", "\33(0lqk\33(B", "\b", "\t",
		"\xe2\x96\x88\xe2\x94\x81", "\33[38;5;%d%dm", "\33[2X", "\33[C", "\33[%dA",
	};
	const struct term_shape shape = { 6, 17, 8, 20, 12 };
	void *memory;

	for (unsigned seed = 1; seed <= 12; seed++) {
		struct term *t = open_term(&shape, &memory);
		face.scale = seed % 3 + 1;
		struct canvas c = canvas_make((seed & 1 ? 17 * 8 + 5 : 14 * 8) * face.scale, (seed & 2 ? 6 * 16 + 3 : 5 * 16) * face.scale);
		struct term_drawn d = { .lines = seed % 4 ? 0 : c.s.height };
		if (d.lines == 0)
			canvas_fresh(&c);
		srand(seed);
		for (int i = 0; i < 120; i++) {
			char text[64];
			for (int n = rand() % 4; n >= 0; n--) {
				int len = snprintf(text, sizeof(text), pieces[(size_t)rand() % ARRAY_LEN(pieces)], rand() % 9, rand() % 9 + 1);
				write_all(t, text, (size_t)len);
			}
			if (rand() % 16 == 0)
				term_view_by(t, rand() % 9 - 4);
			if (rand() % 40 == 0)
				assert_int_equal(term_resize(t, 4 + rand() % 5, 12 + rand() % 9), OK), d.begun = false;
			compare(t, &d, &c, rand() % 3 ? 64 : 1 + rand() % 3);
		}
		term_close(t);
		free(memory);
		free(c.all);
	}
	face.scale = 1;
}

/* The colours of a cell's pixels: how many have the first one's, and which the others have. */
static unsigned lit(const struct canvas *c, unsigned row, unsigned col, uint32_t colour)
{
	unsigned n = 0;

	for (unsigned y = 0; y < 16; y++)
		for (unsigned x = 0; x < 8; x++)
			n += c->s.pixels[(row * 16 + y) * c->s.stride + col * 8 + x] == colour;
	return n;
}

static void looks(void **state unused)
{
	const struct term_shape shape = { 3, 20, 3, 20, 0 };
	void *memory;
	struct term *t = open_term(&shape, &memory);
	face.scale = 1;
	struct canvas c = canvas_make(160, 48);
	struct term_drawn d = { .lines = 48 };
	struct term_rect r[16];

	say(t, "\33[?25la\33[31mb\33[7mc\33[0;1md\33[0;3me\33[0;4mf\33[0;48;2;1;2;3mg\33[0;38;5;196mh\33[0m \33[2mi\33[0;4;8mj\33[0m\33[3;1H");
	assert_int_equal(term_draw(t, &d, &face, &c.s, r, 16), 1);
	uint32_t fg = face.fg, bg = face.bg, red = face.palette[1];
	assert_in_range(lit(&c, 0, 0, fg), 10, 60);
	assert_int_equal(lit(&c, 0, 0, fg) + lit(&c, 0, 0, bg), 128);
	assert_int_equal(lit(&c, 0, 1, red) + lit(&c, 0, 1, bg), 128);
	assert_true(lit(&c, 0, 2, bg) < lit(&c, 0, 2, red));            /* reverse: more ground than ink */
	assert_int_equal(lit(&c, 0, 5, fg) >= 8, true);
	for (unsigned x = 0; x < 8; x++)
		assert_int_equal(c.s.pixels[14 * c.s.stride + 5 * 8 + x], fg);
	assert_int_equal(lit(&c, 0, 6, 0x010203) + lit(&c, 0, 6, fg), 128);
	assert_int_equal(lit(&c, 0, 7, 0xff0000) + lit(&c, 0, 7, bg), 128);
	assert_int_equal(lit(&c, 0, 8, bg), 128);
	assert_int_equal(lit(&c, 0, 9, 0x6c6c6c) + lit(&c, 0, 9, bg), 128);     /* faint: half of 0xd8d8d8 */
	assert_in_range(lit(&c, 0, 9, 0x6c6c6c), 10, 60);
	assert_int_equal(lit(&c, 0, 10, bg), 128);      /* concealed, its underline as well */
	assert_int_equal(term_draw(t, &d, &face, &c.s, r, 16), 0);      /* nothing changed */
	say(t, "\33[?25h");
	assert_int_equal(term_draw(t, &d, &face, &c.s, r, 16), 1);
	assert_int_equal(lit(&c, 2, 0, fg), 128);
	assert_int_equal(r[0].width, 8);
	say(t, "\33[4 q");
	term_draw(t, &d, &face, &c.s, r, 16);
	assert_int_equal(lit(&c, 2, 0, fg), 16);
	say(t, "\33[6 q");
	term_draw(t, &d, &face, &c.s, r, 16);
	assert_int_equal(lit(&c, 2, 0, fg), 16);
	say(t, "\33[?25l\n");                                            /* a scroll: told as one rectangle, with the new row */
	size_t n = term_draw(t, &d, &face, &c.s, r, 16);
	assert_int_equal(n, 1);
	assert_int_equal(r[0].height, 48);
	assert_int_equal(term_colour(&face, TERM_INDEXED | 16, 1), 0);
	assert_int_equal(term_colour(&face, TERM_INDEXED | 231, 1), 0xffffff);
	assert_int_equal(term_colour(&face, TERM_INDEXED | 110, 1), 0x87afd7);
	assert_int_equal(term_colour(&face, TERM_INDEXED | 255, 1), 0xeeeeee);
	term_close(t);
	free(memory);
	free(c.all);
}

/* A fresh surface is drawn on as far down as there is something to be seen. */
static void fresh(void **state unused)
{
	const struct term_shape shape = { 30, 80, 30, 80, 0 };
	void *memory;
	struct term *t = open_term(&shape, &memory);
	face.scale = 1;
	struct canvas c = canvas_make(640, 480);
	struct term_drawn d = { 0 };

	canvas_fresh(&c);
	say(t, "\33[?25l");
	compare(t, &d, &c, 64);
	assert_int_equal(d.lines, 0);
	say(t, "one\r\ntwo\33[J");
	compare(t, &d, &c, 64);
	assert_int_equal(d.lines, 32);
	say(t, "\33[?25h\33[4;1H");
	compare(t, &d, &c, 64);
	assert_int_equal(d.lines, 64);
	say(t, "\33[2;10r\33[2S\33[r\33[H\33[2J");
	compare(t, &d, &c, 64);
	assert_int_equal(d.lines, 160);
	say(t, "\33[12;20r\33[12;1H\33M\33M");
	compare(t, &d, &c, 64);
	assert_int_equal(d.lines, 192);
	say(t, "\33[?5h");
	compare(t, &d, &c, 64);
	assert_int_equal(d.lines, 480);
	term_close(t);
	free(memory);
	free(c.all);
}

static void fits(void **state unused)
{
	static const struct { uint32_t width, height, scale, rows, cols; } want[] = {
		{ 640, 480, 1, 30, 80 }, { 800, 600, 1, 37, 100 }, { 1024, 768, 1, 48, 128 }, { 1920, 1080, 1, 67, 240 }, { 2560, 1440, 2, 45, 160 },
		{ 3840, 2160, 3, 45, 160 }, { 7680, 4320, 6, 45, 160 }, { 1080, 1920, 1, 120, 135 }, { 16384, 16384, 8, 128, 256 },
	};
	struct term_surface s = { 0 };
	unsigned rows, cols;

	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		s.width = want[i].width, s.height = want[i].height;
		assert_int_equal(term_scale(s.width, s.height), want[i].scale);
		assert_true(term_fit(&s, want[i].scale, &rows, &cols));
		assert_int_equal(rows, want[i].rows);
		assert_int_equal(cols, want[i].cols);
	}
	s.width = 63;
	assert_false(term_fit(&s, 1, &rows, &cols));
	s.width = 640, s.height = 31;
	assert_false(term_fit(&s, 1, &rows, &cols));
}

static void a_page_to_look_at(void **state unused)
{
	const char *path = getenv("DRAW_PPM");
	const struct term_shape shape = { 30, 80, 30, 80, 0 };
	void *memory;
	struct term *t = open_term(&shape, &memory);
	const char *scale = getenv("DRAW_SCALE");

	face.scale = scale ? (unsigned)atoi(scale) : 1;
	struct canvas c = canvas_make(80 * 8 * face.scale, 30 * 16 * face.scale);
	struct term_drawn d = { .lines = c.s.height };
	struct term_rect r[4];

	say(t, "\33[1mbold\33[0m \33[3mitalic\33[0m \33[4munderline\33[0m \33[21mdouble\33[0m \33[4:3mcurly\33[0m \33[9mstrike\33[0m \33[7mreverse\33[0m "
		"\33[1;3;4mall of them\33[0m \33[5mblink\33[0m\r\n");
	for (int i = 0; i < 16; i++) {
		char text[64];
		snprintf(text, sizeof(text), "\33[%dm%02d\33[0m\33[%dm  \33[0m ", i < 8 ? 30 + i : 82 + i, i, i < 8 ? 40 + i : 92 + i);
		say(t, text);
	}
	say(t, "\r\n");
	for (int i = 0; i < 216; i++) {
		char text[64];
		snprintf(text, sizeof(text), "\33[48;5;%dm%s\33[0m%s", 16 + i, " ", i % 72 == 71 ? "\r\n" : "");
		say(t, text);
	}
	for (int i = 0; i < 72; i++) {
		char text[64];
		snprintf(text, sizeof(text), "\33[48;2;%d;%d;%dm \33[0m", i * 3, 255 - i * 3, 128);
		say(t, text);
	}
	say(t, "\r\nThe quick brown fox jumps over the lazy dog 0123456789 !@#$%^&*()[]{}\r\n"
		"Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich; Příliš žluťoučký\r\n"
		"Ξεσκεπάζω την ψυχοφθόρα βδελυγμία · Съешь же ещё этих мягких французских булок\r\n"
		"いろはにほへと ちりぬるを アイウエオ 日本語 漢字 「東京」 ＡＢＣ\r\n"
		"e\xcc\x81 a\xcc\x88 n\xcc\x83 o\xcc\x82\xcc\xa3  ← ↑ → ↓ ⇒ ∀x∈ℝ ∑ √ ∞ ≈ ≠ ≤ ✓ ✗ ★ ♠ ♥ € £ ⣿⡇⠿ \xef\xbf\xbd 한\r\n"
		"┌──┬──┐ ╔══╦══╗ ┏━━┳━━┓ ╭──╮ ╒══╕ ╓──╖ ┍━┑ ╱╲╳ ▀▄█▌▐░▒▓ ▁▂▃▄▅▆▇█ ▏▎▍▌▋▊▉\r\n"
		"│  │  │ ║  ║  ║ ┃  ┃  ┃ │  │ │  │ ║  ║ │ │ ▖▗▘▙▚▛▜▝▞▟\r\n"
		"├──┼──┤ ╠══╬══╣ ┣━━╋━━┫ ╰──╯ ╞══╡ ╟──╢ ┝━┥\r\n"
		"└──┴──┘ ╚══╩══╝ ┗━━┻━━┛      ╘══╛ ╙──╜ ┕━┙\r\n"
		"\33(0lqqwqqk x mqqvqqj tqnqu\33(B line drawing by charset\r\n"
		"\33[44;1;37m an editor's status line          12,7    All \33[K\33[0m\r\nskerry:/$ ");
	term_draw(t, &d, &face, &c.s, r, 4);
	canvas_check(&c);
	assert_true(term_cursor(t).visible);
	if (path) {
		FILE *f = fopen(path, "wb");
		fprintf(f, "P6 %u %u 255\n", c.s.width, c.s.height);
		for (uint32_t y = 0; y < c.s.height; y++)
			for (uint32_t x = 0; x < c.s.width; x++) {
				uint32_t p = c.s.pixels[(size_t)y * c.s.stride + x];
				fwrite((uint8_t[]){ (uint8_t)(p >> 16), (uint8_t)(p >> 8), (uint8_t)p }, 1, 3, f);
			}
		fclose(f);
	}
	term_close(t);
	free(memory);
	free(c.all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bit_by_bit), cmocka_unit_test(looks), cmocka_unit_test(fresh), cmocka_unit_test(fits), cmocka_unit_test(a_page_to_look_at),
	};
	return cmocka_run_group_tests(tests, load_font, drop_font);
}

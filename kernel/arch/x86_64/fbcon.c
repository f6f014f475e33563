/*
 * fbcon: text on the firmware's framebuffer, for the boot log and for panics.
 *
 * The framebuffer is written and never read: reads of write-combining memory are some hundred times
 * slower. What the screen shows is kept in `shown`, one byte a cell, and a scroll redraws only the
 * cells that change. It scrolls by half a screen: then a long log costs two drawings of each line,
 * not one for every line that follows.
 *
 * Nothing is drawn before the first text, so that a quiet boot leaves the firmware's picture alone.
 *
 * No lock: log.c holds its console lock; panic comes without asking and may find any state left by
 * a writer it stopped, so every index is checked where it is used.
 *
 * Text is UTF-8; the font (made from a console font by tools/mkfont.py) has Latin-1.
 */
#include <kernel/arch.h>

enum {
	FONT_W = 8, FONT_H = 16,
	CELLS_MAX = 128 * 1024,
	BIG_WIDTH = 2560,               /* from here on letters are drawn twice as large */
};

/* Row by row, the leftmost pixel in bit 7; indexed by Latin-1 code. Made by tools/mkfont.py. */
extern const uint8_t font8x16[256][FONT_H];

static struct boot_framebuffer fb;
static uint8_t *pixels;                 /* NULL: no console */
static uint32_t cols, rows, scale;
static uint32_t ink, paper;
static uint32_t at_col, at_row;
static bool     ours;                   /* the screen shows `shown` */
static uint8_t  shown[CELLS_MAX];
static uint32_t utf8_rest, utf8_char;   /* bytes to come, bits so far */

/* Eight-bit intensity as the mask's field. A mask with holes loses precision, no more. */
static uint32_t channel(uint32_t mask, uint32_t intensity)
{
	if (mask == 0)
		return 0;
	uint32_t shift = (uint32_t)__builtin_ctz(mask);
	uint64_t most = mask >> shift;
	return (uint32_t)(most * intensity / 255 << shift) & mask;
}

static uint32_t colour(uint32_t red, uint32_t green, uint32_t blue)
{
	return channel(fb.red_mask, red) | channel(fb.green_mask, green) | channel(fb.blue_mask, blue);
}

static void fill_run(uint8_t *p, uint32_t n, uint32_t v)
{
	switch (fb.bytes_per_pixel) {
	case 4:
		for (uint32_t i = 0; i < n; i++)
			((volatile uint32_t *)p)[i] = v;
		break;
	case 3:
		for (uint32_t i = 0; i < n; i++) {
			((volatile uint8_t *)p)[3 * i] = (uint8_t)v;
			((volatile uint8_t *)p)[3 * i + 1] = (uint8_t)(v >> 8);
			((volatile uint8_t *)p)[3 * i + 2] = (uint8_t)(v >> 16);
		}
		break;
	default:
		for (uint32_t i = 0; i < n; i++)
			((volatile uint16_t *)p)[i] = (uint16_t)v;
	}
}

/* Draws glyph c; the caller has checked col and row. */
static void draw(uint32_t col, uint32_t row, uint8_t c)
{
	uint32_t step = scale * fb.bytes_per_pixel;
	uint8_t *cell = pixels + (uint64_t)row * FONT_H * scale * fb.stride + (uint64_t)col * FONT_W * step;

	for (uint32_t y = 0; y < FONT_H * scale; y++, cell += fb.stride) {
		uint32_t bits = font8x16[c][y / scale];
		if (scale == 1 && fb.bytes_per_pixel == 4) {    /* nearly every machine: kept tight */
			volatile uint32_t *p = (volatile uint32_t *)cell;
			for (uint32_t x = 0; x < FONT_W; x++, bits <<= 1)
				p[x] = bits & 0x80 ? ink : paper;
			continue;
		}
		for (uint32_t x = 0; x < FONT_W; x++, bits <<= 1)
			fill_run(cell + x * step, scale, bits & 0x80 ? ink : paper);
	}
}

static void show(uint32_t col, uint32_t row, uint8_t c)
{
	if (col >= cols || row >= rows || shown[row * cols + col] == c)
		return;
	shown[row * cols + col] = c;
	draw(col, row, c);
}

static void take_screen(void)
{
	for (uint32_t y = 0; y < fb.height; y++)
		fill_run(pixels + (uint64_t)y * fb.stride, fb.width, paper);
	for (uint32_t i = 0; i < cols * rows; i++)
		shown[i] = ' ';
	at_col = at_row = utf8_rest = 0;
	ours = true;
}

static void new_line(void)
{
	uint32_t up = (rows + 1) / 2;

	at_col = 0;
	if (++at_row < rows)
		return;
	for (uint32_t row = 0; row < rows; row++)
		for (uint32_t col = 0; col < cols; col++)
			show(col, row, row + up < rows ? shown[(row + up) * cols + col] : ' ');
	at_row = rows - up;
}

static void put(uint32_t c)
{
	if (c == '\n') {
		new_line();
		return;
	}
	if (c == '\t') {
		at_col = ALIGN_DOWN(at_col + 8, 8u);
		return;
	}
	if (at_col >= cols)
		new_line();
	show(at_col++, at_row, c < 0x20 || c > 0xff || (c >= 0x7f && c < 0xa0) ? '?' : (uint8_t)c);
}

/* Text has been cleaned already (log.c); here a broken sequence only has to be harmless. */
static void put_byte(uint8_t byte)
{
	if (byte < 0x80) {
		utf8_rest = 0;
		put(byte);
	} else if (byte >= 0xc0) {
		utf8_rest = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
		utf8_char = byte & (0x3fu >> utf8_rest);
	} else if (utf8_rest > 0) {
		utf8_char = utf8_char << 6 | (byte & 0x3f);
		if (--utf8_rest == 0)
			put(utf8_char);
	}
}

/* A description that contradicts itself gives no console rather than writes outside the framebuffer. */
void fbcon_init(const struct boot_framebuffer *given, void *virt)
{
	pixels = NULL;
	ours = false;
	fb = *given;
	if (!virt || fb.base == 0 || fb.bytes_per_pixel < 2 || fb.bytes_per_pixel > 4 || fb.width == 0 || fb.height == 0 ||
	    (uint64_t)fb.width * fb.bytes_per_pixel > fb.stride || (uint64_t)fb.height * fb.stride > fb.size)
		return;
	scale = fb.width >= BIG_WIDTH ? 2 : 1;
	cols = fb.width / (FONT_W * scale);
	rows = fb.height / (FONT_H * scale);
	if (cols == 0 || rows < 2)
		return;
	cols = MIN(cols, (uint32_t)CELLS_MAX / 2);
	rows = MIN(rows, CELLS_MAX / cols);
	ink = colour(0xd0, 0xd0, 0xd0);
	paper = colour(0, 0, 0);
	pixels = virt;
}

void fbcon_write(const char *text, size_t len)
{
	if (!pixels)
		return;
	if (!ours)
		take_screen();
	for (size_t i = 0; i < len; i++)
		put_byte((uint8_t)text[i]);
}

void fbcon_reset(void)
{
	ours = false;
}

bool fbcon_at(uint64_t phys, uint64_t size)
{
	return phys < fb.base + fb.size && fb.base < phys + size;
}

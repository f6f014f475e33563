/*
 * box: line drawing and blocks (The Unicode Standard, Box Drawing U+2500..257F, Block Elements U+2580..259F) as strokes from the middle of the cell to its
 * borders, so that they meet those of the next cell. Dashed lines are drawn whole, arcs as corners.
 */
#include <string.h>
#include "font.h"

enum { NONE, LIGHT, HEAVY, DOUBLE };
enum { MIDDLE_X = 3, MIDDLE_Y = 7 };            /* light strokes; heavy ones have the next pixel too, double ones both neighbours */

/* Two bits each: left, right, up, down. */
#define S(l, r, u, d) ((l) | (r) << 2 | (u) << 4 | (d) << 6)
static const uint8_t strokes[128] = {
	S(1,1,0,0), S(2,2,0,0), S(0,0,1,1), S(0,0,2,2), S(1,1,0,0), S(2,2,0,0), S(0,0,1,1), S(0,0,2,2),
	S(1,1,0,0), S(2,2,0,0), S(0,0,1,1), S(0,0,2,2), S(0,1,0,1), S(0,2,0,1), S(0,1,0,2), S(0,2,0,2),
	S(1,0,0,1), S(2,0,0,1), S(1,0,0,2), S(2,0,0,2), S(0,1,1,0), S(0,2,1,0), S(0,1,2,0), S(0,2,2,0),
	S(1,0,1,0), S(2,0,1,0), S(1,0,2,0), S(2,0,2,0), S(0,1,1,1), S(0,2,1,1), S(0,1,2,1), S(0,1,1,2),
	S(0,1,2,2), S(0,2,2,1), S(0,2,1,2), S(0,2,2,2), S(1,0,1,1), S(2,0,1,1), S(1,0,2,1), S(1,0,1,2),
	S(1,0,2,2), S(2,0,2,1), S(2,0,1,2), S(2,0,2,2), S(1,1,0,1), S(2,1,0,1), S(1,2,0,1), S(2,2,0,1),
	S(1,1,0,2), S(2,1,0,2), S(1,2,0,2), S(2,2,0,2), S(1,1,1,0), S(2,1,1,0), S(1,2,1,0), S(2,2,1,0),
	S(1,1,2,0), S(2,1,2,0), S(1,2,2,0), S(2,2,2,0), S(1,1,1,1), S(2,1,1,1), S(1,2,1,1), S(2,2,1,1),
	S(1,1,2,1), S(1,1,1,2), S(1,1,2,2), S(2,1,2,1), S(1,2,2,1), S(2,1,1,2), S(1,2,1,2), S(2,2,2,1),
	S(2,2,1,2), S(2,1,2,2), S(1,2,2,2), S(2,2,2,2), S(1,1,0,0), S(2,2,0,0), S(0,0,1,1), S(0,0,2,2),
	S(3,3,0,0), S(0,0,3,3), S(0,3,0,1), S(0,1,0,3), S(0,3,0,3), S(3,0,0,1), S(1,0,0,3), S(3,0,0,3),
	S(0,3,1,0), S(0,1,3,0), S(0,3,3,0), S(3,0,1,0), S(1,0,3,0), S(3,0,3,0), S(0,3,1,1), S(0,1,3,3),
	S(0,3,3,3), S(3,0,1,1), S(1,0,3,3), S(3,0,3,3), S(3,3,0,1), S(1,1,0,3), S(3,3,0,3), S(3,3,1,0),
	S(1,1,3,0), S(3,3,3,0), S(3,3,1,1), S(1,1,3,3), S(3,3,3,3), S(0,1,0,1), S(1,0,0,1), S(1,0,1,0),
	S(0,1,1,0), 0,          0,          0,          S(1,0,0,0), S(0,0,1,0), S(0,1,0,0), S(0,0,0,1),
	S(2,0,0,0), S(0,0,2,0), S(0,2,0,0), S(0,0,0,2), S(1,2,0,0), S(0,0,1,2), S(2,1,0,0), S(0,0,2,1),
};

static void ink(uint16_t rows[FONT_HEIGHT], int x0, int y0, int x1, int y1)
{
	for (int y = y0; y < y1; y++)
		for (int x = x0; x < x1; x++)
			rows[y] |= (uint16_t)(0x8000 >> x);
}

static void across(uint16_t rows[FONT_HEIGHT], unsigned kind, int x0, int x1)
{
	if (kind == DOUBLE) {
		ink(rows, x0, MIDDLE_Y - 1, x1, MIDDLE_Y);
		ink(rows, x0, MIDDLE_Y + 1, x1, MIDDLE_Y + 2);
	} else if (kind) {
		ink(rows, x0, MIDDLE_Y, x1, MIDDLE_Y + (int)kind);
	}
}

static void upright(uint16_t rows[FONT_HEIGHT], unsigned kind, int y0, int y1)
{
	if (kind == DOUBLE) {
		ink(rows, MIDDLE_X - 1, y0, MIDDLE_X, y1);
		ink(rows, MIDDLE_X + 1, y0, MIDDLE_X + 2, y1);
	} else if (kind) {
		ink(rows, MIDDLE_X, y0, MIDDLE_X + (int)kind, y1);
	}
}

/* How far the strokes of the other direction reach beyond the middle: double corners and tees meet there. */
static int reach(unsigned a, unsigned b)
{
	return a == DOUBLE || b == DOUBLE ? 1 : 0;
}

static void lines(uint8_t s, uint16_t rows[FONT_HEIGHT])
{
	unsigned left = s & 3, right = s >> 2 & 3, up = s >> 4 & 3, down = s >> 6;
	int rx = reach(up, down), ry = reach(left, right);

	across(rows, left, 0, MIDDLE_X + 1 + rx + (up == HEAVY || down == HEAVY));
	across(rows, right, MIDDLE_X - rx, FONT_WIDTH);
	upright(rows, up, 0, MIDDLE_Y + 1 + ry + (left == HEAVY || right == HEAVY));
	upright(rows, down, MIDDLE_Y - ry, FONT_HEIGHT);
	/* The space between double lines is open where two of them cross or turn. */
	if (rx && ry)
		for (int y = MIDDLE_Y - (up == DOUBLE); y <= MIDDLE_Y + (down == DOUBLE); y++)
			for (int x = MIDDLE_X - (left == DOUBLE); x <= MIDDLE_X + (right == DOUBLE); x++)
				if (x == MIDDLE_X || y == MIDDLE_Y)
					rows[y] &= (uint16_t)~(0x8000 >> x);
}

/* Falling and rising strokes from corner to corner. */
static void diagonals(bool rising, bool falling, uint16_t rows[FONT_HEIGHT])
{
	for (int y = 0; y < FONT_HEIGHT; y++) {
		if (falling)
			rows[y] |= (uint16_t)(0x8000 >> y / 2);
		if (rising)
			rows[y] |= (uint16_t)(0x8000 >> (FONT_WIDTH - 1 - y / 2));
	}
}

static void shade(unsigned dots, uint16_t rows[FONT_HEIGHT])
{
	static const uint16_t pattern[3][2] = { { 0x8800, 0x2200 }, { 0xaa00, 0x5500 }, { 0x7700, 0xdd00 } };

	for (unsigned y = 0; y < FONT_HEIGHT; y++)
		rows[y] = pattern[dots][y & 1];
}

/* Bits: upper left, upper right, lower left, lower right. */
static void quadrants(unsigned which, uint16_t rows[FONT_HEIGHT])
{
	for (int i = 0; i < 4; i++)
		if (which >> i & 1)
			ink(rows, i % 2 * 4, i / 2 * 8, i % 2 * 4 + 4, i / 2 * 8 + 8);
}

static void block(uint32_t code, uint16_t rows[FONT_HEIGHT])
{
	static const uint8_t quads[] = { 4, 8, 1, 13, 9, 7, 11, 2, 6, 14 };   /* U+2596..259F */
	int n = (int)(code - 0x2580);

	if (code == 0x2580)
		ink(rows, 0, 0, FONT_WIDTH, FONT_HEIGHT / 2);
	else if (code <= 0x2588)
		ink(rows, 0, FONT_HEIGHT - 2 * n, FONT_WIDTH, FONT_HEIGHT);
	else if (code <= 0x258f)
		ink(rows, 0, 0, 0x2590 - (int)code, FONT_HEIGHT);
	else if (code == 0x2590)
		ink(rows, FONT_WIDTH / 2, 0, FONT_WIDTH, FONT_HEIGHT);
	else if (code <= 0x2593)
		shade(code - 0x2591, rows);
	else if (code == 0x2594)
		ink(rows, 0, 0, FONT_WIDTH, 2);
	else if (code == 0x2595)
		ink(rows, FONT_WIDTH - 1, 0, FONT_WIDTH, FONT_HEIGHT);
	else
		quadrants(quads[code - 0x2596], rows);
}

bool box_rows(uint32_t code, uint16_t rows[FONT_HEIGHT])
{
	if (code < 0x2500 || code > 0x259f)
		return false;
	memset(rows, 0, FONT_HEIGHT * sizeof(*rows));
	if (code >= 0x2580)
		block(code, rows);
	else if (code >= 0x2571 && code <= 0x2573)
		diagonals(code != 0x2572, code != 0x2571, rows);
	else
		lines(strokes[code - 0x2500], rows);
	return true;
}

/*
 * Expected: a file is taken or refused as a whole, look-ups find exactly what is there, and what a font lacks is a line, a block, or the
 * replacement; lines meet at the borders of a cell. The font that goes into the initfs has what people need.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "box.c"
#include "font.c"

static struct {
	struct font_file head;
	struct font_page page[2];
	uint8_t narrow[3][16], wide[1][32];
} small;

static int make(void **state unused)
{
	memset(&small, 0, sizeof(small));
	small.head = (struct font_file){ FONT_MAGIC, 2, 3, 1, 0 };
	small.page[0] = (struct font_page){ 64, 1, 1ull << 1 | 1ull << 33 };    /* A, a */
	small.page[1] = (struct font_page){ 0x3040, FONT_WIDE, 1ull << 2 };
	for (int i = 0; i < 3; i++)
		memset(small.narrow[i], i + 1, 16);
	memset(small.wide, 0x7f, sizeof(small.wide));
	return 0;
}

static void finds_what_is_there(void **state unused)
{
	struct font f;
	uint16_t rows[FONT_HEIGHT];
	unsigned columns;

	assert_true(font_open(&f, &small, sizeof(small)));
	assert_int_equal(font_rows(&f, 'A', rows, &columns), FONT_GLYPH);
	assert_int_equal(rows[0], 2 << 8);
	assert_int_equal(columns, 1);
	assert_int_equal(font_rows(&f, 'a', rows, &columns), FONT_GLYPH);
	assert_int_equal(rows[15], 3 << 8);
	assert_int_equal(font_rows(&f, 0x3042, rows, &columns), FONT_GLYPH);
	assert_int_equal(rows[7], 0x7f7f);
	assert_int_equal(columns, 2);
	static const uint32_t absent[] = { 0, 'B', 63, 128, 0x3041, 0x3043, 0x10ffff, 0xffffffff };
	for (size_t i = 0; i < ARRAY_LEN(absent); i++) {
		assert_int_equal(font_rows(&f, absent[i], rows, &columns), FONT_REPLACED);
		assert_int_equal(rows[3], 1 << 8);
	}
	assert_int_equal(font_rows(&f, 0x2500, rows, &columns), FONT_DRAWN);
}

static void refuses_what_makes_no_sense(void **state unused)
{
	struct font f;
	uint16_t rows[FONT_HEIGHT];
	unsigned columns;

	for (size_t n = 0; n < sizeof(small); n++)
		assert_false(font_open(&f, &small, n));
	for (int what = 0; what < 10; what++) {
		make(NULL);
		if (what == 0) small.head.magic++;
		if (what == 1) small.head.pages = 0xffffffff;
		if (what == 2) small.head.narrow = 0;
		if (what == 3) small.head.narrow = 2, small.head.wide = 1;
		if (what == 4) small.page[0].glyph = 2;
		if (what == 5) small.page[1].first = 64;
		if (what == 6) small.page[1].first = 0x3041;
		if (what == 7) small.page[1].mask = 3;
		if (what == 8) small.page[1].first = 0x110000;
		if (what == 9) small.page[0].glyph = 0x7fffffff;
		assert_false(font_open(&f, &small, sizeof(small)));
		assert_int_equal(font_rows(&f, 'A', rows, &columns), FONT_REPLACED);    /* even then there is a picture */
		assert_int_equal(rows[3], 0x7e00);
	}
}

static bool lit(const uint16_t *rows, int x, int y)
{
	return rows[y] & 0x8000 >> x;
}

static void lines_reach_the_borders(void **state unused)
{
	uint16_t rows[FONT_HEIGHT];

	assert_false(box_rows(0x24ff, rows));
	assert_false(box_rows(0x25a0, rows));
	for (uint32_t code = 0x2500; code < 0x2580; code++) {
		if (code >= 0x2571 && code <= 0x2573)
			continue;
		assert_true(box_rows(code, rows));
		uint8_t s = strokes[code - 0x2500];
		int n = 0;
		for (int y = 0; y < 16; y++) {
			n += lit(rows, 0, y);
			assert_int_equal(rows[y] & 0xff, 0);
		}
		static const int thick[] = { 0, 1, 2, 2 };
		assert_int_equal(n, thick[s & 3]);
		n = 0;
		for (int y = 0; y < 16; y++)
			n += lit(rows, 7, y);
		assert_int_equal(n, thick[s >> 2 & 3]);
		n = 0;
		for (int x = 0; x < 8; x++)
			n += lit(rows, x, 0);
		assert_int_equal(n, thick[s >> 4 & 3]);
		n = 0;
		for (int x = 0; x < 8; x++)
			n += lit(rows, x, 15);
		assert_int_equal(n, thick[s >> 6]);
	}
	assert_true(box_rows(0x2588, rows));
	for (int y = 0; y < 16; y++)
		assert_int_equal(rows[y], 0xff00);
	assert_true(box_rows(0x258c, rows));
	assert_int_equal(rows[9], 0xf000);
	assert_true(box_rows(0x2584, rows));
	assert_int_equal(rows[7], 0);
	assert_int_equal(rows[8], 0xff00);
	assert_true(box_rows(0x2598, rows));
	assert_int_equal(rows[0], 0xf000);
	assert_int_equal(rows[8], 0);
}

/* What is installed: made anew from the packages as the build does. */
static void the_font_of_the_initfs(void **state unused)
{
	FILE *p = popen("/usr/bin/python3 tools/mkscreenfont.py /usr/share/consolefonts /usr/share/unifont/unifont.hex", "r");
	uint8_t *file = malloc(FONT_FILE_MAX + 1);
	size_t n = fread(file, 1, FONT_FILE_MAX + 1, p);
	static const uint32_t narrow[] = { 'A', '~', 0xe4, 0x10d, 0x3b1, 0x3a9, 0x416, 0x44f, 0x20ac, 0x2013, 0x2192, 0x2713, 0x301, 0x2605, 0x25cf, 0x28ff, 0x1ea1 };
	static const uint32_t wide[] = { 0x3042, 0x30a2, 0x3001, 0xff21, 0x65e5, 0x672c, 0x6f22, 0x5b57 };
	struct font f;
	uint16_t rows[FONT_HEIGHT];
	unsigned columns;

	assert_int_equal(pclose(p), 0);
	assert_in_range(n, 50000, 200000);      /* the initfs has room for so much */
	assert_true(font_open(&f, file, n));
	for (size_t i = 0; i < ARRAY_LEN(narrow); i++) {
		assert_int_equal(font_rows(&f, narrow[i], rows, &columns), FONT_GLYPH);
		assert_int_equal(columns, 1);
	}
	for (size_t i = 0; i < ARRAY_LEN(wide); i++) {
		assert_int_equal(font_rows(&f, wide[i], rows, &columns), FONT_GLYPH);
		assert_int_equal(columns, 2);
	}
	assert_int_equal(font_rows(&f, 0xac00, rows, &columns), FONT_REPLACED);
	assert_int_equal(font_rows(&f, 'A', rows, &columns), FONT_GLYPH);
	assert_true(rows[4] != 0 && rows[15] == 0);
	free(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(finds_what_is_there, make), cmocka_unit_test_setup(refuses_what_makes_no_sense, make),
		cmocka_unit_test(lines_reach_the_borders), cmocka_unit_test(the_font_of_the_initfs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Expected: rectangles of any numbers are cut and joined without overflow; damage covers every pixel that was added and none outside the screen,
 * in few rectangles, and those that make up one together become one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "rect.c"

enum { WIDTH = 64, HEIGHT = 48 };
static const struct rect whole = { 0, 0, WIDTH, HEIGHT };

static uint32_t seed = 12345;
static int32_t roll(int32_t from, int32_t to)
{
	seed = seed * 1664525 + 1013904223;
	return from + (int32_t)((seed >> 8) % (uint32_t)(to - from));
}

static bool has(struct rect r, int64_t x, int64_t y)
{
	return x >= r.x0 && x < r.x1 && y >= r.y0 && y < r.y1;
}

static void edges(void **state unused)
{
	static const int32_t at[] = { INT32_MIN, INT32_MIN + 1, -1, 0, 1, INT32_MAX - 1, INT32_MAX };
	static const uint32_t long_[] = { 0, 1, 2, INT32_MAX, UINT32_MAX };

	for (size_t x = 0; x < ARRAY_LEN(at); x++)
		for (size_t y = 0; y < ARRAY_LEN(at); y++)
			for (size_t w = 0; w < ARRAY_LEN(long_); w++) {
				struct rect r = rect_of((struct fb_rect){ at[x], at[y], long_[w], long_[w] }, at[y], at[x]), cut = rect_cut(r, whole);
				assert_int_equal(r.x1 - r.x0, long_[w]);
				assert_int_equal(rect_empty(r), !long_[w]);
				for (int64_t i = 0; i < WIDTH; i++)
					assert_int_equal(has(cut, i, i % HEIGHT), has(r, i, i % HEIGHT));
				struct damage d = { .n = 0 };
				damage_add(&d, r, whole);
				assert_int_equal(d.n, !rect_empty(cut));
			}
	assert_true(rect_inside((struct rect){ 1, 1, 2, 2 }, (struct rect){ 1, 1, 2, 2 }));
	assert_false(rect_inside((struct rect){ 0, 1, 2, 2 }, (struct rect){ 1, 1, 2, 2 }));
	assert_int_equal(rect_area((struct rect){ 3, 3, 1, 9 }), 0);
}

static void covers(void **state unused)
{
	for (unsigned round = 0; round < 2000; round++) {
		static bool added[HEIGHT][WIDTH], covered[HEIGHT][WIDTH];
		struct damage d = { .n = 0 };
		memset(added, 0, sizeof(added));
		memset(covered, 0, sizeof(covered));
		for (int32_t n = roll(1, 40); n > 0; n--) {
			struct rect r = rect_of((struct fb_rect){ roll(-20, WIDTH), roll(-20, HEIGHT), (uint32_t)roll(0, 20), (uint32_t)roll(0, 20) }, 0, 0);
			damage_add(&d, r, whole);
			for (int64_t y = 0; y < HEIGHT; y++)
				for (int64_t x = 0; x < WIDTH; x++)
					added[y][x] |= has(r, x, y);
		}
		assert_true(d.n <= DAMAGE_MAX);
		for (uint32_t i = 0; i < d.n; i++) {
			assert_true(!rect_empty(d.list[i]) && rect_inside(d.list[i], whole));
			for (int64_t y = d.list[i].y0; y < d.list[i].y1; y++)
				for (int64_t x = d.list[i].x0; x < d.list[i].x1; x++)
					covered[y][x] = true;
		}
		for (int64_t y = 0; y < HEIGHT; y++)
			for (int64_t x = 0; x < WIDTH; x++)
				assert_true(covered[y][x] || !added[y][x]);
	}
}

/* Cells side by side are one line of text; far apart they stay apart; the same one again is no other. */
static void joins(void **state unused)
{
	struct damage d = { .n = 0 };

	for (int64_t x = 0; x < 6; x++)
		damage_add(&d, (struct rect){ x * 8, 0, x * 8 + 8, 16 }, whole);
	assert_int_equal(d.n, 1);
	assert_int_equal(rect_area(d.list[0]), 48 * 16);
	damage_add(&d, (struct rect){ 60, 40, 64, 48 }, whole);
	damage_add(&d, (struct rect){ 61, 41, 62, 42 }, whole);
	assert_int_equal(d.n, 2);
	assert_int_equal(rect_area(d.list[0]) + rect_area(d.list[1]), 48 * 16 + 32);
	damage_add(&d, whole, whole);
	assert_int_equal(d.n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(edges), cmocka_unit_test(covers), cmocka_unit_test(joins) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Random scenes, drawn piece by piece, beside the plainest way to say what each pixel is. Expected: the same; nothing outside the piece is
 * touched, no pixel is asked for that its surface does not have, and what lies hidden is not asked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "pixel.c"
#include "rect.c"
#include "scene.c"

enum { WIDTH = 61, HEIGHT = 37, SIZE_MAX_ = 80, NOTHING = 0x77777777 };

static uint32_t seed = 99, pixels[FB_SURFACES_MAX][SIZE_MAX_ * SIZE_MAX_], picture[FB_SURFACES_MAX][FB_CURSOR_MAX * FB_CURSOR_MAX], shown[HEIGHT][WIDTH];
static struct scene scene;
static uint64_t asked;

static int32_t roll(int32_t from, int32_t to)
{
	seed = seed * 1664525 + 1013904223;
	return from + (int32_t)((seed >> 8) % (uint32_t)(to - from));
}

static void get(void *ctx, uint32_t i, uint64_t first, uint32_t *to, size_t n)
{
	const struct scene_surface *s = &scene.surface[i];

	assert_ptr_equal(ctx, &scene);
	assert_true(n > 0 && first + n <= (uint64_t)s->width * s->height);
	memcpy(to, pixels[i] + first, n * sizeof(*to));
	asked += n;
}

static void put(void *ctx, uint32_t x, uint32_t y, const uint32_t *from, size_t n)
{
	assert_ptr_equal(ctx, &scene);
	assert_true(y < HEIGHT && x + n <= WIDTH);
	memcpy(&shown[y][x], from, n * sizeof(*from));
}

static uint32_t plain(int64_t x, int64_t y)
{
	const struct scene_surface *top = NULL, *front = NULL;
	uint32_t v = 0;

	for (uint32_t i = 0; i < FB_SURFACES_MAX; i++) {
		const struct scene_surface *s = &scene.surface[i];
		if (!s->order)
			continue;
		if (!front || s->order > front->order)
			front = s;
		if (x >= s->x && y >= s->y && x - s->x < s->width && y - s->y < s->height && (!top || s->order > top->order))
			top = s;
	}
	if (!front || front->blank)
		return 0;
	if (top)
		v = pixels[top - scene.surface][(y - top->y) * top->width + (x - top->x)];
	int64_t cx = x - front->pointer_x + front->hot_x, cy = y - front->pointer_y + front->hot_y;
	if (cx >= 0 && cy >= 0 && cx < front->cursor_width && cy < front->cursor_height)
		v = pixel_blend(front->cursor[cy * front->cursor_width + cx], v);
	return v;
}

static struct scene_surface some_surface(uint32_t i)
{
	struct scene_surface s = {
		.order = roll(0, 4) ? (uint64_t)roll(1, 1 << 20) * FB_SURFACES_MAX + i : 0, .x = roll(-60, WIDTH), .y = roll(-60, HEIGHT),
		.width = (uint32_t)roll(1, SIZE_MAX_), .height = (uint32_t)roll(1, SIZE_MAX_), .blank = !roll(0, 30),
		.pointer_x = roll(-10, WIDTH + 10), .pointer_y = roll(-10, HEIGHT + 10), .cursor = picture[i],
	};
	if (!roll(0, 20))
		s.x = s.pointer_y = roll(0, 2) ? INT32_MAX : INT32_MIN;
	if (roll(0, 2)) {
		s.cursor_width = (uint32_t)roll(1, 20);
		s.cursor_height = (uint32_t)roll(1, 20);
		s.hot_x = (uint32_t)roll(0, (int32_t)s.cursor_width);
		s.hot_y = (uint32_t)roll(0, (int32_t)s.cursor_height);
	}
	return s;
}

static void pieces(void **state unused)
{
	for (uint32_t i = 0; i < FB_SURFACES_MAX; i++) {
		for (size_t k = 0; k < ARRAY_LEN(pixels[i]); k++)
			pixels[i][k] = (uint32_t)roll(0, 1 << 24);
		for (size_t k = 0; k < ARRAY_LEN(picture[i]); k++)
			picture[i][k] = (uint32_t)roll(0, 1 << 24) << 8 | (uint32_t)roll(0, 256);
	}
	for (unsigned round = 0; round < 2000; round++) {
		memset(&scene, 0, sizeof(scene));
		scene = (struct scene){ .screen = { 0, 0, WIDTH, HEIGHT }, .get = get, .put = put, .ctx = &scene };
		for (int32_t n = roll(0, FB_SURFACES_MAX + 1); n > 0; n--)
			scene.surface[n - 1] = some_surface((uint32_t)n - 1);
		for (unsigned k = 0; k < 3; k++) {
			struct rect area = rect_of((struct fb_rect){ roll(-20, WIDTH), roll(-20, HEIGHT), (uint32_t)roll(0, 90), (uint32_t)roll(0, 60) }, 0, 0);
			if (k == 2)
				area = scene.screen;
			for (uint32_t y = 0; y < HEIGHT; y++)
				for (uint32_t x = 0; x < WIDTH; x++)
					shown[y][x] = NOTHING;
			scene_draw(&scene, area);
			for (int64_t y = 0; y < HEIGHT; y++)
				for (int64_t x = 0; x < WIDTH; x++)
					assert_int_equal(shown[y][x], x >= area.x0 && x < area.x1 && y >= area.y0 && y < area.y1 ? plain(x, y) : NOTHING);
		}
	}
}

static void hidden(void **state unused)
{
	scene = (struct scene){ .screen = { 0, 0, WIDTH, HEIGHT }, .get = get, .put = put, .ctx = &scene };
	for (uint32_t i = 0; i < 5; i++)
		scene.surface[i] = (struct scene_surface){ .order = 9 - i, .x = -1, .y = -1, .width = WIDTH + 2, .height = HEIGHT + 2 };
	asked = 0;
	scene_draw(&scene, scene.screen);
	assert_int_equal(asked, WIDTH * HEIGHT);
	scene.surface[0].blank = true;
	scene_draw(&scene, scene.screen);
	assert_int_equal(asked, WIDTH * HEIGHT);
}

/* A screen as wide as any and more than one band. */
static uint64_t lines;
static void put_wide(void *ctx unused, uint32_t x, uint32_t y, const uint32_t *from, size_t n)
{
	assert_true(x == 0 && y == lines && n == SCENE_BAND && from[0] == 0 && from[n - 1] == 0);
	lines++;
}

static void wide(void **state unused)
{
	scene = (struct scene){ .screen = { 0, 0, SCENE_BAND, 5 }, .put = put_wide };
	scene_draw(&scene, scene.screen);
	assert_int_equal(lines, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(pieces), cmocka_unit_test(hidden), cmocka_unit_test(wide) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

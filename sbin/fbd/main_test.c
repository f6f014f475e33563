/*
 * fbd with clients that ask for everything and deaths at every step (fake.h). Expected: on screens of any pixel order, depth and stride, what
 * is shown is what the model says, after every single command; what no client has any more is given back; damaged state harms nobody; where
 * there is no screen that could be, fbd ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "fake.h"

static uint64_t rng = 0x9e3779b97f4a7c15;
static uint8_t bytes[12000];

static void roll(void)
{
	for (size_t i = 0; i < sizeof(bytes); i++) {
		rng ^= rng << 13;
		rng ^= rng >> 7;
		rng ^= rng << 17;
		bytes[i] = (uint8_t)(rng * 0x2545f4914f6cdd1d >> 56);
	}
}

static void lives_on(void **cases unused)
{
	static const struct { uint32_t bytes, red, green, blue; } formats[] = {
		{ 4, 0xff0000, 0xff00, 0xff }, { 4, 0xff, 0xff00, 0xff0000 }, { 4, 0xff000000, 0xff0000, 0xff00 }, { 4, 0x3ff00000, 0xffc00, 0x3ff },
		{ 3, 0xff0000, 0xff00, 0xff }, { 3, 0xff, 0xff00, 0xff0000 }, { 2, 0xf800, 0x7e0, 0x1f }, { 2, 0x1f, 0x3e0, 0x7c00 },
	};

	for (size_t i = 0; i < 2 * ARRAY_LEN(formats); i++) {
		size_t f = i % ARRAY_LEN(formats);
		roll();
		setup(formats[f].bytes, formats[f].red, formats[f].green, formats[f].blue);
		play(bytes, sizeof(bytes), true);
		check();
		teardown();
	}
}

/* As a crash leaves it: any bytes may be others. */
static void damaged(void **cases unused)
{
	for (unsigned round = 0; round < 400; round++) {
		roll();
		setup(4, 0xff0000, 0xff00, 0xff);
		dice = bytes;
		dice_end = bytes + 1500;
		while (dice < dice_end)
			step();
		for (unsigned i = 0; i < 1 + round % 40; i++) {
			size_t place_ = (bytes[2000 + i] % FB_SURFACES_MAX) * sizeof(struct place) + bytes[3000 + i] % offsetof(struct place, cursor);
			((uint8_t *)&memory)[offsetof(struct kept, place) + place_] = bytes[4000 + i];
		}
		if (round % 4 == 0)
			memcpy(&memory, bytes + 5000, offsetof(struct kept, place));
		restart();
		for (size_t i = 0; i < CLIENTS; i++) {
			object_put(clients[i].object);
			clients[i] = (struct client){ 0 };
		}
		for (uint32_t i = 0; i < FB_SURFACES_MAX; i++)
			if (memory.place[i].badge)
				on_close(NULL, memory.place[i].badge);
		teardown();
	}
}

static void no_screen(void **cases unused)
{
	static const struct boot_framebuffer odd[] = {
		{ .base = 0 },
		{ .base = BASE, .width = 10, .height = 10, .stride = 39, .size = 4000, .bytes_per_pixel = 4, .red_mask = 1, .green_mask = 2, .blue_mask = 4 },
		{ .base = BASE, .width = 10, .height = 10, .stride = 40, .size = 399, .bytes_per_pixel = 4, .red_mask = 1, .green_mask = 2, .blue_mask = 4 },
		{ .base = BASE, .width = 0, .height = 10, .stride = 40, .size = 400, .bytes_per_pixel = 4, .red_mask = 1, .green_mask = 2, .blue_mask = 4 },
		{ .base = BASE, .width = 10, .height = 0, .stride = 40, .size = 400, .bytes_per_pixel = 4, .red_mask = 1, .green_mask = 2, .blue_mask = 4 },
		{ .base = BASE, .width = SCENE_BAND + 1, .height = 1, .stride = 1 << 20, .size = 1 << 20, .bytes_per_pixel = 4, .red_mask = 1, .green_mask = 2, .blue_mask = 4 },
		{ .base = BASE, .width = 10, .height = 10, .stride = 40, .size = 400, .bytes_per_pixel = 4, .red_mask = 1, .green_mask = 3, .blue_mask = 4 },
		{ .base = BASE, .width = 10, .height = 10, .stride = 40, .size = 1ull << 41, .bytes_per_pixel = 4, .red_mask = 1, .green_mask = 2, .blue_mask = 4 },
		{ .base = UINT64_MAX - 100, .width = 10, .height = 10, .stride = 40, .size = 400, .bytes_per_pixel = 4, .red_mask = 1, .green_mask = 2, .blue_mask = 4 },
	};

	fake_gpu.there = false;
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		unsigned before = served;
		begin_again();
		memset(&memory, 0, sizeof(memory));
		boot = (struct boot_info){ .magic = BOOT_MAGIC, .fb = odd[i] };
		assert_int_equal(fbd_main(0, NULL), 0);
		assert_int_equal(served, before);
		assert_string_equal(log_text, odd[i].base ? "the firmware's framebuffer is none that could be" : "no framebuffer");
	}
}

/* No framebuffer, but a virtio-gpu: that is the screen, at the size that it likes best, and later at the one that it was given. */
static void only_gpu(void **cases unused)
{
	setup(4, 0xff0000, 0xff00, 0xff);
	begin_again();
	memset(&memory, 0, sizeof(memory));
	boot.fb.base = 0;
	fake_gpu.there = true;
	first_life = true;
	unsigned before = served;
	assert_int_equal(fbd_main(0, NULL), 0);
	assert_int_equal(served, before + 1);
	assert_int_equal(display->width, GPU_BEST_WIDTH);
	assert_int_equal(display->height, GPU_BEST_HEIGHT);
	assert_int_equal(output_set_mode((struct mode){ 33, 44 }), OK);
	begin_again();
	assert_int_equal(fbd_main(0, NULL), 0);
	assert_int_equal(served, before + 2);
	assert_true(display->width == 33 && display->height == 44);
	/* What it likes best changes while nobody looks: only who asked to follow that does. */
	gpu_best = (struct mode){ 21, 12 };
	begin_again();
	assert_int_equal(fbd_main(0, NULL), 0);
	assert_true(display->width == 33 && display->height == 44);
	assert_int_equal(output_set_mode((struct mode){ 0, 0 }), OK);
	assert_true(display->width == 21 && display->height == 12);
	gpu_best = (struct mode){ 12, 21 };
	begin_again();
	assert_int_equal(fbd_main(0, NULL), 0);
	assert_true(display->width == 12 && display->height == 21);
	gpu_best = (struct mode){ GPU_BEST_WIDTH, GPU_BEST_HEIGHT };
	before += 2;
	/* It has left while nobody looked. */
	begin_again();
	fake_gpu.there = false;
	assert_int_equal(fbd_main(0, NULL), 0);
	assert_int_equal(served, before + 2);
	begin_again();
	free(glass);
}

/* A mode that the virtio-gpu refuses leaves the kernel's log where it is; the next, which it takes, does not. */
static void refused_mode(void **cases unused)
{
	setup(4, 0xff0000, 0xff00, 0xff);
	fake_gpu.there = true;
	assert_int_equal(output_set_mode((struct mode){ GPU_MAX + 1, 1 }), ERR_INVALID);
	assert_false(screen.display.seen || memory.taken);
	assert_true(display == &screen.display);
	assert_int_equal(output_set_mode((struct mode){ GPU_MAX, 1 }), OK);
	assert_true(screen.display.seen && memory.taken);
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(refused_mode), cmocka_unit_test(lives_on), cmocka_unit_test(damaged), cmocka_unit_test(no_screen), cmocka_unit_test(only_gpu) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

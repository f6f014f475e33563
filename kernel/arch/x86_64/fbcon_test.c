/*
 * fbcon_test: the console on framebuffers of every shape, each exactly as large as it says (ASan sees one
 * byte too many). Expectation: letters appear where they should, a scroll moves them, what is not drawn
 * keeps its bytes, and a contradictory description draws nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "fbcon.c"

/* A letter's rows all hold its own code: the picture can be read back. */
#define ROWS(c) [c] = { c, c, c, c, c, c, c, c, c, c, c, c, c, c, c, c }
const uint8_t font8x16[256][FONT_H] = {
	ROWS('A'), ROWS('B'), ROWS('C'), ROWS('?'), ROWS(0xe9), ROWS('0'), ROWS('1'), ROWS('2'), ROWS('3'), ROWS('4'),
	ROWS('5'), ROWS('6'), ROWS('7'), ROWS('8'), ROWS('9'),
};

static uint8_t *memory;
static struct boot_framebuffer desc;

static void open_screen(uint32_t width, uint32_t height, uint32_t bpp, uint32_t slack)
{
	free(memory);
	desc = (struct boot_framebuffer){ .base = 1, .width = width, .height = height, .bytes_per_pixel = bpp,
	                                  .stride = width * bpp + slack };
	desc.size = (uint64_t)desc.stride * height;
	if (bpp == 2)
		desc.red_mask = 0xf800, desc.green_mask = 0x07e0, desc.blue_mask = 0x001f;
	else
		desc.red_mask = 0xff0000, desc.green_mask = 0xff00, desc.blue_mask = 0xff;
	memory = malloc(desc.size);
	memset(memory, 0x5a, desc.size);
	fbcon_init(&desc, memory);
}

static void type(const char *text) { fbcon_write(text, strlen(text)); }

static uint32_t pixel(uint32_t x, uint32_t y)
{
	uint32_t v = 0;
	memcpy(&v, memory + (uint64_t)y * desc.stride + x * desc.bytes_per_pixel, desc.bytes_per_pixel);
	return v;
}

/* The letter in a cell, read back from its pixels; they must agree in all rows and copies. */
static uint8_t letter(uint32_t col, uint32_t row, uint32_t zoom)
{
	uint8_t c = 0;
	for (uint32_t y = 0; y < 16 * zoom; y++) {
		uint8_t bits = 0;
		for (uint32_t x = 0; x < 8 * zoom; x++) {
			uint32_t p = pixel(col * 8 * zoom + x, row * 16 * zoom + y);
			assert_true(p == 0 || p == ink);
			if (x % zoom == 0)
				bits = (uint8_t)(bits << 1 | (p != 0));
			else
				assert_int_equal(bits & 1, p != 0);
		}
		if (y == 0)
			c = bits;
		assert_int_equal(bits, c);
	}
	return c;
}

static void test_formats(void **state)
{
	(void)state;
	for (uint32_t bpp = 2; bpp <= 4; bpp++)
		for (uint32_t zoom = 1; zoom <= 2; zoom++)
			for (uint32_t slack = 0; slack < 9; slack += 4) {
				open_screen(zoom == 2 ? 2560 : 83, 70, bpp, slack * bpp / 2);
				type("AB\nC\tA");
				assert_int_equal(letter(0, 0, zoom), 'A');
				assert_int_equal(letter(1, 0, zoom), 'B');
				assert_int_equal(letter(2, 0, zoom), 0);
				assert_int_equal(letter(0, 1, zoom), 'C');
				assert_int_equal(letter(8, 1, zoom), 'A');
				assert_int_equal(pixel(desc.width - 1, desc.height - 1), 0);
				for (uint32_t y = 0; y < desc.height; y++)      /* between lines nothing is ours */
					for (uint32_t i = desc.width * bpp; i < desc.stride; i++)
						assert_int_equal(memory[y * desc.stride + i], 0x5a);
			}
	open_screen(64, 32, 2, 0);
	type("A");
	assert_int_equal(ink, 0xce79);                  /* (208 * 31 / 255) << 11 | (208 * 63 / 255) << 5 | 25 */
}

static void test_wrap_and_scroll(void **state)
{
	(void)state;
	open_screen(80, 64, 4, 0);                      /* 10 columns, 4 rows */
	type("0123456789ABC");
	assert_int_equal(letter(9, 0, 1), '9');
	assert_int_equal(letter(0, 1, 1), 'A');
	type("\n1\n2\n3");                              /* the fifth line: up by two rows */
	assert_int_equal(letter(0, 0, 1), '1');
	assert_int_equal(letter(0, 1, 1), '2');
	assert_int_equal(letter(0, 2, 1), '3');
	assert_int_equal(letter(0, 3, 1), 0);
	assert_int_equal(letter(2, 0, 1), 0);
	for (int i = 0; i < 1000; i++)
		type("9876543210AB\t\t\n\n");
	assert_true(at_row < rows);
}

static void test_utf8(void **state)
{
	(void)state;
	open_screen(80, 64, 4, 0);
	type("\xc3\xa9" "A\xe2\x82\xac" "B\xff\x80\x80" "C\xc3");
	assert_int_equal(letter(0, 0, 1), 0xe9);
	assert_int_equal(letter(1, 0, 1), 'A');
	assert_int_equal(letter(2, 0, 1), '?');
	assert_int_equal(letter(3, 0, 1), 'B');
	assert_int_equal(letter(4, 0, 1), 'C');
	for (int i = 0; i < 4096; i++) {
		char byte = (char)(i * 167);
		fbcon_write(&byte, 1);
	}
}

static void test_quiet_until_text(void **state)
{
	(void)state;
	open_screen(80, 64, 4, 0);
	for (uint64_t i = 0; i < desc.size; i++)
		assert_int_equal(memory[i], 0x5a);
	type("AA\nBB");
	memset(memory, 0x77, desc.size);                /* somebody else draws */
	fbcon_reset();
	type("C");
	assert_int_equal(letter(0, 0, 1), 'C');
	for (uint32_t y = 16; y < desc.height; y++)
		for (uint32_t x = 0; x < desc.width; x++)
			assert_int_equal(pixel(x, y), 0);
}

static void test_hostile(void **state)
{
	(void)state;
	open_screen(80, 64, 4, 0);
	struct boot_framebuffer good = desc, bad[10];
	for (int i = 0; i < 10; i++)
		bad[i] = good;
	bad[0].base = 0;
	bad[1].width = UINT32_MAX;
	bad[2].height = UINT32_MAX;
	bad[3].stride = 80 * 4 - 1;
	bad[4].stride = UINT32_MAX;
	bad[5].bytes_per_pixel = 1;
	bad[6].bytes_per_pixel = 5;
	bad[7].size--;
	bad[8].width = 7;
	bad[9].height = 31;
	for (int i = 0; i < 10; i++) {
		fbcon_init(&bad[i], memory);
		type("A\n");
	}
	fbcon_init(&good, NULL);
	type("A");
	for (uint64_t i = 0; i < desc.size; i++)
		assert_int_equal(memory[i], 0x5a);
	/* Masks may be anything: colours then are odd, no more. */
	static const uint32_t masks[] = { 0, 1, 0x80000000, UINT32_MAX, 0xa5a5a5a5 };
	for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
		good.red_mask = good.green_mask = good.blue_mask = masks[i];
		fbcon_init(&good, memory);
		type("A");
	}
	/* Very wide and low: more columns than cells are kept. */
	open_screen(2559, 64, 2, 0);
	type("A");
	assert_int_equal(letter(0, 0, 1), 'A');
	free(memory);
	memory = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats), cmocka_unit_test(test_wrap_and_scroll), cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_quiet_until_text), cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Expected: colours in every order and depth that masks can describe, to the bit, within as many bytes as the pixels have; other masks are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "pixel.c"

static void formats(void **state unused)
{
	static const struct { uint32_t bytes, red, green, blue, from; uint8_t to[4]; } cases[] = {
		{ 4, 0xff0000, 0xff00, 0xff, 0xaa123456, { 0x56, 0x34, 0x12, 0 } },
		{ 4, 0xff, 0xff00, 0xff0000, 0xaa123456, { 0x12, 0x34, 0x56, 0 } },
		{ 4, 0xff000000, 0xff0000, 0xff00, 0xaa123456, { 0, 0x56, 0x34, 0x12 } },
		{ 4, 0x3ff00000, 0xffc00, 0x3ff, 0xffffffff, { 0xff, 0xff, 0xff, 0x3f } },      /* ten bits: full stays full */
		{ 4, 0x3ff00000, 0xffc00, 0x3ff, 0x800000, { 0, 0, 0x20, 0x20 } },              /* 0x80: 1000000010 */
		{ 3, 0xff0000, 0xff00, 0xff, 0xaa123456, { 0x56, 0x34, 0x12 } },
		{ 3, 0xff, 0xff00, 0xff0000, 0xaa123456, { 0x12, 0x34, 0x56 } },
		{ 2, 0xf800, 0x7e0, 0x1f, 0xff8040, { 0x08, 0xfc } },                           /* 11111 100000 01000 */
		{ 2, 0x7c00, 0x3e0, 0x1f, 0xffffff, { 0xff, 0x7f } },
		{ 2, 0xf, 0xf0, 0xf00, 0x123456, { 0x31, 0x05 } },
		{ 2, 1, 2, 4, 0x80ff7f, { 3, 0 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t n = 0; n < 20; n++) {
			struct pixel_format f;
			uint32_t *from = malloc(n * sizeof(*from));
			uint8_t *to = malloc(n * cases[i].bytes + !n);
			assert_true(pixel_format(&f, cases[i].bytes, cases[i].red, cases[i].green, cases[i].blue));
			for (size_t k = 0; k < n; k++)
				from[k] = cases[i].from;
			pixel_convert(&f, to, from, n);
			uint32_t colours = cases[i].red | cases[i].green | cases[i].blue;
			for (size_t k = 0; k < n * f.bytes; k++)
				assert_int_equal((to[k] ^ cases[i].to[k % f.bytes]) & colours >> k % f.bytes * 8 & 0xff, 0);
			free(from);
			free(to);
		}
}

static void refused(void **state unused)
{
	static const struct { uint32_t bytes, red, green, blue; } cases[] = {
		{ 1, 0xe0, 0x1c, 3 }, { 5, 0xff0000, 0xff00, 0xff }, { 0, 0, 0, 0 },
		{ 4, 0, 0xff00, 0xff }, { 4, 0xff0000, 0, 0xff }, { 4, 0xff0000, 0xff00, 0 },           /* a colour is missing */
		{ 4, 0xf0f000, 0xf00, 0xff },                                                           /* a hole */
		{ 4, 0xff0000, 0x1ff00, 0xff }, { 4, 0xff0000, 0xff00, 0x1ff }, { 4, 0xff, 0xff00, 0xff },      /* two share bits */
		{ 3, 0xff000000, 0xff00, 0xff }, { 2, 0x1f800, 0x7e0, 0x1f },                           /* beyond the pixel */
		{ 4, 0xffffe000, 0x1f00, 0xff },                                                        /* more bits than anybody has */
	};
	struct pixel_format f;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_false(pixel_format(&f, cases[i].bytes, cases[i].red, cases[i].green, cases[i].blue));
}

static void blend(void **state unused)
{
	for (uint32_t a = 0; a < 256; a++)
		for (uint32_t b = 0; b < 256; b++) {
			assert_int_equal(pixel_blend(a, b), b);                                 /* not there */
			assert_int_equal(pixel_blend(0xff000000 | a << 8, 0x55000000 | b), a << 8);
			uint32_t half = pixel_blend(0x80000000 | a << 16, b << 16) >> 16, wanted = (a * 128 + b * 127) / 255;
			assert_in_range(half, wanted, wanted + 1);
			assert_int_equal(pixel_blend(a << 24 | b << 8, b << 8), b << 8);        /* the same on the same */
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(formats), cmocka_unit_test(refused), cmocka_unit_test(blend) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

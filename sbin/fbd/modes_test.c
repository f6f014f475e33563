/*
 * Sizes as people write them and as monitors tell of them. Expected: nothing but WIDTHxHEIGHT and auto is taken; an EDID gives each of its sizes once,
 * whatever is wrong with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "modes.c"

static void text(void **s)
{
	static const struct { const char *text; bool good; uint32_t width, height; } cases[] = {
		{ "1024x768", true, 1024, 768 }, { "1024x768\n", true, 1024, 768 }, { "1x1 \r\n", true, 1, 1 }, { "auto", true, 0, 0 }, { "auto\n", true, 0, 0 },
		{ "16384x16384", true, 16384, 16384 }, { "016x9", true, 16, 9 },
		{ "", false, 0, 0 }, { "\n", false, 0, 0 }, { "1024", false, 0, 0 }, { "1024x", false, 0, 0 }, { "x768", false, 0, 0 }, { "1024X768", false, 0, 0 },
		{ "1024x768x32", false, 0, 0 }, { " 1024x768", false, 0, 0 }, { "-1x5", false, 0, 0 }, { "0x768", false, 0, 0 }, { "1024x0", false, 0, 0 },
		{ "16385x1", false, 0, 0 }, { "1x99999999999999999999999999", false, 0, 0 }, { "4294968320x768", false, 0, 0 }, { "automatic", false, 0, 0 },
	};

	(void)s;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct mode m = { 7, 7 };
		assert_int_equal(mode_parse(cases[i].text, strlen(cases[i].text), 16384, &m), cases[i].good);
		if (cases[i].good)
			assert_true(m.width == cases[i].width && m.height == cases[i].height);
	}
}

static void lists(void **s)
{
	struct modes l = { .n = 0 };

	(void)s;
	modes_add_usual(&l);
	uint32_t n = l.n;
	modes_add_usual(&l);
	assert_int_equal(l.n, n);
	for (uint32_t i = 1; i < l.n; i++)
		assert_true(before(l.list[i - 1], l.list[i]));
	for (uint32_t i = 0; i < 2 * MODES_MAX; i++)
		modes_add(&l, (struct mode){ 100 + i, 100 });
	assert_int_equal(l.n, MODES_MAX);
}

static void seal(uint8_t *block)
{
	block[127] = 0;
	for (unsigned i = 0; i < 127; i++)
		block[127] = (uint8_t)(block[127] - block[i]);
}

static bool has(const struct modes *l, uint32_t width, uint32_t height)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->list[i].width == width && l->list[i].height == height)
			return true;
	return false;
}

static void edid(void **s)
{
	uint8_t e[256] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };
	struct modes l = { .n = 0 };

	(void)s;
	e[35] = 0x21;                   /* 640x480, 800x600 */
	e[36] = 0x08;                   /* 1024x768 */
	for (unsigned i = 0; i < 8; i++)
		e[38 + 2 * i] = e[39 + 2 * i] = 1;
	e[38] = 1280 / 8 - 31, e[39] = 0x00;    /* 16:10 */
	e[40] = 1920 / 8 - 31, e[41] = 0xc0;    /* 16:9 */
	e[42] = 1600 / 8 - 31, e[43] = 0x40;    /* 4:3 */
	e[44] = 1280 / 8 - 31, e[45] = 0x80;    /* 5:4 */
	uint8_t *d = e + 54;
	d[0] = 1, d[2] = 2560 & 255, d[4] = (2560 >> 8) << 4, d[5] = 1440 & 255, d[7] = (1440 >> 8) << 4;
	e[54 + 18 + 3] = 0xfc;          /* a name is no timing */
	e[54 + 18 + 5] = 'S';
	seal(e);
	assert_true(modes_add_edid(&l, e, 128, 16384));
	assert_true(has(&l, 640, 480) && has(&l, 800, 600) && has(&l, 1024, 768) && has(&l, 1280, 800) && has(&l, 1920, 1080) && has(&l, 1600, 1200)
	            && has(&l, 1280, 1024) && has(&l, 2560, 1440));
	assert_int_equal(l.n, 8);
	/* An extension of CTA-861 with one timing; then with an offset that leads out. */
	uint8_t *x = e + 128;
	x[0] = 2, x[2] = 4;
	x[4] = 1, x[6] = 1366 & 255, x[8] = (1366 >> 8) << 4, x[9] = 768 & 255, x[11] = (768 >> 8) << 4;
	seal(x);
	l.n = 0;
	assert_true(modes_add_edid(&l, e, 256, 16384));
	assert_true(l.n == 9 && has(&l, 1366, 768));
	x[2] = 255;
	seal(x);
	l.n = 0;
	assert_true(modes_add_edid(&l, e, 256, 16384));
	assert_int_equal(l.n, 8);
	/* Limits, sums, lengths. */
	l.n = 0;
	assert_true(modes_add_edid(&l, e, 128, 1024));
	assert_int_equal(l.n, 3);
	l.n = 0;
	assert_false(modes_add_edid(&l, e, 127, 16384));
	e[50] ^= 1;
	assert_false(modes_add_edid(&l, e, 128, 16384));
	e[50] ^= 1;
	e[1] = 0;
	seal(e);
	assert_false(modes_add_edid(&l, e, 128, 16384));
	assert_int_equal(l.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(text), cmocka_unit_test(lists), cmocka_unit_test(edid) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

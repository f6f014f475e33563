/*
 * route: entering, finding and showing interrupt routes.
 */
#include "route.c"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct routes r;

static int empty(void **state)
{
	(void)state;
	r.n = 0;
	return 0;
}

static void finding(void **state)
{
	(void)state;
	assert_true(route_add(&r, &(struct route){ 0, 31, 1, true, false, 16 }));
	assert_true(route_add(&r, &(struct route){ 0, 31, 2, true, true, 17 }));
	assert_true(route_add(&r, &(struct route){ 255, 0, 4, false, false, 1023 }));
	assert_int_equal(route_find(&r, 0, 31, 1)->gsi, 16);
	assert_int_equal(route_find(&r, 0, 31, 2)->gsi, 17);
	assert_int_equal(route_find(&r, 255, 0, 4)->gsi, 1023);
	assert_null(route_find(&r, 0, 31, 3));
	assert_null(route_find(&r, 0, 30, 1));
	assert_null(route_find(&r, 256, 0, 4));
	assert_null(route_find(&r, 0, 31, 257));
	assert_true(route_leads_to(&r, 17) && route_leads_to(&r, 1023));
	assert_false(route_leads_to(&r, 18) || route_leads_to(&r, 0));
}

static void first_stands(void **state)
{
	(void)state;
	assert_true(route_add(&r, &(struct route){ 0, 1, 1, true, false, 16 }));
	assert_true(route_add(&r, &(struct route){ 0, 1, 1, true, false, 20 }));
	assert_int_equal(r.n, 1);
	assert_int_equal(route_find(&r, 0, 1, 1)->gsi, 16);
}

static void refused(void **state)
{
	(void)state;
	assert_false(route_add(&r, &(struct route){ 0, 32, 1, true, false, 16 }));
	assert_false(route_add(&r, &(struct route){ 0, 1, 0, true, false, 16 }));
	assert_false(route_add(&r, &(struct route){ 0, 1, 5, true, false, 16 }));
	assert_false(route_add(&r, &(struct route){ 0, 1, 1, true, false, UINT32_MAX }));
	assert_int_equal(r.n, 0);
	for (uint32_t i = 0; i < ROUTES_MAX; i++)
		assert_true(route_add(&r, &(struct route){ (uint8_t)(i / 128), i / 4 % 32, (uint8_t)(i % 4 + 1), true, false, i }));
	assert_false(route_add(&r, &(struct route){ 200, 0, 1, true, false, 16 }));
}

/* However it is read, in whatever pieces, it is the same text. */
static void text(void **state)
{
	(void)state;
	char whole[8 * LINE + 1] = { 0 };
	for (uint8_t i = 0; i < 7; i++)
		assert_true(route_add(&r, &(struct route){ i, (uint8_t)(31 - i), (uint8_t)(i % 4 + 1), i & 1, i & 2, i * 14000u }));
	assert_int_equal(route_text(&r, 0, whole, sizeof(whole) - 1), 7 * LINE);
	assert_int_equal(route_text_size(&r), 7 * LINE);
	assert_memory_equal(whole, "00:1f A     0 edge  high\n01:1e B 14000 level high\n02:1d C 28000 edge  low \n", 3 * LINE);
	for (size_t piece = 1; piece < 60; piece++)
		for (size_t at = 0; at < 7 * LINE;) {
			char *buf = malloc(piece);
			size_t n = route_text(&r, at, buf, piece);
			assert_true(n > 0 && n <= piece);
			assert_memory_equal(buf, whole + at, n);
			free(buf);
			at += n;
		}
	assert_int_equal(route_text(&r, 7 * LINE, whole, 10), 0);
	assert_int_equal(route_text(&r, UINT64_MAX, whole, 10), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(finding, empty), cmocka_unit_test_setup(first_stands, empty),
		cmocka_unit_test_setup(refused, empty), cmocka_unit_test_setup(text, empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

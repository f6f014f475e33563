/*
 * crc_test: against zlib's crc32, at every length around the borders, at every alignment, in one piece and in several.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "crc.c"

static uint8_t bytes[64 * 1024 + 16];

static int setup(void **state)
{
	uint32_t x = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		x = x * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(x >> 24);
	}
	return 0;
}

static void check(uint32_t crc, const uint8_t *data, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1);     /* so that reading past the end is seen */

	memcpy(exact, data, len);
	assert_int_equal(crc_of(crc, exact, len), (uint32_t)crc32(crc, exact, (uInt)len));
	free(exact);
}

static void lengths(void **state)
{
	(void)state;
	for (size_t len = 0; len <= 4 * BLOCK + 17; len += len % BLOCK > 20 && len % BLOCK < BLOCK - 20 ? 13 : 1) {
		check(0, bytes, len);
		check(0xdeadbeef, bytes, len);
	}
	check(0, bytes, sizeof(bytes));
	check(0xffffffff, bytes, sizeof(bytes));
}

static void alignments(void **state)
{
	(void)state;
	for (size_t from = 0; from < 16; from++)
		assert_int_equal(crc_of(7, bytes + from, 20000), (uint32_t)crc32(7, bytes + from, 20000));
}

static void in_pieces(void **state)
{
	(void)state;
	for (size_t piece = 1000; piece < 30000; piece += 1777) {
		uint32_t crc = 0;
		for (size_t at = 0; at < sizeof(bytes); at += piece)
			crc = crc_of(crc, bytes + at, MIN(piece, sizeof(bytes) - at));
		assert_int_equal(crc, (uint32_t)crc32(0, bytes, sizeof(bytes)));
	}
}

/* One bit more or less is another sum, wherever it is. */
static void every_bit_counts(void **state)
{
	uint32_t before = crc_of(0, bytes, 20000);

	(void)state;
	for (size_t bit = 0; bit < 20000 * 8; bit += 397) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(crc_of(0, bytes, 20000), before);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths), cmocka_unit_test(alignments), cmocka_unit_test(in_pieces), cmocka_unit_test(every_bit_counts),
	};
	return cmocka_run_group_tests_name("crc", tests, setup, NULL);
}

/*
 * inffast_test: zlib's inflate with the loop of inffast.c against this machine's zlib. Expected: the same bytes, ends and complaints,
 * whatever the data, the sizes of the pieces they come in and go to, and the damage.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "both.h"

static uint8_t plain[200000], zipped[300000];
static uint32_t seed = 1;

static uint32_t any(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

/* Text of a kind: runs, repetitions near and far, and what repeats nothing. */
static void write_plain(unsigned kind)
{
	for (size_t at = 0; at < sizeof(plain);) {
		size_t n = 1 + any(kind & 1 ? 12 : 300);
		unsigned what = any(kind & 2 ? 8 : 4);
		size_t back = 1 + any(what == 1 ? 9 : what == 2 ? 300 : 32768);
		for (; n && at < sizeof(plain); n--, at++)
			plain[at] = (uint8_t)(what == 0 ? any(256) : what < 4 && back <= at ? plain[at - back] : what > 5 ? 'a' + any(3) : 0);
	}
}

static size_t pack(int level, int strategy)
{
	z_stream z = { 0 };
	assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, -MAX_WBITS, 8, strategy), Z_OK);
	z.next_in = plain;
	z.avail_in = sizeof(plain);
	z.next_out = zipped;
	z.avail_out = sizeof(zipped);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	size_t n = z.total_out;
	deflateEnd(&z);
	return n;
}

static const struct { int level, strategy; } ways[] = {
	{ 9, Z_DEFAULT_STRATEGY }, { 1, Z_DEFAULT_STRATEGY }, { 6, Z_FIXED }, { 6, Z_HUFFMAN_ONLY }, { 6, Z_RLE }, { 0, Z_DEFAULT_STRATEGY },
};

static void whole(void **state)
{
	static const size_t pieces[] = { 300000, 32768, 5000, 300, 258, 100 };

	(void)state;
	for (unsigned kind = 0; kind < 4; kind++) {
		write_plain(kind);
		for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
			size_t n = pack(ways[w].level, ways[w].strategy);
			for (size_t p = 0; p < ARRAY_LEN(pieces); p++) {
				struct both b = { 0 };
				both_begin(&b, zipped, n);
				assert_int_equal(both_run(&b, pieces[p], pieces[(p + kind) % ARRAY_LEN(pieces)]), Z_STREAM_END);
				assert_int_equal(b.len, sizeof(plain));
				assert_memory_equal(b.ours_out, plain, sizeof(plain));
				both_end(&b);
			}
		}
	}
}

static void damaged(void **state)
{
	unsigned refused = 0;

	(void)state;
	for (unsigned kind = 0; kind < 4; kind++) {
		write_plain(kind);
		size_t n = pack(ways[kind % 3].level, ways[kind % 3].strategy);
		for (unsigned i = 0; i < 300; i++) {
			size_t at = i < 100 ? i : any((uint32_t)n);
			uint8_t kept = zipped[at];
			struct both b = { 0 };
			zipped[at] ^= (uint8_t)(1 << any(8));
			both_begin(&b, zipped, n);
			refused += both_run(&b, i % 2 ? 1000000 : 4096, i % 3 ? 20000 : 1000000) == Z_DATA_ERROR;
			both_end(&b);
			zipped[at] = kept;
		}
	}
	assert_true(refused > 100);
}

static void cut_short(void **state)
{
	(void)state;
	write_plain(1);
	size_t n = pack(9, Z_DEFAULT_STRATEGY);
	for (size_t cut = 0; cut < n; cut += 1 + any(400)) {
		struct both b = { 0 };
		both_begin(&b, zipped, cut);
		assert_int_equal(both_run(&b, 1000000, 4000), Z_BUF_ERROR);
		both_end(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(whole), cmocka_unit_test(damaged), cmocka_unit_test(cut_short) };
	return cmocka_run_group_tests_name("inffast", tests, NULL, NULL);
}

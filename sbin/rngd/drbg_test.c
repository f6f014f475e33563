/*
 * drbg_test: the key stream is ChaCha20's (RFC 8439), the seed is hashed as documented, what was
 * given out is gone from memory, no piece comes twice, and constant clocks earn no credit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "drbg.c"

static struct drbg d;

/* RFC 8439, appendix A.1, test vector 1: key, nonce and counter all zero. */
static const uint8_t zero_key_stream[64] = {
	0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28,
	0xbd, 0xd2, 0x19, 0xb8, 0xa0, 0x8d, 0xed, 0x1a, 0xa8, 0x36, 0xef, 0xcc, 0x8b, 0x77, 0x0d, 0xc7,
	0xda, 0x41, 0x59, 0x7c, 0x51, 0x57, 0x48, 0x8d, 0x77, 0x24, 0xe0, 0x3f, 0xb8, 0xd8, 0x4a, 0x37,
	0x6a, 0x43, 0xb8, 0xf4, 0x15, 0x18, 0xa1, 0x1c, 0xc3, 0x87, 0xb6, 0x69, 0xb2, 0xee, 0x65, 0x86,
};

static int zero(void **state)
{
	(void)state;
	memset(&d, 0, sizeof(d));
	return 0;
}

static void known_answer(void **state)
{
	(void)state;
	uint8_t out[32];
	drbg_bytes(&d, out, 8);
	drbg_bytes(&d, out + 8, 24);
	assert_memory_equal(out, zero_key_stream + 32, 32);
	assert_memory_equal(d.key, zero_key_stream, 32);        /* the old key is gone */
	for (size_t i = 0; i < 32; i++)
		assert_int_equal(d.ready[i], 0);                /* and what was given out, too */
	assert_int_equal(d.given, 32);
}

static void large(void **state)
{
	(void)state;
	static uint8_t out[DRBG_CHUNK], expect[DRBG_CHUNK];
	drbg_bytes(&d, out, sizeof(out));
	stream(zero_key_stream + 32, expect, sizeof(expect));
	assert_memory_equal(out, expect, sizeof(out));
	memset(expect, 0, sizeof(expect));
	drbg_bytes(&d, expect, sizeof(expect));
	assert_memory_not_equal(out, expect, sizeof(out));
}

static void seeds(void **state)
{
	(void)state;
	/* SHA-256 of 64 zero bytes. */
	static const uint8_t hash[32] = {
		0xf5, 0xa5, 0xfd, 0x42, 0xd1, 0x6a, 0x20, 0x30, 0x27, 0x98, 0xef, 0x6e, 0xd3, 0x09, 0x97, 0x9b,
		0x43, 0x00, 0x3d, 0x23, 0x20, 0xd9, 0xf0, 0xe8, 0xea, 0x98, 0x31, 0xa9, 0x27, 0x59, 0xfb, 0x4b,
	};
	uint8_t seed[32] = { 0 }, a[16], b[16];
	drbg_bytes(&d, a, 16);
	zero(NULL);
	drbg_reseed(&d, seed);
	assert_memory_equal(d.key, hash, 32);
	assert_int_equal(d.left, 0);
	drbg_bytes(&d, a, 16);
	seed[31] = 1;
	zero(NULL);
	drbg_reseed(&d, seed);
	drbg_bytes(&d, b, 16);
	assert_memory_not_equal(a, b, 16);
}

static void no_repeats(void **state)
{
	(void)state;
	static uint64_t seen[4096];
	for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
		drbg_bytes(&d, &seen[i], 8);
		for (size_t k = 0; k < i; k += 7)
			assert_true(seen[k] != seen[i]);
	}
	size_t ones = 0;
	for (size_t i = 0; i < ARRAY_LEN(seen); i++)
		ones += (size_t)__builtin_popcountll(seen[i]);
	assert_in_range(ones, 4096 * 32 - 2000, 4096 * 32 + 2000);   /* 256 is one standard deviation */
}

static void pools(void **state)
{
	(void)state;
	struct pool p;
	uint8_t a[32], b[32];
	pool_init(&p);
	pool_add(&p, "ab", 2, 5);
	pool_add(&p, "c", 1, 6);
	assert_int_equal(p.bits, 11);
	pool_draw(&p, a);
	assert_int_equal(p.bits, 0);
	pool_add(&p, "a", 1, 0);
	pool_add(&p, "bc", 2, 0);
	pool_draw(&p, b);
	assert_memory_not_equal(a, b, 32);
}

static void jitter(void **state)
{
	(void)state;
	static uint64_t deltas[1024];
	for (size_t i = 0; i < 1024; i++)
		deltas[i] = 100;
	assert_int_equal(jitter_bits(deltas, 1024), 0);
	for (size_t i = 0; i < 1024; i++)
		deltas[i] = 100 + (i * 2654435761u >> 13 & 3);
	uint32_t bits = jitter_bits(deltas, 1024);
	assert_in_range(bits, 256, 512);
	for (size_t i = 500; i < 541; i++)
		deltas[i] = 100;
	assert_int_equal(jitter_bits(deltas, 1024), 0);
	assert_int_equal(jitter_bits(deltas, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(known_answer, zero), cmocka_unit_test_setup(large, zero), cmocka_unit_test_setup(seeds, zero),
		cmocka_unit_test_setup(no_repeats, zero), cmocka_unit_test(pools), cmocka_unit_test(jitter),
	};
	return cmocka_run_group_tests_name("drbg", tests, NULL, NULL);
}

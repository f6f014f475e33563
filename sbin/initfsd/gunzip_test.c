/*
 * gunzip_test: what zlib zipped must come out the same in any piece size; every cut and every
 * flipped bit is noticed; the limit holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "../../lib/zfast/crc.c"
#include "gunzip.c"

static uint8_t plain[20000], zipped[40000], out[50000];
static size_t zipped_len;

static size_t pack(uint8_t *to, size_t room, const void *data, size_t len)
{
	z_stream z = { 0 };
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)data;
	z.avail_in = (uInt)len;
	z.next_out = to;
	z.avail_out = (uInt)room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	size_t n = z.total_out;
	deflateEnd(&z);
	return n;
}

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)(i * i >> 7 ^ i / 300);
	memset(zipped, 0, sizeof(zipped));
	zipped_len = pack(zipped, sizeof(zipped), plain, sizeof(plain));
	return 0;
}

static size_t unpack(struct gunzip *g, size_t size, uint64_t limit, size_t piece)
{
	size_t n = 0, got;
	uint8_t *exact = malloc(size ? size : 1);  /* so that reading past the end is seen */
	memcpy(exact, zipped, size);
	gunzip_begin(g, exact, size, limit);
	while (n + piece <= sizeof(out) && (got = gunzip_read(g, out + n, piece)) > 0)
		n += got;
	gunzip_end(g);
	free(exact);
	return n;
}

static void whole(void **state)
{
	(void)state;
	struct gunzip g;
	static const size_t pieces[] = { 1, 7, 512, 4096, 30000 };
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		memset(out, 0, sizeof(out));
		assert_int_equal(unpack(&g, zipped_len, sizeof(plain), pieces[i]), sizeof(plain));
		assert_memory_equal(out, plain, sizeof(plain));
		gunzip_begin(&g, zipped, zipped_len, sizeof(plain));
		assert_int_equal(gunzip_read(&g, out, sizeof(out)), sizeof(plain));
		assert_true(g.ended);
		assert_null(g.why);
		gunzip_end(&g);
	}
}

static void members_and_padding(void **state)
{
	(void)state;
	struct gunzip g;
	size_t second = pack(zipped + zipped_len, sizeof(zipped) - zipped_len, "tail", 4);
	assert_int_equal(unpack(&g, zipped_len + second + 100, 1 << 20, 4096), sizeof(plain) + 4);
	assert_null(g.why);
	assert_true(g.ended);
	assert_memory_equal(out + sizeof(plain), "tail", 4);
	zipped[zipped_len + second + 50] = 'x';
	unpack(&g, zipped_len + second + 100, 1 << 20, 4096);
	assert_string_equal(g.why, "something follows its end");
}

static void limit(void **state)
{
	(void)state;
	struct gunzip g;
	assert_int_equal(unpack(&g, zipped_len, sizeof(plain) - 1, 4096), sizeof(plain) - 1);
	assert_string_equal(g.why, "it unpacks to more than is allowed");
}

static void cut(void **state)
{
	(void)state;
	struct gunzip g;
	for (size_t n = 0; n < zipped_len; n += n < 40 || n + 40 > zipped_len ? 1 : 97) {
		unpack(&g, n, 1 << 20, 4096);
		assert_non_null(g.why);
	}
}

static void flipped(void **state)
{
	(void)state;
	struct gunzip g;
	for (size_t i = 0; i < zipped_len; i += i < 20 || i + 20 > zipped_len ? 1 : 53) {
		if (i >= 4 && i <= 9)           /* time, level, system: mean nothing to the content */
			continue;
		zipped[i] ^= 0x10;
		size_t n = unpack(&g, zipped_len, 1 << 20, 4096);
		assert_true(g.why || n != sizeof(plain));
		zipped[i] ^= 0x10;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(whole, setup), cmocka_unit_test_setup(members_and_padding, setup),
		cmocka_unit_test_setup(limit, setup), cmocka_unit_test_setup(cut, setup),
		cmocka_unit_test_setup(flipped, setup),
	};
	return cmocka_run_group_tests_name("gunzip", tests, NULL, NULL);
}

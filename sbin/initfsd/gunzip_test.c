/*
 * gunzip_test: what zlib packed comes out the same; every cut and every flipped bit is noticed, and what came before it can be
 * had; the room is never left, whatever a trailer says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <zlib.h>
#include "gunzip.c"

static uint8_t plain[60000], zipped[90000], *out;
static size_t zipped_len, room;

static size_t pack(uint8_t *to, size_t space, const void *data, size_t len, int level, int strategy)
{
	z_stream z = { 0 };
	assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, MAX_WBITS + 16, 8, strategy), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)data;
	z.avail_in = (uInt)len;
	z.next_out = to;
	z.avail_out = (uInt)space;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	size_t n = z.total_out;
	deflateEnd(&z);
	return n;
}

static int setup(void **state unused)
{
	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)((i * i >> 7 ^ i / 300) | 1);
	memset(zipped, 0, sizeof(zipped));
	zipped_len = pack(zipped, sizeof(zipped), plain, sizeof(plain), 9, Z_DEFAULT_STRATEGY);
	return 0;
}

static int teardown(void **state unused)
{
	free(out);
	out = NULL;
	return 0;
}

/* From and to memory of exactly this size, so that a byte too many is seen. */
static struct gunzip unpack(size_t size, size_t space)
{
	uint8_t *exact = malloc(size ? size : 1);
	memcpy(exact, zipped, size);
	free(out);
	room = space;
	out = calloc(1, space ? space : 1);
	struct gunzip g = gunzip(exact, size, out, space);
	free(exact);
	return g;
}

static void assert_good(struct gunzip g, size_t in, size_t n)
{
	assert_null(g.why);
	assert_int_equal(g.in, in);
	assert_int_equal(g.out, n);
	assert_int_equal(g.unverified, 0);
}

static void whole(void **state unused)
{
	static const struct { int level, strategy; } ways[] = {
		{ 0, Z_DEFAULT_STRATEGY }, { 1, Z_DEFAULT_STRATEGY }, { 6, Z_FIXED }, { 6, Z_HUFFMAN_ONLY }, { 9, Z_RLE }, { 9, Z_DEFAULT_STRATEGY },
	};
	static const size_t sizes[] = { 0, 1, 2, 100, 4096, sizeof(plain) };
	for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
		for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
			zipped_len = pack(zipped, sizeof(zipped), plain, sizes[s], ways[w].level, ways[w].strategy);
			assert_good(unpack(zipped_len, sizes[s]), zipped_len, sizes[s]);
			assert_memory_equal(out, plain, sizes[s]);
		}
	}
}

static void members_and_padding(void **state unused)
{
	size_t second = pack(zipped + zipped_len, sizeof(zipped) - zipped_len, "tail", 4, 9, Z_DEFAULT_STRATEGY);
	size_t both = zipped_len + second;
	assert_good(unpack(both + 100, 1 << 20), both, sizeof(plain) + 4);
	assert_memory_equal(out, plain, sizeof(plain));
	assert_memory_equal(out + sizeof(plain), "tail", 4);
	assert_string_equal(unpack(both, sizeof(plain) + 3).why, "it unpacks to more than is allowed");
	zipped[both + 50] = 'x';
	struct gunzip g = unpack(both + 100, 1 << 20);
	assert_string_equal(g.why, "something follows its end");
	assert_int_equal(gunzip_rescued(&g, out, room), sizeof(plain) + 4);
	/* The second is damaged: the first counts. */
	zipped[both - 5] ^= 1;
	g = unpack(both, 1 << 20);
	assert_string_equal(g.why, "its checksum or its length is wrong");
	assert_int_equal(g.in, zipped_len);
	assert_int_equal(g.out, sizeof(plain));
	g = unpack(zipped_len + 2, 1 << 20);
	assert_non_null(g.why);
	assert_int_equal(gunzip_rescued(&g, out, room), sizeof(plain));
}

static void wrong_trailer(void **state unused)
{
	for (size_t back = 1; back <= 8; back++) {              /* CRC32, then ISIZE */
		zipped[zipped_len - back] ^= 0x40;
		struct gunzip g = unpack(zipped_len, 1 << 20);
		assert_string_equal(g.why, "its checksum or its length is wrong");
		assert_int_equal(g.out, 0);
		assert_int_equal(gunzip_rescued(&g, out, room), sizeof(plain));
		assert_memory_equal(out, plain, sizeof(plain));
		zipped[zipped_len - back] ^= 0x40;
	}
}

static void too_much(void **state unused)
{
	for (size_t less = 1; less < sizeof(plain); less = less * 3 + 1) {
		struct gunzip g = unpack(zipped_len, sizeof(plain) - less);
		assert_string_equal(g.why, "it unpacks to more than is allowed");
		size_t n = gunzip_rescued(&g, out, room);
		assert_memory_equal(out, plain, n);
	}
	/* A bomb: the most that deflate can do. It fits the room that is made for it, and no less does. */
	static uint8_t zeros[10 << 20];
	zipped_len = pack(zipped, sizeof(zipped), zeros, sizeof(zeros), 9, Z_DEFAULT_STRATEGY);
	assert_true(gunzip_room(zipped_len, SIZE_MAX) >= sizeof(zeros));
	assert_int_equal(gunzip_room(zipped_len, 1 << 20), 1 << 20);
	assert_string_equal(unpack(zipped_len, 1 << 20).why, "it unpacks to more than is allowed");
	assert_good(unpack(zipped_len, gunzip_room(zipped_len, SIZE_MAX)), zipped_len, sizeof(zeros));
	assert_int_equal(gunzip_room(0, 100), 0);
	assert_int_equal(gunzip_room(SIZE_MAX, 1 << 26), 1 << 26);
}

static void cut(void **state unused)
{
	size_t most = 0;
	for (size_t n = 0; n < zipped_len; n += n < 40 || n + 40 > zipped_len ? 1 : 97) {
		struct gunzip g = unpack(n, 1 << 17);
		assert_non_null(g.why);
		assert_int_equal(g.out, 0);
		/* What is said to have come did come. */
		size_t came = gunzip_rescued(&g, out, room);
		assert_true(came <= sizeof(plain));
		assert_memory_equal(out, plain, came);
		most = MAX(most, came);
	}
	assert_true(most > sizeof(plain) - 2 * UNSURE_MAX);
}

static void flipped(void **state unused)
{
	for (size_t i = 0; i < zipped_len; i += i < 20 || i + 20 > zipped_len ? 1 : 53) {
		if (i >= 4 && i <= 9)           /* time, level, system: mean nothing to the content */
			continue;
		zipped[i] ^= 0x10;
		struct gunzip g = unpack(zipped_len, 1 << 17);
		/* A bit that nobody reads (the padding behind the last block) may change; the contents may not. */
		assert_true(g.why || (g.out == sizeof(plain) && memcmp(out, plain, g.out) == 0));
		zipped[i] ^= 0x10;
	}
}

/* Headers with all that RFC 1952 allows, cut everywhere. */
static void long_header(void **state unused)
{
	static const uint8_t extra[] = { 3, 0, 'a', 'b', 'c', 'n', 'a', 'm', 'e', 0, 'n', 'o', 't', 'e', 0, 0x12, 0x34 };
	memmove(zipped + 10 + sizeof(extra), zipped + 10, zipped_len - 10);
	memcpy(zipped + 10, extra, sizeof(extra));
	zipped[3] = 2 | 4 | 8 | 16;
	zipped_len += sizeof(extra);
	assert_good(unpack(zipped_len, sizeof(plain)), zipped_len, sizeof(plain));
	for (size_t n = 0; n < 60; n++)
		assert_non_null(unpack(n, 1 << 17).why);
	zipped[10] = zipped[11] = 0xff;         /* longer than the file */
	assert_non_null(unpack(64, 1 << 17).why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(whole, setup, teardown), cmocka_unit_test_setup_teardown(members_and_padding, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_trailer, setup, teardown), cmocka_unit_test_setup_teardown(too_much, setup, teardown),
		cmocka_unit_test_setup_teardown(cut, setup, teardown), cmocka_unit_test_setup_teardown(flipped, setup, teardown),
		cmocka_unit_test_setup_teardown(long_header, setup, teardown),
	};
	return cmocka_run_group_tests_name("gunzip", tests, NULL, NULL);
}

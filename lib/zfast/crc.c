/*
 * crc: see crc.h. No tables and no vector registers, which services do without: long data is made short first.
 *
 * The polynomial of CRC-32 divides x^300 + x^155 + x^117 + x^89 + 1, the least multiple with so few terms; squared six times
 * that is the same with 64-fold exponents (over GF(2) a square of a sum is the sum of the squares). So a word of 64 bits may be
 * taken out of the message and added to the words that come 145, 183, 211 and 300 later: the remainder stays what it was. When
 * all words but the last 300 are gone, zlib does those and what is left over.
 */
#include "crc.h"
#include <string.h>
#include <zlib.h>

enum { SPAN = 300, TO_155 = SPAN - 155, TO_117 = SPAN - 117, TO_89 = SPAN - 89 };
#define BLOCK (SPAN * sizeof(uint64_t))
/* Less is not worth it. */
#define LONG  (2 * BLOCK)
#define ZLIB_MAX (1u << 30)

static uint32_t by_table(uint32_t crc, const uint8_t *data, size_t len)
{
	while (len > ZLIB_MAX) {
		crc = (uint32_t)crc32(crc, data, ZLIB_MAX);
		data += ZLIB_MAX;
		len -= ZLIB_MAX;
	}
	return (uint32_t)crc32(crc, data, (uInt)len);
}

uint32_t crc_of(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *at = data;
	uint64_t more[2 * SPAN];        /* what is to be added to the words at `at` and after them */

	if (len < LONG)
		return by_table(crc, at, len);
	memset(more, 0, BLOCK);
	more[0] = (uint32_t)~crc;       /* a sum so far is the same as these bits added to the first that follow */
	for (; len >= LONG; at += BLOCK, len -= BLOCK) {
		memset(more + SPAN, 0, BLOCK);
		for (size_t i = 0; i < SPAN; i++) {
			uint64_t word;
			__builtin_memcpy(&word, at + i * sizeof(word), sizeof(word));
			word ^= more[i];
			more[i + TO_155] ^= word;
			more[i + TO_117] ^= word;
			more[i + TO_89] ^= word;
			more[i + SPAN] ^= word;
		}
		memmove(more, more + SPAN, BLOCK);
	}
	for (size_t i = 0; i < SPAN; i++) {
		uint64_t word;
		__builtin_memcpy(&word, at + i * sizeof(word), sizeof(word));
		more[i] ^= word;
	}
	/* With the initial bits added already, zlib is to add none: ~0 stands for none. */
	crc = by_table(~0u, (const uint8_t *)more, BLOCK);
	return by_table(crc, at + BLOCK, len - BLOCK);
}

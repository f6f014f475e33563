/*
 * gunzip: see gunzip.h. RFC 1952; libdeflate checks each member's header, CRC-32 and length.
 */
#include "gunzip.h"
#include <libdeflate.h>

#define MEMBER_MIN 18           /* a header and a trailer (RFC 1952, 2.3) */

/* Two bits are the least for a match, and 258 bytes the most that one gives (RFC 1951, 3.2.5); a byte of input has eight. */
#define PER_BYTE_MAX (4 * 258)

/*
 * libdeflate notices the end of its input up to eight bytes late, having taken zeros for them; and it copies by words, up to
 * five of them past the end of a match.
 */
#define UNSURE_MAX (8 * PER_BYTE_MAX + 5 * 8)

static bool member_at(const uint8_t *p, size_t left)
{
	return left >= 2 && p[0] == 0x1f && p[1] == 0x8b;
}

size_t gunzip_room(size_t size, size_t limit)
{
	return size <= limit / PER_BYTE_MAX ? size * PER_BYTE_MAX : limit;
}

static void next_member(struct gunzip *g, struct libdeflate_decompressor *d, const uint8_t *data, size_t size, uint8_t *out,
                        size_t room)
{
	size_t used = 0, got = SIZE_MAX;

	switch (libdeflate_gzip_decompress_ex(d, data, size, out, room, &used, &got)) {
	case LIBDEFLATE_SUCCESS:
		g->in += used;
		g->out += got;
		return;
	case LIBDEFLATE_INSUFFICIENT_SPACE:
		g->why = "it unpacks to more than is allowed";
		return;
	default:
		/* How much it unpacked to is only known of a stream that had an end. */
		if (got > room) {
			g->why = "it breaks off, or is no deflate stream";
			return;
		}
		g->unverified = got;
		g->why = "its checksum or its length is wrong";
	}
}

struct gunzip gunzip(const void *data, size_t size, void *out, size_t room)
{
	struct gunzip g = { 0 };
	const uint8_t *p = data;

	if (size < MEMBER_MIN || !member_at(p, size)) {
		g.why = "it is not a gzip file";
		return g;
	}
	struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
	if (!d) {
		g.why = "no memory to unpack it";
		return g;
	}
	do {
		next_member(&g, d, p + g.in, size - g.in, (uint8_t *)out + g.out, room - g.out);
	} while (!g.why && member_at(p + g.in, size - g.in));
	libdeflate_free_decompressor(d);
	for (size_t i = g.in; i < size && !g.why; i++)
		if (p[i])
			g.why = "something follows its end";
	return g;
}

size_t gunzip_rescued(const struct gunzip *g, const void *out, size_t touched)
{
	const uint8_t *p = out;
	size_t n = touched;

	if (g->unverified)
		return g->out + g->unverified;
	while (n > g->out && p[n - 1] == 0)
		n--;
	return n - g->out > UNSURE_MAX ? n - UNSURE_MAX : g->out;
}

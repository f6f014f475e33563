/*
 * gunzip: see gunzip.h. RFC 1952; zlib reads header and trailer of each member itself when asked for gzip only (window
 * bits + 16), and checks the header. The trailer is checked here, with a quicker CRC-32 than zlib's.
 */
#include "gunzip.h"
#include <limits.h>
#include <zfast/crc.h>
#include <stdlib.h>
#include <string.h>

/* In z_stream.data_type after Z_BLOCK: at the end of a block or of the header (zlib.h, inflate). */
#define HEADER_ENDED 128

static void *zlib_alloc(void *opaque, unsigned items, unsigned size)
{
	(void)opaque;
	return calloc(items, size);
}

static void zlib_free(void *opaque, void *p)
{
	(void)opaque;
	free(p);
}

size_t gunzip_offset(const struct gunzip *g)
{
	return g->ready ? (size_t)((const uint8_t *)g->z.next_in - g->data) : 0;
}

void gunzip_begin(struct gunzip *g, const void *data, size_t size, uint64_t limit)
{
	memset(g, 0, sizeof(*g));
	g->data = data;
	g->size = size;
	g->limit = limit;
	if (size < 18 || g->data[0] != 0x1f || g->data[1] != 0x8b) {
		g->why = "it is not a gzip file";
		return;
	}
	g->z.zalloc = zlib_alloc;
	g->z.zfree = zlib_free;
	g->z.next_in = (Bytef *)(uintptr_t)data;
	if (inflateInit2(&g->z, MAX_WBITS + 16) != Z_OK) {
		g->why = "no memory to unpack it";
		return;
	}
	g->ready = true;
	g->in_header = true;
}

static uint32_t word_at(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* A member is complete, its trailer the last that was read. gzip allows another right behind it; zero bytes are padding. */
static void member_ended(struct gunzip *g)
{
	size_t at = gunzip_offset(g), left = g->size - at;

	if (word_at(g->data + at - 8) != g->crc)
		g->why = "incorrect data check";
	else if (word_at(g->data + at - 4) != (uint32_t)g->z.total_out)
		g->why = "incorrect length check";
	if (g->why)
		return;
	if (left >= 2 && g->data[at] == 0x1f && g->data[at + 1] == 0x8b) {
		if (inflateReset(&g->z) != Z_OK || inflateValidate(&g->z, 1) != Z_OK)
			g->why = "it cannot be unpacked any further";
		g->in_header = true;
		g->crc = 0;
		return;
	}
	g->ended = true;
	for (size_t i = at; i < g->size; i++) {
		if (g->data[i]) {
			g->why = "something follows its end";
			return;
		}
	}
}

/* As inflate(); of a member it reads no further than the header at first, and from there on zlib takes no sums. */
static int step(struct gunzip *g)
{
	int r = Z_OK;

	if (g->in_header) {
		r = inflate(&g->z, Z_BLOCK);
		if (r == Z_OK && g->z.data_type & HEADER_ENDED) {
			g->in_header = false;
			inflateValidate(&g->z, 0);
		}
	}
	return r == Z_OK && !g->in_header ? inflate(&g->z, Z_NO_FLUSH) : r;
}

size_t gunzip_read(void *self, void *buf, size_t len)
{
	struct gunzip *g = self;
	size_t done = 0;

	while (done < len && g->ready && !g->ended && !g->why) {
		size_t room = MIN(len - done, (size_t)INT_MAX);
		size_t in = MIN(g->size - gunzip_offset(g), (size_t)INT_MAX);

		if (g->out == g->limit) {
			/* Exactly the limit is allowed: see whether anything comes after it. */
			uint8_t extra;
			g->z.next_out = &extra;
			g->z.avail_out = 1;
			g->z.avail_in = (uInt)in;
			int r = step(g);
			if (r == Z_STREAM_END)
				member_ended(g);
			else
				g->why = "it unpacks to more than is allowed";
			if (g->z.avail_out == 0)
				g->why = "it unpacks to more than is allowed";
			continue;
		}
		room = MIN(room, g->limit - g->out);
		g->z.next_out = (Bytef *)buf + done;
		g->z.avail_out = (uInt)room;
		g->z.avail_in = (uInt)in;
		int r = step(g);
		size_t got = room - g->z.avail_out;
		g->crc = crc_of(g->crc, (uint8_t *)buf + done, got);
		done += got;
		g->out += got;
		if (r == Z_STREAM_END)
			member_ended(g);
		else if (r == Z_MEM_ERROR)
			g->why = "no memory to unpack it";
		else if (r == Z_NEED_DICT)
			g->why = "it wants a dictionary";
		else if (r == Z_BUF_ERROR || (r == Z_OK && got == 0 && g->z.avail_in == 0))
			g->why = "it breaks off";
		else if (r != Z_OK)
			g->why = g->z.msg ? g->z.msg : "it is damaged";
	}
	return done;
}

void gunzip_end(struct gunzip *g)
{
	if (g->ready)
		inflateEnd(&g->z);
	g->ready = false;
}

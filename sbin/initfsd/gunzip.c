/*
 * gunzip: see gunzip.h. RFC 1952; zlib checks header, CRC-32 and length of each member itself when
 * asked for gzip only (window bits + 16).
 */
#include "gunzip.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

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
}

/* A member is complete. gzip allows another right behind it; zero bytes are padding. */
static void member_ended(struct gunzip *g)
{
	size_t at = gunzip_offset(g), left = g->size - at;

	if (left >= 2 && g->data[at] == 0x1f && g->data[at + 1] == 0x8b) {
		if (inflateReset(&g->z) != Z_OK)
			g->why = "it cannot be unpacked any further";
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
			int r = inflate(&g->z, Z_NO_FLUSH);
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
		int r = inflate(&g->z, Z_NO_FLUSH);
		size_t got = room - g->z.avail_out;
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

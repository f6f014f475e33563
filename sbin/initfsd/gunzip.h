/*
 * gunzip: a gzip file in memory as a stream of what it unpacks to. The work is zlib's; this checks
 * what zlib leaves to its caller: several members behind each other, padding, a limit; and the contents' CRC-32.
 */
#pragma once
#include <abi/types.h>
#include <zlib.h>

struct gunzip {
	z_stream       z;
	const uint8_t *data;
	size_t         size;
	uint64_t       out;         /* bytes delivered */
	uint64_t       limit;       /* stops after so many, with an error */
	uint32_t       crc;         /* of what this member has given so far */
	bool           ready, in_header, ended;
	const char    *why;         /* what is wrong; NULL: nothing so far */
};

/* `data` is borrowed until gunzip_end. Fails by leaving g->why. */
void gunzip_begin(struct gunzip *g, const void *data, size_t size, uint64_t limit);
/* Unpacks up to `len` bytes; fewer only at the end (g->ended: checksum and length were right) or with g->why. */
size_t gunzip_read(void *g, void *buf, size_t len);
/* Bytes of the archive used so far: where g->why happened. */
size_t gunzip_offset(const struct gunzip *g);
void gunzip_end(struct gunzip *g);

/*
 * both: for the tests: raw deflate data unpacked by zlib with the loop of inffast.c, whose names begin with z_ here, and by this
 * machine's zlib. Any difference ends the test.
 */
#pragma once
#define Z_PREFIX
#include "inffast.c"
/* The other zlib's names. */
#undef inflate
#undef inflateInit2_
#undef inflateEnd
#undef deflate
#undef deflateInit2
#undef deflateInit2_
#undef deflateEnd
#include <stdlib.h>
int inflate(z_streamp strm, int flush);
int inflateInit2_(z_streamp strm, int bits, const char *version, int size);
int inflateEnd(z_streamp strm);
int deflate(z_streamp strm, int flush);
int deflateInit2_(z_streamp strm, int level, int method, int bits, int memory, int strategy, const char *version, int size);
int deflateEnd(z_streamp strm);
#define deflateInit2(strm, level, method, bits, memory, strategy) \
	deflateInit2_(strm, level, method, bits, memory, strategy, ZLIB_VERSION, (int)sizeof(z_stream))

#define BOTH_OUT_MAX (256u << 10)

struct both {
	z_stream       ours, theirs;
	uint8_t       *in, *ours_out, *theirs_out;  /* owned; as large as they need be, so that the sanitizer sees what goes over */
	size_t         in_len, len;                 /* len: bytes that came out */
};

#define BOTH_MUST(what) ((what) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what), abort()))

static inline void both_begin(struct both *b, const void *data, size_t len)
{
	b->in = malloc(len ? len : 1);
	b->ours_out = malloc(BOTH_OUT_MAX);
	b->theirs_out = malloc(BOTH_OUT_MAX);
	BOTH_MUST(b->in && b->ours_out && b->theirs_out);
	memcpy(b->in, data, len);
	b->in_len = len;
	b->ours.next_in = b->theirs.next_in = b->in;
	BOTH_MUST(z_inflateInit2_(&b->ours, -MAX_WBITS, ZLIB_VERSION, (int)sizeof(z_stream)) == Z_OK);
	BOTH_MUST(inflateInit2_(&b->theirs, -MAX_WBITS, ZLIB_VERSION, (int)sizeof(z_stream)) == Z_OK);
}

/* In pieces of at most so many bytes, to the end. What inflate said last; Z_BUF_ERROR: it wants more, or there is no more room. */
static inline int both_run(struct both *b, size_t in_piece, size_t out_piece)
{
	int r = Z_OK;

	while (r == Z_OK) {
		uInt in = (uInt)MIN(in_piece, b->in_len - (size_t)(b->ours.next_in - b->in));
		uInt out = (uInt)MIN(out_piece, BOTH_OUT_MAX - b->len);
		/* Both write to a buffer of just this size. */
		uint8_t *ours = malloc(out ? out : 1), *theirs = malloc(out ? out : 1);
		BOTH_MUST(ours && theirs);
		b->ours.avail_in = b->theirs.avail_in = in;
		b->ours.avail_out = b->theirs.avail_out = out;
		b->ours.next_out = ours;
		b->theirs.next_out = theirs;
		r = z_inflate(&b->ours, Z_NO_FLUSH);
		BOTH_MUST(inflate(&b->theirs, Z_NO_FLUSH) == r);
		size_t got = (size_t)(b->ours.next_out - ours);
		BOTH_MUST(got == (size_t)(b->theirs.next_out - theirs));
		BOTH_MUST(memcmp(ours, theirs, got) == 0);
		memcpy(b->ours_out + b->len, ours, got);
		b->len += got;
		free(ours);
		free(theirs);
		if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR) {
			BOTH_MUST(b->ours.msg && b->theirs.msg && !strcmp(b->ours.msg, b->theirs.msg));
		} else {
			BOTH_MUST(b->ours.next_in == b->theirs.next_in);
		}
	}
	return r;
}

static inline void both_end(struct both *b)
{
	z_inflateEnd(&b->ours);
	inflateEnd(&b->theirs);
	free(b->in);
	free(b->ours_out);
	free(b->theirs_out);
}

/*
 * inffast: the loop in which inflate spends its time, made for 64-bit registers; takes the place of zlib's own, which takes
 * more than twice the instructions and still does what is near an end of either buffer (inffast_near_end).
 *
 * The contract is that of zlib's inffast.h: called in a block's data (state->mode LEN) with at least 6 bytes of input, 258 of room
 * for output and less than 8 bits held; leaves LEN, TYPE (the block ended) or BAD with strm->msg. The codes in the tables are
 * those of zlib's inftrees.h: op 0 literal; 16 + n base and n extra bits; below 16 the index bits of a second table; 32 end of
 * block; 64 invalid. The format is RFC 1951.
 */
#include <string.h>
#include <abi/types.h>
#include "zutil.h"
#include "inftrees.h"
#include "inflate.h"
#include "inffast.h"

/* zlib's own. */
void ZLIB_INTERNAL inffast_near_end(z_streamp strm, unsigned start);

enum {
	IN_MOST = 16,               /* one round of the loop refills twice at most, and looks at 8 bytes each time */
	OUT_MOST = 3 + 258 + 8,     /* it writes three literals and a match, whose copying may go 7 bytes too far */
	HELD_LEAST = 28,            /* bits of the longest distance: code 15, extra 13 */
};

/* A table's entry as one word, to be loaded at once: op, bits, value from the lowest bit on. */
typedef uint32_t entry_t;
_Static_assert(sizeof(code) == sizeof(entry_t) && offsetof(code, op) == 0 && offsetof(code, bits) == 1 && offsetof(code, val) == 2, "");
#define EXTRA(e)  ((e) & 15)        /* of a base: so many extra bits; of a link: index bits */
#define IS_BASE   16
#define IS_END    32
#define IS_NEITHER (32 | 64)
#define BITS(e)   ((e) >> 8)        /* for drop() */
#define VALUE(e)  ((e) >> 16)

/* The lowest n bits. */
static const uint32_t masks[16] = {
	0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 2047, 4095, 8191, 16383, 32767,
};

static inline entry_t entry_at(const code *table, uint64_t index)
{
	entry_t e;
	__builtin_memcpy(&e, table + index, sizeof(e));
	return e;
}

/*
 * Bits read and not used yet: the lowest byte of `n` says how many, what is above it says nothing, which saves masking. Above those
 * `held` has bits that refill() puts there again: the same.
 */
struct bits {
	const uint8_t *in;
	uint64_t       held;
	uint32_t       n;
};

/* 56 bits at least are there then. */
static inline void refill(struct bits *b)
{
	uint64_t word;
	__builtin_memcpy(&word, b->in, sizeof(word));
	b->held |= word << (b->n & 63);
	b->in += ~b->n >> 3 & 7;
	b->n |= 56;
}

/* As many as the lowest byte of `n` says. */
static inline void drop(struct bits *b, uint32_t n)
{
	b->held >>= n & 63;
	b->n -= n;
}

static inline void copy_8(uint8_t *to, const uint8_t *from)
{
	uint64_t word;
	__builtin_memcpy(&word, from, sizeof(word));
	__builtin_memcpy(to, &word, sizeof(word));
}

/* `len` bytes, at least one, from 8 before `to` or further away; up to 7 more are read and overwritten. */
static inline uint8_t *copy_words(uint8_t *to, const uint8_t *from, unsigned len)
{
	uint8_t *end = to + len;

	do {
		copy_8(to, from);
		to += 8;
		from += 8;
	} while (to < end);
	return end;
}

/* `len` bytes from `dist` before `out` on, which may be those written here; up to 7 bytes more are overwritten. */
static inline uint8_t *copy_match(uint8_t *out, unsigned dist, unsigned len)
{
	uint8_t *end = out + len;
	const uint8_t *from = out - dist;

	if (likely(dist >= 8))
		return copy_words(out, from, len);
	if (dist == 1) {
		uint64_t run = *from * 0x0101010101010101ull;
		do {
			__builtin_memcpy(out, &run, sizeof(run));
			out += 8;
		} while (out < end);
	} else {
		do
			*out++ = *from++;
		while (out < end);
	}
	return end;
}

/*
 * As much of a match as lies in the window, `back` bytes before its newest; `len` is shortened by that. The window is a ring of
 * wsize bytes, the newest before wnext.
 */
static noinline uint8_t *copy_window(const struct inflate_state *s, uint8_t *out, unsigned back, unsigned *len)
{
	while (*len && back) {
		unsigned at = s->wnext >= back ? s->wnext - back : s->wnext + s->wsize - back;
		unsigned n = MIN(MIN(*len, back), s->wsize - at);
		memcpy(out, s->window + at, n);
		out += n;
		*len -= n;
		back -= n;
	}
	return out;
}

static int bad(z_streamp strm, const char *why)
{
	strm->msg = (char *)(uintptr_t)why;
	return BAD;
}

/* Decodes as long as there is plenty of input and room; the mode that inflate() goes on in. `begin`: where this call's output began. */
static int decode(z_streamp strm, struct bits *caller, uint8_t **caller_out, const uint8_t *begin)
{
	const struct inflate_state *s = (const struct inflate_state *)strm->state;
	const uint8_t *last_in = strm->next_in + strm->avail_in - IN_MOST;
	const uint8_t *last_out = strm->next_out + strm->avail_out - OUT_MOST;
	const code *lengths = s->lencode, *distances = s->distcode;
	const uint32_t length_mask = masks[s->lenbits], distance_mask = masks[s->distbits];
	struct bits b = *caller;
	uint8_t *out = *caller_out;
	int mode = LEN;

	while (b.in <= last_in && out <= last_out) {
		/* Two literals of the first table (10 bits each at most) leave enough for a length with its extra bits, 20. */
		refill(&b);
		entry_t e = entry_at(lengths, b.held & length_mask);
		if (!(e & 0xff)) {
			*out++ = (uint8_t)VALUE(e);
			drop(&b, BITS(e));
			e = entry_at(lengths, b.held & length_mask);
			if (!(e & 0xff)) {
				*out++ = (uint8_t)VALUE(e);
				drop(&b, BITS(e));
				e = entry_at(lengths, b.held & length_mask);
				if (!(e & 0xff)) {
					*out++ = (uint8_t)VALUE(e);
					drop(&b, BITS(e));
					continue;
				}
			}
		}
		drop(&b, BITS(e));
		if (unlikely(!(e & IS_BASE))) {
			if (!(e & IS_NEITHER)) {
				e = entry_at(lengths, VALUE(e) + (b.held & masks[EXTRA(e)]));
				drop(&b, BITS(e));
			}
			if (!(e & 0xff)) {
				*out++ = (uint8_t)VALUE(e);
				continue;
			}
			if (!(e & IS_BASE)) {
				mode = e & IS_END ? TYPE : bad(strm, "invalid literal/length code");
				break;
			}
		}
		unsigned len = VALUE(e) + ((uint32_t)b.held & masks[EXTRA(e)]);
		drop(&b, EXTRA(e));

		if ((uint8_t)b.n < HELD_LEAST)
			refill(&b);
		e = entry_at(distances, b.held & distance_mask);
		drop(&b, BITS(e));
		if (unlikely(!(e & IS_BASE))) {
			if (!(e & IS_NEITHER)) {
				e = entry_at(distances, VALUE(e) + (b.held & masks[EXTRA(e)]));
				drop(&b, BITS(e));
			}
			if (!(e & IS_BASE)) {
				mode = bad(strm, "invalid distance code");
				break;
			}
		}
		unsigned dist = VALUE(e) + ((uint32_t)b.held & masks[EXTRA(e)]);
		drop(&b, EXTRA(e));

		size_t written = (size_t)(out - begin);
		if (dist > written) {
			size_t back = dist - written;
			if (back > s->whave) {
				mode = bad(strm, "invalid distance too far back");
				break;
			}
			if (back <= s->wnext && len <= back && s->wnext - back + len + 7 <= s->wsize) {
				out = copy_words(out, s->window + s->wnext - back, len);
				continue;
			}
			out = copy_window(s, out, (unsigned)back, &len);
			if (!len)
				continue;
		}
		out = copy_match(out, dist, len);
	}
	*caller = b;
	*caller_out = out;
	return mode;
}

/* start: what strm->avail_out was when inflate() was called. */
void ZLIB_INTERNAL inflate_fast(z_streamp strm, unsigned start)
{
	struct inflate_state *s = (struct inflate_state *)strm->state;

	if (strm->avail_in < IN_MOST || strm->avail_out < OUT_MOST) {
		inffast_near_end(strm, start);
		return;
	}
	struct bits b = { .in = strm->next_in, .held = s->hold, .n = s->bits };
	uint8_t *out = strm->next_out;
	s->mode = decode(strm, &b, &out, out - (start - strm->avail_out));

	/* Bytes of which no bit was used are given back. */
	b.in -= (uint8_t)b.n >> 3;
	b.n &= 7;
	strm->avail_in -= (uInt)(b.in - strm->next_in);
	strm->avail_out -= (uInt)(out - strm->next_out);
	strm->next_in = (z_const Bytef *)(uintptr_t)b.in;
	strm->next_out = out;
	s->hold = b.held & masks[b.n];
	s->bits = b.n;
}

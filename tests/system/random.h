/*
 * random: numbers from a seed, and values known to be awkward, for the programs that try everything.
 */
#pragma once
#include <abi/types.h>

struct random { uint64_t state; };      /* not 0 */

static const uint64_t awkward[] = {
	0, 1, 2, 7, 8, 63, 64, 255, 4095, 4096, 4097, 65535, 1 << 20, (1 << 20) + 1, 0x1fffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
	0x7ffffffff000, 0x7fffffffffff, 0x800000000000, 0x800000000001, 0xffff7fffffffffff, 0xffff800000000000, 0xffffffff80000000,
	0x7fffffffffffffff, 0x8000000000000000, 0xfffffffffffff000, UINT64_MAX - 1, UINT64_MAX,
};

static inline uint64_t draw(struct random *r)
{
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return r->state * 0x2545f4914f6cdd1dull;
}

static inline uint64_t below(struct random *r, uint64_t n)
{
	return (draw(r) >> 11) % n;
}

static inline bool one_in(struct random *r, uint64_t n)
{
	return below(r, n) == 0;
}

static inline uint64_t draw_awkward(struct random *r)
{
	return awkward[below(r, ARRAY_LEN(awkward))];
}

/* A seed as an argument that strtoul(text, NULL, 16) reads. */
static inline void hex(char out[17], uint64_t v)
{
	for (unsigned i = 0; i < 16; i++)
		out[i] = "0123456789abcdef"[v >> (60 - 4 * i) & 15];
	out[16] = 0;
}

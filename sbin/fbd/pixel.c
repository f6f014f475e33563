/*
 * pixel: see pixel.h.
 */
#include "pixel.h"
#include <string.h>

static bool channel(struct pixel_channel *c, uint32_t mask, uint32_t bytes)
{
	if (!mask || (bytes < 4 && mask >> (8 * bytes)))
		return false;
	c->shift = (uint8_t)__builtin_ctz(mask);
	uint32_t ones = mask >> c->shift;
	c->bits = (uint8_t)__builtin_popcount(ones);
	return (ones & (ones + 1)) == 0 && c->bits <= 16;
}

bool pixel_format(struct pixel_format *f, uint32_t bytes, uint32_t red, uint32_t green, uint32_t blue)
{
	*f = (struct pixel_format){ .bytes = bytes };
	f->as_is = bytes == 4 && red == 0xff0000 && green == 0xff00 && blue == 0xff;
	return bytes >= 2 && bytes <= 4 && channel(&f->red, red, bytes) && channel(&f->green, green, bytes) && channel(&f->blue, blue, bytes)
	       && !(red & green) && !(red & blue) && !(green & blue);
}

/* 8 bits become `bits`: the upper ones, or all of them repeated from above, so that full stays full. */
static uint32_t place(struct pixel_channel c, uint32_t v)
{
	v &= 0xff;
	return (c.bits <= 8 ? v >> (8 - c.bits) : (v << 8 | v) >> (16 - c.bits)) << c.shift;
}

void pixel_convert(const struct pixel_format *f, uint8_t *to, const uint32_t *from, size_t n)
{
	const struct pixel_format own = *f;     /* in registers: `to` might point to it, for all that the compiler knows */

	if (own.as_is) {                /* nearly every screen is like this: long stores, as write-combining memory wants them */
		memcpy(to, from, n * sizeof(*from));
		return;
	}
	for (size_t i = 0; i < n; i++, to += own.bytes) {
		uint32_t p = place(own.red, from[i] >> 16) | place(own.green, from[i] >> 8) | place(own.blue, from[i]);
		to[0] = (uint8_t)p;
		to[1] = (uint8_t)(p >> 8);
		if (own.bytes > 2)
			to[2] = (uint8_t)(p >> 16);
		if (own.bytes > 3)
			to[3] = (uint8_t)(p >> 24);
	}
}

uint32_t pixel_blend(uint32_t over, uint32_t under)
{
	uint32_t alpha = over >> 24, out = 0;

	for (unsigned shift = 0; shift < 24; shift += 8) {
		uint32_t a = over >> shift & 0xff, b = under >> shift & 0xff;
		out |= (a * alpha + b * (255 - alpha) + 127) / 255 << shift;
	}
	return out;
}

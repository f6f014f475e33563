/*
 * pixel: from 0x00RRGGBB to whatever the screen wants (pure).
 */
#pragma once
#include <abi/types.h>

struct pixel_channel { uint8_t shift, bits; };

struct pixel_format {
	uint32_t bytes;                 /* of a pixel: 2, 3 or 4, little endian */
	struct pixel_channel red, green, blue;
	bool     as_is;                 /* 0x00RRGGBB itself */
};

/* False: no such screen: masks with holes, empty, overlapping or outside the pixel, or another number of bytes. */
bool pixel_format(struct pixel_format *f, uint32_t bytes, uint32_t red, uint32_t green, uint32_t blue);
/* n pixels into n * f->bytes bytes. Bits that belong to no colour are reserved (UEFI 2.10 section 12.9): they may have any value. */
void pixel_convert(const struct pixel_format *f, uint8_t *to, const uint32_t *from, size_t n);
/* `over` (0xAARRGGBB, not premultiplied) on `under`, both as seen. */
uint32_t pixel_blend(uint32_t over, uint32_t under);

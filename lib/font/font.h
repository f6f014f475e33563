/*
 * font: characters as bitmaps of 8 x 16 pixels, or 16 x 16 where they take two columns. The font is a file that tools/mkscreenfont.py makes
 * (initfs:///etc/font); what it lacks of line drawing is drawn here, and anything else is a replacement, so there is always a picture. Pure.
 *
 * The file, little-endian: struct font_file, its pages by ascending character, the narrow glyphs of 16 bytes (a row each, leftmost pixel
 * in bit 7), the wide ones of 32 (two bytes a row, left half first). Narrow glyph 0 is the replacement.
 */
#pragma once
#include <abi/types.h>

#define FONT_URI "initfs:///etc/font"
enum { FONT_WIDTH = 8, FONT_HEIGHT = 16, FONT_FILE_MAX = 1 << 20 };

#define FONT_MAGIC 0x31544e4f464b53ull  /* "SKFONT1" and a zero */
struct font_file {
	uint64_t magic;
	uint32_t pages, narrow, wide;           /* how many */
	uint32_t reserved;
};
/* 64 characters from `first` on: those in mask have glyphs, one behind the other from `glyph` on. */
struct font_page {
	uint32_t first;
	uint32_t glyph;                         /* | FONT_WIDE */
	uint64_t mask;
};
#define FONT_WIDE 0x80000000u
_Static_assert(sizeof(struct font_file) == 24 && sizeof(struct font_page) == 16, "file format");

struct font {
	const struct font_page *page;           /* all borrowed from the file */
	const uint8_t *narrow, *wide;
	uint32_t pages;
};

/* Reads a file (8-aligned, borrowed for as long as f is used). False: it is none, and f holds a font of nothing but line drawing. */
must_use bool font_open(struct font *f, const void *file, size_t size);

enum font_kind { FONT_GLYPH, FONT_DRAWN, FONT_REPLACED };
/* The picture of a character: leftmost pixel in bit 15; narrow ones in bits 15..8. *columns: 1 or 2. */
enum font_kind font_rows(const struct font *f, uint32_t code, uint16_t rows[FONT_HEIGHT], unsigned *columns);

/* box.c: U+2500..U+259F in 8 pixels; false: another character, or one that is not drawn. */
bool box_rows(uint32_t code, uint16_t rows[FONT_HEIGHT]);

/*
 * font: the file, checked once, and looking things up in it. See font.h.
 */
#include <string.h>
#include "font.h"

static uint32_t count(uint64_t mask)
{
	uint32_t n = 0;

	for (; mask; mask &= mask - 1)
		n++;
	return n;
}

static bool page_good(const struct font_file *h, const struct font_page *p, uint64_t least)
{
	uint32_t have = p->glyph & FONT_WIDE ? h->wide : h->narrow, first = p->glyph & ~FONT_WIDE;

	return p->first >= least && p->first % 64 == 0 && p->first <= 0x10ffff && first <= have && count(p->mask) <= have - first;
}

bool font_open(struct font *f, const void *file, size_t size)
{
	const struct font_file *h = file;
	const struct font_page *page = (const void *)(h + 1);
	uint64_t least = 0;

	*f = (struct font){ 0 };
	if (size < sizeof(*h) || size > FONT_FILE_MAX || h->magic != FONT_MAGIC || h->narrow == 0)
		return false;
	/* Each count is below the file's limit, so the sum fits. */
	if (h->pages > size || h->narrow > size || h->wide > size ||
	    size != sizeof(*h) + (uint64_t)h->pages * sizeof(*page) + (uint64_t)h->narrow * FONT_HEIGHT + (uint64_t)h->wide * 2 * FONT_HEIGHT)
		return false;
	for (uint32_t i = 0; i < h->pages; i++) {
		if (!page_good(h, &page[i], least))
			return false;
		least = (uint64_t)page[i].first + 64;
	}
	*f = (struct font){ .page = page, .pages = h->pages, .narrow = (const uint8_t *)(page + h->pages) };
	f->wide = f->narrow + (size_t)h->narrow * FONT_HEIGHT;
	return true;
}

static const struct font_page *page_of(const struct font *f, uint32_t code)
{
	uint32_t low = 0, high = f->pages;

	while (low < high) {
		uint32_t mid = (low + high) / 2;
		if (f->page[mid].first > code)
			high = mid;
		else
			low = mid + 1;
	}
	if (low == 0 || code - f->page[low - 1].first >= 64 || !(f->page[low - 1].mask >> (code & 63) & 1))
		return NULL;
	return &f->page[low - 1];
}

static void narrow_rows(const uint8_t *glyph, uint16_t rows[FONT_HEIGHT])
{
	for (unsigned y = 0; y < FONT_HEIGHT; y++)
		rows[y] = (uint16_t)(glyph[y] << 8);
}

/* Without a file: a frame. */
static void replacement(const struct font *f, uint16_t rows[FONT_HEIGHT])
{
	if (f->narrow) {
		narrow_rows(f->narrow, rows);
		return;
	}
	for (unsigned y = 0; y < FONT_HEIGHT; y++)
		rows[y] = y < 3 || y > 12 ? 0 : y == 3 || y == 12 ? 0x7e00 : 0x4200;
}

enum font_kind font_rows(const struct font *f, uint32_t code, uint16_t rows[FONT_HEIGHT], unsigned *columns)
{
	const struct font_page *p = page_of(f, code);

	*columns = 1;
	if (!p) {
		if (box_rows(code, rows))
			return FONT_DRAWN;
		replacement(f, rows);
		return FONT_REPLACED;
	}
	size_t index = (p->glyph & ~FONT_WIDE) + count(p->mask & ((1ull << (code & 63)) - 1));
	if (!(p->glyph & FONT_WIDE)) {
		narrow_rows(f->narrow + index * FONT_HEIGHT, rows);
		return FONT_GLYPH;
	}
	*columns = 2;
	for (unsigned y = 0; y < FONT_HEIGHT; y++)
		rows[y] = (uint16_t)(f->wide[index * 2 * FONT_HEIGHT + 2 * y] << 8 | f->wide[index * 2 * FONT_HEIGHT + 2 * y + 1]);
	return FONT_GLYPH;
}

/*
 * utf8: decoding after RFC 3629 (no surrogates, nothing above U+10FFFF, no overlong forms), and
 * column widths after the East Asian Width property (UAX 11), ranges merged where no terminal
 * tells them apart.
 */
#include "utf8.h"

struct range { uint32_t first, last; };

static const struct range combining[] = {
	{ 0x0300, 0x036f }, { 0x0483, 0x0489 }, { 0x0591, 0x05bd }, { 0x0610, 0x061a }, { 0x064b, 0x065f },
	{ 0x0e31, 0x0e31 }, { 0x0e34, 0x0e3a }, { 0x0e47, 0x0e4e }, { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff },
	{ 0x200b, 0x200f }, { 0x202a, 0x202e }, { 0x2060, 0x2064 }, { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f },
	{ 0xfe20, 0xfe2f }, { 0xfeff, 0xfeff }, { 0xe0100, 0xe01ef },
};

static const struct range wide[] = {
	{ 0x1100, 0x115f }, { 0x2e80, 0x303e }, { 0x3041, 0x33ff }, { 0x3400, 0x4dbf }, { 0x4e00, 0x9fff },
	{ 0xa000, 0xa4cf }, { 0xa960, 0xa97c }, { 0xac00, 0xd7a3 }, { 0xf900, 0xfaff }, { 0xfe30, 0xfe6f },
	{ 0xff00, 0xff60 }, { 0xffe0, 0xffe6 }, { 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff },
	{ 0x20000, 0x2fffd }, { 0x30000, 0x3fffd },
};

static bool in_ranges(const struct range *r, size_t n, uint32_t code)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (code > r[mid].last)
			low = mid + 1;
		else
			high = mid;
	}
	return low < n && code >= r[low].first;
}

size_t utf8_expected(uint8_t first)
{
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	if (first >= 0xf0 && first <= 0xf4)
		return 4;
	return 1;
}

bool utf8_continues(uint8_t byte)
{
	return (byte & 0xc0) == 0x80;
}

size_t utf8_decode(const void *text, size_t len, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t *p = text;
	size_t n = utf8_expected(p[0]);

	if (p[0] < 0x80) {
		*code = p[0];
		return 1;
	}
	*code = UTF8_BAD;
	if (n == 1 || n > len)
		return 1;
	uint32_t c = p[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 1;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 1;
	*code = c;
	return n;
}

size_t utf8_encode(uint32_t code, void *text)
{
	static const uint8_t first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	uint8_t *p = text;
	size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; code >>= 6)
		p[i] = (uint8_t)(0x80 | (code & 0x3f));
	p[0] = (uint8_t)(first[n == 1 ? 0 : n] | code);
	return n;
}

size_t utf8_back(const void *text, size_t at)
{
	const uint8_t *p = text;
	size_t start = at - 1;
	uint32_t code;

	while (start > 0 && at - start < 4 && (p[start] & 0xc0) == 0x80)
		start--;
	/* Only a character that ends exactly here counts; else the last byte stands alone. */
	return utf8_decode(p + start, at - start, &code) == at - start ? start : at - 1;
}

unsigned utf8_columns(uint32_t code)
{
	if (code < 0x20 || (code >= 0x7f && code < 0xa0))
		return 0;
	if (code < 0x300)
		return 1;
	if (in_ranges(combining, ARRAY_LEN(combining), code))
		return 0;
	return in_ranges(wide, ARRAY_LEN(wide), code) ? 2 : 1;
}

size_t utf8_width(const void *text, size_t len)
{
	const uint8_t *p = text;
	size_t columns = 0;

	for (size_t i = 0; i < len;) {
		uint32_t code;
		i += utf8_decode(p + i, len - i, &code);
		columns += code < 0x20 || code == 0x7f ? 2 : utf8_columns(code);
	}
	return columns;
}

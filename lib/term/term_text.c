/*
 * term_text: cells as text, for whoever wants to look without pixels.
 */
#include <string.h>
#include <utf8/utf8.h>
#include "term_inside.h"

static size_t put(char *text, size_t at, size_t room, uint32_t code)
{
	uint8_t bytes[UTF8_MAX];
	size_t n = utf8_encode(code, bytes);

	if (n > room - at)
		return at;
	memcpy(text + at, bytes, n);
	return at + n;
}

size_t term_row_text(const struct term *t, unsigned row, char *text, size_t room)
{
	const struct term_cell *c = term_row(t, row);
	unsigned cols = t->head.cols;
	size_t at = 0;

	while (cols > 0 && (c[cols - 1].code & TERM_CODE) == 0 && !(c[cols - 1].code & TERM_TAIL))
		cols--;
	for (unsigned col = 0; col < cols; col++) {
		uint32_t code = c[col].code & TERM_CODE;
		if (c[col].code & TERM_TAIL)
			continue;
		at = put(text, at, room, code ? code : ' ');
		for (unsigned i = 0; i < TERM_MARKS; i++)
			if (c[col].mark[i])
				at = put(text, at, room, c[col].mark[i]);
	}
	/* Blanks that were printed are no text either. */
	while (at > 0 && text[at - 1] == ' ')
		at--;
	return at;
}

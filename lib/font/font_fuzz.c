/*
 * Any file as a font: refused, or every character has a picture that lies inside it.
 */
#include <stdlib.h>
#include <string.h>
#include "box.c"
#include "font.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t *file = malloc(size + 1);      /* aligned, and its end watched */
	struct font f;
	uint16_t rows[FONT_HEIGHT];
	unsigned columns;

	memcpy(file, data, size);
	bool good = font_open(&f, file, size);
	if (!good && f.pages)
		abort();
	for (uint32_t i = 0; i < f.pages; i++)
		for (uint32_t code = f.page[i].first; code < f.page[i].first + 64; code++)
			if ((font_rows(&f, code, rows, &columns) == FONT_GLYPH) != (f.page[i].mask >> (code & 63) & 1))
				abort();
	font_rows(&f, size ? data[0] << 8 | data[size - 1] : 0, rows, &columns);
	free(file);
	return 0;
}

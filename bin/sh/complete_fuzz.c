/*
 * Any line and any names: what is inserted keeps the line within what was meant, holds no control character, and lists end in their room.
 * The input: a line up to the first zero byte, then names.
 */
#include <stdlib.h>
#include <string.h>
#include "complete.c"
#include <utf8/utf8.c>

static void check(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct complete c;
	char *text = malloc(size + 1), insert[300], list[400];

	memcpy(text, data, size);
	text[size] = 0;
	size_t len = strlen(text);
	if (complete_begin(&c, text, len)) {
		for (size_t at = len + 1; at < size; at += strlen(text + at) + 1)
			complete_offer(&c, text + at, at & 1 ? FILE_DIRECTORY : FILE_REGULAR);
		check(c.n == 0 || (c.common >= c.begun_len && c.common <= strlen(c.text + c.name[0])));
		size_t n = complete_insert(&c, insert, sizeof(insert));
		check(n <= sizeof(insert));
		for (size_t i = 0; i < n; i++)
			check((uint8_t)insert[i] >= 0x20 && insert[i] != 0x7f);
		n = complete_list(&c, size % 90 + 1, list, size % sizeof(list) + 1);
		check(n <= size % sizeof(list) && list[n] == 0);
	}
	free(text);
	return 0;
}

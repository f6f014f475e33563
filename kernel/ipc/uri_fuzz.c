/*
 * uri_fuzz: whatever the bytes, scheme and path lie inside them (or the scheme is the constant "fs"), in this order.
 */
#include <stdlib.h>
#include <string.h>
#include "uri.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *scheme, *path;
	size_t scheme_len, path_len;
	if (uri_split(text, size, &scheme, &scheme_len, &path, &path_len) < 0)
		return 0;
	if (!scheme_valid(scheme, scheme_len) || path < text || path_len != size - (size_t)(path - text))
		abort();
	if (text[0] == '/' ? memcmp(scheme, "fs", 2) || path != text : scheme != text || path != text + scheme_len + 3)
		abort();
	return 0;
}

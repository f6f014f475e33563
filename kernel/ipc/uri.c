/*
 * uri: splitting the text of a URI. Pure.
 */
#include <abi/objects.h>
#include <gen/errors.h>
#include <kernel/uri.h>

/* What may stand in a scheme after its first letter, a bit each for the bytes 0 to 127. */
static const uint64_t letters[2] = { 0x03ff680000000000ull, 0x07fffffe00000000ull };    /* + - . 0..9, a..z */

bool scheme_valid(const char *s, size_t len)
{
	if (!len || len > SCHEME_MAX || s[0] < 'a' || s[0] > 'z')
		return false;
	for (size_t i = 1; i < len; i++)
		if ((uint8_t)s[i] > 127 || !(letters[s[i] >> 6] >> (s[i] & 63) & 1))
			return false;
	return true;
}

status_t uri_split(const char *text, size_t len, const char **scheme, size_t *scheme_len, const char **path, size_t *path_len)
{
	if (len && text[0] == '/') {            /* /x is short for fs:///x */
		*scheme = "fs";
		*scheme_len = 2;
		*path = text;
		*path_len = len;
		return OK;
	}
	size_t n = 0;
	while (n < len && n <= SCHEME_MAX && text[n] != ':')
		n++;
	if (len < n + 3 || text[n] != ':' || text[n + 1] != '/' || text[n + 2] != '/' || !scheme_valid(text, n))
		return ERR_INVALID;
	*scheme = text;
	*scheme_len = n;
	*path = text + n + 3;
	*path_len = len - n - 3;
	return OK;
}

/*
 * zones: see zones.h.
 */
#include <ctype.h>
#include <string.h>
#include "zones.h"

bool zone_is_name(const char *text)
{
	size_t n = 0;

	while (isalnum((unsigned char)text[n]) || (text[n] && strchr("/_+-", text[n])))
		if (++n == ZONE_NAME)
			return false;
	return n > 0 && !text[n];
}

bool zones_find(const char *table, size_t size, const char *name, char tz[static TZ_TEXT])
{
	size_t want = strlen(name);
	struct tz parsed;

	for (size_t at = 0, end; at < size; at = end + 1) {
		const char *newline = memchr(table + at, '\n', size - at);
		end = newline ? (size_t)(newline - table) : size;
		if (end - at <= want || memcmp(table + at, name, want) || table[at + want] != ' ')
			continue;
		size_t len = end - at - want - 1;
		if (len >= TZ_TEXT)
			return false;
		memcpy(tz, table + at + want + 1, len);
		tz[len] = 0;
		return strlen(tz) == len && tz_parse(&parsed, tz);
	}
	return false;
}

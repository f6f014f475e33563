/*
 * names: see names.h. Nothing beyond `size` is read, whatever the table says.
 */
#include "names.h"
#include <stdio.h>

/* A hexadecimal number at *at, which moves behind it and the byte that ended it. */
static uint64_t number(const char *table, size_t size, size_t *at)
{
	uint64_t v = 0;

	for (; *at < size; ++*at) {
		char c = table[*at];
		if (c >= '0' && c <= '9')
			v = v << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint64_t)(c - 'a' + 10);
		else
			break;
	}
	++*at;
	return v;
}

bool names_find(const char *table, size_t size, int64_t from_entry, char *buf, size_t room)
{
	size_t at = 0, best = 0, best_len = 0;
	uint64_t address = number(table, size, &at) + (uint64_t)from_entry, start = 0;

	while (at < size) {
		uint64_t a = number(table, size, &at);
		size_t name = at;
		while (at < size && table[at] != '\n')
			at++;
		if (a > address)
			break;
		if (at > name) {
			best = name;
			best_len = at - name;
			start = a;
		}
		at++;
	}
	/* The text may end before the image does: what lies far behind the last function is none. */
	if (!best_len || address - start >= 64 * KiB)
		return false;
	snprintf(buf, room, "%.*s+0x%llx", (int)MIN(best_len, (size_t)100), table + best, (unsigned long long)(address - start));
	return true;
}

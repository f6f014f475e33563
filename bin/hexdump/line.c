/*
 * line: see line.h.
 */
#include <stdio.h>
#include "line.h"

size_t line_format(char text[static LINE_TEXT], uint64_t offset, const uint8_t *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	char *p = text + snprintf(text, LINE_TEXT, "%08llx ", (unsigned long long)offset);

	for (size_t i = 0; i < LINE_BYTES; i++) {
		if (i % 8 == 0)
			*p++ = ' ';
		*p++ = i < n ? digits[bytes[i] >> 4] : ' ';
		*p++ = i < n ? digits[bytes[i] & 15] : ' ';
		*p++ = ' ';
	}
	*p++ = ' ';
	*p++ = '|';
	for (size_t i = 0; i < n; i++)
		*p++ = bytes[i] >= 0x20 && bytes[i] < 0x7f ? (char)bytes[i] : '.';
	*p++ = '|';
	*p++ = '\n';
	return (size_t)(p - text);
}

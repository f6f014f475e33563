/*
 * stdio: the two members of that family that touch no file.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "internal.h"

struct buffer {
	char  *text;
	size_t room;            /* without the zero byte */
	size_t total;           /* what a large enough buffer would have got */
};

static void put(void *ctx, const char *text, size_t n)
{
	struct buffer *b = ctx;
	if (b->total < b->room)
		memcpy(b->text + b->total, text, MIN(n, b->room - b->total));
	b->total += n;
}

int vsnprintf(char *restrict text, size_t size, const char *restrict format, va_list ap)
{
	struct buffer b = { text, size ? size - 1 : 0, 0 };
	format_to(put, &b, format, ap);
	if (size)
		text[MIN(b.total, b.room)] = 0;
	return b.total > INT_MAX ? INT_MAX : (int)b.total;
}

int snprintf(char *restrict text, size_t size, const char *restrict format, ...)
{
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(text, size, format, ap);
	va_end(ap);
	return n;
}

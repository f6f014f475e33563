/*
 * number: strtol and its family. musl's go through its FILE, which would bring half of stdio along.
 * As in C: leading blanks, a sign, 0x and 0 prefixes; too large gives the limit and ERANGE.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

/* One for the process: the functions that set it are used by single-threaded programs. */
int *__errno_location(void)
{
	static int value;
	return &value;
}

static unsigned digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A') + 10;
	return UINT_MAX;
}

struct scan { unsigned long value; bool negative, overflow; };

static struct scan scan(const char *text, char **end, int base)
{
	struct scan r = { 0 };
	const char *p = text;
	while (isspace((unsigned char)*p))
		p++;
	if (*p == '+' || *p == '-')
		r.negative = *p++ == '-';
	if ((base == 0 || base == 16) && p[0] == '0' && (p[1] | 32) == 'x' && digit_value(p[2]) < 16) {
		p += 2;
		base = 16;
	} else if (base == 0) {
		base = *p == '0' ? 8 : 10;
	}
	const char *first = p;
	for (unsigned d; (d = digit_value(*p)) < (unsigned)base; p++)
		if (__builtin_mul_overflow(r.value, (unsigned long)base, &r.value) || __builtin_add_overflow(r.value, d, &r.value))
			r.overflow = true;
	if (end)
		*end = (char *)(p == first ? text : p);
	if (p == first)
		errno = EINVAL;
	return r;
}

unsigned long strtoul(const char *restrict text, char **restrict end, int base)
{
	struct scan r = scan(text, end, base);
	if (r.overflow) {
		errno = ERANGE;
		return ULONG_MAX;
	}
	return r.negative ? -r.value : r.value;
}

long strtol(const char *restrict text, char **restrict end, int base)
{
	struct scan r = scan(text, end, base);
	unsigned long limit = r.negative ? -(unsigned long)LONG_MIN : LONG_MAX;
	if (r.overflow || r.value > limit) {
		errno = ERANGE;
		return r.negative ? LONG_MIN : LONG_MAX;
	}
	return (long)(r.negative ? -r.value : r.value);
}

unsigned long long strtoull(const char *restrict text, char **restrict end, int base)
{
	return strtoul(text, end, base);
}

long long strtoll(const char *restrict text, char **restrict end, int base)
{
	return strtol(text, end, base);
}

/*
 * format: printf's small core, for the log and for panics.
 *
 * Knows %s %.*s %c %d %i %u %x %X %p with the 0 flag, a width, and l, ll or z; %% and nothing
 * else. An unknown conversion is copied as it stands, so a slip shows in the text and harms
 * nothing. No state, no locks, no memory but the caller's: it may run in any context.
 *
 * Returns the bytes written without the terminating zero, so that calls can be chained
 * (`n += kformat(buf + n, size - n, ...)`); text that does not fit is cut.
 */
#include <kernel/log.h>

struct out {
	char  *buf;
	size_t size;            /* > 0; one byte is kept for the terminating zero */
	size_t len;
};

struct spec {
	bool     zero;          /* pad with 0 rather than space */
	unsigned width;
	bool     has_precision;
	size_t   precision;     /* of strings: at most so many bytes are read */
	bool     wide;          /* 64-bit argument */
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len++] = c;
}

static void put_padded(struct out *o, const char *text, size_t len, const struct spec *s)
{
	for (size_t i = len; i < s->width; i++)
		put(o, ' ');
	for (size_t i = 0; i < len; i++)
		put(o, text[i]);
}

static void put_number(struct out *o, uint64_t v, unsigned base, const char *digits,
                       const char *prefix, const struct spec *s)
{
	char text[20];                          /* 2^64 - 1 has twenty decimal digits */
	unsigned n = 0, prefix_len = 0;

	do
		text[n++] = digits[v % base];
	while (v /= base);
	while (prefix[prefix_len])
		prefix_len++;
	if (!s->zero)
		for (unsigned i = n + prefix_len; i < s->width; i++)
			put(o, ' ');
	for (unsigned i = 0; i < prefix_len; i++)
		put(o, prefix[i]);
	if (s->zero)
		for (unsigned i = n + prefix_len; i < s->width; i++)
			put(o, '0');
	while (n > 0)
		put(o, text[--n]);
}

static void put_string(struct out *o, const char *text, const struct spec *s)
{
	size_t len = 0;

	if (!text)
		text = "(null)";
	while ((!s->has_precision || len < s->precision) && text[len])
		len++;
	put_padded(o, text, len, s);
}

/* Reads flag, width, precision and size; returns the place of the conversion letter. */
static const char *read_spec(const char *f, struct spec *s, va_list *args)
{
	enum { WIDTH_MAX = 512 };

	*s = (struct spec){ 0 };
	for (; *f == '0'; f++)
		s->zero = true;
	for (; *f >= '0' && *f <= '9'; f++)
		s->width = MIN(s->width * 10 + (unsigned)(*f - '0'), (unsigned)WIDTH_MAX);
	if (f[0] == '.' && f[1] == '*') {
		int precision = va_arg(*args, int);
		s->has_precision = precision >= 0;      /* negative: as if omitted, says C */
		s->precision = s->has_precision ? (size_t)precision : 0;
		f += 2;
	}
	for (; *f == 'l' || *f == 'z'; f++)
		s->wide = true;
	return f;
}

size_t kvformat(char *buf, size_t size, const char *format, va_list caller_args)
{
	struct out o = { buf, size, 0 };
	va_list args;

	if (size == 0)
		return 0;
	va_copy(args, caller_args);             /* va_list may be an array: only a copy has an address of one type */
	for (const char *f = format; *f; f++) {
		if (*f != '%') {
			put(&o, *f);
			continue;
		}
		struct spec s;
		const char *start = f;
		f = read_spec(f + 1, &s, &args);
		switch (*f) {
		case 's':
			put_string(&o, va_arg(args, const char *), &s);
			break;
		case 'c': {
			char c = (char)va_arg(args, int);
			put_padded(&o, &c, 1, &s);
			break;
		}
		case 'd':
		case 'i': {
			int64_t v = s.wide ? va_arg(args, int64_t) : va_arg(args, int);
			put_number(&o, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, "0123456789", v < 0 ? "-" : "", &s);
			break;
		}
		case 'u':
		case 'x':
		case 'X': {
			uint64_t v = s.wide ? va_arg(args, uint64_t) : va_arg(args, unsigned);
			put_number(&o, v, *f == 'u' ? 10 : 16, *f == 'X' ? "0123456789ABCDEF" : "0123456789abcdef", "", &s);
			break;
		}
		case 'p':
			put_number(&o, (uintptr_t)va_arg(args, void *), 16, "0123456789abcdef", "0x", &s);
			break;
		case '%':
			put(&o, '%');
			break;
		default:
			while (start < f)
				put(&o, *start++);
			if (*f)
				put(&o, *f);
			else
				f--;                    /* the text ended inside a conversion */
		}
	}
	va_end(args);
	buf[o.len] = 0;
	return o.len;
}

size_t kformat(char *buf, size_t size, const char *format, ...)
{
	va_list args;
	size_t len;

	va_start(args, format);
	len = kvformat(buf, size, format, args);
	va_end(args);
	return len;
}

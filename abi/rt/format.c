/*
 * format: the printf family's language without floating point (services use no vector registers, so a
 * double cannot even be passed): d i u x X o c s p %, flags - + space # 0, width and precision also as *,
 * lengths hh h l ll z j t. Anything else is copied as it stands, so that a mistake can be seen.
 * Pure: pieces of text go to `put`.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "internal.h"

struct spec {
	bool left, plus, space, alternate, zero;
	int  width, precision;          /* precision < 0: not given */
	enum { LEN_CHAR, LEN_SHORT, LEN_INT, LEN_LONG } length;
};

struct sink {
	format_put *put;
	void *ctx;
};

static void emit(const struct sink *s, const char *text, size_t n)
{
	if (n)
		s->put(s->ctx, text, n);
}

static void fill(const struct sink *s, char c, int n)
{
	char block[16];
	memset(block, c, sizeof(block));
	for (; n > 0; n -= (int)sizeof(block))
		emit(s, block, n < (int)sizeof(block) ? (size_t)n : sizeof(block));
}

/* Spaces around or zeros between, as the flags say. */
static void emit_padded(const struct sink *s, const struct spec *f, const char *prefix, size_t prefix_len,
	int zeros, const char *body, size_t body_len)
{
	long used = (long)(prefix_len + body_len) + zeros;
	int pad = used < f->width ? (int)(f->width - used) : 0;
	if (!f->left && !f->zero)
		fill(s, ' ', pad);
	emit(s, prefix, prefix_len);
	if (!f->left && f->zero)
		fill(s, '0', pad);
	fill(s, '0', zeros);
	emit(s, body, body_len);
	if (f->left)
		fill(s, ' ', pad);
}

static void emit_number(const struct sink *s, struct spec *f, uint64_t v, const char *sign, unsigned base, bool upper)
{
	char digits[24];                /* 64 bits in octal take 22 */
	size_t at = sizeof(digits);
	bool nonzero = v != 0;
	for (; v; v /= base)
		digits[--at] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[v % base];
	size_t n = sizeof(digits) - at;
	if (f->precision >= 0)
		f->zero = false;
	int least = f->precision < 0 ? 1 : f->precision;
	int zeros = (int)n < least ? least - (int)n : 0;
	if (base == 8 && f->alternate && zeros == 0)
		zeros = 1;
	char prefix[3];
	size_t prefix_len = strlen(sign);
	memcpy(prefix, sign, prefix_len);
	if (base == 16 && f->alternate && nonzero) {
		prefix[prefix_len++] = '0';
		prefix[prefix_len++] = upper ? 'X' : 'x';
	}
	emit_padded(s, f, prefix, prefix_len, zeros, digits + at, n);
}

static int64_t get_signed(const struct spec *f, va_list *ap)
{
	switch (f->length) {
	case LEN_CHAR:  return (signed char)va_arg(*ap, int);
	case LEN_SHORT: return (short)va_arg(*ap, int);
	case LEN_INT:   return va_arg(*ap, int);
	default:        return va_arg(*ap, long);
	}
}

static uint64_t get_unsigned(const struct spec *f, va_list *ap)
{
	switch (f->length) {
	case LEN_CHAR:  return (unsigned char)va_arg(*ap, unsigned);
	case LEN_SHORT: return (unsigned short)va_arg(*ap, unsigned);
	case LEN_INT:   return va_arg(*ap, unsigned);
	default:        return va_arg(*ap, unsigned long);
	}
}

static const char *read_flags(const char *p, struct spec *f)
{
	for (;; p++) {
		switch (*p) {
		case '-': f->left = true; break;
		case '+': f->plus = true; break;
		case ' ': f->space = true; break;
		case '#': f->alternate = true; break;
		case '0': f->zero = true; break;
		default: return p;
		}
	}
}

/* Decimal digits, held at a size nobody means. */
static const char *read_count(const char *p, int *value)
{
	int v = 0;
	for (; *p >= '0' && *p <= '9'; p++)
		v = v < 100000 ? v * 10 + (*p - '0') : v;
	*value = v;
	return p;
}

static const char *read_length(const char *p, struct spec *f)
{
	switch (*p) {
	case 'h':
		f->length = p[1] == 'h' ? LEN_CHAR : LEN_SHORT;
		return p + (p[1] == 'h' ? 2 : 1);
	case 'l':
		f->length = LEN_LONG;
		return p + (p[1] == 'l' ? 2 : 1);
	case 'z': case 'j': case 't':
		f->length = LEN_LONG;
		return p + 1;
	default:
		return p;
	}
}

static void emit_string(const struct sink *s, struct spec *f, const char *text)
{
	if (!text)
		text = "(null)";
	f->zero = false;
	size_t n = f->precision < 0 ? strlen(text) : strnlen(text, (size_t)f->precision);
	emit_padded(s, f, "", 0, 0, text, n);
}

/* One conversion; false: not one of ours. */
static bool convert(const struct sink *s, struct spec *f, char kind, va_list *ap)
{
	int64_t v;
	char c;
	switch (kind) {
	case 'd': case 'i':
		v = get_signed(f, ap);
		emit_number(s, f, v < 0 ? -(uint64_t)v : (uint64_t)v, v < 0 ? "-" : f->plus ? "+" : f->space ? " " : "", 10, false);
		return true;
	case 'u': emit_number(s, f, get_unsigned(f, ap), "", 10, false); return true;
	case 'x': emit_number(s, f, get_unsigned(f, ap), "", 16, false); return true;
	case 'X': emit_number(s, f, get_unsigned(f, ap), "", 16, true); return true;
	case 'o': emit_number(s, f, get_unsigned(f, ap), "", 8, false); return true;
	case 'p':
		f->alternate = true;
		emit_number(s, f, (uint64_t)va_arg(*ap, void *), "", 16, false);
		return true;
	case 'c':
		c = (char)va_arg(*ap, int);
		f->zero = false;
		emit_padded(s, f, "", 0, 0, &c, 1);
		return true;
	case 's': emit_string(s, f, va_arg(*ap, const char *)); return true;
	case '%': emit(s, "%", 1); return true;
	default: return false;
	}
}

void format_to(format_put *put, void *ctx, const char *format, va_list args)
{
	struct sink s = { put, ctx };
	va_list ap;
	va_copy(ap, args);              /* a va_list parameter is a pointer; &args would not be a va_list * */
	for (const char *p = format; *p;) {
		const char *percent = p;
		while (*percent && *percent != '%')
			percent++;
		emit(&s, p, (size_t)(percent - p));
		if (!*percent)
			break;
		struct spec f = { .precision = -1, .length = LEN_INT };
		p = read_flags(percent + 1, &f);
		if (*p == '*') {
			f.width = va_arg(ap, int);
			if (f.width < 0) {
				f.left = true;
				f.width = f.width == INT32_MIN ? 0 : -f.width;
			}
			p++;
		} else {
			p = read_count(p, &f.width);
		}
		if (*p == '.') {
			if (*++p == '*') {
				f.precision = va_arg(ap, int);
				p++;
			} else {
				p = read_count(p, &f.precision);
			}
		}
		p = read_length(p, &f);
		if (*p && convert(&s, &f, *p, &ap)) {
			p++;
		} else {
			emit(&s, percent, (size_t)(p - percent) + (*p != 0));
			p += *p != 0;
		}
	}
	va_end(ap);
}

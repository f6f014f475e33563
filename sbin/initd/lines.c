/*
 * lines: see lines.h. Colours are SGR of ECMA-48 (section 8.3.117); 90 to 97 are aixterm's bright ones.
 */
#include "lines.h"
#include <abi/version.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PLAIN  "\033[0m"
#define BOLD   "\033[1m"
#define DIM    "\033[38;5;245m"
#define DONE   "\033[96m"
#define WARN   "\033[1;93m"
#define GRAVE  "\033[1;91m"
/* A line that is to be written over must not go on in the next row. */
#define NO_WRAP "\033[?7l"
#define WRAP    "\033[?7h"
#define HEAVY "\342\224\201"            /* U+2501 */
#define LIGHT "\342\224\200"            /* U+2500 */

enum { BAR = 28 };

/* Formatted text behind the first *n bytes, as far as it fits before the last `keep`. */
static void add(char *buf, size_t size, size_t keep, size_t *n, const char *format, ...) printf_like(5, 6);
static void add(char *buf, size_t size, size_t keep, size_t *n, const char *format, ...)
{
	char text[LINE_BYTES];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len <= 0 || *n + keep >= size)
		return;
	size_t fits = MIN(MIN((size_t)len, sizeof(text) - 1), size - keep - *n);
	memcpy(buf + *n, text, fits);
	*n += fits;
}

/* Foreign words: no byte of them may drive the terminal. */
static void add_words(char *buf, size_t size, size_t keep, size_t *n, const char *words)
{
	size_t from = *n;

	add(buf, size, keep, n, "%s", words);
	for (size_t i = from; i < *n; i++)
		if ((uint8_t)buf[i] < 0x20 || (uint8_t)buf[i] >= 0x7f)
			buf[i] = '?';
}

static size_t end(char *buf, size_t size, size_t n, const char *tail)
{
	add(buf, size, 0, &n, "%s", tail);
	return n;
}

size_t line_name(char *buf, size_t size)
{
	return end(buf, size, 0, BOLD "Skerry " SKERRY_VERSION PLAIN "\r\n");
}

size_t line_progress(char *buf, size_t size, uint32_t up, uint32_t of, const char *names)
{
	static const char tail[] = PLAIN WRAP;
	const size_t keep = sizeof(tail) - 1;
	uint32_t filled = of ? (uint32_t)((uint64_t)MIN(up, of) * BAR / of) : 0;
	size_t n = 0;

	add(buf, size, keep, &n, NO_WRAP DONE);
	for (uint32_t i = 0; i < BAR; i++)
		add(buf, size, keep, &n, "%s%s", i == filled ? DIM : "", i < filled ? HEAVY : LIGHT);
	add(buf, size, keep, &n, PLAIN "  %u of %u  " DIM, up, of);
	add_words(buf, size, keep, &n, names);
	return end(buf, size, n, tail);
}

size_t line_ready(char *buf, size_t size, uint32_t run, uint32_t of, uint64_t ns)
{
	static const char tail[] = PLAIN "\r\n\r\n";
	const size_t keep = sizeof(tail) - 1;
	size_t n = 0;

	if (run < of)
		add(buf, size, keep, &n, "%u of %u services run" DIM, run, of);
	else
		add(buf, size, keep, &n, DIM "%u services", run);
	add(buf, size, keep, &n, ", ready after %llu.%02llu s", (unsigned long long)(ns / NS_PER_SEC), (unsigned long long)(ns % NS_PER_SEC / (10 * NS_PER_MS)));
	return end(buf, size, n, tail);
}

size_t line_trouble(char *buf, size_t size, const char *name, const char *text, bool grave)
{
	static const char tail[] = PLAIN "\r\n";
	const size_t keep = sizeof(tail) - 1;
	size_t n = 0;

	add(buf, size, keep, &n, "%s", grave ? GRAVE : WARN);
	add_words(buf, size, keep, &n, name);
	add(buf, size, keep, &n, PLAIN "%s", *name ? ": " : "");
	add_words(buf, size, keep, &n, text);
	return end(buf, size, n, tail);
}

size_t line_doing(char *buf, size_t size, const char *doing, const char *names)
{
	static const char tail[] = PLAIN WRAP;
	const size_t keep = sizeof(tail) - 1;
	size_t n = 0;

	add(buf, size, keep, &n, NO_WRAP BOLD "%s" PLAIN DIM "%s", doing, *names ? "  " : "");
	add_words(buf, size, keep, &n, names);
	return end(buf, size, n, tail);
}

bool line_allowed(struct line_rate *r, uint64_t now_ns, uint32_t *lost)
{
	uint64_t from = MAX(r->paid_ns, now_ns);

	if (from - now_ns >= LINE_BURST * LINE_PERIOD_NS) {
		r->lost++;
		return false;
	}
	r->paid_ns = from + LINE_PERIOD_NS;
	*lost = r->lost;
	r->lost = 0;
	return true;
}

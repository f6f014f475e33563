/*
 * lines: what initd says on terminals, as bytes: escape sequences and UTF-8. Pure.
 *
 * Every function writes at most `size` bytes (a line that does not fit is cut, its colours are reset all the same) and returns how many.
 */
#pragma once
#include <abi/types.h>

enum { LINE_BYTES = 512 };

/* "Skerry 0.1". */
size_t line_name(char *buf, size_t size);
/* A bar, "9 of 14", and who is waited for: no newline; the next thing written takes its place. */
size_t line_progress(char *buf, size_t size, uint32_t up, uint32_t of, const char *names);
/* "14 services, ready after 0.62 s", or "13 of 14 services run, ...", and an empty line. */
size_t line_ready(char *buf, size_t size, uint32_t run, uint32_t of, uint64_t ns);
/* "NAME: text", the name in a colour; grave: it will not come by itself. Control characters become '?'. */
size_t line_trouble(char *buf, size_t size, const char *name, const char *text, bool grave);
/* "doing: names", no newline, as line_progress. */
size_t line_doing(char *buf, size_t size, const char *doing, const char *names);

/* How many lines of trouble are told: LINE_BURST at once, then one in LINE_PERIOD_NS. Zero at first. */
enum { LINE_BURST = 12 };
#define LINE_PERIOD_NS (2 * NS_PER_SEC)
struct line_rate { uint64_t paid_ns; uint32_t lost; };
/* Whether one may be told now; if so *lost is how many before it were not. */
must_use bool line_allowed(struct line_rate *r, uint64_t now_ns, uint32_t *lost);

/*
 * line: one line of a dump (pure).
 */
#pragma once
#include <abi/types.h>

enum { LINE_BYTES = 16, LINE_TEXT = 96 };

/* As `hexdump -C` writes it, with the newline; returns its length (at most LINE_TEXT). 0 < n <= LINE_BYTES. */
size_t line_format(char text[static LINE_TEXT], uint64_t offset, const uint8_t *bytes, size_t n);

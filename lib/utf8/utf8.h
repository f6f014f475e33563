/*
 * utf8: as much Unicode as a terminal line needs: where a character begins and how many columns
 * it takes. Text is bytes; malformed bytes are characters of their own, one column wide.
 */
#pragma once
#include <abi/types.h>

#define UTF8_BAD 0xfffdu        /* what a malformed byte decodes to */

/* Bytes (1..4, at most `len`) of the first character of text; its value in *code. len > 0. */
size_t utf8_decode(const void *text, size_t len, uint32_t *code);
/* The bytes (1..UTF8_MAX) of a character up to U+10FFFF. */
#define UTF8_MAX 4
size_t utf8_encode(uint32_t code, void *text);
/* Where the character that ends just before `at` begins. at > 0. */
size_t utf8_back(const void *text, size_t at);
/* Bytes that a character beginning with this byte should have; 1 also for bytes that begin none. */
size_t utf8_expected(uint8_t first);
bool utf8_continues(uint8_t byte);      /* it is none of a character's first bytes */
/* Columns on a terminal: 0 (combining), 1 or 2. Control characters count 0: the caller shows them its way. */
unsigned utf8_columns(uint32_t code);
/* Columns of a whole text; control characters count 2, as in ^X. */
size_t utf8_width(const void *text, size_t len);

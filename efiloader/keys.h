/*
 * keys: what a key is called, and how terminals send those that are no characters (ECMA-48; xterm, "PC-Style Function Keys"). Pure.
 */
#pragma once
#include <abi/types.h>

/* Beside characters, as they are; 0: none. */
enum { KEY_UP = 0x100, KEY_DOWN, KEY_LEFT, KEY_RIGHT, KEY_HOME, KEY_END, KEY_DELETE, KEY_ESCAPE };

/* The key whose first byte has come. soon: the next byte, if it comes at once; < 0: it does not, so an ESC was a key by itself. */
uint32_t key_of_terminal(uint8_t first, int (*soon)(void));

/*
 * keymap: what keys mean (pure). A map is a text file, initfs/etc/keymaps/NAME, one thing a line:
 *
 *   # ...                      a comment
 *   include common             what another file says; this one may say otherwise behind it
 *   key 3 3 § ³ none           a key and its meanings: plain, Shift, AltGr, Shift and AltGr; what is left out means nothing
 *   letter q q Q @             the same, and CapsLock acts as Shift (with AltGr: where the two are a letter and its capital)
 *   keypad kp7 7               only while NumLock is on
 *   dead ´ a á e é             what a dead ´ makes of the next character
 *   compose o e œ              what Compose makes of the next two
 *
 * Keys have the names of the places on a US keyboard (keymap.c). A character is itself in UTF-8, U+HEX, `space`, `none`, or
 * dead:CHARACTER. With CapsLock also a `key` that means a small letter means its capital: É on the key of é and 2.
 */
#pragma once
#include <abi/input.h>

enum { KEYMAP_KEYS = 128, KEYMAP_LEVELS = 4, KEYMAP_PAIRS = 1024, KEYMAP_INCLUDES = 4, KEYMAP_ERROR = 96, KEYMAP_TEXT_MAX = 64 * 1024 };
enum { KEYMAP_TEXTS = 3 };      /* characters that one key press gives at most */
#define KEYMAP_DEAD 0x80000000u /* with a character: it waits for the next one */

struct keymap_pair { uint32_t first, second, result; };         /* first with KEYMAP_DEAD, or of a Compose sequence */

struct keymap {
	struct { uint32_t level[KEYMAP_LEVELS]; uint8_t kind; } key[KEYMAP_KEYS];
	struct keymap_pair pair[KEYMAP_PAIRS];
	uint32_t pairs;
	bool altgr;                 /* the right Alt key chooses a level */
};

/* What is held, locked and begun; part of a state Frame, so every value is taken as it comes. */
struct keymap_state {
	uint32_t dead;              /* the character that waits; 0: none */
	uint32_t first;             /* of a Compose sequence */
	uint8_t  compose;           /* characters it still wants: 0 to 2 */
	uint8_t  held;              /* enum keymap_held */
	uint8_t  locks;             /* 1 << LED_NUML and so on */
	uint8_t  reserved[5];
};
enum keymap_held {
	HELD_LEFT_SHIFT = 1, HELD_RIGHT_SHIFT = 2, HELD_LEFT_CTRL = 4, HELD_RIGHT_CTRL = 8, HELD_LEFT_ALT = 16, HELD_RIGHT_ALT = 32,
	HELD_LEFT_META = 64, HELD_RIGHT_META = 128, HELD_META = HELD_LEFT_META | HELD_RIGHT_META,
	HELD_SHIFT = HELD_LEFT_SHIFT | HELD_RIGHT_SHIFT, HELD_CTRL = HELD_LEFT_CTRL | HELD_RIGHT_CTRL, HELD_ALT = HELD_LEFT_ALT | HELD_RIGHT_ALT,
};

/* The text of file `name`; false: there is none. It stays where it is until the next call. */
typedef bool keymap_load(void *ctx, const char *name, const char **text, size_t *len);
/* Reads map `name` with all that it includes. False: why says file, line and reason, and the map is not to be used. */
must_use bool keymap_read(struct keymap *m, const char *name, keymap_load *load, void *ctx, char why[KEYMAP_ERROR]);
/* A name that may stand for a file: letters, digits, '-' and '_', at most 31. */
bool keymap_name_good(const char *name);

/*
 * A key event (value: KEY_UP, KEY_DOWN, KEY_REPEAT): what is held and locked changes, and the characters that it means go to `text`;
 * returns how many.
 */
size_t keymap_key(const struct keymap *m, struct keymap_state *s, uint16_t code, int32_t value, uint32_t text[KEYMAP_TEXTS]);

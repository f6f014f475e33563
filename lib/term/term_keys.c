/*
 * term_keys: keys and characters as bytes for the reader. Sequences are libvterm's (those of xterm, by the terminal's modes); what
 * it would send in the newer form CSI u, which the programs of a terminal like this do not know, is sent as terminals always did.
 */
#include <string.h>
#include <utf8/utf8.h>
#include <vterm_keycodes.h>
#include "term_inside.h"

_Static_assert((int)TERM_KEY_PAGE_DOWN == VTERM_KEY_PAGEDOWN && (int)TERM_KEY_F1 == VTERM_KEY_FUNCTION(1) && (int)TERM_KEY_KP_0 == VTERM_KEY_KP_0 &&
	(int)TERM_KEY_KP_EQUAL == VTERM_KEY_KP_EQUAL && (int)TERM_CTRL == VTERM_MOD_CTRL && (int)TERM_ALT == VTERM_MOD_ALT, "the same numbers");

static void ask(struct term *t, uint8_t *bytes)
{
	t->key.bytes = bytes;
	t->key.len = 0;
}

static size_t answer(struct term *t)
{
	t->key.bytes = NULL;
	return t->key.len;
}

size_t term_key(struct term *t, unsigned key, unsigned modifiers, uint8_t bytes[TERM_KEY_BYTES])
{
	unsigned mod = modifiers & (TERM_SHIFT | TERM_ALT | TERM_CTRL);

	if (key == TERM_KEY_KP_ENTER && !term_keypad_application(t))
		key = TERM_KEY_ENTER;
	if (key == TERM_KEY_ENTER || key == TERM_KEY_BACKSPACE || key == TERM_KEY_ESCAPE)
		mod &= TERM_ALT;
	if (key == TERM_KEY_TAB)
		mod &= mod & TERM_SHIFT ? TERM_SHIFT : TERM_ALT;
	if (key >= TERM_KEY_KP_0)
		mod = 0;
	ask(t, bytes);
	vterm_keyboard_key(t->vt, (VTermKey)key, (VTermModifier)mod);
	return answer(t);
}

/* What Ctrl makes of a character, after the DEC VT220 (table 3-5 of its Programmer Reference); as it is where it makes nothing of it. */
static uint32_t controlled(uint32_t c)
{
	if ((c >= '@' && c <= '_') || (c >= 'a' && c <= 'z'))
		return c & 0x1f;
	if (c >= '3' && c <= '7')
		return c - '3' + 0x1b;
	if (c == ' ' || c == '2')
		return 0;
	if (c == '8' || c == '?')
		return 0x7f;
	return c == '/' ? 0x1f : c;
}

size_t term_character(struct term *t unused, uint32_t code, unsigned modifiers, uint8_t bytes[TERM_KEY_BYTES])
{
	size_t n = 0;

	if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	if (modifiers & TERM_CTRL)
		code = controlled(code);
	if (modifiers & TERM_ALT)
		bytes[n++] = 0x1b;
	return n + utf8_encode(code, bytes + n);
}

size_t term_paste(struct term *t, bool start, uint8_t bytes[TERM_KEY_BYTES])
{
	ask(t, bytes);
	if (start)
		vterm_keyboard_start_paste(t->vt);
	else
		vterm_keyboard_end_paste(t->vt);
	return answer(t);
}

size_t term_focus(struct term *t, bool in, uint8_t bytes[TERM_KEY_BYTES])
{
	ask(t, bytes);
	if (in)
		vterm_state_focus_in(t->vs);
	else
		vterm_state_focus_out(t->vs);
	return answer(t);
}

size_t term_mouse(struct term *t, unsigned row, unsigned col, unsigned button, bool pressed, unsigned modifiers, uint8_t bytes[TERM_KEY_BYTES])
{
	VTermModifier mod = modifiers & (TERM_SHIFT | TERM_ALT | TERM_CTRL);

	if (row >= t->head.rows || col >= t->head.cols || button > 5)
		return 0;
	if (!vt_mouse(t))
		return 0;
	ask(t, bytes);
	vterm_mouse_move(t->vt, (int)row, (int)col, mod);
	if (button) {
		t->key.len = 0;         /* the press says where it was */
		vterm_mouse_button(t->vt, (int)button, pressed, mod);
	}
	return answer(t);
}

/* ---- evdev codes (Linux, input-event-codes.h) ---- */

/* On the keypad: the key while NumLock is off, and its own. */
static const struct { uint16_t code, plain, keypad; } keypad[] = {
	{ 55, 0, TERM_KEY_KP_MULTIPLY }, { 71, TERM_KEY_HOME, TERM_KEY_KP_0 + 7 }, { 72, TERM_KEY_UP, TERM_KEY_KP_0 + 8 },
	{ 73, TERM_KEY_PAGE_UP, TERM_KEY_KP_0 + 9 }, { 74, 0, TERM_KEY_KP_MINUS }, { 75, TERM_KEY_LEFT, TERM_KEY_KP_0 + 4 },
	{ 76, 0, TERM_KEY_KP_0 + 5 }, { 77, TERM_KEY_RIGHT, TERM_KEY_KP_0 + 6 }, { 78, 0, TERM_KEY_KP_PLUS },
	{ 79, TERM_KEY_END, TERM_KEY_KP_0 + 1 }, { 80, TERM_KEY_DOWN, TERM_KEY_KP_0 + 2 }, { 81, TERM_KEY_PAGE_DOWN, TERM_KEY_KP_0 + 3 },
	{ 82, TERM_KEY_INSERT, TERM_KEY_KP_0 }, { 83, TERM_KEY_DELETE, TERM_KEY_KP_PERIOD }, { 96, TERM_KEY_KP_ENTER, TERM_KEY_KP_ENTER },
	{ 98, 0, TERM_KEY_KP_DIVIDE }, { 117, 0, TERM_KEY_KP_EQUAL }, { 121, 0, TERM_KEY_KP_COMMA },
};

static const struct { uint16_t code, key; } others[] = {
	{ 1, TERM_KEY_ESCAPE }, { 14, TERM_KEY_BACKSPACE }, { 15, TERM_KEY_TAB }, { 28, TERM_KEY_ENTER }, { 87, TERM_KEY_F1 + 10 },
	{ 88, TERM_KEY_F12 }, { 102, TERM_KEY_HOME }, { 103, TERM_KEY_UP }, { 104, TERM_KEY_PAGE_UP }, { 105, TERM_KEY_LEFT },
	{ 106, TERM_KEY_RIGHT }, { 107, TERM_KEY_END }, { 108, TERM_KEY_DOWN }, { 109, TERM_KEY_PAGE_DOWN }, { 110, TERM_KEY_INSERT },
	{ 111, TERM_KEY_DELETE },
};

unsigned term_key_of(unsigned code, bool numlock, bool application)
{
	if (code >= 59 && code <= 68)
		return TERM_KEY_F1 + code - 59;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (others[i].code == code)
			return others[i].key;
	for (size_t i = 0; i < ARRAY_LEN(keypad); i++)
		if (keypad[i].code == code)
			return application ? keypad[i].keypad : numlock && code != 96 ? 0 : keypad[i].plain;
	return 0;
}

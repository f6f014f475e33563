/*
 * term_events: events as input:// gives them (docs/pc.md; types and codes of evdev, Linux, input-event-codes.h) as bytes for the reader. A key press comes as EV_KEY,
 * and what the key map makes of it behind it as EV_TEXT: keys that have a sequence of their own are taken at once, and their text is not.
 */
#include "term_inside.h"

enum { KEYPAD_7 = 71, KEYPAD_DOT = 83 };
enum { EVENT_SYN = 0, EVENT_KEY = 1, EVENT_LED = 0x11, EVENT_TEXT = 0x20 };
enum { SYN_LOST = 3, LED_NUMLOCK = 0, KEY_RELEASED = 0, WITH_ALT = 1 };
enum { LEFT_SHIFT = 1, RIGHT_SHIFT = 2, LEFT_CTRL = 4, RIGHT_CTRL = 8, LEFT_ALT = 16 };

/* The right Alt key may choose characters (AltGr): whether it is an Alt key the key map knows, and each text says. */
static uint8_t modifier_of(unsigned code)
{
	switch (code) {
	case 42: return LEFT_SHIFT;
	case 54: return RIGHT_SHIFT;
	case 29: return LEFT_CTRL;
	case 97: return RIGHT_CTRL;
	case 56: return LEFT_ALT;
	default: return 0;
	}
}

static unsigned modifiers(const struct term_keyboard *k)
{
	return (k->held & (LEFT_SHIFT | RIGHT_SHIFT) ? TERM_SHIFT : 0u) | (k->held & (LEFT_CTRL | RIGHT_CTRL) ? TERM_CTRL : 0u) | (k->held & LEFT_ALT ? TERM_ALT : 0u);
}

/* Enter, Tab, Backspace and Escape are characters to the key map. Shift and Tab is none. */
static bool has_text(unsigned key, unsigned held)
{
	return key >= TERM_KEY_ENTER && key <= TERM_KEY_ESCAPE && !(key == TERM_KEY_TAB && held & TERM_SHIFT);
}

static size_t key_event(struct term *t, struct term_keyboard *k, unsigned code, bool down, uint8_t *bytes)
{
	uint8_t modifier = modifier_of(code);
	unsigned held = modifiers(k), key;

	if (modifier) {
		k->held = (uint8_t)(down ? k->held | modifier : k->held & ~modifier);
		return 0;
	}
	if (!down)
		return 0;
	k->swallow = 0;
	/* With NumLock on Shift makes keys of the keypad's digits, and has done its work then. */
	bool digits = k->numlock && !(held & TERM_SHIFT);
	if (k->numlock && code >= KEYPAD_7 && code <= KEYPAD_DOT)
		held &= ~(unsigned)TERM_SHIFT;
	key = term_key_of(code, digits, term_keypad_application(t));
	if (!key || has_text(key, held) || (key == TERM_KEY_KP_ENTER && !term_keypad_application(t)))
		return 0;
	k->swallow = 1;
	if (held == TERM_SHIFT && (key == TERM_KEY_PAGE_UP || key == TERM_KEY_PAGE_DOWN)) {
		int page = (int)term_rows(t) - 1;
		term_view_by(t, key == TERM_KEY_PAGE_UP ? page : -page);
		return 0;
	}
	return term_key(t, key, held, bytes);
}

/* The key map has seen Ctrl already. */
static size_t text_event(struct term *t, const struct term_keyboard *k, bool with_alt, uint32_t code, uint8_t *bytes)
{
	unsigned alt = with_alt ? TERM_ALT : modifiers(k) & TERM_ALT;

	return code == '\r' ? term_key(t, TERM_KEY_ENTER, alt, bytes) : term_character(t, code, alt, bytes);
}

size_t term_event(struct term *t, struct term_keyboard *k, unsigned type, unsigned code, int32_t value, uint8_t bytes[TERM_KEY_BYTES])
{
	size_t n = 0;

	if (type == EVENT_SYN && code == SYN_LOST)
		k->held = 0;            /* what was released meanwhile nobody knows */
	else if (type == EVENT_LED && code == LED_NUMLOCK)
		k->numlock = value != 0;
	else if (type == EVENT_KEY)
		n = key_event(t, k, code, value != KEY_RELEASED, bytes);
	else if (type == EVENT_TEXT && !k->swallow)
		n = text_event(t, k, code == WITH_ALT, (uint32_t)value, bytes);
	/* Who types wants to see it. */
	if (n > 0)
		term_view_by(t, -(int)TERM_HISTORY_MAX);
	return n;
}

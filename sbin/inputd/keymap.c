/*
 * keymap: see keymap.h.
 */
#include <stdio.h>
#include <string.h>
#include <utf8/utf8.h>
#include "keymap.h"

enum { KIND_KEY, KIND_LETTER, KIND_KEYPAD };
enum { WORD_MAX = 32, CODE_MAX = 0x10ffff };

/* By key code (Linux, input-event-codes.h). */
static const char names[KEYMAP_KEYS][10] = {
	[1] = "esc", [2] = "1", [3] = "2", [4] = "3", [5] = "4", [6] = "5", [7] = "6", [8] = "7", [9] = "8", [10] = "9", [11] = "0",
	[12] = "minus", [13] = "equal", [14] = "backspace", [15] = "tab", [16] = "q", [17] = "w", [18] = "e", [19] = "r", [20] = "t",
	[21] = "y", [22] = "u", [23] = "i", [24] = "o", [25] = "p", [26] = "lbracket", [27] = "rbracket", [28] = "enter",
	[30] = "a", [31] = "s", [32] = "d", [33] = "f", [34] = "g", [35] = "h", [36] = "j", [37] = "k", [38] = "l",
	[39] = "semicolon", [40] = "quote", [41] = "grave", [43] = "backslash", [44] = "z", [45] = "x", [46] = "c", [47] = "v",
	[48] = "b", [49] = "n", [50] = "m", [51] = "comma", [52] = "dot", [53] = "slash", [55] = "kpstar", [57] = "space",
	[71] = "kp7", [72] = "kp8", [73] = "kp9", [74] = "kpminus", [75] = "kp4", [76] = "kp5", [77] = "kp6", [78] = "kpplus",
	[79] = "kp1", [80] = "kp2", [81] = "kp3", [82] = "kp0", [83] = "kpdot", [86] = "102nd", [89] = "ro", [96] = "kpenter",
	[98] = "kpslash", [121] = "kpcomma", [124] = "yen",
};

/* ---- reading ---- */

struct reader {
	struct keymap *map;
	keymap_load *load;
	void *ctx;
	char *why;
	const char *name;           /* of the file */
	unsigned line, depth;
	bool     gone;              /* the text: another was read meanwhile */
};

struct line { const char *at, *end; };

static bool refuse(const struct reader *r, const char *reason)
{
	snprintf(r->why, KEYMAP_ERROR, "%s, line %u: %s", r->name, r->line, reason);
	return false;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word; false: the line ends, or the word is longer than any that means something (*w is "" then, or cut). */
static bool word(struct line *l, char w[WORD_MAX])
{
	size_t n = 0;

	while (l->at < l->end && blank(*l->at))
		l->at++;
	for (; l->at < l->end && !blank(*l->at); l->at++)
		if (n < WORD_MAX - 1)
			w[n++] = *l->at;
	w[n] = 0;
	return n > 0;
}

static bool hex(const char *text, uint32_t *value)
{
	size_t n = 0;

	for (*value = 0; text[n]; n++) {
		char c = text[n];
		int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
		if (digit < 0 || n == 6)
			return false;
		*value = *value << 4 | (uint32_t)digit;
	}
	return n > 0 && *value <= CODE_MAX && *value > 0 && (*value < 0xd800 || *value > 0xdfff);
}

static bool character(const char *w, uint32_t *code)
{
	size_t len = strlen(w);

	if (!strcmp(w, "space"))
		return *code = ' ', true;
	if (w[0] == 'U' && w[1] == '+')
		return hex(w + 2, code);
	return utf8_decode(w, len, code) == len && (*code != UTF8_BAD || !strcmp(w, "\xef\xbf\xbd"));
}

/* A meaning of a key. */
static bool meaning(const char *w, uint32_t *code)
{
	*code = 0;
	if (!strcmp(w, "none"))
		return true;
	if (!strncmp(w, "dead:", 5) && w[5]) {
		if (!character(w + 5, code))
			return false;
		*code |= KEYMAP_DEAD;
		return true;
	}
	return character(w, code);
}

static bool read_key(struct reader *r, struct line *l, uint8_t kind)
{
	char w[WORD_MAX] = "";
	size_t code = 0, n = 0;

	if (!word(l, w))
		return refuse(r, "a key must be named");
	while (code < KEYMAP_KEYS && (names[code][0] != w[0] || strcmp(names[code], w)))
		code++;
	if (code == KEYMAP_KEYS)
		return refuse(r, "no key has this name");
	memset(&r->map->key[code], 0, sizeof(r->map->key[code]));
	r->map->key[code].kind = kind;
	for (; word(l, w); n++) {
		if (n == KEYMAP_LEVELS)
			return refuse(r, "a key has four meanings at most");
		if (!meaning(w, &r->map->key[code].level[n]))
			return refuse(r, "this is no character");
		r->map->altgr |= n >= 2 && r->map->key[code].level[n];
	}
	return n > 0 || refuse(r, "a key without a meaning");
}

static bool add_pair(struct reader *r, uint32_t first, uint32_t second, uint32_t result)
{
	struct keymap *m = r->map;
	uint32_t i = 0;

	while (i < m->pairs && (m->pair[i].first != first || m->pair[i].second != second))
		i++;
	if (i == KEYMAP_PAIRS)
		return refuse(r, "too many combinations");
	m->pairs = MAX(m->pairs, i + 1);
	m->pair[i] = (struct keymap_pair){ first, second, result };
	return true;
}

static bool read_dead(struct reader *r, struct line *l)
{
	char w[WORD_MAX];
	uint32_t accent, base, result;

	if (!word(l, w) || !character(w, &accent))
		return refuse(r, "dead wants a character");
	while (word(l, w)) {
		if (!character(w, &base) || !word(l, w) || !character(w, &result))
			return refuse(r, "dead wants pairs of characters");
		if (!add_pair(r, accent | KEYMAP_DEAD, base, result))
			return false;
	}
	return true;
}

static bool read_compose(struct reader *r, struct line *l)
{
	uint32_t code[3];
	char w[WORD_MAX];

	for (size_t i = 0; i < 3; i++)
		if (!word(l, w) || !character(w, &code[i]))
			return refuse(r, "compose wants three characters");
	return word(l, w) ? refuse(r, "compose wants three characters") : add_pair(r, code[0], code[1], code[2]);
}

static bool read_file(struct reader *r);

static bool read_include(struct reader *r, struct line *l)
{
	char name[WORD_MAX], w[WORD_MAX];

	if (!word(l, name) || !keymap_name_good(name) || word(l, w))
		return refuse(r, "include wants the name of a map");
	if (r->depth == KEYMAP_INCLUDES)
		return refuse(r, "includes are too deep");
	struct reader inner = *r;
	inner.name = name;
	inner.depth++;
	r->gone = true;
	return read_file(&inner);
}

static bool read_line(struct reader *r, struct line l)
{
	char verb[WORD_MAX];

	if (memchr(l.at, 0, (size_t)(l.end - l.at)))
		return refuse(r, "this is no text");
	if (!word(&l, verb) || verb[0] == '#')
		return true;
	if (!strcmp(verb, "key"))
		return read_key(r, &l, KIND_KEY);
	if (!strcmp(verb, "letter"))
		return read_key(r, &l, KIND_LETTER);
	if (!strcmp(verb, "keypad"))
		return read_key(r, &l, KIND_KEYPAD);
	if (!strcmp(verb, "dead"))
		return read_dead(r, &l);
	if (!strcmp(verb, "compose"))
		return read_compose(r, &l);
	if (!strcmp(verb, "include"))
		return read_include(r, &l);
	return refuse(r, "key, letter, keypad, dead, compose or include must begin a line");
}

/* An included file takes the place of the text that is being read, so that is asked for anew behind it. */
static bool read_file(struct reader *r)
{
	const char *text;
	size_t len, at = 0;

	r->gone = true;
	for (r->line = 1;; r->line++) {
		if (r->gone && (!r->load(r->ctx, r->name, &text, &len) || len > KEYMAP_TEXT_MAX))
			return refuse(r, "this map cannot be read");
		r->gone = false;
		if (at >= len)
			return true;
		const char *end = memchr(text + at, '\n', len - at);
		struct line l = { text + at, end ? end : text + len };
		at = (size_t)(l.end - text) + 1;
		if (!read_line(r, l))
			return false;
	}
}

bool keymap_name_good(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

	return n > 0 && n < WORD_MAX && !name[n];
}

bool keymap_read(struct keymap *m, const char *name, keymap_load *load, void *ctx, char why[KEYMAP_ERROR])
{
	struct reader r = { .map = m, .load = load, .ctx = ctx, .why = why, .name = name };

	memset(m, 0, sizeof(*m));
	why[0] = 0;
	return read_file(&r);
}

/* ---- keys to characters ---- */

static const struct { uint16_t code; uint8_t bit; } holders[] = {
	{ KEY_LEFTSHIFT, HELD_LEFT_SHIFT }, { KEY_RIGHTSHIFT, HELD_RIGHT_SHIFT }, { KEY_LEFTCTRL, HELD_LEFT_CTRL },
	{ KEY_RIGHTCTRL, HELD_RIGHT_CTRL }, { KEY_LEFTALT, HELD_LEFT_ALT }, { KEY_RIGHTALT, HELD_RIGHT_ALT },
	{ KEY_LEFTMETA, HELD_LEFT_META }, { KEY_RIGHTMETA, HELD_RIGHT_META },
};
static const struct { uint16_t code; uint8_t led; } lockers[] = {
	{ KEY_NUMLOCK, LED_NUML }, { KEY_CAPSLOCK, LED_CAPSL }, { KEY_SCROLLLOCK, LED_SCROLLL },
};

/* True: it is no key that means a character. */
static bool modifier(struct keymap_state *s, uint16_t code, int32_t value)
{
	for (size_t i = 0; i < ARRAY_LEN(holders); i++)
		if (holders[i].code == code) {
			s->held = (uint8_t)(value ? s->held | holders[i].bit : s->held & ~holders[i].bit);
			return true;
		}
	for (size_t i = 0; i < ARRAY_LEN(lockers); i++)
		if (lockers[i].code == code) {
			if (value == KEY_DOWN)
				s->locks ^= (uint8_t)(1u << lockers[i].led);
			return true;
		}
	return false;
}

/* Of a Latin letter (Unicode's simple mappings up to U+017F); any other character is its own. */
static uint32_t capital(uint32_t c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 0xe0 && c <= 0xfe && c != 0xf7))
		return c - 0x20;
	if (c == 0xff)
		return 0x178;
	if (c == 0x131)
		return 'I';
	if (c == 0x17f)
		return 'S';
	if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e))
		return c - !(c & 1);
	return c >= 0x100 && c <= 0x177 && c != 0x138 && c != 0x149 ? c & ~1u : c;
}

/* What the key means now; 0: nothing. */
static uint32_t look_up(const struct keymap *m, const struct keymap_state *s, uint16_t code)
{
	bool shift = s->held & HELD_SHIFT, altgr = m->altgr && s->held & HELD_RIGHT_ALT;

	if (code >= KEYMAP_KEYS)
		return 0;
	if (m->key[code].kind == KIND_KEYPAD)
		return s->locks >> LED_NUML & 1 && !shift ? m->key[code].level[0] : 0;
	const uint32_t *level = &m->key[code].level[2 * altgr];
	if (!(s->locks >> LED_CAPSL & 1))
		return level[shift];
	/* As XKB has it (FOUR_LEVEL_SEMIALPHABETIC): AltGr and Q stays @. */
	if (m->key[code].kind == KIND_LETTER && (!altgr || (level[0] && capital(level[0]) == level[1] && level[0] != level[1])))
		return level[!shift];
	return capital(level[shift]);
}

/* As terminals have it since the teletype; 0: none. A NUL is no event. */
static uint32_t control(uint32_t c)
{
	if (c >= 'a' && c <= 'z')
		return c & 0x1f;
	if (c > '@' && c <= '_')
		return c & 0x1f;
	return c == '?' ? 0x7f : c < ' ' || c == 0x7f ? c : 0;
}

static uint32_t find_pair(const struct keymap *m, uint32_t first, uint32_t second)
{
	for (uint32_t i = 0; i < m->pairs; i++)
		if (m->pair[i].first == first && m->pair[i].second == second)
			return m->pair[i].result;
	return 0;
}

/* A character behind a dead one. */
static size_t resolve_dead(const struct keymap *m, struct keymap_state *s, uint32_t c, uint32_t *text)
{
	uint32_t accent = s->dead & ~KEYMAP_DEAD, plain = c & ~KEYMAP_DEAD, result = find_pair(m, accent | KEYMAP_DEAD, plain);
	size_t n = 0;

	s->dead = 0;
	if (result)
		text[n++] = result;
	else if (plain == ' ' || c == (accent | KEYMAP_DEAD))
		text[n++] = accent;
	else if (c & KEYMAP_DEAD)
		text[n++] = accent, s->dead = plain;
	else
		text[n++] = accent, text[n++] = plain;
	return n;
}

static size_t resolve_compose(const struct keymap *m, struct keymap_state *s, uint32_t c, uint32_t *text)
{
	uint32_t plain = c & ~KEYMAP_DEAD, result;

	if (s->compose == 2) {
		s->first = plain;
		s->compose = 1;
		return 0;
	}
	s->compose = 0;
	result = find_pair(m, s->first, plain);
	if (!result)
		result = find_pair(m, plain, s->first);         /* people do not remember which came first */
	if (!result)
		return 0;
	text[0] = result;
	return 1;
}

size_t keymap_key(const struct keymap *m, struct keymap_state *s, uint16_t code, int32_t value, uint32_t text[KEYMAP_TEXTS])
{
	if (modifier(s, code, value) || value == KEY_UP)
		return 0;
	if (code == KEY_COMPOSE) {
		s->compose = 2;
		s->dead = 0;
		return 0;
	}
	uint32_t c = look_up(m, s, code);
	if (s->held & HELD_CTRL)
		c = control(c & ~KEYMAP_DEAD);
	if (!c || s->held & HELD_META)
		return 0;
	/* No character is begun with Enter, Escape or ^C: who presses them has given it up. */
	if (c < ' ' || c == 0x7f)
		s->dead = s->compose = 0;
	if (s->compose == 1 || s->compose == 2)
		return resolve_compose(m, s, c, text);
	if (s->dead)
		return resolve_dead(m, s, c, text);
	if (c & KEYMAP_DEAD) {
		s->dead = c & ~KEYMAP_DEAD;
		return 0;
	}
	text[0] = c;
	return 1;
}

/*
 * ldisc: see ldisc.h. The editing keys are those of POSIX terminals (XBD 11.1.9) and of the BSDs
 * (^W, ^R, ^V); tabs are counted from where the line began, since the column before is not ours to know.
 */
#include <string.h>
#include <utf8/utf8.h>
#include "ldisc.h"

enum {
	CTRL_C = 3, CTRL_D = 4, BELL = 7, BACKSPACE = 8, TAB = 9, CTRL_Q = 17, CTRL_R = 18, CTRL_S = 19, CTRL_U = 21, CTRL_V = 22, CTRL_W = 23, CTRL_Z = 26, DELETE = 127,
};

void ldisc_init(struct ldisc *l, struct tty_head *h, struct tty_state *s)
{
	l->h = h;
	l->ring = s->ring;
	l->line = s->line;
	l->echo = s->echo;
}

/* ---- the ring ---- */

static uint32_t ring_used(const struct ldisc *l)
{
	return l->h->put - l->h->taken;
}

static void ring_put(struct ldisc *l, uint16_t cell)
{
	l->ring[l->h->put++ % TTY_RING] = cell;
}

uint32_t ldisc_room(const struct ldisc *l)
{
	/* The line under way and an end must always fit into the ring. */
	uint32_t kept = ring_used(l) + l->h->line_len + 1;
	return kept < TTY_RING ? TTY_RING - kept : 0;
}

/* The line ends in the midst of a character. */
static bool continues(const struct ldisc *l)
{
	uint32_t len = l->h->line_len, n = 1;

	while (n < UTF8_MAX && n < len && utf8_continues(l->line[len - n]))
		n++;
	return len > 0 && utf8_expected(l->line[len - n]) > n;
}

/* Bytes that there must be room for: a character is kept whole or not at all. What continues none comes behind the beginning of one that was refused. */
static uint32_t need(const struct ldisc *l, uint8_t byte)
{
	if (!(l->h->mode & TTY_CANONICAL))
		return 1;
	if (utf8_continues(byte))
		return continues(l) ? 1 : UTF8_MAX;
	return (uint32_t)utf8_expected(byte);
}

static bool line_fits(const struct ldisc *l, uint8_t byte)
{
	/* A full line can still be ended: a newline and an end fit into an empty ring behind it. */
	return need(l, byte) <= TTY_LINE - 2 - l->h->line_len;
}

/* What makes the line too long is as good as taken: only a person can do something about that. */
static bool ring_fits(const struct ldisc *l, uint8_t byte)
{
	uint32_t room = ldisc_room(l);

	return room >= need(l, byte) || (room > 0 && l->h->mode & TTY_CANONICAL && !line_fits(l, byte));
}

/* ---- echo ---- */

static void echo_bytes(struct ldisc *l, const void *text, size_t len)
{
	const uint8_t *p = text;

	if (TTY_SHOWN - (l->h->echo_put - l->h->echo_taken) < len)
		return;
	for (size_t i = 0; i < len; i++)
		l->echo[l->h->echo_put++ % TTY_SHOWN] = p[i];
}

static void echo_newline(struct ldisc *l)
{
	if (l->h->mode & TTY_NL_TO_CRNL)
		echo_bytes(l, "\r\n", 2);
	else
		echo_bytes(l, "\n", 1);
}

/* Columns of the first `len` bytes of the line, as echo_char shows them. */
static size_t line_columns(const struct ldisc *l, size_t len)
{
	size_t columns = 0;

	for (size_t i = 0; i < len;) {
		uint32_t code;
		i += utf8_decode(l->line + i, len - i, &code);
		if (code == TAB)
			columns += 8 - columns % 8;
		else
			columns += code < 0x20 || code == DELETE ? 2 : utf8_columns(code);
	}
	return columns;
}

/* Shows line[at]: a tab as spaces, a control byte as ^X, anything else as it is. */
static void echo_char(struct ldisc *l, size_t at)
{
	uint8_t byte = l->line[at];

	if (byte == TAB)
		echo_bytes(l, "        ", 8 - line_columns(l, at) % 8);
	else if (byte < 0x20 || byte == DELETE)
		echo_bytes(l, (uint8_t[]){ '^', byte ^ 0x40 }, 2);
	else
		echo_bytes(l, &byte, 1);
}

static bool echoing(const struct ldisc *l)
{
	return l->h->mode & TTY_ECHO;
}

size_t ldisc_echo(const struct ldisc *l, uint8_t *dst, size_t room)
{
	uint32_t n = MIN((uint32_t)room, l->h->echo_put - l->h->echo_taken);

	for (uint32_t i = 0; i < n; i++)
		dst[i] = l->echo[(l->h->echo_taken + i) % TTY_SHOWN];
	return n;
}

/* ---- editing ---- */

static void line_again(struct ldisc *l)
{
	echo_newline(l);
	for (uint32_t i = 0; i < l->h->line_len; i++)
		echo_char(l, i);
}

static void line_cut(struct ldisc *l, uint32_t len)
{
	size_t columns = line_columns(l, l->h->line_len) - line_columns(l, len);

	l->h->line_len = len;
	if (!echoing(l))
		return;
	/* More than there is room to take back at once: what is left of it, on a line of its own (ECHOK of POSIX, XBD 11.2.5). */
	if (3 * columns > TTY_SHOWN - (l->h->echo_put - l->h->echo_taken)) {
		line_again(l);
		return;
	}
	while (columns--)
		echo_bytes(l, "\b \b", 3);
}

static bool is_space(uint8_t byte)
{
	return byte == ' ' || byte == TAB;
}

static uint32_t word_start(const struct ldisc *l)
{
	uint32_t at = l->h->line_len;

	while (at > 0 && is_space(l->line[at - 1]))
		at--;
	while (at > 0 && !is_space(l->line[at - 1]))
		at--;
	return at;
}

/* The line under way becomes readable. */
static void line_commit(struct ldisc *l)
{
	for (uint32_t i = 0; i < l->h->line_len; i++)
		ring_put(l, l->line[i]);
	l->h->line_len = 0;
}

static void line_reprint(struct ldisc *l)
{
	echo_bytes(l, "^R", 2);
	line_again(l);
}

/* The bell rings once a character. */
static void refuse(struct ldisc *l, uint8_t byte)
{
	if (!(l->h->mode & TTY_CANONICAL && utf8_continues(byte)))
		echo_bytes(l, (uint8_t[]){ BELL }, 1);
}

static void line_append(struct ldisc *l, uint8_t byte)
{
	if (!line_fits(l, byte)) {
		refuse(l, byte);
		return;
	}
	l->line[l->h->line_len++] = byte;
	if (echoing(l))
		echo_char(l, l->h->line_len - 1);
}

static enum ldisc_result canonical_input(struct ldisc *l, uint8_t byte)
{
	switch (byte) {
	case '\n':
		l->line[l->h->line_len++] = byte;
		line_commit(l);
		if (echoing(l))
			echo_newline(l);
		return LDISC_READY;
	case CTRL_D:
		line_commit(l);
		ring_put(l, TTY_END);
		return LDISC_READY;
	case BACKSPACE:
	case DELETE:
		if (l->h->line_len > 0)
			line_cut(l, (uint32_t)utf8_back(l->line, l->h->line_len));
		return LDISC_NOTHING;
	case CTRL_U:
		line_cut(l, 0);
		return LDISC_NOTHING;
	case CTRL_W:
		line_cut(l, word_start(l));
		return LDISC_NOTHING;
	case CTRL_R:
		if (echoing(l))
			line_reprint(l);
		return LDISC_NOTHING;
	case CTRL_V:
		l->h->literal = 1;
		return LDISC_NOTHING;
	default:
		line_append(l, byte);
		return LDISC_NOTHING;
	}
}

static enum ldisc_result raw_input(struct ldisc *l, uint8_t byte)
{
	ring_put(l, byte);
	if (echoing(l)) {
		if (byte == '\n')
			echo_newline(l);
		else
			echo_bytes(l, &byte, 1);
	}
	return LDISC_READY;
}

/* The line under way is given up. */
static enum ldisc_result signal_input(struct ldisc *l, uint8_t byte)
{
	l->h->line_len = 0;
	l->h->stopped = 0;      /* whoever ends a program wants to see what comes next */
	if (echoing(l)) {
		echo_bytes(l, (uint8_t[]){ '^', byte ^ 0x40 }, 2);
		echo_newline(l);
	}
	return byte == CTRL_C ? LDISC_INTERRUPT : LDISC_SUSPEND;
}

static bool erases(uint32_t mode, uint8_t byte)
{
	return mode & TTY_CANONICAL && (byte == BACKSPACE || byte == DELETE || byte == CTRL_U || byte == CTRL_W);
}

static bool signals(uint32_t mode, uint8_t byte)
{
	return mode & TTY_SIGNALS && (byte == CTRL_C || (byte == CTRL_Z && mode & TTY_SUSPEND));
}

static bool flows(uint32_t mode, uint8_t byte)
{
	return mode & TTY_FLOW && (byte == CTRL_S || byte == CTRL_Q);
}

bool ldisc_acts(const struct ldisc *l, uint8_t byte)
{
	return !l->h->literal && (signals(l->h->mode, byte) || flows(l->h->mode, byte));
}

bool ldisc_takes(const struct ldisc *l, uint8_t byte)
{
	return ring_fits(l, byte) || ldisc_acts(l, byte) || (!l->h->literal && erases(l->h->mode, byte));
}

bool ldisc_stopped(const struct ldisc *l)
{
	return l->h->stopped;
}

enum ldisc_result ldisc_input(struct ldisc *l, uint8_t byte)
{
	uint32_t mode = l->h->mode;
	bool full = !ring_fits(l, byte);

	if (l->h->literal && !full) {
		l->h->literal = 0;
		if (mode & TTY_CANONICAL) {
			line_append(l, byte);
			return LDISC_NOTHING;
		}
		return raw_input(l, byte);
	}
	if (byte == '\r' && mode & TTY_CR_TO_NL)
		byte = '\n';
	if (signals(mode, byte))
		return signal_input(l, byte);
	if (flows(mode, byte)) {
		l->h->stopped = byte == CTRL_S;
		return LDISC_NOTHING;
	}
	if (full && !erases(mode, byte)) {
		refuse(l, byte);
		return LDISC_NOTHING;
	}
	return mode & TTY_CANONICAL ? canonical_input(l, byte) : raw_input(l, byte);
}

/* ---- reading ---- */

size_t ldisc_peek(const struct ldisc *l, uint8_t *buf, size_t want, uint32_t *cells)
{
	uint32_t used = ring_used(l), i = 0;
	size_t n = 0;

	while (i < used && n < want) {
		/* The ring may be what a crashed instance left: any cell that is no byte counts as an end. */
		uint16_t cell = l->ring[(l->h->taken + i) % TTY_RING];
		if (cell > 0xff)
			break;
		buf[n++] = (uint8_t)cell;
		i++;
		if (cell == '\n' || cell == '\r') {
			*cells = i;
			return n;
		}
	}
	/* An end right behind the data goes with it; alone it is a read of nothing. */
	if (i < used && want > 0 && l->ring[(l->h->taken + i) % TTY_RING] > 0xff)
		i++;
	*cells = i;
	return n;
}

void ldisc_take(struct ldisc *l, uint32_t cells)
{
	l->h->taken += MIN(cells, ring_used(l));
}

enum ldisc_result ldisc_set_mode(struct ldisc *l, uint32_t mode)
{
	uint32_t old = l->h->mode;

	l->h->mode = mode;
	if (!(mode & TTY_FLOW))
		l->h->stopped = 0;      /* there would be no key to go on with */
	if (old & TTY_CANONICAL && !(mode & TTY_CANONICAL)) {
		l->h->literal = 0;
		line_commit(l);
		return LDISC_READY;
	}
	if (!(old & TTY_CANONICAL) && mode & TTY_CANONICAL) {
		/* Raw mode has no line under way: what is unread waits in its place. An end is ^D again. */
		uint32_t n = MIN(ring_used(l), (uint32_t)TTY_LINE);
		for (uint32_t i = 0; i < n; i++) {
			uint16_t cell = l->ring[(l->h->taken + i) % TTY_RING];
			l->line[i] = cell > 0xff ? CTRL_D : (uint8_t)cell;
		}
		l->h->taken = l->h->put;
		l->h->line_len = 0;
		l->h->again = 0;
		l->h->again_end = (uint16_t)n;
	}
	return LDISC_NOTHING;
}

bool ldisc_again(struct ldisc *l, enum ldisc_result *result)
{
	if (l->h->again == l->h->again_end)
		return false;
	/* The line under way grows over what was typed again: at most this very byte, by itself. */
	*result = ldisc_input(l, l->line[l->h->again++]);
	return true;
}

/* ---- output ---- */

size_t ldisc_output(uint32_t mode, const uint8_t *src, size_t n, uint8_t *dst, size_t room, size_t *used)
{
	size_t i = 0, out = 0;

	for (; i < n && out < room; i++) {
		if (src[i] == '\n' && mode & TTY_NL_TO_CRNL) {
			if (room - out < 2)
				break;
			dst[out++] = '\r';
		}
		dst[out++] = src[i];
	}
	*used = i;
	return out;
}

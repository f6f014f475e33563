/*
 * term_gate: what programs send, checked before libvterm sees it. libvterm's parser (0.1.4) writes behind its array when a sequence has more than 16
 * parameters, reads parameters that are not there, counts them past the end of an int, repeats for ever what was never printed, and takes a number for a string; so it
 * gets whole sequences only, of which each is known, with numbers of four digits. What is not whole yet waits here, and with it in
 * the head: libvterm has no half-read state to be kept.
 *
 * The states are those of ECMA-48 with the conventions of the DEC terminals: a control character inside a sequence acts at once, CAN and SUB
 * end it, ESC begins another. Text is UTF-8, so there are no C1 controls of one byte.
 */
#include <stdio.h>
#include <string.h>
#include <utf8/utf8.h>
#include "term_inside.h"

enum { CAN = 0x18, SUB = 0x1a, ESC_BYTE = 0x1b, BEL = 7, DEL = 0x7f, ARGS_MAX = 32, NUMBER_MAX = 9999, MISSING = -1 };

struct csi {
	char leader, intermediate, final;
	int n;
	struct { int value; bool joined; } arg[ARGS_MAX];       /* joined: by a colon to the one before */
};

static void feed(struct term *t, const void *bytes, size_t len)
{
	vterm_input_write(t->vt, bytes, len);
}

/* ---- text ---- */

static VTermPos place(const struct term *t)
{
	VTermPos at;

	vterm_state_get_cursorpos(t->vs, &at);
	return at;
}

static void note_printed(struct term *t, uint32_t code)
{
	t->head.last_code = code;
	t->head.after_row = (int16_t)place(t).row;
	t->head.after_col = (int16_t)place(t).col;
}

/* A combining character belongs to the one before it, while the cursor is where that left it. */
static void combine(struct term *t, uint32_t code)
{
	const struct term_head *h = &t->head;

	if (code < 0xa0 || code > 0xffff || !h->last_code || place(t).row != h->after_row || place(t).col != h->after_col)
		return;
	cells_mark(t, (VTermPos){ .row = h->last_row, .col = h->last_col }, (uint16_t)code);
}

static void print(struct term *t, uint32_t code)
{
	uint8_t bytes[UTF8_MAX];

	if (utf8_columns(code) == 0) {
		combine(t, code);
		return;
	}
	if (utf8_columns(code) == 2)
		vt_make_way(t);
	feed(t, bytes, utf8_encode(code, bytes));
	note_printed(t, code);
}

static void repeat(struct term *t, int count)
{
	if (t->head.last_code)
		for (int n = MIN(MAX(count, 1), (int)t->head.cols); n > 0; n--)
			print(t, t->head.last_code);
}

/* ---- control sequences ---- */

static bool csi_parse(const struct gate *g, char final, struct csi *c)
{
	unsigned i = 0;

	memset(c, 0, sizeof(*c));
	c->final = final;
	c->n = 1;
	c->arg[0].value = MISSING;
	if (i < g->len && g->bytes[i] >= 0x3c)
		c->leader = (char)g->bytes[i++];
	for (; i < g->len && g->bytes[i] >= 0x30; i++) {
		uint8_t b = g->bytes[i];
		if (b >= 0x3c)
			return false;
		if (b <= '9') {
			int *v = &c->arg[c->n - 1].value;
			*v = MIN(MAX(*v, 0) * 10 + (b - '0'), (int)NUMBER_MAX);
			continue;
		}
		if (c->n == ARGS_MAX)
			return false;
		c->arg[c->n].value = MISSING;
		c->arg[c->n++].joined = b == ':';
	}
	if (i < g->len)
		c->intermediate = (char)g->bytes[i++];
	return i == g->len && c->intermediate < 0x30;
}

/* Sends one on with its first `n` parameters; none in the sequences that come here has more than two. */
static void csi_feed(struct term *t, const struct csi *c, int n)
{
	char text[64];
	size_t len = 0;

	text[len++] = ESC_BYTE;
	text[len++] = '[';
	if (c->leader)
		text[len++] = c->leader;
	for (int i = 0; i < MIN(n, 2); i++) {
		if (i > 0)
			text[len++] = ';';
		if (c->arg[i].value != MISSING)
			len += (size_t)snprintf(text + len, 8, "%d", c->arg[i].value);
	}
	if (c->intermediate)
		text[len++] = c->intermediate;
	text[len++] = c->final;
	feed(t, text, len);
}

static void sgr_feed(struct term *t, const char *text)
{
	char seq[40];

	feed(t, seq, (size_t)snprintf(seq, sizeof(seq), "\33[%sm", text));
}

/* A colour behind 38, 48 or 58: joined by colons (with or without a colour space) or not; returns how many parameters it has, 0: none whole. */
static int sgr_colour(const struct csi *c, int at, int joined, char *text, size_t room)
{
	int base = c->arg[at].value, left = joined ? joined : c->n - at - 1;
	int kind = left > 0 ? c->arg[at + 1].value : MISSING, v[3], first = at + 2, n;

	*text = 0;
	if (kind == 5) {
		n = 1;
	} else if (kind == 2) {
		n = 3;
		first += joined >= 5;
	} else {
		return joined;
	}
	if (first + n - at - 1 > left)
		return joined;
	for (int i = 0; i < n; i++) {
		v[i] = MAX(c->arg[first + i].value, 0);
		if (v[i] > 255)
			return joined ? joined : n + 1;
	}
	if (base != 58 && n == 1)
		snprintf(text, room, "%d;5;%d", base, v[0]);
	else if (base != 58)
		snprintf(text, room, "%d;2;%d;%d;%d", base, v[0], v[1], v[2]);
	return joined ? joined : n + 1;
}

/* Faint and concealed are ours: libvterm has no place for them in its pen. */
static void sgr_dim(struct term *t, int v)
{
	if (v == 2)
		t->dim |= TERM_FAINT;
	else if (v == 8)
		t->dim |= TERM_CONCEALED;
	else if (v == 22)
		t->dim &= ~(uint32_t)TERM_FAINT;
	else if (v == 28)
		t->dim &= ~(uint32_t)TERM_CONCEALED;
	else if (v == 0)
		t->dim = 0;
}

static void sgr(struct term *t, const struct csi *c)
{
	char text[32];

	for (int i = 0, joined; i < c->n; i += 1 + joined) {
		int v = MAX(c->arg[i].value, 0);
		for (joined = 0; i + 1 + joined < c->n && c->arg[i + 1 + joined].joined;)
			joined++;
		if (v == 38 || v == 48 || v == 58) {
			int used = sgr_colour(c, i, joined, text, sizeof(text));
			if (*text)
				sgr_feed(t, text);
			else if (used == 0)
				return;         /* what the rest would mean nobody knows */
			joined = used;
			continue;
		}
		if (v == 4 && joined) {         /* kinds of underlines: those we have no picture of are single */
			int kind = MAX(c->arg[i + 1].value, 0);
			snprintf(text, sizeof(text), "4:%d", kind <= 3 ? kind : 1);
		} else {
			snprintf(text, sizeof(text), "%d", v);
			sgr_dim(t, v);
		}
		sgr_feed(t, text);
	}
}

static void cursor_kept(struct term *t, bool save)
{
	if (save)
		vt_cursor_save(t);
	else
		vt_cursor_restore(t);
}

/*
 * A mode of DEC's (xterm, "DEC Private Mode Set"): 47 is the older name of 1047, and 1049 is 1048 and 1047: the cursor is saved on the screen that is
 * left, and restored on the one that comes back.
 */
static void private_mode(struct term *t, struct csi *one)
{
	int mode = one->arg[0].value;
	bool on = one->final == 'h';

	if (mode == 1048 || (mode == 1049 && on))
		cursor_kept(t, on);
	if (mode == 1048)
		return;
	if (mode == 47 || mode == 1049)
		one->arg[0].value = 1047;
	csi_feed(t, one, 1);
	if (mode == 1049 && !on)
		cursor_kept(t, false);
}

/* libvterm takes one mode a sequence. */
static void modes(struct term *t, const struct csi *c)
{
	for (int i = 0; i < c->n; i++) {
		struct csi one = { .leader = c->leader, .final = c->final, .n = 1 };
		one.arg[0].value = c->arg[i].value;
		if (c->leader == '?')
			private_mode(t, &one);
		else
			csi_feed(t, &one, 1);
	}
}

static void report_size(struct term *t)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "\33[8;%u;%ut", t->head.rows, t->head.cols);

	term_put_reply(t, text, (size_t)n);
}

/* Where the cursor is (CPR, DECXCPR), as a program would send it there: libvterm does not count from the margins (DECOM). */
static void report_cursor(struct term *t, const struct csi *c)
{
	char text[32];
	VTermPos from = vt_origin(t), at = place(t);
	int n = snprintf(text, sizeof(text), "\33[%s%d;%dR", c->leader ? "?" : "", MAX(at.row - from.row, 0) + 1, MAX(at.col - from.col, 0) + 1);

	term_put_reply(t, text, (size_t)n);
}

static void report_status(struct term *t, const struct csi *c)
{
	if (c->arg[0].value == 6)
		report_cursor(t, c);
	else
		csi_feed(t, c, 1);
}

/* DECRQM: 1 set, 2 reset, 0 unknown. libvterm knows neither those of ANSI nor the other names of the alternate screen. */
static void report_mode(struct term *t, const struct csi *c)
{
	char text[32];
	int mode = MAX(c->arg[0].value, 0), state = 0;

	if (c->leader == '?' && mode != 47 && mode != 1049) {
		csi_feed(t, c, 1);
		return;
	}
	if (c->leader)
		state = t->head.alt ? 1 : 2;
	else if (mode == 4 || mode == 20)
		state = vt_ansi_mode(t, mode) ? 1 : 2;
	int n = snprintf(text, sizeof(text), "\33[%s%d;%d$y", c->leader ? "?" : "", mode, state);
	term_put_reply(t, text, (size_t)n);
}

/* CUU, CUD, CNL and CPL stop at a margin that they would cross (DEC STD 070; libvterm: at the screen's border only). */
static void vertical(struct term *t, const struct csi *c)
{
	bool up = c->final == 'A' || c->final == 'F';
	int n = MIN(MAX(c->arg[0].value, 1), vt_rows_to_margin(t, up));

	if (c->final == 'E' || c->final == 'F')
		feed(t, "\r", 1);
	if (n > 0) {
		struct csi to = { .final = up ? 'A' : 'B', .n = 1 };
		to.arg[0].value = n;
		csi_feed(t, &to, 1);
	} else {
		vt_stay(t);
	}
}

static void csi_plain(struct term *t, const struct csi *c)
{
	int first = c->arg[0].value;
	bool bare = c->n == 1 && first == MISSING;

	switch (c->final) {
	case 'm':
		sgr(t, c);
		return;
	case 'h':
	case 'l':
		modes(t, c);
		return;
	case 'b':
		repeat(t, first);
		return;
	case 'A':
	case 'B':
	case 'E':
	case 'F':
		vertical(t, c);
		return;
	case 'J':
		if (first == 3)
			cells_forget_history(t);
		else
			csi_feed(t, c, 1);
		return;
	case 's':       /* margins, or where there are none the cursor's place (ANSI.SYS) */
		if (bare && !vt_margins(t))
			vt_cursor_save(t);
		else
			csi_feed(t, c, 2);
		return;
	case 'u':
		if (bare)
			vt_cursor_restore(t);
		return;
	case 'n':
		report_status(t, c);
		return;
	case 't':
		if (first == 18)
			report_size(t);
		return;
	case 'T':       /* with more than one it would be something about the mouse */
		if (c->n == 1)
			csi_feed(t, c, 1);
		return;
	default:
		if (strchr("@CDGHIKLMPSXZ`acdefgjkr", c->final))
			csi_feed(t, c, c->n);
	}
}

static void csi(struct term *t, char final)
{
	struct csi c;

	if (!csi_parse(&t->head.gate, final, &c))
		return;
	switch (c.intermediate << 8 | c.leader) {
	case 0:
		csi_plain(t, &c);
		return;
	case '?':
		if (final == 'h' || final == 'l')
			modes(t, &c);
		else if (final == 'n')
			report_status(t, &c);
		else if (strchr("JK", final))
			csi_feed(t, &c, 1);
		return;
	case '>':
		if (final == 'c')
			csi_feed(t, &c, 1);
		return;
	case '!' << 8:
		if (final == 'p')
			vt_reset(t, false);
		return;
	case '$' << 8:
	case '$' << 8 | '?':
		if (final == 'p')
			report_mode(t, &c);
		return;
	case ' ' << 8:
	case '"' << 8:
		if (final == 'q')
			csi_feed(t, &c, 1);
		return;
	case '\'' << 8:
		if (final == '}' || final == '~')
			csi_feed(t, &c, 1);
		return;
	default:
		return;
	}
}

/* ---- escape sequences and strings ---- */

static void escape(struct term *t, uint8_t final)
{
	const struct gate *g = &t->head.gate;
	char text[3] = { ESC_BYTE, (char)g->bytes[0], (char)final };

	if (g->len == 0 && final == 'c') {
		vt_reset(t, true);
		t->head.last_code = 0;
	} else if (g->len == 0 && (final == '7' || final == '8')) {
		cursor_kept(t, final == '7');
	} else if (g->len == 0 && strchr("=>DEHMNOno", final)) {
		feed(t, (char[]){ ESC_BYTE, (char)final }, 2);
		if (strchr("DEM", final))
			vt_stay(t);
	} else if (g->len == 1 && ((strchr("()*+", g->bytes[0]) && strchr("0AB", final)) || (g->bytes[0] == '#' && final == '8'))) {
		feed(t, text, 3);
	}
}

/* Of all that comes in strings only a question for a setting is known (DECRQSS). */
static void device_string(struct term *t)
{
	static const char *const known[] = { "$qm", "$qr", "$qs", "$q q", "$q\"q" };
	const struct gate *g = &t->head.gate;
	char text[16];

	if (g->len < 2 || memcmp(g->bytes, "$q", 2) != 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strlen(known[i]) == g->len && memcmp(known[i], g->bytes, g->len) == 0) {
			feed(t, text, (size_t)snprintf(text, sizeof(text), "\33P%s\33\\", known[i]));
			return;
		}
	term_put_reply(t, "\33P0$r\33\\", 7);
}

/* ---- states ---- */

static void enter(struct term *t, enum gate_state state)
{
	t->head.gate.state = (uint8_t)state;
	t->head.gate.escape = 0;
	t->head.gate.len = 0;
}

static bool keep(struct gate *g, uint8_t byte)
{
	if (g->len >= TERM_PENDING)
		return false;
	g->bytes[g->len++] = byte;
	return true;
}

static void control(struct term *t, uint8_t byte)
{
	if (byte >= 7 && byte <= 15)
		feed(t, &byte, 1);
	if (byte >= 10 && byte <= 12)
		vt_stay(t);             /* it was a scroll, maybe */
}

static size_t ground_step(struct term *t, const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n < MIN(len, (size_t)TERM_RUN) && p[n] >= 0x20 && p[n] < DEL)
		n++;
	if (n > 0) {
		size_t plain = vt_print(t, p, n);
		if (plain < n)
			feed(t, p + plain, n - plain);
		note_printed(t, p[n - 1]);
		return n;
	}
	if (p[0] == ESC_BYTE) {
		enter(t, GATE_ESCAPE);
	} else if (p[0] < 0x20) {
		control(t, p[0]);
	} else if (utf8_expected(p[0]) > 1) {
		enter(t, GATE_UTF8);
		keep(&t->head.gate, p[0]);
	} else if (p[0] != DEL) {
		print(t, UTF8_BAD);
	}
	return 1;
}

/* A character that is broken off counts as one that is none, and what broke it off is looked at anew. */
static size_t utf8_step(struct term *t, uint8_t byte)
{
	struct gate *g = &t->head.gate;
	uint32_t code = UTF8_BAD;
	bool more = (byte & 0xc0) == 0x80;

	if (more) {
		keep(g, byte);
		if (g->len < utf8_expected(g->bytes[0]))
			return 1;
		if (utf8_decode(g->bytes, g->len, &code) != g->len)
			code = UTF8_BAD;
	}
	enter(t, GATE_GROUND);
	print(t, code);
	return more;
}

static size_t escape_step(struct term *t, uint8_t byte)
{
	struct gate *g = &t->head.gate;

	if (byte >= 0x80) {
		enter(t, GATE_GROUND);
		return 0;
	}
	if (byte < 0x30) {
		/* No sequence that is known has two, so more are as good as two. */
		if (g->len < 2)
			keep(g, byte);
		return 1;
	}
	if (g->len == 0 && byte == '[') {
		enter(t, GATE_CSI);
	} else if (g->len == 0 && byte == ']') {
		enter(t, GATE_OSC);
	} else if (g->len == 0 && byte == 'P') {
		enter(t, GATE_DCS);
	} else if (g->len == 0 && (byte == 'X' || byte == '^' || byte == '_')) {
		enter(t, GATE_STRING);
	} else {
		escape(t, byte);
		t->pen_old = true;
		enter(t, GATE_GROUND);
	}
	return 1;
}

static size_t csi_step(struct term *t, uint8_t byte)
{
	struct gate *g = &t->head.gate;

	if (byte >= 0x80) {
		enter(t, GATE_GROUND);
		return 0;
	}
	if (byte >= 0x40) {
		if (g->state == GATE_CSI)
			csi(t, (char)byte);
		t->pen_old = true;
		enter(t, GATE_GROUND);
	} else if (g->state == GATE_CSI && !keep(g, byte)) {
		g->state = GATE_CSI_DROP;
	}
	return 1;
}

static size_t string_step(struct term *t, uint8_t byte)
{
	struct gate *g = &t->head.gate;

	if (g->escape) {
		if (byte == '\\' && g->state == GATE_DCS)
			device_string(t);
		enter(t, byte == '\\' ? GATE_GROUND : GATE_ESCAPE);
		return byte == '\\';
	}
	if (byte == ESC_BYTE)
		g->escape = 1;
	else if (byte == BEL && g->state == GATE_OSC)
		enter(t, GATE_GROUND);
	else if (g->state == GATE_DCS && byte >= 0x20 && !keep(g, byte))
		g->state = GATE_STRING;
	return 1;
}

void term_recover(struct term *t)
{
	struct csi leave = { .leader = '?', .final = 'l', .n = 1 };

	enter(t, GATE_GROUND);
	leave.arg[0].value = 1049;
	if (t->head.alt)
		private_mode(t, &leave);
	vt_reset(t, false);
	vt_look(t);
	t->head.last_code = 0;
	t->pen_old = true;
}

size_t gate_step(struct term *t, const uint8_t *p, size_t len)
{
	enum gate_state state = t->head.gate.state;
	uint8_t byte = p[0];

	if (state == GATE_GROUND)
		return ground_step(t, p, len);
	if (state == GATE_UTF8)
		return utf8_step(t, byte);
	if (byte == CAN || byte == SUB) {
		enter(t, GATE_GROUND);
		return 1;
	}
	if (state == GATE_DCS || state == GATE_STRING || state == GATE_OSC)
		return string_step(t, byte);
	if (byte == ESC_BYTE) {
		enter(t, GATE_ESCAPE);
		return 1;
	}
	if (byte < 0x20 || byte == DEL) {
		control(t, byte);
		return 1;
	}
	return state == GATE_ESCAPE ? escape_step(t, byte) : csi_step(t, byte);
}

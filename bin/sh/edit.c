/*
 * edit: see edit.h. Positions on the screen are counted from the prompt: row and column follow from the width of
 * the text before, so a line may wrap over several rows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8/utf8.h>
#include "edit.h"

enum {
	CTRL_A = 1, CTRL_B = 2, CTRL_C = 3, CTRL_D = 4, CTRL_E = 5, CTRL_F = 6, BELL = 7, CTRL_H = 8, TAB = 9, CTRL_K = 11, CTRL_L = 12,
	CTRL_N = 14, CTRL_P = 16, CTRL_U = 21, CTRL_W = 23, ESC = 27, DEL = 127,
};
enum { ESCAPE_NONE, ESCAPE_BEGUN, ESCAPE_BRACKET, ESCAPE_O };

/* ---- output ---- */

void edit_flush(struct edit *e)
{
	if (e->out_len)
		e->write(e->ctx, e->out, e->out_len);
	e->out_len = 0;
}

static void out(struct edit *e, const char *data, size_t len)
{
	while (len > 0) {
		size_t n = MIN(len, sizeof(e->out) - e->out_len);
		memcpy(e->out + e->out_len, data, n);
		e->out_len += n;
		data += n;
		len -= n;
		if (e->out_len == sizeof(e->out))
			edit_flush(e);
	}
}

static void out_text(struct edit *e, const char *text)
{
	out(e, text, strlen(text));
}

/* ESC [ n letter, unless n is 0. */
static void out_move(struct edit *e, size_t n, char letter)
{
	char text[32];

	if (n)
		out(e, text, (size_t)snprintf(text, sizeof(text), "\x1b[%u%c", (unsigned)n, letter));
}

/* Columns from the prompt's first to byte `at` of the text. A wide character leaves the last column empty and begins the next row. */
static size_t place(const struct edit *e, size_t at)
{
	size_t columns = utf8_width(e->prompt, strlen(e->prompt));

	for (size_t i = 0, n; i < at; i += n) {
		uint32_t code;
		n = utf8_decode(e->text + i, at - i, &code);
		if (utf8_columns(code) == 2 && columns % e->columns == e->columns - 1)
			columns++;
		columns += utf8_width(e->text + i, n);
	}
	return columns;
}

static void show_text(struct edit *e)
{
	for (size_t i = 0; i < e->len; i++) {
		uint8_t byte = (uint8_t)e->text[i];
		if (byte < 0x20)
			out(e, (char[]){ '^', (char)(byte ^ 0x40) }, 2);
		else
			out(e, e->text + i, 1);
	}
}

static void redraw(struct edit *e)
{
	out_move(e, e->row, 'A');
	out_text(e, "\r\x1b[J");
	out_text(e, e->prompt);
	show_text(e);
	size_t end = place(e, e->len), at = place(e, e->cursor);
	/* At the right edge: have it wrap now, so that the moves below start where they believe to be. */
	if (e->len && end % e->columns == 0)
		out_text(e, " \b");
	out_move(e, end / e->columns - at / e->columns, 'A');
	out_text(e, "\r");
	out_move(e, at % e->columns, 'C');
	e->row = (unsigned)(at / e->columns);
}

static void bell(struct edit *e)
{
	out(e, (char[]){ BELL }, 1);
}

/* ---- changing the line ---- */

static void insert(struct edit *e, const uint8_t *bytes, size_t n)
{
	if (e->len + n > EDIT_LINE_MAX) {
		bell(e);
		return;
	}
	memmove(e->text + e->cursor + n, e->text + e->cursor, e->len - e->cursor);
	memcpy(e->text + e->cursor, bytes, n);
	e->len += n;
	e->cursor += n;
	size_t end = place(e, e->len);
	if (e->cursor != e->len || bytes[0] < 0x20) {
		redraw(e);
		return;
	}
	out(e, (const char *)bytes, n);
	/* At the right edge the terminal stays on the row until one more character comes. */
	e->row = (unsigned)((end - 1) / e->columns);
}

/* Removes [from, to) and leaves the cursor at `from`. */
static void cut(struct edit *e, size_t from, size_t to)
{
	if (from == to)
		return;
	bool last = to == e->len && to - from == 1 && e->cursor == to && (uint8_t)e->text[from] >= 0x20 &&
		place(e, to) / e->columns == place(e, from) / e->columns;
	memmove(e->text + from, e->text + to, e->len - to);
	e->len -= to - from;
	e->cursor = from;
	if (last)
		out_text(e, "\b \b");
	else
		redraw(e);
}

static void move(struct edit *e, size_t to)
{
	if (to == e->cursor)
		return;
	e->cursor = to;
	redraw(e);
}

static size_t back(const struct edit *e)
{
	return e->cursor ? utf8_back(e->text, e->cursor) : 0;
}

static size_t forth(const struct edit *e)
{
	uint32_t code;

	return e->cursor < e->len ? e->cursor + utf8_decode(e->text + e->cursor, e->len - e->cursor, &code) : e->len;
}

static size_t word_back(const struct edit *e)
{
	size_t at = e->cursor;

	while (at > 0 && e->text[at - 1] == ' ')
		at--;
	while (at > 0 && e->text[at - 1] != ' ')
		at--;
	return at;
}

static size_t word_forth(const struct edit *e)
{
	size_t at = e->cursor;

	while (at < e->len && e->text[at] == ' ')
		at++;
	while (at < e->len && e->text[at] != ' ')
		at++;
	return at;
}

/* ---- history ---- */

void edit_remember(struct edit *e, const char *line)
{
	if (!*line || (e->n_history && !strcmp(e->history[e->n_history - 1], line)))
		return;
	char *copy = strdup(line);
	if (!copy)
		return;
	if (e->n_history == EDIT_HISTORY) {
		free(e->history[0]);
		memmove(e->history, e->history + 1, (EDIT_HISTORY - 1) * sizeof(e->history[0]));
		e->n_history--;
	}
	e->history[e->n_history++] = copy;
}

static void show_entry(struct edit *e, unsigned which)
{
	if (which > e->n_history || which == e->browsing) {
		bell(e);
		return;
	}
	if (e->browsing == e->n_history) {
		free(e->draft);
		e->draft = strndup(e->text, e->len);
	}
	const char *line = which == e->n_history ? (e->draft ? e->draft : "") : e->history[which];
	e->browsing = which;
	e->len = MIN(strlen(line), (size_t)EDIT_LINE_MAX);
	memcpy(e->text, line, e->len);
	e->cursor = e->len;
	redraw(e);
}

static void show_older(struct edit *e)
{
	show_entry(e, e->browsing ? e->browsing - 1 : e->browsing);
}

/* ---- keys ---- */

void edit_start(struct edit *e, const char *prompt)
{
	free(e->draft);
	e->draft = NULL;
	e->prompt = prompt;
	e->len = e->cursor = 0;
	e->row = 0;
	e->escape = ESCAPE_NONE;
	e->n_pending = 0;
	e->browsing = e->n_history;
	out_text(e, prompt);
}

/* Rows do not flow: the cursor is as many below the prompt as it was. */
void edit_resize(struct edit *e, unsigned columns)
{
	if (columns == e->columns)
		return;
	e->columns = columns;
	redraw(e);
}

/* Leaves the cursor behind the whole line, on a row of its own. */
static void finish(struct edit *e)
{
	move(e, e->len);
	out_text(e, "\n");
	e->text[e->len] = 0;
}

/* The end of ESC [ parameters letter, or of ESC O letter. */
static void sequence(struct edit *e, uint8_t final)
{
	unsigned key = e->parameter;
	bool words = e->modifier >= 3;      /* 5: Ctrl, 3: Alt */

	switch (final) {
	case 'A': show_older(e); break;
	case 'B': show_entry(e, e->browsing + 1); break;
	case 'C': move(e, words ? word_forth(e) : forth(e)); break;
	case 'D': move(e, words ? word_back(e) : back(e)); break;
	case 'H': move(e, 0); break;
	case 'F': move(e, e->len); break;
	case '~':
		if (key == 1 || key == 7)
			move(e, 0);
		else if (key == 4 || key == 8)
			move(e, e->len);
		else if (key == 3)
			cut(e, e->cursor, forth(e));
		break;
	default:
		break;
	}
}

static void escape_byte(struct edit *e, uint8_t byte)
{
	switch (e->escape) {
	case ESCAPE_BEGUN:
		e->parameter = e->modifier = 0;
		e->escape = byte == '[' ? ESCAPE_BRACKET : byte == 'O' ? ESCAPE_O : ESCAPE_NONE;
		if (byte == 'b')
			move(e, word_back(e));
		else if (byte == 'f')
			move(e, word_forth(e));
		else if (byte == 'd')
			cut(e, e->cursor, word_forth(e));
		else if (byte == DEL)
			cut(e, word_back(e), e->cursor);
		break;
	case ESCAPE_BRACKET:
		if (byte >= '0' && byte <= '9') {
			e->modifier = MIN(e->modifier * 10 + (byte - '0'), 1000u);
			break;
		}
		if (byte == ';') {
			e->parameter = e->modifier;
			e->modifier = 0;
			break;
		}
		if (byte >= 0x20 && byte < 0x40)
			break;          /* other parameters (ECMA-48 5.4): of no meaning here */
		if (byte == '~' && !e->parameter) {
			e->parameter = e->modifier;
			e->modifier = 0;
		}
		e->escape = ESCAPE_NONE;
		sequence(e, byte);
		break;
	default:
		e->escape = ESCAPE_NONE;
		sequence(e, byte);
		break;
	}
}

static void text_byte(struct edit *e, uint8_t byte)
{
	uint32_t code;

	if (e->n_pending && (byte & 0xc0) != 0x80)
		e->n_pending = 0;       /* the character was cut off: drop it */
	if (!e->n_pending && utf8_expected(byte) == 1) {
		if (byte < 0x80)
			insert(e, &byte, 1);
		return;
	}
	e->pending[e->n_pending++] = byte;
	if (e->n_pending < utf8_expected(e->pending[0]))
		return;
	if (utf8_decode(e->pending, e->n_pending, &code) == e->n_pending)
		insert(e, e->pending, e->n_pending);
	e->n_pending = 0;
}

/* Tab: what it can be; the second time in a row everything that it can be, with the line again below. */
static void complete(struct edit *e, bool again)
{
	char bytes[EDIT_INSERT];
	const char *shown = NULL;
	size_t n = 0;

	edit_flush(e);          /* whoever is asked may take a moment */
	e->text[e->len] = 0;
	if (e->complete)
		n = e->complete(e->ctx, e->text, e->cursor, e->columns, bytes, sizeof(bytes), &shown);
	if (n) {
		insert(e, (const uint8_t *)bytes, n);
		return;
	}
	e->after_tab = true;
	if (!again || !shown) {
		bell(e);
		return;
	}
	size_t at = e->cursor;
	move(e, e->len);
	out_text(e, "\n");
	out_text(e, shown);
	e->cursor = at;
	e->row = 0;
	redraw(e);
}

static enum edit_result key(struct edit *e, uint8_t byte)
{
	bool after_tab = e->after_tab;

	e->after_tab = false;
	switch (byte) {
	case '\r':
	case '\n':
		finish(e);
		return EDIT_LINE;
	case CTRL_C:
		move(e, e->len);
		out_text(e, "^C\n");
		return EDIT_INTERRUPT;
	case CTRL_D:
		if (e->len == 0)
			return EDIT_END;
		cut(e, e->cursor, forth(e));
		break;
	case CTRL_A: move(e, 0); break;
	case CTRL_E: move(e, e->len); break;
	case CTRL_B: move(e, back(e)); break;
	case CTRL_F: move(e, forth(e)); break;
	case CTRL_P: show_older(e); break;
	case CTRL_N: show_entry(e, e->browsing + 1); break;
	case CTRL_H:
	case DEL:    cut(e, back(e), e->cursor); break;
	case CTRL_K: cut(e, e->cursor, e->len); break;
	case CTRL_U: cut(e, 0, e->cursor); break;
	case CTRL_W: cut(e, word_back(e), e->cursor); break;
	case CTRL_L:
		out_text(e, "\x1b[H\x1b[2J");
		e->row = 0;
		redraw(e);
		break;
	case TAB:
		complete(e, after_tab);
		break;
	case ESC:
		e->escape = ESCAPE_BEGUN;
		break;
	default:
		if (byte >= 0x20)
			text_byte(e, byte);
		else
			bell(e);
		break;
	}
	return EDIT_MORE;
}

enum edit_result edit_byte(struct edit *e, uint8_t byte)
{
	bool after_cr = e->after_cr;

	e->after_cr = byte == '\r';
	if (byte == '\n' && after_cr)
		return EDIT_MORE;
	/* A control character is in no sequence: Enter behind a stray Escape is Enter. */
	if (byte < 0x20)
		e->escape = ESCAPE_NONE;
	if (e->escape == ESCAPE_NONE)
		return key(e, byte);
	escape_byte(e, byte);
	return EDIT_MORE;
}

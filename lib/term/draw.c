/*
 * draw: cells to pixels. See draw.h.
 *
 * A cell becomes 16 rows of bits first, to which attributes are done (bold: each pixel twice, italic: the upper rows pushed to the right); then each bit
 * becomes scale x scale pixels. Blinking text is steady.
 *
 * A surface that nobody has drawn on has the ground's colour, so a blank row there needs no pixel: what lies below d->lines stays as it was made.
 */
#include <string.h>
#include "draw.h"
#include "term_inside.h"

enum { UNDERLINE_ROW = 14, STRIKE_ROW = 8, SLANT_FROM = 13, SLANT_ROWS = 6 };

static const uint32_t xterm_colours[16] = {
	0x000000, 0xcd3131, 0x0dbc79, 0xe5e510, 0x2472c8, 0xbc3fbc, 0x11a8cd, 0xe5e5e5,
	0x666666, 0xf14c4c, 0x23d18b, 0xf5f543, 0x3b8eea, 0xd670d6, 0x29b8db, 0xffffff,
};

unsigned term_scale(uint32_t width, uint32_t height)
{
	/* A narrow screen counts as lower: 80 columns should fit. */
	unsigned by_height = height / 720, by_width = width / (80 * FONT_WIDTH), scale = MIN(by_height, by_width);

	return scale < 1 ? 1 : MIN(scale, (unsigned)TERM_SCALE_MAX);
}

void term_face_begin(struct term_face *f, const struct font *font, unsigned scale)
{
	*f = (struct term_face){ .font = font, .scale = scale, .fg = 0xd8d8d8 };
	memcpy(f->palette, xterm_colours, sizeof(f->palette));
}

bool term_fit(const struct term_surface *s, unsigned scale, unsigned *rows, unsigned *cols)
{
	uint32_t r = s->height / (FONT_HEIGHT * scale), c = s->width / (FONT_WIDTH * scale);

	if (r < TERM_ROWS_MIN || c < TERM_COLS_MIN)
		return false;
	*rows = MIN(r, (uint32_t)TERM_ROWS_MAX);
	*cols = MIN(c, (uint32_t)TERM_COLS_MAX);
	return true;
}

/* The 256 colours of xterm: 16, a cube of 6 x 6 x 6, 24 greys. */
uint32_t term_colour(const struct term_face *f, uint32_t colour, uint32_t otherwise)
{
	uint32_t n = colour & 0xff;

	if (colour & TERM_RGB)
		return colour & 0xffffff;
	if (!(colour & TERM_INDEXED))
		return otherwise;
	if (n < 16)
		return f->palette[n];
	if (n >= 232)
		return (8 + 10 * (n - 232)) * 0x010101;
	uint32_t v[3] = { (n - 16) / 36, (n - 16) / 6 % 6, (n - 16) % 6 }, rgb = 0;
	for (int i = 0; i < 3; i++)
		rgb = rgb << 8 | (v[i] ? 55 + 40 * v[i] : 0);
	return rgb;
}

/* ---- a cell ---- */

static void attributes(uint32_t code, uint16_t rows[FONT_HEIGHT])
{
	for (unsigned y = 0; y < FONT_HEIGHT; y++) {
		if (code & TERM_ITALIC && y < SLANT_FROM)
			rows[y] >>= (SLANT_FROM - y) / SLANT_ROWS;
		if (code & TERM_BOLD)
			rows[y] |= rows[y] >> 1;
	}
	if (code & TERM_STRIKE)
		rows[STRIKE_ROW] = 0xffff;
	switch (code & TERM_UNDERLINES) {
	case TERM_UNDERLINE:
		rows[UNDERLINE_ROW] = 0xffff;
		break;
	case TERM_DOUBLE_UNDERLINE:
		rows[UNDERLINE_ROW - 1] = rows[UNDERLINE_ROW + 1] = 0xffff;
		break;
	case TERM_CURLY_UNDERLINE:
		rows[UNDERLINE_ROW] |= 0x6666;
		rows[UNDERLINE_ROW + 1] |= 0x9999;
		break;
	default:
		break;
	}
}

/* Rows of bits, leftmost in bit 15: 8 of them, or 16 of a wide character. */
static void cell_rows(const struct term_face *f, const struct term_cell *c, uint16_t rows[FONT_HEIGHT])
{
	uint32_t code = c->code & TERM_CODE;
	uint16_t mark[FONT_HEIGHT];
	unsigned columns;

	memset(rows, 0, FONT_HEIGHT * sizeof(*rows));
	if (c->fg & TERM_CONCEALED)
		return;
	if (code && code != ' ')
		font_rows(f->font, code, rows, &columns);
	for (unsigned i = 0; i < TERM_MARKS; i++)
		if (c->mark[i] && font_rows(f->font, c->mark[i], mark, &columns) == FONT_GLYPH)
			for (unsigned y = 0; y < FONT_HEIGHT; y++)
				rows[y] |= mark[y];
	attributes(c->code, rows);
}

static void cursor_rows(unsigned shape, uint16_t rows[FONT_HEIGHT])
{
	for (unsigned y = 0; y < FONT_HEIGHT; y++)
		if (shape == TERM_CURSOR_BLOCK)
			rows[y] = (uint16_t)~rows[y];
		else if (shape == TERM_CURSOR_BAR)
			rows[y] |= 0x8000;
		else if (y >= UNDERLINE_ROW)
			rows[y] = 0xffff;
}

/* Two pixels in a store. The builtin is a single move, which memcpy here is not. */
static uint32_t *put_two(uint32_t *to, uint64_t two)
{
	__builtin_memcpy(to, &two, sizeof(two));
	return to + 2;
}

static void rect_fill(const struct term_surface *s, struct term_rect r, uint32_t colour)
{
	uint32_t *line = s->pixels + (size_t)r.y * s->stride + r.x;
	uint64_t two = (uint64_t)colour << 32 | colour;

	for (uint32_t y = 0; y < r.height; y++, line += s->stride) {
		uint32_t *to = line, left = r.width;
		for (; left >= 8; left -= 8)
			to = put_two(put_two(put_two(put_two(to, two), two), two), two);
		while (left-- > 0)
			*to++ = colour;
	}
}

/* One row of bits as one row of pixels. */
static void expand(uint32_t *to, uint16_t bits, unsigned n, unsigned scale, uint32_t fg, uint32_t bg)
{
	for (unsigned x = 0; x < n; x++, bits = (uint16_t)(bits << 1))
		for (unsigned i = 0; i < scale; i++)
			*to++ = bits & 0x8000 ? fg : bg;
}

/* The same at scale 1; pair: the pixels of two bits. */
static void expand_pairs(uint32_t *to, uint16_t bits, unsigned columns, const uint64_t pair[4])
{
	for (unsigned i = 0; i < columns; i++, bits = (uint16_t)(bits << 8))
		to = put_two(put_two(put_two(put_two(to, pair[bits >> 14]), pair[bits >> 12 & 3]), pair[bits >> 10 & 3]), pair[bits >> 8 & 3]);
}

/* Draws `columns` columns of a cell at a place that is wholly inside the surface. */
static void cell_draw(const struct term_face *f, const struct term_surface *s, unsigned row, unsigned col, unsigned columns, const uint16_t rows[FONT_HEIGHT],
	uint32_t fg, uint32_t bg)
{
	size_t width = (size_t)columns * FONT_WIDTH * f->scale;
	uint32_t *to = s->pixels + (size_t)row * FONT_HEIGHT * f->scale * s->stride + (size_t)col * FONT_WIDTH * f->scale;
	uint64_t left[2] = { bg, fg }, right[2] = { (uint64_t)bg << 32, (uint64_t)fg << 32 };
	const uint64_t pair[4] = { left[0] | right[0], left[0] | right[1], left[1] | right[0], left[1] | right[1] };

	if (f->scale == 1) {
		for (unsigned y = 0; y < FONT_HEIGHT; y++, to += s->stride)
			expand_pairs(to, rows[y], columns, pair);
		return;
	}
	for (unsigned y = 0; y < FONT_HEIGHT; y++) {
		uint32_t *first = to;
		expand(to, rows[y], columns * FONT_WIDTH, f->scale, fg, bg);
		to += s->stride;
		for (unsigned i = 1; i < f->scale; i++, to += s->stride)
			memcpy(to, first, width * sizeof(*to));
	}
}

/* ---- rows ---- */

/* How many rows and columns of the terminal are on the surface. */
static void visible(const struct term *t, const struct term_face *f, const struct term_surface *s, unsigned *rows, unsigned *cols)
{
	*rows = MIN((uint32_t)t->head.rows, s->height / (FONT_HEIGHT * f->scale));
	*cols = MIN((uint32_t)t->head.cols, s->width / (FONT_WIDTH * f->scale));
}

static struct term_rect pixels_of(const struct term_face *f, unsigned row, unsigned rows, unsigned col, unsigned cols)
{
	unsigned w = FONT_WIDTH * f->scale, h = FONT_HEIGHT * f->scale;

	return (struct term_rect){ col * w, row * h, cols * w, rows * h };
}

/* Half way to the background. */
static uint32_t faint(uint32_t fg, uint32_t bg)
{
	return (fg >> 1 & 0x7f7f7f) + (bg >> 1 & 0x7f7f7f);
}

/* It has a background and nothing else. */
static bool plain(const struct term_cell *c)
{
	uint32_t code = c->code & ~(TERM_BOLD | TERM_ITALIC | TERM_BLINK | TERM_REVERSE | TERM_PROTECTED);

	return ((code == 0 || code == ' ') && !c->mark[0] && !c->mark[1]) || c->fg & TERM_CONCEALED;
}

static bool under_cursor(struct term_cursor cursor, unsigned row, unsigned col, unsigned columns)
{
	return cursor.visible && cursor.row == row && cursor.col >= col && cursor.col < col + columns;
}

static void span_draw(const struct term *t, const struct term_face *f, const struct term_surface *s, unsigned row, unsigned from, unsigned to)
{
	const struct term_cell *c = term_row(t, row);
	struct term_cursor cursor = term_cursor(t);
	bool reversed = term_reversed(t);

	for (unsigned col = from; col < to;) {
		uint16_t rows[FONT_HEIGHT];
		unsigned columns = c[col].code & TERM_WIDE && col + 1 < to ? 2 : 1;
		uint32_t fg = term_colour(f, c[col].fg, f->fg), bg = term_colour(f, c[col].bg, f->bg), alike = c[col].code & TERM_REVERSE;
		if (c[col].fg & TERM_FAINT)
			fg = faint(fg, bg);
		bool swap = reversed != !!alike, in_cursor = under_cursor(cursor, row, col, columns);

		if (!in_cursor && plain(&c[col])) {
			unsigned end = col + 1;
			while (end < to && plain(&c[end]) && c[end].bg == c[col].bg && c[end].fg == c[col].fg && (c[end].code & TERM_REVERSE) == alike &&
			       !under_cursor(cursor, row, end, 1))
				end++;
			rect_fill(s, pixels_of(f, row, 1, col, end - col), swap ? fg : bg);
			col = end;
			continue;
		}
		cell_rows(f, &c[col], rows);
		if (in_cursor)
			cursor_rows(cursor.shape, rows);
		cell_draw(f, s, row, col, columns, rows, swap ? bg : fg, swap ? fg : bg);
		col += columns;
	}
}

/* ---- what to tell ---- */

struct list {
	struct term_rect *rect;
	size_t n, room;
};

static void unite(struct term_rect *a, struct term_rect b)
{
	uint32_t right = MAX(a->x + a->width, b.x + b.width), bottom = MAX(a->y + a->height, b.y + b.height);

	a->x = MIN(a->x, b.x);
	a->y = MIN(a->y, b.y);
	a->width = right - a->x;
	a->height = bottom - a->y;
}

/* Rows that are alike below each other are one rectangle; without room for more the last one grows. */
static void tell(struct list *l, struct term_rect r)
{
	struct term_rect *last = l->n ? &l->rect[l->n - 1] : NULL;

	for (size_t i = 0; i < l->n; i++)
		if (r.x >= l->rect[i].x && r.x + r.width <= l->rect[i].x + l->rect[i].width && r.y >= l->rect[i].y && r.y + r.height <= l->rect[i].y + l->rect[i].height)
			return;
	if (last && ((last->x == r.x && last->width == r.width && last->y + last->height == r.y) || l->n == l->room))
		unite(last, r);
	else
		l->rect[l->n++] = r;
}

/* What of the drawn lines is beside and below the cells. */
static void margins_draw(const struct term_face *f, const struct term_surface *s, uint32_t lines, unsigned rows, unsigned cols)
{
	struct term_rect cells = pixels_of(f, 0, rows, 0, cols);

	rect_fill(s, (struct term_rect){ cells.width, 0, s->width - cells.width, lines }, f->bg);
	if (lines > cells.height)
		rect_fill(s, (struct term_rect){ 0, cells.height, cells.width, lines - cells.height }, f->bg);
}

/* Copies the pixels of what scrolled. What comes from below the surface's border has none: it is to be drawn. */
static void move_draw(struct term *t, const struct term_face *f, const struct term_surface *s, uint32_t drawn, struct list *l)
{
	const struct term_damage *d = term_damage(t);
	unsigned rows, cols, up = (unsigned)(d->moved.up < 0 ? -d->moved.up : d->moved.up);

	visible(t, f, s, &rows, &cols);
	if (d->moved.row >= rows || d->moved.col >= cols)
		return;
	unsigned n_rows = MIN(d->moved.rows, rows - d->moved.row), n_cols = MIN(d->moved.cols, cols - d->moved.col);
	for (unsigned i = n_rows > up ? n_rows - up : 0; i < n_rows && d->moved.up > 0; i++)
		damage_span(t, d->moved.row + i, d->moved.col, d->moved.col + n_cols);
	struct term_rect r = pixels_of(f, d->moved.row, n_rows, d->moved.col, n_cols);
	if (up == 0 || n_rows <= up || r.y >= drawn)
		return;
	size_t distance = (size_t)up * FONT_HEIGHT * f->scale, lines = r.height - distance;
	for (size_t i = 0; i < lines; i++) {
		size_t to = r.y + (d->moved.up > 0 ? i : r.height - 1 - i), from = d->moved.up > 0 ? to + distance : to - distance;
		memcpy(s->pixels + to * s->stride + r.x, s->pixels + from * s->stride + r.x, (size_t)r.width * sizeof(*s->pixels));
	}
	tell(l, r);
}

/* The cursor was drawn into a cell that may have been moved since, and is in another now. */
static void cursor_damage(struct term *t, const struct term_drawn *d)
{
	struct term_cursor old = d->cursor, now = term_cursor(t);
	int up = t->damage.moved.up, row = old.row;

	if (up == 0 && memcmp(&old, &now, sizeof(old)) == 0)
		return;
	if (old.visible) {
		bool went = up && row >= t->damage.moved.row && row < t->damage.moved.row + t->damage.moved.rows &&
			old.col >= t->damage.moved.col && old.col < t->damage.moved.col + t->damage.moved.cols;
		if (went)
			row -= up;
		if (row >= 0 && row < t->head.rows && old.col < t->head.cols)
			damage_span(t, (unsigned)row, old.col, old.col + 1u);
	}
	if (now.visible)
		damage_span(t, now.row, now.col, now.col + 1u);
}

/* ---- what of the surface is the ground still ---- */

/* All of it looks like the ground. */
static bool row_blank(const struct term *t, struct term_cursor cursor, unsigned row, unsigned cols)
{
	const struct term_cell *c = term_row(t, row);

	for (unsigned col = 0; col < cols; col++)
		if (!plain(&c[col]) || c[col].bg || c[col].code & TERM_REVERSE)
			return false;
	return !(cursor.visible && cursor.row == row) && !term_reversed(t);
}

/* The lines that may be drawn on when what scrolled has been moved. */
static uint32_t lines_moved(const struct term *t, const struct term_drawn *d, const struct term_face *f, unsigned rows)
{
	const struct term_damage *m = &t->damage;
	unsigned h = FONT_HEIGHT * f->scale;

	if (!d->begun || m->moved.up == 0 || m->moved.row * h >= d->lines)
		return d->lines;
	return MAX(d->lines, MIN((unsigned)m->moved.row + m->moved.rows, rows) * h);
}

uint32_t term_draw_lines(const struct term *t, const struct term_drawn *d, const struct term_face *f, const struct term_surface *s)
{
	struct term_cursor cursor = term_cursor(t);
	unsigned rows, cols, h = FONT_HEIGHT * f->scale;

	visible(t, f, s, &rows, &cols);
	uint32_t lines = lines_moved(t, d, f, rows);
	for (unsigned row = rows; row > 0 && row * h > lines; row--) {
		const struct term_span *damage = &t->damage.row[row - 1];
		bool look = !d->begun || damage->from < MIN((unsigned)damage->to, cols) || (cursor.visible && cursor.row == row - 1);
		if (look && !row_blank(t, cursor, row - 1, cols))
			return row * h;
	}
	return lines;
}

size_t term_draw(struct term *t, struct term_drawn *d, const struct term_face *f, const struct term_surface *s, struct term_rect *rects, size_t room)
{
	struct list l = { rects, 0, room };
	struct term_cursor cursor = term_cursor(t);
	unsigned rows, cols, h = FONT_HEIGHT * f->scale;

	visible(t, f, s, &rows, &cols);
	uint32_t drawn = lines_moved(t, d, f, rows);
	d->lines = term_draw_lines(t, d, f, s);
	if (!d->begun) {
		margins_draw(f, s, drawn, rows, cols);
		if (drawn > 0)
			tell(&l, (struct term_rect){ 0, 0, s->width, d->lines });
		term_damage_all(t);
	}
	cursor_damage(t, d);
	move_draw(t, f, s, drawn, &l);
	for (unsigned row = 0; row < rows; row++) {
		unsigned from = t->damage.row[row].from, to = MIN((unsigned)t->damage.row[row].to, cols);
		if (from >= to || (row * h >= drawn && row_blank(t, cursor, row, cols)))
			continue;
		/* Never half a wide character. */
		const struct term_cell *c = term_row(t, row);
		if (c[from].code & TERM_TAIL && from > 0)
			from--;
		if (c[to - 1].code & TERM_WIDE && to < cols)
			to++;
		span_draw(t, f, s, row, from, to);
		tell(&l, pixels_of(f, row, 1, from, to - from));
	}
	d->begun = true;
	d->cursor = cursor;
	term_seen(t);
	return l.n;
}

/*
 * term_cells: the rows of a terminal as slots in a pool. A slot that the committed head names is never written: a row that changes
 * moves to a free one first. So a scroll of whole rows only changes who has which slot, and the history is slots, too.
 *
 * How many slots there are: both screens and the history, what one step of input may use up, and TERM_SLACK. A step is a run
 * of TERM_RUN characters or one sequence: it changes each row once (rows_max), and it makes new rows: as many as the screen has, or one for every four
 * characters of the run where the screen is narrow (TERM_COLS_MIN).
 *
 * Memory for the last of them may come later, or never: `cold` ones are at the bottom of the stack of free ones and stay there. Both screens and one step are always
 * there for (term_size_least), so dropping the history makes room.
 */
#include <string.h>
#include "term_inside.h"

void cells_layout(const struct term_shape *s, uint32_t *slots, uint32_t *ring_len, uint32_t *need)
{
	*need = 2u * s->rows_max + TERM_RUN / (TERM_COLS_MIN / 2) + 2;
	*slots = 2u * s->rows_max + s->history + *need + TERM_SLACK;
	*ring_len = s->history + *need + TERM_SLACK;
}

size_t cells_size(const struct term *t, uint32_t slots)
{
	return (size_t)((uint8_t *)t->cells - (uint8_t *)t->saved) + (size_t)slots * t->head.cols_max * sizeof(struct term_cell);
}

static bool grow(struct term *t)
{
	uint32_t n = MIN(t->cold, MAX((uint32_t)(TERM_GROWTH / (t->head.cols_max * sizeof(struct term_cell))), 1u));

	if (n == 0 || !t->more || !t->more(t->more_ctx, cells_size(t, t->slots - t->cold + n)))
		return false;
	t->cold -= n;
	return true;
}

/* Grows until `n` slots are free, counting those that the next commit sets free; false: there is no memory for that. */
static bool have(struct term *t, uint32_t n, uint32_t gones)
{
	while (t->frees - t->cold + gones < n)
		if (!grow(t))
			return false;
	return true;
}

bool cells_room(struct term *t)
{
	return t->head.history_put - t->put_before <= TERM_SLACK && have(t, t->need, 0);
}

/* ---- slots ---- */

static struct term_cell *slot_cells(const struct term *t, uint16_t slot)
{
	return t->cells + (size_t)slot * t->head.cols_max;
}

static uint16_t *rows_of(struct term *t)
{
	return t->head.map[t->head.alt];
}

static uint16_t slot_take(struct term *t)
{
	/* term_write stops in time: see above. */
	if (t->frees == t->cold)
		__builtin_trap();
	uint16_t slot = t->free[--t->frees];
	t->state[slot] = SLOT_NEW;
	return slot;
}

static void slot_drop(struct term *t, uint16_t slot)
{
	if (t->state[slot] == SLOT_KEPT) {
		t->state[slot] = SLOT_GONE;
		t->gone[t->gones++] = slot;
	} else {
		t->state[slot] = SLOT_FREE;
		t->free[t->frees++] = slot;
	}
}

static struct term_cell blank_of(const struct term *t)
{
	return (struct term_cell){ .bg = t->pen.bg };
}

static void fill(struct term_cell *cells, unsigned n, struct term_cell with)
{
	for (unsigned i = 0; i < n; i++)
		cells[i] = with;
}

/* A slot for a blank row: the screen's columns in the present background, those beyond in none. */
static uint16_t slot_blank(struct term *t, struct term_cell blank)
{
	uint16_t slot = slot_take(t);

	fill(slot_cells(t, slot), t->head.cols, blank);
	memset(slot_cells(t, slot) + t->head.cols, 0, (size_t)(t->head.cols_max - t->head.cols) * sizeof(struct term_cell));
	return slot;
}

/* The row's cells, to be written. */
static struct term_cell *row_own(struct term *t, uint16_t *slot)
{
	if (t->state[*slot] == SLOT_KEPT) {
		uint16_t copy = slot_take(t);
		memcpy(slot_cells(t, copy), slot_cells(t, *slot), (size_t)t->head.cols_max * sizeof(struct term_cell));
		slot_drop(t, *slot);
		*slot = copy;
	}
	return slot_cells(t, *slot);
}

static struct term_cell *row_cells(struct term *t, int row)
{
	return row_own(t, &rows_of(t)[row]);
}

/* ---- life ---- */

static bool claim(struct term *t, uint16_t slot)
{
	if (slot >= t->slots || t->state[slot] != SLOT_FREE)
		return false;
	t->state[slot] = SLOT_KEPT;
	return true;
}

bool cells_load(struct term *t)
{
	const struct term_head *h = &t->head;
	bool good = true;

	memset(t->state, SLOT_FREE, t->slots);
	for (unsigned which = 0; which <= h->alt; which++)
		for (unsigned row = 0; row < h->rows && good; row++)
			good = claim(t, h->map[which][row]);
	for (uint64_t i = 0; i < h->history && good; i++) {
		if (claim(t, t->ring[(h->history_put - 1 - i) % t->ring_len]))
			continue;
		/* Lines before one that a crash scribbled over. */
		t->head.history = (uint32_t)i;
		break;
	}
	t->put_before = h->history_put;
	t->frees = t->gones = 0;
	for (uint32_t slot = t->slots; slot-- > 0;)
		if (t->state[slot] == SLOT_FREE)
			t->free[t->frees++] = (uint16_t)slot;
		else if (good && slot >= t->slots - t->cold)    /* what was in use had memory, and so had what is before it */
			t->cold = t->slots - slot - 1;
	return good;
}

void cells_begin(struct term *t)
{
	memset(t->state, SLOT_FREE, t->slots);
	t->put_before = t->head.history_put;
	t->frees = t->gones = 0;
	for (uint32_t slot = t->slots; slot-- > 0;)
		t->free[t->frees++] = (uint16_t)slot;
	for (unsigned row = 0; row < t->head.rows; row++)
		t->head.map[0][row] = slot_blank(t, (struct term_cell){ 0 });
}

void cells_commit(struct term *t)
{
	for (unsigned which = 0; which <= t->head.alt; which++)
		for (unsigned row = 0; row < t->head.rows; row++)
			t->state[t->head.map[which][row]] = SLOT_KEPT;
	uint64_t fresh = MIN(t->head.history_put - t->put_before, (uint64_t)t->head.history);
	for (uint64_t i = 1; i <= fresh; i++)
		t->state[t->ring[(t->head.history_put - i) % t->ring_len]] = SLOT_KEPT;
	t->put_before = t->head.history_put;
	while (t->gones > 0) {
		uint16_t slot = t->gone[--t->gones];
		t->state[slot] = SLOT_FREE;
		t->free[t->frees++] = slot;
	}
}

/* ---- history ---- */

static void history_put(struct term *t, uint16_t slot)
{
	struct term_head *h = &t->head;

	if (h->history_max == 0) {
		slot_drop(t, slot);
		return;
	}
	if (h->history == h->history_max) {
		slot_drop(t, t->ring[(h->history_put - h->history) % t->ring_len]);
		h->history--;
	}
	/* The ring is longer than the history by all that is put between two commits (cells_room): no line of the committed one is overwritten. */
	t->ring[h->history_put++ % t->ring_len] = slot;
	h->history++;
	if (t->view > 0)        /* who looks back goes on seeing the same lines */
		t->view = MIN(t->view + 1, h->history);
}

void cells_settle(struct term *t)
{
	if (have(t, t->need, t->gones))
		return;
	while (t->head.history > 0 && t->frees - t->cold + t->gones < t->need + TERM_SPARE)
		slot_drop(t, t->ring[(t->head.history_put - t->head.history--) % t->ring_len]);
	if (t->view > t->head.history) {
		t->view = t->head.history;
		term_damage_all(t);
	}
}

void cells_forget_history(struct term *t)
{
	while (t->head.history > 0)
		slot_drop(t, t->ring[(t->head.history_put - t->head.history--) % t->ring_len]);
	if (t->view)
		term_damage_all(t);
	t->view = 0;
}

unsigned term_history(const struct term *t)
{
	return t->head.history;
}

unsigned term_view(const struct term *t)
{
	return t->view;
}

void term_view_by(struct term *t, int lines)
{
	int64_t to = (int64_t)t->view + lines;
	uint32_t most = t->head.alt ? 0 : t->head.history;
	uint32_t view = to < 0 ? 0 : (uint32_t)MIN(to, (int64_t)most);

	if (view != t->view)
		term_damage_all(t);
	t->view = view;
}

const struct term_cell *term_row(const struct term *t, unsigned row)
{
	if (row < t->view)
		return slot_cells(t, t->ring[(t->head.history_put - t->view + row) % t->ring_len]);
	return slot_cells(t, t->head.map[t->head.alt][row - t->view]);
}

/* ---- changes ---- */

static void changed(struct term *t, int row, int from, int to)
{
	unsigned seen = (unsigned)row + t->view;

	if (seen < t->head.rows)
		damage_span(t, seen, (unsigned)from, (unsigned)to);
}

/* No half of a wide character is left alone at the border before column `col`. */
static void mend(struct term *t, int row, int col)
{
	struct term_cell *c = row_cells(t, row);
	bool left = col > 0 && c[col - 1].code & TERM_WIDE, right = col < t->head.cols && c[col].code & TERM_TAIL;

	if (left && !right) {
		c[col - 1] = (struct term_cell){ .bg = c[col - 1].bg };
		changed(t, row, col - 1, col);
	}
	if (right && !left) {
		c[col] = (struct term_cell){ .bg = c[col].bg };
		changed(t, row, col, col + 1);
	}
}

void cells_put(struct term *t, uint32_t code, int width, VTermPos pos)
{
	struct term_cell *c = row_cells(t, pos.row) + pos.col;
	/* Only a half of a wide character that is overwritten can leave the other one alone. */
	bool left = c[0].code & TERM_TAIL, right = c[width - 1].code & TERM_WIDE;

	c[0] = t->pen;
	c[0].code |= code & TERM_CODE;
	if (width == 2) {
		c[1] = t->pen;
		c[1].code |= TERM_TAIL;
		c[0].code |= TERM_WIDE;
	}
	changed(t, pos.row, pos.col, pos.col + width);
	if (left)
		mend(t, pos.row, pos.col);
	if (right)
		mend(t, pos.row, pos.col + width);
}

void cells_run(struct term *t, const uint8_t *ascii, int n, VTermPos pos)
{
	struct term_cell *c = row_cells(t, pos.row) + pos.col;
	bool left = c[0].code & TERM_TAIL, right = c[n - 1].code & TERM_WIDE;

	for (int i = 0; i < n; i++) {
		c[i] = t->pen;
		c[i].code |= ascii[i];
	}
	changed(t, pos.row, pos.col, pos.col + n);
	if (left)
		mend(t, pos.row, pos.col);
	if (right)
		mend(t, pos.row, pos.col + n);
}

void cells_mark(struct term *t, VTermPos pos, uint16_t mark)
{
	struct term_cell *c = row_cells(t, pos.row) + pos.col;

	for (unsigned i = 0; i < TERM_MARKS; i++)
		if (c->mark[i] == 0) {
			c->mark[i] = mark;
			changed(t, pos.row, pos.col, MIN(pos.col + 2, (int)t->head.cols));
			return;
		}
}

static void erase_row(struct term *t, int row, int from, int to, bool selective)
{
	uint16_t *slot = &rows_of(t)[row];

	if (!selective && from == 0 && to == t->head.cols) {
		slot_drop(t, *slot);
		*slot = slot_blank(t, blank_of(t));
		changed(t, row, from, to);
		return;
	}
	struct term_cell *c = row_own(t, slot);
	for (int col = from; col < to; col++)
		if (!selective || !(c[col].code & TERM_PROTECTED))
			c[col] = blank_of(t);
	changed(t, row, from, to);
	for (int col = from; col <= to; col += selective ? 1 : MAX(to - from, 1))
		mend(t, row, col);
}

void cells_erase(struct term *t, VTermRect rect, bool selective)
{
	for (int row = rect.start_row; row < rect.end_row; row++)
		if (rect.start_col < rect.end_col)
			erase_row(t, row, rect.start_col, rect.end_col, selective);
}

/* Whole rows go up: those at the top leave, blank ones come in at the bottom. */
static void rows_up(struct term *t, int top, int bottom, int n)
{
	uint16_t *map = rows_of(t);

	for (int row = top; row < top + n; row++)
		if (top == 0 && !t->head.alt)
			history_put(t, map[row]);
		else
			slot_drop(t, map[row]);
	memmove(map + top, map + top + n, (size_t)(bottom - top - n) * sizeof(*map));
	for (int row = bottom - n; row < bottom; row++)
		map[row] = slot_blank(t, blank_of(t));
}

static void rows_down(struct term *t, int top, int bottom, int n)
{
	uint16_t *map = rows_of(t);

	for (int row = bottom - n; row < bottom; row++)
		slot_drop(t, map[row]);
	memmove(map + top + n, map + top, (size_t)(bottom - top - n) * sizeof(*map));
	for (int row = top; row < top + n; row++)
		map[row] = slot_blank(t, blank_of(t));
}

/* A part of each row goes up or down. */
static void columns_vertical(struct term *t, VTermRect r, int up)
{
	int n = r.end_row - r.start_row - (up < 0 ? -up : up), cols = r.end_col - r.start_col;

	for (int i = 0; i < n; i++) {
		int to = up > 0 ? r.start_row + i : r.end_row - 1 - i;
		memcpy(row_cells(t, to) + r.start_col, slot_cells(t, rows_of(t)[to + up]) + r.start_col, (size_t)cols * sizeof(struct term_cell));
		mend(t, to, r.start_col);
		mend(t, to, r.end_col);
	}
	for (int row = up > 0 ? r.end_row - up : r.start_row; row < (up > 0 ? r.end_row : r.start_row - up); row++)
		erase_row(t, row, r.start_col, r.end_col, false);
}

static void columns_horizontal(struct term *t, VTermRect r, int left)
{
	int n = r.end_col - r.start_col - (left < 0 ? -left : left);

	for (int row = r.start_row; row < r.end_row; row++) {
		struct term_cell *c = row_cells(t, row) + r.start_col;
		if (left > 0) {
			memmove(c, c + left, (size_t)n * sizeof(*c));
			fill(c + n, (unsigned)left, blank_of(t));
		} else {
			memmove(c - left, c, (size_t)n * sizeof(*c));
			fill(c, (unsigned)-left, blank_of(t));
		}
		changed(t, row, r.start_col, r.end_col);
		mend(t, row, r.start_col);
		mend(t, row, left > 0 ? r.start_col + n : r.start_col - left);
		mend(t, row, r.end_col);
	}
}

void cells_scroll(struct term *t, VTermRect r, int up, int left)
{
	int rows = r.end_row - r.start_row, cols = r.end_col - r.start_col;

	if (rows <= 0 || cols <= 0)
		return;
	up = MAX(MIN(up, rows), -rows);
	left = MAX(MIN(left, cols), -cols);
	if (left)
		columns_horizontal(t, r, left);
	if (!up)
		return;
	damage_move(t, r, up);          /* first: what is changed below is where it is after the move */
	bool whole = cols == t->head.cols;
	if (!whole)
		columns_vertical(t, r, up);
	else if (up > 0)
		rows_up(t, r.start_row, r.end_row, up);
	else
		rows_down(t, r.start_row, r.end_row, -up);
}

void cells_alternate(struct term *t, bool on)
{
	if (on == (bool)t->head.alt)
		return;
	if (on)
		for (unsigned row = 0; row < t->head.rows; row++)
			t->head.map[1][row] = slot_blank(t, blank_of(t));
	else
		for (unsigned row = 0; row < t->head.rows; row++)
			slot_drop(t, t->head.map[1][row]);
	t->head.alt = on;
	t->view = 0;
	term_damage_all(t);
}

/* ---- size ---- */

/* `up` rows leave at the top, what else is too much at the bottom. */
static void map_resize(struct term *t, unsigned which, unsigned rows, unsigned cols, unsigned up)
{
	uint16_t *map = t->head.map[which];
	unsigned old = t->head.rows;

	for (unsigned row = 0; row < up; row++)
		if (which == 0)
			history_put(t, map[row]);
		else
			slot_drop(t, map[row]);
	memmove(map, map + up, (old - up) * sizeof(*map));
	old -= up;
	for (unsigned row = rows; row < old; row++)
		slot_drop(t, map[row]);
	for (unsigned row = 0; row < MIN(old, rows) && cols < t->head.cols; row++) {
		struct term_cell *c = row_own(t, &map[row]);
		memset(c + cols, 0, (size_t)(t->head.cols - cols) * sizeof(*c));
		if (c[cols - 1].code & TERM_WIDE)
			c[cols - 1] = (struct term_cell){ .bg = c[cols - 1].bg };
	}
	for (unsigned row = old; row < rows; row++)
		map[row] = slot_blank(t, (struct term_cell){ 0 });
}

void cells_resize(struct term *t, unsigned rows, unsigned cols, const unsigned up[2])
{
	for (unsigned which = 0; which <= t->head.alt; which++)
		map_resize(t, which, rows, cols, up[which]);
	t->head.rows = (uint16_t)rows;
	t->head.cols = (uint16_t)cols;
	t->view = 0;
}

/*
 * term: the head of a terminal, its two copies, and what of it lies where in memory. See term.h.
 *
 * In memory: the two heads, the ring of the history, the cells.
 */
#include <gen/errors.h>
#include <stdlib.h>
#include <string.h>
#include "term_inside.h"

/* ---- layout ---- */

static bool shape_good(const struct term_shape *s)
{
	return s->rows_max <= TERM_ROWS_MAX && s->cols_max <= TERM_COLS_MAX && s->history <= TERM_HISTORY_MAX && s->rows >= TERM_ROWS_MIN &&
		s->cols >= TERM_COLS_MIN && s->rows <= s->rows_max && s->cols <= s->cols_max;
}

static size_t cells_at(uint32_t ring_len)
{
	return ALIGN_UP(2 * sizeof(struct term_head) + ring_len * sizeof(uint16_t), 64);
}

static size_t size_with(const struct term_shape *s, bool history)
{
	uint32_t slots, ring_len, need;

	if (!shape_good(s))
		return 0;
	cells_layout(s, &slots, &ring_len, &need);
	return cells_at(ring_len) + (size_t)(history ? slots : 2u * s->rows_max + need) * s->cols_max * sizeof(struct term_cell);
}

size_t term_size(const struct term_shape *s)
{
	return size_with(s, true);
}

size_t term_size_least(const struct term_shape *s)
{
	return size_with(s, false);
}

/* ---- heads ---- */

/* FNV-1a, 64 bits, by words: it guards against scribbling, not against malice. */
static uint64_t head_check(const struct term_head *h)
{
	uint64_t sum = 0xcbf29ce484222325ull, word;

	for (size_t at = 0; at < offsetof(struct term_head, check); at += sizeof(word)) {
		memcpy(&word, (const uint8_t *)h + at, sizeof(word));
		sum = (sum ^ word) * 0x100000001b3ull;
	}
	return sum;
}

static bool place_good(const struct term_head *h, int row, int col)
{
	return row >= 0 && row < h->rows && col >= 0 && col < h->cols;
}

/* A crashed instance may have summed nonsense: what is not clamped later is checked. */
static bool head_valid(const struct term_head *h, const struct term_shape *s)
{
	return h->magic == TERM_MAGIC && h->version == TERM_VERSION && h->check == head_check(h) && h->rows_max == s->rows_max &&
		h->cols_max == s->cols_max && h->history_max == s->history && h->rows >= TERM_ROWS_MIN && h->rows <= h->rows_max &&
		h->cols >= TERM_COLS_MIN && h->cols <= h->cols_max && h->alt <= 1 && h->history <= h->history_max &&
		h->history <= h->history_put && h->last_code <= 0x10ffff && place_good(h, h->last_row, h->last_col) &&
		h->reply_put - h->reply_taken <= TERM_REPLIES && h->gate.state < GATE_STATES && h->gate.len <= TERM_PENDING;
}

static bool head_load(struct term *t, const struct term_shape *s)
{
	bool valid[2] = { head_valid(&t->saved[0], s), head_valid(&t->saved[1], s) };
	bool second = valid[1] && (!valid[0] || (int64_t)(t->saved[1].seq - t->saved[0].seq) > 0);

	if (!valid[0] && !valid[1])
		return false;
	memcpy(&t->head, &t->saved[second], sizeof(t->head));
	return true;
}

static void head_begin(struct term *t, const struct term_shape *s)
{
	struct term_head *h = &t->head;

	memset(h, 0, sizeof(*h));
	h->magic = TERM_MAGIC;
	h->version = TERM_VERSION;
	h->rows = s->rows, h->cols = s->cols, h->rows_max = s->rows_max, h->cols_max = s->cols_max, h->history_max = s->history;
	vt_begin(t);
	cells_begin(t);
}

void term_commit(struct term *t, const struct term_mark *mark)
{
	cells_settle(t);
	vt_save(t);
	if (mark)
		t->head.mark = *mark;
	t->head.seq++;
	t->head.check = head_check(&t->head);
	/* Its data lies before it: a kill comes between two stores, so the order is the compiler's to keep. */
	__asm__ volatile("" ::: "memory");
	memcpy(&t->saved[t->head.seq & 1], &t->head, sizeof(t->head));
	__asm__ volatile("" ::: "memory");
	cells_commit(t);
}

const struct term_mark *term_mark(const struct term *t)
{
	return &t->head.mark;
}

/* ---- life ---- */

static bool tables_make(struct term *t)
{
	t->state = calloc(t->slots, sizeof(*t->state));
	t->free = calloc(t->slots, sizeof(*t->free));
	t->gone = calloc(t->slots, sizeof(*t->gone));
	return t->state && t->free && t->gone;
}

status_t term_open(struct term **out, void *memory, size_t size, const struct term_shape *s)
{
	struct term *t;

	if (term_size(s) == 0 || size < term_size_least(s))
		return ERR_INVALID;
	t = calloc(1, sizeof(*t));
	if (!t)
		return ERR_NO_MEMORY;
	cells_layout(s, &t->slots, &t->ring_len, &t->need);
	t->saved = memory;
	t->ring = (uint16_t *)(t->saved + 2);
	t->cells = (struct term_cell *)((uint8_t *)memory + cells_at(t->ring_len));
	t->cold = t->slots - (uint32_t)MIN((size_t)t->slots, (size - cells_at(t->ring_len)) / (s->cols_max * sizeof(struct term_cell)));
	if (!tables_make(t)) {
		term_close(t);
		return ERR_NO_MEMORY;
	}
	bool old = head_load(t, s) && cells_load(t);
	if (!old)
		head_begin(t, s);
	if (!vt_open(t)) {
		term_close(t);
		return ERR_NO_MEMORY;
	}
	if (!old)
		term_commit(t, NULL);
	term_damage_all(t);
	*out = t;
	return OK;
}

void term_grows(struct term *t, bool (*more)(void *ctx, size_t size), void *ctx)
{
	t->more = more;
	t->more_ctx = ctx;
}

void term_close(struct term *t)
{
	vt_close(t);
	free(t->state);
	free(t->free);
	free(t->gone);
	free(t);
}

size_t term_write(struct term *t, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	size_t n = 0;

	while (n < len && cells_room(t))
		n += gate_step(t, p + n, len - n);
	return n;
}

/* How many rows must leave at the top so that this one stays. */
static unsigned rows_above(int row, unsigned rows)
{
	return row >= (int)rows ? (unsigned)row - rows + 1 : 0;
}

/* The row of the cursor stays on the screen: rows above it go to the history. Behind the alternate screen the primary one keeps the row where its cursor was saved. */
status_t term_resize(struct term *t, unsigned rows, unsigned cols)
{
	struct term_head *h = &t->head;
	struct term_vt *v = &h->vt;

	if (rows < TERM_ROWS_MIN || rows > h->rows_max || cols < TERM_COLS_MIN || cols > h->cols_max)
		return ERR_INVALID;
	term_commit(t, NULL);
	unsigned up[2] = { rows_above(h->alt ? v->saved[0].row : v->row, rows), h->alt ? rows_above(v->row, rows) : 0 };
	v->row = (int16_t)(v->row - (int)up[h->alt]);
	for (unsigned i = 0; i < 2; i++)
		v->saved[i].row = (int16_t)MAX(v->saved[i].row - (int)MIN(up[i], (unsigned)TERM_ROWS_MAX), 0);
	v->top = v->left = 0;
	v->bottom = v->right = -1;
	/* A wrap that was put off is none where there is room. */
	if (v->modes & VT_PHANTOM && cols > h->cols) {
		v->col++;
		v->modes &= (uint16_t)~VT_PHANTOM;
	}
	h->last_code = 0;
	h->last_row = h->last_col = 0;
	cells_resize(t, rows, cols, up);
	vt_make(t);
	term_commit(t, NULL);
	term_seen(t);
	term_damage_all(t);
	return OK;
}

unsigned term_rows(const struct term *t)
{
	return t->head.rows;
}

unsigned term_cols(const struct term *t)
{
	return t->head.cols;
}

/* ---- replies ---- */

/* Whole or not at all. */
void term_put_reply(struct term *t, const char *bytes, size_t len)
{
	struct term_head *h = &t->head;

	if (len > TERM_REPLIES - (h->reply_put - h->reply_taken))
		return;
	for (size_t i = 0; i < len; i++)
		h->reply[h->reply_put++ % TERM_REPLIES] = (uint8_t)bytes[i];
}

size_t term_reply(const struct term *t, uint8_t *bytes, size_t room)
{
	const struct term_head *h = &t->head;
	uint32_t n = MIN((uint32_t)MIN(room, (size_t)TERM_REPLIES), h->reply_put - h->reply_taken);

	for (uint32_t i = 0; i < n; i++)
		bytes[i] = h->reply[(h->reply_taken + i) % TERM_REPLIES];
	return n;
}

void term_reply_taken(struct term *t, size_t n)
{
	t->head.reply_taken += MIN((uint32_t)MIN(n, (size_t)TERM_REPLIES), t->head.reply_put - t->head.reply_taken);
}

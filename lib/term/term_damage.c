/*
 * term_damage: what changed on the screen since somebody looked. A scroll is kept as a move of cells, so what was only
 * moved is not drawn again; there is one move at a time, and another one that does not fit to it becomes plain damage.
 */
#include <string.h>
#include "term_inside.h"

void damage_span(struct term *t, unsigned row, unsigned from, unsigned to)
{
	struct term_span *s = &t->damage.row[row];

	if (from >= to)
		return;
	if (s->from >= s->to) {
		*s = (struct term_span){ (uint16_t)from, (uint16_t)to };
		return;
	}
	s->from = MIN(s->from, (uint16_t)from);
	s->to = MAX(s->to, (uint16_t)to);
}

static void damage_rect(struct term *t, unsigned row, unsigned rows, unsigned col, unsigned cols)
{
	for (unsigned i = 0; i < rows; i++)
		damage_span(t, row + i, col, col + cols);
}

void term_damage_all(struct term *t)
{
	t->damage.moved.up = 0;
	damage_rect(t, 0, t->head.rows, 0, t->head.cols);
}

/* The damage inside the rectangle goes along with its cells; what was damaged beside it stays, both as one span. */
static void spans_move(struct term *t, VTermRect rect, int up)
{
	struct term_span old[TERM_ROWS_MAX];

	memcpy(old, t->damage.row, sizeof(old));
	for (int row = rect.start_row; row < rect.end_row; row++) {
		int from = row + up;
		bool inside = from >= rect.start_row && from < rect.end_row;
		struct term_span *s = &t->damage.row[row];

		/* What lies wholly inside leaves its row. */
		if (s->from >= rect.start_col && s->to <= rect.end_col)
			*s = (struct term_span){ 0, 0 };
		if (!inside) {
			damage_span(t, (unsigned)row, (unsigned)rect.start_col, (unsigned)rect.end_col);
			continue;
		}
		damage_span(t, (unsigned)row, (unsigned)MAX((int)old[from].from, rect.start_col), (unsigned)MAX(MIN((int)old[from].to, rect.end_col), 0));
	}
}

static bool all_damaged(const struct term *t, VTermRect rect)
{
	for (int row = rect.start_row; row < rect.end_row; row++)
		if (t->damage.row[row].from > rect.start_col || t->damage.row[row].to < rect.end_col)
			return false;
	return true;
}

void damage_move(struct term *t, VTermRect rect, int up)
{
	unsigned row = (unsigned)rect.start_row, col = (unsigned)rect.start_col;
	unsigned rows = (unsigned)(rect.end_row - rect.start_row), cols = (unsigned)(rect.end_col - rect.start_col);
	struct term_damage *d = &t->damage;

	if (t->view) {          /* what is to be seen is not what was moved */
		term_damage_all(t);
		return;
	}
	if (d->moved.up && (d->moved.row != row || d->moved.rows != rows || d->moved.col != col || d->moved.cols != cols)) {
		damage_rect(t, d->moved.row, d->moved.rows, d->moved.col, d->moved.cols);
		d->moved.up = 0;
	}
	spans_move(t, rect, up);
	d->moved.row = (uint16_t)row, d->moved.rows = (uint16_t)rows, d->moved.col = (uint16_t)col, d->moved.cols = (uint16_t)cols;
	d->moved.up += up;
	if (all_damaged(t, rect))       /* nothing that was seen is left to be moved */
		d->moved.up = 0;
}

const struct term_damage *term_damage(const struct term *t)
{
	return &t->damage;
}

void term_seen(struct term *t)
{
	t->damage.moved.up = 0;
	memset(t->damage.row, 0, sizeof(t->damage.row));
}

/*
 * model: for the tests: what is to be seen of a terminal, compared cell by cell, and a screen that is kept up only by what term_damage says.
 */
#pragma once
#include <stdlib.h>
#include <string.h>
#include "term.h"

static void require(bool good)
{
	if (!good)
		abort();
}

static void same_cells(const struct term_cell *a, const struct term_cell *b, unsigned n)
{
	require(memcmp(a, b, n * sizeof(*a)) == 0);
}

/* The screen, the cursor, the answers, and every line of the history. */
static unused void same_terminals(struct term *a, struct term *b)
{
	struct term_cursor ca = term_cursor(a), cb = term_cursor(b);
	uint8_t ra[512], rb[512];

	require(term_rows(a) == term_rows(b) && term_cols(a) == term_cols(b) && term_history(a) == term_history(b));
	require(ca.row == cb.row && ca.col == cb.col && ca.visible == cb.visible && ca.shape == cb.shape && term_reversed(a) == term_reversed(b));
	require(ca.row < term_rows(a) && ca.col < term_cols(a));
	for (unsigned row = 0; row < term_rows(a); row++)
		same_cells(term_row(a, row), term_row(b, row), term_cols(a));
	size_t n = term_reply(a, ra, sizeof(ra));
	require(n == term_reply(b, rb, sizeof(rb)) && memcmp(ra, rb, n) == 0);
	for (unsigned key = 1; key < TERM_KEY_KP_EQUAL; key++) {
		n = term_key(a, key, key & 7, ra);
		require(n <= TERM_KEY_BYTES && n == term_key(b, key, key & 7, rb) && memcmp(ra, rb, n) == 0);
	}
	term_view_by(a, TERM_HISTORY_MAX);
	term_view_by(b, TERM_HISTORY_MAX);
	while (term_view(a) > 0) {
		same_cells(term_row(a, 0), term_row(b, 0), term_cols(a));
		term_view_by(a, -1);
		term_view_by(b, -1);
	}
}

static struct term_cell shown[TERM_ROWS_MAX][TERM_COLS_MAX];

/* Does what the damage says, no more, and then the same must be there. */
static void follow(struct term *t)
{
	const struct term_damage *d = term_damage(t);
	unsigned cols = d->moved.cols;

	for (int i = 0, n = d->moved.up ? d->moved.rows - abs(d->moved.up) : 0; i < n; i++) {
		int to = d->moved.row + (d->moved.up > 0 ? i : d->moved.rows - 1 - i);
		memmove(&shown[to][d->moved.col], &shown[to + d->moved.up][d->moved.col], cols * sizeof(struct term_cell));
	}
	for (unsigned row = 0; row < term_rows(t); row++) {
		struct term_span s = d->row[row];
		if (s.from < s.to) {
			require(s.to <= term_cols(t));
			memcpy(&shown[row][s.from], &term_row(t, row)[s.from], (s.to - s.from) * sizeof(struct term_cell));
		}
		same_cells(shown[row], term_row(t, row), term_cols(t));
	}
	term_seen(t);
}

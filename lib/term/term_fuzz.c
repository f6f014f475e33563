/*
 * Any bytes, to two terminals. One takes them and is left in peace; the other is killed again and again: closed and taken up at any byte, before or after
 * a commit, resized as the first is. Both show the same to the last cell, line of history, answer and key; and a screen kept up by
 * what is reported as damage is the screen. The first has all its text from libvterm, the second prints what is plain itself. A third has little memory, and more of it
 * only at times: its screen is the same, and its history the latest lines of it.
 */
#include <sanitizer/asan_interface.h>
#include <utf8/utf8.c>
#include "term.c"
#include "term_cells.c"
#include "term_damage.c"
#include "term_vt.c"
static struct term *peaceful;
static size_t print_or_not(struct term *t, const uint8_t *ascii, size_t n)
{
	return t == peaceful ? 0 : vt_print(t, ascii, n);
}
#define vt_print print_or_not
#include "term_gate.c"
#include "term_keys.c"
#include "term_text.c"
#include "model.h"

static struct term_shape shape;
static void *memory[3];

static struct term *open_one(int which)
{
	struct term *t;
	require(term_open(&t, memory[which], term_size(&shape), &shape) == OK);
	return t;
}

/* What the third one has; the rest of its memory nobody may touch. */
static size_t there;
static uint8_t chance;

static bool more(void *ctx unused, size_t size)
{
	require(size <= term_size(&shape));
	if (size <= there)
		return true;
	chance = (uint8_t)(chance * 5 + 77);
	if (chance & 0x30)
		return false;
	ASAN_UNPOISON_MEMORY_REGION(memory[2], size);
	there = size;
	return true;
}

static struct term *open_small(void)
{
	struct term *t;
	require(term_open(&t, memory[2], term_size_least(&shape), &shape) == OK);
	term_grows(t, more, NULL);
	return t;
}

static void same_but_shorter(struct term *a, struct term *b)
{
	require(term_rows(a) == term_rows(b) && term_history(b) <= term_history(a));
	for (unsigned row = 0; row < term_rows(a); row++)
		same_cells(term_row(a, row), term_row(b, row), term_cols(a));
	term_view_by(a, (int)term_history(b));
	term_view_by(b, TERM_HISTORY_MAX);
	while (term_view(b) > 0) {
		same_cells(term_row(a, 0), term_row(b, 0), term_cols(a));
		term_view_by(a, -1);
		term_view_by(b, -1);
	}
}

static void write_all(struct term *t, const uint8_t *p, size_t len)
{
	for (size_t n = 0; n < len; term_commit(t, NULL)) {
		size_t took = term_write(t, p + n, len - n);
		require(took > 0 && took <= len - n);
		n += took;
	}
}

/* Killed while it writes, before or after the commit: the next instance goes on from the mark. */
static struct term *killed(struct term *t, const uint8_t *p, size_t len)
{
	struct term_mark m = { .op = 0 };

	term_commit(t, &m);
	for (bool spared = false; m.done < len; spared = !spared) {
		uint8_t how = p[m.done];
		size_t took = term_write(t, p + m.done, MIN(len - m.done, (size_t)(how % 7 + 1)));
		if (spared || how & 1) {
			m.done += took;
			term_commit(t, &m);
		}
		if (!spared) {
			term_close(t);
			t = open_one(1);
			require(term_mark(t)->done == m.done);
		}
	}
	return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct term *a, *b, *c;

	if (size < 4)
		return 0;
	shape = (struct term_shape){ .rows_max = 12, .cols_max = 40, .history = data[2] % 20 };
	shape.rows = TERM_ROWS_MIN + data[0] % 10;
	shape.cols = TERM_COLS_MIN + data[1] % 33;
	for (int i = 0; i < 3; i++)
		memory[i] = calloc(1, term_size(&shape));
	there = term_size_least(&shape);
	chance = data[2];
	ASAN_POISON_MEMORY_REGION((uint8_t *)memory[2] + there, term_size(&shape) - there);
	c = open_small();
	a = peaceful = open_one(0);
	b = open_one(1);
	follow(a);
	for (size_t i = 4, n; i < size; i += n) {
		n = MIN(size - i, (size_t)(data[3] % 61 + 1));
		/* Bytes that are in no UTF-8 ask for other things. */
		if (data[i] == 0xfe) {
			unsigned rows = TERM_ROWS_MIN + data[(i + 1) % size] % 11, cols = TERM_COLS_MIN + data[(i + 2) % size] % 33;
			require(term_resize(a, rows, cols) == OK && term_resize(b, rows, cols) == OK && term_resize(c, rows, cols) == OK);
			n = 1;
			continue;
		}
		if (data[i] == 0xfd) {
			term_view_by(a, (int8_t)data[(i + 1) % size]);
			follow(a);
			n = 1;
			continue;
		}
		write_all(a, data + i, n);
		b = killed(b, data + i, n);
		write_all(c, data + i, n);
		if (data[i] % 8 == 1) {
			term_close(c);
			c = open_small();
		}
		if (data[i] % 4 == 0)
			follow(a);
	}
	follow(a);
	term_view_by(a, -TERM_HISTORY_MAX);
	same_terminals(a, b);
	same_but_shorter(a, c);
	term_close(a);
	term_close(c);
	ASAN_UNPOISON_MEMORY_REGION(memory[2], term_size(&shape));
	term_close(b);
	/* What a crash scribbled over is refused or makes sense. */
	if (size > 16) {
		for (size_t i = 4; i + 4 < size; i += 4)
			((uint8_t *)memory[0])[(data[i] | data[i + 1] << 8) % term_size(&shape)] = data[i + 2];
		struct term_head *h = memory[0];
		for (int i = 0; i < 2 && data[3] & 1; i++)
			h[i].check = head_check(&h[i]);
		a = open_one(0);
		write_all(a, data, size);
		follow(a);
		term_close(a);
	}
	free(memory[0]);
	free(memory[1]);
	free(memory[2]);
	return 0;
}

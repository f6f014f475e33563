/*
 * vt: see vt.h.
 *
 * Killed at any instant: cells are committed together with a mark: how much of which WRITE and how much of the echo are in them, and which
 * answers of the terminal were typed. The mark is what counts; the head of tty.h says what came in, and is saved first.
 */
#include "vt.h"
#include <rt/io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "screen.h"

enum { TURN = 16 * KiB, PIECE_LOG = 1024, REPLY_MAX = 256 };
/* Marks that are no WRITE's: the kernel's log is being shown, `done` is how far; nothing was written yet. No op id comes that far. */
#define OP_LOG   (UINT64_MAX - 1)
#define OP_BEGUN UINT64_MAX

static struct vt {
	struct terminal tty;            /* first: a device is given this */
	struct term *term;              /* NULL: not open */
	uint64_t there;                 /* bytes of its memory that are committed */
	struct term_mark mark;          /* to be committed next */
	bool dirty;                     /* something was written since the last commit */
	bool later;                     /* there is more to write */
} vts[VTS];

static struct tty_state *states[VTS];
static uint8_t *memories;
static handle_t log_info, work;
static uint32_t work_bit;

static struct vt *vt_of(struct terminal *t)
{
	return (struct vt *)t;
}

static void commit(struct vt *v)
{
	if (v->dirty)
		term_commit(v->term, &v->mark);
	v->dirty = false;
}

/* ---- output ---- */

/* Bytes as a program writes them; how many went in: fewer only if a commit is due. A CR whose NL did not follow may be written again. */
static size_t feed(struct term *t, uint32_t mode, const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (i < n) {
		const uint8_t *nl = mode & TTY_NL_TO_CRNL ? memchr(p + i, '\n', n - i) : NULL;
		size_t run = nl ? (size_t)(nl - (p + i)) : n - i;
		size_t took = run ? term_write(t, p + i, run) : 0;
		i += took;
		if (took < run)
			break;
		if (nl) {
			if (term_write(t, "\r\n", 2) < 2)
				break;
			i++;
		}
	}
	return i;
}

static size_t show_piece(struct vt *v, struct parked *w, status_t *st)
{
	struct terminal *t = &v->tty;

	if (t->stage.at == t->stage.len) {
		*st = terminal_fetch(t, w);
		if (*st < 0)
			return 0;
	}
	size_t n = t->stage.len - t->stage.at, took = feed(v->term, t->head.mode, t->stage.bytes + t->stage.at, n);
	t->stage.at += (uint32_t)took;
	w->done += (uint32_t)took;
	v->mark.done = w->done;
	v->dirty = true;
	if (took < n)
		commit(v);
	return MAX(took, (size_t)1);
}

static size_t show_echo(struct vt *v)
{
	uint8_t bytes[TTY_SHOWN];
	size_t n = ldisc_echo(&v->tty.ldisc, bytes, sizeof(bytes)), took = term_write(v->term, bytes, n);

	v->tty.head.echo_taken += (uint32_t)took;
	v->mark.echo = v->tty.head.echo_taken;
	v->dirty = true;
	if (took < n)
		commit(v);
	return MAX(took, (size_t)1);
}

/* Echo first, then writers in order, until a turn is through. */
static void output(struct vt *v)
{
	struct terminal *t = &v->tty;
	size_t shown = 0;

	while (shown < TURN && !ldisc_stopped(&t->ldisc)) {
		struct parked *w = t->writers.first;
		status_t st = OK;
		if (terminal_echoes(t)) {
			shown += show_echo(v);
			continue;
		}
		if (!w)
			break;
		if (w->done < w->len)
			shown += show_piece(v, w, &st);
		if (st < 0 || w->done == w->len) {
			commit(v);
			terminal_written(t, st);
		}
	}
	commit(v);
	v->later = !ldisc_stopped(&t->ldisc) && (t->writers.first || terminal_echoes(t));
}

/* What the kernel has logged since. */
static void show_log(struct vt *v)
{
	uint8_t piece[PIECE_LOG];
	uint64_t got, next;

	while (log_read(log_info, v->mark.done, piece, sizeof(piece), &got, &next) == OK && got > 0) {
		v->mark.done = next - got;
		while (v->mark.done < next) {
			size_t left = next - v->mark.done;
			v->mark.done += feed(v->term, TTY_NL_TO_CRNL, piece + (got - left), left);
			v->dirty = true;
			commit(v);
		}
	}
}

static void vts_begin(struct terminal *t, const struct parked *w)
{
	if (vt_of(t)->mark.op == OP_LOG && log_info)
		show_log(vt_of(t));
	vt_of(t)->mark.op = terminal_identity(w->cmd);
	vt_of(t)->mark.done = w->done;
}

static uint32_t vts_resume(const struct terminal *t, const struct svc_cmd *c)
{
	const struct term_mark *m = &((const struct vt *)t)->mark;

	return m->op && m->op == terminal_identity(c->cmd) ? (uint32_t)MIN(m->done, (uint64_t)c->in_len) : 0;
}

/* ---- input ---- */

/* What the terminal answers to programs' questions is typed, as far as there is room: saved as typed first, then as taken. */
static void type_replies(struct vt *v)
{
	uint8_t bytes[REPLY_MAX];
	struct terminal *t = &v->tty;
	size_t n = term_reply(v->term, bytes, MIN(sizeof(bytes), (size_t)ldisc_room(&t->ldisc)));

	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++)
		terminal_input(t, bytes[i]);
	t->head.replies += (uint32_t)n;
	terminal_save(t);
	term_reply_taken(v->term, n);
	v->mark.replies = t->head.replies;
	v->dirty = true;
	commit(v);
}

static void vts_run(struct terminal *t)
{
	struct vt *v = vt_of(t);

	terminal_serve_readers(t);
	output(v);
	type_replies(v);
	terminal_serve_readers(t);
	if (v->later || terminal_echoes(t))
		(void)!notify_signal(work, 1ull << work_bit);
}

void vts_work(void)
{
	for (uint32_t i = 0; i < VTS; i++)
		if (vts[i].term && (vts[i].later || terminal_echoes(&vts[i].tty)) && !ldisc_stopped(&vts[i].tty.ldisc))
			vts_run(&vts[i].tty);
}

/* Saved before anybody is told, so that the event counts once whenever this instance ends. */
void vts_type(uint32_t i, uint64_t event, const uint8_t *bytes, size_t n)
{
	struct terminal *t = vts_opened(i);

	if (!t || n == 0 || event <= t->head.event)
		return;
	if (n == 1 || n <= ldisc_room(&t->ldisc))
		for (size_t k = 0; k < n; k++)
			terminal_input(t, bytes[k]);
	t->head.event = event;
	terminal_save(t);
	vts_run(t);
}

void vts_forget_events(void)
{
	for (uint32_t i = 0; i < VTS; i++) {
		struct terminal *t;
		/* Also those that nobody has opened since this instance began. */
		if (!vts[i].term && (screen_presence() != SCREEN_THERE || !(states[i]->head[0].seq | states[i]->head[1].seq) || vts_open(i, &t) < 0))
			continue;
		vts[i].tty.head.event = 0;
		terminal_save(&vts[i].tty);
	}
}

/* ---- start ---- */

/* So that no store there fails for want of memory. */
static status_t have_memory(struct vt *v, uint64_t size)
{
	uint64_t at = (uint64_t)memories + (uint64_t)(v - vts) * VT_MEMORY, end = ALIGN_UP(size, PAGE_SIZE);
	status_t st = end > v->there ? vmem_commit(0, at + v->there, end - v->there) : OK;

	if (st == OK)
		v->there = MAX(v->there, end);
	return st;
}

static bool more_memory(void *ctx, size_t size)
{
	return have_memory(ctx, size) == OK;
}

static bool vts_absent(const struct terminal *t unused)
{
	return false;
}

static void vts_reset(struct terminal *t)
{
	struct vt *v = vt_of(t);

	term_recover(v->term);
	v->dirty = true;
	commit(v);
}

static unsigned vts_column(const struct terminal *t)
{
	return term_cursor(((const struct vt *)t)->term).col;
}

static const struct device device = {
	.run = vts_run, .begin = vts_begin, .resume = vts_resume, .absent = vts_absent, .column = vts_column, .reset = vts_reset, .fixed_size = true,
};

void vts_init(struct tty_state *const state[VTS], void *memory, handle_t log, handle_t notify, uint32_t bit)
{
	memcpy(states, state, sizeof(states));
	memories = memory;
	log_info = log;
	work = notify;
	work_bit = bit;
}

/* Nobody has written yet: the first terminal is the log's until somebody does. */
static void begin_log(struct vt *v)
{
	if (v->mark.op == 0) {
		v->mark = (struct term_mark){ .op = log_info ? OP_LOG : OP_BEGUN };
		v->dirty = true;
	}
	if (log_info)
		show_log(v);
	commit(v);
}

/* The two heads agree again: what the cells have is what was shown, and what was typed is what was taken. */
static void settle(struct vt *v)
{
	struct tty_head *h = &v->tty.head;

	v->mark = *term_mark(v->term);
	h->echo_taken = h->echo_put - v->mark.echo <= TTY_SHOWN ? v->mark.echo : h->echo_put;
	v->mark.echo = h->echo_taken;
	uint32_t taken = h->replies - v->mark.replies;
	if (taken > 0 && taken <= REPLY_MAX)
		term_reply_taken(v->term, taken);
	v->mark.replies = h->replies;
	h->columns = (uint16_t)term_cols(v->term);
	h->rows = (uint16_t)term_rows(v->term);
	terminal_save(&v->tty);
	term_commit(v->term, &v->mark);
}

/* Cells first: the size in the terminal's head follows them, whenever that ends (settle). */
static void reshape(struct vt *v)
{
	struct term_shape s;

	if (!screen_shape(&s) || (term_rows(v->term) == s.rows && term_cols(v->term) == s.cols))
		return;
	commit(v);
	if (term_resize(v->term, s.rows, s.cols) == OK)
		terminal_sized(&v->tty, s.cols, s.rows);
}

void vts_resized(void)
{
	for (uint32_t i = 0; i < VTS; i++)
		if (vts[i].term)
			reshape(&vts[i]);
}

status_t vts_open(uint32_t i, struct terminal **out)
{
	struct vt *v = &vts[i];
	struct term_shape shape;

	*out = &v->tty;
	if (v->term)
		return OK;
	if (!memories || !screen_shape(&shape))
		return ERR_NOT_FOUND;
	uint8_t *memory = memories + (size_t)i * VT_MEMORY;
	v->there = 0;
	status_t st = have_memory(v, term_size_least(&shape));
	if (st == OK)
		st = term_open(&v->term, memory, v->there, &shape);
	if (st < 0) {
		v->term = NULL;
		return st;
	}
	term_grows(v->term, more_memory, v);
	terminal_init(&v->tty, &device, states[i]);
	settle(v);
	terminal_type_again(&v->tty);
	reshape(v);
	if (i == 0 && (v->mark.op == 0 || v->mark.op == OP_LOG))
		begin_log(v);
	/* What an earlier instance had not come to. */
	v->later = true;
	(void)!notify_signal(work, 1ull << work_bit);
	return OK;
}

struct terminal *vts_opened(uint32_t i)
{
	return vts[i].term ? &vts[i].tty : NULL;
}

struct term *vts_term(uint32_t i)
{
	return vts[i].term;
}

status_t vts_text(uint32_t i, char **text, size_t *size)
{
	const struct term *t = vts[i].term;
	size_t row_room = (size_t)term_cols(t) * 10 + 1, room = row_room * term_rows(t) + 32, n = 0;     /* a character and two marks in UTF-8 */

	*text = malloc(room);
	if (!*text)
		return ERR_NO_MEMORY;
	for (unsigned row = 0; row < term_rows(t); row++) {
		n += term_row_text(t, row, *text + n, row_room - 1);
		(*text)[n++] = '\n';
	}
	struct term_cursor c = term_cursor(t);
	n += (size_t)snprintf(*text + n, room - n, "cursor %u,%u\n", c.row, c.col);
	*size = n;
	return OK;
}

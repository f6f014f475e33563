/*
 * term_vt: libvterm's objects, what it calls back, and its state as plain data. It knows no way to take its state out or to begin with
 * one, so this file alone reads and writes its structures (vterm_internal.h, version 0.1.4; another version fails the tests).
 * Its screen and its Unicode tables are not linked: cells are term_cells.c's, and how wide a character is the whole system learns from lib/utf8.
 */
#include <stdlib.h>
#include <string.h>
#include <utf8/utf8.h>
#include <vterm_internal.h>
#include "term_inside.h"

enum { VT_ARENA = 8192 };

/* ---- what libvterm asks of its missing parts ---- */

int vterm_unicode_width(uint32_t code)
{
	return (int)utf8_columns(code);
}

int vterm_unicode_is_combining(uint32_t code)
{
	return utf8_columns(code) == 0;
}

void vterm_screen_free(VTermScreen *screen unused)
{
}

/* ---- colours and pens ---- */

static uint32_t colour_out(VTermColor c)
{
	if (VTERM_COLOR_IS_DEFAULT_FG(&c) || VTERM_COLOR_IS_DEFAULT_BG(&c))
		return 0;
	if (VTERM_COLOR_IS_INDEXED(&c))
		return TERM_INDEXED | c.indexed.idx;
	return TERM_RGB | (uint32_t)c.rgb.red << 16 | (uint32_t)c.rgb.green << 8 | c.rgb.blue;
}

static VTermColor colour_in(uint32_t c, VTermColor otherwise)
{
	VTermColor out = otherwise;

	if (c & TERM_INDEXED)
		vterm_color_indexed(&out, (uint8_t)c);
	else if (c & TERM_RGB)
		vterm_color_rgb(&out, (uint8_t)(c >> 16), (uint8_t)(c >> 8), (uint8_t)c);
	return out;
}

static struct term_pen pen_out(const struct VTermPen *p)
{
	return (struct term_pen){
		.fg = colour_out(p->fg), .bg = colour_out(p->bg),
		.attributes = (p->bold ? TERM_BOLD : 0u) | (p->italic ? TERM_ITALIC : 0u) | (p->blink ? TERM_BLINK : 0u) |
			(p->reverse ? TERM_REVERSE : 0u) | (p->strike ? TERM_STRIKE : 0u) | p->underline * TERM_UNDERLINE,
	};
}

static struct VTermPen pen_in(const VTermState *s, struct term_pen p, uint8_t font)
{
	return (struct VTermPen){
		.fg = colour_in(p.fg, s->default_fg), .bg = colour_in(p.bg, s->default_bg), .bold = !!(p.attributes & TERM_BOLD),
		.italic = !!(p.attributes & TERM_ITALIC), .blink = !!(p.attributes & TERM_BLINK), .reverse = !!(p.attributes & TERM_REVERSE),
		.strike = !!(p.attributes & TERM_STRIKE), .underline = (p.attributes & TERM_UNDERLINES) / TERM_UNDERLINE & 3, .font = MIN(font, 9) & 15,
	};
}

static struct term_pen pen_kept(const struct term *t)
{
	struct term_pen p = pen_out(&t->vs->pen);

	p.fg |= t->dim;
	return p;
}

struct term_pen vt_pen(const struct term *t)
{
	struct term_pen p = pen_kept(t);

	if (t->vs->protected_cell)
		p.attributes |= TERM_PROTECTED;
	return p;
}

bool vt_mouse(const struct term *t)
{
	return t->vs->mouse_flags != 0;
}

bool vt_ansi_mode(const struct term *t, int mode)
{
	return mode == 4 ? t->vs->mode.insert : t->vs->mode.newline;
}

bool vt_margins(const struct term *t)
{
	return t->vs->mode.leftrightmargin;
}

/* ---- callbacks ---- */

static void pen_fresh(struct term *t)
{
	struct term_pen p = vt_pen(t);

	t->pen = (struct term_cell){ .code = p.attributes, .fg = p.fg, .bg = p.bg };
	t->pen_old = false;
}

static int on_glyph(VTermGlyphInfo *info, VTermPos pos, void *user)
{
	struct term *t = user;

	if (info->width < 1 || pos.col + info->width > t->head.cols)
		return 1;
	if (t->pen_old)
		pen_fresh(t);
	cells_put(t, info->chars[0], info->width, pos);
	t->head.last_row = (int16_t)pos.row;
	t->head.last_col = (int16_t)pos.col;
	return 1;
}

static int on_scroll(VTermRect rect, int down, int right, void *user)
{
	struct term *t = user;

	pen_fresh(t);
	cells_scroll(t, rect, down, right);
	return 1;
}

static int on_erase(VTermRect rect, int selective, void *user)
{
	struct term *t = user;

	pen_fresh(t);
	cells_erase(t, rect, selective);
	return 1;
}

static int on_property(VTermProp prop, VTermValue *v, void *user)
{
	struct term *t = user;

	if (prop == VTERM_PROP_ALTSCREEN) {
		pen_fresh(t);
		cells_alternate(t, v->boolean);
	}
	if (prop == VTERM_PROP_REVERSE)
		term_damage_all(t);
	return 1;
}

/* Lines of double width or height: no, all are single. */
static int on_line(int row unused, const VTermLineInfo *wanted unused, const VTermLineInfo *old unused, void *user unused)
{
	return 0;
}

static const VTermStateCallbacks callbacks = {
	.putglyph = on_glyph, .scrollrect = on_scroll, .erase = on_erase, .settermprop = on_property, .setlineinfo = on_line,
};

static void on_output(const char *bytes, size_t len, void *user)
{
	struct term *t = user;

	if (!t->key.bytes) {
		term_put_reply(t, bytes, len);
		return;
	}
	if (len > TERM_KEY_BYTES - t->key.len)
		return;
	memcpy(t->key.bytes + t->key.len, bytes, len);
	t->key.len += len;
}

/* ---- life ---- */

/* libvterm does not look whether it got memory, so all that it asks for is there before: two objects, three buffers, tabs, lines. */
static void *take(size_t size, void *user)
{
	struct term *t = user;
	void *p = t->arena.bytes + t->arena.used;

	if (size > VT_ARENA - t->arena.used)
		__builtin_trap();
	t->arena.used += ALIGN_UP(size, 16);
	return p;
}

static void give(void *p unused, void *user unused)
{
}

static VTermAllocatorFunctions allocator = { .malloc = take, .free = give };

static int clamp(int v, int least, int most)
{
	return v < least ? least : v > most ? most : v;
}

/* 'u' is what every set is at first. */
static VTermEncoding *encoding_of(uint8_t designation)
{
	VTermEncoding *e = vterm_lookup_encoding(designation == 'u' ? ENC_UTF8 : ENC_SINGLE_94, (char)designation);

	return e ? e : vterm_lookup_encoding(ENC_UTF8, 'u');
}

static uint8_t designation_of(const VTermEncoding *e)
{
	static const uint8_t sets[] = { '0', 'A', 'B' };

	for (size_t i = 0; i < sizeof(sets); i++)
		if (vterm_lookup_encoding(ENC_SINGLE_94, (char)sets[i]) == e)
			return sets[i];
	return 'u';
}

static void margins_in(VTermState *s, const struct term_vt *v)
{
	s->scrollregion_top = clamp(v->top, 0, s->rows);
	s->scrollregion_bottom = clamp(v->bottom, -1, s->rows);
	s->scrollregion_left = clamp(v->left, 0, s->cols);
	s->scrollregion_right = clamp(v->right, -1, s->cols);
	if (SCROLLREGION_BOTTOM(s) <= s->scrollregion_top) {
		s->scrollregion_top = 0;
		s->scrollregion_bottom = -1;
	}
	if (s->scrollregion_right > -1 && s->scrollregion_right <= s->scrollregion_left) {
		s->scrollregion_left = 0;
		s->scrollregion_right = -1;
	}
}

static void state_in(VTermState *s, const struct term_vt *v)
{
	s->pos = (VTermPos){ .row = clamp(v->row, 0, s->rows - 1), .col = clamp(v->col, 0, s->cols - 1) };
	s->at_phantom = !!(v->modes & VT_PHANTOM);
	margins_in(s, v);
	memcpy(s->tabstops, v->tabs, (size_t)(s->cols + 7) / 8);
	s->mouse_row = clamp(v->mouse_row, 0, s->rows - 1);
	s->mouse_col = clamp(v->mouse_col, 0, s->cols - 1);
	s->mouse_buttons = v->mouse_buttons & 7;
	s->mouse_flags = v->mouse_flags & 7;
	s->mouse_protocol = v->mouse_protocol & 3;
	s->mode.keypad = !!(v->modes & VT_KEYPAD);
	s->mode.cursor = !!(v->modes & VT_CURSOR);
	s->mode.autowrap = !!(v->modes & VT_AUTOWRAP);
	s->mode.insert = !!(v->modes & VT_INSERT);
	s->mode.newline = !!(v->modes & VT_NEWLINE);
	s->mode.cursor_visible = !!(v->modes & VT_VISIBLE);
	s->mode.cursor_blink = !!(v->modes & VT_BLINK);
	s->mode.cursor_shape = clamp(v->shape, 1, 3) & 3;
	s->mode.origin = !!(v->modes & VT_ORIGIN);
	s->mode.screen = !!(v->modes & VT_REVERSE);
	s->mode.leftrightmargin = !!(v->modes & VT_MARGINS);
	s->mode.bracketpaste = !!(v->modes & VT_PASTE);
	s->mode.report_focus = !!(v->modes & VT_FOCUS);
	s->protected_cell = !!(v->modes & VT_PROTECTED);
	for (int i = 0; i < 4; i++)
		s->encoding[i].enc = encoding_of(v->charset[i]);
	s->gl_set = v->gl & 3;
	s->gsingle_set = v->single & 3;
	s->pen = pen_in(s, v->pen, v->font);
}

bool vt_open(struct term *t)
{
	t->arena.bytes = malloc(VT_ARENA);
	if (!t->arena.bytes)
		return false;
	vt_make(t);
	return true;
}

void vt_make(struct term *t)
{
	memset(t->arena.bytes, 0, VT_ARENA);
	t->arena.used = 0;
	t->vt = vterm_new_with_allocator(t->head.rows, t->head.cols, &allocator, t);
	vterm_set_utf8(t->vt, 1);
	t->vs = vterm_obtain_state(t->vt);
	vterm_state_reset(t->vs, 1);    /* with no callbacks yet: libvterm's side of it only */
	state_in(t->vs, &t->head.vt);
	t->dim = t->head.vt.pen.fg & TERM_DIM;
	t->vs->mode.alt_screen = t->head.alt & 1;
	vterm_state_set_callbacks(t->vs, &callbacks, t);
	vterm_output_set_callback(t->vt, on_output, t);
	t->pen_old = true;
}

void vt_close(struct term *t)
{
	free(t->arena.bytes);
	t->arena.bytes = NULL;
	t->vt = NULL;
	t->vs = NULL;
}

void vt_begin(struct term *t)
{
	t->head.vt = (struct term_vt){
		.bottom = -1, .right = -1, .shape = TERM_CURSOR_BLOCK, .modes = VT_AUTOWRAP | VT_VISIBLE | VT_BLINK, .charset = { 'u', 'u', 'u', 'u' },
	};
	memset(t->head.vt.tabs, 1, sizeof(t->head.vt.tabs));    /* every eighth column */
}

static uint16_t bit(unsigned on, enum vt_mode mode)
{
	return on ? (uint16_t)mode : 0;
}

static uint16_t modes_out(const VTermState *s)
{
	return (uint16_t)(bit((unsigned)s->at_phantom, VT_PHANTOM) | bit(s->mode.keypad, VT_KEYPAD) | bit(s->mode.cursor, VT_CURSOR) |
		bit(s->mode.autowrap, VT_AUTOWRAP) | bit(s->mode.insert, VT_INSERT) | bit(s->mode.newline, VT_NEWLINE) |
		bit(s->mode.cursor_visible, VT_VISIBLE) | bit(s->mode.cursor_blink, VT_BLINK) | bit(s->mode.origin, VT_ORIGIN) |
		bit(s->mode.screen, VT_REVERSE) | bit(s->mode.leftrightmargin, VT_MARGINS) | bit(s->mode.bracketpaste, VT_PASTE) |
		bit(s->mode.report_focus, VT_FOCUS) | bit(s->protected_cell, VT_PROTECTED));
}

void vt_save(struct term *t)
{
	const VTermState *s = t->vs;
	struct term_vt v = {
		.pen = pen_kept(t), .saved = { t->head.vt.saved[0], t->head.vt.saved[1] }, .row = (int16_t)s->pos.row, .col = (int16_t)s->pos.col,
		.top = (int16_t)s->scrollregion_top, .bottom = (int16_t)s->scrollregion_bottom, .left = (int16_t)s->scrollregion_left,
		.right = (int16_t)s->scrollregion_right, .mouse_row = (int16_t)s->mouse_row, .mouse_col = (int16_t)s->mouse_col, .modes = modes_out(s),
		.shape = s->mode.cursor_shape, .mouse_flags = (uint8_t)s->mouse_flags, .mouse_protocol = (uint8_t)s->mouse_protocol,
		.mouse_buttons = (uint8_t)s->mouse_buttons, .font = s->pen.font, .gl = (uint8_t)s->gl_set, .single = (uint8_t)s->gsingle_set,
	};

	for (int i = 0; i < 4; i++)
		v.charset[i] = designation_of(s->encoding[i].enc);
	/* Columns beyond the present ones keep what they had: a resize brings them back. */
	memcpy(v.tabs, t->head.vt.tabs, sizeof(v.tabs));
	memcpy(v.tabs, s->tabstops, (size_t)(s->cols + 7) / 8);
	t->head.vt = v;
}

/*
 * Most of what programs print is ASCII in the midst of a row: five times as fast without libvterm, which would do just this. The last column, whose
 * wrap is put off, is left to it.
 */
size_t vt_print(struct term *t, const uint8_t *ascii, size_t n)
{
	VTermState *s = t->vs;
	const VTermEncoding *e = s->encoding[s->gl_set].enc;
	int fits = s->cols - 1 - s->pos.col;

	if (s->mode.insert || s->gsingle_set || s->at_phantom || fits <= 0 || (e != encoding_of('u') && e != encoding_of('B')))
		return 0;
	fits = MIN(fits, (int)n);
	if (t->pen_old)
		pen_fresh(t);
	cells_run(t, ascii, fits, s->pos);
	s->pos.col += fits;
	t->head.last_row = (int16_t)s->pos.row;
	t->head.last_col = (int16_t)(s->pos.col - 1);
	return (size_t)fits;
}

/* ---- what libvterm does otherwise than the terminals that programs know ---- */

/* libvterm's own saves neither sets of characters nor modes, and the cursor's look, which DECSC does not. */
void vt_cursor_save(struct term *t)
{
	const VTermState *s = t->vs;
	struct term_saved *to = &t->head.vt.saved[t->head.alt & 1];

	*to = (struct term_saved){
		.pen = pen_kept(t), .row = (int16_t)s->pos.row, .col = (int16_t)s->pos.col,
		.modes = modes_out(s) & (VT_PHANTOM | VT_ORIGIN | VT_PROTECTED), .font = s->pen.font, .gl = (uint8_t)s->gl_set, .single = (uint8_t)s->gsingle_set,
	};
	for (int i = 0; i < 4; i++)
		to->charset[i] = designation_of(s->encoding[i].enc);
}

void vt_cursor_restore(struct term *t)
{
	VTermState *s = t->vs;
	const struct term_saved *from = &t->head.vt.saved[t->head.alt & 1];

	s->pos = (VTermPos){ .row = clamp(from->row, 0, s->rows - 1), .col = clamp(from->col, 0, s->cols - 1) };
	s->at_phantom = from->modes & VT_PHANTOM && s->pos.col == s->cols - 1;
	s->mode.origin = !!(from->modes & VT_ORIGIN);
	s->protected_cell = !!(from->modes & VT_PROTECTED);
	s->pen = pen_in(s, from->pen, from->font);
	t->dim = from->pen.fg & TERM_DIM;
	for (int i = 0; i < 4; i++)
		s->encoding[i].enc = encoding_of(from->charset[i]);
	s->gl_set = from->gl & 3;
	s->gsingle_set = from->single & 3;
	t->pen_old = true;
}

/*
 * A wide character at the last column goes to the next row, but without autowrap it stays where there is room for it; and where characters are inserted it
 * takes two places (libvterm: the next row in any case, and one place).
 */
void vt_make_way(struct term *t)
{
	VTermState *s = t->vs;

	if (!s->mode.autowrap && s->pos.col > s->cols - 2)
		s->pos.col = s->cols - 2;
	if (s->mode.insert && !s->at_phantom && s->pos.col < s->cols - 1)
		vterm_input_write(t->vt, "\33[@", 3);
}

void vt_look(struct term *t)
{
	VTermValue off = { 0 };

	vterm_state_set_termprop(t->vs, VTERM_PROP_REVERSE, &off);
	vterm_state_set_termprop(t->vs, VTERM_PROP_MOUSE, &off);
	t->vs->mouse_protocol = MOUSE_X10;
}

int vt_rows_to_margin(const struct term *t, bool up)
{
	const VTermState *s = t->vs;
	int top = s->scrollregion_top, bottom = SCROLLREGION_BOTTOM(s) - 1;

	if (up)
		return s->pos.row - (s->pos.row >= top ? top : 0);
	return (s->pos.row <= bottom ? bottom : s->rows - 1) - s->pos.row;
}

VTermPos vt_origin(const struct term *t)
{
	const VTermState *s = t->vs;

	return s->mode.origin ? (VTermPos){ .row = s->scrollregion_top, .col = SCROLLREGION_LEFT(s) } : (VTermPos){ 0, 0 };
}

/* A wrap that was put off is given up by a movement, also one that leads nowhere. */
void vt_stay(struct term *t)
{
	t->vs->at_phantom = 0;
}

/* libvterm's own reset forgets the alternate screen without leaving it, and leaves some modes alone. */
void vt_reset(struct term *t, bool hard)
{
	VTermState *s = t->vs;
	VTermValue off = { 0 };

	if (hard) {
		vterm_state_set_termprop(s, VTERM_PROP_ALTSCREEN, &off);
		vt_look(t);
	}
	unsigned alt = s->mode.alt_screen;
	vterm_state_reset(s, hard);
	s->mode.alt_screen = alt & 1;
	s->at_phantom = 0;
	t->dim = 0;
	/* What was saved is the home position, as after a start (DEC STD 070, DECSTR). */
	t->head.vt.saved[t->head.alt & 1] = (struct term_saved){ 0 };
	if (hard)
		t->head.vt.saved[1] = (struct term_saved){ 0 };
}

struct term_cursor term_cursor(const struct term *t)
{
	const VTermState *s = t->vs;
	unsigned row = (unsigned)s->pos.row + t->view;

	return (struct term_cursor){ .row = (uint16_t)row, .col = (uint16_t)s->pos.col, .visible = s->mode.cursor_visible && row < t->head.rows, .shape = s->mode.cursor_shape };
}

bool term_reversed(const struct term *t)
{
	return t->vs->mode.screen;
}

bool term_keypad_application(const struct term *t)
{
	return t->vs->mode.keypad;
}

/*
 * term: a terminal: bytes from programs in, cells out; keys in, bytes for the reader out. Pure; no device, no
 * command. libvterm knows what sequences mean; the cells are ours, and all that counts lies in memory that the caller keeps
 * (a state Frame), without pointers, so that the next instance goes on where this one was killed.
 *
 *	term_open(&t, memory, size, &shape)     what was committed last is there again
 *	n = term_write(t, bytes, len)           may take less, when memory that only a commit sets free is used up
 *	term_commit(t, &mark)                   from here on it counts; a kill before this undoes the write
 *	term_draw(t, &face, ...)                term/draw.h: what changed since the last call, as pixels
 *	term_key(t, TERM_KEY_UP, 0, bytes)      what a key means to the program in the terminal's present modes
 *
 * How: rows of cells are slots in a pool; a row that changes is copied to a free slot first. The head says which slots the
 * rows are; there are two copies of it, and a commit writes the older one with the next number and a checksum. So
 * whatever the instant, one whole head and all that it names is there. Sequences come from attackers: term_gate.c checks
 * them before libvterm sees them, whole, so libvterm has nothing half read to keep. One thread; nothing here needs a lock.
 */
#pragma once
#include <abi/types.h>

enum {
	TERM_ROWS_MIN = 2, TERM_ROWS_MAX = 256, TERM_COLS_MIN = 8, TERM_COLS_MAX = 512, TERM_HISTORY_MAX = 8192,
	TERM_KEY_BYTES = 32,            /* that one key means at most */
	TERM_MARKS = 2,                 /* combining characters that a cell keeps */
};

/*
 * One place on the screen. All zero is a blank in the default colours. `code`: bits 0..20 the character (0: none), above them
 * enum term_attribute. A colour is 0 (default), TERM_INDEXED | 0..255, or TERM_RGB | 0xRRGGBB. `fg` has two attributes above its colour, enum term_dim.
 */
struct term_cell {
	uint32_t code;
	uint16_t mark[TERM_MARKS];      /* combining characters of plane 0; 0: none */
	uint32_t fg, bg;
};
_Static_assert(sizeof(struct term_cell) == 16, "kept by one instance, read by the next");

enum term_attribute {
	TERM_BOLD = 1 << 21, TERM_ITALIC = 1 << 22, TERM_BLINK = 1 << 23, TERM_REVERSE = 1 << 24, TERM_STRIKE = 1 << 25,
	TERM_UNDERLINE = 1 << 26, TERM_DOUBLE_UNDERLINE = 1 << 27, TERM_CURLY_UNDERLINE = 3 << 26,      /* two bits, four meanings */
	TERM_PROTECTED = 1 << 28,       /* selective erase spares it (DECSCA) */
	TERM_WIDE = 1 << 29,            /* the left half of a character of two columns */
	TERM_TAIL = 1 << 30,            /* its right half; no character */
};
enum term_dim {
	TERM_FAINT = 1 << 26,
	TERM_CONCEALED = 1 << 27,       /* nothing of it is drawn but its background */
};
#define TERM_DIM       (TERM_FAINT | TERM_CONCEALED)
#define TERM_CODE      0x1fffffu
#define TERM_INDEXED   0x01000000u
#define TERM_RGB       0x02000000u
#define TERM_UNDERLINES (3u << 26)

struct term;                            /* what is kept in this process only */

/* How large it is now and may get: memory is laid out for these. */
struct term_shape { uint16_t rows, cols, rows_max, cols_max, history; };

/* The caller's own, committed with the cells: how far it is in which command, in its echo, and with answers. Zero at first. */
struct term_mark { uint64_t op, done; uint32_t echo, replies; };

struct term_cursor { uint16_t row, col; bool visible; uint8_t shape; };
enum { TERM_CURSOR_BLOCK = 1, TERM_CURSOR_UNDERLINE = 2, TERM_CURSOR_BAR = 3 };

/* Bytes that a terminal of this shape needs for all of its history, and for none; 0: no such shape. */
size_t term_size(const struct term_shape *shape);
size_t term_size_least(const struct term_shape *shape);
/*
 * Takes up what lies in memory (8-aligned, zero at first, at least term_size_least bytes, borrowed until term_close), or begins anew, all blank, where that
 * is nothing sound or of other maximums. What lies beyond `size` is used if an earlier one did. ERR_INVALID: no such shape, or memory too small. ERR_NO_MEMORY.
 */
must_use status_t term_open(struct term **t, void *memory, size_t size, const struct term_shape *shape);
/*
 * Lets it have more than it was opened with, as its history grows: more(ctx, size) makes the first `size` bytes, at most term_size, usable. False: not now;
 * then the oldest lines of the history go, and it is asked again later. Not called by term_open.
 */
void term_grows(struct term *t, bool (*more)(void *ctx, size_t size), void *ctx);
/* What was not committed is lost. */
void term_close(struct term *t);

/* Takes bytes; returns how many: at least 1 after a commit, and less than len only if term_commit is due. */
must_use size_t term_write(struct term *t, const void *bytes, size_t len);
/* What was written counts from here on. mark: NULL: as it was. */
void term_commit(struct term *t, const struct term_mark *mark);
const struct term_mark *term_mark(const struct term *t);
/*
 * What a program that died may have left is undone, and the text stays: a sequence that is not whole, the alternate screen, modes, margins, colours,
 * sets of characters. Counts with the next commit.
 */
void term_recover(struct term *t);
/* A new size, committed at once with the mark as it was. ERR_INVALID: beyond the maximums, or below TERM_*_MIN. */
must_use status_t term_resize(struct term *t, unsigned rows, unsigned cols);

unsigned term_rows(const struct term *t);
unsigned term_cols(const struct term *t);
/* Row 0..rows-1 of what is to be seen; cols cells, valid until the next call that changes t. */
const struct term_cell *term_row(const struct term *t, unsigned row);
/* The same as text in UTF-8 without trailing blanks; returns its length, at most `room`. */
size_t term_row_text(const struct term *t, unsigned row, char *text, size_t room);
struct term_cursor term_cursor(const struct term *t);
/* The whole screen is shown in reverse (DECSCNM). */
bool term_reversed(const struct term *t);

/* Lines of history there are, and by how many of them the view is back. */
unsigned term_history(const struct term *t);
unsigned term_view(const struct term *t);
/* Shows lines further back (> 0) or forth (< 0); stops at either end. Not kept: the next instance shows the present. */
void term_view_by(struct term *t, int lines);

/* ---- keys ---- */

enum term_key {
	TERM_KEY_ENTER = 1, TERM_KEY_TAB, TERM_KEY_BACKSPACE, TERM_KEY_ESCAPE, TERM_KEY_UP, TERM_KEY_DOWN, TERM_KEY_LEFT, TERM_KEY_RIGHT,
	TERM_KEY_INSERT, TERM_KEY_DELETE, TERM_KEY_HOME, TERM_KEY_END, TERM_KEY_PAGE_UP, TERM_KEY_PAGE_DOWN,
	TERM_KEY_F1 = 257, TERM_KEY_F12 = 268,
	TERM_KEY_KP_0 = 512, TERM_KEY_KP_MULTIPLY = 522, TERM_KEY_KP_PLUS, TERM_KEY_KP_COMMA, TERM_KEY_KP_MINUS, TERM_KEY_KP_PERIOD,
	TERM_KEY_KP_DIVIDE, TERM_KEY_KP_ENTER, TERM_KEY_KP_EQUAL,
};
enum term_modifier { TERM_SHIFT = 1, TERM_ALT = 2, TERM_CTRL = 4 };

/* The key that an evdev code (EV_KEY) means if it has no character; 0: none. Digits of the keypad are keys only where `application`. */
unsigned term_key_of(unsigned evdev_code, bool numlock, bool application);
/* The keypad sends its own sequences (DECKPAM). */
bool term_keypad_application(const struct term *t);
/* What a key, or a character with modifiers, means to the reader: bytes (returned: how many; 0: nothing). */
size_t term_key(struct term *t, unsigned key, unsigned modifiers, uint8_t bytes[TERM_KEY_BYTES]);
size_t term_character(struct term *t, uint32_t code, unsigned modifiers, uint8_t bytes[TERM_KEY_BYTES]);
/* What goes before (start) and behind a text that is pasted: nothing unless the program asked for brackets (mode 2004). */
size_t term_paste(struct term *t, bool start, uint8_t bytes[TERM_KEY_BYTES]);
/* The terminal comes to the front or leaves it: what a program that asked (mode 1004) is told. */
size_t term_focus(struct term *t, bool in, uint8_t bytes[TERM_KEY_BYTES]);
/* The mouse at a cell; button 1..3, 4 and 5 (wheel), 0: only moved. Nothing unless asked for (modes 1000, 1002, 1003). */
size_t term_mouse(struct term *t, unsigned row, unsigned col, unsigned button, bool pressed, unsigned modifiers, uint8_t bytes[TERM_KEY_BYTES]);

/* What is held and locked, plain data for the caller to keep; all zero at first. */
struct term_keyboard { uint8_t held, numlock, swallow, reserved; };
/*
 * An event of input:// (type, code, value; others than keys, text, NumLock's LED and losses mean nothing): bytes for the reader. Shift and Page Up or Down show
 * the history instead, and typing anything shows the present again. A terminal in the back gets none.
 */
size_t term_event(struct term *t, struct term_keyboard *k, unsigned type, unsigned code, int32_t value, uint8_t bytes[TERM_KEY_BYTES]);

/* Answers to programs' questions (cursor position and the like), committed with the rest: bytes for the reader, as if typed. */
size_t term_reply(const struct term *t, uint8_t *bytes, size_t room);
/* `n` of them have gone; counts with the next commit. */
void term_reply_taken(struct term *t, size_t n);

/* ---- what changed ---- */

/* Since the last term_seen: first the cells of `moved` went up by `up` rows (< 0: down), if up is not 0; then the spans changed. */
struct term_span { uint16_t from, to; };        /* columns of one row; from >= to: none */
struct term_damage {
	struct { uint16_t row, col, rows, cols; int up; } moved;
	struct term_span row[TERM_ROWS_MAX];
};
const struct term_damage *term_damage(const struct term *t);
void term_seen(struct term *t);
/* Everything is to be drawn anew. */
void term_damage_all(struct term *t);

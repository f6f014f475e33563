/*
 * term_inside: what the files of lib/term share. term.c has the head and its commits, term_cells.c slots and rows, term_gate.c
 * the checking of sequences, term_vt.c libvterm and its state, term_keys.c and term_events.c keys, term_text.c text, term_damage.c what changed.
 */
#pragma once
#include <vterm.h>
#include "term.h"

#define TERM_MAGIC   0x314d5254u        /* "TRM1" */
#define TERM_VERSION 2u

enum {
	TERM_PENDING = 128,     /* bytes of a sequence that is not whole yet */
	TERM_REPLIES = 256,     /* bytes of answers; power of two */
	TERM_RUN     = 128,     /* characters that libvterm gets at once */
	TERM_SLACK   = 128,     /* lines that may scroll by between two commits */
	TERM_GROWTH  = 64 * KiB,        /* memory that is asked for at once, */
	TERM_SPARE   = 32,      /* and slots that are freed at once, where there is no more */
	TERM_NO_SLOT = 0xffff,
};

/* libvterm's state between two sequences. Every value is clamped when it is taken up. */
struct term_pen { uint32_t fg, bg; uint32_t attributes; };
/* What DECSC saves (DEC STD 070, section 5.4.4): each screen has its own, so a program on the alternate one leaves the shell's alone. */
struct term_saved {
	struct term_pen pen;
	int16_t row, col;
	uint16_t modes;         /* of enum vt_mode: VT_PHANTOM, VT_ORIGIN, VT_PROTECTED */
	uint8_t font, gl, single;
	uint8_t charset[4];
	uint8_t reserved[3];
};
struct term_vt {
	struct term_pen pen;
	struct term_saved saved[2];     /* primary and alternate screen */
	int16_t row, col, top, bottom, left, right, mouse_row, mouse_col;
	uint16_t modes;         /* enum vt_mode */
	uint8_t shape;
	uint8_t mouse_flags, mouse_protocol, mouse_buttons;
	uint8_t font;
	uint8_t charset[4];     /* 'u' UTF-8 or ASCII, '0' line drawing, 'A' UK, 'B' ASCII */
	uint8_t gl, single;     /* which of them, and which for one character (0: none) */
	uint8_t reserved[7];
	uint8_t tabs[TERM_COLS_MAX / 8];
};
enum vt_mode {
	VT_PHANTOM = 1, VT_KEYPAD = 2, VT_CURSOR = 4, VT_AUTOWRAP = 8, VT_INSERT = 16, VT_NEWLINE = 32, VT_VISIBLE = 64, VT_BLINK = 128,
	VT_ORIGIN = 256, VT_REVERSE = 512, VT_MARGINS = 1024, VT_PASTE = 2048, VT_FOCUS = 4096, VT_PROTECTED = 8192,
};

enum gate_state { GATE_GROUND, GATE_UTF8, GATE_ESCAPE, GATE_CSI, GATE_CSI_DROP, GATE_DCS, GATE_STRING, GATE_OSC, GATE_STATES };
struct gate {
	uint8_t state;          /* enum gate_state */
	uint8_t escape;         /* in a string: ESC was the last byte */
	uint16_t len;           /* of bytes */
	uint8_t bytes[TERM_PENDING];
};

struct term_head {
	uint32_t magic, version;
	uint64_t seq;                   /* of this copy; the higher valid one counts */
	struct term_mark mark;
	uint16_t rows, cols, rows_max, cols_max, history_max;
	uint16_t alt;                   /* the alternate screen is shown: map[1] counts */
	uint32_t reserved;
	uint64_t history_put;           /* lines ever put into the history */
	uint32_t history;               /* of these are there */
	uint32_t last_code;             /* the character printed last; 0: none */
	int16_t  last_row, last_col;    /* its cell, */
	int16_t  after_row, after_col;  /* and where the cursor was then: a combining character belongs to it while it is there */
	uint32_t reply_put, reply_taken;
	struct term_vt vt;
	struct gate gate;
	uint8_t  reply[TERM_REPLIES];
	uint16_t map[2][TERM_ROWS_MAX]; /* the slot of each row, primary and alternate */
	uint64_t check;                 /* over everything above */
};
_Static_assert(sizeof(struct term_vt) == 168 && offsetof(struct term_head, history_put) == 56 && offsetof(struct term_head, check) % 8 == 0, "state format, summed by words");

struct term {
	struct term_head head;          /* as it will be committed, but for vt */
	struct term_head *saved;        /* two; in the caller's memory, like the next two */
	uint16_t *ring;                 /* slots of the history: line n at n % ring_len */
	struct term_cell *cells;        /* slots of cols_max each */
	uint32_t slots, ring_len, need; /* need: free slots that one step may use up */
	uint32_t cold;                  /* of the slots, the last ones: there is no memory for them yet */
	bool (*more)(void *ctx, size_t size);
	void *more_ctx;
	uint8_t  *state;                /* enum slot_state of each slot */
	uint16_t *free, *gone;          /* stacks of slots: free, the cold ones at the bottom; free after the next commit */
	uint32_t frees, gones;
	uint64_t put_before;            /* history_put at the last commit */
	VTerm *vt;
	VTermState *vs;
	struct { uint8_t *bytes; size_t used; } arena;  /* libvterm's objects */
	struct term_cell pen;           /* what a blank and a new character look like; code: attributes only */
	uint32_t dim;                   /* enum term_dim: what of the pen libvterm does not know */
	bool pen_old;                   /* a sequence came since it was taken from libvterm */
	struct { uint8_t *bytes; size_t len; } key;     /* where output goes while a key is asked about; bytes NULL: to the replies */
	uint32_t view;
	struct term_damage damage;
};
enum slot_state { SLOT_FREE, SLOT_NEW, SLOT_KEPT, SLOT_GONE };  /* KEPT: the committed head names it; GONE: and this one no longer */

/* term_cells.c */
void cells_layout(const struct term_shape *s, uint32_t *slots, uint32_t *ring_len, uint32_t *need);
size_t cells_size(const struct term *t, uint32_t slots);        /* of all memory, with that many slots */
/* Finds out which slots are in use; false: the head names one twice, or none. A history that is not sound is dropped. */
bool cells_load(struct term *t);
bool cells_room(struct term *t);        /* for one more step before a commit */
void cells_settle(struct term *t);      /* before a commit: so that there is room behind it */
void cells_begin(struct term *t);       /* all blank */
void cells_commit(struct term *t);      /* the head has been written */
void cells_resize(struct term *t, unsigned rows, unsigned cols, const unsigned up[2]);      /* up: rows that leave each screen at its top */
void cells_scroll(struct term *t, VTermRect rect, int down, int right);
void cells_erase(struct term *t, VTermRect rect, bool selective);
void cells_put(struct term *t, uint32_t code, int width, VTermPos pos);
void cells_run(struct term *t, const uint8_t *ascii, int n, VTermPos pos);      /* n > 0 characters, within the row */
void cells_mark(struct term *t, VTermPos pos, uint16_t mark);
void cells_alternate(struct term *t, bool on);
void cells_forget_history(struct term *t);

/* term_vt.c */
must_use bool vt_open(struct term *t);  /* false: no memory */
void vt_make(struct term *t);           /* makes libvterm's objects anew, for the present size, as in head.vt */
void vt_close(struct term *t);
void vt_begin(struct term *t);          /* head.vt as after a reset */
void vt_save(struct term *t);           /* into head.vt */
void vt_reset(struct term *t, bool hard);
void vt_look(struct term *t);           /* neither reversed, nor does anybody want to know of the mouse; not part of a soft reset */
/* DECSC and DECRC, of the screen that is shown. */
void vt_cursor_save(struct term *t);
void vt_cursor_restore(struct term *t);
int vt_rows_to_margin(const struct term *t, bool up);   /* from the cursor to the margin that it would meet, or the screen's border */
VTermPos vt_origin(const struct term *t);       /* the place that programs name by 1;1 */
void vt_stay(struct term *t);           /* it moves, by nothing */
void vt_make_way(struct term *t);       /* for a wide character, where libvterm would not */
/* Prints what is plain: returns how many of n ASCII characters, 0 where only libvterm knows. */
size_t vt_print(struct term *t, const uint8_t *ascii, size_t n);
struct term_pen vt_pen(const struct term *t);
bool vt_mouse(const struct term *t);    /* somebody wants to know of it */
bool vt_margins(const struct term *t);
bool vt_ansi_mode(const struct term *t, int mode);      /* 4 insert (IRM) or 20 newline (LNM) is set */

/* term_gate.c: a step, at least one byte or a change of state; returns bytes taken. */
size_t gate_step(struct term *t, const uint8_t *bytes, size_t len);

void term_put_reply(struct term *t, const char *bytes, size_t len);

/* term_damage.c */
void damage_span(struct term *t, unsigned row, unsigned from, unsigned to);
void damage_move(struct term *t, VTermRect rect, int up);

/*
 * edit: a line editor for a terminal in raw mode. Pure: key bytes in, terminal bytes out.
 *
 * Keys: arrows, Home, End, Delete, Backspace, ^A ^E ^B ^F ^P ^N ^D ^H, ^K ^U ^W, Alt-b Alt-f and Ctrl-arrows, Alt-d Alt-Backspace,
 * ^L, ^C, Tab. Typing at the end of the line sends just the character; anything else redraws.
 */
#pragma once
#include <abi/types.h>

enum { EDIT_LINE_MAX = 2048, EDIT_HISTORY = 100, EDIT_OUT = 1024, EDIT_INSERT = 512 };

enum edit_result { EDIT_MORE, EDIT_LINE, EDIT_END, EDIT_INTERRUPT };

struct edit {
	/* set by the owner */
	void   (*write)(void *ctx, const char *data, size_t len);
	void    *ctx;
	unsigned columns;           /* of the terminal, > 0 */
	/* What Tab inserts at the cursor: its length, at most `room`. 0: nothing, or several things, which *shown has in whole lines, and a second Tab shows. NULL: no Tab. */
	size_t (*complete)(void *ctx, const char *text, size_t cursor, unsigned columns, char *insert, size_t room, const char **shown);
	/* the line under way; zero-terminated when EDIT_LINE is returned */
	char     text[EDIT_LINE_MAX + 1];
	size_t   len, cursor;       /* bytes; at borders of characters */
	const char *prompt;
	/* keys */
	int      escape;            /* state of an escape sequence */
	unsigned parameter, modifier;
	uint8_t  pending[4];        /* of a UTF-8 character */
	uint8_t  n_pending;
	bool     after_cr;          /* a newline right after it is the same key */
	bool     after_tab;         /* that found nothing to insert */
	/* screen */
	unsigned row;               /* of the cursor, from the prompt's */
	char     out[EDIT_OUT];
	size_t   out_len;
	/* history, newest last */
	char    *history[EDIT_HISTORY];
	unsigned n_history;
	unsigned browsing;          /* entry shown; n_history: the line under way */
	char    *draft;             /* the line under way, while another is shown */
};

/* Prints the prompt and begins a line. The rest of *e must be zero the first time. */
void edit_start(struct edit *e, const char *prompt);
/* The terminal has this many columns now (> 0): the line is drawn anew for it. */
void edit_resize(struct edit *e, unsigned columns);
/* One byte from the terminal. After anything but EDIT_MORE: edit_start again. */
enum edit_result edit_byte(struct edit *e, uint8_t byte);
/* Sends what is to be shown. */
void edit_flush(struct edit *e);
/* Remembers a line, unless it is empty or the one before. */
void edit_remember(struct edit *e, const char *line);

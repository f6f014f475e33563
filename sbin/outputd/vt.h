/*
 * vt: the terminals of the screen, `tty://1` to `tty://6`: what is written becomes cells (lib/term), what is typed comes from keys.c.
 * Which of them the screen shows and how is screen.c's.
 *
 * A terminal takes memory when it is first opened or looked at, and more as its history grows; where there is none, that is shorter.
 */
#pragma once
#include <term/term.h>
#include "terminal.h"

enum { VTS = 6 };
#define VT_MEMORY (2944 * KiB)          /* that one may take of the state Frame */
enum { VT_HISTORY = 300 };              /* lines of history, at most */

/*
 * memory: VTS times VT_MEMORY of the state Frame; state: VTS of them; both borrowed for good. log: a RES_INFO: until somebody writes to it the
 * first terminal shows the kernel's log; 0: nothing. notify: its bit `bit` is set when vts_work is due.
 */
void vts_init(struct tty_state *const state[VTS], void *memory, handle_t log, handle_t notify, uint32_t bit);
/* Terminal i, made or taken up if it is not yet. ERR_NO_MEMORY; ERR_NOT_FOUND: there is no screen. */
must_use status_t vts_open(uint32_t i, struct terminal **t);
/* Terminal i as far as it is open; NULL: it is not. */
struct terminal *vts_opened(uint32_t i);
struct term *vts_term(uint32_t i);
/* screen_shape has changed. */
void vts_resized(void);
/* What was left for later, so that others get their turn. */
void vts_work(void);
/* Bytes from the keyboard, once: event: the number of the event of input:// that they come from. What there is no room for is lost, but for ^C, ^Z and the like. */
void vts_type(uint32_t i, uint64_t event, const uint8_t *bytes, size_t n);
/* The makers of events began to count anew. */
void vts_forget_events(void);
/* The screen as text, row by row, and a line "cursor ROW,COLUMN": heap memory, the caller's. */
must_use status_t vts_text(uint32_t i, char **text, size_t *size);

/*
 * ldisc: the line discipline, what happens to bytes between a keyboard and a program. Pure: bytes
 * in, cells and echo out; the device and the commands are main.c's.
 *
 * Canonical mode collects a line that can be edited and hands it over whole; raw mode hands over each
 * byte. Either way one READ never crosses the end of a line: a line editor takes only its own line
 * and leaves what was typed ahead to the program it starts.
 */
#pragma once
#include <abi/file.h>
#include "tty.h"

struct ldisc {
	struct tty_head *h;         /* borrowed; main.c saves it after each event */
	uint16_t *ring;             /* TTY_RING cells, borrowed */
	uint8_t  *line;             /* TTY_LINE bytes, borrowed */
	uint8_t  *echo;             /* TTY_SHOWN bytes for the device, ready to send, borrowed; what does not fit is not echoed */
};

enum ldisc_result { LDISC_NOTHING, LDISC_READY, LDISC_SUSPEND, LDISC_INTERRUPT };

void ldisc_init(struct ldisc *l, struct tty_head *h, struct tty_state *s);
/* How many bytes may come in before some must be read. */
uint32_t ldisc_room(const struct ldisc *l);
/* Whether it may come in: there is room, also for what must follow of its character, or it is a key that needs none. */
bool ldisc_takes(const struct ldisc *l, uint8_t byte);
/* It is a key that acts at once, whatever was typed before it and is not read: ^C, ^Z, ^S, ^Q. */
bool ldisc_acts(const struct ldisc *l, uint8_t byte);
/* One byte from the device. READY: there is something to read. INTERRUPT: ^C, SUSPEND: ^Z. Without room only keys that need none count. */
enum ldisc_result ldisc_input(struct ldisc *l, uint8_t byte);
/* ^S has stopped output, echo as well: nothing is to be sent. */
bool ldisc_stopped(const struct ldisc *l);
/* What a READ of `want` bytes gets: its bytes in buf, its cells in *cells (0: nothing yet; an end is 1 cell, no bytes). */
size_t ldisc_peek(const struct ldisc *l, uint8_t *buf, size_t want, uint32_t *cells);
void ldisc_take(struct ldisc *l, uint32_t cells);
/*
 * An unfinished line becomes readable in raw mode. Unread raw input is edited anew in canonical mode: when the new mode is saved, ldisc_again types a byte
 * of it, to be saved each time and before anything else comes in. False: all of it is typed.
 */
enum ldisc_result ldisc_set_mode(struct ldisc *l, uint32_t mode);
must_use bool ldisc_again(struct ldisc *l, enum ldisc_result *result);
/* Output bytes for the device: at most `room` of them from src[0..n), *used = source bytes they stand for. room >= 2. */
size_t ldisc_output(uint32_t mode, const uint8_t *src, size_t n, uint8_t *dst, size_t room, size_t *used);
/* Copies up to `room` echoed bytes; who has sent them counts h->echo_taken up. */
size_t ldisc_echo(const struct ldisc *l, uint8_t *dst, size_t room);

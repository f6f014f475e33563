/*
 * i8042: the keyboard controller of a PC and the keyboard at its first port. The only file that touches the hardware; it knows bytes,
 * commands and their answers, nothing of keys. Every wait has an end. (IBM PS/2 Hardware Interface Technical Reference, Keyboard and
 * Auxiliary Device Controller; Keyboards.)
 */
#pragma once
#include <abi/objects.h>

struct i8042 {
	handle_t ports, irq[2];     /* irq 0: none could be had, the caller polls */
	uint8_t  set;               /* scan codes that arrive: 2, or 1 if the controller goes on translating */
	bool     aux;               /* it has a second port */
	bool     keyboard;          /* something answered at the first */
	uint64_t give_up;           /* when a reset has taken too long (clock_now); 0: none is under way */
};

enum { I8042_AUX = 0x20, I8042_ERROR = 0xc0 };  /* status of a byte: of the second port; time-out or parity */
enum { KEYBOARD_ACK = 0xfa, KEYBOARD_RESEND = 0xfe };
enum { KEYBOARD_SET_LEDS = 0xed, KEYBOARD_SET_RATE = 0xf3, KEYBOARD_ENABLE = 0xf4 };

/* Takes the ports. ERR_NOT_FOUND: nothing answers there. */
must_use status_t i8042_open(struct i8042 *c, handle_t ports_resource);
/*
 * From any state: self-test, both ports tested, no translation if it can be had, no interrupts yet. With the keyboard's reset it takes
 * four seconds at most, if the hardware is broken. ERR_IO: the controller fails its self-test or does not answer; *why says at what.
 */
must_use status_t i8042_reset(struct i8042 *c, const char **why);
/* Resets and identifies the keyboard, and chooses scan code set 2. What it types meanwhile is lost. False: nothing answers. */
bool i8042_keyboard_reset(struct i8042 *c);
/* Takes the interrupts and lets both ports raise them. */
void i8042_start(struct i8042 *c, handle_t irq_keyboard, handle_t irq_aux);
/* Takes the interrupts: the controller is as an instance before this one left it, but for the byte it may have been about to send. */
void i8042_resume(struct i8042 *c, handle_t irq_keyboard, handle_t irq_aux);
/* Bytes that have arrived, at most n, to `to`; their number is added to *sum in the same instant. False: there is none. */
bool i8042_read(struct i8042 *c, struct io_byte *to, size_t n, uint64_t *sum);
/* A byte to the keyboard, or to the second port. ERR_TIMED_OUT: the controller does not take it. */
must_use status_t i8042_send(struct i8042 *c, bool aux, uint8_t byte);
/* Lets interrupts through again: before looking for bytes, or an edge in between is lost. */
void i8042_ack(struct i8042 *c);

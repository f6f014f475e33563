/*
 * serial: the terminal `tty://serial` on COM1.
 */
#pragma once
#include "terminal.h"

extern struct terminal serial;

/*
 * Takes the device; notify: its bits SERIAL_IRQ and SERIAL_TIMER are ours. state: borrowed for good. Without a UART reads wait and
 * writes vanish.
 */
void serial_open(struct tty_state *state, handle_t notify);
enum { SERIAL_IRQ = 0, SERIAL_TIMER = 1 };
void serial_notified(uint64_t bits);

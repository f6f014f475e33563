/*
 * uart: a 16550 on COM1, 115200 8N1. The only file that touches the hardware; it knows bytes and
 * interrupts, nothing of terminals.
 */
#pragma once
#include <abi/objects.h>

struct uart {
	handle_t ports, irq;        /* irq 0: none could be had, the caller polls */
	bool     present;
	uint8_t  ier;               /* what the interrupt enable register holds */
	uint8_t  depth;             /* of the transmit FIFO */
};

enum { UART_FIFO_MAX = 16 };

/*
 * Takes the ports and the interrupt and sets the device up. What is still being sent goes out first, and
 * what was received while nobody listened stays. ERR_NOT_FOUND: no UART answers there.
 */
must_use status_t uart_open(struct uart *u, handle_t ports_resource, handle_t irq_resource);
/* Received bytes, at most n, to `to`; their number is added to *sum in the same instant, as below. False: there is none. */
bool uart_read(struct uart *u, struct io_byte *to, size_t n, uint64_t *sum);
bool uart_broke(struct io_byte b);              /* it is no byte: the line broke */
/* How many bytes uart_write takes now: the FIFO's depth if it is empty, else 0. */
size_t uart_room(struct uart *u);
/* Adds len to *sum in the same instant: no kill comes between. */
void uart_write(struct uart *u, const uint8_t *data, size_t len, uint64_t *sum);
/* Which conditions raise the interrupt. Enabling one that holds raises it at once. */
void uart_interrupts(struct uart *u, bool receive, bool transmit);
bool uart_receiving(const struct uart *u);      /* whether reception raises it now */
/* Lets the interrupt through again: before looking at the device, or an edge in between is lost. */
void uart_ack(struct uart *u);

/*
 * uart: see uart.h. Registers after the National PC16550D data sheet (June 1995), section 8.
 *
 * The interrupt is an ISA edge (some boards make it a level, which the kernel masks when it fires). So:
 * acknowledge first, then serve until nothing holds the line up; each later condition makes a fresh edge. IIR is never asked why: only
 * receive and transmit-empty are enabled, LSR tells both, and reading the byte or filling (or disabling)
 * the transmitter drops the line (table IV).
 */
#include <rt/ipc.h>
#include <rt/irq.h>
#include "uart.h"

enum {
	COM1 = 0x3f8, COM1_PORTS = 8, COM1_IRQ = 4,
	RBR = 0, THR = 0, DLL = 0, DLM = 1, IER = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, SCR = 7,
	IER_RECEIVE = 1, IER_TRANSMIT = 2,
	IIR_FIFO = 0xc0,            /* both bits: FIFOs are on and work */
	FCR_ENABLE = 1,
	LCR_8N1 = 3, LCR_DLAB = 0x80,
	MCR_DTR = 1, MCR_RTS = 2, MCR_OUT2 = 8,     /* OUT2 gates the interrupt line on PCs */
	LSR_DATA = 1, LSR_BREAK = 0x10, LSR_EMPTY = 0x20, LSR_IDLE = 0x40,
	DIVISOR_115200 = 1,         /* of 1.8432 MHz / 16 */
	IRQ_PATIENCE_MS = 1000,
	DRAIN_NS = 20 * NS_PER_MS,  /* a full FIFO takes 1.4 ms; flow control may hold it for ever */
};

static uint32_t reg_get(struct uart *u, uint32_t reg)
{
	uint32_t value = 0xff;      /* as an empty bus reads */

	return io_read(u->ports, reg, 1, &value) < 0 ? 0xff : value & 0xff;
}

static void reg_set(struct uart *u, uint32_t reg, uint32_t value)
{
	/* The ports are ours and the register is in range: this cannot fail. */
	(void)!io_write(u->ports, reg, 1, value);
}

/* The scratch register keeps what is written, an empty bus does not. */
static bool device_answers(struct uart *u)
{
	for (uint32_t pattern = 0x5a; pattern; pattern = pattern == 0x5a ? 0xa5 : 0) {
		reg_set(u, SCR, pattern);
		if (reg_get(u, SCR) != pattern)
			return false;
	}
	return reg_get(u, LSR) != 0xff;
}

static void drain(struct uart *u)
{
	uint64_t now, end;

	if (clock_now(&now) < 0)
		return;
	for (end = now + DRAIN_NS; !(reg_get(u, LSR) & LSR_IDLE) && now < end;)
		if (clock_now(&now) < 0)
			return;
}

status_t uart_open(struct uart *u, handle_t ports_resource, handle_t irq_resource)
{
	uint32_t patience = IRQ_PATIENCE_MS;

	*u = (struct uart){ .depth = 1 };
	status_t st = ioports_create(ports_resource, COM1, COM1_PORTS, &u->ports);
	if (st < 0)
		return st;
	if (!device_answers(u)) {
		handle_close(u->ports);
		u->ports = 0;
		return ERR_NOT_FOUND;
	}
	u->present = true;
	(void)!irq_take(irq_resource, COM1_IRQ, IRQ_ISA, &patience, &u->irq);

	reg_set(u, IER, 0);
	drain(u);
	reg_set(u, LCR, LCR_8N1 | LCR_DLAB);
	reg_set(u, DLL, DIVISOR_115200 & 0xff);
	reg_set(u, DLM, DIVISOR_115200 >> 8);
	reg_set(u, LCR, LCR_8N1);
	/* No reset bits: bytes typed while nobody served stay in the receive FIFO. Trigger level 1. */
	reg_set(u, FCR, FCR_ENABLE);
	if ((reg_get(u, IIR) & IIR_FIFO) == IIR_FIFO)
		u->depth = UART_FIFO_MAX;
	reg_set(u, MCR, MCR_DTR | MCR_RTS | MCR_OUT2);
	return OK;
}

bool uart_read(struct uart *u, struct io_byte *to, size_t n, uint64_t *sum)
{
	uint32_t done;

	return io_read_bytes(u->ports, RBR, IO_READY(LSR, LSR_DATA), to, (uint32_t)n, (uint64_t)sum, &done) == OK && done > 0;
}

bool uart_broke(struct io_byte b)
{
	return b.status & LSR_BREAK;
}

size_t uart_room(struct uart *u)
{
	return reg_get(u, LSR) & LSR_EMPTY ? u->depth : 0;
}

void uart_write(struct uart *u, const uint8_t *data, size_t len, uint64_t *sum)
{
	uint64_t done;

	(void)!io_write_bytes(u->ports, THR, data, len, (uint64_t)sum, &done);
}

void uart_interrupts(struct uart *u, bool receive, bool transmit)
{
	uint8_t ier = (uint8_t)((receive ? IER_RECEIVE : 0) | (transmit ? IER_TRANSMIT : 0));

	if (u->ier != ier) {
		u->ier = ier;
		reg_set(u, IER, ier);
	}
}

bool uart_receiving(const struct uart *u)
{
	return u->ier & IER_RECEIVE;
}

void uart_ack(struct uart *u)
{
	if (u->irq)
		irq_ack(u->irq);
}

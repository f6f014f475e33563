/*
 * com1: the first serial port of a PC (16550, PC16550D data sheet §8), by polling with a bound on every wait:
 * a port that is not there, or has nobody listening, costs milliseconds and not the boot.
 */
#include "loader.h"
#include "cpu.h"

enum { COM1 = 0x3f8 };
enum { DATA = 0, IER = 1, FCR = 2, LCR = 3, MCR = 4, LSR = 5, SCRATCH = 7 };
enum { LSR_DATA = 1, LSR_THR_EMPTY = 0x20, LCR_8N1 = 3, LCR_DLAB = 0x80, MCR_DTR_RTS = 3 };
enum { WAIT_MAX = 100000 };     /* reads of LSR, about 1 us each on real hardware */

static bool present;

bool com1_init(void)
{
	/* The scratch register keeps what is written to it; an absent port reads as ones. */
	out8(COM1 + SCRATCH, 0x5a);
	bool a = in8(COM1 + SCRATCH) == 0x5a;
	out8(COM1 + SCRATCH, 0xa5);
	present = a && in8(COM1 + SCRATCH) == 0xa5;
	return present;
}

void com1_set_up(void)
{
	if (!present)
		return;
	out8(COM1 + IER, 0);
	out8(COM1 + LCR, LCR_DLAB | LCR_8N1);
	out8(COM1 + DATA, 1);           /* divisor 1: 115200 */
	out8(COM1 + IER, 0);
	out8(COM1 + LCR, LCR_8N1);
	out8(COM1 + FCR, 7);            /* FIFOs on and empty */
	out8(COM1 + MCR, MCR_DTR_RTS);
}

void com1_write(const char *text, size_t len)
{
	for (size_t i = 0; i < len && present; i++) {
		uint32_t wait = 0;
		while (!(in8(COM1 + LSR) & LSR_THR_EMPTY))
			if (++wait == WAIT_MAX) {
				present = false;
				return;
			}
		out8(COM1 + DATA, (uint8_t)text[i]);
	}
}

int com1_read(void)
{
	if (!present || !(in8(COM1 + LSR) & LSR_DATA))
		return -1;
	return in8(COM1 + DATA);
}

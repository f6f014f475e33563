/*
 * serial: COM1 as the kernel's first voice. Polled, 115200 8N1, no interrupts, no flow control.
 *
 * Nothing here waits for ever: an absent port is found out by the loopback test, and a transmitter
 * that stops (a host that reads no more) costs one long wait, then one look per call until it moves
 * again. Registers: National PC16550D data sheet, section 8.
 *
 * No lock: log.c holds its console lock, and panic comes without asking.
 */
#include <kernel/arch.h>
#include <kernel/x86.h>

enum {
	COM1 = 0x3f8,
	THR = COM1 + 0, RBR = COM1 + 0, DLL = COM1 + 0,
	IER = COM1 + 1, DLM = COM1 + 1,
	FCR = COM1 + 2, IIR = COM1 + 2,
	LCR = COM1 + 3, MCR = COM1 + 4, LSR = COM1 + 5,

	LCR_8N1 = 0x03, LCR_DLAB = 0x80,
	MCR_DTR_RTS = 0x03, MCR_OUT2 = 0x08, MCR_LOOP = 0x10,
	LSR_READY = 0x01, LSR_THR_EMPTY = 0x20, LSR_IDLE = 0x40,
	FIFO_BYTES = 16,
	DIVISOR = 1,                    /* 1.8432 MHz / 16 / 115200 */

	/* An inb takes about 1 us on real hardware; 16 bytes leave in 1.4 ms. */
	POLLS_LOOPBACK = 2000,
	POLLS_SEND = 50000,
};

static bool     present;
static bool     stalled;                /* the last wait was in vain */
static unsigned fifo;                   /* bytes that may follow one LSR_THR_EMPTY */

static bool wait_lsr(uint8_t bits, unsigned polls)
{
	while (polls-- > 0) {
		if (inb(LSR) & bits)
			return true;
		cpu_pause();
	}
	return false;
}

/* Sends one byte to ourselves. Loopback needs no cable and wakes nobody at the other end. */
static bool loops_back(uint8_t byte)
{
	outb(THR, byte);
	return wait_lsr(LSR_READY, POLLS_LOOPBACK) && inb(RBR) == byte;
}

bool serial_init(void)
{
	present = stalled = false;
	if (inb(LSR) == 0xff)           /* no device answers: the bus floats high; LSR bit 7 and all errors at once do not happen */
		return false;
	wait_lsr(LSR_IDLE, POLLS_SEND); /* what the firmware, or we before a panic, last sent shall get out whole */
	outb(LCR, LCR_8N1);
	outb(IER, 0);
	outb(LCR, LCR_8N1 | LCR_DLAB);
	outb(DLL, DIVISOR);
	outb(DLM, 0);
	outb(LCR, LCR_8N1);
	outb(FCR, 0x07);                /* FIFOs on and empty */
	fifo = (inb(IIR) & 0xc0) == 0xc0 ? FIFO_BYTES : 1;      /* 8250, 16450 and the faulty 16550 show less */
	outb(MCR, MCR_LOOP | MCR_OUT2 | MCR_DTR_RTS);
	for (unsigned i = 0; i < FIFO_BYTES && inb(LSR) & LSR_READY; i++)
		inb(RBR);
	present = loops_back(0xae) && loops_back(0x51);
	outb(MCR, MCR_DTR_RTS);
	return present;
}

void serial_write(const char *text, size_t len)
{
	unsigned room = 0;
	bool     cr = false;

	for (size_t i = 0; present && i < len; ) {
		if (room == 0) {
			if (!wait_lsr(LSR_THR_EMPTY, stalled ? 1 : POLLS_SEND)) {
				stalled = true;
				return;
			}
			stalled = false;
			room = fifo;
		}
		if (text[i] == '\n' && !cr) {
			outb(THR, '\r');
			cr = true;
		} else {
			outb(THR, (uint8_t)text[i++]);
			cr = false;
		}
		room--;
	}
}

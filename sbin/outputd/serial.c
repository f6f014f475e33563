/*
 * serial: see serial.h. WRITE is answered when its last byte is in the device's FIFO, so writers go as fast as the line and
 * nothing is dropped; the device is filled in bounded pieces, driven by its transmit-empty interrupt, so input and ^C are served
 * in between.
 *
 * Killed at any instant: the state Frame tells how far the first WRITE and the echo had come, to the byte. The kernel stores what
 * is typed there as it takes it from the device. So nothing is lost.
 */
#include "serial.h"
#include <rt/io.h>
#include <rt/start.h>
#include <utf8/utf8.h>
#include "uart.h"

/* Some 16550s lose the transmit-empty interrupt (Linux, 8250_core.c, UART_BUG_THRE): look again then. */
#define BACKUP_NS   (50 * NS_PER_MS)
#define POLL_NS     (10 * NS_PER_MS)    /* no interrupt at all */
/*
 * What there is no room for waits in the device: a program that reads loses nothing of a long text that somebody pastes. But the line must not go deaf to
 * ^C and ^Q because a program does not read: after this long, what comes and finds no room is lost, with a bell, as on the screen's terminals.
 */
#define PATIENCE_NS (500 * NS_PER_MS)

struct terminal serial;

static struct uart uart;
static handle_t notify;                 /* interrupt and timer */
static uint64_t timer_period;           /* ns; 0: disarmed */
static uint64_t full_since;             /* 0: there is room */

static void timer_set(uint64_t period)
{
	uint64_t now;

	if (period == timer_period)
		return;
	if (clock_now(&now) < 0 || notify_timer(notify, SERIAL_TIMER, period ? now + period : FOREVER, period) < 0)
		return;
	timer_period = period;
}

/* ---- input ---- */

/* The device has given more than was looked at. */
static bool waits(const struct terminal *t)
{
	return t->head.seen != t->state->received;
}

static struct io_byte next_byte(const struct terminal *t)
{
	return t->state->raw[t->head.seen % TTY_RAW];
}

static bool has_keys(const struct terminal *t)
{
	return t->head.mode & (TTY_SIGNALS | TTY_FLOW);
}

static bool out_of_patience(const struct terminal *t)
{
	uint64_t now;

	return full_since && has_keys(t) && clock_now(&now) == OK && now - full_since >= PATIENCE_NS;
}

static bool takes_next(const struct terminal *t)
{
	struct io_byte b = next_byte(t);

	return uart_broke(b) || ldisc_takes(&t->ldisc, b.byte) || out_of_patience(t);
}

static void receive(struct terminal *t)
{
	size_t at;

	do {
		for (; waits(t) && takes_next(t); terminal_save(t)) {
			struct io_byte b = next_byte(t);
			t->head.seen++;
			if (!uart_broke(b))
				terminal_input(t, b.byte);
		}
		at = t->state->received % TTY_RAW;
	} while (!waits(t) && uart_read(&uart, t->state->raw + at, TTY_RAW - at, &t->state->received));
}

static void look_for_room(const struct terminal *t)
{
	uint64_t now;

	if (ldisc_room(&t->ldisc) >= UTF8_MAX)
		full_since = 0;
	else if (!full_since && clock_now(&now) == OK)
		full_since = now;
}

/* ---- output ---- */

static void serial_put(struct terminal *t, const uint8_t *bytes, size_t n)
{
	uart_write(&uart, bytes, n, &t->state->sent);
}

/* Echo first, then writers in order, until the FIFO stays full or a piece is through. */
static void pump(struct terminal *t)
{
	uint8_t fifo[UART_FIFO_MAX];

	/* While the FIFO is watched here, its emptiness need not interrupt. */
	if (uart.present && (t->writers.first || terminal_echoes(t)))
		uart_interrupts(&uart, uart_receiving(&uart), false);
	for (size_t sent = 0; uart.present && !ldisc_stopped(&t->ldisc) && sent < PIECE_MAX;) {
		bool echo = terminal_echoes(t);
		struct parked *w = t->writers.first;
		status_t st = OK;

		if (!echo && w && w->done == w->len) {
			terminal_written(t, OK);
			continue;
		}
		if (!echo && !w)
			break;
		size_t room = uart_room(&uart);
		if (room == 0)
			break;
		sent += terminal_send(t, fifo, room, &st);
		if (st < 0)
			terminal_written(t, st);
	}
	while (t->writers.first && (!uart.present || t->writers.first->done == t->writers.first->len)) {
		t->writers.first->done = t->writers.first->len;
		terminal_written(t, OK);
	}
	if (!uart.present)
		return;
	bool more = !ldisc_stopped(&t->ldisc) && (t->writers.first || terminal_echoes(t));
	uart_interrupts(&uart, !waits(t), more);
	timer_set(!uart.irq ? POLL_NS : more || (waits(t) && has_keys(t)) ? BACKUP_NS : 0);
}

/* ---- both ---- */

static void serial_run(struct terminal *t)
{
	if (uart.present)
		do {
			receive(t);
			terminal_serve_readers(t);
			look_for_room(t);
		} while (waits(t) && takes_next(t));
	pump(t);
}

void serial_notified(uint64_t bits)
{
	if (bits & 1ull << SERIAL_IRQ)
		uart_ack(&uart);
	if (bits & (1ull << SERIAL_IRQ | 1ull << SERIAL_TIMER))
		serial_run(&serial);
}

/* ---- start ---- */

static bool serial_absent(const struct terminal *t unused)
{
	return !uart.present;
}

static const struct device device = {
	.run = serial_run, .begin = terminal_send_begin, .resume = terminal_send_resume, .absent = serial_absent, .put = serial_put,
};

void serial_open(struct tty_state *state, handle_t on)
{
	notify = on;
	timer_period = full_since = 0;
	terminal_init(&serial, &device, state);
	terminal_type_again(&serial);
	status_t st = uart_open(&uart, start_handle("res:ioports"), start_handle("res:irq"));
	if (st < 0) {
		log_print("no serial port at 3f8 (%s): reads wait, writes vanish", error_name(st));
		return;
	}
	if (!uart.irq)
		log_print("no interrupt 4 for the serial port: looking at it 100 times a second");
	else
		MUST(notify_bind(notify, SERIAL_IRQ, uart.irq));
	uart_interrupts(&uart, true, false);
	uart_ack(&uart);
	serial_run(&serial);
}

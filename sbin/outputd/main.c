/*
 * outputd: terminals. So far one, `tty://serial` on COM1: bytes in uart.c, editing in ldisc.c, what
 * outlives an instance in tty.c, and here the commands that wait for them. One thread, one loop.
 *
 * READ waits in order of arrival and gets at most one line. WRITE is answered when its last byte is in
 * the device's FIFO, so writers go as fast as the line and nothing is dropped; the device is filled in
 * bounded pieces, driven by its transmit-empty interrupt, so input and ^C are served in between.
 *
 * Killed at any instant: parked commands are delivered again; the state Frame tells how far the first
 * WRITE and the echo had come, to the byte, and which input the last READ was given, should its answer not
 * have left. The kernel stores what is typed there as it takes it from the device. So nothing is lost.
 */
#include <abi/file.h>
#include <gen/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <rt/svc.h>
#include <stdlib.h>
#include <string.h>
#include "ldisc.h"
#include "tty.h"
#include "uart.h"

enum { BADGE_ROOT = 0, BADGE_SERIAL = 0x100, BADGE_DEVICE = 1 };
enum { BIT_IRQ = 0, BIT_TIMER = 1 };
enum { SESSION_RIGHTS = RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER };

#define PIECE_MAX   2048            /* bytes sent before other events get their turn; a real line is full long before */
/* Some 16550s lose the transmit-empty interrupt (Linux, 8250_core.c, UART_BUG_THRE): look again then. */
#define BACKUP_NS   (50 * NS_PER_MS)
#define POLL_NS     (10 * NS_PER_MS)    /* no interrupt at all */

/* A command that waits. A SYNC is a WRITE of nothing. */
struct parked {
	struct parked *next;
	cmd_id_t cmd;
	uint64_t offset;                /* of a READ */
	uint32_t len, done;
};
struct queue { struct parked *first, **last; };

static struct svc svc;
static struct uart uart;
static struct ldisc ldisc;
static struct tty_head head;
static struct tty_state *state;
static struct tty_state own_state;  /* used when none was handed over */
static struct queue readers, writers;
static handle_t notify;             /* interrupt and timer */
static uint64_t timer_period;       /* ns; 0: disarmed */
static handle_t signal_notify;      /* who wants to know of ^C, ^Z and a new size; 0: nobody */
static uint64_t interrupt_bits, suspend_bits, size_bits;        /* of that Notify; 0: not this */
static struct { uint8_t bytes[PIECE_MAX]; uint32_t at, len; } stage;   /* what comes next of the first writer */

/* ---- queues ---- */

static void queue_init(struct queue *q)
{
	q->first = NULL;
	q->last = &q->first;
}

static status_t queue_put(struct queue *q, const struct parked *w)
{
	struct parked *p = malloc(sizeof(*p));

	if (!p)
		return ERR_NO_MEMORY;
	*p = *w;
	p->next = NULL;
	*q->last = p;
	q->last = &p->next;
	return OK;
}

static void queue_drop(struct queue *q, struct parked **link)
{
	struct parked *p = *link;

	*link = p->next;
	if (!p->next)
		q->last = link;
	free(p);
}

static void answer(cmd_id_t cmd, status_t st, uint64_t done)
{
	struct reply r = { .status = st };

	r.w[0] = done;
	svc_reply(cmd, &r);
}

static void save(void)
{
	tty_save(state, &head);
}

/* ---- output ---- */

static void timer_set(uint64_t period)
{
	uint64_t now;

	if (period == timer_period)
		return;
	if (clock_now(&now) < 0 || notify_timer(notify, BIT_TIMER, period ? now + period : FOREVER, period) < 0)
		return;
	timer_period = period;
}

/* Sends one FIFO load of w (the first writer); returns its bytes. *st < 0: w cannot be read any more. */
static size_t send_load(struct parked *w, uint8_t *fifo, size_t room, status_t *st)
{
	size_t used, n;

	if (stage.at == stage.len) {
		stage.at = 0;
		stage.len = MIN(w->len - w->done, (uint32_t)sizeof(stage.bytes));
		*st = svc_read_in(w->cmd, w->done, stage.bytes, stage.len);
		if (*st < 0) {
			stage.len = 0;
			return 0;
		}
	}
	/* A FIFO of one byte cannot take CR and NL at once; two in a row into an empty one lose nothing but time. */
	n = ldisc_output(head.mode, stage.bytes + stage.at, stage.len - stage.at, fifo, MAX(room, (size_t)2), &used);
	head.load = (uint32_t)used;
	save();
	uart_write(&uart, fifo, n, &state->sent);
	head.load = 0;                          /* to be saved with whatever is next: until then `sent` says so */
	stage.at += (uint32_t)used;
	w->done += (uint32_t)used;
	head.write_done = w->done;
	return n;
}

static bool echoes(void)
{
	return head.echo_put != head.echo_taken;
}

static size_t send_echo(uint8_t *fifo, size_t room)
{
	size_t n = ldisc_echo(&ldisc, fifo, room);

	head.echo_load = (uint32_t)n;
	save();
	uart_write(&uart, fifo, n, &state->sent);
	head.echo_load = 0;                     /* as above */
	head.echo_taken += (uint32_t)n;
	return n;
}

/* The same when the command is delivered again; 0: its caller has left. */
static uint64_t identity(cmd_id_t cmd)
{
	struct cmd_info info;

	return cmd_info(cmd, &info) == OK ? info.op_id : 0;
}

/* The first writer's turn begins. */
static void write_begin(const struct parked *w)
{
	stage.at = stage.len = 0;
	head.write_op = identity(w->cmd);
	head.write_len = w->len;
	head.write_done = w->done;
	head.load = 0;
}

static void writer_done(status_t st)
{
	struct parked *w = writers.first;

	answer(w->cmd, w->done ? OK : st, w->done);
	queue_drop(&writers, &writers.first);
	if (writers.first)
		write_begin(writers.first);
}

/* Echo first, then writers in order, until the FIFO stays full or a piece is through. */
static void pump(void)
{
	uint8_t fifo[UART_FIFO_MAX];

	/* While the FIFO is watched here, its emptiness need not interrupt. */
	if (uart.present && (writers.first || echoes()))
		uart_interrupts(&uart, uart_receiving(&uart), false);
	for (size_t sent = 0; uart.present && !ldisc_stopped(&ldisc) && sent < PIECE_MAX;) {
		bool echo = echoes();
		struct parked *w = writers.first;
		status_t st = OK;

		if (!echo && w && w->done == w->len) {
			writer_done(OK);
			continue;
		}
		if (!echo && !w)
			break;
		size_t room = uart_room(&uart);
		if (room == 0)
			break;
		if (echo) {
			sent += send_echo(fifo, room);
			continue;
		}
		sent += send_load(w, fifo, room, &st);
		if (st < 0)
			writer_done(st);
	}
	while (writers.first && (!uart.present || writers.first->done == writers.first->len)) {
		writers.first->done = writers.first->len;
		writer_done(OK);
	}
	if (!uart.present)
		return;
	bool more = !ldisc_stopped(&ldisc) && (writers.first || echoes());
	uart_interrupts(&uart, ldisc_room(&ldisc) > 0, more);
	timer_set(!uart.irq ? POLL_NS : more ? BACKUP_NS : 0);
}

/* ---- input ---- */

static void interrupt(void)
{
	if (signal_notify)
		(void)!notify_signal(signal_notify, interrupt_bits);
	else if (head.had_signal)
		head.interrupted = 1;   /* an earlier instance held the Notify: its owner will come again */
}

/* Which READ the last answer belonged to, decided when it matters: taken unless that READ is here again. */
static void settle_read(const struct svc_cmd *c, uint64_t offset)
{
	if (!head.read_cells)
		return;
	if (!(c && c->redelivered && offset == head.read_offset && c->out_len == head.read_len))
		ldisc_take(&ldisc, head.read_cells);
	head.read_cells = 0;
	save();
}

static void serve_readers(void)
{
	uint8_t buf[TTY_RING];
	uint32_t cells;

	while (readers.first) {
		struct parked *r = readers.first;
		size_t n = ldisc_peek(&ldisc, buf, MIN(r->len, (uint32_t)sizeof(buf)), &cells);
		if (cells == 0)
			return;
		status_t st = svc_write_out(r->cmd, 0, buf, n);
		if (st == OK) {
			head.read_offset = r->offset;
			head.read_len = r->len;
			head.read_cells = cells;
			save();
		}
		answer(r->cmd, st, n);
		if (st == OK) {
			ldisc_take(&ldisc, cells);
			head.read_cells = 0;
			save();
		}
		queue_drop(&readers, &readers.first);
	}
}

static void signal_bits(uint64_t bits)
{
	if (signal_notify && bits)
		(void)!notify_signal(signal_notify, bits);
}

static void react(enum ldisc_result result)
{
	if (result == LDISC_INTERRUPT)
		interrupt();
	if (result == LDISC_SUSPEND)
		signal_bits(suspend_bits);
}

static void receive(void)
{
	size_t at;

	do {
		for (; head.seen != state->received && ldisc_room(&ldisc) > 0; save()) {
			struct io_byte b = state->raw[head.seen++ % TTY_RAW];
			if (!uart_broke(b))
				react(ldisc_input(&ldisc, b.byte));
		}
		at = state->received % TTY_RAW;
	} while (ldisc_room(&ldisc) > 0 && uart_read(&uart, state->raw + at, TTY_RAW - at, &state->received));
}

/* Everything that can move, moves. */
static void run_terminal(void)
{
	if (uart.present) {
		bool full;
		do {
			receive();
			full = ldisc_room(&ldisc) == 0;
			serve_readers();
		} while (full && ldisc_room(&ldisc) > 0);
	}
	pump();
}

static void on_notify(void *self unused, uint64_t badge unused, uint64_t bits)
{
	if (bits & 1ull << BIT_IRQ)
		uart_ack(&uart);
	run_terminal();
}

/* ---- commands ---- */

/* The badge that a path below `badge` names. */
static status_t find(uint64_t badge, const char *path, uint64_t *found)
{
	size_t slashes = path ? strspn(path, "/") : 0;

	if (!path || (!path[slashes] && (badge == BADGE_ROOT || !slashes))) {
		*found = badge;
		return OK;
	}
	if (badge != BADGE_ROOT)
		return ERR_NOT_DIRECTORY;
	if (strcmp(path + slashes, "serial") != 0)
		return ERR_NOT_FOUND;
	*found = BADGE_SERIAL;
	return OK;
}

static status_t on_open(void *self unused, struct svc_cmd *c, const struct file_open_req *q, struct file_open_rep *p)
{
	uint64_t badge;
	status_t st = find(c->badge, c->path, &badge);

	if (st < 0)
		return st;
	if (badge == BADGE_SERIAL && q->flags & OPEN_DIRECTORY)
		return ERR_NOT_DIRECTORY;
	if (badge == BADGE_ROOT && q->flags & OPEN_WRITE)
		return ERR_IS_DIRECTORY;
	if (q->flags & OPEN_EXCL)
		return ERR_EXISTS;
	c->mint = true;
	c->mint_badge = badge;
	c->mint_rights = SESSION_RIGHTS | (q->flags & OPEN_READ ? RIGHT_READ : 0) | (q->flags & OPEN_WRITE ? RIGHT_WRITE : 0);
	p->type = badge == BADGE_ROOT ? FILE_DIRECTORY : FILE_STREAM;
	p->size = 0;
	return OK;
}

static status_t on_read(void *self unused, struct svc_cmd *c, const struct file_read_req *q, struct file_read_rep *p)
{
	struct parked r = { .cmd = c->cmd, .offset = q->offset, .len = c->out_len };

	if (c->badge == BADGE_ROOT)
		return ERR_IS_DIRECTORY;
	settle_read(c, q->offset);
	if (c->out_len == 0) {
		p->done = 0;
		return OK;
	}
	status_t st = queue_put(&readers, &r);
	if (st < 0)
		return st;
	run_terminal();
	return SVC_LATER;
}

/* Continues where a dead instance had come to, if this is the WRITE it was at. */
static uint32_t write_resume(const struct svc_cmd *c)
{
	bool same = c->redelivered && head.write_op && c->in_len == head.write_len && identity(c->cmd) == head.write_op;

	return same ? head.write_done : 0;
}

static status_t park_write(struct svc_cmd *c)
{
	struct parked w = { .cmd = c->cmd, .len = c->in_len };
	bool first = !writers.first;

	if (w.len > 0)
		w.done = write_resume(c);
	status_t st = queue_put(&writers, &w);
	if (st < 0)
		return st;
	if (first) {
		write_begin(&w);
		save();
		pump();
	}
	return SVC_LATER;
}

static status_t on_write(void *self unused, struct svc_cmd *c, const struct file_write_req *q unused, struct file_write_rep *p)
{
	if (c->badge == BADGE_ROOT)
		return ERR_IS_DIRECTORY;
	if (c->in_len == 0 || !uart.present) {
		p->done = c->in_len;
		return OK;
	}
	return park_write(c);
}

static status_t on_sync(void *self unused, struct svc_cmd *c, const struct file_sync_req *q unused, struct file_sync_rep *p unused)
{
	return writers.first ? park_write(c) : OK;
}

static status_t on_stat(void *self unused, struct svc_cmd *c, const struct file_stat_req *q unused, struct file_stat_rep *p)
{
	uint64_t badge;
	status_t st = find(c->badge, c->path, &badge);

	if (st < 0)
		return st;
	*p = (struct file_stat_rep){
		.type = badge == BADGE_ROOT ? FILE_DIRECTORY : FILE_STREAM,
		.mode = badge == BADGE_ROOT ? 0555 : 0666,
		.ino = badge,
	};
	return OK;
}

static status_t on_readdir(void *self unused, struct svc_cmd *c, const struct file_readdir_req *q, struct file_readdir_rep *p)
{
	uint8_t buf[64] aligned(8);

	if (c->badge != BADGE_ROOT)
		return ERR_NOT_DIRECTORY;
	p->done = 0;
	p->next = 1;
	if (q->cookie > 0)
		return OK;
	p->done = dirent_put(buf, sizeof(buf), BADGE_SERIAL, 0, FILE_STREAM, "serial");
	return svc_write_out(c->cmd, 0, buf, p->done);
}

static status_t set_mode(uint64_t mode)
{
	if (mode & ~(uint64_t)TTY_MODES)
		return ERR_INVALID;
	settle_read(NULL, 0);
	head.interrupted = 0;
	react(ldisc_set_mode(&ldisc, (uint32_t)mode));
	save();
	run_terminal();
	return OK;
}

/* Anything else would only be kept alive here, and with it the Budget that paid for it. */
static bool is_notify(handle_t h)
{
	struct handle_info i;
	return handle_info(h, &i) == OK && i.type == OBJ_NOTIFY && (i.rights & RIGHT_SIGNAL);
}

/* A bit's number and one, or none. */
static uint64_t bits_of(uint64_t number)
{
	return number ? 1ull << (number - 1) : 0;
}

static status_t set_signal(struct svc_cmd *c, const struct file_ctl_req *q)
{
	if (q->arg0 > 63 || q->arg1 > 64 || q->arg2 > 64 || (c->n_handles && !is_notify(c->handles[0])))
		return ERR_INVALID;
	if (signal_notify)
		handle_close(signal_notify);
	signal_notify = c->n_handles ? c->handles[0] : 0;
	interrupt_bits = 1ull << q->arg0;
	suspend_bits = bits_of(q->arg1);
	size_bits = bits_of(q->arg2);
	if (c->n_handles)
		c->handles[0] = 0;      /* ours now */
	head.had_signal = signal_notify != 0;
	if (head.interrupted && signal_notify)
		interrupt();
	head.interrupted = 0;
	save();
	return OK;
}

/* A resize that is delivered again changes nothing, and says nothing. */
static status_t set_size(uint64_t columns, uint64_t rows)
{
	if (columns < 1 || columns > TTY_SIZE_MAX || rows < 1 || rows > TTY_SIZE_MAX)
		return ERR_INVALID;
	bool other = head.columns != columns || head.rows != rows;
	head.columns = (uint16_t)columns;
	head.rows = (uint16_t)rows;
	save();
	if (other)
		signal_bits(size_bits);
	return OK;
}

static status_t on_ctl(void *self unused, struct svc_cmd *c, const struct file_ctl_req *q, struct file_ctl_rep *p)
{
	if (c->badge == BADGE_ROOT)
		return ERR_NOT_SUPPORTED;
	switch (q->code) {
	case CTL_TTY_GET_MODE:
		p->value0 = head.mode;
		p->value1 = signal_notify != 0;
		return OK;
	case CTL_TTY_GET_SIZE:
		p->value0 = head.columns ? head.columns : 80;   /* what is behind a serial line only a person can tell */
		p->value1 = head.rows ? head.rows : 24;
		return OK;
	case CTL_TTY_SET_SIZE:
		return c->rights & RIGHT_READ ? set_size(q->arg0, q->arg1) : ERR_DENIED;
	case CTL_TTY_SET_MODE:
		return c->rights & RIGHT_READ ? set_mode(q->arg0) : ERR_DENIED;
	case CTL_TTY_SIGNAL:
		return c->rights & RIGHT_READ ? set_signal(c, q) : ERR_DENIED;
	default:
		return ERR_NOT_SUPPORTED;
	}
}

static bool cancel_in(struct queue *q, cmd_id_t cmd)
{
	for (struct parked **link = &q->first; *link; link = &(*link)->next) {
		if ((*link)->cmd != cmd)
			continue;
		bool first = link == &q->first;
		uint32_t done = (*link)->done;
		answer(cmd, done ? OK : ERR_CANCELLED, done);
		queue_drop(q, link);
		if (first && q == &writers && q->first)
			write_begin(q->first);
		return true;
	}
	return false;
}

static void on_cancel(void *self unused, cmd_id_t cmd)
{
	if (!cancel_in(&readers, cmd) && cancel_in(&writers, cmd))
		pump();
}

/* ---- start ---- */

static void state_open(void)
{
	handle_t frame = start_handle("state");
	struct frame_info info;
	uint64_t va = 0;

	state = &own_state;
	if (frame && frame_info(frame, &info) == OK && info.size >= sizeof(*state) &&
	    vmem_map(0, frame, 0, 0, ALIGN_UP(sizeof(*state), PAGE_SIZE), PROT_READ | PROT_WRITE, &va) == OK)
		state = (struct tty_state *)va;
	if (!tty_load(state, &head))
		save();
	ldisc_init(&ldisc, &head, state);
}

static void device_open(void)
{
	status_t st = uart_open(&uart, start_handle("res:ioports"), start_handle("res:irq"));

	if (st < 0) {
		log_print("no serial port at 3f8 (%s): reads wait, writes vanish", error_name(st));
		return;
	}
	if (!uart.irq)
		log_print("no interrupt 4 for the serial port: looking at it 100 times a second");
	else
		MUST(notify_bind(notify, BIT_IRQ, uart.irq));
	uart_interrupts(&uart, true, false);
	uart_ack(&uart);
	run_terminal();
}

static const struct file_ops ops = {
	.open = on_open, .read = on_read, .write = on_write, .sync = on_sync, .stat = on_stat, .readdir = on_readdir, .ctl = on_ctl,
};

int main(int argc unused, char **argv unused)
{
	queue_init(&readers);
	queue_init(&writers);
	state_open();
	MUST(svc_init(&svc, &file_proto, &ops, NULL));
	svc.on_notify = on_notify;
	svc.on_cancel = on_cancel;
	MUST(svc_notify(&svc, BADGE_DEVICE, &notify));
	device_open();
	return (int)svc_run(&svc);
}

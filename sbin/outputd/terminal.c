/*
 * terminal: see terminal.h.
 *
 * Killed at any instant: parked commands are delivered again; the state Frame tells which input the last READ was given, should its
 * answer not have left, and the device how far the first WRITE and the echo had come.
 */
#include "terminal.h"
#include <stdlib.h>
#include <string.h>

/* ---- queues ---- */

void queue_init(struct queue *q)
{
	*q = (struct queue){ 0 };
	q->last = &q->first;
	q->held_last = &q->held;
}

void queue_release(struct queue *q)
{
	q->begun = 0;
	if (!q->held)
		return;
	*q->last = q->held;
	q->last = q->held_last;
	q->held = NULL;
	q->held_last = &q->held;
}

status_t queue_put(struct queue *q, const struct parked *w, bool again)
{
	struct parked *p = malloc(sizeof(*p));

	if (!p)
		return ERR_NO_MEMORY;
	*p = *w;
	p->next = NULL;
	bool hold = again && q->begun && terminal_identity(w->cmd) != q->begun;
	struct parked ***last = hold ? &q->held_last : &q->last;
	**last = p;
	*last = &p->next;
	if (!hold)
		queue_release(q);
	return OK;
}

void queue_drop(struct queue *q, struct parked **link)
{
	struct parked *p = *link;

	*link = p->next;
	if (q->last == &p->next)
		q->last = link;
	if (q->held_last == &p->next)
		q->held_last = link;
	free(p);
}

struct parked **queue_find(struct queue *q, cmd_id_t cmd)
{
	struct parked **from[] = { &q->first, &q->held };

	for (size_t i = 0; i < ARRAY_LEN(from); i++)
		for (struct parked **link = from[i]; *link; link = &(*link)->next)
			if ((*link)->cmd == cmd)
				return link;
	return NULL;
}

uint64_t terminal_identity(cmd_id_t cmd)
{
	struct cmd_info info;

	return cmd_info(cmd, &info) == OK ? info.op_id : 0;
}

static void answer(cmd_id_t cmd, status_t st, uint64_t done)
{
	struct reply r = { .status = st };

	r.w[0] = done;
	svc_reply(cmd, &r);
}

/* ---- output ---- */

bool terminal_echoes(const struct terminal *t)
{
	return t->head.echo_put != t->head.echo_taken;
}

status_t terminal_fetch(struct terminal *t, const struct parked *w)
{
	t->stage.at = 0;
	t->stage.len = MIN(w->len - w->done, (uint32_t)sizeof(t->stage.bytes));
	status_t st = svc_read_in(w->cmd, w->done, t->stage.bytes, t->stage.len);
	if (st < 0)
		t->stage.len = 0;
	return st;
}

static void begin(struct terminal *t, const struct parked *w)
{
	t->stage.at = t->stage.len = 0;
	t->device->begin(t, w);
}

void terminal_written(struct terminal *t, status_t st)
{
	struct parked *w = t->writers.first;

	answer(w->cmd, w->done ? OK : st, w->done);
	queue_drop(&t->writers, &t->writers.first);
	if (t->writers.first)
		begin(t, t->writers.first);
}

/* There is a first writer where there was none. */
static void first_writer(struct terminal *t)
{
	begin(t, t->writers.first);
	terminal_save(t);
	t->device->run(t);
}

static status_t park_write(struct terminal *t, const struct svc_cmd *c)
{
	struct parked w = { .cmd = c->cmd, .len = c->in_len };
	bool none = !t->writers.first;

	if (w.len > 0 && c->redelivered)
		w.done = t->device->resume(t, c);
	status_t st = queue_put(&t->writers, &w, c->redelivered);
	if (st < 0)
		return st;
	if (none && t->writers.first)
		first_writer(t);
	return SVC_LATER;
}

status_t terminal_write(struct terminal *t, const struct svc_cmd *c, uint64_t *done)
{
	if (c->in_len == 0 || t->device->absent(t)) {
		*done = c->in_len;
		return OK;
	}
	return park_write(t, c);
}

status_t terminal_sync(struct terminal *t, const struct svc_cmd *c)
{
	return t->writers.first || t->writers.held || (t->writers.begun && c->redelivered) ? park_write(t, c) : OK;
}

/* ---- sending ---- */

static size_t send_load(struct terminal *t, struct parked *w, uint8_t *buf, size_t room, status_t *st)
{
	size_t used, n;

	if (t->stage.at == t->stage.len) {
		*st = terminal_fetch(t, w);
		if (*st < 0)
			return 0;
	}
	/* A FIFO of one byte cannot take CR and NL at once; two in a row into an empty one lose nothing but time. */
	n = ldisc_output(t->head.mode, t->stage.bytes + t->stage.at, t->stage.len - t->stage.at, buf, MAX(room, (size_t)2), &used);
	t->head.load = (uint32_t)used;
	terminal_save(t);
	t->device->put(t, buf, n);
	t->head.load = 0;                       /* to be saved with whatever is next: until then `sent` says so */
	t->stage.at += (uint32_t)used;
	w->done += (uint32_t)used;
	t->head.write_done = w->done;
	return n;
}

static size_t send_echo(struct terminal *t, uint8_t *buf, size_t room)
{
	size_t n = ldisc_echo(&t->ldisc, buf, room);

	t->head.echo_load = (uint32_t)n;
	terminal_save(t);
	t->device->put(t, buf, n);
	t->head.echo_load = 0;                  /* as above */
	t->head.echo_taken += (uint32_t)n;
	return n;
}

size_t terminal_send(struct terminal *t, uint8_t *buf, size_t room, status_t *st)
{
	*st = OK;
	if (terminal_echoes(t))
		return send_echo(t, buf, room);
	return send_load(t, t->writers.first, buf, room, st);
}

void terminal_send_begin(struct terminal *t, const struct parked *w)
{
	t->head.write_op = terminal_identity(w->cmd);
	t->head.write_len = w->len;
	t->head.write_done = w->done;
	t->head.load = 0;
}

/* Continues where a dead instance had come to, if this is the WRITE it was at. */
uint32_t terminal_send_resume(const struct terminal *t, const struct svc_cmd *c)
{
	bool same = t->head.write_op && c->in_len == t->head.write_len && terminal_identity(c->cmd) == t->head.write_op;

	return same ? t->head.write_done : 0;
}

/* ---- input ---- */

/* An earlier instance held the Notify: its owner will come again, and hears of it then. */
static void tell(struct terminal *t, uint64_t bits, enum tty_missed what)
{
	if (t->signal_notify && bits)
		(void)!notify_signal(t->signal_notify, bits);
	else if (!t->signal_notify && t->head.had_signal)
		t->head.missed |= (uint8_t)what;
}

static void react(struct terminal *t, enum ldisc_result result)
{
	if (result == LDISC_INTERRUPT)
		tell(t, t->interrupt_bits, TTY_MISSED_INTERRUPT);
	if (result == LDISC_SUSPEND)
		tell(t, t->suspend_bits, TTY_MISSED_SUSPEND);
}

void terminal_input(struct terminal *t, uint8_t byte)
{
	react(t, ldisc_input(&t->ldisc, byte));
}

void terminal_type_again(struct terminal *t)
{
	enum ldisc_result result;

	while (ldisc_again(&t->ldisc, &result)) {
		react(t, result);
		terminal_save(t);
	}
}

/* Which READ the last answer belonged to, decided when it matters: taken unless that READ is here again. */
static void settle_read(struct terminal *t, const struct svc_cmd *c)
{
	if (!t->head.read_cells)
		return;
	if (!(c && c->redelivered && terminal_identity(c->cmd) == t->head.read_op))
		ldisc_take(&t->ldisc, t->head.read_cells);
	t->head.read_cells = 0;
	terminal_save(t);
}

void terminal_serve_readers(struct terminal *t)
{
	uint8_t buf[TTY_RING];
	uint32_t cells;

	while (t->readers.first) {
		struct parked *r = t->readers.first;
		size_t n = ldisc_peek(&t->ldisc, buf, MIN(r->len, (uint32_t)sizeof(buf)), &cells);
		if (cells == 0)
			return;
		status_t st = svc_write_out(r->cmd, 0, buf, n);
		if (st == OK) {
			t->head.read_op = terminal_identity(r->cmd);
			t->head.read_cells = cells;
			terminal_save(t);
		}
		answer(r->cmd, st, n);
		if (st == OK) {
			ldisc_take(&t->ldisc, cells);
			t->head.read_cells = 0;
			terminal_save(t);
		}
		queue_drop(&t->readers, &t->readers.first);
	}
}

status_t terminal_read(struct terminal *t, const struct svc_cmd *c, uint64_t *done)
{
	struct parked r = { .cmd = c->cmd, .len = c->out_len };

	*done = 0;
	if (c->out_len == 0)
		return OK;
	status_t st = queue_put(&t->readers, &r, c->redelivered);
	if (st < 0)
		return st;
	if (t->readers.first) {
		settle_read(t, c);
		t->device->run(t);
	}
	return SVC_LATER;
}

void terminal_recovered(struct terminal *t)
{
	bool none = !t->writers.first;

	if (t->readers.begun)
		settle_read(t, NULL);
	queue_release(&t->readers);
	queue_release(&t->writers);
	if (none && t->writers.first)
		first_writer(t);
	else
		t->device->run(t);
}

bool terminal_cancel(struct terminal *t, cmd_id_t cmd)
{
	struct parked **link = queue_find(&t->readers, cmd);
	bool reads = link != NULL;

	if (!reads)
		link = queue_find(&t->writers, cmd);
	if (!link)
		return false;
	bool first = link == &t->writers.first;
	uint32_t done = (*link)->done;
	answer(cmd, done ? OK : ERR_CANCELLED, done);
	queue_drop(reads ? &t->readers : &t->writers, link);
	if (first && t->writers.first)
		begin(t, t->writers.first);
	if (!reads)
		t->device->run(t);
	return true;
}

/* ---- modes and signals ---- */

static status_t set_mode(struct terminal *t, uint64_t mode)
{
	if (mode & ~(uint64_t)TTY_MODES)
		return ERR_INVALID;
	settle_read(t, NULL);
	ldisc_set_mode(&t->ldisc, (uint32_t)mode);
	terminal_save(t);
	terminal_type_again(t);
	t->device->run(t);
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

static status_t set_signal(struct terminal *t, struct svc_cmd *c, const struct file_ctl_req *q)
{
	if (q->arg0 > 63 || q->arg1 > 64 || q->arg2 > 64 || q->arg3 > 64 || (c->n_handles && !is_notify(c->handles[0])))
		return ERR_INVALID;
	if (t->signal_notify)
		handle_close(t->signal_notify);
	t->signal_notify = c->n_handles ? c->handles[0] : 0;
	t->interrupt_bits = 1ull << q->arg0;
	t->suspend_bits = bits_of(q->arg1);
	t->size_bits = bits_of(q->arg2);
	t->hangup_bits = bits_of(q->arg3);
	if (c->n_handles)
		c->handles[0] = 0;      /* ours now */
	t->head.had_signal = t->signal_notify != 0;
	uint8_t missed = t->head.missed;
	uint64_t bits = (missed & TTY_MISSED_INTERRUPT ? t->interrupt_bits : 0) | (missed & TTY_MISSED_SUSPEND ? t->suspend_bits : 0) |
		(missed & TTY_MISSED_SIZE ? t->size_bits : 0);
	if (t->signal_notify && bits)
		(void)!notify_signal(t->signal_notify, bits);
	t->head.missed = 0;
	terminal_save(t);
	return OK;
}

void terminal_sized(struct terminal *t, uint16_t columns, uint16_t rows)
{
	if (t->head.columns == columns && t->head.rows == rows)
		return;
	t->head.columns = columns;
	t->head.rows = rows;
	tell(t, t->size_bits, TTY_MISSED_SIZE);
	terminal_save(t);
}

static status_t set_size(struct terminal *t, uint64_t columns, uint64_t rows)
{
	if (t->device->fixed_size)
		return ERR_NOT_SUPPORTED;
	if (columns < 1 || columns > TTY_SIZE_MAX || rows < 1 || rows > TTY_SIZE_MAX)
		return ERR_INVALID;
	terminal_sized(t, (uint16_t)columns, (uint16_t)rows);
	return OK;
}

void terminal_hang_up(struct terminal *t)
{
	queue_release(&t->readers);
	queue_release(&t->writers);
	while (t->readers.first) {
		answer(t->readers.first->cmd, OK, 0);
		queue_drop(&t->readers, &t->readers.first);
	}
	while (t->writers.first) {
		struct parked *w = t->writers.first;
		answer(w->cmd, w->done ? OK : ERR_GONE, w->done);
		queue_drop(&t->writers, &t->writers.first);
	}
	/* Who is lost to this instance hears of it by asking for anything: ERR_GONE. */
	if (t->signal_notify && t->hangup_bits)
		(void)!notify_signal(t->signal_notify, t->hangup_bits);
	if (t->signal_notify)
		handle_close(t->signal_notify);
	t->signal_notify = 0;
}

status_t terminal_ctl(struct terminal *t, struct svc_cmd *c, const struct file_ctl_req *q, struct file_ctl_rep *p)
{
	switch (q->code) {
	case CTL_TTY_GET_MODE:
		p->value0 = t->head.mode;
		p->value1 = t->signal_notify != 0;
		return OK;
	case CTL_TTY_GET_SIZE:
		p->value0 = t->head.columns ? t->head.columns : 80;     /* what is behind a serial line only a person can tell */
		p->value1 = t->head.rows ? t->head.rows : 24;
		p->value2 = t->device->column ? t->device->column(t) : 0;
		return OK;
	case CTL_TTY_SET_SIZE:
		return c->rights & RIGHT_READ ? set_size(t, q->arg0, q->arg1) : ERR_DENIED;
	case CTL_TTY_SET_MODE:
		return c->rights & RIGHT_READ ? set_mode(t, q->arg0) : ERR_DENIED;
	case CTL_TTY_RESET:
		if (!(c->rights & RIGHT_WRITE))
			return ERR_DENIED;
		if (!t->device->reset)
			return ERR_NOT_SUPPORTED;
		t->device->reset(t);
		return OK;
	case CTL_TTY_SIGNAL:
		return c->rights & RIGHT_READ ? set_signal(t, c, q) : ERR_DENIED;
	default:
		return ERR_NOT_SUPPORTED;
	}
}

/* ---- start ---- */

void terminal_save(struct terminal *t)
{
	tty_save(t->state, &t->head);
}

void terminal_init(struct terminal *t, const struct device *device, struct tty_state *state)
{
	t->device = device;
	t->state = state;
	queue_init(&t->readers);
	queue_init(&t->writers);
	if (!tty_load(state, &t->head))
		terminal_save(t);
	ldisc_init(&t->ldisc, &t->head, state);
	t->readers.begun = t->head.read_cells ? t->head.read_op : 0;
	/* Where there are cells a WRITE is marked when they are committed: too late to tell one that a crash is the fault of, which nothing may hold. */
	t->writers.begun = device->put ? t->head.write_op : 0;
}

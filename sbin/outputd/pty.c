/*
 * pty: see pty.h.
 *
 * Killed at any instant: what programs wrote counts by `sent`, as on the serial line (terminal_send). What the master typed counts by the terminal's head,
 * which is saved before a byte that takes something back may be overwritten. What the master is given stays in the ring until its READ is
 * answered, and is known by that READ's identity until then.
 *
 * A slave's Session counts from before its OPEN is answered: one that came into being without a record would be closed without one, and the master
 * would wait for an end for ever. An OPEN that is delivered again is known by its identity and gets the badge that it was given. Only where its caller
 * ends in the instant in which an instance does, a record stays without a Session, until the master is closed.
 */
#include "pty.h"
#include <rt/clock.h>
#include <rt/io.h>
#include <stdlib.h>
#include <string.h>

#ifndef PTY_STORED
#define PTY_STORED()                    /* after each step of what is kept; the test dies there */
#endif

enum { TURN = 16 * KiB, PIECE = 512, OUTPUT = 1024, ID_SHIFT = 16 };
/* A master's badge is MASTER | id; a slave's SLAVE | id << ID_SHIFT | a number from 1 on. An id is never used again: it is the time, in units of 1024 ns. */
#define MASTER  (1ull << 62)
#define SLAVE   (1ull << 63)
#define ID_MASK ((1ull << 46) - 1)

static struct pty {
	struct terminal tty;            /* first: a device is given this */
	struct pty_kept *kept;
	struct queue takers, typers;    /* READs and WRITEs of the master */
	struct { uint8_t bytes[PIECE]; uint32_t at, len; } typing;      /* what comes next of the first typer */
	bool later;                     /* there is more to do */
} *ptys[PTYS];                          /* owned; NULL: free, or not taken up */

static uint64_t *ids;                   /* 0: free; the store of one makes or ends a terminal */
static struct pty_kept *all;
static handle_t frame, work;
static uint64_t frame_offset;
static uint32_t work_bit;

/* Stores before it are made before those after it, as a kill sees them. */
static inline void in_order(void)
{
	__asm__ volatile("" ::: "memory");
	PTY_STORED();
}

static void answer_one(cmd_id_t cmd, status_t st, uint64_t done)
{
	struct reply r = { .status = st };

	r.w[0] = done;
	svc_reply(cmd, &r);
}

static uint64_t id_of(uint64_t badge)
{
	return (badge & SLAVE ? badge >> ID_SHIFT : badge) & ID_MASK;
}

/* ---- the master reads ---- */

static uint64_t unread(const struct pty_kept *k)
{
	return k->tty.sent - k->taken;
}

static status_t write_ring(cmd_id_t cmd, const struct pty_kept *k, size_t n)
{
	size_t at = k->taken % PTY_RING, first = MIN(n, PTY_RING - at);
	status_t st = svc_write_out(cmd, 0, k->ring + at, first);

	return st == OK && n > first ? svc_write_out(cmd, first, k->ring, n - first) : st;
}

static bool has_slave(const struct pty *p)
{
	for (uint32_t i = 0; i < PTY_SLAVES; i++)
		if (p->kept->slave[i])
			return true;
	return false;
}

/* The READ answered last took what it was given, unless it is here again. */
static void settle_take(struct pty_kept *k, const struct svc_cmd *c)
{
	if (!k->read_op)
		return;
	if (!(c && c->redelivered && terminal_identity(c->cmd) == k->read_op))
		k->taken = k->next;
	in_order();
	k->read_op = 0;
	in_order();
}

static void take(struct pty *p, const struct parked *r, size_t n)
{
	struct pty_kept *k = p->kept;

	k->next = k->taken + n;
	in_order();
	k->read_op = terminal_identity(r->cmd);
	in_order();
	status_t st = write_ring(r->cmd, k, n);
	answer_one(r->cmd, st, st < 0 ? 0 : n);
	if (st == OK)
		k->taken = k->next;
	in_order();
	k->read_op = 0;
	in_order();
}

static size_t serve_takers(struct pty *p)
{
	size_t moved = 0;

	while (p->takers.first) {
		const struct parked *r = p->takers.first;
		size_t n = MIN((uint64_t)r->len, unread(p->kept));
		if (n > 0)
			take(p, r, n);
		else if (p->kept->left && !has_slave(p))
			answer_one(r->cmd, OK, 0);
		else
			break;
		queue_drop(&p->takers, &p->takers.first);
		moved += n;
	}
	return moved;
}

/* ---- the master writes ---- */

static void type_begin(struct pty *p)
{
	const struct parked *w = p->typers.first;

	p->typing.at = p->typing.len = 0;
	if (!w)
		return;
	p->tty.head.typed_op = terminal_identity(w->cmd);
	p->tty.head.typed_done = w->done;
	/* Before it can do any harm: it is known by this if it is what an instance dies of. */
	terminal_save(&p->tty);
}

static void typed(struct pty *p, status_t st)
{
	struct parked *w = p->typers.first;

	terminal_save(&p->tty);
	answer_one(w->cmd, w->done ? OK : st, w->done);
	queue_drop(&p->typers, &p->typers.first);
	type_begin(p);
}

/* What there is of the first typer in the stage, as far as there is room, also for its echo. */
static size_t type_piece(struct pty *p, struct parked *w)
{
	struct terminal *t = &p->tty;
	size_t n = 0;

	while (p->typing.at < p->typing.len && ldisc_takes(&t->ldisc, p->typing.bytes[p->typing.at]) && n < PIECE / 8) {
		uint8_t byte = p->typing.bytes[p->typing.at++];
		terminal_input(t, byte);
		t->head.typed_done = ++w->done;
		n++;
		/* What takes back is saved before anything is put in its place. */
		if (byte < 0x20 || byte == 0x7f)
			terminal_save(t);
	}
	if (n > 0)
		terminal_save(t);
	return n;
}

static size_t type(struct pty *p)
{
	struct parked *w = p->typers.first;
	status_t st = OK;

	if (!w)
		return 0;
	if (w->done < w->len && p->typing.at == p->typing.len) {
		p->typing.at = 0;
		p->typing.len = MIN(w->len - w->done, (uint32_t)PIECE);
		st = svc_read_in(w->cmd, w->done, p->typing.bytes, p->typing.len);
		if (st < 0)
			p->typing.len = 0;
	}
	size_t n = st < 0 ? 0 : type_piece(p, w);
	if (st == OK && w->done < w->len)
		return n;
	typed(p, st);
	return n + 1;
}

static bool stuck(const struct pty *p)
{
	return p->typers.first && p->typing.at < p->typing.len && !ldisc_takes(&p->tty.ldisc, p->typing.bytes[p->typing.at]);
}

/*
 * ^C, ^Q and the like at the beginning of a WRITE go past those that wait for somebody to read: else nothing would reach a program that does not. How many
 * bytes this was; the WRITE is then answered with that. If an instance ends just before it is, they are typed again.
 */
static size_t type_keys(struct pty *p, const struct svc_cmd *c)
{
	uint8_t bytes[16];
	size_t len = MIN(c->in_len, (uint32_t)sizeof(bytes)), n = 0;

	if (!stuck(p) || svc_read_in(c->cmd, 0, bytes, len) < 0)
		return 0;
	for (; n < len && ldisc_acts(&p->tty.ldisc, bytes[n]); n++)
		terminal_input(&p->tty, bytes[n]);
	if (n > 0)
		terminal_save(&p->tty);
	return n;
}

/* ---- programs write ---- */

static void pty_put(struct terminal *t, const uint8_t *bytes, size_t n)
{
	struct pty_kept *k = ((struct pty *)t)->kept;
	size_t at = k->tty.sent % PTY_RING, first = MIN(n, PTY_RING - at);

	memcpy(k->ring + at, bytes, first);
	memcpy(k->ring, bytes + first, n - first);
	in_order();
	k->tty.sent += n;
	in_order();
}

/* Echo first, then writers in order, until the ring is full. */
static size_t output(struct pty *p)
{
	uint8_t buf[OUTPUT];
	struct terminal *t = &p->tty;
	size_t moved = 0;

	while (!ldisc_stopped(&t->ldisc)) {
		struct parked *w = t->writers.first;
		uint64_t room = PTY_RING - unread(p->kept);
		status_t st;

		if (!terminal_echoes(t) && w && w->done == w->len) {
			terminal_written(t, OK);
			continue;
		}
		if ((!terminal_echoes(t) && !w) || room < 2)
			break;
		moved += terminal_send(t, buf, MIN(room, sizeof(buf)), &st);
		if (st < 0)
			terminal_written(t, st);
	}
	return moved;
}

static void pty_run(struct terminal *t)
{
	struct pty *p = (struct pty *)t;
	size_t turn = 0, moved;

	do {
		moved = type(p);
		terminal_serve_readers(t);
		moved += output(p);
		moved += serve_takers(p);
		turn += moved;
	} while (moved > 0 && turn < TURN);
	p->later = moved > 0;
	if (p->later)
		(void)!notify_signal(work, 1ull << work_bit);
}

void ptys_work(void)
{
	for (uint32_t i = 0; i < PTYS; i++)
		if (ptys[i] && ptys[i]->later)
			pty_run(&ptys[i]->tty);
}

static bool pty_absent(const struct terminal *t unused)
{
	return false;
}

static const struct device device = {
	.run = pty_run, .begin = terminal_send_begin, .resume = terminal_send_resume, .absent = pty_absent, .put = pty_put,
};

/* ---- places ---- */

static void pty_free(uint32_t i)
{
	ids[i] = 0;
	in_order();
	free(ptys[i]);
	ptys[i] = NULL;
	(void)!frame_decommit(frame, frame_offset + i * sizeof(struct pty_kept), sizeof(struct pty_kept));
}

static bool slave_of(uint64_t badge, uint64_t id)
{
	return pty_is_slave(badge) && id_of(badge) == id;
}

/* A crash may have written anywhere. */
static bool kept_good(const struct pty_kept *k, uint64_t id)
{
	struct tty_head head;

	for (uint32_t i = 0; i < PTY_SLAVES; i++)
		if (k->slave[i] && !slave_of(k->slave[i], id))
			return false;
	if (k->open_op && !slave_of(k->open_badge, id))
		return false;
	/* At most one turn of terminal_send has been put into the ring since the head was saved. */
	return k->id == id && tty_load(&k->tty, &head) && k->tty.sent - head.sent <= OUTPUT && unread(k) <= PTY_RING && k->named <= TTY_PTY_NAMED &&
		(!k->read_op || (k->next >= k->taken && k->next <= k->tty.sent));
}

static status_t take_up(uint32_t i)
{
	status_t st = vmem_commit(0, (uint64_t)&all[i], sizeof(all[i]));
	struct pty *p = st == OK ? calloc(1, sizeof(*p)) : NULL;

	if (!p)
		return st < 0 ? st : ERR_NO_MEMORY;
	if (ids[i] && !kept_good(&all[i], ids[i])) {
		log_print("pseudo-terminal %u: its state is damaged: it is hung up", i);
		free(p);
		pty_free(i);
		return ERR_GONE;
	}
	if (!ids[i])
		memset(&all[i], 0, sizeof(all[i]));
	p->kept = &all[i];
	queue_init(&p->takers);
	queue_init(&p->typers);
	terminal_init(&p->tty, &device, &p->kept->tty);
	terminal_type_again(&p->tty);
	p->takers.begun = p->kept->read_op;
	p->typers.begun = p->tty.head.typed_op;
	ptys[i] = p;
	return OK;
}

/* The one that a Session of either side belongs to. ERR_GONE: there is none. */
static status_t pty_of(uint64_t badge, struct pty **p)
{
	uint64_t id = id_of(badge);

	for (uint32_t i = 0; ids && i < PTYS; i++) {
		if (ids[i] != id || !id)
			continue;
		status_t st = ptys[i] ? OK : take_up(i);
		*p = ptys[i];
		return st;
	}
	return ERR_GONE;
}

static status_t master_of(uint64_t badge, struct pty **p)
{
	status_t st = pty_of(badge, p);

	return st == ERR_GONE ? ERR_INVALID : st;
}

uint64_t pty_master_badge(void)
{
	static uint64_t last;

	last = MAX(last + 1, clock_value() >> 10);
	return MASTER | (last & ID_MASK);
}

bool pty_is_master(uint64_t badge)
{
	return badge & MASTER;
}

bool pty_is_slave(uint64_t badge)
{
	return !(badge & MASTER) && badge & SLAVE;
}

static status_t make(uint64_t badge)
{
	for (uint32_t i = 0; i < PTYS; i++) {
		if (ids[i])
			continue;
		status_t st = take_up(i);
		if (st < 0)
			return st;
		all[i].id = id_of(badge);
		in_order();
		ids[i] = id_of(badge);
		in_order();
		return OK;
	}
	return ERR_LIMIT;
}

/* ---- the slave ---- */

/* The place of a Session's badge; 0: the first free one. PTY_SLAVES: there is none. */
static uint32_t slave_place(const struct pty_kept *k, uint64_t badge)
{
	uint32_t i = 0;

	while (i < PTY_SLAVES && k->slave[i] != badge)
		i++;
	return i;
}

static uint64_t fresh_slave(struct pty_kept *k)
{
	uint64_t badge;

	do
		badge = SLAVE | k->id << ID_SHIFT | (++k->opens & 0xffff);
	while (!(badge & 0xffff) || slave_place(k, badge) < PTY_SLAVES);
	return badge;
}

status_t pty_open_slave(const struct svc_cmd *c, uint64_t badge, uint64_t *slave)
{
	uint64_t op = terminal_identity(c->cmd);
	struct pty *p;
	status_t st = pty_of(badge, &p);

	if (st < 0)
		return st;
	struct pty_kept *k = p->kept;
	if (!c->redelivered || !op || k->open_op != op) {
		if (slave_place(k, 0) == PTY_SLAVES)
			return ERR_LIMIT;
		k->open_op = 0;
		in_order();
		k->open_badge = fresh_slave(k);
		in_order();
		k->open_op = op;
		in_order();
	}
	*slave = k->open_badge;
	if (slave_place(k, *slave) < PTY_SLAVES)
		return OK;
	if (slave_place(k, 0) == PTY_SLAVES)
		return ERR_LIMIT;
	k->slave[slave_place(k, 0)] = *slave;
	in_order();
	return OK;
}

status_t pty_find(const char *number, uint64_t *master)
{
	char *end;
	unsigned long i = strtoul(number, &end, 10);
	struct pty *p;

	if (*number < '0' || *number > '9' || *end || i >= PTYS || !ids || !ids[i])
		return ERR_NOT_FOUND;
	*master = MASTER | ids[i];
	status_t st = pty_of(*master, &p);
	return st == ERR_GONE || (st == OK && !p->kept->named) ? ERR_NOT_FOUND : st;
}

status_t pty_slave(uint64_t badge, struct terminal **t)
{
	struct pty *p;
	status_t st = pty_of(badge, &p);

	if (st == OK)
		*t = &p->tty;
	return st;
}

/* ---- commands of the master ---- */

status_t pty_read(const struct svc_cmd *c, uint64_t *done)
{
	struct parked r = { .cmd = c->cmd, .len = c->out_len };
	struct pty *p;
	status_t st = master_of(c->badge, &p);

	if (st < 0)
		return st;
	*done = 0;
	if (r.len == 0)
		return OK;
	st = queue_put(&p->takers, &r, c->redelivered);
	if (st < 0)
		return st;
	if (p->takers.first) {
		settle_take(p->kept, c);
		pty_run(&p->tty);
	}
	return SVC_LATER;
}

static status_t park_typer(struct pty *p, const struct svc_cmd *c)
{
	struct parked w = { .cmd = c->cmd, .len = c->in_len };
	const struct tty_head *h = &p->tty.head;
	bool none = !p->typers.first;

	if (c->redelivered && h->typed_op && h->typed_op == terminal_identity(c->cmd))
		w.done = MIN(h->typed_done, w.len);
	status_t st = queue_put(&p->typers, &w, c->redelivered);
	if (st < 0)
		return st;
	if (none && p->typers.first)
		type_begin(p);
	pty_run(&p->tty);
	return SVC_LATER;
}

status_t pty_write(const struct svc_cmd *c, uint64_t *done)
{
	struct pty *p;
	status_t st = master_of(c->badge, &p);

	*done = 0;
	if (st < 0 || c->in_len == 0)
		return st;
	*done = type_keys(p, c);
	if (*done == 0)
		return park_typer(p, c);
	pty_run(&p->tty);
	return OK;
}

status_t pty_sync(const struct svc_cmd *c)
{
	struct pty *p;
	status_t st = master_of(c->badge, &p);

	return st < 0 || !(p->typers.first || p->typers.held || (p->typers.begun && c->redelivered)) ? st : park_typer(p, c);
}

status_t pty_ctl(struct svc_cmd *c, const struct file_ctl_req *q, struct file_ctl_rep *rep)
{
	struct pty *p;
	status_t st = master_of(c->badge, &p);

	if (q->code == CTL_TTY_PTY) {
		if (q->arg0 > TTY_PTY_NAMED)
			return ERR_INVALID;
		if (st == ERR_INVALID)
			st = make(c->badge);
		if (st == OK)
			st = master_of(c->badge, &p);
		if (st < 0)
			return st;
		p->kept->named = (uint32_t)q->arg0;
		rep->value0 = (uint64_t)(p->kept - all);
		return OK;
	}
	if (st < 0)
		return st;
	/* Its programs' signals and mode are theirs. */
	if (q->code != CTL_TTY_GET_MODE && q->code != CTL_TTY_GET_SIZE && q->code != CTL_TTY_SET_SIZE)
		return ERR_NOT_SUPPORTED;
	return terminal_ctl(&p->tty, c, q, rep);
}

static void close_slave(struct pty *p, uint64_t badge)
{
	uint32_t i = slave_place(p->kept, badge);

	if (i < PTY_SLAVES) {
		p->kept->left = 1;
		in_order();
		p->kept->slave[i] = 0;
		in_order();
	}
	pty_run(&p->tty);
}

void pty_unopened(uint64_t badge)
{
	struct pty *p;

	if (!pty_is_slave(badge) || pty_of(badge, &p) < 0)
		return;
	uint32_t i = slave_place(p->kept, badge);
	if (i < PTY_SLAVES)
		p->kept->slave[i] = 0;
}

void pty_close(uint64_t badge)
{
	struct pty *p;

	if (pty_of(badge, &p) < 0)
		return;
	if (pty_is_slave(badge)) {
		close_slave(p, badge);
		return;
	}
	terminal_hang_up(&p->tty);
	pty_free((uint32_t)(p->kept - all));
}

/* ---- all of them ---- */

static bool cancel_parked(struct pty *p, struct queue *q, cmd_id_t cmd)
{
	struct parked **link = queue_find(q, cmd);

	if (!link)
		return false;
	bool first = link == &q->first;
	uint32_t done = (*link)->done;
	answer_one(cmd, done ? OK : ERR_CANCELLED, done);
	queue_drop(q, link);
	if (first && q == &p->typers)
		type_begin(p);
	pty_run(&p->tty);
	return true;
}

bool ptys_cancel(cmd_id_t cmd)
{
	for (uint32_t i = 0; i < PTYS; i++)
		if (ptys[i] && (cancel_parked(ptys[i], &ptys[i]->takers, cmd) || cancel_parked(ptys[i], &ptys[i]->typers, cmd) || terminal_cancel(&ptys[i]->tty, cmd)))
			return true;
	return false;
}

void ptys_recovered(void)
{
	for (uint32_t i = 0; i < PTYS; i++) {
		struct pty *p = ptys[i];
		if (!p)
			continue;
		bool none = !p->typers.first;
		if (p->takers.begun)
			settle_take(p->kept, NULL);
		queue_release(&p->takers);
		queue_release(&p->typers);
		if (p->typers.first && none)
			type_begin(p);
		terminal_recovered(&p->tty);
	}
}

bool ptys_there(void)
{
	return ids;
}

void ptys_init(uint64_t *their_ids, struct pty_kept *kept, handle_t state, uint64_t offset, handle_t notify, uint32_t bit)
{
	ids = their_ids;
	all = kept;
	frame = state;
	frame_offset = offset;
	work = notify;
	work_bit = bit;
	/* What nobody would ever ask for again is found now: a damaged place, and memory of one that was given up as the last instance ended. */
	for (uint32_t i = 0; i < PTYS; i++)
		if (ids[i])
			(void)!take_up(i);
		else
			pty_free(i);
}

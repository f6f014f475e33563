/*
 * line: see line.h.
 */
#include "line.h"
#include "node.h"
#include <abi/objects.h>
#include <gen/errors.h>
#include <rt/io.h>
#include <rt/irq.h>
#include <rt/start.h>
#include <rt/state.h>

enum { STATUS_INTX = 8, UNCLAIMED_MAX = 1000, BUSY_MS = 100 /* in all */ };
#define USED (1ull << 63)               /* | flags << 40 | bit << 32 | gsi */

/* One that was opened stays open: masked while it has no users. */
static struct line { handle_t irq, notify; uint32_t gsi, unclaimed; } lines[LINES_MAX];
static const struct line_keeper *lk;
static uint32_t patience = BUSY_MS;

static uint32_t command_of(uint16_t at)
{
	return lk->config->read(lk->config->ctx, at, PCI_COMMAND, 2);
}

static void silence(uint16_t at, bool on)
{
	uint32_t command = command_of(at) & ~(uint32_t)PCI_COMMAND_NO_INTX;

	lk->config->write(lk->config->ctx, at, PCI_COMMAND, 2, command | (on ? PCI_COMMAND_NO_INTX : 0));
}

/* ---- the lines ---- */

static bool uses(size_t i, uint32_t gsi)
{
	return lk->users[i].word && (uint32_t)lk->users[i].word == gsi;
}

/* Firmware may have left functions able to raise a line that nobody would then answer for. */
static void silence_others(void)
{
	for (size_t k = 0; k < *lk->n; k++) {
		bool user = false;
		for (size_t i = 0; i < LINE_USERS_MAX; i++)
			user = user || (lk->users[i].word && lk->users[i].at == lk->list[k].at);
		if (!user && lk->list[k].pin)
			silence(lk->list[k].at, true);
	}
}

static status_t open_line(struct line *l, struct pin_line line)
{
	status_t st = OK;

	if (!l->notify)
		st = svc_notify(lk->svc, lk->first_badge + (uint64_t)(l - lines), &l->notify);
	if (st < 0)
		return st;
	st = irq_take(lk->irqs, line.gsi, line.flags, &patience, &l->irq);
	if (st < 0)
		return st;
	st = notify_bind(l->notify, 0, l->irq);
	if (st < 0) {
		handle_close(l->irq);
		l->irq = 0;
		return st;
	}
	l->gsi = line.gsi;
	silence_others();
	return OK;
}

static void let_through(struct line *l)
{
	l->unclaimed = 0;
	status_t st = irq_ack(l->irq);
	if (st < 0)
		log_print("interrupt %u cannot be let through: %s", l->gsi, error_text(st));
}

/* NULL: nobody has it open. */
static struct line *find(uint32_t gsi)
{
	for (size_t i = 0; i < LINES_MAX; i++)
		if (lines[i].irq && lines[i].gsi == gsi)
			return &lines[i];
	return NULL;
}

static status_t have_line(struct pin_line line, struct line **out)
{
	struct line *l = find(line.gsi);
	status_t st = OK;

	for (size_t i = 0; i < LINES_MAX && !l; i++)
		if (!lines[i].irq) {
			l = &lines[i];
			st = open_line(l, line);
		}
	*out = l;
	return l ? st : ERR_NO_SPACE;
}

/* ---- their users ---- */

static void tell(size_t i)
{
	handle_t notify;
	status_t st = shelf_get(lk->state->shelf, (uint32_t)i, &notify);

	if (st < 0)
		return;
	(void)!notify_signal(notify, 1ull << (lk->users[i].word >> 32 & 63));
	handle_close(notify);
}

status_t line_give(size_t i, const struct pci_function *f, struct pin_line line, handle_t notify, unsigned bit)
{
	struct line *l;

	line_drop(i);
	silence(f->at, true);
	if (!(command_of(f->at) & PCI_COMMAND_NO_INTX))
		return ERR_NOT_SUPPORTED;       /* from before PCI 2.3 */
	status_t st = have_line(line, &l);
	if (st == OK)
		st = shelf_put(lk->state->shelf, (uint32_t)i, notify);
	if (st < 0)
		return st;
	lk->users[i].at = f->at;
	state_store(&lk->users[i].word, USED | (uint64_t)(line.flags & 0xff) << 40 | (uint64_t)bit << 32 | line.gsi);
	silence(f->at, false);
	let_through(l);
	return OK;
}

bool line_of(size_t i, struct pin_line *line)
{
	*line = (struct pin_line){ (uint32_t)lk->users[i].word, lk->users[i].word >> 40 & 0xff };
	return lk->users[i].word;
}

status_t line_served(size_t i)
{
	if (!lk->users[i].word)
		return ERR_NOT_FOUND;
	struct line *l = find((uint32_t)lk->users[i].word);
	silence((uint16_t)lk->users[i].at, false);
	if (l && l->unclaimed >= UNCLAIMED_MAX)
		let_through(l);
	return OK;
}

void line_drop(size_t i)
{
	if (!lk->users[i].word)
		return;
	if (command_of((uint16_t)lk->users[i].at) != 0xffff)
		silence((uint16_t)lk->users[i].at, true);
	state_store(&lk->users[i].word, 0);
	(void)!shelf_clear(lk->state->shelf, (uint32_t)i);
}

/* ---- what happens ---- */

void line_happened(uint64_t number)
{
	struct line *l = number < LINES_MAX ? &lines[number] : NULL;
	bool used = false, claimed = false;

	if (!l || !l->irq)
		return;
	for (size_t i = 0; i < LINE_USERS_MAX; i++) {
		uint16_t at = (uint16_t)lk->users[i].at;
		if (!uses(i, l->gsi))
			continue;
		used = true;
		if (command_of(at) & PCI_COMMAND_NO_INTX || !(lk->config->read(lk->config->ctx, at, PCI_STATUS, 2) & STATUS_INTX))
			continue;
		silence(at, true);
		tell(i);
		claimed = true;
	}
	if (!used)
		return;                 /* it stays masked until somebody wants it */
	l->unclaimed = claimed ? 0 : l->unclaimed + 1;
	if (l->unclaimed == UNCLAIMED_MAX)
		log_print("interrupt %u comes without end, and no function says that it is the one: it is left masked", l->gsi);
	else
		(void)!irq_ack(l->irq);
}

/* Of records that a stray store has hit none is believed. */
static bool sensible(const struct line_user *u)
{
	for (size_t k = 0; k < *lk->n; k++)
		if (lk->list[k].at == u->at)
			return u->word & USED && (u->word >> 40 & 0xff) <= (IRQ_LEVEL | IRQ_ACTIVE_LOW);
	return false;
}

bool line_recorded(uint32_t slot)
{
	return slot < LINE_USERS_MAX && lk->users[slot].word;
}

void line_begin(const struct line_keeper *keeper)
{
	struct line *l;

	lk = keeper;
	for (size_t i = 0; i < LINE_USERS_MAX; i++) {
		struct line_user *u = &lk->users[i];
		if (u->word && !sensible(u))
			state_store(&u->word, 0);
		if (!u->word)
			continue;
		struct pin_line line;
		(void)line_of(i, &line);
		status_t st = have_line(line, &l);
		if (st < 0) {
			log_print("interrupt %u cannot be had again: %s", (uint32_t)u->word, error_text(st));
			continue;
		}
		tell(i);
		let_through(l);
	}
}

/*
 * message: see message.h.
 */
#include "message.h"
#include <gen/errors.h>
#include <gen/syscalls.h>

static const struct state *kept;
static struct message_record *records;
static handle_t dma_resource;

static uint64_t sum_of(const struct message_record *r)
{
	return state_sum(1, &r->address, sizeof(*r) - offsetof(struct message_record, address)) | 1;
}

static uint32_t slot_of(const struct message_record *r)
{
	return MESSAGE_SLOT + (uint32_t)(r - records);
}

static void erase(struct message_record *r)
{
	state_store(&r->sum, 0);
	(void)!shelf_clear(kept->shelf, slot_of(r));
}

/* A stray store would have a function write anything anywhere. */
static bool whole(const struct message_record *r)
{
	handle_t irq;

	if (r->sum != sum_of(r) || shelf_get(kept->shelf, slot_of(r), &irq) < 0)
		return false;
	handle_close(irq);
	return true;
}

void message_begin(const struct state *state, struct message_record *all, handle_t dma)
{
	kept = state;
	records = all;
	dma_resource = dma;
	for (size_t i = 0; i < MESSAGES_MAX; i++)
		if (records[i].sum && !whole(&records[i]))
			erase(&records[i]);
}

/* The record is free. */
static status_t make(struct message_record *r, uint16_t at, uint32_t number, handle_t *irq)
{
	status_t st = irq_create_msi(dma_resource, at, irq, &r->address, &r->data);

	if (st < 0)
		return st;
	st = shelf_put(kept->shelf, slot_of(r), *irq);
	if (st < 0) {
		handle_close(*irq);
		return st;
	}
	r->at = at;
	r->number = (uint16_t)number;
	state_store(&r->sum, sum_of(r));
	return OK;
}

status_t message_irq(uint16_t at, uint32_t number, handle_t *irq, uint64_t *address, uint32_t *data)
{
	struct message_record *found = NULL, *room = NULL;
	size_t n = 0;

	for (size_t i = 0; i < MESSAGES_MAX; i++) {
		struct message_record *r = &records[i];
		if (!r->sum)
			room = r;
		else if (r->at == at && r->number == number)
			found = r;
		else
			n += r->at == at;
	}
	if (!found && (!room || n >= MESSAGES_EACH))
		return ERR_NO_SPACE;
	const struct message_record *r = found ? found : room;
	status_t st = found ? shelf_get(kept->shelf, slot_of(found), irq) : make(room, at, number, irq);
	if (st < 0)
		return st;
	*address = r->address;
	*data = r->data;
	return OK;
}

void message_drop(uint16_t at)
{
	for (size_t i = 0; i < MESSAGES_MAX; i++)
		if (records[i].sum && records[i].at == at)
			erase(&records[i]);
}

bool message_recorded(uint32_t slot)
{
	return slot >= MESSAGE_SLOT && slot < MESSAGE_SLOT + MESSAGES_MAX && records[slot - MESSAGE_SLOT].sum;
}

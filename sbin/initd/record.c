/*
 * record: see record.h.
 */
#include "record.h"
#include <string.h>
#include <supervise/legacy.h>

#define RECORDS_MAGIC   0x7364726f63657264ull
#define RECORDS_VERSION 4u

bool records_check(struct records *t)
{
	if (t->magic == RECORDS_MAGIC && t->version == RECORDS_VERSION)
		return true;
	memset(t, 0, sizeof(*t));
	t->version = RECORDS_VERSION;
	__atomic_store_n(&t->magic, RECORDS_MAGIC, __ATOMIC_RELEASE);
	return false;
}

/* FNV-1a. */
static uint32_t sum(const void *from, size_t len)
{
	const uint8_t *at = from;
	uint32_t h = 0x811c9dc5u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ at[i]) * 0x01000193u;
	return h;
}

/* Of number and record. */
static uint32_t checksum(const struct record_copy *c)
{
	return sum(c, offsetof(struct record_copy, check));
}

static const struct record_copy *newest(const struct record_slot *s)
{
	const struct record_copy *best = NULL;

	for (size_t i = 0; i < ARRAY_LEN(s->copies); i++) {
		const struct record_copy *c = &s->copies[i];
		if (c->number > 0 && c->check == checksum(c) && (!best || c->number > best->number))
			best = c;
	}
	return best;
}

bool record_read(const struct record_slot *s, struct record *r)
{
	const struct record_copy *c = newest(s);

	if (!c)
		return false;
	*r = c->r;
	r->reason[RECORD_REASON - 1] = 0;
	return true;
}

void record_write(struct record_slot *s, const struct record *r)
{
	const struct record_copy *last = newest(s);
	struct record_copy *to = last == &s->copies[0] ? &s->copies[1] : &s->copies[0];
	uint64_t number = last ? last->number + 1 : 1;

	/* Torn at any point it is not whole: the number and every byte are in the checksum. */
	memset(to, 0, sizeof(*to));
	to->number = number;
	memcpy(&to->r, r, sizeof(*r));
	__atomic_store_n(&to->check, checksum(to), __ATOMIC_RELEASE);
}

struct record_slot *record_slot(struct records *t, uint32_t owner)
{
	struct record_slot *empty = NULL;

	for (size_t i = 0; i < RECORDS_MAX; i++) {
		const struct record_copy *c = newest(&t->slots[i]);
		if (c && c->r.owner == owner)
			return &t->slots[i];
		if (!c && !empty)
			empty = &t->slots[i];
	}
	if (empty)
		record_write(empty, &(struct record){ .owner = owner });
	return empty;
}

/* Number 0 is no copy's. */
void record_free(struct record_slot *s)
{
	for (size_t i = 0; i < ARRAY_LEN(s->copies); i++)
		__atomic_store_n(&s->copies[i].number, 0, __ATOMIC_RELEASE);
}

static uint32_t device_sum(const struct device_record *d)
{
	return sum(&d->owner, offsetof(struct device_record, gone) - offsetof(struct device_record, owner)) | 1;
}

bool device_record_valid(const struct device_record *d)
{
	return d->check && d->owner && d->check == device_sum(d);
}

struct device_record *device_record_put(struct records *t, uint32_t owner, uint16_t at, uint16_t vendor, uint16_t device, uint32_t class)
{
	for (size_t i = 0; i < DEVICES_MAX; i++) {
		struct device_record *d = &t->devices[i];
		if (device_record_valid(d))
			continue;
		device_record_free(d);
		*d = (struct device_record){ .owner = owner, .at = at, .vendor = vendor, .device = device, .class = class };
		__atomic_store_n(&d->check, device_sum(d), __ATOMIC_RELEASE);
		return d;
	}
	return NULL;
}

void device_record_free(struct device_record *d)
{
	__atomic_store_n(&d->check, 0, __ATOMIC_RELEASE);
}

struct intent *intent_find(struct records *t, uint32_t command)
{
	for (size_t i = 0; i < INTENTS_MAX; i++)
		if (t->intents[i].command == command)
			return &t->intents[i];
	return NULL;
}

struct intent *intent_put(struct records *t, uint32_t command, uint32_t owner, uint32_t action, uint32_t pid)
{
	struct intent *i = intent_find(t, command);

	if (!i)
		i = intent_find(t, 0);
	if (!i)
		return NULL;
	__atomic_store_n(&i->command, 0, __ATOMIC_RELEASE);
	i->owner = owner;
	i->action = action;
	i->pid = pid;
	__atomic_store_n(&i->command, command, __ATOMIC_RELEASE);
	return i;
}

bool record_owns(const struct record *r, uint64_t pid, bool tagged)
{
	switch (r->state) {
	case RECORD_NEW:     return tagged && pid != r->pid;    /* the record was lost, not the service */
	case RECORD_DUE:     return pid != r->pid;
	case RECORD_RUNNING: return pid == r->pid;
	default:             return false;
	}
}

enum fate record_decide(struct record *r, bool found, bool alive, uint64_t pid)
{
	switch (r->state) {
	case RECORD_WAITING:
		return FATE_WAIT;
	case RECORD_STOPPED:
	case RECORD_ENDED:
		return FATE_REST;
	case RECORD_NEW:
	case RECORD_DUE:
		if (!found)
			return FATE_START;
		r->state = RECORD_RUNNING;
		r->pid = pid;
		r->instances++;
		r->flags &= ~(uint32_t)(RECORD_STOPPING | RECORD_RESTARTING);
		return alive ? FATE_KEEP : FATE_ENDED;
	case RECORD_RUNNING:
		if (!found)
			return FATE_START;
		return alive ? FATE_KEEP : FATE_ENDED;
	default:
		/* Nothing of it can be believed. */
		r->state = RECORD_NEW;
		return found ? record_decide(r, found, alive, pid) : FATE_START;
	}
}

uint32_t service_owner(const char *name)
{
	uint32_t h = 0x811c9dc5u;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 0x01000193u;
	h = (h ^ h >> 24) & TAG_OWNER_MAX;
	return h ? h : 1;
}

/*
 * hotplug: see hotplug.h.
 */
#include "hotplug.h"
#include "announce.h"
#include "node.h"
#include "place.h"
#include "slot.h"
#include <rt/io.h>
#include <rt/start.h>
#include <string.h>

enum { HAPPENED = SLOT_PRESSED | SLOT_FAULT | SLOT_CHANGED | SLOT_LINK_CHANGED, ROUNDS_MAX = 16 };

static const struct hotplug *hp;
static struct slot { uint16_t port; uint8_t bus; struct slot_record *record; } slots[SLOTS_MAX];
static size_t n_slots;

static void store(uint16_t *at, uint16_t value)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	*(volatile uint16_t *)at = value;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static const char *name_of(uint16_t at)
{
	static char name[NODE_NAME_SIZE];

	node_name(name, at);
	return name;
}

/* ---- the list ---- */

/* The first function on a bus, or where it would stand. */
static size_t first_on(uint8_t bus)
{
	size_t i = 0;

	while (i < *hp->n && hp->list[i].at >> 8 < bus)
		i++;
	return i;
}

static bool on_bus(size_t i, uint8_t bus)
{
	return i < *hp->n && hp->list[i].at >> 8 == bus;
}

static const struct pci_function *port_of(const struct slot *s)
{
	for (size_t i = 0; i < *hp->n; i++)
		if (hp->list[i].at == s->port)
			return &hp->list[i];
	rt_panic("the port of a slot is not in the list");
}

static bool known(const struct slot *s)
{
	return on_bus(first_on(s->bus), s->bus);
}

/* All functions of a slot are stopped and forgotten, with the sizes of their BARs: the next may have the same name and others. */
static void forget(const struct slot *s)
{
	size_t i = first_on(s->bus);

	while (on_bus(i, s->bus)) {
		hp->leave(&hp->list[i]);
		for (size_t k = 0; k < hp->n_memos; k++)
			if (hp->memos[k].at == hp->list[i].at)
				hp->memos[k].sum = 0;
		memmove(&hp->list[i], &hp->list[i + 1], (*hp->n - i - 1) * sizeof(hp->list[0]));
		--*hp->n;
	}
}

/* ---- coming ---- */

static void tell(const struct slot *s, const struct pci_function *f)
{
	s->record->told[f->at & 7] = (uint32_t)f->vendor << 16 | f->device;
	announce_there(f, s->record->arrival);
}

/* What the firmware has given no address gets one. */
static void settle(const struct slot *s)
{
	const struct config *c = hp->config;
	const struct pci_function *port = port_of(s);

	c->write(c->ctx, s->port, PCI_COMMAND, 2, c->read(c->ctx, s->port, PCI_COMMAND, 2) | PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_NO_INTX);
	for (size_t i = first_on(s->bus); on_bus(i, s->bus); i++) {
		unsigned failed = place(c, port, &hp->list[i], hp->list, *hp->n);
		if (failed)
			log_print("%s: %u of its regions have no room behind %s", name_of(hp->list[i].at), failed, "its port");
	}
	hp->check();
}

/* What is known on the bus is new. */
static void arrived(struct slot *s)
{
	settle(s);
	for (size_t i = first_on(s->bus); on_bus(i, s->bus); i++) {
		log_print("%s: %04x:%04x has come", name_of(hp->list[i].at), hp->list[i].vendor, hp->list[i].device);
		tell(s, &hp->list[i]);
	}
	store(&s->record->way, SLOT_STAYS);
}

static void come(struct slot *s)
{
	struct pci_function found[SLOT_FUNCTIONS];
	const struct pci_function *port = port_of(s);
	status_t st = slot_on(hp->config, port);

	/* What came of switching it on is nothing new. */
	slot_clear(hp->config, port, HAPPENED);
	size_t n = st < 0 ? 0 : pci_scan_link(hp->config, s->bus, found, SLOT_FUNCTIONS), at = first_on(s->bus);
	if (n == 0 || *hp->n + n > PCI_FUNCTIONS_MAX) {
		log_print("%s: there is something in its slot, but %s", name_of(s->port), n ? "there are too many functions" : st < 0 ? "no link" : "nothing answers");
		store(&s->record->way, SLOT_RESTS);
		return;
	}
	memmove(&hp->list[at + n], &hp->list[at], (*hp->n - at) * sizeof(found[0]));
	memcpy(&hp->list[at], found, n * sizeof(found[0]));
	*hp->n += n;
	bars_find(hp->config, hp->list, *hp->n, false, hp->journal, hp->memos, hp->n_memos);
	arrived(s);
}

/* ---- leaving ---- */

static void look(struct slot *s);

static void finish(struct slot *s)
{
	bool off = s->record->way == SLOT_LEAVES;

	for (unsigned i = 0; i < SLOT_FUNCTIONS; i++)
		if (s->record->told[i])
			return;         /* initd has not answered yet */
	forget(s);
	if (off)
		slot_off(hp->config, port_of(s));
	store(&s->record->way, off ? SLOT_RESTS : SLOT_STAYS);
	log_print("%s: its slot is %s", name_of(s->port), off ? "off" : "looked at again");
}

/* The slot's record says already how. */
static void leave(struct slot *s)
{
	for (unsigned i = 0; i < SLOT_FUNCTIONS; i++)
		if (s->record->told[i])
			announce_gone(PCI_AT(s->bus, 0, i));
	finish(s);
}

static bool leaving(const struct slot *s)
{
	return s->record->way == SLOT_LEAVES || s->record->way == SLOT_CHANGES;
}

void hotplug_gone(uint16_t at)
{
	for (size_t i = 0; i < n_slots; i++) {
		struct slot *s = &slots[i];
		if (s->bus != at >> 8)
			continue;
		s->record->told[at & 7] = 0;
		if (leaving(s)) {
			finish(s);
			look(s);
		}
	}
}

/* ---- what has happened ---- */

/* What follows from what is there, is known and has happened. */
static enum slot_way decide(const struct slot *s, bool there, bool was, uint32_t happened)
{
	bool changed = happened & (SLOT_PRESSED | SLOT_CHANGED);

	if (leaving(s))
		return s->record->way;
	if (was && !there)
		return SLOT_LEAVES;
	if (was)
		return happened & SLOT_PRESSED ? SLOT_LEAVES : changed ? SLOT_CHANGES : SLOT_STAYS;
	if (there)
		return s->record->way == SLOT_RESTS && !changed ? SLOT_RESTS : SLOT_COMES;
	return SLOT_STAYS;
}

/*
 * One step; true: there may be another. What is to be done is written down before what has happened is cleared, and is begun after:
 * what happens in between is seen by the next step.
 */
static bool step(struct slot *s)
{
	const struct pci_function *port = port_of(s);
	uint32_t status = slot_status(hp->config, port), happened = status & HAPPENED;
	bool there = status & SLOT_THERE, was = known(s), left = leaving(s);
	enum slot_way way = decide(s, there, was, happened);

	/* Its number, too, is the same however often this is begun again. */
	if (way == SLOT_COMES && s->record->way != SLOT_COMES)
		s->record->arrival++;
	store(&s->record->way, (uint16_t)way);
	slot_clear(hp->config, port, happened);
	if (was && !there)
		forget(s);      /* nothing can be said to it any more */
	if (leaving(s) && !left) {
		leave(s);
		return true;
	}
	if (way == SLOT_COMES) {
		come(s);
		return known(s);
	}
	return happened;
}

/* What flickers for ever is looked at again when it flickers next. */
static void look(struct slot *s)
{
	for (unsigned i = 0; i < ROUNDS_MAX && step(s); i++) {}
}

void hotplug_happened(uint64_t number)
{
	if (number < n_slots)
		look(&slots[number]);
}

uint32_t hotplug_arrival(uint16_t at)
{
	for (size_t i = 0; i < n_slots; i++)
		if (slots[i].bus == at >> 8)
			return slots[i].record->arrival;
	return 0;
}

/* ---- beginning ---- */

/* NULL: none. Port 0: one that is free. */
static struct slot_record *record_of(uint16_t port)
{
	for (size_t i = 0; i < SLOTS_MAX; i++)
		if (hp->records[i].port == port)
			return &hp->records[i];
	return NULL;
}

static status_t listen(const struct pci_function *port, struct svc *svc, uint64_t badge)
{
	handle_t irq, notify;
	uint64_t count;

	status_t st = device_irq(hp->resources, hp->config, port, slot_message(hp->config, port), &irq, &count);
	if (st < 0)
		return st;
	st = svc_notify(svc, badge, &notify);           /* this and the Irq stay until we end */
	return st < 0 ? st : notify_bind(notify, 0, irq);
}

/* Whether what initd knows of a slot is what is in it. */
static bool as_told(const struct slot *s)
{
	uint32_t there[SLOT_FUNCTIONS] = { 0 };

	for (size_t i = first_on(s->bus); on_bus(i, s->bus); i++)
		there[hp->list[i].at & 7] = (uint32_t)hp->list[i].vendor << 16 | hp->list[i].device;
	for (unsigned i = 0; i < SLOT_FUNCTIONS; i++)
		if (s->record->told[i] && s->record->told[i] != there[i])
			return false;
	return true;
}

static void begin(struct slot *s, struct svc *svc, uint64_t badge, bool booted)
{
	const struct pci_function *port = port_of(s);

	if (booted)
		slot_clear(hp->config, port, HAPPENED);
	if (known(s))
		settle(s);
	status_t st = listen(port, svc, badge);
	if (st < 0)
		log_print("%s: what happens in its slot is not seen: %s", name_of(s->port), error_text(st));
	else
		slot_watch(hp->config, port);
	bool comes = s->record->way == SLOT_COMES && known(s);
	if (!comes && !leaving(s) && !as_told(s))
		store(&s->record->way, SLOT_CHANGES);
	if (comes) {
		slot_clear(hp->config, port, HAPPENED);
		arrived(s);
	} else if (leaving(s)) {
		leave(s);
	} else {
		for (size_t i = first_on(s->bus); on_bus(i, s->bus); i++)
			tell(s, &hp->list[i]);
	}
	look(s);
}

/* What is behind a bridge on the card would have to leave with it, slots of its own among them. */
static bool has_bridge(const struct pci_function *port)
{
	for (size_t i = first_on(port->secondary); on_bus(i, port->secondary); i++)
		if (hp->list[i].header == PCI_HEADER_BRIDGE && !hp->list[i].lost)
			return true;
	return false;
}

/* NULL: it can be looked after. */
static const char *unfit(const struct pci_function *port, enum hotplug_start how)
{
	if (how == HOTPLUG_BOOTED && slot_watched(hp->config, port))
		return "the firmware looks after it";
	if (has_bridge(port))
		return "there is a bridge in it";
	if (on_bus(first_on(port->secondary), port->secondary) && !(slot_status(hp->config, port) & SLOT_THERE))
		return "it says that it is empty";
	return NULL;
}

static struct slot_record *begin_record(const struct pci_function *port, enum hotplug_start how)
{
	const char *why = unfit(port, how);
	struct slot_record *r = why ? NULL : record_of(0);

	if (!r) {
		log_print("%s: its slot is left alone: %s", name_of(port->at), why ? why : "there are too many");
		return NULL;
	}
	*r = (struct slot_record){ .arrival = 1 };
	store(&r->port, port->at);
	return r;
}

void hotplug_begin(const struct hotplug *h, struct svc *svc, uint64_t first_badge, enum hotplug_start how)
{
	hp = h;
	for (size_t i = 0; i < *hp->n && n_slots < SLOTS_MAX; i++) {
		const struct pci_function *f = &hp->list[i];
		if (!slot_has(hp->config, f))
			continue;
		struct slot_record *r = record_of(f->at);
		if (!r && how != HOTPLUG_AGAIN)
			r = begin_record(f, how);
		if (r)
			slots[n_slots++] = (struct slot){ f->at, f->secondary, r };
	}
	for (size_t i = 0; i < n_slots; i++)
		begin(&slots[i], svc, first_badge + i, how == HOTPLUG_BOOTED);
}

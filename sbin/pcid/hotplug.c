/*
 * hotplug: see hotplug.h.
 */
#include "hotplug.h"
#include "announce.h"
#include "firmware.h"
#include "node.h"
#include "place.h"
#include "slot.h"
#include <rt/io.h>
#include <rt/start.h>
#include <rt/state.h>
#include <string.h>

enum { HAPPENED = SLOT_PRESSED | SLOT_FAULT | SLOT_CHANGED | SLOT_LINK_CHANGED, ROUNDS_MAX = 16 };

static const struct hotplug *hp;
static struct slot {
	uint16_t port;                          /* the bridge */
	uint8_t bus, device;                    /* what is in it has that place; a port's link has device 0 only */
	bool firmware;                          /* who looks after it; we, if not */
	uint8_t happened;                       /* of the firmware's: SLOT_PRESSED, SLOT_CHANGED, as it has said */
	struct slot_record *record;
} slots[SLOTS_MAX];
static size_t n_slots;

static const char *name_of(uint16_t at)
{
	static char name[PCI_NAME_SIZE];

	pci_name(name, at);
	return name;
}

/* ---- the list ---- */

/* The first function from a place on. */
static size_t first_from(uint16_t at)
{
	size_t i = 0;

	while (i < *hp->n && hp->list[i].at < at)
		i++;
	return i;
}

static size_t first_in(const struct slot *s)
{
	return first_from(PCI_AT(s->bus, s->device, 0));
}

static bool in_slot(size_t i, const struct slot *s)
{
	return i < *hp->n && hp->list[i].at >> 3 == PCI_AT(s->bus, s->device, 0) >> 3;
}

static bool is_for(const struct slot *s, uint16_t at)
{
	return at >> 3 == PCI_AT(s->bus, s->device, 0) >> 3;
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
	return in_slot(first_in(s), s);
}

/* All functions of a slot are stopped and forgotten, with the sizes of their BARs: the next may have the same name and others. */
static void forget(const struct slot *s)
{
	size_t i = first_in(s);

	/* By place: what was torn out while pcid was dead is in no list. */
	for (size_t k = 0; k < hp->n_memos; k++)
		if (is_for(s, hp->memos[k].at))
			hp->memos[k].sum = 0;
	while (in_slot(i, s)) {
		hp->leave(&hp->list[i]);
		memmove(&hp->list[i], &hp->list[i + 1], (*hp->n - i - 1) * sizeof(hp->list[0]));
		--*hp->n;
	}
}

/* ---- what the slot says ---- */

/* Of the firmware's: what it has told of, seen against what is there. */
static uint32_t firmware_status(const struct slot *s)
{
	uint32_t id = hp->config->read(hp->config->ctx, PCI_AT(s->bus, s->device, 0), PCI_VENDOR, 4), status = s->happened & SLOT_PRESSED;
	bool there = (id & 0xffff) != 0xffff && (id & 0xffff) != 0, was = known(s);
	const struct pci_function *f = was ? &hp->list[first_in(s)] : NULL;
	bool same = there == was && (!was || id == ((uint32_t)f->device << 16 | f->vendor));

	return status | (there ? SLOT_THERE : 0) | (s->happened & SLOT_CHANGED && !same ? SLOT_CHANGED : 0);
}

static uint32_t status_of(const struct slot *s)
{
	return s->firmware ? firmware_status(s) : slot_status(hp->config, port_of(s));
}

static void clear(struct slot *s, uint32_t happened)
{
	if (s->firmware)
		s->happened = 0;
	else
		slot_clear(hp->config, port_of(s), happened);
}

static status_t power_on(const struct slot *s)
{
	return s->firmware ? OK : slot_on(hp->config, port_of(s));
}

static void power_off(const struct slot *s)
{
	if (!s->firmware) {
		slot_off(hp->config, port_of(s));
		return;
	}
	status_t st = firmware_eject(PCI_AT(s->bus, s->device, 0));
	if (st < 0)
		log_print("%s: the firmware does not let it go: %s", name_of(PCI_AT(s->bus, s->device, 0)), error_text(st));
}

/* ---- coming ---- */

static uint32_t id_of(const struct pci_function *f)
{
	return (uint32_t)f->vendor << 16 | f->device;
}

static void tell(const struct slot *s, const struct pci_function *f)
{
	s->record->told[f->at & 7] = id_of(f);
	announce_there(f, s->record->arrival);
}

/* What the firmware has given no address gets one. */
static void settle(const struct slot *s)
{
	const struct config *c = hp->config;
	const struct pci_function *port = port_of(s);

	place_open(c, s->port);
	for (size_t i = first_in(s); in_slot(i, s); i++) {
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
	for (size_t i = first_in(s); in_slot(i, s); i++) {
		log_print("%s: %04x:%04x has come", name_of(hp->list[i].at), hp->list[i].vendor, hp->list[i].device);
		tell(s, &hp->list[i]);
	}
	state_store(&s->record->way, SLOT_STAYS);
}

static void come(struct slot *s)
{
	struct pci_function found[SLOT_FUNCTIONS];
	status_t st = power_on(s);

	/* What came of switching it on is nothing new. */
	clear(s, HAPPENED);
	size_t n = st < 0 ? 0 : pci_scan_device(hp->config, PCI_AT(s->bus, s->device, 0), found, SLOT_FUNCTIONS), at = first_in(s);
	if (n == 0 || *hp->n + n > PCI_FUNCTIONS_MAX) {
		log_print("%s: there is something in its slot, but %s", name_of(s->port), n ? "there are too many functions" : st < 0 ? "no link" : "nothing answers");
		state_store(&s->record->way, SLOT_RESTS);
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
		power_off(s);
	state_store(&s->record->way, off ? SLOT_RESTS : SLOT_STAYS);
	log_print("%s: its slot is %s", name_of(s->port), off ? "off" : "looked at again");
}

/* The slot's record says already how. */
static void leave(struct slot *s)
{
	for (unsigned i = 0; i < SLOT_FUNCTIONS; i++)
		if (s->record->told[i])
			announce_gone(PCI_AT(s->bus, s->device, i));
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
		if (!is_for(s, at))
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

	/* Put in while what was there before is still leaving: it is none that was to leave. Taken out again: there is nothing to look at. */
	if (leaving(s) && there)
		return happened & SLOT_CHANGED ? SLOT_CHANGES : s->record->way;
	if (leaving(s))
		return SLOT_LEAVES;
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
	uint32_t status = status_of(s), happened = status & HAPPENED;
	bool there = status & SLOT_THERE, was = known(s), left = leaving(s);
	enum slot_way way = decide(s, there, was, happened);

	/* Its number, too, is the same however often this is begun again. */
	if (way == SLOT_COMES && s->record->way != SLOT_COMES)
		s->record->arrival++;
	state_store(&s->record->way, (uint16_t)way);
	clear(s, happened);
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
		if (is_for(&slots[i], at))
			return slots[i].record->arrival;
	return 0;
}

/* ---- beginning ---- */

/* NULL: none. Place 0: one that is free. */
static struct slot_record *record_of(uint16_t place, bool firmware)
{
	for (size_t i = 0; i < SLOTS_MAX; i++)
		if (hp->records[i].place == place && (place == 0 || hp->records[i].firmware == firmware))
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

	for (size_t i = first_in(s); in_slot(i, s); i++)
		there[hp->list[i].at & 7] = id_of(&hp->list[i]);
	for (unsigned i = 0; i < SLOT_FUNCTIONS; i++)
		if (s->record->told[i] && s->record->told[i] != there[i])
			return false;
	return true;
}

static void begin(struct slot *s, struct svc *svc, uint64_t badge, bool booted)
{
	const struct pci_function *port = port_of(s);

	if (booted)
		clear(s, HAPPENED);
	if (known(s))
		settle(s);
	status_t st = s->firmware ? OK : listen(port, svc, badge);
	if (st < 0)
		log_print("%s: what happens in its slot is not seen: %s", name_of(s->port), error_text(st));
	else if (!s->firmware)
		slot_watch(hp->config, port);
	bool comes = s->record->way == SLOT_COMES && known(s);
	if (!comes && !leaving(s) && !as_told(s))
		state_store(&s->record->way, SLOT_CHANGES);
	if (comes) {
		clear(s, HAPPENED);
		arrived(s);
	} else if (leaving(s)) {
		leave(s);
	} else {
		/* What was there before the slot was known is told of without a number. */
		for (size_t i = first_in(s); s->record->arrival && in_slot(i, s); i++)
			tell(s, &hp->list[i]);
	}
	look(s);
}

/* What is behind a bridge on the card would have to leave with it, slots of its own among them. */
static bool has_bridge(const struct slot *s)
{
	for (size_t i = first_in(s); in_slot(i, s); i++)
		if (hp->list[i].header == PCI_HEADER_BRIDGE && !hp->list[i].lost)
			return true;
	return false;
}

/* The firmware is asked once, before the first slot is touched; where nobody can ask it, there is nobody else to do it either. */
static enum { NOT_ASKED, YES, NO } answer;

static bool given(void)
{
	bool ours = false;

	if (answer == NOT_ASKED) {
		status_t st = firmware_gives_slots(&ours);
		answer = st == ERR_GONE || st == ERR_NOT_SUPPORTED || st == ERR_POISONED || (st == OK && ours) ? YES : NO;
	}
	return answer == YES;
}

/* NULL: it can be looked after. */
static const char *unfit(const struct pci_function *port, enum hotplug_start how)
{
	const struct slot s = { .bus = port->secondary };

	if (!given() || (how == HOTPLUG_BOOTED && slot_watched(hp->config, port)))
		return "the firmware looks after it";
	if (has_bridge(&s))
		return "there is a bridge in it";
	if (known(&s) && !(slot_status(hp->config, port) & SLOT_THERE))
		return "it says that it is empty";
	return NULL;
}

static struct slot_record *begin_record(const struct pci_function *port, enum hotplug_start how)
{
	const char *why = unfit(port, how);
	struct slot_record *r = why ? NULL : record_of(0, false);

	if (!r) {
		log_print("%s: its slot is left alone: %s", name_of(port->at), why ? why : "there are too many");
		return NULL;
	}
	*r = (struct slot_record){ .arrival = 1 };
	/* Under which number initd was told of what is there is lost, too: it has to leave, and comes anew. */
	const struct slot s = { .bus = port->secondary, .record = r };
	for (size_t i = first_in(&s); how == HOTPLUG_ANEW && in_slot(i, &s); i++) {
		r->told[hp->list[i].at & 7] = id_of(&hp->list[i]);
		r->way = SLOT_CHANGES;
	}
	state_store(&r->place, port->at);
	return r;
}

/* NULL: nothing leads there. */
static const struct pci_function *bridge_to(uint8_t bus)
{
	for (size_t i = 0; i < *hp->n; i++)
		if (hp->list[i].header == PCI_HEADER_BRIDGE && !hp->list[i].lost && hp->list[i].secondary == bus)
			return &hp->list[i];
	return NULL;
}

/* Slots of which the firmware has told an instance before. */
static void begin_firmware(void)
{
	for (size_t i = 0; i < SLOTS_MAX && n_slots < SLOTS_MAX; i++) {
		struct slot_record *r = &hp->records[i];
		const struct pci_function *bridge = r->place && r->firmware ? bridge_to(r->place >> 8) : NULL;
		if (bridge)
			slots[n_slots++] = (struct slot){ .port = bridge->at, .bus = r->place >> 8, .device = r->place >> 3 & 31, .firmware = true, .record = r };
	}
}

void hotplug_begin(const struct hotplug *h, struct svc *svc, uint64_t first_badge, enum hotplug_start how)
{
	hp = h;
	for (size_t i = 0; i < *hp->n && n_slots < SLOTS_MAX; i++) {
		const struct pci_function *f = &hp->list[i];
		if (!slot_has(hp->config, f))
			continue;
		struct slot_record *r = record_of(f->at, false);
		if (!r && how != HOTPLUG_AGAIN)
			r = begin_record(f, how);
		if (r)
			slots[n_slots++] = (struct slot){ .port = f->at, .bus = f->secondary, .record = r };
	}
	begin_firmware();
	for (size_t i = 0; i < n_slots; i++)
		begin(&slots[i], svc, first_badge + i, how == HOTPLUG_BOOTED);
}

/* ---- what the firmware tells ---- */

static struct slot *slot_at(uint16_t at)
{
	for (size_t i = 0; i < n_slots; i++)
		if (is_for(&slots[i], at))
			return &slots[i];
	return NULL;
}

/* Until now nobody has told of it: what is known there initd was told of without a number. */
static struct slot *new_slot(uint16_t at)
{
	const struct pci_function *bridge = bridge_to(at >> 8);
	struct slot_record *r = bridge ? record_of(0, true) : NULL;

	if (!r || n_slots == SLOTS_MAX) {
		log_print("%s: something has happened in its slot, but %s", name_of(at), bridge ? "there are too many" : "it is behind no bridge, so no addresses are known for it");
		return NULL;
	}
	struct slot *s = &slots[n_slots];
	*s = (struct slot){ .port = bridge->at, .bus = at >> 8, .device = at >> 3 & 31, .firmware = true, .record = r };
	*r = (struct slot_record){ .firmware = true };
	for (size_t i = first_in(s); in_slot(i, s); i++)
		if (hp->list[i].header == PCI_HEADER_DEVICE)
			r->told[hp->list[i].at & 7] = id_of(&hp->list[i]);
	state_store(&r->place, PCI_AT(s->bus, s->device, 0));
	n_slots++;
	return s;
}

static bool differs(uint16_t at)
{
	const struct slot s = { .bus = at >> 8, .device = at >> 3 & 31, .happened = SLOT_CHANGED };

	return firmware_status(&s) & SLOT_CHANGED;
}

/* One device: all its functions. again: what stays off after it was to leave is looked at, too. */
static void heard_of(uint16_t at, bool leaves, bool again)
{
	struct slot *s = slot_at(at);

	if (s && !s->firmware)
		return;                         /* ours, and looked after */
	if (!s && (leaves || differs(at)))
		s = new_slot(at);
	if (!s || (s->record->way == SLOT_RESTS && !leaves && !again))
		return;
	if (has_bridge(s)) {
		log_print("%s: its slot is left alone: %s", name_of(at), "there is a bridge in it");
		return;
	}
	s->happened = leaves ? SLOT_PRESSED : SLOT_CHANGED;
	look(s);
}

static void heard_of_bus(uint8_t bus)
{
	const struct pci_function *bridge = bridge_to(bus);
	uint32_t n = bridge && pci_leads_to_link(hp->config, bridge) ? 1 : 32;

	for (uint32_t device = 0; device < n; device++)
		heard_of(PCI_AT(bus, device, 0), false, false);
}

void hotplug_heard(uint16_t at, uint32_t kind)
{
	enum { BUS_CHECK, DEVICE_CHECK, EJECT_REQUEST = 3 };
	uint8_t buses[256];
	size_t n = 0;

	if (kind != BUS_CHECK) {
		heard_of(at & ~7u, kind == EJECT_REQUEST, true);
		return;
	}
	/* The list changes while it is gone through, bridges that lead somewhere do not. */
	for (size_t i = 0; i < *hp->n; i++)
		if (hp->list[i].header == PCI_HEADER_BRIDGE && !hp->list[i].lost && (at == HOTPLUG_ANYWHERE || hp->list[i].at >> 3 == at >> 3))
			buses[n++] = hp->list[i].secondary;
	for (size_t i = 0; i < n; i++)
		heard_of_bus(buses[i]);
}

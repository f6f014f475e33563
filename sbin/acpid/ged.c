/*
 * ged: see ged.h.
 */
#include "ged.h"
#include "inside.h"
#include "machine.h"
#include "osl.h"
#include <gen/errors.h>
#include <rt/clock.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdio.h>

#define EVENTS_MAX  64
#define NOWHERE     UINT32_MAX

enum { SLOT_IRQ = 0, SLOT_WORD = LINES_MAX };   /* on the shelf, a slot a line each */

/* One interrupt that one device names. */
struct ged_event {
	acpi_handle device, method;
	bool        by_number;          /* the method is _EVT, which is given the number */
	bool        complained;
	uint32_t    gsi, flags;
	uint32_t    slot;               /* NOWHERE: it is not heard, and `why` */
	const char *why;
};

static struct line {
	handle_t irq, word, notify;     /* owned; irq is 0: there is none. word: the Notify on the shelf; notify wakes us */
	struct storm storm;
} lines[LINES_MAX];
static struct ged_event events[EVENTS_MAX];
static uint32_t n_events, n_beyond, named, queued;
static struct svc *svc;
static const struct state *state;
static struct ged_kept *kept;
static handle_t pauses;
static bool begun;

void ged_keep(struct svc *service, const struct state *with, struct ged_kept *across)
{
	svc = service;
	state = with;
	kept = across;
}

/* A word that the next instance goes by: neither later nor earlier than it stands here. */
static void store_word(uint32_t i, uint64_t word)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	*(volatile uint64_t *)&kept->words[i] = word;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void mark(uint32_t bits, bool set)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	*(volatile uint32_t *)&kept->under_way = set ? kept->under_way | bits : kept->under_way & ~bits;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static bool under_way(uint32_t i)
{
	return kept->under_way >> i & 1;
}

/* ---- lines ---- */

static void drop(uint32_t i)
{
	handle_t *owned[] = { &lines[i].irq, &lines[i].word, &lines[i].notify };

	store_word(i, 0);
	(void)!shelf_clear(state->shelf, SLOT_IRQ + i);
	(void)!shelf_clear(state->shelf, SLOT_WORD + i);
	for (size_t k = 0; k < ARRAY_LEN(owned); k++) {
		if (*owned[k])
			handle_close(*owned[k]);
		*owned[k] = 0;
	}
	lines[i].storm = (struct storm){ 0 };
	named &= ~(1u << i);
	mark(1u << i, false);
}

static void let_through(uint32_t i)
{
	status_t st = irq_ack(lines[i].irq);

	if (st < 0)
		log_print("interrupt %u cannot be let through again: %s", (uint32_t)kept->words[i], error_text(st));
}

/*
 * Whether it has rung since somebody looked last; if so that is on record. The bit first: an instance that ends between the two looks
 * once too often.
 */
static bool rang(uint32_t i)
{
	bool before = under_way(i);
	uint64_t bits;

	mark(1u << i, true);
	if (notify_take(lines[i].word, &bits) < 0 || bits)
		return true;
	if (!before)
		mark(1u << i, false);
	return false;
}

/* What the instance before left of a line. */
static status_t take_over(uint32_t i)
{
	status_t st = shelf_get(state->shelf, SLOT_IRQ + i, &lines[i].irq);

	return st < 0 ? st : shelf_get(state->shelf, SLOT_WORD + i, &lines[i].word);
}

static status_t make(uint32_t i, uint32_t gsi, uint32_t flags)
{
	status_t st = osl_line(gsi, flags, &lines[i].irq);

	if (st >= 0)
		st = notify_create(&lines[i].word);
	if (st >= 0)
		st = notify_bind(lines[i].word, 0, lines[i].irq);
	if (st >= 0)
		st = shelf_put(state->shelf, SLOT_IRQ + i, lines[i].irq);
	if (st >= 0)
		st = shelf_put(state->shelf, SLOT_WORD + i, lines[i].word);
	if (st >= 0)
		store_word(i, LINE_WORD(gsi, flags));
	return st;
}

static status_t wake_by(uint32_t i)
{
	status_t st = svc_notify(svc, GED_BADGE + i, &lines[i].notify);

	return st < 0 ? st : notify_bind(lines[i].notify, 0, lines[i].irq);
}

static const char *reason(status_t st)
{
	switch (st) {
	case ERR_BUSY:    return "another driver has it";
	case ERR_DENIED:  return "acpid may not have it";
	case ERR_INVALID: return "no I/O APIC has it";
	case ERR_EXISTS:  return "it is the SCI";
	default:          return error_text(st);
	}
}

/* Where a line is heard that one more device names, or why it is not: NULL: it is. */
static const char *have_line(uint32_t gsi, uint32_t flags, uint32_t *slot)
{
	uint32_t i = 0;
	status_t st;

	/* A line of PCI's slots is pcid's, who gives it to drivers: no table may take it away from them. */
	if (route_leads_to(machine_routes(), gsi))
		return "it is PCI's";
	switch (line_place(kept->words, named, gsi, flags, &i)) {
	case LINE_FULL:  return "there are too many";
	case LINE_OTHER: return "another device has it the other way round";
	case LINE_SAME:  *slot = i; return NULL;
	case LINE_KEPT:
		st = take_over(i);
		if (st >= 0)
			break;
		drop(i);
		st = make(i, gsi, flags);
		break;
	case LINE_STALE:
		drop(i);
		st = make(i, gsi, flags);
		break;
	default:
		st = make(i, gsi, flags);
		break;
	}
	if (st >= 0)
		st = wake_by(i);
	if (st < 0) {
		drop(i);
		return reason(st);
	}
	named |= 1u << i;
	*slot = i;
	return NULL;
}

/* ---- devices ---- */

/* _Exx and _Lxx come before _EVT (§5.6.9.3; Linux, drivers/acpi/evged.c). */
static bool find_method(struct ged_event *e)
{
	char name[8];

	snprintf(name, sizeof(name), "_%c%02X", e->flags & IRQ_LEVEL ? 'L' : 'E', e->gsi & 255);
	if (e->gsi < 256 && ACPI_SUCCESS(acpi_get_handle(e->device, name, &e->method)))
		return true;
	e->by_number = true;
	char evt[] = "_EVT";
	return ACPI_SUCCESS(acpi_get_handle(e->device, evt, &e->method));
}

static const char *path_of(acpi_handle h)
{
	static char path[96];
	struct acpi_buffer buffer = { sizeof(path), path };

	if (ACPI_FAILURE(acpi_get_name(h, ACPI_FULL_PATHNAME_NO_TRAILING, &buffer)))
		return "a device";
	for (char *c = path; *c; c++)
		if (*c < ' ' || *c > 126)
			*c = '?';
	return path;
}

static void add_event(acpi_handle device, uint32_t gsi, uint32_t flags)
{
	for (uint32_t i = 0; i < n_events; i++)
		if (events[i].device == device && events[i].gsi == gsi)
			return;                 /* twice is once */
	if (n_events == EVENTS_MAX) {
		if (n_beyond++ == 0)
			log_print("more than %u interrupts of generic event devices: the rest is not heard", EVENTS_MAX);
		return;
	}
	struct ged_event *e = &events[n_events];
	*e = (struct ged_event){ .device = device, .gsi = gsi, .flags = flags, .slot = NOWHERE };
	e->why = find_method(e) ? NULL : "it has no method";
	/* What one device could not have, another needs not ask for. */
	for (uint32_t i = 0; i < n_events && !e->why; i++)
		if (events[i].gsi == gsi && events[i].flags == flags && events[i].method)
			e->why = events[i].why;
	if (!e->why)
		e->why = have_line(gsi, flags, &e->slot);
	n_events++;
	if (e->why)
		log_print("%s: interrupt %u is not heard: %s", path_of(device), gsi, e->why);
}

/* Whether an interrupt may wake the machine, or is shared, makes no difference here: nothing sleeps, and nobody else hears it. */
static acpi_status see_resource(struct acpi_resource *r, void *device)
{
	const struct acpi_resource_irq *irq = &r->data.irq;
	const struct acpi_resource_extended_irq *extended = &r->data.extended_irq;

	switch (r->type) {
	case ACPI_RESOURCE_TYPE_IRQ:
		for (u8 i = 0; i < irq->interrupt_count; i++)
			add_event(device, irq->interrupts[i], (irq->triggering == ACPI_LEVEL_SENSITIVE ? IRQ_LEVEL : 0) |
			                                      (irq->polarity == ACPI_ACTIVE_LOW ? IRQ_ACTIVE_LOW : 0));
		break;
	case ACPI_RESOURCE_TYPE_EXTENDED_IRQ:
		/* With a source it is a number of another controller's (§6.4.3.6). */
		if (extended->resource_source.string_length > 0) {
			log_print("%s: an interrupt of another controller is not heard", path_of(device));
			break;
		}
		for (u8 i = 0; i < extended->interrupt_count; i++)
			add_event(device, extended->interrupts[i], (extended->triggering == ACPI_LEVEL_SENSITIVE ? IRQ_LEVEL : 0) |
			                                           (extended->polarity == ACPI_ACTIVE_LOW ? IRQ_ACTIVE_LOW : 0));
		break;
	case ACPI_RESOURCE_TYPE_GPIO:
		log_print("%s: an interrupt of a GPIO controller is not heard", path_of(device));
		break;
	default:
		break;
	}
	return AE_OK;
}

static acpi_status see_device(acpi_handle h, u32 level unused, void *context unused, void **result unused)
{
	acpi_status st = acpi_walk_resources(h, METHOD_NAME__CRS, see_resource, h);

	if (ACPI_FAILURE(st))
		log_print("%s: its interrupts cannot be read: %s", path_of(h), acpi_format_exception(st));
	return AE_OK;
}

/* ---- what happens ---- */

static void evaluate(struct ged_event *e)
{
	union acpi_object number = { .integer = { .type = ACPI_TYPE_INTEGER, .value = e->gsi } };
	struct acpi_object_list args = { 1, &number };
	acpi_status st = acpi_evaluate_object(e->method, NULL, e->by_number ? &args : NULL, NULL);

	if (ACPI_SUCCESS(st) || e->complained)
		return;
	e->complained = true;
	log_print("%s, interrupt %u: %s", path_of(e->method), e->gsi, acpi_format_exception(st));
}

static void give_up(uint32_t i)
{
	uint32_t gsi = (uint32_t)kept->words[i];

	log_print("interrupt %u comes without end: it is not heard until acpid is started again", gsi);
	drop(i);
	for (uint32_t k = 0; k < n_events; k++)
		if (events[k].slot == i) {
			events[k].slot = NOWHERE;
			events[k].why = "it came without end";
		}
}

/*
 * A line that is still high when its method has run rings again at once, and what rings is served before clients are (accept): so it
 * has pauses once that goes on. An edge cannot be masked without losing the next one; it is bounded by the end of all patience.
 */
static void run(void *context)
{
	uint32_t i = (uint32_t)(uintptr_t)context;
	uint64_t pause_ns = 0, now;

	queued &= ~(1u << i);
	if (!lines[i].irq)
		return;
	uint64_t began = clock_value();
	for (uint32_t k = 0; k < n_events; k++)
		if (events[k].slot == i)
			evaluate(&events[k]);
	enum storm_verdict v = storm_ran(&lines[i].storm, began, clock_value(), &pause_ns);
	if (v == STORM_END) {
		give_up(i);
	} else if (v == STORM_PAUSE && kept->words[i] >> 32 & IRQ_LEVEL && clock_now(&now) == OK
	           && notify_timer(pauses, i, now + pause_ns, 0) == OK) {
		return;
	} else {
		let_through(i);
	}
}

static void put_off(uint32_t i)
{
	if (queued >> i & 1)
		return;
	queued |= 1u << i;
	/* Much is put off already: then this comes first. */
	if (ACPI_FAILURE(acpi_os_execute(OSL_GPE_HANDLER, run, (void *)(uintptr_t)i)))
		run((void *)(uintptr_t)i);
}

void ged_happened(uint64_t badge, uint64_t bits)
{
	if (badge == GED_BADGE_PAUSE) {
		for (uint32_t i = 0; i < LINES_MAX; i++)
			if (bits >> i & 1 && lines[i].irq)
				let_through(i);
		return;
	}
	uint32_t i = (uint32_t)(badge - GED_BADGE);
	/* What rang before somebody looked last has been served. */
	if (lines[i].irq && rang(i))
		put_off(i);
}

void ged_settled(void)
{
	if (begun && kept->under_way)
		mark(UINT32_MAX, false);
}

/* ---- beginning ---- */

static bool recorded(void *context unused, uint32_t slot)
{
	return slot < 2 * LINES_MAX && kept->words[slot % LINES_MAX];
}

/* Before the first is named: slots that nobody recorded hold lines that are wanted again. */
static void look_at_slots(void)
{
	for (uint32_t i = 0; i < LINES_MAX; i++) {
		if (kept->words[i] && !line_sensible(kept->words[i]))
			store_word(i, 0);
		if (!kept->words[i])
			mark(1u << i, false);
	}
	status_t st = state_sweep(state, recorded, NULL);
	if (st < 0)
		log_print("the shelf cannot be swept: %s", error_text(st));
}

void ged_begin(void)
{
	char id[] = "ACPI0013";

	begun = true;
	look_at_slots();
	status_t st = svc_notify(svc, GED_BADGE_PAUSE, &pauses);
	if (st < 0)
		log_print("interrupts without end cannot be held up: %s", error_text(st));
	(void)failed(acpi_get_devices(id, see_device, NULL, NULL), "generic event devices");
	for (uint32_t i = 0; i < LINES_MAX; i++) {
		if (kept->words[i] && !(named >> i & 1))
			drop(i);
		if (!lines[i].irq)
			continue;
		bool before = under_way(i);
		if (rang(i) || before)
			put_off(i);
		else
			let_through(i);
	}
}

/* ---- text ---- */

size_t ged_text(char *buf, size_t room)
{
	size_t len = 0;

	for (uint32_t i = 0; i < n_events && len < room - 1; i++) {
		const struct ged_event *e = &events[i];
		int n = snprintf(buf + len, room - len, "%-10s %u %s %s, %s%s%s\n", "event", e->gsi, e->flags & IRQ_LEVEL ? "level" : "edge",
		                 e->flags & IRQ_ACTIVE_LOW ? "low" : "high", path_of(e->method ? e->method : e->device),
		                 e->why ? ", not heard: " : "", e->why ? e->why : "");
		if (n > 0)
			len = MIN(len + (size_t)n, room - 1);
	}
	return len;
}

/*
 * pci: what AML says of PCI: where interrupt pins lead (_PRT), who looks after slots (_OSC; PCI Firmware 3.2 §4.5.1), and what happens
 * in those that the firmware looks after (ACPI 6.5 §5.6.6, §6.3). See machine.h.
 */
#include "machine.h"
#include "inside.h"
#include <gen/errors.h>
#include <rt/io.h>
#include <stdio.h>
#include <string.h>

#define BRIDGES_MAX  16             /* on the way from a root bridge to a device */
#define LINKS_MAX    64
#define END_SIZE     16             /* of the end tag of a list of resources: two words, rounded up to 8 bytes */

static struct routes routes;
static bool routed;
static machine_slot_heard *slot_heard;

/* ---- interrupt routing ---- */

struct link { acpi_handle h; u32 index; bool known; struct route route; };
static struct link links[LINKS_MAX];
static uint32_t n_links;

struct choice { u32 index, at; bool found; struct route route; };

static void choose(struct choice *c, u32 interrupt, bool edge, bool low)
{
	c->found = interrupt != 0;              /* 0: the link is not connected */
	c->route.gsi = interrupt;
	c->route.level = !edge;
	c->route.active_low = low;
}

/* The interrupt number `index` of a list of resources. */
static acpi_status see_resource(struct acpi_resource *r, void *context)
{
	struct choice *c = context;

	if (r->type == ACPI_RESOURCE_TYPE_IRQ && r->data.irq.interrupt_count > 0 && c->at++ == c->index)
		choose(c, r->data.irq.interrupts[0], r->data.irq.triggering == ACPI_EDGE_SENSITIVE, r->data.irq.polarity == ACPI_ACTIVE_LOW);
	else if (r->type == ACPI_RESOURCE_TYPE_EXTENDED_IRQ && r->data.extended_irq.interrupt_count > 0 && c->at++ == c->index)
		choose(c, r->data.extended_irq.interrupts[0], r->data.extended_irq.triggering == ACPI_EDGE_SENSITIVE,
		       r->data.extended_irq.polarity == ACPI_ACTIVE_LOW);
	return AE_OK;
}

/* Connects a link to the first interrupt that it may have (§6.2.12, _PRS and _SRS). */
static void link_set(acpi_handle h)
{
	struct acpi_buffer possible = { ACPI_ALLOCATE_BUFFER, NULL };

	if (ACPI_FAILURE(acpi_get_possible_resources(h, &possible)) || !possible.pointer)
		return;
	struct acpi_resource *r = possible.pointer, *end = (struct acpi_resource *)((char *)possible.pointer + possible.length);
	if (r->type == ACPI_RESOURCE_TYPE_START_DEPENDENT && r->length < possible.length)
		r = (struct acpi_resource *)((char *)r + r->length);
	/* One resource with one interrupt, and the end: what the method wants is shaped as _CRS is. */
	struct { uint64_t room[64]; } set = { { 0 } };
	size_t len = r < end ? r->length : 0;
	bool irq = len && r->type == ACPI_RESOURCE_TYPE_IRQ && r->data.irq.interrupt_count > 0;
	bool extended = len && r->type == ACPI_RESOURCE_TYPE_EXTENDED_IRQ && r->data.extended_irq.interrupt_count > 0;
	if ((irq || extended) && len <= sizeof(set) - sizeof(struct acpi_resource) && (char *)r + len <= (char *)end) {
		struct acpi_resource *one = (struct acpi_resource *)&set;
		memcpy(one, r, len);
		if (irq)
			one->data.irq.interrupt_count = 1;
		else
			one->data.extended_irq.interrupt_count = 1;
		struct acpi_resource *last = (struct acpi_resource *)((char *)one + len);
		last->type = ACPI_RESOURCE_TYPE_END_TAG;
		last->length = END_SIZE;
		struct acpi_buffer buffer = { len + END_SIZE, one };
		(void)failed(acpi_set_current_resources(h, &buffer), "a link of interrupts cannot be connected");
	}
	acpi_os_free(possible.pointer);
}

/* What a link device's interrupt is; it is asked once. */
static const struct link *link_of(acpi_handle h, u32 index)
{
	for (uint32_t i = 0; i < n_links; i++)
		if (links[i].h == h && links[i].index == index)
			return &links[i];
	if (n_links == LINKS_MAX)
		return NULL;
	struct choice c = { .index = index };
	(void)failed(acpi_walk_resources(h, METHOD_NAME__CRS, see_resource, &c), "a link of interrupts");
	if (!c.found) {
		link_set(h);
		c = (struct choice){ .index = index };
		(void)failed(acpi_walk_resources(h, METHOD_NAME__CRS, see_resource, &c), "a link of interrupts");
	}
	links[n_links] = (struct link){ .h = h, .index = index, .known = c.found, .route = c.route };
	return &links[n_links++];
}

static bool is_root_bridge(acpi_handle h)
{
	struct acpi_device_info *info;
	bool root = false;

	if (ACPI_FAILURE(acpi_get_object_info(h, &info)))
		return false;
	if ((info->valid & ACPI_VALID_HID) && (!strcmp(info->hardware_id.string, "PNP0A03") || !strcmp(info->hardware_id.string, "PNP0A08")))
		root = true;
	for (u32 i = 0; (info->valid & ACPI_VALID_CID) && i < info->compatible_id_list.count; i++)
		root = root || !strcmp(info->compatible_id_list.ids[i].string, "PNP0A03");
	acpi_os_free(info);
	return root;
}

/*
 * The bus behind a bridge: of a root bridge _BBN, of others what their secondary bus register says, on the way from the root down
 * (PCI-to-PCI bridge 1.2 §3.2.5.4). False: it is none, or not of segment 0.
 */
static bool bus_behind(acpi_handle h, u8 *bus)
{
	acpi_handle way[BRIDGES_MAX];
	uint32_t n = 0;
	uint64_t value;

	while (!is_root_bridge(h)) {
		if (n == BRIDGES_MAX)
			return false;
		way[n++] = h;
		if (ACPI_FAILURE(acpi_get_parent(h, &h)))
			return false;
	}
	if (integer(h, "_SEG", &value) && value != 0)
		return false;
	*bus = integer(h, "_BBN", &value) ? (u8)value : 0;
	while (n-- > 0) {
		u64 header = 0, secondary = 0;
		if (!integer(way[n], "_ADR", &value))
			return false;
		struct acpi_pci_id id = { .bus = *bus, .device = value >> 16 & 31, .function = value & 7 };
		if (ACPI_FAILURE(acpi_os_read_pci_configuration(&id, 0x0e, &header, 8)) || (header & 0x7f) != 1
		    || ACPI_FAILURE(acpi_os_read_pci_configuration(&id, 0x19, &secondary, 8)) || secondary == 0 || secondary == 0xff)
			return false;
		*bus = (u8)secondary;
	}
	return true;
}

static acpi_status add_bridge(acpi_handle h, u32 level unused, void *context unused, void **result unused)
{
	struct acpi_buffer buffer = { ACPI_ALLOCATE_BUFFER, NULL };
	acpi_handle method, source;
	u8 bus;

	if (ACPI_FAILURE(acpi_get_handle(h, METHOD_NAME__PRT, &method)) || !bus_behind(h, &bus))
		return AE_OK;
	if (failed(acpi_get_irq_routing_table(h, &buffer), "a routing table"))
		return AE_OK;
	const char *at = buffer.pointer, *end = at + buffer.length;
	for (const struct acpi_pci_routing_table *e = (const void *)at; (const char *)e + sizeof(*e) <= end && e->length;
	     e = (const void *)((const char *)e + e->length)) {
		struct route r = { .level = true, .active_low = true, .gsi = e->source_index };
		if (e->source[0]) {
			char name[256];
			snprintf(name, sizeof(name), "%s", e->source);
			if (ACPI_FAILURE(acpi_get_handle(h, name, &source)))
				continue;
			const struct link *l = link_of(source, e->source_index);
			if (!l || !l->known)
				continue;
			r = l->route;
		}
		r.bus = bus;
		r.device = e->address >> 16 & 31;
		r.pin = (uint8_t)(e->pin + 1 <= 4 ? e->pin + 1 : 0);
		if (!route_add(&routes, &r))
			log_print("the route of %02x:%02x pin %u to %u is left out", bus, r.device, e->pin, r.gsi);
	}
	acpi_os_free(buffer.pointer);
	return AE_OK;
}

const struct routes *machine_routes(void)
{
	if (aml_running() && !routed) {
		routed = true;
		(void)failed(acpi_get_devices(NULL, add_bridge, NULL, NULL), "interrupt routing");
	}
	return &routes;
}

/* ---- who looks after slots ---- */

static acpi_status first_root(acpi_handle h, u32 level unused, void *context, void **result unused)
{
	uint64_t value;

	if (!is_root_bridge(h) || (integer(h, "_SEG", &value) && value != 0) || (integer(h, "_BBN", &value) && value != 0))
		return AE_OK;
	*(acpi_handle *)context = h;
	return AE_CTRL_TERMINATE;
}

enum {
	OSC_QUERY = 1, OSC_ERRORS = 2 | 4 | 8,                          /* first word: to it, from it */
	OSC_SPACE = 1, OSC_SEGMENTS = 8, OSC_MSI = 16,                  /* second: what we can do */
	OSC_SLOTS = 1, OSC_EXPRESS = 16, OSC_WANTED = OSC_SLOTS | OSC_EXPRESS,  /* third: what we want to do; the slot is in the capability of PCI Express */
};

/* What of OSC_WANTED the firmware gives, or with OSC_QUERY would give. ERR_NOT_FOUND: it has no _OSC. */
static status_t osc(acpi_handle root, u32 how, u32 *given)
{
	/* 33DB4D5B-1FF7-401C-9657-7441C03DD766 (§4.5.1), as ToUUID lays it out (ACPI 6.5 §19.6.142). */
	static u8 uuid[16] = { 0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f, 0x1c, 0x40, 0x96, 0x57, 0x74, 0x41, 0xc0, 0x3d, 0xd7, 0x66 };
	u32 words[3] = { how, OSC_SPACE | OSC_SEGMENTS | OSC_MSI, OSC_WANTED };
	union acpi_object args[4] = {
		{ .buffer = { ACPI_TYPE_BUFFER, sizeof(uuid), uuid } }, { .integer = { ACPI_TYPE_INTEGER, 1 } },
		{ .integer = { ACPI_TYPE_INTEGER, ARRAY_LEN(words) } }, { .buffer = { ACPI_TYPE_BUFFER, sizeof(words), (u8 *)words } },
	};
	struct acpi_object_list list = { ARRAY_LEN(args), args };
	struct acpi_buffer out = { ACPI_ALLOCATE_BUFFER, NULL };

	acpi_status st = acpi_evaluate_object_typed(root, "_OSC", &list, &out, ACPI_TYPE_BUFFER);
	if (st == AE_NOT_FOUND)
		return ERR_NOT_FOUND;
	if (failed(st, "_OSC"))
		return ERR_BAD_FORMAT;
	const union acpi_object *o = out.pointer;
	status_t result = ERR_BAD_FORMAT;
	if (o->buffer.length >= sizeof(words)) {
		memcpy(words, o->buffer.pointer, sizeof(words));
		result = words[0] & OSC_ERRORS ? ERR_BAD_FORMAT : OK;
		*given = words[2] & OSC_WANTED;
	}
	acpi_os_free(out.pointer);
	return result;
}

status_t machine_slots(bool *ours)
{
	acpi_handle root = NULL;
	u32 given = 0;

	if (!aml_running())
		return ERR_NOT_SUPPORTED;
	(void)failed(acpi_get_devices(NULL, first_root, &root, NULL), "the root of PCI");
	if (!root)
		return ERR_NOT_FOUND;
	status_t st = osc(root, OSC_QUERY, &given);
	/* Asked for in earnest only if it would be given: what is asked for and refused may be taken for an order all the same. */
	if (st == OK && given == OSC_WANTED)
		st = osc(root, 0, &given);
	*ours = st == OK && given == OSC_WANTED;
	return st;
}

/* ---- what happens in slots ---- */

/* Where a device is; its function may be 7 for all of them, as _ADR says by 0xffff. False: it is not on PCI. */
static bool place_of(acpi_handle h, uint16_t *at)
{
	acpi_handle parent;
	uint64_t value;
	u8 bus;

	if (ACPI_FAILURE(acpi_get_parent(h, &parent)) || !integer(h, "_ADR", &value) || !bus_behind(parent, &bus))
		return false;
	*at = (uint16_t)(bus << 8 | (value >> 16 & 31) << 3 | (value & 7));
	return true;
}

static void on_slot(acpi_handle h, u32 value, void *context unused)
{
	uint16_t at;

	if (!slot_heard || (value != SLOT_BUS_CHECK && value != SLOT_DEVICE_CHECK && value != SLOT_EJECT_REQUEST))
		return;
	if (place_of(h, &at))
		slot_heard(at, (enum slot_kind)value);
	else if (is_root_bridge(h))
		slot_heard(SLOT_ANYWHERE, SLOT_BUS_CHECK);
}

void pci_begin(void)
{
	(void)failed(acpi_install_notify_handler(ACPI_ROOT_OBJECT, ACPI_SYSTEM_NOTIFY, on_slot, NULL), "what happens in slots");
}

void machine_hear_slots(machine_slot_heard *heard)
{
	slot_heard = heard;
}

struct search { uint16_t at; acpi_handle found; };

static acpi_status with_ejector(acpi_handle h, u32 level unused, void *context, void **result unused)
{
	struct search *s = context;
	acpi_handle method;
	uint16_t at;

	if (ACPI_FAILURE(acpi_get_handle(h, "_EJ0", &method)) || !place_of(h, &at) || (at ^ s->at) >> 3)
		return AE_OK;
	s->found = h;
	return AE_CTRL_TERMINATE;
}

status_t machine_eject(uint16_t at)
{
	union acpi_object one = { .integer = { .type = ACPI_TYPE_INTEGER, .value = 1 } };
	struct acpi_object_list args = { 1, &one };
	struct search s = { .at = at };

	if (!aml_running())
		return ERR_NOT_SUPPORTED;
	(void)failed(acpi_get_devices(NULL, with_ejector, &s, NULL), "the devices that can be ejected");
	if (!s.found)
		return ERR_NOT_FOUND;
	return failed(acpi_evaluate_object(s.found, "_EJ0", &args, NULL), "_EJ0") ? ERR_IO : OK;
}

/*
 * function: see function.h.
 */
#include "function.h"
#include <string.h>

enum { CAPS_FIRST = 0x40, CAPS_END = 0x100, EXPRESS_TYPE_ROOT_PORT = 4, EXPRESS_TYPE_DOWNSTREAM = 6 };

/* ---- capabilities ---- */

/* Whether a dword was not met before; it is from now on. */
static bool first_visit(uint32_t seen[32], uint32_t reg)
{
	uint32_t bit = 1u << (reg / 4 % 32);
	bool first = !(seen[reg / 128] & bit);

	seen[reg / 128] |= bit;
	return first;
}

/* PCI 3.0 §6.7: the two lowest bits of a pointer are reserved, 0 ends the list. */
static size_t plain_list(const struct config *c, uint16_t at, struct pci_cap list[PCI_CAPS_MAX], bool *broken)
{
	uint32_t seen[32] = { 0 };
	size_t n = 0;

	if (!(config_get(c, at, PCI_STATUS, 2) & PCI_STATUS_CAPABILITIES))
		return 0;
	uint32_t reg = config_get(c, at, PCI_CAPABILITIES, 1) & 0xfc;
	while (reg) {
		if (reg < CAPS_FIRST || !first_visit(seen, reg) || n == PCI_CAPS_MAX) {
			*broken = true;
			return n;
		}
		uint32_t head = config_get(c, at, reg, 2);
		if (head == 0xffff)     /* it has gone, or never was */
			return n;
		list[n++] = (struct pci_cap){ .at = (uint16_t)reg, .id = head & 0xff };
		reg = head >> 8 & 0xfc;
	}
	return n;
}

/* PCI Express 3.0 §7.9: from 0x100 on; a head of 0 or all ones there means that there are none. */
static size_t extended_list(const struct config *c, uint16_t at, struct pci_cap *list, size_t n, bool *broken)
{
	uint32_t seen[32] = { 0 };

	for (uint32_t reg = CAPS_END; reg;) {
		if (reg < CAPS_END || reg > c->size - 4 || !first_visit(seen, reg) || n == PCI_CAPS_MAX) {
			*broken = true;
			return n;
		}
		uint32_t head = config_get(c, at, reg, 4);
		if (head == 0 || head == UINT32_MAX)
			return n;
		list[n++] = (struct pci_cap){ .at = (uint16_t)reg, .id = head & 0xffff, .version = head >> 16 & 0xf, .extended = true };
		reg = head >> 20 & 0xffc;
	}
	return n;
}

size_t pci_capabilities(const struct config *c, const struct pci_function *f, struct pci_cap list[PCI_CAPS_MAX], bool *broken)
{
	*broken = false;
	size_t n = plain_list(c, f->at, list, broken);
	/* Behind a bridge to plain PCI the upper registers may show the lower ones again (§7.2.2): only of who has Express. */
	return f->express && c->size > CAPS_END ? extended_list(c, f->at, list, n, broken) : n;
}

/* Bytes of those that have fixed registers; of others it is not known. */
static uint32_t cap_size(uint8_t id)
{
	static const struct { uint8_t id, size; } known[] = {
		{ 0x01, 8 }, { 0x03, 8 }, { PCI_CAP_MSI, 24 }, { 0x0d, 8 }, { PCI_CAP_EXPRESS, 60 }, { PCI_CAP_MSIX, 12 }, { 0x12, 8 }, { PCI_CAP_AF, 6 },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].id == id)
			return known[i].size;
	return 0;
}

static uint16_t find_plain(const struct config *c, uint16_t at, uint8_t id)
{
	struct pci_cap list[PCI_CAPS_MAX];
	bool broken = false;
	size_t n = plain_list(c, at, list, &broken);

	/* What is used here of any of them must be in the space: 12 bytes, of MSI 24. */
	for (size_t i = 0; i < n; i++)
		if (list[i].id == id && list[i].at <= CAPS_END - (id == PCI_CAP_MSI ? 24 : 12))
			return list[i].at;
	return 0;
}

uint16_t pci_find(const struct config *c, const struct pci_function *f, uint8_t id)
{
	return find_plain(c, f->at, id);
}

bool pci_may_write(const struct config *c, const struct pci_function *f, uint32_t reg, uint32_t width)
{
	enum { VENDOR_SPECIFIC = 9, HEAD = 2 };
	struct pci_cap list[PCI_CAPS_MAX];
	bool broken = false;
	size_t n = plain_list(c, f->at, list, &broken);

	if (broken || (width != 1 && width != 2 && width != 4) || reg % width || reg < CAPS_FIRST || reg > CAPS_END - width)
		return false;
	for (size_t i = 0; i < n; i++) {
		/* One of unknown size reaches to the next one. */
		uint32_t first = list[i].at, end = first + cap_size((uint8_t)list[i].id);
		if (end == first)
			end = CAPS_END;
		for (size_t k = 0; k < n; k++)
			if (list[k].at > first && list[k].at < end)
				end = list[k].at;
		if (list[i].id == VENDOR_SPECIFIC)
			end = first + HEAD;
		if (reg < end && reg + width > first)
			return false;
	}
	return true;
}

/* ---- one function ---- */

bool pci_look(const struct config *c, uint16_t at, struct pci_function *f)
{
	uint32_t id = config_get(c, at, PCI_VENDOR, 4);

	/* All zeros, and half of all ones, come from broken boards. */
	if ((id & 0xffff) == 0xffff || (id & 0xffff) == 0)
		return false;
	uint32_t class = config_get(c, at, PCI_REVISION, 4);
	*f = (struct pci_function){
		.at = at, .vendor = id & 0xffff, .device = id >> 16 & 0xffff, .class = class >> 8, .revision = class & 0xff,
		.header = config_get(c, at, PCI_HEADER, 1) & PCI_HEADER_TYPE, .pin = (uint8_t)config_get(c, at, PCI_PIN, 1), .line = (uint8_t)config_get(c, at, PCI_LINE, 1),
		.express = find_plain(c, at, PCI_CAP_EXPRESS),
	};
	if (f->header == PCI_HEADER_DEVICE) {
		f->sub_vendor = (uint16_t)config_get(c, at, PCI_SUB_VENDOR, 2);
		f->sub_device = (uint16_t)config_get(c, at, PCI_SUB_DEVICE, 2);
	} else if (f->header == PCI_HEADER_BRIDGE) {
		f->secondary = (uint8_t)config_get(c, at, PCI_SECONDARY, 1);
		f->subordinate = (uint8_t)config_get(c, at, PCI_SUBORDINATE, 1);
	}
	return true;
}

/* A link has one device, number 0; some answer to every number (PCI Express 3.0 §7.3.1). */
bool pci_leads_to_link(const struct config *c, const struct pci_function *f)
{
	uint32_t type = f->express ? config_get(c, f->at, f->express + 2u, 2) >> 4 & 0xf : 0;

	return type == EXPRESS_TYPE_ROOT_PORT || type == EXPRESS_TYPE_DOWNSTREAM;
}

/* ---- all of them ---- */

struct bus { uint8_t number, last, link; };

struct scan {
	const struct config *config;
	struct pci_function *list;
	size_t n, max;
	bool more;
	struct bus found[256];          /* in the order in which they are looked at */
	size_t n_found;
	bool known[256];
};

/* Its buses end before those of the next root. */
static void found_root(struct scan *s, uint8_t number)
{
	if (s->n_found > 0)
		s->found[s->n_found - 1].last = number - 1;
	s->known[number] = true;
	s->found[s->n_found++] = (struct bus){ number, s->config->bus_last, 0 };
}

static void found_bridge(struct scan *s, const struct bus *on, struct pci_function *f)
{
	/* Greater than its own bus and within its bridge's: so no way leads back, and none is longer than 255. */
	f->lost = f->secondary <= on->number || f->subordinate < f->secondary || f->subordinate > on->last || s->known[f->secondary];
	if (f->lost)
		return;
	s->known[f->secondary] = true;
	s->found[s->n_found++] = (struct bus){ f->secondary, f->subordinate, pci_leads_to_link(s->config, f) };
}

/* False: there is nothing at `at`. */
static bool found_function(struct scan *s, const struct bus *on, uint16_t at)
{
	struct pci_function f;

	if (!pci_look(s->config, at, &f))
		return false;
	if (s->n == s->max) {
		s->more = true;
		return true;
	}
	if (f.header == PCI_HEADER_BRIDGE)
		found_bridge(s, on, &f);
	s->list[s->n++] = f;
	return true;
}

static void scan_bus(struct scan *s, const struct bus *bus)
{
	for (uint32_t device = 0; device < (bus->link ? 1 : 32); device++) {
		uint16_t at = PCI_AT(bus->number, device, 0);
		if (!found_function(s, bus, at) || !(config_get(s->config, at, PCI_HEADER, 1) & PCI_HEADER_MULTI))
			continue;
		for (uint32_t function = 1; function < 8; function++)
			(void)found_function(s, bus, PCI_AT(bus->number, device, function));
	}
}

/* Nearly sorted as it comes: bridges are met in rising order. */
static void sort(struct pci_function *list, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct pci_function f = list[i];
		size_t k = i;
		for (; k > 0 && list[k - 1].at > f.at; k--)
			list[k] = list[k - 1];
		list[k] = f;
	}
}

size_t pci_scan(const struct config *c, struct pci_function *list, size_t max, bool *more)
{
	static struct scan s;           /* 1 KiB of tables; one thread */

	memset(&s, 0, sizeof(s));
	s.config = c;
	s.list = list;
	s.max = max;
	for (uint32_t bus = c->bus_first; bus <= c->bus_last; bus++)
		if (bus == c->bus_first || c->roots[bus / 64] >> (bus % 64) & 1)
			found_root(&s, (uint8_t)bus);
	for (size_t i = 0; i < s.n_found; i++)
		scan_bus(&s, &s.found[i]);
	sort(list, s.n);
	*more = s.more;
	return s.n;
}

size_t pci_scan_device(const struct config *c, uint16_t device, struct pci_function *list, size_t max)
{
	size_t n = 0;

	for (uint32_t i = 0; i < 8 && n < max; i++) {
		if (!pci_look(c, (uint16_t)(device | i), &list[n])) {
			if (i == 0)
				break;
			continue;
		}
		list[n].lost = list[n].header == PCI_HEADER_BRIDGE;
		n++;
		if (i == 0 && !(config_get(c, device, PCI_HEADER, 1) & PCI_HEADER_MULTI))
			break;
	}
	return n;
}

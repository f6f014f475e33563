/*
 * text: see text.h.
 */
#include "text.h"
#include "names.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void printf_like(2, 3) add(struct text *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = vsnprintf(t->data + t->len, t->room - t->len, format, args);
	va_end(args);
	if (n > 0)
		t->len = MIN(t->len + (size_t)n, t->room - 1);
}

void text_line(struct text *t, const struct pci_function *f)
{
	const char *vendor = name_vendor(f->vendor);
	char place[PCI_NAME_SIZE];

	pci_name(place, f->at);
	add(t, "%s %s [%04x]: ", place, name_class(f->class), f->class >> 8);
	add(t, "%s%s[%04x:%04x]", vendor ? vendor : "", vendor ? " " : "", f->vendor, f->device);
	if (f->revision)
		add(t, " (rev %02x)", f->revision);
	if (f->class & 0xff)
		add(t, " (prog-if %02x)", f->class & 0xff);
	add(t, "\n");
}

static void add_size(struct text *t, uint64_t size)
{
	static const char units[] = "\0KMGTP";
	unsigned u = 0;

	for (; u + 2 < sizeof(units) && size >= 1024 && size % 1024 == 0; u++)
		size /= 1024;
	add(t, units[u] ? " [size=%llu%c]" : " [size=%llu]", (unsigned long long)size, units[u]);
}

static void add_bar(struct text *t, const struct pci_bar *b, unsigned i, uint32_t command)
{
	static const char *const states[] = { " [size not asked]", "", " [unassigned]", " [misplaced]", " [overlaps]" };
	bool io = b->kind == BAR_IO;

	if (b->kind == BAR_NONE || b->kind == BAR_UPPER)
		return;
	if (b->kind == BAR_ODD) {
		add(t, "\tRegion %u: unusable [%llx]\n", i, (unsigned long long)b->base);
		return;
	}
	if (io)
		add(t, "\tRegion %u: I/O ports at %04llx", i, (unsigned long long)b->base);
	else
		add(t, "\tRegion %u: Memory at %08llx (%s-bit, %sprefetchable)", i, (unsigned long long)b->base,
			b->kind == BAR_MEMORY_64 ? "64" : "32", b->prefetchable ? "" : "non-");
	if (b->size)
		add_size(t, b->size);
	add(t, "%s%s\n", b->state < ARRAY_LEN(states) ? states[b->state] : "", command & (io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY) ? "" : " [off]");
}

/* MSI: PCI 3.0 §6.8.1.3; MSI-X: §6.8.2; Express: PCI Express 3.0 §7.8.2. */
static void add_capability(struct text *t, const struct config *c, const struct pci_function *f, const struct pci_cap *cap)
{
	static const char *const ports[16] = {
		"endpoint", "legacy endpoint", NULL, NULL, "root port", "upstream port", "downstream port", "bridge to PCI",
		"bridge from PCI", "root complex endpoint", "root complex event collector",
	};
	const char *name = name_capability(cap->id, cap->extended);
	uint32_t control = cap->at + 4u <= c->size ? c->read(c->ctx, f->at, cap->at + 2u, 2) : 0;

	add(t, "\tCapabilities: [%02x%s] ", cap->at, cap->extended ? " ext" : "");
	if (name)
		add(t, "%s", name);
	else
		add(t, "%02x", cap->id);
	if (!cap->extended && cap->id == PCI_CAP_MSI)
		add(t, ": %s, %u vectors, %s-bit%s", control & 1 ? "on" : "off", 1u << MIN(control >> 1 & 7, 5u), control & 0x80 ? "64" : "32",
			control & 0x100 ? ", maskable" : "");
	if (!cap->extended && cap->id == PCI_CAP_MSIX)
		add(t, ": %s, %u vectors", control & 0x8000 ? "on" : "off", (control & 0x7ff) + 1);
	if (!cap->extended && cap->id == PCI_CAP_EXPRESS && ports[control >> 4 & 0xf])
		add(t, ": %s", ports[control >> 4 & 0xf]);
	add(t, "\n");
}

void text_details(struct text *t, const struct config *c, const struct pci_function *f)
{
	struct pci_cap caps[PCI_CAPS_MAX];
	uint32_t command = c->read(c->ctx, f->at, PCI_COMMAND, 2);
	bool broken;

	text_line(t, f);
	if (f->sub_vendor && f->sub_vendor != 0xffff)
		add(t, "\tSubsystem: [%04x:%04x]\n", f->sub_vendor, f->sub_device);
	add(t, "\tFlags: I/O%c Mem%c BusMaster%c INTx%c", command & PCI_COMMAND_IO ? '+' : '-', command & PCI_COMMAND_MEMORY ? '+' : '-',
		command & PCI_COMMAND_MASTER ? '+' : '-', command & PCI_COMMAND_NO_INTX ? '-' : '+');
	if (f->pin >= 1 && f->pin <= 4)
		add(t, ", pin %c, line %u", 'A' + f->pin - 1, f->line);
	add(t, "\n");
	if (f->header == PCI_HEADER_BRIDGE)
		add(t, "\tBus: %02x, and up to %02x%s\n", f->secondary, f->subordinate, f->lost ? " [makes no sense]" : "");
	for (unsigned i = 0; i < PCI_BARS; i++)
		add_bar(t, &f->bars[i], i, command);
	size_t n = pci_capabilities(c, f, caps, &broken);
	for (size_t i = 0; i < n; i++)
		add_capability(t, c, f, &caps[i]);
	if (broken)
		add(t, "\tCapabilities: the rest of the list is broken\n");
}

/*
 * device: see device.h.
 */
#include "device.h"
#include "message.h"
#include "reset.h"
#include <abi/mmio.h>
#include <abi/objects.h>
#include <gen/errors.h>

enum {
	MSI_CONTROL = 2, MSI_64 = 0x80, MSI_MASKABLE = 0x100, MSI_MULTIPLE = 0x70,
	MSIX_CONTROL = 2, MSIX_TABLE = 4, MSIX_ENTRY = 16, MSIX_ENTRY_MASKED = 1,
};

static uint32_t get(const struct config *c, const struct pci_function *f, uint32_t reg, uint32_t width)
{
	return c->read(c->ctx, f->at, reg, width);
}

static void set(const struct config *c, const struct pci_function *f, uint32_t reg, uint32_t width, uint32_t value)
{
	c->write(c->ctx, f->at, reg, width, value);
}

static void change(const struct config *c, const struct pci_function *f, uint32_t reg, uint32_t off, uint32_t on)
{
	set(c, f, reg, 2, (get(c, f, reg, 2) & ~off) | on);
}

static bool usable(const struct pci_bar *b)
{
	return b->state == BAR_GOOD && (b->kind == BAR_IO || b->kind == BAR_MEMORY || b->kind == BAR_MEMORY_64);
}

/* ---- on and off ---- */

void device_master(const struct config *c, const struct pci_function *list, size_t n, const struct pci_function *f, bool on)
{
	uint8_t bus = f->at >> 8;

	for (size_t i = 0; i < n && on; i++)
		if (list[i].header == PCI_HEADER_BRIDGE && !list[i].lost && bus >= list[i].secondary && bus <= list[i].subordinate)
			change(c, &list[i], PCI_COMMAND, 0, PCI_COMMAND_MASTER);
	change(c, f, PCI_COMMAND, PCI_COMMAND_MASTER, on ? PCI_COMMAND_MASTER : 0);
}

void device_start(const struct config *c, const struct pci_function *f)
{
	uint32_t on = PCI_COMMAND_NO_INTX;

	for (unsigned i = 0; i < PCI_BARS; i++)
		if (usable(&f->bars[i]))
			on |= f->bars[i].kind == BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
	change(c, f, PCI_COMMAND, PCI_COMMAND_MASTER, on);
}

void device_messages_off(const struct config *c, const struct pci_function *f)
{
	uint32_t msi = pci_find(c, f, PCI_CAP_MSI), msix = pci_find(c, f, PCI_CAP_MSIX);

	if (msi)
		change(c, f, msi + MSI_CONTROL, PCI_MSI_ON, 0);
	if (msix)
		change(c, f, msix + MSIX_CONTROL, PCI_MSIX_ON, 0);
}

void device_stop(const struct config *c, const struct pci_function *list, size_t n, const struct pci_function *f, struct bar_journal *j)
{
	if (get(c, f, PCI_VENDOR, 2) != f->vendor)
		return;                         /* it has gone, and reaches nothing any more */
	change(c, f, PCI_COMMAND, PCI_COMMAND_MASTER, PCI_COMMAND_NO_INTX);
	device_messages_off(c, f);
	reset(c, list, n, f, j);
}

/* ---- registers ---- */

/* Where the table of MSI-X is. False: it has none that can be used. */
static bool msix_table(const struct config *c, const struct pci_function *f, uint32_t msix, struct range *table, unsigned *bar)
{
	uint32_t where = get(c, f, msix + MSIX_TABLE, 4), entries = (get(c, f, msix + MSIX_CONTROL, 2) & 0x7ff) + 1;

	*bar = where & 7;
	*table = (struct range){ where & ~7u, entries * MSIX_ENTRY };
	return *bar < PCI_BARS && usable(&f->bars[*bar]) && f->bars[*bar].kind != BAR_IO && table->size <= f->bars[*bar].size
	       && table->base <= f->bars[*bar].size - table->size;
}

/* Whether a page of [base, end) belongs to anybody else, too. */
static bool shared(const struct pci_function *list, size_t n, const struct pci_bar *b)
{
	uint64_t base = ALIGN_DOWN(b->base, PAGE_SIZE), end = ALIGN_UP(b->base + b->size, PAGE_SIZE);

	for (size_t i = 0; i < n * PCI_BARS; i++) {
		const struct pci_bar *o = &list[i / PCI_BARS].bars[i % PCI_BARS];
		bool memory = o->kind == BAR_MEMORY || o->kind == BAR_MEMORY_64;
		if (o != b && memory && o->base && o->base < end && o->base + MAX(o->size, (uint64_t)1) > base)
			return true;
	}
	return false;
}

status_t device_bar(const struct device_resources *r, const struct config *c, const struct pci_function *list, size_t n,
                    const struct pci_function *f, uint64_t bar, uint64_t offset, handle_t *h, uint64_t *covers, uint64_t *at)
{
	uint32_t msix = pci_find(c, f, PCI_CAP_MSIX);
	struct range table;
	unsigned table_bar;

	if (bar >= PCI_BARS || !usable(&f->bars[bar]))
		return ERR_NOT_FOUND;
	const struct pci_bar *b = &f->bars[bar];
	if (offset >= b->size)
		return ERR_INVALID;
	uint64_t first = b->base + offset, end = b->base + b->size;
	*at = 0;
	*covers = end - first;
	if (b->kind == BAR_IO)
		return ioports_create(r->ports, (uint32_t)first, (uint32_t)(end - first), h);
	if (msix && msix_table(c, f, msix, &table, &table_bar) && table_bar == bar) {
		uint64_t table_first = ALIGN_DOWN(b->base + table.base, PAGE_SIZE), table_end = ALIGN_UP(b->base + table.base + table.size, PAGE_SIZE);
		if (first >= table_first && first < table_end)
			return ERR_DENIED;
		if (first < table_first)
			end = MIN(end, table_first);
	}
	if (shared(list, n, b))
		return ERR_BUSY;
	*covers = end - first;
	*at = first & (PAGE_SIZE - 1);
	return frame_device(r->phys, first - *at, ALIGN_UP(end - first + *at, PAGE_SIZE), CACHE_UNCACHED, h);
}

/* ---- interrupts ---- */

/* Entry `number` is written; if MSI-X was off, all others are masked before it goes on. */
static status_t msix_set(const struct device_resources *r, const struct config *c, const struct pci_function *f, uint32_t msix, uint64_t number, uint64_t address, uint32_t data)
{
	struct range table;
	unsigned bar;
	uint64_t va;
	handle_t frame;
	bool was_on = get(c, f, msix + MSIX_CONTROL, 2) & PCI_MSIX_ON;

	if (!msix_table(c, f, msix, &table, &bar))
		return ERR_NOT_SUPPORTED;
	uint64_t base = f->bars[bar].base + table.base, page = ALIGN_DOWN(base, PAGE_SIZE), size = ALIGN_UP(base + table.size, PAGE_SIZE) - page;
	status_t st = frame_device(r->phys, page, size, CACHE_UNCACHED, &frame);
	if (st < 0)
		return st;
	st = vmem_map(0, frame, 0, 0, size, PROT_READ | PROT_WRITE, &va);
	handle_close(frame);
	if (st < 0)
		return st;
	change(c, f, msix + MSIX_CONTROL, 0, PCI_MSIX_ON | PCI_MSIX_FUNCTION_MASKED);   /* some tables can be written only when it is on */
	volatile uint32_t *entries = (volatile uint32_t *)(va + (base - page));
	for (uint64_t i = 0; i < table.size / MSIX_ENTRY && !was_on; i++)
		MMIO(uint32_t, &entries[4 * i + 3]) = MSIX_ENTRY_MASKED;
	volatile uint32_t *e = entries + 4 * number;
	MMIO(uint32_t, &e[3]) = MSIX_ENTRY_MASKED;
	MMIO(uint32_t, &e[0]) = (uint32_t)address;
	MMIO(uint32_t, &e[1]) = (uint32_t)(address >> 32);
	MMIO(uint32_t, &e[2]) = data;
	MMIO(uint32_t, &e[3]) = 0;
	(void)MMIO(uint32_t, &e[3]);            /* it has arrived */
	change(c, f, msix + MSIX_CONTROL, PCI_MSIX_FUNCTION_MASKED, 0);
	return vmem_unmap(0, va, size);
}

static void msi_set(const struct config *c, const struct pci_function *f, uint32_t msi, uint64_t address, uint32_t data)
{
	uint32_t control = get(c, f, msi + MSI_CONTROL, 2), wide = control & MSI_64 ? 4 : 0;

	set(c, f, msi + MSI_CONTROL, 2, control & ~(uint32_t)(PCI_MSI_ON | MSI_MULTIPLE));
	set(c, f, msi + 4, 4, (uint32_t)address);
	if (wide)
		set(c, f, msi + 8, 4, (uint32_t)(address >> 32));
	set(c, f, msi + 8 + wide, 2, data);
	if (control & MSI_MASKABLE)
		set(c, f, msi + 12 + wide, 4, 0);
	set(c, f, msi + MSI_CONTROL, 2, (control & ~(uint32_t)MSI_MULTIPLE) | PCI_MSI_ON);
}

status_t device_irq(const struct device_resources *r, const struct config *c, const struct pci_function *f, uint64_t number, handle_t *h, uint64_t *count)
{
	uint32_t msix = pci_find(c, f, PCI_CAP_MSIX), msi = pci_find(c, f, PCI_CAP_MSI), data;
	struct range table;
	unsigned bar;
	uint64_t address;

	if (msix && !msix_table(c, f, msix, &table, &bar))
		msix = 0;
	*count = msix ? table.size / MSIX_ENTRY : msi ? 1 : 0;
	if (number >= *count)
		return ERR_NOT_SUPPORTED;
	status_t st = message_irq(f->at, (uint32_t)number, h, &address, &data);
	if (st < 0)
		return st;
	if (msix)
		st = msix_set(r, c, f, msix, number, address, data);
	else
		msi_set(c, f, msi, address, data);
	if (st < 0)
		handle_close(*h);
	return st;
}

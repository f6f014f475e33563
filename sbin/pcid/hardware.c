/*
 * hardware: see hardware.h. A bus is mapped when it is first looked at: there are seldom more than a few, and each has 1 MiB.
 */
#include "hardware.h"
#include <rt/io.h>
#include <rt/start.h>

enum { ADDRESS = 0xcf8, PORTS = 8, DATA = 4, ADDRESS_ENABLE = 1u << 31, SPACE_PORTS = 256, SPACE_ECAM = 4096 };
#define BUS_SIZE (1 * MiB)

static handle_t phys_resource, ports_handle;
static uint64_t ecam_base;
static struct { volatile uint8_t *at; bool failed; } buses[256];

static uint32_t all_ones(uint32_t width)
{
	return width == 4 ? UINT32_MAX : (1u << (8 * width)) - 1;
}

/* ---- ECAM ---- */

/* NULL: it cannot be mapped. Once mapped it stays. */
static volatile uint8_t *ecam_at(uint16_t at, uint32_t reg)
{
	uint32_t bus = at >> 8;
	uint64_t va;
	handle_t frame;

	if (!buses[bus].at && !buses[bus].failed) {
		status_t st = frame_device(phys_resource, ecam_base + bus * BUS_SIZE, BUS_SIZE, CACHE_UNCACHED, &frame);
		if (st == OK) {
			st = vmem_map(0, frame, 0, 0, BUS_SIZE, PROT_READ | PROT_WRITE, &va);
			handle_close(frame);
		}
		if (st == OK)
			buses[bus].at = (volatile uint8_t *)va;
		else
			log_print("configuration space of bus %02x cannot be mapped: %s", bus, error_text(st));
		buses[bus].failed = st < 0;
	}
	return buses[bus].at ? buses[bus].at + ((at & 0xffu) << 12 | reg) : NULL;
}

static uint32_t ecam_read(void *ctx unused, uint16_t at, uint32_t reg, uint32_t width)
{
	volatile uint8_t *p = ecam_at(at, reg);

	if (!p)
		return all_ones(width);
	return width == 1 ? *p : width == 2 ? *(volatile uint16_t *)p : *(volatile uint32_t *)p;
}

static void ecam_write(void *ctx unused, uint16_t at, uint32_t reg, uint32_t width, uint32_t value)
{
	volatile uint8_t *p = ecam_at(at, reg);

	if (!p)
		return;
	if (width == 1)
		*p = (uint8_t)value;
	else if (width == 2)
		*(volatile uint16_t *)p = (uint16_t)value;
	else
		*(volatile uint32_t *)p = value;
}

/* ---- ports ---- */

static bool port_address(uint16_t at, uint32_t reg)
{
	return io_write(ports_handle, 0, 4, ADDRESS_ENABLE | (uint32_t)at << 8 | (reg & 0xfc)) == OK;
}

static uint32_t ports_read(void *ctx unused, uint16_t at, uint32_t reg, uint32_t width)
{
	uint32_t value;

	if (!port_address(at, reg) || io_read(ports_handle, DATA + (reg & 3), width, &value) < 0)
		return all_ones(width);
	return value;
}

static void ports_write(void *ctx unused, uint16_t at, uint32_t reg, uint32_t width, uint32_t value)
{
	if (port_address(at, reg))
		(void)!io_write(ports_handle, DATA + (reg & 3), width, value);
}

/* ---- which of them ---- */

static bool answers(const struct config *c)
{
	struct pci_function f;

	for (uint32_t device = 0; device < 32; device++)
		if (pci_look(c, PCI_AT(c->bus_first, device, 0), &f))
			return true;
	return false;
}

status_t hardware_open(struct config *c, const struct boot_acpi *acpi, handle_t phys, handle_t ports, uint64_t *ecam, uint64_t *ecam_size)
{
	phys_resource = phys;
	if (acpi->mcfg && !(acpi->mcfg & (BUS_SIZE - 1)) && acpi->mcfg < (1ull << 52) - 256 * BUS_SIZE && acpi->mcfg_bus_first <= acpi->mcfg_bus_last) {
		ecam_base = acpi->mcfg;
		*c = (struct config){ ecam_read, ecam_write, NULL, SPACE_ECAM, acpi->mcfg_bus_first, acpi->mcfg_bus_last, { 0 }, 0 };
		*ecam = acpi->mcfg + acpi->mcfg_bus_first * BUS_SIZE;
		*ecam_size = (acpi->mcfg_bus_last - acpi->mcfg_bus_first + 1ull) * BUS_SIZE;
		if (answers(c))
			return OK;
	}
	*ecam = *ecam_size = 0;
	*c = (struct config){ ports_read, ports_write, NULL, SPACE_PORTS, 0, 255, { 0 }, 0 };
	status_t st = ioports_create(ports, ADDRESS, PORTS, &ports_handle);
	return st < 0 ? st : answers(c) ? OK : ERR_NOT_FOUND;
}

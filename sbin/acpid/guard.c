/*
 * guard: see guard.h. A write to an interrupt controller can stop a processor or send anybody's interrupt to anybody.
 */
#include "guard.h"

/* Where messages to local APICs go (Intel SDM 3A §11.4.1, §11.11.1). */
#define APIC_BASE 0xfee00000ull
#define APIC_SIZE MiB

static bool touches(uint64_t phys, uint64_t len, uint64_t base, uint64_t size)
{
	/* Whole pages are mapped, so a page that is shared counts. */
	uint64_t first = ALIGN_DOWN(phys, PAGE_SIZE), end = ALIGN_UP(phys + len, PAGE_SIZE);
	return first < ALIGN_UP(base + size, PAGE_SIZE) && ALIGN_DOWN(base, PAGE_SIZE) < end;
}

enum guard guard_memory(const struct boot_acpi *acpi, uint64_t phys, uint64_t len)
{
	if (len == 0 || len > GUARD_MAX || phys >= 1ull << 52 || len > (1ull << 52) - phys)
		return GUARD_DENIED;
	if (touches(phys, len, APIC_BASE, APIC_SIZE) || (acpi->local_apic && touches(phys, len, acpi->local_apic, PAGE_SIZE)))
		return GUARD_DENIED;
	for (uint32_t i = 0; i < acpi->n_ioapics && i < ACPI_IOAPICS_MAX; i++)
		if (touches(phys, len, acpi->ioapics[i].address, PAGE_SIZE))
			return GUARD_DENIED;
	return acpi->hpet && touches(phys, len, acpi->hpet, 1024) ? GUARD_READ : GUARD_WRITE;
}

/*
 * acpi: the static tables the kernel needs (ACPI 6.5 section 5.2). Every table is checked
 * for length and checksum before use; AML is acpid's business.
 */
#pragma once
#include <abi/types.h>

struct acpi_header { char signature[4]; uint32_t length; uint8_t revision, checksum; char oem_id[6], oem_table[8]; uint32_t oem_revision, creator, creator_revision; } packed;

#define ACPI_CPUS_MAX    256
#define ACPI_IOAPICS_MAX 16
#define ACPI_ISOS_MAX    32
#define ACPI_NMIS_MAX    16
#define ACPI_UID_ALL     0xffffffffu

struct acpi_info {
	uint64_t local_apic;                        /* MMIO address from MADT (64-bit override applied) */
	bool     has_8259;
	uint32_t n_cpus;                            /* usable: Enabled (ACPI 6.5 5.2.12.2) */
	struct { uint32_t apic_id, acpi_uid; } cpus[ACPI_CPUS_MAX];
	uint32_t n_ioapics;
	struct { uint32_t id, gsi_base; uint64_t address; } ioapics[ACPI_IOAPICS_MAX];
	uint32_t n_isos;                            /* interrupt source overrides */
	struct { uint8_t irq; uint32_t gsi; bool level, active_low; } isos[ACPI_ISOS_MAX];
	uint32_t n_nmis;                            /* local APIC pins that carry NMI */
	struct { uint32_t acpi_uid; uint8_t lint; bool level, active_low; } nmis[ACPI_NMIS_MAX];   /* uid ACPI_UID_ALL: every CPU's */
	uint64_t hpet;                              /* MMIO address or 0 */
	uint64_t mcfg;                              /* first segment's ECAM or 0 */
	uint8_t  mcfg_bus_first, mcfg_bus_last;
	uint64_t fadt, dsdt;                        /* physical addresses or 0 */
	bool     no_vga, no_8042, no_rtc;           /* FADT boot architecture flags (5.2.9.3) */
};
extern struct acpi_info acpi;

/* Reads the tables through HHDM; rsdp 0: no ACPI (everything stays 0; the log says so). */
void acpi_init(uint64_t rsdp);

/*
 * The kernel's memory code answers: is all of [phys, phys + len) ordinary memory that the HHDM maps
 * (len > 0, no overflow)? Tables elsewhere are refused. [mm; a fake in the host tests]
 */
bool acpi_readable(uint64_t phys, uint64_t len);

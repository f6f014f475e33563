/*
 * acpi_s5: what switching the machine off and resetting it needs from the ACPI tables, without an
 * AML interpreter: the fixed registers of the FADT, and the two numbers of the `_S5_` package. Pure;
 * the tables come from firmware and are read as hostile bytes.
 */
#pragma once
#include <abi/types.h>

enum acpi_space { ACPI_MEMORY = 0, ACPI_IO = 1, ACPI_PCI = 2 };

struct acpi_register {
	uint64_t address;           /* 0: there is none; ACPI_PCI: device << 32 | function << 16 | offset, on bus 0 */
	uint8_t  space;             /* enum acpi_space */
	uint8_t  width;             /* bytes of an access: 1, 2 or 4 */
};

struct acpi_power {
	uint64_t dsdt;              /* physical address; 0: none */
	struct acpi_register pm1a_control, pm1b_control, pm1a_event, pm1b_event;
	struct acpi_register sleep_control;     /* hardware-reduced ACPI has this instead */
	struct acpi_register reset;
	uint8_t  reset_value;
	uint32_t smi_command;       /* I/O port; 0: the machine is always in ACPI mode */
	uint8_t  acpi_enable;       /* what to write there */
	bool     hardware_reduced;
};

struct acpi_s5 { uint8_t type_a, type_b; };

/* Whether `len` bytes are a table with this signature, of that length at most, with a right checksum. */
must_use bool acpi_table_ok(const void *table, size_t len, const char signature[4]);
/* Reads a FADT that acpi_table_ok accepted. Fields an old, shorter one lacks are left out. */
void acpi_fadt_read(const void *fadt, size_t len, struct acpi_power *power);
/* Looks for `Name (_S5_, Package () {a, b, ...})` in the AML of a DSDT or SSDT. False: not there. */
must_use bool acpi_s5_find(const void *table, size_t len, struct acpi_s5 *s5);

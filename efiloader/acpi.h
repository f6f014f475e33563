/*
 * acpi: the static tables the kernel needs (ACPI 6.5 section 5.2), and where more of them are. AML is not read.
 */
#pragma once
#include <abi/boot.h>

/*
 * Fills *to from the tables that the RSDP leads to; rsdp 0: no ACPI, everything stays 0. phys_end: one past the
 * last address of the processor, beyond which no device is believed to be. Whatever is found goes to note().
 */
void acpi_read(struct boot_acpi *to, uint64_t rsdp, uint64_t phys_end);

/* The firmware's side answers; fakes in the host tests. */

/* What lies at [phys, phys + len), or NULL unless all of it is memory that can be read (len > 0). */
const uint8_t *memory_at(uint64_t phys, uint64_t len);
/* One line for the kernel's log. Format: %s, %u and %x (both uint64_t). */
void note(const char *format, ...);

/*
 * inside: what machine.c and pci.c share; both speak to ACPICA.
 */
#pragma once
#include <acpi/acpi.h>

/* Whether st is an error, which the log is told. */
bool failed(acpi_status st, const char *what);
/* An integer that a method of h gives. */
bool integer(acpi_handle h, char *name, uint64_t *value);
bool aml_running(void);
/* The namespace is loaded: what devices on PCI have to tell is heard from now on. */
void pci_begin(void);

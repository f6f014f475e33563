/*
 * acpi: what the loader read in ACPI's static tables (efiloader/acpi.c), checked for range by main.c.
 */
#pragma once
#include <abi/boot.h>

extern struct boot_acpi acpi;

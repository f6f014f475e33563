/*
 * aclinux: what ACPICA wants to know of the system that it is built for. It stands in the place of the kernel's own header of
 * this name, so that the copy of ACPICA in the kernel's source is used as it is (lib/part.mk).
 */
#pragma once
#include <ctype.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct osl_cache;                       /* osl.c */

#define ACPI_MACHINE_WIDTH              64
#define COMPILER_DEPENDENT_INT64        long
#define COMPILER_DEPENDENT_UINT64       unsigned long
#define ACPI_USE_NATIVE_DIVIDE
#define ACPI_USE_NATIVE_MATH64
#define ACPI_USE_DO_WHILE_0
#define ACPI_USE_SYSTEM_CLIBRARY
#define acpi_cache_t                    struct osl_cache
#define ACPI_IGNORE_PACKAGE_RESOLUTION_ERRORS
#define ACPI_PCI_CONFIGURED
#define ACPI_STRUCT_INIT(field, value)  .field = value
#define __init
#define __iomem

/* The lock word of the FACS that we share with the firmware (ACPI 6.5 §5.2.10.1): bit 0 pending, bit 1 owned. */
static inline int global_lock_acquire(uint32_t *lock)
{
	uint32_t old = __atomic_load_n(lock, __ATOMIC_RELAXED), new;

	do
		new = (old & ~1u) | 2 | (old >> 1 & 1);
	while (!__atomic_compare_exchange_n(lock, &old, new, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	return !(new & 1);              /* pending: the firmware has it, and will say when it is free */
}

/* Whether the firmware waits for it and is to be told. */
static inline int global_lock_release(uint32_t *lock)
{
	uint32_t old = __atomic_load_n(lock, __ATOMIC_RELAXED);

	while (!__atomic_compare_exchange_n(lock, &old, old & ~3u, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		;
	return old & 1;
}

#define ACPI_ACQUIRE_GLOBAL_LOCK(facs, acquired) \
	((acquired) = (facs) ? (uint8_t)global_lock_acquire((uint32_t *)((char *)(facs) + 16)) : 1)
#define ACPI_RELEASE_GLOBAL_LOCK(facs, pending) \
	((pending) = (facs) ? (uint8_t)global_lock_release((uint32_t *)((char *)(facs) + 16)) : 0)

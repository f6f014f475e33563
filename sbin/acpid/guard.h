/*
 * guard: which physical memory AML may reach. The kernel refuses all RAM that it, programs or the loader's files lie in
 * (frame_device); this refuses, besides, what only the kernel may drive. Pure.
 */
#pragma once
#include <abi/boot.h>

enum guard { GUARD_DENIED, GUARD_READ, GUARD_WRITE };

/*
 * What may be done with `len` bytes at `phys`. DENIED: nothing: interrupt controllers, a length of 0 or above GUARD_MAX, beyond the
 * 52 bits of a physical address. READ: the timer that clocks are set by. WRITE: as far as we are concerned, anything.
 */
#define GUARD_MAX (64 * MiB)    /* of one mapping: more than any table, less than would cost much */
enum guard guard_memory(const struct boot_acpi *acpi, uint64_t phys, uint64_t len);

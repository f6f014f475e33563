/*
 * hardware: the two ways to configuration space: memory (ECAM, PCI Express 3.0 §7.2.2) where ACPI's MCFG says where it is,
 * else the ports CF8 and CFC (PCI 3.0 §3.2.2.3.2).
 */
#pragma once
#include "function.h"
#include <abi/boot.h>
#include <rt/ipc.h>

/*
 * Opens ECAM if `mcfg` is not 0 and a function answers on its first bus, else ports. phys, ports: Resources, borrowed.
 * ERR_NOT_FOUND: no function answers either way. *ecam, *ecam_size: the physical range, size 0: ports are used.
 */
must_use status_t hardware_open(struct config *c, const struct boot_acpi *acpi, handle_t phys, handle_t ports, uint64_t *ecam, uint64_t *ecam_size);

/*
 * device: a function in the hands of a driver: what it may reach, its interrupts, its registers; and how it is stopped
 * (PCI 3.0 §6.8).
 */
#pragma once
#include "bars.h"
#include <rt/ipc.h>

/* All borrowed: where BARs, ports and vectors come from. */
struct device_resources { handle_t phys, ports, dma; };

/* Bus mastering on or off; on: of the bridges above it, too. */
void device_master(const struct config *c, const struct pci_function *list, size_t n, const struct pci_function *f, bool on);
/* BARs that have an address answer, interrupts by line do not come. */
void device_start(const struct config *c, const struct pci_function *f);
void device_messages_off(const struct config *c, const struct pci_function *f);
/*
 * Bus mastering, messages and the line off; the function is reset if it can be (reset.h). From then on it reaches no memory. list: all
 * n functions.
 */
void device_stop(const struct config *c, const struct pci_function *list, size_t n, const struct pci_function *f, struct bar_journal *j);
/*
 * A Frame or IoPorts with what is at `offset` of a BAR; *covers and *at: as CTL_PCI_BAR's value0 and value1. *h is the caller's.
 * Errors: as CTL_PCI_BAR.
 */
must_use status_t device_bar(const struct device_resources *r, const struct config *c, const struct pci_function *list, size_t n,
                             const struct pci_function *f, uint64_t bar, uint64_t offset, handle_t *h, uint64_t *covers, uint64_t *at);
/* The Irq of message `number` (message.h), which the function sends from now on; *count: how many it has. *h is the caller's. */
must_use status_t device_irq(const struct device_resources *r, const struct config *c, const struct pci_function *f, uint64_t number, handle_t *h, uint64_t *count);

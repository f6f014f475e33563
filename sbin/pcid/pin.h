/*
 * pin: where an interrupt pin leads (pure). Firmware says it of the pins on buses that have a table of their own (ACPI's _PRT); the pins
 * behind any other bridge come out at the bridge's own, turned by their device's number (PCI-to-PCI Bridge 1.2 §9.1).
 */
#pragma once
#include "function.h"
#include <gen/errors.h>

struct pin_line { uint32_t gsi, flags; };       /* flags: IRQ_LEVEL, IRQ_ACTIVE_LOW */
/* Pin 1 to 4: INTA to INTD. ERR_NOT_FOUND: nothing is said of it; any other error ends the search. */
typedef status_t pin_asked(void *ctx, uint32_t bus, uint32_t device, uint32_t pin, struct pin_line *line);

/* ERR_NOT_SUPPORTED: f has no pin. ERR_NOT_FOUND: up to the root nothing is said of it. */
must_use status_t pin_route(const struct pci_function *list, size_t n, const struct pci_function *f, pin_asked *ask, void *ctx, struct pin_line *line);

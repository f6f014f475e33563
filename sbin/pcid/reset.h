/*
 * reset: a function made anew, by the first of these that it has: by itself (PCI Express 3.0 §6.6.2, or ECN Advanced Capabilities for
 * Conventional PCI §2), by sleep and awakening, if it does not say that it keeps its state (PCI Power Management 1.2 §3.2.4, §5.4.1), or
 * with the bus behind its bridge, if it is alone there (PCI-to-PCI Bridge 1.2 §3.2.5.17, PCI Express 3.0 §6.6.1). What is lost
 * of its configuration is in the journal meanwhile (bars.h).
 */
#pragma once
#include "bars.h"

enum reset_kind { RESET_NONE, RESET_EXPRESS, RESET_AF, RESET_POWER, RESET_BUS };

/* What the function can be reset by; list: all n functions. */
enum reset_kind reset_kind(const struct config *c, const struct pci_function *list, size_t n, const struct pci_function *f);
/* Waits until what the function has under way is done, a tenth of a second at most, and resets it, which takes from a tenth of a second to two. Bus mastering and messages are off. */
void reset(const struct config *c, const struct pci_function *list, size_t n, const struct pci_function *f, struct bar_journal *j);
/* Ends what an instance that died had begun, so that the function answers again, and waits for it. bars_roll_back comes after it. */
void reset_roll_back(const struct config *c, const struct bar_journal *j);

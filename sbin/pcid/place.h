/*
 * place: addresses for a function that the firmware has not seen, out of what its bridge lets through (PCI-to-PCI Bridge 1.2
 * §3.2.5, pure). Windows of bridges stay as the firmware has made them.
 */
#pragma once
#include "bars.h"

/*
 * Writes an address into each BAR of `f`, sized and without one, of which the bridge's windows have room beside all functions of
 * the list (`f` is one of them), and beside what bridges on its bus let through; decoding is off. Returns how many got none; those stay BAR_UNASSIGNED.
 */
unsigned place(const struct config *c, const struct pci_function *bridge, struct pci_function *f, const struct pci_function *list, size_t n);
/* A bridge lets through, both ways, what its windows and whoever is behind it ask for. */
void place_open(const struct config *c, uint16_t bridge);
/*
 * The same for each function that came after the firmware had looked, and before anybody watched its slot: of its regions none has an
 * address, and decoding is off. What the firmware has left without one on purpose has others with one.
 */
void place_unseen(const struct config *c, struct pci_function *list, size_t n);

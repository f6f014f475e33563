/*
 * slot: the registers of a slot into which functions can be put while the machine runs (PCI Express 3.0 §6.7, §7.8.9 to §7.8.11).
 * A port's link has one device, so a slot has at most eight functions, on the bus behind its port.
 */
#pragma once
#include "function.h"
#include <gen/errors.h>

enum { SLOT_PRESSED = 1, SLOT_FAULT = 2, SLOT_CHANGED = 8, SLOT_DONE = 16, SLOT_THERE = 0x40, SLOT_LINK_CHANGED = 0x100 };

/* Whether f is a port with such a slot. */
bool slot_has(const struct config *c, const struct pci_function *f);
/* Whether its interrupt is on already. */
bool slot_watched(const struct config *c, const struct pci_function *f);
/* Which message it sends. */
uint32_t slot_message(const struct config *c, const struct pci_function *f);
/* SLOT_*: what has happened since it was cleared, and whether something is in it. */
uint32_t slot_status(const struct config *c, const struct pci_function *f);
void slot_clear(const struct config *c, const struct pci_function *f, uint32_t happened);
/* Without a switch it always is. */
bool slot_is_on(const struct config *c, const struct pci_function *f);
/* The next three wait for the slot, a second at most. */
void slot_watch(const struct config *c, const struct pci_function *f);
/* Power and light on; until the link is up and what is there may be asked. ERR_TIMED_OUT: there is no link. */
must_use status_t slot_on(const struct config *c, const struct pci_function *f);
/* Power and light off: what is there can be taken out. */
void slot_off(const struct config *c, const struct pci_function *f);

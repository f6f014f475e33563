/*
 * name: where a function is on the PCI buses, as a number and as people and pci:// write it: "00:1f.2" (bus and device in two hexadecimal
 * digits, function in one). Segment 0 only.
 */
#pragma once
#include <abi/types.h>

/* bus 0..255, device 0..31, function 0..7. */
#define PCI_AT(bus, device, function) ((uint16_t)((bus) << 8 | (device) << 3 | (function)))

enum { PCI_NAME_SIZE = 8 };     /* "00:1f.2" and its zero */

void pci_name(char out[PCI_NAME_SIZE], uint16_t at);
/* The place that `len` bytes name, exactly as pci_name writes it. False: they name none, and *at is as before. */
must_use bool pci_parse(const char *s, size_t len, uint16_t *at);

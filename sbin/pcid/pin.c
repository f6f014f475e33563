/*
 * pin: see pin.h.
 */
#include "pin.h"

/* NULL: it is the root bus, or none that was found. */
static const struct pci_function *bridge_to(const struct pci_function *list, size_t n, uint32_t bus)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].header == PCI_HEADER_BRIDGE && !list[i].lost && list[i].secondary == bus && list[i].at >> 8 < bus)
			return &list[i];
	return NULL;
}

status_t pin_route(const struct pci_function *list, size_t n, const struct pci_function *f, pin_asked *ask, void *ctx, struct pin_line *line)
{
	uint32_t pin = f->pin;

	if (pin < 1 || pin > 4)
		return ERR_NOT_SUPPORTED;
	/* Each bridge stands on a lower bus than the one it leads to, so there is an end. */
	while (f) {
		uint32_t bus = f->at >> 8, device = f->at >> 3 & 31;
		status_t st = ask(ctx, bus, device, pin, line);
		if (st != ERR_NOT_FOUND)
			return st;
		pin = (pin - 1 + device) % 4 + 1;
		f = bridge_to(list, n, bus);
	}
	return ERR_NOT_FOUND;
}

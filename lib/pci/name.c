/*
 * name: see name.h.
 */
#include "name.h"

void pci_name(char out[PCI_NAME_SIZE], uint16_t at)
{
	static const char digits[] = "0123456789abcdef";

	out[0] = digits[at >> 12];
	out[1] = digits[at >> 8 & 15];
	out[2] = ':';
	out[3] = digits[at >> 7 & 1];
	out[4] = digits[at >> 3 & 15];
	out[5] = '.';
	out[6] = digits[at & 7];
	out[7] = 0;
}

/* Adds a hexadecimal digit to *value. */
static bool hex_digit(char c, uint32_t *value)
{
	if (c >= '0' && c <= '9')
		*value = *value << 4 | (uint32_t)(c - '0');
	else if (c >= 'a' && c <= 'f')
		*value = *value << 4 | (uint32_t)(c - 'a' + 10);
	else
		return false;
	return true;
}

bool pci_parse(const char *s, size_t len, uint16_t *at)
{
	uint32_t bus = 0, device = 0, function = 0;

	if (len != PCI_NAME_SIZE - 1 || s[2] != ':' || s[5] != '.' || !hex_digit(s[0], &bus) || !hex_digit(s[1], &bus) ||
	    !hex_digit(s[3], &device) || !hex_digit(s[4], &device) || !hex_digit(s[6], &function) || device > 31 || function > 7)
		return false;
	*at = PCI_AT(bus, device, function);
	return true;
}

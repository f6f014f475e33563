/*
 * acpi_s5_fuzz: any bytes as a DSDT and as a FADT: nothing outside them is read.
 */
#include <stdlib.h>
#include "acpi_s5.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct acpi_power p;
	struct acpi_s5 s5 = { 0 };
	uint8_t *t = malloc(HEADER + size);

	memset(t, 0, HEADER);
	memcpy(t + HEADER, data, size);
	if (acpi_s5_find(t, HEADER + size, &s5) && (s5.type_a > 7 || s5.type_b > 7))
		abort();
	acpi_fadt_read(t, HEADER + size, &p);
	free(t);
	return 0;
}

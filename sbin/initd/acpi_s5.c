/*
 * acpi_s5: see acpi_s5.h. ACPI 6.5: §5.2.6 table header, §5.2.9 FADT, §5.2.3.2 generic address,
 * §7.4.2 the \_Sx packages, §20.2 AML encoding.
 */
#include "acpi_s5.h"
#include <string.h>

/* FADT offsets. */
enum {
	FADT_DSDT = 40, FADT_SMI_CMD = 48, FADT_ACPI_ENABLE = 52, FADT_PM1A_EVT = 56, FADT_PM1B_EVT = 60, FADT_PM1A_CNT = 64,
	FADT_PM1B_CNT = 68, FADT_FLAGS = 112, FADT_RESET_REG = 116, FADT_RESET_VALUE = 128, FADT_X_DSDT = 140,
	FADT_X_PM1A_EVT = 148, FADT_X_PM1B_EVT = 160, FADT_X_PM1A_CNT = 172, FADT_X_PM1B_CNT = 184, FADT_SLEEP_CONTROL = 244,
};
enum { FLAG_RESET_REG_SUP = 1 << 10, FLAG_HW_REDUCED = 1 << 20 };
enum { HEADER = 36, GAS = 12 };

/* A little-endian number at `at`, 0 if the table is too short for it. */
static uint64_t get(const uint8_t *t, size_t len, size_t at, size_t bytes)
{
	uint64_t v = 0;

	if (at + bytes > len)
		return 0;
	for (size_t i = bytes; i-- > 0;)
		v = v << 8 | t[at + i];
	return v;
}

/* A generic address structure: space, bit width, bit offset, access size, address. */
static struct acpi_register get_gas(const uint8_t *t, size_t len, size_t at, uint8_t width)
{
	struct acpi_register r = { 0 };

	if (at + GAS > len || t[at] > ACPI_PCI)
		return r;
	r.space = t[at];
	r.width = width;
	r.address = get(t, len, at + 4, 8);
	return r;
}

/* The 64-bit register if there is one, else the I/O port of the old field. */
static struct acpi_register get_block(const uint8_t *t, size_t len, size_t x_at, size_t at, uint8_t width)
{
	struct acpi_register r = get_gas(t, len, x_at, width);

	if (r.address == 0)
		r = (struct acpi_register){ .address = get(t, len, at, 4), .space = ACPI_IO, .width = width };
	return r;
}

bool acpi_table_ok(const void *table, size_t len, const char signature[4])
{
	const uint8_t *t = table;
	uint8_t sum = 0;

	if (len < HEADER || memcmp(t, signature, 4) || get(t, len, 4, 4) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		sum += t[i];
	return sum == 0;
}

void acpi_fadt_read(const void *fadt, size_t len, struct acpi_power *p)
{
	const uint8_t *t = fadt;
	uint32_t flags = (uint32_t)get(t, len, FADT_FLAGS, 4);

	memset(p, 0, sizeof(*p));
	p->dsdt = get(t, len, FADT_X_DSDT, 8);
	if (p->dsdt == 0)
		p->dsdt = get(t, len, FADT_DSDT, 4);
	p->smi_command = (uint32_t)get(t, len, FADT_SMI_CMD, 4);
	p->acpi_enable = (uint8_t)get(t, len, FADT_ACPI_ENABLE, 1);
	p->pm1a_event = get_block(t, len, FADT_X_PM1A_EVT, FADT_PM1A_EVT, 2);
	p->pm1b_event = get_block(t, len, FADT_X_PM1B_EVT, FADT_PM1B_EVT, 2);
	p->pm1a_control = get_block(t, len, FADT_X_PM1A_CNT, FADT_PM1A_CNT, 2);
	p->pm1b_control = get_block(t, len, FADT_X_PM1B_CNT, FADT_PM1B_CNT, 2);
	p->hardware_reduced = flags & FLAG_HW_REDUCED;
	if (p->hardware_reduced)
		p->sleep_control = get_gas(t, len, FADT_SLEEP_CONTROL, 1);
	if (flags & FLAG_RESET_REG_SUP) {
		p->reset = get_gas(t, len, FADT_RESET_REG, 1);
		p->reset_value = (uint8_t)get(t, len, FADT_RESET_VALUE, 1);
	}
}

/* An integer constant at *at (ZeroOp, OneOp, OnesOp, byte, word, dword, qword). False: something else, or cut off. */
static bool constant(const uint8_t *t, size_t len, size_t *at, uint64_t *value)
{
	size_t bytes;

	if (*at >= len)
		return false;
	switch (t[(*at)++]) {
	case 0x00: *value = 0; return true;
	case 0x01: *value = 1; return true;
	case 0xff: *value = UINT64_MAX; return true;
	case 0x0a: bytes = 1; break;
	case 0x0b: bytes = 2; break;
	case 0x0c: bytes = 4; break;
	case 0x0e: bytes = 8; break;
	default:   return false;
	}
	if (len - *at < bytes)
		return false;
	*value = get(t, len, *at, bytes);
	*at += bytes;
	return true;
}

/* The package behind the name at `at`: PackageOp, PkgLength, NumElements, elements. */
static bool package(const uint8_t *t, size_t len, size_t at, struct acpi_s5 *s5)
{
	uint64_t a, b;

	if (len - at < 3 || t[at] != 0x12)
		return false;
	at++;
	/* PkgLength: the top two bits of its first byte count the bytes that follow it. */
	size_t more = t[at] >> 6;
	size_t size = more ? t[at] & 0x0f : t[at] & 0x3f, start = at;
	if (len - at < more + 2)
		return false;
	for (size_t i = 1; i <= more; i++)
		size |= (size_t)t[at + i] << (8 * i - 4);
	if (size > len - start || size < more + 2)
		return false;
	at += more + 1;
	if (t[at++] < 1)
		return false;
	if (!constant(t, start + size, &at, &a))
		return false;
	/* Some firmware gives one element, with both values in it or none for PM1b. */
	if (!constant(t, start + size, &at, &b))
		b = a >> 8 ? a >> 8 : a;
	s5->type_a = a & 7;
	s5->type_b = b & 7;
	return true;
}

bool acpi_s5_find(const void *table, size_t len, struct acpi_s5 *s5)
{
	const uint8_t *t = table;

	for (size_t at = HEADER + 1; at + 4 < len; at++) {
		if (t[at] != '_' || memcmp(t + at, "_S5_", 4))
			continue;
		/* Only a definition: NameOp before it, or NameOp and the root's backslash. */
		if (t[at - 1] != 0x08 && !(t[at - 1] == '\\' && t[at - 2] == 0x08))
			continue;
		if (package(t, len, at + 4, s5))
			return true;
	}
	return false;
}

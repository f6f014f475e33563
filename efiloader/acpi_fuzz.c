/*
 * acpi_fuzz: hostile tables with right checksums, for a wrong one stops every reader at the door.
 *
 * The input is a list of tables: one byte chooses the signature, two give the length the header will
 * claim, two the bytes that really follow; the harness writes header, sum and root tables around
 * them. An input that starts with 0xff is taken as it is: RSDP and all.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "acpi.c"

#define PHYS_END (1ull << 40)
enum { BASE = 0x1000, SIZE = 0x10000, FIRST = 0x400 };
static uint8_t *memory;
static size_t   memory_len;

static unsigned notes;
void note(const char *format, ...) { (void)format, notes++; }

const uint8_t *memory_at(uint64_t phys, uint64_t len)
{
	return len && phys >= BASE && phys < BASE + memory_len && len <= BASE + memory_len - phys ? memory + (phys - BASE) : NULL;
}

/* What the kernel demands of it (kernel/main.c). */
static bool keeps_promises(const struct boot_acpi *a)
{
	for (uint32_t i = 0; i < a->n_ioapics && i < ACPI_IOAPICS_MAX; i++)
		if (!a->ioapics[i].address || a->ioapics[i].address % 16 || a->ioapics[i].address >= PHYS_END)
			return false;
	return a->n_cpus <= ACPI_CPUS_MAX && a->n_ioapics <= ACPI_IOAPICS_MAX && a->n_isos <= ACPI_ISOS_MAX &&
	       a->n_nmis <= ACPI_NMIS_MAX && a->hpet % 8 == 0 && a->hpet < PHYS_END && a->mcfg < PHYS_END;
}

static void fix_sum(uint8_t *p, size_t len, size_t where)
{
	uint8_t sum = 0;
	p[where] = 0;
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + p[i]);
	p[where] = (uint8_t)-sum;
}

static void header(uint8_t *p, const char *signature, uint32_t len)
{
	memcpy(p, signature, 4);
	memcpy(p + 4, &len, 4);
	if (len > 9 && len <= memory_len - (size_t)(p - memory))
		fix_sum(p, len, 9);
}

static void build(const uint8_t *data, size_t size)
{
	static const char signatures[][5] = { "APIC", "HPET", "MCFG", "FACP", "DSDT", "SSDT" };
	uint32_t n = 0;
	size_t   at = FIRST;

	memory_len = SIZE;
	memory = calloc(1, SIZE);
	while (size >= 5 && n < 60) {
		uint32_t claim = data[1] | data[2] << 8, real = data[3] | data[4] << 8;
		uint64_t phys = BASE + at;
		const char *signature = signatures[data[0] % ARRAY_LEN(signatures)];
		data += 5, size -= 5;
		real = (uint32_t)MIN(real, size);
		if (at + HEADER_LEN + real > SIZE)
			break;
		memcpy(memory + at + HEADER_LEN, data, real);
		memory[at + 8] = (uint8_t)claim;        /* revision */
		header(memory + at, signature, claim & 0x8000 ? claim : HEADER_LEN + real);
		memcpy(memory + 0x100 + HEADER_LEN + 8 * n++, &phys, 8);
		at += HEADER_LEN + real;
		data += real, size -= real;
	}
	header(memory + 0x100, "XSDT", HEADER_LEN + 8 * n);
	memcpy(memory, "RSD PTR ", 8);
	memory[15] = 2;
	memory[24] = 0x00, memory[25] = 0x11;           /* BASE + 0x100 */
	fix_sum(memory, 20, 8);
	fix_sum(memory, 36, 32);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0 && data[0] == 0xff) {
		memory_len = size - 1;
		memory = malloc(memory_len);
		memcpy(memory, data + 1, memory_len);
	} else {
		build(data, size);
	}
	struct boot_acpi acpi;
	notes = 0;
	acpi_read(&acpi, BASE, PHYS_END);
	if (!keeps_promises(&acpi) || notes > COMPLAINTS_MAX + 2)
		abort();
	free(memory);
	return 0;
}

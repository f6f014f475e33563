/*
 * acpi_test: tables built by hand in a small fake memory, then each broken in one place. Expectation:
 * good tables are read in full; a broken one costs only itself; nothing outside the memory is touched
 * (the memory ends where its allocation ends, so ASan sees one byte too many).
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "acpi.c"

enum { BASE = 0x1000, SIZE = 0x3000 };
#define PHYS_END (1ull << 40)
static uint8_t *memory;
static struct boot_acpi acpi;

enum { ROOM = 4096 };                   /* what the loader keeps of all notes (console.c) */
static char   said[ROOM];
static size_t said_len;

/* As console.c writes it. What would not fit there fails the test. */
void note(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	for (; *format; format++) {
		char part[64] = { *format };
		if (*format == '%')
			switch (*++format) {
			case 's': snprintf(part, sizeof(part), "%s", va_arg(args, const char *)); break;
			case 'u': snprintf(part, sizeof(part), "%" PRIu64, va_arg(args, uint64_t)); break;
			case 'x': snprintf(part, sizeof(part), "%" PRIx64, va_arg(args, uint64_t)); break;
			default: fail_msg("%%%c is no format of note()", *format);
			}
		assert_true(said_len + strlen(part) + 2 <= sizeof(said));
		said_len += strlen(strcpy(said + said_len, part));
	}
	said[said_len++] = '\n';
	said[said_len] = 0;
	va_end(args);
}

const uint8_t *memory_at(uint64_t phys, uint64_t len)
{
	return len && phys >= BASE && phys < BASE + SIZE && len <= BASE + SIZE - phys ? memory + (phys - BASE) : NULL;
}

static void read_tables(uint64_t rsdp)
{
	said_len = 0;
	said[0] = 0;
	memset(&acpi, 0xee, sizeof(acpi));
	acpi_read(&acpi, rsdp, PHYS_END);
}

/* ---- building ---- */

enum { RSDP = BASE, XSDT = BASE + 0x100, RSDT = BASE + 0x200, MADT = BASE + 0x301, HPET = BASE + 0x800,
       MCFG = BASE + 0x900, FADT = BASE + 0xa00, DSDT = BASE + 0xc00, DSDT_OLD = BASE + 0xd00 };

static uint8_t *at(uint64_t phys) { return memory + (phys - BASE); }

static void store(uint64_t phys, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at(phys)[i] = (uint8_t)(v >> (8 * i));
}

static void fix_sum(uint64_t phys, uint32_t len, unsigned where)
{
	uint8_t sum = 0;
	at(phys)[where] = 0;
	for (uint32_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + at(phys)[i]);
	at(phys)[where] = (uint8_t)-sum;
}

static void finish(uint64_t phys, const char *signature, uint32_t len)
{
	memcpy(at(phys), signature, 4);
	store(phys + 4, len, 4);
	fix_sum(phys, len, 9);
}

static uint32_t madt_len;
static void record(const char *bytes, size_t len)
{
	memcpy(at(MADT) + madt_len, bytes, len);
	madt_len += (uint32_t)len;
}
#define RECORD(s) record(s, sizeof(s) - 1)

static void finish_rsdp(uint8_t revision)
{
	memcpy(at(RSDP), "RSD PTR ", 8);
	at(RSDP)[15] = revision;
	store(RSDP + 16, RSDT, 4);
	fix_sum(RSDP, 20, 8);
	if (revision >= 2) {
		store(RSDP + 20, 36, 4);
		store(RSDP + 24, XSDT, 8);
		fix_sum(RSDP, 36, 32);
	}
}

static void finish_roots(void)
{
	static const uint64_t tables[] = { FADT, MADT, 0, 0xfffffffffff0ull, HPET, MCFG };
	for (unsigned i = 0; i < ARRAY_LEN(tables); i++) {
		store(XSDT + 36 + 8 * i, tables[i], 8);
		store(RSDT + 36 + 4 * i, tables[i], 4);
	}
	finish(XSDT, "XSDT", 36 + 8 * ARRAY_LEN(tables));
	finish(RSDT, "RSDT", 36 + 4 * ARRAY_LEN(tables));
}

/* A machine with every kind of record. */
static int build(void **state)
{
	(void)state;
	memory = realloc(memory, SIZE);
	memset(memory, 0, SIZE);

	store(MADT + 36, 0xfee00000, 4);
	store(MADT + 40, 1, 4);
	madt_len = 44;
	RECORD("\0\10\1\0\1\0\0\0");                            /* CPU: uid 1, APIC 0, enabled */
	RECORD("\0\10\2\1\2\0\0\0");                            /* only Online Capable */
	RECORD("\0\10\3\2\1\0\0\0");                            /* CPU: uid 3, APIC 2 */
	RECORD("\0\10\4\377\1\0\0\0");                          /* the broadcast address is no CPU */
	RECORD("\1\14\5\0\0\0\300\376\0\0\0\0");                /* IO-APIC 5 at 0xfec00000, GSI 0 */
	RECORD("\1\14\6\0\0\20\300\376\30\0\0\0");              /* IO-APIC 6 at 0xfec01000, GSI 24 */
	RECORD("\2\12\0\0\2\0\0\0\0\0");                        /* irq 0 -> GSI 2, bus's way */
	RECORD("\2\12\0\11\11\0\0\0\17\0");                     /* irq 9: level, low */
	RECORD("\4\6\377\5\0\1");                               /* LINT1 is NMI on all, high, edge */
	RECORD("\11\20\0\0\2\0\0\0\1\0\0\0\3\0\0\0");           /* x2APIC 2: seen above */
	RECORD("\11\20\0\0\0\1\0\0\1\0\0\0\7\0\0\0");           /* x2APIC 256, uid 7 */
	RECORD("\12\14\17\0\7\0\0\0\0\0\0\0");                  /* LINT0 is NMI on uid 7, low, level */
	RECORD("\177\4\1\2");                                   /* a type of the future */
	finish(MADT, "APIC", madt_len);

	store(HPET + 44, 0xfed00000, 8);
	finish(HPET, "HPET", 56);

	store(MCFG + 44, 0x1000000000, 8);                      /* segment 1 comes first */
	store(MCFG + 52, 1, 2);
	store(MCFG + 60, 0xb0000000, 8);
	at(MCFG)[60 + 11] = 255;
	finish(MCFG, "MCFG", 76);

	store(FADT + 40, DSDT_OLD, 4);
	store(FADT + 140, DSDT, 8);
	store(FADT + 109, 1 << 1 | 1 << 5, 2);
	store(FADT + 108, 0x32, 1);
	store(FADT + 46, 9, 2);
	store(FADT + 56, 0x600, 4);
	at(FADT)[88] = 4;
	at(FADT)[8] = 6;
	finish(FADT, "FACP", 276);
	finish(DSDT, "DSDT", 40);
	finish(DSDT_OLD, "DSDT", 40);

	finish_roots();
	finish_rsdp(2);
	return 0;
}

static int drop(void **state)
{
	(void)state;
	free(memory);
	memory = NULL;
	return 0;
}

static void expect_full(void)
{
	assert_int_equal(acpi.local_apic, 0xfee00000);
	assert_true(acpi.has_8259);
	assert_int_equal(acpi.n_cpus, 3);
	assert_int_equal(acpi.cpus[1].apic_id, 2);
	assert_int_equal(acpi.cpus[1].acpi_uid, 3);
	assert_int_equal(acpi.cpus[2].apic_id, 256);
	assert_int_equal(acpi.cpus[2].acpi_uid, 7);
	assert_int_equal(acpi.n_ioapics, 2);
	assert_int_equal(acpi.ioapics[1].address, 0xfec01000);
	assert_int_equal(acpi.ioapics[1].gsi_base, 24);
	assert_int_equal(acpi.n_isos, 2);
	assert_int_equal(acpi.isos[0].gsi, 2);
	assert_false(acpi.isos[0].level || acpi.isos[0].active_low);
	assert_true(acpi.isos[1].level && acpi.isos[1].active_low);
	assert_int_equal(acpi.n_nmis, 2);
	assert_int_equal(acpi.nmis[0].acpi_uid, ACPI_UID_ALL);
	assert_int_equal(acpi.nmis[0].lint, 1);
	assert_false(acpi.nmis[0].level || acpi.nmis[0].active_low);
	assert_int_equal(acpi.nmis[1].acpi_uid, 7);
	assert_true(acpi.nmis[1].level && acpi.nmis[1].active_low);
	assert_int_equal(acpi.hpet, 0xfed00000);
	assert_int_equal(acpi.mcfg, 0xb0000000);
	assert_int_equal(acpi.mcfg_bus_last, 255);
	assert_int_equal(acpi.fadt, FADT);
	assert_int_equal(acpi.dsdt, DSDT);
	assert_true(acpi.no_rtc && !acpi.no_8042 && !acpi.no_vga);
	assert_int_equal(acpi.rtc_century, 0x32);
	assert_true(acpi.sci.present && acpi.sci.level && acpi.sci.active_low);
	assert_int_equal(acpi.sci.gsi, 9);
	assert_int_equal(acpi.pm1_status[0], 0x600);
	assert_int_equal(acpi.pm1_status[1], 0);
	assert_int_equal(acpi.pm1_enable[0], 0x602);
	assert_int_equal(acpi.pm1_enable[1], 0);
}

/* The wide field wins; what is no port, no fixed button, or too short for a status register is none. */
static void test_power_button(void **state)
{
	static const struct { uint32_t narrow, flags; uint8_t len, space; uint64_t wide; uint16_t port; } cases[] = {
		{ 0x600, 0, 4, 0, 0, 0x600 }, { 0x600, 0, 4, 1, 0x1800, 0x1800 }, { 0x600, 0, 4, 0, 0xfed00000, 0 }, { 0, 0, 4, 1, 0x1800, 0x1800 },
		{ 0xffff, 0, 4, 0, 0, 0 }, { 0x10600, 0, 4, 0, 0, 0 }, { 0x600, 0, 4, 1, 0x100001800, 0 }, { 0x600, 0, 3, 0, 0, 0 },
		{ 0x600, 1 << 4, 4, 0, 0, 0 }, { 0x600, 1 << 20, 4, 0, 0, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		store(FADT + 60, cases[i].narrow, 4);
		at(FADT)[88] = cases[i].len;
		store(FADT + 112, cases[i].flags, 4);
		at(FADT)[160] = cases[i].space;
		store(FADT + 164, cases[i].wide, 8);
		finish(FADT, "FACP", 276);
		read_tables(RSDP);
		assert_int_equal(acpi.pm1_status[1], cases[i].port);
	}
	finish(FADT, "FACP", 60);
	read_tables(RSDP);
	assert_int_equal(acpi.pm1_status[0], 0);
}

/* ---- tests ---- */

static void test_full(void **state)
{
	(void)state;
	read_tables(RSDP);
	expect_full();
}

static void test_rsdt(void **state)
{
	(void)state;
	finish_rsdp(0);                         /* ACPI 1.0 */
	read_tables(RSDP);
	expect_full();
	assert_null(strstr(said, "broken"));

	finish_rsdp(2);                         /* XSDT with a wrong sum */
	at(XSDT)[9]++;
	read_tables(RSDP);
	expect_full();
	assert_non_null(strstr(said, "the RSDT is used"));

	finish_roots();                         /* extended RSDP with a wrong sum */
	at(RSDP)[32]++;
	read_tables(RSDP);
	expect_full();
}

static void test_nothing(void **state)
{
	(void)state;
	static const uint64_t addresses[] = { 0, 1, BASE + SIZE - 19, BASE + SIZE, UINT64_MAX, UINT64_MAX - 8 };
	for (unsigned i = 0; i < ARRAY_LEN(addresses); i++) {
		read_tables(addresses[i]);
		assert_int_equal(acpi.n_cpus, 0);
		assert_int_equal(acpi.local_apic, 0);
	}
	at(RSDP)[3] ^= 1;
	read_tables(RSDP);
	assert_int_equal(acpi.n_cpus, 0);
	at(RSDP)[3] ^= 1;
	at(XSDT)[9]++;
	at(RSDT)[9]++;
	read_tables(RSDP);
	assert_int_equal(acpi.n_cpus, 0);
	assert_non_null(strstr(said, "neither"));
}

/* Where ACPI's own interrupt comes in: an override's line, and of its flags only what does not leave it to the bus. */
static void test_sci(void **state)
{
	(void)state;
	static const struct { uint16_t number, flags; uint32_t gsi; bool level, low; } cases[] = {
		{ 9, 0x0f, 9, true, true }, { 9, 0x0d, 9, true, false }, { 9, 0x05, 9, false, false }, { 9, 0x07, 9, false, true },
		{ 9, 0, 9, true, true }, { 9, 0x0c, 9, true, true }, { 9, 0x01, 9, true, false },
		{ 0, 0x0f, 2, true, true },             /* elsewhere, as the bus does it: not ISA's edge */
		{ 10, 0x05, 10, true, true }, { 20, 0x05, 20, true, true }, { 300, 0, 300, true, true },        /* no override */
	};
	uint8_t *override = at(MADT) + 44 + 4 * 8 + 2 * 12 + 10;        /* of irq 9, after what build() puts before it */
	assert_memory_equal(override, "\2\12\0\11\11\0\0\0", 8);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		store(FADT + 46, cases[i].number, 2);
		finish(FADT, "FACP", 276);
		override[8] = (uint8_t)cases[i].flags;
		finish(MADT, "APIC", madt_len);
		read_tables(RSDP);
		assert_true(acpi.sci.present);
		assert_int_equal(acpi.sci.gsi, cases[i].gsi);
		assert_int_equal(acpi.sci.level, cases[i].level);
		assert_int_equal(acpi.sci.active_low, cases[i].low);
	}
	store(FADT + 112, 1 << 20, 4);                  /* hardware-reduced: there is none */
	finish(FADT, "FACP", 276);
	read_tables(RSDP);
	assert_false(acpi.sci.present || acpi.sci.gsi || acpi.sci.level);
	finish(FADT, "FACP", 115);                      /* it ends before its flags */
	read_tables(RSDP);
	assert_false(acpi.sci.present);
}

/* Lengths of all kinds in each table: only that table's data may be missing. */
static void test_lengths(void **state)
{
	static const uint32_t lengths[] = { 0, 1, 8, 35, 36, 37, 43, 44, 45, 52, 0x3000, 0x7fffffff, 0xffffffff };
	static const uint64_t tables[] = { MADT, HPET, MCFG, FADT, DSDT, XSDT };
	for (unsigned t = 0; t < ARRAY_LEN(tables); t++)
		for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
			build(state);
			store(tables[t] + 4, lengths[i], 4);
			if (lengths[i] <= 0x100 && lengths[i] > 9)
				fix_sum(tables[t], lengths[i], 9);
			read_tables(RSDP);
			if (tables[t] != MADT && tables[t] != XSDT)
				assert_int_equal(acpi.n_cpus, 3);
			if (tables[t] != FADT && tables[t] != XSDT)
				assert_int_equal(acpi.dsdt, tables[t] == DSDT && lengths[i] != 36 && lengths[i] != 37 &&
				                 lengths[i] != 43 && lengths[i] != 44 && lengths[i] != 45 && lengths[i] != 52 ? DSDT_OLD : DSDT);
		}
}

static void test_bad_sums(void **state)
{
	(void)state;
	at(MADT)[9]++;
	at(HPET)[9]++;
	at(DSDT)[9]++;
	read_tables(RSDP);
	assert_int_equal(acpi.n_cpus, 0);
	assert_int_equal(acpi.hpet, 0);
	assert_int_equal(acpi.dsdt, DSDT_OLD);
	assert_int_equal(acpi.mcfg, 0xb0000000);
}

/* A record of length 0 must not loop, one past the end must not be read; those before it count. */
static void test_records(void **state)
{
	static const struct { uint8_t type, len; } bad[] = {
		{ 0, 0 }, { 0, 1 }, { 0, 2 }, { 0, 7 }, { 1, 11 }, { 2, 9 }, { 4, 5 }, { 5, 11 }, { 9, 15 }, { 10, 11 },
		{ 0, 9 }, { 0x7f, 255 }, { 0x7f, 0 },
	};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		build(state);
		at(MADT)[madt_len++] = bad[i].type;
		at(MADT)[madt_len++] = bad[i].len;
		record("\1\1\1\1\1\1", 6);              /* so the last record has eight bytes */
		finish(MADT, "APIC", madt_len);
		read_tables(RSDP);
		expect_full();
		assert_non_null(strstr(said, "impossible length"));
	}
	build(state);
	at(MADT)[madt_len++] = 0;                       /* half a record head */
	finish(MADT, "APIC", madt_len);
	read_tables(RSDP);
	expect_full();
}

static void test_too_many(void **state)
{
	(void)state;
	madt_len = 44;
	for (uint32_t i = 0; i < 300; i++) {
		record("\11\20\0\0\0\0\0\0\1\0\0\0\3\0\0\0", 16);
		store(MADT + madt_len - 12, i, 4);
		record("\4\6\377\5\0\1", 6);
	}
	/* Other tables were overwritten: only the MADT is left in the root. */
	assert_true(MADT + madt_len < BASE + SIZE);
	finish(MADT, "APIC", madt_len);
	store(XSDT + 36, MADT, 8);
	finish(XSDT, "XSDT", 44);
	read_tables(RSDP);
	assert_int_equal(acpi.n_cpus, ACPI_CPUS_MAX);
	assert_int_equal(acpi.n_nmis, ACPI_NMIS_MAX);
	madt_len = 44;
	for (uint32_t i = 0; i < 300; i++) {
		record("\1\14\0\0\0\0\0\0\0\0\0\0", 12);
		store(MADT + madt_len - 8, 0xfec00000 + 0x1000 * (i % 20), 4);
		store(MADT + madt_len - 4, i * 24, 4);
		record("\2\12\0\0\2\0\0\0\0\0", 10);
		at(MADT)[madt_len - 7] = (uint8_t)i;
	}
	finish(MADT, "APIC", madt_len);
	read_tables(RSDP);
	assert_int_equal(acpi.n_ioapics, ACPI_IOAPICS_MAX);
	assert_int_equal(acpi.n_isos, 16);
	assert_non_null(strstr(said, "more complaints are left out\nacpi: 0 CPUs, 16 IO-APICs"));
}

/* A signature is four bytes of anything; the log gets printable ones, and one line. */
static void test_signature_text(void **state)
{
	(void)state;
	memcpy(at(DSDT), "\n\033X\377", 4);
	fix_sum(DSDT, 40, 9);
	read_tables(RSDP);
	assert_non_null(strstr(said, "acpi: no DSDT at 0x1c00 but \"??X?\"\n"));
	assert_int_equal(acpi.dsdt, DSDT_OLD);
}

/* An address that no page table can hold is no device's. */
static void test_past_the_end(void **state)
{
	(void)state;
	store(HPET + 44, PHYS_END, 8);
	finish(HPET, "HPET", 56);
	store(MCFG + 60, PHYS_END, 8);
	finish(MCFG, "MCFG", 76);
	read_tables(RSDP);
	assert_int_equal(acpi.hpet, 0);
	assert_int_equal(acpi.mcfg, 0);
	assert_non_null(strstr(said, "acpi: HPET table is unusable\n"));
	assert_non_null(strstr(said, "acpi: MCFG is unusable: 0x10000000000, bus 0 to 255\n"));
}

static void test_address_override(void **state)
{
	(void)state;
	RECORD("\5\14\0\0\0\0\0\0\1\0\0\0");
	finish(MADT, "APIC", madt_len);
	read_tables(RSDP);
	assert_int_equal(acpi.local_apic, 0x100000000);
}

static void test_odd_values(void **state)
{
	(void)state;
	at(HPET)[40] = 1;                               /* HPET in I/O space */
	finish(HPET, "HPET", 56);
	store(MCFG + 60, 0xb0000001, 8);
	finish(MCFG, "MCFG", 76);
	store(FADT + 140, 0, 8);                        /* only the old DSDT field */
	at(FADT)[8] = 1;                                /* flags not defined yet */
	store(FADT + 109, 0, 2);
	finish(FADT, "FACP", 276);
	read_tables(RSDP);
	assert_int_equal(acpi.hpet, 0);
	assert_int_equal(acpi.mcfg, 0);
	assert_int_equal(acpi.dsdt, DSDT_OLD);
	assert_false(acpi.no_8042 || acpi.no_rtc || acpi.no_vga);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_full, build, drop),
		cmocka_unit_test_setup_teardown(test_rsdt, build, drop),
		cmocka_unit_test_setup_teardown(test_sci, build, drop),
		cmocka_unit_test_setup_teardown(test_power_button, build, drop),
		cmocka_unit_test_setup_teardown(test_nothing, build, drop),
		cmocka_unit_test_setup_teardown(test_lengths, build, drop),
		cmocka_unit_test_setup_teardown(test_bad_sums, build, drop),
		cmocka_unit_test_setup_teardown(test_records, build, drop),
		cmocka_unit_test_setup_teardown(test_too_many, build, drop),
		cmocka_unit_test_setup_teardown(test_signature_text, build, drop),
		cmocka_unit_test_setup_teardown(test_past_the_end, build, drop),
		cmocka_unit_test_setup_teardown(test_address_override, build, drop),
		cmocka_unit_test_setup_teardown(test_odd_values, build, drop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * acpi_s5_test: a FADT of each generation gives its registers, the S5 values are found in the
 * encodings that firmware uses, and no cut or lying length is followed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "acpi_s5.c"

static uint8_t fadt[276];

static void put32(size_t at, uint32_t v)
{
	memcpy(fadt + at, &v, 4);
}

static void put_gas(size_t at, uint8_t space, uint64_t address)
{
	fadt[at] = space;
	fadt[at + 1] = 8;
	memcpy(fadt + at + 4, &address, 8);
}

static void fadt_fields(void **state)
{
	(void)state;
	struct acpi_power p;
	put32(FADT_DSDT, 0x7fe0000);
	put32(FADT_SMI_CMD, 0xb2);
	fadt[FADT_ACPI_ENABLE] = 2;
	put32(FADT_PM1A_EVT, 0x600);
	put32(FADT_PM1A_CNT, 0x604);
	put32(FADT_FLAGS, FLAG_RESET_REG_SUP);
	put_gas(FADT_RESET_REG, ACPI_IO, 0xcf9);
	fadt[FADT_RESET_VALUE] = 0xf;

	acpi_fadt_read(fadt, 116, &p);          /* ACPI 1.0: nothing behind the flags */
	assert_int_equal(p.dsdt, 0x7fe0000);
	assert_int_equal(p.pm1a_control.address, 0x604);
	assert_int_equal(p.pm1a_control.space, ACPI_IO);
	assert_int_equal(p.pm1b_control.address, 0);
	assert_int_equal(p.reset.address, 0);
	assert_int_equal(p.smi_command, 0xb2);

	acpi_fadt_read(fadt, 244, &p);
	assert_int_equal(p.reset.address, 0xcf9);
	assert_int_equal(p.reset_value, 0xf);
	put_gas(FADT_X_PM1A_CNT, ACPI_MEMORY, 0xfed80804);
	acpi_fadt_read(fadt, 244, &p);
	assert_int_equal(p.pm1a_control.address, 0xfed80804);
	assert_int_equal(p.pm1a_control.space, ACPI_MEMORY);
	put_gas(FADT_X_PM1A_CNT, 0x7f, 0x1234);  /* a space we cannot reach: the old field counts */
	acpi_fadt_read(fadt, 244, &p);
	assert_int_equal(p.pm1a_control.address, 0x604);

	put32(FADT_FLAGS, FLAG_HW_REDUCED);
	put_gas(FADT_SLEEP_CONTROL, ACPI_IO, 0x500);
	acpi_fadt_read(fadt, 276, &p);
	assert_true(p.hardware_reduced);
	assert_int_equal(p.sleep_control.address, 0x500);
	assert_int_equal(p.reset.address, 0);

	for (size_t len = 0; len < sizeof(fadt); len++) {
		uint8_t *exact = malloc(len ? len : 1);
		memcpy(exact, fadt, len);
		acpi_fadt_read(exact, len, &p);
		free(exact);
	}
}

static void table_check(void **state)
{
	(void)state;
	uint8_t t[40] = "SSDT";
	t[4] = 40;
	t[9] = (uint8_t)-('S' + 'S' + 'D' + 'T' + 40);
	assert_true(acpi_table_ok(t, 40, "SSDT"));
	assert_false(acpi_table_ok(t, 40, "DSDT"));
	assert_false(acpi_table_ok(t, 39, "SSDT"));
	t[39] = 1;
	assert_false(acpi_table_ok(t, 40, "SSDT"));
}

/* Puts AML behind a header and looks; the copy is exact so that reading too far is seen. */
static bool find(const void *aml, size_t len, struct acpi_s5 *s5)
{
	uint8_t *t = calloc(1, HEADER + len);
	memcpy(t + HEADER, aml, len);
	bool found = acpi_s5_find(t, HEADER + len, s5);
	free(t);
	return found;
}
#define FIND(aml, s5) find(aml, sizeof(aml) - 1, s5)

static void s5_values(void **state)
{
	(void)state;
	struct acpi_s5 s5;
	/* QEMU's: Name (_S5, Package (4) {Zero, Zero, Zero, Zero}) */
	assert_true(FIND("\x08_S5_\x12\x06\x04\x00\x00\x00\x00", &s5));
	assert_int_equal(s5.type_a, 0);
	/* Byte constants, and a mention of the name before its definition. */
	assert_true(FIND("\x10_S5_junk\x08_S5_\x12\x08\x04\x0a\x05\x0a\x06\x00\x00", &s5));
	assert_int_equal(s5.type_a, 5);
	assert_int_equal(s5.type_b, 6);
	/* \_S5_, a two-byte PkgLength, word constants, OneOp. */
	assert_true(FIND("\x08\\_S5_\x12\x48\x00\x02\x0b\x07\x00\x01\x00", &s5));
	assert_int_equal(s5.type_a, 7);
	assert_int_equal(s5.type_b, 1);
	/* One element holding both. */
	assert_true(FIND("\x08_S5_\x12\x05\x01\x0b\x05\x03", &s5));
	assert_int_equal(s5.type_a, 5);
	assert_int_equal(s5.type_b, 3);
}

static void s5_hostile(void **state)
{
	(void)state;
	struct acpi_s5 s5 = { 42, 42 };
	assert_false(FIND("_S5_\x12\x06\x04\x00\x00\x00\x00", &s5));                /* no NameOp */
	assert_false(FIND("\x08_S5_\x11\x06\x04\x00\x00\x00\x00", &s5));            /* a buffer */
	assert_false(FIND("\x08_S5_\x12\x3f\x04\x00\x00", &s5));                    /* longer than the table */
	assert_false(FIND("\x08_S5_\x12\xcf\xff\xff\xff\x04\x00\x00", &s5));
	assert_false(FIND("\x08_S5_\x12\x01\x04\x00\x00\x00", &s5));                /* shorter than itself */
	assert_false(FIND("\x08_S5_\x12\x06\x00\x00\x00\x00\x00", &s5));            /* no elements */
	assert_false(FIND("\x08_S5_\x12\x05\x01\x0cZZ", &s5));                      /* a cut constant */
	assert_false(FIND("\x08_S5_\x12\x06\x04\x70\x00\x00\x00", &s5));            /* not a constant */
	assert_int_equal(s5.type_a, 42);
	static const char whole[] = "\x08_S5_\x12\x08\x04\x0a\x05\x0a\x05\x00\x00";
	for (size_t n = 0; n < sizeof(whole) - 1; n++)
		assert_false(find(whole, n, &s5));
	assert_true(FIND(whole, &s5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fadt_fields), cmocka_unit_test(table_check), cmocka_unit_test(s5_values), cmocka_unit_test(s5_hostile),
	};
	return cmocka_run_group_tests_name("acpi_s5", tests, NULL, NULL);
}

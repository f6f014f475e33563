/*
 * guard: what AML may map, what it may only read, what it gets nothing of.
 */
#include "guard.c"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct boot_acpi acpi = {
	.local_apic = 0xfee00000, .hpet = 0xfed00000, .n_ioapics = 2,
	.ioapics = { { 0, 0, 0xfec00000 }, { 1, 24, 0xfec01000 } },
};

static void ordinary(void **state)
{
	(void)state;
	assert_int_equal(guard_memory(&acpi, 0xe0000000, 4096), GUARD_WRITE);
	assert_int_equal(guard_memory(&acpi, 0xfe000000, 1), GUARD_WRITE);
	assert_int_equal(guard_memory(&acpi, 0x7f000000, 0x10000), GUARD_WRITE);
	assert_int_equal(guard_memory(&(struct boot_acpi){ 0 }, 0xfec00000, 4), GUARD_WRITE);
}

static void controllers(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 4096; i += 4)
		assert_int_equal(guard_memory(&acpi, 0xfec00000 + i, 4), GUARD_DENIED);
	assert_int_equal(guard_memory(&acpi, 0xfec01000, 1), GUARD_DENIED);
	assert_int_equal(guard_memory(&acpi, 0xfec02000, 1), GUARD_WRITE);
	assert_int_equal(guard_memory(&acpi, 0xfee00300, 4), GUARD_DENIED);
	assert_int_equal(guard_memory(&acpi, 0xfeefffff, 1), GUARD_DENIED);
	assert_int_equal(guard_memory(&acpi, 0xfef00000, 1), GUARD_WRITE);
	/* a range that begins before, ends after, or shares only the last page */
	assert_int_equal(guard_memory(&acpi, 0xfe000000, 16 * MiB), GUARD_DENIED);
	assert_int_equal(guard_memory(&acpi, 0xfebfffff, 2), GUARD_DENIED);
	assert_int_equal(guard_memory(&acpi, 0xfebff000, 4096), GUARD_WRITE);
	struct boot_acpi moved = acpi;
	moved.local_apic = 0xd0000000;
	assert_int_equal(guard_memory(&moved, 0xd0000080, 4), GUARD_DENIED);
	/* more than there is room for is not read */
	moved.n_ioapics = UINT32_MAX;
	assert_int_equal(guard_memory(&moved, 0xfec01000, 4), GUARD_DENIED);
}

static void timer(void **state)
{
	(void)state;
	assert_int_equal(guard_memory(&acpi, 0xfed00000, 1024), GUARD_READ);
	assert_int_equal(guard_memory(&acpi, 0xfed00800, 4), GUARD_READ);
	assert_int_equal(guard_memory(&acpi, 0xfed01000, 4), GUARD_WRITE);
}

static void nonsense(void **state)
{
	(void)state;
	assert_int_equal(guard_memory(&acpi, 0xe0000000, 0), GUARD_DENIED);
	assert_int_equal(guard_memory(&acpi, 0xe0000000, GUARD_MAX + 1), GUARD_DENIED);
	assert_int_equal(guard_memory(&acpi, UINT64_MAX, 1), GUARD_DENIED);
	assert_int_equal(guard_memory(&acpi, UINT64_MAX - 1, 16), GUARD_DENIED);
	assert_int_equal(guard_memory(&acpi, (1ull << 52) - 1, 2), GUARD_DENIED);
	assert_int_equal(guard_memory(&acpi, (1ull << 52) - 1, 1), GUARD_WRITE);
	assert_int_equal(guard_memory(&acpi, 1ull << 52, 1), GUARD_DENIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary), cmocka_unit_test(controllers), cmocka_unit_test(timer), cmocka_unit_test(nonsense),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * memmap_test: the map stays sorted, merged and without overlaps whatever is added, and every page has the
 * type that a page-by-page model says it must have.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include "memmap.c"

enum { MAX_ENTRIES = 64, MODEL_PAGES = 128 };

static struct boot_mem map[MAX_ENTRIES];
static uint32_t n;

static void begin(void **state)
{
	(void)state;
	n = 0;
}

static bool add(uint64_t page, uint64_t pages, uint32_t type, bool force)
{
	struct mem_range r = { page * PAGE_SIZE, pages, type };
	return memmap_add(map, &n, MAX_ENTRIES, &r, force);
}

static void is(uint32_t i, uint64_t page, uint64_t pages, uint32_t type)
{
	assert_true(i < n);
	assert_int_equal(map[i].base, page * PAGE_SIZE);
	assert_int_equal(map[i].pages, pages);
	assert_int_equal(map[i].type, type);
}

static void sorted_and_merged(void **state)
{
	begin(state);
	assert_true(add(20, 10, BOOT_MEM_USABLE, false));
	assert_true(add(0, 10, BOOT_MEM_USABLE, false));
	assert_true(add(10, 10, BOOT_MEM_USABLE, false));
	assert_int_equal(n, 1);
	is(0, 0, 30, BOOT_MEM_USABLE);
}

static void careful_type_wins(void **state)
{
	begin(state);
	assert_true(add(0, 30, BOOT_MEM_USABLE, false));
	assert_true(add(10, 5, BOOT_MEM_RESERVED, false));
	assert_true(add(5, 20, BOOT_MEM_LOADER, false));
	assert_int_equal(n, 5);
	is(0, 0, 5, BOOT_MEM_USABLE);
	is(1, 5, 5, BOOT_MEM_LOADER);
	is(2, 10, 5, BOOT_MEM_RESERVED);
	is(3, 15, 10, BOOT_MEM_LOADER);
	is(4, 25, 5, BOOT_MEM_USABLE);
}

static void own_ranges_are_cut_out(void **state)
{
	begin(state);
	assert_true(add(0, 30, BOOT_MEM_LOADER, false));
	assert_true(add(10, 4, BOOT_MEM_KERNEL, true));
	assert_true(add(14, 2, BOOT_MEM_INITFS, true));
	assert_int_equal(n, 4);
	is(1, 10, 4, BOOT_MEM_KERNEL);
	is(2, 14, 2, BOOT_MEM_INITFS);
}

static void impossible_ranges(void **state)
{
	begin(state);
	assert_true(add(1, 0, BOOT_MEM_USABLE, false));
	assert_int_equal(n, 0);
	struct mem_range r = { PHYS_MAX, 5, BOOT_MEM_USABLE };
	assert_true(memmap_add(map, &n, MAX_ENTRIES, &r, false));
	assert_int_equal(n, 0);
	r = (struct mem_range){ PHYS_MAX - PAGE_SIZE, UINT64_MAX, BOOT_MEM_RESERVED };
	assert_true(memmap_add(map, &n, MAX_ENTRIES, &r, false));
	is(0, PHYS_MAX / PAGE_SIZE - 1, 1, BOOT_MEM_RESERVED);
	n = 0;
	r = (struct mem_range){ 0x800, 2, BOOT_MEM_USABLE };    /* touches three pages, owns one */
	assert_true(memmap_add(map, &n, MAX_ENTRIES, &r, false));
	is(0, 1, 1, BOOT_MEM_USABLE);
	r.type = BOOT_MEM_RESERVED;
	assert_true(memmap_add(map, &n, MAX_ENTRIES, &r, false));
	assert_int_equal(n, 1);
	is(0, 0, 3, BOOT_MEM_RESERVED);
}

static void full_map_is_left_alone(void **state)
{
	begin(state);
	uint64_t page = 0;
	while (add(page, 1, BOOT_MEM_USABLE, false))
		page += 2;
	uint32_t before = n;
	assert_true(n > MAX_ENTRIES - 8);
	assert_false(add(0, page, BOOT_MEM_BAD, false));
	assert_int_equal(n, before);
	is(0, 0, 1, BOOT_MEM_USABLE);
}

static void types(void **state)
{
	(void)state;
	assert_int_equal(memmap_type(7), BOOT_MEM_USABLE);
	assert_int_equal(memmap_type(3), BOOT_MEM_USABLE);
	assert_int_equal(memmap_type(2), BOOT_MEM_LOADER);
	assert_int_equal(memmap_type(9), BOOT_MEM_ACPI);
	assert_int_equal(memmap_type(15), BOOT_MEM_BAD);
	assert_int_equal(memmap_type(16), BOOT_MEM_RESERVED);
	assert_int_equal(memmap_type(0x80000000), BOOT_MEM_RESERVED);
	assert_int_equal(memmap_type(0xffffffff), BOOT_MEM_RESERVED);
}

static void ram_ends(void **state)
{
	begin(state);
	assert_int_equal(memmap_ram_end(map, 0), 0);
	assert_true(add(0, 10, BOOT_MEM_USABLE, false));
	assert_true(add(10, 10, BOOT_MEM_ACPI, false));
	assert_true(add(100, 10, BOOT_MEM_MMIO, false));
	assert_int_equal(memmap_ram_end(map, n), 20 * PAGE_SIZE);
}

static void readable(void **state)
{
	begin(state);
	assert_false(memmap_readable(map, 0, 0, 1));
	assert_true(add(1, 9, BOOT_MEM_USABLE, false));
	assert_true(add(10, 10, BOOT_MEM_ACPI, false));
	assert_true(add(20, 10, BOOT_MEM_RESERVED, false));
	assert_true(add(30, 10, BOOT_MEM_MMIO, false));
	assert_true(add(50, 10, BOOT_MEM_ACPI_NVS, false));
	assert_true(add(60, 10, BOOT_MEM_BAD, false));
	static const struct { uint64_t phys, len; bool ok; } cases[] = {
		{ PAGE_SIZE, 1, true }, { PAGE_SIZE, 0, false }, { PAGE_SIZE - 1, 2, false }, { 0, 1, false },
		{ PAGE_SIZE, 29 * PAGE_SIZE, true }, { PAGE_SIZE, 29 * PAGE_SIZE + 1, false },
		{ 10 * PAGE_SIZE - 1, 10 * PAGE_SIZE + 2, true }, { 30 * PAGE_SIZE - 1, 1, true },
		{ 30 * PAGE_SIZE, 1, false }, { 45 * PAGE_SIZE, 1, false }, { 50 * PAGE_SIZE, 10 * PAGE_SIZE, true },
		{ 60 * PAGE_SIZE - 1, 2, false }, { PAGE_SIZE, UINT64_MAX, false }, { UINT64_MAX, 1, false },
		{ UINT64_MAX, UINT64_MAX, false },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(memmap_readable(map, n, cases[i].phys, cases[i].len), cases[i].ok);
}

/* Random ranges against a model that knows each page. */
static void agrees_with_the_model(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < 2000; round++) {
		uint8_t model[MODEL_PAGES] = { 0 };
		n = 0;
		for (int step = 0; step < 12; step++) {
			uint64_t page = (uint64_t)rand() % MODEL_PAGES;
			uint64_t pages = 1 + (uint64_t)rand() % (MODEL_PAGES - page);
			uint32_t type = 1 + (uint32_t)rand() % 12;
			bool force = rand() % 4 == 0;
			assert_true(add(page, pages, type, force));
			for (uint64_t i = page; i < page + pages; i++)
				if (!model[i] || force || caution(type) > caution(model[i]))
					model[i] = (uint8_t)type;
		}
		uint64_t end = 0;
		uint32_t last_type = 0;
		uint8_t got[MODEL_PAGES] = { 0 };
		for (uint32_t i = 0; i < n; i++) {
			assert_true(map[i].base >= end && map[i].pages > 0);
			assert_false(map[i].base == end && i > 0 && map[i].type == last_type);
			end = end_of(&map[i]);
			last_type = map[i].type;
			assert_true(end <= MODEL_PAGES * PAGE_SIZE);
			memset(got + map[i].base / PAGE_SIZE, (int)map[i].type, map[i].pages);
		}
		assert_memory_equal(got, model, sizeof(model));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sorted_and_merged),
		cmocka_unit_test(careful_type_wins),
		cmocka_unit_test(own_ranges_are_cut_out),
		cmocka_unit_test(impossible_ranges),
		cmocka_unit_test(full_map_is_left_alone),
		cmocka_unit_test(types),
		cmocka_unit_test(ram_ends),
		cmocka_unit_test(readable),
		cmocka_unit_test(agrees_with_the_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

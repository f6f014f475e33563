/*
 * place_test: BARs get the lowest place that is free in the right window, aligned, the largest first; a closed or full window gives
 * none, and what is there already stays where it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "place.c"
#include "fake.h"

enum { BRIDGE = PCI_AT(0, 3, 0), AT = PCI_AT(1, 0, 0) };

static struct pci_function list[3];

static int empty(void **unused_state)
{
	(void)unused_state;
	n_fakes = writes = die_at = 0;
	memset(list, 0, sizeof(list));
	fake_bridge(BRIDGE, 1, 1);
	fake_add(AT, 0x11e81234, 0, 0);
	list[0].at = BRIDGE;
	list[1].at = AT;
	list[2].at = PCI_AT(1, 0, 1);
	for (unsigned i = 0; i < PCI_BARS; i++)
		fake_bar(AT, i, 0, UINT32_MAX);
	fake_set(BRIDGE, MEMORY_WINDOW, 4, 0xfe10fe00);         /* fe000000-fe1fffff */
	fake_set(BRIDGE, PREFETCH_WINDOW, 4, 0x0011fff1);       /* to be opened */
	fake_set(BRIDGE, IO_BASE, 2, 0x00f0);                   /* closed */
	return 0;
}

static void bar(unsigned i, int kind, uint64_t size, bool prefetchable)
{
	list[1].bars[i] = (struct pci_bar){ .kind = (uint8_t)kind, .size = size, .state = BAR_UNASSIGNED, .prefetchable = prefetchable };
}

static void memory(void **s)
{
	(void)s;
	bar(0, BAR_MEMORY, 16, false);
	bar(1, BAR_MEMORY, 1 * MiB, false);
	bar(2, BAR_MEMORY_64, 16 * KiB, true);
	bar(3, BAR_UPPER, 0, false);
	list[1].bars[3].state = BAR_UNSIZED;
	bar(4, BAR_MEMORY, 4 * MiB, false);
	bar(5, BAR_IO, 32, false);
	list[2].bars[0] = (struct pci_bar){ .kind = BAR_MEMORY, .base = 0xfe100000, .size = 4096, .state = BAR_GOOD };
	assert_int_equal(place(&fake_config, &list[0], &list[1], list, 3), 2);  /* the one too large, and ports */
	assert_int_equal(fake_read(NULL, AT, PCI_BAR0 + 4, 4), 0xfe000000);
	assert_int_equal(fake_read(NULL, AT, PCI_BAR0 + 8, 4), 0xfe104000);     /* behind the other function's, aligned */
	assert_int_equal(fake_read(NULL, AT, PCI_BAR0 + 12, 4), 0);
	assert_int_equal(fake_read(NULL, AT, PCI_BAR0, 4), 0xfe101000);         /* in a page of its own */
	assert_int_equal(fake_read(NULL, AT, PCI_BAR0 + 16, 4), 0);
	assert_int_equal(list[1].bars[4].state, BAR_UNASSIGNED);
	assert_int_equal(list[1].bars[5].state, BAR_UNASSIGNED);
	assert_int_equal(list[1].bars[2].state, BAR_GOOD);
	unsigned before = writes;
	assert_int_equal(place(&fake_config, &list[0], &list[1], list, 3), 2);
	assert_int_equal(writes, before);
}

static void other_windows(void **s)
{
	(void)s;
	fake_set(BRIDGE, PREFETCH_WINDOW, 4, 0x0011fff1);
	fake_set(BRIDGE, PREFETCH_UPPER, 4, 0x37);
	fake_set(BRIDGE, PREFETCH_UPPER + 4, 4, 0x38);          /* 37fff00000-38001fffff */
	fake_set(BRIDGE, IO_BASE, 2, 0xd1c1);
	fake_set(BRIDGE, IO_UPPER, 4, 0);                       /* c000-dfff */
	bar(0, BAR_IO, 256, false);
	bar(1, BAR_IO, 32, false);
	bar(2, BAR_MEMORY_64, 1 * MiB, true);
	list[1].bars[3] = (struct pci_bar){ .kind = BAR_UPPER };
	bar(4, BAR_MEMORY_64, 2 * MiB, true);
	list[1].bars[5] = (struct pci_bar){ .kind = BAR_UPPER };
	assert_int_equal(place(&fake_config, &list[0], &list[1], list, 3), 0);
	assert_int_equal(list[1].bars[0].base, 0xc000);
	assert_int_equal(list[1].bars[1].base, 0xc100);
	assert_true(list[1].bars[4].base == 0x3800000000);
	assert_true(list[1].bars[2].base == 0x37fff00000);
	assert_int_equal(fake_read(NULL, AT, PCI_BAR0 + 4 * 3, 4), 0x37);
	assert_int_equal(fake_read(NULL, AT, PCI_BAR0 + 4 * 5, 4), 0x38);
}

static void closed(void **s)
{
	(void)s;
	fake_set(BRIDGE, MEMORY_WINDOW, 4, 0x0000fff0);
	bar(0, BAR_MEMORY, 4096, false);
	assert_int_equal(place(&fake_config, &list[0], &list[1], list, 3), 1);
	assert_int_equal(writes, 0);
	/* Windows at the very top, and what no bridge can be asked for. */
	fake_set(BRIDGE, MEMORY_WINDOW, 4, 0xfff0fff0);
	assert_int_equal(place(&fake_config, &list[0], &list[1], list, 3), 0);
	bar(0, BAR_MEMORY_64, 1ull << 63, true);
	assert_int_equal(place(&fake_config, &list[0], &list[1], list, 3), 1);
}

/* What another bridge on the bus lets through would be answered twice. */
static void beside_a_bridge(void **s)
{
	enum { OTHER = PCI_AT(1, 4, 0) };
	(void)s;
	fake_bridge(OTHER, 2, 2);
	list[2] = (struct pci_function){ .at = OTHER, .header = PCI_HEADER_BRIDGE, .secondary = 2, .subordinate = 2 };
	fake_set(OTHER, MEMORY_WINDOW, 4, 0xfe00fe00);          /* fe000000-fe0fffff */
	fake_set(OTHER, PREFETCH_WINDOW, 4, 0x0001fff1);        /* closed */
	fake_set(OTHER, IO_BASE, 2, 0xc1c1);                    /* c000-cfff */
	fake_set(OTHER, IO_UPPER, 4, 0);
	fake_set(BRIDGE, IO_BASE, 2, 0xd1c1);
	fake_set(BRIDGE, IO_UPPER, 4, 0);
	bar(0, BAR_MEMORY, 4096, false);
	bar(1, BAR_IO, 32, false);
	assert_int_equal(place(&fake_config, &list[0], &list[1], list, 3), 0);
	assert_int_equal(list[1].bars[0].base, 0xfe100000);
	assert_int_equal(list[1].bars[1].base, 0xd000);
}

/* Only what has no address at all, does not answer yet, and is behind a bridge. */
static void the_unseen(void **s)
{
	(void)s;
	list[0] = (struct pci_function){ .at = BRIDGE, .header = PCI_HEADER_BRIDGE, .secondary = 1, .subordinate = 1 };
	bar(0, BAR_MEMORY, 4096, false);
	bar(1, BAR_MEMORY, 4096, false);
	list[1].bars[1].base = 0xfe100000;
	list[1].bars[1].state = BAR_GOOD;
	place_unseen(&fake_config, list, 3);
	assert_int_equal(writes, 0);
	bar(1, BAR_NONE, 0, false);
	list[1].bars[1].state = BAR_UNSIZED;
	fake_set(AT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	place_unseen(&fake_config, list, 3);
	assert_int_equal(writes, 0);
	fake_set(AT, PCI_COMMAND, 2, 0);
	list[0].lost = true;
	place_unseen(&fake_config, list, 3);
	assert_int_equal(writes, 0);
	list[0].lost = false;
	place_unseen(&fake_config, list, 3);
	assert_int_equal(list[1].bars[0].state, BAR_GOOD);
	assert_int_equal(fake_read(NULL, AT, PCI_BAR0, 4), 0xfe000000);
	assert_int_equal(fake_read(NULL, BRIDGE, PCI_COMMAND, 2) & 7, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(memory, empty), cmocka_unit_test_setup(other_windows, empty), cmocka_unit_test_setup(closed, empty),
		cmocka_unit_test_setup(beside_a_bridge, empty), cmocka_unit_test_setup(the_unseen, empty),
	};
	return cmocka_run_group_tests_name("place", tests, NULL, NULL);
}

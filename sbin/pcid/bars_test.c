/*
 * bars_test: kinds, sizes and places of BARs are found, the registers are as before, also after a death at any write;
 * who is in use is not asked; what was asked once is not asked again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "../../abi/rt/sum.c"
#include "bars.c"
#include "fake.h"

enum { AT = PCI_AT(0, 3, 0), OTHER = PCI_AT(0, 4, 0) };

static struct pci_function list[FAKES_MAX];
static struct bar_journal journal;
static struct bar_memo memos[FAKES_MAX];
static uint8_t before[4096];

static int device(void **unused_state)
{
	(void)unused_state;
	n_fakes = writes = die_at = 0;
	memset(list, 0, sizeof(list));
	memset(&journal, 0, sizeof(journal));
	memset(memos, 0, sizeof(memos));
	fake_add(AT, 0x11e81234, 0x00ff00, 0);
	fake_set(AT, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	list[0].at = AT;
	list[0].vendor = 0x1234;
	list[0].device = 0x11e8;
	list[0].class = 0x00ff00;
	return 0;
}

static const struct pci_bar *bar_at(uint32_t low, uint32_t low_mask, uint32_t high, uint32_t high_mask)
{
	device(NULL);
	fake_bar(AT, 2, low, low_mask);
	fake_bar(AT, 3, high, high_mask);
	memcpy(before, fakes[0].space, sizeof(before));
	bars_find(&fake_config, list, 1, true, &journal, memos, FAKES_MAX);
	assert_memory_equal(before, fakes[0].space, sizeof(before));
	assert_int_equal(journal.active, 0);
	return &list[0].bars[2];
}

static void expect(const struct pci_bar *b, int kind, int state, uint64_t base, uint64_t size)
{
	assert_int_equal(b->kind, kind);
	assert_int_equal(b->state, state);
	assert_true(b->base == base);
	assert_true(b->size == size);
}

static void kinds(void **s)
{
	(void)s;
	expect(bar_at(0, 0, 0, 0), BAR_NONE, 0, 0, 0);
	expect(bar_at(0xfebf0000, 0xfffff000, 0, 0), BAR_MEMORY, BAR_GOOD, 0xfebf0000, 0x1000);
	expect(bar_at(0xfebf0000, 0xfffffff0, 0, 0), BAR_MEMORY, BAR_GOOD, 0xfebf0000, 16);
	assert_false(list[0].bars[2].prefetchable);
	expect(bar_at(0xe0000008, 0xf0000000, 0, 0), BAR_MEMORY, BAR_GOOD, 0xe0000000, 0x10000000);
	assert_true(list[0].bars[2].prefetchable);
	expect(bar_at(0xc001, 0xffffffe0, 0, 0), BAR_IO, BAR_GOOD, 0xc000, 32);
	expect(bar_at(0xc001, 0xffe0, 0, 0), BAR_IO, BAR_GOOD, 0xc000, 32);             /* without the upper half */
	expect(bar_at(0xfe000004, 0xffffc000, 0, 0xffffffff), BAR_MEMORY_64, BAR_GOOD, 0xfe000000, 0x4000);
	assert_int_equal(list[0].bars[3].kind, BAR_UPPER);
	expect(bar_at(0x0000000c, 0, 0x38, 0xfffffff8), BAR_MEMORY_64, BAR_GOOD, 0x3800000000, 8ull << 32);
	expect(bar_at(0xfe000004, 0xffffc000, 0, 0xff), BAR_MEMORY_64, BAR_GOOD, 0xfe000000, 0x4000);   /* 40 bits are wired */
	/* Nobody gave it an address; or one that it cannot have. */
	expect(bar_at(0, 0xfffff000, 0, 0), BAR_MEMORY, BAR_UNASSIGNED, 0, 0x1000);
	expect(bar_at(0xfffff000, 0xfffff000, 0, 0), BAR_MEMORY, BAR_UNASSIGNED, 0xfffff000, 0x1000);
	expect(bar_at(0x1c001, 0xffffffe0, 0, 0), BAR_IO, BAR_MISPLACED, 0x1c000, 32);
	expect(bar_at(4, 0xffffc000, 0x100000, 0xffffffff), BAR_MEMORY_64, BAR_MISPLACED, 1ull << 52, 0x4000);
	/* What breaks the rules. */
	assert_int_equal(bar_at(0xfebf0006, 0xfffff000, 0, 0)->kind, BAR_ODD);
	assert_int_equal(bar_at(0xfebf0000, 0xff0f0000, 0, 0)->kind, BAR_ODD);
	assert_int_equal(bar_at(0xfebf0000, 0, 0, 0)->kind, BAR_ODD);
	device(NULL);
	fake_bar(AT, 5, 0xfe000004, 0xffffc000);        /* its upper half would be outside */
	bars_find(&fake_config, list, 1, true, &journal, memos, FAKES_MAX);
	assert_int_equal(list[0].bars[5].kind, BAR_ODD);
}

/* Whatever write it dies before, the next instance puts all back, and then finds what is there. */
static void deaths(void **s)
{
	unsigned n;
	(void)s;
	for (n = 1; n < 100; n++) {
		device(NULL);
		fake_bar(AT, 0, 0xfe000004, 0xffffc000);
		fake_bar(AT, 1, 0, 0xffffffff);
		fake_bar(AT, 2, 0xc001, 0xffffffe0);
		fake_bar(AT, 5, 0xe0000008, 0xf0000000);
		memcpy(before, fakes[0].space, sizeof(before));
		die_at = n;
		if (!setjmp(death)) {
			bars_find(&fake_config, list, 1, true, &journal, memos, FAKES_MAX);
			break;
		}
		/* The one after it may die while it puts back. */
		for (unsigned second = 1; ; second++) {
			die_at = second;
			writes = 0;
			if (!setjmp(death)) {
				(void)bars_roll_back(&fake_config, &journal);
				break;
			}
			assert_int_equal(journal.active, 1);
		}
		die_at = 0;
		assert_memory_equal(before, fakes[0].space, sizeof(before));
		assert_int_equal(journal.active, 0);
		assert_false(bars_roll_back(&fake_config, &journal));
		bars_find(&fake_config, list, 1, true, &journal, memos, FAKES_MAX);
		expect(&list[0].bars[0], BAR_MEMORY_64, BAR_GOOD, 0xfe000000, 0x4000);
		expect(&list[0].bars[2], BAR_IO, BAR_GOOD, 0xc000, 32);
		expect(&list[0].bars[5], BAR_MEMORY, BAR_GOOD, 0xe0000000, 0x10000000);
	}
	assert_in_range(n, 10, 20);             /* each write had its turn */
}

/* A reset clears what it clears; whoever dies in it, all is put back. */
static void reset(void **s)
{
	enum { EXPRESS = 0x80 };
	(void)s;
	for (unsigned version = 0; version <= 2; version++)
		for (unsigned dies = 0; dies < 20; dies++) {
			device(NULL);
			fake_bar(AT, 0, 0xfebf0000, 0xfffff000);
			fake_set(AT, PCI_ROM, 4, 0xfeb00001);
			fake_set(AT, PCI_CACHE_LINE, 2, 0x2010);
			fake_set(AT, PCI_LINE, 2, 0x010b);
			fake_set(AT, EXPRESS, 4, version << 16 | 0x10);
			fake_set(AT, EXPRESS + 8, 2, 0x2810);
			fake_set(AT, EXPRESS + 0x10, 2, 0x0040);
			fake_set(AT, EXPRESS + 0x28, 2, 0x0006);
			list[0].express = version ? EXPRESS : 0;
			memcpy(before, fakes[0].space, sizeof(before));
			bars_begin(&fake_config, list, &journal);
			assert_int_equal(writes, 0);
			fake_set(AT, PCI_COMMAND, 2, 0);
			fake_set(AT, PCI_BAR0, 4, 0);
			fake_set(AT, PCI_ROM, 4, 0);
			fake_set(AT, PCI_CACHE_LINE, 2, 0);
			fake_set(AT, PCI_LINE, 1, 0);
			if (version >= 1) {
				fake_set(AT, EXPRESS + 8, 2, 0);
				fake_set(AT, EXPRESS + 0x10, 2, 0);
			}
			if (version >= 2)
				fake_set(AT, EXPRESS + 0x28, 2, 0);
			die_at = dies;
			if (!setjmp(death))
				bars_end(&fake_config, &journal);
			die_at = 0;
			(void)bars_roll_back(&fake_config, &journal);
			assert_memory_equal(before, fakes[0].space, sizeof(before));
			assert_int_equal(journal.active, 0);
		}
	/* A capability at the end of its room has no second control. */
	device(NULL);
	fake_set(AT, 0xf4, 4, 0x00020010);
	list[0].express = 0xf4;
	bars_begin(&fake_config, list, &journal);
	assert_int_equal(journal.n_express, 1);
	bars_end(&fake_config, &journal);
}

static void damage(void **s)
{
	(void)s;
	journal.active = 1;
	journal.at = AT;
	journal.n = 6;
	journal.old[0] = 0xdead0000;
	assert_false(bars_roll_back(&fake_config, &journal));   /* the sum does not fit */
	assert_int_equal(writes, 0);
	assert_int_equal(journal.active, 0);
	for (unsigned i = 0; i < 3; i++) {
		journal = (struct bar_journal){ .active = 1, .at = AT, .n = i == 0 ? 7 : 6, .n_express = (uint16_t)(i == 2 ? 3 : i), .express = i == 1 ? 0x3c : 0xe0 };
		journal.sum = journal_sum(&journal);
		assert_false(bars_roll_back(&fake_config, &journal));
		assert_int_equal(writes, 0);
		assert_int_equal(journal.active, 0);
	}
}

static void memory(void **s)
{
	(void)s;
	fake_bar(AT, 0, 0xfebf0000, 0xfffff000);
	bars_find(&fake_config, list, 1, true, &journal, memos, FAKES_MAX);
	assert_true(writes > 0);
	writes = 0;
	fake_set(AT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	bars_find(&fake_config, list, 1, false, &journal, memos, FAKES_MAX);
	expect(&list[0].bars[0], BAR_MEMORY, BAR_GOOD, 0xfebf0000, 0x1000);
	assert_int_equal(writes, 0);            /* it was remembered */
	memos[0].sizes[0]++;
	bars_find(&fake_config, list, 1, false, &journal, memos, FAKES_MAX);
	expect(&list[0].bars[0], BAR_MEMORY, BAR_UNSIZED, 0xfebf0000, 0);
	assert_int_equal(writes, 0);            /* it is in use: not asked, though what was known is damaged */
	fake_set(AT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	list[0].device++;                       /* another device in the same place */
	bars_find(&fake_config, list, 1, false, &journal, memos, FAKES_MAX);
	expect(&list[0].bars[0], BAR_MEMORY, BAR_GOOD, 0xfebf0000, 0x1000);
	assert_true(writes > 0);
	assert_int_equal(memos[1].sum, 0);      /* it takes the place of the damaged one */
}

static void not_asked(void **s)
{
	(void)s;
	fake_bar(AT, 0, 0xe0000008, 0xf0000000);
	fake_set(AT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	list[0].class = 0x030000;
	bars_find(&fake_config, list, 1, false, &journal, memos, FAKES_MAX);
	assert_int_equal(writes, 0);
	expect(&list[0].bars[0], BAR_MEMORY, BAR_UNSIZED, 0xe0000000, 0);
	assert_int_equal(list[0].bars[1].kind, BAR_NONE);
	bars_find(&fake_config, list, 1, true, &journal, memos, FAKES_MAX);     /* a display that only firmware has used */
	expect(&list[0].bars[0], BAR_MEMORY, BAR_GOOD, 0xe0000000, 0x10000000);
	/* The one that the screen lies in stays as it is, whenever it is asked. */
	memset(memos, 0, sizeof(memos));
	writes = 0;
	fake_config.screen = 0xe0000000 + 0x1000;
	bars_find(&fake_config, list, 1, true, &journal, memos, FAKES_MAX);
	expect(&list[0].bars[0], BAR_MEMORY, BAR_UNSIZED, 0xe0000000, 0);
	assert_int_equal(writes, 0);
	/* But when a driver takes it, which happens once. */
	assert_true(bars_ask(&fake_config, &list[0], &journal, memos, FAKES_MAX));
	expect(&list[0].bars[0], BAR_MEMORY, BAR_GOOD, 0xe0000000, 0x10000000);
	assert_int_equal(fake_read(NULL, AT, PCI_BAR0, 4), 0xe0000008);
	writes = 0;
	assert_false(bars_ask(&fake_config, &list[0], &journal, memos, FAKES_MAX));
	bars_find(&fake_config, list, 1, false, &journal, memos, FAKES_MAX);    /* the next instance knows it */
	expect(&list[0].bars[0], BAR_MEMORY, BAR_GOOD, 0xe0000000, 0x10000000);
	assert_int_equal(writes, 0);
	memset(memos, 0, sizeof(memos));
	fake_config.screen = 0xd0000000;
	bars_find(&fake_config, list, 1, true, &journal, memos, FAKES_MAX);
	expect(&list[0].bars[0], BAR_MEMORY, BAR_GOOD, 0xe0000000, 0x10000000);
	fake_config.screen = 0;
	/* Host bridges never; bridges only if nothing behind them is in use. */
	device(NULL);
	list[0].class = 0x060000;
	bars_find(&fake_config, list, 1, true, &journal, memos, FAKES_MAX);
	assert_int_equal(writes, 0);
	device(NULL);
	list[0].class = 0x060400;
	list[0].header = PCI_HEADER_BRIDGE;
	list[0].secondary = 1;
	list[0].subordinate = 2;
	fake_bar(AT, 0, 0xfebf0000, 0xfffff000);
	fake_bar(AT, 2, 0x00020100, 0xffffffff);        /* bus numbers: no BAR of a bridge */
	fake_add(PCI_AT(2, 0, 0), 0x11e81234, 0, 0);
	fake_set(PCI_AT(2, 0, 0), PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	list[1] = (struct pci_function){ .at = PCI_AT(2, 0, 0), .vendor = 0x1234, .device = 0x11e8 };
	bars_find(&fake_config, list, 2, false, &journal, memos, FAKES_MAX);
	assert_int_equal(writes, 0);
	fake_set(PCI_AT(2, 0, 0), PCI_COMMAND, 2, 0);
	bars_find(&fake_config, list, 2, false, &journal, memos, FAKES_MAX);
	expect(&list[0].bars[0], BAR_MEMORY, BAR_GOOD, 0xfebf0000, 0x1000);
	assert_int_equal(list[0].bars[2].kind, BAR_NONE);
	assert_int_equal(fake_read(NULL, AT, PCI_PRIMARY, 4), 0x00020100);
}

static void overlaps(void **s)
{
	static const struct range reserved = { 0xb0000000, 0x10000000 };
	(void)s;
	fake_add(OTHER, 0x11e81234, 0, 0);
	list[1] = list[0];
	list[1].at = OTHER;
	fake_bar(AT, 0, 0xfe000000, 0xffffc000);
	fake_bar(AT, 1, 0xc001, 0xfffffff0);
	fake_bar(AT, 2, 0xb0001000, 0xfffff000);
	fake_bar(OTHER, 0, 0xfe003000, 0xfffff000);
	fake_bar(OTHER, 1, 0xfe004000, 0xfffff000);
	fake_bar(OTHER, 2, 0xc011, 0xfffffff0);
	fake_bar(OTHER, 3, 0, 0xfffff000);
	fake_bar(OTHER, 4, 0, 0xfffff000);              /* unassigned ones do not count */
	bars_find(&fake_config, list, 2, true, &journal, memos, FAKES_MAX);
	bars_check(list, 2, &reserved, 1);
	static const uint8_t states[2][PCI_BARS] = { { BAR_OVERLAPS, BAR_GOOD, BAR_OVERLAPS }, { BAR_OVERLAPS, BAR_GOOD, BAR_GOOD, BAR_UNASSIGNED, BAR_UNASSIGNED } };
	for (int i = 0; i < 2; i++)
		for (int k = 0; k < PCI_BARS; k++)
			assert_int_equal(list[i].bars[k].state, states[i][k]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(kinds, device), cmocka_unit_test_setup(deaths, device), cmocka_unit_test_setup(reset, device), cmocka_unit_test_setup(damage, device),
		cmocka_unit_test_setup(memory, device), cmocka_unit_test_setup(not_asked, device), cmocka_unit_test_setup(overlaps, device),
	};
	return cmocka_run_group_tests_name("bars", tests, NULL, NULL);
}

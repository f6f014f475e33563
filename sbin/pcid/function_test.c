/*
 * function_test: every function is found once, whatever bridges say; lists of capabilities end, whatever they say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "function.c"
#include "fake.h"

static struct pci_function list[PCI_FUNCTIONS_MAX];
static bool more, broken;
static struct pci_cap caps[PCI_CAPS_MAX];

static int nothing(void **unused_state)
{
	(void)unused_state;
	n_fakes = writes = die_at = 0;
	memset(list, 0, sizeof(list));
	fake_config.size = 4096;
	return 0;
}

static void empty(void **s)
{
	(void)s;
	assert_int_equal(pci_scan(&fake_config, list, 8, &more), 0);
	fake_add(PCI_AT(0, 3, 0), 0x00000000, 0, 0);    /* a vendor of zero is nobody */
	fake_add(PCI_AT(0, 4, 0), 0x1234ffff, 0, 0);
	assert_int_equal(pci_scan(&fake_config, list, 8, &more), 0);
}

static void functions(void **s)
{
	(void)s;
	fake_add(PCI_AT(0, 31, 2), 0x29228086, 0x010601, 0);
	fake_add(PCI_AT(0, 31, 0), 0x29188086, 0x060100, PCI_HEADER_MULTI);
	fake_add(PCI_AT(0, 2, 0), 0x11111234, 0x030000, 0);
	fake_add(PCI_AT(0, 2, 1), 0x11111234, 0x030000, 0);     /* of a device that says it has only one function */
	fake_add(PCI_AT(0, 5, 3), 0x11111234, 0x030000, 0);     /* there is no device without function 0 */
	fake_set(PCI_AT(0, 31, 2), PCI_SUB_VENDOR, 4, 0x11001af4);
	fake_set(PCI_AT(0, 31, 2), PCI_PIN, 1, 1);
	assert_int_equal(pci_scan(&fake_config, list, 8, &more), 3);
	assert_false(more);
	assert_int_equal(list[0].at, PCI_AT(0, 2, 0));
	assert_int_equal(list[1].at, PCI_AT(0, 31, 0));
	assert_int_equal(list[2].at, PCI_AT(0, 31, 2));
	assert_int_equal(list[2].vendor, 0x8086);
	assert_int_equal(list[2].device, 0x2922);
	assert_int_equal(list[2].class, 0x010601);
	assert_int_equal(list[2].sub_vendor, 0x1af4);
	assert_int_equal(list[2].sub_device, 0x1100);
	assert_int_equal(list[2].pin, 1);
	assert_int_equal(pci_scan(&fake_config, list, 2, &more), 2);
	assert_true(more);
}

static void bridges(void **s)
{
	(void)s;
	fake_bridge(PCI_AT(0, 1, 0), 1, 3);
	fake_bridge(PCI_AT(1, 0, 0), 3, 3);
	fake_add(PCI_AT(3, 7, 0), 0x11e81234, 0x00ff00, 0);
	fake_bridge(PCI_AT(0, 2, 0), 4, 4);
	fake_add(PCI_AT(4, 0, 0), 0x11e81234, 0x00ff00, 0);
	fake_add(PCI_AT(9, 0, 0), 0x11e81234, 0x00ff00, 0);     /* no bridge leads there */
	assert_int_equal(pci_scan(&fake_config, list, 8, &more), 5);
	assert_int_equal(list[3].at, PCI_AT(3, 7, 0));
	assert_int_equal(list[4].at, PCI_AT(4, 0, 0));
	for (int i = 0; i < 5; i++)
		assert_false(list[i].lost);
	assert_true(!pci_is_for_drivers(&list[0]) && !pci_is_for_drivers(&list[1]) && pci_is_for_drivers(&list[3]));
	assert_false(pci_is_for_drivers(&(struct pci_function){ .class = PCI_CLASS_HOST_BRIDGE << 8 }));
	assert_false(pci_is_for_drivers(&(struct pci_function){ .class = 0x060700, .header = 2 }));
}

/* The firmware's other root buses: no bridge leads there, and what leads beyond the next root leads nowhere. */
static void roots(void **s)
{
	(void)s;
	memset(fake_config.roots, 0, sizeof(fake_config.roots));
	fake_bridge(PCI_AT(0, 1, 0), 1, 1);
	fake_add(PCI_AT(1, 0, 0), 0x11e81234, 0x00ff00, 0);
	fake_bridge(PCI_AT(0x40, 3, 0), 0x41, 0x42);
	fake_add(PCI_AT(0x42, 5, 0), 0x11e81234, 0x00ff00, 0);
	fake_bridge(PCI_AT(0x41, 0, 0), 0x42, 0x42);
	fake_bridge(PCI_AT(0x40, 4, 0), 0x43, 0xff);
	fake_add(PCI_AT(0xff, 0, 0), 0x11e81234, 0x00ff00, 0);
	assert_int_equal(pci_scan(&fake_config, list, 16, &more), 2);
	fake_config.roots[0] = 1;                               /* said of the first, too */
	fake_config.roots[1] = 1;
	fake_config.roots[3] = 1ull << 63;
	assert_int_equal(pci_scan(&fake_config, list, 16, &more), 7);
	assert_int_equal(list[2].at, PCI_AT(0x40, 3, 0));
	assert_true(list[3].lost);
	assert_int_equal(list[5].at, PCI_AT(0x42, 5, 0));
	assert_int_equal(list[6].at, PCI_AT(0xff, 0, 0));
	fake_config.bus_last = 0xfe;                            /* cannot be reached */
	assert_int_equal(pci_scan(&fake_config, list, 16, &more), 6);
	fake_config.bus_last = 255;
	memset(fake_config.roots, 0, sizeof(fake_config.roots));
}

static void circles(void **s)
{
	static const struct { uint8_t secondary, subordinate; } wrong[] = { { 0, 5 }, { 1, 5 }, { 3, 2 }, { 3, 9 }, { 0, 0 }, { 255, 255 } };
	(void)s;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		nothing(NULL);
		fake_bridge(PCI_AT(0, 1, 0), 1, 5);
		fake_bridge(PCI_AT(1, 0, 0), wrong[i].secondary, wrong[i].subordinate);
		assert_int_equal(pci_scan(&fake_config, list, 8, &more), 2);
		assert_false(list[0].lost);
		assert_true(list[1].lost);
	}
	/* Two that lead to one bus: it is looked at once. */
	nothing(NULL);
	fake_bridge(PCI_AT(0, 1, 0), 1, 1);
	fake_bridge(PCI_AT(0, 2, 0), 1, 1);
	fake_add(PCI_AT(1, 0, 0), 0x11e81234, 0, 0);
	assert_int_equal(pci_scan(&fake_config, list, 8, &more), 3);
	assert_true(list[1].lost);
	/* As deep as it can be. */
	nothing(NULL);
	for (unsigned bus = 0; bus < FAKES_MAX; bus++)
		fake_bridge(PCI_AT(bus, 0, 0), (uint8_t)(bus + 1), 255);
	assert_int_equal(pci_scan(&fake_config, list, PCI_FUNCTIONS_MAX, &more), FAKES_MAX);
}

static void give_express(uint16_t at, unsigned type)
{
	fake_set(at, PCI_STATUS, 2, PCI_STATUS_CAPABILITIES);
	fake_set(at, PCI_CAPABILITIES, 1, 0x40);
	fake_set(at, 0x40, 4, PCI_CAP_EXPRESS | type << 20);
}

/* What is on a link has number 0; a device that answers to all numbers is found once. */
static void links(void **s)
{
	(void)s;
	for (unsigned type = 0; type < 16; type++) {
		nothing(NULL);
		fake_bridge(PCI_AT(0, 1, 0), 1, 1);
		give_express(PCI_AT(0, 1, 0), type);
		for (unsigned device = 0; device < 32; device++)
			fake_add(PCI_AT(1, device, 0), 0x11e81234, 0, 0);
		assert_int_equal(pci_scan(&fake_config, list, PCI_FUNCTIONS_MAX, &more), type == 4 || type == 6 ? 2 : 33);
		assert_int_equal(list[0].express, 0x40);
	}
}

static void capabilities(void **s)
{
	enum { AT = PCI_AT(0, 1, 0) };
	struct pci_function f;
	(void)s;
	fake_add(AT, 0x11e81234, 0, 0);
	fake_set(AT, PCI_CAPABILITIES, 1, 0x41);
	fake_set(AT, 0x40, 2, 0x5005);
	fake_set(AT, 0x50, 2, 0xff10);          /* low bits of pointers do not count */
	fake_set(AT, 0xfc, 2, 0x0011);
	assert_true(pci_look(&fake_config, AT, &f));
	assert_int_equal(pci_capabilities(&fake_config, &f, caps, &broken), 0);     /* the status register says there are none */
	fake_set(AT, PCI_STATUS, 2, PCI_STATUS_CAPABILITIES);
	assert_true(pci_look(&fake_config, AT, &f));
	assert_int_equal(f.express, 0x50);
	assert_int_equal(pci_capabilities(&fake_config, &f, caps, &broken), 3);
	assert_false(broken);
	assert_int_equal(caps[0].id, 5);
	assert_int_equal(caps[1].at, 0x50);
	assert_int_equal(caps[2].at, 0xfc);
	/* Extended ones. */
	fake_set(AT, 0x100, 4, 0x1480000b | 2 << 16);
	fake_set(AT, 0x148, 4, 0xffc00001);
	fake_set(AT, 0xffc, 4, 0x00010003);
	assert_int_equal(pci_capabilities(&fake_config, &f, caps, &broken), 6);
	assert_false(broken);
	assert_true(caps[3].extended);
	assert_int_equal(caps[3].version, 2);
	assert_int_equal(caps[5].at, 0xffc);
	fake_config.size = 256;
	assert_int_equal(pci_capabilities(&fake_config, &f, caps, &broken), 3);
	fake_config.size = 4096;
	fake_set(AT, 0xffc, 4, 0x10010003);     /* back to the first */
	assert_int_equal(pci_capabilities(&fake_config, &f, caps, &broken), 6);
	assert_true(broken);
	fake_set(AT, 0xffc, 4, 0x08010003);     /* down among the plain ones */
	assert_int_equal(pci_capabilities(&fake_config, &f, caps, &broken), 6);
	assert_true(broken);
	fake_set(AT, 0x100, 4, 0);
	fake_set(AT, 0xfc, 2, 0x4011);          /* a circle of plain ones */
	assert_int_equal(pci_capabilities(&fake_config, &f, caps, &broken), 3);
	assert_true(broken);
	fake_set(AT, 0xfc, 2, 0x3c11);          /* into the header */
	assert_int_equal(pci_capabilities(&fake_config, &f, caps, &broken), 3);
	assert_true(broken);
	fake_set(AT, PCI_CAPABILITIES, 1, 0x04);
	assert_int_equal(pci_capabilities(&fake_config, &f, caps, &broken), 0);
	assert_true(broken);
}

static void writing(void **s)
{
	enum { AT = PCI_AT(0, 1, 0) };
	static const struct { uint32_t reg, width; bool may; } cases[] = {
		{ 0x04, 2, false }, { 0x10, 4, false }, { 0x3c, 1, false }, { 0x40, 4, true }, { 0x4c, 4, true }, { 0x50, 4, false }, { 0x52, 2, false }, { 0x64, 4, false },
		{ 0x68, 4, true }, { 0x70, 1, false }, { 0x72, 2, true }, { 0x74, 4, true }, { 0x80, 4, false }, { 0x9c, 4, false }, { 0xa0, 2, false }, { 0xac, 4, true },
		{ 0xfc, 4, true }, { 0xfe, 4, false }, { 0x100, 4, false }, { 0x200, 1, false }, { UINT32_MAX, 1, false }, { 0xfffffffc, 4, false }, { 0x41, 2, false }, { 0x40, 3, false }, { 0x40, 0, false },
	};
	struct pci_function f;
	(void)s;
	fake_add(AT, 0x11e81234, 0, 0);
	fake_set(AT, PCI_STATUS, 2, PCI_STATUS_CAPABILITIES);
	fake_set(AT, PCI_CAPABILITIES, 1, 0x50);
	fake_set(AT, 0x50, 2, 0x7005);          /* MSI, 24 bytes */
	fake_set(AT, 0x70, 2, 0x8009);          /* a vendor's own: all but its head */
	fake_set(AT, 0x80, 2, 0xa077);          /* of unknown size: to the next one */
	fake_set(AT, 0xa0, 2, 0x0011);
	assert_true(pci_look(&fake_config, AT, &f));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(pci_may_write(&fake_config, &f, cases[i].reg, cases[i].width), cases[i].may);
	assert_int_equal(pci_find(&fake_config, &f, PCI_CAP_MSI), 0x50);
	assert_int_equal(pci_find(&fake_config, &f, PCI_CAP_AF), 0);
	fake_set(AT, 0xa0, 2, 0x5011);          /* a circle: nobody knows what is where */
	assert_false(pci_may_write(&fake_config, &f, 0x40, 4));
}

/* More than a list has room for. */
static void many(void **s)
{
	enum { AT = PCI_AT(0, 1, 0) };
	struct pci_function f;
	(void)s;
	fake_add(AT, 0x11e81234, 0, 0);
	give_express(AT, 0);
	for (unsigned reg = 0x100; reg < 0xffc; reg += 4)
		fake_set(AT, reg, 4, (reg + 4) << 20 | 1);
	assert_true(pci_look(&fake_config, AT, &f));
	assert_int_equal(pci_capabilities(&fake_config, &f, caps, &broken), PCI_CAPS_MAX);
	assert_true(broken);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(empty, nothing), cmocka_unit_test_setup(functions, nothing), cmocka_unit_test_setup(bridges, nothing), cmocka_unit_test_setup(roots, nothing),
		cmocka_unit_test_setup(circles, nothing), cmocka_unit_test_setup(links, nothing), cmocka_unit_test_setup(capabilities, nothing),
		cmocka_unit_test_setup(many, nothing), cmocka_unit_test_setup(writing, nothing),
	};
	return cmocka_run_group_tests_name("function", tests, NULL, NULL);
}

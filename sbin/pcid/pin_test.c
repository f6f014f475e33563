/*
 * pin_test: a pin on a bus with a table leads where that says; behind bridges without one it is turned at each by the device's
 * number; and what nobody speaks of leads nowhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "pin.c"

/* 00:03.0 leads to bus 1, 01:05.0 to bus 2; 00:1e.0 has numbers that lead back. */
static struct pci_function list[] = {
	{ .at = PCI_AT(0, 3, 0), .header = PCI_HEADER_BRIDGE, .secondary = 1, .subordinate = 2 },
	{ .at = PCI_AT(0, 4, 0), .pin = 1 },
	{ .at = PCI_AT(0, 30, 0), .header = PCI_HEADER_BRIDGE, .secondary = 9, .subordinate = 9, .lost = true },
	{ .at = PCI_AT(1, 2, 1), .pin = 2 },
	{ .at = PCI_AT(1, 5, 0), .header = PCI_HEADER_BRIDGE, .secondary = 2, .subordinate = 2 },
	{ .at = PCI_AT(2, 7, 0), .pin = 4 },
	{ .at = PCI_AT(9, 1, 0), .pin = 1 },
	{ .at = PCI_AT(0, 5, 0), .pin = 0 },
	{ .at = PCI_AT(0, 6, 0), .pin = 5 },
};

struct firmware { uint32_t tables, asked, bus, device, pin; status_t st; };     /* tables: a bit for each bus that has one */

static status_t asked(void *ctx, uint32_t bus, uint32_t device, uint32_t pin, struct pin_line *line)
{
	struct firmware *f = ctx;

	f->asked++;
	if (f->st < 0)
		return f->st;
	if (!(f->tables & 1u << bus))
		return ERR_NOT_FOUND;
	f->bus = bus;
	f->device = device;
	f->pin = pin;
	*line = (struct pin_line){ 16 + pin, 1 };
	return OK;
}

static status_t route(size_t i, struct firmware *f, struct pin_line *line)
{
	return pin_route(list, ARRAY_LEN(list), &list[i], asked, f, line);
}

static void on_the_root(void **unused_state)
{
	struct firmware f = { .tables = 1 };
	struct pin_line line = { 0 };

	(void)unused_state;
	assert_int_equal(route(1, &f, &line), OK);
	assert_true(f.bus == 0 && f.device == 4 && f.pin == 1 && f.asked == 1);
	assert_true(line.gsi == 17 && line.flags == 1);
}

static void turned_by_bridges(void **unused_state)
{
	struct firmware f = { .tables = 1 };
	struct pin_line line = { 0 };

	(void)unused_state;
	/* INTB of device 2 is INTD of its bridge. */
	assert_int_equal(route(3, &f, &line), OK);
	assert_true(f.bus == 0 && f.device == 3 && f.pin == 4 && f.asked == 2);
	/* INTD of device 7 is INTC of the first bridge, and that, device 5, INTD of the second. */
	f = (struct firmware){ .tables = 1 };
	assert_int_equal(route(5, &f, &line), OK);
	assert_true(f.bus == 0 && f.device == 3 && f.pin == 4 && f.asked == 3);
	/* A table on the way ends it. */
	f = (struct firmware){ .tables = 3 };
	assert_int_equal(route(5, &f, &line), OK);
	assert_true(f.bus == 1 && f.device == 5 && f.pin == 3 && f.asked == 2);
}

static void nowhere(void **unused_state)
{
	struct firmware f = { .tables = 0 };
	struct pin_line line = { 99, 99 };

	(void)unused_state;
	assert_int_equal(route(5, &f, &line), ERR_NOT_FOUND);
	assert_int_equal(f.asked, 3);
	f = (struct firmware){ .tables = 1 };
	assert_int_equal(route(6, &f, &line), ERR_NOT_FOUND);
	assert_int_equal(f.asked, 1);
	f = (struct firmware){ .tables = 1, .st = ERR_GONE };
	assert_int_equal(route(5, &f, &line), ERR_GONE);
	assert_int_equal(f.asked, 1);
	f = (struct firmware){ .tables = 1 };
	assert_int_equal(route(7, &f, &line), ERR_NOT_SUPPORTED);
	assert_int_equal(route(8, &f, &line), ERR_NOT_SUPPORTED);
	assert_int_equal(f.asked, 0);
	assert_true(line.gsi == 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(on_the_root), cmocka_unit_test(turned_by_bridges), cmocka_unit_test(nowhere) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

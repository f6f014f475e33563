/*
 * reset_test: each function is reset by the first way that it has, comes back with its configuration, and nothing else is reset; whoever
 * dies before any of the writes, the next instance finds the function awake, its bus open, and all as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "../../abi/rt/sum.c"
#include "fake.h"
#include "function.c"
#include "bars.c"
#include "slot.c"
#include "reset.c"

enum { PORT = PCI_AT(0, 3, 0), CARD = PCI_AT(1, 0, 0), SECOND = PCI_AT(1, 0, 1), E = 0x40, AF = 0x80, POWER = 0xa0, PORT_E = 0x60 };
enum { BAR = 0xfebf0000, COMMAND = PCI_COMMAND_MEMORY | PCI_COMMAND_NO_INTX, CONTROL = 0x2810, LINK = 0x40, CONTROL2 = 9, LINE = 11 };

static unsigned resets[5];              /* by enum reset_kind */
static uint64_t now_ns, up_ns;          /* up_ns: when the link is up again */
static bool dead_link;

status_t clock_now(uint64_t *ns) { *ns = now_ns; return OK; }
status_t thread_sleep(uint64_t deadline) { now_ns = deadline; return OK; }

/* What a reset leaves. */
static void forgets(uint16_t at)
{
	if (!fake_find(at))
		return;
	fake_set(at, PCI_COMMAND, 2, 0);
	fake_set(at, PCI_BAR0, 4, 0);
	fake_set(at, PCI_LINE, 1, 0);
	fake_set(at, E + 8, 2, 0x2010);
	fake_set(at, E + 0x28, 2, 0);
}

static bool in_reset(void)
{
	return fake_read(NULL, PORT, BRIDGE_CONTROL, 2) & BUS_RESET || now_ns < up_ns;
}

static uint32_t card_read(void *ctx, uint16_t at, uint32_t r, uint32_t width)
{
	if (at >> 8 == 1 && in_reset())
		return width == 4 ? UINT32_MAX : (1u << 8 * width) - 1;
	uint32_t v = fake_read(ctx, at, r, width);
	return at == PORT && r == PORT_E + PCI_LINK_STATUS && !in_reset() && !dead_link ? v | PCI_LINK_UP : v;
}

static void card_write(void *ctx, uint16_t at, uint32_t r, uint32_t width, uint32_t value)
{
	bool was = in_reset();
	uint32_t power = fake_find(CARD) ? fake_read(NULL, CARD, POWER + POWER_CONTROL, 2) & POWER_STATE : 0;

	if (at >> 8 == 1 && was) {
		if (++writes == die_at)
			longjmp(death, 1);
		return;
	}
	if (at == CARD && power == POWER_D3 && r != POWER + POWER_CONTROL)
		fail_msg("register %x written while it sleeps", r);
	if (at == PORT && r == PORT_E + SLOT_STATUS)
		value = fake_read(NULL, at, r, 2) & ~value;     /* write one to clear */
	fake_write(ctx, at, r, width, value);
	if (at == PORT && r == BRIDGE_CONTROL && !was && value & BUS_RESET) {
		resets[RESET_BUS]++;
		forgets(CARD);
		if (fake_find(CARD))
			fake_set(CARD, E + 0x10, 2, 0);
		fake_set(PORT, PORT_E + SLOT_STATUS, 2, SLOT_LINK_CHANGED | SLOT_THERE | SLOT_PRESSED);
	} else if (at == PORT && r == BRIDGE_CONTROL && was && !(value & BUS_RESET)) {
		up_ns = now_ns + 300 * NS_PER_MS;
	} else if (at == CARD && r == E + EXPRESS_CONTROL && value & EXPRESS_RESET) {
		resets[RESET_EXPRESS]++;
		forgets(at);
	} else if (at == CARD && r == AF + AF_CONTROL && value & AF_RESET) {
		resets[RESET_AF]++;
		forgets(at);
	} else if (at == CARD && r == POWER + POWER_CONTROL && power == POWER_D3 && !(value & POWER_STATE)) {
		resets[RESET_POWER]++;
		forgets(at);
	}
}

static const struct config config = { card_read, card_write, NULL, 4096, 0, 255, { 0 }, 0 };
static struct pci_function list[8];
static size_t n_list;
static struct bar_journal journal;

static void link_caps(uint16_t at, const uint8_t *caps, size_t n)
{
	fake_set(at, PCI_STATUS, 2, PCI_STATUS_CAPABILITIES);
	fake_set(at, PCI_CAPABILITIES, 1, n ? caps[0] : 0);
	for (size_t i = 0; i < n; i++)
		fake_set(at, caps[i] + 1u, 1, i + 1 < n ? caps[i + 1] : 0);
}

/* A card behind a port with a slot, with all that it can be reset by. */
static void build(bool express, bool af, bool power, bool alone)
{
	static const uint8_t port_caps[] = { PORT_E }, caps[] = { E, AF, POWER };
	bool more;

	n_fakes = writes = die_at = 0;
	now_ns = up_ns = 0;
	dead_link = false;
	memset(resets, 0, sizeof(resets));
	memset(&journal, 0, sizeof(journal));
	fake_bridge(PORT, 1, 1);
	fake_set(PORT, PORT_E, 1, PCI_CAP_EXPRESS);
	fake_set(PORT, PORT_E + 2, 2, TYPE_ROOT_PORT << 4 | 0x100 | 2);
	fake_set(PORT, PORT_E + PCI_LINK_CAPS, 4, PCI_LINK_TELLS);
	fake_set(PORT, PORT_E + SLOT_CAPS, 4, HOT);
	link_caps(PORT, port_caps, 1);
	fake_add(CARD, 0x11e81234, 0xff0000, alone ? 0 : PCI_HEADER_MULTI);
	fake_bar(CARD, 0, BAR, 0xffff0000);
	fake_set(CARD, PCI_COMMAND, 2, COMMAND);
	fake_set(CARD, PCI_LINE, 1, LINE);
	fake_set(CARD, E, 1, PCI_CAP_EXPRESS);
	fake_set(CARD, E + 2, 2, 2);
	fake_set(CARD, E + EXPRESS_CAPS, 4, express ? EXPRESS_CAN_RESET : 0);
	fake_set(CARD, E + 8, 2, CONTROL);
	fake_set(CARD, E + 0x10, 2, LINK);
	fake_set(CARD, E + 0x28, 2, CONTROL2);
	fake_set(CARD, AF, 1, PCI_CAP_AF);
	fake_set(CARD, AF + AF_CAPS, 1, af ? 3 : 0);
	fake_set(CARD, POWER, 1, PCI_CAP_POWER);
	fake_set(CARD, POWER + POWER_CONTROL, 2, power ? 0x100 : 0x100 | POWER_KEEPS_STATE);
	link_caps(CARD, caps, 3);
	if (!alone)
		fake_add(SECOND, 0x11e91234, 0xff0000, 0);
	n_list = pci_scan(&config, list, ARRAY_LEN(list), &more);
}

static const struct pci_function *card(void)
{
	return &list[1];
}

static void as_before(void)
{
	assert_int_equal(journal.active, 0);
	assert_false(in_reset());
	assert_int_equal(card_read(NULL, CARD, PCI_COMMAND, 2), COMMAND);
	assert_int_equal(card_read(NULL, CARD, PCI_BAR0, 4), BAR);
	assert_int_equal(card_read(NULL, CARD, PCI_LINE, 1), LINE);
	assert_int_equal(card_read(NULL, CARD, E + 8, 2) & ~(uint32_t)EXPRESS_RESET, CONTROL);
	assert_int_equal(card_read(NULL, CARD, E + 0x10, 2), LINK);
	assert_int_equal(card_read(NULL, CARD, E + 0x28, 2), CONTROL2);
	assert_int_equal(card_read(NULL, CARD, POWER + POWER_CONTROL, 2) & ~(uint32_t)POWER_KEEPS_STATE, 0x100);
	assert_int_equal(card_read(NULL, PORT, BRIDGE_CONTROL, 2), 0);
}

static const struct { bool express, af, power, alone; enum reset_kind kind; } cases[] = {
	{ true, true, true, true, RESET_EXPRESS }, { false, true, true, true, RESET_AF }, { false, false, true, true, RESET_POWER },
	{ false, false, false, true, RESET_BUS }, { false, false, false, false, RESET_NONE },
};

static void order(void **unused_state)
{
	(void)unused_state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		build(cases[i].express, cases[i].af, cases[i].power, cases[i].alone);
		assert_int_equal(n_list, cases[i].alone ? 2 : 3);
		assert_int_equal(reset_kind(&config, list, n_list, card()), cases[i].kind);
		reset(&config, list, n_list, card(), &journal);
		for (unsigned k = RESET_EXPRESS; k <= RESET_BUS; k++)
			assert_int_equal(resets[k], k == (unsigned)cases[i].kind);
		as_before();
		if (cases[i].kind == RESET_BUS) {       /* the link is no news, the button is */
			assert_int_equal(card_read(NULL, PORT, PORT_E + SLOT_STATUS, 2), SLOT_THERE | SLOT_PRESSED);
			assert_true(now_ns >= up_ns + 100 * NS_PER_MS);
		}
	}
	/* Bridges, and what is on the root bus, are not reset with a bus. */
	assert_int_equal(reset_kind(&config, list, n_list, &list[0]), RESET_NONE);
}

static void deaths(void **unused_state)
{
	(void)unused_state;
	for (size_t i = 0; i < ARRAY_LEN(cases) - 1; i++)
		for (volatile unsigned at = 1; ; at++) {
			build(cases[i].express, cases[i].af, cases[i].power, cases[i].alone);
			die_at = at;
			volatile bool died = true;
			if (!setjmp(death)) {
				reset(&config, list, n_list, card(), &journal);
				died = false;
			}
			if (!died)
				break;
			die_at = 0;
			reset_roll_back(&config, &journal);
			(void)bars_roll_back(&config, &journal);
			as_before();
		}
}

/* It has been pulled out meanwhile: that ends, and is news. */
static void torn_out(void **unused_state)
{
	(void)unused_state;
	build(false, false, false, true);
	dead_link = true;
	n_fakes = 1;
	reset(&config, list, n_list, card(), &journal);
	assert_true(now_ns < 5 * NS_PER_SEC);
	assert_int_equal(journal.active, 0);
	assert_int_equal(card_read(NULL, PORT, BRIDGE_CONTROL, 2), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(order), cmocka_unit_test(deaths), cmocka_unit_test(torn_out) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

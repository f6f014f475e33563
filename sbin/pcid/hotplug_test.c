/*
 * hotplug_test: cards come, leave, are torn out and swapped, and pcid dies before every write to configuration space and every word to
 * initd. Expected each time: initd knows what is in the slot and nothing else, under a number that is valid, the card has
 * addresses, and a slot whose button was pressed is off. What is put in while the drivers of what was there before are still ending comes after that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "../../abi/rt/sum.c"
#include "fake.h"
#include "function.c"
#include "bars.c"
#include "place.c"
#include "slot.c"
#include <pci/name.c>
#include "hotplug.c"

enum { PORT = PCI_AT(0, 3, 0), CARD = PCI_AT(1, 0, 0), BEHIND = PCI_AT(0, 4, 0), E = 0x80, OFF = POWER_OFF | LIGHT_OFF };

/* ---- the slot, as QEMU and hardware have it ---- */

static bool card_in;                    /* in the slot; it answers if there is power */
static bool tears;                      /* switched off, the card leaves by itself, as in QEMU */

static uint32_t reg(uint32_t at, uint32_t width)
{
	return fake_read(NULL, PORT, E + at, width);
}

static bool powered(void)
{
	return !(reg(SLOT_CONTROL, 2) & POWER_OFF);
}

static void happens(uint32_t bits)
{
	fake_set(PORT, E + SLOT_STATUS, 2, (reg(SLOT_STATUS, 2) & ~(uint32_t)SLOT_THERE) | bits | (card_in ? SLOT_THERE : 0));
}

static uint32_t slot_read(void *ctx, uint16_t at, uint32_t r, uint32_t width)
{
	if (at >> 8 == 1 && (!card_in || !powered()))
		return width == 4 ? UINT32_MAX : (1u << 8 * width) - 1;
	return fake_read(ctx, at, r, width);
}

static void slot_write(void *ctx, uint16_t at, uint32_t r, uint32_t width, uint32_t value)
{
	if (at == PORT && r == E + SLOT_STATUS) {
		if (++writes == die_at)
			longjmp(death, 1);
		fake_set(PORT, r, 2, reg(SLOT_STATUS, 2) & ~(value & (HAPPENED | SLOT_DONE)));
	} else if (at >> 8 != 1 || (card_in && powered())) {
		bool was = powered();
		fake_write(ctx, at, r, width, value);
		if (at != PORT || r != E + SLOT_CONTROL)
			return;
		happens(SLOT_DONE);
		if (was && !powered()) {        /* without power a card forgets */
			fake_set(CARD, PCI_COMMAND, 2, 0);
			fake_set(CARD, PCI_BAR0, 4, 0);
			if (tears && (reg(SLOT_CONTROL, 2) & OFF) == OFF && card_in) {
				card_in = false;
				happens(SLOT_CHANGED);
			}
		}
	}
}

/* ---- initd ---- */

static struct { uint16_t at; bool gone; uint32_t id, serial; } told[64];
static size_t n_told, n_heard;
static uint32_t initd_id, initd_serial; /* what initd knows of CARD; 0: nothing */

void announce_there(const struct pci_function *f, uint32_t serial)
{
	if (++writes == die_at)
		longjmp(death, 1);
	assert_true(n_told < ARRAY_LEN(told));
	told[n_told].at = f->at;
	told[n_told].gone = false;
	told[n_told].id = (uint32_t)f->vendor << 16 | f->device;
	told[n_told++].serial = serial;
}

void announce_gone(uint16_t at)
{
	if (++writes == die_at)
		longjmp(death, 1);
	assert_true(n_told < ARRAY_LEN(told));
	told[n_told].at = at;
	told[n_told++].gone = true;
}

static void initd_hears(void)
{
	size_t i = n_heard++;

	if (told[i].at != CARD)
		return;
	if (told[i].gone) {
		initd_id = 0;
	} else if (!initd_id) {
		initd_id = told[i].id;
		initd_serial = told[i].serial;
	} else {
		assert_int_equal(initd_id, told[i].id);         /* not another card before the one there has gone */
	}
}

/* ---- pcid ---- */

static bool firmware_keeps;             /* the slots */
static unsigned asked;                  /* for them */
static bool ejects = true;

status_t firmware_gives_slots(bool *ours)
{
	asked++;
	*ours = !firmware_keeps;
	return OK;
}

status_t firmware_eject(uint16_t at)
{
	if (++writes == die_at)
		longjmp(death, 1);
	assert_int_equal(at, CARD);
	assert_int_equal(initd_id, 0);          /* its driver has ended */
	if (ejects)
		card_in = false;
	return ejects ? OK : ERR_IO;
}

status_t clock_now(uint64_t *ns) { *ns = 0; return OK; }
status_t thread_sleep(uint64_t deadline) { (void)deadline; return OK; }
void log_print(const char *format, ...) { (void)format; }
const char *error_text(status_t st) { (void)st; return "?"; }
noreturn void rt_panic(const char *format, ...) { (void)format; abort(); }
status_t svc_notify(struct svc *s, uint64_t badge, handle_t *notify) { (void)s; *notify = (handle_t)badge; return OK; }
status_t notify_bind(handle_t notify, uint32_t bit, handle_t source) { (void)notify; (void)bit; (void)source; return OK; }
status_t device_irq(const struct device_resources *r, const struct config *c, const struct pci_function *f, uint64_t number, handle_t *h, uint64_t *count)
{
	(void)r;
	(void)c;
	assert_int_equal(f->at, PORT);
	assert_int_equal(number, 3);
	*h = 1;
	*count = 4;
	return OK;
}

static struct pci_function list[PCI_FUNCTIONS_MAX];
static size_t n_list;
static struct bar_journal journal;
static struct bar_memo memos[FAKES_MAX];
static struct slot_record records[SLOTS_MAX];
static const struct config config = { slot_read, slot_write, NULL, 4096, 0, 255, { 0 }, 0 };

static void check(void)
{
	bars_check(list, n_list, NULL, 0);
}

static void lets_go(const struct pci_function *f) { (void)f; }

static const struct hotplug hotplug = { &config, NULL, list, &n_list, &journal, memos, FAKES_MAX, records, check, lets_go };

static void start(enum hotplug_start how)
{
	bool more;

	answer = NOT_ASKED;
	n_slots = 0;
	n_told = n_heard = 0;
	(void)bars_roll_back(&config, &journal);
	n_list = pci_scan(&config, list, PCI_FUNCTIONS_MAX, &more);
	bars_find(&config, list, n_list, how == HOTPLUG_BOOTED, &journal, memos, FAKES_MAX);
	check();
	hotplug_begin(&hotplug, NULL, 1, how);
}

static bool comes_back;                 /* the card, torn out, before initd has answered */

static void card(uint32_t id, uint32_t mask);

static void run(void)
{
	for (unsigned i = 0; i < 50; i++) {
		if (n_heard < n_told) {
			if (told[n_heard].gone && comes_back) {
				comes_back = false;
				card(0x01941033, 0xffff0000);
				happens(SLOT_CHANGED);
				hotplug_happened(0);
			}
			initd_hears();
			if (told[n_heard - 1].gone)
				hotplug_gone(told[n_heard - 1].at);
		} else if (!firmware_keeps && reg(SLOT_STATUS, 2) & HAPPENED) {
			hotplug_happened(0);
		} else {
			return;
		}
	}
	fail_msg("it does not come to rest");
}

/* ---- tests ---- */

static void card(uint32_t id, uint32_t mask)
{
	fake_set(CARD, PCI_VENDOR, 4, id);
	fake_set(CARD, PCI_COMMAND, 2, 0);
	fake_bar(CARD, 0, 0, mask);
	card_in = true;
}

static void boots(bool with_card)
{
	n_fakes = writes = die_at = 0;
	memset(&journal, 0, sizeof(journal));
	memset(memos, 0, sizeof(memos));
	memset(records, 0, sizeof(records));
	initd_id = initd_serial = 0;
	card_in = tears = firmware_keeps = comes_back = false;
	ejects = true;
	fake_bridge(PORT, 1, 1);
	fake_add(BEHIND, 0x00018086, 0x010000, 0);
	fake_add(CARD, 0, 0x0c0330, 0);
	fake_set(PORT, PCI_STATUS, 2, PCI_STATUS_CAPABILITIES);
	fake_set(PORT, PCI_CAPABILITIES, 1, E);
	fake_set(PORT, E, 4, 3u << 25 | CAPS_SLOT << 16 | TYPE_ROOT_PORT << 20 | 2 << 16 | 0x10);
	fake_set(PORT, E + PCI_LINK_CAPS, 4, PCI_LINK_TELLS);
	fake_set(PORT, E + PCI_LINK_STATUS, 2, PCI_LINK_UP);
	fake_set(PORT, E + SLOT_CAPS, 4, HAS_BUTTON | HAS_SWITCH | HAS_LIGHT | HOT);
	fake_set(PORT, E + SLOT_CONTROL, 2, with_card ? LIGHT_ON : OFF);
	fake_set(PORT, MEMORY_WINDOW, 4, 0xfe10fe00);
	if (with_card)
		card(0x01941033, 0xfffff000);
	happens(with_card ? SLOT_CHANGED : 0);
	start(HOTPLUG_BOOTED);
	run();
}

static bool known_there(uint16_t at)
{
	size_t i = first_from(at);

	return i < n_list && list[i].at >> 3 == at >> 3;
}

static void expect_card(uint32_t id, uint64_t size)
{
	const struct pci_function *f = &list[first_from(CARD)];

	assert_true(known_there(CARD) && powered());
	assert_int_equal((uint32_t)f->device << 16 | f->vendor, id);
	assert_int_equal(initd_id, (uint32_t)f->vendor << 16 | f->device);
	assert_int_equal(initd_serial, hotplug_arrival(CARD));
	assert_int_equal(f->bars[0].state, BAR_GOOD);
	assert_true(f->bars[0].size == size);
	assert_int_equal(fake_read(NULL, CARD, PCI_BAR0, 4), f->bars[0].base);
	assert_in_range(f->bars[0].base, 0xfe000000, 0xfe1fffff);
	assert_int_equal(records[0].way, SLOT_STAYS);
}

static void expect_none(void)
{
	assert_false(known_there(CARD));
	assert_int_equal(initd_id, 0);
	assert_false(powered());
	assert_int_equal(n_list, 2);
}

enum change { COMES, PRESSED, PRESSED_STAYS, TORN, TORN_AND_BACK, PRESSED_AND_SWAPPED, SWAPPED, CHANGES };

static void change(enum change what)
{
	switch (what) {
	case COMES:
		card(0x01941033, 0xfffff000);
		happens(SLOT_PRESSED | SLOT_CHANGED);
		break;
	case PRESSED:
		tears = true;
		happens(SLOT_PRESSED);
		break;
	case PRESSED_STAYS:
		happens(SLOT_PRESSED);
		break;
	case PRESSED_AND_SWAPPED:
		comes_back = true;
		happens(SLOT_PRESSED);
		break;
	case TORN:
	case TORN_AND_BACK:
		comes_back = what == TORN_AND_BACK;
		card_in = false;
		happens(SLOT_CHANGED | SLOT_LINK_CHANGED);
		break;
	default:                /* another of the same name, with more registers */
		card(0x01941033, 0xffff0000);
		happens(SLOT_CHANGED);
		break;
	}
}

static void every_death(void **s)
{
	(void)s;
	for (enum change what = COMES; what < CHANGES; what++) {
		bool done = false;
		for (volatile unsigned n = 1; !done; n++) {
			assert_true(n < 200);
			boots(what != COMES);
			uint32_t serial = initd_serial;
			if (what != COMES)
				fake_find(CARD)->mask[0] = 0xfffff000;
			change(what);
			writes = 0;
			die_at = n;
			if (!setjmp(death)) {
				run();
				die_at = 0;
				done = true;
			} else {
				/* The next one may die as well, before its first write, its second ... */
				die_at = writes = 0;
				for (volatile unsigned k = 1; k < 60; k += 7) {
					writes = 0;
					die_at = k;
					if (!setjmp(death)) {
						start(HOTPLUG_AGAIN);
						run();
					}
				}
				die_at = 0;
				start(HOTPLUG_AGAIN);
				run();
			}
			if (what == COMES)
				expect_card(0x01941033, 0x1000);
			else if (what >= TORN_AND_BACK)
				expect_card(0x01941033, 0x10000);
			else
				expect_none();
			if (what >= TORN_AND_BACK)
				assert_int_not_equal(initd_serial, serial);
			if (what != PRESSED_STAYS)
				continue;
			/* It stays off, also for the next pcid, until it is pressed again, or taken out and put in. */
			assert_int_equal(records[0].way, SLOT_RESTS);
			start(HOTPLUG_AGAIN);
			run();
			expect_none();
			happens(SLOT_PRESSED);
			run();
			expect_card(0x01941033, 0x1000);
		}
	}
}

/* A card that has come as the second, and pcid's state is lost, whoever dies on the way: initd's driver has a number that is good. */
static void lost(void **s)
{
	bool done = false;

	(void)s;
	for (volatile unsigned n = 1; !done; n++) {
		assert_true(n < 200);
		boots(false);
		change(COMES);
		run();
		change(TORN);
		run();
		change(COMES);
		run();
		expect_card(0x01941033, 0x1000);
		assert_int_not_equal(initd_serial, 1);
		memset(records, 0, sizeof(records));
		memset(memos, 0, sizeof(memos));
		writes = 0;
		die_at = n;
		if (!setjmp(death)) {
			start(HOTPLUG_ANEW);
			run();
			done = true;
		} else {
			die_at = 0;
			start(HOTPLUG_AGAIN);
			run();
		}
		die_at = 0;
		if (done || records[0].place)
			expect_card(0x01941033, 0x1000);
	}
}

static void no_link(void **s)
{
	(void)s;
	boots(false);
	fake_set(PORT, E + PCI_LINK_STATUS, 2, 0);
	change(COMES);
	run();
	assert_false(known_there(CARD));
	assert_int_equal(records[0].way, SLOT_RESTS);
	fake_set(PORT, E + PCI_LINK_STATUS, 2, PCI_LINK_UP);
	happens(SLOT_CHANGED);
	run();
	expect_card(0x01941033, 0x1000);
}

static void expect_slots(size_t n, enum hotplug_start how)
{
	start(how);
	run();
	assert_int_equal(n_slots, n);
}

/* Nor by the next pcid; but what was looked after is looked after also when its record is lost. */
static void left_alone(void **s)
{
	(void)s;
	for (int i = 0; i < 6; i++) {
		boots(i >= 3);
		expect_slots(1, HOTPLUG_AGAIN);
		memset(records, 0, sizeof(records));
		expect_slots(0, HOTPLUG_AGAIN);
		expect_slots(1, HOTPLUG_ANEW);
		memset(records, 0, sizeof(records));
		switch (i) {
		case 0: fake_set(PORT, E + SLOT_CONTROL, 2, ON_HAPPENED); break;        /* by the firmware */
		case 1: fake_set(PORT, E + SLOT_CAPS, 4, HAS_BUTTON); break;            /* nothing can be put in while it runs */
		case 2: fake_set(PORT, E + CAPS, 2, TYPE_ROOT_PORT << 4 | 2); break;    /* soldered */
		case 3: fake_set(PORT, E + SLOT_STATUS, 2, 0); break;                   /* it says that it is empty */
		case 4: fake_set(CARD, PCI_HEADER, 1, PCI_HEADER_BRIDGE); fake_set(CARD, PCI_SECONDARY, 2, 0x0202); fake_set(PORT, PCI_SUBORDINATE, 1, 2); break;
		default: fake_set(PORT, PCI_SECONDARY, 1, 0); break;                    /* its bus makes no sense */
		}
		if (i != 0)
			fake_set(PORT, E + SLOT_CONTROL, 2, LIGHT_ON);
		expect_slots(0, HOTPLUG_BOOTED);
		expect_slots(0, HOTPLUG_AGAIN);
	}
}

/* ---- slots of the firmware's ---- */

/* No register of the slot is touched; power is as it is. */
static void boots_firmware(bool with_card)
{
	boots(with_card);
	memset(records, 0, sizeof(records));
	fake_set(PORT, E + SLOT_CONTROL, 2, LIGHT_ON);
	firmware_keeps = true;
	initd_id = initd_serial = 0;
	asked = 0;
	start(HOTPLUG_BOOTED);
	assert_true(n_slots == 0 && asked == 1);
	if (with_card) {                        /* as main.c does for what is in no slot */
		announce_there(&list[first_from(CARD)], 0);
		run();
	}
}

enum said { CHECK_DEVICE, CHECK_BUS, CHECK_ALL, EJECT, SAID };

static void says(enum said what)
{
	hotplug_heard(what == CHECK_BUS ? PORT : what == CHECK_ALL ? HOTPLUG_ANYWHERE : CARD, what == CHECK_DEVICE ? 1 : what == EJECT ? 3 : 0);
	run();
}

static void firmware_slots(void **s)
{
	(void)s;
	for (enum said what = 0; what < SAID; what++) {
		bool done = false;
		for (volatile unsigned n = 1; !done; n++) {
			assert_true(n < 200);
			boots_firmware(what == EJECT);
			uint32_t control = reg(SLOT_CONTROL, 2);
			if (what != EJECT)
				card(0x01941033, 0xfffff000);
			writes = 0;
			die_at = n;
			if (!setjmp(death)) {
				says(what);
				done = true;
			} else {                        /* the event is told again */
				die_at = 0;
				start(HOTPLUG_AGAIN);
				run();
				says(what);
			}
			die_at = 0;
			assert_int_equal(reg(SLOT_CONTROL, 2), control);
			if (what != EJECT) {
				expect_card(0x01941033, 0x1000);
				says(CHECK_ALL);        /* nothing new */
				expect_card(0x01941033, 0x1000);
				says(EJECT);
			}
			assert_false(card_in || known_there(CARD));
			assert_int_equal(initd_id, 0);
			start(HOTPLUG_AGAIN);
			run();
			card(0x01941033, 0xffff0000);
			says(CHECK_DEVICE);
			expect_card(0x01941033, 0x10000);
		}
	}
}

/* What the firmware does not let go stays off until it is spoken of again; what it says of places that are none does no harm. */
static void firmware_slots_odd(void **s)
{
	(void)s;
	boots_firmware(true);
	ejects = false;
	says(EJECT);
	assert_true(card_in && !known_there(CARD) && initd_id == 0);
	says(CHECK_ALL);
	assert_false(known_there(CARD));
	says(CHECK_DEVICE);
	assert_true(known_there(CARD) && initd_id != 0);
	for (unsigned at = 0; at <= 0xffff; at += 8)
		if (at >> 3 != CARD >> 3)
			for (uint32_t kind = 0; kind < 5; kind++)
				hotplug_heard((uint16_t)at, kind);
	run();
	expect_card(0x01941033, 0x1000);
	/* A bridge on the card would have to leave with what is behind it. */
	list[first_from(CARD)].header = PCI_HEADER_BRIDGE;
	says(EJECT);
	assert_true(known_there(CARD));
	/* Torn out. */
	list[first_from(CARD)].header = PCI_HEADER_DEVICE;
	card_in = false;
	says(CHECK_BUS);
	assert_true(!known_there(CARD) && initd_id == 0);
}

int main(int argc unused, char **argv unused)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_death), cmocka_unit_test(lost), cmocka_unit_test(no_link), cmocka_unit_test(left_alone),
		cmocka_unit_test(firmware_slots), cmocka_unit_test(firmware_slots_odd) };
	return cmocka_run_group_tests_name("hotplug", tests, NULL, NULL);
}

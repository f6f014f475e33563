/*
 * line_test: two functions on one line: each driver hears of its own and of nothing else, a driver that does not serve is no
 * hindrance to the other, the next instance tells both once, and a line that nobody claims is left masked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include "fake.h"
#include "line.c"
#include "../../abi/rt/irq.c"

enum { ONE = PCI_AT(1, 3, 0), TWO = PCI_AT(1, 7, 0), OLD = PCI_AT(1, 8, 0), BYSTANDER = PCI_AT(0, 2, 0), GSI = 18, NOTIFY = 100 };

/* ---- what the kernel would do ---- */

static struct { bool open, masked; uint32_t flags; } gsi[64];
static bool taken;                      /* the line is somebody else's */
static unsigned going;                  /* so many ms more it is an ended instance's */
static unsigned acks, told[LINE_USERS_MAX], logged;
static handle_t shelf[LINE_USERS_MAX];

status_t irq_create(handle_t resource unused, uint32_t line, uint32_t flags, handle_t *h)
{
	if (taken || going)
		return ERR_BUSY;
	assert_false(gsi[line].open);
	gsi[line].open = gsi[line].masked = true;
	gsi[line].flags = flags;
	*h = line;
	return OK;
}

status_t irq_ack(handle_t irq) { gsi[irq].masked = false; acks++; return OK; }
status_t notify_bind(handle_t n unused, uint32_t bit unused, handle_t source unused) { return OK; }
status_t handle_close(handle_t h unused) { return OK; }
status_t svc_notify(struct svc *s unused, uint64_t badge unused, handle_t *h) { *h = 1; return OK; }
status_t shelf_put(handle_t s unused, uint32_t slot, handle_t h) { shelf[slot] = h; return OK; }
status_t shelf_clear(handle_t s unused, uint32_t slot) { shelf[slot] = 0; return OK; }
status_t shelf_get(handle_t s unused, uint32_t slot, handle_t *h) { *h = shelf[slot]; return shelf[slot] ? OK : ERR_NOT_FOUND; }

status_t notify_signal(handle_t h, uint64_t bits)
{
	assert_true(h >= NOTIFY && h < NOTIFY + LINE_USERS_MAX);
	assert_true(bits == 1ull << (h - NOTIFY));
	told[h - NOTIFY]++;
	return OK;
}

status_t clock_now(uint64_t *ns) { *ns = 0; return OK; }
status_t thread_sleep(uint64_t deadline) { assert_int_equal(deadline, NS_PER_MS); going -= going > 0; return OK; }

void log_print(const char *format unused, ...) { logged++; }
const char *error_text(status_t st unused) { return ""; }

/* ---- a machine ---- */

static struct line_user users[LINE_USERS_MAX];
static struct pci_function list[4];
static const size_t n_list = ARRAY_LEN(list);
static const struct state state;
static struct config config;
static const struct line_keeper keeper = { &config, NULL, 1, 0, &state, users, list, &n_list };
static const struct pin_line line = { GSI, IRQ_LEVEL | IRQ_ACTIVE_LOW };

/* A function from before PCI 2.3 has no Interrupt Disable. */
static void old_write(void *ctx, uint16_t at, uint32_t r, uint32_t width, uint32_t value)
{
	fake_write(ctx, at, r, width, at == OLD && r == PCI_COMMAND ? value & ~(uint32_t)PCI_COMMAND_NO_INTX : value);
}

static void raise_it(uint16_t at, bool on)
{
	fake_set(at, PCI_STATUS, 2, on ? STATUS_INTX : 0);
}

static bool silent(uint16_t at)
{
	return fake_read(NULL, at, PCI_COMMAND, 2) & PCI_COMMAND_NO_INTX;
}

/* Whether the line is raised; then the kernel masks it, and tells us. */
static bool interrupt(void)
{
	bool raised = false;

	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		raised = raised || (!silent(list[i].at) && fake_read(NULL, list[i].at, PCI_STATUS, 2) & STATUS_INTX);
	if (!raised || gsi[GSI].masked)
		return false;
	gsi[GSI].masked = true;
	line_happened(0);
	return true;
}

static void anew(void)
{
	memset(gsi, 0, sizeof(gsi));
	memset(lines, 0, sizeof(lines));
	patience = BUSY_MS;
	line_begin(&keeper);
}

static int empty(void **unused_state)
{
	static const uint16_t at[] = { BYSTANDER, ONE, TWO, OLD };

	(void)unused_state;
	n_fakes = writes = die_at = acks = logged = 0;
	taken = false;
	going = 0;
	config = fake_config;
	config.write = old_write;
	memset(told, 0, sizeof(told));
	memset(shelf, 0, sizeof(shelf));
	memset(users, 0, sizeof(users));
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		fake_add(at[i], 0x11e81234, 0xff0000, 0);
		list[i] = (struct pci_function){ .at = at[i], .pin = 1 };
	}
	anew();
	return 0;
}

static void both(void)
{
	assert_int_equal(line_give(1, &list[1], line, NOTIFY + 1, 1), OK);
	assert_int_equal(line_give(2, &list[2], line, NOTIFY + 2, 2), OK);
}

static void shared(void **unused_state)
{
	(void)unused_state;
	both();
	assert_true(silent(BYSTANDER) && !silent(ONE) && !silent(TWO));
	assert_int_equal(gsi[GSI].flags, IRQ_LEVEL | IRQ_ACTIVE_LOW);
	raise_it(ONE, true);
	assert_true(interrupt());
	assert_true(told[1] == 1 && told[2] == 0 && silent(ONE) && !silent(TWO));
	/* The first does not serve it; the second goes on all the same. */
	for (unsigned i = 1; i <= 3; i++) {
		assert_false(interrupt());
		raise_it(TWO, true);
		assert_true(interrupt());
		assert_int_equal(told[2], i);
		raise_it(TWO, false);
		assert_int_equal(line_served(2), OK);
	}
	/* Served without having done anything: told again. */
	assert_int_equal(line_served(1), OK);
	assert_true(interrupt());
	assert_int_equal(told[1], 2);
	line_drop(1);
	assert_true(silent(ONE));
	assert_false(interrupt());
	assert_int_equal(line_served(1), ERR_NOT_FOUND);
	line_drop(2);
	assert_true(shelf[1] == 0 && shelf[2] == 0);
}

static void died(void **unused_state)
{
	(void)unused_state;
	both();
	raise_it(ONE, true);
	assert_true(interrupt());
	going = BUSY_MS / 2;
	anew();
	assert_true(told[1] == 2 && told[2] == 1 && logged == 0);
	assert_true(line_recorded(1) && line_recorded(2) && !line_recorded(9) && !line_recorded(LINE_USERS_MAX));
	assert_true(silent(ONE) && !silent(TWO));
	raise_it(TWO, true);
	assert_true(interrupt());
	assert_int_equal(told[2], 2);
	/* Before any write of a beginning, and of an end. */
	for (unsigned i = 1; i < 12; i++) {
		empty(NULL);
		both();
		writes = 0;
		die_at = i;
		if (!setjmp(death)) {
			raise_it(ONE, true);
			interrupt();
			raise_it(ONE, false);
			(void)!line_served(1);
			line_drop(1);
			assert_int_equal(line_give(1, &list[1], line, NOTIFY + 1, 1), OK);
		}
		die_at = 0;
		unsigned before = told[1];
		anew();
		if (!users[1].word)
			continue;               /* its driver asks again: it has had no answer */
		assert_int_equal(told[1], before + 1);
		assert_int_equal(line_served(1), OK);
		raise_it(ONE, true);
		assert_true(interrupt());
		assert_int_equal(told[1], before + 2);
	}
	/* What a stray store has left is nobody's. */
	users[3] = (struct line_user){ 0x4000000000000012, ONE };
	users[4] = (struct line_user){ USED | GSI, PCI_AT(7, 7, 7) };
	anew();
	assert_true(users[3].word == 0 && users[4].word == 0);
}

static void refused(void **unused_state)
{
	(void)unused_state;
	assert_int_equal(line_give(3, &list[3], line, NOTIFY + 3, 3), ERR_NOT_SUPPORTED);
	taken = true;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(line_give(1, &list[1], line, NOTIFY + 1, 1), ERR_BUSY);
		assert_true(silent(ONE) && users[1].word == 0 && patience == 0);
	}
	taken = false;
	both();
	for (uint32_t i = 1; i < LINES_MAX; i++)
		assert_int_equal(line_give(3, &list[1], (struct pin_line){ 20 + i, 1 }, NOTIFY + 3, 3), OK);
	assert_int_equal(line_give(3, &list[1], (struct pin_line){ 20 + LINES_MAX, 1 }, NOTIFY + 3, 3), ERR_NO_SPACE);
	line_happened(LINES_MAX);
}

static void unclaimed(void **unused_state)
{
	unsigned n = 0;

	(void)unused_state;
	both();
	fake_set(BYSTANDER, PCI_COMMAND, 2, 0);         /* it has got loose */
	raise_it(BYSTANDER, true);
	while (interrupt())
		assert_in_range(++n, 1, UNCLAIMED_MAX);
	assert_true(n == UNCLAIMED_MAX && logged == 1 && gsi[GSI].masked);
	assert_true(told[1] == 0 && told[2] == 0);
	/* Another try. */
	raise_it(BYSTANDER, false);
	assert_int_equal(line_served(1), OK);
	raise_it(ONE, true);
	assert_true(interrupt());
	assert_int_equal(told[1], 1);
}

int main(int argc unused, char **argv unused)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(shared, empty), cmocka_unit_test_setup(died, empty),
		cmocka_unit_test_setup(refused, empty), cmocka_unit_test_setup(unclaimed, empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

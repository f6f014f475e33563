/*
 * slot: see slot.h.
 */
#include "slot.h"
#include "wait.h"

enum {
	CAPS = 2, TYPE_ROOT_PORT = 4, TYPE_DOWNSTREAM = 6, CAPS_SLOT = 0x100,
	SLOT_CAPS = 0x14, HAS_BUTTON = 1, HAS_SWITCH = 2, HAS_LIGHT = 0x10, HOT = 0x40, NEVER_DONE = 1 << 18,
	SLOT_CONTROL = 0x18, ON_PRESSED = 1, ON_CHANGED = 8, ON_HAPPENED = 0x20, LIGHT = 0x300, LIGHT_ON = 0x100, LIGHT_OFF = 0x300, POWER_OFF = 0x400, ON_LINK = 0x1000,
	SLOT_STATUS = 0x1a,
	DONE_MS = 1000, SETTLE_MS = 100,
};

static uint32_t get(const struct config *c, const struct pci_function *f, uint32_t reg, uint32_t width)
{
	return c->read(c->ctx, f->at, f->express + reg, width);
}

static void set(const struct config *c, const struct pci_function *f, uint32_t reg, uint32_t width, uint32_t value)
{
	c->write(c->ctx, f->at, f->express + reg, width, value);
}

bool slot_has(const struct config *c, const struct pci_function *f)
{
	if (f->header != PCI_HEADER_BRIDGE || f->lost || !f->express || f->express > 0x100 - 0x1c)
		return false;
	uint32_t caps = get(c, f, CAPS, 2), type = caps >> 4 & 0xf;
	return (type == TYPE_ROOT_PORT || type == TYPE_DOWNSTREAM) && caps & CAPS_SLOT && get(c, f, SLOT_CAPS, 4) & HOT;
}

bool slot_watched(const struct config *c, const struct pci_function *f)
{
	return get(c, f, SLOT_CONTROL, 2) & ON_HAPPENED;
}

uint32_t slot_message(const struct config *c, const struct pci_function *f)
{
	return get(c, f, CAPS, 2) >> 9 & 0x1f;
}

uint32_t slot_status(const struct config *c, const struct pci_function *f)
{
	return get(c, f, SLOT_STATUS, 2);
}

/* What has happened is cleared by writing ones (§7.8.11). */
void slot_clear(const struct config *c, const struct pci_function *f, uint32_t happened)
{
	set(c, f, SLOT_STATUS, 2, happened & ~(uint32_t)SLOT_THERE);
}

bool slot_is_on(const struct config *c, const struct pci_function *f)
{
	return !(get(c, f, SLOT_CAPS, 4) & HAS_SWITCH) || !(get(c, f, SLOT_CONTROL, 2) & POWER_OFF);
}

/* A write is a command; before it is done there must be no other (§6.7.3.2). */
static void command(const struct config *c, const struct pci_function *f, uint32_t off, uint32_t on)
{
	uint32_t old = get(c, f, SLOT_CONTROL, 2), new = (old & ~off) | on;

	if (new == old)
		return;
	slot_clear(c, f, SLOT_DONE);
	set(c, f, SLOT_CONTROL, 2, new);
	for (unsigned ms = 0; !(get(c, f, SLOT_CAPS, 4) & NEVER_DONE) && !(slot_status(c, f) & SLOT_DONE) && ms < DONE_MS; ms++)
		sleep_ms(1);
	slot_clear(c, f, SLOT_DONE);
}

void slot_watch(const struct config *c, const struct pci_function *f)
{
	uint32_t caps = get(c, f, SLOT_CAPS, 4);

	command(c, f, 0, (caps & HAS_BUTTON ? ON_PRESSED : 0) | ON_CHANGED | ON_HAPPENED | (get(c, f, PCI_LINK_CAPS, 4) & PCI_LINK_TELLS ? ON_LINK : 0));
}

status_t slot_on(const struct config *c, const struct pci_function *f)
{
	uint32_t caps = get(c, f, SLOT_CAPS, 4);

	command(c, f, (caps & HAS_SWITCH ? POWER_OFF : 0) | (caps & HAS_LIGHT ? LIGHT : 0), caps & HAS_LIGHT ? LIGHT_ON : 0);
	for (unsigned ms = 0; get(c, f, PCI_LINK_CAPS, 4) & PCI_LINK_TELLS && !(get(c, f, PCI_LINK_STATUS, 2) & PCI_LINK_UP); ms++) {
		if (ms == DONE_MS)
			return ERR_TIMED_OUT;
		sleep_ms(1);
	}
	sleep_ms(SETTLE_MS);            /* what is there need not answer earlier (§6.6.1) */
	return OK;
}

void slot_off(const struct config *c, const struct pci_function *f)
{
	uint32_t caps = get(c, f, SLOT_CAPS, 4);

	command(c, f, caps & HAS_LIGHT ? LIGHT : 0, (caps & HAS_SWITCH ? POWER_OFF : 0) | (caps & HAS_LIGHT ? LIGHT_OFF : 0));
}

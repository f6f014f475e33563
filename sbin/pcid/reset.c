/*
 * reset: see reset.h.
 */
#include "reset.h"
#include "slot.h"
#include "wait.h"

enum {
	EXPRESS_CAPS = 4, EXPRESS_CONTROL = 8, EXPRESS_STATUS = 10, EXPRESS_CAN_RESET = 1 << 28, EXPRESS_RESET = 1 << 15, EXPRESS_PENDING = 1 << 5,
	AF_CAPS = 3, AF_CONTROL = 4, AF_STATUS = 5, AF_CAN_RESET = 2, AF_RESET = 1, AF_PENDING = 1,
	POWER_CONTROL = 4, POWER_STATE = 3, POWER_D3 = 3, POWER_KEEPS_STATE = 8,
	BRIDGE_CONTROL = 0x3e, BUS_RESET = 0x40, NOT_YET = 0x0001 /* Configuration Request Retry (PCI Express 3.0 §2.3.2) */,
	WAIT_MS = 100, ANSWER_MS = 1000, POWER_MS = 10, HOLD_MS = 2,
};

static void change(const struct config *c, uint16_t at, uint32_t reg, uint32_t off, uint32_t on)
{
	c->write(c->ctx, at, reg, 2, (config_get(c, at, reg, 2) & ~off) | on);
}

/* ---- what there is ---- */

/* The bridge behind which the function is alone; NULL: there is none. */
static const struct pci_function *own_bridge(const struct pci_function *list, size_t n, const struct pci_function *f)
{
	const struct pci_function *bridge = NULL;
	uint8_t bus = f->at >> 8;

	if (f->header != PCI_HEADER_DEVICE)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (list[i].header == PCI_HEADER_BRIDGE && !list[i].lost && list[i].secondary == bus && list[i].at >> 8 < bus)
			bridge = &list[i];
		if (list[i].at >> 8 == bus && list[i].at != f->at)
			return NULL;
	}
	return bridge;
}

enum reset_kind reset_kind(const struct config *c, const struct pci_function *list, size_t n, const struct pci_function *f)
{
	uint32_t af = pci_find(c, f, PCI_CAP_AF), power = pci_find(c, f, PCI_CAP_POWER);

	if (f->express && config_get(c, f->at, f->express + EXPRESS_CAPS, 4) & EXPRESS_CAN_RESET)
		return RESET_EXPRESS;
	if (af && config_get(c, f->at, af + AF_CAPS, 1) & AF_CAN_RESET)
		return RESET_AF;
	if (power && !(config_get(c, f->at, power + POWER_CONTROL, 2) & POWER_KEEPS_STATE))
		return RESET_POWER;
	return own_bridge(list, n, f) ? RESET_BUS : RESET_NONE;
}

static bool pending(const struct config *c, const struct pci_function *f, uint32_t af)
{
	return (f->express && config_get(c, f->at, f->express + EXPRESS_STATUS, 2) & EXPRESS_PENDING) || (af && config_get(c, f->at, af + AF_STATUS, 1) & AF_PENDING);
}

/* ---- the ways ---- */

/* Whether the bridge says that the link behind it is up. */
static bool link_up(const struct config *c, uint16_t bridge)
{
	struct pci_function b;

	if (!pci_look(c, bridge, &b) || !pci_leads_to_link(c, &b) || !(config_get(c, bridge, b.express + PCI_LINK_CAPS, 4) & PCI_LINK_TELLS))
		return false;
	return config_get(c, bridge, b.express + PCI_LINK_STATUS, 2) & PCI_LINK_UP;
}

/* Nothing behind a link answers before it is up, if it ever was; a tenth of a second later everything does, or says that it is not ready yet. */
static void wait_for_bus(const struct config *c, uint16_t bridge, uint16_t at, bool was_up)
{
	for (unsigned ms = 0; was_up && ms < ANSWER_MS && !link_up(c, bridge); ms++)
		sleep_ms(1);
	sleep_ms(WAIT_MS);
	for (unsigned ms = 0; ms < ANSWER_MS; ms++) {
		uint32_t vendor = config_get(c, at, PCI_VENDOR, 2);
		if (vendor != 0xffff && vendor != NOT_YET)
			break;
		sleep_ms(1);
	}
}

/* That the link went down is no news of the slot, if what is in it is the same as before. */
static void forget_link(const struct config *c, uint16_t bridge, uint16_t at, uint32_t id)
{
	struct pci_function b;

	if (config_get(c, at, PCI_VENDOR, 4) == id && pci_look(c, bridge, &b) && slot_has(c, &b))
		slot_clear(c, &b, SLOT_CHANGED | SLOT_LINK_CHANGED);
}

static void awake(const struct config *c, uint16_t at, uint32_t power)
{
	change(c, at, power + POWER_CONTROL, POWER_STATE, 0);
	sleep_ms(POWER_MS);
}

static void reset_power(const struct config *c, const struct pci_function *f, struct bar_journal *j)
{
	uint32_t power = pci_find(c, f, PCI_CAP_POWER);

	bars_begin_reset(c, f, j, (uint16_t)power, 0);
	change(c, f->at, power + POWER_CONTROL, POWER_STATE, POWER_D3);
	sleep_ms(POWER_MS);
	awake(c, f->at, power);
	bars_end(c, j);
}

static void reset_bus(const struct config *c, uint16_t bridge, const struct pci_function *f, struct bar_journal *j)
{
	uint32_t id = config_get(c, f->at, PCI_VENDOR, 4);
	bool was_up = link_up(c, bridge);

	bars_begin_reset(c, f, j, 0, bridge);
	change(c, bridge, BRIDGE_CONTROL, 0, BUS_RESET);
	sleep_ms(HOLD_MS);
	change(c, bridge, BRIDGE_CONTROL, BUS_RESET, 0);
	wait_for_bus(c, bridge, f->at, was_up);
	forget_link(c, bridge, f->at, id);
	bars_end(c, j);
}

static void reset_self(const struct config *c, const struct pci_function *f, bool express, uint32_t af, struct bar_journal *j)
{
	bars_begin(c, f, j);
	if (express)
		change(c, f->at, f->express + EXPRESS_CONTROL, 0, EXPRESS_RESET);
	else
		c->write(c->ctx, f->at, af + AF_CONTROL, 1, AF_RESET);
	sleep_ms(WAIT_MS);                      /* it need not answer earlier */
	bars_end(c, j);
}

void reset(const struct config *c, const struct pci_function *list, size_t n, const struct pci_function *f, struct bar_journal *j)
{
	uint32_t af = pci_find(c, f, PCI_CAP_AF);
	enum reset_kind kind = reset_kind(c, list, n, f);

	for (unsigned ms = 0; ms < WAIT_MS && pending(c, f, af); ms++)
		sleep_ms(1);
	switch (kind) {
	case RESET_EXPRESS:
	case RESET_AF:
		reset_self(c, f, kind == RESET_EXPRESS, af, j);
		break;
	case RESET_POWER:
		reset_power(c, f, j);
		break;
	case RESET_BUS:
		reset_bus(c, own_bridge(list, n, f)->at, f, j);
		break;
	case RESET_NONE:
		break;
	}
}

void reset_roll_back(const struct config *c, const struct bar_journal *j)
{
	if (!bars_journal_good(j))
		return;
	if (j->bridge) {
		change(c, j->bridge, BRIDGE_CONTROL, BUS_RESET, 0);
		wait_for_bus(c, j->bridge, j->at, true);
		forget_link(c, j->bridge, j->at, j->id);
		return;
	}
	sleep_ms(WAIT_MS);
	if (j->power)
		awake(c, j->at, j->power);
}

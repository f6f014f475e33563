/*
 * ioapic: routes device interrupts (global system interrupts, GSIs) to CPUs (Intel 82093AA data sheet).
 *
 * Each IO-APIC serves the GSIs from its gsi_base on. Its registers lie behind an index and a data
 * window, so a lock goes around each pair of accesses; `low` remembers the lower half of every entry,
 * which saves the read when a line is masked and unmasked around each interrupt.
 */
#include <abi/mmio.h>
#include <abi/objects.h>
#include <kernel/acpi.h>
#include <kernel/arch.h>
#include <kernel/log.h>
#include <kernel/spinlock.h>

enum {
	SELECT = 0x00, WINDOW = 0x10,
	REG_VERSION = 1, REG_ENTRY = 0x10,
	ENTRY_ACTIVE_LOW = 1 << 13, ENTRY_LEVEL = 1 << 15, ENTRY_MASKED = 1 << 16,
	PINS_MAX = 120,                 /* two indices each, and the index has eight bits (82093AA section 3.0) */
};
_Static_assert(REG_ENTRY + 2 * PINS_MAX == 0x100, "the last entry ends with the index space");

struct ioapic {
	struct spinlock   lock;         /* covers window and low */
	volatile uint8_t *regs;
	uint32_t gsi_base, n_pins;      /* fixed after ioapic_init */
	uint32_t low[PINS_MAX];
};

static struct ioapic ioapics[ACPI_IOAPICS_MAX];
static uint32_t n_ioapics, gsi_count;

static volatile uint32_t *window_locked(struct ioapic *a, uint32_t reg)
{
	MMIO(uint32_t, a->regs + SELECT) = reg;
	mmio_apart();
	return (volatile uint32_t *)(a->regs + WINDOW);
}

/* NULL: no IO-APIC has this GSI. */
static struct ioapic *find(uint32_t gsi)
{
	for (uint32_t i = 0; i < n_ioapics; i++)
		if (gsi >= ioapics[i].gsi_base && gsi - ioapics[i].gsi_base < ioapics[i].n_pins)
			return &ioapics[i];
	return NULL;
}

void ioapic_init(void)
{
	for (uint32_t i = 0; i < acpi.n_ioapics; i++) {
		struct ioapic *a = &ioapics[n_ioapics];
		a->regs = mmio_map(acpi.ioapics[i].address, WINDOW + 4, CACHE_UNCACHED);
		if (!a->regs)
			continue;
		a->gsi_base = acpi.ioapics[i].gsi_base;
		uint32_t version = *window_locked(a, REG_VERSION);
		if (version == UINT32_MAX || a->gsi_base > UINT32_MAX - 256) {
			klog("ioapic: nothing answers at 0x%lx", acpi.ioapics[i].address);
			continue;
		}
		a->n_pins = MIN((version >> 16 & 0xff) + 1, (uint32_t)PINS_MAX);
		for (uint32_t pin = 0; pin < a->n_pins; pin++) {
			a->low[pin] = ENTRY_MASKED;
			*window_locked(a, REG_ENTRY + 2 * pin) = ENTRY_MASKED;
			*window_locked(a, REG_ENTRY + 2 * pin + 1) = 0;
		}
		gsi_count = MAX(gsi_count, a->gsi_base + a->n_pins);
		n_ioapics++;
	}
	klog("ioapic: %u with %u GSIs", n_ioapics, gsi_count);
}

struct irq_pin ioapic_isa(uint32_t isa_irq)
{
	for (uint32_t i = 0; i < acpi.n_isos; i++)
		if (acpi.isos[i].irq == isa_irq)
			return (struct irq_pin){ acpi.isos[i].gsi, acpi.isos[i].level, acpi.isos[i].active_low };
	return (struct irq_pin){ .gsi = isa_irq };      /* ISA's own way: edge, active high */
}

bool ioapic_route(struct irq_pin pin, uint8_t vector, uint32_t target_apic_id)
{
	struct ioapic *a = find(pin.gsi);

	if (!a || target_apic_id >= 0xff)       /* an entry has eight bits for the target; 255: all CPUs */
		return false;
	uint32_t at = pin.gsi - a->gsi_base;
	spin_lock(&a->lock);
	*window_locked(a, REG_ENTRY + 2 * at) = ENTRY_MASKED;     /* never half a route that is live */
	*window_locked(a, REG_ENTRY + 2 * at + 1) = target_apic_id << 24;
	a->low[at] = ENTRY_MASKED | vector | (pin.level ? ENTRY_LEVEL : 0) | (pin.active_low ? ENTRY_ACTIVE_LOW : 0);
	*window_locked(a, REG_ENTRY + 2 * at) = a->low[at];
	spin_unlock(&a->lock);
	return true;
}

void ioapic_mask(uint32_t gsi, bool masked)
{
	struct ioapic *a = find(gsi);

	if (!a)
		return;
	uint32_t at = gsi - a->gsi_base;
	spin_lock(&a->lock);
	a->low[at] = masked ? a->low[at] | ENTRY_MASKED : a->low[at] & ~(uint32_t)ENTRY_MASKED;
	*window_locked(a, REG_ENTRY + 2 * at) = a->low[at];
	spin_unlock(&a->lock);
}

uint32_t ioapic_gsi_count(void)
{
	return gsi_count;
}

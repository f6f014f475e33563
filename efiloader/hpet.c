/*
 * hpet: the High Precision Event Timer's main counter, only to measure the TSC against
 * (IA-PC HPET 1.0a). Only the counter's low half is read: 32-bit counters then need no case of
 * their own, and no 64-bit read can be torn. Its registers are where the firmware maps them, if it does.
 */
#include "loader.h"
#include "clock_source.h"
#include "cpu.h"

enum {
	CAPABILITIES_PERIOD = 0x004,    /* upper half of the capabilities: femtoseconds per tick */
	CONFIG = 0x010,
	COUNTER = 0x0f0,
	CONFIG_ENABLE = 1, CONFIG_LEGACY = 2,
	PERIOD_MAX = 100000000,         /* 10 MHz at least (section 2.3.4) */
};

static volatile uint8_t *hpet;

static uint32_t read32(unsigned offset) { return *(volatile uint32_t *)(hpet + offset); }
static uint32_t read_counter(void) { return read32(COUNTER); }

/*
 * The firmware maps what its memory map describes; of the rest, registers among it, nothing is promised (UEFI
 * 2.10 §2.3.4). So a look at its page tables, which are mapped themselves (Intel SDM 3A §4.5).
 */
static bool is_mapped(uint64_t address)
{
	const uint64_t present = 1, large = 1 << 7, next = 0x000ffffffffff000ull;
	int levels = read_cr4() & CR4_LA57 ? 5 : 4;
	uint64_t table = read_cr3() & next;
	if (address >> (12 + 9 * levels - 1))
		return false;           /* not of the lower half */
	for (int level = levels; level > 0; level--) {
		uint64_t entry = ((const uint64_t *)table)[address >> (12 + 9 * (level - 1)) & 511];
		if (!(entry & present))
			return false;
		if (level == 1 || (level <= 3 && entry & large))
			return true;
		table = entry & next;
	}
	return false;
}

bool hpet_start(struct clock_source *s, uint64_t address)
{
	if (!address || !is_mapped(address) || !is_mapped(address + COUNTER + 3))
		return false;
	hpet = (volatile uint8_t *)address;
	uint32_t period = read32(CAPABILITIES_PERIOD);
	if (period == 0 || period > PERIOD_MAX || period == UINT32_MAX) {
		note("hpet: impossible period, %u fs", (uint64_t)period);
		return false;
	}
	/* Legacy routing off: it would take irq 0 and irq 8 away from PIT and RTC. */
	uint32_t config = read32(CONFIG);
	*(volatile uint32_t *)(hpet + CONFIG) = (config & ~(uint32_t)CONFIG_LEGACY) | CONFIG_ENABLE;
	*s = (struct clock_source){ .name = "HPET", .read = read_counter, .period_fs = period, .bits = 32 };
	return true;
}

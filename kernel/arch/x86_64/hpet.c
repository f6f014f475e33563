/*
 * hpet: the High Precision Event Timer's main counter, only to measure the TSC against
 * (IA-PC HPET 1.0a). Only the counter's low half is read: 32-bit counters then need no case of
 * their own, and no 64-bit read can be torn.
 */
#include "clock_source.h"
#include <abi/objects.h>
#include <kernel/acpi.h>
#include <kernel/arch.h>
#include <kernel/log.h>

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

bool hpet_start(struct clock_source *s)
{
	if (!acpi.hpet)
		return false;
	hpet = mmio_map(acpi.hpet, 0x400, CACHE_UNCACHED);
	if (!hpet)
		return false;
	uint32_t period = read32(CAPABILITIES_PERIOD);
	if (period == 0 || period > PERIOD_MAX || period == UINT32_MAX) {
		klog("hpet: impossible period, %u fs", period);
		return false;
	}
	/* Legacy routing off: it would take irq 0 and irq 8 away from PIT and RTC. */
	uint32_t config = read32(CONFIG);
	*(volatile uint32_t *)(hpet + CONFIG) = (config & ~(uint32_t)CONFIG_LEGACY) | CONFIG_ENABLE;
	*s = (struct clock_source){ .name = "HPET", .read = read_counter, .period_fs = period, .bits = 32 };
	return true;
}

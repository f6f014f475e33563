/*
 * clock: the processor's time stamp counter as the kernel's clock. Its rate was measured by the loader.
 *
 * Reading it is a multiplication: ns = (ticks * mult) >> 32 in 128 bits, mult = 2^32 * 10^9 / Hz.
 * The rounding of mult is below 10^-9 for any TSC up to 4 GHz, far better than the measurement.
 */
#include <abi/objects.h>
#include <kernel/arch.h>
#include <kernel/panic.h>
#include <kernel/percpu.h>
#include <kernel/x86.h>

uint64_t clock_tsc_hz;
/* A whole page, since programs map it; read-only there. */
static struct clock_page page[PAGE_SIZE / sizeof(struct clock_page)] aligned(PAGE_SIZE);
static uint64_t tick_mult;              /* ticks per ns, 32.32 */

void clock_init(uint64_t hz)
{
	if (hz < BOOT_TSC_HZ_MIN || hz > BOOT_TSC_HZ_MAX)
		panic("boot information: the TSC cannot run at %lu Hz", hz);
	tick_mult = ((hz / NS_PER_SEC) << 32) + ((hz % NS_PER_SEC) << 32) / NS_PER_SEC;
	page->mult = (NS_PER_SEC << 32) / hz;
	page->base = rdtsc();
	page->tsc_hz = hz;
	clock_tsc_hz = hz;
}

uint64_t clock_tsc_to_ns(uint64_t delta)
{
	return (uint64_t)((unsigned __int128)delta * page->mult >> 32);
}

uint64_t clock_at(uint64_t tsc)
{
	return clock_tsc_to_ns(tsc - page->base);
}

uint64_t clock_ns(void)
{
	return clock_at(rdtsc());
}

uint64_t clock_ns_to_tsc(uint64_t ns)
{
	unsigned __int128 ticks = ((unsigned __int128)ns * tick_mult >> 32) + 1;
	return ticks > UINT64_MAX ? UINT64_MAX : (uint64_t)ticks;
}

uint64_t clock_tsc_at(uint64_t ns)
{
	uint64_t ticks = clock_ns_to_tsc(ns);
	return ticks > UINT64_MAX - page->base ? UINT64_MAX : page->base + ticks;
}

uint64_t clock_page_phys(void)
{
	page->cpus = cpu_count;
	return kernel_phys_of(page);
}

void clock_delay_us(uint32_t us)
{
	/* Before calibration: as if the TSC were fast, so that a delay may be too long, never too short. */
	uint64_t start = rdtsc();
	uint64_t ticks = clock_tsc_hz ? clock_ns_to_tsc(us * NS_PER_US) : us * 4000ull;

	while (rdtsc() - start < ticks)
		cpu_pause();
}

/*
 * clock: the rate of the processor's time stamp counter, which is the kernel's clock. Measured once the firmware is
 * left, for nothing else runs then.
 *
 * What CPUID says exactly (leaf 15h with the crystal's frequency), if a reference agrees to one percent; else what
 * the HPET says; else the PIT; else the MHz of leaf 16h: rounded, and 0.1 to 0.4 % beside the truth on processors
 * that do not tell their crystal. Both references are sampled at the two ends of one window of WINDOW_NS, so measuring
 * twice costs no more time than measuring once, and what disagrees is named in the log. Options: nohpet, clock=hpet|pit|cpuid.
 *
 * A TSC that stops in sleep states or changes its rate (CPUID 80000007h EDX bit 8 clear) is used all
 * the same, and said: emulators clear the bit, and processors that old have other problems.
 */
#include "acpi.h"
#include "clock.h"
#include "clock_source.h"
#include "config.h"
#include "cpu.h"

#define WINDOW_NS  (5 * NS_PER_MS)      /* a 100 ns error of sampling is then 20 ppm */
#define HZ_GUESS   1000000000ull        /* nothing to measure with: time runs, but at an unknown rate */

enum { TRIES = 8, ATTEMPTS = 8, LOOKS_MIN = 1000, SPINS_MAX = 20000000 };

struct sample { uint64_t tsc; uint32_t count; };

struct reference {
	struct clock_source source;
	bool     there;
	struct sample start, end;
	uint64_t hz;                    /* the TSC's rate; 0: not known by this one */
};

/*
 * One reading of the counter with the TSC at its middle. Of a few tries the quickest counts: an SMI or
 * a host that ran something else in between shows as a slow one. Not unrolled: each round must run the
 * code that the round before warmed up (an emulator needs 10 us for code it sees first).
 */
static struct sample take_sample(const struct clock_source *s)
{
	struct sample best = { 0 };
	uint64_t best_gap = UINT64_MAX;

#pragma clang loop unroll(disable)
	for (int i = 0; i < TRIES; i++) {
		uint64_t before = rdtsc();
		uint32_t count = s->read();
		uint64_t gap = rdtsc() - before;
		if (gap < best_gap) {
			best_gap = gap;
			best.tsc = before + gap / 2;
			best.count = count;
		}
	}
	return best;
}

static uint64_t elapsed_ns(const struct clock_source *s, uint32_t from, uint32_t to)
{
	uint32_t mask = s->bits < 32 ? (1u << s->bits) - 1 : UINT32_MAX;
	return ((to - from) & mask) * s->period_fs / 1000000;
}

/*
 * Waits for WINDOW_NS on the counter. False: it does not move, by many looks and a long time; either alone
 * may be a host that stopped us. *gap: the longest time between two looks; a host may have run others for longer than a PIT lap.
 */
static bool wait_window(const struct reference *r, uint64_t *gap)
{
	uint64_t limit = WINDOW_NS * 50, last = r->start.tsc;

	*gap = 0;
	for (uint32_t i = 0; i < SPINS_MAX; i++) {
		bool     done = elapsed_ns(&r->source, r->start.count, r->source.read()) >= WINDOW_NS;
		uint64_t now = rdtsc();
		*gap = MAX(*gap, now - last);
		last = now;
		if (done)
			return true;
		if (i > LOOKS_MIN && now - r->start.tsc > limit)
			return false;
		__asm__ volatile("pause");
	}
	return false;
}

/* The TSC's rate by this reference; 0 if it cannot be true. */
static uint64_t rate(const struct reference *r)
{
	uint64_t ns = elapsed_ns(&r->source, r->start.count, r->end.count);
	uint64_t ticks = r->end.tsc - r->start.tsc;

	/* A window that took so much longer is no measurement, and its product would overflow. */
	if (ns < WINDOW_NS / 2 || ticks > UINT64_MAX / NS_PER_SEC)
		return 0;
	uint64_t hz = ticks * NS_PER_SEC / ns;
	if (hz >= BOOT_TSC_HZ_MIN && hz <= BOOT_TSC_HZ_MAX)
		return hz;
	note("clock: %s finds %u Hz for the TSC, not believed", r->source.name, hz);
	return 0;
}

/*
 * Measures with what is there. False: not certain, worth another try. That is so if nobody looked at the
 * PIT for most of the window: it may have gone round, which makes the TSC look too fast; hence the
 * lowest of several uncertain rates is kept.
 */
static bool measure(struct reference *hpet, struct reference *pit)
{
	struct reference *lead = hpet->there ? hpet : pit;
	uint64_t gap;

	if (!lead->there)
		return true;
	if (hpet->there)
		hpet->start = take_sample(&hpet->source);
	if (pit->there)
		pit->start = take_sample(&pit->source);
	if (!wait_window(lead, &gap)) {
		note("clock: %s does not count", lead->source.name);
		lead->there = false;
		return false;
	}
	if (hpet->there)
		hpet->end = take_sample(&hpet->source);
	if (pit->there)
		pit->end = take_sample(&pit->source);
	if (hpet->there)
		hpet->hz = rate(hpet);
	if (pit->there) {
		uint64_t hz = rate(pit);
		bool certain = hz && gap <= (pit->end.tsc - pit->start.tsc) / 4 * 3;
		if (certain || (hz && !hpet->hz && (!pit->hz || hz < pit->hz)))
			pit->hz = hz;
		return certain || hpet->hz;
	}
	return hpet->hz;
}

/* Intel SDM vol. 2A, CPUID leaves 15h and 16h. 0: not told, or not believable. *exact: from a crystal that is told. */
static uint64_t cpuid_hz(bool *exact)
{
	if (cpuid(0, 0).a < 0x15)
		return 0;
	struct cpuid ratio = cpuid(0x15, 0);
	*exact = ratio.c != 0;
	if (ratio.a == 0 || ratio.b == 0)
		return 0;
	uint64_t hz = 0;
	if (ratio.c)
		hz = (uint64_t)ratio.c * ratio.b / ratio.a;
	else if (cpuid(0, 0).a >= 0x16)
		hz = (uint64_t)(cpuid(0x16, 0).a & 0xffff) * 1000000;
	return hz >= BOOT_TSC_HZ_MIN && hz <= BOOT_TSC_HZ_MAX ? hz : 0;
}

static bool close_to(uint64_t a, uint64_t b)
{
	return (a > b ? a - b : b - a) <= b / 100;
}

/* On the command line. */
static bool given(const struct boot_info *info, const char *word)
{
	size_t len;
	return config_word((const char *)info->cmdline, word, &len);
}

static bool invariant(void)
{
	return cpuid(0x80000000, 0).a >= 0x80000007 && cpuid(0x80000007, 0).d & 1 << 8;
}

void clock_measure(struct boot_info *info)
{
	struct reference hpet = { 0 }, pit = { 0 };
	bool exact = false;
	uint64_t told = cpuid_hz(&exact);

	if (!given(info, "nohpet") && !given(info, "nohpet=1") && !given(info, "clock=pit"))
		hpet.there = hpet_start(&hpet.source, info->acpi.hpet);
	if (!given(info, "clock=hpet"))
		pit.there = pit_start(&pit.source);
	for (int i = 0; i < ATTEMPTS && !measure(&hpet, &pit); i++)
		;
	if (pit.there)
		pit_stop();

	uint64_t measured = hpet.hz ? hpet.hz : pit.hz;
	if (hpet.hz && pit.hz && !close_to(hpet.hz, pit.hz))
		note("clock: HPET finds %u Hz, PIT %u Hz; the HPET is believed", hpet.hz, pit.hz);
	if (given(info, "clock=cpuid") && told)
		measured = 0;
	if (told && measured && !close_to(told, measured)) {
		note("clock: CPUID says %u Hz, measured %u Hz; CPUID is not believed", told, measured);
		told = 0;
	}
	if (measured && !exact)
		told = 0;

	uint64_t hz = told ? told : measured ? measured : HZ_GUESS, mhz = (hz + 500000) / 1000000;
	const char *by = told ? "CPUID" : hpet.hz ? "HPET" : pit.hz ? "PIT" : "guess: nothing to measure it with";
	note("clock: TSC %u.%u%u%u GHz by %s%s", mhz / 1000, mhz / 100 % 10, mhz / 10 % 10, mhz % 10, by,
	     invariant() ? "" : ", not invariant");
	info->tsc_hz = hz;
}

/*
 * A processor of 3 GHz beside counters of 10 MHz. Expected: CPUID is believed where it tells its crystal and a measurement
 * agrees; the rounded MHz of leaf 16h only if nothing could be measured, or if the command line says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "cpu.h"

#define TRUE_HZ  3000000000ull
#define CRYSTAL  24000000u

static uint64_t tsc_now;
static uint32_t crystal, mhz;
static bool hpet_there, pit_there;

static struct cpuid told(uint32_t leaf)
{
	switch (leaf) {
	case 0:    return (struct cpuid){ .a = 0x16 };
	case 0x15: return (struct cpuid){ .a = 2, .b = 250, .c = crystal };
	case 0x16: return (struct cpuid){ .a = mhz };
	default:   return (struct cpuid){ 0 };
	}
}

#define cpuid(leaf, sub) told(leaf)
#define rdtsc()          (tsc_now += 30)
#include "clock.c"

static uint32_t count(void)
{
	return (uint32_t)(tsc_now / 300);
}

static bool start(struct clock_source *s, const char *name, bool there)
{
	*s = (struct clock_source){ .name = name, .read = count, .period_fs = 100000000, .bits = 32 };
	return there;
}

bool hpet_start(struct clock_source *s, uint64_t address unused) { return start(s, "HPET", hpet_there); }
bool pit_start(struct clock_source *s) { return start(s, "PIT", pit_there); }
void pit_stop(void) {}
void note(const char *format unused, ...) {}

const char *config_word(const char *cmdline, const char *word, size_t *len)
{
	*len = 0;
	return strcmp(cmdline, word) ? NULL : "";
}

static void who_is_believed(void **state unused)
{
	static const struct { uint32_t crystal, mhz; bool hpet, pit; const char *cmdline; uint64_t hz; bool measured; } cases[] = {
		{ CRYSTAL, 3010, true, true, "", TRUE_HZ, false },
		{ CRYSTAL, 3010, false, false, "", TRUE_HZ, false },
		{ CRYSTAL / 2, 3010, true, true, "", TRUE_HZ, true },
		{ 0, 3010, true, true, "", TRUE_HZ, true },
		{ 0, 3010, false, true, "", TRUE_HZ, true },
		{ 0, 3010, false, false, "", 3010000000, false },
		{ 0, 3010, true, true, "clock=cpuid", 3010000000, false },
		{ 0, 0, true, true, "clock=cpuid", TRUE_HZ, true },
		{ 0, 0, false, false, "", HZ_GUESS, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct boot_info info = { .cmdline = (uint64_t)cases[i].cmdline };
		crystal = cases[i].crystal;
		mhz = cases[i].mhz;
		hpet_there = cases[i].hpet;
		pit_there = cases[i].pit;
		clock_measure(&info);
		uint64_t off = cases[i].measured ? TRUE_HZ / 10000 : 0;        /* the counters are no finer */
		assert_in_range(info.tsc_hz, cases[i].hz - off, cases[i].hz + off);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(who_is_believed) };
	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}

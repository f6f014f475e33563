/*
 * source: see source.h. RDSEED and RDRAND: Intel SDM vol. 1 §7.3.17, and the "Digital Random Number
 * Generator Software Implementation Guide" 2.1, §5.2 and §5.3 for the retries.
 */
#include "source.h"
#include <cpuid.h>
#include <rt/io.h>
#include <rt/ipc.h>
#include <string.h>

enum { RDRAND_TRIES = 10, RDSEED_TRIES = 100, PROCESSOR_WORDS = 8, JITTER_SAMPLES = 1024, FULL_BITS = 256 };

static bool rdrand(uint64_t *v)
{
	bool ok;
	for (int i = 0; i < RDRAND_TRIES; i++) {
		__asm__ volatile("rdrand %0" : "=r"(*v), "=@ccc"(ok));
		if (ok)
			return true;
	}
	return false;
}

/* Unlike RDRAND it runs dry when many draw at once. */
static bool rdseed(uint64_t *v)
{
	bool ok;
	for (int i = 0; i < RDSEED_TRIES; i++) {
		__asm__ volatile("rdseed %0" : "=r"(*v), "=@ccc"(ok));
		if (ok)
			return true;
		__builtin_ia32_pause();
	}
	return false;
}

/* Draws words; false if there were too few or they repeat: some processors gave all ones after a suspend. */
static bool draw(bool (*next)(uint64_t *), uint64_t words[PROCESSOR_WORDS])
{
	for (int i = 0; i < PROCESSOR_WORDS; i++) {
		if (!next(&words[i]))
			return false;
		for (int k = 0; k < i; k++)
			if (words[k] == words[i])
				return false;
	}
	return true;
}

void source_processor(struct pool *p, struct sources *s)
{
	unsigned a, b, c, d;
	uint64_t words[PROCESSOR_WORDS];
	uint32_t bits = 0;

	/* RDSEED's words are full entropy. RDRAND's come from a generator reseeded from it now and then: a quarter. */
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & 1u << 18) && draw(rdseed, words))
		bits = 64 * PROCESSOR_WORDS;
	else if (__get_cpuid(1, &a, &b, &c, &d) && (c & 1u << 30) && draw(rdrand, words))
		bits = 64 * PROCESSOR_WORDS / 4;
	else
		return;
	/* 128 bits of a RDRAND draw are not enough alone: draw until they are. */
	pool_add(p, words, sizeof(words), bits);
	s->processor += bits;
	if (bits < FULL_BITS && draw(rdrand, words)) {
		pool_add(p, words, sizeof(words), bits);
		s->processor += bits;
	}
	wipe(words, sizeof(words));
}

void source_firmware(struct pool *p, handle_t boot, struct sources *s)
{
	struct boot_info info;
	uint64_t done;

	if (!boot || frame_read(boot, 0, &info, sizeof(info), &done) < 0 || done < sizeof(info) || info.magic != BOOT_MAGIC)
		return;
	uint32_t len = MIN(info.entropy_len, (uint32_t)sizeof(info.entropy));
	/* All zero: nobody filled it, or it was erased. */
	uint8_t any = 0;
	for (uint32_t i = 0; i < len; i++)
		any |= info.entropy[i];
	uint32_t bits = any ? MIN(8 * len, 2u * FULL_BITS) : 0;
	pool_add(p, info.entropy, len, bits);
	pool_add(p, &info.time_unix, sizeof(info.time_unix), 0);
	pool_add(p, &info.tsc_exit, sizeof(info.tsc_exit), 0);
	s->firmware += bits;
	wipe(&info, sizeof(info));
}

void source_jitter(struct pool *p, struct sources *s)
{
	static uint64_t deltas[JITTER_SAMPLES];
	static volatile uint8_t memory[8 * KiB];
	uint64_t before = __builtin_ia32_rdtsc(), now;
	uint32_t at = (uint32_t)before;

	/* A walk through memory that misses caches irregularly, and a way into the kernel and back. */
	for (int i = 0; i < JITTER_SAMPLES; i++) {
		for (int k = 0; k < 16; k++) {
			at = at * 1103515245 + 12345;
			memory[(at >> 16) % sizeof(memory)]++;
		}
		syscall_nop();
		now = __builtin_ia32_rdtsc();
		deltas[i] = now - before;
		at ^= (uint32_t)deltas[i];
		before = now;
	}
	uint32_t bits = jitter_bits(deltas, JITTER_SAMPLES);
	pool_add(p, deltas, sizeof(deltas), bits);
	s->jitter += bits;
	wipe(deltas, sizeof(deltas));
}

void source_identity(struct pool *p, uint64_t instance)
{
	struct { uint64_t pid, instance, clock, tsc, start; } id = { .instance = instance, .tsc = __builtin_ia32_rdtsc() };
	struct process_info info;

	if (process_info(0, &info) >= 0) {
		id.pid = info.pid;
		id.start = info.start_time_ns;
	}
	if (clock_now(&id.clock) < 0)
		id.clock = 0;
	pool_add(p, &id, sizeof(id), 0);
}

/*
 * drbg: see drbg.h.
 */
#include "drbg.h"
#include <string.h>

void wipe(void *p, size_t len)
{
	memset(p, 0, len);
	__asm__ volatile("" : : "r"(p) : "memory");
}

/* Overwrites `len` bytes of zeros with key stream, from its beginning. A key is used once. */
static void stream(const uint8_t key[DRBG_KEY], void *zeros, size_t len)
{
	static const uint8_t nonce[12];

	br_chacha20_ct_run(key, nonce, 0, zeros, len);
}

static void refill(struct drbg *d)
{
	uint8_t block[DRBG_BLOCK] = { 0 };

	stream(d->key, block, sizeof(block));
	memcpy(d->key, block, DRBG_KEY);
	memcpy(d->ready, block + DRBG_KEY, sizeof(d->ready));
	d->left = sizeof(d->ready);
	wipe(block, sizeof(block));
}

static void take(struct drbg *d, void *out, size_t len)
{
	if (d->left < len)
		refill(d);
	uint8_t *from = d->ready + sizeof(d->ready) - d->left;
	memcpy(out, from, len);
	wipe(from, len);
	d->left -= len;
}

void drbg_reseed(struct drbg *d, const uint8_t seed[DRBG_KEY])
{
	br_sha256_context h;

	br_sha256_init(&h);
	br_sha256_update(&h, d->key, DRBG_KEY);
	br_sha256_update(&h, seed, DRBG_KEY);
	br_sha256_out(&h, d->key);
	wipe(&h, sizeof(h));
	wipe(d->ready, sizeof(d->ready));
	d->left = 0;
	d->given = 0;
}

void drbg_bytes(struct drbg *d, void *out, size_t len)
{
	d->given += len;
	if (len <= sizeof(d->ready) / 4) {
		take(d, out, len);
		return;
	}
	/* Much at once: under a key of its own. */
	uint8_t key[DRBG_KEY];
	take(d, key, sizeof(key));
	memset(out, 0, len);
	stream(key, out, len);
	wipe(key, sizeof(key));
}

void pool_init(struct pool *p)
{
	br_sha256_init(&p->hash);
	p->bits = 0;
}

void pool_add(struct pool *p, const void *data, size_t len, uint32_t bits)
{
	/* Lengths go in too, so that two inputs are never the same as one of both. */
	uint64_t n = len;

	br_sha256_update(&p->hash, &n, sizeof(n));
	br_sha256_update(&p->hash, data, len);
	p->bits = MIN(p->bits + bits, 1u << 20);
}

void pool_draw(struct pool *p, uint8_t seed[DRBG_KEY])
{
	br_sha256_out(&p->hash, seed);
	wipe(p, sizeof(*p));
	pool_init(p);
}

uint32_t jitter_bits(const uint64_t *deltas, size_t n)
{
	uint32_t counts[256] = { 0 }, most = 0;
	size_t run = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t low = (uint8_t)deltas[i];
		counts[low]++;
		most = MAX(most, counts[low]);
		/* 41 in a row: once in 2^40 if each sample held a single bit. */
		run = i > 0 && (uint8_t)deltas[i - 1] == low ? run + 1 : 1;
		if (run > 40)
			return 0;
	}
	if (n < 256 || most > n / 2)
		return 0;
	uint32_t log2 = 63 - (uint32_t)__builtin_clzll(n / most);
	return (uint32_t)(n * log2 / 4);
}

/*
 * drbg: the generator, and the pool that seeds it. Pure; ChaCha20 and SHA-256 are BearSSL's
 * constant-time code.
 *
 * Why ChaCha20 with fast key erasure (D. J. Bernstein, "Fast-key-erasure random-number generators",
 * 2017) and not HMAC-DRBG: one key, no parameters, about a tenth of the work per byte, and what was
 * given out cannot be computed from what is in memory later: each block of key stream begins with the
 * next key, which replaces the old one before anything else is given away, and bytes given out
 * are erased here.
 */
#pragma once
#include <abi/types.h>
#include <bearssl.h>

#define DRBG_KEY   32
#define DRBG_BLOCK 1024             /* key stream made at once: the next key, then bytes to give */
#define DRBG_CHUNK 4096             /* most that one drbg_bytes may ask for */

struct drbg {
	uint8_t  key[DRBG_KEY];
	uint8_t  ready[DRBG_BLOCK - DRBG_KEY];  /* the last `left` bytes are unused, the rest erased */
	size_t   left;
	uint64_t given;             /* bytes since the last reseed */
};

/* The new key depends on the old one and on all of `seed`: a bad seed never makes things worse. */
void drbg_reseed(struct drbg *d, const uint8_t seed[DRBG_KEY]);
void drbg_bytes(struct drbg *d, void *out, size_t len);     /* len <= DRBG_CHUNK */

/* What was collected since the last draw, and how many unpredictable bits it is believed to hold. */
struct pool { br_sha256_context hash; uint32_t bits; };
void pool_init(struct pool *p);
void pool_add(struct pool *p, const void *data, size_t len, uint32_t bits);
void pool_draw(struct pool *p, uint8_t seed[DRBG_KEY]);     /* empties it */

/* memset that the compiler may not leave out. */
void wipe(void *p, size_t len);

/*
 * How many bits `n` time differences are worth: from the share of the most common value of their low byte
 * (NIST SP 800-90B §6.3.1), a quarter of it for caution; 0 if one value repeats too often in a row
 * (§4.4.1) or makes up more than half.
 */
uint32_t jitter_bits(const uint64_t *deltas, size_t n);

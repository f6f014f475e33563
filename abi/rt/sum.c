/*
 * sum: the check sum of kept state (rt/state.h). Pure, and fast rather than strong: a multiplication for eight bytes.
 */
#include <rt/state.h>
#include <string.h>

uint64_t state_sum(uint64_t seed, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t h = seed ^ 0xcbf29ce484222325ull;

	/* Freestanding code gets a call from memcpy, and one load from this. */
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t w;
		__builtin_memcpy(&w, p, 8);
		h = (h ^ w) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 29;
	}
	for (; len > 0; p++, len--)
		h = (h ^ *p) * 0x100000001b3ull;
	return h ^ h >> 32;
}

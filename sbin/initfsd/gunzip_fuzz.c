/*
 * gunzip_fuzz: any bytes as a gzip file, and the library under it with the sanitizers. Expected: all of the file was used, or there is a
 * reason; never more than there is room for, and what can be rescued is within what was written.
 */
#include "gunzip.c"
#include <stdlib.h>
#include <string.h>

#define LIMIT (1u << 18)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t room = gunzip_room(size, LIMIT);
	uint8_t *out = calloc(1, room ? room : 1);          /* exact, so that a byte too many is seen */
	struct gunzip g = gunzip(data, size, out, room);

	if (g.out > room || g.unverified > room - g.out || g.in > size || (!g.why && g.unverified))
		abort();
	if (g.why) {
		size_t n = gunzip_rescued(&g, out, room);
		if (n < g.out || n > room)
			abort();
	}
	free(out);
	return 0;
}

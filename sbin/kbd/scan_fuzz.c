/*
 * Any bytes in either set: codes are keys', and the decoder never counts below nothing.
 */
#include <stdlib.h>
#include "scan.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scan s = { .set = size && data[0] & 1 ? 1 : 2 };
	uint16_t code;
	bool down;

	for (size_t i = 1; i < size; i++) {
		if (scan_byte(&s, data[i], &code, &down) == SCAN_KEY && (code == 0 || code >= INPUT_CODES))
			abort();
		if (s.left > 2 || (s.prefix && s.prefix != 0xe0 && s.prefix != 0xe1))
			abort();
	}
	return 0;
}

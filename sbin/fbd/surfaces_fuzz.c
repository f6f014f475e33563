/*
 * Clients' messages and fbd's deaths as the fuzzer will have them (fake.h): every answer and every pixel is the model's.
 * The first byte chooses the screen.
 */
#include "fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t kind = size ? data[0] % 4 : 0;

	dice = dice_end = NULL;
	setup(kind == 3 ? 2 : kind == 2 ? 3 : 4, kind == 3 ? 0xf800 : kind ? 0xff : 0xff0000, kind == 3 ? 0x7e0 : 0xff00, kind == 3 ? 0x1f : kind ? 0xff0000 : 0xff);
	if (size)
		play(data + 1, MIN(size - 1, 2000ul), false);
	check();
	teardown();
	return 0;
}

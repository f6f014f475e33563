/*
 * inffast_fuzz: any bytes as raw deflate data, in pieces as the first two say. Expected: what zlib makes of them.
 */
#include <stdio.h>
#include "both.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct both b = { 0 };

	if (size < 2)
		return 0;
	both_begin(&b, data + 2, size - 2);
	both_run(&b, data[0] < 128 ? 1u + data[0] : 1000000, data[1] < 128 ? 64 + 8u * data[1] : 40000);
	both_end(&b);
	return 0;
}

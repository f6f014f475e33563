/*
 * gunzip_fuzz: any bytes as a gzip file. Expected: an end or a reason, within the limit.
 */
#include "../../lib/zfast/crc.c"
#include "gunzip.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gunzip g;
	static uint8_t buf[3000];
	size_t n = 0, got;

	gunzip_begin(&g, data, size, 1 << 20);
	while ((got = gunzip_read(&g, buf, sizeof(buf))) > 0)
		n += got;
	if (n > 1 << 20 || (!g.why && !g.ended))
		abort();
	gunzip_end(&g);
	return 0;
}

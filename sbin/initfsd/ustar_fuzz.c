/*
 * ustar_fuzz: any bytes as an archive. Expected: the walk ends, names that come out are clean, and
 * no more data is delivered than went in.
 */
#include <stdlib.h>
#include "ustar.c"

struct input { const uint8_t *data; size_t size; };

static size_t from_input(void *ctx, void *buf, size_t len)
{
	struct input *in = ctx;
	size_t n = MIN(len, in->size);
	memcpy(buf, in->data, n);
	in->data += n;
	in->size -= n;
	return n;
}

/* Most random headers die at the checksum: repair it where a header may begin. */
static void repair(uint8_t *data, size_t size)
{
	for (size_t at = 0; at + USTAR_BLOCK <= size; at += USTAR_BLOCK) {
		unsigned sum = 0;
		if (data[at + CHKSUM] & 1)
			continue;
		memset(data + at + CHKSUM, ' ', CHKSUM_LEN);
		for (size_t i = 0; i < USTAR_BLOCK; i++)
			sum += data[at + i];
		for (int i = 5; i >= 0; i--, sum >>= 3)
			data[at + CHKSUM + i] = (uint8_t)('0' + (sum & 7));
		data[at + CHKSUM + 6] = 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ustar u;
	static struct ustar_entry e;
	uint8_t *copy = malloc(size + 1);
	memcpy(copy, data, size);
	repair(copy, size);
	struct input in = { copy, size };
	uint64_t delivered = 0;
	char buf[700];

	ustar_init(&u, from_input, &in);
	while (ustar_next(&u, &e) == USTAR_ENTRY) {
		if (e.path_len >= USTAR_PATH_MAX || e.path[e.path_len] || strlen(e.path) != e.path_len)
			abort();
		if (e.type != USTAR_BAD && (e.path[0] == '/' || strstr(e.path, "//") || strstr(e.path, "/../")
		    || !strncmp(e.path, "../", 3)))
			abort();
		size_t got;
		while ((got = ustar_data(&u, buf, sizeof(buf))) > 0)
			delivered += got;
		if (delivered > size)
			abort();
	}
	free(copy);
	return 0;
}

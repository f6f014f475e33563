/*
 * A virtio device that writes whatever the fuzzer likes: into its configuration space and, between our steps, anywhere into a queue's memory.
 * Expected: nothing out of bounds; each token comes back at most once and only after it was shown; descriptors are neither lost nor doubled.
 */
#include "caps.c"
#include "queue.c"
#include <stdlib.h>

enum { TOKENS = 4096 };

static const uint8_t *space;

static uint32_t read(void *ctx unused, uint32_t reg, uint32_t width)
{
	uint32_t v = 0;

	if (reg % width || reg > END - width)
		abort();
	memcpy(&v, space + reg, width);
	return v;
}

static void look_for_parts(const uint8_t *data, size_t size)
{
	static uint8_t bytes[END];
	struct virtio_caps c;

	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, data, MIN(size, sizeof(bytes)));
	space = bytes;
	if (!virtio_caps_find(&c, read, NULL))
		return;
	for (uint32_t i = 1; i < VIRTIO_PARTS; i++)
		if (c.part[i].length && (c.part[i].bar >= BARS || c.part[i].offset + c.part[i].length < c.part[i].offset))
			abort();
}

static uint32_t free_count(const struct virtq *q)
{
	uint32_t n = 0;

	for (uint16_t at = q->free; n < q->n_free; n++, at = q->next[at])
		if (at >= q->size)
			abort();
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool out[TOKENS];
	static uint16_t length[TOKENS], count[TOKENS];
	static struct virtq q;
	uint32_t next = 0, shown = 0, with_device = 0, len;
	uint64_t token;

	look_for_parts(data, size);
	if (size < 1)
		return 0;
	uint16_t n = (uint16_t)(1u << data[0] % 9);
	uint64_t bytes = VIRTQ_BYTES(n);
	uint8_t *memory = aligned_alloc(16, ALIGN_UP(bytes, 16ull));
	memset(memory, 0, bytes);
	memset(out, 0, sizeof(out));
	virtq_init(&q, memory, n);
	for (size_t i = 1; i + 4 <= size; i += 4) {
		const uint8_t *d = data + i;
		struct virtq_buffer b[8];
		uint16_t used;
		switch (d[0] % 4) {
		case 0:
			for (uint32_t k = 0; k < 8; k++)
				b[k] = (struct virtq_buffer){ k, d[3] };
			if (next < TOKENS && virtq_add(&q, b, d[1] % 4, d[2] % 4, next) == OK) {
				out[next] = true;
				length[next] = (uint16_t)(d[2] % 4 * d[3]);
				count[next] = (uint16_t)(d[1] % 4 + d[2] % 4);
				with_device += count[next++];
			}
			break;
		case 1:
			(void)!virtq_publish(&q);
			shown = q.broken ? shown : next;
			break;
		case 2:
			/* One byte anywhere; or what a good device would do next. */
			if (d[3] & 1) {
				memory[(d[1] << 8 | d[2]) % bytes] = d[3];
				break;
			}
			memcpy(&used, memory + VIRTQ_USED_AT(n) + 2, 2);
			memcpy(memory + VIRTQ_USED_AT(n) + 4 + 8ull * (used % n), &(struct virtq_used){ d[1], d[2] }, 8);
			used++;
			memcpy(memory + VIRTQ_USED_AT(n) + 2, &used, 2);
			break;
		default:
			if (virtq_next(&q, &token, &len) != OK)
				break;
			if (token >= shown || !out[token] || len > length[token])
				abort();
			out[token] = false;
			with_device -= count[token];
		}
		if (free_count(&q) + with_device != n)
			abort();
	}
	free(memory);
	return 0;
}

/*
 * Any configuration, any events, any memory of a queue: texts are printable, positions are in range, a key goes up only after it went down, and
 * nothing is read out of bounds.
 */
#include <stdlib.h>
#include "decode.c"

static void left(const uint8_t *data, size_t size)
{
	uint32_t n = 1u << (size ? data[0] % 8 : 0);
	struct raw_event out[DECODE_QUEUE], *buffers = calloc(DECODE_QUEUE, sizeof(*buffers));
	uint8_t *queue = calloc(1, VIRTQ_BYTES(n));
	uint16_t seen = 0;

	memcpy(queue, data, MIN(size, VIRTQ_BYTES(n)));
	memcpy(&seen, data, MIN(size, sizeof(seen)));
	if (decode_left(queue, n, buffers, 0x1000, seen, out) > MIN(n, (uint32_t)DECODE_QUEUE))
		abort();
	free(queue);
	free(buffers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shape s = { 0 };
	struct decoder d = { 0 };
	bool down[INPUT_CODES] = { false };
	struct input_event e;

	left(data, size);
	if (size < DECODE_CONFIG + 64)
		return 0;
	decode_product(&s, data, data[0] % (DECODE_CONFIG + 1));
	for (size_t i = 0; s.product[i]; i++)
		if (s.product[i] < ' ' || s.product[i] > '~' || i + 1 >= sizeof(s.product))
			abort();
	for (uint32_t code = 0; code < 70; code++)
		if (decode_has(data, 8, code))
			decode_axis(&s, code, data + DECODE_CONFIG + code % 40, data[code] % 32);
	for (size_t i = DECODE_CONFIG; i + sizeof(struct raw_event) <= size; i += sizeof(struct raw_event)) {
		struct raw_event raw;
		memcpy(&raw, data + i, sizeof(raw));
		raw.type %= 8;
		if (decode_event(&s, &d, &raw, &e) != DECODED_EVENT)
			continue;
		if (e.type == EV_ABS && (e.value < 0 || e.value > ABS_MOST))
			abort();
		if (e.type == EV_KEY) {
			if (e.code >= INPUT_CODES || e.value > KEY_REPEAT || (e.value == KEY_DOWN) == down[e.code])
				abort();
			down[e.code] = e.value != KEY_UP;
		}
	}
	for (uint32_t code = 0; decode_release(&d, &code, &e);) {
		if (!down[e.code])
			abort();
		down[e.code] = false;
	}
	for (uint32_t code = 0; code < INPUT_CODES; code++)
		if (down[code])
			abort();
	return 0;
}

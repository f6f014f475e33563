/*
 * decode: what a virtio-input device says, as events of a stream (pure; virtio 1.2 section 5.8). Its configuration, its events and the memory
 * that it shares are an attacker's: whatever is in them, what comes out makes sense.
 */
#pragma once
#include <abi/input.h>

enum { DECODE_CONFIG = 128, DECODE_QUEUE = 64 /* buffers for events, a power of two */ };

/* struct virtio_input_event (section 5.8.6), little-endian. */
struct raw_event { uint16_t type, code; uint32_t value; };
_Static_assert(sizeof(struct raw_event) == 8, "wire");

struct axis { int32_t least, most; };           /* least < most; both 0: there is no such axis */

/* What the device says of itself. */
struct shape {
	char     product[INPUT_SOURCE_PRODUCT]; /* printable ASCII, zero-terminated */
	uint32_t keys, rels, axes;  /* how many it says it has */
	uint32_t leds;              /* by code, those up to LED_SCROLLL */
	struct axis axis[ABS_CODES];
};

/* Each takes `size` bytes that the device gave for it, at most DECODE_CONFIG (section 5.8.4). */
void decode_product(struct shape *s, const uint8_t *text, uint32_t size);
uint32_t decode_count(const uint8_t *bitmap, uint32_t size);
bool decode_has(const uint8_t *bitmap, uint32_t size, uint32_t bit);
/* struct virtio_input_absinfo. An axis without a range is none. */
void decode_axis(struct shape *s, uint32_t code, const uint8_t *info, uint32_t size);

/* What outlives an instance. */
struct decoder {
	uint64_t down[INPUT_CODES / 64 + 1];    /* by key code */
	uint8_t  begun;             /* a report has begun */
	uint8_t  reserved[7];
};

enum decoded { DECODED_NOTHING, DECODED_EVENT, DECODED_LOST /* it says that it has dropped events */ };

/* DECODED_EVENT: *out has type, code and value, and d knows of it. Keys without a code of ours, repetitions of what is not down and their like are nothing. */
enum decoded decode_event(const struct shape *s, struct decoder *d, const struct raw_event *raw, struct input_event *out);
bool decode_is_down(const struct decoder *d, uint32_t code);
/* Lets go the first key from *code on that is down. False: none is. */
bool decode_release(struct decoder *d, uint32_t *code, struct input_event *out);

/*
 * What a device put into a queue that its driver did not live to fetch. queue: the memory of a virtqueue of `size` (a power of two, at most
 * DECODE_QUEUE), stopped; each of its descriptors is a buffer of one event in `buffers`, DECODE_QUEUE of them, which the device saw
 * at `address`. seen: how much of the used ring was acted on. Returns how many are in out, oldest first; 0 also if it cannot be.
 */
uint32_t decode_left(const void *queue, uint32_t size, const struct raw_event *buffers, uint64_t address, uint16_t seen, struct raw_event out[DECODE_QUEUE]);

/*
 * decode: see decode.h.
 */
#include "decode.h"
#include <string.h>
#include <virtio/queue.h>

enum { ABSINFO_SIZE = 20, REL_NONE = 0, USED_INDEX = 2, USED_RING = 4 };

/* ---- what it is ---- */

void decode_product(struct shape *s, const uint8_t *text, uint32_t size)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < size && text[i] && n + 1 < sizeof(s->product); i++)
		s->product[n++] = text[i] >= ' ' && text[i] <= '~' ? (char)text[i] : '?';
	s->product[n] = 0;
}

uint32_t decode_count(const uint8_t *bitmap, uint32_t size)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < size; i++)
		n += (uint32_t)__builtin_popcount(bitmap[i]);
	return n;
}

bool decode_has(const uint8_t *bitmap, uint32_t size, uint32_t bit)
{
	return bit / 8 < size && bitmap[bit / 8] >> bit % 8 & 1;
}

void decode_axis(struct shape *s, uint32_t code, const uint8_t *info, uint32_t size)
{
	struct axis a;

	if (code >= ABS_CODES || size < ABSINFO_SIZE)
		return;
	memcpy(&a, info, sizeof(a));
	s->axis[code] = a.least < a.most ? a : (struct axis){ 0 };
}

/* ---- what it says ---- */

bool decode_is_down(const struct decoder *d, uint32_t code)
{
	return d->down[code / 64] >> code % 64 & 1;
}

static void set_down(struct decoder *d, uint32_t code, bool down)
{
	uint64_t bit = 1ull << code % 64;

	d->down[code / 64] = down ? d->down[code / 64] | bit : d->down[code / 64] & ~bit;
}

/* A key that is pressed while it is down repeats; a button does not. */
static bool key(struct decoder *d, const struct raw_event *raw, struct input_event *out)
{
	if (raw->code == 0 || raw->code >= INPUT_CODES || raw->value > KEY_REPEAT)
		return false;
	bool was = decode_is_down(d, raw->code), down = raw->value != KEY_UP;
	if ((!down && !was) || (down && was && raw->code >= BTN_LEFT))
		return false;
	set_down(d, raw->code, down);
	out->value = !down ? KEY_UP : was ? KEY_REPEAT : KEY_DOWN;
	return true;
}

static bool absolute(const struct shape *s, const struct raw_event *raw, struct input_event *out)
{
	if (raw->code >= ABS_CODES)
		return false;
	const struct axis *a = &s->axis[raw->code];
	if (a->least >= a->most)
		return false;
	int64_t range = (int64_t)a->most - a->least, at = (int64_t)(int32_t)raw->value - a->least;
	at = at < 0 ? 0 : at > range ? range : at;
	out->value = (int32_t)(at * ABS_MOST / range);
	return true;
}

enum decoded decode_event(const struct shape *s, struct decoder *d, const struct raw_event *raw, struct input_event *out)
{
	bool good = false;

	*out = (struct input_event){ .type = raw->type, .code = raw->code, .value = (int32_t)raw->value };
	switch (raw->type) {
	case EV_SYN:
		if (raw->code == SYN_DROPPED)
			return DECODED_LOST;
		good = raw->code == SYN_REPORT && d->begun;
		out->value = 0;
		d->begun = false;
		return good ? DECODED_EVENT : DECODED_NOTHING;
	case EV_KEY:
		good = key(d, raw, out);
		break;
	case EV_REL:
		good = raw->code < REL_CODES && raw->value != REL_NONE;
		break;
	case EV_ABS:
		good = absolute(s, raw, out);
		break;
	default:
		break;
	}
	d->begun |= good;
	return good ? DECODED_EVENT : DECODED_NOTHING;
}

bool decode_release(struct decoder *d, uint32_t *code, struct input_event *out)
{
	for (; *code < INPUT_CODES; ++*code)
		if (decode_is_down(d, *code)) {
			set_down(d, *code, false);
			*out = (struct input_event){ .type = EV_KEY, .code = (uint16_t)*code, .value = KEY_UP };
			return true;
		}
	return false;
}

/* ---- what it left ---- */

uint32_t decode_left(const void *queue, uint32_t size, const struct raw_event *buffers, uint64_t address, uint16_t seen, struct raw_event out[DECODE_QUEUE])
{
	const char *used = (const char *)queue + VIRTQ_USED_AT(size);
	uint16_t index;

	if (size == 0 || size > DECODE_QUEUE || size & (size - 1))
		return 0;
	memcpy(&index, used + USED_INDEX, sizeof(index));
	uint32_t n = (uint16_t)(index - seen);
	if (n > size)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		struct virtq_used u;
		struct virtq_desc desc;
		memcpy(&u, used + USED_RING + sizeof(u) * ((uint16_t)(seen + i) & (size - 1)), sizeof(u));
		if (u.id >= size || u.length != sizeof(out[i]))
			return i;
		memcpy(&desc, (const char *)queue + sizeof(desc) * u.id, sizeof(desc));
		uint64_t at = (desc.address - address) / sizeof(out[i]);
		if (desc.address < address || at >= DECODE_QUEUE)
			return i;
		memcpy(&out[i], &buffers[at], sizeof(out[i]));
	}
	return n;
}

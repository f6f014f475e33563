/*
 * ring: see ring.h.
 */
#include "ring.h"

static struct input_event *slot(const struct ring *r, uint64_t seq)
{
	return &r->slots[seq % (r->keep + RING_SPARE)];
}

void ring_put(const struct ring *r, uint64_t time_ns, uint16_t type, uint16_t code, int32_t value)
{
	uint64_t seq = *r->last + 1;

	*slot(r, seq) = (struct input_event){ .seq = seq, .time_ns = time_ns, .type = type, .code = code, .value = value };
	*r->last = seq;
}

bool ring_has(const struct ring *r, uint64_t seen)
{
	return seen < *r->last;
}

size_t ring_get(const struct ring *r, uint64_t seen, struct input_event *out, size_t max)
{
	uint64_t last = *r->last, first = last > r->keep ? last - r->keep + 1 : 1;
	size_t n = 0;

	if (max > 0 && seen + 1 < first) {
		seen = first - 1;
		out[n++] = (struct input_event){ .seq = seen, .time_ns = slot(r, first)->time_ns, .type = EV_SYN, .code = SYN_DROPPED };
	}
	while (n < max && seen < last) {
		seen++;
		out[n] = *slot(r, seen);
		out[n++].seq = seen;            /* a damaged slot must not break the order */
	}
	return n;
}

/*
 * find: see find.h.
 */
#include "find.h"
#include <string.h>

/* PCI 3.0 section 6.1, 6.2.5; the id is of virtio 1.2 section 5.7.1. */
enum { ID = 0, CLASS = 11, HEADER = 14, BARS_AT = 16, BARS = 6, CLASS_DISPLAY = 3, BAR_IO = 1, BAR_64 = 4, BAR_TYPE = 6, BAR_FLAGS = 15 };
#define VIRTIO_GPU 0x10501af4u

static uint32_t word(const uint8_t *config, uint32_t at)
{
	uint32_t v;

	memcpy(&v, config + at, sizeof(v));
	return v;
}

void find_weigh(struct find *f, const uint8_t config[FIND_CONFIG], uint16_t at, uint64_t screen)
{
	bool virtio = word(config, ID) == VIRTIO_GPU;

	if (config[CLASS] != CLASS_DISPLAY || (config[HEADER] & 0x7f) != 0)
		return;
	if (screen == 0) {
		if (virtio && !f->ours)
			*f = (struct find){ .ours = true, .at = at };
		return;
	}
	for (uint32_t i = 0; i < BARS; i++) {
		uint64_t base = word(config, BARS_AT + 4 * i);
		if (base & BAR_IO)
			continue;
		bool wide = (base & BAR_TYPE) == BAR_64 && i + 1 < BARS;
		base &= ~(uint64_t)BAR_FLAGS;
		if (wide)
			base |= (uint64_t)word(config, BARS_AT + 4 * ++i) << 32;
		if (base && base <= screen && base >= f->base)
			*f = (struct find){ .ours = virtio, .at = at, .base = base };
	}
}

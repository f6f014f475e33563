/*
 * caps: see caps.h.
 */
#include "caps.h"
#include <string.h>

enum {
	STATUS = 0x06, STATUS_LIST = 0x10, BAR0 = 0x10, BARS = 6, BAR_IO = 1, LIST = 0x34, FIRST = 0x40, END = 0x100,
	VENDOR_SPECIFIC = 9,
	/* struct virtio_pci_cap */
	CAP_LEN = 2, CAP_TYPE = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_LENGTH = 12, CAP_SIZE = 16, CAP_MULTIPLIER = 16, CAP_NOTIFY_SIZE = 20,
};

/* What a block must have at least, and be aligned to (section 4.1.4.3 to 4.1.4.6). */
static const struct { uint8_t size, align; } rules[VIRTIO_PARTS] = {
	[VIRTIO_COMMON] = { 56, 4 }, [VIRTIO_NOTIFY] = { 2, 2 }, [VIRTIO_ISR] = { 1, 1 }, [VIRTIO_CONFIG] = { 1, 4 },
};

static void look(struct virtio_caps *caps, virtio_read_config *read, void *ctx, uint32_t reg)
{
	if (reg > END - CAP_SIZE)
		return;
	uint32_t len = read(ctx, reg + CAP_LEN, 1), type = read(ctx, reg + CAP_TYPE, 1), bar = read(ctx, reg + CAP_BAR, 1);
	uint32_t wanted = type == VIRTIO_NOTIFY ? CAP_NOTIFY_SIZE : CAP_SIZE;

	if (type == 0 || type >= VIRTIO_PARTS || bar >= BARS || len < wanted || reg > END - wanted || caps->part[type].length)
		return;
	struct virtio_place p = { read(ctx, reg + CAP_OFFSET, 4), read(ctx, reg + CAP_LENGTH, 4), (uint8_t)bar };
	if (p.length < rules[type].size || p.offset % rules[type].align || p.length > UINT32_MAX - p.offset || read(ctx, BAR0 + 4 * bar, 4) & BAR_IO)
		return;
	caps->part[type] = p;
	if (type == VIRTIO_NOTIFY)
		caps->notify_multiplier = read(ctx, reg + CAP_MULTIPLIER, 4);
}

bool virtio_caps_find(struct virtio_caps *caps, virtio_read_config *read, void *ctx)
{
	memset(caps, 0, sizeof(*caps));
	if (!(read(ctx, STATUS, 2) & STATUS_LIST))
		return false;
	uint32_t reg = read(ctx, LIST, 1) & 0xfc;
	/* No more fit: a list that is longer goes in a circle. */
	for (uint32_t n = 0; reg >= FIRST && n < (END - FIRST) / 4; n++) {
		uint32_t head = read(ctx, reg, 2);
		if ((head & 0xff) == VENDOR_SPECIFIC)
			look(caps, read, ctx, reg);
		reg = head >> 8 & 0xfc;
	}
	/* Registers of 16 bits: an odd distance would split them. */
	return caps->part[VIRTIO_COMMON].length && caps->part[VIRTIO_NOTIFY].length && caps->part[VIRTIO_ISR].length && !(caps->notify_multiplier & 1);
}

/*
 * caps: where a modern virtio device has its registers, as its vendor capabilities in PCI configuration space say (pure; virtio 1.2
 * section 4.1.4). Nothing there is believed: lists may have circles, lengths may lead out of what there is.
 */
#pragma once
#include <abi/types.h>

/* Numbers are cfg_type's. */
enum virtio_part { VIRTIO_COMMON = 1, VIRTIO_NOTIFY = 2, VIRTIO_ISR = 3, VIRTIO_CONFIG = 4, VIRTIO_PARTS = 5 };

/* A piece of a BAR in memory; length 0: there is none. */
struct virtio_place { uint32_t offset, length; uint8_t bar; };

struct virtio_caps {
	struct virtio_place part[VIRTIO_PARTS]; /* by enum virtio_part; [0] is not used */
	uint32_t notify_multiplier;             /* bytes from one queue's notify register to the next one's; 0: all have the same */
};

/* A register of the function's first 256 bytes; width 1, 2 or 4, aligned to it. */
typedef uint32_t virtio_read_config(void *ctx, uint32_t reg, uint32_t width);

/*
 * False: it is no virtio 1.x device that could be driven: a register block is missing, too short or not aligned (the device's own
 * configuration may be absent). Of several blocks of a kind the first that can be used counts; those in I/O BARs cannot.
 */
must_use bool virtio_caps_find(struct virtio_caps *caps, virtio_read_config *read, void *ctx);

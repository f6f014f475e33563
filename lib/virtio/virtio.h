/*
 * virtio: a virtio 1.x device on PCI (virtio 1.2 section 4.1), by the Session that pcid gives its driver (abi/pci.h). In this order:
 *
 *	virtio_open(&v, device);                resets it, and finds its registers
 *	virtio_negotiate(&v, features);
 *	virtio_interrupt(&v, 0, notify, bit);   for each vector, or none
 *	virtio_queue_start(&v, 0, &queue, 64, 0);
 *	virtio_start(&v);                       from here on it may reach memory
 *	virtio_config(&v, 0, &config, sizeof(config));
 *	virtio_memory_make(&v, size, &m);       what is given to it
 *	virtio_close(&v);
 *
 * All calls to pcid are synchronous. Whoever dies leaves nothing: pcid stops the function when the Session ends, and only then the pages
 * that were pinned for it are anybody's. A device that has left reads as all ones everywhere: virtio_alive.
 */
#pragma once
#include "caps.h"
#include "queue.h"

#define VIRTIO_QUEUES  8                /* started at most */
#define VIRTIO_VECTORS 4
#define VIRTIO_NO_VECTOR 0xffffu

enum { VIRTIO_F_VERSION_1 = 32, VIRTIO_F_ACCESS_PLATFORM = 33 };       /* bits of the features that every device may have (section 6) */

/* Memory that the device sees as one piece. */
struct virtio_memory { handle_t frame; uint64_t va, size, address, pin; };

struct virtio_window { volatile uint8_t *at; uint64_t va, mapped; uint32_t size; };     /* registers; at NULL: none */

struct virtio {
	handle_t device, dma;           /* owned */
	struct virtio_window part[VIRTIO_PARTS];
	uint32_t notify_multiplier;
	uint64_t features;              /* that both sides have agreed on */
	handle_t irq[VIRTIO_VECTORS];   /* 0: none */
	struct virtio_memory queue_memory[VIRTIO_QUEUES];
	uint32_t notify_at[VIRTIO_QUEUES];      /* in the window, of the queue with that index */
};

/*
 * device: the function's Session, opened for writing; it is v's from now on, and closed on an error. ERR_NOT_SUPPORTED: no virtio 1.x device.
 * ERR_IO: it does not answer, or cannot be reset. Else what pcid or the kernel says.
 */
must_use status_t virtio_open(struct virtio *v, handle_t device);
/* Stops the device: it reaches no memory any more, and what was pinned for it may be given back. */
void virtio_stop(const struct virtio *v);
/* Stops the device and gives everything back. Also after a device has left, or for a v that is all zero. */
void virtio_close(struct virtio *v);
/* Agrees on those of `wanted` that it offers, and the two that are always needed. ERR_NOT_SUPPORTED: it wants others, or is no version 1. */
must_use status_t virtio_negotiate(struct virtio *v, uint64_t wanted);
/* Binds the interrupt of that vector (below VIRTIO_VECTORS) to a bit of a Notify. ERR_NOT_SUPPORTED: it has no such. */
must_use status_t virtio_interrupt(struct virtio *v, uint32_t vector, handle_t notify, uint32_t bit);
/* The vector that says that the device's configuration has changed. ERR_NO_SPACE: the device has no room for it. */
must_use status_t virtio_config_vector(struct virtio *v, uint16_t vector);
/* Queue `index` with at most `size` descriptors (a power of two). vector: or VIRTIO_NO_VECTOR. ERR_NOT_FOUND: it has no such queue. */
must_use status_t virtio_queue_start(struct virtio *v, uint16_t index, struct virtq *q, uint16_t size, uint16_t vector);
/* The driver is ready. ERR_IO: the device has failed. */
must_use status_t virtio_start(struct virtio *v);
void virtio_notify(const struct virtio *v, uint16_t index);
/* False: it has left, or wants to be reset. */
bool virtio_alive(const struct virtio *v);
/* Bytes of the device's configuration, all of one moment (section 4.1.4.3.1). ERR_INVALID: it has not that many. ERR_IO: it does not hold still. */
must_use status_t virtio_config(const struct virtio *v, uint32_t offset, void *to, uint32_t len);
/* Writes there. */
must_use status_t virtio_config_write(const struct virtio *v, uint32_t offset, uint32_t value);
/* Contiguous, zero, present, pinned; size in bytes. */
must_use status_t virtio_memory_make(const struct virtio *v, uint64_t size, struct virtio_memory *m);
/* The device must not use it any more. */
void virtio_memory_drop(const struct virtio *v, struct virtio_memory *m);

/*
 * device: a virtio-input device on PCI (virtio 1.2 section 5.8): what it is, the queue of its events, and that of its lights. On lib/virtio.
 *
 *	device_open(&d, function, notify, bit);         reset, and asked what it is
 *	device_queues(&d, shelf);                       memory for events, which the next instance finds on the shelf
 *	device_start(&d);
 *	while (device_next(&d, &raw) == OK) ...;        act on it, commit, and then
 *	device_give(&d);                                what was fetched is the device's again
 */
#pragma once
#include <virtio/virtio.h>
#include "decode.h"

enum { DEVICE_STATUS = 16 };    /* changes of lights under way at most */

struct device {
	struct virtio virtio;
	struct virtq events, status;
	struct virtio_memory buffers;   /* DECODE_QUEUE events, then DEVICE_STATUS changes of lights */
	struct shape shape;
	bool     has_irq;           /* else it is to be looked at */
	bool     has_status;
	uint16_t status_busy;       /* by slot */
	uint8_t  lights, lights_known;      /* by code: what it was told, and whether it was */
};

/* function: its Session, opened for writing, d's from now on. ERR_NOT_SUPPORTED: it is no virtio-input device of version 1. */
must_use status_t device_open(struct device *d, handle_t function, handle_t notify, uint32_t bit);
/* Its queues. The memory lies in slots DEVICE_SLOT_QUEUE and DEVICE_SLOT_BUFFERS of the shelf from now on. */
must_use status_t device_queues(struct device *d, handle_t shelf);
enum { DEVICE_SLOT_QUEUE = 0, DEVICE_SLOT_BUFFERS = 1 };
must_use status_t device_start(struct device *d);
/*
 * The next event. ERR_AGAIN: none. ERR_IO: what the device wrote cannot be. Where in the used ring it came from is d->events.seen - 1;
 * it stays in its buffer until device_give.
 */
must_use status_t device_next(struct device *d, struct raw_event *raw);
void device_give(struct device *d);
/* Lights as they are to be, by code; those it has not. What does not fit into the queue now goes when it is called again. ERR_IO: as above. */
must_use status_t device_lights(struct device *d, uint32_t lights);
/* Also of one that has left. */
void device_close(struct device *d);
/* What an instance before left on the shelf (decode_left); 0: nothing, or it cannot be told. */
uint32_t device_left(handle_t shelf, uint32_t size, uint64_t address, uint16_t seen, struct raw_event out[DECODE_QUEUE]);

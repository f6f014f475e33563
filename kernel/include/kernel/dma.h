/*
 * dma: pages held where they are for a device (docs/memory.md).
 */
#pragma once
#include <kernel/vmem.h>

struct dma {
	struct object   obj;
	uint32_t        number;         /* of the device on its bus; fixed */
	struct spinlock lock;           /* covers all below */
	uint32_t        n_pins;         /* also those that are not in the list yet */
	uint64_t        next_id;
	struct list     pins;           /* of struct pin, ids rising */
};

/* Pages [first, first + n) of a Frame; charged to its payer. n: under frame.lock. */
struct pin {
	struct list   in_frame, in_dma;
	struct frame *frame;            /* counted */
	struct dma   *dma;              /* counted */
	uint64_t      first, n, id;
};

bool dma_destroy(struct object *o);

/*
 * slab: how a page of the object allocator is laid out; for slab.c, and for what looks at addresses (kernel/debug).
 */
#pragma once
#include <kernel/list.h>

enum { SLAB_MAGIC = 0x51ab, SLAB_HEADER = 64, SLAB_CLASSES = 13 };

struct slab {
	struct list node;               /* in the class's list while it has a free slot */
	void       *free;               /* first free slot; each holds the next */
	uint32_t    used, fresh;        /* slots in use; slots never used lie from `fresh` on */
	uint32_t    class_index, magic;
};
_Static_assert(sizeof(struct slab) <= SLAB_HEADER, "slab header");
extern const uint16_t slab_classes[SLAB_CLASSES];

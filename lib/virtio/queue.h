/*
 * queue: a split virtqueue (pure: memory that a device shares; virtio 1.2 section 2.7). The device is taken for an attacker: what it
 * writes is checked before it is used, and what we need again is kept where it cannot write. Of the shared memory only the used
 * ring is read. Once something there cannot be, the queue is broken: nothing more is taken from it, and its device is to be reset.
 *
 *	virtq_init(&q, memory, size);           memory: VIRTQ_BYTES(size), zero, at addresses that the device is told (VIRTQ_*_AT)
 *	virtq_add(&q, buffers, n_out, n_in, token);     any number of times, then notify the device if virtq_publish says so
 *	virtq_next(&q, &token, &len);           what it has done
 *
 * One thread.
 */
#pragma once
#include <abi/types.h>
#include <gen/errors.h>

#define VIRTQ_SIZE_MAX 256u

struct virtq_desc { uint64_t address; uint32_t length; uint16_t flags, next; };
_Static_assert(sizeof(struct virtq_desc) == 16, "wire");
struct virtq_used { uint32_t id, length; };
_Static_assert(sizeof(struct virtq_used) == 8, "wire");

/* Offsets in the queue's memory: descriptors, what is available, what was used (section 2.7: aligned to 16, 2, 4). */
#define VIRTQ_AVAIL_AT(size) (16ull * (size))
#define VIRTQ_USED_AT(size)  ALIGN_UP(VIRTQ_AVAIL_AT(size) + 6ull + 2ull * (size), 4ull)
#define VIRTQ_BYTES(size)    (VIRTQ_USED_AT(size) + 6ull + 8ull * (size))

struct virtq_buffer { uint64_t address; uint32_t length; };     /* as the device sees it */

struct virtq {
	uint16_t size;                  /* a power of two, at most VIRTQ_SIZE_MAX */
	volatile struct virtq_desc *desc;
	volatile uint16_t *avail;       /* flags, index, ring */
	volatile uint16_t *used;        /* flags, index, ring of struct virtq_used */
	bool     broken;
	uint16_t added;                 /* our index of what is available */
	uint16_t published;             /* as far as the device was shown it */
	uint16_t seen;                  /* how much of the used ring was read */
	uint16_t free, n_free;          /* descriptors in a list by `next` */
	uint16_t next[VIRTQ_SIZE_MAX];
	uint16_t order[VIRTQ_SIZE_MAX]; /* what the available ring holds */
	struct {
		bool     out;           /* a chain begins here that the device was shown and has not given back */
		uint16_t count;         /* descriptors */
		uint64_t writable;      /* bytes of it that it may write */
		uint64_t token;
	} chain[VIRTQ_SIZE_MAX];
};

/* size: a power of two, 1 to VIRTQ_SIZE_MAX; memory: zero, aligned to 16, borrowed. */
void virtq_init(struct virtq *q, void *memory, uint16_t size);
/*
 * One chain: n_out buffers that the device reads, then n_in that it writes; `token` comes back with it. The device sees it with
 * virtq_publish. ERR_AGAIN: too few descriptors are free. ERR_INVALID: no buffer, or more than the queue can ever have. ERR_IO: broken.
 */
must_use status_t virtq_add(struct virtq *q, const struct virtq_buffer *buffers, uint16_t n_out, uint16_t n_in, uint64_t token);
/* Shows the device what was added. True: it wants to be notified. */
must_use bool virtq_publish(struct virtq *q);
/*
 * The next chain that the device is done with. ERR_AGAIN: none. ERR_IO: what it wrote cannot be, the queue is broken. *len: bytes that it
 * says it has written, at most those that it could; 0 for a chain that it could only read, whatever it says (QEMU 7.2's input devices say what
 * they have read).
 */
must_use status_t virtq_next(struct virtq *q, uint64_t *token, uint32_t *len);

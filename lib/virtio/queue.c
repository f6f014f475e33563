/*
 * queue: see queue.h.
 */
#include "queue.h"
#include <string.h>

enum { DESC_NEXT = 1, DESC_WRITE = 2, USED_NO_NOTIFY = 1, FLAGS = 0, INDEX = 1, RING = 2 };

void virtq_init(struct virtq *q, void *memory, uint16_t size)
{
	memset(q, 0, sizeof(*q));
	q->size = size;
	q->desc = memory;
	q->avail = (volatile uint16_t *)((char *)memory + VIRTQ_AVAIL_AT(size));
	q->used = (volatile uint16_t *)((char *)memory + VIRTQ_USED_AT(size));
	q->n_free = size;
	for (uint16_t i = 0; i < size; i++)
		q->next[i] = (uint16_t)(i + 1);
}

status_t virtq_add(struct virtq *q, const struct virtq_buffer *buffers, uint16_t n_out, uint16_t n_in, uint64_t token)
{
	uint32_t n = (uint32_t)n_out + n_in;
	uint16_t head = q->free, at = head;

	if (q->broken)
		return ERR_IO;
	if (n == 0 || n > q->size)
		return ERR_INVALID;
	if (n > q->n_free)
		return ERR_AGAIN;
	q->chain[head].writable = 0;
	for (uint32_t i = 0; i < n; i++) {
		volatile struct virtq_desc *d = &q->desc[at];
		uint16_t next = q->next[at];
		d->address = buffers[i].address;
		d->length = buffers[i].length;
		d->flags = (uint16_t)((i >= n_out ? DESC_WRITE : 0) | (i + 1 < n ? DESC_NEXT : 0));
		d->next = i + 1 < n ? next : 0;
		if (i >= n_out)
			q->chain[head].writable += buffers[i].length;
		q->free = next;
		at = next;
	}
	q->n_free = (uint16_t)(q->n_free - n);
	q->chain[head].count = (uint16_t)n;
	q->chain[head].token = token;
	q->order[q->added & (q->size - 1)] = head;
	q->avail[RING + (q->added & (q->size - 1))] = head;
	q->added++;
	return OK;
}

bool virtq_publish(struct virtq *q)
{
	if (q->broken || q->published == q->added)
		return false;
	for (; q->published != q->added; q->published++)
		q->chain[q->order[q->published & (q->size - 1)]].out = true;
	/* Descriptors before the index, the index before its question (section 2.7.13). */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	q->avail[INDEX] = q->added;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !(q->used[FLAGS] & USED_NO_NOTIFY);
}

/* The chain's descriptors are free again: ours still say which they are. */
static void give_back(struct virtq *q, uint16_t head)
{
	uint16_t last = head;

	for (uint16_t i = 1; i < q->chain[head].count; i++)
		last = q->next[last];
	q->next[last] = q->free;
	q->free = head;
	q->n_free = (uint16_t)(q->n_free + q->chain[head].count);
	q->chain[head].out = false;
}

status_t virtq_next(struct virtq *q, uint64_t *token, uint32_t *len)
{
	if (q->broken)
		return ERR_IO;
	uint16_t index = q->used[INDEX];
	if (index == q->seen)
		return ERR_AGAIN;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	/* More than it was ever given, or backwards. */
	q->broken = (uint16_t)(index - q->seen) > (uint16_t)(q->published - q->seen);
	if (q->broken)
		return ERR_IO;
	volatile struct virtq_used *u = (volatile struct virtq_used *)(q->used + RING) + (q->seen & (q->size - 1));
	uint32_t id = u->id, length = u->length;        /* read once: it may write on */
	if (id >= q->size || !q->chain[id].out || (q->chain[id].writable && length > q->chain[id].writable)) {
		q->broken = true;
		return ERR_IO;
	}
	q->seen++;
	*token = q->chain[id].token;
	*len = q->chain[id].writable ? length : 0;
	give_back(q, (uint16_t)id);
	return OK;
}

/*
 * index: see index.h. A head, the nodes in the order of their numbers, the names. A checksum covers
 * all of it; every number is checked nevertheless.
 */
#include "index.h"
#include <abi/file.h>
#include <gen/errors.h>
#include <rt/state.h>
#include <string.h>

#define INDEX_MAGIC   0x7865646e69736673ull
#define INDEX_VERSION 2u

struct index_head {
	uint64_t magic;
	uint32_t version;
	uint32_t nodes, names;      /* counts: records, bytes */
	uint32_t zero;
	uint64_t sum;               /* of everything behind the head and of the counts */
};

struct index_node {
	uint32_t parent, name;
	uint64_t size, mtime, sum;
	uint16_t mode;
	uint8_t  type, name_len;
	uint32_t zero;
};

size_t index_size(const struct tree *t)
{
	return sizeof(struct index_head) + t->n * sizeof(struct index_node) + t->names_len;
}

static uint64_t checksum(const struct index_head *h, const void *body, size_t len)
{
	const uint32_t counts[] = { h->nodes, h->names };
	return state_sum(state_sum(0, counts, sizeof(counts)), body, len);
}

void index_write(const struct tree *t, void *buf)
{
	struct index_head *h = buf;
	struct index_node *at = (struct index_node *)(h + 1);
	const void *body = at;

	*h = (struct index_head){ INDEX_MAGIC, INDEX_VERSION, t->n, t->names_len, 0, 0 };
	for (uint32_t i = 0; i < t->n; i++) {
		const struct node *n = &t->nodes[i];
		*at++ = (struct index_node){
			.parent = n->parent, .name = n->name, .size = n->size, .mtime = n->mtime, .sum = n->sum, .mode = n->mode,
			.type = n->type, .name_len = n->name_len,
		};
	}
	memcpy(at, t->names, t->names_len);
	h->sum = checksum(h, body, index_size(t) - sizeof(*h));
}

/* A name that the archive could have given: no separator, no zero byte, not "." or "..". */
static bool name_ok(const char *name, size_t len)
{
	return len > 0 && !memchr(name, '/', len) && !memchr(name, 0, len) && !(len == 1 && name[0] == '.')
	       && !(len == 2 && name[0] == '.' && name[1] == '.');
}

status_t index_read(struct tree *t, const void *buf, size_t size)
{
	const struct index_head *h = buf;

	if (size < sizeof(*h) || h->magic != INDEX_MAGIC || h->version != INDEX_VERSION || h->zero || h->nodes == 0
	    || h->nodes > TREE_NODES_MAX || (size - sizeof(*h)) / sizeof(struct index_node) < h->nodes)
		return ERR_BAD_FORMAT;
	const struct index_node *at = (const struct index_node *)(h + 1);
	const char *names = (const char *)(at + h->nodes);
	size_t body = h->nodes * sizeof(*at) + h->names;
	if (size - sizeof(*h) < body || h->sum != checksum(h, at, body))
		return ERR_BAD_FORMAT;
	for (uint32_t i = 0; i < h->nodes; i++, at++) {
		uint32_t number = 0;
		if (at->type != FILE_REGULAR && at->type != FILE_DIRECTORY)
			return ERR_BAD_FORMAT;
		if (i == 0 && at->type != FILE_DIRECTORY)
			return ERR_BAD_FORMAT;
		if (i > 0) {
			if (at->parent >= i || at->name > h->names || at->name_len > h->names - at->name
			    || !name_ok(names + at->name, at->name_len))
				return ERR_BAD_FORMAT;
			status_t st = tree_put(t, at->parent, names + at->name, at->name_len, at->type, &number);
			if (st < 0)
				return st == ERR_NO_MEMORY ? st : ERR_BAD_FORMAT;
		}
		struct node *n = &t->nodes[number];
		n->size = at->type == FILE_REGULAR ? at->size : 0;
		n->mtime = at->mtime;
		n->mode = at->mode & 0555;
		n->sum = at->sum;
	}
	return OK;
}

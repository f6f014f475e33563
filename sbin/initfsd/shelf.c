/*
 * shelf: see shelf.h. The Frames of files are tagged when they are complete and can no longer be written to; the
 * index, also read-only, gets its tag last. So a tagged index says that all is there. It is checked all the
 * same, content by content: this is the last program that anybody can ask.
 */
#include "shelf.h"
#include "index.h"
#include "load.h"
#include <abi/file.h>
#include <rt/io.h>
#include <rt/ipc.h>
#include <rt/start.h>
#include <rt/state.h>
#include <stdlib.h>

static status_t map_read(handle_t frame, uint64_t size, const void **at)
{
	uint64_t va;
	struct frame_info info;

	status_t st = frame_info(frame, &info);
	if (st >= 0 && info.size < size)
		st = ERR_BAD_FORMAT;
	if (st >= 0)
		st = vmem_map(0, frame, 0, 0, ALIGN_UP(size, PAGE_SIZE), PROT_READ, &va);
	if (st >= 0)
		*at = (const void *)va;
	return st;
}

static void unmap(const void *at, uint64_t size)
{
	MUST(vmem_unmap(0, (uintptr_t)at, ALIGN_UP(size, PAGE_SIZE)));
}

/* The content of file `number`, mapped and compared with its checksum. */
static status_t take_content(struct node *n, uint32_t number, struct legacy *l)
{
	struct legacy_handle *h = legacy_find(l, OBJ_FRAME, TAG(number, KIND_FILE));
	const void *data;

	if (!h || n->size > LOAD_UNPACKED_MAX)
		return ERR_NOT_FOUND;
	status_t st = map_read(h->info.handle, n->size, &data);
	if (st < 0)
		return st;
	if (state_sum(0, data, n->size) != n->sum) {
		unmap(data, n->size);
		return ERR_BAD_FORMAT;
	}
	n->data = data;
	n->frame = h->info.handle;
	h->taken = true;
	return OK;
}

static status_t take_contents(struct tree *t, struct legacy *l)
{
	status_t st = OK;

	for (uint32_t i = 0; st >= 0 && i < t->n; i++)
		if (t->nodes[i].size > 0)
			st = take_content(&t->nodes[i], i, l);
	return st;
}

/* Not whole: the Frames go to the sweep after all. */
static void put_back(struct tree *t, struct legacy *l)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (t->nodes[i].data)
			unmap(t->nodes[i].data, t->nodes[i].size);
	for (uint32_t i = 0; i < l->n; i++)
		if (l->list[i].info.type == OBJ_FRAME && TAG_KIND(l->list[i].info.tag) == KIND_FILE)
			l->list[i].taken = false;
	tree_free(t);
	MUST(tree_init(t));
}

bool shelf_read(struct tree *t, struct legacy *l)
{
	struct legacy_handle *h = legacy_find(l, OBJ_FRAME, TAG(0, KIND_INDEX));
	struct frame_info info;
	const void *at;

	if (!h)
		return false;
	status_t st = frame_info(h->info.handle, &info);
	if (st >= 0)
		st = map_read(h->info.handle, info.size, &at);
	if (st >= 0) {
		st = index_read(t, at, info.size);
		unmap(at, info.size);
	}
	if (st >= 0)
		st = take_contents(t, l);
	if (st < 0) {
		log_print("initfs: what was unpacked before is not whole (%s): unpacking again", error_text(st));
		put_back(t, l);
		return false;
	}
	h->taken = true;
	return true;
}

void shelf_write(const struct tree *t)
{
	size_t size = index_size(t);
	void *buf = malloc(size);
	uint64_t done = 0;
	handle_t whole = 0, frame = 0;

	status_t st = buf ? frame_create(ALIGN_UP(size, PAGE_SIZE), 0, &whole) : ERR_NO_MEMORY;
	if (st >= 0) {
		index_write(t, buf);
		st = frame_write(whole, 0, buf, size, &done);
		if (st >= 0 && done != size)
			st = ERR_NO_MEMORY;
		if (st >= 0)
			st = handle_dup(whole, LOAD_FRAME_RIGHTS, &frame);
		if (st >= 0)
			st = handle_tag(frame, TAG(0, KIND_INDEX));
		handle_close(whole);
	}
	free(buf);
	if (st < 0)
		log_print("initfs: no index (%s): should we end, the next instance unpacks again", error_text(st));
}

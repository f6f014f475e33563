/*
 * legacy: see legacy.h.
 */
#include "legacy.h"
#include <gen/errors.h>
#include <gen/syscalls.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 64 };

static int by_type_and_tag(const void *a, const void *b)
{
	const struct handle_info *x = &((const struct legacy_handle *)a)->info, *y = &((const struct legacy_handle *)b)->info;

	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	if (x->tag != y->tag)
		return x->tag < y->tag ? -1 : 1;
	return x->handle < y->handle ? -1 : x->handle > y->handle;
}

static status_t enter(struct legacy *l, const struct handle_info *info, uint32_t n)
{
	if (l->n + n > l->room) {
		uint32_t room = MAX(2 * l->room, l->n + n);
		struct legacy_handle *list = realloc(l->list, room * sizeof(*list));
		if (!list)
			return ERR_NO_MEMORY;
		l->list = list;
		l->room = room;
	}
	for (uint32_t i = 0; i < n; i++)
		l->list[l->n++] = (struct legacy_handle){ .info = info[i] };
	return OK;
}

status_t legacy_read(struct legacy *l)
{
	struct handle_info batch[BATCH];
	uint32_t at = 0, got;
	status_t st;

	*l = (struct legacy){ 0 };
	do {
		st = handle_list(0, at, batch, BATCH, &got, &at);
		if (st >= 0)
			st = enter(l, batch, got);
	} while (st >= 0 && at);
	if (st < 0) {
		free(l->list);
		*l = (struct legacy){ 0 };
		return st;
	}
	if (l->n > 0)
		qsort(l->list, l->n, sizeof(*l->list), by_type_and_tag);
	return OK;
}

struct legacy_handle *legacy_find(struct legacy *l, uint32_t type, uint32_t tag)
{
	uint32_t low = 0, high = l->n;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		const struct handle_info *i = &l->list[middle].info;
		if (i->type < type || (i->type == type && i->tag < tag))
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < l->n && l->list[low].info.type == type && l->list[low].info.tag == tag; low++)
		if (!l->list[low].taken)
			return &l->list[low];
	return NULL;
}

handle_t legacy_take(struct legacy *l, uint32_t type, uint32_t tag)
{
	struct legacy_handle *h = legacy_find(l, type, tag);

	if (!h)
		return 0;
	h->taken = true;
	return h->info.handle;
}

handle_t legacy_take_kind(struct legacy *l, uint32_t type, uint32_t kind, uint32_t *owner)
{
	for (uint32_t i = 0; i < l->n; i++) {
		struct legacy_handle *h = &l->list[i];
		if (h->taken || h->info.type != type || TAG_KIND(h->info.tag) != kind)
			continue;
		h->taken = true;
		if (owner)
			*owner = TAG_OWNER(h->info.tag);
		return h->info.handle;
	}
	return 0;
}

void legacy_keep(struct legacy *l, handle_t h)
{
	for (uint32_t i = 0; h && i < l->n; i++)
		if (l->list[i].info.handle == h)
			l->list[i].taken = true;
}

void legacy_discard(struct legacy *l, bool (*useless)(const struct handle_info *h))
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < l->n; i++) {
		if (!l->list[i].taken && useless(&l->list[i].info))
			handle_close(l->list[i].info.handle);
		else
			l->list[kept++] = l->list[i];
	}
	l->n = kept;
}

uint32_t legacy_sweep(struct legacy *l)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->n; i++)
		if (!l->list[i].taken) {
			handle_close(l->list[i].info.handle);
			n++;
		}
	free(l->list);
	*l = (struct legacy){ 0 };
	return n;
}

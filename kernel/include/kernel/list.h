/*
 * list: doubly linked, circular, intrusive. A node that is in no list points at itself.
 */
#pragma once
#include <abi/types.h>

struct list { struct list *next, *prev; };

always_inline void list_init(struct list *l) { l->next = l->prev = l; }
always_inline bool list_empty(const struct list *l) { return l->next == l; }
always_inline void list_insert_before(struct list *at, struct list *node)
{
	struct list *prev = at->prev;
	node->next = at;
	node->prev = prev;
	prev->next = node;
	at->prev = node;
}
always_inline void list_push_back(struct list *l, struct list *node)  { list_insert_before(l, node); }
always_inline void list_push_front(struct list *l, struct list *node) { list_insert_before(l->next, node); }
always_inline void list_remove(struct list *node)
{
	struct list *next = node->next, *prev = node->prev;
	prev->next = next;
	next->prev = prev;
	node->next = node->prev = node;
}
#define LIST_FIRST(l, type, field)   CONTAINER_OF((l)->next, type, field)
#define LIST_EACH(pos, l)            for (struct list *pos = (l)->next; pos != (l); pos = pos->next)
#define LIST_EACH_SAFE(pos, tmp, l)  for (struct list *pos = (l)->next, *tmp = pos->next; pos != (l); pos = tmp, tmp = pos->next)

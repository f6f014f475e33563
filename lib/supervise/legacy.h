/*
 * legacy: the handles that an earlier instance left. initfsd and initd run again and again on the same
 * handle table; what a handle is stands in its tag, given as soon as it is made. A new instance
 * reads the table, takes what it knows, and sweeps the rest away: whatever had no tag yet, every duplicate,
 * all that is made anew in each life.
 */
#pragma once
#include <abi/objects.h>

/* Low byte: what the handle is; above: whose (a file's number, a service, an instance). Tag 0: not tagged. */
#define TAG(owner, kind)  ((uint32_t)(owner) << 8 | (uint32_t)(kind))
#define TAG_OWNER(tag)    ((tag) >> 8)
#define TAG_KIND(tag)     ((tag) & 0xff)
#define TAG_OWNER_MAX     0xffffffu

/* On the handles that initd starts with, owner 0: both it and initfsd know them. */
enum initd_start_kind { KIND_START_ROOT = 0xf0, KIND_START_BOOT, KIND_START_NS };

struct legacy_handle {
	struct handle_info info;
	bool taken;                 /* it goes on being used: the sweep leaves it */
};

struct legacy {
	struct legacy_handle *list; /* n of room, by type, tag, handle; owned */
	uint32_t n, room;
};

/* Reads our own table. On error nothing is held. */
must_use status_t legacy_read(struct legacy *l);
/* The first handle not yet taken of this type and tag; NULL: none. Stays not taken. */
struct legacy_handle *legacy_find(struct legacy *l, uint32_t type, uint32_t tag);
/* The same, taken; 0: none. */
handle_t legacy_take(struct legacy *l, uint32_t type, uint32_t tag);
/* The same for any tag of a kind; *owner (may be NULL) is its owner. */
handle_t legacy_take_kind(struct legacy *l, uint32_t type, uint32_t kind, uint32_t *owner);
/* A handle known by its value (0: nothing) is used further. */
void legacy_keep(struct legacy *l, handle_t h);
/*
 * Closes what was not taken and is useless to any instance: first thing in a new life, so that lives that end before
 * their sweep leave no more than one such heap.
 */
void legacy_discard(struct legacy *l, bool (*useless)(const struct handle_info *h));
/* Closes what was not taken and forgets the list. Returns how many there were. */
uint32_t legacy_sweep(struct legacy *l);

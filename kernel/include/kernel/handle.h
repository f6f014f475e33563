/*
 * handle: a process's table of handles. Look-up takes no lock: chunks never move, and objects
 * are freed only after every CPU has left the kernel (object.h). Changes take table.lock.
 */
#pragma once
#include <kernel/object.h>

#define HANDLE_CHUNK        64
#define HANDLE_CHUNKS       (HANDLES_MAX / HANDLE_CHUNK)
#define HANDLE_GENERATIONS  (1u << (31 - HANDLE_INDEX_BITS))

#define HANDLE_TYPE_SHIFT   24

/*
 * Who looks up reads the key, then the rest, then the key again: keys of a slot never repeat, the object is there before its key
 * and goes after it, so that the same key twice means that what lies between belongs to it.
 */
struct handle_entry {
	struct object *object;      /* NULL: free */
	uint32_t       rights;
	uint32_t       key;         /* generation | type << HANDLE_TYPE_SHIFT: one comparison for both; type 0: free.
	                               Generations are 1..HANDLE_GENERATIONS-1; a slot past that is retired */
	uint32_t       tag;
	uint32_t       next_free;   /* slot + 1, while free */
};

struct table {
	struct object        obj;
	struct spinlock      lock;
	uint32_t             n_slots;       /* (f) */
	uint32_t             n_open;
	uint32_t             free_first, free_last;     /* slot + 1; first in, first out, so generations last */
	uint32_t             destroy_next;
	uint16_t             depth;         /* generations of processes above; a handle to a table lies only in one of less */
	struct handle_entry *chunks[HANDLE_CHUNKS];         /* (f) */
};

struct table *table_create(struct budget *payer, uint32_t depth, status_t *why);
bool table_destroy(struct object *o);
must_use status_t table_grow_locked(struct table *t);     /* HANDLE_CHUNK slots more; ERR_LIMIT, ERR_NO_MEMORY */
bool table_close_some(struct table *t);     /* closes up to 32 handles; true: none left */

/* Takes a reference of its own. ERR_LIMIT, ERR_NO_MEMORY. */
must_use status_t handle_install(struct table *t, struct object *o, uint32_t rights, uint32_t tag, handle_t *h);
/* generation 0: the slot's next one; else a fresh table's. ERR_EXISTS. */
must_use status_t handle_install_at(struct table *t, uint32_t slot, uint32_t generation, struct object *o, uint32_t rights, uint32_t tag);
must_use status_t handle_close(struct table *t, handle_t h);
struct handle_entry *handle_slot(struct table *t, uint32_t slot);   /* NULL: beyond the chunks */
/* Keeps a mispredicted bounds check from reading beyond the table (Spectre v1). */
always_inline uint32_t index_nospec(uint32_t i, uint32_t n)
{
	uint32_t mask;
	asm("cmp %2, %1; sbb %0, %0" : "=r"(mask) : "r"(i), "r"(n) : "cc");
	return i & mask;
}
/* The object of exactly this type, if the handle has these rights; else NULL. It is borrowed until the kernel is left. */
always_inline struct object *handle_find(const struct table *t, handle_t h, enum object_type type, uint32_t rights, uint32_t *had)
{
	uint32_t slot = h & (HANDLES_MAX - 1), key = h >> HANDLE_INDEX_BITS | (uint32_t)type << HANDLE_TYPE_SHIFT;
	if (unlikely(slot >= t->n_slots))
		return NULL;
	slot = index_nospec(slot, t->n_slots);
	const struct handle_entry *e = &t->chunks[slot / HANDLE_CHUNK][slot % HANDLE_CHUNK];
	bool found = __atomic_load_n(&e->key, __ATOMIC_ACQUIRE) == key;
	*had = e->rights;
	struct object *object = __atomic_load_n(&e->object, __ATOMIC_ACQUIRE);
	bool same = __atomic_load_n(&e->key, __ATOMIC_RELAXED) == key;
	return likely(found && (*had & rights) == rights && same) ? object : NULL;
}
must_use status_t handle_lookup_any(struct table *t, handle_t h, enum object_type type, uint32_t rights, struct object **o, uint32_t *had);
/* type OBJ_NONE: any. The pointer is borrowed until the kernel is left. ERR_BAD_HANDLE, ERR_WRONG_TYPE, ERR_DENIED: rights are missing. */
must_use always_inline status_t handle_lookup(struct table *t, handle_t h, enum object_type type, uint32_t rights, struct object **o, uint32_t *had)
{
	uint32_t has;
	struct object *object = type == OBJ_NONE ? NULL : handle_find(t, h, type, rights, &has);
	if (unlikely(!object))
		return handle_lookup_any(t, h, type, rights, o, had);
	*o = object;
	if (had)
		*had = has;
	return OK;
}
always_inline handle_t handle_value(uint32_t slot, uint32_t generation) { return generation << HANDLE_INDEX_BITS | slot; }
always_inline uint32_t handle_slots(struct table *t) { return t->n_slots; }
always_inline uint32_t handle_generation(const struct handle_entry *e) { return e->key & ((1u << HANDLE_TYPE_SHIFT) - 1); }

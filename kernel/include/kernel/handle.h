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

/* type OBJ_NONE: any. The pointer is borrowed until the kernel is left. */
must_use status_t handle_lookup(struct table *t, handle_t h, enum object_type type, uint32_t rights, struct object **o, uint32_t *had);
/* Takes a reference of its own. ERR_LIMIT, ERR_NO_MEMORY. */
must_use status_t handle_install(struct table *t, struct object *o, uint32_t rights, uint32_t tag, handle_t *h);
must_use status_t handle_install_at(struct table *t, uint32_t slot, struct object *o, uint32_t rights, uint32_t tag);
must_use status_t handle_close(struct table *t, handle_t h);
struct handle_entry *handle_slot(struct table *t, uint32_t slot);   /* NULL: beyond the chunks */
always_inline handle_t handle_value(uint32_t slot, uint32_t generation) { return generation << HANDLE_INDEX_BITS | slot; }
always_inline uint32_t handle_slots(struct table *t) { return t->n_slots; }
always_inline uint32_t handle_generation(const struct handle_entry *e) { return e->key & ((1u << HANDLE_TYPE_SHIFT) - 1); }

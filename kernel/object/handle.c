/*
 * handle: see handle.h. Slots are reused first in, first out; each reuse raises the generation,
 * and a slot whose generations are used up is never handed out again.
 */
#include <kernel/account.h>
#include <kernel/budget.h>
#include <kernel/handle.h>
#include <kernel/mm.h>
#include <kernel/plant.h>
#include <kernel/syscall.h>

struct table *table_create(struct budget *payer, uint32_t depth, status_t *why)
{
	struct table *t = (struct table *)object_create(OBJ_TABLE, sizeof(struct table), payer, why);
	if (t)
		t->depth = (uint16_t)MIN(depth, UINT16_MAX);
	return t;
}

/* A table in itself, directly or through others, would never go away. */
static bool makes_cycle(const struct table *t, const struct object *o)
{
	return o->type == OBJ_TABLE && ((const struct table *)o)->depth <= t->depth;
}

struct handle_entry *handle_slot(struct table *t, uint32_t slot)
{
	if (slot >= handle_slots(t))
		return NULL;
	slot = index_nospec(slot, handle_slots(t));
	return &t->chunks[slot / HANDLE_CHUNK][slot % HANDLE_CHUNK];
}

status_t handle_lookup_any(struct table *t, handle_t h, enum object_type type, uint32_t rights, struct object **o, uint32_t *had)
{
	struct handle_entry *e = handle_slot(t, h & (HANDLES_MAX - 1));
	uint32_t key = e ? __atomic_load_n(&e->key, __ATOMIC_ACQUIRE) : 0, has = e ? e->rights : 0;
	struct object *object = e ? __atomic_load_n(&e->object, __ATOMIC_ACQUIRE) : NULL;
	if (!object || (key & (HANDLE_GENERATIONS - 1)) != h >> HANDLE_INDEX_BITS || __atomic_load_n(&e->key, __ATOMIC_RELAXED) != key)
		return ERR_BAD_HANDLE;
	if (type != OBJ_NONE && key >> HANDLE_TYPE_SHIFT != type)
		return key >> HANDLE_TYPE_SHIFT ? ERR_WRONG_TYPE : ERR_BAD_HANDLE;
	if ((has & rights) != rights)
		return ERR_DENIED;
	*o = object;
	if (had)
		*had = has;
	return OK;
}

static void free_push_locked(struct table *t, uint32_t slot)
{
	struct handle_entry *e = handle_slot(t, slot);
	e->next_free = 0;
	if (t->free_last)
		handle_slot(t, t->free_last - 1)->next_free = slot + 1;
	else
		t->free_first = slot + 1;
	t->free_last = slot + 1;
}

/*
 * A chunk stays until the table goes: its generations must outlast its handles, and look-up takes no lock. So it is no
 * loss that a busy time leaves it behind, and it is accounted for apart from what must come back.
 */
static void account_chunk(size_t size, bool there)
{
	uint64_t n = there ? kmalloc_takes(size) : -(uint64_t)kmalloc_takes(size);
	ACCOUNT_ADD(table_bytes, n);
	ACCOUNT_SUB(slab_bytes, n);
}

status_t table_grow_locked(struct table *t)
{
	if (t->n_slots == HANDLES_MAX)
		return ERR_LIMIT;
	size_t size = HANDLE_CHUNK * sizeof(struct handle_entry);
	if (budget_charge(t->obj.payer, CHARGE_KERNEL, size) < 0)
		return ERR_NO_MEMORY;
	struct handle_entry *c = kmalloc(size);
	if (!c) {
		budget_release(t->obj.payer, CHARGE_KERNEL, size);
		return ERR_NO_MEMORY;
	}
	account_chunk(size, true);
	uint32_t first = t->n_slots;
	t->chunks[first / HANDLE_CHUNK] = c;
	__atomic_store_n(&t->n_slots, first + HANDLE_CHUNK, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < HANDLE_CHUNK; i++) {
		c[i].key = 1;
		free_push_locked(t, first + i);
	}
	return OK;
}

static void fill_locked(struct table *t, struct handle_entry *e, struct object *o, uint32_t rights, uint32_t tag)
{
	e->rights = rights;
	e->tag = tag;
	t->n_open++;
	ACCOUNT_ADD(handles, 1);
	object_handle_get(o);
	__atomic_store_n(&e->object, o, __ATOMIC_RELEASE);
	__atomic_store_n(&e->key, e->key | (uint32_t)o->type << HANDLE_TYPE_SHIFT, __ATOMIC_RELEASE);
}

status_t handle_install(struct table *t, struct object *o, uint32_t rights, uint32_t tag, handle_t *h)
{
	status_t st = unlikely(makes_cycle(t, o)) ? ERR_DENIED : budget_charge(t->obj.payer, CHARGE_HANDLES, 1);
	if (st < 0)
		return st;
	spin_lock(&t->lock);
	if (!t->free_first)
		st = table_grow_locked(t);
	if (st == OK) {
		uint32_t slot = t->free_first - 1;
		struct handle_entry *e = handle_slot(t, slot);
		t->free_first = e->next_free;
		if (!t->free_first)
			t->free_last = 0;
		fill_locked(t, e, o, rights, tag);
		*h = handle_value(slot, handle_generation(e));
	}
	spin_unlock(&t->lock);
	if (st < 0)
		budget_release(t->obj.payer, CHARGE_HANDLES, 1);
	return st;
}

status_t handle_install_at(struct table *t, uint32_t slot, uint32_t generation, struct object *o, uint32_t rights, uint32_t tag)
{
	status_t st = unlikely(makes_cycle(t, o)) ? ERR_DENIED : budget_charge(t->obj.payer, CHARGE_HANDLES, 1);
	if (st < 0)
		return st;
	spin_lock(&t->lock);
	while (st == OK && slot >= handle_slots(t))
		st = table_grow_locked(t);
	struct handle_entry *e = st == OK ? handle_slot(t, slot) : NULL;
	if (st == OK && e->object)
		st = ERR_EXISTS;
	if (st == OK) {
		/* Unlink the slot from the free list: it is near the front, tables are fresh here. */
		uint32_t *link = &t->free_first, prev = 0;
		while (*link && *link != slot + 1) {
			prev = *link;
			link = &handle_slot(t, *link - 1)->next_free;
		}
		*link = e->next_free;
		if (t->free_last == slot + 1)
			t->free_last = prev;
		if (generation)
			e->key = generation;
		fill_locked(t, e, o, rights, tag);
	}
	spin_unlock(&t->lock);
	if (st < 0)
		budget_release(t->obj.payer, CHARGE_HANDLES, 1);
	return st;
}

static struct object *clear_locked(struct table *t, uint32_t slot)
{
	struct handle_entry *e = handle_slot(t, slot);
	struct object *o = e->object;
	__atomic_store_n(&e->key, handle_generation(e) + !PLANTED(no_generation), __ATOMIC_RELEASE);
	__atomic_store_n(&e->object, NULL, __ATOMIC_RELEASE);
	t->n_open--;
	ACCOUNT_SUB(handles, 1);
	if (e->key < HANDLE_GENERATIONS)
		free_push_locked(t, slot);
	return o;
}

status_t handle_close(struct table *t, handle_t h)
{
	struct object *o;
	spin_lock(&t->lock);
	status_t st = handle_lookup(t, h, OBJ_NONE, 0, &o, NULL);
	if (st == OK)
		clear_locked(t, h & (HANDLES_MAX - 1));
	spin_unlock(&t->lock);
	if (st == OK) {
		budget_release(t->obj.payer, CHARGE_HANDLES, 1);
		if (!PLANTED(no_put))
			object_handle_put(o);
	}
	return st;
}

bool table_close_some(struct table *t)
{
	uint32_t n = handle_slots(t);
	for (unsigned work = 0; t->destroy_next < n && t->n_open; t->destroy_next++) {
		if (!handle_slot(t, t->destroy_next)->object)
			continue;
		if (work++ == 32)
			return false;
		spin_lock(&t->lock);
		struct object *o = clear_locked(t, t->destroy_next);
		spin_unlock(&t->lock);
		budget_release(t->obj.payer, CHARGE_HANDLES, 1);
		object_handle_put(o);
	}
	return true;
}

bool table_destroy(struct object *obj)
{
	struct table *t = (struct table *)obj;
	if (!table_close_some(t))
		return false;
	while (t->n_slots) {
		size_t size = HANDLE_CHUNK * sizeof(struct handle_entry);
		t->n_slots -= HANDLE_CHUNK;
		account_chunk(size, false);
		kfree(t->chunks[t->n_slots / HANDLE_CHUNK], size);
		budget_release(t->obj.payer, CHARGE_KERNEL, size);
	}
	return true;
}

/* ---- system calls ---- */

status_t sys_handle_close(handle_t h)
{
	return handle_close(CURRENT_PROCESS->table, h);
}

status_t sys_handle_dup(handle_t h, uint32_t rights, handle_t *copy)
{
	struct object *o;
	uint32_t had;
	status_t st = handle_lookup(CURRENT_PROCESS->table, h, OBJ_NONE, RIGHT_DUP, &o, &had);
	return st < 0 ? st : handle_install(CURRENT_PROCESS->table, o, PLANTED(rights_grow) ? rights : had & rights, 0, copy);
}

static void fill_info(struct handle_info *info, handle_t h, const struct handle_entry *e, const struct object *o)
{
	*info = (struct handle_info){ .handle = h, .type = o->type, .rights = e->rights, .tag = e->tag, .object_id = o->id };
}

status_t sys_handle_info(handle_t h, struct handle_info *info)
{
	struct object *o;
	status_t st = handle_lookup(CURRENT_PROCESS->table, h, OBJ_NONE, 0, &o, NULL);
	if (st == OK)
		fill_info(info, h, handle_slot(CURRENT_PROCESS->table, h & (HANDLES_MAX - 1)), o);
	return st;
}

status_t sys_handle_tag(handle_t h, uint32_t tag)
{
	struct object *o;
	status_t st = handle_lookup(CURRENT_PROCESS->table, h, OBJ_NONE, 0, &o, NULL);
	if (st == OK)
		handle_slot(CURRENT_PROCESS->table, h & (HANDLES_MAX - 1))->tag = tag;
	return st;
}

status_t sys_handle_list(handle_t process, uint32_t first, user_out_t buf, uint32_t count, uint32_t *got, uint32_t *next)
{
	struct process *p = CURRENT_PROCESS;
	status_t st = process ? LOOKUP(process, OBJ_PROCESS, RIGHT_INSPECT, &p) : OK;
	if (st < 0)
		return st;
	struct table *t = p->table;
	uint32_t n = 0, slot = first, end = t ? handle_slots(t) : 0;
	/* At most 256 slots a call: the caller goes on from *next. */
	for (; slot < end && n < count && slot - first < 256; slot++) {
		struct handle_entry *e = handle_slot(t, slot);
		struct object *o = __atomic_load_n(&e->object, __ATOMIC_ACQUIRE);
		if (!o)
			continue;
		struct handle_info info;
		fill_info(&info, handle_value(slot, handle_generation(e)), e, o);
		st = copy_out(user_out_add(buf, n * sizeof(info)), &info, sizeof(info));
		if (st < 0)
			return st;
		n++;
	}
	*got = n;
	*next = slot < end ? slot : 0;
	return OK;
}

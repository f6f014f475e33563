/*
 * shelf: a handle table of its own, for a service and its supervisor together. What a service puts there outlives its
 * process: each slot is named by a number that the service chose, holds a duplicate, and is replaced by one atomic step.
 *
 * It is a struct table whose slots are addressed directly: no handle value, no generation, no free list that
 * anybody takes from; therefore it has a type of its own and is never taken for a process's table. It and all that
 * it holds is charged to the Budget it was made with.
 *
 * Shelves and tables are refused: one that came to lie on itself would keep itself for ever.
 */
#include <kernel/account.h>
#include <kernel/budget.h>
#include <kernel/handle.h>
#include <kernel/syscall.h>

status_t sys_shelf_create(handle_t budget, handle_t *h)
{
	struct budget *payer = CURRENT_PROCESS->budget;
	status_t st = budget ? LOOKUP(budget, OBJ_BUDGET, RIGHT_MANAGE, &payer) : OK, why = OK;
	if (st < 0)
		return st;
	struct object *o = object_create(OBJ_SHELF, sizeof(struct table), payer, &why);
	return object_install(o, RIGHT_ALL, h, why);
}

/* Puts o into the slot. *old: what lay there, now the caller's to drop. The chunks are there. */
static status_t put_locked(struct table *t, uint32_t slot, struct object *o, uint32_t rights, uint32_t tag, struct object **old)
{
	struct handle_entry *e = handle_slot(t, slot);
	*old = e->object;
	if (!e->object) {
		status_t st = budget_charge(t->obj.payer, CHARGE_HANDLES, 1);
		if (st < 0)
			return st;
		t->n_open++;
		ACCOUNT_ADD(handles, 1);
	}
	object_handle_get(o);
	e->rights = rights;
	e->tag = tag;
	e->key = handle_generation(e) | (uint32_t)o->type << HANDLE_TYPE_SHIFT;
	__atomic_store_n(&e->object, o, __ATOMIC_RELEASE);
	return OK;
}

status_t sys_shelf_put(handle_t shelf, uint32_t slot, handle_t h)
{
	struct table *t;
	struct object *o, *old = NULL;
	uint32_t rights;
	status_t st = LOOKUP(shelf, OBJ_SHELF, RIGHT_WRITE, &t);
	if (st < 0)
		return st;
	st = handle_lookup(CURRENT_PROCESS->table, h, OBJ_NONE, RIGHT_DUP | RIGHT_TRANSFER, &o, &rights);
	if (st < 0)
		return st;
	if (o->type == OBJ_SHELF || o->type == OBJ_TABLE)
		return ERR_WRONG_TYPE;
	if (slot >= SHELF_SLOTS)
		return ERR_INVALID;
	uint32_t tag = handle_slot(CURRENT_PROCESS->table, h & (HANDLES_MAX - 1))->tag;
	spin_lock(&t->lock);
	while (st == OK && slot >= handle_slots(t))
		st = table_grow_locked(t);
	if (st == OK)
		st = put_locked(t, slot, o, rights, tag, &old);
	spin_unlock(&t->lock);
	if (old)
		object_handle_put(old);
	return st;
}

status_t sys_shelf_get(handle_t shelf, uint32_t slot, handle_t *h)
{
	struct table *t;
	status_t st = LOOKUP(shelf, OBJ_SHELF, RIGHT_READ, &t);
	if (st < 0)
		return st;
	spin_lock(&t->lock);
	struct handle_entry *e = handle_slot(t, slot);
	struct object *o = e ? e->object : NULL;
	uint32_t rights = o ? e->rights : 0, tag = o ? e->tag : 0;
	if (o)
		object_handle_get(o);
	spin_unlock(&t->lock);
	if (!o)
		return ERR_NOT_FOUND;
	st = handle_install(CURRENT_PROCESS->table, o, rights, tag, h);
	object_handle_put(o);
	return st;
}

status_t sys_shelf_clear(handle_t shelf, uint32_t slot)
{
	struct table *t;
	status_t st = LOOKUP(shelf, OBJ_SHELF, RIGHT_WRITE, &t);
	if (st < 0)
		return st;
	spin_lock(&t->lock);
	struct handle_entry *e = handle_slot(t, slot);
	struct object *o = e ? e->object : NULL;
	if (o) {
		__atomic_store_n(&e->object, NULL, __ATOMIC_RELEASE);
		e->key = handle_generation(e);
		t->n_open--;
		ACCOUNT_SUB(handles, 1);
	}
	spin_unlock(&t->lock);
	if (o) {
		budget_release(t->obj.payer, CHARGE_HANDLES, 1);
		object_handle_put(o);
	}
	return OK;
}

status_t sys_shelf_list(handle_t shelf, uint32_t first, user_out_t buf, uint32_t count, uint32_t *got, uint32_t *next)
{
	struct table *t;
	status_t st = LOOKUP(shelf, OBJ_SHELF, RIGHT_READ, &t);
	if (st < 0)
		return st;
	uint32_t n = 0, slot = first, end = handle_slots(t);
	/* As handle_list: no lock while user memory is touched, objects stay until this CPU leaves, 256 slots a call. */
	for (; slot < end && n < count && slot - first < 256; slot++) {
		struct handle_entry *e = handle_slot(t, slot);
		struct object *o = __atomic_load_n(&e->object, __ATOMIC_ACQUIRE);
		if (!o)
			continue;
		const struct handle_info info = { .handle = slot, .type = o->type, .rights = e->rights, .tag = e->tag, .object_id = o->id };
		st = copy_out(user_out_add(buf, n * sizeof(info)), &info, sizeof(info));
		if (st < 0)
			return st;
		n++;
	}
	*got = n;
	*next = slot < end ? slot : 0;
	return OK;
}

/*
 * frame: memory in pages. Anonymous pages appear zeroed when first touched. Their addresses are
 * kept in one array up to 512 pages, above that in a tree of 512-way nodes like a page table;
 * nodes appear with the pages below them, and all of it is charged to the Frame's payer.
 */
#include <kernel/account.h>
#include <kernel/budget.h>
#include <kernel/irq.h>
#include <kernel/mm.h>
#include <kernel/panic.h>
#include <kernel/sched.h>
#include <kernel/smp.h>
#include <kernel/syscall.h>
#include <kernel/vmem.h>

#define LEAF 512u
#define CONTIGUOUS_ORDER_MAX 10u        /* 4 MiB: it is cleared in one go */
#define FRAME_PAGES_MAX (1ull << 35)    /* 128 TiB: all a Vmem could hold */

static uint64_t span(unsigned height)   /* pages under one node of this height */
{
	return 1ull << (9 * (height + 1));
}

/* Makes room for n pages; keeps what is there. */
static status_t reserve_locked(struct frame *f, uint64_t n)
{
	if (n > FRAME_PAGES_MAX)
		return ERR_INVALID;
	if (f->height == 0 && n <= f->array_len)
		return OK;
	if (f->height == 0 && n <= LEAF) {
		uint32_t len = n <= 2 ? 2 : n <= 8 ? 8 : n <= 32 ? 32 : n <= 128 ? 128 : LEAF;
		uint64_t *a = len > 2 ? budget_kmalloc(f->obj.payer, len * 8) : f->small;
		if (!a)
			return ERR_NO_MEMORY;
		if (f->root && f->root != a) {
			memcpy(a, f->root, f->array_len * 8);
			if (f->root != f->small)
				budget_kfree(f->obj.payer, f->root, f->array_len * 8);
		}
		f->root = a;
		f->array_len = len;
		return OK;
	}
	if (f->height == 0 && f->array_len != LEAF) {   /* the array becomes a full leaf */
		status_t st = reserve_locked(f, LEAF);
		if (st < 0)
			return st;
	}
	while (span(f->height) < n) {
		uint64_t *node = budget_kmalloc(f->obj.payer, PAGE_SIZE);
		if (!node)
			return ERR_NO_MEMORY;
		node[0] = (uint64_t)f->root;
		f->root = node;
		f->height++;
	}
	return OK;
}

/* The slot of page `index`; make: creates nodes on the way. NULL: not there, or no memory. */
static uint64_t *slot_locked(struct frame *f, uint64_t index, bool make)
{
	if (likely(f->height == 0))
		return &f->root[index];
	uint64_t *node = f->root;
	for (unsigned h = f->height; h > 0; h--) {
		uint64_t *e = &node[index / span(h - 1) % LEAF];
		if (!*e && make)
			*e = (uint64_t)budget_kmalloc(f->obj.payer, PAGE_SIZE);
		if (!*e)
			return NULL;
		node = (uint64_t *)*e;
	}
	return &node[index % LEAF];
}

/* Pages under the first missing node on the way to `index`; 0: its leaf is there. */
static uint64_t hole_locked(struct frame *f, uint64_t index)
{
	uint64_t *node = f->root;
	for (unsigned h = f->height; h > 0; h--) {
		node = (uint64_t *)node[index / span(h - 1) % LEAF];
		if (!node)
			return span(h - 1);
	}
	return 0;
}

struct frame *frame_create(uint64_t size, uint32_t flags, struct budget *payer, status_t *why)
{
	uint64_t n = (size >> PAGE_SHIFT) + ((size & (PAGE_SIZE - 1)) != 0);
	*why = ERR_INVALID;
	if (!size || n > FRAME_PAGES_MAX || (flags & ~FRAME_CONTIGUOUS))
		return NULL;
	struct frame *f = (struct frame *)object_create(OBJ_FRAME, sizeof(*f), payer, why);
	if (!f)
		return NULL;
	list_init(&f->maps);
	if (flags & FRAME_CONTIGUOUS) {
		unsigned order = 0;
		while (1ull << order < n)
			order++;
		f->kind = FRAME_CONTIG;
		*why = order > CONTIGUOUS_ORDER_MAX ? ERR_INVALID : budget_charge(payer, CHARGE_PAGES, 1ull << order);
		if (*why == OK) {
			f->phys = page_alloc_user(payer, order);
			if (f->phys) {
				mem_zero(HHDM(f->phys), PAGE_SIZE << order);
				f->n_pages = f->committed = 1ull << order;
				f->array_len = order;
				ACCOUNT_ADD(pages_frames, f->committed);
				return f;
			}
			budget_release(payer, CHARGE_PAGES, 1ull << order);
			*why = ERR_NO_MEMORY;
		}
	} else {
		*why = reserve_locked(f, n);
		if (*why == OK) {
			f->n_pages = n;
			return f;
		}
	}
	f->n_pages = 0;
	object_put(&f->obj);
	return NULL;
}

struct frame *frame_create_phys(uint64_t phys, uint64_t size, int cache, struct budget *payer, status_t *why)
{
	struct frame *f = (struct frame *)object_create(OBJ_FRAME, sizeof(*f), payer, why);
	if (f) {
		list_init(&f->maps);
		f->kind = FRAME_PHYS;
		f->cache = (uint8_t)cache;
		f->phys = phys;
		f->n_pages = ALIGN_UP(size, PAGE_SIZE) >> PAGE_SHIFT;
	}
	return f;
}

status_t frame_page(struct frame *f, uint64_t index, bool write, uint64_t *phys)
{
	status_t st = OK;
	spin_lock(&f->lock);
	if (unlikely(index >= f->n_pages)) {
		st = ERR_FAULT;
	} else if (f->kind != FRAME_ANONYMOUS) {
		*phys = f->phys + (index << PAGE_SHIFT);
	} else {
		uint64_t *slot = slot_locked(f, index, true);
		if (!slot) {
			st = ERR_NO_MEMORY;
		} else if (*slot) {
			*phys = *slot;
			if (unlikely(f->shared) && write && page_shared(*slot))
				st = STATUS_SHARED;
		} else if ((st = budget_charge(f->obj.payer, CHARGE_PAGES, 1)) == OK) {
			*phys = page_alloc_user_zero(f->obj.payer);
			if (*phys) {
				*slot = *phys;
				f->committed++;
				ACCOUNT_ADD(pages_frames, 1);
			} else {
				budget_release(f->obj.payer, CHARGE_PAGES, 1);
				st = ERR_NO_MEMORY;
			}
		}
	}
	spin_unlock(&f->lock);
	return st;
}

uint64_t frame_peek(struct frame *f, uint64_t index)
{
	uint64_t phys = 0;
	spin_lock(&f->lock);
	if (index < f->n_pages) {
		if (f->kind != FRAME_ANONYMOUS) {
			phys = f->phys + (index << PAGE_SHIFT);
		} else {
			uint64_t *slot = slot_locked(f, index, false);
			phys = slot ? *slot : 0;
		}
	}
	spin_unlock(&f->lock);
	return phys;
}

/*
 * Takes pages away: first from the Frame, so that nobody can map them anew, then from every
 * Vmem that has them, and only then are they free.
 */
void frame_drop_pages(struct frame *f, uint64_t first, uint64_t n, uint64_t *done)
{
	uint64_t end = first + n, at = first, phys[64], base = first, taken = 0;
	spin_lock(&f->lock);
	for (unsigned work = 0; at < end && work < ARRAY_LEN(phys); work++) {
		uint64_t hole = hole_locked(f, at);
		if (hole && taken)
			break;
		if (hole) {
			at = ALIGN_DOWN(at, hole) + hole;
			base = at;
			continue;
		}
		uint64_t *slot = slot_locked(f, at, false);
		phys[at++ - base] = *slot;
		taken += *slot != 0;
		*slot = 0;
	}
	f->committed -= taken;
	spin_unlock(&f->lock);
	*done = MIN(at, end) - first;
	if (!taken)
		return;
	ACCOUNT_SUB(pages_frames, taken);
	if (!list_empty(&f->maps))
		vmem_zap(f, base, phys, at - base, true);
	for (uint64_t i = 0; i < at - base; i++)
		if (phys[i] && !page_unshare(phys[i]))
			phys[i] = 0;
	/*
	 * Another CPU may be copying to or from them, for a command's window or frame_read (found without a count), or be about to take
	 * a page that it shared out of its own Frame's mappings (frame_break).
	 */
	if (f->obj.refs || f->shared) {
		object_get(&f->obj);
		cpus_wait_left();
		OBJ_PUT(f);
	}
	for (uint64_t i = 0; i < at - base; i++)
		if (phys[i])
			page_free(phys[i], 0);
	budget_release(f->obj.payer, CHARGE_PAGES, taken);
}

/* ---- copy on write ---- */

status_t frame_break(struct frame *f, uint64_t index)
{
	uint64_t fresh = page_alloc_user(f->obj.payer, 0), was = 0;
	if (!fresh)
		return ERR_NO_MEMORY;
	spin_lock(&f->lock);
	uint64_t *slot = index < f->n_pages ? slot_locked(f, index, false) : NULL;
	if (slot && *slot && page_shared(*slot)) {
		memcpy(HHDM(fresh), HHDM(*slot), PAGE_SIZE);
		/* The last one keeps it: whoever lets go of a page waits before it frees it, so nobody else does. */
		if (!page_unshare(*slot)) {
			was = *slot;
			*slot = fresh;
		}
	}
	spin_unlock(&f->lock);
	if (was)
		vmem_zap(f, index, &was, 1, true);
	else
		page_free(fresh, 0);
	return OK;
}

status_t frame_share(struct frame *from, uint64_t first, struct frame *to, uint64_t at, uint64_t n, uint64_t *done)
{
	uint64_t phys[64], taken = 0, given = 0;
	status_t st = OK;
	spin_lock(&from->lock);
	from->shared = true;
	uint64_t hole = first < from->n_pages ? hole_locked(from, first) : 0;
	if (hole || first >= from->n_pages) {
		spin_unlock(&from->lock);
		*done = hole ? MIN(n, ALIGN_DOWN(first, hole) + hole - first) : n;
		return OK;
	}
	n = *done = MIN(n, MIN(ARRAY_LEN(phys), ALIGN_DOWN(first, LEAF) + LEAF - first));
	for (uint64_t i = 0; i < n; i++) {
		phys[i] = first + i < from->n_pages ? *slot_locked(from, first + i, false) : 0;
		if (phys[i]) {
			page_share(phys[i]);
			taken++;
		}
	}
	spin_unlock(&from->lock);
	if (!taken)
		return OK;
	vmem_zap(from, first, phys, n, false);
	st = budget_charge(to->obj.payer, CHARGE_PAGES, taken);
	bool charged = st == OK;
	spin_lock(&to->lock);
	to->shared = true;
	for (uint64_t i = 0; i < n && st == OK; i++) {
		uint64_t *slot = phys[i] && at + i < to->n_pages ? slot_locked(to, at + i, true) : NULL;
		if (slot && !*slot) {
			*slot = phys[i];
			phys[i] = 0;
			given++;
		} else if (phys[i] && !slot && at + i < to->n_pages) {
			st = ERR_NO_MEMORY;
		}
	}
	to->committed += given;
	spin_unlock(&to->lock);
	ACCOUNT_ADD(pages_frames, given);
	if (given < taken) {
		if (charged)
			budget_release(to->obj.payer, CHARGE_PAGES, taken - given);
		cpus_wait_left();               /* as frame_drop_pages */
		for (uint64_t i = 0; i < n; i++)
			if (phys[i] && page_unshare(phys[i]))
				page_free(phys[i], 0);
	}
	return st;
}

/* Frees the nodes of the tree; bounded, deepest first. */
static bool free_nodes(struct frame *f, uint64_t *node, unsigned height, unsigned *budget)
{
	if (height > 0)
		for (unsigned i = 0; i < LEAF; i++) {
			if (!node[i])
				continue;
			if (!free_nodes(f, (uint64_t *)node[i], height - 1, budget))
				return false;
			node[i] = 0;
		}
	if (*budget == 0)
		return false;
	--*budget;
	budget_kfree(f->obj.payer, node, PAGE_SIZE);
	return true;
}

bool frame_destroy(struct object *o)
{
	struct frame *f = (struct frame *)o;
	if (f->kind == FRAME_CONTIG && f->phys) {
		page_free(f->phys, f->array_len);
		ACCOUNT_SUB(pages_frames, f->committed);
		budget_release(f->obj.payer, CHARGE_PAGES, f->committed);
		f->phys = 0;
	} else if (f->kind == FRAME_ANONYMOUS) {
		uint64_t end = MAX(f->n_pages, f->cut_end);
		if (f->destroy_next < end && f->committed) {
			uint64_t done;
			frame_drop_pages(f, f->destroy_next, end - f->destroy_next, &done);
			f->destroy_next += done;
			if (f->destroy_next < end && f->committed)
				return false;
		}
		unsigned budget = 32;
		if (f->height && !free_nodes(f, f->root, f->height, &budget))
			return false;
		if (!f->height && f->root != f->small)
			budget_kfree(f->obj.payer, f->root, f->array_len * 8);
		f->root = NULL;
	}
	return true;
}

/* ---- system calls ---- */

status_t sys_frame_create(uint64_t size, uint32_t flags, handle_t *h)
{
	status_t why = OK;
	struct frame *f = frame_create(size, flags, CURRENT_PROCESS->budget, &why);
	return object_install((struct object *)f, RIGHT_ALL, h, why);
}

status_t sys_frame_device(handle_t resource, uint64_t phys, uint64_t size, uint32_t cache, handle_t *h)
{
	struct resource *r;
	status_t st = LOOKUP(resource, OBJ_RESOURCE, RIGHT_MANAGE, &r);
	if (st < 0)
		return st;
	if (!size || (phys & (PAGE_SIZE - 1)) || size > 1ull << 46 || phys > (1ull << 52) - size || cache > CACHE_WRITE_COMBINING)
		return ERR_INVALID;
	if (!resource_covers(r, RES_PHYS, phys, ALIGN_UP(size, PAGE_SIZE)))
		return ERR_DENIED;
	/* Memory that the page allocator hands out is nobody's device. */
	if (phys_is_ram(phys, ALIGN_UP(size, PAGE_SIZE)))
		return ERR_DENIED;
	status_t why = OK;
	struct frame *f = frame_create_phys(phys, size, (int)cache, CURRENT_PROCESS->budget, &why);
	return object_install((struct object *)f, RIGHT_ALL & ~RIGHT_EXEC, h, why);
}

static status_t resize(struct frame *f, uint64_t n)
{
	status_t st;
	/* What an earlier cut left above the end goes first: its pages must not come back as new ones. */
	for (bool resized = false; ; resized = true) {
		/* From the end, in steps that grow where there are only holes: a piece that is too much at once is halved. */
		for (uint64_t step = 64; f->cut_end > f->n_pages && f->committed;) {
			uint64_t from = MAX(f->n_pages, f->cut_end - MIN(f->cut_end, step)), done = 0;
			frame_drop_pages(f, from, f->cut_end - from, &done);
			bool whole = from + done == f->cut_end;
			step = whole ? step * 2 : step / 2;
			if (whole)
				f->cut_end = from;
			if (f->cut_end > f->n_pages && sched_preempt_point())
				return STATUS_RESTART;
		}
		f->cut_end = 0;
		if (resized)
			return OK;
		spin_lock(&f->lock);
		st = reserve_locked(f, n);
		if (st == OK) {
			if (n < f->n_pages)
				f->cut_end = f->n_pages;
			f->n_pages = n;
		}
		spin_unlock(&f->lock);
		if (st < 0)
			return st;
	}
}

status_t sys_frame_resize(handle_t h, uint64_t size)
{
	struct frame *f;
	status_t st = LOOKUP(h, OBJ_FRAME, RIGHT_WRITE, &f);
	if (st < 0)
		return st;
	uint64_t n = (size >> PAGE_SHIFT) + ((size & (PAGE_SIZE - 1)) != 0);
	if (f->kind != FRAME_ANONYMOUS || !size || n > FRAME_PAGES_MAX)
		return ERR_INVALID;
	if (__atomic_exchange_n(&f->resizing, true, __ATOMIC_ACQUIRE)) {
		sched_yield_current();
		return STATUS_RESTART;
	}
	st = resize(f, n);
	__atomic_store_n(&f->resizing, false, __ATOMIC_RELEASE);
	return st;
}

status_t sys_frame_decommit(handle_t h, uint64_t offset, uint64_t size)
{
	struct progress was = progress_load();
	struct frame *f;
	status_t st = LOOKUP(h, OBJ_FRAME, RIGHT_WRITE, &f);
	if (st < 0)
		return st;
	if (f->kind != FRAME_ANONYMOUS || ((offset | size) & (PAGE_SIZE - 1)) || offset + size < offset || (offset + size) >> PAGE_SHIFT > f->n_pages)
		return ERR_INVALID;
	uint64_t at = MAX(offset >> PAGE_SHIFT, progress_of(&was, SYS_frame_decommit, f->obj.id)), end = (offset + size) >> PAGE_SHIFT, done;
	while (at < end && f->committed) {
		frame_drop_pages(f, at, end - at, &done);
		at += done;
		if (at < end && sched_preempt_point())
			return progress_restart(SYS_frame_decommit, f->obj.id, at);
	}
	return OK;
}

/* Copies between a Frame and the current process's memory, a page at a time, with restarts. */
static status_t copy(handle_t h, uint64_t offset, uint64_t user, uint64_t len, bool to_user, uint64_t *result)
{
	struct progress was = progress_load();
	struct frame *f;
	status_t st = LOOKUP(h, OBJ_FRAME, to_user ? RIGHT_READ : RIGHT_WRITE, &f);
	if (st < 0)
		return st;
	uint32_t call = to_user ? SYS_frame_read : SYS_frame_write;
	uint64_t size = f->n_pages << PAGE_SHIFT, done = progress_of(&was, call, f->obj.id);
	if (f->kind == FRAME_PHYS && !phys_is_mapped(f->phys, size))
		return ERR_DENIED;      /* device memory is not copied, it is mapped */
	if (offset >= size)
		len = 0;
	else
		len = MIN(len, size - offset);
	done = MIN(done, len);
	while (done < len) {
		uint64_t at = offset + done, in_page = at & (PAGE_SIZE - 1), phys;
		uint64_t n = MIN(PAGE_SIZE - in_page, len - done);
		if (to_user && f->kind == FRAME_ANONYMOUS && !(phys = frame_peek(f, at >> PAGE_SHIFT)))
			phys = zero_page_phys();
		else if ((st = frame_page(f, at >> PAGE_SHIFT, !to_user, &phys)) == STATUS_SHARED && (st = frame_break(f, at >> PAGE_SHIFT)) == OK)
			continue;
		if (st < 0)
			return st;
		char *mem = (char *)HHDM(phys) + in_page;
		st = to_user ? copy_out((user_out_t){ user + done }, mem, n) : copy_in(mem, (user_in_t){ user + done }, n);
		if (st < 0)
			return st;
		done += n;
		if (done < len && (done >> PAGE_SHIFT) % 8 == 0 && sched_preempt_point())
			return progress_restart(call, f->obj.id, done);
	}
	*result = done;
	return OK;
}

status_t sys_frame_read(handle_t h, uint64_t offset, user_out_t buf, uint64_t len, uint64_t *done)
{
	return copy(h, offset, buf.va, len, true, done);
}

status_t sys_frame_write(handle_t h, uint64_t offset, user_in_t buf, uint64_t len, uint64_t *done)
{
	return copy(h, offset, buf.va, len, false, done);
}

status_t sys_frame_info(handle_t h, struct frame_info *info)
{
	struct frame *f;
	uint32_t rights;
	status_t st = handle_lookup(CURRENT_PROCESS->table, h, OBJ_FRAME, 0, (struct object **)&f, &rights);
	if (st < 0)
		return st;
	info->size = f->n_pages << PAGE_SHIFT;
	info->committed = f->committed << PAGE_SHIFT;
	info->phys = f->kind != FRAME_ANONYMOUS && (rights & RIGHT_MANAGE) ? f->phys : 0;
	return OK;
}

/*
 * frame: memory in pages. Anonymous pages appear zeroed when first touched. Their addresses are
 * kept in one array up to 512 pages, above that in a tree of 512-way nodes like a page table;
 * nodes appear with the pages below them, and all of it is charged to the Frame's payer.
 *
 * Copies share: pages, and whole nodes, which are pages, too. Each counts in its struct page how many more hold it, and stays as it
 * is until only one does. Who wants to change what others hold takes a copy of the nodes on the way, and then of the page.
 */
#include <kernel/account.h>
#include <kernel/arch.h>
#include <kernel/budget.h>
#include <kernel/dma.h>
#include <kernel/irq.h>
#include <kernel/log.h>
#include <kernel/mm.h>
#include <kernel/pager.h>
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

static uint64_t *new_node(struct frame *f)
{
	uint64_t *node = budget_kmalloc(f->obj.payer, PAGE_SIZE);
	f->nodes += node != NULL;
	return node;
}

/* Makes room for n pages; keeps what is there. */
static status_t reserve_locked(struct frame *f, uint64_t n)
{
	if (n > FRAME_PAGES_MAX)
		return ERR_INVALID;
	if (f->height == 0 && f->array_len < LEAF && n > f->array_len) {
		uint32_t len = n <= 2 ? 2 : n <= 8 ? 8 : n <= 32 ? 32 : n <= 128 ? 128 : LEAF;
		uint64_t *a = len == 2 ? f->small : len == LEAF ? new_node(f) : budget_kmalloc(f->obj.payer, len * 8);
		if (!a)
			return ERR_NO_MEMORY;
		if (f->root && f->root != a) {
			memcpy(a, f->root, f->array_len * 8);
			if (f->root != f->small)
				budget_kfree(f->obj.payer, f->root, f->array_len * 8);
		}
		f->root = a;
		f->array_len = len;
	}
	while (span(f->height) < n) {
		uint64_t *node = new_node(f);
		if (!node)
			return ERR_NO_MEMORY;
		node[0] = (uint64_t)f->root;
		f->root = node;
		f->height++;
	}
	return OK;
}

static uint64_t phys_of(uint64_t entry, unsigned height)        /* of a node, or of a page */
{
	return height ? HHDM_PHYS((void *)entry) : ALIGN_DOWN(entry, PAGE_SIZE);
}

/* One holder of a node less; the last one takes it apart. Each entry of it has other holders. */
static void release_node(uint64_t *node, unsigned height)
{
	if (!page_unshare(HHDM_PHYS(node)))
		return;
	for (unsigned i = 0; i < LEAF; i++)
		if (node[i])
			(void)page_unshare(phys_of(node[i], height));
	kfree(node, PAGE_SIZE);
}

/* This node, or a copy of it that nobody else holds. NULL: no memory. The Frame is charged for it already. */
static uint64_t *own_node(uint64_t *node, unsigned height)
{
	if (!page_shared(HHDM_PHYS(node)))
		return node;
	uint64_t *copy = kmalloc(PAGE_SIZE);
	if (!copy)
		return NULL;
	for (unsigned i = 0; i < LEAF; i++)
		if (node[i]) {
			copy[i] = node[i];
			page_share(phys_of(node[i], height));
		}
	release_node(node, height);
	return copy;
}

/* The first of entries [i, n) that is there; n: none. */
always_inline uint64_t next_entry(const uint64_t *node, uint64_t i, uint64_t n)
{
	while (i < n && !node[i])
		i++;
	return i;
}

/* The slot of page `index`; NULL: not there. *shared: others hold it or what leads to it. */
always_inline uint64_t *find_slot_locked(struct frame *f, uint64_t index, bool *shared)
{
	uint64_t *node = f->root;
	*shared = false;
	if (likely(!f->height && !f->shared))
		return node + index;
	*shared = f->shared && page_shared(HHDM_PHYS(node));
	for (unsigned h = f->height; h > 0; h--) {
		node = (uint64_t *)node[index / span(h - 1) % LEAF];
		if (!node)
			return NULL;
		*shared |= f->shared && page_shared(HHDM_PHYS(node));
	}
	node += index % LEAF;
	*shared |= f->shared && *node && page_shared(*node);
	return node;
}

/* The same, to be changed: what is missing on the way appears, what others hold is copied. NULL: no memory. */
static uint64_t *own_slot_locked(struct frame *f, uint64_t index)
{
	ASSERT(f->root);
	uint64_t *node = own_node(f->root, f->height);
	if (!node)
		return NULL;
	f->root = node;
	for (unsigned h = f->height; h > 0; h--) {
		uint64_t *e = &node[index / span(h - 1) % LEAF];
		node = *e ? own_node((uint64_t *)*e, h - 1) : new_node(f);
		if (!node)
			return NULL;
		*e = (uint64_t)node;
	}
	return &node[index % LEAF];
}

uint64_t *frame_slot_locked(struct frame *f, uint64_t index, bool make)
{
	bool shared;
	return make ? own_slot_locked(f, index) : find_slot_locked(f, index, &shared);
}

uint64_t frame_hole_locked(struct frame *f, uint64_t index)
{
	uint64_t *node = f->root;
	for (unsigned h = f->height; h > 0; h--) {
		node = (uint64_t *)node[index / span(h - 1) % LEAF];
		if (!node)
			return span(h - 1);
	}
	return 0;
}

static struct frame *create(enum frame_kind kind, struct budget *payer, status_t *why)
{
	struct frame *f = (struct frame *)object_create(OBJ_FRAME, sizeof(*f), payer, why);
	if (f) {
		list_init(&f->maps);
		list_init(&f->pins);
		f->kind = (uint8_t)kind;
	}
	return f;
}

struct frame *frame_create(uint64_t size, uint32_t flags, struct budget *payer, status_t *why)
{
	uint64_t n = (size >> PAGE_SHIFT) + ((size & (PAGE_SIZE - 1)) != 0);
	*why = ERR_INVALID;
	if (!size || n > FRAME_PAGES_MAX || (flags & ~(uint32_t)(FRAME_CONTIGUOUS | FRAME_DMA32)) || flags == FRAME_DMA32)
		return NULL;
	struct frame *f = create(flags & FRAME_CONTIGUOUS ? FRAME_CONTIG : FRAME_ANONYMOUS, payer, why);
	if (!f)
		return NULL;
	if (flags & FRAME_CONTIGUOUS) {
		unsigned order = 0;
		while (1ull << order < n)
			order++;
		*why = order > CONTIGUOUS_ORDER_MAX ? ERR_INVALID : budget_charge(payer, CHARGE_PAGES, 1ull << order);
		if (*why == OK) {
			f->phys = flags & FRAME_DMA32 ? page_alloc_dma32(payer, order) : page_alloc_user(payer, order);
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

struct frame *frame_create_paged(struct session *pager, uint64_t first, uint64_t size, struct budget *payer, status_t *why)
{
	struct frame *f = frame_create(size, 0, payer, why);
	if (f) {
		f->kind = FRAME_PAGED;
		f->shared = true;
		f->pager = OBJ_GET(pager);
		f->pager_first = first;
		list_init(&f->coming);
	}
	return f;
}

struct frame *frame_create_phys(uint64_t phys, uint64_t size, int cache, struct budget *payer, status_t *why)
{
	struct frame *f = create(FRAME_PHYS, payer, why);
	if (f) {
		f->cache = (uint8_t)cache;
		f->phys = phys;
		f->n_pages = ALIGN_UP(size, PAGE_SIZE) >> PAGE_SHIFT;
	}
	return f;
}

status_t frame_page(struct frame *f, uint64_t index, uint64_t *phys)
{
	status_t st = OK;
	bool shared;
	spin_lock(&f->lock);
	if (unlikely(index >= f->n_pages)) {
		st = ERR_FAULT;
	} else if (unlikely(f->kind == FRAME_PAGED)) {
		uint64_t *slot = find_slot_locked(f, index, &shared);
		st = !slot || !*slot ? STATUS_ABSENT : shared || !(*slot & SLOT_DIRTY) ? FRAME_SHARED : OK;
		if (st >= 0) {
			*slot &= ~(uint64_t)SLOT_GOING;
			*phys = ALIGN_DOWN(*slot, PAGE_SIZE);
		}
	} else if (f->kind != FRAME_ANONYMOUS) {
		*phys = f->phys + (index << PAGE_SHIFT);
	} else {
		uint64_t *slot = find_slot_locked(f, index, &shared);
		if (slot && *slot) {
			*phys = *slot;
			st = shared ? FRAME_SHARED : OK;
		} else if ((!slot || shared) && !(slot = own_slot_locked(f, index))) {
			st = ERR_NO_MEMORY;
		} else if ((*phys = budget_page(f->obj.payer, true))) {
			*slot = *phys;
			f->committed++;
			ACCOUNT_ADD(pages_frames, 1);
		} else {
			st = ERR_NO_MEMORY;
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
		if (!frame_in_pages(f)) {
			phys = f->phys + (index << PAGE_SHIFT);
		} else {
			uint64_t *slot = frame_slot_locked(f, index, false);
			phys = slot ? ALIGN_DOWN(*slot, PAGE_SIZE) : 0;
		}
	}
	spin_unlock(&f->lock);
	return phys;
}

/* Is one of pages [first, first + n) pinned? */
static bool pinned_locked(const struct frame *f, uint64_t first, uint64_t n)
{
	LIST_EACH(node, &f->pins) {
		const struct pin *p = CONTAINER_OF(node, struct pin, in_frame);
		if (p->first < first + n && first < p->first + p->n)
			return true;
	}
	return false;
}

/*
 * Takes pages away: first from the Frame, so that nobody can map them anew, then from every
 * Vmem that has them, and only then are they free.
 */
status_t frame_drop_pages(struct frame *f, uint64_t first, uint64_t n, const uint64_t *keep, uint64_t *done)
{
	uint64_t end = first + n, base = first, phys[64], looked = 0, taken = 0;     /* phys: of [base, base + looked) */
	status_t st = OK;
	spin_lock(&f->settle);
	spin_lock(&f->lock);
	for (unsigned work = 0; base + looked < end && work < ARRAY_LEN(phys); work++) {
		uint64_t at = base + looked;
		uint64_t hole = frame_hole_locked(f, at);
		if (hole && taken)
			break;
		if (hole) {
			base = ALIGN_DOWN(at, hole) + hole;
			looked = 0;
			continue;
		}
		if (unlikely(f->n_pins) && pinned_locked(f, at, 1))
			break;
		bool shared;
		uint64_t *slot = find_slot_locked(f, at, &shared);
		if (unlikely(keep) && (!(*slot & SLOT_GOING) || (*keep >> (at - first) & 1))) {
			*slot &= ~(uint64_t)SLOT_GOING;
			phys[looked++] = 0;
			continue;
		}
		if (*slot && shared && !(slot = own_slot_locked(f, at))) {
			st = ERR_NO_MEMORY;
			break;
		}
		phys[looked++] = ALIGN_DOWN(*slot, PAGE_SIZE);
		if (*slot) {
			taken++;
			*slot = 0;
		}
	}
	f->committed -= taken;
	spin_unlock(&f->lock);
	*done = MIN(base + looked, end) - first;
	if (taken)
		vmem_zap(f, base, phys, looked);
	spin_unlock(&f->settle);
	if (!taken)
		return st;
	ACCOUNT_SUB(pages_frames, taken);
	for (uint64_t i = 0; i < looked; i++)
		if (phys[i] && !page_unshare(phys[i]))
			phys[i] = 0;
	/*
	 * Another CPU may be copying to or from them, for a command's window or frame_read (found without a count), or be about to take
	 * a page that it shared out of its own Frame's mappings (frame_break).
	 */
	object_get(&f->obj);
	cpus_wait_left();
	OBJ_PUT(f);
	for (uint64_t i = 0; i < looked; i++)
		if (phys[i])
			page_free(phys[i], 0);
	budget_release(f->obj.payer, CHARGE_PAGES, taken);
	return st;
}

/* ---- copy on write ---- */

/* The page is the Frame's alone, and its pager is to save it. False: it is not there, or somebody else's, too. */
static bool dirty(struct frame *f, uint64_t index)
{
	bool shared = true;
	spin_lock(&f->lock);
	uint64_t *slot = index < f->n_pages ? find_slot_locked(f, index, &shared) : NULL;
	bool ours = slot && *slot && !shared;
	if (ours)
		*slot |= SLOT_DIRTY;
	spin_unlock(&f->lock);
	return ours;
}

status_t frame_break(struct frame *f, uint64_t index)
{
	if (f->kind == FRAME_PAGED && dirty(f, index))
		return OK;
	uint64_t fresh = page_alloc_user(f->obj.payer, 0), was = 0;
	bool shared = false;
	if (!fresh)
		return ERR_NO_MEMORY;
	spin_lock(&f->settle);
	/* A copy of the whole Frame goes through its mappings only now: what is written to the page from here on must be in ours. */
	if (unlikely(vmem_clones_under_way()))
		vmem_zap(f, index, NULL, 1);
	spin_lock(&f->lock);
	uint64_t *slot = index < f->n_pages ? find_slot_locked(f, index, &shared) : NULL;
	if (shared && slot && *slot)
		slot = own_slot_locked(f, index);
	if (slot && *slot && page_shared(*slot)) {
		memcpy(HHDM(fresh), HHDM(ALIGN_DOWN(*slot, PAGE_SIZE)), PAGE_SIZE);
		/* The last one keeps it: whoever lets go of a page waits before it frees it, so nobody else does. */
		if (!page_unshare(*slot)) {
			was = ALIGN_DOWN(*slot, PAGE_SIZE);
			*slot = fresh | (*slot & SLOT_BITS);
		}
	}
	spin_unlock(&f->lock);
	if (was)
		vmem_zap(f, index, &was, 1);
	spin_unlock(&f->settle);
	if (!was)
		page_free(fresh, 0);
	return shared && !slot ? ERR_NO_MEMORY : OK;
}

status_t frame_page_to_write(struct frame *f, uint64_t index, uint64_t *phys)
{
	status_t st;
	while ((st = frame_page(f, index, phys)) == FRAME_SHARED && (st = frame_break(f, index)) == OK)
		;
	return st;
}

void frame_settle(struct frame *f)
{
	spin_lock(&f->settle);
	spin_unlock(&f->settle);
}

struct frame *frame_copy(struct frame *from, uint64_t first, uint64_t n, struct budget *payer, status_t *why)
{
	struct frame *f = create(FRAME_ANONYMOUS, payer, why);
	if (!f)
		return NULL;
	f->shared = true;
	spin_lock(&from->settle);
	spin_lock(&from->lock);
	/* A mapping that nobody goes through any more, as it went meanwhile, may not be the only one that can be written through. */
	spin_lock(&from->maps_lock);
	bool one = list_empty(&from->maps) || from->maps.next->next == &from->maps;
	spin_unlock(&from->maps_lock);
	if (one && from->nodes && !first && from->n_pages == n && !from->cut_end && !from->n_pins) {
		*why = budget_charge(payer, CHARGE_KERNEL, from->nodes * PAGE_SIZE);
		if (*why == OK && (*why = budget_charge(payer, CHARGE_PAGES, from->committed)) < 0)
			budget_release(payer, CHARGE_KERNEL, from->nodes * PAGE_SIZE);
		if (*why == OK) {
			from->shared = f->whole = true;
			page_share(HHDM_PHYS(from->root));
			f->root = from->root;
			f->array_len = from->array_len;
			f->height = from->height;
			f->nodes = from->nodes;
			f->committed = from->committed;
			ACCOUNT_ADD(pages_frames, f->committed);
		}
	} else {
		*why = reserve_locked(f, n);
	}
	spin_unlock(&from->lock);
	spin_unlock(&from->settle);
	f->n_pages = n;
	if (*why == OK)
		return f;
	object_put(&f->obj);
	return NULL;
}

#define SHARE_MAX 64u                   /* pages in one go */

/*
 * Up to n pages of `from` have one holder more, slots[] (a pinned one: a copy, for `payer`); the caller sees to it that nobody can write to
 * them any more. Returns how many are there, or were before *st said ERR_NO_MEMORY.
 */
static uint64_t take_shares_locked(struct frame *from, uint64_t first, uint64_t n, struct budget *payer, uint64_t *slots, status_t *st)
{
	bool held;
	uint64_t taken = 0;
	const uint64_t *theirs = find_slot_locked(from, first, &held);
	for (uint64_t i = next_entry(theirs, 0, n); i < n; i = next_entry(theirs, i + 1, n)) {
		uint64_t phys = ALIGN_DOWN(theirs[i], PAGE_SIZE);
		if (unlikely(from->n_pins) && pinned_locked(from, first + i, 1)) {
			uint64_t copy = page_alloc_user(payer, 0);
			if (!copy) {
				*st = ERR_NO_MEMORY;
				break;
			}
			memcpy(HHDM(copy), HHDM(phys), PAGE_SIZE);
			phys = copy;
		} else {
			page_share(phys);
		}
		slots[i] = phys;
		taken++;
	}
	return taken;
}

status_t frame_share(struct frame *from, uint64_t first, struct frame *to, uint64_t at, uint64_t n, uint64_t *done)
{
	uint64_t taken = 0, zap = 0;
	status_t st = OK;
	spin_lock(&from->settle);
	spin_lock(&from->lock);
	from->shared = true;
	uint64_t left = from->n_pages - MIN(first, from->n_pages), hole = left ? frame_hole_locked(from, first) : n;
	if (hole) {
		*done = left ? MIN(n, ALIGN_DOWN(first, hole) + hole - first) : n;
	} else if (to->whole) {         /* it has them already */
		zap = *done = MIN(n, LEAF - first % LEAF);
	} else {
		/* Within one leaf of either. */
		*done = MIN(MIN(n, LEAF - first % LEAF), MIN(SHARE_MAX, LEAF - at % LEAF));
		uint64_t *slots = own_slot_locked(to, at);
		if (slots)
			taken = take_shares_locked(from, first, MIN(*done, left), to->obj.payer, slots, &st);
		else
			st = ERR_NO_MEMORY;
		zap = taken ? *done : 0;
	}
	spin_unlock(&from->lock);
	if (zap)
		vmem_zap(from, first, NULL, zap);
	spin_unlock(&from->settle);
	/* What it has and could not be charged goes with it. */
	if (st == OK && taken && (st = budget_charge(to->obj.payer, CHARGE_PAGES, taken)) == OK) {
		to->committed += taken;
		ACCOUNT_ADD(pages_frames, taken);
	}
	return st;
}

/* What is to be freed, in one piece of a teardown. */
struct batch { uint64_t phys[128]; unsigned n, nodes; };

/* Takes a node's entries apart, and frees those that nobody else holds. False: the piece is full; where it was is in f->destroy_at. */
static bool destroy_node(struct frame *f, uint64_t *node, uint32_t len, unsigned height, struct batch *b)
{
	for (uint64_t i = next_entry(node, f->destroy_at[height], len); i < len; i = next_entry(node, i + 1, len)) {
		uint64_t e = node[i];
		f->destroy_at[height] = (uint16_t)i;
		if (b->n == ARRAY_LEN(b->phys) || b->nodes == 32)
			return false;
		if (page_unshare(phys_of(e, height))) {
			if (!height) {
				b->phys[b->n++] = phys_of(e, 0);
			} else {
				if (!destroy_node(f, (uint64_t *)e, LEAF, height - 1, b))
					return false;
				b->nodes++;
				kfree((uint64_t *)e, PAGE_SIZE);
			}
		}
		node[i] = 0;
	}
	f->destroy_at[height] = 0;
	return true;
}

/* Nobody maps it. */
bool frame_destroy(struct object *o)
{
	struct frame *f = (struct frame *)o;
	if (f->kind == FRAME_CONTIG && f->phys) {
		page_free(f->phys, f->array_len);
	} else if (frame_in_pages(f) && f->root) {
		struct batch b;
		b.n = b.nodes = 0;
		bool ours = !f->nodes || page_unshare(HHDM_PHYS(f->root)), all = !ours || destroy_node(f, f->root, f->array_len, f->height, &b);
		if (b.n && f->shared)
			cpus_wait_left();       /* as frame_drop_pages */
		while (b.n)
			page_free(b.phys[--b.n], 0);
		if (!all)
			return false;
		if (f->nodes && ours)
			kfree(f->root, PAGE_SIZE);
		if (f->nodes)
			budget_release(f->obj.payer, CHARGE_KERNEL, f->nodes * PAGE_SIZE);
		else if (f->root != f->small)
			budget_kfree(f->obj.payer, f->root, f->array_len * 8);
		if (f->kind == FRAME_PAGED)
			OBJ_PUT(f->pager);
	}
	ACCOUNT_SUB(pages_frames, f->committed);
	budget_release(f->obj.payer, CHARGE_PAGES, f->committed);
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
	/* Whoever can draw owns the screen: the log no longer shows there. */
	if (f && fbcon_at(phys, size))
		log_screen_off();
	return object_install((struct object *)f, RIGHT_ALL & ~RIGHT_EXEC, h, why);
}

/* A handle that may take pages away: of a paged Frame, its pager's. */
static status_t frame_own(handle_t h, struct frame **f)
{
	uint32_t rights;
	status_t st = handle_lookup(CURRENT_PROCESS->table, h, OBJ_FRAME, RIGHT_WRITE, (struct object **)f, &rights);
	return st == OK && (*f)->kind == FRAME_PAGED && !(rights & RIGHT_MANAGE) ? ERR_DENIED : st;
}

static status_t resize(struct frame *f, uint64_t n)
{
	status_t st;
	/* What an earlier cut left above the end goes first: its pages must not come back as new ones. */
	for (bool resized = false; ; resized = true) {
		/* From the end, in steps that grow where there are only holes: a piece that is too much at once is halved. */
		for (uint64_t step = 64; f->cut_end > f->n_pages && f->committed;) {
			uint64_t from = MAX(f->n_pages, f->cut_end - MIN(f->cut_end, step)), done = 0;
			st = frame_drop_pages(f, from, f->cut_end - from, NULL, &done);
			if (st < 0)
				return st;
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
		st = n < f->n_pages && pinned_locked(f, n, f->n_pages - n) ? ERR_BUSY : reserve_locked(f, n);
		if (st == OK) {
			if (n < f->n_pages)
				f->cut_end = f->n_pages;
			f->n_pages = n;
			page_cut_locked(f);
		}
		spin_unlock(&f->lock);
		if (st < 0)
			return st;
	}
}

status_t sys_frame_resize(handle_t h, uint64_t size)
{
	struct frame *f;
	status_t st = frame_own(h, &f);
	if (st < 0)
		return st;
	uint64_t n = (size >> PAGE_SHIFT) + ((size & (PAGE_SIZE - 1)) != 0);
	if (!frame_in_pages(f) || !size || n > FRAME_PAGES_MAX)
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
	status_t st = frame_own(h, &f);
	if (st < 0)
		return st;
	if (!frame_in_pages(f) || ((offset | size) & (PAGE_SIZE - 1)) || offset + size < offset || (offset + size) >> PAGE_SHIFT > f->n_pages)
		return ERR_INVALID;
	uint64_t at = MAX(offset >> PAGE_SHIFT, progress_of(&was, SYS_frame_decommit, f->obj.id)), end = (offset + size) >> PAGE_SHIFT, done;
	while (at < end && f->committed) {
		spin_lock(&f->lock);
		bool pinned = pinned_locked(f, at, end - at);
		spin_unlock(&f->lock);
		if (pinned)
			return ERR_BUSY;
		if (f->kind == FRAME_PAGED)
			page_reclaim(f, at, end - at, &done);
		else
			st = frame_drop_pages(f, at, end - at, NULL, &done);
		at += done;
		if (st < 0)
			return st;
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
		else
			st = to_user ? frame_page(f, at >> PAGE_SHIFT, &phys) : frame_page_to_write(f, at >> PAGE_SHIFT, &phys);
		if (st == STATUS_ABSENT)
			return (st = page_want(f, at >> PAGE_SHIFT)) == STATUS_ABSENT ? page_call(call, f->obj.id, done) : st;
		if (st < 0)
			return st;
		char *mem = (char *)HHDM(phys) + in_page;
		st = to_user ? copy_out((user_out_t){ user + done }, mem, n) : copy_in(mem, (user_in_t){ user + done }, n);
		if (st < 0)
			return page_lacking() ? progress_restart(call, f->obj.id, done) : st;
		/* As copy_piece. */
		uint64_t now = phys;
		if (!to_user && unlikely(vmem_clones_under_way()))
			st = frame_page_to_write(f, at >> PAGE_SHIFT, &now);
		if (st < 0)
			return st;
		if (now != phys)
			continue;
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
	info->phys = !frame_in_pages(f) && (rights & RIGHT_MANAGE) ? f->phys : 0;
	return OK;
}

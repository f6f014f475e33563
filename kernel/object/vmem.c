/*
 * vmem: an address space. Mappings are kept in an array sorted by address; page tables are
 * filled by faults and can be thrown away at any time.
 */
#include <kernel/account.h>
#include <kernel/budget.h>
#include <kernel/cpu.h>
#include <kernel/mm.h>
#include <kernel/pager.h>
#include <kernel/panic.h>
#include <kernel/plant.h>
#include <kernel/sched.h>
#include <kernel/smp.h>
#include <kernel/socket.h>
#include <kernel/syscall.h>
#include <kernel/vmem.h>

#define MAPPINGS_MAX 65536u
#define HINT_START   0x0000200000000000ull
#define PROT_ALL     (PROT_READ | PROT_WRITE | PROT_EXEC)

struct vmem *vmem_create(struct budget *payer, status_t *why)
{
	struct vmem *vm = (struct vmem *)object_create(OBJ_VMEM, sizeof(*vm), payer, why);
	if (!vm)
		return NULL;
	vm->hint = HINT_START;
	list_init(&vm->trim);
	list_init(&vm->lenders);
	*why = pt_create(vm);
	if (*why < 0) {
		object_put(&vm->obj);
		return NULL;
	}
	return vm;
}

uint32_t vmem_lower_bound(struct vmem *vm, uint64_t va)
{
	uint32_t lo = 0, hi = vm->n_maps;
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;
		if (vm->maps[mid]->va + vm->maps[mid]->size <= va)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct mapping *vmem_find_locked(struct vmem *vm, uint64_t va)
{
	struct mapping *m = vm->last;
	if (m && va - m->va < m->size)
		return m;
	uint32_t i = vmem_lower_bound(vm, va);
	if (i == vm->n_maps || vm->maps[i]->va > va)
		return NULL;
	return vm->last = vm->maps[i];
}

/* ---- the array ---- */

static noinline status_t grow_locked(struct vmem *vm, uint32_t more)
{
	uint32_t cap = vm->cap_maps ? vm->cap_maps * 2 : 8;
	while (cap < vm->n_maps + more)
		cap *= 2;
	if (cap > MAPPINGS_MAX)
		return ERR_LIMIT;
	struct mapping **a = budget_kmalloc(vm->obj.payer, cap * sizeof(void *));
	if (!a)
		return ERR_NO_MEMORY;
	memcpy(a, vm->maps, vm->n_maps * sizeof(void *));
	budget_kfree(vm->obj.payer, vm->maps, vm->cap_maps * sizeof(void *));
	vm->maps = a;
	vm->cap_maps = cap;
	return OK;
}

static status_t make_room_locked(struct vmem *vm, uint32_t more)
{
	return vm->n_maps + more <= vm->cap_maps ? OK : grow_locked(vm, more);
}

static struct mapping *mapping_alloc(struct vmem *vm)
{
	return budget_kmalloc(vm->obj.payer, sizeof(struct mapping));
}

static void mapping_free(struct vmem *vm, struct mapping *m)
{
	budget_kfree(vm->obj.payer, m, sizeof(*m));
}

/* cut: what m is the tail of, or NULL. It ends before m in the same moment in which m is in the Frame's list, for vmem_zap. */
static void insert_locked(struct vmem *vm, uint32_t at, struct mapping *m, struct mapping *cut)
{
	if (at < vm->n_maps)
		memmove(&vm->maps[at + 1], &vm->maps[at], (vm->n_maps - at) * sizeof(void *));
	vm->maps[at] = m;
	vm->n_maps++;
	vm->mapped_pages += m->size >> PAGE_SHIFT;
	m->vmem = vm;
	vm->paged |= m->frame->kind == FRAME_PAGED;
	object_get(&m->frame->obj);
	spin_lock(&m->frame->maps_lock);
	list_push_back(&m->frame->maps, &m->in_frame);
	if (cut)
		cut->size -= m->size;
	spin_unlock(&m->frame->maps_lock);
	ACCOUNT_ADD(mappings, 1);
}

static void remove_locked(struct vmem *vm, uint32_t at)
{
	struct mapping *m = vm->maps[at];
	spin_lock(&m->frame->maps_lock);
	list_remove(&m->in_frame);
	spin_unlock(&m->frame->maps_lock);
	vm->mapped_pages -= m->size >> PAGE_SHIFT;
	vm->n_maps--;
	if (at < vm->n_maps)
		memmove(&vm->maps[at], &vm->maps[at + 1], (vm->n_maps - at) * sizeof(void *));
	vm->last = NULL;
	OBJ_PUT(m->frame);
	mapping_free(vm, m);
	ACCOUNT_SUB(mappings, 1);
}

/* Splits mappings so that none crosses va. Room for one more must have been made; spare is used up or not. */
static void split_locked(struct vmem *vm, uint64_t va, struct mapping **spare)
{
	uint32_t i = vmem_lower_bound(vm, va);
	if (i == vm->n_maps || vm->maps[i]->va >= va)
		return;
	struct mapping *m = vm->maps[i], *tail = *spare;
	ASSERT(tail);
	*spare = NULL;
	*tail = *m;
	tail->va = va;
	tail->size = m->va + m->size - va;
	tail->offset = m->offset + (va - m->va);
	list_init(&tail->in_frame);
	vm->mapped_pages -= tail->size >> PAGE_SHIFT;
	insert_locked(vm, i + 1, tail, m);
}

static uint32_t crosses_locked(struct vmem *vm, uint64_t va)
{
	uint32_t i = vmem_lower_bound(vm, va);
	return i < vm->n_maps && vm->maps[i]->va < va;
}

static bool range_ok(uint64_t va, uint64_t size)
{
	return size && !((va | size) & (PAGE_SIZE - 1)) && va >= PAGE_SIZE && user_range_ok(va, size);
}

/* First gap of `size` at or above `from`, with a guard page on each side; 0: none. */
static uint64_t find_gap_locked(struct vmem *vm, uint64_t from, uint64_t size)
{
	uint64_t at = MAX(from, USER_MIN);
	uint32_t i = vmem_lower_bound(vm, at);
	if (i > 0)
		at = MAX(at, vm->maps[i - 1]->va + vm->maps[i - 1]->size + PAGE_SIZE);
	for (; ; i++) {
		if (i < vm->n_maps && vm->maps[i]->va < at + size + PAGE_SIZE) {
			at = vm->maps[i]->va + vm->maps[i]->size + PAGE_SIZE;
			continue;
		}
		return user_range_ok(at, size + PAGE_SIZE) ? at : 0;
	}
}

/* Takes up to 512 pages of translations away from [va, end); returns where it stopped. */
static uint64_t clear_pages_locked(struct vmem *vm, uint64_t va, uint64_t end)
{
	uint64_t first = va;
	for (unsigned work = 0; work < 512; work++) {
		va = pt_next_present(vm, va, end);
		if (va >= end)
			break;
		pt_unmap(vm, va);
		va += PAGE_SIZE;
	}
	tlb_flush(vm, first, va - first);
	return va;
}

/* m loses [start, stop): an end of it, or with `*spare` a piece from its middle. */
static void cut_locked(struct vmem *vm, uint32_t i, uint64_t start, uint64_t stop, struct mapping **spare)
{
	struct mapping *m = vm->maps[i];
	vm->last = NULL;
	if (start > m->va && stop < m->va + m->size)
		split_locked(vm, stop, spare);
	if (stop - start == m->size) {
		remove_locked(vm, i);
		return;
	}
	vm->mapped_pages -= (stop - start) >> PAGE_SHIFT;
	spin_lock(&m->frame->maps_lock);
	m->size -= stop - start;
	if (start == m->va) {
		m->offset += stop - start;
		m->va = stop;
	}
	spin_unlock(&m->frame->maps_lock);
}

/*
 * Unmaps the first mapping's part of [va, end), at most 512 present pages of it; *next: where to go on. Memory is
 * needed only to cut a piece from the middle, so whoever has none left can still give some back.
 */
static status_t unmap_piece(struct vmem *vm, uint64_t va, uint64_t end, uint64_t *next)
{
	struct mapping *spare = NULL;
	status_t st = OK;
	for (;;) {
		spin_lock(&vm->lock);
		uint32_t i = vmem_lower_bound(vm, va);
		if (i == vm->n_maps || vm->maps[i]->va >= end) {
			*next = end;
			break;
		}
		struct mapping *m = vm->maps[i];
		uint64_t start = MAX(va, m->va), stop = MIN(end, m->va + m->size);
		/* A cut that begins inside may stop early, and then leaves a tail. */
		if (start > m->va && ((st = make_room_locked(vm, 1)) < 0 || !spare)) {
			spin_unlock(&vm->lock);
			if (st == OK && (spare = mapping_alloc(vm)))
				continue;
			mapping_free(vm, spare);
			return st < 0 ? st : ERR_NO_MEMORY;
		}
		stop = clear_pages_locked(vm, start, stop);
		cut_locked(vm, i, start, stop, &spare);
		*next = stop;
		break;
	}
	spin_unlock(&vm->lock);
	mapping_free(vm, spare);
	return st;
}

/* ---- page tables that unmapping left empty ---- */

static struct spinlock trim_lock;
static struct list trim_list = { &trim_list, &trim_list };      /* of struct vmem, borrowed: they leave it when they end */

static void trim_later(struct vmem *vm)
{
	spin_lock(&trim_lock);
	if (list_empty(&vm->trim))
		list_push_back(&trim_list, &vm->trim);
	spin_unlock(&trim_lock);
}

void vmem_trim_cancel(struct vmem *vm)
{
	spin_lock(&trim_lock);
	list_remove(&vm->trim);
	spin_unlock(&trim_lock);
}

static bool anything_mapped(struct vmem *vm, uint64_t va, uint64_t size)
{
	uint32_t i = vmem_lower_bound(vm, va);
	return i < vm->n_maps && vm->maps[i]->va < va + size;
}

bool vmem_trim_some(void)
{
	spin_lock(&trim_lock);
	struct vmem *vm = list_empty(&trim_list) ? NULL : LIST_FIRST(&trim_list, struct vmem, trim);
	if (vm) {
		list_remove(&vm->trim);
		spin_lock(&vm->lock);
		pt_trim(vm, anything_mapped);
		spin_unlock(&vm->lock);
	}
	spin_unlock(&trim_lock);
	return vm;
}

/* What is unmapped stays so: a restart finds less to do. */
status_t vmem_unmap(struct vmem *vm, uint64_t va, uint64_t size)
{
	if (!range_ok(va, size))
		return ERR_INVALID;
	for (uint64_t at = va, end = va + size; at < end;) {
		status_t st = unmap_piece(vm, at, end, &at);
		if (st < 0)
			return st;
		if (at < end && sched_preempt_point())
			return STATUS_RESTART;
	}
	/* What is free again is used again, and with it its page tables. */
	spin_lock(&vm->lock);
	if (va >= HINT_START && va < vm->hint)
		vm->hint = va;
	spin_unlock(&vm->lock);
	trim_later(vm);
	return OK;
}

status_t vmem_map(struct vmem *vm, struct frame *f, uint64_t offset, uint64_t *va, uint64_t size, uint32_t prot_flags, uint32_t max_prot)
{
	uint32_t prot = prot_flags & PROT_ALL, inherit = prot_flags & (MAP_SHARE | MAP_DROP);
	uint64_t at = *va;
	if ((prot_flags & ~(PROT_ALL | MAP_FIXED | MAP_REPLACE | MAP_LOW | MAP_SHARE | MAP_DROP)) || inherit == (MAP_SHARE | MAP_DROP) || !size || (size & (PAGE_SIZE - 1)) || (offset & (PAGE_SIZE - 1)))
		return ERR_INVALID;
	if ((prot & PROT_WRITE) && (prot & PROT_EXEC) && !PLANTED(no_wx))
		return ERR_DENIED;      /* W^X */
	if (offset + size < offset || (offset + size) >> PAGE_SHIFT > f->n_pages)
		return ERR_INVALID;
	if (prot_flags & MAP_FIXED) {
		if (!range_ok(at, size) || (at < USER_MIN && !(prot_flags & MAP_LOW)))
			return ERR_INVALID;
		if (prot_flags & MAP_REPLACE) {
			status_t st = vmem_unmap(vm, at, size);
			if (st < 0)
				return st;
		}
	} else if (size > USER_TOP) {
		return ERR_INVALID;
	}
	struct mapping *m = mapping_alloc(vm);
	if (!m)
		return ERR_NO_MEMORY;
	spin_lock(&vm->lock);
	status_t st = make_room_locked(vm, 1);
	if (st == OK && !(prot_flags & MAP_FIXED)) {
		/* Room to lie in a large page as the memory does. */
		uint64_t room = !frame_in_pages(f) && size >= LARGE_PAGE ? size + LARGE_PAGE : size;
		at = ALIGN_DOWN(at, PAGE_SIZE);
		uint64_t gap = at ? find_gap_locked(vm, at, room) : 0;
		if (!gap)
			gap = find_gap_locked(vm, vm->hint, room);
		if (!gap)
			gap = find_gap_locked(vm, USER_MIN, room);
		if (!gap)
			st = ERR_NO_MEMORY;
		at = gap + (room > size ? (f->phys + offset - gap) & (LARGE_PAGE - 1) : 0);
	}
	if (st == OK) {
		uint32_t i = vmem_lower_bound(vm, at);
		if (i < vm->n_maps && vm->maps[i]->va < at + size) {
			st = ERR_EXISTS;
		} else {
			*m = (struct mapping){ .va = at, .size = size, .frame = f, .offset = offset, .prot = (uint16_t)prot,
				.max_prot = (uint16_t)max_prot, .inherit = (uint16_t)inherit };
			list_init(&m->in_frame);
			insert_locked(vm, i, m, NULL);
			if (!(prot_flags & MAP_FIXED))
				vm->hint = at + size;
			if (vm->hint > USER_TOP / 2)
				vm->hint = HINT_START;
			*va = at;
			m = NULL;
		}
	}
	spin_unlock(&vm->lock);
	mapping_free(vm, m);
	return st;
}

status_t vmem_protect(struct vmem *vm, uint64_t va, uint64_t size, uint32_t prot)
{
	if (!range_ok(va, size) || (prot & ~PROT_ALL))
		return ERR_INVALID;
	if ((prot & PROT_WRITE) && (prot & PROT_EXEC))
		return ERR_DENIED;
	struct progress was = progress_load();
	uint64_t end = va + size;
	struct mapping *spare[2] = { NULL, NULL };
	status_t st = OK;
	uint32_t crossed;
	/* A mapping that crosses an end of the range is split there; only that needs memory. */
	for (;;) {
		spin_lock(&vm->lock);
		crossed = crosses_locked(vm, va) + crosses_locked(vm, end);
		uint32_t have = (spare[0] != NULL) + (spare[1] != NULL);
		if (have >= crossed && (st = crossed ? make_room_locked(vm, crossed) : OK) == OK)
			break;
		spin_unlock(&vm->lock);
		if (st == OK && !(spare[have] = mapping_alloc(vm)))
			st = ERR_NO_MEMORY;
		if (st < 0) {
			mapping_free(vm, spare[0]);
			return st;
		}
	}
	uint32_t first = vmem_lower_bound(vm, va);
	uint64_t at = va;
	for (uint32_t i = first; st == OK && at < end; i++) {
		if (i == vm->n_maps || vm->maps[i]->va > at)
			st = ERR_NOT_FOUND;
		else if (prot & ~vm->maps[i]->max_prot)
			st = ERR_DENIED;
		else
			at = vm->maps[i]->va + vm->maps[i]->size;
	}
	if (st == OK) {
		split_locked(vm, va, spare[0] ? &spare[0] : &spare[1]);
		split_locked(vm, end, spare[0] ? &spare[0] : &spare[1]);
		for (uint32_t i = vmem_lower_bound(vm, va); i < vm->n_maps && vm->maps[i]->va < end; i++)
			vm->maps[i]->prot = (uint16_t)prot;
	}
	spin_unlock(&vm->lock);
	for (unsigned i = 0; i < 2; i++)
		mapping_free(vm, spare[i]);
	/* Translations come back by faults, with the new access. A restart sets the same access again. */
	at = MAX(va, progress_of(&was, SYS_vmem_protect, vm->obj.id));
	while (st == OK && at < end) {
		spin_lock(&vm->lock);
		at = clear_pages_locked(vm, at, end);
		spin_unlock(&vm->lock);
		if (at < end && sched_preempt_point())
			return progress_restart(SYS_vmem_protect, vm->obj.id, at);
	}
	return st;
}

/*
 * OK: vm stays locked, and *phys may be used for `access`, in *map, whose access is in *prot, less writing if that is to be asked for.
 * mine: the current thread can wait for the page.
 */
static status_t resolve_and_lock(struct vmem *vm, uint64_t va, uint32_t access, uint64_t *phys, struct mapping **map, uint32_t *prot, bool mine)
{
	for (;;) {
		spin_lock(&vm->lock);
		struct mapping *m = *map = vmem_find_locked(vm, va);
		uint64_t index = m ? (m->offset + (va - m->va)) >> PAGE_SHIFT : 0;
		status_t st = m && (m->prot & access) ? frame_page(m->frame, index, phys) : ERR_FAULT;
		*prot = m ? m->prot : 0;
		if (likely(st == OK))
			return OK;
		if (st == FRAME_SHARED && !(*prot & access & PROT_WRITE)) {
			*prot &= ~(uint32_t)PROT_WRITE;
			return OK;
		}
		struct frame *shared = st == FRAME_SHARED ? OBJ_GET(m->frame) : NULL;
		if (st == STATUS_ABSENT)
			st = mine ? page_want(m->frame, index) : ERR_FAULT;
		spin_unlock(&vm->lock);
		if (shared) {
			st = frame_break(shared, index);
			OBJ_PUT(shared);
		}
		if (st < 0)
			return st;
	}
}

/* Contiguous memory is entered LARGE_PAGE at a time where the mapping and both alignments allow. */
static status_t enter_locked(struct vmem *vm, uint64_t va, uint64_t phys, struct mapping *m, uint32_t prot)
{
	const struct frame *f = m->frame;
	int cache = f->kind == FRAME_PHYS ? f->cache : 0;
	va = ALIGN_DOWN(va, PAGE_SIZE);
	m->writable |= (prot & PROT_WRITE) != 0;
	if (unlikely(!frame_in_pages(f))) {
		uint64_t low = ALIGN_DOWN(va, LARGE_PAGE);
		if (!((va ^ phys) & (LARGE_PAGE - 1)) && low >= m->va && low + LARGE_PAGE <= m->va + m->size &&
		    pt_map_large(vm, low, ALIGN_DOWN(phys, LARGE_PAGE), prot, cache))
			return OK;
	}
	return pt_map(vm, va, phys, prot, cache);
}

status_t vmem_fault(struct vmem *vm, uint64_t va, uint32_t access)
{
	struct mapping *m;
	uint64_t phys;
	uint32_t prot;
	status_t st = resolve_and_lock(vm, va, access, &phys, &m, &prot, true);
	if (unlikely(st < 0))
		return st;
	st = enter_locked(vm, va, phys, m, prot);
	spin_unlock(&vm->lock);
	return st;
}

status_t vmem_resolve(struct vmem *vm, uint64_t va, uint32_t access, uint64_t *phys)
{
	struct mapping *m;
	uint32_t prot;
	spin_lock(&vm->lock);
	/* What a fault has entered before is found quickest in the page tables. */
	*phys = pt_peek(vm, va, access);
	spin_unlock(&vm->lock);
	if (likely(*phys))
		return OK;
	status_t st = resolve_and_lock(vm, va, access, phys, &m, &prot, false);
	if (st < 0)
		return st;
	if (m->frame->kind == FRAME_PHYS && !phys_is_mapped(*phys, PAGE_SIZE))
		st = ERR_FAULT;         /* device memory is no message */
	else
		(void)!enter_locked(vm, va, *phys, m, prot);    /* for the next time; no matter if there is no memory for that */
	spin_unlock(&vm->lock);
	return st;
}

/* Lists of mappings are locked after Vmems elsewhere, so here the Vmem's lock is only tried. */
void vmem_zap(struct frame *f, uint64_t index, const uint64_t *phys, uint64_t n)
{
again:
	spin_lock(&f->maps_lock);
	LIST_EACH(node, &f->maps) {
		struct mapping *m = CONTAINER_OF(node, struct mapping, in_frame);
		uint64_t from = MAX(index << PAGE_SHIFT, m->offset), to = MIN((index + n) << PAGE_SHIFT, m->offset + m->size), first = UINT64_MAX, last = 0;
		if (from >= to)
			continue;
		if (!spin_trylock(&m->vmem->lock)) {
			spin_unlock(&f->maps_lock);
			cpu_relax();
			goto again;
		}
		if (!phys && m->writable) {
			pt_write_protect(m->vmem, m->va + (from - m->offset), m->va + (to - m->offset), &first, &last);
			m->writable = to - from != m->size;
		}
		for (uint64_t at = from; phys && at < to; at += PAGE_SIZE) {
			uint64_t va = m->va + (at - m->offset), was = phys[(at >> PAGE_SHIFT) - index];
			if (was && pt_lookup(m->vmem, va) == was) {
				pt_unmap(m->vmem, va);
				first = MIN(first, va);
				last = va + PAGE_SIZE;
			}
		}
		if (last)
			tlb_flush(m->vmem, first, last - first);
		spin_unlock(&m->vmem->lock);
	}
	spin_unlock(&f->maps_lock);
}

/* ---- windows of calls in paged memory ---- */

/* Every page of the window that is a pager's is there; *paged: some are. Other memory is seen to when it is used. */
static status_t present(struct vmem *vm, uint64_t va, uint64_t len, bool *paged)
{
	uint64_t end = va + len, phys;
	status_t st = OK;
	for (uint64_t at = ALIGN_DOWN(va, PAGE_SIZE); at < end && st >= 0;) {
		spin_lock(&vm->lock);
		uint32_t i = vmem_lower_bound(vm, at);
		const struct mapping *m = i < vm->n_maps ? vm->maps[i] : NULL;
		if (!m || m->va > at) {
			at = m ? m->va : end;
		} else if (m->frame->kind != FRAME_PAGED) {
			at = m->va + m->size;
		} else {
			uint64_t index = (m->offset + (at - m->va)) >> PAGE_SHIFT;
			*paged = true;
			st = MIN(frame_page(m->frame, index, &phys), (status_t)OK);
			if (st == STATUS_ABSENT)
				st = page_want(m->frame, index) == STATUS_ABSENT ? STATUS_ABSENT : ERR_FAULT;
			at += PAGE_SIZE;
		}
		spin_unlock(&vm->lock);
	}
	return st;
}

status_t vmem_lend(struct thread *t, bool *lent)
{
	struct vmem *vm = t->vmem;
	const struct regs *r = &t->regs;
	bool path = IPC_META_FLAGS(r->r15) & (IPC_PATH | IPC_URI);
	if (unlikely(t->wait_socket))
		socket_wait_leave(t);
	/* In the list first: who takes pages back either finds it there, or has taken them before they are looked at. */
	spin_lock(&vm->lock);
	list_push_back(&vm->lenders, &t->wait_node);
	spin_unlock(&vm->lock);
	status_t st = path ? OK : present(vm, r->r13, IPC_META_IN(r->r15), lent);
	if (st >= 0)
		st = present(vm, r->r14, IPC_META_OUT(r->r15), lent);
	if (!*lent)
		vmem_unlend(t);
	if (st == STATUS_ABSENT) {
		cpu_work(WORK_PAGE);
		return STATUS_RESTART;
	}
	return st;
}

void vmem_unlend(struct thread *t)
{
	spin_lock(&t->vmem->lock);
	list_remove(&t->wait_node);
	spin_unlock(&t->vmem->lock);
}

/* Bit i: the page at from + i pages lies in [base, base + len). */
static uint64_t pages_in(uint64_t from, uint64_t base, uint64_t len)
{
	uint64_t first = MAX(from, ALIGN_DOWN(base, PAGE_SIZE)), end = MIN(from + 64 * PAGE_SIZE, ALIGN_UP(base + len, PAGE_SIZE));
	return len && first < end ? UINT64_MAX >> (64 - ((end - first) >> PAGE_SHIFT)) << ((first - from) >> PAGE_SHIFT) : 0;
}

uint64_t vmem_lent(struct frame *f, uint64_t index)
{
	uint64_t lent = 0;
again:
	spin_lock(&f->maps_lock);
	LIST_EACH(node, &f->maps) {
		struct mapping *m = CONTAINER_OF(node, struct mapping, in_frame);
		uint64_t at = index << PAGE_SHIFT, skip = m->offset > at ? (m->offset - at) >> PAGE_SHIFT : 0;
		uint64_t va = m->va + (at + (skip << PAGE_SHIFT) - m->offset);
		if (skip >= 64 || m->offset + m->size <= at)
			continue;
		if (!spin_trylock(&m->vmem->lock)) {
			spin_unlock(&f->maps_lock);
			cpu_relax();
			goto again;
		}
		LIST_EACH(lender, &m->vmem->lenders) {
			const struct regs *r = &CONTAINER_OF(lender, struct thread, wait_node)->regs;
			lent |= (pages_in(va, r->r13, IPC_META_IN(r->r15)) | pages_in(va, r->r14, IPC_META_OUT(r->r15))) << skip;
		}
		spin_unlock(&m->vmem->lock);
	}
	spin_unlock(&f->maps_lock);
	return lent;
}

/* Nobody runs in it any more: translations need no flush, tables and mappings go in pieces. */
bool vmem_destroy(struct object *o)
{
	struct vmem *vm = (struct vmem *)o;
	tlb_leave(vm);
	vmem_trim_cancel(vm);
	for (unsigned work = 0; vm->n_maps; work++) {
		if (work == 16)
			return false;
		spin_lock(&vm->lock);
		remove_locked(vm, vm->n_maps - 1);
		spin_unlock(&vm->lock);
	}
	budget_kfree(vm->obj.payer, vm->maps, vm->cap_maps * sizeof(void *));
	vm->maps = NULL;
	return pt_destroy_some(vm);
}

/* ---- clones ---- */

static status_t own_or(handle_t h, uint32_t rights, struct vmem **vm)
{
	*vm = CURRENT_PROCESS->vmem;
	return h ? LOOKUP(h, OBJ_VMEM, rights, vm) : OK;
}

/* As m, behind all that is in `copy`. */
static status_t append(struct vmem *copy, const struct mapping *m, struct frame *f, uint64_t offset)
{
	struct mapping *made = mapping_alloc(copy);
	if (!made)
		return ERR_NO_MEMORY;
	*made = (struct mapping){ .va = m->va, .size = m->size, .frame = f, .offset = offset, .prot = m->prot, .max_prot = m->max_prot, .inherit = m->inherit };
	spin_lock(&copy->lock);
	status_t st = make_room_locked(copy, 1);
	if (st == OK)
		insert_locked(copy, copy->n_maps, made, NULL);
	spin_unlock(&copy->lock);
	if (st < 0)
		mapping_free(copy, made);
	return st;
}

static status_t append_private(struct vmem *copy, const struct mapping *m)
{
	status_t st;
	struct frame *f = m->frame->kind == FRAME_PAGED ?
		frame_create_paged(m->frame->pager, m->frame->pager_first + (m->offset >> PAGE_SHIFT), m->size, copy->obj.payer, &st) :
		frame_copy(m->frame, m->offset >> PAGE_SHIFT, m->size >> PAGE_SHIFT, copy->obj.payer, &st);
	if (f)
		st = append(copy, m, f, 0);
	OBJ_PUT(f);
	return st;
}

/*
 * A piece of m. The copy has nothing there yet, or what lies before `at`, or something that was there before m: then what is behind `at` is
 * in its Frame, if that is the copy's own. Nobody else knows those.
 */
static status_t clone_mapping(const struct mapping *m, struct vmem *copy, uint64_t at, uint64_t *next)
{
	/* What can never be written through this mapping need not be copied for it. */
	bool share = m->inherit == MAP_SHARE || !frame_in_pages(m->frame) || !(m->max_prot & PROT_WRITE);
	const struct mapping *last = copy->n_maps ? copy->maps[copy->n_maps - 1] : NULL;
	status_t st = OK;
	at = MAX(at, m->va);
	if (!last || last->va + last->size <= m->va) {
		st = share ? append(copy, m, m->frame, m->offset) : append_private(copy, m);
		at = m->va;
	}
	if (st < 0 || share)
		return st;
	last = copy->maps[copy->n_maps - 1];
	uint64_t done, end = MIN(m->va + m->size, last->va + last->size);
	/* What is not the copy's own was done with at once: `at` is not in it. */
	if (at < end) {
		st = frame_share(m->frame, (m->offset + at - m->va) >> PAGE_SHIFT, last->frame, (at - last->va) >> PAGE_SHIFT, (end - at) >> PAGE_SHIFT, &done);
		*next = MIN(*next, at + (done << PAGE_SHIFT));
	}
	return st;
}

/* A piece of the mapping of vm at or behind `at`, for `copy`; *next: where to go on, USER_TOP: nowhere. */
static status_t clone_piece(struct vmem *vm, struct vmem *copy, uint64_t at, uint64_t *next)
{
	status_t st = OK;
	spin_lock(&vm->lock);
	uint32_t i = copy->n_maps;      /* the next one, if none was dropped or is half done */
	if (i >= vm->n_maps || vm->maps[i]->va < at || (i && vm->maps[i - 1]->va + vm->maps[i - 1]->size > at))
		i = vmem_lower_bound(vm, at);
	struct mapping m = i < vm->n_maps ? *vm->maps[i] : (struct mapping){ .va = USER_TOP, .inherit = MAP_DROP };
	*next = m.va + m.size;
	if (m.inherit != MAP_DROP)
		object_get(&m.frame->obj);
	spin_unlock(&vm->lock);
	if (m.inherit != MAP_DROP) {
		st = clone_mapping(&m, copy, at, next);
		OBJ_PUT(m.frame);
	}
	return st;
}

uint32_t vmem_clones;

/*
 * The copy is kept with the thread while the call begins again and again. Others may map and unmap meanwhile; what they change behind
 * `at` is in the copy, or not.
 */
status_t sys_vmem_clone(handle_t h, handle_t *clone)
{
	struct progress was = progress_load();
	struct thread *t = current_thread();
	struct vmem *vm;
	status_t st = own_or(h, RIGHT_MAP | RIGHT_READ, &vm);
	if (st < 0)
		return st;
	object_get(&vm->obj);
	uint64_t at = progress_of(&was, SYS_vmem_clone, vm->obj.id);
	if (!at || !t->building) {
		vmem_building_drop(t);
		at = 1;
		t->building = vmem_create(CURRENT_PROCESS->budget, &st);
		__atomic_add_fetch(&vmem_clones, t->building != NULL, __ATOMIC_SEQ_CST);
	}
	for (unsigned work = 1; st == OK && at < USER_TOP; work++) {
		st = clone_piece(vm, t->building, at, &at);
		if (st == OK && at < USER_TOP && work % 4 == 0 && sched_preempt_point()) {
			OBJ_PUT(vm);
			return progress_restart(SYS_vmem_clone, vm->obj.id, at);
		}
	}
	cpus_wait_left();       /* what was being copied into a window that could still be written is there before anybody sees the copy */
	OBJ_PUT(vm);
	if (st == OK)
		st = handle_install(CURRENT_PROCESS->table, &t->building->obj, RIGHT_ALL, 0, clone);
	vmem_building_drop(t);
	return st;
}

void vmem_building_drop(struct thread *t)
{
	__atomic_sub_fetch(&vmem_clones, t->building != NULL, __ATOMIC_SEQ_CST);
	OBJ_PUT(t->building);
	t->building = NULL;
}

/* ---- system calls ---- */

uint32_t prot_of_rights(uint32_t rights)
{
	return (rights & RIGHT_READ ? PROT_READ : 0) | (rights & RIGHT_WRITE ? PROT_WRITE : 0) | (rights & RIGHT_EXEC ? PROT_EXEC : 0);
}

/* Every thread of vm is to take the long way with its windows, from before anything paged is mapped there. */
static void tell_paged(struct vmem *vm)
{
	spin_lock(&vm->lock);
	vm->paged = true;
	spin_unlock(&vm->lock);
	spin_lock(&process_list_lock);
	LIST_EACH(node, &process_list) {
		struct process *p = CONTAINER_OF(node, struct process, all);
		if (p->vmem != vm)
			continue;
		spin_lock(&p->lock);
		LIST_EACH(at, &p->threads)
			thread_special_on(CONTAINER_OF(at, struct thread, in_process), SPECIAL_PAGED);
		spin_unlock(&p->lock);
	}
	spin_unlock(&process_list_lock);
}

status_t sys_vmem_map(handle_t h, handle_t frame, uint64_t offset, uint64_t va, uint64_t size, uint32_t prot, uint64_t *result)
{
	struct vmem *vm;
	struct frame *f;
	uint32_t rights = RIGHT_ALL;
	status_t st = own_or(h, RIGHT_MAP, &vm), why = OK;
	if (st < 0)
		return st;
	if (frame) {
		st = handle_lookup(CURRENT_PROCESS->table, frame, OBJ_FRAME, RIGHT_MAP, (struct object **)&f, &rights);
		if (st < 0)
			return st;
		object_get(&f->obj);
	} else {
		if (offset)
			return ERR_INVALID;
		f = frame_create(size, 0, CURRENT_PROCESS->budget, &why);
		if (!f)
			return why;
	}
	uint32_t max = prot_of_rights(rights);
	if (unlikely(f->kind == FRAME_PAGED && !vm->paged))
		tell_paged(vm);
	st = (prot & PROT_ALL & ~max) ? ERR_DENIED : vmem_map(vm, f, offset, &va, size, prot, max);
	OBJ_PUT(f);
	if (st == OK)
		*result = va;
	return st;
}

status_t sys_vmem_unmap(handle_t h, uint64_t va, uint64_t size)
{
	struct vmem *vm;
	status_t st = own_or(h, RIGHT_MAP, &vm);
	return st < 0 ? st : vmem_unmap(vm, va, size);
}

status_t sys_vmem_protect(handle_t h, uint64_t va, uint64_t size, uint32_t prot)
{
	struct vmem *vm;
	status_t st = own_or(h, RIGHT_MAP, &vm);
	return st < 0 ? st : vmem_protect(vm, va, size, prot);
}

/* What a pager is told of when it is written to is not written to for being present. */
static bool paged_at(struct vmem *vm, uint64_t va)
{
	spin_lock(&vm->lock);
	const struct mapping *m = vmem_find_locked(vm, va);
	bool paged = m && m->frame->kind == FRAME_PAGED;
	spin_unlock(&vm->lock);
	return paged;
}

/* What is present stays so: a restart goes on behind it. */
status_t sys_vmem_commit(handle_t h, uint64_t va, uint64_t size)
{
	struct progress was = progress_load();
	struct vmem *vm;
	status_t st = own_or(h, RIGHT_MAP, &vm);
	if (st < 0)
		return st;
	if (!range_ok(va, size))
		return ERR_INVALID;
	uint64_t end = va + size, at = MAX(va, progress_of(&was, SYS_vmem_commit, vm->obj.id));
	for (unsigned work = 1; at < end; at += PAGE_SIZE, work++) {
		st = vmem_fault(vm, at, unlikely(vm->paged) && paged_at(vm, at) ? PROT_READ | PROT_EXEC : PROT_ALL);
		if (st == STATUS_ABSENT)
			return page_call(SYS_vmem_commit, vm->obj.id, at);
		if (st < 0)
			return st == ERR_FAULT ? ERR_NOT_FOUND : st;
		if (work % 16 == 0 && sched_preempt_point())
			return progress_restart(SYS_vmem_commit, vm->obj.id, at + PAGE_SIZE);
	}
	return OK;
}

status_t sys_vmem_query(handle_t h, uint64_t va, struct mapping_info *info)
{
	struct vmem *vm;
	status_t st = own_or(h, RIGHT_INSPECT, &vm);
	if (st < 0)
		return st;
	spin_lock(&vm->lock);
	uint32_t i = vmem_lower_bound(vm, va);
	if (i == vm->n_maps) {
		st = ERR_NOT_FOUND;
	} else {
		struct mapping *m = vm->maps[i];
		*info = (struct mapping_info){ .va = m->va, .size = m->size, .offset = m->offset, .frame_id = m->frame->obj.id, .prot = m->prot };
	}
	spin_unlock(&vm->lock);
	return st;
}

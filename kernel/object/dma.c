/*
 * dma: what stands for a device that reaches memory by itself, and the pins that hold pages for it. A pin counts its Frame and its Dma,
 * so neither goes while the device may still write, whoever dies. There is one Dma to a number, and one that nobody has a
 * handle to any more is found again by that.
 */
#include <kernel/account.h>
#include <kernel/budget.h>
#include <kernel/dma.h>
#include <kernel/irq.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>

static struct spinlock dmas_lock;
static struct dma *dmas[DMAS_MAX];      /* borrowed; cleared when the Dma is destroyed */

bool dma_destroy(struct object *o)
{
	spin_lock(&dmas_lock);
	bool found_again = o->revived || o->refs;
	for (size_t i = 0; i < DMAS_MAX && !found_again; i++)
		if (dmas[i] == (struct dma *)o)
			dmas[i] = NULL;
	spin_unlock(&dmas_lock);
	return !found_again;
}

status_t sys_dma_create(handle_t resource, uint32_t number, handle_t *out)
{
	struct resource *r;
	status_t st = LOOKUP(resource, OBJ_RESOURCE, RIGHT_MANAGE, &r);
	if (st < 0)
		return st;
	if (!resource_covers(r, RES_DMA, number, 1))
		return ERR_DENIED;
	struct dma *d = NULL, *fresh = (struct dma *)object_create(OBJ_DMA, sizeof(*fresh), CURRENT_PROCESS->budget, &st), **room = NULL;
	if (!fresh)
		return st;
	list_init(&fresh->pins);
	fresh->number = number;
	fresh->next_id = 1;
	spin_lock(&dmas_lock);
	for (size_t i = 0; i < DMAS_MAX && !d; i++)
		if (!dmas[i])
			room = &dmas[i];
		else if (dmas[i]->number == number)
			d = OBJ_GET(dmas[i]);
	if (!d && room)
		d = *room = OBJ_GET(fresh);
	spin_unlock(&dmas_lock);
	OBJ_PUT(fresh);
	return object_install((struct object *)d, RIGHT_ALL, out, ERR_LIMIT);
}

/* ---- pins ---- */

/* From here on the pages, present or not, do not leave the Frame and are not shared anew. */
static status_t enter(struct pin *p)
{
	struct frame *f = p->frame;
	status_t st = ERR_LIMIT;
	spin_lock(&f->settle);
	spin_lock(&f->lock);
	spin_lock(&p->dma->lock);
	if (p->first + p->n > f->n_pages) {
		st = ERR_INVALID;
	} else if (f->n_pins < FRAME_PINS_MAX && p->dma->n_pins < DMA_PINS_MAX) {
		f->n_pins++;
		p->dma->n_pins++;
		list_push_back(&f->pins, &p->in_frame);
		ACCOUNT_ADD(pages_pinned, p->n);
		st = OK;
	}
	spin_unlock(&p->dma->lock);
	spin_unlock(&f->lock);
	spin_unlock(&f->settle);
	return st;
}

static void drop(struct pin *p)
{
	struct frame *f = p->frame;
	OBJ_PUT(p->dma);
	budget_kfree(f->obj.payer, p, sizeof(*p));
	OBJ_PUT(f);
}

/* A pin that is in no Dma's list any more, or not yet. */
static void leave(struct pin *p)
{
	spin_lock(&p->frame->lock);
	spin_lock(&p->dma->lock);
	list_remove(&p->in_frame);
	p->frame->n_pins--;
	p->dma->n_pins--;
	spin_unlock(&p->dma->lock);
	spin_unlock(&p->frame->lock);
	ACCOUNT_SUB(pages_pinned, p->n);
	drop(p);
}

/* The oldest pin with an id from `first` on and below `end`, out of the list; NULL: there is none. */
static struct pin *take(struct dma *d, uint64_t first, uint64_t end)
{
	struct pin *found = NULL;
	spin_lock(&d->lock);
	LIST_EACH(node, &d->pins) {
		struct pin *p = CONTAINER_OF(node, struct pin, in_dma);
		if (p->id >= first) {
			found = p->id < end ? p : NULL;
			break;
		}
	}
	if (found)
		list_remove(&found->in_dma);
	spin_unlock(&d->lock);
	return found;
}

/* Makes the pages present and the Frame's own, and tells where they are, as far as there is room for it; *pages: how many. */
static status_t fill(struct pin *p, struct dma_extent *e, uint32_t room, uint32_t *n, uint64_t *pages)
{
	for (*n = 0, *pages = 0; *pages < p->n; ++*pages) {
		uint64_t phys, index = p->first + *pages;
		status_t st = frame_page_to_write(p->frame, index, &phys);
		if (st < 0)
			return st;
		if (*n && e[*n - 1].address + e[*n - 1].size == phys)
			e[*n - 1].size += PAGE_SIZE;
		else if (*n < room)
			e[(*n)++] = (struct dma_extent){ phys, PAGE_SIZE };
		else
			break;
	}
	return OK;
}

static status_t pin(handle_t frame, uint64_t offset, uint64_t size, handle_t dma, user_out_t extents, uint32_t count, uint64_t *id, uint32_t *got, uint64_t *done)
{
	struct dma_extent extent[PIN_EXTENTS_MAX];
	struct frame *f;
	struct dma *d;
	uint64_t pages;
	uint32_t n;
	status_t st = LOOKUP(frame, OBJ_FRAME, RIGHT_READ | RIGHT_WRITE, &f);
	if (st == OK)
		st = LOOKUP(dma, OBJ_DMA, RIGHT_WRITE, &d);
	if (st < 0)
		return st;
	if (f->kind == FRAME_PHYS || f->kind == FRAME_PAGED || !size || !count || ((offset | size) & (PAGE_SIZE - 1)) || offset + size < offset ||
		(offset + size) >> PAGE_SHIFT > f->n_pages)
		return ERR_INVALID;
	struct pin *p = budget_kmalloc(f->obj.payer, sizeof(*p));
	if (!p)
		return ERR_NO_MEMORY;
	*p = (struct pin){ .frame = OBJ_GET(f), .dma = OBJ_GET(d), .first = offset >> PAGE_SHIFT, .n = size >> PAGE_SHIFT };
	if (f->kind == FRAME_ANONYMOUS)
		p->n = MIN(p->n, PIN_EXTENTS_MAX);      /* each may have to be zeroed */
	st = enter(p);
	if (st < 0) {
		drop(p);
		return st;
	}
	st = fill(p, extent, MIN(count, PIN_EXTENTS_MAX), &n, &pages);
	frame_settle(f);                /* whoever made one of them the Frame's own may still be at its translations */
	if (st == OK)
		st = copy_out(extents, extent, n * sizeof(*extent));
	if (st < 0) {
		leave(p);
		return st;
	}
	spin_lock(&f->lock);
	spin_lock(&d->lock);
	ACCOUNT_SUB(pages_pinned, p->n - pages);
	p->n = pages;
	*id = p->id = d->next_id++;
	list_push_back(&d->pins, &p->in_dma);
	spin_unlock(&d->lock);
	spin_unlock(&f->lock);
	*got = n;
	*done = pages << PAGE_SHIFT;
	return OK;
}

status_t sys_frame_pin(handle_t frame, uint64_t offset, uint64_t size, handle_t dma, user_out_t extents, uint32_t count, uint64_t *id, uint32_t *got, uint64_t *done)
{
	uint64_t round;
	if (!reap_before(SYS_frame_pin, &round))
		return STATUS_RESTART;
	return reap_after(SYS_frame_pin, round, pin(frame, offset, size, dma, extents, count, id, got, done));
}

status_t sys_frame_unpin(handle_t dma, uint64_t id)
{
	struct dma *d;
	status_t st = LOOKUP(dma, OBJ_DMA, RIGHT_WRITE, &d);
	if (st < 0)
		return st;
	struct pin *p = take(d, id, id + 1);
	if (!p)
		return ERR_NOT_FOUND;
	leave(p);
	return OK;
}

/* What is pinned while it goes on stays: else a driver could keep it from ending. */
status_t sys_dma_silent(handle_t dma)
{
	struct progress was = progress_load();
	struct dma *d;
	struct pin *p;
	status_t st = LOOKUP(dma, OBJ_DMA, RIGHT_MANAGE, &d);
	if (st < 0)
		return st;
	uint64_t before = progress_of(&was, SYS_dma_silent, d->obj.id), end = before ? before : d->next_id;
	for (unsigned work = 1; (p = take(d, 0, end)); work++) {
		leave(p);
		if (work % 16 == 0 && sched_preempt_point())
			return progress_restart(SYS_dma_silent, d->obj.id, end);
	}
	return OK;
}

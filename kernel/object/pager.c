/*
 * pager: pages that a Port supplies. A fault on one that is not there sends READ on the Frame's Session. The page, fresh and zeroed
 * and seen by nobody else, is that command's out window; when it is answered, the page becomes the Frame's. All who lack it
 * meanwhile wait for the one command, which is the first one's own, lent to the Frame, so that it needs no memory.
 *
 * Life of a page: absent -> coming (a command in frame->coming) -> clean -> dirty (SLOT_DIRTY, writable) -> being saved
 *        (SLOT_SAVING, entered for reading only) -> clean, or dirty again -> absent, when the pager takes it back.
 * Locks: a Port's before a Frame's. Who takes a thread off page_waiters, under the Frame's lock, wakes it.
 */
#include <kernel/account.h>
#include <kernel/budget.h>
#include <kernel/ipc.h>
#include <kernel/mm.h>
#include <kernel/pager.h>
#include <kernel/smp.h>

#define WAITERS_MAX  64                 /* for one page: they are woken in one go. The others try again */
#define PIECE        64u                /* pages in one go; bits of a mask */

/* ---- wanting ---- */

void page_forget(struct thread *t)
{
	struct frame *f = t->need.frame;
	t->need.frame = NULL;
	OBJ_PUT(f);
}

status_t page_want(struct frame *f, uint64_t index)
{
	struct thread *t = current_thread();
	struct thread_page *n = &t->need;
	status_t error = n->error;
	n->error = OK;
	if (error < 0 && n->id == f->obj.id && n->index == index && n->rip == t->regs.rip)
		return error;
	page_forget(t);
	*n = (struct thread_page){ .frame = OBJ_GET(f), .id = f->obj.id, .index = index, .rip = t->regs.rip };
	return STATUS_ABSENT;
}

/* ---- waiting ---- */

static struct command *coming_locked(struct frame *f, uint64_t index)
{
	LIST_EACH(node, &f->coming) {
		struct command *c = CONTAINER_OF(node, struct command, in_frame);
		if (c->in == index)
			return c;
	}
	return NULL;
}

/* The command of t, which has one, asks for the page, whose slot is there. */
static status_t ask_locked(struct frame *f, uint64_t index, struct thread *t)
{
	struct command *c = t->command;
	uint64_t phys = budget_page(f->obj.payer, true);
	if (!phys)
		return ERR_NO_MEMORY;
	ACCOUNT_ADD(pages_frames, 1);
	t->command = NULL;
	thread_special_on(t, SPECIAL_NO_COMMAND);
	command_fresh(c);
	mem_zero(c->w, sizeof(c->w));
	c->w[0] = (f->pager_first + index) << PAGE_SHIFT;
	c->op = FRAME_READ_OP;
	c->meta = IPC_META(FRAME_READ_OP, 0, PAGE_SIZE, 0);
	c->in = index;
	c->out = phys;
	c->token = 0;
	c->is_page = true;
	c->extra = 1;                           /* not for the short path */
	c->path = NULL;
	c->session = f->pager;
	c->caller = NULL;
	c->rights = f->pager->rights;
	c->priority = t->priority;
	c->paging = OBJ_GET(f);
	list_init(&c->page_waiters);
	list_push_back(&f->coming, &c->in_frame);
	return OK;
}

/* The pager itself, or who may not call it, would wait for ever. */
static bool waits_for_itself(const struct port *p, const struct process *self)
{
	return p->server == self || (p->level && self->level <= p->level);
}

status_t page_wait(uint64_t deadline)
{
	struct thread *t = current_thread();
	struct thread_page *n = &t->need;
	struct frame *f = n->frame;
	struct port *p = f->pager->port;
	struct command *c;
	status_t st = waits_for_itself(p, t->process) ? ERR_LOOP : own_command(t);
	bool first = false;
	if (st < 0)
		goto out;
	if (t->regs.vector == REGS_SYSCALL && thread_special_off(t, SPECIAL_INTERRUPTED)) {
		st = ERR_INTERRUPTED;
		goto out;
	}
	spin_lock(&f->lock);
	uint64_t *slot = n->index < f->n_pages ? frame_slot_locked(f, n->index, true) : NULL;
	c = coming_locked(f, n->index);
	if (n->index >= f->n_pages || (slot && *slot)) {
		st = STATUS_RESTART;
	} else if (c && c->token == WAITERS_MAX) {
		sched_yield_current();
		st = STATUS_RESTART;
	} else if (!slot) {
		st = ERR_NO_MEMORY;
	} else if (!c) {
		c = t->command;
		first = true;
		st = ask_locked(f, n->index, t);
	}
	if (st == OK) {
		c->token++;
		n->command = c;
		sched_block_current(WAIT_PAGE, deadline);
		list_push_back(&c->page_waiters, &t->run);
	}
	spin_unlock(&f->lock);
	if (st == OK) {
		if (first && (st = port_send(p, c, true)) < 0) {
			c->meta = (uint64_t)st;
			page_over(c);
		}
		return STATUS_BLOCKED;          /* the error is found when the page is asked for again */
	}
out:
	page_forget(t);
	return st;
}

/* When a call that waits says that it wants to go on at the latest; 0 there means that it does not wait, but not for its memory. */
static uint64_t deadline_of(const struct regs *r)
{
	uint64_t deadline = FOREVER;
	if ((uint32_t)r->rax == SYS_call)
		deadline = r->rbp;
	else if (r->rax == SYS_futex_wait || r->rax == SYS_socket_read || r->rax == SYS_socket_write || r->rax == SYS_socket_connect)
		deadline = r->r10;
	return deadline ? deadline : FOREVER;
}

status_t page_finish(status_t status)
{
	struct thread *t = current_thread();
	this_cpu()->work &= ~(uint32_t)WORK_PAGE;
	if (!t->need.frame || (status != ERR_FAULT && status != STATUS_RESTART)) {
		page_forget(t);
		return status;
	}
	/* From when it is blocked the registers are in other hands: so first back to the SYSCALL instruction. */
	t->regs.rip -= 2;
	status = page_wait(deadline_of(&t->regs));
	if (status != STATUS_BLOCKED)
		t->regs.rip += 2;
	return status;
}

/* ---- the end of a wait ---- */

void page_over(struct command *c)
{
	struct frame *f = c->paging;
	struct thread *wakes[WAITERS_MAX];
	status_t st = (status_t)c->meta, error = OK;
	uint64_t phys = c->out;
	unsigned n = 0;
	spin_lock(&f->lock);
	/* Else it is beyond an end that the Frame has had since, or nobody waited any more. */
	if (!list_empty(&c->in_frame)) {
		list_remove(&c->in_frame);
		uint64_t *slot = st >= 0 ? frame_slot_locked(f, c->in, false) : NULL;
		if (slot && !*slot) {
			*slot = phys;
			phys = 0;
			f->committed++;
		}
		if (st < 0 && st != ERR_CANCELLED)
			error = st < -4095 ? ERR_IO : st;
	}
	while (!list_empty(&c->page_waiters)) {
		struct thread *t = wakes[n++] = LIST_FIRST(&c->page_waiters, struct thread, run);
		list_remove(&t->run);
		t->need.error = error;
		t->need.command = NULL;
		t->wait = WAIT_NONE;
	}
	spin_unlock(&f->lock);
	if (phys) {
		ACCOUNT_SUB(pages_frames, 1);
		budget_page_free(f->obj.payer, phys);
	}
	c->is_page = false;
	c->paging = NULL;
	c->token = 0;
	c->extra = 0;
	bool given = false;                     /* c, to a thread that has none */
	for (unsigned i = 0; i < n; i++) {
		struct thread *t = wakes[i];
		page_forget(t);
		if (!given && !t->command && c->payer == t->process->budget) {
			t->command = c;
			thread_special_off(t, SPECIAL_NO_COMMAND);
			given = true;
		}
		sched_wake(t);
	}
	if (!given)
		command_free(c);
	OBJ_PUT(f);
}

bool page_left_locked(struct command *c, struct frame *f)
{
	bool left = false;
	if (!c->is_page || c->paging != f)
		return false;
	spin_lock(&f->lock);
	left = !c->token && !list_empty(&c->in_frame);
	if (left && c->state == CMD_QUEUED)
		list_remove(&c->in_frame);
	spin_unlock(&f->lock);
	return left;
}

bool page_wait_break(struct thread *t, status_t why)
{
	struct frame *f = __atomic_load_n(&t->need.frame, __ATOMIC_ACQUIRE);
	struct command *c = NULL;
	bool last = false;
	if (!f)
		return false;
	spin_lock(&f->lock);
	bool call = t->regs.vector == REGS_SYSCALL;
	/* Without an upcall nothing can be told to a thread that only wanted its memory. */
	bool off = t->wait == WAIT_PAGE && t->need.frame == f && thread_wait_over(t, why) && (why != ERR_INTERRUPTED || call || t->upcall);
	if (off) {
		c = t->need.command;
		last = --c->token == 0;
		list_remove(&t->run);
		t->need.command = NULL;
		t->wait = WAIT_NONE;
	}
	spin_unlock(&f->lock);
	if (!off)
		return false;
	if (call) {
		t->regs.rip += 2;
		t->regs.rax = (uint64_t)why;
		t->progress_key = 0;
	}
	if (last)
		command_page_left(c, f);
	page_forget(t);
	if (why != ERR_GONE)            /* it dies */
		sched_wake(t);
	return true;
}

void page_cut_locked(struct frame *f)
{
	if (f->kind != FRAME_PAGED)
		return;
	LIST_EACH_SAFE(node, next, &f->coming)
		if (CONTAINER_OF(node, struct command, in_frame)->in >= f->n_pages)
			list_remove(node);
}

/* ---- what the pager does with pages that are there ---- */

/* Pages from `at` on that can be looked at in one go: they have slots, next to one another. 0: none before *next. */
static uint64_t stretch_locked(struct frame *f, uint64_t at, uint64_t end, uint64_t *next)
{
	uint64_t hole = frame_hole_locked(f, at);
	end = MIN(end, f->n_pages);
	*next = hole ? ALIGN_DOWN(at, hole) + hole : MIN(MAX(end, at), ALIGN_DOWN(at, PIECE) + PIECE);
	return hole || at >= end ? 0 : *next - at;
}

void page_reclaim(struct frame *f, uint64_t first, uint64_t n, uint64_t *done)
{
	uint64_t next, keep;
	spin_lock(&f->lock);
	uint64_t some = stretch_locked(f, first, first + n, &next);
	for (uint64_t i = 0; i < some; i++) {
		uint64_t *slot = frame_slot_locked(f, first + i, false);
		if (*slot && !(*slot & (SLOT_DIRTY | SLOT_SAVING)))
			*slot |= SLOT_GOING;
	}
	spin_unlock(&f->lock);
	*done = some ? some : MIN(MAX(next, first + 1) - first, n);
	if (!some)
		return;
	/* A call that lends them from now on finds the mark, and takes it off. */
	keep = vmem_lent(f, first);
	(void)!frame_drop_pages(f, first, some, &keep, done);  /* nobody shares what leads to them */
}

/* A paged Frame, by a handle that may do this. */
static status_t paged(handle_t h, uint64_t offset, uint64_t size, struct frame **f)
{
	status_t st = LOOKUP(h, OBJ_FRAME, RIGHT_MANAGE, f);
	return st < 0 ? st : (*f)->kind != FRAME_PAGED || ((offset | size) & (PAGE_SIZE - 1)) || offset + size < offset ? ERR_INVALID : OK;
}

/* The next dirty ones among `some` pages at `at`: they are to be saved now. Returns how many, *at: the first; phys: where they are. */
static uint64_t to_save_locked(struct frame *f, uint64_t *at, uint64_t some, uint64_t which, uint64_t phys[PIECE])
{
	uint64_t n = 0, *slot;
	for (uint64_t end = *at + some; *at + n < end; ) {
		slot = frame_slot_locked(f, *at + n, false);
		if (*slot & which) {
			phys[n++] = ALIGN_DOWN(*slot, PAGE_SIZE);
			*slot = (*slot & ~(uint64_t)SLOT_DIRTY) | SLOT_SAVING;
		} else if (n) {
			break;
		} else {
			++*at;
		}
	}
	return n;
}

status_t sys_frame_dirty(handle_t h, uint64_t offset, uint64_t size, uint32_t flags, uint64_t *first, uint64_t *length)
{
	struct progress was = progress_load();
	uint64_t phys[PIECE], next, n = 0;
	struct frame *f;
	status_t st = paged(h, offset, size, &f);
	if (st == OK && (flags & ~(uint32_t)FRAME_UNSAVED))
		st = ERR_INVALID;
	if (st < 0)
		return st;
	uint64_t at = MAX(offset >> PAGE_SHIFT, progress_of(&was, SYS_frame_dirty, f->obj.id)), end = (offset + size) >> PAGE_SHIFT;
	for (; at < end && at < f->n_pages; at = next) {
		spin_lock(&f->lock);
		uint64_t some = stretch_locked(f, at, end, &next);
		n = to_save_locked(f, &at, some, flags ? SLOT_DIRTY | SLOT_SAVING : SLOT_DIRTY, phys);
		spin_unlock(&f->lock);
		if (n)
			break;
		if (sched_preempt_point())
			return progress_restart(SYS_frame_dirty, f->obj.id, next);
	}
	if (n) {
		/* Nobody can write any more when this is over, nor is a copy under way: what is read now is what was meant. */
		object_get(&f->obj);
		vmem_zap(f, at, NULL, n);
		cpus_wait_left();
		OBJ_PUT(f);
	}
	*first = at << PAGE_SHIFT;
	*length = n << PAGE_SHIFT;
	return OK;
}

status_t sys_frame_saved(handle_t h, uint64_t offset, uint64_t size)
{
	struct progress was = progress_load();
	struct frame *f;
	status_t st = paged(h, offset, size, &f);
	if (st < 0)
		return st;
	uint64_t at = MAX(offset >> PAGE_SHIFT, progress_of(&was, SYS_frame_saved, f->obj.id)), end = (offset + size) >> PAGE_SHIFT, next;
	for (; at < end && at < f->n_pages; at = next) {
		spin_lock(&f->lock);
		for (uint64_t i = 0, some = stretch_locked(f, at, end, &next); i < some; i++)
			*frame_slot_locked(f, at + i, false) &= ~(uint64_t)SLOT_SAVING;
		spin_unlock(&f->lock);
		if (sched_preempt_point())
			return progress_restart(SYS_frame_saved, f->obj.id, next);
	}
	return OK;
}

status_t sys_frame_create_paged(handle_t port, uint64_t key, uint64_t size, handle_t *h)
{
	struct budget *payer = CURRENT_PROCESS->budget;
	struct port *p;
	status_t st = LOOKUP(port, OBJ_PORT, RIGHT_SERVE, &p);
	if (st < 0)
		return st;
	struct session *s = session_create(p, key, RIGHT_READ, 0, payer, &st);
	if (!s)
		return st;
	struct frame *f = frame_create_paged(s, 0, size, payer, &st);
	if (!f)
		s->closing = SESSION_CLOSE_SENT;        /* nothing ever was behind it: it goes without a word */
	OBJ_PUT(s);
	return object_install((struct object *)f, RIGHT_ALL, h, st);
}

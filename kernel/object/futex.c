/*
 * futex: threads that wait for a word of memory to change, by where it is: in an address space, or in a Frame, so that
 * several processes can share it. The word itself is the program's; here are only those who wait.
 *
 * Life:  the thread that waits leads the others at the same word, or is one of them; the oldest leads. All leaders of a bucket are
 *        in its list, so a look-up is as long as there are words, however many wait for each.
 * Locks: the bucket's, before a Vmem's. The word is compared under it, so whoever stores and then wakes finds who waits.
 */
#include <kernel/arch.h>
#include <kernel/futex.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>
#include <kernel/usercopy.h>

#define BUCKETS     256u

static struct futex_bucket { struct spinlock lock; struct list leads; } aligned(64) buckets[BUCKETS];

static struct futex_bucket *bucket_of(const struct futex_key *k)
{
	uint64_t h = (k->object ^ k->offset) * 0x9e3779b97f4a7c15ull;
	return &buckets[h >> 56];
}

void futex_init(void)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		list_init(&buckets[i].leads);
}

/* By what is mapped at va; object 0: nothing is. */
static noinline keeps_registers void shared_key(uint64_t va, struct futex_key *k)
{
	struct vmem *vm = current_thread()->vmem;
	*k = (struct futex_key){ 0 };
	spin_lock(&vm->lock);
	const struct mapping *m = vmem_find_locked(vm, va);
	if (m)
		*k = (struct futex_key){ m->frame->obj.id, m->offset + (va - m->va) };
	spin_unlock(&vm->lock);
}

always_inline status_t key_of(uint64_t va, uint32_t flags, struct futex_key *k)
{
	if (va & 3)
		return ERR_INVALID;
	if (!user_range_ok(va, 4))
		return ERR_FAULT;
	if (likely(!flags)) {
		*k = (struct futex_key){ current_thread()->vmem->obj.id, va };
		return OK;
	}
	if (flags != FUTEX_SHARED)
		return ERR_INVALID;
	struct futex_key shared;        /* so that *k itself never needs memory */
	shared_key(va, &shared);
	*k = shared;
	return k->object ? OK : ERR_FAULT;
}

static struct thread *lead_locked(struct futex_bucket *b, const struct futex_key *k)
{
	LIST_EACH(node, &b->leads) {
		struct thread *t = CONTAINER_OF(node, struct thread, run);
		if (t->futex.object == k->object && t->futex.offset == k->offset)
			return t;
	}
	return NULL;
}

static void add_locked(struct futex_bucket *b, struct thread *t, const struct futex_key *k)
{
	struct thread *lead = lead_locked(b, k);
	t->futex = *k;
	t->futex_bucket = b;
	t->futex_lead = !lead;
	if (lead) {
		list_push_back(&lead->futex_ring, &t->run);
	} else {
		list_init(&t->futex_ring);
		list_push_back(&b->leads, &t->run);
	}
}

/* The oldest of the others leads from now on. */
static void remove_locked(struct thread *t)
{
	if (t->futex_lead && !list_empty(&t->futex_ring)) {
		struct thread *next = LIST_FIRST(&t->futex_ring, struct thread, run);
		list_remove(&next->run);
		next->futex_lead = true;
		list_insert_before(&t->futex_ring, &next->futex_ring);    /* the ring with another head */
		list_remove(&t->futex_ring);
		list_insert_before(&t->run, &next->run);
	}
	list_remove(&t->run);
}

/* Wakes the oldest; false: there is none. */
always_inline bool wake_locked(struct futex_bucket *b, const struct futex_key *k)
{
	struct thread *t = lead_locked(b, k);
	if (!t)
		return false;
	remove_locked(t);
	sched_wake(t);
	return true;
}

status_t sys_futex_wait(uint64_t va, uint32_t value, uint32_t flags, uint64_t deadline)
{
	struct thread *t = current_thread();
	struct futex_key k;
	status_t st = key_of(va, flags, &k);
	if (st < 0)
		return st;
	if (unlikely(t->special & SPECIAL_INTERRUPTED)) {
		thread_special_off(t, SPECIAL_INTERRUPTED);
		return ERR_INTERRUPTED;
	}
	struct futex_bucket *b = bucket_of(&k);
	spin_lock(&b->lock);
	int64_t word = user_word(va);   /* a page fault is seen to at once: what it takes comes after the bucket's lock */
	if (word != value) {
		spin_unlock(&b->lock);
		return word < 0 ? word : ERR_AGAIN;
	}
	t->regs.rax = OK;
	add_locked(b, t, &k);
	sched_block_current(WAIT_FUTEX, deadline);
	spin_unlock(&b->lock);
	return STATUS_BLOCKED;
}

always_inline status_t wake(uint64_t va, uint32_t n, uint32_t flags, uint32_t *woken)
{
	struct futex_key k;
	uint32_t done = 0, most = MIN(n, FUTEX_WAKE_MAX);
	status_t st = key_of(va, flags, &k);
	if (st < 0)
		return st;
	struct futex_bucket *b = bucket_of(&k);
	spin_lock(&b->lock);
	while (done < most && wake_locked(b, &k))
		done++;
	spin_unlock(&b->lock);
	*woken = done;
	return OK;
}

status_t sys_futex_wake(uint64_t va, uint32_t n, uint32_t flags, uint32_t *woken)
{
	return wake(va, n, flags, woken);
}

status_t sys_futex_requeue(uint64_t va, uint32_t value, uint32_t n_wake, uint64_t to, uint32_t n_move, uint32_t flags, uint32_t *woken, uint32_t *moved)
{
	struct futex_key from_key, to_key;
	struct thread *t;
	uint32_t n = 0, more = 0;
	status_t st = key_of(va, flags, &from_key);
	if (st == OK)
		st = key_of(to, flags, &to_key);
	if (st == OK && (n_wake > FUTEX_WAKE_MAX || va == to))
		st = ERR_INVALID;
	if (st < 0)
		return st;
	struct futex_bucket *from = bucket_of(&from_key), *other = bucket_of(&to_key);
	bool both = from != other;
	spin_lock(&from->lock);
	int64_t word = user_word(va);
	if (word != value) {
		spin_unlock(&from->lock);
		return word < 0 ? word : ERR_AGAIN;
	}
	if (both && !spin_trylock(&other->lock)) {
		spin_unlock(&from->lock);       /* perhaps another CPU does the same the other way round */
		cpu_work(WORK_RESTORE);
		return STATUS_RESTART;
	}
	while (n < n_wake && wake_locked(from, &from_key))
		n++;
	for (; n == n_wake && more < MIN(n_move, FUTEX_MOVE_MAX) && (t = lead_locked(from, &from_key)); more++) {
		remove_locked(t);
		add_locked(other, t, &to_key);
	}
	if (both)
		spin_unlock(&other->lock);
	spin_unlock(&from->lock);
	*woken = n;
	*moved = more;
	return OK;
}

bool futex_wait_break(struct thread *t, status_t why)
{
	for (;;) {
		struct futex_bucket *b = __atomic_load_n(&t->futex_bucket, __ATOMIC_RELAXED);
		spin_lock(&b->lock);
		bool waits = t->wait == WAIT_FUTEX, here = waits && t->futex_bucket == b, off = here && thread_wait_over(t, why);
		if (off) {
			remove_locked(t);
			t->wait = WAIT_NONE;
		}
		spin_unlock(&b->lock);
		if (waits && !here)
			continue;               /* it was moved */
		if (!off)
			return false;
		t->regs.rax = (uint64_t)why;
		if (why != ERR_GONE)            /* it dies */
			sched_wake(t);
		return true;
	}
}

/* For a thread whose stack somebody waits to have back. */
status_t sys_thread_exit_clear(uint64_t va)
{
	uint32_t zero = 0, woken;
	status_t st = va & 3 ? ERR_INVALID : copy_out((user_out_t){ va }, &zero, sizeof(zero));
	if (st == OK)
		st = wake(va, 1, 0, &woken);
	return st < 0 ? st : sys_thread_exit();
}

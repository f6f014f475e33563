/*
 * locks: who may wait for which lock while holding which. A lock's class is where it lies: the type of its object and the
 * offset there, a field of percpu, or, for one in the kernel's image, the words that it is taken with. So it costs the
 * ordinary build nothing, not even a byte in the lock.
 *
 * Two things are looked at before a lock is waited for: the order of docs/invariants.md (`known`), and for all classes what
 * was seen before: if B was ever waited for with A held, A may never be waited for with B held, through any chain. A try waits
 * for nobody, and so may go against the order; what is waited for after it may not.
 */
#include <kernel/debug.h>
#include <kernel/mm.h>
#include <kernel/panic.h>
#include <kernel/percpu.h>
#include <kernel/process.h>
#include <kernel/regs.h>
#include <kernel/socket.h>
#include <kernel/vmem.h>

enum { HELD_MAX = 16, CLASSES = 128, BUCKETS = 512 };
enum kind { IN_PERCPU = 1, IN_OBJECT, IN_BLOCK, IN_PAGES, IN_IMAGE };
/* The order of docs/invariants.md; 0: none is written down. */
enum rank { RANK_NONE, BIND, BUCKET, PORT, ATTACH, PROCESS, LINK, FLIGHT, TABLE, WATCHERS, NOTIFY, SETTLE, VMEM, FRAME, MAPS, RUN, TIMERS, ALLOCATOR, TRACE };

#define KEY(kind, what, at) ((uint64_t)(kind) << 56 | (uint64_t)(what) << 32 | (uint32_t)(at))
#define IN(type, field, object) KEY(IN_OBJECT, object, offsetof(struct type, field))

static const struct { uint64_t key; enum rank rank; } known[] = {
	{ IN(notify, bind_lock, OBJ_NOTIFY), BIND }, { IN(port, lock, OBJ_PORT), PORT }, { IN(process, lock, OBJ_PROCESS), PROCESS },
	{ KEY(IN_BLOCK, sizeof(struct link), 0), LINK }, { KEY(IN_PAGES, 0, 0), LINK },
	{ IN(table, lock, OBJ_TABLE), TABLE }, { IN(table, lock, OBJ_SHELF), TABLE },
	{ IN(port, watchers.lock, OBJ_PORT), WATCHERS }, { IN(process, watchers.lock, OBJ_PROCESS), WATCHERS },
	{ IN(socket, watchers[0].lock, OBJ_SOCKET), WATCHERS }, { IN(socket, watchers[1].lock, OBJ_SOCKET), WATCHERS },
	{ IN(notify, lock, OBJ_NOTIFY), NOTIFY }, { IN(vmem, lock, OBJ_VMEM), VMEM }, { IN(frame, lock, OBJ_FRAME), FRAME },
	{ IN(frame, settle, OBJ_FRAME), SETTLE }, { IN(frame, maps_lock, OBJ_FRAME), MAPS },
	{ KEY(IN_PERCPU, 0, offsetof(struct percpu, run_lock)), RUN }, { KEY(IN_PERCPU, 0, offsetof(struct percpu, timer_lock)), TIMERS },
};
/* In the image: by the file, and how it is taken; NULL: however. */
static const struct { const char *file, *lock; enum rank rank; } known_in_image[] = {
	{ "futex.c", NULL, BUCKET }, { "attach.c", "&attach_lock", ATTACH }, { NULL, "&socket_flight_lock", FLIGHT },
	{ "page.c", "&lock", ALLOCATOR }, { "slab.c", NULL, ALLOCATOR }, { "command.c", "&lock", ALLOCATOR }, { "trace.c", "&lock", TRACE },
};

static struct class { uint64_t key; const struct debug_site *first; enum rank rank; bool waited_for; } classes[CLASSES];
static uint32_t n_classes;
static uint8_t bucket[BUCKETS];         /* by the key's hash: class + 1 */
/* after[a][b]: b was waited for with a held, and where that was. */
static struct { const struct debug_site *held, *wanted; } after[CLASSES][CLASSES];
static struct spinlock graph_lock;

static struct { struct { struct spinlock *lock; const struct debug_site *site; uint32_t class; } held[HELD_MAX]; uint32_t n; } cpus[CPUS_MAX];

extern char __text_start[], __bss_end[];

static const char *base(const char *path)
{
	const char *name = path;
	for (; *path; path++)
		if (*path == '/')
			name = path + 1;
	return name;
}

static uint64_t hash(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 0x100000001b3ull;
	return h;
}

static enum rank image_rank(const struct debug_site *at, const char **lock)
{
	*lock = at->lock;
	for (unsigned i = 0; i < ARRAY_LEN(known_in_image); i++) {
		const char *file = known_in_image[i].file, *name = known_in_image[i].lock;
		if ((!file || !strcmp(file, base(at->file))) && (!name || !strcmp(name, at->lock))) {
			*lock = name ? name : "*";
			return known_in_image[i].rank;
		}
	}
	return RANK_NONE;
}

static uint64_t key_of(const struct spinlock *l, const struct debug_site *at)
{
	uint64_t va = (uint64_t)l;
	struct debug_object o;
	for (uint32_t i = 0; i < CPUS_MAX && percpu_all[i]; i++)
		if (va - (uint64_t)percpu_all[i] < sizeof(struct percpu))
			return KEY(IN_PERCPU, 0, va - (uint64_t)percpu_all[i]);
	if (va >= (uint64_t)__text_start && va < (uint64_t)__bss_end) {
		const char *lock;
		(void)image_rank(at, &lock);
		uint64_t h = hash(0xcbf29ce484222325ull, lock);
		/* Only a static lock, which has a plain name, is taken in one file alone. */
		return KEY(IN_IMAGE, 0, 0) | ((!strcmp(lock, "&lock") || !strcmp(lock, "*") ? hash(h, base(at->file)) : h) & 0xffffffffffffffull);
	}
	bool small = debug_object_at(l, &o);
	const char *start = small ? o.start : (char *)ALIGN_DOWN(va, PAGE_SIZE);
	const struct object *object = (const struct object *)start;
	if (object->type && object->type < OBJ_TYPES && object->magic == (OBJECT_MAGIC ^ object->type))
		return KEY(IN_OBJECT, object->type, va - (uint64_t)start);
	return KEY(small ? IN_BLOCK : IN_PAGES, small ? o.size : 0, va - (uint64_t)start);
}

static uint32_t class_of(const struct spinlock *l, const struct debug_site *at)
{
	uint64_t key = key_of(l, at);
	uint32_t slot = (uint32_t)((key ^ key >> 29) * 0x9e3779b97f4a7c15ull >> 55);
	for (;; slot = (slot + 1) % BUCKETS) {
		uint8_t found = __atomic_load_n(&bucket[slot], __ATOMIC_ACQUIRE);
		if (found && classes[found - 1].key == key)
			return found - 1u;
		if (found)
			continue;
		(spin_lock)(&graph_lock);
		if (!bucket[slot]) {
			if (n_classes == CLASSES)
				panic("LOCK: more than %d classes", CLASSES);
			const char *lock;
			struct class *c = &classes[n_classes++];
			*c = (struct class){ .key = key, .first = at, .rank = key >> 56 == IN_IMAGE ? image_rank(at, &lock) : RANK_NONE };
			for (unsigned i = 0; i < ARRAY_LEN(known); i++)
				if (known[i].key == key)
					c->rank = known[i].rank;
			__atomic_store_n(&bucket[slot], (uint8_t)n_classes, __ATOMIC_RELEASE);
		}
		(spin_unlock)(&graph_lock);
		slot = (slot + BUCKETS - 1) % BUCKETS;  /* look again: it is ours, or another's */
	}
}

static bool reaches(uint32_t from, uint32_t to, uint8_t *seen)
{
	if (from == to)
		return true;
	seen[from] = 1;
	for (uint32_t i = 0; i < n_classes; i++)
		if (after[from][i].held && !seen[i] && reaches(i, to, seen))
			return true;
	return false;
}

static noreturn void wrong(const char *what, const struct debug_site *held, const struct debug_site *wanted, const struct debug_site *other)
{
	panic("LOCK: %s: %s (%s:%d) wanted with %s (%s:%d) held%s%s", what, wanted->lock, wanted->file, wanted->line, held->lock, held->file,
		held->line, other ? "; the other way round in " : "", other ? other->file : "");
}

void debug_lock_wanted(struct spinlock *l, const struct debug_site *site)
{
	uint32_t me = this_cpu()->cpu, c = class_of(l, site);
	classes[c].waited_for = true;
	for (uint32_t i = 0; i < cpus[me].n; i++) {
		const struct debug_site *held = cpus[me].held[i].site;
		uint32_t a = cpus[me].held[i].class;
		if (cpus[me].held[i].lock == l)
			wrong("taken twice", held, site, NULL);
		if (a == c)
			wrong("two of a kind", held, site, NULL);
		if (classes[a].rank && classes[c].rank && classes[a].rank > classes[c].rank)
			wrong("against the order", held, site, NULL);
		if (after[a][c].held)
			continue;
		(spin_lock)(&graph_lock);
		uint8_t seen[CLASSES] = { 0 };
		bool cycle = reaches(c, a, seen);
		if (!cycle) {
			after[a][c].wanted = site;
			__atomic_store_n(&after[a][c].held, held, __ATOMIC_RELEASE);
		}
		(spin_unlock)(&graph_lock);
		if (cycle)
			wrong("against the order", held, site, after[c][a].held ? after[c][a].wanted : classes[a].first);
	}
}

bool debug_lock_taken(struct spinlock *l, const struct debug_site *site)
{
	uint32_t me = this_cpu()->cpu, n = cpus[me].n;
	if (n == HELD_MAX)
		panic("LOCK: more than %d held", HELD_MAX);
	cpus[me].held[n].lock = l;
	cpus[me].held[n].site = site;
	cpus[me].held[n].class = class_of(l, site);
	cpus[me].n = n + 1;
	return true;
}

void debug_lock_left(struct spinlock *l)
{
	uint32_t me = this_cpu()->cpu, n = cpus[me].n;
	for (uint32_t i = n; i-- > 0;)
		if (cpus[me].held[i].lock == l) {
			for (; i + 1 < n; i++)
				cpus[me].held[i] = cpus[me].held[i + 1];
			cpus[me].n = n - 1;
			return;
		}
	panic("LOCK: %p unlocked by a CPU that does not hold it", (void *)l);
}

void debug_lock_handed(struct spinlock *l)
{
	debug_lock_left(l);
}

void debug_unlocked_all(void)
{
	uint32_t me = this_cpu()->cpu;
	if (cpus[me].n) {
		const struct debug_site *at = cpus[me].held[0].site;
		panic("LOCK: %s (%s:%d) still held when the kernel is left", at->lock, at->file, at->line);
	}
}

void debug_waits(void)
{
	uint32_t me = this_cpu()->cpu;
	for (uint32_t i = 0; i < cpus[me].n; i++)
		if (classes[cpus[me].held[i].class].waited_for)
			debug_unlocked_all();
}

void debug_user_memory(void)
{
	uint32_t me = this_cpu()->cpu;
	for (uint32_t i = 0; i < cpus[me].n; i++) {
		enum rank r = classes[cpus[me].held[i].class].rank;
		const struct debug_site *at = cpus[me].held[i].site;
		if (r != PORT && r != LINK && r != BUCKET)
			panic("LOCK: user memory touched with %s (%s:%d) held", at->lock, at->file, at->line);
	}
}

/* What SYSRET and IRET must never see (docs/invariants.md); also, nothing is held any more. */
void debug_user_regs(const struct regs *r)
{
	debug_unlocked_all();
	if (r->rip >> 47)
		panic("LEAVE: RIP 0x%lx is not canonical", (unsigned long)r->rip);
	if ((r->cs & 3) != 3 || (r->ss & 3) != 3 || !(r->rflags & 0x200) || (r->rflags & 0x3000))
		panic("LEAVE: cs 0x%lx, ss 0x%lx, rflags 0x%lx", (unsigned long)r->cs, (unsigned long)r->ss, (unsigned long)r->rflags);
}

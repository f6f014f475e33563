/*
 * first: initfsd, the first process. The loader checked its segments; they stay in memory as
 * they were, so that it can be executed again. Read-only segments are mapped where they lie,
 * writable ones are copied.
 */
#include <abi/start.h>
#include <kernel/arch.h>
#include <kernel/budget.h>
#include <kernel/irq.h>
#include <kernel/log.h>
#include <kernel/mm.h>
#include <kernel/panic.h>
#include <kernel/process.h>

#define STACK_TOP  0x00007ffff0000000ull
#define STACK_SIZE (64 * KiB)
#define START_PAGE 0x00007ffff1000000ull

/* What the "boot" Frame shows. */
static uint8_t info_page[PAGE_SIZE] aligned(PAGE_SIZE);

static struct frame *copied(const struct boot_segment *s)
{
	status_t why;
	struct frame *f = frame_create(s->size, 0, budget_root(), &why);
	for (uint64_t at = 0; f && at < s->size; at += PAGE_SIZE) {
		uint64_t phys;
		if (frame_page(f, at >> PAGE_SHIFT, &phys) < 0)
			panic("no memory for the first process");
		memcpy(HHDM(phys), HHDM(s->phys + at), PAGE_SIZE);
	}
	return f;
}

static void map(struct process *p, struct frame *f, uint64_t va, uint64_t size, uint32_t prot)
{
	if (!f || vmem_map(p->vmem, f, 0, &va, size, prot | MAP_FIXED, prot) < 0)
		panic("cannot map the first process at 0x%llx", (unsigned long long)va);
	OBJ_PUT(f);
}

struct builder { char *page; uint32_t used; struct start_info *s; struct start_handle *h; };

static uint32_t put(struct builder *b, const void *data, uint32_t size)
{
	uint32_t at = b->used;
	memcpy(b->page + at, data, size);
	b->used = ALIGN_UP(at + size, 4u);
	return at;
}

static void name_handle(struct builder *b, const char *name, handle_t h)
{
	struct start_handle *at = &b->h[b->s->n_handles++];
	memcpy(at->name, name, strlen(name) + 1);
	at->handle = h;
}

/* What the first process starts with, in its table for good: slot i holds names[i]. */
static const char *const names[] = { "self", "root", "boot", "ns", "initfs" };
enum { SLOT_SELF, SLOT_ROOT, SLOT_BOOT, SLOT_NS, SLOT_INITFS };

static void give(struct table *t, uint32_t slot, struct object *o, uint32_t rights)
{
	if (!o || handle_install_at(t, slot, 0, o, rights, 0) < 0)
		panic("no handle %s for the first process", names[slot]);
	object_put(o);
}

static const struct boot_info *boot_kept;       /* what main.c took over; borrowed for good */
static struct namespace *ns;            /* counted */
static struct table *table;             /* counted, and held by a handle count: it outlives every instance */
static uint32_t instance;

static void start(void)
{
	static const char name[PROCESS_NAME_MAX] = "initfsd";
	const struct boot_image *image = &boot_kept->initfsd;
	status_t why = OK;
	struct process *p = process_create(name, budget_root(), ns, table, NULL, PRIORITY_DRIVER, 10, &why);
	if (!p)
		panic("cannot create the first process: error %lld", (long long)why);
	p->first = true;
	for (uint32_t i = 0; i < image->n_segments; i++) {
		const struct boot_segment *s = &image->segments[i];
		uint32_t prot = (s->flags & BOOT_SEG_READ ? PROT_READ : 0) | (s->flags & BOOT_SEG_WRITE ? PROT_WRITE : 0) | (s->flags & BOOT_SEG_EXEC ? PROT_EXEC : 0);
		map(p, s->flags & BOOT_SEG_WRITE ? copied(s) : frame_create_phys(s->phys, s->size, CACHE_WRITE_BACK, budget_root(), &why),
			s->virt, s->size, prot);
	}
	map(p, frame_create(STACK_SIZE, 0, budget_root(), &why), STACK_TOP - STACK_SIZE, STACK_SIZE, PROT_READ | PROT_WRITE);

	struct frame *page = frame_create(PAGE_SIZE, 0, budget_root(), &why);
	uint64_t phys;
	if (!page || frame_page(page, 0, &phys) < 0)
		panic("no memory for the first process");
	struct builder b = { .page = HHDM(phys), .used = sizeof(struct start_info), .s = HHDM(phys) };
	*b.s = (struct start_info){ .magic = START_MAGIC, .argc = 1, .envc = 2, .image_base = image->virt_base,
		.stack_low = STACK_TOP - STACK_SIZE, .stack_high = STACK_TOP };
	uint32_t arg0 = put(&b, "initfsd", 8), env[2];
	b.s->argv = put(&b, &arg0, 4);
	char text[40];
	kformat(text, sizeof(text), "INITFS_SIZE=%llu", (unsigned long long)boot_kept->initfs_size);
	env[0] = put(&b, text, (uint32_t)strlen(text) + 1);
	kformat(text, sizeof(text), "INSTANCE=%u", ++instance);
	env[1] = put(&b, text, (uint32_t)strlen(text) + 1);
	b.s->envp = put(&b, env, sizeof(env));
	b.s->handles = ALIGN_UP(b.used, 8u);
	b.h = (struct start_handle *)(b.page + b.s->handles);
	/* "self" is another process each time; the rest stays where it is. */
	if (handle_slot(table, SLOT_SELF)->object && handle_close(table, handle_value(SLOT_SELF, handle_generation(handle_slot(table, SLOT_SELF)))) < 0)
		panic("the first process's own handle cannot be closed");
	give(table, SLOT_SELF, &OBJ_GET(p)->obj, RIGHT_ALL);
	for (uint32_t i = 0; i < ARRAY_LEN(names); i++)
		if (handle_slot(table, i)->object)
			name_handle(&b, names[i], handle_value(i, handle_generation(handle_slot(table, i))));
	b.s->size = (uint32_t)((char *)(b.h + b.s->n_handles) - b.page);
	map(p, page, START_PAGE, PAGE_SIZE, PROT_READ | PROT_WRITE);

	struct thread *t = thread_create(p, image->virt_entry, STACK_TOP - 16, START_PAGE, PRIORITY_DRIVER, &why);
	if (!t)
		panic("no thread for the first process: error %lld", (long long)why);
	thread_start(t);
	OBJ_PUT(t);
	process_built(p);
}

void first_process_start(const struct boot_info *boot)
{
	status_t why = OK;
	boot_kept = boot;
	memcpy(info_page, boot, sizeof(*boot));
	ns = ns_create(budget_root(), &why);
	table = ns ? table_create(budget_root(), 0, &why) : NULL;
	if (!table)
		panic("no memory for the first process");
	object_handle_get(&table->obj);
	give(table, SLOT_ROOT, (struct object *)resource_create(RES_ROOT, 0, 0, budget_root(), &why), RIGHT_ALL);
	give(table, SLOT_BOOT, (struct object *)frame_create_phys(kernel_phys_of(info_page), PAGE_SIZE, CACHE_WRITE_BACK, budget_root(), &why),
		RIGHT_READ | RIGHT_MAP | RIGHT_DUP | RIGHT_TRANSFER);
	give(table, SLOT_NS, &OBJ_GET(ns)->obj, RIGHT_ALL);
	if (boot->initfs && boot->initfs_size)
		give(table, SLOT_INITFS, (struct object *)frame_create_phys(boot->initfs, boot->initfs_size, CACHE_WRITE_BACK, budget_root(), &why),
			RIGHT_READ | RIGHT_MAP | RIGHT_DUP | RIGHT_TRANSFER);
	start();
}

/*
 * It ended: again, on the same handle table. An instance that faulted in its first tenth of a second, before it ever waited
 * for a command, is not started at once, so that a broken one cannot take the machine's time.
 */
static void start_later(struct timer *t)
{
	(void)t;
	start();
}

void first_process_again(struct process *ended)
{
	static struct timer later = { .fire = start_later };
	uint64_t now = clock_ns();
	klog("initfsd (pid %llu) ended, kind %u, status %lld: executing it again", (unsigned long long)ended->pid, ended->exit_kind, (long long)ended->exit_status);
	bool killed = ended->exit_kind == EXIT_KILLED && ended->exit_status == KILL_PLAIN;
	if (killed || ended->calm || now - ended->start_ns >= 100 * NS_PER_MS)
		start();
	else
		timer_arm(&later, now + 100 * NS_PER_MS);
}

/*
 * first: initfsd, the first process. The loader checked its segments; they stay in memory as
 * they were, so that it can be executed again. Read-only segments are mapped where they lie,
 * writable ones are copied.
 */
#include <abi/start.h>
#include <kernel/budget.h>
#include <kernel/irq.h>
#include <kernel/log.h>
#include <kernel/mm.h>
#include <kernel/panic.h>
#include <kernel/process.h>

#define STACK_TOP  0x00007ffff0000000ull
#define STACK_SIZE (64 * KiB)
#define START_PAGE 0x00007ffff1000000ull

static struct boot_info info;           /* also what the "boot" Frame shows */
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

static void give(struct builder *b, struct process *p, const char *name, struct object *o, uint32_t rights)
{
	struct start_handle *h = &b->h[b->s->n_handles++];
	memcpy(h->name, name, strlen(name) + 1);
	if (!o || handle_install(p->table, o, rights, 0, &h->handle) < 0)
		panic("no handle %s for the first process", name);
	object_put(o);
}

void first_process_start(const struct boot_info *boot)
{
	static const char name[PROCESS_NAME_MAX] = "initfsd";
	status_t why = OK;
	info = *boot;
	memcpy(info_page, &info, sizeof(info));
	struct namespace *ns = ns_create(budget_root(), &why);
	struct process *p = ns ? process_create(name, budget_root(), ns, PRIORITY_DRIVER, 10, &why) : NULL;
	if (!p)
		panic("cannot create the first process: error %lld", (long long)why);

	for (uint32_t i = 0; i < boot->initfsd.n_segments; i++) {
		const struct boot_segment *s = &boot->initfsd.segments[i];
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
	*b.s = (struct start_info){ .magic = START_MAGIC, .argc = 1, .envc = 1, .image_base = boot->initfsd.virt_base,
		.stack_low = STACK_TOP - STACK_SIZE, .stack_high = STACK_TOP };
	uint32_t arg0 = put(&b, "initfsd", 8);
	b.s->argv = put(&b, &arg0, 4);
	char env[40];
	kformat(env, sizeof(env), "INITFS_SIZE=%llu", (unsigned long long)boot->initfs_size);
	uint32_t env0 = put(&b, env, (uint32_t)strlen(env) + 1);
	b.s->envp = put(&b, &env0, 4);
	b.s->handles = ALIGN_UP(b.used, 8u);
	b.h = (struct start_handle *)(b.page + b.s->handles);
	struct boot_info *shown = (struct boot_info *)info_page;
	memset(info.entropy, 0, sizeof(info.entropy));
	give(&b, p, "root", (struct object *)resource_create(RES_ROOT, 0, 0, budget_root(), &why), RIGHT_ALL);
	give(&b, p, "boot", (struct object *)frame_create_phys(kernel_phys_of(shown), PAGE_SIZE, CACHE_WRITE_BACK, budget_root(), &why),
		RIGHT_READ | RIGHT_MAP | RIGHT_DUP | RIGHT_TRANSFER);
	if (boot->initfs && boot->initfs_size)
		give(&b, p, "initfs", (struct object *)frame_create_phys(boot->initfs, boot->initfs_size, CACHE_WRITE_BACK, budget_root(), &why),
			RIGHT_READ | RIGHT_MAP | RIGHT_DUP | RIGHT_TRANSFER);
	give(&b, p, "ns", &OBJ_GET(ns)->obj, RIGHT_ALL);
	give(&b, p, "self", &OBJ_GET(p)->obj, RIGHT_ALL);
	b.s->size = (uint32_t)((char *)(b.h + b.s->n_handles) - b.page);
	map(p, page, START_PAGE, PAGE_SIZE, PROT_READ | PROT_WRITE);

	struct thread *t = thread_create(p, boot->initfsd.virt_entry, STACK_TOP - 16, START_PAGE, PRIORITY_DRIVER, &why);
	if (!t)
		panic("no thread for the first process: error %lld", (long long)why);
	thread_start(t);
	OBJ_PUT(t);
	OBJ_PUT(ns);
}

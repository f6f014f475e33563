/*
 * dma: memory pinned for a device. It stays where it is and what it is, whatever its Frame's owner does, and does not go to anybody
 * else before it is unpinned or its device is called silent, whoever has died meanwhile.
 */
#include "test.h"

#define RW (PROT_READ | PROT_WRITE)

enum { PAGES = 40, HANDLES = 12000, WAIT_MS = 5000, ORDER_MAX = 10 };

static struct dma_extent extents[PIN_EXTENTS_MAX], again[PIN_EXTENTS_MAX];
static handle_t held[HANDLES];

/* Pins all of it in as many calls as it takes; the first pin's id, which the others follow. */
static status_t pin_all(handle_t f, uint64_t size, handle_t dma, struct dma_extent *e, uint32_t *n, uint64_t *first, unsigned *pins)
{
	*n = *pins = 0;
	for (uint64_t at = 0, done, id; at < size; at += done) {
		uint32_t got;
		status_t st = frame_pin(f, at, size - at, dma, e + *n, PIN_EXTENTS_MAX - *n, &id, &got, &done);
		if (st < 0)
			return st;
		*first = *pins ? *first : id;
		*n += got;
		++*pins;
	}
	return OK;
}

static uint64_t pinned_pages(void)
{
	struct kstat k;
	return kstat(res_info, &k) == OK ? k.pages_pinned : UINT64_MAX;
}

/* ---- where the pages are ---- */

static void pins(void)
{
	handle_t dma, f;
	uint64_t va, first, id, done, total = 0, before = pinned_pages();
	uint32_t n, m;
	unsigned pins;
	DONE(dma_create(res_dma, 1, &dma));
	DONE(frame_create(PAGES * PAGE_SIZE, 0, &f));
	DONE(vmem_map(0, f, 0, 0, PAGES * PAGE_SIZE, RW, &va));
	((uint8_t *)va)[0] = 1;                         /* the others appear when they are pinned */
	DONE(pin_all(f, PAGES * PAGE_SIZE, dma, extents, &n, &first, &pins));
	for (unsigned i = 0; i < n; i++) {
		CHECK(extents[i].address && !((extents[i].address | extents[i].size) % PAGE_SIZE));
		for (unsigned k = 0; k < i; k++)
			CHECK(extents[i].address + extents[i].size <= extents[k].address || extents[k].address + extents[k].size <= extents[i].address);
		total += extents[i].size;
	}
	EQ(total, PAGES * PAGE_SIZE);
	EQ(pinned_pages() - before, PAGES);
	memset((void *)va, 7, PAGES * PAGE_SIZE);
	DONE(vmem_unmap(0, va, PAGES * PAGE_SIZE));
	DONE(frame_pin(f, 0, PAGES * PAGE_SIZE, dma, again, PIN_EXTENTS_MAX, &id, &m, &done));
	EQ(m, n);
	CHECK(!memcmp(extents, again, n * sizeof(*again)));
	EQ(pinned_pages() - before, 2 * PAGES);
	DONE(frame_unpin(dma, id));
	EQ(frame_unpin(dma, id), ERR_NOT_FOUND);
	/* A range too large for the room is pinned as far as it goes. */
	DONE(frame_pin(f, 0, PAGES * PAGE_SIZE, dma, again, 1, &id, &m, &done));
	EQ(m, 1);
	EQ(done, extents[0].size);
	DONE(frame_unpin(dma, id));
	for (unsigned i = 0; i < pins; i++)
		DONE(frame_unpin(dma, first + i));
	EQ(pinned_pages(), before);
	DONE(handle_close(f));
	DONE(handle_close(dma));
}

static void contiguous(void)
{
	handle_t dma, f;
	struct frame_info info;
	uint64_t id, done;
	uint32_t n;
	DONE(dma_create(res_dma, 1, &dma));
	DONE(frame_create(1024 * PAGE_SIZE, FRAME_CONTIGUOUS | FRAME_DMA32, &f));
	DONE(frame_info(f, &info));
	CHECK(info.phys && info.phys + info.size <= 1ull << 32);
	DONE(frame_pin(f, PAGE_SIZE, 1023 * PAGE_SIZE, dma, extents, 1, &id, &n, &done));
	EQ(n, 1);
	EQ(done, 1023 * PAGE_SIZE);
	EQ(extents[0].address, info.phys + PAGE_SIZE);
	EQ(extents[0].size, 1023 * PAGE_SIZE);
	EQ(frame_resize(f, PAGE_SIZE), ERR_INVALID);
	DONE(frame_unpin(dma, id));
	DONE(handle_close(f));
	/* As many as there may be of that kind, one page each: with more than 4 GiB, what is ordinary lies above. */
	DONE(frame_create(PAGE_SIZE, FRAME_CONTIGUOUS | FRAME_DMA32, &f));
	DONE(frame_info(f, &info));
	CHECK(info.phys < 1ull << 32);
	DONE(handle_close(f));
	DONE(handle_close(dma));
}

/* ---- what may not happen to them ---- */

static void owner_changes_it(void)
{
	handle_t dma, f, copy;
	struct frame_info info;
	uint64_t id, id2, done, va;
	uint32_t n;
	DONE(dma_create(res_dma, 1, &dma));
	DONE(frame_create(PAGES * PAGE_SIZE, 0, &f));
	DONE(vmem_map(0, f, 0, 0, PAGES * PAGE_SIZE, RW, &va));
	volatile uint8_t *p = (void *)va;
	for (unsigned i = 0; i < PAGES; i++)
		p[i * PAGE_SIZE] = (uint8_t)(i + 1);
	DONE(frame_pin(f, 10 * PAGE_SIZE, 2 * PAGE_SIZE, dma, extents, 2, &id, &n, &done));
	EQ(done, 2 * PAGE_SIZE);
	EQ(frame_resize(f, 11 * PAGE_SIZE), ERR_BUSY);
	EQ(frame_resize(f, PAGE_SIZE), ERR_BUSY);
	EQ(frame_decommit(f, 0, PAGES * PAGE_SIZE), ERR_BUSY);
	EQ(frame_decommit(f, 11 * PAGE_SIZE, PAGE_SIZE), ERR_BUSY);
	DONE(frame_info(f, &info));
	EQ(info.size, PAGES * PAGE_SIZE);
	EQ(info.committed, PAGES * PAGE_SIZE);
	/* Around it everything is as ever. */
	DONE(frame_decommit(f, 0, 10 * PAGE_SIZE));
	DONE(frame_decommit(f, 12 * PAGE_SIZE, 2 * PAGE_SIZE));
	DONE(frame_resize(f, 20 * PAGE_SIZE));
	DONE(frame_resize(f, PAGES * PAGE_SIZE));
	EQ(p[0], 0);
	EQ(p[10 * PAGE_SIZE], 11);
	EQ(p[11 * PAGE_SIZE], 12);
	/* A copy gets pages of its own; the pinned ones stay writable, and where they are. */
	DONE(vmem_clone(0, &copy));
	p[10 * PAGE_SIZE] = 99;
	DONE(frame_pin(f, 10 * PAGE_SIZE, 2 * PAGE_SIZE, dma, again, 2, &id2, &n, &done));
	CHECK(!memcmp(extents, again, n * sizeof(*again)));
	DONE(frame_unpin(dma, id2));
	DONE(handle_close(copy));
	/* What is shared already is made one's own by the pin, and the device's writes are ours only. */
	DONE(frame_unpin(dma, id));
	DONE(vmem_clone(0, &copy));
	DONE(frame_pin(f, 10 * PAGE_SIZE, 2 * PAGE_SIZE, dma, extents, 2, &id, &n, &done));
	p[10 * PAGE_SIZE] = 98;
	DONE(frame_pin(f, 10 * PAGE_SIZE, 2 * PAGE_SIZE, dma, again, 2, &id2, &n, &done));
	CHECK(!memcmp(extents, again, n * sizeof(*again)));
	DONE(handle_close(copy));
	DONE(dma_silent(dma));
	EQ(frame_unpin(dma, id), ERR_NOT_FOUND);
	EQ(frame_unpin(dma, id2), ERR_NOT_FOUND);
	DONE(frame_resize(f, PAGE_SIZE));
	DONE(vmem_unmap(0, va, PAGES * PAGE_SIZE));
	DONE(handle_close(f));
	DONE(handle_close(dma));
}

/* A process in a copy of this one's memory sees what was in the pinned pages, not what is written there later. */
static volatile uint32_t *go;
static volatile uint8_t *buffer;
static uint8_t child_stack[16 * KiB] aligned(16);

static int look_at_copy(void)
{
	for (unsigned ms = 0; !*go && ms < WAIT_MS; ms++)
		(void)thread_sleep(now_ns() + NS_PER_MS);
	bool as_it_was = *go && buffer[0] == 3 && buffer[PAGE_SIZE] == 4;
	buffer[0] = 5;
	process_exit(as_it_was ? 42 : 1);
}

static void cloned(void)
{
	struct exec_args a = { .name = "clone", .entry = (uint64_t)look_at_copy, .stack = (uint64_t)child_stack + sizeof(child_stack) - 16,
		.priority = PRIORITY_NORMAL, .level = 100 };
	struct process_info info;
	handle_t dma, f, process;
	uint64_t id, done, va, word, pid;
	uint32_t n;
	DONE(dma_create(res_dma, 1, &dma));
	DONE(vmem_map(0, 0, 0, 0, PAGE_SIZE, RW | MAP_SHARE, &word));
	DONE(frame_create(2 * PAGE_SIZE, 0, &f));
	DONE(vmem_map(0, f, 0, 0, 2 * PAGE_SIZE, RW, &va));
	go = (void *)word;
	*go = 0;
	buffer = (void *)va;
	buffer[0] = 3;
	buffer[PAGE_SIZE] = 4;
	DONE(frame_pin(f, 0, PAGE_SIZE, dma, extents, 1, &id, &n, &done));
	DONE(vmem_clone(0, &a.vmem));
	DONE(process_exec(&a, &process, &pid));
	memset((void *)va, 9, 2 * PAGE_SIZE);
	*go = 1;
	DONE(process_wait(process, now_ns() + WAIT_MS * NS_PER_MS, &info));
	EQ(info.exit_kind, EXIT_NORMAL);
	EQ(info.exit_status, 42);
	EQ(buffer[0], 9);
	DONE(handle_close(process));
	DONE(handle_close(a.vmem));
	DONE(frame_unpin(dma, id));
	DONE(vmem_unmap(0, va, 2 * PAGE_SIZE));
	DONE(vmem_unmap(0, word, PAGE_SIZE));
	DONE(handle_close(f));
	DONE(handle_close(dma));
}

/* ---- a driver that dies ---- */

/* Pins what it has and dies; where that was is in the Frame that its parent gave it. */
static int driver(int argc unused, char **argv unused)
{
	struct { uint32_t n, reserved; struct dma_extent e[PIN_EXTENTS_MAX]; } report = { 0 };
	handle_t dma = start_handle("dma"), f, c;
	uint64_t first, id, done;
	uint32_t n;
	unsigned pins;
	MUST(frame_create(PAGES * PAGE_SIZE, 0, &f));
	MUST(frame_create(8 * PAGE_SIZE, FRAME_CONTIGUOUS, &c));
	MUST(pin_all(f, PAGES * PAGE_SIZE, dma, report.e, &report.n, &first, &pins));
	MUST(frame_pin(c, 0, 8 * PAGE_SIZE, dma, &report.e[report.n], 1, &id, &n, &done));
	report.n += n;
	if (dma_silent(dma) != ERR_DENIED)
		return 1;
	MUST(frame_write(start_handle("report"), 0, &report, sizeof(report), &done));
	*(volatile int *)8 = 0;
	return 2;
}

/*
 * How many of the reported pages lie in memory that can be had now. The single pages come first, out of the smallest pieces that are free, where what was
 * torn down lies; then the largest pieces, as many as this Budget pays for.
 */
static unsigned pages_to_be_had(const struct dma_extent *e, uint32_t n)
{
	enum { SINGLES = HANDLES - 4000 };
	unsigned handles = 0, found = 0;
	for (int round = -1; round <= ORDER_MAX; round++) {
		int order = round < 0 ? 0 : ORDER_MAX - round;
		struct frame_info info;
		while (handles < (round < 0 ? SINGLES : HANDLES) && frame_create(PAGE_SIZE << order, FRAME_CONTIGUOUS, &held[handles]) == OK) {
			if (frame_info(held[handles++], &info) < 0)
				return UINT32_MAX;
			for (uint32_t i = 0; i < n; i++)
				for (uint64_t at = e[i].address; at < e[i].address + e[i].size; at += PAGE_SIZE)
					found += at >= info.phys && at < info.phys + info.size;
		}
	}
	while (handles > 0)
		handle_close(held[--handles]);
	return found;
}

static void driver_dies(void)
{
	struct { uint32_t n, reserved; struct dma_extent e[PIN_EXTENTS_MAX]; } report;
	handle_t dma, room;
	struct process_info info;
	struct child c;
	uint64_t done, before = pinned_pages();
	DONE(dma_create(res_dma, 2, &dma));
	DONE(frame_create(sizeof(report), 0, &room));
	struct spawn_handle give[] = { { .name = "dma", .handle = dma, .rights = RIGHT_WRITE }, { .name = "report", .handle = room } };
	DONE(child_start(&c, "dma-driver", NULL, give, 2, 0, 0));
	DONE(child_wait(&c, WAIT_MS, &info));
	EQ(info.exit_kind, EXIT_FAULT);
	EQ(info.fault_address, 8);
	DONE(frame_read(room, 0, &report, sizeof(report), &done));
	CHECK(report.n > 1 && report.n <= PIN_EXTENTS_MAX);
	pause_ms(20);                                   /* it is torn down */
	EQ(pinned_pages() - before, PAGES + 8);
	/* The bus driver dies, too: nobody has a handle to the Dma any more. */
	DONE(handle_close(dma));
	pause_ms(20);
	EQ(pinned_pages() - before, PAGES + 8);
	EQ(pages_to_be_had(report.e, report.n), 0);
	DONE(dma_create(res_dma, 2, &dma));
	DONE(dma_silent(dma));
	EQ(pinned_pages(), before);
	unsigned found = 0;
	for (unsigned tries = 0; !found && tries < 20; tries++) {        /* what is torn down may take its time */
		pause_ms(20);
		found = pages_to_be_had(report.e, report.n);
	}
	CHECK(found > 0);                               /* so they would have been seen before */
	DONE(handle_close(room));
	DONE(handle_close(dma));
}

/* ---- mistakes, and too many ---- */

static void mistakes(void)
{
	handle_t dma, same, weak, f, c, device, h;
	struct handle_info a, b;
	uint64_t id, done;
	uint32_t n;
	EQ(dma_create(res_dma, 8, &h), ERR_DENIED);
	EQ(dma_create(res_phys, 1, &h), ERR_DENIED);
	DONE(handle_dup(res_dma, RIGHT_READ | RIGHT_DUP, &weak));
	EQ(dma_create(weak, 1, &h), ERR_DENIED);
	DONE(handle_close(weak));
	EQ(resource_slice(res_dma, RES_DMA, 7, 2, &h), ERR_DENIED);
	EQ(resource_slice(res_dma, RES_DMA, 1ull << 32, 1, &h), ERR_INVALID);
	DONE(dma_create(res_dma, 1, &dma));
	DONE(dma_create(res_dma, 1, &same));
	DONE(handle_info(dma, &a));
	DONE(handle_info(same, &b));
	EQ(a.object_id, b.object_id);
	EQ(a.type, OBJ_DMA);
	DONE(handle_close(same));
	DONE(frame_create(4 * PAGE_SIZE, 0, &f));
	EQ(frame_pin(f, 0, 0, dma, extents, 4, &id, &n, &done), ERR_INVALID);
	EQ(frame_pin(f, 0, PAGE_SIZE, dma, extents, 0, &id, &n, &done), ERR_INVALID);
	EQ(frame_pin(f, 1, PAGE_SIZE, dma, extents, 4, &id, &n, &done), ERR_INVALID);
	EQ(frame_pin(f, 0, 1, dma, extents, 4, &id, &n, &done), ERR_INVALID);
	EQ(frame_pin(f, PAGE_SIZE, 4 * PAGE_SIZE, dma, extents, 4, &id, &n, &done), ERR_INVALID);
	EQ(frame_pin(f, ALIGN_DOWN(UINT64_MAX, PAGE_SIZE), 2 * PAGE_SIZE, dma, extents, 4, &id, &n, &done), ERR_INVALID);
	EQ(frame_pin(f, PAGE_SIZE, ALIGN_DOWN(UINT64_MAX, PAGE_SIZE) - PAGE_SIZE, dma, extents, 4, &id, &n, &done), ERR_INVALID);
	EQ(frame_pin(f, 0, PAGE_SIZE, f, extents, 4, &id, &n, &done), ERR_WRONG_TYPE);
	EQ(frame_pin(dma, 0, PAGE_SIZE, dma, extents, 4, &id, &n, &done), ERR_WRONG_TYPE);
	EQ(frame_pin(f, 0, PAGE_SIZE, dma, (void *)kernel_addresses[0], 4, &id, &n, &done), ERR_FAULT);
	EQ(frame_pin(f, 0, PAGE_SIZE, 0, extents, 4, &id, &n, &done), ERR_BAD_HANDLE);
	EQ(frame_unpin(dma, 0), ERR_NOT_FOUND);
	EQ(frame_unpin(dma, UINT64_MAX), ERR_NOT_FOUND);
	EQ(frame_unpin(f, 1), ERR_WRONG_TYPE);
	EQ(dma_silent(f), ERR_WRONG_TYPE);
	DONE(frame_decommit(f, 0, 4 * PAGE_SIZE));      /* nothing was left pinned */
	DONE(handle_dup(f, RIGHT_READ | RIGHT_MAP, &weak));
	EQ(frame_pin(weak, 0, PAGE_SIZE, dma, extents, 4, &id, &n, &done), ERR_DENIED);
	DONE(handle_close(weak));
	DONE(frame_pin(f, 0, PAGE_SIZE, dma, extents, 4, &id, &n, &done));
	DONE(handle_dup(dma, RIGHT_READ, &weak));
	EQ(frame_pin(f, 0, PAGE_SIZE, weak, extents, 4, &id, &n, &done), ERR_DENIED);
	EQ(frame_unpin(weak, id), ERR_DENIED);
	EQ(dma_silent(weak), ERR_DENIED);
	DONE(handle_close(weak));
	DONE(dma_create(res_dma, 2, &same));            /* another device's */
	EQ(frame_unpin(same, id), ERR_NOT_FOUND);
	DONE(dma_silent(same));
	DONE(handle_close(same));
	DONE(frame_unpin(dma, id));
	DONE(frame_device(res_phys, 0xfee00000, PAGE_SIZE, CACHE_UNCACHED, &device));
	EQ(frame_pin(device, 0, PAGE_SIZE, dma, extents, 4, &id, &n, &done), ERR_INVALID);
	EQ(frame_create(PAGE_SIZE, FRAME_DMA32, &c), ERR_INVALID);
	DONE(handle_close(device));
	DONE(handle_close(f));
	DONE(handle_close(dma));
}

static void many(void)
{
	enum { FRAMES = DMA_PINS_MAX / FRAME_PINS_MAX + 1 };
	handle_t dma, f[FRAMES];
	uint64_t id, done, before = pinned_pages();
	uint32_t n;
	DONE(dma_create(res_dma, 3, &dma));
	for (unsigned i = 0; i < FRAMES; i++)
		DONE(frame_create(FRAME_PINS_MAX * PAGE_SIZE, 0, &f[i]));
	for (unsigned i = 0; i < DMA_PINS_MAX; i++)
		DONE(frame_pin(f[i / FRAME_PINS_MAX], i % FRAME_PINS_MAX * PAGE_SIZE, PAGE_SIZE, dma, extents, 1, &id, &n, &done));
	EQ(pinned_pages() - before, DMA_PINS_MAX);
	EQ(frame_pin(f[0], 0, PAGE_SIZE, dma, extents, 1, &id, &n, &done), ERR_LIMIT);
	EQ(frame_pin(f[FRAMES - 1], 0, PAGE_SIZE, dma, extents, 1, &id, &n, &done), ERR_LIMIT);
	DONE(dma_silent(dma));
	EQ(pinned_pages(), before);
	DONE(frame_pin(f[0], 0, PAGE_SIZE, dma, extents, 1, &id, &n, &done));
	for (unsigned i = 0; i < FRAMES; i++)
		DONE(handle_close(f[i]));               /* the pin holds the first one */
	EQ(pinned_pages() - before, 1);
	DONE(frame_unpin(dma, id));
	DONE(handle_close(dma));
}

/* A Budget pays for what is pinned as for anything else, and for the pins. */
static int pin_until_full(int argc unused, char **argv unused)
{
	handle_t dma = start_handle("dma"), f;
	uint64_t id, done, got = 0;
	uint32_t n;
	status_t st;
	MUST(frame_create(4096 * PAGE_SIZE, 0, &f));
	while ((st = frame_pin(f, got, PIN_EXTENTS_MAX * PAGE_SIZE, dma, extents, PIN_EXTENTS_MAX, &id, &n, &done)) == OK)
		got += done;
	return st == ERR_NO_MEMORY && got ? 42 : 1;
}

static void exhausted(void)
{
	static const struct budget_limits limits = { .pages = 1000, .kernel_bytes = 1 * MiB, .handles = 100, .threads = 4, .commands = 10, .processes = 2 };
	handle_t dma, budget;
	struct budget_info pays;
	struct process_info info;
	struct child c;
	DONE(dma_create(res_dma, 4, &dma));
	DONE(budget_create(0, &limits, &budget));
	struct spawn_handle give[] = { { .name = "dma", .handle = dma, .rights = RIGHT_WRITE } };
	DONE(child_start(&c, "dma-full", NULL, give, 1, budget, 0));
	DONE(child_wait(&c, WAIT_MS, &info));
	EQ(info.exit_status, 42);
	pause_ms(20);
	DONE(budget_info(budget, &pays));
	CHECK(pays.used.pages >= PIN_EXTENTS_MAX);      /* still, though the process is gone */
	DONE(dma_silent(dma));
	for (unsigned ms = 0; ms < WAIT_MS && budget_info(budget, &pays) == OK && pays.used.pages; ms++)
		pause_ms(1);
	EQ(pays.used.pages, 0);
	DONE(handle_close(budget));
	DONE(handle_close(dma));
}

/* Pins, unpins, cuts and copies of one Frame at the same time. */
static volatile bool stop;

static void cut_and_copy(struct worker *w)
{
	handle_t f = (handle_t)(uint64_t)w->arg, copy;
	while (!stop) {
		(void)!frame_decommit(f, 0, 8 * PAGE_SIZE);
		(void)!frame_resize(f, 4 * PAGE_SIZE);
		(void)!frame_resize(f, 8 * PAGE_SIZE);
		if (vmem_clone(0, &copy) == OK)
			handle_close(copy);
		w->value[0]++;
	}
}

static void races(void)
{
	struct worker w[2];
	handle_t dma, f;
	uint64_t id, id2, done, va, mark;
	uint32_t n, m;
	DONE(dma_create(res_dma, 5, &dma));
	DONE(frame_create(8 * PAGE_SIZE, 0, &f));
	DONE(vmem_map(0, f, 0, 0, 4 * PAGE_SIZE, RW, &va));
	stop = false;
	for (unsigned i = 0; i < 2; i++)
		DONE(worker_start(&w[i], cut_and_copy, (void *)(uint64_t)f, PRIORITY_NORMAL));
	for (unsigned i = 0; i < 300; i++) {
		volatile uint64_t *p = (void *)(va + i % 4 * PAGE_SIZE);
		DONE(frame_pin(f, i % 4 * PAGE_SIZE, PAGE_SIZE, dma, extents, 1, &id, &n, &done));
		*p = mark = i + 1000;
		if (i % 8 == 0)
			thread_yield();
		DONE(frame_pin(f, i % 4 * PAGE_SIZE, PAGE_SIZE, dma, again, 1, &id2, &m, &done));
		EQ(*p, mark);
		EQ(extents[0].address, again[0].address);
		DONE(frame_unpin(dma, id));
		DONE(frame_unpin(dma, id2));
	}
	stop = true;
	for (unsigned i = 0; i < 2; i++)
		DONE(worker_join(&w[i]));
	DONE(vmem_unmap(0, va, 4 * PAGE_SIZE));
	DONE(handle_close(f));
	DONE(handle_close(dma));
}

const struct deed dma_deeds[] = {
	{ "dma-driver", driver },
	{ "dma-full", pin_until_full },
	{ NULL, NULL },
};

const struct test dma_tests[] = {
	{ "dma-pins", pins },
	{ "dma-contiguous", contiguous },
	{ "dma-owner-changes", owner_changes_it },
	{ "dma-cloned", cloned },
	{ "dma-driver-dies", driver_dies },
	{ "dma-mistakes", mistakes },
	{ "dma-many", many },
	{ "dma-exhausted", exhausted },
	{ "dma-races", races },
	{ NULL, NULL },
};

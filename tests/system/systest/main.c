/*
 * systest: the tests that run inside the booted machine. Each runs twice; between the first and the second end
 * the kernel's account must not have changed, so nothing a test does may leave anything behind.
 *
 *   systest              all of them, one line each, and a summary: "system: N passed, N failed"
 *   systest NAME...      these
 *   systest -d DEED ARG  what a child does
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <rt/clock.h>
#include "../account.h"
#include "test.h"

#define OWN_URI "initfs:///bin/systest"

enum { STACK_SIZE = 64 * KiB, JOIN_MS = 20000 };

static const struct test *const rooms[] = { handle_tests, memory_tests, ipc_tests, event_tests, process_tests, misc_tests, socket_tests, fpu_tests, hostile_tests, shelf_tests, recovery_tests, order_tests, trace_tests, paths_tests, smp_tests, upcall_tests, futex_tests, clone_tests, dma_tests, pager_tests };
static const struct deed *const deed_rooms[] = { handle_deeds, ipc_deeds, process_deeds, hostile_deeds, socket_deeds, fpu_deeds, recovery_deeds, order_deeds, paths_deeds, smp_deeds, upcall_deeds, futex_deeds, dma_deeds, pager_deeds };

handle_t res_info, res_ioports, res_irq, res_phys, res_dma, own_image;
uint64_t own_image_size;
static char failure[256];
static bool failed;
static unsigned n_passed, n_failed;

void test_fail(const char *file, int line, const char *format, ...)
{
	va_list args;
	if (failed)
		return;
	failed = true;
	const char *slash = strrchr(file, '/');
	int n = snprintf(failure, sizeof(failure), "%s:%d: ", slash ? slash + 1 : file, line);
	va_start(args, format);
	vsnprintf(failure + n, sizeof(failure) - (size_t)n, format, args);
	va_end(args);
}

bool test_failed(void)
{
	return failed;
}

enum { SETTLE_MS = 1000 };

static bool roams;                      /* a test that may run on any CPU is under way */

/*
 * Others are to get somewhere meanwhile, and a host may stop the machine, or one CPU of it, for longer than that: so in steps, and
 * at the end once on every CPU, as one among those that run there.
 */
void pause_ms(uint64_t ms)
{
	bool hop = roams;
	while (ms-- > 0)
		thread_sleep(now_ns() + NS_PER_MS);
	for (unsigned cpu = 0; hop && thread_set_affinity(0, 1ull << cpu) == OK; cpu++)
		thread_yield();
	if (hop)
		MUST(thread_set_affinity(0, ~0ull));
}

status_t sys(uint32_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	struct ipc_regs r = { .rax = number, .rdi = a0, .w = { a1, a2, a3, a4, a5 } };
	ipc_raw(&r);
	return (status_t)r.rax;
}

/* ---- children ---- */

status_t child_start(struct child *c, const char *deed, const char *arg, const struct spawn_handle *give, size_t n, handle_t budget, handle_t ns)
{
	const char *argv[] = { "systest", "-d", deed, arg };
	struct process_info self;
	status_t st = process_info(0, &self);
	if (st < 0)
		return st;
	struct spawn s = { .name = "systest-child", .image = own_image, .image_size = own_image_size, .argc = arg ? 4 : 3, .argv = argv,
		.handles = give, .n_handles = n, .budget = budget, .ns = ns, .priority = self.priority, .level = self.level };
	return spawn(&s, &c->process, &c->pid, NULL);
}

status_t child_wait(struct child *c, uint64_t ms, struct process_info *info)
{
	status_t st = process_wait(c->process, now_ns() + ms * NS_PER_MS, info);
	if (st < 0) {
		status_t killed = process_kill(c->process, KILL_PLAIN);
		if (killed == OK)
			killed = process_wait(c->process, FOREVER, info);
		if (killed < 0)
			st = killed;
	}
	handle_close(c->process);
	c->process = 0;
	return st;
}

status_t child_kill(struct child *c)
{
	struct process_info info;
	status_t st = process_kill(c->process, KILL_PLAIN);
	return st < 0 ? st : child_wait(c, JOIN_MS, &info);
}

status_t child_run(const char *deed, const char *arg, struct process_info *info)
{
	struct child c;
	struct spawn_handle give[] = { { .name = "stderr", .handle = start_handle("stderr") } };
	status_t st = child_start(&c, deed, arg, give, give[0].handle ? 1 : 0, 0, 0);
	return st < 0 ? st : child_wait(&c, JOIN_MS, info);
}

void child_settle(const struct child *c)
{
	struct process_beat beat;
	for (unsigned i = 0; i < SETTLE_MS && process_beat(c->process, &beat) == OK && (beat.ready || !beat.accepting); i++)
		pause_ms(1);
}

/* ---- threads ---- */

static void worker_main(struct worker *w)
{
	w->run(w);
	w->done = true;
	thread_exit();
}

status_t worker_start(struct worker *w, void (*run)(struct worker *), void *arg, uint32_t priority)
{
	*w = (struct worker){ .run = run, .arg = arg, .result = 1 };
	status_t st = vmem_map(0, 0, 0, 0, STACK_SIZE, PROT_READ | PROT_WRITE, &w->stack);
	return st < 0 ? st : thread_create((uint64_t)worker_main, w->stack + STACK_SIZE - 8, (uint64_t)w, priority, &w->thread);
}

/* In a call, an accept, or whatever else but a sleep; or at its end. */
static bool worker_waits(const struct worker *w)
{
	struct process_info self;
	struct handle_info info;
	struct thread_info t;
	handle_t process;
	uint32_t got = 0;
	if (w->done || process_info(0, &self) < 0 || handle_info(w->thread, &info) < 0 || process_open(res_info, self.pid, &process) < 0)
		return true;
	status_t st = thread_list(process, info.object_id, &t, 1, &got);
	(void)handle_close(process);
	return st < 0 || !got || t.id != info.object_id || (t.wait != THREAD_WAITS_NOT && t.wait != THREAD_SLEEPS && t.wait != THREAD_NOT_STARTED);
}

void worker_settle(const struct worker *w)
{
	for (unsigned i = 0; i < SETTLE_MS && !worker_waits(w); i++)
		pause_ms(1);
}

status_t worker_join(struct worker *w)
{
	handle_t port, notify;
	struct event e;
	status_t st = port_create(0, &port);
	if (st < 0)
		return st;
	st = notify_create(&notify);
	if (st == OK)
		st = notify_port(notify, port, 0);
	if (st == OK)
		st = notify_bind(notify, 0, w->thread);
	if (st == OK)
		st = ipc_accept(port, now_ns() + JOIN_MS * NS_PER_MS, &e);
	handle_close(notify);
	handle_close(port);
	handle_close(w->thread);
	if (st == OK)
		st = vmem_unmap(0, w->stack, STACK_SIZE);
	return st;
}

/* ---- memory ---- */

const uint64_t kernel_addresses[KERNEL_ADDRESS_COUNT] = {
	0xffffffff80000000ull, 0xffff800000000000ull, 0xfffffffffffff000ull, 0xffffffffffffffffull,     /* the kernel's */
	0x0000800000000000ull, 0x8000000000000000ull,                                                   /* nobody's */
};

uint64_t page_make(uint32_t prot)
{
	uint64_t va = 0;
	if (vmem_map(0, 0, 0, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, &va) < 0)
		return 0;
	memset((void *)va, 0x5a, PAGE_SIZE);
	if (prot != (PROT_READ | PROT_WRITE) && vmem_protect(0, va, PAGE_SIZE, prot) < 0)
		return 0;
	return va;
}

void page_free(uint64_t va)
{
	if (vmem_unmap(0, va, PAGE_SIZE) < 0)
		test_fail(__FILE__, __LINE__, "a page cannot be unmapped");
}

/* The hole is one page between two mappings: too small for anything else to be put there, with its guards. */
uint64_t edge_make(void)
{
	uint64_t va = 0;
	if (vmem_map(0, 0, 0, 0, 3 * PAGE_SIZE, PROT_READ | PROT_WRITE, &va) < 0)
		return 0;
	if (vmem_unmap(0, va + PAGE_SIZE, PAGE_SIZE) < 0)
		return 0;
	return va;
}

void edge_free(uint64_t edge)
{
	if (vmem_unmap(0, edge, 3 * PAGE_SIZE) < 0)
		test_fail(__FILE__, __LINE__, "an edge cannot be unmapped");
}

/* ---- running ---- */

/* A difference that a further run repeats is a leak; one that it does not was somebody else's doing. */
static void check_account(const struct test *t)
{
	struct kstat before;
	char text[ACCOUNT_TEXT];

	pause_ms(1);
	for (unsigned again = 0; again < 3; again++) {
		if (kstat(res_info, &before) < 0) {
			test_fail(__FILE__, __LINE__, "kstat");
			return;
		}
		t->run();
		if (failed || account_settled(res_info, &before, text))
			return;
	}
	test_fail(__FILE__, __LINE__, "left behind by each run:%s", text);
}

/* What these say about the order of things, or about who is still in the middle of something, is so on one CPU only. */
static bool for_one_cpu(const struct test *t)
{
	static const char *const names[] = { "paths-", "lend-", "priorities", "slices", "sockets.waits", "sockets.killed_while_waiting" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strncmp(t->name, names[i], strlen(names[i])))
			return true;
	return false;
}

static void run_test(const struct test *t)
{
	failed = false;
	roams = !for_one_cpu(t);
	MUST(thread_set_affinity(0, roams ? ~0ull : 1));
	t->run();
	if (!failed)
		check_account(t);
	if (failed) {
		n_failed++;
		print("FAIL %s: %s\n", t->name, failure);
	} else {
		n_passed++;
		print("PASS %s\n", t->name);
	}
	print_flush();
}

static bool wanted(const struct test *t, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], t->name))
			return true;
	return argc < 2;
}

static int run_deed(int argc, char **argv)
{
	for (size_t r = 0; r < ARRAY_LEN(deed_rooms); r++)
		for (const struct deed *d = deed_rooms[r]; d->name; d++)
			if (argc > 2 && !strcmp(d->name, argv[2]))
				return d->run(argc - 2, argv + 2);
	print_error("no such deed: %s", argc > 2 ? argv[2] : "(none)");
	return 99;
}

handle_t granted(const char *name)
{
	char uri[32];
	handle_t file, h;
	uint64_t size;
	snprintf(uri, sizeof(uri), "grant://%s", name);
	MUST(file_open(uri, OPEN_READ, &file));
	MUST(file_map(file, &h, &size));
	file_close(file);
	return h;
}

int main(int argc, char **argv)
{
	handle_t file;

	if (argc > 1 && !strcmp(argv[1], "-d"))
		return run_deed(argc, argv);
	MUST(file_open(OWN_URI, OPEN_READ, &file));
	MUST(file_map(file, &own_image, &own_image_size));
	file_close(file);
	res_info = granted("info");
	res_ioports = granted("ioports");
	res_irq = granted("irq");
	res_phys = granted("phys");
	res_dma = granted("dma");
	(void)clock_value();            /* it maps the page for good */
	for (size_t r = 0; r < ARRAY_LEN(rooms); r++)
		for (const struct test *t = rooms[r]; t->name; t++)
			if (wanted(t, argc, argv))
				run_test(t);
	print("system: %u passed, %u failed\n", n_passed, n_failed);
	return n_failed ? 1 : 0;
}

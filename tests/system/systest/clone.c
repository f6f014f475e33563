/*
 * clone: copies of an address space. Both sides see what was there, and neither what the other writes later; what was mapped
 * to be shared is, what was mapped to be dropped is not there. A child is a process that runs in the copy, in a function of
 * this same program, on a stack that was copied with the rest.
 */
#include "test.h"

#define RW (PROT_READ | PROT_WRITE)

enum { FEW = 70, MANY = 1200, STACK = 32 * KiB, WAIT_MS = 5000, ROUNDS = 20 };

struct fork { handle_t vmem, process; };

static struct { volatile uint32_t go, seen; } *shared;     /* MAP_SHARE */
static uint8_t *pages, *dropped;
static uint8_t child_stack[STACK] aligned(16);
static volatile uint32_t own;
static handle_t kept;
static size_t n_pages = FEW;                    /* FEW are copied page by page, of MANY the nodes are shared */

static status_t fork_begin(struct fork *f, int (*run)(void))
{
	struct exec_args a = { .name = "clone", .entry = (uint64_t)run, .stack = (uint64_t)child_stack + STACK - 16, .priority = PRIORITY_NORMAL,
		.level = 100 };
	uint64_t pid;
	struct exec_handle pass = { .handle = kept, .rights = RIGHT_ALL };
	status_t st = vmem_clone(0, &f->vmem);
	if (st < 0)
		return st;
	a.vmem = f->vmem;
	a.flags = EXEC_SAME_HANDLES;
	a.handles = (uint64_t)&pass;
	a.n_handles = kept != 0;
	st = process_exec(&a, &f->process, &pid);
	if (st < 0)
		handle_close(f->vmem);
	return st;
}

static status_t fork_end(struct fork *f, struct process_info *info)
{
	status_t st = process_wait(f->process, now_ns() + WAIT_MS * NS_PER_MS, info);
	if (st < 0)
		(void)!process_kill(f->process, KILL_PLAIN);
	handle_close(f->process);
	handle_close(f->vmem);
	return st;
}

static void memory_make(void)
{
	uint64_t va[3] = { 0, 0, 0 };
	DONE(vmem_map(0, 0, 0, 0, PAGE_SIZE, RW | MAP_SHARE, &va[0]));
	DONE(vmem_map(0, 0, 0, 0, n_pages * PAGE_SIZE, RW, &va[1]));
	DONE(vmem_map(0, 0, 0, 0, PAGE_SIZE, RW | MAP_DROP, &va[2]));
	shared = (void *)va[0];
	pages = (uint8_t *)va[1];
	dropped = (uint8_t *)va[2];
	shared->go = shared->seen = 0;
	dropped[0] = 1;
	for (size_t i = 0; i < n_pages; i++)
		if (i % 7 != 3)                 /* the others are holes */
			pages[i * PAGE_SIZE + i] = (uint8_t)(i + 1);
}

static void memory_drop(void)
{
	DONE(vmem_unmap(0, (uint64_t)shared, PAGE_SIZE));
	DONE(vmem_unmap(0, (uint64_t)pages, n_pages * PAGE_SIZE));
	DONE(vmem_unmap(0, (uint64_t)dropped, PAGE_SIZE));
}

static bool pages_as_made(void)
{
	for (size_t i = 0; i < n_pages; i++)
		if (pages[i * PAGE_SIZE + i] != (i % 7 != 3 ? (uint8_t)(i + 1) : 0))
			return false;
	return true;
}

static void pages_fill(uint8_t value)
{
	for (size_t i = 0; i < n_pages; i++)
		pages[i * PAGE_SIZE + i] = value;
}

static bool wait_go(uint32_t n)
{
	for (unsigned ms = 0; shared->go < n && ms < WAIT_MS; ms++)
		(void)thread_sleep(now_ns() + NS_PER_MS);
	return shared->go >= n;
}

/* ---- copies ---- */

static int look_and_write(void)
{
	if (!wait_go(1))                        /* the parent has written since */
		process_exit(1);
	if (!pages_as_made() || own != 7)
		process_exit(2);
	pages_fill(0xcc);
	own = 8;
	shared->seen = 1;
	if (!wait_go(2))
		process_exit(3);
	for (size_t i = 0; i < n_pages; i++)
		if (pages[i * PAGE_SIZE + i] != 0xcc)
			process_exit(4);
	process_exit(own == 8 ? 42 : 5);
}

static void copies(void)
{
	struct fork f;
	struct process_info info;
	kept = 0;
	memory_make();
	STILL_FINE();
	own = 7;
	DONE(fork_begin(&f, look_and_write));
	own = 9;
	pages_fill(0xaa);
	shared->go = 1;
	for (unsigned ms = 0; !shared->seen && ms < WAIT_MS; ms++)
		pause_ms(1);
	EQ(shared->seen, 1);
	for (size_t i = 0; i < n_pages; i++)
		EQ(pages[i * PAGE_SIZE + i], 0xaa);
	EQ(own, 9);
	shared->go = 2;
	DONE(fork_end(&f, &info));
	EQ(info.exit_kind, EXIT_NORMAL);
	EQ(info.exit_status, 42);
	memory_drop();
}

static int look_only(void)
{
	process_exit(pages_as_made() && own == 7 ? 42 : 1);
}

/* The parent gives its memory back while the child has not looked yet. */
static int look_late(void)
{
	if (!wait_go(1))
		process_exit(1);
	look_only();
	return 0;
}

static void parent_lets_go(void)
{
	struct fork f[2];
	struct process_info info;
	kept = 0;
	memory_make();
	STILL_FINE();
	own = 7;
	for (unsigned i = 0; i < 2; i++)
		DONE(fork_begin(&f[i], look_late));
	DONE(vmem_unmap(0, (uint64_t)pages, n_pages * PAGE_SIZE));
	shared->go = 1;
	for (unsigned i = 0; i < 2; i++) {
		DONE(fork_end(&f[i], &info));
		EQ(info.exit_status, 42);
	}
	memory_drop();
	/* And many children of one parent that writes all the time. */
	memory_make();
	STILL_FINE();
	for (unsigned i = 0; i < ROUNDS; i++) {
		DONE(fork_begin(&f[0], look_only));
		DONE(fork_end(&f[0], &info));
		EQ(info.exit_status, 42);
		pages[0] = 99;
		pages[0] = 1;
		pages[5 * PAGE_SIZE + 100] = (uint8_t)i;
	}
	memory_drop();
}

static int touch_dropped(void)
{
	process_exit(dropped[0]);
}

static int see_shared(void)
{
	shared->seen = 0x1234;
	process_exit(0);
}

static int grandchild(void)
{
	struct fork f;
	struct process_info info;
	own = 7;
	/* The stack that this runs on is copied, too, and used by the next one from its top. */
	static uint8_t other_stack[STACK] aligned(16);
	struct exec_args a = { .name = "clone-2", .entry = (uint64_t)look_only, .stack = (uint64_t)other_stack + STACK - 16, .priority = PRIORITY_NORMAL, .level = 100 };
	uint64_t pid;
	if (vmem_clone(0, &f.vmem) < 0)
		process_exit(1);
	a.vmem = f.vmem;
	if (process_exec(&a, &f.process, &pid) < 0)
		process_exit(2);
	pages_fill(1);
	if (process_wait(f.process, now_ns() + WAIT_MS * NS_PER_MS, &info) < 0)
		process_exit(3);
	process_exit(info.exit_status);
}

static void inherited(void)
{
	struct fork f;
	struct process_info info;
	kept = 0;
	memory_make();
	STILL_FINE();
	DONE(fork_begin(&f, touch_dropped));
	DONE(fork_end(&f, &info));
	EQ(info.exit_kind, EXIT_FAULT);
	EQ(info.fault_address, (uint64_t)dropped);
	DONE(fork_begin(&f, see_shared));
	DONE(fork_end(&f, &info));
	EQ(shared->seen, 0x1234);
	DONE(fork_begin(&f, grandchild));
	DONE(fork_end(&f, &info));
	EQ(info.exit_status, 42);
	CHECK(pages_as_made());
	uint64_t va;
	EQ(vmem_map(0, 0, 0, 0, PAGE_SIZE, RW | MAP_SHARE | MAP_DROP, &va), ERR_INVALID);
	memory_drop();
}

static int signal_kept(void)
{
	struct handle_info i;
	if (handle_info(kept, &i) < 0 || i.type != OBJ_NOTIFY || handle_info(kept + 1, &i) != ERR_BAD_HANDLE)
		process_exit(1);
	process_exit(notify_signal(kept, 4) == OK ? 42 : 2);
}

/* A handle has the value that the copied memory says. */
static void handles(void)
{
	struct fork f;
	struct process_info info;
	handle_t spare[5];
	uint64_t bits = 0;
	for (size_t i = 0; i < ARRAY_LEN(spare); i++)
		DONE(notify_create(&spare[i]));
	DONE(handle_close(spare[2]));
	DONE(notify_create(&kept));             /* of a generation that is not the first, sometimes */
	DONE(fork_begin(&f, signal_kept));
	DONE(fork_end(&f, &info));
	EQ(info.exit_status, 42);
	DONE(notify_take(kept, &bits));
	EQ(bits, 4);
	DONE(handle_close(kept));
	kept = 0;
	for (size_t i = 0; i < ARRAY_LEN(spare); i++)
		if (i != 2)
			DONE(handle_close(spare[i]));
}

static void refused(void)
{
	handle_t copy, weak, process;
	uint64_t pid;
	EQ(vmem_clone(0x7ffffff, &copy), ERR_BAD_HANDLE);
	DONE(vmem_clone(0, &copy));
	DONE(handle_dup(copy, RIGHT_DUP | RIGHT_MAP, &weak));
	handle_t again;
	EQ(vmem_clone(weak, &again), ERR_DENIED);
	struct exec_segment s = { .prot = PROT_READ, .va = 0x300000000000, .size = PAGE_SIZE };
	struct exec_args a = { .name = "no", .entry = (uint64_t)look_only, .stack = (uint64_t)child_stack + STACK - 16, .vmem = weak };
	EQ(process_exec(&a, &process, &pid), ERR_DENIED);
	a.vmem = copy;
	a.segments = (uint64_t)&s;
	a.n_segments = 1;
	EQ(process_exec(&a, &process, &pid), ERR_INVALID);
	a.n_segments = 0;
	a.reserved = 1;
	EQ(process_exec(&a, &process, &pid), ERR_INVALID);
	a.reserved = 0;
	a.flags = 2;
	EQ(process_exec(&a, &process, &pid), ERR_INVALID);
	DONE(vmem_clone(copy, &again));         /* a copy of a copy that never ran */
	DONE(handle_close(again));
	DONE(handle_close(copy));
	DONE(handle_close(weak));
}

/* ---- windows ---- */

static handle_t port, session;
static uint8_t window[2 * PAGE_SIZE];

static void ask(struct worker *w)
{
	struct msg m = { .op = 1, .out = window, .out_len = sizeof(window) };
	w->result = ipc_call(session, &m);
}

static int see_window(void)
{
	for (size_t i = 0; i < sizeof(window); i++)
		if (window[i] != 0x11)
			process_exit(1);
	process_exit(42);
}

/* What a server writes into a window after the copy was made is the caller's alone. */
static void windows(void)
{
	struct worker w;
	struct event e;
	struct fork f;
	struct process_info info;
	static uint8_t answer[sizeof(window)];
	uint64_t done;
	kept = 0;
	memset(window, 0x11, sizeof(window));
	memset(answer, 0x22, sizeof(answer));
	DONE(port_create(0, &port));
	DONE(session_create(port, 1, 0, &session));
	DONE(worker_start(&w, ask, NULL, PRIORITY_NORMAL));
	DONE(ipc_accept(port, FOREVER, &e));
	DONE(fork_begin(&f, see_window));
	DONE(cmd_write(e.cmd, 0, answer, sizeof(answer), &done));
	EQ(done, sizeof(answer));
	DONE(fork_end(&f, &info));
	EQ(info.exit_status, 42);
	DONE(ipc_return(e.cmd, &(struct reply){ .status = OK }));
	DONE(worker_join(&w));
	CHECK(!memcmp(window, answer, sizeof(window)));
	DONE(handle_close(session));
	DONE(handle_close(port));
}

/* ---- while others write ---- */

static volatile bool stop;

static void scribble(struct worker *w)
{
	uint64_t n = 0;
	while (!stop) {
		for (size_t i = 0; i < n_pages; i++) {
			volatile uint64_t *two = (volatile uint64_t *)(pages + i * PAGE_SIZE + 2048);
			two[0] = n;
			two[1] = n;
		}
		n++;
	}
	w->value[0] = n;
	w->result = OK;
}

static int stand_still(void)
{
	uint64_t sum[2] = { 0, 0 };
	for (unsigned round = 0; round < 2; round++) {
		for (size_t i = 0; i < n_pages; i++)
			sum[round] = sum[round] * 31 + *(volatile uint64_t *)(pages + i * PAGE_SIZE + 2048);
		(void)thread_sleep(now_ns() + 2 * NS_PER_MS);
	}
	process_exit(sum[0] == sum[1] ? 42 : 1);
}

/* Another thread of the parent writes to every page all the time: a copy, once made, does not change. */
static void writer(void)
{
	struct worker w;
	struct fork f;
	struct process_info info;
	kept = 0;
	stop = false;
	memory_make();
	STILL_FINE();
	DONE(worker_start(&w, scribble, NULL, PRIORITY_NORMAL - 1));
	for (unsigned i = 0; i < ROUNDS; i++) {
		pause_ms(1);
		DONE(fork_begin(&f, stand_still));
		DONE(fork_end(&f, &info));
		EQ(info.exit_status, 42);
	}
	stop = true;
	DONE(worker_join(&w));
	for (size_t i = 0; i < n_pages; i++)
		EQ(*(uint64_t *)(pages + i * PAGE_SIZE + 2048), w.value[0] - 1);
	memory_drop();
}

static void with_many(void (*test)(void))
{
	n_pages = MANY;
	test();
	n_pages = FEW;
}

static void copies_many(void)
{
	with_many(copies);
}

static void lets_go_many(void)
{
	with_many(parent_lets_go);
}

static void inherited_many(void)
{
	with_many(inherited);
}

/* Pages and nodes that copies still hold are taken from the first owner, one by one and all at once. */
static void nodes(void)
{
	struct fork f[2];
	struct process_info info;
	handle_t frame;
	kept = 0;
	n_pages = MANY;
	memory_make();
	DONE(vmem_unmap(0, (uint64_t)pages, MANY * PAGE_SIZE));
	DONE(frame_create(MANY * PAGE_SIZE, 0, &frame));
	uint64_t va = (uint64_t)pages;
	DONE(vmem_map(0, frame, 0, va, MANY * PAGE_SIZE, RW | MAP_FIXED, &va));
	for (size_t i = 0; i < MANY; i++)
		if (i % 7 != 3)
			pages[i * PAGE_SIZE + i] = (uint8_t)(i + 1);
	STILL_FINE();
	own = 7;
	for (unsigned i = 0; i < 2; i++)
		DONE(fork_begin(&f[i], look_late));
	DONE(frame_decommit(frame, 3 * PAGE_SIZE, 600 * PAGE_SIZE));
	EQ(pages[5 * PAGE_SIZE + 5], 0);
	EQ(pages[2 * PAGE_SIZE + 2], 3);
	EQ(pages[603 * PAGE_SIZE + 603], (uint8_t)604);
	pages[700 * PAGE_SIZE + 700] = 1;
	DONE(frame_resize(frame, 1000 * PAGE_SIZE));
	DONE(frame_resize(frame, MANY * PAGE_SIZE));
	EQ(pages[1100 * PAGE_SIZE + 1100], 0);
	EQ(pages[999 * PAGE_SIZE + 999], (uint8_t)1000);
	struct frame_info fi;
	DONE(frame_info(frame, &fi));
	uint64_t before = fi.committed;
	pages[1100 * PAGE_SIZE] = 1;            /* was a page of the node that is shared, and is a new one now */
	DONE(frame_info(frame, &fi));
	EQ(fi.committed, before);
	pages[1101 * PAGE_SIZE] = 1;
	DONE(frame_info(frame, &fi));
	EQ(fi.committed, before + PAGE_SIZE);
	shared->go = 1;
	for (unsigned i = 0; i < 2; i++) {
		DONE(fork_end(&f[i], &info));
		EQ(info.exit_status, 42);
	}
	DONE(handle_close(frame));
	memory_drop();
	n_pages = FEW;
}

const struct test clone_tests[] = {
	{ "clone-copies", copies }, { "clone-parent-lets-go", parent_lets_go }, { "clone-inherited", inherited }, { "clone-handles", handles },
	{ "clone-copies-many", copies_many }, { "clone-lets-go-many", lets_go_many }, { "clone-inherited-many", inherited_many },
	{ "clone-nodes", nodes }, { "clone-refused", refused }, { "clone-windows", windows }, { "clone-writer", writer }, { NULL, NULL },
};

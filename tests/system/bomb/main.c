/*
 * bomb: a program that takes all it can get of one thing, says with which error that ended, and keeps at it until it is
 * killed. Whatever it does, nobody else may notice (tests/boot/test_attack.py).
 *
 *   bomb [-b] MODE [URI]     -b: in a small Budget of its own
 *
 * "bomb: MODE: COUNT, then ERROR" is its one line.
 */
#include <abi/file.h>
#include <gen/file.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/socket.h>
#include <rt/start.h>
#include <rt/svc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STACK = 4 * KiB, STACKS = 16, SPINNERS = 64, FLOODERS = 8, RESERVE = 512, WINDOW = MiB, PATH = IPC_PATH_MAX, KINDS = 8 };
#define AGAIN_NS (10 * NS_PER_MS)

static uint64_t count;          /* what was got */
static const char *uri;

static void rest(uint64_t ns)
{
	uint64_t now = 0;

	(void)!clock_now(&now);
	thread_sleep(now + ns);
}

/* ---- memory ---- */

static status_t take_pages(uint64_t size)
{
	uint64_t va;
	status_t st = vmem_map(0, 0, 0, 0, size, PROT_READ | PROT_WRITE, &va);

	if (st < 0)
		return st;
	st = vmem_commit(0, va, size);
	if (st < 0)
		(void)!vmem_unmap(0, va, size);
	else
		count += size / PAGE_SIZE;
	return st;
}

/* In ever smaller pieces, to the last page. */
static status_t memory(void)
{
	status_t st = OK;

	for (uint64_t size = MiB; size >= PAGE_SIZE; size /= 4)
		while ((st = take_pages(size)) == OK)
			;
	return st;
}

static status_t heap(void)
{
	while (malloc(1000))
		count++;
	return ERR_NO_MEMORY;
}

/* As most programs do, without asking: this one dies. */
static status_t touch(void)
{
	for (;;) {
		uint64_t va;
		status_t st = vmem_map(0, 0, 0, 0, MiB, PROT_READ | PROT_WRITE, &va);
		if (st < 0)
			return st;
		for (uint64_t at = 0; at < MiB; at += PAGE_SIZE)
			*(volatile char *)(va + at) = 1;
	}
}

/* Page tables: two for every page that is mapped. */
static status_t tables(void)
{
	static handle_t frame;
	static uint64_t at = 0x0000100000000000ull;
	status_t st = frame ? OK : frame_create(PAGE_SIZE, 0, &frame);

	for (uint64_t va; st == OK; at += GiB) {
		st = vmem_map(0, frame, 0, at, PAGE_SIZE, PROT_READ | MAP_FIXED, &va);
		if (st == OK && (st = vmem_commit(0, at, PAGE_SIZE)) < 0)
			(void)!vmem_unmap(0, at, PAGE_SIZE);
		if (st < 0)
			break;
		count++;
	}
	return st;
}

static status_t mappings(void)
{
	static handle_t frame;
	status_t st = frame ? OK : frame_create(PAGE_SIZE, 0, &frame);

	for (uint64_t va; st == OK && (st = vmem_map(0, frame, 0, 0, PAGE_SIZE, PROT_READ, &va)) == OK;)
		count++;
	return st;
}

/* ---- processes and threads ---- */

static status_t start_self(const char *mode, handle_t budget)
{
	static handle_t image;
	static uint64_t size;
	const char *argv[] = { "bomb", mode, uri };
	struct process_info self;
	handle_t process, file;
	uint64_t pid;
	status_t st = process_info(0, &self);

	if (st == OK && !image) {
		st = file_open("initfs:///bin/bomb", OPEN_READ, &file);
		if (st == OK) {
			st = file_map(file, &image, &size);
			file_close(file);
		}
	}
	if (st < 0)
		return st;
	const struct spawn_handle out[] = { { .name = "stdout", .handle = start_handle("stdout") } };
	const struct spawn s = { .image = image, .image_size = size, .argc = uri ? 3 : 2, .argv = argv, .budget = budget,
		.handles = out, .n_handles = out[0].handle != 0, .priority = self.priority, .level = self.level };
	return spawn(&s, &process, &pid, NULL);
}

static status_t processes(void)
{
	status_t st;

	while ((st = start_self("sleep", 0)) == OK)
		count++;
	return st;
}

/* Every child does the same, and says nothing. */
static status_t forks(void)
{
	status_t st;

	while ((st = start_self("brood", 0)) == OK)
		count++;
	return st;
}

static status_t thread_start(void (*run)(uint64_t), uint64_t arg)
{
	static uint64_t stack, left;
	handle_t thread;
	status_t st = OK;

	if (!left) {
		st = vmem_map(0, 0, 0, 0, STACK * STACKS, PROT_READ | PROT_WRITE, &stack);
		if (st == OK)
			st = vmem_commit(0, stack, STACK * STACKS);
		if (st < 0)
			return st;
		left = STACKS;
	}
	st = thread_create((uint64_t)run, stack + STACK - 8, arg, 0, &thread);
	if (st < 0)
		return st;
	stack += STACK;
	left--;
	return OK;
}

static void run_nothing(uint64_t arg unused)
{
	thread_sleep(FOREVER);
}

static void run_busy(uint64_t arg unused)
{
	for (;;)
		__builtin_ia32_pause();
}

static status_t threads(void)
{
	status_t st;

	while ((st = thread_start(run_nothing, 0)) == OK)
		count++;
	return st;
}

static status_t spin(void)
{
	while (count < SPINNERS && thread_start(run_busy, 0) == OK)
		count++;
	return OK;
}

/* ---- handles and objects ---- */

static status_t handles(void)
{
	static handle_t first;
	handle_t h;
	status_t st = first ? OK : notify_create(&first);

	while (st == OK && (st = handle_dup(first, RIGHT_ALL, &h)) == OK)
		count++;
	return st;
}

static status_t object(unsigned kind)
{
	static const struct budget_limits limits = { 1, 1, 1, 1, 1, 1 };
	static handle_t port;
	handle_t a, b;

	switch (kind) {
	case 0:  return port_create(0, port ? &a : &port);
	case 1:  return session_create(port, 1, RIGHT_ALL, &a);
	case 2:  return notify_create(&a);
	case 3:  return frame_create(3 * PAGE_SIZE, 0, &a);
	case 4:  return socket_pair(SOCKET_STREAM, &a, &b);
	case 5:  return ns_create(&a);
	case 6:  return budget_create(0, &limits, &a);
	default: return shelf_create(0, &a);
	}
}

static status_t objects(void)
{
	status_t st;

	while ((st = object((unsigned)(count % KINDS))) == OK)
		count++;
	return st;
}

static status_t shelves(void)
{
	handle_t shelf, what;
	status_t st = notify_create(&what);

	while (st == OK && (st = shelf_create(0, &shelf)) == OK)
		for (uint32_t slot = 0; slot < SHELF_SLOTS && st == OK; slot++) {
			st = shelf_put(shelf, slot, what);
			count += st == OK;
		}
	return st;
}

static status_t namespaces(void)
{
	static handle_t port, session;
	status_t st = port ? OK : port_create(0, &port);
	handle_t ns;

	if (st == OK && !session)
		st = session_create(port, 0, RIGHT_ALL, &session);
	while (st == OK && (st = ns_create(&ns)) == OK)
		for (unsigned i = 0; i < NS_ENTRIES_MAX && st == OK; i++) {
			char name[8];
			int n = snprintf(name, sizeof(name), "s%u", i);
			st = ns_bind(ns, name, (uint64_t)n, session);
			count += st == OK;
		}
	return st;
}

/* As many timers as there can be, all as short as they can be. */
static status_t timers(void)
{
	static handle_t notify;
	uint64_t now;
	status_t st = clock_now(&now);

	for (; st == OK; count += st == OK) {
		if (count % 64 == 0)
			st = notify_create(&notify);
		if (st == OK)
			st = notify_timer(notify, (uint32_t)(count % 64), now, 10 * NS_PER_US);
	}
	return st;
}

/* ---- commands ---- */

static handle_t silent;         /* a Session whose Port nobody serves */

static status_t silent_make(void)
{
	handle_t port;
	status_t st = silent ? OK : port_create(0, &port);

	return st == OK && !silent ? session_create(port, 0, RIGHT_ALL, &silent) : st;
}

static void run_call(uint64_t arg unused)
{
	uint64_t w[IPC_WORDS] = { 0 };

	(void)!ipc_call_words(silent, 1, w);
	thread_exit();
}

static status_t calls(void)
{
	status_t st = silent_make();

	while (st == OK && (st = thread_start(run_call, 0)) == OK)
		count++;
	return st;
}

/* Each with a path as long as can be. */
static status_t submits(void)
{
	static char path[PATH];
	const struct msg m = { .op = 1, .flags = IPC_PATH, .in = path, .in_len = sizeof(path) };
	status_t st = silent_make();
	handle_t port;

	memset(path, 'x', sizeof(path));
	while (st == OK && (st = port_create(0, &port)) == OK) {
		st = port_reserve(port, RESERVE);
		for (unsigned i = 0; i < RESERVE && st == OK; i++) {
			st = ipc_submit(silent, &m, port, i);
			count += st == OK;
		}
	}
	return st;
}

/* One service asked for a MiB, hundreds of times at once and again and again. */
static status_t reads(void)
{
	static struct file_read_req q;
	struct msg m = { .op = FILE_READ, .out_len = WINDOW };
	handle_t port, file;
	struct event e;
	uint64_t va;
	status_t st = file_open(uri, OPEN_READ, &file);

	if (st == OK)
		st = vmem_map(0, 0, 0, 0, WINDOW, PROT_READ | PROT_WRITE, &va);
	if (st == OK)
		st = port_create(0, &port);
	if (st == OK)
		st = port_reserve(port, RESERVE);
	if (st < 0)
		return st;
	memcpy(m.w, &q, MIN(sizeof(q), sizeof(m.w)));
	m.out = (void *)va;
	while (count < RESERVE && (st = ipc_submit(file, &m, port, count)) == OK)
		count++;
	print("bomb: reads: %llu, then %s\n", (unsigned long long)count, error_name(st));
	for (;;)
		if (ipc_accept(port, FOREVER, &e) == OK && e.kind == ACCEPT_COMPLETION)
			while (ipc_submit(file, &m, port, 0) == OK)
				;
}

/* ---- Sockets ---- */

static status_t sockets(void)
{
	static char data[SOCKET_PACKET_MAX];
	status_t st = OK;

	while (st == OK) {
		handle_t end[2];
		st = socket_pair(SOCKET_STREAM, &end[0], &end[1]);
		for (unsigned i = 0; i < 2 && st == OK; i++) {
			uint64_t done;
			while ((st = socket_write(end[i], data, sizeof(data), 0, NULL, 0, &done)) == OK)
				;
			st = st == ERR_AGAIN ? OK : st;
		}
		count += st == OK;
	}
	return st;
}

static handle_t own_ns;

static void run_connect(uint64_t arg unused)
{
	handle_t h;

	for (;;)
		if (socket_connect(own_ns, "bomb", 4, FOREVER, &h) < 0)
			rest(AGAIN_NS);
}

static status_t connects(void)
{
	static handle_t listener;
	status_t st = own_ns ? OK : ns_create(&own_ns);

	if (st == OK && !listener)
		st = socket_listen(own_ns, "bomb", 4, SOCKET_BACKLOG_MAX, SOCKET_STREAM, &listener);
	while (st == OK && (st = thread_start(run_connect, 0)) == OK)
		count++;
	return st;
}

/* ---- services ---- */

static status_t opens(void)
{
	handle_t file;
	status_t st;

	while ((st = file_open(uri, OPEN_READ, &file)) == OK)
		count++;
	return st;
}

/* All pseudo-terminals, each full, and with more to be written and typed than it takes. */
static status_t ptys(void)
{
	static char text[16 * KiB];
	status_t st;

	memset(text, '\n', sizeof(text));
	for (;; count++) {
		handle_t h[2];
		uint64_t now;
		st = file_open("tty://pty", OPEN_READ | OPEN_WRITE, &h[0]);
		if (st == OK)
			st = file_ctl(h[0], CTL_TTY_PTY, (uint64_t[4]){ TTY_PTY_NAMED }, 0, NULL);
		if (st == OK)
			st = file_open_at(h[0], "slave", OPEN_READ | OPEN_WRITE, &h[1]);
		for (int i = 0; st == OK && i < 2; i++) {
			struct msg m = { .op = FILE_WRITE, .in = text, .in_len = sizeof(text) };
			MUST(clock_now(&now));
			m.deadline = now + AGAIN_NS;
			status_t full = ipc_call(h[i], &m);
			if (full != ERR_TIMED_OUT)
				return full < 0 ? full : ERR_BAD_FORMAT;
		}
		if (st < 0)
			return st;
	}
}

static void run_open_close(uint64_t arg unused)
{
	handle_t file;

	for (;;)
		if (file_open(uri, OPEN_READ, &file) == OK)
			file_close(file);
}

static status_t open_close(void)
{
	while (count < FLOODERS && thread_start(run_open_close, 0) == OK)
		count++;
	return OK;
}

static status_t files(void)
{
	static char data[64 * KiB];
	status_t st = OK;

	while (st == OK) {
		char name[64];
		handle_t file;
		snprintf(name, sizeof(name), "%s%llu", uri, (unsigned long long)count);
		st = file_open(name, OPEN_WRITE | OPEN_CREATE, &file);
		if (st < 0)
			break;
		for (uint64_t at = 0; at < 16 * sizeof(data) && st == OK; at += sizeof(data))
			st = file_write_all(file, at, data, sizeof(data));
		file_close(file);
		count += st == OK;
	}
	return st;
}

static status_t logs(void)
{
	static char line[500];
	status_t st;

	memset(line, '-', sizeof(line));
	while ((st = log_write(line, sizeof(line))) == OK)
		count++;
	return st;
}

/* What a program has not been given it cannot take. */
static status_t hardware(void)
{
	handle_t session = start_handle("stdout"), h;
	status_t st[] = {
		irq_create(0, 4, IRQ_DEFAULT, &h), irq_create(session, 4, IRQ_DEFAULT, &h), ioports_create(0, 0x3f8, 8, &h),
		ioports_create(session, 0x3f8, 8, &h), frame_device(0, 0xfee00000, PAGE_SIZE, CACHE_UNCACHED, &h),
		frame_device(session, 0xfee00000, PAGE_SIZE, CACHE_UNCACHED, &h), resource_slice(session, RES_INFO, 0, 1, &h),
	};

	for (size_t i = 0; i < ARRAY_LEN(st); i++) {
		count += st[i] == OK;
		if (st[i] != ERR_BAD_HANDLE && st[i] != ERR_WRONG_TYPE)
			return st[i];
	}
	return ERR_WRONG_TYPE;
}

static status_t asleep(void)
{
	thread_sleep(FOREVER);
	return OK;
}

static const struct { const char *name; status_t (*run)(void); } modes[] = {
	{ "memory", memory }, { "heap", heap }, { "touch", touch }, { "tables", tables }, { "mappings", mappings },
	{ "spawn", processes }, { "fork", forks }, { "brood", forks }, { "threads", threads }, { "spin", spin }, { "handles", handles },
	{ "objects", objects }, { "shelves", shelves }, { "namespaces", namespaces }, { "timers", timers }, { "calls", calls },
	{ "submits", submits }, { "reads", reads }, { "sockets", sockets }, { "connects", connects }, { "opens", opens },
	{ "open-close", open_close }, { "files", files }, { "log", logs }, { "hardware", hardware }, { "ptys", ptys }, { "sleep", asleep },
};

/* In what a careful parent would give: the other of us is in it. */
static int run_in_budget(const char *mode)
{
	static const struct budget_limits limits = { .pages = 2000, .kernel_bytes = MiB, .handles = 1000, .threads = 32, .commands = 256, .processes = 8 };
	handle_t budget;

	MUST(budget_create(0, &limits, &budget));
	MUST(start_self(mode, budget));
	for (;;)
		thread_sleep(FOREVER);
}

int main(int argc, char **argv)
{
	bool small = argc > 1 && !strcmp(argv[1], "-b");
	const char *mode = argc > 1 + small ? argv[1 + small] : "";

	uri = argc > 2 + small ? argv[2 + small] : NULL;
	svc_commit();
	if (small)
		return run_in_budget(mode);
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (strcmp(modes[i].name, mode) != 0)
			continue;
		status_t st = modes[i].run();
		if (strcmp(mode, "brood") != 0)
			print("bomb: %s: %llu, then %s\n", mode, (unsigned long long)count, error_name(st));
		for (;;) {
			rest(AGAIN_NS);
			(void)!modes[i].run();
		}
	}
	print_error("usage: bomb [-b] MODE [URI]");
	return 2;
}

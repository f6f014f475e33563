/*
 * bench: the cases that are counted inside the machine. Each runs a number of rounds between two marks
 * (mark.h), which the plugin turns into instruction counts; the line "bench: NAME ROUNDS" tells
 * tests/bench/test_bench.py which count is whose, in order. A first run without marks warms everything up.
 *
 * Without arguments it runs them all but those for several CPUs, "cross" and "pairs"; with another name it is the other side of a case.
 */
#include <abi/fb.h>
#include <gen/file.h>
#include <rt/clock.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdio.h>
#include <string.h>
#include "mark.h"

#define OWN_URI     "initfs:///bin/bench"
#define NOTHING_URI "initfs:///bin/nothing"
/* Not where the linker happens to put it: string functions take a dozen more instructions at odd addresses. */
static const char FILE_URI[] aligned(16) = "initfs:///etc/services/sh";
#define FORWARD_URI "front://disk/etc/services/sh"
#define MOUNT       "disk/"

/* The 8254's channel 0, an ISA edge on irq 0: nothing has to be told that its interrupt was served. */
enum { PIT_CHANNEL0 = 0, PIT_COMMAND = 3, PIT_RATE_GENERATOR = 0x34, PIT_DIVISOR = 119 /* 0.1 ms */, PIT_IRQ = 0 };

enum { ROUNDS = 2000, WARM = 64, FAULT_PAGES = 512, CPUS = 8, TIMERS_FEW = 10, TIMERS_MANY = 100000, STACK = 16 * KiB };
enum { BIT_WAKE = 0 };

status_t raw_calls0(handle_t session, uint64_t n, uint32_t op);
status_t raw_calls6(handle_t session, uint64_t n, uint32_t op, uint64_t w[6]);
status_t raw_calls_zero(handle_t session, uint64_t n, uint32_t op);
void raw_foreign(uint64_t n);
void raw_handler(void);
status_t raw_submits(handle_t session, uint64_t n, uint32_t op, handle_t port);
status_t raw_wait(handle_t port, const bool *stop);
status_t raw_serve(handle_t port, cmd_id_t first);

static char buffer[64 * KiB] aligned(4096);
static handle_t own_image;
static uint64_t own_size;

/* Everything a case needs; what it does not use is 0. */
struct ctx {
	handle_t session, port, own_port, file, notify, process, image, socket, behind, ns;
	uint64_t image_size, len;
};

/* ---- the other side ---- */

static int serve_raw(void)
{
	handle_t port = start_handle("port");
	struct event e;
	MUST(ipc_accept(port, FOREVER, &e));
	return (int)raw_serve(port, e.cmd);
}

/* On a CPU of its own. */
static int serve_elsewhere(void)
{
	MUST(thread_set_affinity(0, 2));
	return serve_raw();
}

/* From here on the thread owns vector state, which is kept over switches. */
static void own_vector_state(void)
{
	asm volatile("pxor %%xmm0, %%xmm0" ::: "memory");
}

static int serve_vector(void)
{
	own_vector_state();
	return serve_raw();
}

/* Takes what the caller lends, as any server would that needs all of it. */
static int serve_buffers(void)
{
	handle_t port = start_handle("port");
	struct event e;
	struct reply r = { 0 };
	MUST(ipc_accept(port, FOREVER, &e));
	for (;;) {
		uint64_t done = 0;
		r.status = cmd_read(e.cmd, 0, buffer, e.in_len, &done);
		r.w[0] = done;
		MUST(ipc_return_accept(e.cmd, &r, port, &e));
	}
}

static status_t on_stat(void *self unused, struct svc_cmd *c unused, const struct file_stat_req *q unused, struct file_stat_rep *p)
{
	*p = (struct file_stat_rep){ .type = FILE_REGULAR, .size = 1 };
	return OK;
}

static int serve_loop(void)
{
	static const struct file_ops ops = { .stat = on_stat };
	struct svc svc;
	MUST(svc_init(&svc, &file_proto, &ops, NULL));
	return (int)svc_run(&svc);
}

/* Opens what it has. */
static status_t on_open(void *self unused, struct svc_cmd *c, const struct file_open_req *q unused, struct file_open_rep *p)
{
	p->type = FILE_REGULAR;
	c->mint = true;
	c->mint_badge = 7;
	c->mint_rights = RIGHT_READ;
	return OK;
}

static void on_close(void *self unused, uint64_t badge unused)
{
}

static int serve_open(void)
{
	static const struct file_ops ops = { .open = on_open };
	struct svc svc;
	MUST(svc_init(&svc, &file_proto, &ops, NULL));
	svc.on_close = on_close;
	return (int)svc_run(&svc);
}

/* Passes on what lies below its mount point, without it. */
static status_t on_open_forward(void *self, struct svc_cmd *c, const struct file_open_req *q unused, struct file_open_rep *p unused)
{
	if (strncmp(c->path, MOUNT, sizeof(MOUNT) - 1) != 0)
		return ERR_NOT_FOUND;
	status_t st = forward(c->cmd, *(handle_t *)self, sizeof(MOUNT) - 1, RIGHT_ALL);
	return st == OK ? SVC_LATER : st;
}

static int serve_forward(void)
{
	static const struct file_ops ops = { .open = on_open_forward };
	handle_t behind = start_handle("behind");
	struct svc svc;
	MUST(svc_init(&svc, &file_proto, &ops, &behind));
	return (int)svc_run(&svc);
}

/* A byte for every request of as many bytes as its argument says. */
static int serve_socket(size_t size)
{
	handle_t s = start_handle("socket");
	uint64_t done = 0, all;
	uint32_t n;
	for (;;) {
		for (size_t at = 0; at < size; at += done)
			MUST(socket_read(s, buffer + at, size - at, FOREVER, NULL, 0, &done, &all, &n));
		MUST(socket_write(s, buffer, 1, FOREVER, NULL, 0, &done));
	}
}

static int yield_for_ever(void)
{
	for (;;)
		thread_yield();
}

/* Starts this program again as `role`, with a fresh Port; the Session to it in c->session. */
static void other_side(struct ctx *c, const char *role)
{
	const char *argv[] = { "bench", role };
	struct process_info self;
	uint64_t pid;
	handle_t theirs;
	MUST(process_info(0, &self));
	MUST(port_create(0, &c->port));
	MUST(session_create(c->port, 1, RIGHT_READ | RIGHT_WRITE, &c->session));
	MUST(socket_pair(SOCKET_STREAM, &c->socket, &theirs));
	struct spawn_handle give[] = { { .name = "port", .handle = c->port }, { .name = "stderr", .handle = start_handle("stderr") },
		{ .name = "socket", .handle = theirs }, { .name = "behind", .handle = c->behind } };
	struct spawn s = { .image = own_image, .image_size = own_size, .argc = 2, .argv = argv,
		.handles = give, .n_handles = c->behind ? 4 : 3, .priority = self.priority, .level = self.level };
	MUST(spawn(&s, &c->process, &pid, NULL));
	handle_close(theirs);
}

static void other_side_end(struct ctx *c)
{
	struct process_info info;
	if (c->process) {
		MUST(process_kill(c->process, KILL_PLAIN));
		MUST(process_wait(c->process, FOREVER, &info));
		handle_close(c->process);
	}
	if (c->session)
		handle_close(c->session);
	if (c->port)
		handle_close(c->port);
	if (c->socket)
		handle_close(c->socket);
	*c = (struct ctx){ 0 };
}

/* ---- threads of this process ---- */

static handle_t thread_start(void (*entry)(struct ctx *), struct ctx *c, uint32_t priority)
{
	uint64_t stack;
	handle_t t;
	MUST(vmem_map(0, 0, 0, 0, STACK, PROT_READ | PROT_WRITE, &stack));
	MUST(thread_create((uint64_t)entry, stack + STACK - 8, (uint64_t)c, priority, &t));
	return t;
}

static bool threads_stop;

static void wait_for_bits(struct ctx *c)
{
	MUST(raw_wait(c->port, &threads_stop));
	thread_exit();
}

static uint64_t volatile interrupts_left;

static void count_interrupts(struct ctx *c)
{
	static const bool once = true;
	while (raw_wait(c->port, &once) >= 0)
		if (interrupts_left)
			interrupts_left--;
	thread_exit();
}

static void yield_along(struct ctx *c unused)
{
	while (!threads_stop)
		thread_yield();
	thread_exit();
}

/* ---- cases ---- */

static void run_nop(struct ctx *c unused, uint64_t n)
{
	while (n--)
		syscall_nop();
}

static void run_calls0(struct ctx *c, uint64_t n)
{
	MUST(raw_calls0(c->session, n, 1));
}

static void run_calls6(struct ctx *c, uint64_t n)
{
	uint64_t w[6] = { 1, 2, 3, 4, 5, 6 };
	MUST(raw_calls6(c->session, n, 1, w));
}

/* Sent from a Port of one's own, where the completion arrives. */
static volatile uint32_t turn;

/* Waits until it is `mine`, and passes it on; n times. */
static void pass(uint32_t mine, uint64_t n)
{
	uint32_t woken;
	for (uint64_t i = 0; i < n && !threads_stop; i++) {
		while (turn != mine && !threads_stop)
			(void)futex_wait((uint64_t)&turn, 1 - mine, 0, FOREVER);
		turn = 1 - mine;
		(void)futex_wake((uint64_t)&turn, 1, 0, &woken);
	}
}

static void pass_back(struct ctx *c)
{
	(void)c;
	pass(1, UINT64_MAX);
	thread_exit();
}

static void run_futex(struct ctx *c, uint64_t n)
{
	(void)c;
	pass(0, n);
}

static uint8_t clone_stack[4096] aligned(16);

static void clone_main(void)
{
	process_exit(0);
}

static void run_clone(struct ctx *c, uint64_t n)
{
	(void)c;
	for (uint64_t i = 0; i < n; i++) {
		struct exec_args a = { .name = "clone", .entry = (uint64_t)clone_main, .stack = (uint64_t)clone_stack + sizeof(clone_stack) - 16,
			.priority = PRIORITY_NORMAL, .level = 100 };
		handle_t process;
		uint64_t pid;
		struct process_info info;
		MUST(vmem_clone(0, &a.vmem));
		MUST(process_exec(&a, &process, &pid));
		MUST(process_wait(process, FOREVER, &info));
		handle_close(process);
		handle_close(a.vmem);
	}
}

static void run_foreign(struct ctx *c, uint64_t n)
{
	(void)c;
	raw_foreign(n);
}

static void run_submit(struct ctx *c, uint64_t n)
{
	MUST(raw_submits(c->session, n, 1, c->own_port));
}

static void run_stat_words(struct ctx *c, uint64_t n)
{
	MUST(raw_calls_zero(c->session, n, FILE_STAT));
}

static void run_in(struct ctx *c, uint64_t n)
{
	while (n--) {
		struct msg m = { .op = 1, .in = buffer, .in_len = c->len };
		MUST(ipc_call(c->session, &m));
	}
}

static void run_socket(struct ctx *c, uint64_t n)
{
	uint64_t done, size;
	uint32_t got;
	while (n-- > 0) {
		for (uint64_t at = 0; at < c->len; at += done)
			MUST(socket_write(c->socket, buffer + at, c->len - at, FOREVER, NULL, 0, &done));
		MUST(socket_read(c->socket, buffer, 1, FOREVER, NULL, 0, &done, &size, &got));
	}
}

static void run_clock(struct ctx *c unused, uint64_t n)
{
	while (n--)
		(void)clock_value();
}

/* Somewhere among the deadlines of the others: an hour and more from now. */
static uint64_t some_deadline(void)
{
	static uint64_t state = 1;
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return 3600 * NS_PER_SEC + (state >> 24);
}

static void run_timer(struct ctx *c, uint64_t n)
{
	while (n--) {
		MUST(notify_timer(c->notify, 0, some_deadline(), 0));
		MUST(notify_timer(c->notify, 0, FOREVER, 0));
	}
}

static uint8_t thread_stack[4096] aligned(16);
static volatile uint32_t thread_runs;

static void end_thread(void)
{
	(void)thread_exit_clear((uint64_t)&thread_runs);
}

static void run_thread(struct ctx *c unused, uint64_t n)
{
	while (n--) {
		handle_t t;
		thread_runs = 1;
		MUST(thread_create((uint64_t)end_thread, (uint64_t)thread_stack + sizeof(thread_stack) - 8, 0, PRIORITY_NORMAL, &t));
		while (thread_runs)
			(void)futex_wait((uint64_t)&thread_runs, 1, 0, FOREVER);
		handle_close(t);
	}
}

static void run_notify(struct ctx *c, uint64_t n)
{
	while (n--) {
		MARK_GO();
		MUST(notify_signal(c->notify, 1ull << BIT_WAKE));
	}
}

/* An interrupt finds this thread somewhere in the loop, whose few instructions count, too. */
static void run_interrupts(struct ctx *c unused, uint64_t n)
{
	interrupts_left = n;
	while (interrupts_left)
		MARK_GO();
}

/* The other one yields as often as we do. */
static void run_yield(struct ctx *c unused, uint64_t n)
{
	for (n /= 2; n--;)
		thread_yield();
}

static void run_fault(struct ctx *c unused, uint64_t n)
{
	uint64_t va;
	MUST(vmem_map(0, 0, 0, 0, n * PAGE_SIZE, PROT_READ | PROT_WRITE, &va));
	for (uint64_t i = 0; i < n; i++)
		*(volatile char *)(va + i * PAGE_SIZE) = 1;
	MUST(vmem_unmap(0, va, n * PAGE_SIZE));
}

static void run_map(struct ctx *c unused, uint64_t n)
{
	while (n--) {
		uint64_t va;
		MUST(vmem_map(0, 0, 0, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, &va));
		*(volatile char *)va = 1;
		MUST(vmem_unmap(0, va, PAGE_SIZE));
	}
}

static void wait_end(handle_t process)
{
	struct process_info info;
	MUST(process_wait(process, FOREVER, &info));
	if (info.exit_kind != EXIT_NORMAL)
		rt_panic("a program ended as %u", info.exit_kind);
	handle_close(process);
}

static void run_spawn(struct ctx *c, uint64_t n)
{
	const char *argv[] = { "nothing" };
	while (n--) {
		struct spawn s = { .image = c->image, .image_size = c->image_size, .argc = 1, .argv = argv, .priority = PRIORITY_NORMAL, .level = 100 };
		handle_t process;
		uint64_t pid;
		MUST(spawn(&s, &process, &pid, NULL));
		wait_end(process);
	}
}

static void run_spawn_uri(struct ctx *c unused, uint64_t n)
{
	const char *argv[] = { "nothing" };
	while (n--) {
		struct spawn s = { .argc = 1, .argv = argv, .priority = PRIORITY_NORMAL, .level = 100 };
		handle_t process;
		uint64_t pid;
		MUST(spawn_uri(NOTHING_URI, &s, &process, &pid, NULL));
		wait_end(process);
	}
}

static void run_open(struct ctx *c unused, uint64_t n)
{
	while (n--) {
		handle_t f;
		MUST(file_open(FILE_URI, OPEN_READ, &f));
		file_close(f);
	}
}

static void run_open_read(struct ctx *c unused, uint64_t n)
{
	while (n--) {
		handle_t f;
		size_t done;
		MUST(file_open(FILE_URI, OPEN_READ, &f));
		MUST(file_read(f, 0, buffer, 64, &done));
		file_close(f);
	}
}

/* The Session is closed, and its CLOSE served, between the parts that count. */
static void run_open_forward(struct ctx *c, uint64_t n)
{
	while (n--) {
		struct msg m = { .in = FORWARD_URI, .in_len = sizeof(FORWARD_URI) - 1, .flags = IPC_PATH | IPC_URI };
		MARK_GO();
		file_open_ask(&m, &(struct file_open_req){ .flags = OPEN_READ });
		MUST(ipc_call(c->ns, &m));
		MARK_STOP();
		file_close(m.handles[0]);
		thread_yield();
	}
}

static void run_stat(struct ctx *c unused, uint64_t n)
{
	struct stat st;
	while (n--)
		MUST(file_stat_uri(FILE_URI, &st));
}

static void run_read1(struct ctx *c, uint64_t n)
{
	size_t done;
	while (n--)
		MUST(file_read(c->file, 7, buffer, 1, &done));
}

static struct fb_rect drawn;            /* what run_damage says has changed */

static void run_damage(struct ctx *c, uint64_t n)
{
	struct file_ctl_req q = { .code = CTL_FB_DAMAGE };
	while (n--) {
		struct msg m = { .in = &drawn, .in_len = sizeof(drawn) };
		file_ctl_ask(&m, &q);
		MUST(ipc_call(c->session, &m));
	}
}

/* ---- running ---- */

static void measure_rounds(const char *name, void (*run)(struct ctx *, uint64_t), struct ctx *c, uint64_t rounds)
{
	run(c, MIN(rounds, (uint64_t)WARM));
	/* The figure is the middle one: now and then a heartbeat falls into a run. */
	for (unsigned i = 0; i < 3; i++) {
		MARK_BEGIN();
		run(c, rounds);
		MARK_END();
		print("bench: %s %llu\n", name, (unsigned long long)rounds);
		print_flush();
	}
}

static void measure(const char *name, void (*run)(struct ctx *, uint64_t), struct ctx *c)
{
	measure_rounds(name, run, c, ROUNDS);
}

static void calls(void)
{
	struct ctx c = { 0 };

	measure("syscall", run_nop, &c);
	measure("clock", run_clock, &c);
	other_side(&c, "serve-raw");
	measure("call-0", run_calls0, &c);
	measure("call-6", run_calls6, &c);
	MUST(port_create(0, &c.own_port));
	MUST(port_reserve(c.own_port, 1));
	measure("submit", run_submit, &c);
	handle_close(c.own_port);
	other_side_end(&c);
	other_side(&c, "serve-loop");
	measure("call-service", run_stat_words, &c);
	other_side_end(&c);
	other_side(&c, "serve-buffers");
	memset(buffer, 1, sizeof(buffer));
	c.len = 64;
	measure("call-64", run_in, &c);
	c.len = 4 * KiB;
	measure("call-4k", run_in, &c);
	c.len = 64 * KiB;
	measure_rounds("call-64k", run_in, &c, ROUNDS / 10);
	other_side_end(&c);
	other_side(&c, "serve-socket-1");
	c.len = 1;
	measure("socket-1", run_socket, &c);
	other_side_end(&c);
	other_side(&c, "serve-socket-4k");
	c.len = 4 * KiB;
	measure("socket-4k", run_socket, &c);
	other_side_end(&c);
	other_side(&c, "serve-socket-64k");
	c.len = 64 * KiB;
	measure_rounds("socket-64k", run_socket, &c, ROUNDS / 10);
	other_side_end(&c);
}

static void forwarding(void)
{
	struct ctx back = { 0 }, front = { 0 };

	other_side(&back, "serve-open");
	front.behind = back.session;
	other_side(&front, "serve-forward");
	MUST(ns_create(&front.ns));
	MUST(ns_bind(front.ns, "front", 5, front.session));
	measure("open-forward", run_open_forward, &front);
	handle_close(front.ns);
	other_side_end(&front);
	other_side_end(&back);
}

static handle_t granted(const char *uri)
{
	handle_t file, h;
	uint64_t size;
	MUST(file_open(uri, OPEN_READ, &file));
	MUST(file_map(file, &h, &size));
	file_close(file);
	return h;
}

static void interrupts(void)
{
	struct ctx c = { 0 };
	handle_t res_irq = granted("grant://irq1"), res_io = granted("grant://ioports1"), irq, io;

	MUST(port_create(0, &c.port));
	MUST(notify_create(&c.notify));
	MUST(notify_port(c.notify, c.port, 1));
	MUST(irq_create(res_irq, PIT_IRQ, IRQ_ISA, &irq));
	MUST(ioports_create(res_io, 0x40, 4, &io));
	MUST(notify_bind(c.notify, BIT_WAKE, irq));
	MUST(io_write(io, PIT_COMMAND, 1, PIT_RATE_GENERATOR));
	MUST(io_write(io, PIT_CHANNEL0, 1, PIT_DIVISOR & 0xff));
	MUST(io_write(io, PIT_CHANNEL0, 1, PIT_DIVISOR >> 8));
	handle_t waiter = thread_start(count_interrupts, &c, PRIORITY_NORMAL);
	MUST(thread_set_priority(0, PRIORITY_NORMAL - 1));
	MUST(irq_ack(irq));
	measure("interrupt", run_interrupts, &c);
	MUST(thread_set_priority(0, PRIORITY_NORMAL));
	handle_close(irq);
	handle_close(io);
	handle_close(c.notify);
	handle_close(c.port);           /* which ends the waiter */
	handle_close(waiter);
	handle_close(res_irq);
	handle_close(res_io);
}

static void scheduling(void)
{
	struct ctx c = { 0 };

	MUST(port_create(0, &c.port));
	MUST(notify_create(&c.notify));
	MUST(notify_port(c.notify, c.port, 1));
	handle_t waiter = thread_start(wait_for_bits, &c, PRIORITY_NORMAL);
	MUST(thread_set_priority(0, PRIORITY_NORMAL - 1));
	measure("notify", run_notify, &c);
	threads_stop = true;
	MUST(notify_signal(c.notify, 1));
	MUST(thread_set_priority(0, PRIORITY_NORMAL));
	handle_close(waiter);
	handle_close(c.notify);
	handle_close(c.port);

	threads_stop = false;
	c = (struct ctx){ 0 };
	handle_t other = thread_start(yield_along, &c, PRIORITY_NORMAL);
	measure("yield-thread", run_yield, &c);
	threads_stop = true;
	thread_yield();
	handle_close(other);

	other_side(&c, "yield");
	measure("yield-process", run_yield, &c);
	other_side_end(&c);
}

static void futexes(void)
{
	uint32_t woken;
	threads_stop = false;
	turn = 0;
	handle_t other = thread_start(pass_back, NULL, PRIORITY_NORMAL);
	measure("futex", run_futex, NULL);
	threads_stop = true;
	(void)futex_wake((uint64_t)&turn, 1, 0, &woken);
	thread_yield();
	handle_close(other);
}

/* What was let go is torn down piece by piece: the next case is not to meet it. */
static void settle(void)
{
	MUST(thread_sleep(clock_value() + NS_PER_SEC));
}

/* n armed, 64 of a Notify; then one more comes and goes. */
static void timers(const char *name, unsigned n)
{
	static handle_t armed[TIMERS_MANY / 64 + 1];
	struct ctx c = { 0 };
	for (unsigned i = 0; i < n; i++) {
		if (i % 64 == 0)
			MUST(notify_create(&armed[i / 64]));
		MUST(notify_timer(armed[i / 64], i % 64, some_deadline(), 0));
	}
	MUST(notify_create(&c.notify));
	measure(name, run_timer, &c);
	handle_close(c.notify);
	for (unsigned i = 0; i < n; i += 64)
		handle_close(armed[i / 64]);
	settle();
}

static void foreign(void)
{
	handle_t frame;
	uint64_t va = 0;

	MUST(frame_create(2 * PAGE_SIZE, FRAME_CONTIGUOUS, &frame));
	MUST(vmem_map(0, frame, 0, 0, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, &va));
	struct upcall u = { .frame = frame, .offset = PAGE_SIZE, .record = va + PAGE_SIZE, .entry = (uint64_t)raw_handler, .event = (uint64_t)raw_handler };
	MUST(thread_upcall(&u));
	measure("foreign", run_foreign, NULL);
	u = (struct upcall){ 0 };
	MUST(thread_upcall(&u));
	MUST(vmem_unmap(0, va, 2 * PAGE_SIZE));
	handle_close(frame);
}

/* ---- how long interrupts are off ---- */

enum { OFF_THREADS = 2500, OFF_STACK = 2048, OFF_WAITERS = 10000, OFF_CROWDS = OFF_WAITERS / OFF_THREADS, OFF_PORTS = 10 };

/* Once: what it does, and all that comes of it in the second after that. */
static void measure_longest(const char *name, void (*run)(struct ctx *), struct ctx *c)
{
	settle();                       /* all wait */
	MARK_BEGIN();
	run(c);
	settle();
	MARK_END();
	print("bench: %s 1\n", name);
	print_flush();
}

static void wait_at_port(struct ctx *c)
{
	struct event e;
	(void)!ipc_accept(c->port, FOREVER, &e);
	thread_exit();
}

static void port_ends(struct ctx *c)
{
	handle_close(c->port);
}

static void process_ends(struct ctx *c)
{
	MUST(process_kill(c->process, KILL_PLAIN));
}

/* One process of a crowd: its threads wait at a Port of somebody else's, and then it says so. */
static int crowd(void)
{
	struct ctx c = { .port = start_handle("behind") };
	handle_t t;
	uint64_t stacks = 0;
	MUST(vmem_map(0, 0, 0, 0, OFF_THREADS * OFF_STACK, PROT_READ | PROT_WRITE, &stacks));
	for (uint64_t i = 1; i <= OFF_THREADS; i++) {
		MUST(thread_create((uint64_t)wait_at_port, stacks + i * OFF_STACK - 8, (uint64_t)&c, PRIORITY_NORMAL, &t));
		handle_close(t);
	}
	settle();                       /* all wait, and need no handle for that */
	handle_close(c.port);
	return serve_raw();
}

static void threads_wait(void)
{
	struct ctx c = { 0 }, crowds[OFF_CROWDS] = { 0 };
	MUST(port_create(PORT_STATELESS, &c.port));
	for (unsigned i = 0; i < OFF_CROWDS; i++) {
		struct msg m = { 0 };
		crowds[i].behind = c.port;
		other_side(&crowds[i], "crowd");
		MUST(ipc_call(crowds[i].session, &m));
	}
	measure_longest("off-threads", port_ends, &c);
	for (unsigned i = 0; i < OFF_CROWDS; i++)
		other_side_end(&crowds[i]);
	settle();
}

static void bits_wait(void)
{
	static handle_t notifies[OFF_WAITERS / 64 + 1];
	struct ctx c = { 0 };
	other_side(&c, "serve-raw");
	for (unsigned i = 0; i < OFF_WAITERS; i++) {
		if (i % 64 == 0)
			MUST(notify_create(&notifies[i / 64]));
		MUST(notify_bind(notifies[i / 64], i % 64, c.process));
	}
	measure_longest("off-bits", process_ends, &c);
	for (unsigned i = 0; i < OFF_WAITERS; i += 64)
		handle_close(notifies[i / 64]);
	other_side_end(&c);
}

/* Each completes at one of the ports of this program. */
static void commands_wait(void)
{
	struct ctx c = { 0 };
	handle_t session[OFF_PORTS], own[OFF_PORTS];
	MUST(port_create(0, &c.port));
	for (unsigned i = 0; i < OFF_PORTS; i++) {
		MUST(session_create(c.port, i, RIGHT_READ, &session[i]));
		MUST(port_create(0, &own[i]));
		MUST(port_reserve(own[i], OFF_WAITERS / OFF_PORTS));
		for (unsigned n = 0; n < OFF_WAITERS / OFF_PORTS; n++)
			MUST(ipc_submit(session[i], &(struct msg){ .op = 1 }, own[i], n));
	}
	measure_longest("off-commands", port_ends, &c);
	for (unsigned i = 0; i < OFF_PORTS; i++) {
		handle_close(own[i]);
		handle_close(session[i]);
	}
	settle();
}

/* Before other cases have mapped stacks for their threads. */
static void clones(void)
{
	struct ctx c = { 0 };
	uint64_t va = 0;

	MUST(vmem_map(0, 0, 0, 0, 1 * MiB, PROT_READ | PROT_WRITE, &va));
	memset((void *)va, 1, 1 * MiB);
	measure_rounds("clone", run_clone, &c, ROUNDS / 10);
	MUST(vmem_unmap(0, va, 1 * MiB));
}

static void memory_and_programs(void)
{
	struct ctx c = { 0 };

	measure_rounds("page-fault", run_fault, &c, FAULT_PAGES);
	measure("map-touch-unmap", run_map, &c);
	handle_t file;
	MUST(file_open(NOTHING_URI, OPEN_READ, &file));
	MUST(file_map(file, &c.image, &c.image_size));
	file_close(file);
	measure_rounds("execute", run_spawn, &c, ROUNDS / 10);
	measure_rounds("execute-uri", run_spawn_uri, &c, ROUNDS / 10);
	handle_close(c.image);
}

static void files(void)
{
	struct ctx c = { 0 };

	measure("open-close", run_open, &c);
	measure("open-read-close", run_open_read, &c);
	measure("stat", run_stat, &c);
	MUST(file_open(FILE_URI, OPEN_READ, &c.file));
	measure("read-1", run_read1, &c);
	file_close(c.file);
}

/* A surface of the whole screen, all of it changed, and a letter of it. */
static void drawing(void)
{
	struct ctx c = { 0 };
	uint64_t screen[3];

	MUST(file_open("fb://", OPEN_READ | OPEN_WRITE, &c.session));
	MUST(file_ctl(c.session, CTL_FB_INFO, NULL, 0, screen));
	MUST(file_ctl(c.session, CTL_FB_SURFACE, (uint64_t[4]){ screen[0], screen[1] }, 0, NULL));
	MUST(file_ctl(c.session, CTL_FB_SHOW, (uint64_t[4]){ 0 }, 0, NULL));
	drawn = (struct fb_rect){ 0, 0, (uint32_t)screen[0], (uint32_t)screen[1] };
	measure_rounds("fb-screen", run_damage, &c, 5);
	drawn = (struct fb_rect){ 80, 160, 8, 16 };
	measure("fb-cell", run_damage, &c);
	handle_close(c.session);
}

/* Text such as programs print: words, numbers, lines of several lengths, now and then a colour. */
static void make_text(char *to, size_t size)
{
	size_t n = 0;

	for (unsigned i = 0; n + 128 < size; i++)
		n += (size_t)snprintf(to + n, size - n, "%s%6u  drwxr-xr-x  %.*s\n", i % 16 ? "" : "\33[1;32mnext\33[m ", i * 7919 % 100000, (int)(i * 13 % 60),
			"the quick brown fox jumps over the lazy dog, and then again.");
	memset(to + n, '.', size - n);
	to[size - 1] = '\n';
}

static void run_print(struct ctx *c, uint64_t n)
{
	while (n--)
		MUST(file_append_all(c->file, buffer, sizeof(buffer)));
	MUST(thread_sleep(clock_value() + 100 * NS_PER_MS));    /* until it is on the screen */
}

static void printing(void)
{
	static const struct { const char *name, *uri; uint64_t rounds; } to[] = {
		{ "print-hidden", "tty://2", 16 }, { "print-screen", "tty://1", 16 }, { "print-serial", "tty://serial", 4 },
	};
	struct ctx c = { 0 };

	make_text(buffer, sizeof(buffer));
	for (size_t i = 0; i < ARRAY_LEN(to); i++) {
		MUST(file_open(to[i].uri, OPEN_WRITE, &c.file));
		measure_rounds(to[i].name, run_print, &c, to[i].rounds);
		file_close(c.file);
	}
}

/* The last of all: whoever used a vector register once has vector state for ever. */
static void vector_calls(void)
{
	struct ctx c = { 0 };

	own_vector_state();
	other_side(&c, "serve-vector");
	measure("call-vector", run_calls0, &c);
	other_side_end(&c);
}

/* ---- several CPUs ---- */

static struct pair { handle_t session; uint64_t cpu, n; } pair[CPUS];
static volatile uint32_t pairs_left;

static void pair_main(struct ctx *c)
{
	const struct pair *p = (const struct pair *)c;
	uint32_t woken;
	MUST(thread_set_affinity(0, 1ull << p->cpu));
	MUST(raw_calls0(p->session, p->n, 1));
	if (!__atomic_sub_fetch(&pairs_left, 1, __ATOMIC_SEQ_CST))
		(void)futex_wake((uint64_t)&pairs_left, 1, 0, &woken);
	thread_exit();
}

/* n round trips in all, as many on each of c->len CPUs. */
static void run_pairs(struct ctx *c, uint64_t n)
{
	uint32_t left;
	pairs_left = (uint32_t)c->len;
	for (uint64_t i = 0; i < c->len; i++) {
		pair[i].cpu = i;
		pair[i].n = n / c->len;
		handle_close(thread_start(pair_main, (struct ctx *)&pair[i], PRIORITY_NORMAL));
	}
	while ((left = pairs_left))
		(void)futex_wait((uint64_t)&pairs_left, left, 0, FOREVER);
}

static void cross_cpu(void)
{
	struct ctx c = { 0 };

	other_side(&c, "serve-elsewhere");
	MUST(thread_set_affinity(0, 1));
	measure("cross-cpu", run_calls0, &c);
	MUST(thread_set_affinity(0, UINT64_MAX));
	other_side_end(&c);
}

static void independent_pairs(void)
{
	static const char *const names[] = { "pairs-1", "pairs-2", "pairs-4", "pairs-8" };
	struct ctx c = { 0 }, servers[CPUS];

	for (unsigned i = 0; i < CPUS; i++) {
		servers[i] = (struct ctx){ 0 };
		other_side(&servers[i], "serve-raw");
		pair[i].session = servers[i].session;
	}
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		c.len = 1u << i;
		measure_rounds(names[i], run_pairs, &c, ROUNDS * c.len);
	}
	for (unsigned i = 0; i < CPUS; i++)
		other_side_end(&servers[i]);
}

static int role(const char *name)
{
	if (!strcmp(name, "serve-raw"))
		return serve_raw();
	if (!strcmp(name, "serve-elsewhere"))
		return serve_elsewhere();
	if (!strcmp(name, "serve-vector"))
		return serve_vector();
	if (!strcmp(name, "serve-buffers"))
		return serve_buffers();
	if (!strcmp(name, "serve-loop"))
		return serve_loop();
	if (!strcmp(name, "serve-open"))
		return serve_open();
	if (!strcmp(name, "serve-forward"))
		return serve_forward();
	if (!strcmp(name, "serve-socket-1"))
		return serve_socket(1);
	if (!strcmp(name, "serve-socket-4k"))
		return serve_socket(4 * KiB);
	if (!strcmp(name, "serve-socket-64k"))
		return serve_socket(64 * KiB);
	if (!strcmp(name, "crowd"))
		return crowd();
	if (!strcmp(name, "yield"))
		return yield_for_ever();
	print_error("no such role: %s", name);
	return 2;
}

static void one_cpu(void)
{
	clones();
	calls();
	forwarding();
	scheduling();
	interrupts();
	futexes();
	measure("thread", run_thread, NULL);
	timers("timer-10", TIMERS_FEW);
	timers("timer-100k", TIMERS_MANY);
	foreign();
	memory_and_programs();
	files();
	drawing();
	threads_wait();
	bits_wait();
	commands_wait();
	vector_calls();
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	bool cross = !strcmp(what, "cross"), pairs = !strcmp(what, "pairs"), prints = !strcmp(what, "print");
	if (argc > 1 && !cross && !pairs && !prints)
		return role(what);
	handle_t file;
	MUST(file_open(OWN_URI, OPEN_READ, &file));
	MUST(file_map(file, &own_image, &own_size));
	file_close(file);
	if (cross)
		cross_cpu();
	else if (pairs)
		independent_pairs();
	else if (prints)
		printing();
	else
		one_cpu();
	print("bench: done\n");
	return 0;
}

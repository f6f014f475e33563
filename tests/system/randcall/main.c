/*
 * randcall: system calls at random, from a seed, by children with a small Budget each. A child lives until it has
 * done its share, kills itself with its own arguments, or waits for something that never comes and is killed.
 * The machine goes on, and the kernel's account is at the end what it was at the beginning.
 *
 *   randcall SEED COUNT      prints the seed, what became of the children, and "account equal" or what is left
 *   randcall -e SEED COUNT   the same, with the account looked at after each child: names the first that leaves something
 *   randcall -1 HEX TIMES [CALLS]    one child's seed, as -e printed it, again and again; with CALLS it stops after so
 *                            many, alone, and its calls are in the log
 *
 * Arguments come from three sources, mixed per argument: what the call expects (signatures below), values known
 * to be awkward, and noise. What calls return goes back into the pool. A second thread of the child calls
 * and scribbles at the same time, a third answers what arrives at the child's Port.
 */
#include <gen/syscall_numbers.h>
#include <rt/io.h>
#include <stdlib.h>
#include <string.h>
#include "../account.h"

#define ARENA       0x300000000000ull
#define ARENA_SIZE  (64 * MiB)

enum { SHARE = 20000, STALL_MS = 100, POLL_MS = 20, POOL = 64, SCRATCH = 16 * KiB, STACK = 16 * KiB, CHILD_PRIORITY = 8 };

void ipc_raw(struct ipc_regs *r);

/*
 * What each argument is: h handle, p pointer, l length, a address in the arena, s size in pages, f small flags, d deadline,
 * n number, e struct exec_args, u text of a URI or scheme. Calls that are not listed get noise.
 */
static const char *const signatures[SYSCALL_COUNT] = {
#define CALL(name, args) [SYS_##name - SYSCALL_BASE] = args
	CALL(nop, ""), CALL(cmd_read, "cnpl"), CALL(cmd_write, "cnpl"), CALL(handle_close, "h"), CALL(handle_dup, "hf"), CALL(handle_info, "hp"),
	CALL(handle_tag, "hn"), CALL(handle_list, "hnpn"), CALL(process_exec, "e"), CALL(process_kill, "hf"), CALL(process_info, "hp"),
	CALL(process_list, "hnpn"), CALL(process_open, "hn"), CALL(process_namespace, "hpn"), CALL(thread_create, "tknf"), CALL(thread_set_base, "fa"),
	CALL(thread_set_priority, "hf"), CALL(thread_sleep, "d"), CALL(thread_yield, ""), CALL(vmem_map, "zhsasf"), CALL(vmem_unmap, "zas"),
	CALL(vmem_protect, "zasf"), CALL(vmem_query, "zap"), CALL(frame_create, "sf"), CALL(frame_resize, "hs"), CALL(frame_decommit, "hss"),
	CALL(frame_read, "hnpl"), CALL(frame_write, "hnpl"), CALL(frame_info, "hp"), CALL(port_create, "f"), CALL(session_create, "hnf"),
	CALL(ns_bind, "hulh"), CALL(ns_unbind, "hul"), CALL(ns_list, "hpn"), CALL(proto_create, "hulhnf"), CALL(notify_signal, "hn"),
	CALL(notify_take, "h"), CALL(notify_port, "hhn"), CALL(notify_bind, "hnh"), CALL(notify_timer, "hndn"), CALL(resource_slice, "hfnn"),
	CALL(irq_create, "hnf"), CALL(irq_ack, "h"), CALL(ioports_create, "hnn"), CALL(io_read, "hff"), CALL(io_write, "hffn"), CALL(io_write_bytes, "hfplp"),
	CALL(budget_create, "hp"), CALL(budget_info, "hp"), CALL(log_write, "pl"), CALL(log_read, "hnpl"), CALL(cmdline, "pl"), CALL(kstat, "hp"),
	CALL(namespace_self, "f"), CALL(process_table, "h"),
};

static const uint64_t awkward[] = {
	0, 1, 2, 7, 8, 63, 64, 255, 4095, 4096, 4097, 65535, 1 << 20, (1 << 20) + 1, 0x1fffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
	0x7ffffffff000, 0x7fffffffffff, 0x800000000000, 0x800000000001, 0xffff7fffffffffff, 0xffff800000000000, 0xffffffff80000000,
	0x7fffffffffffffff, 0x8000000000000000, 0xfffffffffffff000, UINT64_MAX - 1, UINT64_MAX,
};

static uint8_t scratch[SCRATCH] aligned(4096);      /* what pointers point at */
static uint8_t stacks[2][STACK] aligned(16);
static volatile handle_t pool[POOL];
static volatile uint64_t commands[4];               /* ids of accepted commands */
static volatile uint64_t *done;                     /* calls so far: the parent's page */
static uint64_t edge, read_only;
static bool traced;
static handle_t port, code;

struct random { uint64_t state; };

static uint64_t draw(struct random *r)
{
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return r->state * 0x2545f4914f6cdd1dull;
}

static uint64_t below(struct random *r, uint64_t n)
{
	return (draw(r) >> 11) % n;
}

static uint64_t clock_value(void)
{
	uint64_t ns = 0;
	clock_now(&ns);
	return ns;
}

static uint64_t pointer(struct random *r)
{
	switch (below(r, 8)) {
	case 0:
		return edge + PAGE_SIZE - below(r, 64);
	case 1:
		return read_only + below(r, PAGE_SIZE);
	case 2:
		return ARENA + below(r, ARENA_SIZE);
	default:
		return (uint64_t)scratch + (below(r, SCRATCH) & ~7ull);
	}
}

/* A process that does nothing but end, or is refused: nothing that could run on. */
static uint64_t exec_arguments(struct random *r)
{
	struct exec_args *a = (void *)scratch;
	struct exec_segment *s = (void *)(scratch + 512);
	memset(a, 0, sizeof(*a));
	s[0] = (struct exec_segment){ .frame = code, .prot = PROT_READ | PROT_EXEC, .va = ARENA, .size = PAGE_SIZE };
	s[1] = (struct exec_segment){ .prot = PROT_READ | PROT_WRITE, .va = 2 * ARENA / 3 & ~0xfffull, .size = PAGE_SIZE };
	struct exec_handle *h = (void *)(scratch + 1024);
	for (unsigned i = 0; i < 4; i++)
		h[i] = (struct exec_handle){ .handle = pool[below(r, POOL)], .rights = (uint32_t)draw(r) };
	*a = (struct exec_args){ .name = "random", .segments = (uint64_t)s, .n_segments = 2, .handles = (uint64_t)h, .n_handles = (uint32_t)below(r, 5),
		.entry = ARENA, .stack = s[1].va + PAGE_SIZE, .priority = (uint32_t)below(r, CHILD_PRIORITY + 1) };
	if (below(r, 2))
		scratch[below(r, sizeof(*a))] = (uint8_t)draw(r);
	return (uint64_t)a;
}

static uint64_t text(struct random *r)
{
	static const char *const texts[] = { "initfs://etc", "rand://a", "initfs", "rand", "x://", "/", "initfs://../..", "://" };
	const char *t = texts[below(r, ARRAY_LEN(texts))];
	strcpy((char *)scratch + 2048, t);
	return (uint64_t)scratch + 2048;
}

static void thread_body(uint64_t arg)
{
	struct random r = { .state = arg | 1 };
	for (unsigned i = below(&r, 50); i; i--)
		syscall_nop();
	thread_exit();
}

static uint64_t argument(struct random *r, char kind)
{
	uint64_t dice = below(r, 16);
	if (dice == 0)
		return draw(r);
	if (dice == 1)
		return awkward[below(r, ARRAY_LEN(awkward))] + (below(r, 4) ? 0 : below(r, 3) - 1);
	if (dice == 2)
		kind = "hplasfdn"[below(r, 8)];
	switch (kind) {
	case 'h': return pool[below(r, POOL)];
	case 'z': return below(r, 8) ? 0 : pool[below(r, POOL)];
	case 'c': return commands[below(r, 4)];
	case 'p': return pointer(r);
	case 'l': return below(r, 2) ? below(r, 200) : below(r, 2) ? below(r, SCRATCH) : 1ull << below(r, 64);
	case 'a': return ARENA + below(r, ARENA_SIZE / PAGE_SIZE) * PAGE_SIZE;
	case 's': return (below(r, 4) ? below(r, 20) : 1ull << below(r, 36)) * PAGE_SIZE;
	case 'f': return below(r, 2) ? below(r, 8) : below(r, 0x1000);
	case 'd': return below(r, 2) ? 0 : clock_value() + below(r, 100000);
	case 'n': return below(r, 4) ? below(r, 70) : awkward[below(r, ARRAY_LEN(awkward))];
	case 'e': return exec_arguments(r);
	case 'u': return text(r);
	case 't': return (uint64_t)thread_body;
	case 'k': return (uint64_t)stacks[1] + STACK / 2 - 8;
	default: return below(r, 2) ? draw(r) : pointer(r);
	}
}

static bool skip(struct random *r, uint32_t number)
{
	switch (number) {
	case SYS_process_exit:
	case SYS_thread_exit:
	case SYS_return_accept:         /* waits for ever */
		return below(r, 200);
	case SYS_process_kill:
	case SYS_log_write:             /* the log has other readers */
		return below(r, 20);
	default:
		return false;
	}
}

static void keep(struct random *r, uint64_t value)
{
	if (value && value < 1u << 31)
		pool[below(r, POOL)] = (handle_t)value;
}

static void ipc_arguments(struct random *r, struct ipc_regs *q, uint32_t number)
{
	q->rdi = number == SYS_return || number == SYS_return_accept ? commands[below(r, 4)] : pool[below(r, POOL)];
	q->rbx = q->rbp = 0;
	if (number == SYS_accept || number == SYS_call) {
		q->rbp = below(r, 3) ? 0 : clock_value() + below(r, 200000);
		q->r13 = below(r, 8) ? pointer(r) : text(r);
		q->r14 = pointer(r);
		q->r15 = IPC_META(below(r, 16), below(r, 3) ? below(r, 100) : below(r, 1 << 21), below(r, 3) ? below(r, 100) : below(r, 1 << 21), below(r, 4) ? 0 : below(r, 4));
		if (below(r, 2))
			q->rdi |= (uint64_t)pool[below(r, POOL)] << 32;
		if (number == SYS_call && below(r, 4) == 0)
			q->rbx = pool[below(r, POOL)] | (uint64_t)pool[below(r, POOL)] << 32;
	} else if (number == SYS_return || number == SYS_return_accept) {
		q->r13 = below(r, 2) ? 0 : draw(r);
		q->r15 = below(r, 4) ? 0 : draw(r);
		if (below(r, 4) == 0)
			q->rbx = pool[below(r, POOL)];
		if (number == SYS_return_accept)
			q->rax |= (uint64_t)pool[below(r, POOL)] << 32;
	}
	if (below(r, 16) == 0)
		((uint64_t *)q)[1 + below(r, 12)] = draw(r);
	/* A wait for ever is somebody else's test. */
	if (number == SYS_accept || number == SYS_call)
		q->rbp = MIN(q->rbp, clock_value() + 1000000);
}

static void one_call(struct random *r)
{
	struct ipc_regs q;
	uint32_t number = SYSCALL_BASE + (uint32_t)below(r, SYSCALL_COUNT);
	while (skip(r, number))
		number = SYSCALL_BASE + (uint32_t)below(r, SYSCALL_COUNT);
	if (below(r, 500) == 0)
		number = (uint32_t)draw(r);
	uint64_t *a[] = { &q.rdi, &q.w[0], &q.w[1], &q.w[2], &q.w[3], &q.w[4] };
	for (unsigned i = 0; i < sizeof(q) / 8; i++)
		((uint64_t *)&q)[i] = draw(r);
	q.rax = number;
	if (number >= SYS_call && number <= SYS_return_accept) {
		ipc_arguments(r, &q, number);
	} else if (number - SYSCALL_BASE < SYSCALL_COUNT) {
		const char *s = signatures[number - SYSCALL_BASE];
		for (unsigned i = 0; s && s[i]; i++)
			*a[i] = argument(r, s[i]);
		if (number == SYS_thread_sleep)
			*a[0] = MIN(*a[0], clock_value() + 200000);
	}
	if (traced)
		log_print("%#x %llx %llx %llx %llx %llx %llx, rbx %llx rbp %llx r13 %llx r14 %llx r15 %llx", (unsigned)q.rax, (unsigned long long)q.rdi, (unsigned long long)q.w[0],
			(unsigned long long)q.w[1], (unsigned long long)q.w[2], (unsigned long long)q.w[3], (unsigned long long)q.w[4], (unsigned long long)q.rbx,
			(unsigned long long)q.rbp, (unsigned long long)q.r13, (unsigned long long)q.r14, (unsigned long long)q.r15);
	ipc_raw(&q);
	++*done;
	if (traced)
		log_print("  = %lld, rdi %llx rsi %llx rdx %llx", (long long)q.rax, (unsigned long long)q.rdi, (unsigned long long)q.w[0], (unsigned long long)q.w[1]);
	if ((int64_t)q.rax < 0)
		return;
	if (number == SYS_accept || number == SYS_return_accept) {
		commands[below(r, 4)] = q.rdi;
		keep(r, (uint32_t)q.rbx);
	} else if (number == SYS_call) {
		keep(r, (uint32_t)q.rdi);
	} else if (signatures[number - SYSCALL_BASE] && number != SYS_handle_list) {
		keep(r, (uint32_t)q.w[0]);
	}
}

/* ---- the child ---- */

static void serve(uint64_t seed)
{
	struct random r = { .state = seed };
	struct event e;
	while (ipc_accept(port, FOREVER, &e) == OK) {
		for (unsigned i = 0; i < IPC_HANDLES; i++)
			if (e.kind == ACCEPT_COMMAND && e.handles[i])
				handle_close(e.handles[i]);
		commands[below(&r, 4)] = e.cmd;
		if (below(&r, 50))
			(void)ipc_return(e.cmd, &(struct reply){ .status = (status_t)below(&r, 3) - 1, .mint = below(&r, 2), .mint_badge = draw(&r) });
	}
	thread_exit();
}

static void race(uint64_t seed)
{
	struct random r = { .state = seed };
	for (;;) {
		scratch[below(&r, SCRATCH)] = (uint8_t)draw(&r);
		one_call(&r);
	}
}

static int child(uint64_t seed)
{
	struct random r = { .state = seed | 1 };
	static const uint8_t end[] = { 0xb8, SYS_process_exit & 0xff, SYS_process_exit >> 8 & 0xff, SYS_process_exit >> 16 & 0xff, SYS_process_exit >> 24, 0x0f, 0x05, 0x0f, 0x0b };
	uint64_t at, n;
	handle_t h;
	MUST(vmem_map(0, start_handle("count"), 0, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, &at));
	MUST(handle_close(start_handle("count")));
	done = (volatile uint64_t *)at;
	traced = *done != 0;
	MUST(vmem_map(0, 0, 0, 0, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, &edge));
	MUST(vmem_unmap(0, edge + PAGE_SIZE, PAGE_SIZE));
	MUST(vmem_map(0, 0, 0, 0, PAGE_SIZE, PROT_READ, &read_only));
	MUST(frame_create(PAGE_SIZE, 0, &code));
	for (uint64_t i = 0; i + sizeof(end) <= PAGE_SIZE; i += sizeof(end))
		MUST(frame_write(code, i, end, sizeof(end), &n));
	MUST(port_create(0, &port));
	pool[0] = port;
	pool[1] = code;
	static const char *const given[] = { "info", "ioports", "irq", "ns", "budget", "initfs" };
	for (unsigned i = 0; i < ARRAY_LEN(given); i++)
		pool[2 + i] = start_handle(given[i]);
	MUST(session_create(port, 5, RIGHT_READ | RIGHT_WRITE, &h));
	pool[10] = h;
	MUST(notify_create(&h));
	pool[11] = h;
	MUST(notify_port(h, port, 9));
	MUST(frame_create(8 * PAGE_SIZE, 0, &h));
	pool[12] = h;
	MUST(thread_create((uint64_t)serve, (uint64_t)stacks[0] + STACK - 8, draw(&r) | 1, CHILD_PRIORITY, &h));
	pool[13] = h;
	if (below(&r, 2) && !traced) {
		MUST(thread_create((uint64_t)race, (uint64_t)stacks[1] + STACK - 8, draw(&r) | 1, CHILD_PRIORITY, &h));
		pool[14] = h;
	}
	while (*done < SHARE)
		one_call(&r);
	return 0;
}

/* ---- the parent ---- */

struct tally { uint64_t calls; unsigned children, ended, faulted, killed; };

static handle_t image, count_frame, given[3], root;
static uint64_t image_size;

static void hex(char out[17], uint64_t v)
{
	for (unsigned i = 0; i < 16; i++)
		out[i] = "0123456789abcdef"[v >> (60 - 4 * i) & 15];
	out[16] = 0;
}

/* How far the child's counter is; what a child made of the page is not believed beyond its share. */
static uint64_t progress(void)
{
	uint64_t n = 0, got = 0;
	if (frame_read(count_frame, 0, &n, sizeof(n), &got) < 0 || got != sizeof(n))
		return 0;
	return MIN(n, (uint64_t)SHARE);
}

/* skipped: how much of its share counts as done before it begins; then it is traced too. */
static void one_child(uint64_t seed, uint64_t skipped, struct tally *t)
{
	static const struct budget_limits limits = { .pages = 2000, .kernel_bytes = 2 * MiB, .handles = 600, .threads = 12, .commands = 64, .processes = 4 };
	struct process_info info;
	handle_t process, budget, ns;   /* all of it the child's own, so that all of it goes with the child */
	uint64_t pid, last = 0, still = 0, n;
	char arg[17];
	hex(arg, seed);
	const char *argv[] = { "randcall", "-c", arg };
	MUST(budget_create(0, &limits, &budget));
	MUST(ns_create(&ns));
	MUST(ns_bind(ns, "initfs", 6, root));
	MUST(frame_create(PAGE_SIZE, 0, &count_frame));
	MUST(frame_write(count_frame, 0, &skipped, sizeof(skipped), &n));
	struct spawn_handle give[] = {
		{ "count", count_frame, RIGHT_READ | RIGHT_WRITE | RIGHT_MAP, 0 }, { "info", given[0], RIGHT_ALL & ~RIGHT_MANAGE, 0 }, { "ioports", given[1], 0, 0 },
		{ "irq", given[2], 0, 0 }, { "ns", ns, 0, 0 }, { "budget", budget, 0, 0 }, { "initfs", root, 0, 0 },
	};
	struct spawn s = { .image = image, .image_size = image_size, .argc = 3, .argv = argv, .handles = give, .n_handles = ARRAY_LEN(give),
		.budget = budget, .ns = ns, .priority = CHILD_PRIORITY, .level = 100 };
	MUST(spawn(&s, &process, &pid, NULL));
	handle_close(budget);
	handle_close(ns);
	status_t st;
	bool shot = false;
	while ((st = process_wait(process, clock_value() + POLL_MS * NS_PER_MS, &info)) == ERR_TIMED_OUT) {
		uint64_t now = progress();
		still = now == last ? still + POLL_MS : 0;
		last = now;
		if (still >= STALL_MS && !shot) {
			MUST(process_kill(process, KILL_PLAIN));
			shot = true;
		}
		if (still >= 100 * STALL_MS)
			rt_panic("seed %s: a killed child does not end", arg);
	}
	MUST(st);
	handle_close(process);
	t->children++;
	t->calls += MAX(progress(), 1ul);
	handle_close(count_frame);              /* whatever size the child gave it */
	t->ended += info.exit_kind == EXIT_NORMAL;
	t->faulted += info.exit_kind == EXIT_FAULT;
	t->killed += info.exit_kind == EXIT_KILLED;
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

int main(int argc, char **argv)
{
	struct kstat before;
	struct tally t = { 0 };
	char text_[ACCOUNT_TEXT];
	handle_t file;

	if (argc == 3 && !strcmp(argv[1], "-c"))
		return child(strtoul(argv[2], NULL, 16));
	bool each = argc > 1 && !strcmp(argv[1], "-e"), single = argc > 1 && !strcmp(argv[1], "-1");
	if (each || single)
		argc--, argv++;
	uint64_t seed = argc > 1 ? strtoul(argv[1], NULL, single ? 16 : 0) : 1, count = argc > 2 ? strtoul(argv[2], NULL, 0) : 1000000;
	uint64_t skipped = single && argc > 3 ? SHARE - MIN(strtoul(argv[3], NULL, 0), (unsigned long)SHARE) : 0;
	MUST(file_open("initfs:///bin/randcall", OPEN_READ, &file));
	MUST(file_map(file, &image, &image_size));
	file_close(file);
	MUST(file_open("initfs:///", OPEN_READ | OPEN_DIRECTORY, &root));
	given[0] = granted("grant://info");
	given[1] = granted("grant://ioports");
	given[2] = granted("grant://irq");
	print("randcall: seed %llu, %llu calls\n", (unsigned long long)seed, (unsigned long long)count);
	print_flush();
	/* One child before the account is taken: services have then seen the like. */
	struct random r = { .state = seed * 0x9e3779b97f4a7c15ull | 1 };
	one_child(draw(&r), 0, &(struct tally){ 0 });
	/* Room in its handle table for what a command can carry is a thing that initfsd keeps, once it has needed it. */
	(void)!ipc_call(root, &(struct msg){ .op = 0xffff, .handles = { root, root, root, root } });
	account_rest(given[0], &before);
	bool equal = true;
	while (equal && (single ? t.children : t.calls) < count) {
		uint64_t next = single ? seed : draw(&r);
		one_child(next, skipped, &t);
		if ((each || single) && !(equal = account_settled(given[0], &before, text_)))
			print("randcall: child %u, seed %llx\n", t.children, (unsigned long long)next);
	}
	if (equal)
		equal = account_settled(given[0], &before, text_);
	print("randcall: %llu calls by %u children: %u ended, %u by a fault, %u killed while they waited\n",
		(unsigned long long)t.calls, t.children, t.ended, t.faulted, t.killed);
	print("randcall: %s%s\n", equal ? "account equal" : "left behind:", equal ? "" : text_);
	return equal ? 0 : 1;
}

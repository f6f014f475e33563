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
 * Arguments come from three sources, mixed per argument: what the call expects (as abi/syscalls.txt tells, gen/shapes.h),
 * values known to be awkward, and noise. What calls return goes back into the pool, sorted by type; now and then 2 to 20 calls
 * in a row are about one new object. A second thread of the child calls and scribbles at the same time, a third answers what
 * arrives at the child's Port.
 */
#include <gen/shapes.h>
#include <rt/io.h>
#include <stdlib.h>
#include <string.h>
#include "../account.h"
#include "../random.h"

#define ARENA       0x300000000000ull
#define ARENA_SIZE  (64 * MiB)

enum { SHARE = 20000, STALL_MS = 100, POLL_MS = 20, POOL = 64, SCRATCH = 16 * KiB, STACK = 16 * KiB, CHILD_PRIORITY = 8, SMALL_STACKS = 12, DEVICES = 8 };

void ipc_raw(struct ipc_regs *r);

/* Types of handles, as the table's names of arguments and results tell. 0: any. */
static const struct { const char *name; uint8_t type; } handle_names[] = {
	{ "process", 1 }, { "thread", 2 }, { "vmem", 3 }, { "clone", 3 }, { "frame", 4 }, { "port", 5 }, { "session", 6 }, { "ns", 7 }, { "notify", 8 }, { "irq", 9 }, { "object", 9 },
	{ "ports", 10 }, { "resource", 11 }, { "slice", 11 }, { "budget", 12 }, { "parent", 12 }, { "table", 13 }, { "shelf", 14 }, { "socket", 15 }, { "dma", 16 },
	{ "connection", 15 }, { "a", 15 }, { "b", 15 },
};
enum { TYPES = 17 };

/*
 * What the other arguments are, by their names: l length, a address in the arena, s size in pages, f small flags, d deadline, t entry of
 * a thread, k its stack, U struct upcall. u text of a URI or a name, L its length, p pointer, H pointer to handles, e struct exec_args, c command, n number.
 */
static const struct { const char *name; char kind; } value_names[] = {
	{ "len", 'l' }, { "deadline", 'd' }, { "va", 'a' }, { "value", 'a' }, { "sum", 'p' }, { "size", 's' }, { "entry", 't' }, { "stack", 'k' }, { "prot", 'f' }, { "flags", 'f' },
	{ "rights", 'f' }, { "how", 'f' }, { "kind", 'f' }, { "which", 'f' }, { "what", 'f' }, { "event", 'f' }, { "width", 'f' }, { "priority", 'f' }, { "reason", 'f' }, { "ready", 'f' },
	{ "room", 'f' }, { "n", 'f' }, { "skip", 'f' },
};

struct argument { char kind; uint8_t type; };
static struct signature { struct argument arg[6]; uint8_t n, results[3], n_results, made; } signatures[SYSCALL_COUNT];   /* made: type + 1 of a new object */

static uint8_t scratch[SCRATCH] aligned(4096);      /* what pointers point at */
static uint8_t stacks[5][STACK] aligned(16), small_stacks[SMALL_STACKS][1024] aligned(16);
static volatile handle_t pool[POOL], typed[TYPES][4];
static volatile uint64_t commands[4];               /* ids of accepted commands */
static volatile uint64_t *done;                     /* calls so far: the parent's page */
static uint64_t edge, read_only;
static uint64_t unsteady;                           /* two pages that another thread maps, unmaps and writes all the time, or 0 */
static handle_t unsteady_frame;
static bool traced;
static handle_t port, code, record_frame;
static uint64_t record;                             /* of upcalls */

static uint64_t clock_value(void)
{
	uint64_t ns = 0;
	clock_now(&ns);
	return ns;
}

/* ---- what the table says ---- */

static bool word_is(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && !memcmp(s, word, n);
}

static struct argument argument_of(const char *name, size_t n, const char *type, size_t type_n, const char *before, const struct argument *last)
{
	bool array = memchr(type, '[', type_n) != NULL;

	if (word_is(type, type_n, "handle")) {
		for (size_t i = 0; i < ARRAY_LEN(handle_names); i++)
			if (word_is(name, n, handle_names[i].name))
				return (struct argument){ 'h', handle_names[i].type };
		return (struct argument){ 'h', 0 };
	}
	if (word_is(type, type_n, "cmd"))
		return (struct argument){ 'c', 0 };
	if (array && (word_is(name, n, "scheme") || word_is(name, n, "name")))
		return (struct argument){ 'u', 0 };
	if (array && word_is(name, n, "handles"))
		return (struct argument){ 'H', 0 };
	if (word_is(type, type_n, "upcall"))
		return (struct argument){ 'U', 0 };
	if (word_is(type, type_n, "exec_args"))
		return (struct argument){ 'e', 0 };
	if (array || !(word_is(type, type_n, "u32") || word_is(type, type_n, "u64") || word_is(type, type_n, "i64")))
		return (struct argument){ 'p', 0 };
	if (before && last->kind == 'u' && word_is(name, n, "len"))
		return (struct argument){ 'L', 0 };
	for (size_t i = 0; i < ARRAY_LEN(value_names); i++)
		if (word_is(name, n, value_names[i].name))
			return (struct argument){ value_names[i].kind, 0 };
	return (struct argument){ 'n', 0 };
}

/* "h:handle buf:u8[len] len:u64" */
static uint8_t read_list(const char *text, struct argument *out, size_t max)
{
	uint8_t n = 0;
	const char *before = NULL;

	while (*text && n < max) {
		size_t name = strcspn(text, ":"), type = strcspn(text + name + 1, " ");
		out[n] = argument_of(text, name, text + name + 1, type, before, n ? &out[n - 1] : NULL);
		before = text;
		text += name + 1 + type;
		text += *text == ' ';
		n++;
	}
	return n;
}

static void read_signatures(void)
{
	for (size_t i = 0; i < SYSCALL_COUNT; i++) {
		struct signature *s = &signatures[i];
		struct argument results[3];
		s->n = read_list(call_shapes[i].args, s->arg, 6);
		s->n_results = read_list(call_shapes[i].results, results, 3);
		for (unsigned k = 0; k < s->n_results; k++) {
			s->results[k] = results[k].kind == 'h' ? results[k].type + 1 : 0;
			if (!s->made)
				s->made = s->results[k];
		}
	}
}

/* ---- values ---- */

static uint64_t pointer(struct random *r)
{
	switch (below(r, 8)) {
	case 0:
		return edge + PAGE_SIZE - below(r, 64);
	case 1:
		return read_only + below(r, PAGE_SIZE);
	case 2:
		return ARENA + below(r, ARENA_SIZE);
	case 3:
	case 4:
		return unsteady ? unsteady + below(r, 2 * PAGE_SIZE) : (uint64_t)scratch;
	default:
		return (uint64_t)scratch + (below(r, SCRATCH) & ~7ull);
	}
}

static void end_at_once(void)
{
	process_exit(0);
}

/* The way back from a foreign call, abi/upcall.h. */
asm(".pushsection .text.foreign_entry, \"ax\"\nforeign_entry:\n\tmov %rsp, %r11\n\tmov (%r11), %rcx\n\tmov 16(%r11), %rsp\n"
	"\tmovl $0, 24(%r11)\n\tmovl $0, 28(%r11)\n\tjmp *%rcx\n\t.popsection");
void foreign_entry(void);

/* An exception is the end; what was interrupted goes on. RDI = the record; RSI = the number of its frame. */
__attribute__((naked)) static void foreign_event(void)
{
	asm volatile("imul %4, %%rsi\n\tcmpq %0, %c1(%%rdi, %%rsi)\n\tje 1f\n\tmov %2, %%eax\n\tsyscall\n1:\txor %%edi, %%edi\n\tmov %3, %%eax\n\tsyscall\n\tud2"
		:: "i"(UPCALL_EXCEPTION), "i"(offsetof(struct upcall_record, frame[0].reason)), "i"(SYS_upcall_return), "i"(SYS_process_exit), "i"(sizeof(struct upcall_frame)));
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
	bool copy = below(r, 4) == 0;
	if (copy) {                             /* in a copy of somebody's memory: this program's, as a rule */
		a->vmem = typed[3][below(r, 4)];
		a->n_segments = 0;
		a->stack = (uint64_t)small_stacks[0] + sizeof(small_stacks[0]) - 16;
		a->flags = (uint32_t)below(r, 2);
	}
	if (below(r, 2))
		scratch[below(r, sizeof(*a))] = (uint8_t)draw(r);
	if (copy)                               /* whatever else is wrong: any other place in this program may be in a loop */
		a->entry = (uint64_t)end_at_once;
	return (uint64_t)a;
}

static uint64_t upcall_arguments(struct random *r)
{
	struct upcall *u = (void *)(scratch + 1536);
	*u = (struct upcall){ .frame = record_frame, .offset = below(r, 4) ? 0 : below(r, 80) * 64, .record = record, .entry = (uint64_t)foreign_entry,
		.event = (uint64_t)foreign_event };
	if (below(r, 4) == 0)
		((uint8_t *)u)[below(r, sizeof(*u))] = (uint8_t)draw(r);
	return (uint64_t)u;
}

static size_t text_len;

static uint64_t text(struct random *r)
{
	static const char *const texts[] = { "initfs://etc", "rand://a", "initfs", "rand", "x://", "/", "initfs://../..", "://", "sock", "other" };
	const char *t = texts[below(r, ARRAY_LEN(texts))];
	strcpy((char *)scratch + 2048, t);
	text_len = strlen(t);
	return (uint64_t)scratch + 2048;
}

static uint64_t handles(struct random *r)
{
	handle_t h[4];
	for (unsigned i = 0; i < 4; i++)
		h[i] = pool[below(r, POOL)];
	memcpy(scratch + 3072, h, sizeof(h));
	return (uint64_t)scratch + 3072;
}

static void thread_body(uint64_t arg)
{
	struct random r = { .state = arg | 1 };
	for (unsigned i = below(&r, 50); i; i--)
		syscall_nop();
	thread_exit();
}

static handle_t any_handle(struct random *r, unsigned type)
{
	return type && below(r, 3) ? typed[type][below(r, 4)] : type && below(r, 2) ? 0 : pool[below(r, POOL)];
}

static uint64_t argument(struct random *r, char kind, unsigned type)
{
	uint64_t dice = below(r, 16);
	if (dice == 0)
		return draw(r);
	if (dice == 1)
		return draw_awkward(r) + (below(r, 4) ? 0 : below(r, 3) - 1);
	if (dice == 2)
		kind = "hplasfdn"[below(r, 8)];
	switch (kind) {
	case 'h': return any_handle(r, type);
	case 'c': return commands[below(r, 4)];
	case 'p': return pointer(r);
	case 'L': return below(r, 4) ? text_len : below(r, 30);
	case 'l': return below(r, 2) ? below(r, 200) : below(r, 2) ? below(r, SCRATCH) : 1ull << below(r, 64);
	case 'a': return ARENA + below(r, ARENA_SIZE / PAGE_SIZE) * PAGE_SIZE;
	case 's': return (below(r, 4) ? below(r, 20) : 1ull << below(r, 36)) * PAGE_SIZE;
	case 'f': return below(r, 2) ? below(r, 8) : below(r, 0x1000);
	case 'd': return below(r, 2) ? 0 : clock_value() + below(r, 100000);
	case 'n': return below(r, 4) ? below(r, 70) : draw_awkward(r);
	case 'e': return exec_arguments(r);
	case 'U': return upcall_arguments(r);
	case 'u': return text(r);
	case 'H': return handles(r);
	case 't': return (uint64_t)thread_body;
	case 'k': return (uint64_t)small_stacks[below(r, SMALL_STACKS)] + sizeof(small_stacks[0]) - 8;
	default: return below(r, 2) ? draw(r) : pointer(r);
	}
}

static bool skip(struct random *r, uint32_t number)
{
	switch (number) {
	case SYS_thread_exit_clear:
	case SYS_thread_exit:           /* nobody goes on calling: the parent finds out by and by */
		return below(r, 1000);
	case SYS_process_exit:
	case SYS_return_accept:         /* these two wait for ever */
	case SYS_call_words:
	case SYS_budget_end:            /* an end, too */
		return below(r, 200);
	case SYS_thread_set_regs:
	case SYS_thread_suspend:        /* it may be the only one that would have gone on */
	case SYS_process_kill:
	case SYS_port_attach:           /* whoever serves there now is killed */
	case SYS_log_write:             /* the log has other readers */
		return below(r, 20);
	default:
		return false;
	}
}

static void keep(struct random *r, uint64_t value, unsigned type)
{
	if (!value || value >= 1u << 31)
		return;
	pool[below(r, POOL)] = (handle_t)value;
	if (type)
		typed[type][below(r, 4)] = (handle_t)value;
}

/* The raw calls, whose registers are in abi/ipc.h. False: there is one that nobody has written down here. */
static bool ipc_arguments(struct random *r, struct ipc_regs *q, uint32_t number)
{
	q->rbx = q->rbp = 0;
	q->rdi = any_handle(r, number == SYS_accept ? 5 : 6);
	switch (number) {
	case SYS_call:
	case SYS_submit:
	case SYS_accept:
		q->rbp = below(r, 3) ? 0 : clock_value() + below(r, 200000);
		q->r13 = below(r, 8) ? pointer(r) : text(r);
		q->r14 = pointer(r);
		q->r15 = IPC_META(below(r, 16), below(r, 3) ? below(r, 100) : below(r, 1 << 21), below(r, 3) ? below(r, 100) : below(r, 1 << 21), below(r, 4) ? 0 : below(r, 4));
		if (below(r, 2))
			q->rdi |= (uint64_t)pool[below(r, POOL)] << 32;
		if (number != SYS_accept && below(r, 4) == 0)
			q->rbx = pool[below(r, POOL)] | (uint64_t)pool[below(r, POOL)] << 32;
		if (number == SYS_submit) {
			q->rax |= (uint64_t)any_handle(r, 5) << 32;
			q->rbp = below(r, 8);
		}
		break;
	case SYS_call_words:
		q->r15 = below(r, 20);
		break;
	case SYS_return:
	case SYS_return_accept:
		q->rdi = commands[below(r, 4)];
		q->r13 = below(r, 2) ? 0 : draw(r);
		q->r15 = below(r, 4) ? 0 : draw(r);
		if (below(r, 4) == 0)
			q->rbx = pool[below(r, POOL)];
		if (number == SYS_return_accept)
			q->rax |= (uint64_t)any_handle(r, 5) << 32;
		break;
	case SYS_upcall_return:
		return true;
	default:
		return false;
	}
	if (below(r, 16) == 0)
		((uint64_t *)q)[1 + below(r, 12)] = draw(r);
	/* A wait for ever is somebody else's test. */
	if (number == SYS_accept || number == SYS_call)
		q->rbp = MIN(q->rbp, clock_value() + 1000000);
	return true;
}

static void arguments(struct random *r, struct ipc_regs *q, uint32_t number, unsigned type, handle_t h)
{
	const struct signature *s = &signatures[number - SYSCALL_BASE];
	uint64_t *const a[] = { &q->rdi, &q->w[0], &q->w[1], &q->w[2], &q->w[3], &q->w[4] };

	for (unsigned i = 0; i < s->n; i++) {
		bool take = h && s->arg[i].kind == 'h' && (s->arg[i].type == type || !s->arg[i].type);
		*a[i] = take ? h : argument(r, s->arg[i].kind, s->arg[i].type);
		if (take)
			h = 0;
		/* Timers may be far away, waits not. */
		if (s->arg[i].kind == 'd' && number != SYS_notify_timer)
			*a[i] = MIN(*a[i], clock_value() + 200000);
	}
}

static void trace_call(const struct ipc_regs *q)
{
	log_print("%#x %llx %llx %llx %llx %llx %llx, rbx %llx rbp %llx r13 %llx r14 %llx r15 %llx", (unsigned)q->rax, (unsigned long long)q->rdi, (unsigned long long)q->w[0],
		(unsigned long long)q->w[1], (unsigned long long)q->w[2], (unsigned long long)q->w[3], (unsigned long long)q->w[4], (unsigned long long)q->rbx,
		(unsigned long long)q->rbp, (unsigned long long)q->r13, (unsigned long long)q->r14, (unsigned long long)q->r15);
}

/* What a call gave: handles into the pool, ids of commands. Returns the first handle. */
static handle_t results(struct random *r, const struct ipc_regs *q, uint32_t number)
{
	const struct signature *s = &signatures[number - SYSCALL_BASE];
	const uint64_t value[] = { q->w[0], q->w[1], q->w[2] };

	if (number == SYS_accept || number == SYS_return_accept) {
		commands[below(r, 4)] = q->rdi;
		keep(r, (uint32_t)q->rbx, 0);
	} else if (number == SYS_call) {
		keep(r, (uint32_t)q->rdi, 6);
	}
	for (unsigned i = 0; i < s->n_results; i++)
		if (s->results[i])
			keep(r, (uint32_t)value[i], s->results[i] - 1u);
	return s->made && s->results[0] ? (handle_t)value[0] : 0;
}

/* One call, about `h` of that type if it takes one. Returns what it made, or 0. */
static handle_t call(struct random *r, uint32_t number, unsigned type, handle_t h)
{
	struct ipc_regs q;
	bool known = number - SYSCALL_BASE < SYSCALL_COUNT;

	for (unsigned i = 0; i < sizeof(q) / 8; i++)
		((uint64_t *)&q)[i] = draw(r);
	q.rax = number;
	if (known && call_shapes[number - SYSCALL_BASE].raw)
		(void)ipc_arguments(r, &q, number);
	else if (known)
		arguments(r, &q, number, type, h);
	if (traced)
		trace_call(&q);
	ipc_raw(&q);
	++*done;
	if (traced)
		log_print("  = %lld, rdi %llx rsi %llx rdx %llx", (long long)q.rax, (unsigned long long)q.rdi, (unsigned long long)q.w[0], (unsigned long long)q.w[1]);
	return (int64_t)q.rax < 0 || !known ? 0 : results(r, &q, number);
}

static uint32_t any_number(struct random *r)
{
	uint32_t number;

	do
		number = SYSCALL_BASE + (uint32_t)below(r, SYSCALL_COUNT);
	while (skip(r, number));
	return number;
}

static bool takes(uint32_t number, unsigned type)
{
	const struct signature *s = &signatures[number - SYSCALL_BASE];

	for (unsigned i = 0; i < s->n; i++)
		if (s->arg[i].kind == 'h' && (s->arg[i].type == type || !s->arg[i].type))
			return true;
	return false;
}

/* Something is made, or an old one found, and then it is what the next calls are about. */
static void sequence(struct random *r)
{
	uint32_t number = any_number(r);

	for (unsigned tries = 0; tries < 30 && !signatures[number - SYSCALL_BASE].made; tries++)
		number = any_number(r);
	unsigned type = signatures[number - SYSCALL_BASE].made;
	if (!type--)
		return;
	handle_t h = call(r, number, 0, 0);
	for (uint64_t n = 1 + below(r, 19); n && h; n--) {
		number = any_number(r);
		for (unsigned tries = 0; tries < 10 && !takes(number, type); tries++)
			number = any_number(r);
		(void)call(r, number, type, h);
	}
}

static void one_call(struct random *r)
{
	if (below(r, 40) == 0)
		sequence(r);
	else
		(void)call(r, below(r, 500) ? any_number(r) : (uint32_t)draw(r), 0, 0);
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

/* What system calls read and write changes under them, and goes away. */
static void meddle(uint64_t seed)
{
	struct random r = { .state = seed };
	uint64_t va, n, word;
	for (;;) {
		word = draw(&r);
		switch (below(&r, 8)) {
		case 0:
			(void)!vmem_unmap(0, unsteady + below(&r, 2) * PAGE_SIZE, PAGE_SIZE);
			break;
		case 1:
			(void)!vmem_protect(0, unsteady, 2 * PAGE_SIZE, PROT_READ);
			break;
		case 2:
			(void)!frame_decommit(unsteady_frame, 0, 2 * PAGE_SIZE);
			break;
		case 3:
		case 4:
			(void)!vmem_map(0, unsteady_frame, 0, unsteady, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE | MAP_FIXED | MAP_REPLACE, &va);
			break;
		default:
			(void)!frame_write(unsteady_frame, below(&r, 2 * PAGE_SIZE), &word, sizeof(word), &n);
		}
	}
}

static void start_thread(struct random *r, void (*body)(uint64_t), unsigned i)
{
	handle_t h;
	MUST(thread_create((uint64_t)body, (uint64_t)stacks[i] + STACK - 8, draw(r) | 1, CHILD_PRIORITY, &h));
	pool[13 + i] = h;
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
	read_signatures();
	MUST(port_create(0, &port));
	MUST(port_reserve(port, 8));
	typed[5][0] = port;
	pool[0] = port;
	pool[1] = code;
	static const struct { const char *name; uint8_t type; } given[] = {
		{ "info", 11 }, { "ioports", 11 }, { "irq", 11 }, { "dma", 11 }, { "ns", 7 }, { "budget", 12 }, { "initfs", 6 },
	};
	for (unsigned i = 0; i < ARRAY_LEN(given); i++) {
		pool[2 + i] = start_handle(given[i].name);
		typed[given[i].type][i & 3] = pool[2 + i];
	}
	MUST(session_create(port, 5, RIGHT_READ | RIGHT_WRITE, &h));
	pool[10] = h;
	MUST(notify_create(&h));
	pool[11] = h;
	MUST(notify_port(h, port, 9));
	MUST(frame_create(8 * PAGE_SIZE, 0, &h));
	pool[12] = h;
	MUST(frame_create(PAGE_SIZE, FRAME_CONTIGUOUS, &record_frame));
	MUST(vmem_map(0, record_frame, 0, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, &record));
	/* Alone, with another one that calls, or four that call and one that meddles; somebody serves in any case. */
	unsigned company = below(&r, 4);
	start_thread(&r, serve, 0);
	if (company == 3 && !traced) {
		MUST(frame_create(2 * PAGE_SIZE, 0, &unsteady_frame));
		MUST(vmem_map(0, unsteady_frame, 0, 0, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, &unsteady));
		start_thread(&r, meddle, 4);
		start_thread(&r, race, 3);
		start_thread(&r, race, 2);
	}
	if (company > 1 && !traced)
		start_thread(&r, race, 1);
	while (*done < SHARE)
		one_call(&r);
	return 0;
}

/* ---- the parent ---- */

struct tally { uint64_t calls; unsigned children, ended, faulted, killed; };

static handle_t image, count_frame, given[4], root;
static uint64_t image_size;

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
		{ "irq", given[2], 0, 0 }, { "dma", given[3], 0, 0 }, { "ns", ns, 0, 0 }, { "budget", budget, 0, 0 }, { "initfs", root, 0, 0 },
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
	for (uint32_t i = 0; i < DEVICES; i++) {        /* what a child has pinned outlives it */
		handle_t dma;
		MUST(dma_create(given[3], i, &dma));
		MUST(dma_silent(dma));
		handle_close(dma);
	}
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
	given[3] = granted("grant://dma");
	for (uint32_t i = 0; i < SYSCALL_COUNT; i++)
		if (call_shapes[i].raw && !ipc_arguments(&(struct random){ 1 }, &(struct ipc_regs){ 0 }, SYSCALL_BASE + i))
			rt_panic("nobody says what %s takes", call_shapes[i].name);
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
	print("randcall: %llu calls by %u children: %u ended, %u by a fault, %u killed\n",
		(unsigned long long)t.calls, t.children, t.ended, t.faulted, t.killed);
	print("randcall: %s%s\n", equal ? "account equal" : "left behind:", equal ? "" : text_);
	return equal ? 0 : 1;
}

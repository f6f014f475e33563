/*
 * upcall: another system's program in this process: its calls, exceptions and interrupts reach the handler, and all registers
 * are as they were when it goes on; threads that are suspended stand still, and can be looked at and changed.
 */
#include "test.h"

#define RECORD_PAGE  (3 * PAGE_SIZE)    /* of four; the handler's stack lies below */
#define CARRY        1u
#define PATTERN(i)   (0x1111111111111111ull * (i) + 0x5a)

enum { KICKS = 300, WAIT_MS = 5000 };

extern char foreign_entry[], foreign_event[], foreign_end[];
extern char foreign_syscall[], foreign_ud2[], foreign_load[], foreign_store[], foreign_divide[], foreign_int3[], foreign_spin[], foreign_check[], foreign_vector[];
extern uint64_t foreign_stack, foreign_flags, foreign_escape;
extern volatile status_t foreign_refused;
extern volatile uint32_t foreign_pendings;
void foreign_run(struct thread_regs *r, void *code);
uint64_t upcall_call(uint64_t number, const uint64_t args[6]);
void upcall_event(struct upcall_record *u, uint64_t index);

static handle_t frame;
static struct upcall_record *record;

/* What the handler does, and what it has seen. */
static uint64_t (*on_call)(uint64_t number, const uint64_t args[6]);
static void (*on_event)(struct upcall_record *u, uint64_t index);
static struct { volatile uint32_t calls, events; uint64_t number, args[6]; struct upcall_frame event; uint64_t index; uint32_t depth; } seen;

uint64_t upcall_call(uint64_t number, const uint64_t args[6])
{
	seen.calls++;
	seen.number = number;
	memcpy(seen.args, args, sizeof(seen.args));
	seen.depth = record->depth;
	return on_call ? on_call(number, args) : number + 1;
}

void upcall_event(struct upcall_record *u, uint64_t index)
{
	seen.event = u->frame[index];
	seen.index = index;
	seen.depth = u->depth;
	seen.events++;                          /* last: others look at the rest when they see it */
	if (on_event)
		on_event(u, index);
}

static struct upcall upcall_of(handle_t f, uint64_t offset, struct upcall_record *at)
{
	return (struct upcall){ .frame = f, .offset = offset, .record = (uint64_t)at, .entry = (uint64_t)foreign_entry, .event = (uint64_t)foreign_event };
}

/* Foreign calls and events of the calling thread go to the functions above. */
static status_t begin(void)
{
	uint64_t va = 0;
	status_t st = frame_create(4 * PAGE_SIZE, FRAME_CONTIGUOUS, &frame);
	if (st == OK)
		st = vmem_map(0, frame, 0, 0, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE, &va);
	if (st < 0)
		return st;
	record = (struct upcall_record *)(va + RECORD_PAGE);
	memset(&seen, 0, sizeof(seen));
	on_call = NULL;
	on_event = NULL;
	foreign_pendings = 0;
	foreign_refused = 0;
	struct upcall u = upcall_of(frame, RECORD_PAGE, record);
	return thread_upcall(&u);
}

static void end(void)
{
	struct upcall none = { 0 };
	(void)thread_upcall(&none);
	(void)vmem_unmap(0, (uint64_t)record - RECORD_PAGE, 4 * PAGE_SIZE);
	(void)handle_close(frame);
}

static struct thread_regs pattern(void)
{
	struct thread_regs r = { 0 };
	uint64_t *all = (uint64_t *)&r;
	for (unsigned i = 0; i < 15; i++)
		all[i] = PATTERN(i + 1);
	return r;
}

/* The 15 registers from R15 to RDI; bit i of `but`: not that one. */
static bool same_but(const struct thread_regs *a, const struct thread_regs *b, uint32_t but)
{
	const uint64_t *x = (const uint64_t *)a, *y = (const uint64_t *)b;
	for (unsigned i = 0; i < 15; i++)
		if (!(but >> i & 1) && x[i] != y[i])
			return false;
	return true;
}
enum { R11 = 1 << 6, RAX = 1 << 10, RCX = 1 << 11 };

/* ---- calls ---- */

static void calls(void)
{
	DONE(begin());
	static const uint64_t numbers[] = { 0, 1, 39, 470, 0x40000001, SYSCALL_BASE - 1, SYSCALL_BASE + SYSCALL_COUNT, 0xffffffff, 0x80000000 };
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		struct thread_regs r = pattern(), before;
		r.rax = numbers[i];
		before = r;
		foreign_run(&r, foreign_syscall);
		EQ(seen.calls, i + 1);
		EQ(seen.number, numbers[i]);
		EQ(seen.depth, 1);
		EQ(record->depth, 0);
		CHECK(seen.args[0] == before.rdi && seen.args[1] == before.rsi && seen.args[2] == before.rdx);
		CHECK(seen.args[3] == before.r10 && seen.args[4] == before.r8 && seen.args[5] == before.r9);
		EQ(r.rax, numbers[i] + 1);
		CHECK(same_but(&r, &before, R11 | RAX | RCX));
		EQ(foreign_stack, 0);
		EQ(record->rflags & CARRY, CARRY);
		EQ(record->rip, (uint64_t)foreign_syscall + 2);
	}
	/* Native calls are native in the program, too. */
	struct thread_regs r = pattern();
	r.rax = SYS_nop;
	foreign_run(&r, foreign_syscall);
	EQ(r.rax, OK);
	EQ(seen.calls, ARRAY_LEN(numbers));
	end();
	r.rax = 39;
	foreign_run(&r, foreign_syscall);
	EQ(r.rax, ERR_BAD_SYSCALL);
}

static uint64_t call_within(uint64_t number, const uint64_t args[6])
{
	uint64_t ns = 0;
	(void)args;
	if (number != 39)
		return 7;
	if (sys(40, 0, 0, 0, 0, 0, 0) != ERR_BAD_SYSCALL)       /* not into itself */
		return 1;
	return clock_now(&ns) == OK && ns ? 2 : 3;
}

static void calls_inside(void)
{
	DONE(begin());
	on_call = call_within;
	struct thread_regs r = pattern();
	r.rax = 39;
	foreign_run(&r, foreign_syscall);
	EQ(r.rax, 2);
	EQ(seen.calls, 1);
	end();
}

static uint64_t native_pause(uint64_t number, const uint64_t args[6])
{
	(void)number, (void)args;
	pause_ms(2);
	return 0;
}

/* What is the program's in vector registers outlives the handler's native calls. */
static void vectors(void)
{
	uint64_t from[2] = { PATTERN(5), PATTERN(9) }, to[2] = { 0 };
	DONE(begin());
	on_call = native_pause;
	for (unsigned i = 0; i < 10; i++) {
		struct thread_regs r = pattern();
		from[0] = PATTERN(i);
		r.rax = 1;
		r.rdi = (uint64_t)to;
		r.rsi = (uint64_t)from;
		foreign_run(&r, foreign_vector);
		CHECK(!memcmp(from, to, sizeof(to)));
	}
	end();
}

/* ---- exceptions ---- */

enum { DIVIDE = 0, BREAKPOINT = 3, UNDEFINED = 6, PROTECTION = 13, PAGE = 14 };

static void exception(char *code, uint64_t vector, uint64_t error, uint64_t address)
{
	struct thread_regs r = pattern(), before;
	uint32_t events = seen.events;
	if (vector == DIVIDE)
		r.rcx = 0;
	if (address)
		r.rsi = address;
	before = r;
	foreign_run(&r, code);
	EQ(seen.events, events + 1);
	EQ(seen.index, 0);
	EQ(seen.depth, 1);
	EQ(record->depth, 0);
	EQ(seen.event.reason, UPCALL_EXCEPTION);
	EQ(seen.event.vector, vector);
	EQ(seen.event.error | (address >> 63), error);          /* whether there is something of the kernel's is nobody's business */
	EQ(seen.event.regs.rip, (uint64_t)code + (vector == BREAKPOINT ? 1 : 0));
	if (vector == PAGE)
		EQ(seen.event.address, address);
	CHECK(same_but(&seen.event.regs, &before, 0));
	CHECK(same_but(&r, &before, 0));
	EQ(foreign_stack, 0);
	EQ(seen.event.regs.rflags & CARRY, CARRY);
	EQ(foreign_flags & CARRY, CARRY);
}

static void skip_fault(struct upcall_record *u, uint64_t index)
{
	u->frame[index].regs.rip += u->frame[index].vector == BREAKPOINT ? 1 : 2;
}

static void exceptions(void)
{
	uint64_t edge = edge_make(), constant = page_make(PROT_READ);
	DONE(begin());
	on_event = skip_fault;
	exception(foreign_ud2, UNDEFINED, 0, 0);
	exception(foreign_divide, DIVIDE, 0, 0);
	exception(foreign_int3, BREAKPOINT, 0, 0);
	exception(foreign_load, PAGE, 4, edge + PAGE_SIZE);
	exception(foreign_store, PAGE, 6, edge + PAGE_SIZE + 123);
	exception(foreign_load, PAGE, 5, kernel_addresses[0]);
	exception(foreign_load, PROTECTION, 0, 0x0000800000000000);
	STILL_FINE();
	(void)*(volatile char *)constant;
	exception(foreign_store, PAGE, 7, constant);
	end();
	edge_free(edge);
	page_free(constant);
}

static uint64_t missing;

static void give(struct upcall_record *u, uint64_t index)
{
	(void)index;
	uint64_t at = ALIGN_DOWN(u->frame[0].address, PAGE_SIZE);
	if (vmem_map(0, 0, 0, at, PAGE_SIZE, PROT_READ | PROT_WRITE | MAP_FIXED, &at) < 0)
		u->frame[0].regs.rip += 2;
}

/* The handler maps what was missing, and the instruction is done again. */
static void lazy_memory(void)
{
	DONE(begin());
	missing = edge_make();
	edge_free(missing);
	on_event = give;
	struct thread_regs r = pattern();
	r.rsi = missing + 5;
	foreign_run(&r, foreign_store);
	EQ(seen.events, 1);
	EQ(*(uint8_t *)(missing + 5), (uint8_t)r.rbx);
	DONE(vmem_unmap(0, missing, PAGE_SIZE));
	end();
}

static uint32_t levels;

static void nest(struct upcall_record *u, uint64_t index)
{
	if (index < levels)
		asm volatile("ud2");
	u->frame[index].regs.rip += 2;
}

static void run_nested(uint32_t n)
{
	struct thread_regs r = pattern(), before = r;
	DONE(begin());
	on_event = nest;
	levels = n;
	foreign_run(&r, foreign_ud2);
	CHECK(same_but(&r, &before, 0));
	EQ(record->depth, 0);
	EQ(seen.events, n + 1);
	end();
}

/* A fault within the handler is an event of its own; one within that ends the process. */
static void nested(void)
{
	struct process_info info;
	run_nested(1);
	STILL_FINE();
	DONE(child_run("upcall-nest", NULL, &info));
	EQ(info.exit_kind, EXIT_FAULT);
	EQ(info.exit_status, UNDEFINED);
}

static int nest_deed(int argc, char **argv)
{
	(void)argc, (void)argv;
	run_nested(2);
	return 1;
}

/* ---- a record that lies ---- */

static uint64_t bad_rip, bad_flags;
static uint32_t bad_depth;

static void lie(struct upcall_record *u, uint64_t index)
{
	foreign_escape = (uint64_t)foreign_end;
	u->frame[index].regs.rip = bad_rip ? bad_rip : u->frame[index].regs.rip + 2;
	u->frame[index].regs.rflags |= bad_flags;
	if (bad_depth)
		u->depth = bad_depth;
}

static const uint64_t bad_rips[] = { 0xffffffff80000000, 0x8000000000000000, 0x800000000000, USER_TOP, UINT64_MAX };
static const uint32_t bad_depths[] = { 3, 77, UINT32_MAX };

static void lies(void)
{
	DONE(begin());
	on_event = lie;
	handle_t port;
	EQ(sys(SYS_upcall_return, 0, 0, 0, 0, 0, 0), ERR_INVALID);      /* nothing to return from */
	/* Flags that are not the user's stay as they are: no I/O privilege, no nested task, no virtual mode; interrupts stay on. */
	bad_flags = 0x3000 | 0x4000 | 0x20000 | 0x100000;
	struct thread_regs r = pattern(), before = r;
	foreign_run(&r, foreign_ud2);
	CHECK(same_but(&r, &before, 0));
	EQ(foreign_flags & (0x3000 | 0x4000 | 0x20000), 0);
	EQ(foreign_flags & 0x200, 0x200);
	bad_flags = 0;
	end();
	DONE(port_create(0, &port));
	/* What thread_upcall does not take. */
	handle_t whole, lazy, weak;
	DONE(frame_create(2 * PAGE_SIZE, FRAME_CONTIGUOUS, &whole));
	DONE(frame_create(PAGE_SIZE, 0, &lazy));
	DONE(handle_dup(whole, RIGHT_ALL & ~(uint32_t)RIGHT_WRITE, &weak));
	struct upcall_record *at = (struct upcall_record *)0x10000000000;
	struct { status_t want; struct upcall u; } bad[] = {
		{ ERR_BAD_HANDLE, upcall_of(0x7fffffff, 0, at) }, { ERR_WRONG_TYPE, upcall_of(port, 0, at) }, { ERR_DENIED, upcall_of(weak, 0, at) },
		{ ERR_INVALID, upcall_of(lazy, 0, at) }, { ERR_INVALID, upcall_of(whole, 8, at) }, { ERR_INVALID, upcall_of(whole, 2 * PAGE_SIZE, at) },
		{ ERR_INVALID, upcall_of(whole, UINT64_MAX - 63, at) }, { ERR_INVALID, upcall_of(whole, PAGE_SIZE - 64, at) },
		{ ERR_INVALID, upcall_of(whole, 0, (void *)0xffffffff80000000) }, { ERR_INVALID, upcall_of(whole, 0, (void *)0x10000000008) },
		{ ERR_INVALID, upcall_of(whole, 0, at) }, { ERR_INVALID, upcall_of(whole, 0, at) }, { ERR_INVALID, upcall_of(whole, 0, at) },
	};
	bad[10].u.entry = 0x800000000000;
	bad[11].u.event = 0;
	bad[12].u.reserved = 1;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (thread_upcall(&bad[i].u) != bad[i].want)
			EQ(i, -1);
	DONE(handle_close(whole));
	DONE(handle_close(lazy));
	DONE(handle_close(weak));
	DONE(handle_close(port));
	/* Where it must not go ends the child, or is refused; never the machine. */
	struct process_info info;
	for (size_t i = 0; i < ARRAY_LEN(bad_rips) + ARRAY_LEN(bad_depths); i++) {
		char number[4] = { (char)('a' + i), 0 };
		DONE(child_run("upcall-lie", number, &info));
		EQ(info.exit_kind, EXIT_NORMAL);
		EQ(info.exit_status, 42);
	}
}

/* Its upcall_return is refused, which foreign_event notes before it goes to foreign_escape. */
static void refused(void)
{
	process_exit(foreign_refused == ERR_INVALID ? 42 : 43);
}

static void lie_and_escape(struct upcall_record *u, uint64_t index)
{
	lie(u, index);
	foreign_escape = (uint64_t)refused;
}

static int lie_deed(int argc, char **argv)
{
	size_t i = argc > 0 ? (size_t)(argv[argc - 1][0] - 'a') : 0;
	if (begin() < 0)
		return 1;
	if (i < ARRAY_LEN(bad_rips))
		bad_rip = bad_rips[i];
	else
		bad_depth = bad_depths[i - ARRAY_LEN(bad_rips)];
	on_event = lie_and_escape;
	struct thread_regs r = pattern();
	foreign_run(&r, foreign_ud2);
	return 2;
}

/* ---- interrupts ---- */

static volatile uint32_t go_on, ready;
static volatile uint64_t woken;

static void program(struct worker *w)
{
	struct thread_regs r = pattern();
	w->result = begin();
	if (w->result < 0)
		return;
	r.rdi = (uint64_t)&go_on;
	ready = 1;
	foreign_run(&r, foreign_check);
	w->value[0] = r.rax;
	end();
}

static bool wait_for(volatile uint32_t *what, uint32_t least)
{
	for (unsigned i = 0; i < WAIT_MS && *what < least; i++)
		pause_ms(1);
	return *what >= least;
}

/* A program that makes no call at all is told, again and again, and finds its registers as they were. */
static void interrupted_program(void)
{
	struct worker w;
	go_on = ready = 0;
	DONE(worker_start(&w, program, NULL, PRIORITY_NORMAL - 1));
	CHECK(wait_for(&ready, 1));
	for (uint32_t i = 0; i < KICKS; i++) {
		DONE(thread_interrupt(w.thread));
		CHECK(wait_for(&seen.events, i + 1));
		EQ(seen.event.reason, UPCALL_INTERRUPT);
	}
	go_on = 1;
	DONE(worker_join(&w));
	DONE(w.result);
	EQ(w.value[0], 0);
	EQ(seen.events, KICKS);
}

static uint64_t wait_in_handler(uint64_t number, const uint64_t args[6])
{
	(void)args;
	ready = ready + 1;
	if (number == 2) {
		while (!go_on)
			;
		return 0;
	}
	return (uint64_t)thread_sleep(FOREVER);
}

static void program_calls(struct worker *w)
{
	struct thread_regs r = pattern();
	w->result = begin();
	if (w->result < 0)
		return;
	on_call = wait_in_handler;
	r.rax = (uint64_t)w->arg;
	foreign_run(&r, foreign_syscall);
	w->value[0] = r.rax;
	end();
}

/* The handler hears of it when it is through; a native call that it waits in ends. */
static void interrupted_handler(void)
{
	struct worker w;
	for (uint64_t number = 1; number <= 2; number++) {
		go_on = ready = 0;
		/* The first one's call ends at the first interrupt: below this thread on the same CPU, its handler does not get through before the second. */
		DONE(thread_set_affinity(0, number == 1 ? 1 : UINT64_MAX));
		DONE(worker_start(&w, program_calls, (void *)number, PRIORITY_NORMAL - 1));
		CHECK(wait_for(&ready, 1));
		pause_ms(20);
		DONE(thread_interrupt(w.thread));
		DONE(thread_interrupt(w.thread));
		pause_ms(5);
		go_on = 1;
		DONE(worker_join(&w));
		EQ(w.value[0], number == 1 ? (uint64_t)ERR_INTERRUPTED : 0);
		EQ(foreign_pendings, 1);
		EQ(seen.events, 0);
	}
}

static uint64_t quick(uint64_t number, const uint64_t args[6])
{
	(void)number, (void)args;
	woken++;
	return go_on;
}

static void program_busy(struct worker *w)
{
	w->result = begin();
	if (w->result < 0)
		return;
	on_call = quick;
	ready = 1;
	struct thread_regs r;
	do {
		r = pattern();
		r.rax = 5;
		foreign_run(&r, foreign_syscall);
	} while (!r.rax);
	w->value[0] = foreign_stack;
	end();
}

/* Wherever it is in the round from program to handler and back, each interrupt is heard, once or together with others. */
static void never_lost(void)
{
	struct worker w;
	go_on = ready = 0;
	DONE(worker_start(&w, program_busy, NULL, PRIORITY_NORMAL - 1));
	CHECK(wait_for(&ready, 1));
	for (uint32_t i = 0; i < KICKS; i++) {
		uint32_t before = seen.events + foreign_pendings;
		for (volatile uint32_t delay = (i * 37) % 400; delay; delay--)
			;
		DONE(thread_interrupt(w.thread));
		for (unsigned ms = 0; ms < WAIT_MS && seen.events + foreign_pendings == before; ms++)
			pause_ms(1);
		CHECK(seen.events + foreign_pendings > before);
	}
	go_on = 1;
	DONE(worker_join(&w));
	DONE(w.result);
	EQ(w.value[0], 0);
	CHECK(seen.events + foreign_pendings >= KICKS);
}

/* ---- suspending ---- */

static void spin(struct worker *w)
{
	struct thread_regs r = pattern();
	r.r15 = 0;
	r.r14 = 0;
	ready = 1;
	foreign_run(&r, foreign_spin);
	w->value[0] = r.r14;
	w->value[1] = r.r15;
	w->value[2] = r.r9;
	w->result = OK;
}

/* Once it has counted beyond `last`: a host may keep a processor from it for a while. */
static status_t suspend_later(handle_t thread, uint64_t last, struct thread_regs *r)
{
	for (unsigned ms = 0; ; ms++) {
		pause_ms(1);
		status_t st = thread_suspend(thread);
		if (st == OK)
			st = thread_get_regs(thread, r);
		if (st < 0 || r->r14 > last || ms == 5000)
			return st;
		st = thread_resume(thread);
		if (st < 0)
			return st;
	}
}

static void suspended(void)
{
	struct worker w;
	struct thread_regs a, b;
	ready = 0;
	DONE(worker_start(&w, spin, NULL, PRIORITY_NORMAL - 1));
	CHECK(wait_for(&ready, 1));
	EQ(thread_get_regs(w.thread, &a), ERR_BUSY);
	EQ(thread_resume(w.thread), ERR_INVALID);
	uint64_t last = 0;
	for (unsigned i = 0; i < 50; i++) {
		DONE(suspend_later(w.thread, last, &a));
		DONE(thread_suspend(w.thread));
		pause_ms(3);
		DONE(thread_get_regs(w.thread, &b));
		CHECK(!memcmp(&a, &b, sizeof(a)));
		CHECK(a.rip >= (uint64_t)foreign_spin && a.rip < (uint64_t)foreign_spin + 16);
		CHECK(a.r14 > last);
		CHECK(a.r9 == PATTERN(9) && a.rdi == PATTERN(15));
		last = a.r14;
		DONE(thread_resume(w.thread));
		pause_ms(1);
		DONE(thread_get_regs(w.thread, &b));    /* once is not enough */
		CHECK(!memcmp(&a, &b, sizeof(a)));
		DONE(thread_resume(w.thread));
		EQ(thread_resume(w.thread), ERR_INVALID);
	}
	DONE(thread_suspend(w.thread));
	DONE(thread_get_regs(w.thread, &a));
	static const uint64_t rips[] = { 0xffffffff80000000, 0x8000000000000000, USER_TOP };
	for (size_t i = 0; i < ARRAY_LEN(rips); i++) {
		b = a;
		b.rip = rips[i];
		EQ(thread_set_regs(w.thread, &b), ERR_INVALID);
	}
	b = a;
	b.fs_base = 0xffffffff80000000;
	EQ(thread_set_regs(w.thread, &b), ERR_INVALID);
	a.r15 = 77;
	a.r9 = 99;
	a.rflags |= 0x3000;
	DONE(thread_set_regs(w.thread, &a));
	DONE(thread_get_regs(w.thread, &b));
	CHECK(same_but(&a, &b, 0));
	EQ(b.rflags & 0x3000, 0);
	DONE(thread_resume(w.thread));
	DONE(worker_join(&w));
	CHECK(w.value[0] >= last);
	EQ(w.value[1], 77);
	EQ(w.value[2], 99);
}

static void wait_once(struct worker *w)
{
	ready = 1;
	struct event e;
	w->result = ipc_accept((handle_t)(uint64_t)w->arg, FOREVER, &e);
	w->value[0] = e.kind;
	woken++;
}

/* One that waits keeps its place; when its wait is over it stays where it is. */
static void suspended_in_a_wait(void)
{
	struct worker w;
	handle_t port, notify;
	struct thread_regs r;
	ready = 0;
	woken = 0;
	DONE(port_create(0, &port));
	DONE(notify_create(&notify));
	DONE(notify_port(notify, port, 1));
	DONE(worker_start(&w, wait_once, (void *)(uint64_t)port, PRIORITY_NORMAL));
	CHECK(wait_for(&ready, 1));
	DONE(thread_suspend(w.thread));
	EQ(thread_get_regs(w.thread, &r), ERR_BUSY);
	DONE(notify_signal(notify, 1));
	pause_ms(10);
	EQ(woken, 0);
	DONE(thread_get_regs(w.thread, &r));
	EQ(r.rax, ACCEPT_NOTIFY);
	DONE(thread_resume(w.thread));
	DONE(worker_join(&w));
	DONE(w.result);
	EQ(w.value[0], ACCEPT_NOTIFY);
	DONE(handle_close(notify));
	DONE(handle_close(port));
}

static void suspend_self(struct worker *w)
{
	while (!w->value[0])
		thread_yield();
	ready = 1;
	w->result = thread_suspend((handle_t)w->value[0]);
	woken++;
}

static void set_ready(void)
{
	ready = 1;
	thread_exit();
}

static void suspended_from_the_start(void)
{
	uint64_t stack;
	handle_t thread;
	struct thread_regs r;
	DONE(vmem_map(0, 0, 0, 0, 16 * KiB, PROT_READ | PROT_WRITE, &stack));
	ready = 0;
	DONE(thread_create((uint64_t)foreign_spin, stack + 16 * KiB - 8, 0x1234, PRIORITY_NORMAL | THREAD_SUSPENDED, &thread));
	pause_ms(5);
	DONE(thread_get_regs(thread, &r));
	EQ(r.rdi, 0x1234);
	r.rip = (uint64_t)set_ready;
	DONE(thread_set_regs(thread, &r));
	DONE(thread_resume(thread));
	CHECK(wait_for(&ready, 1));
	DONE(handle_close(thread));
	/* One that never was let go ends with its process, and takes nothing along. */
	DONE(thread_create((uint64_t)set_ready, stack + 16 * KiB - 8, 0, PRIORITY_NORMAL | THREAD_SUSPENDED, &thread));
	EQ(thread_create((uint64_t)set_ready, stack + 16 * KiB - 8, 0, 0x200 | PRIORITY_NORMAL, &thread), ERR_INVALID);
	struct process_info info;
	DONE(child_run("upcall-stay", NULL, &info));
	EQ(info.exit_kind, EXIT_NORMAL);
	EQ(info.exit_status, 5);
	DONE(thread_resume(thread));
	pause_ms(10);
	DONE(handle_close(thread));
	DONE(vmem_unmap(0, stack, 16 * KiB));
	/* Itself. */
	struct worker w;
	ready = 0;
	woken = 0;
	DONE(worker_start(&w, suspend_self, NULL, PRIORITY_NORMAL - 1));
	w.value[0] = w.thread;
	CHECK(wait_for(&ready, 1));
	pause_ms(10);
	EQ(woken, 0);
	DONE(thread_resume(w.thread));
	DONE(worker_join(&w));
	DONE(w.result);
}

static int stay_deed(int argc, char **argv)
{
	static uint8_t stack[8192] aligned(16);
	handle_t thread;
	(void)argc, (void)argv;
	if (thread_create((uint64_t)set_ready, (uint64_t)stack + sizeof(stack) - 8, 0, PRIORITY_BACKGROUND | THREAD_SUSPENDED, &thread) < 0)
		return 1;
	pause_ms(5);
	return 5;
}

/* Suspended and let go by two others at once, on whatever CPUs, and interrupted: it goes on, and all counts agree. */
static void suspender(struct worker *w)
{
	handle_t thread = (handle_t)(uint64_t)w->arg;
	w->result = OK;
	for (unsigned i = 0; i < 2000 && w->result == OK; i++) {
		w->result = thread_suspend(thread);
		if (w->result == OK && i % 3 == 0) {
			struct thread_regs r;
			status_t st = thread_get_regs(thread, &r);
			if (st != OK && st != ERR_BUSY)         /* the other one is looking */
				w->result = st;
		}
		status_t st = thread_resume(thread);
		if (w->result == OK)
			w->result = st;
	}
}

static void suspended_by_many(void)
{
	struct worker w, others[2];
	go_on = ready = 0;
	DONE(worker_start(&w, program, NULL, PRIORITY_NORMAL - 1));
	CHECK(wait_for(&ready, 1));
	for (unsigned i = 0; i < 2; i++)
		DONE(worker_start(&others[i], suspender, (void *)(uint64_t)w.thread, PRIORITY_NORMAL - 1));
	for (unsigned i = 0; i < 200; i++) {
		DONE(thread_interrupt(w.thread));
		pause_ms(1);
	}
	for (unsigned i = 0; i < 2; i++) {
		DONE(worker_join(&others[i]));
		DONE(others[i].result);
	}
	DONE(thread_interrupt(w.thread));
	uint32_t before = seen.events;
	CHECK(before || wait_for(&seen.events, 1));
	go_on = 1;
	DONE(worker_join(&w));
	EQ(w.value[0], 0);
}

/* ---- long calls ---- */

enum { LONG_PAGES = 8192, LONG_MS = 700, LONG_EVENTS = 100 };
static uint64_t page;
static handle_t page_frame;
static volatile uint32_t protects, still_writable;

/* The same call as the one that this comes into the middle of, for another range, below. */
static void protect_page(struct upcall_record *u, uint64_t index)
{
	uint64_t done = 0;
	(void)u, (void)index;
	if (vmem_protect(0, page, PAGE_SIZE, PROT_READ) == OK && frame_read(page_frame, 0, (void *)page, 8, &done) == OK)
		still_writable++;
	protects++;
}

static void protect_much(struct worker *w)
{
	uint64_t much = 0;
	w->result = begin();
	if (w->result == OK)
		w->result = thread_set_affinity(0, 1);
	if (w->result == OK)
		w->result = vmem_map(0, 0, 0, page + 64 * PAGE_SIZE, LONG_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, &much);
	while (!go_on && w->result == OK) {
		w->result = vmem_commit(0, much, LONG_PAGES * PAGE_SIZE);
		if (w->result == OK)
			w->result = vmem_protect(0, page, PAGE_SIZE, PROT_READ | PROT_WRITE);
		if (w->result < 0)
			break;
		*(volatile uint64_t *)page = 1;
		on_event = protect_page;
		w->result = vmem_protect(0, much, LONG_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE);
		on_event = NULL;
	}
	if (much)
		(void)vmem_unmap(0, much, LONG_PAGES * PAGE_SIZE);
	end();
}

/* A call that was interrupted half-way goes on from there, after the handler; what the handler itself calls begins at its beginning. */
static void call_within_a_call(void)
{
	struct worker w;
	go_on = 0;
	protects = still_writable = 0;
	DONE(frame_create(PAGE_SIZE, 0, &page_frame));
	DONE(vmem_map(0, 0, 0, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, &page));
	DONE(thread_set_affinity(0, 1));        /* this thread's waking there is what interrupts the call */
	DONE(worker_start(&w, protect_much, NULL, PRIORITY_NORMAL - 1));
	uint64_t end_ns = now_ns() + LONG_MS * NS_PER_MS;
	for (unsigned i = 0; now_ns() < end_ns && protects < LONG_EVENTS && !still_writable && !w.done; i++) {
		(void)thread_sleep(now_ns() + (1 + i % 7) * 300 * NS_PER_US);
		if (thread_interrupt(w.thread) < 0)
			break;
	}
	go_on = 1;
	DONE(worker_join(&w));
	DONE(vmem_unmap(0, page, PAGE_SIZE));
	DONE(handle_close(page_frame));
	DONE(w.result);
	EQ(still_writable, 0);
}

const struct test upcall_tests[] = {
	{ "upcall-calls", calls }, { "upcall-calls-inside", calls_inside }, { "upcall-vectors", vectors }, { "upcall-exceptions", exceptions },
	{ "upcall-lazy-memory", lazy_memory }, { "upcall-nested", nested }, { "upcall-lies", lies }, { "upcall-interrupted-program", interrupted_program },
	{ "upcall-interrupted-handler", interrupted_handler }, { "upcall-call-within-a-call", call_within_a_call }, { "upcall-never-lost", never_lost }, { "suspended", suspended },
	{ "suspended-in-a-wait", suspended_in_a_wait }, { "suspended-from-the-start", suspended_from_the_start },
	{ "suspended-by-many", suspended_by_many }, { NULL, NULL },
};
const struct deed upcall_deeds[] = { { "upcall-nest", nest_deed }, { "upcall-lie", lie_deed }, { "upcall-stay", stay_deed }, { NULL, NULL } };

/*
 * pager: Frames whose pages a Port supplies, and the bits that tell of little memory. The pager is this very thread; whoever needs
 * pages is a child that does what a script says, a letter and a page for each step, and reports what came of it.
 */
#include <stdlib.h>
#include "test.h"

#define RW (PROT_READ | PROT_WRITE)
#define WORD(i) (0x0101010101010101ull * (0x10 + (i)))
#define KEY 0xfade

enum { PAGES = 8, STEPS = 32, SOON_MS = 5, SHORT_MS = 20, LONG_MS = 4000, DEADLINE_MS = 200, FEW = 300 };

struct report {
	volatile uint64_t steps, started;
	volatile int64_t value[STEPS];
};

static handle_t port, frame, calls, session;    /* calls: where the child calls with its memory as windows */
static struct report *report;
static handle_t report_frame;
static struct child child;

/* ---- the child ---- */

static volatile uint64_t *base;
static struct worker worker;

static volatile uint64_t *word_of(uint64_t page)
{
	return base + page * PAGE_SIZE / 8;
}

static void touch(struct worker *w)
{
	report->started = 1;
	w->value[0] = *word_of((uint64_t)w->arg);
}

static void read_frame(struct worker *w)
{
	uint64_t word = 0, done;
	report->started = 1;
	w->result = frame_read(frame, (uint64_t)w->arg * PAGE_SIZE, &word, 8, &done);
}

static int64_t value_of(uint64_t va)
{
	return (int64_t)*(volatile uint64_t *)va;
}

/* Runs in a copy of the child's memory. */
static uint8_t clone_stack[16384] aligned(16);
static uint64_t clone_page;

static void in_clone(void)
{
	uint64_t va = (uint64_t)word_of(clone_page);
	report->value[STEPS - 1] = value_of(va);
	*(volatile uint64_t *)va = 77;
	report->value[STEPS - 2] = value_of(va + PAGE_SIZE);
	process_exit(0);
}

static status_t run_clone(uint64_t page)
{
	handle_t copy, process;
	uint64_t pid;
	struct process_info info;
	clone_page = page;
	status_t st = vmem_clone(0, &copy);
	if (st < 0)
		return st;
	struct exec_args a = { .name = "clone", .vmem = copy, .entry = (uint64_t)in_clone, .stack = (uint64_t)clone_stack + sizeof(clone_stack) - 16,
		.priority = PRIORITY_NORMAL, .level = 100 };
	st = process_exec(&a, &process, &pid);
	if (st == OK)
		st = process_wait(process, now_ns() + LONG_MS * NS_PER_MS, &info);
	return st < 0 ? st : info.exit_kind == EXIT_NORMAL ? info.exit_status : ERR_GONE;
}

static int64_t step(char what, uint64_t page)
{
	uint64_t va = (uint64_t)word_of(page), word = WORD(page), done = 0;
	struct msg m = { .op = 9, .in = (void *)(va + 8), .in_len = PAGE_SIZE, .out = (void *)(va + PAGE_SIZE), .out_len = PAGE_SIZE };
	status_t st;
	switch (what) {
	case 'r':
		return value_of(va);
	case 'w':
		*(volatile uint64_t *)va = word;
		return OK;
	case 'R':
		st = frame_read(frame, page * PAGE_SIZE, &word, 8, &done);
		return st < 0 ? st : (int64_t)word;
	case 'W':
		return frame_write(frame, page * PAGE_SIZE, &word, 8, &done);
	case 'f':                       /* it never has that value */
		return futex_wait(va, 12345, 0, FOREVER);
	case 'F':
		return futex_wait(va, 12345, 0, now_ns() + DEADLINE_MS * NS_PER_MS);
	case 'C':
		return vmem_commit(0, va, PAGE_SIZE);
	case 'c':
		return ipc_call(session, &m);
	case 'l':                       /* what a call fills in */
		return log_write((const uint8_t *)va, 8);
	case 'q':
		st = frame_info(frame, (struct frame_info *)va);
		return st < 0 ? st : value_of(va);
	case 't':                       /* two threads need the same one */
		MUST(worker_start(&worker, touch, (void *)page, PRIORITY_NORMAL));
		st = value_of(va) == value_of(va) ? OK : ERR_INVALID;
		MUST(worker_join(&worker));
		return st < 0 ? st : (int64_t)worker.value[0];
	case 'i':
		MUST(worker_start(&worker, read_frame, (void *)page, PRIORITY_NORMAL));
		pause_ms(DEADLINE_MS);
		MUST(thread_interrupt(worker.thread));
		MUST(worker_join(&worker));
		return worker.result;
	case 'v':
		return run_clone(page);
	}
	return ERR_INVALID;
}

static int page_do(int argc, char **argv)
{
	uint64_t va;
	frame = start_handle("frame");
	session = start_handle("session");
	MUST(vmem_map(0, start_handle("report"), 0, 0, PAGE_SIZE, RW | MAP_SHARE, &va));
	report = (struct report *)va;
	MUST(vmem_map(0, frame, 0, 0, PAGES * PAGE_SIZE, RW, &va));
	base = (volatile uint64_t *)va;
	for (const char *s = argc > 1 ? argv[1] : ""; s[0]; s += 2) {
		uint64_t n = report->steps;
		report->value[n] = step(s[0], (uint64_t)(s[1] - '0'));
		report->steps = n + 1;
	}
	return 0;
}

/* A pager that takes one command, and dies of it or sleeps on it. */
static int page_hold(int argc unused, char **argv)
{
	struct event e;
	do {
		MUST(ipc_accept(start_handle("port"), FOREVER, &e));
	} while (e.kind != ACCEPT_COMMAND);
	if (!strcmp(argv[1], "die"))
		*(volatile int *)8 = 1;
	thread_sleep(FOREVER);
	return 0;
}

/* Its Budget pays for the Frame, and is soon used up. */
static int page_tight(int argc unused, char **argv unused)
{
	handle_t f;
	uint64_t va;
	MUST(frame_create_paged(start_handle("port"), KEY, FEW * PAGE_SIZE, &f));
	MUST(vmem_map(0, f, 0, 0, FEW * PAGE_SIZE, PROT_READ, &va));
	for (uint64_t i = 0; i < FEW; i++)
		(void)value_of(va + i * PAGE_SIZE);
	return 0;
}

const struct deed pager_deeds[] = {
	{ "page-do", page_do },
	{ "page-hold", page_hold },
	{ "page-tight", page_tight },
	{ NULL, NULL },
};

/* ---- the pager ---- */

static void begin(void)
{
	uint64_t va;
	DONE(port_create(0, &port));
	DONE(port_create(0, &calls));
	DONE(session_create(calls, 1, RIGHT_READ | RIGHT_WRITE, &session));
	DONE(frame_create_paged(port, KEY, PAGES * PAGE_SIZE, &frame));
	DONE(frame_create(PAGE_SIZE, 0, &report_frame));
	DONE(vmem_map(0, report_frame, 0, 0, PAGE_SIZE, RW, &va));
	report = (struct report *)va;
}

static void end(void)
{
	struct event e;
	DONE(handle_close(frame));
	/* The last who had the Frame is gone, but for what the reaper has in hand. */
	DONE(ipc_accept(port, now_ns() + LONG_MS * NS_PER_MS, &e));
	EQ(e.kind, ACCEPT_CLOSE);
	EQ(e.badge, KEY);
	DONE(ipc_return(e.cmd, &(struct reply){ .status = OK }));
	DONE(handle_close(port));
	DONE(handle_close(session));
	DONE(handle_close(calls));
	DONE(vmem_unmap(0, (uint64_t)report, PAGE_SIZE));
	DONE(handle_close(report_frame));
}

static void start(const char *script)
{
	memset(report, 0, sizeof(*report));
	struct spawn_handle give[] = { { .name = "frame", .handle = frame, .rights = RIGHT_READ | RIGHT_WRITE | RIGHT_MAP }, { .name = "report", .handle = report_frame },
		{ .name = "session", .handle = session } };
	DONE(child_start(&child, "page-do", script, give, 3, 0, 0));
}

/* It comes to its end, having done `steps`. */
static void finish(uint32_t kind, uint64_t steps)
{
	struct process_info info;
	DONE(child_wait(&child, LONG_MS, &info));
	EQ(info.exit_kind, kind);
	EQ(report->steps, steps);
}

static void no_more(void)
{
	struct event e;
	EQ(ipc_accept(port, now_ns() + SOON_MS * NS_PER_MS, &e), ERR_TIMED_OUT);
}

static void next_read(struct event *e, uint64_t page)
{
	do {
		DONE(ipc_accept(port, now_ns() + LONG_MS * NS_PER_MS, e));
	} while (e->kind == ACCEPT_RECOVERED);
	EQ(e->kind, ACCEPT_COMMAND);
	EQ(e->op, FRAME_READ_OP);
	EQ(e->badge, KEY);
	EQ(e->w[0], page * PAGE_SIZE);
	EQ(e->w[1], 0);
	EQ(e->in_len, 0);
	EQ(e->out_len, PAGE_SIZE);
	EQ(e->rights, RIGHT_READ);
}

static void supply(const struct event *e, uint64_t page)
{
	static uint64_t words[PAGE_SIZE / 8];
	uint64_t done;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		words[i] = WORD(page);
	DONE(cmd_write(e->cmd, 0, (uint8_t *)words, PAGE_SIZE, &done));
	EQ(done, PAGE_SIZE);
	DONE(ipc_return(e->cmd, &(struct reply){ .status = OK, .w = { PAGE_SIZE } }));
}

static void serve(uint64_t page)
{
	struct event e;
	next_read(&e, page);
	STILL_FINE();
	supply(&e, page);
}

static void serve_error(uint64_t page, status_t st)
{
	struct event e;
	next_read(&e, page);
	STILL_FINE();
	DONE(ipc_return(e.cmd, &(struct reply){ .status = st }));
}

#define SERVE(page) do { serve(page); STILL_FINE(); } while (0)

static uint64_t committed(void)
{
	struct frame_info info = { 0 };
	return frame_info(frame, &info) < 0 ? UINT64_MAX : info.committed / PAGE_SIZE;
}

/* ---- tests ---- */

static void refused(void)
{
	handle_t weak, f, plain;
	uint64_t a, b;
	begin();
	STILL_FINE();
	DONE(frame_create(PAGE_SIZE, 0, &plain));
	DONE(handle_dup(port, RIGHT_MANAGE, &weak));
	EQ(frame_create_paged(weak, 1, PAGE_SIZE, &f), ERR_DENIED);
	EQ(frame_create_paged(session, 1, PAGE_SIZE, &f), ERR_WRONG_TYPE);
	EQ(frame_create_paged(port, 1, 0, &f), ERR_INVALID);
	EQ(frame_create_paged(port, 1, UINT64_MAX, &f), ERR_INVALID);
	DONE(handle_close(weak));
	DONE(handle_dup(frame, RIGHT_READ | RIGHT_WRITE | RIGHT_MAP, &weak));
	EQ(frame_resize(weak, PAGE_SIZE), ERR_DENIED);
	EQ(frame_decommit(weak, 0, PAGE_SIZE), ERR_DENIED);
	EQ(frame_dirty(weak, 0, PAGE_SIZE, 0, &a, &b), ERR_DENIED);
	EQ(frame_saved(weak, 0, PAGE_SIZE), ERR_DENIED);
	EQ(frame_dirty(plain, 0, PAGE_SIZE, 0, &a, &b), ERR_INVALID);
	EQ(frame_dirty(frame, 1, PAGE_SIZE, 0, &a, &b), ERR_INVALID);
	EQ(frame_dirty(frame, 0, PAGE_SIZE, 2, &a, &b), ERR_INVALID);
	EQ(frame_dirty(frame, ALIGN_DOWN(UINT64_MAX, PAGE_SIZE), PAGE_SIZE, 0, &a, &b), ERR_INVALID);
	EQ(frame_saved(plain, 0, PAGE_SIZE), ERR_INVALID);
	DONE(frame_dirty(frame, 0, 100 * PAGE_SIZE, FRAME_UNSAVED, &a, &b));
	EQ(b, 0);
	DONE(handle_close(weak));
	DONE(handle_close(plain));
	no_more();
	STILL_FINE();
	end();
}

/* Each way to need a page asks for it once, and sees what the pager gave. */
static void pages(void)
{
	uint64_t first, length;
	begin();
	STILL_FINE();
	start("r0r0w1R2R2W3f4C5q6r4r5");
	for (uint64_t i = 0; i < 7; i++)
		SERVE(i);
	finish(EXIT_NORMAL, 11);
	STILL_FINE();
	no_more();
	STILL_FINE();
	const int64_t want[] = { WORD(0), WORD(0), OK, WORD(2), WORD(2), OK, ERR_AGAIN, OK, PAGES * PAGE_SIZE, WORD(4), WORD(5) };
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		EQ(report->value[i], want[i]);
	EQ(committed(), 7);
	/* Written to: 1 by the program, 3 by frame_write, 6 by the kernel's answer; making 5 present was none. */
	static const uint64_t dirty[] = { 1, 3, 6 };
	for (size_t i = 0; i < ARRAY_LEN(dirty); i++) {
		DONE(frame_dirty(frame, 0, PAGES * PAGE_SIZE, 0, &first, &length));
		EQ(first, dirty[i] * PAGE_SIZE);
		EQ(length, PAGE_SIZE);
	}
	DONE(frame_dirty(frame, 0, PAGES * PAGE_SIZE, 0, &first, &length));
	EQ(length, 0);
	end();
}

/* Written again after it was given out, it is dirty again; clean pages go and are asked for again, others stay. */
static void written(void)
{
	uint64_t first, length;
	begin();
	STILL_FINE();
	start("r0w1w2t3w1w1r0r1");
	for (uint64_t i = 0; i < 3; i++)
		SERVE(i);
	struct event e;
	next_read(&e, 3);
	STILL_FINE();
	DONE(frame_dirty(frame, 0, PAGES * PAGE_SIZE, 0, &first, &length));
	EQ(first, PAGE_SIZE);
	EQ(length, 2 * PAGE_SIZE);
	DONE(frame_decommit(frame, 0, PAGES * PAGE_SIZE));
	EQ(committed(), 2);             /* what is not saved yet stays */
	DONE(frame_saved(frame, 2 * PAGE_SIZE, PAGE_SIZE));
	DONE(frame_decommit(frame, 0, PAGES * PAGE_SIZE));
	EQ(committed(), 1);
	supply(&e, 3);
	SERVE(0);
	finish(EXIT_NORMAL, 8);
	STILL_FINE();
	EQ(report->value[3], WORD(3));
	EQ(report->value[6], WORD(0));
	EQ(report->value[7], WORD(1));
	DONE(frame_dirty(frame, 0, PAGES * PAGE_SIZE, 0, &first, &length));
	EQ(first, PAGE_SIZE);
	EQ(length, PAGE_SIZE);
	/* Whoever gave it out dies: the next one finds it. */
	DONE(frame_dirty(frame, 0, PAGES * PAGE_SIZE, 0, &first, &length));
	EQ(length, 0);
	DONE(frame_dirty(frame, 0, PAGES * PAGE_SIZE, FRAME_UNSAVED, &first, &length));
	EQ(first, PAGE_SIZE);
	EQ(length, PAGE_SIZE);
	DONE(frame_saved(frame, 0, PAGES * PAGE_SIZE));
	DONE(frame_dirty(frame, 0, PAGES * PAGE_SIZE, FRAME_UNSAVED, &first, &length));
	EQ(length, 0);
	DONE(frame_decommit(frame, 0, PAGES * PAGE_SIZE));
	EQ(committed(), 0);
	end();
}

static void together(void)
{
	struct event e;
	begin();
	STILL_FINE();
	start("t1");
	next_read(&e, 1);
	STILL_FINE();
	for (unsigned i = 0; i < LONG_MS && !report->started; i++)
		pause_ms(1);
	pause_ms(SHORT_MS);
	no_more();
	STILL_FINE();
	supply(&e, 1);
	finish(EXIT_NORMAL, 1);
	STILL_FINE();
	EQ(report->value[0], WORD(1));
	no_more();
	STILL_FINE();
	end();
}

static void hold(struct child *c, const char *how)
{
	struct spawn_handle give[] = { { .name = "port", .handle = port } };
	DONE(child_start(c, "page-hold", how, give, 1, 0, 0));
}

static void wait_port_at(int line, uint32_t accepted, uint32_t queued)
{
	struct port_info info;
	for (unsigned i = 0; i < LONG_MS; i++) {
		DONE(port_info(port, &info));
		if (info.accepted == accepted && info.queued == queued)
			return;
		pause_ms(1);
	}
	test_fail(__FILE__, line, "%u accepted, %u queued", info.accepted, info.queued);
}
#define wait_port(accepted, queued) wait_port_at(__LINE__, accepted, queued)

/* It dies with one command accepted, and one waiting: both come to the next, which is attached. */
static void pager_dies(void)
{
	struct child pager, other;
	struct event e;
	struct process_info info;
	handle_t self;
	uint64_t done;
	uint8_t byte = 1;
	begin();
	STILL_FINE();
	hold(&pager, "sleep");
	STILL_FINE();
	DONE(port_attach(port, pager.process));
	start("r2");
	wait_port(1, 0);
	STILL_FINE();
	other = child;
	start("r3");
	STILL_FINE();
	wait_port(1, 1);
	STILL_FINE();
	DONE(process_info(0, &info));
	DONE(process_open(res_info, info.pid, &self));
	DONE(child_kill(&pager));
	DONE(port_attach(port, 0));
	DONE(port_attach(port, self));
	next_read(&e, 2);
	STILL_FINE();
	CHECK(e.flags & IPC_REDELIVERED);
	DONE(cmd_write(e.cmd, PAGE_SIZE - 1, &byte, 9, &done));
	EQ(done, 1);
	supply(&e, 2);
	next_read(&e, 3);
	STILL_FINE();
	CHECK(!(e.flags & IPC_REDELIVERED));
	supply(&e, 3);
	DONE(child_wait(&other, LONG_MS, &info));
	EQ(info.exit_kind, EXIT_NORMAL);
	DONE(child_wait(&child, LONG_MS, &info));
	EQ(info.exit_kind, EXIT_NORMAL);
	uint64_t word = 0;
	DONE(frame_read(frame, 2 * PAGE_SIZE, (uint8_t *)&word, 8, &done));
	EQ(word, WORD(2));
	DONE(frame_read(frame, 3 * PAGE_SIZE, (uint8_t *)&word, 8, &done));
	EQ(word, WORD(3));
	DONE(handle_close(self));
	end();
}

/* A page that kills its pager three times is given up. */
static void poisoned(void)
{
	struct child pager;
	struct process_info info;
	begin();
	STILL_FINE();
	start("R5r4");
	for (unsigned i = 0; i < 3; i++) {
		hold(&pager, "die");
		DONE(child_wait(&pager, LONG_MS, &info));
		EQ(info.exit_kind, EXIT_FAULT);
	}
	SERVE(4);
	finish(EXIT_NORMAL, 2);
	STILL_FINE();
	EQ(report->value[0], ERR_POISONED);
	EQ(report->value[1], WORD(4));
	end();
}

static void failed(void)
{
	struct process_info info;
	struct event e;
	begin();
	STILL_FINE();
	/* A call hears the reason, or that its memory is not there; the next one asks again. */
	start("R1f1R1c1");
	serve_error(1, ERR_IO);
	serve_error(1, ERR_IO);
	STILL_FINE();
	SERVE(1);
	serve_error(2, ERR_GONE);
	finish(EXIT_NORMAL, 4);
	STILL_FINE();
	EQ(report->value[0], ERR_IO);
	EQ(report->value[1], ERR_FAULT);
	EQ(report->value[2], WORD(1));
	EQ(report->value[3], ERR_FAULT);
	/* An instruction has no way to hear of it. */
	start("r3");
	serve_error(3, ERR_IO);
	DONE(child_wait(&child, LONG_MS, &info));
	EQ(info.exit_kind, EXIT_FAULT);
	EQ(info.exit_status, 14);
	EQ(info.fault_address % (PAGES * PAGE_SIZE), info.fault_address % (PAGES * PAGE_SIZE) / PAGE_SIZE * PAGE_SIZE);
	/* An answer that says nonsense is an error like others; CANCELLED only means that it is to be asked for again. */
	start("R3R4");
	serve_error(3, INT64_MIN + 1);
	serve_error(4, ERR_CANCELLED);
	STILL_FINE();
	SERVE(4);
	finish(EXIT_NORMAL, 2);
	STILL_FINE();
	EQ(report->value[0], ERR_IO);
	EQ(report->value[1], WORD(4));
	/* The service is given up. */
	start("r5");
	wait_port(0, 1);
	STILL_FINE();
	DONE(port_fail(port, ERR_GONE));
	finish(EXIT_FAULT, 0);
	STILL_FINE();
	/* Less than a page: zeros follow. */
	start("r6");
	next_read(&e, 6);
	STILL_FINE();
	DONE(ipc_return(e.cmd, &(struct reply){ .status = OK }));
	finish(EXIT_NORMAL, 1);
	STILL_FINE();
	EQ(report->value[0], 0);
	end();
}

/* Nobody can ever serve any more. */
static void port_gone(void)
{
	begin();
	STILL_FINE();
	start("R1r2");
	wait_port(0, 1);
	STILL_FINE();
	DONE(handle_close(port));
	finish(EXIT_FAULT, 1);
	STILL_FINE();
	EQ(report->value[0], ERR_GONE);
	DONE(handle_close(frame));
	DONE(handle_close(session));
	DONE(handle_close(calls));
	DONE(vmem_unmap(0, (uint64_t)report, PAGE_SIZE));
	DONE(handle_close(report_frame));
}

/* Who waits for a page can be killed, can be interrupted in a call, and has that call's deadline. */
static void left(void)
{
	struct event e;
	cmd_id_t cmd;
	begin();
	STILL_FINE();
	start("F1");
	wait_port(0, 1);
	finish(EXIT_NORMAL, 1);
	STILL_FINE();
	EQ(report->value[0], ERR_TIMED_OUT);
	wait_port(0, 0);                /* nobody wants it any more: it is not in the queue */
	start("i2");
	wait_port(0, 1);
	finish(EXIT_NORMAL, 1);
	STILL_FINE();
	EQ(report->value[0], ERR_INTERRUPTED);
	no_more();
	STILL_FINE();
	start("r3");
	wait_port(0, 1);
	DONE(child_kill(&child));
	no_more();
	STILL_FINE();
	/* Accepted: the pager is told, and what it answers all the same is kept. */
	start("r3");
	next_read(&e, 3);
	STILL_FINE();
	cmd = e.cmd;
	DONE(child_kill(&child));
	struct event c;
	DONE(ipc_accept(port, now_ns() + LONG_MS * NS_PER_MS, &c));
	EQ(c.kind, ACCEPT_CANCEL);
	EQ(c.cmd, cmd);
	supply(&e, 3);
	EQ(committed(), 1);
	/* Somebody else wants it before it is answered. */
	start("r4");
	next_read(&e, 4);
	STILL_FINE();
	DONE(child_kill(&child));
	start("r4r3");
	pause_ms(SHORT_MS);
	DONE(ipc_accept(port, now_ns() + LONG_MS * NS_PER_MS, &c));
	EQ(c.kind, ACCEPT_CANCEL);
	DONE(ipc_return(e.cmd, &(struct reply){ .status = ERR_CANCELLED }));
	SERVE(4);
	finish(EXIT_NORMAL, 2);
	STILL_FINE();
	EQ(report->value[0], WORD(4));
	EQ(report->value[1], WORD(3));
	end();
}

/* Windows of a call are there when it is delivered, and are not taken back before it is answered. */
static void windows(void)
{
	static uint64_t words[PAGE_SIZE / 8];
	struct event e;
	uint64_t done, first, length;
	begin();
	STILL_FINE();
	start("c1r3r2r1");              /* in: from word 1 of page 1 into page 2; out: page 2 */
	SERVE(1);
	EQ(ipc_accept(calls, now_ns() + SOON_MS * NS_PER_MS, &e), ERR_TIMED_OUT);
	SERVE(2);
	DONE(ipc_accept(calls, now_ns() + LONG_MS * NS_PER_MS, &e));
	EQ(e.kind, ACCEPT_COMMAND);
	EQ(e.in_len, PAGE_SIZE);
	DONE(frame_decommit(frame, 0, PAGES * PAGE_SIZE));
	EQ(committed(), 2);
	DONE(cmd_read(e.cmd, 0, (uint8_t *)words, PAGE_SIZE, &done));
	EQ(done, PAGE_SIZE);
	EQ(words[0], WORD(1));
	EQ(words[PAGE_SIZE / 8 - 1], WORD(2));
	words[0] = 99;
	DONE(cmd_write(e.cmd, 0, (uint8_t *)words, 8, &done));
	EQ(done, 8);
	DONE(ipc_return(e.cmd, &(struct reply){ .status = 5 }));
	SERVE(3);
	finish(EXIT_NORMAL, 4);
	STILL_FINE();
	EQ(report->value[0], 5);
	EQ(report->value[1], WORD(3));
	EQ(report->value[2], 99);
	EQ(report->value[3], WORD(1));
	DONE(frame_dirty(frame, 0, PAGES * PAGE_SIZE, 0, &first, &length));
	EQ(first, 2 * PAGE_SIZE);
	EQ(length, PAGE_SIZE);
	/* The other one goes, now that nobody lends it. */
	DONE(frame_decommit(frame, 0, PAGES * PAGE_SIZE));
	EQ(committed(), 1);
	/* A caller that dies lends nothing any more. */
	start("c5");
	SERVE(5);
	SERVE(6);
	DONE(ipc_accept(calls, now_ns() + LONG_MS * NS_PER_MS, &e));
	DONE(child_kill(&child));
	DONE(frame_decommit(frame, 0, PAGES * PAGE_SIZE));
	EQ(committed(), 1);
	EQ(cmd_read(e.cmd, 0, (uint8_t *)words, PAGE_SIZE, &done), ERR_GONE);
	DONE(ipc_return(e.cmd, &(struct reply){ .status = OK }));
	end();
}

/* The end moves: what lies beyond faults, also for who waits for it; what comes back is new. */
static void truncated(void)
{
	struct event e;
	begin();
	STILL_FINE();
	start("r1r6");
	SERVE(1);
	next_read(&e, 6);
	STILL_FINE();
	DONE(frame_resize(frame, 2 * PAGE_SIZE));
	supply(&e, 6);
	finish(EXIT_FAULT, 1);
	STILL_FINE();
	EQ(committed(), 1);
	DONE(frame_resize(frame, PAGES * PAGE_SIZE));
	start("r6r1");
	next_read(&e, 6);
	STILL_FINE();
	/* Down and up again: the answer is to a question about another file, so to speak. */
	DONE(frame_resize(frame, 2 * PAGE_SIZE));
	DONE(frame_resize(frame, PAGES * PAGE_SIZE));
	supply(&e, 5);
	SERVE(6);
	finish(EXIT_NORMAL, 2);
	STILL_FINE();
	EQ(report->value[0], WORD(6));
	EQ(report->value[1], WORD(1));
	end();
}

/* A copy of an address space has the pages that were there, gets the others from the pager, and keeps what it writes to itself. */
static void cloned(void)
{
	uint64_t first, length;
	begin();
	STILL_FINE();
	start("w1v1r1");
	SERVE(1);
	SERVE(2);                       /* the copy's own */
	finish(EXIT_NORMAL, 3);
	STILL_FINE();
	EQ(report->value[1], 0);
	EQ(report->value[STEPS - 1], WORD(1));
	EQ(report->value[STEPS - 2], WORD(2));
	EQ(report->value[2], WORD(1));
	DONE(frame_dirty(frame, 0, PAGES * PAGE_SIZE, 0, &first, &length));
	EQ(first, PAGE_SIZE);
	EQ(length, PAGE_SIZE);
	EQ(committed(), 1);
	end();
}

/* A pager cannot wait for itself. */
static void itself(void)
{
	uint64_t done, va;
	uint8_t byte;
	begin();
	STILL_FINE();
	start("r1");
	SERVE(1);
	finish(EXIT_NORMAL, 1);
	STILL_FINE();
	DONE(frame_read(frame, PAGE_SIZE, &byte, 1, &done));
	EQ(byte, WORD(1) & 0xff);
	EQ(frame_read(frame, 2 * PAGE_SIZE, &byte, 1, &done), ERR_LOOP);
	DONE(vmem_map(0, frame, 0, 0, PAGES * PAGE_SIZE, RW, &va));
	EQ(vmem_commit(0, va, PAGE_SIZE), ERR_LOOP);
	EQ(futex_wait(va, 1, 0, 0), ERR_LOOP);
	DONE(vmem_unmap(0, va, PAGES * PAGE_SIZE));
	no_more();
	STILL_FINE();
	end();
}

/* There is no memory for a page: as when there is none for any other. */
static void no_memory(void)
{
	static const struct budget_limits limits = { .pages = 200, .kernel_bytes = 1 * MiB, .handles = 100, .threads = 4, .commands = 16, .processes = 2 };
	struct process_info info;
	struct event e;
	handle_t budget;
	uint64_t n = 0;
	DONE(port_create(0, &port));
	DONE(budget_create(0, &limits, &budget));
	struct spawn_handle give[] = { { .name = "port", .handle = port } };
	DONE(child_start(&child, "page-tight", NULL, give, 1, budget, 0));
	for (;;) {
		DONE(ipc_accept(port, now_ns() + LONG_MS * NS_PER_MS, &e));
		if (e.kind == ACCEPT_CLOSE)
			break;
		EQ(e.w[0], n * PAGE_SIZE);
		supply(&e, n++);
		STILL_FINE();
	}
	DONE(ipc_return(e.cmd, &(struct reply){ .status = OK }));
	DONE(child_wait(&child, LONG_MS, &info));
	EQ(info.exit_kind, EXIT_FAULT);
	CHECK(n > 20 && n < 200);
	DONE(handle_close(budget));
	DONE(handle_close(port));
}

/* ---- little memory ---- */

static uint64_t bits_of(handle_t n)
{
	uint64_t bits = 0;
	return notify_take(n, &bits) < 0 ? UINT64_MAX : bits;
}

/* Takes memory until the bit comes, and no more than there is. */
static status_t take_until(handle_t n, handle_t f, uint64_t *at, uint64_t bit)
{
	uint8_t byte = 1;
	uint64_t done;
	while (!(bits_of(n) & bit)) {
		status_t st = frame_write(f, *at, &byte, 1, &done);
		if (st < 0)
			return st;
		*at += PAGE_SIZE;
	}
	return OK;
}

static void pressure(void)
{
	handle_t n, f, weak;
	uint64_t at = 0;
	DONE(notify_create(&n));
	EQ(notify_pressure(n, 64, 1), ERR_INVALID);
	EQ(notify_pressure(n, 1, PRESSURE_MAX + 1), ERR_INVALID);
	EQ(notify_pressure(n, 1, PRESSURE_MIN - 1), ERR_INVALID);
	DONE(handle_dup(n, RIGHT_SIGNAL, &weak));
	EQ(notify_pressure(weak, 1, 1), ERR_DENIED);
	DONE(handle_close(weak));
	DONE(notify_pressure(n, 1, 1));
	DONE(notify_pressure(n, 2, PRESSURE_MAX));
	EQ(notify_pressure(n, 2, 1), ERR_EXISTS);
	EQ(bits_of(n), 0);
	DONE(frame_create(64ull * GiB, 0, &f));
	for (unsigned round = 0; round < 2; round++) {
		DONE(take_until(n, f, &at, 1 << 1));
		uint64_t low = at;
		/* The other level is far away: this one had half of the memory free. It is told once; who binds now hears of it at once. */
		for (unsigned i = 0; i < 64; i++, at += PAGE_SIZE)
			DONE(frame_write(f, at, (const uint8_t *)"x", 1, &low));
		EQ(bits_of(n), 0);
		DONE(notify_pressure(n, 3 + round, 1));
		EQ(bits_of(n), 1ull << (3 + round));    /* and so it is told again in the next round */
		/* A little more is no end of it. */
		DONE(frame_decommit(f, at - 256 * PAGE_SIZE, 256 * PAGE_SIZE));
		at -= 256 * PAGE_SIZE;
		for (unsigned i = 0; i < 256; i++, at += PAGE_SIZE)
			DONE(frame_write(f, at, (const uint8_t *)"x", 1, &low));
		EQ(bits_of(n), 0);
		DONE(frame_decommit(f, 0, at));
		at = 0;
	}
	DONE(handle_close(f));
	DONE(handle_close(n));
}

static handle_t listen_port;
static volatile bool listens, told;

static void listen(struct worker *w)
{
	struct event e;
	w->result = thread_set_affinity(0, 1);
	listens = true;
	if (w->result == OK)
		w->result = ipc_accept(listen_port, FOREVER, &e);
	told = true;
}

/* What is left until half of the memory is in use, and a bit: a page fault is to be what gets there. */
static uint64_t pages_until_half(void)
{
	enum { LEFT_TO_PROGRAMS = 1024, SLACK = 256 };
	struct kstat k;
	if (kstat(res_info, &k) < 0 || k.pages_free < k.pages_total / 2 + LEFT_TO_PROGRAMS + SLACK)
		return 0;
	return k.pages_free - k.pages_total / 2 - LEFT_TO_PROGRAMS - SLACK;
}

/*
 * A page fault of a thread that is less urgent than who waits for that word of pressure, on one CPU: what is done to the other at that
 * moment finds it woken, or on its way.
 */
static void pressure_wakes(void)
{
	enum { FAULTS = 4096, WAIT_MS = 1000 };
	struct worker w;
	handle_t n, f;
	uint64_t va, done;
	status_t st = OK;
	listens = told = false;
	DONE(port_create(0, &listen_port));
	DONE(notify_create(&n));
	DONE(notify_port(n, listen_port, 1));
	DONE(frame_create(64ull * GiB, 0, &f));
	DONE(vmem_map(0, 0, 0, 0, FAULTS * PAGE_SIZE, PROT_READ | PROT_WRITE, &va));
	DONE(worker_start(&w, listen, NULL, PRIORITY_NORMAL));
	for (unsigned i = 0; i < WAIT_MS && !listens; i++)
		pause_ms(1);
	worker_settle(&w);
	uint64_t pages = pages_until_half();
	for (uint64_t i = 0; i < pages && st == OK; i++)
		st = frame_write(f, i * PAGE_SIZE, (const uint8_t *)"x", 1, &done);
	DONE(thread_set_affinity(0, 1));
	DONE(notify_pressure(n, 0, 1));
	DONE(thread_set_priority(0, PRIORITY_NORMAL - 2));
	for (uint64_t i = 0; i < FAULTS && !told && st == OK; i++) {
		*(volatile char *)(va + i * PAGE_SIZE) = 1;
		st = thread_suspend(w.thread);
		if (st == OK)
			st = thread_resume(w.thread);
	}
	bool heard = told;
	DONE(thread_set_priority(0, PRIORITY_NORMAL));
	DONE(notify_signal(n, 2));              /* whatever else has happened: it ends */
	DONE(worker_join(&w));
	DONE(vmem_unmap(0, va, FAULTS * PAGE_SIZE));
	DONE(handle_close(f));
	DONE(handle_close(n));
	DONE(handle_close(listen_port));
	DONE(st);
	DONE(w.result);
	CHECK(heard);
}

const struct test pager_tests[] = {
	{ "pager-refused", refused },
	{ "pager-pages", pages },
	{ "pager-written", written },
	{ "pager-together", together },
	{ "pager-dies", pager_dies },
	{ "pager-poisoned", poisoned },
	{ "pager-failed", failed },
	{ "pager-gone", port_gone },
	{ "pager-left", left },
	{ "pager-windows", windows },
	{ "pager-truncated", truncated },
	{ "pager-cloned", cloned },
	{ "pager-itself", itself },
	{ "pager-no-memory", no_memory },
	{ "pressure", pressure },
	{ "pressure-wakes", pressure_wakes },
	{ NULL, NULL },
};

/*
 * process: execution, ends, threads, Budgets and Namespaces of processes.
 */
#include <stdlib.h>
#include "test.h"

static void ends(void)
{
	struct process_info info;
	struct child c;
	DONE(child_run("exit", "42", &info));
	EQ(info.exit_kind, EXIT_NORMAL);
	EQ(info.exit_status, 42);
	EQ(info.threads, 0);
	DONE(child_start(&c, "sleep", NULL, NULL, 0, 0, 0));
	DONE(process_info(c.process, &info));
	EQ(info.pid, c.pid);
	EQ(info.exit_kind, EXIT_RUNNING);
	CHECK(!strcmp(info.name, "systest-child"));
	EQ(process_kill(c.process, 99), ERR_INVALID);
	handle_t weak;
	DONE(handle_dup(c.process, RIGHT_INSPECT, &weak));
	EQ(process_kill(weak, KILL_PLAIN), ERR_DENIED);
	DONE(handle_close(weak));
	DONE(process_kill(c.process, KILL_HEARTBEAT));
	DONE(process_kill(c.process, KILL_PLAIN));      /* the first word stands */
	DONE(child_wait(&c, 1000, &info));
	EQ(info.exit_kind, EXIT_KILLED);
	EQ(info.exit_status, KILL_HEARTBEAT);
	DONE(child_run("exit-thread", NULL, &info));    /* the last thread's exit is the process's */
	EQ(info.exit_kind, EXIT_NORMAL);
	EQ(info.exit_status, 0);
	DONE(child_run("exit-two-threads", NULL, &info));
	EQ(info.exit_kind, EXIT_NORMAL);
	struct spawn_handle give[] = { { .name = "info", .handle = res_info } };
	DONE(child_start(&c, "kill-self", NULL, give, 1, 0, 0));
	DONE(child_wait(&c, 1000, &info));
	EQ(info.exit_kind, EXIT_KILLED);
	DONE(child_run("many-threads", NULL, &info));
	EQ(info.exit_kind, EXIT_NORMAL);
	EQ(info.exit_status, 5);
	DONE(child_run("wait-everywhere", NULL, &info));
	EQ(info.exit_kind, EXIT_NORMAL);
	EQ(info.exit_status, 6);
}

static void look(void)
{
	struct process_info self, list[4];
	uint32_t got;
	handle_t h, weak;
	DONE(process_info(0, &self));
	bool seen = false;
	for (uint64_t first = 0; ; first = list[got - 1].pid + 1) {
		DONE(process_list(res_info, first, list, ARRAY_LEN(list), &got));
		if (!got)
			break;
		for (uint32_t i = 0; i < got; i++) {
			CHECK(list[i].pid >= first);
			seen = seen || list[i].pid == self.pid;
		}
	}
	CHECK(seen);
	DONE(process_list(res_info, UINT64_MAX, list, 4, &got));
	EQ(got, 0);
	DONE(process_open(res_info, self.pid, &h));
	DONE(process_info(h, list));
	EQ(list[0].pid, self.pid);
	DONE(handle_close(h));
	EQ(process_open(res_info, UINT64_MAX, &h), ERR_NOT_FOUND);
	EQ(process_open(res_info, 0, &h), ERR_NOT_FOUND);
	DONE(handle_dup(res_info, RIGHT_READ, &weak));
	DONE(process_open(weak, self.pid, &h));
	EQ(process_kill(h, KILL_PLAIN), ERR_DENIED);    /* without MANAGE only for looking */
	DONE(handle_close(h));
	DONE(handle_close(weak));
	DONE(handle_dup(res_info, RIGHT_MANAGE, &weak));
	EQ(process_open(weak, self.pid, &h), ERR_DENIED);
	EQ(process_list(weak, 0, list, 4, &got), ERR_DENIED);
	DONE(handle_close(weak));
	EQ(process_open(res_phys, self.pid, &h), ERR_DENIED);
	struct ns_entry ns[NS_ENTRIES_MAX];
	DONE(process_namespace(0, ns, ARRAY_LEN(ns), &got));
	CHECK(got > 0);
	DONE(process_namespace(0, ns, 1, &got));
	EQ(got, 1);
}

/* ---- process_exec by hand ---- */

static struct exec_args args;
static struct exec_segment segments[EXEC_SEGMENTS_MAX + 1];
static struct exec_handle handles[EXEC_HANDLES_MAX + 1];

/* A process that is two instructions: exit(arg). */
static void exec_reset(handle_t code)
{
	memset(segments, 0, sizeof(segments));
	memset(handles, 0, sizeof(handles));
	segments[0] = (struct exec_segment){ .frame = code, .prot = PROT_READ | PROT_EXEC, .va = 0x10000000000, .size = PAGE_SIZE };
	segments[1] = (struct exec_segment){ .prot = PROT_READ | PROT_WRITE, .va = 0x20000000000, .size = PAGE_SIZE };
	args = (struct exec_args){ .name = "by hand", .segments = (uint64_t)segments, .n_segments = 2, .handles = (uint64_t)handles,
		.entry = 0x10000000000, .stack = 0x20000001000, .arg = 11, .priority = PRIORITY_NORMAL, .level = 100 };
}

static void exec_by_hand(void)
{
	static const uint8_t code[] = { 0xb8, SYS_process_exit & 0xff, SYS_process_exit >> 8 & 0xff, SYS_process_exit >> 16 & 0xff, SYS_process_exit >> 24, 0x0f, 0x05 };
	handle_t f, p, none;
	uint64_t pid, done;
	struct process_info info;
	DONE(frame_create(PAGE_SIZE, 0, &f));
	DONE(frame_write(f, 0, code, sizeof(code), &done));
	exec_reset(f);
	DONE(process_exec(&args, &p, &pid));
	DONE(process_wait(p, now_ns() + NS_PER_SEC, &info));
	EQ(info.exit_kind, EXIT_NORMAL);
	EQ(info.exit_status, 11);
	DONE(handle_close(p));
#define BAD(change, want) do { exec_reset(f); change; EQ(process_exec(&args, &p, &pid), want); } while (0)
	BAD(args.n_segments = EXEC_SEGMENTS_MAX + 1, ERR_INVALID);
	BAD(args.n_handles = EXEC_HANDLES_MAX + 1, ERR_INVALID);
	BAD(args.n_segments = UINT32_MAX, ERR_INVALID);
	BAD(args.flags = 2, ERR_INVALID);
	BAD(args.table = 0x7fff0000, ERR_BAD_HANDLE);
	BAD(args.table = f, ERR_WRONG_TYPE);
	BAD(args.table = f; args.n_handles = 1, ERR_INVALID);
	BAD(args.priority = PRIORITY_MAX, ERR_INVALID);
	BAD(args.priority = UINT32_MAX, ERR_INVALID);
	BAD(args.entry = 0, ERR_INVALID);
	BAD(args.entry = USER_TOP, ERR_INVALID);
	BAD(args.entry = 0x800000000000, ERR_INVALID);
	BAD(args.entry = 0xffffffff80000000, ERR_INVALID);
	BAD(args.stack = 0x20000001008, ERR_INVALID);
	BAD(args.stack = 0xffff800000000000, ERR_INVALID);
	BAD(args.segments = 0, ERR_FAULT);
	BAD(args.segments = 0xffffffff80000000, ERR_FAULT);
	BAD(args.segments = UINT64_MAX, ERR_FAULT);
	BAD(args.handles = 8; args.n_handles = 1, ERR_FAULT);
	BAD(args.budget = 0x7fff0000, ERR_BAD_HANDLE);
	BAD(args.budget = f, ERR_WRONG_TYPE);
	BAD(args.ns = f, ERR_WRONG_TYPE);
	BAD(segments[0].frame = 0x7fff0000, ERR_BAD_HANDLE);
	BAD(segments[0].frame = res_info, ERR_WRONG_TYPE);
	BAD(segments[0].prot = 7, ERR_DENIED);
	BAD(segments[0].prot = 8, ERR_INVALID);
	BAD(segments[0].prot = MAP_REPLACE, ERR_INVALID);
	BAD(segments[0].prot = MAP_LOW | PROT_READ, ERR_INVALID);
	BAD(segments[0].offset = 1, ERR_INVALID);
	BAD(segments[0].offset = PAGE_SIZE, ERR_INVALID);
	BAD(segments[0].size = 0, ERR_INVALID);
	BAD(segments[0].size = 100, ERR_INVALID);
	BAD(segments[0].size = 2 * PAGE_SIZE, ERR_INVALID);
	BAD(segments[0].va = 0x1000, ERR_INVALID);
	BAD(segments[0].va = 0xffffffff80000000, ERR_INVALID);
	BAD(segments[0].va = USER_TOP, ERR_INVALID);
	BAD(segments[1].va = segments[0].va, ERR_EXISTS);
	BAD(segments[1].size = 1ull << 47, ERR_INVALID);
	BAD(segments[1].size = UINT64_MAX, ERR_INVALID);
	BAD(handles[0].handle = 0x7fff0000; args.n_handles = 1, ERR_BAD_HANDLE);
	DONE(handle_dup(f, RIGHT_ALL & ~RIGHT_TRANSFER, &none));
	BAD(handles[0].handle = none; args.n_handles = 1, ERR_DENIED);
	DONE(handle_close(none));
	DONE(handle_dup(f, RIGHT_MAP | RIGHT_READ, &none));
	BAD(segments[0].frame = none, ERR_DENIED);      /* EXEC is a right of its own */
	DONE(handle_close(none));
	/* An entry where nothing may be executed is the child's loss. */
	exec_reset(f);
	args.entry = 0x20000000000;
	DONE(process_exec(&args, &p, &pid));
	DONE(process_wait(p, now_ns() + NS_PER_SEC, &info));
	EQ(info.exit_kind, EXIT_FAULT);
	EQ(info.exit_status, 14);
	EQ(info.fault_address, 0x20000000000);
	DONE(handle_close(p));
	DONE(handle_close(f));
}

/* Handles arrive in the slots asked for, with the rights asked for and no more. */
static void inherit(void)
{
	struct process_info info;
	struct child c;
	handle_t n, weak;
	DONE(notify_create(&n));
	DONE(handle_dup(n, RIGHT_SIGNAL | RIGHT_TRANSFER, &weak));
	struct spawn_handle give[] = { { "a", n, RIGHT_WAIT | RIGHT_INSPECT, 1234 }, { "b", weak, 0, 0 } };
	DONE(child_start(&c, "check-handles", NULL, give, 2, 0, 0));
	DONE(child_wait(&c, 1000, &info));
	EQ(info.exit_kind, EXIT_NORMAL);
	EQ(info.exit_status, 0);
	DONE(handle_close(weak));
	DONE(handle_close(n));
}

/* A table that outlives its process is given to the next one, handles, tags and all. */
static void table_kept(void)
{
	static const uint8_t code[] = { 0xb8, SYS_process_exit & 0xff, SYS_process_exit >> 8 & 0xff, SYS_process_exit >> 16 & 0xff, SYS_process_exit >> 24, 0x0f, 0x05 };
	struct process_info info;
	struct child c;
	handle_t f, n, port, table, p, weak;
	uint64_t pid, done;
	struct event e;
	DONE(frame_create(PAGE_SIZE, 0, &f));
	DONE(frame_write(f, 0, code, sizeof(code), &done));
	DONE(port_create(0, &port));
	DONE(session_create(port, 321, 0, &n));
	struct spawn_handle give[] = { { "a", n, 0, 0 } };
	DONE(child_start(&c, "sleep", NULL, give, 1, 0, 0));
	DONE(handle_close(n));
	DONE(process_table(c.process, &table));
	EQ(process_table(f, &p), ERR_WRONG_TYPE);
	DONE(handle_dup(c.process, RIGHT_INSPECT, &weak));
	EQ(process_table(weak, &p), ERR_DENIED);
	DONE(handle_close(weak));
	exec_reset(f);
	args.table = table;
	EQ(process_exec(&args, &p, &pid), ERR_BUSY);
	DONE(child_kill(&c));
	EQ(ipc_accept(port, now_ns() + 2 * NS_PER_MS, &e), ERR_TIMED_OUT);      /* the Session is still held */
	DONE(process_exec(&args, &p, &pid));
	DONE(process_wait(p, now_ns() + NS_PER_SEC, &info));
	EQ(info.exit_status, 11);
	EQ(process_table(p, &weak), ERR_GONE);
	DONE(handle_close(p));
	DONE(handle_close(table));
	DONE(ipc_accept(port, now_ns() + NS_PER_SEC, &e));
	EQ(e.kind, ACCEPT_CLOSE);
	EQ(e.badge, 321);
	DONE(ipc_return(e.cmd, &(struct reply){ .status = OK }));
	DONE(handle_close(port));
	DONE(handle_close(f));
}

/* A table with a handle to itself in it is nobody's any more once its process is gone. */
static void table_in_itself(void)
{
	struct process_info info;
	struct child c;
	struct spawn_handle give[] = { { .name = "info", .handle = res_info } };
	DONE(child_start(&c, "own-table", NULL, give, 1, 0, 0));
	DONE(child_wait(&c, 1000, &info));
	EQ(info.exit_kind, EXIT_NORMAL);
}

/* ---- Budgets ---- */

static status_t run_in(const struct budget_limits *limits, const char *deed, struct process_info *info)
{
	handle_t b;
	struct child c;
	status_t st = budget_create(0, limits, &b);
	if (st < 0)
		return st;
	st = child_start(&c, deed, NULL, NULL, 0, b, 0);
	if (st == OK)
		st = child_wait(&c, 5000, info);
	struct budget_info after;
	if (st == OK)
		st = budget_info(b, &after);
	/* What the process had is given back once the last of it is reaped. */
	struct kstat k;
	for (unsigned i = 0; st == OK && i < 100; i++) {
		st = kstat(res_info, &k);
		if (st == OK)
			st = budget_info(b, &after);
		if (!after.used.pages && !after.used.handles && !after.used.threads && !after.used.commands && !after.used.processes && !after.used.kernel_bytes)
			break;
		pause_ms(2);
	}
	if (st == OK && (after.used.pages || after.used.handles || after.used.threads || after.used.commands || after.used.processes || after.used.kernel_bytes)) {
		test_fail(__FILE__, __LINE__, "%s left in its Budget: %llu pages, %llu bytes, %u handles, %u threads, %u commands, %u processes", deed,
			(unsigned long long)after.used.pages, (unsigned long long)after.used.kernel_bytes, after.used.handles, after.used.threads, after.used.commands, after.used.processes);
	}
	handle_close(b);
	return st;
}

static void budgets(void)
{
	static const struct budget_limits plenty = { 5000, 8 * MiB, 500, 50, 500, 10 };
	struct process_info info;
	struct budget_limits l = plenty;
	DONE(run_in(&plenty, "exit", &info));
	STILL_FINE();
	EQ(info.exit_kind, EXIT_NORMAL);
	l.pages = 100;
	DONE(run_in(&l, "bomb-memory", &info));
	STILL_FINE();
	EQ(info.exit_status, 0);
	l = plenty, l.handles = 40;
	DONE(run_in(&l, "bomb-handles", &info));
	STILL_FINE();
	EQ(info.exit_status, 0);
	l = plenty, l.threads = 5;
	DONE(run_in(&l, "bomb-threads", &info));
	STILL_FINE();
	EQ(info.exit_status, 0);
	l = plenty, l.commands = 20;
	DONE(run_in(&l, "bomb-sessions", &info));
	STILL_FINE();
	EQ(info.exit_status, 0);
	l = plenty, l.kernel_bytes = 64 * KiB;
	DONE(run_in(&l, "bomb-kernel", &info));
	STILL_FINE();
	EQ(info.exit_status, 0);
	/* Touching memory that the Budget does not have ends the process, nothing else. */
	l = plenty, l.pages = 60;
	DONE(run_in(&l, "touch-too-much", &info));
	STILL_FINE();
	EQ(info.exit_kind, EXIT_FAULT);
	EQ(info.exit_status, 14);
	/* No process fits at all. */
	struct child c;
	handle_t b;
	l = (struct budget_limits){ 0 };
	DONE(budget_create(0, &l, &b));
	CHECK(child_start(&c, "exit", NULL, NULL, 0, b, 0) < 0);
	DONE(handle_close(b));
	/* A chain of Budgets has an end. */
	handle_t chain[64];
	size_t n = 0;
	status_t st = OK;
	for (; st == OK && n < ARRAY_LEN(chain); n++)
		st = budget_create(n ? chain[n - 1] : 0, &plenty, &chain[n]);
	if (st < 0)
		n--;
	while (n > 0)
		DONE(handle_close(chain[--n]));
}

/* There is room for one: the next one starts as soon as the end of the last is told, wherever that one ran. */
static void one_after_the_other(void)
{
	const struct budget_limits one = { 300, 256 * KiB, 50, 1, 2, 1 };
	struct process_info info;
	struct child c;
	handle_t b;
	DONE(budget_create(0, &one, &b));
	for (unsigned i = 0; i < 200; i++) {
		DONE(child_start(&c, "exit", NULL, NULL, 0, b, 0));
		STILL_FINE();
		DONE(child_wait(&c, 5000, &info));
		EQ(info.exit_kind, EXIT_NORMAL);
	}
	/* Two at once are one too many, still. */
	struct child second;
	DONE(child_start(&c, "sleep", NULL, NULL, 0, b, 0));
	CHECK(child_start(&second, "exit", NULL, NULL, 0, b, 0) < 0);
	DONE(child_kill(&c));
	DONE(handle_close(b));
}

static void threads(void)
{
	handle_t t;
	EQ(thread_create(0, 0x10000000000, 0, 1, &t), ERR_INVALID);
	EQ(thread_create(USER_TOP, 0x10000000000, 0, 1, &t), ERR_INVALID);
	EQ(thread_create(0x800000000000, 0x10000000000, 0, 1, &t), ERR_INVALID);
	EQ(thread_create(0xffffffff80000000, 0x10000000000, 0, 1, &t), ERR_INVALID);
	EQ(thread_create(0x10000000000, USER_TOP, 0, 1, &t), ERR_INVALID);
	EQ(thread_create(0x10000000000, 0x10000000001, 0, 1, &t), ERR_INVALID);
	EQ(thread_create(0x10000000000, 0x10000000000, 0, PRIORITY_MAX, &t), ERR_INVALID);
	EQ(thread_set_base(2, 0), ERR_INVALID);
	EQ(thread_set_base(THREAD_FS_BASE, USER_TOP), ERR_INVALID);
	EQ(thread_set_base(THREAD_GS_BASE, 0x800000000000), ERR_INVALID);
	EQ(thread_set_base(THREAD_GS_BASE, UINT64_MAX), ERR_INVALID);
}

/* ---- what the children do ---- */

static int deed_exit(int argc, char **argv)
{
	return argc > 1 ? atoi(argv[1]) : 0;
}

static int deed_sleep(int argc unused, char **argv unused)
{
	thread_sleep(FOREVER);
	return 1;
}

static int exit_thread(int argc unused, char **argv unused)
{
	thread_exit();
}

static void only_exit(struct worker *w unused)
{
}

static void sleep_long(struct worker *w unused)
{
	thread_sleep(FOREVER);
}

/* Both end with nothing between that could tidy up after the first. */
static int exit_two_threads(int argc unused, char **argv unused)
{
	static struct worker w;
	MUST(thread_set_priority(0, PRIORITY_NORMAL));
	MUST(worker_start(&w, only_exit, NULL, PRIORITY_NORMAL));
	thread_exit();
}

static int kill_self(int argc unused, char **argv unused)
{
	struct process_info self;
	handle_t h;
	MUST(process_info(0, &self));
	MUST(process_open(start_handle("info"), self.pid, &h));
	MUST(process_kill(h, KILL_PLAIN));
	return 1;
}

static int own_table(int argc unused, char **argv unused)
{
	struct process_info self;
	handle_t h, table;
	MUST(process_info(0, &self));
	MUST(process_open(start_handle("info"), self.pid, &h));
	(void)process_table(h, &table);         /* refused is as good */
	return 0;
}

static int many_threads(int argc unused, char **argv unused)
{
	static struct worker w[16];
	for (size_t i = 0; i < ARRAY_LEN(w); i++)
		MUST(worker_start(&w[i], i % 2 ? sleep_long : only_exit, NULL, PRIORITY_NORMAL));
	return 5;
}

static handle_t wait_port, wait_session;

static void wait_in_accept(struct worker *w unused)
{
	struct event e;
	(void)ipc_accept(wait_port, FOREVER, &e);
}

static void wait_in_call(struct worker *w unused)
{
	struct msg m = { .op = 1, .in = "path", .in_len = 4, .flags = IPC_PATH, .handles = { wait_port, wait_session } };
	(void)ipc_call(wait_session, &m);
}

static void wait_with_deadline(struct worker *w unused)
{
	struct msg m = { .op = 1, .deadline = now_ns() + 3600 * NS_PER_SEC };
	(void)ipc_call(wait_session, &m);
}

/* A thread in every place where one can wait, and then the process ends. */
static int wait_everywhere(int argc unused, char **argv unused)
{
	static struct worker w[6];
	handle_t n;
	MUST(port_create(0, &wait_port));
	MUST(session_create(wait_port, 1, 0, &wait_session));
	MUST(notify_create(&n));
	MUST(notify_port(n, wait_port, 1));
	MUST(notify_timer(n, 1, now_ns() + 3600 * NS_PER_SEC, NS_PER_SEC));
	MUST(worker_start(&w[0], wait_in_call, NULL, PRIORITY_NORMAL));
	MUST(worker_start(&w[1], wait_with_deadline, NULL, PRIORITY_NORMAL));
	pause_ms(1);
	struct event e;
	MUST(ipc_accept(wait_port, FOREVER, &e));       /* one accepted, one queued */
	MUST(worker_start(&w[2], sleep_long, NULL, PRIORITY_NORMAL));
	MUST(notify_bind(n, 2, w[2].thread));
	MUST(port_create(0, &wait_port));
	MUST(worker_start(&w[3], wait_in_accept, NULL, PRIORITY_NORMAL));
	pause_ms(1);
	return 6;
}

static int check_handles(int argc unused, char **argv unused)
{
	struct handle_info list[16];
	uint32_t got, next;
	MUST(handle_list(0, 0, list, ARRAY_LEN(list), &got, &next));
	if (got != 2 || list[0].handle != HANDLE_FIRST(0) || list[1].handle != HANDLE_FIRST(1))
		return 1;
	if (list[0].handle != start_handle("a") || list[0].rights != (RIGHT_WAIT | RIGHT_INSPECT) || list[0].tag != 1234)
		return 2;
	if (list[1].rights != (RIGHT_SIGNAL | RIGHT_TRANSFER) || list[1].object_id != list[0].object_id)
		return 3;
	handle_t out;
	if (handle_dup(list[0].handle, RIGHT_ALL, &out) != ERR_DENIED)
		return 4;
	return 0;
}

static int fill_table(int argc unused, char **argv unused)
{
	handle_t n, h = 0, one = 0;
	MUST(notify_create(&n));
	status_t st = OK;
	uint32_t count = 0;
	for (; st == OK && count < 2 * HANDLES_MAX; count++) {
		st = handle_dup(n, RIGHT_ALL, &h);
		if (count == 500)
			one = h;
	}
	if (st != ERR_LIMIT && st != ERR_NO_MEMORY)
		return 1;
	if (st == ERR_LIMIT && count < HANDLES_MAX - 64)
		return 2;
	if (port_create(0, &h) >= 0)
		return 3;
	MUST(handle_close(one));
	MUST(port_create(0, &h));
	return 0;
}

static int bomb_memory(int argc unused, char **argv unused)
{
	handle_t f;
	uint64_t done;
	static const char page[PAGE_SIZE] = { 1 };
	MUST(frame_create(1 * MiB, 0, &f));
	for (uint64_t at = 0; at < 1 * MiB; at += PAGE_SIZE) {
		status_t st = frame_write(f, at, page, sizeof(page), &done);
		if (st < 0)
			return st == ERR_NO_MEMORY ? 0 : 1;
	}
	return 2;
}

static int bomb_handles(int argc unused, char **argv unused)
{
	handle_t h;
	for (unsigned i = 0; i < 100; i++) {
		status_t st = notify_create(&h);
		if (st < 0)
			return st == ERR_LIMIT ? 0 : 1;
	}
	return 2;
}

static int bomb_threads(int argc unused, char **argv unused)
{
	static struct worker w[20];
	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		status_t st = worker_start(&w[i], sleep_long, NULL, PRIORITY_NORMAL);
		if (st < 0)
			return st == ERR_LIMIT && i == 4 ? 0 : 1;
	}
	return 2;
}

static int bomb_sessions(int argc unused, char **argv unused)
{
	handle_t port, s;
	MUST(port_create(0, &port));
	for (unsigned i = 0; i < 100; i++) {
		status_t st = session_create(port, i, 0, &s);
		if (st < 0)
			return st == ERR_LIMIT ? 0 : 1;
	}
	return 2;
}

static int bomb_kernel(int argc unused, char **argv unused)
{
	uint64_t va;
	for (unsigned i = 0; i < 5000; i++) {
		status_t st = vmem_map(0, 0, 0, 0, PAGE_SIZE, PROT_READ, &va);
		if (st < 0)
			return st == ERR_NO_MEMORY ? 0 : 1;
	}
	return 2;
}

static int touch_too_much(int argc unused, char **argv unused)
{
	uint64_t va;
	MUST(vmem_map(0, 0, 0, 0, 1 * MiB, PROT_READ | PROT_WRITE, &va));
	memset((void *)va, 1, 1 * MiB);
	return 1;
}

/* One thread is this one. None of the others ever runs. */
static int all_threads(int argc unused, char **argv unused)
{
	handle_t t;
	for (unsigned i = 1; i < PROCESS_THREADS_MAX; i++) {
		MUST(thread_create((uint64_t)all_threads, 0, 0, PRIORITY_NORMAL | THREAD_SUSPENDED, &t));
		MUST(handle_close(t));
	}
	return thread_create((uint64_t)all_threads, 0, 0, PRIORITY_NORMAL | THREAD_SUSPENDED, &t) == ERR_LIMIT ? 0 : 3;
}

static void most_threads(void)
{
	struct process_info info;
	struct child c;
	DONE(child_start(&c, "all-threads", NULL, NULL, 0, 0, 0));
	DONE(child_wait(&c, 20000, &info));
	EQ(info.exit_kind, EXIT_NORMAL);
	EQ(info.exit_status, 0);
}

const struct deed process_deeds[] = {
	{ "exit", deed_exit },
	{ "sleep", deed_sleep },
	{ "exit-thread", exit_thread },
	{ "exit-two-threads", exit_two_threads },
	{ "kill-self", kill_self },
	{ "own-table", own_table },
	{ "many-threads", many_threads },
	{ "all-threads", all_threads },
	{ "wait-everywhere", wait_everywhere },
	{ "check-handles", check_handles },
	{ "fill-table", fill_table },
	{ "bomb-memory", bomb_memory },
	{ "bomb-handles", bomb_handles },
	{ "bomb-threads", bomb_threads },
	{ "bomb-sessions", bomb_sessions },
	{ "bomb-kernel", bomb_kernel },
	{ "touch-too-much", touch_too_much },
	{ NULL, NULL },
};

const struct test process_tests[] = {
	{ "process-ends", ends },
	{ "process-look", look },
	{ "process-exec", exec_by_hand },
	{ "process-inherit", inherit },
	{ "process-table", table_kept },
	{ "process-table-in-itself", table_in_itself },
	{ "process-budgets", budgets },
	{ "process-one-after-the-other", one_after_the_other },
	{ "process-threads", threads },
	{ "process-most-threads", most_threads },
	{ NULL, NULL },
};

/*
 * keeper: see keeper.h. Each instance of initd runs in the same Namespace and on the same handle table, where
 * its tagged handles tell it what it was doing; INSTANCE in its environment counts from 1. We hold handles
 * to its process, so its end reaches us as a notification, and to the table, so that it outlives the process.
 *
 * Our own life may end between any two system calls. What the next one of us finds is one of: no process and
 * no table (never started), both, or a process alone, whose table can still be asked for.
 */
#include "keeper.h"
#include <rt/io.h>
#include <rt/start.h>
#include <stdio.h>
#include <string.h>
#include <supervise/backoff.h>
#include <supervise/beat.h>
#include <supervise/reason.h>

/* Between initfsd (10), which initd may call, and the services (20 and up), which it may not. */
#define INITD_LEVEL 15
#define INITD_PATH  "sbin/initd"
/* So many faults, each soon after the last, and it is its table that makes it fail: away with all of it. */
#define FAULTS_MAX  6
/* The same of faults that came after it had accepted. More: it may only be asked for something that makes it fail. */
#define CALM_FAULTS_MAX 100

static struct {
	struct svc        *svc;     /* borrowed */
	const struct tree *tree;    /* borrowed */
	handle_t           process; /* owned; 0: none is running */
	handle_t           table;   /* owned; 0: there is none yet */
	handle_t           ns;      /* owned */
	handle_t           exited;  /* owned Notify, a fresh one for each instance: a binding stays with a dead process */
	handle_t           timer;   /* owned Notify */
	uint32_t           instance;        /* of the process, or of the last one */
	uint32_t           faults;          /* in a row */
	struct backoff     backoff;
	struct beat        beat;
} keeper;

#define INITD_LIMIT_NS (3 * NS_PER_SEC)
#define INITD_BEGIN_NS (20 * NS_PER_SEC)        /* until it accepts for the first time: it takes all services over before, on a host that may have a hundred things to do */
static char watch_stack[16 * KiB] aligned(16);

static uint64_t now_ns(void)
{
	uint64_t ns;
	MUST(clock_now(&ns));
	return ns;
}

static void drop(handle_t *h)
{
	if (*h)
		handle_close(*h);
	*h = 0;
}

/* Its end shall reach us, also if it has come already. */
static void watch(void)
{
	status_t st = svc_notify(keeper.svc, KEEPER_BADGE_EXIT, &keeper.exited);

	if (st >= 0)
		st = notify_bind(keeper.exited, 0, keeper.process);
	if (st < 0)
		log_print("the end of initd would go unnoticed: %s", error_text(st));
}

static void hold_table(void)
{
	status_t st = process_table(keeper.process, &keeper.table);

	if (st >= 0)
		st = handle_tag(keeper.table, TAG(keeper.instance, KIND_INITD_TABLE));
	if (st < 0)
		log_print("the handles of initd end with it: %s", error_text(st));
}

static status_t make_namespace(void)
{
	handle_t ns;

	status_t st = ns_create(&ns);
	if (st < 0)
		return st;
	st = proto_create(ns, "initfs", 6, keeper.svc->port, 0,
	                  RIGHT_READ | RIGHT_WRITE | RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER);
	if (st >= 0)
		st = handle_tag(ns, TAG(0, KIND_INITD_NS));
	if (st < 0) {
		handle_close(ns);
		return st;
	}
	keeper.ns = ns;
	return OK;
}

static status_t start_initd(void)
{
	status_t number = tree_find(keeper.tree, 0, INITD_PATH, strlen(INITD_PATH));
	if (number < 0)
		return number;
	const struct node *file = &keeper.tree->nodes[number];
	if (!file->frame)
		return ERR_BAD_FORMAT;
	struct process_info self;
	status_t st = process_info(0, &self);
	if (st >= 0 && !keeper.ns)
		st = make_namespace();
	if (st < 0)
		return st;
	char instance[32];
	snprintf(instance, sizeof(instance), "INSTANCE=%u", keeper.instance + 1);
	const char *const argv[] = { "initd" }, *const envp[] = { instance };
	const struct spawn_handle handles[] = {
		{ .name = "root", .handle = start_handle("root"), .tag = TAG(0, KIND_START_ROOT) },
		{ .name = "boot", .handle = start_handle("boot"), .tag = TAG(0, KIND_START_BOOT) },
		{ .name = "ns", .handle = keeper.ns, .tag = TAG(0, KIND_START_NS) },
	};
	const struct spawn s = {
		.name = "initd", .image = file->frame, .image_size = file->size,
		.argc = 1, .argv = argv, .envc = 1, .envp = envp,
		.handles = handles, .n_handles = keeper.table ? 0 : ARRAY_LEN(handles), .table = keeper.table,
		.ns = keeper.ns, .priority = self.priority, .level = INITD_LEVEL,
	};
	const char *why = NULL;
	uint64_t pid;
	st = spawn(&s, &keeper.process, &pid, &why);
	if (st < 0) {
		if (why)
			log_print("/" INITD_PATH ": %s", why);
		return st;
	}
	keeper.instance++;
	handle_tag(keeper.process, TAG(keeper.instance, KIND_INITD));
	if (!keeper.table)
		hold_table();
	watch();
	return OK;
}

static void start_or_wait(void)
{
	status_t st = start_initd();
	if (st >= 0)
		return;
	(void)!log_write("", 0);                /* without it nobody is there to show the log, in a quiet boot */
	if (st == ERR_NOT_FOUND || st == ERR_NOT_DIRECTORY || st == ERR_BAD_FORMAT) {
		/* The archive cannot change: trying again would only repeat the message. */
		log_print("initfs:///" INITD_PATH " cannot be executed (%s): no service will run", error_text(st));
		return;
	}
	uint64_t now = now_ns(), wait = MAX(backoff_fault(&keeper.backoff, now, now), BACKOFF_FIRST_NS);
	log_print("initd does not start: %s; next try in %llu ms", error_text(st), (unsigned long long)(wait / NS_PER_MS));
	MUST(notify_timer(keeper.timer, 0, now + wait, 0));
}

/* Of several processes (one of them just ended, or not yet tagged) the youngest. */
static void take_process(struct legacy *l)
{
	struct legacy_handle *best = NULL;
	struct process_info info;
	uint64_t pid = 0;

	for (uint32_t i = 0; i < l->n; i++) {
		struct legacy_handle *h = &l->list[i];
		if (h->taken || h->info.type != OBJ_PROCESS || process_info(h->info.handle, &info) < 0)
			continue;
		keeper.instance = MAX(keeper.instance, TAG_OWNER(h->info.tag));
		if (info.pid > pid) {
			pid = info.pid;
			best = h;
		}
	}
	if (!best)
		return;
	best->taken = true;
	keeper.process = best->info.handle;
	if (!best->info.tag) {
		keeper.instance++;
		handle_tag(keeper.process, TAG(keeper.instance, KIND_INITD));
	}
}

static void take_table(struct legacy *l)
{
	for (uint32_t i = 0; i < l->n && !keeper.table; i++) {
		struct legacy_handle *h = &l->list[i];
		if (h->taken || h->info.type != OBJ_TABLE)
			continue;
		h->taken = true;
		keeper.table = h->info.handle;
		keeper.instance = MAX(keeper.instance, TAG_OWNER(h->info.tag));
	}
}

/* An initd that no longer accepts is ended; it and we look after each other. */
static void look_at_initd(void)
{
	handle_t process = keeper.process;      /* of before, if the other thread changes it now */
	struct process_beat now;

	if (!process || process_beat(process, &now) < 0
	    || !beat_missed(&keeper.beat, keeper.instance, &now, now_ns(), now.progress ? INITD_LIMIT_NS : INITD_BEGIN_NS))
		return;
	log_print("initd has not accepted anything for %llu ms", (unsigned long long)(keeper.beat.silent_ns / NS_PER_MS));
	keeper.beat.pid = 0;
	(void)!process_kill(process, KILL_HEARTBEAT);
}

static noreturn void watch_initd(void)
{
	for (;;) {
		thread_sleep(now_ns() + BEAT_LOOK_NS);
		look_at_initd();
	}
}

/* A thread more urgent than initd, which might keep us from the CPU. */
static void begin_watch(void)
{
	struct process_info self;
	handle_t thread;

	MUST(process_info(0, &self));
	status_t st = thread_create((uint64_t)watch_initd, (uint64_t)watch_stack + sizeof(watch_stack) - 8, 0, self.priority, &thread);
	if (st >= 0)
		handle_close(thread);
	else
		log_print("nobody watches for initd hanging: %s", error_text(st));
}

void keeper_begin(struct svc *svc, const struct tree *tree, struct legacy *l)
{
	keeper.svc = svc;
	keeper.tree = tree;
	keeper.ns = legacy_take(l, OBJ_NAMESPACE, TAG(0, KIND_INITD_NS));
	take_table(l);
	take_process(l);
	legacy_sweep(l);
	MUST(svc_notify(svc, KEEPER_BADGE_TIMER, &keeper.timer));
	begin_watch();
	if (!keeper.process) {
		start_or_wait();
		return;
	}
	if (!keeper.table)
		hold_table();
	watch();
}

/*
 * What it finds in its table makes it fail: without the table its successor knows nothing, ends what the others
 * left running, and starts afresh.
 */
static void forget_table(uint32_t faults)
{
	log_print("initd has failed %u times: it starts afresh", faults);
	drop(&keeper.table);
	drop(&keeper.ns);
	keeper.faults = keeper.backoff.calm = 0;
}

/* How long the next one is put off, in ns, after a fault. */
static uint64_t wait_after(const struct process_info *info, uint64_t now)
{
	uint64_t wait;

	if (info->calm) {
		wait = backoff_calm_fault(&keeper.backoff, info->start_time_ns, now);
		if (keeper.backoff.calm == CALM_FAULTS_MAX)
			forget_table(CALM_FAULTS_MAX);
		return wait;
	}
	keeper.faults = now - info->start_time_ns < BACKOFF_WINDOW_NS ? keeper.faults + 1 : 1;
	wait = backoff_fault(&keeper.backoff, info->start_time_ns, now);
	if (keeper.faults == FAULTS_MAX)
		forget_table(FAULTS_MAX);
	return wait;
}

static void initd_ended(void)
{
	struct process_info info;
	char reason[128];
	uint64_t now = now_ns(), wait = 0;

	if (!keeper.process || process_info(keeper.process, &info) < 0 || info.exit_kind == EXIT_RUNNING)
		return;
	drop(&keeper.process);
	drop(&keeper.exited);
	reason_text(reason, sizeof(reason), &info);
	if (info.calm)
		keeper.faults = 0;              /* it had come up, and had nothing left to do */
	if (reason_is_fault(&info))
		wait = wait_after(&info, now);
	if (wait > 0)
		(void)!log_write("", 0);
	if (wait == 0) {
		log_print("initd (pid %llu) ended: %s; starting it again", (unsigned long long)info.pid, reason);
		start_or_wait();
		return;
	}
	log_print("initd (pid %llu) ended: %s; starting it again in %llu ms", (unsigned long long)info.pid, reason,
	          (unsigned long long)(wait / NS_PER_MS));
	MUST(notify_timer(keeper.timer, 0, now + wait, 0));
}

void keeper_notify(uint64_t badge)
{
	if (badge == KEEPER_BADGE_EXIT)
		initd_ended();
	else if (badge == KEEPER_BADGE_TIMER && !keeper.process)
		start_or_wait();
}

/*
 * keeper: see keeper.h. Each instance of initd gets a fresh Namespace with initfs bound, the root
 * Resource and the boot Frame; INSTANCE in its environment counts from 1. We keep a handle
 * on its process, so its end reaches us as a notification; the reason goes to the log.
 */
#include "keeper.h"
#include <rt/io.h>
#include <rt/start.h>
#include <stdio.h>
#include <string.h>
#include <supervise/backoff.h>
#include <supervise/reason.h>

/* Between initfsd (10), which initd may call, and the services (20 and up), which it may not. */
#define INITD_LEVEL 15
#define INITD_PATH  "sbin/initd"

static struct {
	struct svc        *svc;     /* borrowed */
	const struct tree *tree;    /* borrowed */
	handle_t           process; /* owned; 0: none is running */
	handle_t           exited;  /* owned Notify, a fresh one for each instance: a binding stays with a dead process */
	handle_t           timer;   /* owned Notify */
	uint64_t           started_ns;
	uint32_t           instance;
	struct backoff     backoff;
} keeper;

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

static status_t start_initd(void)
{
	status_t number = tree_find(keeper.tree, 0, INITD_PATH, strlen(INITD_PATH));
	if (number < 0)
		return number;
	const struct node *file = &keeper.tree->nodes[number];
	if (!file->frame)
		return ERR_BAD_FORMAT;

	handle_t ns;
	status_t st = ns_create(&ns);
	if (st < 0)
		return st;
	st = proto_create(ns, "initfs", 6, keeper.svc->port, 0,
	                  RIGHT_READ | RIGHT_WRITE | RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER);
	if (st < 0)
		goto close_ns;

	struct process_info self;
	st = process_info(0, &self);
	if (st < 0)
		goto close_ns;
	char instance[32];
	snprintf(instance, sizeof(instance), "INSTANCE=%u", keeper.instance + 1);
	const char *const argv[] = { "initd" }, *const envp[] = { instance };
	const struct spawn_handle handles[] = {
		{ .name = "root", .handle = start_handle("root") },
		{ .name = "boot", .handle = start_handle("boot") },
		{ .name = "ns", .handle = ns },
	};
	const struct spawn s = {
		.name = "initd", .image = file->frame, .image_size = file->size,
		.argc = 1, .argv = argv, .envc = 1, .envp = envp,
		.handles = handles, .n_handles = ARRAY_LEN(handles),
		.ns = ns, .priority = self.priority, .level = INITD_LEVEL,
	};
	const char *why = NULL;
	uint64_t pid;
	keeper.started_ns = now_ns();
	st = spawn(&s, &keeper.process, &pid, &why);
	if (st < 0) {
		if (why)
			log_print("/" INITD_PATH ": %s", why);
		goto close_ns;
	}
	keeper.instance++;
	st = svc_notify(keeper.svc, KEEPER_BADGE_EXIT, &keeper.exited);
	if (st >= 0)
		st = notify_bind(keeper.exited, 0, keeper.process);
	if (st < 0)
		log_print("initd runs as pid %llu, but its end would go unnoticed: %s", (unsigned long long)pid, error_text(st));
	handle_close(ns);
	return OK;

close_ns:
	handle_close(ns);
	return st;
}

static void start_or_wait(void)
{
	status_t st = start_initd();
	if (st >= 0)
		return;
	if (st == ERR_NOT_FOUND || st == ERR_NOT_DIRECTORY || st == ERR_BAD_FORMAT) {
		/* The archive cannot change: trying again would only repeat the message. */
		log_print("initfs:///" INITD_PATH " cannot be executed (%s): no service will run", error_text(st));
		return;
	}
	uint64_t now = now_ns(), wait = MAX(backoff_fault(&keeper.backoff, now, now), BACKOFF_FIRST_NS);
	log_print("initd does not start: %s; next try in %llu ms", error_text(st), (unsigned long long)(wait / NS_PER_MS));
	MUST(notify_timer(keeper.timer, 0, now + wait, 0));
}

void keeper_begin(struct svc *svc, const struct tree *tree)
{
	keeper.svc = svc;
	keeper.tree = tree;
	MUST(svc_notify(svc, KEEPER_BADGE_TIMER, &keeper.timer));
	start_or_wait();
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
	if (reason_is_fault(&info))
		wait = backoff_fault(&keeper.backoff, keeper.started_ns, now);
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

/*
 * heartbeat: see heartbeat.h. A thread of its own, more urgent than any service, since initd's other thread may be
 * waiting for just the one that hangs, or be kept from the CPU by it. What it reads of the services may be changed by
 * the other thread meanwhile: a handle of before names the process of before, or nothing. initfsd looks after
 * initd in the same way (sbin/initfsd/keeper.c).
 */
#include "heartbeat.h"
#include "service.h"
#include <rt/io.h>
#include <rt/start.h>
#include <string.h>
#include <supervise/beat.h>

#define INITFSD_LIMIT_NS (2 * NS_PER_SEC)

static struct beat beats[SERVICES_MAX];
static handle_t info;               /* borrowed */
static char stack[16 * KiB] aligned(16);

static uint64_t now_ns(void)
{
	uint64_t ns;
	MUST(clock_now(&ns));
	return ns;
}

/* Ends the process if it has been silent for too long. */
static void look_at(struct beat *b, handle_t process, uint64_t pid, const char *name, uint64_t limit_ns)
{
	struct process_beat now;

	if (process_beat(process, &now) < 0 || !beat_missed(b, pid, &now, now_ns(), limit_ns))
		return;
	log_print("%s (pid %llu) has not accepted anything for %llu ms", name, (unsigned long long)pid, (unsigned long long)(b->silent_ns / NS_PER_MS));
	b->pid = 0;
	(void)!process_kill(process, KILL_HEARTBEAT);   /* if it has just ended by itself, all the better */
}

static void look_at_services(void)
{
	for (uint32_t i = 0; i < services_count(); i++) {
		const struct service *s = service_at(i);
		handle_t process = s->process;
		if (s->state == SERVICE_RUNNING && process && service_has_loop(s) && s->m.heartbeat)
			look_at(&beats[i], process, s->pid, s->m.name, s->m.heartbeat * NS_PER_MS);
	}
}

/* The living initfsd: of a lower level than ours, which nobody but it can have. 0: there is none now. */
static handle_t open_initfsd(uint64_t *pid, uint32_t our_level)
{
	struct process_info list[8];
	uint32_t got;
	handle_t process;

	for (uint64_t next = 0; process_list(info, next, list, ARRAY_LEN(list), &got) >= 0 && got > 0; next = list[got - 1].pid + 1)
		for (uint32_t i = 0; i < got; i++) {
			const struct process_info *p = &list[i];
			if (p->level < our_level && !strcmp(p->name, "initfsd") && p->exit_kind == EXIT_RUNNING && process_open(info, p->pid, &process) >= 0) {
				*pid = p->pid;
				return process;
			}
		}
	return 0;
}

static noreturn void watch(void)
{
	struct beat b = { 0 };
	struct process_info self = { 0 };

	(void)!process_info(0, &self);
	for (;;) {
		thread_sleep(now_ns() + BEAT_LOOK_NS);
		look_at_services();
		/* Opened anew each time: a handle kept would keep the record of a dead one. */
		uint64_t pid;
		handle_t initfsd = open_initfsd(&pid, self.level);
		if (!initfsd)
			continue;
		look_at(&b, initfsd, pid, "initfsd", INITFSD_LIMIT_NS);
		handle_close(initfsd);
	}
}

void heartbeat_begin(handle_t our_info)
{
	struct process_info self;
	handle_t thread;

	info = our_info;
	MUST(process_info(0, &self));
	status_t st = thread_create((uint64_t)watch, (uint64_t)stack + sizeof(stack) - 8, 0, self.priority, &thread);
	if (st >= 0)
		handle_close(thread);
	else
		log_print("nobody watches for services that hang: %s", error_text(st));
}

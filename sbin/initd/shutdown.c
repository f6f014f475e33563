/*
 * shutdown: see shutdown.h. First what is no service, then the services from the highest level
 * down: nobody loses a server that it may still call. Each level has a second; what has not ended by
 * then is left to the power switch.
 */
#include "shutdown.h"
#include "power.h"
#include "service.h"
#include <rt/io.h>
#include <rt/start.h>
#include <string.h>

#define LEVEL_GRACE_NS NS_PER_SEC

static struct {
	handle_t info;              /* borrowed */
	handle_t timer;             /* owned Notify */
	bool     requested, running, reboot;
	uint32_t level;             /* the one that is ending; those above have ended */
} down;

void shutdown_init(struct svc *svc, handle_t info)
{
	down.info = info;
	MUST(svc_notify(svc, BADGE_POWER, &down.timer));
}

void shutdown_request(bool reboot)
{
	down.requested = true;
	down.reboot = reboot;
}

/* Kills every process but ours, initfsd and (unless `services_too`) the services. Returns how many there were. */
static uint32_t others_kill(bool services_too)
{
	struct process_info self, list[8];
	uint64_t next = 0;
	uint32_t got, found = 0;
	handle_t process;

	MUST(process_info(0, &self));
	while (process_list(down.info, next, list, ARRAY_LEN(list), &got) >= 0 && got > 0) {
		for (uint32_t i = 0; i < got; i++) {
			const struct process_info *p = &list[i];
			/* initfsd may be another process by now than the one that made us. */
			bool initfsd = p->level < self.level && !strcmp(p->name, "initfsd");
			bool keep = p->pid == self.pid || initfsd || p->exit_kind != EXIT_RUNNING;
			for (uint32_t k = 0; !services_too && k < services_count(); k++)
				keep = keep || service_at(k)->pid == p->pid;
			if (keep || process_open(down.info, p->pid, &process) < 0)
				continue;
			found++;
			status_t st = process_kill(process, KILL_PLAIN);
			if (st < 0)
				log_print("%s (pid %llu) cannot be killed: %s", p->name, (unsigned long long)p->pid, error_text(st));
			handle_close(process);
		}
		next = list[got - 1].pid + 1;
	}
	return found;
}

void shutdown_leftovers(void)
{
	uint64_t now;

	for (int i = 0; i < 1000 && others_kill(true) > 0; i++) {
		MUST(clock_now(&now));
		MUST(thread_sleep(now + NS_PER_MS));
	}
}

static void finish(void)
{
	if (down.reboot) {
		log_print("resetting the machine");
		power_reset();
		power_say("The machine could not be reset. All programs have ended: it is safe to switch it off.");
	} else {
		log_print("switching the machine off");
		power_off();
		power_say("The machine could not be switched off by software. All programs have ended: it is safe to switch it off.");
	}
}

/* Stops the running services of the highest level left; finishes when there are none. */
static void next_level(void)
{
	uint64_t now;
	uint32_t level = 0;

	for (uint32_t i = 0; i < services_count(); i++) {
		const struct service *s = service_at(i);
		if (s->process && s->m.level < down.level)
			level = MAX(level, s->m.level);
	}
	down.level = level;
	if (level == 0) {
		MUST(notify_timer(down.timer, 0, FOREVER, 0));
		finish();
		return;
	}
	for (uint32_t i = 0; i < services_count(); i++) {
		struct service *s = service_at(i);
		if (!s->process || s->m.level != level)
			continue;
		status_t st = service_stop(s);
		if (st < 0)
			log_print("%s cannot be stopped: %s", s->m.name, error_text(st));
	}
	MUST(clock_now(&now));
	MUST(notify_timer(down.timer, 0, now + LEVEL_GRACE_NS, 0));
}

/* A service has ended; was it the last of its level? */
static void ended(void)
{
	if (down.level == 0)
		return;
	for (uint32_t i = 0; i < services_count(); i++) {
		const struct service *s = service_at(i);
		if (s->process && s->m.level == down.level)
			return;
	}
	next_level();
}

void shutdown_timer(void)
{
	if (!down.running || down.level == 0)
		return;
	for (uint32_t i = 0; i < services_count(); i++) {
		const struct service *s = service_at(i);
		if (s->process && s->m.level == down.level)
			log_print("%s (pid %llu) does not end; going on without it", s->m.name, (unsigned long long)s->pid);
	}
	next_level();
}

void shutdown_idle(void)
{
	if (!down.requested || down.running)
		return;
	down.running = true;
	down.level = UINT32_MAX;
	/* Above all: a shell whose program ends now must not prompt before it ends itself. */
	struct process_info self;
	if (process_info(0, &self) >= 0)
		(void)!thread_set_priority(0, self.priority);
	log_print("%s", down.reboot ? "rebooting" : "powering off");
	services_shut(ended);
	others_kill(false);
	next_level();
}

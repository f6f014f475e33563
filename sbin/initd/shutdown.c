/*
 * shutdown: see shutdown.h. First what is no service, then the services from the highest level
 * down: nobody loses a server that it may still call. Each level has a second; what has not ended by
 * then is left to the power switch.
 *
 * The last one is acpid, which knows how the machine is switched off. It is asked, not called; if it has no answer, a bad one, or
 * takes longer than the switch should, power.c does what can be done without AML. fbd and outputd stay with it, to show how it goes.
 */
#include "shutdown.h"
#include "power.h"
#include "service.h"
#include "story.h"
#include <abi/file.h>
#include <gen/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdio.h>
#include <string.h>

#define LEVEL_GRACE_NS NS_PER_SEC
#define SWITCH_GRACE_NS (2 * NS_PER_SEC)

static struct {
	handle_t info;              /* borrowed */
	struct svc *svc;            /* borrowed */
	handle_t timer;             /* owned Notify */
	bool     requested, running, reboot;
	bool     asked;             /* acpid was, and has not answered */
	uint32_t level;             /* the one that is ending; those above have ended */
} down;

void shutdown_init(struct svc *svc, handle_t info)
{
	down.info = info;
	down.svc = svc;
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

/* Who provides acpi:// stays until all others have ended. NULL: nobody does. */
static const struct service *switcher(void)
{
	for (uint32_t i = 0; i < services_count(); i++) {
		const struct service *s = service_at(i);
		for (uint32_t k = 0; s->process && s->port && k < s->m.n_provides; k++)
			if (!strcmp(s->m.provides[k], "acpi"))
				return s;
	}
	return NULL;
}

/* Stays to the end: who switches off, and who shows how it goes. */
static bool stays(const struct service *s)
{
	static const char *const schemes[] = { "acpi", "tty", "fb" };

	for (uint32_t k = 0; k < s->m.n_provides; k++)
		for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
			if (!strcmp(s->m.provides[k], schemes[i]))
				return s->process != 0;
	return false;
}

/* The services that are being ended, for people. */
static void tell(uint32_t level)
{
	char names[96] = "";
	size_t n = 0;

	for (uint32_t i = 0; i < services_count(); i++) {
		const struct service *s = service_at(i);
		if (s->process && s->m.level == level && !stays(s) && n + strlen(s->m.name) + 2 < sizeof(names))
			n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", n ? " " : "", s->m.name);
	}
	story_down(down.reboot, names);
}

/* Submits the last request there is to acpid. False: it cannot be asked. */
static bool switcher_ask(void)
{
	const struct service *s = switcher();
	static struct msg m;
	handle_t session;
	uint64_t now;

	if (!s || port_reserve(down.svc->port, 1) < 0
	    || session_create(s->port, ACPI_BADGE_SUPERVISOR, RIGHT_READ | RIGHT_WRITE | RIGHT_CALL, &session) < 0)
		return false;
	file_ctl_ask(&m, &(struct file_ctl_req){ .code = down.reboot ? CTL_ACPI_REBOOT : CTL_ACPI_OFF });
	status_t st = ipc_submit(session, &m, down.svc->port, SHUTDOWN_TOKEN);
	if (st < 0) {
		log_print("%s cannot be asked: %s", s->m.name, error_text(st));
		handle_close(session);
		return false;
	}
	/* The Session stays: it ends with us. */
	down.asked = true;
	MUST(clock_now(&now));
	MUST(notify_timer(down.timer, 0, now + SWITCH_GRACE_NS, 0));
	return true;
}

/* By whoever can still show it. */
static void last_word(const char *text)
{
	log_print("%s", text);
	if (!story_last(text))
		power_say(text);
}

/* Without acpid. */
static void finish_alone(void)
{
	down.asked = false;
	MUST(notify_timer(down.timer, 0, FOREVER, 0));
	if (down.reboot) {
		power_reset();
		last_word("The machine could not be reset. All programs have ended: it is safe to switch it off.");
	} else {
		power_off();
		last_word("The machine could not be switched off by software. All programs have ended: it is safe to switch it off.");
	}
}

static void finish(void)
{
	log_print("%s", down.reboot ? "resetting the machine" : "switching the machine off");
	if ((down.reboot && !power_reset_asks_acpid()) || !switcher_ask())
		finish_alone();
}

void shutdown_answered(status_t st)
{
	if (!down.asked)
		return;                 /* too late: it was given up */
	log_print("acpid could not do it: %s", st < 0 ? error_text(st) : "it says that it did");
	finish_alone();
}

/* Stops the running services of the highest level left; finishes when there are none but the last. */
static void next_level(void)
{
	uint64_t now;
	uint32_t level = 0;

	/* What a shell started in its last moments, on another CPU, too. */
	others_kill(false);
	for (uint32_t i = 0; i < services_count(); i++) {
		const struct service *s = service_at(i);
		if (s->process && s->m.level < down.level && !stays(s))
			level = MAX(level, s->m.level);
	}
	down.level = level;
	tell(level);
	if (level == 0) {
		MUST(notify_timer(down.timer, 0, FOREVER, 0));
		finish();
		return;
	}
	for (uint32_t i = 0; i < services_count(); i++) {
		struct service *s = service_at(i);
		if (!s->process || s->m.level != level || stays(s))
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
		if (s->process && s->m.level == down.level && !stays(s)) {
			tell(down.level);
			return;
		}
	}
	next_level();
}

void shutdown_timer(void)
{
	if (down.asked) {
		log_print("acpid does not answer; going on without it");
		finish_alone();
		return;
	}
	if (!down.running || down.level == 0)
		return;
	for (uint32_t i = 0; i < services_count(); i++) {
		const struct service *s = service_at(i);
		if (s->process && s->m.level == down.level && !stays(s)) {
			log_print("%s (pid %llu) does not end; going on without it", s->m.name, (unsigned long long)s->pid);
			story_trouble_of(s->m.name, false, "does not end; going on without it");
		}
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
	next_level();
}

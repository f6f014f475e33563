/*
 * service: see service.h. Nothing here waits for a service.
 */
#include "inside.h"
#include "details.h"
#include "driver.h"
#include "instance.h"
#include "needs.h"
#include "step.h"
#include "story.h"
#include <rt/io.h>
#include <rt/start.h>
#include <stdio.h>
#include <string.h>
#include <supervise/reason.h>

#define STOP_GRACE_NS  (500 * NS_PER_MS)

struct service services[SERVICES_MAX];
uint32_t n_services;

/* Fixed after services_init. */
static struct svc *svc;             /* borrowed */
static handle_t root, boot;         /* borrowed */
static handle_t timers;             /* owned Notify: bit i ends the back-off of service i */
static struct records *records;     /* borrowed */
static service_settled *settled;
static void (*shut_ended)(void);    /* not NULL: the machine goes down */

static uint64_t now_ns(void)
{
	uint64_t ns;
	MUST(clock_now(&ns));
	return ns;
}

void service_drop(handle_t *h)
{
	if (*h) {
		step();
		handle_close(*h);
	}
	*h = 0;
}

void service_mark(const struct service *s, handle_t h, enum service_kind kind)
{
	step();
	handle_tag(h, TAG(s->owner, kind));
	step();
}

/* ---- its record ---- */

/* Written before what it announces is done; see record.h. */
static void note_until(const struct service *s, enum record_state state, uint64_t until_ns)
{
	struct record r = {
		.owner = s->owner, .state = state, .instances = s->instances, .pid = s->pid ? s->pid : s->last_pid,
		.until_ns = until_ns, .backoff = s->backoff,
		.flags = (s->plugged ? RECORD_PLUGGED : 0u) | (s->wired ? RECORD_WIRED : 0u)
		         | (s->stopping ? RECORD_STOPPING : 0u) | (s->restarting ? RECORD_RESTARTING : 0u)
		         | (s->faulted ? RECORD_FAULTED : 0u),
	};

	memcpy(r.reason, s->reason, sizeof(r.reason));
	r.death = s->death;
	step();
	record_write(s->record, &r);
	step();
}

static void note(const struct service *s, enum record_state state)
{
	note_until(s, state, 0);
}

void service_note_again(const struct service *s)
{
	struct record r;

	note(s, record_read(s->record, &r) ? r.state : RECORD_NEW);
}

uint32_t services_count(void)
{
	return n_services;
}

struct service *service_at(uint32_t index)
{
	return &services[index];
}

struct service *service_find(const char *name)
{
	for (uint32_t i = 0; i < n_services; i++)
		if (services[i].state != SERVICE_FREE && !strcmp(services[i].m.name, name))
			return &services[i];
	return NULL;
}

struct service *service_of(uint64_t owner)
{
	for (uint32_t i = 0; i < n_services; i++)
		if (services[i].state != SERVICE_FREE && services[i].owner == owner)
			return &services[i];
	return NULL;
}

const char *service_state_name(const struct service *s)
{
	static const char *const names[] = { "broken", "running", "waiting", "stopped", "ended", "unused", "template", "free" };
	return s->stopping ? "stopping" : names[s->state];
}

struct service *service_provider(const char *scheme, uint32_t *place)
{
	for (uint32_t i = 0; i < n_services; i++)
		for (uint32_t k = 0; services[i].state != SERVICE_BROKEN && k < services[i].m.n_provides; k++)
			if (!strcmp(services[i].m.provides[k], scheme)) {
				*place = k;
				return &services[i];
			}
	return NULL;
}

/* What needs_make and needs_plug gave it. */
static void drop_needs(struct service *s)
{
	service_drop(&s->port);
	service_drop(&s->image);
	service_drop(&s->budget);
	service_drop(&s->state_frame);
	service_drop(&s->shelf);
	service_drop(&s->ns);
}

void service_give_up(struct service *s, const char *reason)
{
	s->state = SERVICE_BROKEN;
	snprintf(s->reason, sizeof(s->reason), "%s", reason);
	drop_needs(s);
	log_print("%s: %s; the service is left out", s->m.name, reason);
	story_trouble(s, true, "%s; it is left out", reason);
}

/* Should two names have one hash: who comes first decides. For names of manifests that is the same in every life. */
void service_own(struct service *s, uint32_t owner)
{
	s->owner = owner;
	while (service_of(s->owner) != s)
		s->owner = s->owner % TAG_OWNER_MAX + 1;
	s->record = record_slot(records, s->owner);
}

/* ---- starting ---- */

/* A fresh Notify for each instance: a binding stays with the dead process as long as its Notify lives. */
status_t service_watch(struct service *s)
{
	status_t st = svc_notify(svc, BADGE_EXIT + s->index, &s->exited);
	if (st < 0)
		return st;
	service_mark(s, s->exited, KIND_EXIT);
	return notify_bind(s->exited, 0, s->process);
}

/* From here on nobody else serves its Port, and it only when all that the last instance had sent is answered. */
status_t service_attach(struct service *s)
{
	step();
	status_t st = s->port ? port_attach(s->port, s->process) : OK;
	return st == ERR_GONE ? OK : st;        /* it has ended already, which we shall hear of */
}

static status_t start_instance(struct service *s)
{
	status_t st = s->port ? OK : needs_plug(s);
	s->stopping = s->restarting = false;
	note(s, RECORD_DUE);
	if (st >= 0)
		st = instance_execute(s, root, boot, svc->port);
	if (st < 0)
		return st;
	service_mark(s, s->process, KIND_PROCESS);
	s->instances++;
	s->started_ns = now_ns();
	s->state = SERVICE_RUNNING;
	note(s, RECORD_RUNNING);
	st = service_watch(s);
	if (st >= 0)
		st = service_attach(s);
	if (st < 0) {
		/* Unwatched it could die unnoticed: rather not at all. Its end is then seen by nobody, so say so here. */
		log_print("%s (pid %llu) cannot be looked after: %s", s->m.name, (unsigned long long)s->pid, error_text(st));
		service_drop(&s->exited);
		if (process_kill(s->process, KILL_PLAIN) < 0)
			log_print("%s (pid %llu) cannot be killed either", s->m.name, (unsigned long long)s->pid);
		s->last_pid = s->pid;
		s->pid = 0;
		note(s, RECORD_DUE);
		service_drop(&s->process);
		s->state = SERVICE_WAITING;
	}
	return st;
}

static void unplug(struct service *s, enum service_state state)
{
	s->state = state;
	s->stopping = s->restarting = s->plugged = false;
	note(s, state == SERVICE_STOPPED ? RECORD_STOPPED : RECORD_ENDED);
	service_drop(&s->port);
}

status_t service_await_use(struct service *s)
{
	status_t st = s->port ? OK : needs_plug(s);

	s->stopping = s->restarting = false;
	note(s, RECORD_NEW);
	if (st >= 0)
		st = port_attach(s->port, 0);
	if (st >= 0)
		st = svc_notify(svc, BADGE_WANTED + s->index, &s->wanted);
	if (st >= 0) {
		service_mark(s, s->wanted, KIND_EXIT);
		st = notify_bind(s->wanted, 0, s->port);
	}
	if (st >= 0)
		s->state = SERVICE_UNUSED;
	else
		service_drop(&s->wanted);
	return st;
}

void service_start_later(struct service *s, uint64_t wait)
{
	uint64_t until = now_ns() + wait;

	s->state = SERVICE_WAITING;
	note_until(s, RECORD_WAITING, until);
	MUST(notify_timer(timers, s->index, until, 0));
}

/*
 * Starts s; what is scarce now may be there later, what is wrong with it stays wrong. An error has been
 * told to the log and to whoever waits for it.
 */
status_t service_start_or_wait(struct service *s)
{
	status_t st = start_instance(s);

	if (st >= 0) {
		settled(s, OK);
		return OK;
	}
	snprintf(s->reason, sizeof(s->reason), "does not start: %s", error_text(st));
	if (st == ERR_NO_MEMORY || st == ERR_LIMIT || st == ERR_BUSY) {
		uint64_t now = now_ns(), wait = MAX(backoff_fault(&s->backoff, now, now), BACKOFF_FIRST_NS);
		log_print("%s %s; next try in %llu ms", s->m.name, s->reason, (unsigned long long)(wait / NS_PER_MS));
		story_trouble(s, false, "%s; next try in %llu ms", s->reason, (unsigned long long)(wait / NS_PER_MS));
		service_start_later(s, wait);
	} else {
		log_print("%s %s", s->m.name, s->reason);
		story_trouble(s, true, "%s", s->reason);
		unplug(s, SERVICE_ENDED);
	}
	settled(s, st);
	return st;
}

void service_wanted(uint32_t index)
{
	struct service *s = &services[index];

	if (index >= n_services || s->state != SERVICE_UNUSED || shut_ended)
		return;
	service_drop(&s->wanted);
	service_start_or_wait(s);
}

/* ---- ends ---- */

static bool policy_says_restart(const struct service *s, const struct process_info *info)
{
	switch (s->m.restart) {
	case RESTART_ALWAYS:   return true;
	case RESTART_ON_FAULT: return info->exit_kind != EXIT_NORMAL || info->exit_status != 0;
	default:               return false;
	}
}

/* An end that people should hear of: a fault, or a service that gave up; not that somebody killed it or left a shell. */
static bool is_trouble(const struct service *s, const struct process_info *info)
{
	return !s->restarting && reason_is_fault(info) && (info->exit_kind != EXIT_NORMAL || (info->exit_status != 0 && !s->m.tty[0]));
}

/* How long the next instance is put off, in ns. */
static uint64_t wait_after(struct service *s, const struct process_info *info)
{
	uint64_t now = now_ns();

	if (s->restarting || !reason_is_fault(info))
		return 0;
	return info->calm ? backoff_calm_fault(&s->backoff, s->started_ns, now) : backoff_fault(&s->backoff, s->started_ns, now);
}

/* What follows from the end of an instance. The record says so first. */
static void instance_ended(struct service *s, const struct process_info *info)
{
	unsigned long long pid = info->pid;
	uint64_t wait;
	bool trouble = is_trouble(s, info), again = s->restarting || policy_says_restart(s, info);
	bool when_used = !again && !trouble && s->m.start == START_FIRST_USE;

	if (s->stopping || shut_ended) {
		log_print("%s (pid %llu) has stopped: %s", s->m.name, pid, s->reason);
		unplug(s, SERVICE_STOPPED);
		settled(s, OK);
		driver_stopped(s);
		if (shut_ended)
			shut_ended();
		return;
	}
	wait = again || when_used ? wait_after(s, info) : 0;
	/* One that ends again and again although there is a command for it has the pauses of a crash loop. */
	if (when_used && wait == 0 && service_await_use(s) >= 0) {
		log_print("%s (pid %llu) ended: %s; it starts again when it is used", s->m.name, pid, s->reason);
		settled(s, OK);
		return;
	}
	if (!again && !when_used) {
		log_print("%s (pid %llu) ended: %s", s->m.name, pid, s->reason);
		if (trouble)
			story_trouble(s, true, "%s; it is not started again", s->reason);
		unplug(s, SERVICE_ENDED);
		settled(s, OK);
		return;
	}
	if (wait == 0) {
		log_print("%s (pid %llu) ended: %s; starting it again", s->m.name, pid, s->reason);
		if (trouble)
			story_trouble(s, false, "%s; it is started again", s->reason);
		service_start_or_wait(s);
		return;
	}
	log_print("%s (pid %llu) ended: %s; starting it again in %llu ms", s->m.name, pid, s->reason,
	          (unsigned long long)(wait / NS_PER_MS));
	if (trouble)
		story_trouble(s, false, "%s; it is started again in %llu ms", s->reason, (unsigned long long)(wait / NS_PER_MS));
	service_start_later(s, wait);
	settled(s, OK);
}

void service_ended(uint32_t index)
{
	struct service *s = &services[index];
	struct process_info info;

	if (index >= n_services || !s->process || process_info(s->process, &info) < 0 || info.exit_kind == EXIT_RUNNING)
		return;
	/* Our handle to it goes when all is noted: until then the next one of us finds it dead and does the same. */
	handle_t ended = s->process;
	s->process = 0;
	service_drop(&s->exited);
	if (s->stop) {
		service_drop(&s->stop);
		MUST(notify_timer(timers, index, FOREVER, 0));
	}
	reason_text(s->reason, sizeof(s->reason), &info);
	s->faulted = !s->stopping && !s->restarting && reason_is_fault(&info);
	details_note(s, ended);
	s->last_pid = info.pid;
	s->pid = 0;
	instance_ended(s, &info);
	step();
	handle_close(ended);
}

static void timer_off(struct service *s)
{
	if (s->state == SERVICE_WAITING)
		MUST(notify_timer(timers, s->index, FOREVER, 0));
}

/* A program that waits for its terminal (story.h). */
static bool is_held(const struct service *s)
{
	return s->state == SERVICE_WAITING && s->instances == 0 && s->m.tty[0];
}

void services_release(const char *tty, bool on)
{
	for (uint32_t i = 0; i < n_services; i++) {
		struct service *s = &services[i];
		if (!is_held(s) || !strcmp(s->m.tty, tty) != on || shut_ended)
			continue;
		timer_off(s);
		service_start_or_wait(s);
	}
}

void service_timer(uint32_t index)
{
	struct service *s = &services[index];

	if (index >= n_services)
		return;
	if (s->state == SERVICE_WAITING && !shut_ended) {
		if (is_held(s))
			story_deadline();
		timer_off(s);           /* that it has rung leaves it there */
		service_start_or_wait(s);
	} else if (s->state == SERVICE_RUNNING && s->stop) {
		log_print("%s (pid %llu) does not stop by itself", s->m.name, (unsigned long long)s->pid);
		status_t st = process_kill(s->process, KILL_PLAIN);
		if (st < 0)
			log_print("%s (pid %llu) cannot be killed: %s", s->m.name, (unsigned long long)s->pid, error_text(st));
	}
}

/* ---- requests ---- */

/* Tells the service's loop to end; its timer then is the grace time. */
static status_t ask_to_stop(struct service *s)
{
	status_t st = notify_create(&s->stop);
	if (st < 0)
		return st;
	service_mark(s, s->stop, KIND_STOP);
	st = notify_port(s->stop, s->port, SVC_BADGE_STOP);
	if (st >= 0)
		st = notify_signal(s->stop, 1);
	if (st >= 0)
		st = notify_timer(timers, s->index, now_ns() + STOP_GRACE_NS, 0);
	if (st < 0)
		service_drop(&s->stop);
	return st;
}

status_t service_end(struct service *s, bool ask)
{
	if (s->state != SERVICE_RUNNING)
		return ERR_INVALID;
	if (ask && s->stop)
		return SVC_LATER;
	if (ask && service_has_loop(s) && ask_to_stop(s) >= 0)
		return SVC_LATER;
	status_t st = process_kill(s->process, KILL_PLAIN);
	return st < 0 ? st : SVC_LATER;
}

/* Asks it to end, for good or to come back; noted before, so that it is so whoever sees it end. */
static status_t end_as(struct service *s, bool stop)
{
	bool stopping = s->stopping, restarting = s->restarting;

	s->stopping = stop;
	s->restarting = !stop;
	service_note_again(s);
	status_t st = service_end(s, true);
	if (st < 0) {
		s->stopping = stopping;
		s->restarting = restarting;
		service_note_again(s);
	}
	return st;
}

status_t service_start(struct service *s)
{
	if (s->state == SERVICE_BROKEN || s->state == SERVICE_TEMPLATE || shut_ended || driver_is_leaving(s))
		return ERR_INVALID;
	if (s->state == SERVICE_RUNNING)
		return s->stopping ? ERR_BUSY : OK;
	timer_off(s);
	service_drop(&s->wanted);
	return service_start_or_wait(s);
}

status_t service_stop(struct service *s)
{
	if (s->state == SERVICE_WAITING || s->state == SERVICE_UNUSED) {
		timer_off(s);
		service_drop(&s->wanted);
		unplug(s, SERVICE_STOPPED);
		return OK;
	}
	if (s->state == SERVICE_STOPPED || s->state == SERVICE_ENDED)
		return OK;
	if (s->state == SERVICE_TEMPLATE)
		return ERR_INVALID;
	return end_as(s, true);
}

status_t service_restart(struct service *s)
{
	if (s->state != SERVICE_RUNNING || driver_is_leaving(s))
		return service_start(s);
	return end_as(s, false);
}

status_t service_kill(struct service *s)
{
	return service_end(s, false);
}

/* ---- for devices ---- */

struct service *services_add(const struct manifest *m, uint32_t owner)
{
	struct service *s = NULL;

	for (uint32_t i = 0; i < n_services && !s; i++)
		if (services[i].state == SERVICE_FREE)
			s = &services[i];
	if (shut_ended)
		return NULL;
	if (!s && n_services < SERVICES_MAX)
		s = &services[n_services];
	if (!s)
		return NULL;
	*s = (struct service){ .m = *m, .state = SERVICE_STOPPED, .index = (uint32_t)(s - services) };
	if (s->index == n_services)
		n_services++;
	service_own(s, owner ? owner : service_owner(s->m.name));
	if (s->record && !owner)
		record_write(s->record, &(struct record){ .owner = s->owner });
	if (s->record)
		return s;
	s->state = SERVICE_FREE;
	return NULL;
}

status_t service_launch(struct service *s)
{
	status_t st = needs_make(s);

	if (st < 0) {
		service_give_up(s, error_text(st));
		return st;
	}
	needs_bind_present(s);
	needs_bind_others(s);
	return service_start_or_wait(s);
}

/* Its record goes first: from then on its handles are nobody's, and the next one of us closes them. */
void service_forget(struct service *s)
{
	timer_off(s);
	service_drop(&s->wanted);
	step();
	record_free(s->record);
	step();
	drop_needs(s);
	service_drop(&s->device);
	s->m.n_opens = s->m.n_provides = 0;
	s->state = SERVICE_FREE;
}

/* ---- all of them ---- */

void services_init(struct svc *our_svc, handle_t root_resource, handle_t boot_frame, handle_t master_ns,
                   struct records *our_records, service_settled *on_settled)
{
	svc = our_svc;
	root = root_resource;
	boot = boot_frame;
	records = our_records;
	settled = on_settled;
	MUST(svc_notify(svc, BADGE_TIMERS, &timers));
	needs_init(root, master_ns, svc->port);
}

void services_shut(void (*ended)(void))
{
	shut_ended = ended;
	for (uint32_t i = 0; i < n_services; i++) {
		timer_off(&services[i]);
		if (services[i].state == SERVICE_WAITING)
			unplug(&services[i], SERVICE_STOPPED);
	}
}

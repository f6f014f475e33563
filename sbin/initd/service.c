/*
 * service: see service.h. Nothing here waits for a service: executables come from initfsd, which
 * is below us, and are kept mapped-by-handle, so that a restart asks nobody for anything.
 */
#include "service.h"
#include "details.h"
#include "driver.h"
#include "instance.h"
#include "step.h"
#include "story.h"
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <supervise/reason.h>

#define MANIFEST_DIR   "initfs:///etc/services"
#define MANIFEST_BYTES (64 * KiB)
#define SESSION_RIGHTS (RIGHT_READ | RIGHT_WRITE | RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER)
#define STATE_AT_ONCE  (256 * KiB)
#define STOP_GRACE_NS  (500 * NS_PER_MS)

static struct service services[SERVICES_MAX];
static uint32_t n_services;

/* Fixed after services_init. */
static struct svc *svc;             /* borrowed */
static handle_t root, boot, master; /* borrowed */
static handle_t initfs;             /* owned Session of initfs:///, to bind where a manifest opens it */
static handle_t timers;             /* owned Notify: bit i ends the back-off of service i */
static struct records *records;     /* borrowed */
static service_settled *settled;
static struct legacy *left;         /* borrowed, while services_begin runs: what the last instance left */
static void (*shut_ended)(void);    /* not NULL: the machine goes down */

static uint64_t now_ns(void)
{
	uint64_t ns;
	MUST(clock_now(&ns));
	return ns;
}

static void drop(handle_t *h)
{
	if (*h) {
		step();
		handle_close(*h);
	}
	*h = 0;
}

/* Marks a handle as belonging to a service. */
static void mark(const struct service *s, handle_t h, enum service_kind kind)
{
	step();
	handle_tag(h, TAG(s->owner, kind));
	step();
}

/* What an earlier instance left of it; 0: nothing. */
static handle_t take(const struct service *s, uint32_t type, enum service_kind kind)
{
	return left ? legacy_take(left, type, TAG(s->owner, kind)) : 0;
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

/* The same step, with flags or Port changed. */
static void note_again(const struct service *s)
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

/* The service that provides a scheme, and the scheme's place in its list. NULL: none. */
static struct service *provider(const char *scheme, uint32_t *place)
{
	for (uint32_t i = 0; i < n_services; i++)
		for (uint32_t k = 0; services[i].state != SERVICE_BROKEN && k < services[i].m.n_provides; k++)
			if (!strcmp(services[i].m.provides[k], scheme)) {
				*place = k;
				return &services[i];
			}
	return NULL;
}

static void give_up(struct service *s, const char *reason)
{
	s->state = SERVICE_BROKEN;
	snprintf(s->reason, sizeof(s->reason), "%s", reason);
	drop(&s->image);
	drop(&s->budget);
	drop(&s->state_frame);
	drop(&s->shelf);
	drop(&s->ns);
	drop(&s->port);
	log_print("%s: %s; the service is left out", s->m.name, reason);
	story_trouble(s, true, "%s; it is left out", reason);
}

/*
 * A service that is only short of memory now must not be left out by an instance that takes it over: its process would
 * run without anybody. Then rather once more from the beginning; what was left is still there.
 */
static void must_not_forget(status_t st)
{
	if (left && left->n > 0 && (st == ERR_NO_MEMORY || st == ERR_LIMIT))
		rt_panic("not enough memory to take the services over");
}

/* ---- reading manifests ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct service *)a)->m.name, ((const struct service *)b)->m.name);
}

static void manifest_read(const char *name)
{
	char uri[sizeof(MANIFEST_DIR) + NAME_MAX_BYTES + 2], *text;
	size_t size;
	struct manifest_error e;

	if (n_services == SERVICES_MAX) {
		log_print("%s/%s: more than %d services; it is left out", MANIFEST_DIR, name, SERVICES_MAX);
		story_trouble_of(name, true, "more than %d services; it is left out", SERVICES_MAX);
		return;
	}
	struct service *s = &services[n_services];
	snprintf(uri, sizeof(uri), "%s/%s", MANIFEST_DIR, name);
	status_t st = file_slurp(uri, MANIFEST_BYTES, &text, &size);
	if (st < 0) {
		must_not_forget(st);
		log_print("%s: %s; the service is left out", uri, error_text(st));
		story_trouble_of(name, true, "manifest: %s; it is left out", error_text(st));
		return;
	}
	s->state = SERVICE_STOPPED;
	if (!manifest_parse(&s->m, name, text, size, &e)) {
		char where[24] = "";
		if (e.line)             /* 0: the file as a whole */
			snprintf(where, sizeof(where), ", line %u", e.line);
		log_print("%s%s: %s; the service is left out", uri, where, e.reason);
		story_trouble_of(name, true, "manifest%s: %s; it is left out", where, e.reason);
		if (s->m.name[0]) {
			/* It stays in the list, so that svc:// shows what is missing and why. */
			s->state = SERVICE_BROKEN;
			s->troubled = true;
			snprintf(s->reason, sizeof(s->reason), "manifest%s: %s", where, e.reason);
			n_services++;
		}
	} else {
		s->state = s->m.n_pci ? SERVICE_TEMPLATE : SERVICE_STOPPED;
		n_services++;
	}
	free(text);
}

/* Should two names have one hash: who comes first decides. For names of manifests that is the same in every life. */
static void own(struct service *s, uint32_t owner)
{
	s->owner = owner;
	while (service_of(s->owner) != s)
		s->owner = s->owner % TAG_OWNER_MAX + 1;
	s->record = record_slot(records, s->owner);
}

static void manifests_read(void)
{
	static char buf[4 * KiB] aligned(8);
	uint64_t cookie = 0;
	size_t done;
	handle_t dir;

	status_t st = file_open(MANIFEST_DIR, OPEN_READ | OPEN_DIRECTORY, &dir);
	if (st < 0) {
		log_print("%s: %s; no service will run", MANIFEST_DIR, error_text(st));
		(void)!log_write("", 0);        /* also in a quiet boot */
		return;
	}
	while ((st = file_readdir(dir, &cookie, buf, sizeof(buf), &done)) >= 0 && done > 0) {
		for (size_t at = 0; at + sizeof(struct dirent) <= done;) {
			struct dirent *d = (struct dirent *)(buf + at);
			if (d->size == 0)
				break;
			if (d->type == FILE_REGULAR)
				manifest_read(d->name);
			at += d->size;
		}
	}
	if (st < 0)
		log_print("%s: %s", MANIFEST_DIR, error_text(st));
	file_close(dir);
	/* The archive's order means nothing; a service's index is to be the same in every boot. */
	qsort(services, n_services, sizeof(services[0]), by_name);
	for (uint32_t i = 0; i < n_services; i++) {
		struct service *s = &services[i];
		s->index = i;
		own(s, service_owner(s->m.name));
	}
}

/* ---- what a service needs, once ---- */

/* A scheme has one server: ours, initfsd's, and the first claim on any other stand. */
static void check_schemes(void)
{
	char text[96];

	for (uint32_t i = 0; i < n_services; i++) {
		struct service *s = &services[i];
		for (uint32_t k = 0; s->state != SERVICE_BROKEN && k < s->m.n_provides; k++) {
			const char *scheme = s->m.provides[k];
			uint32_t place;
			struct service *other = provider(scheme, &place);
			if (!strcmp(scheme, "svc") || !strcmp(scheme, "initfs") || !strcmp(scheme, "unix"))
				snprintf(text, sizeof(text), "scheme %s is not for services", scheme);
			else if (other != s)
				snprintf(text, sizeof(text), "scheme %s is already provided by %s", scheme, other->m.name);
			else
				continue;
			give_up(s, text);
		}
	}
}

static uint32_t limit32(uint64_t v)
{
	return (uint32_t)MIN(v, (uint64_t)UINT32_MAX);
}

/* Bytes that a manifest allows, perhaps as a part of all memory that processes can ever have. */
static uint64_t limit_bytes(uint64_t bytes, uint32_t percent)
{
	struct kstat k;

	if (!percent || kstat(root, &k) < 0)
		return bytes;
	return (k.pages_total - k.pages_kernel) * PAGE_SIZE / 100 * percent;
}

/* A state Frame. A small one is there at once: what a service must note it can note when memory is short, too. */
static status_t state_create(uint64_t size, handle_t *frame)
{
	status_t st = frame_create(size, 0, frame);
	uint64_t done;

	for (uint64_t at = 0; st >= 0 && at < size && size <= STATE_AT_ONCE; at += PAGE_SIZE)
		st = frame_write(*frame, at, "", 1, &done);
	if (st < 0)
		drop(frame);
	return st;
}

/* The executable, a Budget, a state Frame, a shelf. On error the caller gives the service up. */
static status_t make_parts(struct service *s)
{
	const struct manifest_budget *b = &s->m.budget;
	const uint64_t memory = limit_bytes(b->memory, b->memory_percent);
	const struct budget_limits limits = {
		.pages = memory == UINT64_MAX ? UINT64_MAX : (memory + PAGE_SIZE - 1) / PAGE_SIZE,
		.kernel_bytes = limit_bytes(b->kernel, b->kernel_percent), .handles = limit32(b->handles), .threads = limit32(b->threads),
		.commands = limit32(b->commands), .processes = limit32(b->processes),
	};
	handle_t file;

	status_t st = file_open(s->m.exec, OPEN_READ, &file);
	if (st < 0)
		return st;
	st = file_map(file, &s->image, &s->image_size);
	file_close(file);
	if (st < 0)
		return st;
	mark(s, s->image, KIND_IMAGE);
	s->budget = take(s, OBJ_BUDGET, KIND_BUDGET);
	if (!s->budget) {
		st = budget_create(0, &limits, &s->budget);
		if (st < 0)
			return st;
		mark(s, s->budget, KIND_BUDGET);
	}
	s->state_frame = take(s, OBJ_FRAME, KIND_STATE);
	if (service_has_loop(s) && !s->state_frame) {
		st = state_create(s->m.state, &s->state_frame);
		if (st < 0)
			return st;
		mark(s, s->state_frame, KIND_STATE);
	}
	s->shelf = take(s, OBJ_SHELF, KIND_SHELF);
	if (s->m.shelf && !s->shelf) {
		st = shelf_create(s->budget, &s->shelf);
		if (st < 0)
			return st;
		mark(s, s->shelf, KIND_SHELF);
	}
	s->ns = take(s, OBJ_NAMESPACE, KIND_NAMESPACE);
	if (!s->m.opens_all && !s->ns) {
		s->wired = false;
		st = ns_create(&s->ns);
		if (st < 0)
			return st;
		mark(s, s->ns, KIND_NAMESPACE);
	}
	return OK;
}

/* ---- schemes ---- */

static void bind(struct service *s, handle_t ns, const char *scheme, handle_t port, uint64_t badge)
{
	step();
	status_t st = proto_create(ns, scheme, strlen(scheme), port, badge, SESSION_RIGHTS);
	if (st < 0)
		log_print("%s: scheme %s cannot be bound: %s", s->m.name, scheme, error_text(st));
}

/* What it opens of those that are there already; who comes later binds itself. */
static void bind_present(struct service *s)
{
	for (uint32_t o = 0; s->ns && o < s->m.n_opens; o++) {
		uint32_t place;
		const struct service *server = provider(s->m.opens[o], &place);
		if (server && server->port)
			bind(s, s->ns, s->m.opens[o], server->port, place);
	}
}

/* A Port for s, a new one if it has none, known under its schemes to everybody who may open them. */
static status_t plug(struct service *s)
{
	if (!s->port) {
		status_t st = port_create(0, &s->port);
		if (st < 0)
			return st;
		mark(s, s->port, KIND_PORT);
	}
	for (uint32_t k = 0; k < s->m.n_provides; k++) {
		const char *scheme = s->m.provides[k];
		bind(s, master, scheme, s->port, k);
		for (uint32_t i = 0; i < n_services; i++) {
			struct service *client = &services[i];
			for (uint32_t o = 0; client->ns && o < client->m.n_opens; o++)
				if (!strcmp(client->m.opens[o], scheme))
					bind(client, client->ns, scheme, s->port, k);
		}
	}
	s->plugged = true;
	note_again(s);
	return OK;
}

/* The schemes of `opens` that no service provides: initfsd's, ours, and none at all. */
static void bind_others(struct service *s)
{
	for (uint32_t o = 0; s->ns && o < s->m.n_opens; o++) {
		const char *scheme = s->m.opens[o];
		uint32_t place;
		struct service *server = provider(scheme, &place);
		if (!strcmp(scheme, "svc")) {
			bind(s, s->ns, scheme, svc->port, 0);
		} else if (!strcmp(scheme, "initfs")) {
			status_t st = ns_bind(s->ns, scheme, strlen(scheme), initfs);
			if (st < 0)
				log_print("%s: scheme initfs cannot be bound: %s", s->m.name, error_text(st));
		} else if (!server) {
			log_print("%s opens %s, which nobody provides", s->m.name, scheme);
		} else if (server->m.level >= s->m.level && !(s->m.submits >> o & 1)) {
			log_print("%s (level %u) opens %s of %s (level %u): calls must go downwards", s->m.name, s->m.level, scheme,
			          server->m.name, server->m.level);
		}
	}
	s->wired = true;
	note_again(s);
}

/* ---- starting ---- */

/* A fresh Notify for each instance: a binding stays with the dead process as long as its Notify lives. */
static status_t watch(struct service *s)
{
	status_t st = svc_notify(svc, BADGE_EXIT + s->index, &s->exited);
	if (st < 0)
		return st;
	mark(s, s->exited, KIND_EXIT);
	return notify_bind(s->exited, 0, s->process);
}

/* From here on nobody else serves its Port, and it only when all that the last instance had sent is answered. */
static status_t attach(struct service *s)
{
	step();
	status_t st = s->port ? port_attach(s->port, s->process) : OK;
	return st == ERR_GONE ? OK : st;        /* it has ended already, which we shall hear of */
}

static status_t start_instance(struct service *s)
{
	status_t st = s->port ? OK : plug(s);
	s->stopping = s->restarting = false;
	note(s, RECORD_DUE);
	if (st >= 0)
		st = instance_execute(s, root, boot, svc->port);
	if (st < 0)
		return st;
	mark(s, s->process, KIND_PROCESS);
	s->instances++;
	s->started_ns = now_ns();
	s->state = SERVICE_RUNNING;
	note(s, RECORD_RUNNING);
	st = watch(s);
	if (st >= 0)
		st = attach(s);
	if (st < 0) {
		/* Unwatched it could die unnoticed: rather not at all. Its end is then seen by nobody, so say so here. */
		log_print("%s (pid %llu) cannot be looked after: %s", s->m.name, (unsigned long long)s->pid, error_text(st));
		drop(&s->exited);
		if (process_kill(s->process, KILL_PLAIN) < 0)
			log_print("%s (pid %llu) cannot be killed either", s->m.name, (unsigned long long)s->pid);
		s->last_pid = s->pid;
		s->pid = 0;
		note(s, RECORD_DUE);
		drop(&s->process);
		s->state = SERVICE_WAITING;
	}
	return st;
}

static void unplug(struct service *s, enum service_state state)
{
	s->state = state;
	s->stopping = s->restarting = s->plugged = false;
	note(s, state == SERVICE_STOPPED ? RECORD_STOPPED : RECORD_ENDED);
	drop(&s->port);
}

/* Until somebody sends it a command, it does not run. */
static status_t await_use(struct service *s)
{
	status_t st = s->port ? OK : plug(s);

	s->stopping = s->restarting = false;
	note(s, RECORD_NEW);
	if (st >= 0)
		st = port_attach(s->port, 0);
	if (st >= 0)
		st = svc_notify(svc, BADGE_WANTED + s->index, &s->wanted);
	if (st >= 0) {
		mark(s, s->wanted, KIND_EXIT);
		st = notify_bind(s->wanted, 0, s->port);
	}
	if (st >= 0)
		s->state = SERVICE_UNUSED;
	else
		drop(&s->wanted);
	return st;
}

/* Starts s after `wait` ns. */
static void start_later(struct service *s, uint64_t wait)
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
static status_t start_or_wait(struct service *s)
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
		start_later(s, wait);
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
	drop(&s->wanted);
	start_or_wait(s);
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

/* What follows from the end of an instance. The record says so first. */
static void instance_ended(struct service *s, const struct process_info *info)
{
	unsigned long long pid = info->pid;
	uint64_t wait = 0;
	bool trouble = is_trouble(s, info);

	if (s->stopping || shut_ended) {
		log_print("%s (pid %llu) has stopped: %s", s->m.name, pid, s->reason);
		unplug(s, SERVICE_STOPPED);
		settled(s, OK);
		driver_stopped(s);
		if (shut_ended)
			shut_ended();
		return;
	}
	if (!s->restarting && !policy_says_restart(s, info) && s->m.start == START_FIRST_USE && !reason_is_fault(info)
	    && await_use(s) >= 0) {
		log_print("%s (pid %llu) ended: %s; it starts again when it is used", s->m.name, pid, s->reason);
		settled(s, OK);
		return;
	}
	if (!s->restarting && !policy_says_restart(s, info)) {
		log_print("%s (pid %llu) ended: %s", s->m.name, pid, s->reason);
		if (trouble)
			story_trouble(s, true, "%s; it is not started again", s->reason);
		unplug(s, SERVICE_ENDED);
		settled(s, OK);
		return;
	}
	/* One that had waited for something to do, and so had done all that was there, is no crash loop. */
	if (!s->restarting && reason_is_fault(info) && !info->calm)
		wait = backoff_fault(&s->backoff, s->started_ns, now_ns());
	if (wait == 0) {
		log_print("%s (pid %llu) ended: %s; starting it again", s->m.name, pid, s->reason);
		if (trouble)
			story_trouble(s, false, "%s; it is started again", s->reason);
		start_or_wait(s);
		return;
	}
	log_print("%s (pid %llu) ended: %s; starting it again in %llu ms", s->m.name, pid, s->reason,
	          (unsigned long long)(wait / NS_PER_MS));
	if (trouble)
		story_trouble(s, false, "%s; it is started again in %llu ms", s->reason, (unsigned long long)(wait / NS_PER_MS));
	start_later(s, wait);
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
	drop(&s->exited);
	if (s->stop) {
		drop(&s->stop);
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
		start_or_wait(s);
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
		start_or_wait(s);
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
	mark(s, s->stop, KIND_STOP);
	st = notify_port(s->stop, s->port, SVC_BADGE_STOP);
	if (st >= 0)
		st = notify_signal(s->stop, 1);
	if (st >= 0)
		st = notify_timer(timers, s->index, now_ns() + STOP_GRACE_NS, 0);
	if (st < 0)
		drop(&s->stop);
	return st;
}

static status_t end_instance(struct service *s, bool ask)
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
	note_again(s);
	status_t st = end_instance(s, true);
	if (st < 0) {
		s->stopping = stopping;
		s->restarting = restarting;
		note_again(s);
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
	drop(&s->wanted);
	return start_or_wait(s);
}

status_t service_stop(struct service *s)
{
	if (s->state == SERVICE_WAITING || s->state == SERVICE_UNUSED) {
		timer_off(s);
		drop(&s->wanted);
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
	return end_instance(s, false);
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
	own(s, owner ? owner : service_owner(s->m.name));
	if (s->record && !owner)
		record_write(s->record, &(struct record){ .owner = s->owner });
	if (s->record)
		return s;
	s->state = SERVICE_FREE;
	return NULL;
}

status_t service_launch(struct service *s)
{
	status_t st = make_parts(s);

	if (st < 0) {
		give_up(s, error_text(st));
		return st;
	}
	bind_others(s);
	bind_present(s);
	return start_or_wait(s);
}

/* Its record goes first: from then on its handles are nobody's, and the next one of us closes them. */
void service_forget(struct service *s)
{
	timer_off(s);
	drop(&s->wanted);
	step();
	record_free(s->record);
	step();
	drop(&s->port);
	drop(&s->image);
	drop(&s->budget);
	drop(&s->state_frame);
	drop(&s->shelf);
	drop(&s->ns);
	drop(&s->device);
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
	master = master_ns;
	records = our_records;
	settled = on_settled;
	MUST(svc_notify(svc, BADGE_TIMERS, &timers));
	status_t st = file_open("initfs:///", OPEN_READ | OPEN_DIRECTORY, &initfs);
	if (st < 0)
		log_print("initfs:///: %s", error_text(st));
}

/* ---- taking over ---- */

/* The process that is the service's present instance; 0: none was left. */
static handle_t take_process(const struct service *s, const struct record *r, struct process_info *info)
{
	for (uint32_t i = 0; i < left->n; i++) {
		struct legacy_handle *h = &left->list[i];
		bool tagged = h->info.tag == TAG(s->owner, KIND_PROCESS);
		/* One that we made, and died before its tag: with all rights, unlike what process_open gives. */
		bool fresh = h->info.tag == 0 && h->info.rights == RIGHT_ALL;
		if (h->taken || h->info.type != OBJ_PROCESS || (!tagged && !fresh) || process_info(h->info.handle, info) < 0
		    || (fresh && strcmp(info->name, s->m.name)) || !record_owns(r, info->pid, tagged))
			continue;
		h->taken = true;
		if (fresh)
			mark(s, h->info.handle, KIND_PROCESS);
		return h->info.handle;
	}
	return 0;
}

/* What is known of s from its record and its handles. Nothing is started yet. */
static enum fate take_over(struct service *s)
{
	struct process_info info = { 0 };
	struct record r;

	if (!record_read(s->record, &r))
		r = (struct record){ .owner = s->owner };
	handle_t process = take_process(s, &r, &info);
	enum fate fate = record_decide(&r, process != 0, info.exit_kind == EXIT_RUNNING, info.pid);
	s->instances = r.instances;
	s->backoff = r.backoff;
	memcpy(s->reason, r.reason, sizeof(s->reason));
	s->death = r.death;
	s->plugged = r.flags & RECORD_PLUGGED;
	s->wired = r.flags & RECORD_WIRED;
	s->stopping = r.flags & RECORD_STOPPING;
	s->restarting = r.flags & RECORD_RESTARTING;
	s->faulted = r.flags & RECORD_FAULTED;
	s->process = process;
	s->pid = process ? info.pid : 0;
	s->last_pid = process ? 0 : r.pid;
	s->started_ns = info.start_time_ns;
	if (fate == FATE_REST)
		s->state = r.state == RECORD_STOPPED ? SERVICE_STOPPED : SERVICE_ENDED;
	else
		s->port = take(s, OBJ_PORT, KIND_PORT);
	if (!s->port)
		s->plugged = false;
	record_write(s->record, &r);
	return fate;
}

/* One that runs goes on: we watch it again, and a request to end that we had begun is made again. */
static void go_on(struct service *s)
{
	s->state = SERVICE_RUNNING;
	status_t st = watch(s);
	if (st >= 0)
		st = attach(s);
	if (st < 0)
		rt_panic("%s (pid %llu) cannot be watched: %s", s->m.name, (unsigned long long)s->pid, error_text(st));
	if (!s->stopping && !s->restarting)
		return;
	st = end_instance(s, true);
	if (st < 0)
		log_print("%s (pid %llu) cannot be stopped: %s", s->m.name, (unsigned long long)s->pid, error_text(st));
}

static void wait_on(struct service *s)
{
	struct record r;
	uint64_t now = now_ns();

	start_later(s, record_read(s->record, &r) && r.until_ns > now ? MIN(r.until_ns - now, BACKOFF_MAX_NS) : 0);
}

static bool begin(struct service *s, enum fate fate)
{
	if (driver_is_leaving(s) && fate != FATE_KEEP && fate != FATE_ENDED) {
		driver_stopped(s);
		return false;
	}
	s->stopping |= driver_is_leaving(s);
	switch (fate) {
	case FATE_KEEP:
		go_on(s);
		return true;
	case FATE_ENDED:
		s->state = SERVICE_RUNNING;
		service_ended(s->index);
		return s->state == SERVICE_RUNNING;
	case FATE_WAIT:
		wait_on(s);
		return false;
	case FATE_REST:
		return false;
	default:
		if (s->m.start == START_FIRST_USE && s->instances == 0 && await_use(s) >= 0)
			return false;
		if (s->instances == 0 && s->m.tty[0] && story_holds(s->m.tty)) {
			start_later(s, STORY_HOLD_NS);
			return true;
		}
		return start_or_wait(s) >= 0;
	}
}

/* Records of who is no more, and whose life ended before that could be written down. */
static void records_sweep(void)
{
	struct record r;

	for (uint32_t i = 0; i < RECORDS_MAX; i++)
		if (record_read(&records->slots[i], &r) && !service_of(r.owner))
			record_free(&records->slots[i]);
}

static bool could_run(const struct service *s)
{
	return s->state != SERVICE_BROKEN && s->state != SERVICE_TEMPLATE && s->state != SERVICE_FREE;
}

void services_begin(struct legacy *from)
{
	static enum fate fates[SERVICES_MAX];
	char text[MANIFEST_VALUE_MAX + 64];
	uint32_t running = 0, kept = 0, could = 0;

	left = from;
	manifests_read();
	check_schemes();
	drivers_restore(left);
	records_sweep();
	for (uint32_t i = 0; i < n_services; i++) {
		struct service *s = &services[i];
		if (!could_run(s))
			continue;
		fates[i] = take_over(s);
		status_t st = make_parts(s);
		if (st < 0) {
			must_not_forget(st);
			snprintf(text, sizeof(text), "%s: %s", s->m.exec, error_text(st));
			give_up(s, text);
		}
	}
	legacy_sweep(left);
	left = NULL;
	/* All Ports exist before anything runs: whoever opens a scheme first, simply waits for its service. */
	for (uint32_t i = 0; i < n_services; i++) {
		struct service *s = &services[i];
		if (!could_run(s))
			continue;
		if (!s->wired)
			bind_others(s);
		status_t st = s->plugged || fates[i] == FATE_REST ? OK : plug(s);
		if (st < 0)
			log_print("%s: its Port: %s", s->m.name, error_text(st));
	}
	story_begin(n_services);
	/* Programs last: whether they are held depends on how it went with the others. */
	for (uint32_t i = 0; i < 2 * n_services; i++) {
		struct service *s = &services[i % n_services];
		if (!could_run(s) || !s->m.tty[0] != (i < n_services))
			continue;
		kept += fates[s->index] == FATE_KEEP;
		running += begin(s, fates[s->index]);
	}
	story_begun();
	for (uint32_t i = 0; i < n_services; i++)
		could += services[i].state != SERVICE_TEMPLATE && services[i].state != SERVICE_FREE;
	if (kept > 0)
		log_print("%u services of %u run; %u ran on all the time", running, could, kept);
	else
		log_print("%u services of %u started", running, could);
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

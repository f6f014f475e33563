/*
 * takeover: see takeover.h.
 */
#include "takeover.h"
#include "driver.h"
#include "inside.h"
#include "needs.h"
#include "story.h"
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANIFEST_DIR   "initfs:///etc/services"
#define MANIFEST_BYTES (64 * KiB)

static struct legacy *left;         /* borrowed, while services_begin runs: what the last instance left */

handle_t takeover_handle(const struct service *s, uint32_t type, enum service_kind kind)
{
	return left ? legacy_take(left, type, TAG(s->owner, kind)) : 0;
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

static void manifests_read(void)
{
	static char buf[4 * KiB] aligned(8);
	uint64_t cookie = 0;
	size_t done;
	handle_t dir;

	status_t st = file_open(MANIFEST_DIR, OPEN_READ | OPEN_DIRECTORY, &dir);
	if (st < 0) {
		must_not_forget(st);
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
	if (st < 0) {
		must_not_forget(st);
		log_print("%s: %s", MANIFEST_DIR, error_text(st));
	}
	file_close(dir);
	/* The archive's order means nothing; a service's index is to be the same in every boot. */
	qsort(services, n_services, sizeof(services[0]), by_name);
	for (uint32_t i = 0; i < n_services; i++) {
		struct service *s = &services[i];
		s->index = i;
		service_own(s, service_owner(s->m.name));
	}
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
			service_mark(s, h->info.handle, KIND_PROCESS);
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
		s->port = takeover_handle(s, OBJ_PORT, KIND_PORT);
	if (!s->port)
		s->plugged = false;
	record_write(s->record, &r);
	return fate;
}

/*
 * One that runs goes on: we watch it again, and a request to end that we had begun is made again. One that its Port
 * cannot be given to yet serves nobody: it ends, and the next one comes when the Port is ready, as if it had just been started (start_instance).
 */
static void go_on(struct service *s)
{
	s->state = SERVICE_RUNNING;
	status_t st = service_watch(s);
	if (st >= 0)
		st = service_attach(s);
	if (st == ERR_BUSY) {
		log_print("%s (pid %llu) cannot be looked after: %s", s->m.name, (unsigned long long)s->pid, error_text(st));
		s->restarting = !s->stopping;
		service_note_again(s);
		st = service_end(s, false);
		if (st >= 0)
			return;
	}
	if (st < 0)
		rt_panic("%s (pid %llu) cannot be watched: %s", s->m.name, (unsigned long long)s->pid, error_text(st));
	if (!s->stopping && !s->restarting)
		return;
	st = service_end(s, true);
	if (st < 0)
		log_print("%s (pid %llu) cannot be stopped: %s", s->m.name, (unsigned long long)s->pid, error_text(st));
}

static void wait_on(struct service *s)
{
	struct record r;
	uint64_t now;

	MUST(clock_now(&now));
	service_start_later(s, record_read(s->record, &r) && r.until_ns > now ? MIN(r.until_ns - now, BACKOFF_MAX_NS) : 0);
}

static bool begin(struct service *s, enum fate fate)
{
	struct record r;

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
		/* Whether it was already used, or only before its last end, its record says. */
		if (s->m.start == START_FIRST_USE && record_read(s->record, &r) && r.state == RECORD_NEW && service_await_use(s) >= 0)
			return false;
		if (s->instances == 0 && s->m.tty[0] && story_holds(s->m.tty)) {
			service_start_later(s, STORY_HOLD_NS);
			return true;
		}
		return service_start_or_wait(s) >= 0;
	}
}

/* Records of who is no more, and whose life ended before that could be written down. */
static void records_sweep(struct records *records)
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

void services_begin(struct legacy *from, struct records *records)
{
	static enum fate fates[SERVICES_MAX];
	char text[MANIFEST_VALUE_MAX + 64];
	uint32_t running = 0, kept = 0, could = 0;

	left = from;
	manifests_read();
	needs_check_schemes();
	drivers_restore(left);
	records_sweep(records);
	for (uint32_t i = 0; i < n_services; i++) {
		struct service *s = &services[i];
		if (!could_run(s))
			continue;
		fates[i] = take_over(s);
		status_t st = needs_make(s);
		if (st < 0) {
			must_not_forget(st);
			snprintf(text, sizeof(text), "%s: %s", s->m.exec, error_text(st));
			service_give_up(s, text);
		}
	}
	legacy_sweep(left);
	left = NULL;
	/* All Ports exist before anything runs: whoever opens a scheme first, simply waits for its service. */
	for (uint32_t i = 0; i < n_services; i++) {
		struct service *s = &services[i];
		if (!could_run(s))
			continue;
		if (!s->wired) {
			needs_bind_present(s);
			needs_bind_others(s);
		}
		status_t st = s->plugged || fates[i] == FATE_REST ? OK : needs_plug(s);
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
		could += services[i].state != SERVICE_TEMPLATE && services[i].state != SERVICE_FREE && services[i].state != SERVICE_UNUSED;
	if (kept > 0)
		log_print("%u services of %u run; %u ran on all the time", running, could, kept);
	else
		log_print("%u services of %u started", running, could);
}

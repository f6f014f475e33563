/*
 * needs: see needs.h. Executables come from initfsd, which is below us, and are kept mapped-by-handle, so that a restart asks
 * nobody for anything.
 */
#include "needs.h"
#include "inside.h"
#include "step.h"
#include "takeover.h"
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdio.h>
#include <string.h>

#define SESSION_RIGHTS (RIGHT_READ | RIGHT_WRITE | RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER)
#define STATE_AT_ONCE  (256 * KiB)

/* Fixed after needs_init. */
static handle_t root, master, ours; /* borrowed */
static handle_t initfs;             /* owned Session of initfs:///, to bind where a manifest opens it */

void needs_init(handle_t root_resource, handle_t master_ns, handle_t our_port)
{
	root = root_resource;
	master = master_ns;
	ours = our_port;
	status_t st = file_open("initfs:///", OPEN_READ | OPEN_DIRECTORY, &initfs);
	if (st < 0)
		log_print("initfs:///: %s", error_text(st));
}

/* ---- once ---- */

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
		service_drop(frame);
	return st;
}

status_t needs_make(struct service *s)
{
	const struct manifest_budget *b = &s->m.budget;
	const uint64_t memory = limit_bytes(b->memory, b->memory_percent);
	const struct budget_limits limits = {
		.pages = memory == UINT64_MAX ? UINT64_MAX : (memory + PAGE_SIZE - 1) / PAGE_SIZE,
		.kernel_bytes = limit_bytes(b->kernel, b->kernel_percent), .handles = limit32(b->handles), .threads = limit32(b->threads),
		.commands = limit32(b->commands), .processes = limit32(b->processes),
	};

	status_t st = file_map_uri(s->m.exec, &s->image, &s->image_size);
	if (st < 0)
		return st;
	service_mark(s, s->image, KIND_IMAGE);
	s->budget = takeover_handle(s, OBJ_BUDGET, KIND_BUDGET);
	if (!s->budget) {
		st = budget_create(0, &limits, &s->budget);
		if (st < 0)
			return st;
		service_mark(s, s->budget, KIND_BUDGET);
	}
	s->state_frame = takeover_handle(s, OBJ_FRAME, KIND_STATE);
	if (service_has_loop(s) && !s->state_frame) {
		st = state_create(s->m.state, &s->state_frame);
		if (st < 0)
			return st;
		service_mark(s, s->state_frame, KIND_STATE);
	}
	s->shelf = takeover_handle(s, OBJ_SHELF, KIND_SHELF);
	if (s->m.shelf && !s->shelf) {
		st = shelf_create(s->budget, &s->shelf);
		if (st < 0)
			return st;
		service_mark(s, s->shelf, KIND_SHELF);
	}
	s->ns = takeover_handle(s, OBJ_NAMESPACE, KIND_NAMESPACE);
	if (!s->m.opens_all && !s->ns) {
		s->wired = false;
		st = ns_create(&s->ns);
		if (st < 0)
			return st;
		service_mark(s, s->ns, KIND_NAMESPACE);
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

void needs_bind_present(struct service *s)
{
	for (uint32_t o = 0; s->ns && o < s->m.n_opens; o++) {
		uint32_t place;
		const struct service *server = service_provider(s->m.opens[o], &place);
		if (server && server->port)
			bind(s, s->ns, s->m.opens[o], server->port, place);
	}
}

status_t needs_plug(struct service *s)
{
	if (!s->port) {
		status_t st = port_create(0, &s->port);
		if (st < 0)
			return st;
		service_mark(s, s->port, KIND_PORT);
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
	service_note_again(s);
	return OK;
}

void needs_bind_others(struct service *s)
{
	for (uint32_t o = 0; s->ns && o < s->m.n_opens; o++) {
		const char *scheme = s->m.opens[o];
		uint32_t place;
		struct service *server = service_provider(scheme, &place);
		if (!strcmp(scheme, "svc")) {
			bind(s, s->ns, scheme, ours, 0);
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
	service_note_again(s);
}

void needs_check_schemes(void)
{
	char text[96];

	for (uint32_t i = 0; i < n_services; i++) {
		struct service *s = &services[i];
		for (uint32_t k = 0; s->state != SERVICE_BROKEN && k < s->m.n_provides; k++) {
			const char *scheme = s->m.provides[k];
			uint32_t place;
			struct service *other = service_provider(scheme, &place);
			if (!strcmp(scheme, "svc") || !strcmp(scheme, "initfs") || !strcmp(scheme, "unix"))
				snprintf(text, sizeof(text), "scheme %s is not for services", scheme);
			else if (other != s)
				snprintf(text, sizeof(text), "scheme %s is already provided by %s", scheme, other->m.name);
			else
				continue;
			service_give_up(s, text);
		}
	}
}

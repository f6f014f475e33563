/*
 * details: see details.h. Function names come from the table behind the service's executable, of which initd holds a Frame.
 */
#include "details.h"
#include <rt/io.h>
#include <rt/start.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <supervise/names.h>

enum { HANDLE_BATCH = 64, THREADS_SHOWN = 32 };

struct out { char *at; size_t len, room; };

static void add(struct out *o, const char *format, ...) printf_like(2, 3);
static void add(struct out *o, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = vsnprintf(o->at + o->len, o->room - o->len, format, args);
	va_end(args);
	if (n > 0 && o->room > 0)
		o->len = MIN(o->len + (size_t)n, o->room - 1);
}

/* ---- where it ended ---- */

/* The table of names, on the heap; NULL: there is none. */
static char *names_read(const struct service *s, size_t *size)
{
	struct names_trailer t;
	uint64_t done = 0;

	if (!s->image || s->image_size < sizeof(t)
	    || frame_read(s->image, s->image_size - sizeof(t), &t, sizeof(t), &done) < 0 || done < sizeof(t)
	    || memcmp(t.magic, "name", 4) || t.size > NAMES_MAX || t.size > s->image_size - sizeof(t))
		return NULL;
	char *table = malloc(t.size + 1u);
	if (table && (frame_read(s->image, s->image_size - sizeof(t) - t.size, table, t.size, &done) < 0 || done < t.size)) {
		free(table);
		return NULL;
	}
	*size = t.size;
	return table;
}

static void write_way(const struct service *s, void (*line)(void *, const char *), void *arg)
{
	size_t size = 0;
	char *table = names_read(s, &size), text[160], name[128];

	for (uint32_t i = 0; i < MIN(s->death.n, (uint32_t)PROCESS_WAY); i++) {
		/* A return address is behind the call, which may be its function's last instruction. */
		uint64_t at = s->death.at[i], look = at - (i > 0);
		int64_t from = (int64_t)(look - s->death.entry);
		if (table && names_find(table, size, from, name, sizeof(name)))
			snprintf(text, sizeof(text), "%s", name);
		else
			snprintf(text, sizeof(text), "0x%llx", (unsigned long long)at);
		line(arg, text);
	}
	free(table);
}

static void to_log(void *arg, const char *line)
{
	const struct service *s = arg;
	log_print("%s:   at %s", s->m.name, line);
}

static void to_text(void *arg, const char *line)
{
	add(arg, "%-10s %s\n", "at", line);
}

void details_note(struct service *s, handle_t ended)
{
	struct process_way w;
	uint64_t now = 0;

	if (process_way(ended, &w) < 0 || w.n == 0)
		return;
	(void)clock_now(&now);
	s->death = (struct death){ .at_ns = now, .entry = w.entry, .n = MIN(w.n, (uint32_t)PROCESS_WAY) };
	memcpy(s->death.at, w.at, sizeof(s->death.at));
	write_way(s, to_log, s);
}

size_t details_death(const struct service *s, char *buf, size_t room)
{
	struct out o = { buf, 0, room };

	if (s->death.n > 0) {
		add(&o, "%-10s %llu.%03llu s\n", "failed-at", (unsigned long long)(s->death.at_ns / NS_PER_SEC),
		    (unsigned long long)(s->death.at_ns % NS_PER_SEC / NS_PER_MS));
		write_way(s, to_text, &o);
	}
	return o.len;
}

/* ---- what it does now ---- */

static void write_handles(struct out *o, handle_t process)
{
	static const char *const names[OBJ_TYPES] = {
		[OBJ_PROCESS] = "process", [OBJ_THREAD] = "thread", [OBJ_VMEM] = "vmem", [OBJ_FRAME] = "frame", [OBJ_PORT] = "port",
		[OBJ_SESSION] = "session", [OBJ_NAMESPACE] = "namespace", [OBJ_NOTIFY] = "notify", [OBJ_IRQ] = "irq",
		[OBJ_IOPORTS] = "ioports", [OBJ_RESOURCE] = "resource", [OBJ_BUDGET] = "budget", [OBJ_TABLE] = "table",
		[OBJ_SHELF] = "shelf", [OBJ_SOCKET] = "socket", [OBJ_DMA] = "dma",
	};
	struct handle_info batch[HANDLE_BATCH];
	uint32_t got, next = 0, count[OBJ_TYPES] = { 0 };

	do {
		if (handle_list(process, next, batch, HANDLE_BATCH, &got, &next) < 0)
			return;
		for (uint32_t i = 0; i < got; i++)
			if (batch[i].type < OBJ_TYPES)
				count[batch[i].type]++;
	} while (next);
	add(o, "%-10s", "holds");
	for (uint32_t i = 0; i < OBJ_TYPES; i++)
		if (count[i] && names[i])
			add(o, " %s:%u", names[i], count[i]);
	add(o, "\n");
}

static void write_thread(struct out *o, const struct thread_info *t)
{
	static const char *const states[] = { "ready", "running", "waits", "ended" };
	unsigned long long id = t->id, port = t->port, server = t->server;

	add(o, "%-10s %llu ", "thread", id);
	if (t->state != THREAD_IS_BLOCKED)
		add(o, "%s\n", t->state < ARRAY_LEN(states) ? states[t->state] : "?");
	else if (t->wait == THREAD_ACCEPTS)
		add(o, "accepts at port %llu\n", port);
	else if (t->wait == THREAD_CALLS && server)
		add(o, "calls port %llu, operation %u, accepted by process %llu\n", port, t->op, server);
	else if (t->wait == THREAD_CALLS)
		add(o, "calls port %llu, operation %u, queued\n", port, t->op);
	else
		add(o, "%s\n", t->wait == THREAD_SLEEPS ? "sleeps" : t->wait == THREAD_AT_SOCKET ? "waits at a socket" : t->wait == THREAD_IS_SUSPENDED ? "is suspended" : t->wait == THREAD_AT_FUTEX ? "waits at a futex" : "waits");
}

static void write_threads(struct out *o, handle_t process)
{
	struct thread_info batch[8];
	uint64_t first = 0;
	uint32_t got = 0, shown = 0;

	while (shown < THREADS_SHOWN && thread_list(process, first, batch, ARRAY_LEN(batch), &got) >= 0 && got > 0) {
		for (uint32_t i = 0; i < got; i++)
			write_thread(o, &batch[i]);
		shown += got;
		first = batch[got - 1].id + 1;
	}
}

size_t details_live(const struct service *s, char *buf, size_t room)
{
	struct out o = { buf, 0, room };
	struct port_info p;

	if (s->port && port_info(s->port, &p) >= 0)
		add(&o, "%-10s %u\n%-10s %u\n%-10s %u\n%-10s %llu\n%-10s %u\n", "sessions", p.sessions, "queued", p.queued, "accepted", p.accepted,
		    "served", (unsigned long long)p.accepted_ever, "accepting", p.waiting);
	if (s->process) {
		write_handles(&o, s->process);
		write_threads(&o, s->process);
	}
	return o.len;
}

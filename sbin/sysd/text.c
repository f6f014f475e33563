/*
 * text: see text.h. Every file is lines of `name value` or a table with one heading, so that people and
 * programs read the same.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "text.h"

void text_add(struct text *t, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	int n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n < 0 || t->failed)
		return;
	size_t len = MIN((size_t)n, sizeof(line) - 1);
	if (t->len + len > t->room) {
		size_t room = MAX(2 * t->room, (size_t)4096);
		char *data = realloc(t->data, room);
		if (!data) {
			t->failed = true;
			return;
		}
		t->data = data;
		t->room = room;
	}
	memcpy(t->data + t->len, line, len);
	t->len += len;
}

void text_free(struct text *t)
{
	free(t->data);
	*t = (struct text){ 0 };
}

const char *state_name(const struct process_info *p)
{
	static const char *const names[] = {
		[PROC_RUNNING] = "running", [PROC_READY] = "ready", [PROC_WAITING] = "waiting", [PROC_DYING] = "dying", [PROC_DEAD] = "dead",
	};
	return p->state < ARRAY_LEN(names) ? names[p->state] : "?";
}

const char *object_name(uint32_t type)
{
	static const char *const names[] = {
		[OBJ_NONE] = "none", [OBJ_PROCESS] = "process", [OBJ_THREAD] = "thread", [OBJ_VMEM] = "vmem", [OBJ_FRAME] = "frame",
		[OBJ_PORT] = "port", [OBJ_SESSION] = "session", [OBJ_NAMESPACE] = "namespace", [OBJ_NOTIFY] = "notify",
		[OBJ_IRQ] = "irq", [OBJ_IOPORTS] = "ioports", [OBJ_RESOURCE] = "resource", [OBJ_BUDGET] = "budget", [OBJ_TABLE] = "table",
		[OBJ_SHELF] = "shelf", [OBJ_SOCKET] = "socket", [OBJ_DMA] = "dma",
	};
	return type < ARRAY_LEN(names) && names[type] ? names[type] : "?";
}

void text_rights(char out[16], uint32_t rights)
{
	static const char letters[] = "rwxmdtcvgisW";   /* in the order of enum rights */

	_Static_assert(sizeof(letters) - 1 == 12 && RIGHT_ALL == (1 << 12) - 1, "a letter for each right");
	for (size_t i = 0; i < sizeof(letters) - 1; i++)
		out[i] = rights >> i & 1 ? letters[i] : '-';
	out[sizeof(letters) - 1] = 0;
}

void text_name(char out[PROCESS_NAME_MAX], const char name[PROCESS_NAME_MAX])
{
	size_t i = 0;

	for (; i < PROCESS_NAME_MAX - 1 && name[i]; i++)
		out[i] = name[i] > ' ' && name[i] != 0x7f ? name[i] : '?';
	if (i == 0)
		out[i++] = '?';
	out[i] = 0;
}

void text_process_head(struct text *t)
{
	text_add(t, "%6s %-16s %-8s %4s %4s %10s %8s %8s %7s %7s\n",
		"PID", "NAME", "STATE", "PRI", "LVL", "CPU-MS", "MEM-K", "MAP-K", "HANDLES", "THREADS");
}

void text_process_row(struct text *t, const struct process_info *p)
{
	char name[PROCESS_NAME_MAX];

	text_name(name, p->name);
	text_add(t, "%6llu %-16s %-8s %4u %4u %10llu %8llu %8llu %7u %7u\n", (unsigned long long)p->pid, name,
		state_name(p), p->priority, p->level, (unsigned long long)(p->cpu_time_ns / NS_PER_MS),
		(unsigned long long)p->memory_pages * 4, (unsigned long long)p->mapped_pages * 4, p->handles, p->threads);
}

static void add_value(struct text *t, const char *name, uint64_t value)
{
	text_add(t, "%s %llu\n", name, (unsigned long long)value);
}

void text_process_info(struct text *t, const struct process_info *p)
{
	static const char *const ends[] = { "running", "normal", "killed", "fault" };
	char name[PROCESS_NAME_MAX];

	text_name(name, p->name);
	add_value(t, "pid", p->pid);
	text_add(t, "name %s\nstate %s\nexit %s\n", name, state_name(p), p->exit_kind < ARRAY_LEN(ends) ? ends[p->exit_kind] : "?");
	text_add(t, "exit_status %lld\n", (long long)p->exit_status);
	text_add(t, "fault_rip 0x%llx\nfault_address 0x%llx\n", (unsigned long long)p->fault_rip, (unsigned long long)p->fault_address);
	add_value(t, "parent", p->parent_pid);
	add_value(t, "level", p->level);
	add_value(t, "priority", p->priority);
	add_value(t, "threads", p->threads);
	add_value(t, "handles", p->handles);
	add_value(t, "memory_pages", p->memory_pages);
	add_value(t, "mapped_pages", p->mapped_pages);
	add_value(t, "cpu_time_ns", p->cpu_time_ns);
	add_value(t, "start_time_ns", p->start_time_ns);
}

void text_handle_row(struct text *t, const struct handle_info *h)
{
	char rights[16];

	text_rights(rights, h->rights);
	text_add(t, "%08x %-9s %s tag %u object %llu\n", h->handle, object_name(h->type), rights, h->tag, (unsigned long long)h->object_id);
}

/* Every field of struct kstat after the objects, in its order; the size check below notices a new one. */
#define KSTAT_FIELDS(X) \
	X(handles) X(mappings) X(timers) X(commands_queued) X(commands_accepted) X(bindings) X(pages_frames) X(pages_tables) X(pages_sockets) X(pages_pinned) \
	X(pages_kernel) X(slab_bytes) X(table_bytes) X(pages_slab) X(pages_free) X(pages_total) X(time_ns) X(idle_ns) X(switches) \
	X(interrupts) X(page_faults) X(calls_short) X(calls_long) X(returns_short) X(returns_long) X(cpus)
#define KSTAT_ONE(name) + 1
_Static_assert(sizeof(struct kstat) == 8 * (1 + 24 + (0 KSTAT_FIELDS(KSTAT_ONE))), "a field of struct kstat is not printed");

void text_kstat(struct text *t, const struct kstat *k)
{
	for (uint32_t i = OBJ_NONE + 1; i < OBJ_TYPES; i++)
		text_add(t, "objects.%s %llu\n", object_name(i), (unsigned long long)k->objects[i]);
#define KSTAT_LINE(name) add_value(t, #name, k->name);
	KSTAT_FIELDS(KSTAT_LINE)
}

/*
 * tree: see tracing.h. Records come in the order in which things happened, so what a command was sent for is there
 * before it; where the ring had lost it, the command stands at the root.
 */
#include <rt/start.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tracing.h"

enum { BUCKETS = 4096, SERVERS = 80, DEPTH_MAX = 16 };

struct trace_node {
	uint64_t command, sent_ns, end_ns;      /* end 0: not yet */
	uint64_t below_ns;              /* of what was sent for its sake and waited for */
	uint64_t w[3];                  /* of the answer */
	uint32_t chain;                 /* next in its bucket, + 1 */
	uint32_t parent, first, last, next;     /* nodes + 1 */
	uint32_t pid;                   /* sender */
	int32_t  status;
	uint8_t  kind;                  /* how it ended: RETURNED, LEFT, FAILED */
	bool     submitted, asked_back, skipped;
	char     servers[SERVERS];      /* "a > b" forwarded, "a! a" died */
	char     request[96];
};

static struct trace_node *find(const struct trace_tree *t, uint64_t command)
{
	for (uint32_t i = command && t->buckets ? t->buckets[command % BUCKETS] : 0; i; i = t->nodes[i - 1].chain)
		if (t->nodes[i - 1].command == command)
			return &t->nodes[i - 1];
	return NULL;
}

static struct trace_node *make(struct trace_tree *t)
{
	if (!t->buckets)
		t->buckets = calloc(BUCKETS, sizeof(t->buckets[0]));
	if (t->n == t->room && t->room < TRACE_NODES_MAX) {
		uint32_t room = t->room ? MIN(2 * t->room, (uint32_t)TRACE_NODES_MAX) : 64u;
		struct trace_node *nodes = realloc(t->nodes, room * sizeof(*nodes));
		if (nodes) {
			t->nodes = nodes;
			t->room = room;
		}
	}
	if (!t->buckets || t->n == t->room) {
		t->dropped++;
		return NULL;
	}
	return &t->nodes[t->n++];
}

static void add_sent(struct trace_tree *t, const struct trace_record *r)
{
	struct trace_node *n = make(t), *parent = find(t, r->parent);

	if (!n)
		return;
	*n = (struct trace_node){
		.command = r->command, .sent_ns = r->time_ns, .chain = t->buckets[r->command % BUCKETS], .pid = r->pid,
		.submitted = r->flags & (TRACE_SUBMITTED | TRACE_CLOSE),
		.skipped = parent ? parent->skipped : t->skip_pid && r->pid == t->skip_pid,
	};
	trace_request(n->request, sizeof(n->request), r);
	t->buckets[r->command % BUCKETS] = t->n;
	if (!parent)
		return;
	n->parent = (uint32_t)(parent - t->nodes) + 1;
	if (parent->last)
		t->nodes[parent->last - 1].next = t->n;
	else
		parent->first = t->n;
	parent->last = t->n;
}

static void add_server(struct trace_node *n, const char *mark, const char *name)
{
	size_t len = strlen(n->servers);

	snprintf(n->servers + len, SERVERS - len, "%s%.*s", mark, PROCESS_NAME_MAX, name);
}

static void add_end(struct trace_tree *t, struct trace_node *n, const struct trace_record *r)
{
	struct trace_node *parent = n->parent ? &t->nodes[n->parent - 1] : NULL;

	if (n->end_ns)
		return;         /* its caller had left: what its server answered afterwards changes nothing */
	n->end_ns = r->time_ns;
	n->kind = r->kind;
	n->status = r->status;
	memcpy(n->w, r->w, sizeof(n->w));
	/* A server waits for what it calls, but not for what it submits. */
	if (parent && !n->submitted && !parent->end_ns)
		parent->below_ns += n->end_ns - n->sent_ns;
}

void trace_tree_add(struct trace_tree *t, const struct trace_record *r)
{
	struct trace_node *n = r->kind == TRACE_SENT ? NULL : find(t, r->command);

	if (r->kind == TRACE_SENT)
		add_sent(t, r);
	if (!n)
		return;         /* sent before tracing began, or lost */
	switch (r->kind) {
	case TRACE_FORWARDED:
		add_server(n, " > ", "");
		break;
	case TRACE_DELIVERED:
		add_server(n, "", r->text);
		break;
	case TRACE_REQUEUED:
		add_server(n, "! ", "");
		break;
	case TRACE_CANCEL:
		n->asked_back = true;
		break;
	case TRACE_RETURNED:
	case TRACE_LEFT:
	case TRACE_FAILED:
		add_end(t, n, r);
		break;
	default:
		break;
	}
}

static void write_result(char *buf, size_t size, const struct trace_node *n)
{
	if (!n->end_ns) {
		snprintf(buf, size, "(no answer yet)");
	} else if (n->status < 0) {
		snprintf(buf, size, "%s%s", error_name(n->status), n->kind == TRACE_LEFT ? " (left)" : "");
	} else {
		int last = 2;
		size_t len = (size_t)snprintf(buf, size, n->status ? "%d" : "ok", n->status);
		while (last >= 0 && !n->w[last])
			last--;
		for (int i = 0; i <= last && len < size; i++)
			len += (size_t)snprintf(buf + len, size - len, n->w[i] >> 32 ? " %#llx" : " %llu", (unsigned long long)n->w[i]);
	}
}

static void print_node(struct trace_tree *t, const struct trace_node *n, unsigned depth, void (*say)(void *, const char *), void *arg)
{
	char line[TRACE_LINE], result[64], times[32];
	uint64_t total = n->end_ns - n->sent_ns;

	write_result(result, sizeof(result), n);
	if (n->end_ns)
		snprintf(times, sizeof(times), "%10llu %10llu", (unsigned long long)total, (unsigned long long)(total - MIN(total, n->below_ns)));
	else
		snprintf(times, sizeof(times), "%10s %10s", "-", "-");
	snprintf(line, sizeof(line), "%s  %*s%s: %s%s%s = %s", times, (int)(2 * depth), "", n->servers[0] ? n->servers : "(nobody)",
		n->submitted ? "& " : "", n->request, n->asked_back ? " (asked back)" : "", result);
	say(arg, line);
	for (uint32_t i = n->first; i && depth < DEPTH_MAX; i = t->nodes[i - 1].next)
		print_node(t, &t->nodes[i - 1], depth + 1, say, arg);
}

void trace_tree_print(struct trace_tree *t, void (*say)(void *arg, const char *line), void *arg)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (!t->nodes[i].parent && !t->nodes[i].skipped)
			print_node(t, &t->nodes[i], 0, say, arg);
}

void trace_tree_free(struct trace_tree *t)
{
	free(t->nodes);
	free(t->buckets);
	*t = (struct trace_tree){ 0 };
}

/*
 * tracing: records of the kernel's trace in words, and as the tree of requests that they tell of (pure; docs/tracing.md).
 */
#pragma once
#include <abi/objects.h>

/* What a SENT or FORWARDED record asks: "OPEN initfs:///etc/motd 0x1". Cut to fit. */
void trace_request(char *buf, size_t size, const struct trace_record *r);
/* A record as one line, without the newline. */
void trace_line(char *buf, size_t size, const struct trace_record *r);
/* What is written to proc://trace: "on", "on PID", "stop", "off". False: none of these. */
bool trace_parse(const char *text, size_t len, uint32_t *what, uint64_t *pid);

struct trace_node;
struct trace_tree {
	struct trace_node *nodes;       /* heap, owned; in the order in which they were sent */
	uint32_t n, room;
	uint32_t *buckets;              /* heap, owned: node + 1 by command */
	uint32_t skip_pid;              /* its requests are left out, and all that they led to; 0: nobody's */
	uint64_t dropped;               /* commands for which there was no memory */
};
enum { TRACE_NODES_MAX = 50000, TRACE_LINE = 256 };

void trace_tree_add(struct trace_tree *t, const struct trace_record *r);
/* Calls `say` with each line of it, no newline. */
void trace_tree_print(struct trace_tree *t, void (*say)(void *arg, const char *line), void *arg);
void trace_tree_free(struct trace_tree *t);

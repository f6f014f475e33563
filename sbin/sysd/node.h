/*
 * node: what a badge of sysd's Port names, and how paths lead to it (pure).
 *
 * Badges 0..3 are the roots, in the order of `provides` in the manifest. A minted badge says it all
 * itself - kind, open number, process or place in the log - so sysd keeps nothing about open files and a
 * new instance serves old Sessions.
 */
#pragma once
#include <abi/types.h>

enum node_kind {
	NODE_LOG, NODE_PROC, NODE_NULL, NODE_ZERO,      /* the roots: the values are their badges */
	NODE_LOG_TEXT,              /* log:// as opened: arg = number of its first byte */
	NODE_LOG_FOLLOW,            /* log://follow: the same, and waits at the end */
	NODE_KSTAT, NODE_TABLE,     /* proc://kstat, proc:// as text */
	NODE_TRACE,                 /* proc://trace */
	NODE_PROCESS,               /* proc://PID; arg = pid, also below */
	NODE_NAME, NODE_STATE, NODE_CPU, NODE_MEMORY, NODE_HANDLES, NODE_NAMESPACE, NODE_INFO, NODE_CTL,
	NODE_KINDS,
};

struct node {
	enum node_kind kind;
	uint16_t serial;            /* tells apart opens of one file */
	uint64_t arg;               /* below 2^40 */
};

enum { NODE_FIRST_FILE = NODE_NAME, NODE_FILES = NODE_KINDS - NODE_NAME };

uint64_t node_badge(struct node n);
/* False: no badge of ours. */
bool node_from_badge(uint64_t badge, struct node *n);
/* Follows a path from `from`. "" is `from` itself. ERR_NOT_FOUND, ERR_NOT_DIRECTORY. */
must_use status_t node_walk(struct node from, const char *path, struct node *to);
const char *node_file_name(enum node_kind kind);    /* NODE_NAME .. NODE_CTL */
bool node_is_directory(enum node_kind kind);

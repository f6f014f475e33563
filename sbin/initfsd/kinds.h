/*
 * kinds: what initfsd's handles are (supervise/legacy.h); the owner is a file's number or an instance of initd.
 */
#pragma once
#include <supervise/legacy.h>

enum initfsd_kind {
	KIND_PORT = 1,              /* serves initfs:// */
	KIND_FILE,                  /* a file's content: complete, and nobody can write to it */
	KIND_INDEX,                 /* the tree (index.h): what it names is complete */
	KIND_EMPTY,                 /* what MAP gives for a file of no bytes */
	KIND_INITD,                 /* initd's process */
	KIND_INITD_TABLE,           /* its handle table, which outlives it */
	KIND_INITD_NS,              /* its Namespace */
};

/*
 * fuzz: what the parent and its children tell each other, through one Frame.
 */
#pragma once
#include <abi/ipc.h>
#include <abi/objects.h>
#include "../random.h"

enum { SHARE = 5000, SCHEMES_MAX = 24, CHILD_PRIORITY = 8 };

/* How a child may reach a scheme. */
enum reach {
	REACH_ROOT,             /* through the parent's Namespace, as any program */
	REACH_LOOK,             /* through a Session without RIGHT_WRITE */
	REACH_OWN,              /* through a Session of a directory of its own */
	REACH_NOT,
};

struct told {
	uint64_t sent;                  /* messages so far */
	uint32_t at_scheme, at_op;      /* of the last one, should it never be answered */
	uint32_t n;                     /* schemes */
	uint32_t logged;                /* the child prints its messages */
	uint32_t patient, reserved;     /* it waits for what may never come */
	struct { char name[SCHEME_MAX + 1]; uint32_t reach, reserved; uint64_t sent, good; } scheme[SCHEMES_MAX];
};
_Static_assert(sizeof(struct told) <= PAGE_SIZE, "one page");

int child(uint64_t seed);

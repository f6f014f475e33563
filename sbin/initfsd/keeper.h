/*
 * keeper: starts initd and starts it again whenever it ends.
 */
#pragma once
#include "tree.h"
#include <rt/svc.h>

enum { KEEPER_BADGE_EXIT = 1, KEEPER_BADGE_TIMER = 2 };     /* of notifications on our Port */

void keeper_begin(struct svc *svc, const struct tree *tree);
/* One of the badges above was signalled. */
void keeper_notify(uint64_t badge);

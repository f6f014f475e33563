/*
 * keeper: starts initd and starts it again whenever it ends, on the handle table that it left.
 */
#pragma once
#include "kinds.h"
#include "tree.h"
#include <rt/svc.h>

enum { KEEPER_BADGE_EXIT = 1, KEEPER_BADGE_TIMER = 2 };     /* of notifications on our Port */

/*
 * Takes over from an earlier instance what there is of initd (its process, table, Namespace), sweeps `l`, and
 * sees to it that initd runs. svc, tree: borrowed for ever.
 */
void keeper_begin(struct svc *svc, const struct tree *tree, struct legacy *l);
/* One of the badges above was signalled. */
void keeper_notify(uint64_t badge);

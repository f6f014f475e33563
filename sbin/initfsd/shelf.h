/*
 * shelf: the unpacked files as they lie in our handle table from one instance to the next.
 */
#pragma once
#include "kinds.h"
#include "tree.h"

/*
 * Fills `t` with the files that an earlier instance unpacked, and takes their Frames. False: there is nothing, or
 * not all of it is whole; t is empty then and every Frame left to the sweep.
 */
must_use bool shelf_read(struct tree *t, struct legacy *l);
/* Lays down the index of `t`, whose Frames are tagged already: from now on they count. */
void shelf_write(const struct tree *t);

/*
 * index: the tree without its contents as one block of bytes, so that the next instance need not unpack the
 * archive again. Numbers stay: they are the badges that clients hold. What is read is not trusted. Pure.
 */
#pragma once
#include "tree.h"

/* Bytes that index_write needs. */
size_t index_size(const struct tree *t);
void index_write(const struct tree *t, void *buf);
/*
 * Makes `t` (fresh: tree_init) what it was when it was written; contents are not there yet (data, frame).
 * ERR_BAD_FORMAT: not what index_write wrote; ERR_NO_MEMORY. On error t is of no use: tree_free.
 */
must_use status_t index_read(struct tree *t, const void *buf, size_t size);

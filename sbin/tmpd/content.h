/*
 * content: the bytes of files, each file's in a Frame of its own on the shelf, in the slot of its inode number.
 *
 * What lies behind a file's size is nobody's: an append that never came to count, a tail that was cut off. Whoever raises
 * a size clears what lies between (content_zero). A missing Frame is a file of zeros.
 *
 * A client that maps a file for writing may do anything to its Frame, also shrink it: nothing here believes a size it
 * has not just been told.
 */
#pragma once
#include <rt/ipc.h>

void content_init(handle_t shelf);
/* Frame of at least `size` bytes. NO_SPACE: the Budget is empty. */
must_use status_t content_reserve(uint32_t ino, uint64_t size);
must_use status_t content_read(uint32_t ino, uint64_t offset, void *buf, size_t len);
/* Room was reserved. NO_SPACE: the Budget is empty. */
must_use status_t content_write(uint32_t ino, uint64_t offset, const void *buf, size_t len);
/* [from, to) reads as zeros afterwards. */
must_use status_t content_zero(uint32_t ino, uint64_t from, uint64_t to);
/* Gives memory behind `size` back, as far as it can. */
void content_cut(uint32_t ino, uint64_t size);
/* Nobody needs it any more. Harmless if there is none. */
void content_drop(uint32_t ino);
/* A handle for a client with these rights, to be closed. Room was reserved. */
must_use status_t content_share(uint32_t ino, uint32_t rights, handle_t *h);

/*
 * load: unpacks the archive into a tree of files, each in a Frame of its own.
 */
#pragma once
#include "tree.h"

#define LOAD_UNPACKED_MAX (64 * MiB)

/* What every Frame of a file may be used for, here and by whoever maps the file. */
#define LOAD_FRAME_RIGHTS (RIGHT_READ | RIGHT_MAP | RIGHT_EXEC | RIGHT_DUP | RIGHT_TRANSFER)

/*
 * Fills `t` from the gzipped tar archive at `archive`. Whatever is wrong is told to the log; what was
 * read intact before it stays in the tree.
 */
void load_archive(struct tree *t, const void *archive, size_t size);

/*
 * names: which function an address of a program lies in, by the table that tools/mknames.py appends to its file (pure).
 */
#pragma once
#include <abi/types.h>

#define NAMES_MAX (64 * KiB)            /* a longer table is not believed */
struct names_trailer { char magic[4]; uint32_t size; };         /* "name"; of the text before it */
/* "function+0x12" of the address at `from_entry` bytes behind the entry. False: not known. */
bool names_find(const char *table, size_t size, int64_t from_entry, char *buf, size_t room);

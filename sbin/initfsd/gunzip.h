/*
 * gunzip: a gzip file in memory, unpacked into memory. libdeflate does the work, one member at a time; this checks what it
 * leaves to its caller: several members behind each other, padding, and how much of a damaged one can be used.
 */
#pragma once
#include <abi/types.h>

struct gunzip {
	size_t      in;             /* bytes of complete members: where the one that is damaged begins */
	size_t      out;            /* bytes they unpacked to */
	size_t      unverified;     /* bytes behind them, of a member that is complete but for its checksum */
	const char *why;            /* what is wrong; NULL: nothing */
};

/* No more than this comes out of `size` bytes, and not more than `limit`: the room for them. */
size_t gunzip_room(size_t size, size_t limit);
/* Unpacks `size` bytes at `data` into the `room` bytes at `out`, which are zero. Nothing is kept. */
struct gunzip gunzip(const void *data, size_t size, void *out, size_t room);
/*
 * With g->why: how many bytes at `out` came before the damage, as far as that can be seen. Behind `touched`, at most the
 * room, nothing has been written.
 */
size_t gunzip_rescued(const struct gunzip *g, const void *out, size_t touched);

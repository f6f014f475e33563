/*
 * crowd: what its clients and their judge share.
 */
#pragma once
#include <rt/state.h>

enum { FILES_MAX = 128, FILE_PATH = 64, AT_TEXT = 64, TOLD_MAX = 32 };

enum client_kind {
	KIND_TMP,       /* appends to one log, creates, renames, removes: tmp_rounds.h */
	KIND_COUNT,     /* adds to a counter of its own and to one that all have in common */
	KIND_INITFS,    /* reads files and compares sums */
	KIND_BLOCKS,    /* writes, reads, truncates a file of its own at random places, and knows what must be there */
	KIND_RNG,       /* random bytes: whole, and never the same twice */
	KIND_LOG,       /* follows the log: every line once, in order */
	KIND_PROC,      /* processes, zeros, nothing */
	KIND_TTY,       /* numbered lines on the terminal; who reads the other end judges */
	KIND_PTY,       /* lines typed on a pseudo-terminal of its own, and written to it: once, in order, on the other side */
	KIND_SVC,       /* the table of services */
	KIND_TIME,      /* the time, which goes on as the kernel's clock does, and alarms */
	KIND_FB,        /* a surface that comes, goes, changes its size and place, and keeps its pixels */
	KIND_INPUT,     /* the stream of events, the key map, the keyboard's lights */
	KIND_SPAWN,     /* starts programs */
	KINDS,
};

/* What one client was told; written by it alone. */
struct told {
	volatile unsigned rounds;       /* done */
	volatile unsigned ended;
	volatile uint64_t counts;       /* additions to the common counter */
	volatile uint64_t sums;         /* of what they were answered with */
	volatile uint64_t own;          /* its own counter's last answer */
	char at[AT_TEXT];               /* what it is doing, for whoever looks for one that hangs */
};

struct known_file { char path[FILE_PATH]; uint64_t size, sum; };

struct shared {
	volatile unsigned stop;
	unsigned patience_s;            /* for one answer, and one round */
	unsigned n_files;
	uint64_t common_before;
	struct told told[TOLD_MAX];
	struct known_file files[FILES_MAX];
};
#define SHARED_SIZE ALIGN_UP(sizeof(struct shared), PAGE_SIZE)

enum client_kind kind_of(unsigned client);
const char *kind_name(unsigned client);
/* Rounds until told to stop; what it returns is the client's exit status. */
int client_run(struct shared *s, unsigned self, uint64_t seed);

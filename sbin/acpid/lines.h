/*
 * lines: the interrupts that generic event devices name: which slot of the state Frame and the shelf is whose, and how much of acpid's
 * time they may take. Pure.
 */
#pragma once
#include <abi/types.h>

#define LINES_MAX 32

/* What is known of a slot, in one word, so that one store changes it: 0: nothing; else a line, whose Irq lies on the shelf. */
#define LINE_USED (1ull << 63)
#define LINE_WORD(gsi, flags) (LINE_USED | (uint64_t)(flags) << 32 | (gsi))     /* flags: IRQ_LEVEL, IRQ_ACTIVE_LOW */

enum line_verdict {
	LINE_NEW,       /* the slot is empty */
	LINE_KEPT,      /* the instance before had the same */
	LINE_STALE,     /* the slot has what the instance before had, and nobody names now: that is dropped first */
	LINE_SAME,      /* another device, or the same, has named it already */
	LINE_OTHER,     /* so it has, but with another trigger or polarity: the first word counts */
	LINE_FULL,      /* no slot is left */
};

/*
 * The slot for a line. kept: the words of all slots. named: a bit each, those that this instance has seen a device for. *slot is
 * untouched for LINE_FULL. No slot that is not in `named` has the line beside the one that is given.
 */
enum line_verdict line_place(const uint64_t kept[LINES_MAX], uint32_t named, uint32_t gsi, uint32_t flags, uint32_t *slot);
/* Whether a word is one that line_place was given, or a stray store's. */
bool line_sensible(uint64_t word);

/*
 * How much an interrupt has taken lately, in ns: it grows with every ring, and with the time that its method took, and shrinks as time
 * goes by. Zero is the beginning.
 */
struct storm { uint64_t at_ns, level_ns; };

#define STORM_RING_NS   (30 * NS_PER_MS)        /* of one ring: 33 a second, which is as fast as keys repeat, may go on for ever */
#define STORM_SHARE     3                       /* and three times what the method took: a third of the time may be AML's */
#define STORM_EASY_NS   (500 * NS_PER_MS)       /* above: there are pauses, in which clients are served */
#define STORM_END_NS    (12 * NS_PER_SEC)       /* above: it has no end */
#define STORM_PAUSE_NS  (5 * NS_PER_MS)

enum storm_verdict { STORM_NONE, STORM_PAUSE, STORM_END };
/* Its method ran from `began` to `ended` (ns, of one clock). PAUSE: *pause_ns is how long the line is to be left masked. */
enum storm_verdict storm_ran(struct storm *s, uint64_t began, uint64_t ended, uint64_t *pause_ns);

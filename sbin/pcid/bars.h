/*
 * bars: where a function's registers lie and how large they are (PCI 3.0 §6.2.5; pure, as function.h). To ask for the size
 * all ones are written where the address stands, with decoding off. Whoever dies in between would leave the device nowhere:
 * so the old values are in a journal, in memory that outlives the process, before the first is overwritten, and the next
 * instance puts them back. Sizes once known are remembered there, too: a device that a driver uses is never asked.
 *
 * The same journal keeps what a reset of the function takes away and nobody else would give back (PCI Express 3.0 §6.6.2; reset.h).
 */
#pragma once
#include "function.h"

/* All zero: nothing under way. `active` is written last and whole. */
struct bar_journal {
	uint64_t active;                /* 1: what follows is to be put back */
	uint64_t sum;                   /* of what follows */
	uint16_t at, command;
	uint32_t n;                     /* BARs */
	uint32_t old[PCI_BARS];
	uint32_t rom;                   /* of a device, not of a bridge */
	uint16_t cache_latency;         /* PCI_CACHE_LINE and the register behind it */
	uint16_t line;                  /* where its interrupt leads: the firmware's word to whoever comes later */
	uint16_t express, n_express;    /* its capability; how many of the next it has */
	uint16_t express_control[3];    /* Device Control, Link Control, Device Control 2 */
	uint16_t power;                 /* its capability, if it is put to sleep and awakened; else 0 */
	uint16_t bridge;                /* whose bus is reset; 0: none */
	uint16_t reserved;
	uint32_t id;                    /* vendor and device */
};
_Static_assert(sizeof(struct bar_journal) == 80, "kept from one instance to the next");

/* What a function's BARs were found to be; sum 0: none. */
struct bar_memo {
	uint64_t sum;                   /* of what follows */
	uint16_t at, vendor, device, reserved;
	uint32_t sizes[2 * PCI_BARS];   /* 64 bits each, lower half first; 0: nothing there */
};
_Static_assert(sizeof(struct bar_memo) == 64, "kept from one instance to the next");

struct range { uint64_t base, size; };

/*
 * From begin on the function may be reset, its command register and BARs may be changed: end, or bars_roll_back in the next
 * instance, makes them what they were. One function at a time.
 */
void bars_begin(const struct config *c, const struct pci_function *f, struct bar_journal *j);
/* The same; power, bridge: as in the journal. */
void bars_begin_reset(const struct config *c, const struct pci_function *f, struct bar_journal *j, uint16_t power, uint16_t bridge);
/* Whether something is under way, and the journal can be believed. */
must_use bool bars_journal_good(const struct bar_journal *j);
void bars_end(const struct config *c, struct bar_journal *j);
/* Puts back what an instance that died had changed. True: there was something. A journal that is damaged is dropped. */
bool bars_roll_back(const struct config *c, struct bar_journal *j);
/*
 * Fills the BARs of all functions: sizes from memos, else asked for and written there. Not asked: host bridges, functions
 * that master the bus, and bridges that lead to such. booted: no driver has run yet, and who masters the bus does so as the
 * firmware and the loader have left it (displays, what has no class): all are asked but the one that shows the screen. memos has room for n_memos.
 */
void bars_find(const struct config *c, struct pci_function *list, size_t n, bool booted, struct bar_journal *j, struct bar_memo *memos, size_t n_memos);
/*
 * Asks what bars_find did not: of a function that a driver takes, which has been stopped and draws for nobody now. True: its BARs are known
 * from now on, and to be checked. False: they were, or it is none that drivers take.
 */
bool bars_ask(const struct config *c, struct pci_function *f, struct bar_journal *j, struct bar_memo *memos, size_t n_memos);
/* Marks BARs that overlap each other or one of the reserved ranges of memory. */
void bars_check(struct pci_function *list, size_t n, const struct range *reserved, size_t n_reserved);

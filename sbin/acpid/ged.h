/*
 * ged: generic event devices (ACPI 6.5 §5.6.9): interrupts that say that something has happened to a device, as the SCI and general
 * purpose events do on other machines. Each interrupt that such a device names is heard, and its method run.
 *
 * What is kept across deaths: the Irq of each line, and a Notify in which it leaves word even while no instance runs; both lie on the
 * shelf. The bit in `under_way` is set before the word is taken, and goes when all that the method told has been heard. So no ring is
 * lost, and one is heard a second time only if an instance ended while it was at it.
 */
#pragma once
#include "lines.h"
#include <rt/state.h>
#include <rt/svc.h>

struct ged_kept {
	uint64_t words[LINES_MAX];      /* LINE_WORD: whose Irq lies in the slot */
	uint32_t under_way;             /* a bit a line */
	uint32_t reserved;
};

/* Notifications come under these badges: one a line, and one for lines that have had their pause. */
enum { GED_BADGE = 64, GED_BADGE_PAUSE = GED_BADGE + LINES_MAX, GED_BADGES_END };

/* All are kept. The shelf is ours alone. */
void ged_keep(struct svc *svc, const struct state *state, struct ged_kept *kept);
/* Finds the devices and hears them from now on. The namespace is complete, and `routes` (PCI's lines, which are left alone) can be asked for. */
void ged_begin(void);
/* A notification under one of the badges. */
void ged_happened(uint64_t badge, uint64_t bits);
/* All that was put off is done. */
void ged_settled(void);
/* A line for each interrupt that a device names, for people. Returns the length, below room. */
size_t ged_text(char *buf, size_t room);

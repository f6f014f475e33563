/*
 * hotplug: functions that come and go while the machine runs. A slot's interrupt (slot.h) says that something has happened; what
 * is then done follows from what is there, what is known, and the slot's record in the state Frame, so that it can be begun
 * again at any instant.
 *
 *	something is put in     power on, the bus is looked at, addresses are given (place.h), initd is told
 *	its button is pressed   initd is told; when the drivers have ended, power off
 *	something is torn out   it is forgotten, and initd is told; what is there when the drivers have ended comes
 *
 * Slots that the firmware keeps for itself (_OSC) it tells of through acpid: then there are no registers to be touched, power is its
 * business (_EJ0), and a slot is known from the first word about it on.
 *
 * A press is acted upon at once: there are no seconds in which another one takes it back.
 */
#pragma once
#include "device.h"
#include <rt/svc.h>

enum { SLOTS_MAX = 32, SLOT_FUNCTIONS = 8, HOTPLUG_ANYWHERE = 0xffff };

enum slot_way {
	SLOT_STAYS,             /* nothing is under way */
	SLOT_COMES,             /* something is switched on */
	SLOT_LEAVES,            /* it is switched off when initd has answered */
	SLOT_CHANGES,           /* it is looked at again then: something else is in it already */
	SLOT_RESTS,             /* what is in it stays off, until its button is pressed or it is taken out */
};

/* In the state Frame. */
struct slot_record {
	uint16_t place;                         /* of its port, or, of the firmware's, of the device in it; 0, which is nobody's: free */
	uint16_t way;                           /* enum slot_way */
	uint32_t firmware;                      /* who looks after it: 0: we do */
	uint32_t arrival;                       /* of what is in it: the number of a NODE_OFFER; 0: it was there before the slot was known */
	uint32_t told[SLOT_FUNCTIONS];          /* vendor << 16 | device of what initd has been told of, by function; 0: none */
};

/* All borrowed for ever. */
struct hotplug {
	const struct config *config;
	const struct device_resources *resources;
	struct pci_function *list;              /* PCI_FUNCTIONS_MAX, sorted by place */
	size_t *n;
	struct bar_journal *journal;
	struct bar_memo *memos;
	size_t n_memos;
	struct slot_record *records;            /* SLOTS_MAX */
	void (*check)(void);                    /* bars_check of the list */
	void (*leave)(const struct pci_function *f);    /* whoever drives it, drives it no more */
};

enum hotplug_start {
	HOTPLUG_BOOTED,         /* the machine has just started: what has happened so far is of no interest */
	HOTPLUG_ANEW,           /* the records are lost */
	HOTPLUG_AGAIN,          /* slots without a record have been left alone, and are */
};
/*
 * Looks after all slots from now on, and tells initd of what is in them. Left alone is a slot that the firmware keeps or watches, one with a
 * bridge in it, and one that says it is empty though it is not (QEMU, when it serves slots through ACPI).
 */
void hotplug_begin(const struct hotplug *h, struct svc *svc, uint64_t first_badge, enum hotplug_start how);
/* The notification under first_badge + number came. */
void hotplug_happened(uint64_t number);
/* The firmware says through acpid (CTL_ACPI_SLOT_NEXT) that something has happened at `at`. */
void hotplug_heard(uint16_t at, uint32_t kind);
/* initd has been told that what was at `at` has gone, and nobody drives it. */
void hotplug_gone(uint16_t at);
/* Which arrival the function at `at` is; 0: it is in no slot. */
uint32_t hotplug_arrival(uint16_t at);

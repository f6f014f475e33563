/*
 * slots: what the firmware has told of slots, numbered from 1 on, for whoever looks after them (pure; it lies in the state Frame).
 */
#pragma once
#include <abi/types.h>

enum { SLOT_EVENTS = 64, SLOT_ANYWHERE = 0xffff };
/* ACPI 6.5 §5.6.6, table 5.185. */
enum slot_kind { SLOT_BUS_CHECK = 0, SLOT_DEVICE_CHECK = 1, SLOT_EJECT_REQUEST = 3 };

struct slot_log {
	uint64_t last;          /* number of the newest; written last */
	struct { uint16_t at, kind; } events[SLOT_EVENTS];
};

void slots_note(struct slot_log *log, uint16_t at, enum slot_kind kind);
/*
 * The one after number `seen`. False: there is none yet. What is no longer known, or never was, is a SLOT_BUS_CHECK of SLOT_ANYWHERE under the
 * newest number.
 */
must_use bool slots_next(const struct slot_log *log, uint64_t seen, uint64_t *number, uint16_t *at, enum slot_kind *kind);

/*
 * firmware: what pcid asks of acpid. It is asked when something depends on it, not before: its AML takes longer to load than all else.
 */
#pragma once
#include "pin.h"
#include <rt/ipc.h>

enum { FIRMWARE_SUBMITS = 2 };     /* as ANNOUNCE_SUBMITS */

/* A pin_asked; ctx is not used. ERR_GONE: there is no acpid. */
must_use status_t firmware_line(void *ctx, uint32_t bus, uint32_t device, uint32_t pin, struct pin_line *line);
/*
 * Whether the slots of PCI Express ports are ours. ERR_GONE: there is no acpid. ERR_NOT_SUPPORTED: it runs no AML. ERR_NOT_FOUND,
 * ERR_BAD_FORMAT: the firmware has no answer.
 */
must_use status_t firmware_gives_slots(bool *ours);
/* What is at `at` is no longer used and may leave its slot. */
must_use status_t firmware_eject(uint16_t at);
/*
 * Asks for what happens in the firmware's slots after event `seen`; the answer comes to `port` as a completion with `token`. An error:
 * nothing will be told; try again later.
 */
must_use status_t firmware_listen(handle_t port, uint64_t token, uint64_t seen);
/* Whether it is asked for, and no answer has come. */
bool firmware_listens(void);
/* What came. *seen: the event's number. An error: nothing; ask again later. */
must_use status_t firmware_heard(const struct event *e, uint64_t *seen, uint16_t *at, uint32_t *kind);

/*
 * driver: services that are there because a device is. Whoever finds devices (pcid) tells of each, with a Session to it; a
 * template whose manifest names such a function becomes a service NAME.00:04.0, which gets that Session as its handle "device".
 * A match by id goes before one by class, then the first in the order of names.
 *
 * Which devices there are stands in the records, the Sessions in the handle table: the next initd goes on from them.
 */
#pragma once
#include "service.h"

void drivers_init(struct records *records);
/* Adds the services of all devices that an earlier instance knew, before anything is taken over. */
void drivers_restore(struct legacy *left);
/*
 * A device is there. Told again it changes nothing. Takes *session (then 0) if a service was made for it.
 * ERR_NOT_FOUND: no template is for it. ERR_BUSY: another one is there, not yet gone. ERR_NO_SPACE.
 */
must_use status_t driver_arrived(uint16_t at, uint16_t vendor, uint16_t device, uint32_t class, handle_t *session);
/* It has left. OK: nobody drives it. SVC_LATER: *s will settle when its driver has ended. */
must_use status_t driver_gone(uint16_t at, struct service **s);

/* Whether its device has left, so that it must not start again. */
bool driver_is_leaving(const struct service *s);
/* It does not run: if its device has left, so does it. */
void driver_stopped(struct service *s);

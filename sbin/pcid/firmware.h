/*
 * firmware: what pcid asks of acpid. It is asked when something depends on it, not before: its AML takes longer to load than all else.
 */
#pragma once
#include "pin.h"

/* A pin_asked; ctx is not used. ERR_GONE: there is no acpid. */
must_use status_t firmware_line(void *ctx, uint32_t bus, uint32_t device, uint32_t pin, struct pin_line *line);

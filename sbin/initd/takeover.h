/*
 * takeover: how initd begins, at boot and after its own death: manifests are read, and what an earlier instance left is
 * found by tags and records. Nothing is started before all is known.
 */
#pragma once
#include "service.h"

/*
 * Reads the manifests, takes over what an earlier instance left (and sweeps `left`), makes what is missing, starts
 * what should run and does not. Both borrowed, `left` for the call.
 */
void services_begin(struct legacy *left, struct records *records);
/* The handle of s with that type and tag that an earlier instance left, now ours; 0: none, or services_begin is over. */
handle_t takeover_handle(const struct service *s, uint32_t type, enum service_kind kind);

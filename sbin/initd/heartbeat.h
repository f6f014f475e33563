/*
 * heartbeat: services that no longer accept are ended, which counts as their fault.
 */
#pragma once
#include <abi/types.h>

/* Watches over the services and initfsd from now on. info: a RES_INFO with RIGHT_MANAGE, borrowed. */
void heartbeat_begin(handle_t info);

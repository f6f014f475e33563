/*
 * heartbeat: services that no longer accept are ended, which counts as their fault.
 */
#pragma once
#include <abi/types.h>

/* info: a RES_INFO with RIGHT_MANAGE, borrowed. Also watches over initfsd, from a thread of its own. */
void heartbeat_begin(handle_t info);
/* Time to look: called every BEAT_LOOK_NS. */
void heartbeat_look(void);

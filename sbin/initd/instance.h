/*
 * instance: executing a service's program with exactly what its manifest grants.
 */
#pragma once
#include "service.h"

/*
 * Starts the next instance of s: Port, state Frame, shelf and the resources of its manifest become its named
 * handles ("port", "state", "shelf", "res:KIND", "boot", "devices", "device"); its Namespace and Budget are the service's. Fills s->process
 * and s->pid. root, boot, svc_port (our own): borrowed. Errors of resource_slice and spawn, told to the log where they need more words.
 */
must_use status_t instance_execute(struct service *s, handle_t root, handle_t boot, handle_t svc_port);

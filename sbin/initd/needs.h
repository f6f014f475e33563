/*
 * needs: what a service needs before it can start, made once and kept across its instances, and who may open which scheme.
 */
#pragma once
#include "service.h"

/* Before any other. All borrowed for ever. `master`: the Namespace that gets every scheme; `port`: our own, where svc:// is answered. */
void needs_init(handle_t root, handle_t master, handle_t port);
/* The executable, a Budget, a state Frame, a shelf, a Namespace, as far as it lacks them. On error the caller gives the service up. */
must_use status_t needs_make(struct service *s);
/* A Port for s, a new one if it has none, known under its schemes to everybody who may open them. Errors of port_create. */
must_use status_t needs_plug(struct service *s);
/* In the Namespace of s: the schemes it opens of services that have a Port already (who comes later binds itself); */
void needs_bind_present(struct service *s);
/* and, after them, those that no service provides: initfsd's, ours, and none at all, which the log is told. Notes that all is done. */
void needs_bind_others(struct service *s);
/* A scheme has one server: ours, initfsd's, and the first claim on any other stand. Who claims another's is given up. */
void needs_check_schemes(void);

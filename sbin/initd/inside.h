/*
 * inside: what service.c, needs.c and takeover.c share; nobody else includes it.
 */
#pragma once
#include "service.h"

extern struct service services[SERVICES_MAX];
extern uint32_t n_services;

/* Closes and forgets a handle, if there is one. */
void service_drop(handle_t *h);
/* Tags a handle as belonging to s, for the next instance of us. */
void service_mark(const struct service *s, handle_t h, enum service_kind kind);
/* Writes the record of s again, with flags or Port changed. */
void service_note_again(const struct service *s);
/* Makes s the service of `owner`, or of the next number that is free, and finds its record. */
void service_own(struct service *s, uint32_t owner);
/* The service that provides a scheme, and the scheme's place in its list. NULL: none. */
struct service *service_provider(const char *scheme, uint32_t *place);
/* It is BROKEN, for a reason that people are told. */
void service_give_up(struct service *s, const char *reason);

/* The running instance of s: its end is told to us; it alone serves the Port of s; it shall end (by its loop, if `ask`). */
must_use status_t service_watch(struct service *s);
must_use status_t service_attach(struct service *s);
must_use status_t service_end(struct service *s, bool ask);

/* Starts s: now, after `wait` ns, when somebody sends it a command. An error of the first has been told to the log and to whoever waits. */
status_t service_start_or_wait(struct service *s);
void service_start_later(struct service *s, uint64_t wait);
must_use status_t service_await_use(struct service *s);

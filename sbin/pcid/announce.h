/*
 * announce: tells initd of functions that are there, with a Session for the driver, and of those that have gone. One after the
 * other, in order, each when the one before is answered; nothing is waited for. What a dead instance had told is told again:
 * initd knows what it knows.
 */
#pragma once
#include "function.h"
#include <rt/ipc.h>

enum { ANNOUNCE_TOKEN = 1, ANNOUNCE_SUBMITS = 2 /* one, and one that a dead instance had sent */ };

/* port: ours. initd: the Session to tell it; 0: nobody is told. Both borrowed. */
void announce_begin(handle_t port, handle_t initd);
/* Only what drivers may have. */
void announce_there(const struct pci_function *f, uint32_t serial);     /* serial: of the NODE_OFFER */
void announce_gone(uint16_t at);
/* A COMPLETION came. True: what was at *at has gone, and its driver has ended. */
must_use bool announce_answered(struct event *e, uint16_t *at);
/* Sends what could not be sent before. False: it still cannot; try again in a while. */
bool announce_go_on(void);

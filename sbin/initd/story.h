/*
 * story: how boot and shutdown go, for a person at the screen (`tty://1`) or the serial line. Everything is submitted (console.h).
 *
 * A quiet boot shows name, progress and what went wrong. With `quiet=0` that is the log's part, which outputd and the kernel show. Later
 * troubles, and the end, are told in either case. Programs on a terminal are held until it is theirs.
 */
#pragma once
#include "service.h"

/* Tokens of COMPLETIONs: two consoles, and each service's first answer. */
enum { TOKEN_SCREEN = 2, TOKEN_SERIAL, TOKEN_UP = 256 };
#define STORY_HOLD_NS (5 * NS_PER_SEC)

/* records: where `told` is. Both borrowed for good. */
void story_init(struct svc *svc, struct records *records);
/* n services are about to be started; called once. */
void story_begin(uint32_t n);
/* All have been started: from now on their coming up is waited for. */
void story_begun(void);
/* Something went wrong with a service, or (name only) with what should have been one. grave: it will not come by itself. */
void story_trouble(struct service *s, bool grave, const char *format, ...) printf_like(3, 4);
void story_trouble_of(const char *name, bool grave, const char *format, ...) printf_like(3, 4);
/* Whether a program that is to have this terminal has to wait: services_release lets it go on. */
bool story_holds(const char *tty);
/* It has waited for STORY_HOLD_NS: the boot is over, whatever is still missing. */
void story_deadline(void);

/* The machine goes down; names: who is being ended. */
void story_down(bool reboot, const char *names);
/* The last line of all. False: nobody is left to show it. */
bool story_last(const char *text);

/* True: the event was ours. */
bool story_completed(struct event *e);
void story_idle(void);

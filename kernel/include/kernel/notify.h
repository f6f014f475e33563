/*
 * notify: 64 signal bits, and what can set them: interrupts, timers, the end of a process or thread.
 * binding: one source tied to one bit. Owned by the Notify, listed at the source.
 */
#pragma once
#include <kernel/list.h>
#include <kernel/object.h>
#include <kernel/timer.h>

struct port;

struct notify {
	struct object   obj;
	struct spinlock lock;           /* covers what follows; after port.lock */
	uint64_t        bits;
	uint64_t        resting;        /* of them: periodic timers that go on when the bit is taken */
	struct port    *port;           /* counted; where events go, or NULL */
	uint64_t        badge;
	bool            queued;         /* in port->events (port.lock) */
	struct list     in_port;
	struct list     bindings;       /* of struct binding */
	struct spinlock bind_lock;      /* making and unmaking bindings; before all others */
};

struct binding {
	struct notify  *notify;         /* borrowed: the owner */
	struct object  *source;         /* counted, watchers->lock; NULL: a timer, or it has ended */
	struct watchers *watchers;      /* the source's list that we are in; NULL: a timer */
	uint8_t         bit;
	uint32_t        seq;            /* of the source's event that it heard of last; watchers->lock */
	struct list     in_notify, in_source;
	struct timer    timer;
	uint64_t        period;
	struct budget  *payer;          /* counted */
};

/* A list of bindings at a source, e.g. those who wait for a process's end. */
struct watchers {
	struct spinlock  lock;
	bool             fired;
	uint32_t         seq;           /* of the last event */
	struct list      list;
	struct object   *late;          /* counted: the source, while some have not heard yet (notify.c) */
	struct watchers *late_next;
};
void watchers_init(struct watchers *w);
void watchers_fire(struct watchers *w, bool last);  /* last: stays fired; late binders are signalled at once */
bool watchers_fire_late(void);                      /* a piece of what was too much to be told at once; false: there is none */

struct notify *notify_create(struct budget *payer, status_t *why);
bool notify_destroy(struct object *o);
void notify_signal(struct notify *n, uint64_t bits);
uint64_t notify_take_locked(struct notify *n);      /* all bits, cleared */
must_use status_t notify_bind(struct notify *n, unsigned bit, struct object *source, struct watchers *w, struct budget *payer);
must_use status_t notify_set_timer(struct notify *n, unsigned bit, uint64_t deadline, uint64_t period, struct budget *payer);
must_use status_t notify_set_port(struct notify *n, struct port *p, uint64_t badge);

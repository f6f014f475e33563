/*
 * service: what initd knows of each service, and its life.
 *
 * Life:  BROKEN (its manifest or executable is no good: never starts)
 *        RUNNING -> (it ended) -> RUNNING, at once | WAITING (back-off) -> RUNNING
 *                              -> STOPPED (on request) | ENDED (its policy says no more)
 *        STOPPED, ENDED -> RUNNING on request.
 *        UNUSED (`start = first-use`, and nobody has, or not since it ended in order) -> RUNNING, when a command comes.
 *        TEMPLATE: never starts itself; services are made from it, one for each device (driver.h).
 *        FREE: the place of one whose device has left; the next takes it.
 *
 * While a service runs or waits, its Port exists and commands queue there. When it is STOPPED or
 * ENDED the Port is closed, so that callers get ERR_GONE instead of waiting for nobody.
 *
 * initd may end at any instant; the next instance runs on the same handle table. Every handle is tagged with
 * whose it is (service_owner of the name) and what (enum service_kind), each step is noted in a record
 * before it is done (record.h), and whether an instance runs is asked of its process. Nothing is taken from
 * events that may have been missed.
 */
#pragma once
#include "manifest.h"
#include "record.h"
#include <rt/svc.h>
#include <supervise/backoff.h>
#include <supervise/legacy.h>

#define LEVEL_PROGRAMS 100
#define SERVICES_MAX 60             /* each has a bit of the timer Notify */
enum service_kind {
	KIND_PORT = 1, KIND_STATE, KIND_BUDGET, KIND_NAMESPACE, KIND_IMAGE, KIND_PROCESS, KIND_EXIT, KIND_STOP, KIND_GRANT,
	KIND_SHELF, KIND_DEVICE,
	/* initd's own, owner 0 */
	KIND_SVC_PORT = 0x80, KIND_RECORDS,
};

enum service_state { SERVICE_BROKEN, SERVICE_RUNNING, SERVICE_WAITING, SERVICE_STOPPED, SERVICE_ENDED, SERVICE_UNUSED, SERVICE_TEMPLATE, SERVICE_FREE };

struct service {
	struct manifest m;
	uint32_t index;             /* in this life */
	uint32_t owner;             /* in every life */
	struct record_slot *record; /* borrowed; NULL: BROKEN */
	int      state;             /* enum service_state */
	bool     stopping;          /* its next end is wanted, and final */
	bool     restarting;        /* its next end is wanted, and it starts again whatever its policy */
	uint32_t instances;         /* started so far; restarts are all but the first */
	char     reason[128];       /* how the last instance ended, or why there never was one; "" */
	struct death death;         /* where it last ended by itself, and when */
	bool     faulted;           /* the last instance ended by its own fault, unasked */
	bool     awaited, troubled; /* its first answer has not come; people were told of it (story.h) */
	struct backoff backoff;
	uint64_t pid, started_ns;   /* of the running instance */
	uint64_t last_pid;          /* of the one before */
	bool     plugged, wired;    /* RECORD_PLUGGED, RECORD_WIRED */
	struct device_record *where;/* borrowed; the device it was made for; NULL: for none */
	handle_t device;            /* owned: the Session to it */
	/* Handles, 0: none. All owned. */
	handle_t port;              /* gone while STOPPED, ENDED or BROKEN */
	handle_t state_frame, shelf, budget, image;
	handle_t ns;                /* 0: initd's own, which has every scheme (`opens = *`) */
	handle_t process, exited;   /* of the running instance; the Notify that its end sets */
	handle_t wanted;            /* the Notify that a first command sets; 0: not waited for */
	handle_t stop;              /* the Notify that asks it to end in order; 0: not asked */
	uint64_t image_size;
};

/* Badges of Sessions to initd's Port: 0 is svc:// itself; who has this one tells of devices, and may nothing else. */
enum { BADGE_DEVICES = 1 };
/* Badges of notifications on initd's Port. */
enum { BADGE_TIMERS = 1, BADGE_POWER = 2, BADGE_STORY = 3, BADGE_EXIT = 16, BADGE_WANTED = 256 };

/* Something a command waits for: answered when the service next starts, waits or stops for good. */
typedef void service_settled(const struct service *s, status_t st);

/* All borrowed for ever. `master`: the Namespace that gets every scheme, our own. */
void services_init(struct svc *svc, handle_t root, handle_t boot, handle_t master, struct records *records,
                   service_settled *settled);
/* A service from a template. `owner` 0: one of its own is found. NULL: no room. */
struct service *services_add(const struct manifest *m, uint32_t owner);
/* Makes all that one just added needs, and starts it. An error has been told to the log. */
must_use status_t service_launch(struct service *s);
/* One that does not run and whose device has left is no more. */
void service_forget(struct service *s);
uint32_t services_count(void);
struct service *service_at(uint32_t index);
struct service *service_find(const char *name);     /* NULL: none */
struct service *service_of(uint64_t owner);         /* NULL: none */
static inline uint32_t service_restarts(const struct service *s) { return s->instances ? s->instances - 1 : 0; }
const char *service_state_name(const struct service *s);
/* Services have a Port and answer on it; a program that provides nothing has no use for one. */
static inline bool service_has_loop(const struct service *s)
{
	return s->m.n_provides > 0 || s->m.level < LEVEL_PROGRAMS;
}

/*
 * Requests. OK: done. SVC_LATER: begun; `settled` will tell. ERR_INVALID: BROKEN, or it is not
 * running (kill). Errors of starting otherwise. Stop and restart ask the service's loop to end and
 * kill after a grace time; kill does not ask.
 */
must_use status_t service_start(struct service *s);
must_use status_t service_stop(struct service *s);
must_use status_t service_restart(struct service *s);
must_use status_t service_kill(struct service *s);

/* Notifications: an instance ended; a back-off or the grace time of a stop is over. */
void service_ended(uint32_t index);
void service_wanted(uint32_t index);                /* a command came for one that is UNUSED */
void service_timer(uint32_t index);
/* Programs that were held start: those on terminal `tty`, or (on = false) on any other. */
void services_release(const char *tty, bool on);
/* From now on nothing is started again; `ended` is called after each end. */
void services_shut(void (*ended)(void));

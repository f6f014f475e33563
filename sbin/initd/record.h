/*
 * record: what initd knows and its handle table does not tell: how often a service was started, how it ended, what
 * a person asked for. It lies in a Frame that the next instance finds by its tag. Death may come between any two
 * stores, so each record has two copies, written in turn, with a number and a checksum; the newer
 * whole one counts. Pure, and so is the decision what to do with a service after all that was found.
 */
#pragma once
#include <abi/objects.h>
#include <supervise/backoff.h>

#define RECORDS_MAX   64
#define INTENTS_MAX   32
#define RECORD_REASON 128
#define DEVICES_MAX   48

/* What the last step of a service's life was; what it was about to do is said before it is done. */
enum record_state {
	RECORD_NEW,                 /* never started, or not since it ended in order and waits for its next use; `pid` is the last instance's */
	RECORD_DUE,                 /* about to be started; `pid` is still the last instance's */
	RECORD_RUNNING,             /* `pid` was started */
	RECORD_WAITING,             /* a back-off, until `until_ns` */
	RECORD_STOPPED,             /* on request */
	RECORD_ENDED,               /* its policy says no more, or it cannot be started */
};

enum record_flags {
	RECORD_PLUGGED = 1,         /* its Port is bound wherever its schemes are opened */
	RECORD_WIRED = 2,           /* its Namespace has the schemes that no service provides */
	RECORD_STOPPING = 4,        /* asked to end for good */
	RECORD_RESTARTING = 8,      /* asked to end and to come back */
	RECORD_FAULTED = 16,        /* the last instance ended by its own fault */
};

/* The last end that left a way (struct process_way); n 0: none. */
struct death { uint64_t at_ns, entry, at[PROCESS_WAY]; uint32_t n, reserved; };

struct record {
	uint32_t owner;             /* service_owner of its name; 0: none */
	uint32_t state;             /* enum record_state */
	uint32_t instances;         /* started and known as such */
	uint32_t flags;             /* RECORD_* */
	uint64_t pid;               /* of the last instance known; 0: none */
	uint64_t until_ns;
	struct backoff backoff;
	char     reason[RECORD_REASON];
	struct death death;
};

struct record_copy { uint64_t number; struct record r; uint32_t check, reserved; };
struct record_slot { struct record_copy copies[2]; };

/*
 * A request begun that must not be begun twice: killing. A command's slot is the lower half of its id, the same
 * when it is delivered again.
 */
struct intent { uint32_t command, owner, action, pid; };

/* A device that a service was made for. The Session to it is a handle with the tag of that service. */
struct device_record {
	uint32_t check;             /* of what follows up to `gone`; written last; 0: free */
	uint32_t owner;             /* the service */
	uint16_t at, vendor, device, reserved;
	uint32_t class;
	uint32_t gone;              /* 1: it has left, and its service is to end and be forgotten */
};

struct records {
	uint64_t magic;
	uint32_t version;
	uint32_t down;              /* enum record_down: the machine is going down */
	uint32_t told, reserved;    /* enum record_told */
	uint64_t steps;             /* step.h */
	struct intent intents[INTENTS_MAX];     /* command 0: free; written first, the command last */
	struct record_slot slots[RECORDS_MAX];
	struct device_record devices[DEVICES_MAX];
};
enum record_down { DOWN_NO, DOWN_OFF, DOWN_REBOOT };
enum record_told { TOLD_NOTHING, TOLD_NAME, TOLD_ALL };     /* of the boot (story.h) */

/* Makes fresh memory, or whatever is no such table, an empty one. False: it was not one. */
bool records_check(struct records *t);
/* The slot of a service, found or given to it. NULL: all are in use. */
struct record_slot *record_slot(struct records *t, uint32_t owner);
/* The newer whole copy. False: there is none. */
bool record_read(const struct record_slot *s, struct record *r);
void record_write(struct record_slot *s, const struct record *r);

/* Gives a slot back. */
void record_free(struct record_slot *s);

/* Whether a device stands there, whole. */
bool device_record_valid(const struct device_record *d);
/* Notes a device, not gone. NULL: no room. */
struct device_record *device_record_put(struct records *t, uint32_t owner, uint16_t at, uint16_t vendor, uint16_t device, uint32_t class);
void device_record_free(struct device_record *d);

/* command: not 0. NULL: none, or (put) no room. */
struct intent *intent_find(struct records *t, uint32_t command);
struct intent *intent_put(struct records *t, uint32_t command, uint32_t owner, uint32_t action, uint32_t pid);

/* ---- deciding ---- */

enum fate {
	FATE_START,                 /* it does not run and should */
	FATE_KEEP,                  /* it runs */
	FATE_ENDED,                 /* it has ended, and nobody has looked at that yet */
	FATE_WAIT,                  /* its back-off goes on */
	FATE_REST,                  /* it does not run and should not */
};

/*
 * Whether a process that was found is the service's present instance (tagged: as its process; else it is one of its
 * name that was just made). Others are left-overs whose end was dealt with.
 */
bool record_owns(const struct record *r, uint64_t pid, bool tagged);
/*
 * What becomes of a service whose present instance was found (or not) and is alive (or not). Changes r to say what is
 * now known: an instance made by a start that was not yet written down is counted.
 */
enum fate record_decide(struct record *r, bool found, bool alive, uint64_t pid);

/* Whose handles these are: 24 bits of a hash of the name, not 0. The same in every life, whatever the archive's order. */
uint32_t service_owner(const char *name);

/*
 * kept: what timed keeps in its state Frame: the settings in two copies, of which the older one is written, and the alarms. It may be
 * killed after any store, and what a crash left may hold anything: each record has a sum. Pure.
 */
#pragma once
#include <tz/zones.h>

#define KEPT_VERSION 1
#define ALARMS_MAX   512        /* of all clients; alarm i's Notify lies in slot i of the shelf */

struct settings {
	uint64_t sequence;          /* 0: none */
	int64_t  offset_ns;         /* Unix time less the kernel's clock */
	uint32_t source;            /* enum time_source */
	uint32_t rtc_behind;        /* the clock chip is being set, or has yet to be */
	char     zone[ZONE_NAME];   /* its name; "": it has none */
	char     tz[TZ_TEXT];
	uint64_t sum;
};

struct alarm {
	uint64_t badge;             /* of its Session; 0: free */
	int64_t  when_ns;           /* Unix time */
	uint64_t bit;
	uint64_t sum;
};

struct kept {
	struct settings copy[2];
	struct alarm alarms[ALARMS_MAX];
};

/* The newer whole copy; NULL: there is none. */
const struct settings *settings_get(const struct kept *k);
/* Becomes the newer copy in one step; sequence and sum are filled in. */
void settings_put(struct kept *k, struct settings s);

/* The number of a Session's alarm, or of a free one (badge 0); -1: none. */
int alarm_find(const struct kept *k, uint64_t badge);
void alarm_put(struct kept *k, int i, uint64_t badge, int64_t when_ns, uint32_t bit);
void alarm_drop(struct kept *k, int i);
/* Frees what is not whole; how many. */
uint32_t alarms_check(struct kept *k);
/* The one due first; -1: none. */
int alarm_first(const struct kept *k);

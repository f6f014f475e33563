/*
 * tz: a time zone as a TZ string says it (POSIX.1-2017 section 8.3, with the hours of rules from -167 to 167 as in RFC 8536
 * section 3.3.1), and what clocks on the wall show there. Pure.
 *
 *	CET-1CEST,M3.5.0,M10.5.0/3      Berlin: last Sunday of March, last Sunday of October at 3
 */
#pragma once
#include <abi/types.h>

#define TZ_NAME  16             /* of a zone's abbreviation, with the zero */
#define TZ_TEXT  64             /* of a TZ string, with the zero */
#define TZ_UTC   "UTC0"

/* When it changes, in the time that ends then. */
struct tz_rule {
	enum { TZ_JULIAN, TZ_YEARDAY, TZ_WEEKDAY } kind;
	uint32_t day;               /* JULIAN: 1..365, February 29th left out; YEARDAY: 0..365; WEEKDAY: 0 (Sunday)..6 */
	uint32_t month, week;       /* WEEKDAY: 1..12; 1..5, 5 is the last one */
	int32_t  time_s;            /* after midnight */
};

struct tz {
	char     standard[TZ_NAME], summer[TZ_NAME];
	int32_t  standard_s, summer_s;          /* ahead of UTC, in seconds: less than 25 hours either way */
	bool     has_summer;
	struct tz_rule begin, end;              /* of summer time */
};

/* What is in force at a moment. */
struct tz_local {
	int32_t     offset_s;       /* ahead of UTC */
	bool        summer;
	const char *name;           /* borrowed from the struct tz */
};

/* False: text is no TZ string, and *tz is not to be used. Summer time without rules has those of the United States. */
must_use bool tz_parse(struct tz *tz, const char *text);
void tz_at(const struct tz *tz, int64_t seconds, struct tz_local *l);
/*
 * From what a clock on the wall shows, in seconds as if it were UTC, to Unix time. An hour that comes twice is meant the first time; one
 * that is left out counts on from the time before.
 */
int64_t tz_from_local(const struct tz *tz, int64_t local);

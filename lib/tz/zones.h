/*
 * zones: names of time zones. The table, initfs:///etc/zones, is made by tools/mkzones.py: "NAME TZSTRING" a line.
 */
#pragma once
#include "tz.h"

#define ZONES_URI    "initfs:///etc/zones"
#define ZONES_MAX    (64 * KiB)
#define ZONE_NAME    48         /* with the zero */

/* Whether text can be a zone's name: letters, digits and /_+-, not empty, shorter than ZONE_NAME. */
bool zone_is_name(const char *text);
/* What the table says of a name. False: nothing, or what is no TZ string. */
must_use bool zones_find(const char *table, size_t size, const char *name, char tz[static TZ_TEXT]);

/*
 * zone_io.c, not for host tests: the TZ string for a name of the table, or for text that is one itself. ERR_NOT_FOUND: it is neither;
 * and why the table cannot be read.
 */
must_use status_t zone_resolve(const char *text, char tz[static TZ_TEXT]);

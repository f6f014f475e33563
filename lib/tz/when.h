/*
 * when: moments as people write them. Pure.
 */
#pragma once
#include "tz.h"

struct when { int64_t seconds; uint32_t ns; };  /* Unix time: CIVIL_MIN to CIVIL_MAX */

#define WHEN_ISO 40             /* room for "2031-02-03T04:05:06.123456789Z" */

/* ISO 8601, UTC, with the nanoseconds; its length. */
size_t when_iso(char text[static WHEN_ISO], struct when w);
/*
 * As date(1) does: %Y %C %y %G %g %m %b %B %h %d %e %j %U %V %W %u %w %a %A %H %k %I %l %M %S %N %p %P %s %D %x %F %T %X %R %r %c %z %:z %Z %n
 * %t %%; whatever else is copied as it stands. The length without the zero; SIZE_MAX: it does not fit.
 */
size_t when_format(char *text, size_t size, const char *format, struct when w, const struct tz *tz);
/*
 * Reads "2031-02-03 04:05:06.5", with T for the blank, without fraction, seconds or time (midnight), or the time alone (of the day of
 * `now`), in the zone, or followed by Z, +01:00 or -0330; or "@1928000000.25". False: it is none of these.
 */
must_use bool when_parse(const char *text, struct when now, const struct tz *tz, struct when *w);

/*
 * when: see when.h. Names of days and months are those of the POSIX locale.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "civil.h"
#include "when.h"

enum { DEPTH_MAX = 2 };         /* %c means others, which mean no more than letters */

static const char *const days[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };
static const char *const months[] = {
	"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
};

struct out {
	char  *text;
	size_t size, len;
	bool   full;
};

struct shown {                  /* one moment, as it is shown */
	struct when     when;
	struct civil    local;
	struct tz_local zone;
};

size_t when_iso(char text[static WHEN_ISO], struct when w)
{
	struct civil c;

	civil_from_seconds(w.seconds, &c);
	return (size_t)snprintf(text, WHEN_ISO, "%04d-%02u-%02uT%02u:%02u:%02u.%09uZ", c.year, c.month, c.day, c.hour, c.minute, c.second, w.ns % 1000000000u);
}

static printf_like(2, 3) void put(struct out *o, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = vsnprintf(o->text + o->len, o->size - o->len, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= o->size - o->len)
		o->full = true;
	else
		o->len += (size_t)n;
}

/* ISO 8601: the week with a year's first Thursday is its first; Monday begins it. */
static void iso_week(const struct civil *c, int32_t *year, uint32_t *week)
{
	uint32_t from_monday = (c->weekday + 6) % 7;
	int32_t thursday = (int32_t)c->yearday - (int32_t)from_monday + 3;

	*year = c->year;
	if (thursday < 0)
		thursday += 365 + civil_leap(--*year);
	else if (thursday >= 365 + civil_leap(*year))
		thursday -= 365 + civil_leap((*year)++);
	*week = (uint32_t)thursday / 7 + 1;
}

static void put_offset(struct out *o, int32_t offset_s, const char *between)
{
	uint32_t minutes = (uint32_t)(offset_s < 0 ? -offset_s : offset_s) / 60;

	put(o, "%c%02u%s%02u", offset_s < 0 ? '-' : '+', minutes / 60, between, minutes % 60);
}

/* The letters that mean others. */
static const char *meaning(char letter)
{
	switch (letter) {
	case 'c': return "%a %b %e %H:%M:%S %Y";
	case 'D': case 'x': return "%m/%d/%y";
	case 'F': return "%Y-%m-%d";
	case 'r': return "%I:%M:%S %p";
	case 'R': return "%H:%M";
	case 'T': case 'X': return "%H:%M:%S";
	default:  return NULL;
	}
}

static void put_date(struct out *o, char letter, const struct civil *c)
{
	uint32_t week;
	int32_t year;

	iso_week(c, &year, &week);
	switch (letter) {
	case 'Y': put(o, "%d", c->year); break;
	case 'C': put(o, "%02d", c->year / 100); break;
	case 'y': put(o, "%02d", c->year % 100); break;
	case 'G': put(o, "%d", year); break;
	case 'g': put(o, "%02d", year % 100); break;
	case 'm': put(o, "%02u", c->month); break;
	case 'b': case 'h': put(o, "%.3s", months[c->month - 1]); break;
	case 'B': put(o, "%s", months[c->month - 1]); break;
	case 'd': put(o, "%02u", c->day); break;
	case 'e': put(o, "%2u", c->day); break;
	case 'j': put(o, "%03u", c->yearday + 1); break;
	case 'U': put(o, "%02u", (c->yearday + 7 - c->weekday) / 7); break;
	case 'W': put(o, "%02u", (c->yearday + 7 - (c->weekday + 6) % 7) / 7); break;
	case 'V': put(o, "%02u", week); break;
	case 'u': put(o, "%u", c->weekday ? c->weekday : 7); break;
	case 'w': put(o, "%u", c->weekday); break;
	case 'a': put(o, "%.3s", days[c->weekday]); break;
	case 'A': put(o, "%s", days[c->weekday]); break;
	}
}

static bool put_letter(struct out *o, char letter, const struct shown *s)
{
	const struct civil *c = &s->local;

	switch (letter) {
	case 'H': put(o, "%02u", c->hour); break;
	case 'k': put(o, "%2u", c->hour); break;
	case 'I': put(o, "%02u", (c->hour + 11) % 12 + 1); break;
	case 'l': put(o, "%2u", (c->hour + 11) % 12 + 1); break;
	case 'M': put(o, "%02u", c->minute); break;
	case 'S': put(o, "%02u", c->second); break;
	case 'N': put(o, "%09u", s->when.ns); break;
	case 'p': put(o, "%s", c->hour < 12 ? "AM" : "PM"); break;
	case 'P': put(o, "%s", c->hour < 12 ? "am" : "pm"); break;
	case 's': put(o, "%lld", (long long)s->when.seconds); break;
	case 'z': put_offset(o, s->zone.offset_s, ""); break;
	case 'Z': put(o, "%s", s->zone.name); break;
	case 'n': put(o, "\n"); break;
	case 't': put(o, "\t"); break;
	case '%': put(o, "%%"); break;
	default:
		if (!letter || !strchr("YCyGgmbhBdejUWVuwaA", letter))
			return false;
		put_date(o, letter, c);
	}
	return true;
}

static void put_format(struct out *o, const char *format, const struct shown *s, int depth)
{
	for (const char *p = format; *p && !o->full; p++) {
		const char *more = *p == '%' ? meaning(p[1]) : NULL;
		if (more && depth < DEPTH_MAX) {
			put_format(o, more, s, depth + 1);
			p++;
		} else if (*p == '%' && p[1] == ':' && p[2] == 'z') {
			put_offset(o, s->zone.offset_s, ":");
			p += 2;
		} else if (*p == '%' && put_letter(o, p[1], s)) {
			p++;
		} else {
			put(o, "%c", *p);
		}
	}
}

size_t when_format(char *text, size_t size, const char *format, struct when w, const struct tz *tz)
{
	struct out o = { .text = text, .size = size, .full = size == 0 };
	struct shown s = { .when = w };

	if (o.full)
		return SIZE_MAX;
	text[0] = 0;
	tz_at(tz, w.seconds, &s.zone);
	civil_from_seconds(w.seconds + s.zone.offset_s, &s.local);
	put_format(&o, format, &s, 0);
	return o.full ? SIZE_MAX : o.len;
}

/* ---- reading ---- */

static bool digits(const char **p, uint32_t n, uint32_t *value)
{
	for (*value = 0; n > 0; n--, (*p)++) {
		if (!isdigit((unsigned char)**p))
			return false;
		*value = *value * 10 + (uint32_t)(**p - '0');
	}
	return true;
}

static bool eat(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

/* What follows a point: nine digits count, as many as there are may come. */
static bool fraction(const char **p, uint32_t *ns)
{
	uint32_t unit = 100000000;

	*ns = 0;
	if (!eat(p, '.'))
		return true;
	if (!isdigit((unsigned char)**p))
		return false;
	for (; isdigit((unsigned char)**p); (*p)++, unit /= 10)
		*ns += (uint32_t)(**p - '0') * unit;
	return true;
}

/* hh:mm[:ss[.fraction]] in seconds. */
static bool read_clock(const char **p, int64_t *seconds, uint32_t *ns)
{
	uint32_t h, m, s = 0;

	*ns = 0;
	if (!digits(p, 2, &h) || !eat(p, ':') || !digits(p, 2, &m) || h > 23 || m > 59)
		return false;
	if (eat(p, ':') && (!digits(p, 2, &s) || s > 59 || !fraction(p, ns)))
		return false;
	*seconds = h * 3600 + m * 60 + s;
	return true;
}

static bool read_day(const char **p, int64_t *seconds)
{
	uint32_t y, m, d;

	if (!digits(p, 4, &y) || !eat(p, '-') || !digits(p, 2, &m) || !eat(p, '-') || !digits(p, 2, &d) || !civil_is_day((int32_t)y, m, d))
		return false;
	*seconds = civil_days((int32_t)y, m, d) * 86400;
	return true;
}

/* Z, +hh:mm, +hhmm, +hh; *given: there was one. */
static bool read_offset(const char **p, bool *given, int32_t *offset_s)
{
	uint32_t h, m = 0;

	*given = eat(p, 'Z') || **p == '+' || **p == '-';
	*offset_s = 0;
	if (!*given || !**p)
		return true;
	bool west = eat(p, '-');
	if (!west && !eat(p, '+'))
		return false;
	if (!digits(p, 2, &h) || h > 24)
		return false;
	if (**p && ((void)eat(p, ':'), !digits(p, 2, &m) || m > 59))
		return false;
	*offset_s = (int32_t)(h * 3600 + m * 60) * (west ? -1 : 1);
	return true;
}

/* @seconds since 1970, perhaps negative. */
static bool read_count(const char *p, struct when *w)
{
	bool negative = eat(&p, '-');
	int64_t value = 0;

	if (!isdigit((unsigned char)*p))
		return false;
	for (; isdigit((unsigned char)*p); p++) {
		value = value * 10 + (*p - '0');
		if (value > CIVIL_MAX)
			return false;
	}
	if (!fraction(&p, &w->ns) || *p)
		return false;
	w->seconds = negative ? -value : value;
	if (negative && w->ns) {        /* ns always count forward */
		w->seconds--;
		w->ns = 1000000000 - w->ns;
	}
	return w->seconds >= CIVIL_MIN;
}

bool when_parse(const char *text, struct when now, const struct tz *tz, struct when *w)
{
	const char *p = text;
	struct tz_local l;
	int64_t day, clock = 0, seconds;
	bool given;
	int32_t offset_s;

	w->ns = 0;
	if (eat(&p, '@'))
		return read_count(p, w);
	if (strlen(p) > 2 && p[2] == ':') {
		tz_at(tz, now.seconds, &l);
		day = now.seconds + l.offset_s;
		day -= (day % 86400 + 86400) % 86400;
		if (!read_clock(&p, &clock, &w->ns))
			return false;
	} else {
		if (!read_day(&p, &day))
			return false;
		if ((eat(&p, ' ') || eat(&p, 'T')) && !read_clock(&p, &clock, &w->ns))
			return false;
	}
	if (!read_offset(&p, &given, &offset_s) || *p)
		return false;
	seconds = given ? day + clock - offset_s : tz_from_local(tz, day + clock);
	w->seconds = seconds;
	return seconds >= CIVIL_MIN && seconds <= CIVIL_MAX;
}

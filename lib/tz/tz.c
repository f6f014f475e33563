/*
 * tz: see tz.h. Text is read from *p on; each reader leaves *p behind what it took, and says false where nothing fits.
 */
#include <ctype.h>
#include <string.h>
#include "civil.h"
#include "tz.h"

#define HOUR_S 3600
#define DAY_S  86400

enum { OFFSET_HOURS = 24, RULE_HOURS = 167, NAME_MIN = 3 };

static bool take(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static bool read_name(const char **p, char name[TZ_NAME])
{
	bool quoted = take(p, '<');
	size_t n = 0;

	for (; isalpha((unsigned char)(*p)[n]) || (quoted && (isdigit((unsigned char)(*p)[n]) || (*p)[n] == '+' || (*p)[n] == '-')); n++)
		if (n == TZ_NAME - 1)
			return false;
	if (n < NAME_MIN)
		return false;
	memcpy(name, *p, n);
	name[n] = 0;
	*p += n;
	return !quoted || take(p, '>');
}

static bool read_number(const char **p, uint32_t low, uint32_t high, uint32_t *value)
{
	const char *begin = *p;

	for (*value = 0; isdigit((unsigned char)**p) && *p - begin < 3; (*p)++)
		*value = *value * 10 + (uint32_t)(**p - '0');
	return *p > begin && *value >= low && *value <= high;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static bool read_time(const char **p, uint32_t hours, int32_t *seconds)
{
	uint32_t h, m = 0, s = 0;
	bool negative = take(p, '-');

	if (!negative)
		(void)take(p, '+');
	if (!read_number(p, 0, hours, &h))
		return false;
	if (take(p, ':') && (!read_number(p, 0, 59, &m) || (take(p, ':') && !read_number(p, 0, 59, &s))))
		return false;
	*seconds = (int32_t)(h * HOUR_S + m * 60 + s);
	if (negative)
		*seconds = -*seconds;
	return true;
}

static bool read_rule(const char **p, struct tz_rule *r)
{
	bool good;

	*r = (struct tz_rule){ .time_s = 2 * HOUR_S };
	if (take(p, 'M')) {
		r->kind = TZ_WEEKDAY;
		good = read_number(p, 1, 12, &r->month) && take(p, '.') && read_number(p, 1, 5, &r->week) && take(p, '.') && read_number(p, 0, 6, &r->day);
	} else {
		r->kind = take(p, 'J') ? TZ_JULIAN : TZ_YEARDAY;
		good = read_number(p, r->kind == TZ_JULIAN, 365, &r->day);
	}
	return good && (!take(p, '/') || read_time(p, RULE_HOURS, &r->time_s));
}

bool tz_parse(struct tz *tz, const char *text)
{
	const char *p = text, *us = "M3.2.0,M11.1.0";
	int32_t west;

	*tz = (struct tz){ .has_summer = false };
	if (!read_name(&p, tz->standard) || !read_time(&p, OFFSET_HOURS, &west))
		return false;
	tz->standard_s = -west;         /* the string says how far it is to UTC */
	if (!*p)
		return true;
	tz->has_summer = true;
	tz->summer_s = tz->standard_s + HOUR_S;
	if (!read_name(&p, tz->summer))
		return false;
	if (*p && *p != ',') {
		if (!read_time(&p, OFFSET_HOURS, &west))
			return false;
		tz->summer_s = -west;
	}
	if (!*p)
		p = us;
	else if (!take(&p, ','))
		return false;
	return read_rule(&p, &tz->begin) && take(&p, ',') && read_rule(&p, &tz->end) && !*p;
}

/* The moment that a rule names in a year, in the local time that it is told in. */
static int64_t rule_at(const struct tz_rule *r, int32_t year)
{
	int64_t day;

	if (r->kind == TZ_WEEKDAY) {
		day = civil_days(year, r->month, 1);
		/* 1970-01-01 was a Thursday; 7 * 10^6 keeps what is divided positive. */
		uint32_t first = (uint32_t)((day + 4 + 7000000) % 7);
		day += (r->day + 7 - first) % 7 + (r->week - 1) * 7;
		if (r->week == 5 && day >= (r->month == 12 ? civil_days(year, 12, 31) + 1 : civil_days(year, r->month + 1, 1)))
			day -= 7;
	} else {
		day = civil_days(year, 1, 1) + r->day;
		if (r->kind == TZ_JULIAN && !(civil_leap(year) && r->day >= 60))
			day--;          /* J1 is January 1st, J60 always March 1st */
	}
	return day * DAY_S + r->time_s;
}

/*
 * The last change at or before the moment decides. One of the year before or after may be it: rules may lead out of their year, and the
 * year in UTC is another one. Summer that ends as the next begins (all year) goes on.
 */
static bool is_summer(const struct tz *tz, int64_t seconds)
{
	struct civil c;
	int64_t last = INT64_MIN;
	bool summer = false;

	if (!tz->has_summer)
		return false;
	civil_from_seconds(seconds + tz->standard_s, &c);
	for (int32_t year = MAX(c.year - 1, 1); year <= MIN(c.year + 1, 9999); year++) {
		int64_t end = rule_at(&tz->end, year) - tz->summer_s, begin = rule_at(&tz->begin, year) - tz->standard_s;
		if (end <= seconds && end >= last)
			last = end, summer = false;
		if (begin <= seconds && begin >= last)
			last = begin, summer = true;
	}
	return summer;
}

void tz_at(const struct tz *tz, int64_t seconds, struct tz_local *l)
{
	seconds = MAX(CIVIL_MIN, MIN(seconds, CIVIL_MAX));
	l->summer = is_summer(tz, seconds);
	l->offset_s = l->summer ? tz->summer_s : tz->standard_s;
	l->name = l->summer ? tz->summer : tz->standard;
}

int64_t tz_from_local(const struct tz *tz, int64_t local)
{
	struct tz_local l;

	local = MAX(CIVIL_MIN, MIN(local, CIVIL_MAX));
	if (!tz->has_summer)
		return local - tz->standard_s;
	/* The larger offset gives the earlier moment. */
	int32_t early = MAX(tz->standard_s, tz->summer_s), late = MIN(tz->standard_s, tz->summer_s);
	tz_at(tz, local - early, &l);
	if (l.offset_s == early)
		return local - early;
	/* Not yet at the earlier moment: so it is the later one, or left out, and then the offset before is the smaller one, too. */
	return local - late;
}

/*
 * kept: see kept.h. A Frame keeps every store that its process made, in the order in which it made them, which is the order of the
 * program as long as the compiler does not change it: hence `stored`.
 */
#include <rt/state.h>
#include <stddef.h>
#include <string.h>
#include "kept.h"

#ifndef KEPT_STORED
#define KEPT_STORED() ((void)0)         /* the test dies here */
#endif

static inline void stored(void)
{
	asm volatile("" ::: "memory");
	KEPT_STORED();
}

static uint64_t settings_sum(const struct settings *s)
{
	return state_sum(1, s, offsetof(struct settings, sum));
}

static uint64_t alarm_sum(const struct alarm *a)
{
	return state_sum(1, a, offsetof(struct alarm, sum));
}

static bool whole(const struct settings *s)
{
	struct tz tz;

	return s->sequence && s->sum == settings_sum(s) && memchr(s->zone, 0, sizeof(s->zone)) && memchr(s->tz, 0, sizeof(s->tz)) && tz_parse(&tz, s->tz);
}

const struct settings *settings_get(const struct kept *k)
{
	const struct settings *newer = NULL;

	for (size_t i = 0; i < ARRAY_LEN(k->copy); i++)
		if (whole(&k->copy[i]) && (!newer || k->copy[i].sequence > newer->sequence))
			newer = &k->copy[i];
	return newer;
}

void settings_put(struct kept *k, struct settings s)
{
	const struct settings *now = settings_get(k);
	struct settings *to = &k->copy[now == &k->copy[0]];

	s.sequence = now ? now->sequence + 1 : 1;
	s.sum = settings_sum(&s);
	to->sequence = 0;
	stored();
	memcpy((char *)to + sizeof(to->sequence), (const char *)&s + sizeof(s.sequence), sizeof(s) - sizeof(s.sequence));
	stored();
	*(volatile uint64_t *)&to->sequence = s.sequence;
	stored();
}

int alarm_find(const struct kept *k, uint64_t badge)
{
	for (int i = 0; i < ALARMS_MAX; i++)
		if (k->alarms[i].badge == badge)
			return i;
	return -1;
}

void alarm_put(struct kept *k, int i, uint64_t badge, int64_t when_ns, uint32_t bit)
{
	struct alarm *a = &k->alarms[i], made = { .badge = badge, .when_ns = when_ns, .bit = bit };

	a->when_ns = when_ns;
	a->bit = bit;
	a->sum = alarm_sum(&made);
	stored();
	*(volatile uint64_t *)&a->badge = badge;
	stored();
}

void alarm_drop(struct kept *k, int i)
{
	*(volatile uint64_t *)&k->alarms[i].badge = 0;
	stored();
}

uint32_t alarms_check(struct kept *k)
{
	uint32_t dropped = 0;

	for (int i = 0; i < ALARMS_MAX; i++) {
		const struct alarm *a = &k->alarms[i];
		if (!a->badge || (a->sum == alarm_sum(a) && a->bit < 64))
			continue;
		alarm_drop(k, i);
		dropped++;
	}
	return dropped;
}

int alarm_first(const struct kept *k)
{
	int first = -1;

	for (int i = 0; i < ALARMS_MAX; i++)
		if (k->alarms[i].badge && (first < 0 || k->alarms[i].when_ns < k->alarms[first].when_ns))
			first = i;
	return first;
}

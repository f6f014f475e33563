/*
 * Any text as a zone, as a moment, as a format, as a table: refused or understood without a bad access, and what was understood makes sense.
 * The input is four pieces with zero bytes between.
 */
#include <stdlib.h>
#include <string.h>
#include "civil.c"
#include "tz.c"
#include "when.c"
#include "zones.c"

static void require(bool good)
{
	if (!good)
		abort();
}

static void check_zone(const struct tz *tz, int64_t seconds)
{
	struct tz_local l, again;

	tz_at(tz, seconds, &l);
	require(l.offset_s == (l.summer ? tz->summer_s : tz->standard_s) && abs(l.offset_s) <= 25 * HOUR_S);
	require(strlen(l.name) >= NAME_MIN && strlen(l.name) < TZ_NAME);
	/* Rules that follow each other by less than they differ make times that are left out and come twice at once. */
	int64_t back = tz_from_local(tz, seconds + l.offset_s);
	tz_at(tz, back, &again);
	require(llabs(back - seconds) <= 50 * HOUR_S);
	if (!tz->has_summer)
		require(back == seconds);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *piece[4], out[100], found[TZ_TEXT];
	struct tz tz, utc;
	struct when w = { 1927857906, 5 };

	memcpy(text, data, size);
	text[size] = 0;
	piece[0] = text;
	for (int i = 1; i < 4; i++) {
		size_t n = strlen(piece[i - 1]);
		piece[i] = piece[i - 1] + n < text + size ? piece[i - 1] + n + 1 : piece[i - 1] + n;
	}
	require(tz_parse(&utc, TZ_UTC));
	if (!tz_parse(&tz, piece[0]))
		tz = utc;
	for (int64_t s = -3000000000; s < 8000000000; s += 77777777)
		check_zone(&tz, s);
	if (when_parse(piece[1], w, &tz, &w)) {
		require(w.seconds >= CIVIL_MIN && w.seconds <= CIVIL_MAX && w.ns < 1000000000);
		size_t n = when_iso(out, w);
		struct when again;
		require(n < WHEN_ISO && when_parse(out, w, &utc, &again) && again.seconds == w.seconds && again.ns == w.ns);
	}
	size_t n = when_format(out, sizeof(out), piece[2], w, &tz);
	require(n == SIZE_MAX || (n < sizeof(out) && strlen(out) == n));
	if (zones_find(piece[3], strlen(piece[3]), "UTC", found))
		require(tz_parse(&tz, found));
	free(text);
	return 0;
}

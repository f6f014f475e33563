/*
 * zone_io: the table of zones, read when somebody asks for a name. See zones.h.
 */
#include <rt/file.h>
#include <stdlib.h>
#include <string.h>
#include "zones.h"

status_t zone_resolve(const char *text, char tz[static TZ_TEXT])
{
	struct tz parsed;
	char *table = NULL;
	size_t size = 0;

	/* Not the other way round: EST5EDT is a zone of the table, too, but says the same. */
	if (strlen(text) < TZ_TEXT && tz_parse(&parsed, text)) {
		strcpy(tz, text);
		return OK;
	}
	if (!zone_is_name(text))
		return ERR_NOT_FOUND;
	status_t st = file_slurp(ZONES_URI, ZONES_MAX, &table, &size);
	if (st < 0)
		return st;
	st = zones_find(table, size, text, tz) ? OK : ERR_NOT_FOUND;
	free(table);
	return st;
}

/*
 * list: see list.h.
 */
#include <abi/file.h>
#include <stdio.h>
#include <string.h>
#include "list.h"

const char *list_type(uint32_t type)
{
	static const char *const names[] = {
		[FILE_REGULAR] = "regular file", [FILE_DIRECTORY] = "directory", [FILE_STREAM] = "stream", [FILE_LINK] = "link", [FILE_DEVICE] = "device",
	};
	return type < ARRAY_LEN(names) && names[type] ? names[type] : "unknown";
}

char *list_mode(char text[static 16], uint32_t type, uint32_t mode)
{
	static const char letters[] = "?-dslc", bits[] = "rwxrwxrwx";

	text[0] = type < sizeof(letters) - 1 ? letters[type] : '?';
	for (int i = 0; i < 9; i++)
		text[1 + i] = mode >> (8 - i) & 1 ? bits[i] : '-';
	text[10] = 0;
	return text;
}

/* Days since 1970-01-01 to a civil date (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days). */
char *list_time(char text[static 24], int64_t seconds)
{
	/* Years 1970 to 9999: nothing else was ever meant. */
	if (seconds <= 0 || seconds > 253402300799ll)
		return strcpy(text, "-");
	uint32_t days = (uint32_t)(seconds / 86400) + 719468, time = (uint32_t)(seconds % 86400);
	uint32_t era = days / 146097, day_of_era = days % 146097;
	uint32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint32_t month = (5 * day_of_year + 2) / 153;
	uint32_t day = day_of_year - (153 * month + 2) / 5 + 1;
	uint32_t year = year_of_era + era * 400 + (month >= 10);
	snprintf(text, 24, "%04u-%02u-%02u %02u:%02u:%02u", year % 10000, month < 10 ? month + 3 : month - 9, day % 100,
		time / 3600 % 100, time / 60 % 60, time % 60);
	return text;
}

char *list_name(char *text, size_t size, const char *name)
{
	size_t i = 0;

	for (; name[i] && i + 1 < size; i++)
		text[i] = (unsigned char)name[i] < 0x20 || name[i] == 0x7f ? '?' : name[i];
	text[i] = 0;
	return text;
}

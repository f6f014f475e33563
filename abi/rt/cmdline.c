/*
 * cmdline: words of the kernel's command line (rt/start.h), as the kernel reads it: what is between double quotes may hold blanks.
 */
#include <gen/syscalls.h>
#include <rt/start.h>
#include <string.h>

enum { LINE = 4096 };

bool cmdline_word(const char *key, char *value, size_t size)
{
	char line[LINE + 1];
	uint64_t len = 0;
	size_t n = strlen(key);
	bool found = false;

	if (size == 0 || cmdline(line, LINE, &len) < 0)
		return false;
	line[MIN(len, (uint64_t)LINE)] = 0;
	for (char *p = line; *p;) {
		char *word = p, *to = p;
		bool quoted = false;
		for (; *p && (quoted || !strchr(" \t\r\n", *p)); p++) {
			if (*p == '"')
				quoted = !quoted;
			else
				*to++ = *p;
		}
		p += *p != 0;
		*to = 0;
		if (strncmp(word, key, n) || (word[n] && word[n] != '='))
			continue;
		strlcpy(value, word[n] ? word + n + 1 : "", size);
		found = true;
	}
	return found;
}

bool cmdline_flag(const char *key, bool fallback)
{
	static const char *const no[] = { "0", "no", "off", "false" }, *const yes[] = { "", "1", "yes", "on", "true" };
	char value[8];

	if (!cmdline_word(key, value, sizeof(value)))
		return fallback;
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (!strcmp(value, no[i]))
			return false;
	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		if (!strcmp(value, yes[i]))
			return true;
	return fallback;
}

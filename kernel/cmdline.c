/*
 * cmdline: see kernel/cmdline.h. Words are separated by blanks; a part of a word between double
 * quotes may hold blanks; a quote that never closes ends with the line. There is no escape
 * character. Nothing is stored but the line itself: options are few and asked for once.
 */
#include <kernel/cmdline.h>
#include <kernel/log.h>
#include <kernel/mm.h>

static char   line[CMDLINE_MAX];
static size_t line_len;
static bool   cut;

/* Each with its reader; services' own options carry a dot and are not listed. */
static const char *const known[] = {
	"clock", "nohpet",      /* the loader: how it measures the TSC */
	"cpus",                 /* smp.c */
	"debug", "quiet",       /* main.c: what is shown while booting */
	"init", "root", "shell", "keymap", "tz", "video",       /* initd and the services it starts */
	"kpti", "nokaslr",      /* paging.c; the loader */
	"nox2apic",             /* apic.c */
	"test",                 /* test builds */
};

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The next word of the line from *at on, quotes still in it. False: no more. */
static bool next_word(size_t *at, const char **word, size_t *len)
{
	size_t i = *at;
	bool   quoted = false;

	while (i < line_len && blank(line[i]))
		i++;
	if (i == line_len)
		return false;
	*word = line + i;
	for (; i < line_len && (quoted || !blank(line[i])); i++)
		if (line[i] == '"')
			quoted = !quoted;
	*len = (size_t)(line + i - *word);
	*at = i;
	return true;
}

static size_t key_len(const char *word, size_t len)
{
	size_t n = 0;
	while (n < len && word[n] != '=')
		n++;
	return n;
}

static bool is_key(const char *word, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (key[i] != word[i] || !key[i])
			return false;
	return !key[n];
}

void cmdline_init(const char *text, size_t len)
{
	cut = len > sizeof(line) - 1;
	line_len = MIN(len, sizeof(line) - 1);
	for (size_t i = 0; i < line_len; i++)
		line[i] = text[i] ? text[i] : ' ';
	line[line_len] = 0;
}

const char *cmdline_text(void)
{
	return line;
}

const char *cmdline_get(const char *key, char *buf, size_t size)
{
	const char *word, *found = NULL;
	size_t at = 0, len, found_len = 0, n = 0;

	while (next_word(&at, &word, &len))
		if (is_key(word, key_len(word, len), key))
			found = word, found_len = len;
	if (!found || size == 0)
		return NULL;
	for (size_t i = key_len(found, found_len) + 1; i < found_len && n + 1 < size; i++)
		if (found[i] != '"')
			buf[n++] = found[i];
	buf[n] = 0;
	return buf;
}

bool cmdline_flag(const char *key, bool fallback)
{
	char value[8];

	if (!cmdline_get(key, value, sizeof(value)))
		return fallback;
	if (!value[0] || !strcmp(value, "1") || !strcmp(value, "yes") || !strcmp(value, "on") || !strcmp(value, "true"))
		return true;
	if (!strcmp(value, "0") || !strcmp(value, "no") || !strcmp(value, "off") || !strcmp(value, "false"))
		return false;
	return fallback;
}

void cmdline_check(void)
{
	const char *word;
	size_t at = 0, len;

	if (cut)
		klog("cmdline: longer than %d bytes, the rest is ignored", CMDLINE_MAX - 1);
	while (next_word(&at, &word, &len)) {
		size_t n = key_len(word, len);
		bool   mine = false;
		for (size_t i = 0; i < n; i++)
			mine |= word[i] == '.';
		for (size_t i = 0; i < ARRAY_LEN(known) && !mine; i++)
			mine = is_key(word, n, known[i]);
		if (!mine)
			klog("cmdline: unknown option \"%.*s\"", (int)n, word);
	}
}

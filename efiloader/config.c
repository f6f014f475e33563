/*
 * config: boot.cfg (the grammar is in config.h). Called by main.c once the file is read, and for the words
 * of the command line that concern the loader itself.
 */
#include "config.h"
#include <string.h>

#define DEFAULT_KERNEL "\\skerry\\kernel.elf"
#define DEFAULT_FIRST  "\\skerry\\initfsd"
#define DEFAULT_INITFS "\\skerry\\initfs.tar.gz"
enum { DEFAULT_TIMEOUT_S = 3 };

struct span { const char *at; size_t len; };

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct span trim(struct span s)
{
	while (s.len && blank(s.at[0]))
		s.at++, s.len--;
	while (s.len && blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

static bool span_is(struct span s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

/* Copies `s` with a final zero; false when it does not fit. */
static bool span_copy(char *to, size_t size, struct span s)
{
	if (s.len >= size)
		return false;
	memcpy(to, s.at, s.len);
	to[s.len] = 0;
	return true;
}

static void warn(struct config *c, uint32_t line, const char *why)
{
	if (c->n_warnings < CONFIG_WARNINGS_MAX)
		c->warnings[c->n_warnings++] = (struct config_warning){ line, why };
}

/* Decimal, at most `max`; false when it is anything else. */
static bool number(struct span s, uint32_t max, uint32_t *value)
{
	uint32_t n = 0;
	if (s.len == 0 || s.len > 9)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
		n = n * 10 + (uint32_t)(s.at[i] - '0');
	}
	if (n > max)
		return false;
	*value = n;
	return true;
}

static const char *set_path(char *to, struct span value)
{
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.at[i] < ' ' || (unsigned char)value.at[i] > '~')
			return "path with other than plain ASCII";
	if (!span_copy(to, CONFIG_PATH_MAX + 1, value))
		return "path too long";
	for (char *p = to; *p; p++)
		if (*p == '/')
			*p = '\\';
	return NULL;
}

static const char *set_cmdline(char *to, struct span value)
{
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.at[i] < ' ' && value.at[i] != '\t')
			return "control character in the command line";
	return span_copy(to, CONFIG_CMDLINE_MAX + 1, value) ? NULL : "command line too long";
}

static const char *set_key(struct config *c, struct config_entry *e, struct span key, struct span value)
{
	if (span_is(key, "kernel"))
		return value.len ? set_path(e->kernel, value) : "no path given";
	if (span_is(key, "first"))
		return value.len ? set_path(e->first, value) : "no path given";
	if (span_is(key, "initfs"))
		return value.len ? set_path(e->initfs, value) : "no path given";
	if (span_is(key, "cmdline"))
		return set_cmdline(e->cmdline, value);
	if (span_is(key, "timeout")) {
		uint32_t seconds;
		if (span_is(value, "none"))
			c->timeout_s = CONFIG_WAIT_FOREVER;
		else if (number(value, CONFIG_TIMEOUT_MAX_S, &seconds))
			c->timeout_s = (int32_t)seconds;
		else
			return "timeout is a number of seconds up to 3600, or none";
		return NULL;
	}
	return "unknown key";
}

/* Begins the entry named in "[name]"; NULL and a reason in *why when that cannot be. */
static struct config_entry *begin_entry(struct config *c, struct span line, const char **why)
{
	if (line.at[line.len - 1] != ']') {
		*why = "no ] at the end of the line";
		return NULL;
	}
	struct span name = trim((struct span){ line.at + 1, line.len - 2 });
	if (c->n_entries == CONFIG_ENTRIES_MAX) {
		*why = "too many entries";
		return NULL;
	}
	struct config_entry *e = &c->entries[c->n_entries];
	*e = c->defaults;
	if (name.len == 0 || !span_copy(e->name, sizeof(e->name), name)) {
		*why = "an entry needs a name of at most 63 bytes";
		return NULL;
	}
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)e->name[i] < ' ' || (unsigned char)e->name[i] > '~')
			e->name[i] = '.';
	c->n_entries++;
	return e;
}

void config_parse(struct config *c, const char *text, size_t len)
{
	memset(c, 0, sizeof(*c));
	c->timeout_s = DEFAULT_TIMEOUT_S;
	memcpy(c->defaults.name, "skerry", sizeof("skerry"));
	memcpy(c->defaults.kernel, DEFAULT_KERNEL, sizeof(DEFAULT_KERNEL));
	memcpy(c->defaults.first, DEFAULT_FIRST, sizeof(DEFAULT_FIRST));
	memcpy(c->defaults.initfs, DEFAULT_INITFS, sizeof(DEFAULT_INITFS));

	/* Editors of another system put a byte order mark in front. */
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3, len -= 3;

	struct config_entry *entry = &c->defaults;   /* NULL: in an entry that was refused */
	uint32_t line_number = 0;
	for (size_t at = 0; at < len;) {
		size_t end = at;
		while (end < len && text[end] != '\n')
			end++;
		struct span line = trim((struct span){ text + at, end - at });
		at = end + 1;
		line_number++;
		if (line.len == 0 || line.at[0] == '#')
			continue;

		const char *why = NULL;
		if (line.at[0] == '[') {
			entry = begin_entry(c, line, &why);
		} else if (entry) {
			size_t eq = 0;
			while (eq < line.len && line.at[eq] != '=')
				eq++;
			if (eq == line.len)
				why = "neither key = value nor [entry]";
			else
				why = set_key(c, entry, trim((struct span){ line.at, eq }),
					      trim((struct span){ line.at + eq + 1, line.len - eq - 1 }));
		}
		if (why)
			warn(c, line_number, why);
	}
	if (c->n_entries == 0)
		c->entries[c->n_entries++] = c->defaults;
}

const char *config_word(const char *cmdline, const char *word, size_t *len)
{
	size_t word_len = strlen(word);
	bool prefix = word[word_len - 1] == '=';
	for (const char *p = cmdline; *p;) {
		while (blank(*p))
			p++;
		const char *end = p;
		while (*end && !blank(*end))
			end++;
		size_t n = (size_t)(end - p);
		if (n >= word_len && memcmp(p, word, word_len) == 0 && (prefix || n == word_len)) {
			*len = n - word_len;
			return p + word_len;
		}
		p = end;
	}
	return NULL;
}

bool config_video(const char *cmdline, uint32_t *width, uint32_t *height)
{
	size_t len, x = 0;
	const char *value = config_word(cmdline, "video=", &len);
	if (!value)
		return false;
	while (x < len && value[x] != 'x')
		x++;
	uint32_t w, h;
	if (x == len || !number((struct span){ value, x }, 65535, &w) ||
	    !number((struct span){ value + x + 1, len - x - 1 }, 65535, &h) || w == 0 || h == 0)
		return false;
	*width = w;
	*height = h;
	return true;
}

/*
 * complete: see complete.h.
 */
#include <abi/file.h>
#include <stdlib.h>
#include <string.h>
#include <utf8/utf8.h>
#include "complete.h"

enum { GAP = 2 };

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* What ends a word; none of it is kept by the words after it. */
static bool is_sign(char c)
{
	return c && strchr(";&|<>", c);
}

/* ---- the word ---- */

/* Where the word that goes up to the cursor begins, and whether it is a command's first. False: it is quoted, a comment, or has a variable in it. */
static bool word_find(const char *text, size_t cursor, size_t *start, bool *first)
{
	bool in_word = false, redirected = false;

	*start = cursor;
	*first = true;
	for (size_t i = 0; i < cursor; i++) {
		char c = text[i];
		if (is_blank(c) || is_sign(c)) {
			if (in_word && !redirected)
				*first = false;
			if (in_word)
				redirected = false;
			in_word = false;
			if (c == '<' || c == '>')
				redirected = true;
			else if (is_sign(c))
				*first = true;
			*start = cursor;
			continue;
		}
		if (!in_word)
			*start = i;
		if (c == '\'' || c == '"' || c == '$' || (c == '#' && !in_word))
			return false;
		in_word = true;
		if (c == '\\')
			i++;
	}
	if (redirected)
		*first = false;
	return true;
}

/* Without \; false: too long, or it ends in one. */
static bool unquote(const char *text, size_t len, char *word)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\' && ++i == len)
			return false;
		if (n == COMPLETE_WORD - 1)
			return false;
		word[n++] = text[i];
	}
	word[n] = 0;
	return true;
}

bool complete_begin(struct complete *c, const char *text, size_t cursor)
{
	char word[COMPLETE_WORD];
	size_t start;
	bool first;

	if (!word_find(text, cursor, &start, &first) || !unquote(text + start, cursor - start, word))
		return false;
	memset(c, 0, offsetof(struct complete, text));
	c->used = 0;
	bool whole = word[0] == '/' || strstr(word, "://") != NULL;
	c->where = whole ? COMPLETE_FOLDER : first && !strchr(word, ':') ? COMPLETE_PROGRAMS : COMPLETE_SCHEMES;
	size_t folder = whole ? (size_t)(strrchr(word, '/') - word) + 1 : 0;
	memcpy(c->folder, word, folder);
	strcpy(c->begun, word + folder);
	c->begun_len = strlen(c->begun);
	return true;
}

/* ---- names ---- */

static bool presentable(const char *name, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		uint32_t code;
		n = utf8_decode(name + i, len - i, &code);
		if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == UTF8_BAD)
			return false;
	}
	return len > 0;
}

/* It ends where a character does. */
static size_t common_len(const char *a, const char *b, size_t most)
{
	size_t n = 0;

	while (n < most && a[n] && a[n] == b[n])
		n++;
	while (n > 0 && ((uint8_t)a[n] & 0xc0) == 0x80)
		n--;
	return n;
}

void complete_offer(struct complete *c, const char *name, uint8_t type)
{
	size_t len = strnlen(name, NAME_MAX_BYTES + 1);

	if (len > NAME_MAX_BYTES || strncmp(name, c->begun, c->begun_len) != 0 || !presentable(name, len))
		return;
	/* The same program in two places is one. */
	for (unsigned i = 0; i < c->n; i++)
		if (strcmp(c->text + c->name[i], name) == 0)
			return;
	/* What all have in common is of interest of those, too, that are not kept. */
	c->common = c->n == 0 ? len : MAX(common_len(c->text + c->name[0], name, c->common), c->begun_len);
	if (c->n == COMPLETE_NAMES || c->used + len + 1 > COMPLETE_BYTES) {
		c->more = true;
		return;
	}
	c->name[c->n++] = (uint16_t)c->used;
	memcpy(c->text + c->used, name, len + 1);
	c->used += len + 1;
	c->type = type;
}

/* Whole or not at all. */
static bool append(char *bytes, size_t *n, size_t room, const char *more, size_t len)
{
	if (len > room - *n)
		return false;
	memcpy(bytes + *n, more, len);
	*n += len;
	return true;
}

size_t complete_insert(struct complete *c, char *bytes, size_t room)
{
	size_t n = 0;

	if (c->n == 0)
		return 0;
	const char *name = c->text + c->name[0];
	for (size_t i = c->begun_len; i < c->common; i++) {
		bool means = strchr(" \t;&|<>()'\"\\$#", name[i]) != NULL;
		if (!append(bytes, &n, room, (char[]){ '\\', name[i] } + !means, 1u + means))
			return 0;
	}
	/* Behind a scheme's :// its directories follow. */
	if (c->n == 1 && !c->more && c->where != COMPLETE_SCHEMES && !append(bytes, &n, room, c->type == FILE_DIRECTORY ? "/" : " ", 1))
		return 0;
	return n;
}

/* ---- to be shown ---- */

static const char *sorting;     /* qsort has no context: the names' text */

static int by_name(const void *a, const void *b)
{
	return strcmp(sorting + *(const uint16_t *)a, sorting + *(const uint16_t *)b);
}

static size_t width_of(const struct complete *c, unsigned i)
{
	const char *name = c->text + c->name[i];

	return utf8_width(name, strlen(name));
}

size_t complete_list(struct complete *c, unsigned columns, char *text, size_t room)
{
	size_t widest = 0, n = 0;

	sorting = c->text;
	qsort(c->name, c->n, sizeof(c->name[0]), by_name);
	for (unsigned i = 0; i < c->n; i++)
		widest = MAX(widest, width_of(c, i));
	unsigned across = MAX(columns / (unsigned)(widest + GAP), 1u);
	room--;
	for (unsigned i = 0; i < c->n; i++) {
		const char *name = c->text + c->name[i];
		bool last = i % across == across - 1 || i == c->n - 1;
		size_t start = n, fill = last ? 0 : widest + GAP - width_of(c, i);
		bool fits = append(text, &n, room, name, strlen(name));
		while (fits && fill-- > 0)
			fits = append(text, &n, room, " ", 1);
		if (fits && last)
			fits = append(text, &n, room, "\n", 1);
		if (!fits) {
			n = start;
			c->more = true;
			break;
		}
	}
	while (n > 0 && text[n - 1] == ' ')
		n--;
	if (c->more && n > 0)
		append(text, &n, room, text[n - 1] == '\n' ? "...\n" : "\n...\n", text[n - 1] == '\n' ? 4 : 5);
	text[n] = 0;
	return n;
}

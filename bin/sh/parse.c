/*
 * parse: see parse.h.
 */
#include <stdlib.h>
#include <string.h>
#include "parse.h"

static const char no_memory[] = "out of memory";

enum token { TOKEN_END, TOKEN_WORD, TOKEN_SEMICOLON, TOKEN_BACKGROUND, TOKEN_AND, TOKEN_OR, TOKEN_PIPE, TOKEN_IN, TOKEN_OUT, TOKEN_APPEND, TOKEN_OTHER };

/* Longer ones before those they begin with. */
static const struct { const char *text; enum token token; } signs[] = {
	{ "&&", TOKEN_AND }, { "||", TOKEN_OR }, { ">>", TOKEN_APPEND }, { ";", TOKEN_SEMICOLON }, { "&", TOKEN_BACKGROUND },
	{ "|", TOKEN_PIPE }, { "<", TOKEN_IN }, { ">", TOKEN_OUT }, { "(", TOKEN_OTHER }, { ")", TOKEN_OTHER },
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool ends_word(char c)
{
	return !c || is_blank(c) || strchr(";&|<>()", c);
}

/* Past the closing quote of the one at p, or NULL if there is none. */
static const char *skip_quotes(const char *p)
{
	char quote = *p++;

	for (; *p && *p != quote; p++)
		if (quote == '"' && *p == '\\' && p[1])
			p++;
	return *p ? p + 1 : NULL;
}

/* The next token at *p, which moves past it; a word is [*start, *p). */
static enum token next_token(const char **p, const char **start, const char **error)
{
	const char *q = *p;

	while (is_blank(*q))
		q++;
	*start = q;
	if (!*q || *q == '#') {
		*p = q;
		return TOKEN_END;
	}
	for (size_t i = 0; i < ARRAY_LEN(signs); i++)
		if (!strncmp(q, signs[i].text, strlen(signs[i].text))) {
			*p = q + strlen(signs[i].text);
			return signs[i].token;
		}
	while (!ends_word(*q)) {
		if (*q == '\\') {
			if (!q[1]) {
				*error = "nothing follows the backslash";
				return TOKEN_OTHER;
			}
			q += 2;
		} else if (*q == '\'' || *q == '"') {
			q = skip_quotes(q);
			if (!q) {
				*error = "a quote is not closed";
				return TOKEN_OTHER;
			}
		} else {
			q++;
		}
	}
	*p = q;
	return TOKEN_WORD;
}

static bool add_word(struct command *c, const char *text, size_t len)
{
	char **words = realloc(c->words, ((size_t)c->n_words + 2) * sizeof(*words));

	if (!words)
		return false;
	c->words = words;
	words[c->n_words + 1] = NULL;
	words[c->n_words] = strndup(text, len);
	return words[c->n_words++] != NULL;
}

static bool add_redirect(struct command *c, enum token sign, const char *text, size_t len)
{
	struct redirect *redirects = realloc(c->redirects, ((size_t)c->n_redirects + 1) * sizeof(*redirects));

	if (!redirects)
		return false;
	c->redirects = redirects;
	redirects[c->n_redirects].kind = sign == TOKEN_IN ? REDIRECT_IN : sign == TOKEN_OUT ? REDIRECT_OUT : REDIRECT_APPEND;
	redirects[c->n_redirects].word = strndup(text, len);
	return redirects[c->n_redirects++].word != NULL;
}

static void command_free(struct command *c)
{
	for (int i = 0; i < c->n_words; i++)
		free(c->words[i]);
	for (int i = 0; i < c->n_redirects; i++)
		free(c->redirects[i].word);
	free(c->words);
	free(c->redirects);
}

static bool add_command(struct script *s, const struct command *c)
{
	struct command *commands = realloc(s->commands, ((size_t)s->n + 1) * sizeof(*commands));

	if (!commands)
		return false;
	s->commands = commands;
	commands[s->n++] = *c;
	return true;
}

void script_free(struct script *s)
{
	for (int i = 0; i < s->n; i++)
		command_free(&s->commands[i]);
	free(s->commands);
	*s = (struct script){ 0 };
}

/* What the sign after a command means for it and the next; false: it may not stand there. */
static bool close_command(struct script *s, struct command *c, enum token sign, const char **error)
{
	if (c->n_words == 0 && (c->n_redirects == 0 || sign == TOKEN_PIPE || c->join == JOIN_PIPE)) {
		/* An end may follow a sign that ends a command, not one that joins two. */
		if (sign == TOKEN_END && c->join == JOIN_ALWAYS)
			return true;
		*error = sign == TOKEN_END ? "a command is missing at the end" : "a command is missing before ; & && || or |";
		return false;
	}
	c->background = sign == TOKEN_BACKGROUND;
	if (!add_command(s, c)) {
		*error = no_memory;
		return false;
	}
	*c = (struct command){
		.join = sign == TOKEN_AND ? JOIN_AND : sign == TOKEN_OR ? JOIN_OR : sign == TOKEN_PIPE ? JOIN_PIPE : JOIN_ALWAYS,
	};
	return true;
}

const char *parse(const char *line, struct script *s)
{
	struct command c = { 0 };
	const char *start, *error = NULL;
	enum token token, redirect = TOKEN_END;         /* the sign whose word comes next */

	*s = (struct script){ 0 };
	do {
		token = next_token(&line, &start, &error);
		if (error)
			break;
		if (token == TOKEN_WORD) {
			size_t len = (size_t)(line - start);
			if (!(redirect == TOKEN_END ? add_word(&c, start, len) : add_redirect(&c, redirect, start, len)))
				error = no_memory;
			redirect = TOKEN_END;
		} else if (redirect != TOKEN_END) {
			error = "a name is missing after < > or >>";
		} else if (token == TOKEN_IN || token == TOKEN_OUT || token == TOKEN_APPEND) {
			redirect = token;
		} else if (token == TOKEN_OTHER) {
			error = "parentheses are not supported";
		} else {
			close_command(s, &c, token, &error);
		}
	} while (!error && token != TOKEN_END);
	command_free(&c);
	if (error)
		script_free(s);
	return error;
}

/* ---- expansion ---- */

struct buffer { char *data; size_t len, room; bool failed; };

static void put(struct buffer *b, const char *text, size_t len)
{
	if (b->len + len + 1 > b->room) {
		size_t room = 2 * (b->len + len + 1);
		char *data = realloc(b->data, room);
		if (!data) {
			b->failed = true;
			return;
		}
		b->data = data;
		b->room = room;
	}
	memcpy(b->data + b->len, text, len);
	b->len += len;
	b->data[b->len] = 0;
}

static bool is_name(char c, bool first)
{
	return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (!first && c >= '0' && c <= '9');
}

/* The variable at p (behind its $): its value is put; returns what follows. A lone $ stands for itself. */
static const char *put_variable(struct buffer *b, const char *p, lookup_fn *lookup, void *ctx)
{
	bool braces = *p == '{';
	const char *start = p + braces, *end = start;
	char name[64];

	if (*end == '?')
		end++;
	else
		while (is_name(*end, end == start))
			end++;
	size_t len = (size_t)(end - start);
	if (len == 0 || len >= sizeof(name) || (braces && *end != '}')) {
		put(b, "$", 1);
		return p;
	}
	memcpy(name, start, len);
	name[len] = 0;
	const char *value = lookup(ctx, name);
	if (value)
		put(b, value, strlen(value));
	return end + braces;
}

bool expand(const char *p, lookup_fn *lookup, void *ctx, char **out)
{
	struct buffer b = { 0 };
	bool kept = false, in_double = false;   /* kept: something quoted or literal, so the word stays even if empty */

	put(&b, "", 0);
	while (*p && !b.failed) {
		if (*p == '\'' && !in_double) {
			const char *end = strchr(p + 1, '\'');
			if (!end)
				end = p + strlen(p);
			put(&b, p + 1, (size_t)(end - p - 1));
			p = *end ? end + 1 : end;
			kept = true;
		} else if (*p == '"') {
			in_double = !in_double;
			kept = true;
			p++;
		} else if (*p == '\\' && p[1] && (!in_double || strchr("\"\\$", p[1]))) {
			put(&b, p + 1, 1);
			p += 2;
			kept = true;
		} else if (*p == '$') {
			p = put_variable(&b, p + 1, lookup, ctx);
		} else {
			put(&b, p++, 1);
			kept = true;
		}
	}
	if (b.failed) {
		free(b.data);
		return false;
	}
	if (b.len == 0 && !kept) {
		free(b.data);
		b.data = NULL;
	}
	*out = b.data;
	return true;
}

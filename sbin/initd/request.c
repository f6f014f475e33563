/*
 * request: see request.h.
 */
#include "request.h"
#include <string.h>

static const struct { const char *word; int action; bool of_service; } verbs[] = {
	{ "start", ACTION_START, true }, { "stop", ACTION_STOP, true }, { "restart", ACTION_RESTART, true },
	{ "kill", ACTION_KILL, true }, { "poweroff", ACTION_POWEROFF, false }, { "reboot", ACTION_REBOOT, false },
	{ "exit", ACTION_EXIT, false }, { "die", ACTION_DIE, false },
};

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The next word of *text into out; false: there is none, or it is not text. */
static bool word(const char **text, const char *end, char out[REQUEST_MAX])
{
	size_t n = 0;

	while (*text < end && blank(**text))
		++*text;
	while (*text < end && !blank(**text)) {
		if (**text == 0 || n == REQUEST_MAX - 1)
			return false;
		out[n++] = *(*text)++;
	}
	out[n] = 0;
	return n > 0;
}

static bool decimal(const char *text, uint64_t *value)
{
	*value = 0;
	for (; *text >= '0' && *text <= '9' && *value < UINT32_MAX; text++)
		*value = *value * 10 + (uint64_t)(*text - '0');
	return !*text;
}

bool request_parse(struct request *r, const char *text, size_t len)
{
	const char *end = text + len;
	char verb[REQUEST_MAX], rest[REQUEST_MAX];

	*r = (struct request){ 0 };
	if (len > REQUEST_MAX || !word(&text, end, verb))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(verb, verbs[i].word))
			continue;
		r->action = verbs[i].action;
		bool more = word(&text, end, rest);
		if (more && (r->action == ACTION_EXIT || r->action == ACTION_DIE))
			more = !decimal(rest, &r->value);
		else if (more && verbs[i].of_service) {
			strcpy(r->name, rest);
			more = false;
		}
		for (; !more && text < end; text++)
			more = !blank(*text);
		return !more;
	}
	return false;
}

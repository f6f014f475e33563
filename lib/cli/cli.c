/*
 * cli: option and number parsing (pure; cli_io.c prints).
 */
#include "cli.h"
#include <string.h>

struct cli cli_start(int argc, char *const *argv)
{
	return (struct cli){ .argc = argc, .argv = argv, .next = argc > 0 ? 1 : 0 };
}

int cli_option(struct cli *c, const char *spec)
{
	if (!c->rest) {
		const char *word = c->next < c->argc ? c->argv[c->next] : NULL;
		if (!word || word[0] != '-' || !word[1])
			return 0;
		c->next++;
		if (!strcmp(word, "--"))
			return 0;
		c->rest = word + 1;
	}
	char letter = *c->rest++;
	const char *known = letter == ':' ? NULL : strchr(spec, letter);
	bool takes_value = known && known[1] == ':';

	c->value = NULL;
	c->no_value = false;
	if (known && takes_value) {
		c->value = *c->rest ? c->rest : c->next < c->argc ? c->argv[c->next++] : NULL;
		c->rest = NULL;
		c->no_value = !c->value;
	} else if (!*c->rest) {
		c->rest = NULL;
	}
	if (known && !c->no_value)
		return letter;
	c->bad = letter;
	return '?';
}

static int digit_value(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	if (ch >= 'a' && ch <= 'f')
		return ch - 'a' + 10;
	if (ch >= 'A' && ch <= 'F')
		return ch - 'A' + 10;
	return 99;
}

bool cli_number(const char *text, uint64_t *value)
{
	unsigned base = 10;
	uint64_t v = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	} else if (text[0] == '0' && text[1]) {
		base = 8;
	}
	const char *start = text;
	for (; digit_value(*text) < (int)base; text++)
		if (__builtin_mul_overflow(v, (uint64_t)base, &v) || __builtin_add_overflow(v, (uint64_t)digit_value(*text), &v))
			return false;
	if (text == start)
		return false;
	if (*text) {
		static const char units[] = "kMG";
		const char *unit = strchr(units, *text == 'K' ? 'k' : *text);
		if (!unit || text[1] || __builtin_mul_overflow(v, 1ull << (10 * (unit - units + 1)), &v))
			return false;
	}
	*value = v;
	return true;
}

bool cli_seconds(const char *text, uint64_t *ns)
{
	uint64_t whole = 0, part = 0, unit = NS_PER_SEC;
	bool any = false;

	for (; *text >= '0' && *text <= '9'; text++, any = true)
		if (__builtin_mul_overflow(whole, 10ull, &whole) || __builtin_add_overflow(whole, (uint64_t)(*text - '0'), &whole))
			return false;
	if (*text == '.')
		for (text++; *text >= '0' && *text <= '9'; text++, any = true) {
			unit /= 10;
			part += unit * (uint64_t)(*text - '0');
		}
	if (!any || *text || __builtin_mul_overflow(whole, NS_PER_SEC, &whole) || __builtin_add_overflow(whole, part, &whole))
		return false;
	*ns = whole;
	return true;
}

const char *cli_size(uint64_t bytes, char text[static 8])
{
	static const char units[] = "BKMGTPE";
	char *p = text;
	unsigned unit = 0;
	uint64_t tenths = 0;

	while (bytes >= 1000 && unit < sizeof(units) - 2) {
		uint64_t whole = bytes / 1024;
		tenths = bytes % 1024 * 10 / 1024;
		bytes = whole;
		unit++;
	}
	if (bytes >= 100)
		*p++ = (char)('0' + bytes / 100);
	if (bytes >= 10)
		*p++ = (char)('0' + bytes / 10 % 10);
	*p++ = (char)('0' + bytes % 10);
	if (unit && bytes < 100) {
		*p++ = '.';
		*p++ = (char)('0' + tenths);
	}
	if (unit)
		*p++ = units[unit];
	*p = 0;
	return text;
}

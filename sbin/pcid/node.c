/*
 * node: see node.h.
 */
#include "node.h"
#include <gen/errors.h>
#include <string.h>

uint64_t node_badge(struct node n)
{
	return (uint64_t)n.kind << 16 | n.at;
}

bool node_from_badge(uint64_t badge, struct node *n)
{
	if (badge >> 16 >= NODE_KINDS)
		return false;
	*n = (struct node){ (enum node_kind)(badge >> 16), (uint16_t)badge };
	return n->kind > NODE_LIST || n->at == 0;
}

void node_name(char out[NODE_NAME_SIZE], uint16_t at)
{
	static const char digits[] = "0123456789abcdef";

	out[0] = digits[at >> 12];
	out[1] = digits[at >> 8 & 15];
	out[2] = ':';
	out[3] = digits[at >> 7 & 1];
	out[4] = digits[at >> 3 & 15];
	out[5] = '.';
	out[6] = digits[at & 7];
	out[7] = 0;
}

static bool hex_digit(char c, uint32_t *value)
{
	if (c >= '0' && c <= '9')
		*value = *value << 4 | (uint32_t)(c - '0');
	else if (c >= 'a' && c <= 'f')
		*value = *value << 4 | (uint32_t)(c - 'a' + 10);
	else
		return false;
	return true;
}

/* Exactly as node_name writes it. */
static bool parse_name(const char *s, size_t len, uint16_t *at)
{
	uint32_t bus = 0, device = 0, function = 0;

	if (len != NODE_NAME_SIZE - 1 || s[2] != ':' || s[5] != '.' || !hex_digit(s[0], &bus) || !hex_digit(s[1], &bus) ||
	    !hex_digit(s[3], &device) || !hex_digit(s[4], &device) || !hex_digit(s[6], &function) || device > 31 || function > 7)
		return false;
	*at = (uint16_t)(bus << 8 | device << 3 | function);
	return true;
}

status_t node_walk(struct node from, const char *path, size_t len, struct node *to)
{
	struct node n = from, top = from;

	for (size_t i = 0; i < len;) {
		size_t start = i;
		while (i < len && path[i] != '/')
			i++;
		size_t part = i - start;
		const char *s = path + start;
		i += i < len;
		if (!node_is_directory(n.kind))
			return ERR_NOT_DIRECTORY;
		if (part == 0 || (part == 1 && s[0] == '.'))
			continue;
		if (part == 2 && s[0] == '.' && s[1] == '.')
			n = top;        /* two floors: above a function is the root, or where the Session begins */
		else if (n.kind == NODE_ROOT && parse_name(s, part, &n.at))
			n.kind = NODE_FUNCTION;
		else if (n.kind == NODE_FUNCTION && part == 6 && !memcmp(s, "config", 6))
			n.kind = NODE_CONFIG;
		else
			return ERR_NOT_FOUND;
	}
	*to = n;
	return OK;
}

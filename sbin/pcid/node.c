/*
 * node: see node.h.
 */
#include "node.h"
#include <gen/errors.h>
#include <pci/name.h>
#include <string.h>

uint64_t node_badge(struct node n)
{
	return (uint64_t)n.serial << 32 | (uint64_t)n.kind << 16 | n.at;
}

bool node_from_badge(uint64_t badge, struct node *n)
{
	uint32_t kind = badge >> 16 & 0xffff;

	if (kind >= NODE_KINDS || (badge >> 32 && kind != NODE_DEVICE && kind != NODE_OFFER))
		return false;
	*n = (struct node){ (enum node_kind)kind, (uint16_t)badge, (uint32_t)(badge >> 32) };
	return n->kind > NODE_LIST || n->at == 0;
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
		else if (n.kind == NODE_ROOT && pci_parse(s, part, &n.at))
			n.kind = NODE_FUNCTION;
		else if (n.kind != NODE_ROOT && part == 6 && !memcmp(s, "config", 6))
			n.kind = NODE_CONFIG;
		else if (n.kind != NODE_ROOT && part == 6 && !memcmp(s, "device", 6))
			n.kind = NODE_DEVICE;
		else
			return ERR_NOT_FOUND;
	}
	if (n.kind != from.kind)
		n.serial = 0;
	*to = n;
	return OK;
}

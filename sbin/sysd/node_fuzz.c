/*
 * Any badge and any path: what is found is a node of ours, at or below where the walk began.
 */
#include <stdlib.h>
#include "node.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct node from, to, back;
	uint64_t badge;

	if (size < sizeof(badge))
		return 0;
	memcpy(&badge, data, sizeof(badge));
	if (!node_from_badge(badge, &from))
		from = (struct node){ .kind = NODE_PROC };
	char *path = malloc(size - sizeof(badge) + 1);
	memcpy(path, data + sizeof(badge), size - sizeof(badge));
	path[size - sizeof(badge)] = 0;
	if (node_walk(from, path, &to) == OK) {
		if (!node_from_badge(node_badge(to), &back) || back.kind != to.kind || back.arg != to.arg)
			abort();
		if (from.kind == NODE_PROCESS && (to.kind < NODE_PROCESS || to.arg != from.arg))
			abort();
	}
	free(path);
	return 0;
}

/*
 * path: where programs are looked for (pure).
 */
#include <stdio.h>
#include <string.h>
#include "launch.h"

const char *launch_folder(unsigned i)
{
	static const char *const folders[] = { "initfs:///bin/", "initfs:///sbin/" };

	return i < ARRAY_LEN(folders) ? folders[i] : NULL;
}

bool launch_candidate(const char *name, unsigned i, char *uri, size_t size)
{
	bool whole = strchr(name, '/') != NULL || strchr(name, ':') != NULL;
	const char *folder = whole ? "" : launch_folder(i);

	if (!*name || (whole && i > 0) || !folder)
		return false;
	int n = snprintf(uri, size, "%s%s", folder, name);
	return n > 0 && (size_t)n < size;
}

int launch_status(const struct process_info *info)
{
	switch (info->exit_kind) {
	case EXIT_NORMAL:
		return (int)(info->exit_status & 255);
	case EXIT_FAULT:
		return LAUNCH_FAULT;
	default:
		return LAUNCH_KILLED;
	}
}

/*
 * launch: see launch.h.
 */
#include <rt/start.h>
#include "launch.h"

enum { URI_MAX = 512 };

status_t launch(const struct launch *l, handle_t *process, uint64_t *pid, const char **why)
{
	struct spawn_handle handles[3];
	struct process_info self;
	char uri[URI_MAX];
	size_t n = 0;

	*why = NULL;
	status_t st = process_info(0, &self);
	if (st < 0)
		return st;
	if (l->in)
		handles[n++] = (struct spawn_handle){ .name = "stdin", .handle = l->in };
	if (l->out)
		handles[n++] = (struct spawn_handle){ .name = "stdout", .handle = l->out };
	if (l->error)
		handles[n++] = (struct spawn_handle){ .name = "stderr", .handle = l->error };
	struct spawn s = {
		.argc = l->argc, .argv = l->argv, .envc = l->envc, .envp = l->envp, .handles = handles, .n_handles = n,
		.priority = l->priority ? l->priority : self.priority, .level = self.level, .budget = l->budget,
	};
	st = ERR_NOT_FOUND;
	for (unsigned i = 0; st == ERR_NOT_FOUND && launch_candidate(l->argv[0], i, uri, sizeof(uri)); i++)
		st = spawn_uri(uri, &s, process, pid, why);
	return st;
}

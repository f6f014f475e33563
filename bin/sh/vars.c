/*
 * vars: variables. All of them are passed to programs, so there is nothing to export.
 */
#include <rt/start.h>
#include <stdlib.h>
#include <string.h>
#include "shell.h"

enum { VARS_MAX = 256 };

static char *vars[VARS_MAX];    /* "NAME=value", owned */
static int n_vars;

size_t var_assignment(const char *word)
{
	size_t n = 0;

	while (word[n] == '_' || (word[n] >= 'a' && word[n] <= 'z') || (word[n] >= 'A' && word[n] <= 'Z') ||
	       (n > 0 && word[n] >= '0' && word[n] <= '9'))
		n++;
	return word[n] == '=' ? n : 0;
}

static int find(const char *name, size_t len)
{
	for (int i = 0; i < n_vars; i++)
		if (!strncmp(vars[i], name, len) && vars[i][len] == '=')
			return i;
	return -1;
}

const char *var_get(const char *name)
{
	int i = find(name, strlen(name));

	return i < 0 ? NULL : strchr(vars[i], '=') + 1;
}

bool var_set(const char *assignment)
{
	int i = find(assignment, (size_t)(strchr(assignment, '=') - assignment));
	char *copy = i < 0 && n_vars == VARS_MAX ? NULL : strdup(assignment);

	if (!copy)
		return false;
	if (i < 0)
		i = n_vars++;
	free(vars[i]);
	vars[i] = copy;
	return true;
}

void var_unset(const char *name)
{
	int i = find(name, strlen(name));

	if (i < 0)
		return;
	free(vars[i]);
	vars[i] = vars[--n_vars];
	vars[n_vars] = NULL;
}

int vars_list(const char *const **list)
{
	*list = (const char *const *)vars;
	return n_vars;
}

void vars_init(void)
{
	const struct start_info *s = start_info();
	const uint32_t *offsets = (const uint32_t *)((const char *)s + s->envp);

	for (uint32_t i = 0; i < s->envc; i++) {
		const char *entry = (const char *)s + offsets[i];
		if (var_assignment(entry))
			(void)var_set(entry);
	}
}

/*
 * Any text must be parsed or refused, and every word of what was parsed expanded, without a bad access or a leak.
 */
#include "parse.c"

static const char *value(void *ctx unused, const char *name)
{
	return name[0] == 'x' ? NULL : "value";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1);
	struct script s;

	memcpy(line, data, size);
	line[size] = 0;
	parse(line, &s);
	for (int i = 0; i < s.n; i++)
		for (int w = 0; w < s.commands[i].n_words; w++) {
			char *out = NULL;
			if (expand(s.commands[i].words[w], value, NULL, &out))
				free(out);
		}
	script_free(&s);
	free(line);
	return 0;
}

/*
 * env: the environment, a variable a line.
 */
#include <cli/cli.h>
#include <rt/io.h>
#include <rt/start.h>

int main(int argc, char **argv)
{
	const struct start_info *s = start_info();
	const uint32_t *offsets = (const uint32_t *)((const char *)s + s->envp);
	struct cli cli = cli_start(argc, argv);

	if (argc > 1)
		return cli_usage(&cli, "");
	for (uint32_t i = 0; i < s->envc; i++)
		print("%s\n", (const char *)s + offsets[i]);
	return cli_end(0);
}

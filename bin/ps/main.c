/*
 * ps: the table of processes, which is what proc:// says when read.
 */
#include <cli/input.h>
#include <rt/start.h>

int main(int argc, char **argv)
{
	struct cli cli = cli_start(argc, argv);
	struct input in;

	if (argc > 1)
		return cli_usage(&cli, "");
	return cli_end(input_open(&in, "proc://") && input_print(&in) ? 0 : 1);
}

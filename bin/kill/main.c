/*
 * kill: ends processes by number. What a service loses by it, its supervisor starts again.
 */
#include <cli/cli.h>
#include <gen/errors.h>
#include <launch/launch.h>
#include <rt/io.h>

int main(int argc, char **argv)
{
	struct cli cli = cli_start(argc, argv);
	int status = 0;
	uint64_t pid;

	if (cli_option(&cli, "") != 0 || cli.next == argc)
		return cli_usage(&cli, "PID...");
	for (int i = cli.next; i < argc; i++) {
		if (!cli_number(argv[i], &pid) || pid == 0) {
			print_error("%s: not a process number", argv[i]);
			status = CLI_USAGE;
			continue;
		}
		status_t st = launch_kill(pid);
		if (st < 0)
			status = st == ERR_NOT_FOUND ? (print_error("%s: no such process", argv[i]), 1) : cli_fail(argv[i], st);
	}
	return status;
}

/*
 * kill: ends processes by number. What a service loses by it, its supervisor starts again.
 */
#include <cli/cli.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdio.h>

static status_t end_process(uint64_t pid)
{
	char uri[48];
	handle_t file;

	snprintf(uri, sizeof(uri), "proc://%llu/ctl", (unsigned long long)pid);
	status_t st = file_open(uri, OPEN_WRITE, &file);
	if (st < 0)
		return st;
	st = file_ctl(file, CTL_PROC_KILL, NULL, 0, NULL);
	file_close(file);
	return st;
}

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
		status_t st = end_process(pid);
		if (st < 0)
			status = st == ERR_NOT_FOUND ? (print_error("%s: no such process", argv[i]), 1) : cli_fail(argv[i], st);
	}
	return status;
}

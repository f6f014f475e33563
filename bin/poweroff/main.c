/*
 * poweroff: switches the machine off, by way of the supervisor, which ends the services first.
 */
#include <cli/cli.h>
#include <rt/file.h>
#include <rt/start.h>

int main(int argc, char **argv)
{
	struct cli cli = cli_start(argc, argv);
	handle_t file;

	if (argc > 1)
		return cli_usage(&cli, "");
	status_t st = file_open("svc://", OPEN_READ | OPEN_WRITE, &file);
	if (st == OK)
		st = file_ctl(file, CTL_SVC_POWEROFF, NULL, 0, NULL);
	return st < 0 ? cli_fail("svc://", st) : 0;
}

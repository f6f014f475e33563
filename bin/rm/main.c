/*
 * rm: removes files. -d: empty directories too; -f: what is not there is no failure.
 */
#include <cli/cli.h>
#include <rt/file.h>

int main(int argc, char **argv)
{
	struct cli cli = cli_start(argc, argv);
	bool directories = false, force = false;
	int status = 0;

	for (int o; (o = cli_option(&cli, "df")) != 0;) {
		if (o == '?')
			return cli_usage(&cli, "[-df] URI...");
		directories |= o == 'd';
		force |= o == 'f';
	}
	if (cli.next == argc)
		return cli_usage(&cli, "[-df] URI...");
	for (int i = cli.next; i < argc; i++) {
		status_t st = file_unlink(argv[i], 0);
		if (st == ERR_IS_DIRECTORY && directories)
			st = file_unlink(argv[i], UNLINK_DIR);
		if (st < 0 && !(st == ERR_NOT_FOUND && force))
			status |= cli_fail(argv[i], st);
	}
	return cli_end(status);
}

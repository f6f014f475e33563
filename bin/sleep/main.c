/*
 * sleep: waits for so many seconds; fractions count.
 */
#include <cli/cli.h>
#include <rt/io.h>
#include <rt/start.h>

int main(int argc, char **argv)
{
	struct cli cli = cli_start(argc, argv);
	uint64_t begin, ns, total = 0;

	if (argc < 2)
		return cli_usage(&cli, "SECONDS...");
	for (int i = 1; i < argc; i++)
		if (!cli_seconds(argv[i], &ns) || __builtin_add_overflow(total, ns, &total))
			return cli_usage(&cli, "SECONDS...");
	status_t st = clock_now(&begin);
	if (st == OK)
		st = thread_sleep(total > FOREVER - begin ? FOREVER : begin + total);
	return st < 0 ? cli_fail("cannot wait", st) : 0;
}

/*
 * tmpload: clients of tmp:// (tmp_rounds.h) for a shell to start.
 *
 *   tmpload run SELF N       N rounds of append, create, write, append, rename, read back, unlink, mkdir, rmdir
 *   tmpload verify K N       after clients 0..K-1: each record of the log once and in order, each file whole, no other
 *   tmpload clean            removes it all
 */
#include "../tmp_rounds.h"

static int run(unsigned self, unsigned n)
{
	handle_t log;

	if (rounds_open(&log))
		return 1;
	for (unsigned i = 0; i < n; i++)
		if (round_of(self, i, log))
			return 1;
	file_close(log);
	print("tmpload %u: %u rounds done\n", self, n);
	return 0;
}

static int verify(unsigned clients, unsigned n)
{
	unsigned rounds[CLIENTS_MAX];

	for (unsigned k = 0; k < clients; k++)
		rounds[k] = n;
	if (verify_rounds(clients, rounds))
		return 1;
	print("tmpload: %u records and %u files, each exactly once\n", clients * n, clients * files_of(n));
	return 0;
}

int main(int argc, char **argv)
{
	unsigned a = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0, n = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;

	if (argc == 4 && !strcmp(argv[1], "run"))
		return run(a, n);
	if (argc == 4 && !strcmp(argv[1], "verify") && a <= CLIENTS_MAX)
		return verify(a, n);
	if (argc == 2 && !strcmp(argv[1], "clean")) {
		if (rounds_clean())
			return 1;
		print("tmpload: clean\n");
		return 0;
	}
	print_error("usage: tmpload run SELF N | verify K N | clean");
	return 2;
}

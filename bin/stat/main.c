/*
 * stat: what a URI names, a field a line.
 */
#include <cli/cli.h>
#include <cli/list.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>

static int show(const char *uri)
{
	char mode[16], time[24];
	struct stat st;

	status_t result = file_stat_uri(uri, &st);
	if (result < 0)
		return cli_fail(uri, result);
	print("uri    %s\ntype   %s\nmode   %s\nsize   %llu\nblocks %llu\ninode  %llu\nmtime  %s\n", uri, list_type(st.type),
		list_mode(mode, st.type, st.mode), (unsigned long long)st.size, (unsigned long long)st.blocks,
		(unsigned long long)st.ino, list_time(time, st.mtime));
	return 0;
}

int main(int argc, char **argv)
{
	struct cli cli = cli_start(argc, argv);
	int status = 0;

	if (cli_option(&cli, "") != 0 || cli.next == argc)
		return cli_usage(&cli, "URI...");
	for (int i = cli.next; i < argc; i++)
		status |= show(argv[i]);
	return cli_end(status);
}

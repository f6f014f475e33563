/*
 * cat: the content of URIs, or of stdin, one after the other.
 */
#include <cli/input.h>
#include <rt/io.h>
#include <rt/start.h>

static int show(const char *uri)
{
	struct input in;

	if (!input_open(&in, uri))
		return 1;
	bool good = input_print(&in);
	input_close(&in);
	return good ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct cli cli = cli_start(argc, argv);
	int status = 0;

	if (cli_option(&cli, "") != 0)
		return cli_usage(&cli, "[URI...]");
	if (cli.next == argc)
		status = show(NULL);
	for (int i = cli.next; i < argc && !print_failed(); i++)
		status |= show(argv[i]);
	return cli_end(status);
}

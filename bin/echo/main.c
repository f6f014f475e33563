/*
 * echo: its arguments, with a blank between, on a line. -n: without the newline.
 */
#include <cli/cli.h>
#include <rt/io.h>
#include <rt/start.h>
#include <string.h>

int main(int argc, char **argv)
{
	bool newline = argc < 2 || strcmp(argv[1], "-n") != 0;

	for (int i = newline ? 1 : 2; i < argc; i++) {
		print_bytes(argv[i], strlen(argv[i]));
		if (i + 1 < argc)
			print_bytes(" ", 1);
	}
	if (newline)
		print_bytes("\n", 1);
	return cli_end(0);
}

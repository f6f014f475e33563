/*
 * log: the kernel's log. -n LINES: only the last ones; -f: go on as more comes.
 */
#define _GNU_SOURCE             /* memrchr */
#include <cli/input.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdlib.h>
#include <string.h>

enum { LOG_MAX = 16 * MiB };

/* Where the last `lines` lines of the text begin. */
static size_t tail(const char *text, size_t size, uint64_t lines)
{
	size_t at = size;

	if (lines == 0)
		return size;
	while (at > 0) {
		const char *end = memrchr(text, '\n', at - (at == size));
		if (!end)
			return 0;
		at = (size_t)(end - text);
		if (--lines == 0)
			return at + 1;
	}
	return 0;
}

/* The last lines of `text`, then, of an open log://follow, what comes after them. */
static int show(struct input *in, uint64_t lines, bool follow)
{
	char *text;
	size_t size;

	if (lines == UINT64_MAX)
		return input_print(in) ? 0 : 1;
	status_t st = file_slurp("log://", LOG_MAX, &text, &size);
	if (st < 0)
		return cli_fail("log://", st);
	size_t from = tail(text, size, lines);
	print_bytes(text + from, size - from);
	free(text);
	print_flush();
	in->offset = size;      /* both began at the oldest line kept, a moment apart */
	return !follow || input_print(in) ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct cli cli = cli_start(argc, argv);
	uint64_t lines = UINT64_MAX;
	bool follow = false;
	struct input in;

	for (int o; (o = cli_option(&cli, "fn:")) != 0;) {
		if (o == '?' || (o == 'n' && !cli_number(cli.value, &lines)))
			return cli_usage(&cli, "[-f] [-n LINES]");
		follow |= o == 'f';
	}
	if (cli.next < argc)
		return cli_usage(&cli, "[-f] [-n LINES]");
	if (!input_open(&in, follow ? "log://follow" : "log://"))
		return 1;
	return cli_end(show(&in, lines, follow));
}

/*
 * head: the first lines (-n, 10) or bytes (-c) of URIs or stdin.
 */
#include <cli/input.h>
#include <rt/io.h>
#include <rt/start.h>
#include <string.h>

static bool by_bytes;
static uint64_t limit = 10;

/* How many of the n bytes are still wanted; *left counts down. */
static size_t wanted(const char *buf, size_t n, uint64_t *left)
{
	size_t at = 0;

	if (by_bytes) {
		at = MIN((uint64_t)n, *left);
		*left -= at;
		return at;
	}
	while (*left > 0 && at < n) {
		const char *end = memchr(buf + at, '\n', n - at);
		at = end ? (size_t)(end - buf) + 1 : n;
		*left -= end != NULL;
	}
	return at;
}

static int show(const char *uri)
{
	static char buf[16 * KiB];
	uint64_t left = limit;
	struct input in;

	if (!input_open(&in, uri))
		return 1;
	while (left > 0 && !print_failed()) {
		size_t n = input_next(&in, buf, by_bytes ? MIN(sizeof(buf), left) : sizeof(buf));
		if (n == 0)
			break;
		print_bytes(buf, wanted(buf, n, &left));
		print_flush();
	}
	input_close(&in);
	return in.status == OK ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const char usage[] = "[-n LINES | -c BYTES] [URI...]";
	struct cli cli = cli_start(argc, argv);
	int status = 0;

	for (int o; (o = cli_option(&cli, "n:c:")) != 0;) {
		if (o == '?' || !cli_number(cli.value, &limit))
			return cli_usage(&cli, usage);
		by_bytes = o == 'c';
	}
	if (cli.next == argc)
		status = show(NULL);
	for (int i = cli.next; i < argc; i++) {
		if (argc - cli.next > 1)
			print("%s==> %s <==\n", i > cli.next ? "\n" : "", argv[i]);
		status |= show(argv[i]);
	}
	return cli_end(status);
}

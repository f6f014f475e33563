/*
 * wc: counts lines (-l), words (-w) and bytes (-c) of URIs or stdin; without options all three.
 */
#include <cli/input.h>
#include <rt/io.h>
#include <rt/start.h>

struct counts { uint64_t lines, words, bytes; };

static bool lines, words, bytes;

static void count(struct counts *c, const char *buf, size_t n, bool *in_word)
{
	c->bytes += n;
	for (size_t i = 0; i < n; i++) {
		bool blank = buf[i] == ' ' || (buf[i] >= '\t' && buf[i] <= '\r');
		c->lines += buf[i] == '\n';
		c->words += !blank && !*in_word;
		*in_word = !blank;
	}
}

static void show(const struct counts *c, const char *name)
{
	if (lines)
		print("%7llu ", (unsigned long long)c->lines);
	if (words)
		print("%7llu ", (unsigned long long)c->words);
	if (bytes)
		print("%7llu ", (unsigned long long)c->bytes);
	print("%s\n", name);
}

static int count_uri(const char *uri, struct counts *total)
{
	static char buf[64 * KiB];
	struct counts c = { 0 };
	bool in_word = false;
	struct input in;
	size_t n;

	if (!input_open(&in, uri))
		return 1;
	while ((n = input_next(&in, buf, sizeof(buf))) > 0)
		count(&c, buf, n, &in_word);
	input_close(&in);
	show(&c, uri ? uri : "");
	*total = (struct counts){ total->lines + c.lines, total->words + c.words, total->bytes + c.bytes };
	return in.status == OK ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct cli cli = cli_start(argc, argv);
	struct counts total = { 0 };
	int status = 0;

	for (int o; (o = cli_option(&cli, "lwc")) != 0;) {
		if (o == '?')
			return cli_usage(&cli, "[-lwc] [URI...]");
		lines |= o == 'l';
		words |= o == 'w';
		bytes |= o == 'c';
	}
	if (!lines && !words && !bytes)
		lines = words = bytes = true;
	if (cli.next == argc)
		status = count_uri(NULL, &total);
	for (int i = cli.next; i < argc; i++)
		status |= count_uri(argv[i], &total);
	if (argc - cli.next > 1)
		show(&total, "total");
	return cli_end(status);
}

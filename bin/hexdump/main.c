/*
 * hexdump: bytes as hexadecimal and text, 16 a line; a line equal to the one before is shown as '*'.
 * -n LEN: only so many bytes; -s OFFSET: from there on; -v: equal lines too.
 */
#include <cli/input.h>
#include <rt/io.h>
#include <rt/start.h>
#include <string.h>
#include "line.h"

struct dump {
	uint64_t offset;            /* of the line under way */
	uint64_t left;              /* bytes still to show */
	uint8_t line[LINE_BYTES], before[LINE_BYTES];
	size_t len;
	bool verbose, have_before, starred;
};

static void put_line(struct dump *d)
{
	char text[LINE_TEXT];

	if (d->len == 0)
		return;
	bool same = !d->verbose && d->have_before && d->len == LINE_BYTES && !memcmp(d->line, d->before, LINE_BYTES);
	if (!same)
		print_bytes(text, line_format(text, d->offset, d->line, d->len));
	else if (!d->starred)
		print_bytes("*\n", 2);
	d->starred = same;
	memcpy(d->before, d->line, LINE_BYTES);
	d->have_before = true;
	d->offset += d->len;
	d->len = 0;
}

static int dump_uri(struct dump *d, const char *uri)
{
	static uint8_t buf[16 * KiB];
	struct input in;

	if (!input_open(&in, uri))
		return 1;
	in.offset = d->offset;
	while (d->left > 0 && !print_failed()) {
		size_t n = input_next(&in, buf, MIN((uint64_t)sizeof(buf), d->left));
		if (n == 0)
			break;
		d->left -= MIN((uint64_t)n, d->left);
		for (size_t i = 0; i < n; i++) {
			d->line[d->len++] = buf[i];
			if (d->len == LINE_BYTES)
				put_line(d);
		}
	}
	put_line(d);
	input_close(&in);
	print("%08llx\n", (unsigned long long)d->offset);
	return in.status == OK ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct cli cli = cli_start(argc, argv);
	static struct dump d = { .left = UINT64_MAX };

	for (int o; (o = cli_option(&cli, "Cn:s:v")) != 0;) {
		if (o == '?' || (o == 'n' && !cli_number(cli.value, &d.left)) || (o == 's' && !cli_number(cli.value, &d.offset)))
			return cli_usage(&cli, "[-v] [-n LEN] [-s OFFSET] [URI]");
		d.verbose |= o == 'v';
	}
	if (argc - cli.next > 1)
		return cli_usage(&cli, "[-v] [-n LEN] [-s OFFSET] [URI]");
	return cli_end(dump_uri(&d, argv[cli.next]));
}

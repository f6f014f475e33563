/*
 * sha256sum: SHA-256 (FIPS 180-4, by BearSSL) of URIs or stdin. -c: reads such lines and checks them.
 */
#define _GNU_SOURCE             /* strsep, strncasecmp */
#include <bearssl_hash.h>
#include <cli/input.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEX_SIZE = 2 * br_sha256_SIZE, LIST_MAX = 1 * MiB };

/* The sum as text. False: the input could not be read, and that was said. */
static bool sum(const char *uri, char hex[static HEX_SIZE + 1])
{
	static const char digits[] = "0123456789abcdef";
	static uint8_t buf[64 * KiB];
	uint8_t hash[br_sha256_SIZE];
	br_sha256_context context;
	struct input in;
	size_t n;

	if (!input_open(&in, uri))
		return false;
	br_sha256_init(&context);
	while ((n = input_next(&in, buf, sizeof(buf))) > 0)
		br_sha256_update(&context, buf, n);
	input_close(&in);
	br_sha256_out(&context, hash);
	for (size_t i = 0; i < sizeof(hash); i++) {
		hex[2 * i] = digits[hash[i] >> 4];
		hex[2 * i + 1] = digits[hash[i] & 15];
	}
	hex[HEX_SIZE] = 0;
	return in.status == OK;
}

static int show(const char *uri)
{
	char hex[HEX_SIZE + 1];

	if (!sum(uri, hex))
		return 1;
	print("%s  %s\n", hex, uri ? uri : "-");
	return 0;
}

/* One line "HEX  URI". */
static int check_line(const char *line)
{
	char hex[HEX_SIZE + 1];

	if (strlen(line) < HEX_SIZE + 3 || line[HEX_SIZE] != ' ' || (line[HEX_SIZE + 1] != ' ' && line[HEX_SIZE + 1] != '*')) {
		print_error("not a line of sums: %.40s", line);
		return 1;
	}
	const char *uri = line + HEX_SIZE + 2;
	if (!sum(uri, hex))
		return 1;
	bool same = !strncasecmp(hex, line, HEX_SIZE);
	print("%s: %s\n", uri, same ? "OK" : "FAILED");
	return same ? 0 : 1;
}

static int check(const char *uri)
{
	char *text, *rest;
	size_t size;
	int status = 0;

	status_t st = file_slurp(uri, LIST_MAX, &text, &size);
	if (st < 0)
		return cli_fail(uri, st);
	for (rest = text; rest && *rest;)
		status |= check_line(strsep(&rest, "\n"));
	free(text);
	return status;
}

int main(int argc, char **argv)
{
	struct cli cli = cli_start(argc, argv);
	bool checking = false;
	int status = 0;

	for (int o; (o = cli_option(&cli, "c")) != 0; checking = true)
		if (o == '?')
			return cli_usage(&cli, "[URI...] | -c URI...");
	if (checking && cli.next == argc)
		return cli_usage(&cli, "[URI...] | -c URI...");
	if (cli.next == argc)
		status = show(NULL);
	for (int i = cli.next; i < argc; i++)
		status |= checking ? check(argv[i]) : show(argv[i]);
	return cli_end(status);
}

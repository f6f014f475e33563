/*
 * cli: how small programs read their command line. Options are single letters, `-ab` is `-a -b`,
 * `-n5` is `-n 5`, `--` ends them, a lone `-` is an operand.
 *
 *	struct cli cli = cli_start(argc, argv);
 *	for (int o; (o = cli_option(&cli, "an:")) != 0;)
 *		switch (o) {
 *		case 'a': all = true; break;
 *		case 'n': lines = cli.value; break;
 *		default:  return cli_usage(&cli, "[-a] [-n LINES] [URI...]");
 *		}
 *	for (int i = cli.next; i < argc; i++) ...
 */
#pragma once
#include <abi/types.h>

struct cli {
	int          argc;
	char *const *argv;
	int          next;          /* after the last option: the first operand */
	const char  *rest;          /* letters left in the word under way, or NULL */
	const char  *value;         /* of the option just returned, if it takes one */
	char         bad;           /* letter that cli_option answered '?' for */
	bool         no_value;      /* ... because its value is missing */
};

enum { CLI_USAGE = 2 };         /* exit status of a wrong command line */

struct cli cli_start(int argc, char *const *argv);
/* The next option letter, 0 at the end, '?' for one that is not in `spec` (a colon after a letter: takes a value). */
int cli_option(struct cli *c, const char *spec);
/* Decimal, 0x hexadecimal or 0 octal, with an optional k, M or G (powers of 1024). False: not a number, or too large. */
bool cli_number(const char *text, uint64_t *value);
/* Seconds with an optional fraction, in ns. */
bool cli_seconds(const char *text, uint64_t *ns);
/* "12.3M": bytes for people, at most 5 characters. */
const char *cli_size(uint64_t bytes, char text[static 8]);

/* cli_io.c, not for host tests: one line on stderr, and the exit status for it. */
int cli_usage(const struct cli *c, const char *usage);
/* "what: meaning of st" on stderr; returns 1. */
int cli_fail(const char *what, status_t st);
/* The program's last word: flushes stdout; a failed write there turns status 0 into 1. */
int cli_end(int status);

/*
 * cli_io: the printing half of cli.
 */
#include "cli.h"
#include <rt/io.h>
#include <rt/start.h>

int cli_usage(const struct cli *c, const char *usage)
{
	if (c->bad)
		print_error("%s -%c; usage: %s %s", c->no_value ? "no value for" : "unknown option", c->bad, c->argv[0], usage);
	else
		print_error("usage: %s %s", c->argc ? c->argv[0] : "", usage);
	return CLI_USAGE;
}

int cli_fail(const char *what, status_t st)
{
	print_error("%s: %s", what, error_text(st));
	return 1;
}

int cli_end(int status)
{
	print_flush();
	if (print_failed() && status == 0) {
		if (!print_gone())
			print_error("cannot write to stdout");
		return 1;
	}
	return status;
}

/*
 * cp: copies what can be read to where it can be written: into a directory under its own name, if there is one.
 */
#include <cli/cli.h>
#include <rt/file.h>
#include <rt/io.h>
#include <stdio.h>
#include <string.h>

static status_t copy(handle_t from, handle_t to, const char **blame, const char *source)
{
	static char buf[64 * KiB];
	uint64_t offset = 0;
	size_t done;

	for (;;) {
		status_t st = file_read(from, offset, buf, sizeof(buf), &done);
		if (st < 0)
			*blame = source;
		if (st < 0 || done == 0)
			return st;
		st = file_write_all(to, offset, buf, done);
		if (st < 0)
			return st;
		offset += done;
	}
}

/* On error *blame is the URI it is about. */
static status_t copy_uri(const char *source, const char *target, const char **blame)
{
	static char into[IPC_PATH_MAX + 1];
	struct stat info;
	handle_t from, to;

	*blame = source;
	status_t st = file_open(source, OPEN_READ, &from);
	if (st < 0)
		return st;
	if (file_stat_uri(target, &info) == OK && info.type == FILE_DIRECTORY) {
		const char *slash = strrchr(source, '/');
		if ((size_t)snprintf(into, sizeof(into), "%s/%s", target, slash ? slash + 1 : source) >= sizeof(into)) {
			file_close(from);
			return ERR_TOO_LONG;
		}
		target = into;
	}
	*blame = target;
	st = file_open(target, OPEN_WRITE | OPEN_CREATE | OPEN_TRUNC, &to);
	if (st == OK) {
		st = copy(from, to, blame, source);
		file_close(to);
	}
	file_close(from);
	return st;
}

int main(int argc, char **argv)
{
	struct cli cli = cli_start(argc, argv);
	const char *blame;

	if (cli_option(&cli, "") != 0 || argc - cli.next != 2)
		return cli_usage(&cli, "URI NEW-URI");
	status_t st = copy_uri(argv[cli.next], argv[cli.next + 1], &blame);
	return st < 0 ? cli_fail(blame, st) : 0;
}

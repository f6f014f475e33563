/*
 * mkdir: makes directories. -p: with those above them, and one that is there already is no failure.
 */
#include <cli/cli.h>
#include <rt/file.h>
#include <string.h>

/* Whether a directory is there already. */
static bool is_directory(const char *uri)
{
	struct stat st;

	return file_stat_uri(uri, &st) == OK && st.type == FILE_DIRECTORY;
}

static status_t make_all(const char *uri)
{
	char part[IPC_PATH_MAX + 1];
	const char *path = strstr(uri, "://");
	size_t len = strnlen(uri, sizeof(part));
	status_t st = OK;

	if (len >= sizeof(part))
		return ERR_TOO_LONG;
	path = path ? path + 3 : uri;
	for (size_t at = (size_t)(path - uri); st == OK && at <= len; at++) {
		if ((uri[at] && uri[at] != '/') || uri + at == path || uri[at - 1] == '/')
			continue;
		memcpy(part, uri, at);
		part[at] = 0;
		st = file_mkdir(part);
		if (st == ERR_EXISTS && is_directory(part))
			st = OK;
	}
	return st;
}

int main(int argc, char **argv)
{
	struct cli cli = cli_start(argc, argv);
	bool all = false;
	int status = 0;

	for (int o; (o = cli_option(&cli, "p")) != 0;) {
		if (o == '?')
			return cli_usage(&cli, "[-p] URI...");
		all = true;
	}
	if (cli.next == argc)
		return cli_usage(&cli, "[-p] URI...");
	for (int i = cli.next; i < argc; i++) {
		status_t st = all ? make_all(argv[i]) : file_mkdir(argv[i]);
		if (st < 0)
			status |= cli_fail(argv[i], st);
	}
	return cli_end(status);
}

/*
 * mv: gives a file or directory another name in the same scheme; into a directory, if one has the new name. A file that has
 * the new name is replaced.
 */
#include <cli/cli.h>
#include <rt/file.h>
#include <stdio.h>
#include <string.h>

static status_t move(const char *from, const char *to)
{
	char into[IPC_PATH_MAX + 1];
	struct stat st;

	if (file_stat_uri(to, &st) == OK && st.type == FILE_DIRECTORY) {
		size_t end = strlen(from);
		while (end > 0 && from[end - 1] == '/')
			end--;
		size_t begin = end;
		while (begin > 0 && from[begin - 1] != '/')
			begin--;
		if ((size_t)snprintf(into, sizeof(into), "%s/%.*s", to, (int)(end - begin), from + begin) >= sizeof(into))
			return ERR_TOO_LONG;
		to = into;
	}
	return file_rename(from, to);
}

int main(int argc, char **argv)
{
	struct cli cli = cli_start(argc, argv);

	if (cli_option(&cli, "") != 0 || argc - cli.next != 2)
		return cli_usage(&cli, "URI NEW-URI");
	status_t st = move(argv[cli.next], argv[cli.next + 1]);
	return st < 0 ? cli_fail(argv[cli.next], st) : 0;
}

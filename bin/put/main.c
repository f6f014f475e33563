/*
 * put: writes a line of text to a URI. -a: behind what is there; -n: without the newline.
 */
#include <cli/cli.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdlib.h>
#include <string.h>

/* The words with blanks between, and a newline; heap memory. */
static char *join(int n, char **words, bool newline, size_t *len)
{
	size_t room = 1;

	for (int i = 0; i < n; i++)
		room += strlen(words[i]) + 1;
	char *text = malloc(room), *p = text;
	for (int i = 0; text && i < n; i++) {
		p = stpcpy(p, words[i]);
		if (i + 1 < n)
			*p++ = ' ';
	}
	if (text && newline)
		*p++ = '\n';
	*len = (size_t)(p - text);
	return text;
}

static status_t write_text(const char *uri, const char *text, size_t len, bool append)
{
	uint32_t flags = OPEN_WRITE | OPEN_CREATE | (append ? OPEN_APPEND : OPEN_TRUNC);
	handle_t file;

	status_t st = file_open(uri, flags, &file);
	if (st < 0)
		return st;
	st = append ? file_append_all(file, text, len) : file_write_all(file, 0, text, len);
	file_close(file);
	return st;
}

int main(int argc, char **argv)
{
	struct cli cli = cli_start(argc, argv);
	bool append = false, newline = true;
	size_t len;

	for (int o; (o = cli_option(&cli, "an")) != 0;) {
		if (o == '?')
			return cli_usage(&cli, "[-an] URI TEXT...");
		append |= o == 'a';
		newline &= o != 'n';
	}
	if (argc - cli.next < 2)
		return cli_usage(&cli, "[-an] URI TEXT...");
	const char *uri = argv[cli.next];
	char *text = join(argc - cli.next - 1, argv + cli.next + 1, newline, &len);
	status_t st = text ? write_text(uri, text, len, append) : ERR_NO_MEMORY;
	return st < 0 ? cli_fail(uri, st) : 0;
}

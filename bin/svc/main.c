/*
 * svc: the services and their supervisor, svc://. Without arguments the table.
 */
#include <cli/input.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdio.h>
#include <string.h>

enum { URI_MAX = 256 };
static const char usage[] = "[info|stop|start|restart|kill NAME...]";

static const struct { const char *name; uint32_t code; } verbs[] = {
	{ "stop", CTL_SVC_STOP }, { "start", CTL_SVC_START }, { "restart", CTL_SVC_RESTART }, { "kill", CTL_SVC_KILL },
};

static int show(const char *uri)
{
	struct input in;

	if (!input_open(&in, uri))
		return 1;
	bool good = input_print(&in);
	input_close(&in);
	return good ? 0 : 1;
}

static int steer(const char *uri, uint32_t code)
{
	handle_t file;

	status_t st = file_open(uri, OPEN_READ | OPEN_WRITE, &file);
	if (st == OK) {
		st = file_ctl(file, code, NULL, 0, NULL);
		file_close(file);
	}
	return st < 0 ? cli_fail(uri, st) : 0;
}

int main(int argc, char **argv)
{
	struct cli cli = cli_start(argc, argv);
	char uri[URI_MAX];
	uint32_t code = 0;
	int status = 0;

	if (cli_option(&cli, "") != 0)
		return cli_usage(&cli, usage);
	if (argc == 1)
		return cli_end(show("svc://"));
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (!strcmp(argv[1], verbs[i].name))
			code = verbs[i].code;
	if (argc < 3 || (!code && strcmp(argv[1], "info") != 0))
		return cli_usage(&cli, usage);
	for (int i = 2; i < argc; i++) {
		if ((size_t)snprintf(uri, sizeof(uri), "svc://%s", argv[i]) >= sizeof(uri))
			status |= cli_fail(argv[i], ERR_TOO_LONG);
		else
			status |= code ? steer(uri, code) : show(uri);
	}
	return cli_end(status);
}

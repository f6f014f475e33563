/*
 * input: see input.h.
 */
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <string.h>
#include "input.h"

bool input_open(struct input *in, const char *uri)
{
	*in = (struct input){ .name = "stdin" };
	if (!uri || !strcmp(uri, "-")) {
		in->file = start_handle("stdin");
		return true;            /* without one there is nothing to read */
	}
	in->name = uri;
	in->status = file_open(uri, OPEN_READ, &in->file);
	if (in->status < 0) {
		cli_fail(uri, in->status);
		return false;
	}
	in->owned = true;
	return true;
}

size_t input_next(struct input *in, void *buf, size_t len)
{
	size_t done = 0;

	if (!in->file || in->status < 0)
		return 0;
	in->status = file_read(in->file, in->offset, buf, len, &done);
	if (in->status < 0) {
		cli_fail(in->name, in->status);
		return 0;
	}
	in->offset += done;
	return done;
}

void input_close(struct input *in)
{
	if (in->owned)
		file_close(in->file);
	in->owned = false;
}

bool input_print(struct input *in)
{
	static char buf[64 * KiB];
	size_t n;

	while ((n = input_next(in, buf, sizeof(buf))) > 0 && !print_failed()) {
		print_bytes(buf, n);
		print_flush();          /* a stream's reader wants it now */
	}
	return in->status == OK && !print_failed();
}

/*
 * input: what cat, head, wc and their like read: the URIs on the command line, or stdin.
 */
#pragma once
#include "cli.h"

struct input {
	const char *name;           /* for messages; "stdin" */
	handle_t file;
	uint64_t offset;            /* of the next byte */
	bool     owned;
	status_t status;            /* < 0: reading failed, and that was said */
};

/* NULL or "-" is stdin. False: it cannot be opened, and that was said. */
must_use bool input_open(struct input *in, const char *uri);
/* The next bytes, 0 at the end or after an error (in->status tells). */
size_t input_next(struct input *in, void *buf, size_t len);
void input_close(struct input *in);
/* Prints everything that is left. False: reading or printing failed. */
bool input_print(struct input *in);

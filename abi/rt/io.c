/*
 * io: stdout, stderr, stdin and the log (rt/io.h). stdout is gathered in a buffer that is sent when a
 * print ends a line, when it is full, and at exit. Both outputs append: several programs may share one file.
 */
#define _GNU_SOURCE             /* memrchr */
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdio.h>
#include <string.h>
#include "internal.h"

enum { OUT_SIZE = 1024, ERROR_SIZE = 512 };

static struct {
	char     data[OUT_SIZE];
	size_t   len;
	bool     newline;               /* a line ended since the last flush */
	status_t status;                /* of the write that failed; what follows is dropped */
	bool     opened;                /* `session` and the exit hook are set */
	handle_t session;
} out;

static void open_out(void)
{
	if (out.opened)
		return;
	out.opened = true;
	out.session = start_handle("stdout");
	rt_exit_hook = print_flush;
}

static void send(const void *data, size_t len)
{
	if (out.session && out.status == OK)
		out.status = file_append_all(out.session, data, len);
}

void print_flush(void)
{
	if (out.len)
		send(out.data, out.len);
	out.len = 0;
	out.newline = false;
}

static void put(void *ctx unused, const char *text, size_t n)
{
	if (memrchr(text, '\n', n))
		out.newline = true;
	if (n > OUT_SIZE - out.len) {
		print_flush();
		if (n >= OUT_SIZE) {
			send(text, n);
			return;
		}
	}
	memcpy(out.data + out.len, text, n);
	out.len += n;
}

void print(const char *format, ...)
{
	open_out();
	va_list ap;
	va_start(ap, format);
	format_to(put, NULL, format, ap);
	va_end(ap);
	if (out.newline)
		print_flush();
}

void print_bytes(const void *data, size_t len)
{
	open_out();
	put(NULL, data, len);
	if (out.newline)
		print_flush();
}

bool print_failed(void)
{
	return out.status < 0;
}

bool print_gone(void)
{
	return out.status == ERR_GONE;
}

/* "PROGRAM: text" into buf, cut to fit; returns the length. */
static size_t message(char *buf, size_t size, const char *format, va_list ap)
{
	int n = snprintf(buf, size, "%s: ", rt_program_name());
	size_t len = MIN((size_t)n, size - 1);
	n = vsnprintf(buf + len, size - len, format, ap);
	return MIN(len + (size_t)n, size - 1);
}

void print_error(const char *format, ...)
{
	char text[ERROR_SIZE];
	va_list ap;
	va_start(ap, format);
	size_t len = message(text, sizeof(text) - 1, format, ap);
	va_end(ap);
	text[len++] = '\n';
	if (out.len)
		print_flush();          /* in the order in which things were said */
	handle_t h = start_handle("stderr");
	if (!h || file_append_all(h, text, len) < 0)
		log_write(text, len - 1);
}

void log_print(const char *format, ...)
{
	char text[ERROR_SIZE];
	va_list ap;
	va_start(ap, format);
	size_t len = message(text, sizeof(text), format, ap);
	va_end(ap);
	log_write(text, len);
}

status_t input_read(void *buf, size_t len, size_t *done)
{
	static uint64_t offset;
	handle_t h = start_handle("stdin");
	if (!h) {
		*done = 0;
		return OK;
	}
	if (out.len)
		print_flush();          /* a prompt without a newline */
	size_t got = 0;
	status_t st = file_read(h, offset, buf, len, &got);
	if (st < 0)
		return st;
	offset += got;
	*done = got;
	return OK;
}

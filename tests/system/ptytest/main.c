/*
 * ptytest: pseudo-terminals (docs/pc.md) from a program's side. outputd may be killed all the while. Each case prints "NAME good", or ends
 * the program.
 *
 *	ptytest lines N     a shell on a slave is typed N commands; each is run once, and what it prints is read once
 *	ptytest flood N     N KiB that a program writes, to the byte
 *	ptytest typed N     N KiB that a program reads in raw mode
 *	ptytest control     ^C ends a program, ^D a shell, a size is told, what has no name cannot be opened by others
 *	ptytest leave N     N slaves are opened, do nothing, and are closed: the master reads the end each time
 *	ptytest hangup      the master is closed: the shell ends, and what it runs
 *	ptytest hostile     all places are taken; what was closed is refused
 */
#include <abi/file.h>
#include <gen/file.h>
#include <launch/launch.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROMPT "skerry:/$ "
#define CHECK(what) do { if (!(what)) rt_panic("line %d: %s", __LINE__, #what); } while (0)
enum { PLACES = 16, BUFFER = 16 * KiB };

static char seen[256 * KiB + 1];        /* what a master has read */
static size_t seen_len;

static char byte_at(uint64_t at)
{
	return (char)('!' + (at * 7 + at / 89) % 90);
}

/* ---- masters ---- */

static handle_t master_open(uint64_t named, uint64_t *number)
{
	handle_t m;
	uint64_t value[3];

	MUST(file_open("tty://pty", OPEN_READ | OPEN_WRITE, &m));
	MUST(file_ctl(m, CTL_TTY_PTY, (uint64_t[4]){ named }, 0, value));
	if (number)
		*number = value[0];
	seen_len = 0;
	return m;
}

static handle_t slave_open(handle_t m)
{
	handle_t s;

	MUST(file_open_at(m, "slave", OPEN_READ | OPEN_WRITE, &s));
	return s;
}

/* A program on the other side, which alone has it. */
static handle_t start(handle_t m, const char *program, const char *argument, const char *number)
{
	const char *argv[] = { program, argument, number };
	handle_t s = slave_open(m), process;
	const char *why;
	uint64_t pid;

	MUST(launch(&(struct launch){ .argc = number ? 3 : argument ? 2 : 1, .argv = argv, .in = s, .out = s, .error = s }, &process, &pid, &why));
	handle_close(s);
	return process;
}

static void wait_end(handle_t process, int kind)
{
	struct process_info info;

	MUST(process_wait(process, FOREVER, &info));
	CHECK(info.exit_kind == (uint32_t)kind);
	handle_close(process);
}

static void type(handle_t m, const char *text)
{
	MUST(file_write_all(m, 0, text, strlen(text)));
}

/* More of what there is to read, behind `seen`. False: the end. */
static bool more(handle_t m)
{
	size_t n;

	CHECK(seen_len < sizeof(seen) - 1);
	MUST(file_read(m, 0, seen + seen_len, MIN((size_t)BUFFER, sizeof(seen) - 1 - seen_len), &n));
	seen_len += n;
	seen[seen_len] = 0;
	return n > 0;
}

/* Reads until `text` has come; what was before it is forgotten, and it too. */
static void expect(handle_t m, const char *text)
{
	char *at;

	while (!(at = strstr(seen, text)))
		CHECK(more(m));
	at += strlen(text);
	seen_len -= (size_t)(at - seen);
	memmove(seen, at, seen_len + 1);
}

/* Waits until the Notify says this bit, and no other. */
static void wait_bit(handle_t port, unsigned bit)
{
	struct event e;

	MUST(ipc_accept(port, FOREVER, &e));
	CHECK(e.kind == ACCEPT_NOTIFY && e.w[0] == 1ull << bit);
}

/* ---- cases ---- */

static size_t count(const char *text)
{
	size_t n = 0;

	for (const char *at = seen; (at = strstr(at, text)); at += strlen(text))
		n++;
	return n;
}

static void lines(unsigned n)
{
	handle_t m = master_open(TTY_PTY_PRIVATE, NULL), shell = start(m, "sh", NULL, NULL);
	char text[64];

	for (unsigned i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "echo 'line '%u\r", i);
		type(m, text);
	}
	type(m, "exit 0\r");
	while (more(m))
		;
	wait_end(shell, EXIT_NORMAL);
	for (unsigned i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "\nline %u\r\n", i);
		CHECK(count(text) == 1);
	}
	handle_close(m);
}

static void flood(const char *kib)
{
	handle_t m = master_open(TTY_PTY_PRIVATE, NULL), writer = start(m, "ptytest", "write", kib);
	uint64_t at = 0, size = strtoul(kib, NULL, 10) * KiB;
	size_t n;

	for (;; at += n) {
		MUST(file_read(m, 0, seen, BUFFER, &n));
		if (n == 0)
			break;
		for (size_t i = 0; i < n; i++)
			if (seen[i] != byte_at(at + i))
				rt_panic("byte %llu is wrong", (unsigned long long)(at + i));
	}
	CHECK(at == size);
	wait_end(writer, EXIT_NORMAL);
	handle_close(m);
}

static void typed(const char *kib)
{
	handle_t m = master_open(TTY_PTY_PRIVATE, NULL), reader = start(m, "ptytest", "read", kib);
	uint64_t size = strtoul(kib, NULL, 10) * KiB;

	expect(m, "ready");             /* it is raw by now */
	for (uint64_t at = 0; at < size;) {
		size_t n = (size_t)MIN(size - at, (uint64_t)3000), done;
		for (size_t i = 0; i < n; i++)
			seen[i] = byte_at(at + i);
		MUST(file_write(m, 0, seen, n, &done));
		CHECK(done == n);
		at += done;
	}
	wait_end(reader, EXIT_NORMAL);
	handle_close(m);
}

static void control(void)
{
	uint64_t number, size[3];
	char uri[32];
	handle_t m = master_open(TTY_PTY_NAMED, &number), other, s, notify, port;
	handle_t shell = start(m, "sh", NULL, NULL);

	snprintf(uri, sizeof(uri), "tty://pty/%llu", (unsigned long long)number);
	expect(m, PROMPT);
	type(m, "sleep 1000\r");
	expect(m, "\r\n");
	/* Before it runs ^C would be the line editor's. */
	do {
		MUST(file_ctl(m, CTL_TTY_GET_MODE, NULL, 0, size));
		MUST(thread_sleep(0));
	} while (!(size[0] & TTY_SIGNALS));
	type(m, "\3");
	expect(m, "^C\r\n");
	expect(m, PROMPT);

	MUST(file_open(uri, OPEN_READ | OPEN_WRITE, &s));
	MUST(file_ctl(m, CTL_TTY_PTY, (uint64_t[4]){ TTY_PTY_PRIVATE }, 0, size));
	CHECK(file_open(uri, OPEN_READ, &other) == ERR_NOT_FOUND);
	MUST(notify_create(&notify));
	MUST(port_create(0, &port));
	MUST(notify_port(notify, port, 1));
	MUST(file_ctl(s, CTL_TTY_SIGNAL, (uint64_t[4]){ 0, 0, 1 + 5, 1 + 6 }, notify, NULL));
	MUST(file_ctl(m, CTL_TTY_SET_SIZE, (uint64_t[4]){ 132, 43 }, 0, NULL));
	wait_bit(port, 5);
	MUST(file_ctl(s, CTL_TTY_GET_SIZE, NULL, 0, size));
	CHECK(size[0] == 132 && size[1] == 43);

	type(m, "\4");
	wait_end(shell, EXIT_NORMAL);
	MUST(file_append_all(s, "still here", 10));
	expect(m, "still here");
	handle_close(m);
	wait_bit(port, 6);
	handle_close(notify);
	handle_close(s);
}

static void leave(unsigned n)
{
	handle_t m = master_open(TTY_PTY_PRIVATE, NULL);

	for (unsigned i = 0; i < n; i++) {
		handle_t s = slave_open(m);
		/* Long enough for outputd to be another one by then. */
		if (i % 4 == 0)
			wait_end(start(m, "true", NULL, NULL), EXIT_NORMAL);
		handle_close(s);
		CHECK(!more(m));
	}
	handle_close(m);
}

static void hangup(void)
{
	handle_t m = master_open(TTY_PTY_PRIVATE, NULL), s = slave_open(m), shell = start(m, "sh", NULL, NULL);
	char text[8];
	size_t n;

	expect(m, PROMPT);
	type(m, "sleep 1001 &\r");
	expect(m, "[");
	expect(m, PROMPT);
	type(m, "sleep 1002\r");
	expect(m, "sleep 1002\r\n");
	handle_close(m);
	wait_end(shell, EXIT_NORMAL);
	MUST(file_read(s, 0, text, sizeof(text), &n));
	CHECK(n == 0);
	CHECK(file_append_all(s, "x", 1) == ERR_GONE);
	CHECK(file_ctl(s, CTL_TTY_GET_MODE, NULL, 0, NULL) == ERR_GONE);
	handle_close(s);

	/* One that waits for its line. */
	m = master_open(TTY_PTY_PRIVATE, NULL);
	shell = start(m, "sh", NULL, NULL);
	expect(m, PROMPT);
	handle_close(m);
	wait_end(shell, EXIT_NORMAL);
}

static void hostile(void)
{
	handle_t m[PLACES], s, h;
	uint64_t number;
	unsigned n = 0;
	char uri[32];
	status_t st = OK;

	for (; n < PLACES; n++) {
		MUST(file_open("tty://pty", OPEN_READ | OPEN_WRITE, &h));
		st = file_ctl(h, CTL_TTY_PTY, (uint64_t[4]){ TTY_PTY_PRIVATE }, 0, NULL);
		if (st < 0)
			break;
		m[n] = h;
	}
	CHECK(n > 0 && (n == PLACES || st == ERR_LIMIT));
	if (n == PLACES) {
		MUST(file_open("tty://pty", OPEN_READ | OPEN_WRITE, &h));
		CHECK(file_ctl(h, CTL_TTY_PTY, (uint64_t[4]){ 0 }, 0, NULL) == ERR_LIMIT);
	}
	CHECK(file_append_all(h, "x", 1) == ERR_INVALID);
	handle_close(h);
	for (unsigned i = 0; i < 2 * PLACES; i++) {
		snprintf(uri, sizeof(uri), "tty://pty/%u", i);
		CHECK(file_open(uri, OPEN_READ, &h) == ERR_NOT_FOUND);
	}
	s = slave_open(m[0]);
	CHECK(file_open_at(m[0], "", OPEN_READ, &h) == ERR_NOT_SUPPORTED);
	CHECK(file_ctl(m[0], CTL_TTY_SET_MODE, (uint64_t[4]){ 0 }, 0, NULL) == ERR_NOT_SUPPORTED);
	CHECK(file_ctl(s, CTL_TTY_PTY, (uint64_t[4]){ 0 }, 0, NULL) == ERR_NOT_SUPPORTED);
	while (n > 0)
		handle_close(m[--n]);
	CHECK(file_open_at(s, "", OPEN_READ, &h) == ERR_GONE);
	handle_close(s);
	/* CLOSE and what comes after it are in order: there is a place again. */
	handle_close(master_open(TTY_PTY_PRIVATE, &number));
}

/* ---- the other side ---- */

static void write_out(uint64_t size)
{
	static char text[5000];

	MUST(file_ctl(start_handle("stdout"), CTL_TTY_SET_MODE, (uint64_t[4]){ 0 }, 0, NULL));
	for (uint64_t at = 0; at < size;) {
		size_t n = (size_t)MIN(size - at, (uint64_t)sizeof(text));
		for (size_t i = 0; i < n; i++)
			text[i] = byte_at(at + i);
		MUST(file_append_all(start_handle("stdout"), text, n));
		at += n;
	}
}

static void read_in(uint64_t size)
{
	static char text[3000];
	size_t n;

	MUST(file_ctl(start_handle("stdin"), CTL_TTY_SET_MODE, (uint64_t[4]){ 0 }, 0, NULL));
	MUST(file_append_all(start_handle("stdout"), "ready", 5));
	for (uint64_t at = 0; at < size; at += n) {
		MUST(file_read(start_handle("stdin"), at, text, sizeof(text), &n));
		CHECK(n > 0);
		for (size_t i = 0; i < n; i++)
			if (text[i] != byte_at(at + i))
				rt_panic("byte %llu is wrong", (unsigned long long)(at + i));
	}
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "", *number = argc > 2 ? argv[2] : "1";

	if (strcmp(name, "write") == 0 || strcmp(name, "read") == 0) {
		(*name == 'w' ? write_out : read_in)(strtoul(number, NULL, 10) * KiB);
		return 0;
	}
	if (strcmp(name, "lines") == 0)
		lines((unsigned)strtoul(number, NULL, 10));
	else if (strcmp(name, "flood") == 0)
		flood(number);
	else if (strcmp(name, "typed") == 0)
		typed(number);
	else if (strcmp(name, "control") == 0)
		control();
	else if (strcmp(name, "leave") == 0)
		leave((unsigned)strtoul(number, NULL, 10));
	else if (strcmp(name, "hangup") == 0)
		hangup();
	else if (strcmp(name, "hostile") == 0)
		hostile();
	else
		rt_panic("no such case");
	print("%s good\n", name);
	print_flush();
	return 0;
}

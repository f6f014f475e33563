/*
 * tmpload: a client of tmp:// that counts on every answer. Several run while the server is killed; afterwards what is there
 * must be exactly what they were told.
 *
 *   tmpload run SELF N       N rounds of append, create, write, append, rename, read back, unlink, mkdir, rmdir
 *   tmpload verify K N       after clients 0..K-1: each record of the log once and in order, each file whole, no other
 *   tmpload clean            removes it all
 */
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIR "tmp://load"
#define LOG DIR "/log"

enum { CLIENTS_MAX = 16, RECORD = 96 };

static int failed(const char *what, const char *uri, status_t st)
{
	print_error("%s %s: %s", what, uri, error_name(st));
	return 1;
}

#define TRY(what, uri, call) do { status_t st_ = (call); if (st_ < 0) return failed(what, uri, st_); } while (0)

/* Of changing length, so that a record torn, missing or twice shows in everything behind it. */
static size_t record(char *text, unsigned self, unsigned i)
{
	return (size_t)snprintf(text, RECORD, "%u %u %.*s\n", self, i, (int)((self * 7 + i) % 29), "abcdefghijklmnopqrstuvwxyz0123456789");
}

static size_t content(char *text, unsigned self, unsigned i)
{
	return (size_t)snprintf(text, RECORD, "file %u of client %u", i, self);
}

static int read_back(const char *uri, const char *want, size_t len)
{
	char *data;
	size_t size;
	TRY("read", uri, file_slurp(uri, 4096, &data, &size));
	bool same = size == len && !memcmp(data, want, len);
	if (!same)
		print_error("%s holds %zu bytes, not the %zu written", uri, size, len);
	free(data);
	return !same;
}

static int round_of(unsigned self, unsigned i, handle_t log)
{
	char text[RECORD], first[64], second[64];
	handle_t f;

	TRY("append", LOG, file_append_all(log, text, record(text, self, i)));

	size_t len = content(text, self, i);
	snprintf(first, sizeof(first), DIR "/%u-%u", self, i);
	snprintf(second, sizeof(second), DIR "/%u-%u.done", self, i);
	TRY("create", first, file_open(first, OPEN_READ | OPEN_WRITE | OPEN_CREATE | OPEN_EXCL, &f));
	TRY("write", first, file_write_all(f, 0, text, len / 2));
	TRY("append", first, file_append_all(f, text + len / 2, len - len / 2));
	TRY("rename", first, file_rename(first, second));
	if (i % 2) {
		/* It lives until the Session is closed, and no longer. */
		size_t done = 0;
		char again[RECORD];
		TRY("unlink", second, file_unlink(second, 0));
		TRY("read", second, file_read(f, 0, again, sizeof(again), &done));
		if (done != len || memcmp(again, text, len) != 0) {
			print_error("%s, unlinked, holds %zu bytes, not %zu", second, done, len);
			return 1;
		}
		file_close(f);
	} else {
		file_close(f);
		if (read_back(second, text, len))
			return 1;
	}
	snprintf(first, sizeof(first), DIR "/%u.d", self);
	TRY("mkdir", first, file_mkdir(first));
	TRY("rmdir", first, file_unlink(first, UNLINK_DIR));
	return 0;
}

static int run(unsigned self, unsigned n)
{
	handle_t log;
	status_t st = file_mkdir(DIR);

	if (st < 0 && st != ERR_EXISTS)
		return failed("mkdir", DIR, st);
	TRY("open", LOG, file_open(LOG, OPEN_WRITE | OPEN_CREATE, &log));
	for (unsigned i = 0; i < n; i++)
		if (round_of(self, i, log))
			return 1;
	file_close(log);
	print("tmpload %u: %u rounds done\n", self, n);
	return 0;
}

static int verify_log(unsigned clients, unsigned n)
{
	unsigned next[CLIENTS_MAX] = { 0 };
	char text[RECORD], *data;
	size_t size;

	TRY("read", LOG, file_slurp(LOG, 8 * MiB, &data, &size));
	for (size_t at = 0; at < size;) {
		unsigned self = (unsigned)strtoul(data + at, NULL, 10);
		if (self >= clients) {
			print_error("a torn record at byte %zu of the log", at);
			return 1;
		}
		size_t len = record(text, self, next[self]);
		if (len > size - at || memcmp(data + at, text, len) != 0) {
			print_error("at byte %zu of the log: \"%.30s\" where record %u of client %u should be", at, data + at, next[self], self);
			return 1;
		}
		next[self]++;
		at += len;
	}
	free(data);
	for (unsigned k = 0; k < clients; k++)
		if (next[k] != n) {
			print_error("client %u: %u records of %u", k, next[k], n);
			return 1;
		}
	return 0;
}

/* Calls `each` with every name of the directory. */
static int each_name(int (*each)(const char *name, unsigned *count), unsigned *count)
{
	static char buf[16 * KiB] aligned(8);
	uint64_t cookie = 0;
	size_t done = 0;
	handle_t dir;

	TRY("open", DIR, file_open(DIR, OPEN_READ | OPEN_DIRECTORY, &dir));
	do {
		TRY("list", DIR, file_readdir(dir, &cookie, buf, sizeof(buf), &done));
		for (size_t at = 0; at < done; at += ((struct dirent *)(buf + at))->size)
			if (each(((struct dirent *)(buf + at))->name, count))
				return 1;
	} while (done);
	file_close(dir);
	return 0;
}

static int verify_name(const char *name, unsigned *count)
{
	char text[RECORD], uri[64], *end;
	unsigned self = (unsigned)strtoul(name, &end, 10), i = *end == '-' ? (unsigned)strtoul(end + 1, &end, 10) : 1;

	if (!strcmp(name, "log"))
		return 0;
	if (strcmp(end, ".done") != 0 || i % 2) {
		print_error("%s should not be there", name);
		return 1;
	}
	++*count;
	snprintf(uri, sizeof(uri), DIR "/%s", name);
	return read_back(uri, text, content(text, self, i));
}

static int remove_name(const char *name, unsigned *count)
{
	char uri[64];

	++*count;
	snprintf(uri, sizeof(uri), DIR "/%s", name);
	TRY("unlink", uri, file_unlink(uri, 0));
	return 0;
}

int main(int argc, char **argv)
{
	unsigned a = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0, n = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
	unsigned count = 0;

	if (argc == 4 && !strcmp(argv[1], "run"))
		return run(a, n);
	if (argc == 4 && !strcmp(argv[1], "verify") && a <= CLIENTS_MAX) {
		if (verify_log(a, n) || each_name(verify_name, &count))
			return 1;
		if (count != a * ((n + 1) / 2)) {
			print_error("%u files, not %u", count, a * ((n + 1) / 2));
			return 1;
		}
		print("tmpload: %u records and %u files, each exactly once\n", a * n, count);
		return 0;
	}
	if (argc == 2 && !strcmp(argv[1], "clean")) {
		if (each_name(remove_name, &count))
			return 1;
		TRY("rmdir", DIR, file_unlink(DIR, UNLINK_DIR));
		print("tmpload: clean\n");
		return 0;
	}
	print_error("usage: tmpload run SELF N | verify K N | clean");
	return 2;
}

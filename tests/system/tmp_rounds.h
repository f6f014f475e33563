/*
 * tmp_rounds: what a client of tmp:// does that counts on every answer, and how to tell afterwards that what is there is
 * exactly what the clients were told. Several run at once; the server is killed meanwhile.
 */
#pragma once
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIR "tmp://load"
#define LOG DIR "/log"

enum { CLIENTS_MAX = 32, RECORD = 96, KEPT = 256 };    /* KEPT: so many rounds later a file goes */

static inline int failed(const char *what, const char *uri, status_t st)
{
	print_error("%s %s: %s", what, uri, error_name(st));
	return 1;
}

#define TRY(what, uri, call) do { status_t st_ = (call); if (st_ < 0) return failed(what, uri, st_); } while (0)

/* Of changing length, so that a record torn, missing or twice shows in everything behind it. */
static inline size_t record(char *text, unsigned self, unsigned i)
{
	return (size_t)snprintf(text, RECORD, "%u %u %.*s\n", self, i, (int)((self * 7 + i) % 29), "abcdefghijklmnopqrstuvwxyz0123456789");
}

static inline size_t content(char *text, unsigned self, unsigned i)
{
	return (size_t)snprintf(text, RECORD, "file %u of client %u", i, self);
}

static inline int read_back(const char *uri, const char *want, size_t len)
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

static inline int round_of(unsigned self, unsigned i, handle_t log)
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
	if (i >= KEPT && i % 2 == 0) {
		snprintf(first, sizeof(first), DIR "/%u-%u.done", self, i - KEPT);
		TRY("unlink", first, file_unlink(first, 0));
	}
	snprintf(first, sizeof(first), DIR "/%u.d", self);
	TRY("mkdir", first, file_mkdir(first));
	TRY("rmdir", first, file_unlink(first, UNLINK_DIR));
	return 0;
}

/* The log that all of them append to, in the directory that all of them work in. */
static inline int rounds_open(handle_t *log)
{
	status_t st = file_mkdir(DIR);

	if (st < 0 && st != ERR_EXISTS)
		return failed("mkdir", DIR, st);
	TRY("open", LOG, file_open(LOG, OPEN_WRITE | OPEN_CREATE, log));
	return 0;
}

/* rounds[k]: how many client k was told that it has done. */
static inline int verify_log(unsigned clients, const unsigned rounds[])
{
	unsigned next[CLIENTS_MAX] = { 0 };
	char text[RECORD], *data;
	size_t size;

	TRY("read", LOG, file_slurp(LOG, 16 * MiB, &data, &size));
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
		if (next[k] != rounds[k]) {
			print_error("client %u: %u records of %u", k, next[k], rounds[k]);
			return 1;
		}
	return 0;
}

/* Calls `each` with every name of the directory. */
static inline int each_name(int (*each)(const char *name, unsigned *count), unsigned *count)
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

/* How many files a client leaves. */
static inline unsigned files_of(unsigned rounds)
{
	return (MIN(rounds, KEPT) + rounds % 2) / 2;
}

static const unsigned *rounds_told unused;  /* rounds of each client, for verify_name */

static inline int verify_name(const char *name, unsigned *count)
{
	char text[RECORD], uri[64], *end;
	unsigned self = (unsigned)strtoul(name, &end, 10) % CLIENTS_MAX, i = *end == '-' ? (unsigned)strtoul(end + 1, &end, 10) : 1;

	if (!strcmp(name, "log"))
		return 0;
	if (strcmp(end, ".done") != 0 || i % 2 || i >= rounds_told[self] || i + KEPT < rounds_told[self]) {
		print_error("%s should not be there: client %u did %u rounds", name, self, rounds_told[self]);
		return 1;
	}
	++*count;
	snprintf(uri, sizeof(uri), DIR "/%s", name);
	return read_back(uri, text, content(text, self, i));
}

/* rounds[k]: how many client k was told that it has done. */
static inline int verify_rounds(unsigned clients, const unsigned rounds[])
{
	unsigned count = 0, want = 0;

	rounds_told = rounds;
	if (verify_log(clients, rounds) || each_name(verify_name, &count))
		return 1;
	for (unsigned k = 0; k < clients; k++)
		want += files_of(rounds[k]);
	if (count != want)
		print_error("%u files, not %u", count, want);
	return count != want;
}

static inline int remove_name(const char *name, unsigned *count)
{
	char uri[64];

	++*count;
	snprintf(uri, sizeof(uri), DIR "/%s", name);
	TRY("unlink", uri, file_unlink(uri, 0));
	return 0;
}

static inline int rounds_clean(void)
{
	unsigned count = 0;

	if (each_name(remove_name, &count))
		return 1;
	TRY("rmdir", DIR, file_unlink(DIR, UNLINK_DIR));
	return 0;
}

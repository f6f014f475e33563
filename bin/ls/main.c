/*
 * ls: what is in directories, by name. -l: type, mode, size and time too; -1: one name a line, as
 * always when the output is no terminal. -a is accepted: nothing is ever hidden.
 */
#include <cli/cli.h>
#include <cli/list.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { URI_MAX = 1024, COLUMN_GAP = 2 };

struct entry { char *name; uint64_t size; uint8_t type; };
struct listing { struct entry *entries; size_t n, room; };

static bool detailed, one_each;

static status_t listing_add(struct listing *l, const struct dirent *d)
{
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		struct entry *entries = realloc(l->entries, room * sizeof(*entries));
		if (!entries)
			return ERR_NO_MEMORY;
		l->entries = entries;
		l->room = room;
	}
	struct entry *e = &l->entries[l->n];
	*e = (struct entry){ strdup(d->name), d->file_size, d->type };
	if (!e->name)
		return ERR_NO_MEMORY;
	l->n++;
	return OK;
}

static void listing_free(struct listing *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->entries[i].name);
	free(l->entries);
}

/* Goes through the records that a service sent; they are checked, not believed. */
static status_t add_records(struct listing *l, const uint8_t *buf, size_t len)
{
	for (size_t at = 0; at < len;) {
		const struct dirent *d = (const struct dirent *)(buf + at);
		if (len - at < sizeof(*d) || d->size < sizeof(*d) + 1 || d->size > len - at || d->size % 8 != 0 ||
		    !memchr(d->name, 0, d->size - sizeof(*d)))
			return ERR_BAD_FORMAT;
		status_t st = listing_add(l, d);
		if (st < 0)
			return st;
		at += d->size;
	}
	return OK;
}

static status_t read_directory(handle_t dir, struct listing *l)
{
	static uint8_t buf[16 * KiB] aligned(8);
	uint64_t cookie = 0;
	size_t done;

	for (;;) {
		status_t st = file_readdir(dir, &cookie, buf, sizeof(buf), &done);
		if (st == OK && done > 0)
			st = add_records(l, buf, done);
		if (st < 0 || done == 0)
			return st;
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static void show_detailed(const struct stat *st, const char *name)
{
	char mode[16], time[24], shown[NAME_MAX_BYTES + 1];

	print("%s %10llu %19s %s%s\n", list_mode(mode, st->type, st->mode), (unsigned long long)st->size, list_time(time, st->mtime),
		list_name(shown, sizeof(shown), name), st->type == FILE_DIRECTORY ? "/" : "");
}

static void show_entries_detailed(const struct listing *l, const char *uri)
{
	char path[URI_MAX];
	size_t len = strlen(uri);
	const char *slash = len && uri[len - 1] == '/' ? "" : "/";

	for (size_t i = 0; i < l->n; i++) {
		const struct entry *e = &l->entries[i];
		struct stat st = { .type = e->type, .size = e->size };
		/* An entry may have gone meanwhile: then its line has what the directory said. */
		if ((size_t)snprintf(path, sizeof(path), "%s%s%s", uri, slash, e->name) < sizeof(path))
			(void)!file_stat_uri(path, &st);
		show_detailed(&st, e->name);
	}
}

static void show_columns(const struct listing *l, size_t width)
{
	char shown[NAME_MAX_BYTES + 1];
	size_t longest = 0;

	for (size_t i = 0; i < l->n; i++)
		longest = MAX(longest, strlen(l->entries[i].name) + (l->entries[i].type == FILE_DIRECTORY));
	size_t columns = MAX(width / (longest + COLUMN_GAP), (size_t)1), rows = (l->n + columns - 1) / columns;
	for (size_t row = 0; row < rows; row++)
		for (size_t i = row; i < l->n; i += rows) {
			const struct entry *e = &l->entries[i];
			bool last = i + rows >= l->n;
			list_name(shown, sizeof(shown), e->name);
			if (e->type == FILE_DIRECTORY && strlen(shown) < NAME_MAX_BYTES)
				strcat(shown, "/");
			if (last)
				print("%s\n", shown);
			else
				print("%-*s", (int)(longest + COLUMN_GAP), shown);
		}
}

/* Columns of the terminal that stdout is; 0: it is none. */
static size_t terminal_width(void)
{
	handle_t out = start_handle("stdout");
	uint64_t size[3] = { 0 };

	return out && file_ctl(out, CTL_TTY_GET_SIZE, NULL, 0, size) >= 0 ? size[0] : 0;
}

static int show_directory(const char *uri, handle_t dir)
{
	struct listing l = { 0 };
	status_t st = read_directory(dir, &l);

	if (st == OK) {
		qsort(l.entries, l.n, sizeof(*l.entries), by_name);
		if (detailed)
			show_entries_detailed(&l, uri);
		else
			show_columns(&l, one_each ? 1 : terminal_width());
	}
	listing_free(&l);
	return st < 0 ? cli_fail(uri, st) : 0;
}

static int show_file(const char *uri)
{
	struct stat st;
	status_t result = file_stat_uri(uri, &st);

	if (result < 0)
		return cli_fail(uri, result);
	if (detailed)
		show_detailed(&st, uri);
	else
		print("%s\n", uri);
	return 0;
}

static int show(const char *uri, bool titled, bool first)
{
	handle_t dir;
	status_t st = file_open(uri, OPEN_READ | OPEN_DIRECTORY, &dir);

	if (st == ERR_NOT_DIRECTORY)
		return show_file(uri);
	if (st < 0)
		return cli_fail(uri, st);
	if (titled)
		print("%s%s:\n", first ? "" : "\n", uri);
	int status = show_directory(uri, dir);
	file_close(dir);
	return status;
}

int main(int argc, char **argv)
{
	struct cli cli = cli_start(argc, argv);
	int status = 0;

	for (int o; (o = cli_option(&cli, "1al")) != 0;) {
		if (o == '?')
			return cli_usage(&cli, "[-1al] [URI...]");
		detailed |= o == 'l';
		one_each |= o == '1';
	}
	if (cli.next == argc)
		return cli_end(show("initfs:///", false, true));
	for (int i = cli.next; i < argc; i++)
		status |= show(argv[i], argc - cli.next > 1, i == cli.next);
	return cli_end(status);
}

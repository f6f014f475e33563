/*
 * complete_io: where the names come from that Tab offers. A service that does not answer holds the line up for a moment only.
 */
#include <abi/file.h>
#include <gen/file.h>
#include <launch/launch.h>
#include <rt/clock.h>
#include <rt/file.h>
#include <rt/ipc.h>
#include <stdio.h>
#include <string.h>
#include "complete.h"
#include "shell.h"

enum { PATIENCE_MS = 1000, SCHEMES_MAX = 64, RECORDS_MAX = 4096, LIST_BYTES = 4096 };

static struct complete found;
static char list[LIST_BYTES];

static void drop_handles(struct msg *m)
{
	for (unsigned i = 0; i < IPC_HANDLES; i++)
		if (m->handles[i])
			handle_close(m->handles[i]);
}

/* Records as a service sent them: they are checked, not believed. */
static bool offer_records(const uint8_t *buf, size_t len)
{
	for (size_t at = 0; at < len;) {
		const struct dirent *d = (const struct dirent *)(buf + at);
		if (len - at < sizeof(*d) || d->size < sizeof(*d) + 1 || d->size > len - at || d->size % 8 != 0 ||
		    !memchr(d->name, 0, d->size - sizeof(*d)))
			return false;
		complete_offer(&found, d->name, d->type);
		at += d->size;
	}
	return true;
}

static void offer_folder(const char *uri, uint64_t deadline)
{
	uint8_t buf[4096] aligned(8);
	uint64_t cookie = 0;
	handle_t folder;

	if (file_open_until(uri, OPEN_READ | OPEN_DIRECTORY, deadline, &folder) < 0)
		return;
	for (int i = 0; i < RECORDS_MAX; i++) {
		struct msg m = { .out = buf, .out_len = sizeof(buf), .deadline = deadline };
		struct file_readdir_rep p;
		file_readdir_ask(&m, &(struct file_readdir_req){ .cookie = cookie });
		if (ipc_call(folder, &m) < 0)
			break;
		drop_handles(&m);
		file_readdir_answer(&m, &p);
		if (p.done == 0 || p.done > sizeof(buf) || !offer_records(buf, p.done))
			break;
		cookie = p.next;
	}
	handle_close(folder);
}

static void offer_programs(uint64_t deadline)
{
	const char *name;

	for (unsigned i = 0; (name = builtin_name(i)); i++)
		complete_offer(&found, name, FILE_REGULAR);
	for (unsigned i = 0; (name = launch_folder(i)); i++)
		offer_folder(name, deadline);
}

static void offer_schemes(void)
{
	struct ns_entry entries[SCHEMES_MAX];
	char name[SCHEME_MAX + 4];
	uint32_t n = 0;

	if (ns_list(0, entries, SCHEMES_MAX, &n) < 0)
		return;
	for (uint32_t i = 0; i < MIN(n, (uint32_t)SCHEMES_MAX); i++) {
		snprintf(name, sizeof(name), "%.*s://", (int)SCHEME_MAX, entries[i].scheme);
		complete_offer(&found, name, FILE_DIRECTORY);
	}
}

size_t shell_complete(void *ctx unused, const char *text, size_t cursor, unsigned columns, char *insert, size_t room, const char **shown)
{
	uint64_t now;

	*shown = NULL;
	if (!complete_begin(&found, text, cursor) || clock_now(&now) < 0)
		return 0;
	uint64_t deadline = now + PATIENCE_MS * NS_PER_MS;
	if (found.where == COMPLETE_PROGRAMS)
		offer_programs(deadline);
	else if (found.where == COMPLETE_SCHEMES)
		offer_schemes();
	else
		offer_folder(found.folder, deadline);
	size_t n = complete_insert(&found, insert, room);
	if (n == 0 && found.n > 1) {
		complete_list(&found, columns, list, sizeof(list));
		*shown = list;
	}
	return n;
}

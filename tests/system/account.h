/*
 * account: two accounts of the kernel compared: "nothing leaked" is an equality of all that struct kstat counts, but
 * for the fields that abi/objects.h marks.
 */
#pragma once
#include <gen/errors.h>
#include <gen/syscalls.h>
#include <rt/file.h>
#include <rt/start.h>
#include <stdio.h>

enum { ACCOUNT_TEXT = 256, ACCOUNT_TRIES = 50, ACCOUNT_WAIT_MS = 5 };

/* The RES_INFO that tests/system/grant gives. */
static inline handle_t account_resource(void)
{
	handle_t file, h;
	uint64_t size;
	MUST(file_open("grant://info", OPEN_READ, &file));
	MUST(file_map(file, &h, &size));
	file_close(file);
	return h;
}

/* Where two accounts differ, as text; false: nowhere. */
static inline bool account_differ(const struct kstat *a, const struct kstat *b, char text[ACCOUNT_TEXT])
{
	static const struct { const char *name; size_t at; } fields[] = {
#define FIELD(name) { #name, offsetof(struct kstat, name) }
		FIELD(handles), FIELD(mappings), FIELD(timers), FIELD(commands_queued), FIELD(commands_accepted), FIELD(bindings),
		FIELD(pages_frames), FIELD(pages_tables), FIELD(pages_sockets), FIELD(pages_pinned), FIELD(pages_kernel), FIELD(slab_bytes),
#undef FIELD
	};
	size_t n = 0;
	text[0] = 0;
	for (size_t i = 0; i < OBJ_TYPES && n < ACCOUNT_TEXT; i++)
		if (a->objects[i] != b->objects[i])
			n += (size_t)snprintf(text + n, ACCOUNT_TEXT - n, " objects[%u] %+lld", (unsigned)i, (long long)(b->objects[i] - a->objects[i]));
	for (size_t i = 0; i < ARRAY_LEN(fields) && n < ACCOUNT_TEXT; i++) {
		uint64_t was = *(const uint64_t *)((const char *)a + fields[i].at), is = *(const uint64_t *)((const char *)b + fields[i].at);
		if (was != is)
			n += (size_t)snprintf(text + n, ACCOUNT_TEXT - n, " %s %+lld", fields[i].name, (long long)(is - was));
	}
	return n > 0;
}

/* An account that two looks in a row agree on: nothing is on its way out any more. */
static inline void account_rest(handle_t info, struct kstat *k)
{
	char text[ACCOUNT_TEXT];
	struct kstat last = { 0 };
	MUST(kstat(info, k));
	/* Telling a difference takes stack of our own: taken now, it is in the account. */
	(void)account_differ(&last, k, text);
	for (unsigned i = 0; i < ACCOUNT_TRIES; i++) {
		uint64_t ns;
		MUST(clock_now(&ns));
		thread_sleep(ns + ACCOUNT_WAIT_MS * NS_PER_MS);
		last = *k;
		MUST(kstat(info, k));
		if (!account_differ(&last, k, text) && last.table_bytes == k->table_bytes)
			return;
	}
}

/* Waits until the account is that of `before` again; false: it did not come back, and text says where it differs. */
static inline bool account_settled(handle_t info, const struct kstat *before, char text[ACCOUNT_TEXT])
{
	struct kstat now;
	for (unsigned i = 0; i < ACCOUNT_TRIES; i++) {
		uint64_t ns;
		if (kstat(info, &now) == OK && !account_differ(before, &now, text))
			return true;
		if (clock_now(&ns) == OK)
			thread_sleep(ns + ACCOUNT_WAIT_MS * NS_PER_MS);
	}
	return false;
}

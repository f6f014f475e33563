/*
 * content: see content.h. Handles are fetched from the shelf when first needed and kept; when the table is full, all
 * are closed and fetched anew, which the shelf makes harmless.
 */
#include "content.h"
#include <rt/io.h>
#include <rt/start.h>
#include <string.h>

static handle_t shelf;                      /* borrowed */
static handle_t frames[SHELF_SLOTS];        /* owned duplicates; 0: not fetched */

static const char zeros[PAGE_SIZE];

void content_init(handle_t our_shelf)
{
	shelf = our_shelf;
}

static void forget(uint32_t ino)
{
	if (frames[ino])
		handle_close(frames[ino]);
	frames[ino] = 0;
}

static void forget_all(void)
{
	for (uint32_t i = 0; i < SHELF_SLOTS; i++)
		forget(i);
}

/* What the Budget refuses is, to a client, a full disk. */
static status_t as_space(status_t st)
{
	return st == ERR_NO_MEMORY || st == ERR_LIMIT ? ERR_NO_SPACE : st;
}

static status_t fetch(uint32_t ino, handle_t *h)
{
	if (!frames[ino]) {
		status_t st = shelf_get(shelf, ino, &frames[ino]);
		if (st == ERR_LIMIT) {
			forget_all();
			st = shelf_get(shelf, ino, &frames[ino]);
		}
		if (st < 0) {
			frames[ino] = 0;
			return st;
		}
	}
	*h = frames[ino];
	return OK;
}

static status_t create(uint32_t ino, uint64_t size)
{
	handle_t h;
	status_t st = frame_create(size, 0, &h);
	if (st == ERR_LIMIT) {
		forget_all();
		st = frame_create(size, 0, &h);
	}
	if (st < 0)
		return st;
	st = shelf_put(shelf, ino, h);
	if (st < 0) {
		handle_close(h);
		return st;
	}
	frames[ino] = h;
	return OK;
}

status_t content_reserve(uint32_t ino, uint64_t size)
{
	struct frame_info info;
	uint64_t room = 2 * PAGE_SIZE;
	handle_t h;

	/* Powers of two, so that a file that grows byte by byte is resized seldom. Pages come when touched. */
	while (room < size)
		room *= 2;
	status_t st = fetch(ino, &h);
	if (st == ERR_NOT_FOUND)
		return as_space(create(ino, room));
	if (st == OK)
		st = frame_info(h, &info);
	if (st == OK && info.size < size)
		st = frame_resize(h, room);
	return as_space(st);
}

status_t content_read(uint32_t ino, uint64_t offset, void *buf, size_t len)
{
	uint64_t done = 0;
	handle_t h;
	status_t st = fetch(ino, &h);

	if (st == OK)
		st = frame_read(h, offset, buf, len, &done);
	if (st < 0 && st != ERR_NOT_FOUND)
		return st;
	memset((char *)buf + done, 0, len - done);
	return OK;
}

status_t content_write(uint32_t ino, uint64_t offset, const void *buf, size_t len)
{
	uint64_t done = 0;
	handle_t h;
	status_t st = fetch(ino, &h);

	if (st == OK)
		st = frame_write(h, offset, buf, len, &done);
	if (st < 0)
		return as_space(st);
	return done == len ? OK : ERR_BUSY;     /* a client shrank it this very moment */
}

status_t content_zero(uint32_t ino, uint64_t from, uint64_t to)
{
	struct frame_info info;
	handle_t h;
	status_t st = fetch(ino, &h);

	if (st == ERR_NOT_FOUND)
		return OK;
	if (st == OK)
		st = frame_info(h, &info);
	if (st < 0)
		return st;
	to = MIN(to, info.size);
	/* Whole pages are given back, which makes them zero; the pieces at both ends are written, if there is anything. */
	uint64_t first = ALIGN_UP(from, PAGE_SIZE), last = ALIGN_DOWN(to, PAGE_SIZE);
	if (first < last)
		st = frame_decommit(h, first, last - first);
	while (st == OK && from < to) {
		uint64_t n = MIN(to - from, PAGE_SIZE - from % PAGE_SIZE);
		if (n < PAGE_SIZE)
			st = content_write(ino, from, zeros, n);
		from = first < last && n < PAGE_SIZE && from + n == first ? last : from + n;
	}
	return st;
}

void content_cut(uint32_t ino, uint64_t size)
{
	struct frame_info info;
	uint64_t from = ALIGN_UP(size, PAGE_SIZE);
	handle_t h;

	if (fetch(ino, &h) == OK && frame_info(h, &info) == OK && from < info.size && frame_decommit(h, from, info.size - from) < 0)
		log_print("the pages of a file cut to %llu bytes cannot be given back", (unsigned long long)size);
}

void content_drop(uint32_t ino)
{
	forget(ino);
	MUST(shelf_clear(shelf, ino));
}

status_t content_share(uint32_t ino, uint32_t rights, handle_t *h)
{
	handle_t mine;
	status_t st = fetch(ino, &mine);
	if (st < 0)
		return st;
	st = handle_dup(mine, rights, h);
	if (st == ERR_LIMIT) {
		forget_all();
		st = fetch(ino, &mine);
		if (st == OK)
			st = handle_dup(mine, rights, h);
	}
	return as_space(st);
}

/*
 * shelf: slots hold what was put there and nothing else, charged to their Budget; and tmp://, which rests on them, answers
 * as its protocol says.
 */
#include "test.h"

static void put_get_clear(void)
{
	handle_t shelf, n, got, other;
	struct handle_info a, b, list[4];
	uint32_t count = 0, next = 1;
	uint64_t bits = 0;

	DONE(shelf_create(0, &shelf));
	DONE(notify_create(&n));
	DONE(handle_info(n, &a));
	EQ(shelf_get(shelf, 5, &got), ERR_NOT_FOUND);
	EQ(shelf_get(shelf, UINT32_MAX, &got), ERR_NOT_FOUND);
	DONE(shelf_clear(shelf, 5));
	DONE(shelf_clear(shelf, UINT32_MAX));
	DONE(handle_tag(n, 77));
	DONE(shelf_put(shelf, 5, n));
	DONE(handle_close(n));
	DONE(shelf_list(shelf, 0, list, 4, &count, &next));
	EQ(count, 1);
	EQ(next, 0);
	EQ(list[0].handle, 5);
	EQ(list[0].type, OBJ_NOTIFY);
	EQ(list[0].object_id, a.object_id);
	EQ(list[0].tag, 77);
	DONE(shelf_get(shelf, 5, &got));
	DONE(handle_info(got, &b));
	EQ(b.object_id, a.object_id);
	EQ(b.rights, a.rights);
	DONE(notify_signal(got, 3));
	/* Another takes its place; the first is gone with its last handle. */
	DONE(notify_create(&other));
	DONE(shelf_put(shelf, 5, other));
	DONE(handle_close(got));
	DONE(shelf_get(shelf, 5, &got));
	DONE(notify_take(got, &bits));
	EQ(bits, 0);
	DONE(shelf_put(shelf, SHELF_SLOTS - 1, other));
	EQ(shelf_put(shelf, SHELF_SLOTS, other), ERR_INVALID);
	EQ(shelf_put(shelf, UINT32_MAX, other), ERR_INVALID);
	/* A list in pieces finds both. */
	uint32_t seen = 0;
	for (next = 0;;) {
		DONE(shelf_list(shelf, next, list, 1, &count, &next));
		seen += count;
		if (!next)
			break;
	}
	EQ(seen, 2);
	DONE(shelf_clear(shelf, 5));
	EQ(shelf_get(shelf, 5, &got), ERR_NOT_FOUND);
	DONE(handle_close(got));
	DONE(handle_close(other));
	DONE(handle_close(shelf));      /* the last slot is cleared with it */
}

static void rights(void)
{
	handle_t shelf, weak, n, plain, got, table, self;
	struct process_info info;
	struct handle_info list[2];
	uint32_t count, next;

	DONE(shelf_create(0, &shelf));
	DONE(notify_create(&n));
	DONE(handle_dup(n, RIGHT_SIGNAL | RIGHT_DUP, &plain));
	EQ(shelf_put(shelf, 0, plain), ERR_DENIED);
	DONE(handle_close(plain));
	DONE(handle_dup(n, RIGHT_SIGNAL | RIGHT_TRANSFER, &plain));
	EQ(shelf_put(shelf, 0, plain), ERR_DENIED);
	DONE(handle_close(plain));
	DONE(handle_dup(n, RIGHT_SIGNAL | RIGHT_TRANSFER | RIGHT_DUP, &plain));
	DONE(shelf_put(shelf, 0, plain));
	DONE(handle_close(plain));
	DONE(handle_dup(shelf, RIGHT_READ, &weak));
	EQ(shelf_put(weak, 1, n), ERR_DENIED);
	EQ(shelf_clear(weak, 0), ERR_DENIED);
	DONE(shelf_get(weak, 0, &got));
	uint64_t bits;
	EQ(notify_take(got, &bits), ERR_DENIED);        /* rights do not grow on the shelf */
	DONE(handle_close(got));
	DONE(handle_close(weak));
	DONE(handle_dup(shelf, RIGHT_WRITE, &weak));
	EQ(shelf_get(weak, 0, &got), ERR_DENIED);
	EQ(shelf_list(weak, 0, list, 2, &count, &next), ERR_DENIED);
	DONE(handle_close(weak));
	/* Nothing that could come to hold itself. */
	EQ(shelf_put(shelf, 1, shelf), ERR_WRONG_TYPE);
	EQ(shelf_put(n, 1, shelf), ERR_WRONG_TYPE);
	EQ(shelf_get(n, 1, &got), ERR_WRONG_TYPE);
	EQ(shelf_put(shelf, 1, 0), ERR_BAD_HANDLE);
	EQ(shelf_put(0, 1, n), ERR_BAD_HANDLE);
	EQ(shelf_list(shelf, 0, (struct handle_info *)kernel_addresses[0], 2, &count, &next), ERR_FAULT);
	/* A process's table is no shelf. */
	DONE(process_info(0, &info));
	DONE(process_open(res_info, info.pid, &self));
	if (process_table(self, &table) == OK) {
		EQ(shelf_put(table, 1, n), ERR_WRONG_TYPE);
		EQ(shelf_put(shelf, 1, table), ERR_WRONG_TYPE);
		EQ(shelf_clear(table, 0), ERR_WRONG_TYPE);
		DONE(handle_close(table));
	}
	DONE(handle_close(self));
	DONE(handle_close(n));
	DONE(handle_close(shelf));
}

static void charged(void)
{
	const struct budget_limits few = { .pages = UINT64_MAX, .kernel_bytes = 64 * KiB, .handles = 3, .threads = 1, .commands = 1, .processes = 1 };
	handle_t budget, shelf, n;
	struct budget_info info;

	DONE(budget_create(0, &few, &budget));
	DONE(shelf_create(budget, &shelf));
	DONE(notify_create(&n));
	for (uint32_t i = 0; i < 3; i++)
		DONE(shelf_put(shelf, i * 10, n));
	EQ(shelf_put(shelf, 3, n), ERR_LIMIT);
	DONE(shelf_put(shelf, 10, n));          /* in place of another: no more than before */
	DONE(budget_info(budget, &info));
	EQ(info.used.handles, 3);
	DONE(shelf_clear(shelf, 10));
	DONE(shelf_put(shelf, 3, n));
	EQ(shelf_put(shelf, SHELF_SLOTS - 1, n), ERR_NO_MEMORY);        /* so many slots cost more than it may have */
	DONE(budget_info(budget, &info));
	EQ(info.used.handles, 3);
	CHECK(info.used.kernel_bytes > 0 && info.used.kernel_bytes <= few.kernel_bytes);
	DONE(handle_close(n));
	DONE(handle_close(shelf));
	DONE(handle_close(budget));
	EQ(shelf_create(n, &shelf), ERR_BAD_HANDLE);
}

/* ---- tmp:// ---- */

#define DIR "tmp://systest"

static void tmp_files(void)
{
	char buf[64];
	size_t done;
	handle_t f, g, dir;
	struct stat st;

	DONE(file_mkdir(DIR));
	EQ(file_mkdir(DIR), ERR_EXISTS);
	EQ(file_open(DIR "/f", OPEN_READ, &f), ERR_NOT_FOUND);
	DONE(file_open(DIR "/f", OPEN_READ | OPEN_WRITE | OPEN_CREATE | OPEN_EXCL, &f));
	EQ(file_open(DIR "/f", OPEN_READ | OPEN_WRITE | OPEN_CREATE | OPEN_EXCL, &g), ERR_EXISTS);
	DONE(file_write_all(f, 0, "hello", 5));
	DONE(file_append_all(f, ", world", 7));
	/* A hole reads as zeros, also where something was cut off before. */
	DONE(file_write_all(f, 5000, "far", 3));
	memset(buf, 1, sizeof(buf));
	DONE(file_read(f, 4990, buf, sizeof(buf), &done));
	EQ(done, 13);
	EQ(memcmp(buf, "\0\0\0\0\0\0\0\0\0\0far", 13), 0);
	struct msg m = { 0 };
	m.op = 11;                              /* TRUNCATE */
	m.w[0] = 3;
	DONE(ipc_call(f, &m));
	DONE(file_write_all(f, 12, "!", 1));
	DONE(file_read(f, 0, buf, sizeof(buf), &done));
	EQ(done, 13);
	EQ(memcmp(buf, "hel\0\0\0\0\0\0\0\0\0!", 13), 0);
	/* Too far is refused and changes nothing. */
	EQ(file_write(f, 1ull << 40, "x", 1, &done), ERR_NO_SPACE);
	EQ(file_write(f, UINT64_MAX, "x", 1, &done), ERR_NO_SPACE);
	m = (struct msg){ .op = 11, .w = { UINT64_MAX } };
	EQ(ipc_call(f, &m), ERR_NO_SPACE);
	DONE(file_stat(f, &st));
	EQ(st.size, 13);
	/* Who opened for appending appends. */
	DONE(file_open(DIR "/f", OPEN_APPEND, &g));
	DONE(file_write_all(g, 0, "end", 3));
	EQ(file_read(g, 0, buf, 1, &done), ERR_DENIED);
	file_close(g);
	DONE(file_stat(f, &st));
	EQ(st.size, 16);
	/* A reader may not write. */
	DONE(file_open(DIR "/f", OPEN_READ, &g));
	EQ(file_write(g, 0, "x", 1, &done), ERR_DENIED);
	file_close(g);
	/* Unlinked, it lives as long as f. */
	DONE(file_unlink(DIR "/f", 0));
	EQ(file_open(DIR "/f", OPEN_READ, &g), ERR_NOT_FOUND);
	DONE(file_read(f, 13, buf, sizeof(buf), &done));
	EQ(done, 3);
	DONE(file_append_all(f, "more", 4));
	file_close(f);
	/* Below a directory's Session nothing above it can be reached. */
	DONE(file_open(DIR, OPEN_READ | OPEN_WRITE | OPEN_DIRECTORY, &dir));
	EQ(file_open_at(dir, "../systest", OPEN_READ, &f), ERR_NOT_FOUND);
	DONE(file_open_at(dir, "../../x", OPEN_WRITE | OPEN_CREATE, &f));
	file_close(f);
	DONE(file_unlink(DIR "/x", 0));
	DONE(file_unlink(DIR, UNLINK_DIR));
	EQ(file_open_at(dir, "y", OPEN_WRITE | OPEN_CREATE, &f), ERR_NOT_FOUND);
	file_close(dir);
}

static void tmp_names(void)
{
	handle_t f, g;
	char buf[8];
	size_t done;

	DONE(file_mkdir(DIR));
	DONE(file_mkdir(DIR "/d"));
	DONE(file_open(DIR "/a", OPEN_WRITE | OPEN_CREATE, &f));
	DONE(file_write_all(f, 0, "a", 1));
	file_close(f);
	DONE(file_open(DIR "/b", OPEN_READ | OPEN_WRITE | OPEN_CREATE, &f));
	DONE(file_write_all(f, 0, "b", 1));
	DONE(file_rename(DIR "/a", DIR "/b"));
	/* f still is what it was, b is what a was. */
	DONE(file_read(f, 0, buf, 8, &done));
	EQ(done == 1 && buf[0] == 'b', true);
	DONE(file_open(DIR "/b", OPEN_READ, &g));
	DONE(file_read(g, 0, buf, 8, &done));
	EQ(done == 1 && buf[0] == 'a', true);
	file_close(f);
	file_close(g);
	EQ(file_rename(DIR "/a", DIR "/c"), ERR_NOT_FOUND);
	EQ(file_rename(DIR "/d", DIR "/d/e"), ERR_INVALID);
	EQ(file_rename(DIR "/b", DIR "/d"), ERR_IS_DIRECTORY);
	EQ(file_rename(DIR "/b", "initfs:///x"), ERR_NOT_SUPPORTED);
	EQ(file_unlink(DIR, UNLINK_DIR), ERR_NOT_EMPTY);
	DONE(file_rename(DIR "/b", DIR "/d/b"));
	DONE(file_unlink(DIR "/d/b", 0));
	DONE(file_unlink(DIR "/d", UNLINK_DIR));
	DONE(file_unlink(DIR, UNLINK_DIR));
}

/* A mapping shows the file, and a client that ruins its Frame ruins its file and nothing else. */
static void tmp_map(void)
{
	handle_t f, frame;
	uint64_t va, size;
	char buf[8];
	size_t done;
	struct msg m = { .op = 13, .w = { 0, 0, PROT_READ | PROT_WRITE } };

	DONE(file_open("tmp://systest-map", OPEN_READ | OPEN_WRITE | OPEN_CREATE, &f));
	DONE(file_write_all(f, 0, "before", 6));
	DONE(file_map(f, &frame, &size));
	EQ(size, 6);
	EQ(frame_write(frame, 0, "x", 1, &size), ERR_DENIED);
	DONE(vmem_map(0, frame, 0, 0, PAGE_SIZE, PROT_READ, &va));
	EQ(memcmp((void *)va, "before\0", 7), 0);
	DONE(file_write_all(f, 0, "behind", 6));
	EQ(memcmp((void *)va, "behind\0", 7), 0);
	DONE(vmem_unmap(0, va, PAGE_SIZE));
	handle_close(frame);
	DONE(ipc_call(f, &m));
	frame = m.handles[0];
	DONE(frame_resize(frame, PAGE_SIZE));
	DONE(file_write_all(f, 20000, "grown", 5));
	DONE(frame_resize(frame, PAGE_SIZE));
	DONE(file_read(f, 20000, buf, 8, &done));
	EQ(done, 5);
	EQ(memcmp(buf, "\0\0\0\0\0", 5), 0);
	handle_close(frame);
	file_close(f);
	DONE(file_unlink("tmp://systest-map", 0));
}

const struct test shelf_tests[] = {
	{ "shelf", put_get_clear },
	{ "shelf-rights", rights },
	{ "shelf-charged", charged },
	{ "tmp-files", tmp_files },
	{ "tmp-names", tmp_names },
	{ "tmp-map", tmp_map },
	{ NULL, NULL },
};

/*
 * file: URIs and file Sessions from a client's side (rt/file.h). A URI goes to the kernel as it is; the
 * service of its scheme sees what follows "scheme://".
 *
 * A Socket may stand where a file is expected, as stdin and stdout of a pipeline do: what the kernel will not
 * send to it as a command (ERR_WRONG_TYPE) is tried as reading or writing a stream.
 */
#include <gen/file.h>
#include <rt/file.h>
#include <rt/socket.h>
#include <stdlib.h>
#include <string.h>

enum { MODE_FILE = 0644, MODE_DIRECTORY = 0755, SLURP_FIRST = 4096 };

/* As strnlen, eight bytes at a time: aligned words, so that none reaches into another page. */
static size_t length(const char *text, size_t max)
{
	const uint64_t ones = 0x0101010101010101, *word = (const uint64_t *)((uintptr_t)text & ~(uintptr_t)7);
	uint64_t x = *word | ((1ull << 8 * ((uintptr_t)text & 7)) - 1), zeros;
	while (!(zeros = (x - ones) & ~x & ones << 7) && (size_t)((const char *)word - text + 8) < max)
		x = *++word;
	size_t n = zeros ? (size_t)((const char *)word - text) + ((size_t)__builtin_ctzll(zeros) >> 3) : max;
	return MIN(n, max);
}

/* Adds a path to a message: `flags` is IPC_PATH, with IPC_URI for a whole URI. */
static status_t add_path(struct msg *m, const char *path, uint32_t flags)
{
	size_t len = length(path, IPC_PATH_MAX + 1);
	if (len > IPC_PATH_MAX)
		return ERR_TOO_LONG;
	m->in = path;
	m->in_len = len;
	m->flags = flags;
	return OK;
}

/* Services give what they are asked for; anything more is closed instead of leaking. */
static void close_extra(struct msg *m, size_t wanted)
{
	for (size_t i = wanted; i < IPC_HANDLES; i++)
		if (m->handles[i])
			handle_close(m->handles[i]);
}

static status_t open_path(handle_t session, const char *path, uint32_t path_flags, uint32_t flags, uint64_t deadline, handle_t *file)
{
	struct msg m = { .deadline = deadline };
	status_t st = add_path(&m, path, path_flags);
	if (st < 0)
		return st;
	file_open_ask(&m, &(struct file_open_req){ .flags = flags, .mode = flags & OPEN_CREATE ? MODE_FILE : 0 });
	st = ipc_call(session, &m);
	if (st < 0)
		return st;
	close_extra(&m, 1);
	if (!m.handles[0])
		return ERR_IO;          /* the service said yes and gave nothing */
	*file = m.handles[0];
	return OK;
}

status_t file_open(const char *uri, uint32_t flags, handle_t *file)
{
	return open_path(0, uri, IPC_PATH | IPC_URI, flags, 0, file);
}

status_t file_open_until(const char *uri, uint32_t flags, uint64_t deadline, handle_t *file)
{
	return open_path(0, uri, IPC_PATH | IPC_URI, flags, deadline, file);
}

status_t file_open_at(handle_t dir, const char *path, uint32_t flags, handle_t *file)
{
	return open_path(dir, path, IPC_PATH, flags, 0, file);
}

status_t file_read(handle_t file, uint64_t offset, void *buf, size_t len, size_t *done)
{
	struct msg m = { .out = buf, .out_len = MIN(len, (size_t)IPC_WINDOW_MAX) };
	file_read_ask(&m, &(struct file_read_req){ .offset = offset });
	status_t st = ipc_call(file, &m);
	if (st == ERR_WRONG_TYPE)
		return socket_get(file, buf, len, done);
	if (st < 0)
		return st;
	close_extra(&m, 0);
	if (m.w[0] > m.out_len)
		return ERR_IO;          /* more than there was room for: not to be believed */
	*done = m.w[0];
	return OK;
}

static status_t write_some(handle_t file, uint64_t offset, uint32_t flags, const void *buf, size_t len, size_t *done)
{
	struct msg m = { .in = buf, .in_len = MIN(len, (size_t)IPC_WINDOW_MAX) };
	file_write_ask(&m, &(struct file_write_req){ .offset = offset, .flags = flags });
	status_t st = ipc_call(file, &m);
	if (st == ERR_WRONG_TYPE) {
		st = socket_put(file, buf, m.in_len);
		if (st == OK)
			*done = m.in_len;
		return st;
	}
	if (st < 0)
		return st;
	close_extra(&m, 0);
	if (m.w[0] > m.in_len)
		return ERR_IO;
	*done = m.w[0];
	return OK;
}

status_t file_write(handle_t file, uint64_t offset, const void *buf, size_t len, size_t *done)
{
	return write_some(file, offset, 0, buf, len, done);
}

static status_t write_all(handle_t file, uint64_t offset, uint32_t flags, const void *buf, size_t len)
{
	for (size_t at = 0; at < len;) {
		size_t done = 0;
		status_t st = write_some(file, flags & WRITE_APPEND ? 0 : offset + at, flags, (const char *)buf + at, len - at, &done);
		if (st < 0)
			return st;
		if (done == 0)
			return ERR_NO_SPACE;
		at += done;
	}
	return OK;
}

status_t file_write_all(handle_t file, uint64_t offset, const void *buf, size_t len)
{
	return write_all(file, offset, 0, buf, len);
}

status_t file_append_all(handle_t file, const void *buf, size_t len)
{
	return write_all(file, 0, WRITE_APPEND, buf, len);
}

static status_t stat_with(handle_t session, struct msg *m, struct stat *st)
{
	file_stat_ask(m, &(struct file_stat_req){ 0 });
	status_t result = ipc_call(session, m);
	struct handle_info info;
	if (result == ERR_WRONG_TYPE && session && handle_info(session, &info) == OK && info.type == OBJ_SOCKET) {
		*st = (struct stat){ .type = FILE_STREAM, .ino = info.object_id };
		return OK;
	}
	if (result < 0)
		return result;
	close_extra(m, 0);
	struct file_stat_rep p;
	file_stat_answer(m, &p);
	*st = (struct stat){ .type = p.type, .mode = p.mode, .size = p.size, .ino = p.ino, .blocks = p.blocks, .mtime = p.mtime };
	return OK;
}

status_t file_stat(handle_t file, struct stat *st)
{
	return stat_with(file, &(struct msg){ 0 }, st);
}

status_t file_stat_uri(const char *uri, struct stat *st)
{
	struct msg m = { 0 };
	status_t result = add_path(&m, uri, IPC_PATH | IPC_URI);
	return result < 0 ? result : stat_with(0, &m, st);
}

status_t file_readdir(handle_t dir, uint64_t *cookie, void *buf, size_t len, size_t *done)
{
	struct msg m = { .out = buf, .out_len = MIN(len, (size_t)IPC_WINDOW_MAX) };
	file_readdir_ask(&m, &(struct file_readdir_req){ .cookie = *cookie });
	status_t st = ipc_call(dir, &m);
	if (st < 0)
		return st;
	close_extra(&m, 0);
	struct file_readdir_rep p;
	file_readdir_answer(&m, &p);
	if (p.done > m.out_len)
		return ERR_IO;
	*cookie = p.next;
	*done = p.done;
	return OK;
}

status_t file_unlink(const char *uri, uint32_t flags)
{
	struct msg m = { 0 };
	status_t st = add_path(&m, uri, IPC_PATH | IPC_URI);
	if (st < 0)
		return st;
	file_unlink_ask(&m, &(struct file_unlink_req){ .flags = flags });
	st = ipc_call(0, &m);
	if (st >= 0)
		close_extra(&m, 0);
	return st;
}

status_t file_mkdir(const char *uri)
{
	struct msg m = { 0 };
	status_t st = add_path(&m, uri, IPC_PATH | IPC_URI);
	if (st < 0)
		return st;
	file_mkdir_ask(&m, &(struct file_mkdir_req){ .mode = MODE_DIRECTORY });
	st = ipc_call(0, &m);
	if (st >= 0)
		close_extra(&m, 0);
	return st;
}

status_t file_rename(const char *from, const char *to)
{
	char pair[IPC_PATH_MAX + 1];
	const char *colon = strstr(from, "://");
	size_t scheme = colon ? (size_t)(colon - from) + 3 : 0, from_len = strnlen(from, sizeof(pair)), to_len = strnlen(to, sizeof(pair));
	if (!scheme)
		return ERR_INVALID;
	if (strncmp(from, to, scheme) != 0)
		return strstr(to, "://") ? ERR_NOT_SUPPORTED : ERR_INVALID;
	/* The kernel takes the scheme off the front of the pair; the second name goes without. */
	if (from_len + 1 + to_len - scheme > IPC_PATH_MAX)
		return ERR_TOO_LONG;
	memcpy(pair, from, from_len + 1);
	memcpy(pair + from_len + 1, to + scheme, to_len - scheme);
	struct msg m = { .in = pair, .in_len = from_len + 1 + to_len - scheme, .flags = IPC_PATH | IPC_URI };
	file_rename_ask(&m, &(struct file_rename_req){ 0 });
	status_t st = ipc_call(0, &m);
	if (st >= 0)
		close_extra(&m, 0);
	return st;
}

static status_t map_as(handle_t file, uint32_t prot, handle_t *frame, struct file_map_rep *p)
{
	struct msg m = { 0 };
	/* size 0: all from the offset to the end */
	file_map_ask(&m, &(struct file_map_req){ .offset = 0, .size = 0, .prot = prot });
	status_t st = ipc_call(file, &m);
	if (st < 0)
		return st;
	close_extra(&m, 1);
	if (!m.handles[0])
		return ERR_IO;
	file_map_answer(&m, p);
	*frame = m.handles[0];
	return OK;
}

status_t file_map(handle_t file, handle_t *frame, uint64_t *size)
{
	struct file_map_rep p;
	handle_t h;
	status_t st = map_as(file, PROT_READ | PROT_EXEC, &h, &p);
	if (st == ERR_DENIED)
		st = map_as(file, PROT_READ, &h, &p);
	if (st < 0)
		return st;
	if (p.frame_offset != 0) {      /* the file lies somewhere inside a larger Frame */
		handle_close(h);
		return ERR_NOT_SUPPORTED;
	}
	*frame = h;
	*size = p.file_size;
	return OK;
}

status_t file_map_uri(const char *uri, handle_t *frame, uint64_t *size)
{
	handle_t file;
	status_t st = file_open(uri, OPEN_READ, &file);
	if (st < 0)
		return st;
	st = file_map(file, frame, size);
	file_close(file);
	return st;
}

status_t file_ctl(handle_t file, uint32_t code, const uint64_t args[4], handle_t h, uint64_t values[3])
{
	struct msg m = { .handles = { h } };
	struct file_ctl_req q = { .code = code };
	if (args) {
		q.arg0 = args[0];
		q.arg1 = args[1];
		q.arg2 = args[2];
		q.arg3 = args[3];
	}
	file_ctl_ask(&m, &q);
	status_t st = ipc_call(file, &m);
	if (st < 0)
		return st;
	close_extra(&m, 0);
	if (values)
		memcpy(values, m.w, 3 * sizeof(values[0]));
	return st;
}

/* Reads to the end of `file` into heap memory that grows as needed. */
static status_t slurp_open(handle_t file, size_t max, char **data, size_t *size)
{
	size_t room = MIN(max, (size_t)SLURP_FIRST), len = 0;
	struct stat info;
	if (file_stat(file, &info) >= 0 && info.type == FILE_REGULAR && info.size < max)
		room = MAX((size_t)info.size, (size_t)64);
	char *buf = malloc(room + 1);
	if (!buf)
		return ERR_NO_MEMORY;
	for (;;) {
		size_t done = 0;
		/* The zero byte's place is offered too: a byte in it tells that the file goes on. */
		status_t st = file_read(file, len, buf + len, room + 1 - len, &done);
		if (st >= 0 && done == 0)
			break;
		len += done;
		if (st >= 0 && len <= room)
			continue;
		if (st >= 0 && room == max)
			st = ERR_TOO_LONG;
		if (st >= 0) {
			room = room > max / 2 ? max : room * 2;
			char *more = realloc(buf, room + 1);
			if (more) {
				buf = more;
				continue;
			}
			st = ERR_NO_MEMORY;
		}
		free(buf);
		return st;
	}
	buf[len] = 0;
	*data = buf;
	*size = len;
	return OK;
}

status_t file_slurp(const char *uri, size_t max, char **data, size_t *size)
{
	handle_t file;
	status_t st = file_open(uri, OPEN_READ, &file);
	if (st < 0)
		return st;
	st = slurp_open(file, max, data, size);
	file_close(file);
	return st;
}

void file_close(handle_t h)
{
	if (h)
		handle_close(h);
}

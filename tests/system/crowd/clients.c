/*
 * clients: what each kind of client does in a round, and how it knows that the answer was right.
 */
#include "crowd.h"
#include "../counterd/count.h"
#include "../tmp_rounds.h"
#include <abi/fb.h>
#include <abi/file.h>
#include <abi/input.h>
#include <gen/file.h>
#include <gen/syscalls.h>

enum { BLOCKS = 64 * KiB, PIECE = 8 * KiB, TEXT = 64 * KiB, SEEN = 64, TTY_PAUSE_MS = 20 };

static struct shared *shared;
static struct told *told;
static unsigned self;
static uint64_t rng;

/* Says what is going on, for whoever looks for one that hangs, and does it. */
#define DO(what, uri, call) do { snprintf(told->at, AT_TEXT, "%s %s", what, uri); TRY(what, uri, call); } while (0)

static uint64_t dice(uint64_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng % n;
}

static int wrong(const char *uri, const char *what)
{
	print_error("client %u, round %u: %s: %s", self, told->rounds, uri, what);
	return 1;
}

/* The whole of a small file by one READ, so that it is of one moment. */
static int read_text(const char *uri, char *text, size_t *len)
{
	handle_t h;

	DO("open", uri, file_open(uri, OPEN_READ, &h));
	DO("read", uri, file_read(h, 0, text, TEXT - 1, len));
	text[*len] = 0;
	file_close(h);
	return 0;
}

/* ---- the kinds ---- */

static int tmp_round(unsigned i)
{
	static handle_t log;

	snprintf(told->at, AT_TEXT, "a round of tmp://");
	if (!log && rounds_open(&log))
		return 1;
	return round_of(self, i, log);
}

static int add_one(handle_t counter, uint64_t *sum)
{
	uint64_t values[3], args[4] = { 1 };

	DO("add", "count://", file_ctl(counter, COUNT_ADD, args, 0, values));
	*sum = values[0];
	return 0;
}

static int count_round(unsigned i unused)
{
	static handle_t common, own;
	uint64_t sum;
	char uri[32];

	snprintf(uri, sizeof(uri), "count://%u", self + 1);
	if (!own) {
		static char text[TEXT];
		size_t len;
		if (read_text(uri, text, &len))
			return 1;
		told->own = strtoul(text, NULL, 10);
		DO("open", uri, file_open(uri, OPEN_WRITE, &own));
		DO("open", "count://0", file_open("count://0", OPEN_WRITE, &common));
	}
	if (add_one(common, &sum))
		return 1;
	told->counts++;
	told->sums += sum;
	if (add_one(own, &sum))
		return 1;
	if (sum != told->own + 1) {
		print_error("client %u: %s went from %llu to %llu", self, uri, (unsigned long long)told->own, (unsigned long long)sum);
		return 1;
	}
	told->own = sum;
	return 0;
}

static int initfs_round(unsigned i)
{
	const struct known_file *f = &shared->files[(self * 7 + i) % shared->n_files];
	struct stat st;
	char *data;
	size_t size;

	DO("stat", f->path, file_stat_uri(f->path, &st));
	DO("read", f->path, file_slurp(f->path, 2 * MiB, &data, &size));
	bool same = size == f->size && st.size == f->size && state_sum(1, data, size) == f->sum;
	free(data);
	return same ? 0 : wrong(f->path, "other bytes than before");
}

/* A file of at most BLOCKS bytes and what must be in it. */
static char mirror[BLOCKS], piece[PIECE];
static size_t mirror_size;

static int blocks_check(handle_t f, size_t at, size_t len)
{
	size_t done = 0, want = at < mirror_size ? MIN(len, mirror_size - at) : 0;

	DO("read", "blocks", file_read(f, at, piece, len, &done));
	return done == want && !memcmp(piece, mirror + at, want) ? 0 : wrong("blocks", "not what was written");
}

static void blocks_uri(char uri[32])
{
	snprintf(uri, 32, "tmp://blocks-%u", self);
}

static int blocks_round(unsigned i)
{
	static handle_t f;
	size_t at = dice(BLOCKS), len = 1 + dice(PIECE);
	uint64_t size = dice(BLOCKS);
	char uri[32];

	len = MIN(len, BLOCKS - at);
	blocks_uri(uri);
	if (!f)
		DO("create", uri, file_open(uri, OPEN_READ | OPEN_WRITE | OPEN_CREATE | OPEN_TRUNC, &f));
	if (i % 16 == 15) {
		struct msg m = { 0 };
		file_truncate_ask(&m, &(struct file_truncate_req){ .size = size });
		DO("truncate", uri, ipc_call(f, &m));
		if (size < mirror_size)
			memset(mirror + size, 0, mirror_size - size);
		mirror_size = size;
	} else {
		for (size_t k = 0; k < len; k++)
			mirror[at + k] = (char)dice(256);
		DO("write", uri, file_write_all(f, at, mirror + at, len));
		mirror_size = MAX(mirror_size, at + len);
	}
	return blocks_check(f, dice(BLOCKS), 1 + dice(PIECE)) || blocks_check(f, at, len);
}

static int blocks_end(void)
{
	char uri[32];

	blocks_uri(uri);
	DO("unlink", uri, file_unlink(uri, 0));
	return 0;
}

static int rng_round(unsigned i)
{
	static uint64_t seen[SEEN];
	uint64_t bytes[8] = { 0 };
	size_t done = 0;
	handle_t h;

	DO("open", "rng://", file_open("rng://", OPEN_READ, &h));
	DO("read", "rng://", file_read(h, 0, bytes, sizeof(bytes), &done));
	file_close(h);
	if (done != sizeof(bytes) || !bytes[7])
		return wrong("rng://", "fewer bytes than asked for");
	for (unsigned k = 0; k < SEEN; k++)
		if (seen[k] == bytes[0])
			return wrong("rng://", "the same bytes again");
	seen[i % SEEN] = bytes[0];
	return 0;
}

/* One line of the log; its time is not before the last one's. */
static int log_line(const char *line)
{
	static uint64_t last;
	char *end;

	uint64_t s = strtoul(line + 1, &end, 10), ms = *end == '.' ? strtoul(end + 1, &end, 10) : 0, t = s * 1000 + ms;
	if (line[0] != '[' || *end != ']')
		return wrong("log://follow", line);
	if (t < last)
		return wrong("log://follow", "time goes backwards");
	last = t;
	return 0;
}

/* Lines may come in pieces. What was overwritten before it could be read is zeros: go on behind the next end of a line. */
static int log_round(unsigned i unused)
{
	static char line[1024], text[4096];
	static handle_t h;
	static uint64_t offset;
	static size_t have;
	static bool lost;
	size_t done = 0;

	if (!h)
		DO("open", "log://follow", file_open("log://follow", OPEN_READ, &h));
	DO("read", "log://follow", file_read(h, offset, text, sizeof(text), &done));
	offset += done;
	for (size_t k = 0; k < done; k++) {
		lost |= !text[k];
		if (text[k] != '\n') {
			line[have] = text[k];
			have = MIN(have + 1, sizeof(line) - 1);
			continue;
		}
		line[have] = 0;
		if (!lost && log_line(line))
			return 1;
		lost = false;
		have = 0;
	}
	return 0;
}

static int proc_round(unsigned i unused)
{
	static char text[TEXT];
	struct process_info me;
	char uri[32];
	size_t len;

	MUST(process_info(0, &me));
	snprintf(uri, sizeof(uri), "proc://%llu/name", (unsigned long long)me.pid);
	if (read_text(uri, text, &len))
		return 1;
	if (strcmp(text, "crowd\n") != 0)
		return wrong(uri, text);
	if (read_text("proc://kstat", text, &len))
		return 1;
	if (!strstr(text, "\nhandles "))
		return wrong("proc://kstat", text);
	memset(text, 1, sizeof(text));
	if (read_text("zero://", text, &len))
		return 1;
	for (size_t k = 0; k < TEXT - 1; k++)
		if (len != TEXT - 1 || text[k])
			return wrong("zero://", "not zero");
	return 0;
}

static int tty_round(unsigned i)
{
	char text[RECORD];
	uint64_t now;

	int n = snprintf(text, sizeof(text), "<tty %u %u %.*s>\n", self, i, (int)(i % 27), "abcdefghijklmnopqrstuvwxyz");
	DO("write", "tty", file_append_all(start_handle("stdout"), text, (size_t)n));
	MUST(clock_now(&now));
	thread_sleep(now + TTY_PAUSE_MS * NS_PER_MS);
	return 0;
}

static status_t tty_ctl(handle_t h, uint32_t code, uint64_t a, uint64_t b, uint64_t values[3])
{
	return file_ctl(h, code, (uint64_t[4]){ a, b }, 0, values);
}

/* A line there and a line back; mode and size stay as they were set, whoever died since. */
static int pty_round(unsigned i)
{
	static handle_t master, slave;
	static uint64_t taken, mode, columns;
	char text[RECORD], got[RECORD], both[2 * RECORD];
	uint64_t values[3];
	size_t done, len;

	if (i == 0) {
		DO("open", "pty", file_open("tty://pty", OPEN_READ | OPEN_WRITE, &master));
		DO("make", "pty", tty_ctl(master, CTL_TTY_PTY, TTY_PTY_PRIVATE, 0, values));
	}
	if (i % 8 == 0) {
		/* A new slave before the old one goes, so that the master never reads an end. */
		handle_t old = slave;
		DO("open", "slave", file_open_at(master, "slave", OPEN_READ | OPEN_WRITE, &slave));
		if (old)
			file_close(old);
		mode = TTY_DEFAULT ^ (i % 16 ? TTY_CANONICAL : 0);
		columns = 1 + dice(TTY_SIZE_MAX);
		DO("set mode", "slave", tty_ctl(slave, CTL_TTY_SET_MODE, mode, 0, values));
		DO("set size", "pty", tty_ctl(master, CTL_TTY_SET_SIZE, columns, 43, values));
	}
	if (i % 8 == 7) {
		DO("mode", "pty", tty_ctl(master, CTL_TTY_GET_MODE, 0, 0, values));
		if (values[0] != mode)
			return wrong("pty", "another mode");
		DO("size", "slave", tty_ctl(slave, CTL_TTY_GET_SIZE, 0, 0, values));
		if (values[0] != columns || values[1] != 43)
			return wrong("slave", "another size");
	}

	int n = snprintf(text, sizeof(text), "pty %u %u", self, i);
	DO("write", "slave", file_append_all(slave, text, (size_t)n));
	text[n] = '\r';
	DO("write", "pty", file_write_all(master, 0, text, (size_t)n + 1));
	text[n] = '\n';
	for (len = 0; len < (size_t)n + 1; len += done, taken += done) {
		DO("read", "slave", file_read(slave, taken, got, sizeof(got), &done));
		if (done == 0 || len + done > (size_t)n + 1 || memcmp(got, text + len, done) != 0)
			return wrong("slave", "another line than was typed");
	}
	/* What was written, and the echo. */
	text[n] = 0;
	int all = snprintf(both, sizeof(both), "%s%s\r\n", text, text);
	for (len = 0; len < (size_t)all; len += done) {
		DO("read", "pty", file_read(master, 0, got, sizeof(got), &done));
		if (done == 0 || len + done > (size_t)all || memcmp(got, both + len, done) != 0)
			return wrong("pty", "other text than was written");
	}
	return 0;
}

static int svc_round(unsigned i unused)
{
	static char text[TEXT];
	size_t len;

	if (read_text("svc://", text, &len))
		return 1;
	if (!strstr(text, "\ntmpd ") || !strstr(text, "\nrngd "))
		return wrong("svc://", text);
	if (read_text("svc://tmpd", text, &len))
		return 1;
	return strstr(text, "provides   tmp\n") ? 0 : wrong("svc://tmpd", text);
}

static int time_round(unsigned i)
{
	static handle_t time, port, notify;
	static uint64_t offset;
	uint64_t values[3], now;
	struct event e;

	if (i == 0) {
		MUST(port_create(0, &port));
		MUST(notify_create(&notify));
		MUST(notify_port(notify, port, 0));
		DO("open", "time", file_open("time://now", OPEN_READ, &time));
	}
	DO("ask", "time", file_ctl(time, CTL_TIME_GET, (uint64_t[4]){ 0 }, 0, values));
	if (i > 0 && values[0] != offset)
		return wrong("time://", "another offset");
	offset = values[0];
	MUST(clock_now(&now));
	DO("alarm", "time", file_ctl(time, CTL_TIME_ALARM, (uint64_t[4]){ now + offset + 5 * NS_PER_MS, i % 64 }, notify, values));
	/* An alarm that rang as its server died may ring again: for the one before. */
	do {
		DO("wait for", "alarm", ipc_accept(port, now + shared->patience_s * NS_PER_SEC, &e));
	} while (!(e.w[0] >> i % 64 & 1));
	return 0;
}

/* Nobody types: the stream stands still, whoever dies, and who waits for its next event goes on waiting. */
static int input_round(unsigned i)
{
	static const struct input_event lights[] = {
		{ .type = EV_LED, .code = LED_NUML, .value = 0 }, { .type = EV_LED, .code = LED_CAPSL, .value = 0 },
	};
	static handle_t events, keymap, keyboard;
	static uint64_t size;
	struct input_event e;
	struct stat st;
	char text[16];
	size_t done;
	uint64_t now;

	if (i == 0) {
		DO("open", "input://events", file_open("input://events", OPEN_READ, &events));
		DO("open", "input://keymap", file_open("input://keymap", OPEN_READ | OPEN_WRITE, &keymap));
		DO("open", "kbd://events", file_open("kbd://events", OPEN_READ | OPEN_WRITE, &keyboard));
		DO("stat", "input://events", file_stat(events, &st));
		size = st.size;
	}
	DO("stat", "input://events", file_stat(events, &st));
	if (st.size != size)
		return wrong("input://events", "another number of events");
	MUST(clock_now(&now));
	struct msg m = { .op = FILE_READ, .out = &e, .out_len = sizeof(e), .w = { size }, .deadline = now + 5 * NS_PER_MS };
	snprintf(told->at, AT_TEXT, "wait for an event");
	status_t status = ipc_call(events, &m);
	if (status != ERR_TIMED_OUT)
		return wrong("input://events", error_text(status));
	if (i % 2 == 0)
		DO("write", "input://keymap", file_write_all(keymap, 0, "us", 2));
	DO("read", "input://keymap", file_read(keymap, 0, text, sizeof(text), &done));
	if (done != 3 || memcmp(text, "us\n", 3))
		return wrong("input://keymap", "another key map");
	DO("write", "kbd://events", file_write_all(keyboard, 0, lights, sizeof(lights)));
	return 0;
}

static status_t fb_ctl(handle_t fb, struct file_ctl_req q, const void *in, size_t len)
{
	struct msg m = { .in = in, .in_len = len };

	file_ctl_ask(&m, &q);
	return ipc_call(fb, &m);
}

static int fb_round(unsigned i)
{
	enum { SIDE = 64 };
	static handle_t fb, frame;
	static uint32_t pixels[SIDE * SIDE], again[SIDE * SIDE], width, height;
	struct msg m = { 0 };
	uint64_t done;

	if (i == 0)
		DO("open", "fb", file_open("fb://", OPEN_READ | OPEN_WRITE, &fb));
	if (i % 8 == 0) {
		uint32_t old_width = width, old_height = height;
		width = 1 + (uint32_t)dice(SIDE);
		height = 1 + (uint32_t)dice(SIDE);
		DO("make", "surface", fb_ctl(fb, (struct file_ctl_req){ .code = CTL_FB_SURFACE, .arg0 = width, .arg1 = height }, NULL, 0));
		if (frame)
			handle_close(frame);
		struct file_map_req q = { .prot = PROT_READ | PROT_WRITE };
		file_map_ask(&m, &q);
		DO("map", "surface", ipc_call(fb, &m));
		frame = m.handles[0];
		if (m.w[1] != (uint64_t)width * height * sizeof(pixels[0]))
			return wrong("fb://", "another size");
		if (width != old_width || height != old_height)
			memset(pixels, 0, sizeof(pixels));
	}
	size_t len = (size_t)width * height * sizeof(pixels[0]);
	DO("read", "surface", frame_read(frame, 0, again, len, &done));
	if (done != len || memcmp(again, pixels, len) != 0)
		return wrong("fb://", "other pixels than were drawn");
	for (size_t k = 0; k < len / sizeof(pixels[0]); k++)
		pixels[k] = (uint32_t)dice(1 << 24);
	DO("write", "surface", frame_write(frame, 0, pixels, len, &done));
	struct fb_rect all = { 0, 0, width, height };
	DO("damage", "surface", fb_ctl(fb, (struct file_ctl_req){ .code = CTL_FB_DAMAGE }, &all, sizeof(all)));
	DO("show", "surface", fb_ctl(fb, (struct file_ctl_req){ .code = CTL_FB_SHOW, .arg0 = dice(1000), .arg1 = dice(700), .arg2 = i % 5 == 0 }, NULL, 0));
	return 0;
}

static int spawn_round(unsigned i unused)
{
	const char *argv[] = { "true" };
	struct spawn s = { .argc = 1, .argv = argv, .priority = PRIORITY_NORMAL, .level = 100 };
	struct process_info info;
	handle_t process;
	uint64_t pid;

	DO("start", "true", spawn_uri("initfs:///bin/true", &s, &process, &pid, NULL));
	DO("wait for", "true", process_wait(process, FOREVER, &info));
	handle_close(process);
	return info.exit_kind == EXIT_NORMAL && info.exit_status == 0 ? 0 : wrong("true", "ended in another way");
}

/* ---- who is what ---- */

static const struct { const char *name; int (*round)(unsigned i); } kinds[KINDS] = {
	[KIND_TMP] = { "tmp", tmp_round }, [KIND_COUNT] = { "count", count_round }, [KIND_INITFS] = { "initfs", initfs_round },
	[KIND_BLOCKS] = { "blocks", blocks_round }, [KIND_RNG] = { "rng", rng_round }, [KIND_LOG] = { "log", log_round },
	[KIND_PROC] = { "proc", proc_round }, [KIND_TTY] = { "tty", tty_round }, [KIND_PTY] = { "pty", pty_round },
	[KIND_SVC] = { "svc", svc_round },
	[KIND_TIME] = { "time", time_round }, [KIND_INPUT] = { "input", input_round }, [KIND_FB] = { "fb", fb_round }, [KIND_SPAWN] = { "spawn", spawn_round },
};

enum client_kind kind_of(unsigned client)
{
	static const uint8_t order[] = {
		KIND_TMP, KIND_COUNT, KIND_INITFS, KIND_BLOCKS, KIND_RNG, KIND_LOG, KIND_PROC, KIND_TTY, KIND_SVC, KIND_SPAWN,
		KIND_TMP, KIND_COUNT, KIND_INITFS, KIND_BLOCKS, KIND_PTY, KIND_TIME, KIND_TMP, KIND_COUNT, KIND_FB, KIND_INPUT,
	};
	return order[client % sizeof(order)];
}

const char *kind_name(unsigned client)
{
	return kinds[kind_of(client)].name;
}

int client_run(struct shared *s, unsigned number, uint64_t seed)
{
	int (*round)(unsigned) = kinds[kind_of(number)].round;
	int status = 0;

	shared = s;
	self = number;
	told = &s->told[number];
	rng = 88172645463325252ull ^ seed << 20 ^ number << 8;
	while (!shared->stop && status == 0) {
		status = round(told->rounds);
		if (status == 0)
			told->rounds++;
	}
	if (status == 0 && kind_of(number) == KIND_BLOCKS)
		status = blocks_end();
	told->ended = 1;
	return status;
}

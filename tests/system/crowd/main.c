/*
 * crowd: twenty programs that use every service at once and count on every answer, while the killer
 * (tests/system/killer) ends those services. Part of test images only.
 *
 *   crowd CLIENTS SEED 'LINE' S   starts so many clients, writes LINE to killer://, waits until the killer is through, ends the
 *                                 clients, and looks whether everything is as they were told. Who waits S seconds hangs
 *   crowd die N HOW               a request to count://N that counterd dies of each time (enum count_death); prints how it was answered
 *   crowd await N VALUE           waits until count://N has reached VALUE, in a command that lies parked with counterd
 *
 * Each client is a process of its own. What it was told lies in a Frame that all share, so that the end of a service has nothing
 * to do with the memory of what it promised. Kinds of clients are in clients.c; here is who starts them and who judges.
 */
#include "crowd.h"
#include "../counterd/count.h"
#include "../tmp_rounds.h"
#include <gen/syscalls.h>

enum { LOOK_MS = 20, TREE_FILES = 700 };

static struct shared *shared;
static handle_t frame, processes[CLIENTS_MAX];
static unsigned clients;

static void pause_ms(uint64_t ms)
{
	uint64_t now;
	MUST(clock_now(&now));
	thread_sleep(now + ms * NS_PER_MS);
}

static uint64_t now_ms(void)
{
	uint64_t ns;
	MUST(clock_now(&ns));
	return ns / NS_PER_MS;
}

static struct shared *map_shared(handle_t h)
{
	uint64_t va;
	MUST(vmem_map(0, h, 0, 0, SHARED_SIZE, PROT_READ | PROT_WRITE, &va));
	return (struct shared *)va;
}

/* ---- what the files of initfs are like, before anybody dies ---- */

static int note_file(const char *path)
{
	struct known_file *f = &shared->files[shared->n_files];
	char *data;
	size_t size;

	if (shared->n_files == FILES_MAX || strlen(path) >= sizeof(f->path))
		return 0;
	TRY("read", path, file_slurp(path, 2 * MiB, &data, &size));
	snprintf(f->path, sizeof(f->path), "%s", path);
	f->size = size;
	f->sum = state_sum(1, data, size);
	shared->n_files++;
	free(data);
	return 0;
}

static int note_files(const char *dir)
{
	static char buf[16 * KiB] aligned(8);
	uint64_t cookie = 0;
	size_t done = 0;
	handle_t h;
	char path[FILE_PATH];

	TRY("open", dir, file_open(dir, OPEN_READ | OPEN_DIRECTORY, &h));
	do {
		TRY("list", dir, file_readdir(h, &cookie, buf, sizeof(buf), &done));
		for (size_t at = 0; at < done; at += ((struct dirent *)(buf + at))->size) {
			snprintf(path, sizeof(path), "%s/%s", dir, ((struct dirent *)(buf + at))->name);
			if (note_file(path))
				return 1;
		}
	} while (done);
	file_close(h);
	return 0;
}

/*
 * tmpd's tree takes as many pages as it ever held files: all that will be needed is needed now, or the kernel's account would tell
 * one run from the next.
 */
static int touch_tree(void)
{
	char uri[FILE_PATH];
	handle_t h;

	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < TREE_FILES; i++) {
			snprintf(uri, sizeof(uri), DIR "/touch-%u", i);
			if (pass) {
				TRY("unlink", uri, file_unlink(uri, 0));
				continue;
			}
			TRY("create", uri, file_open(uri, OPEN_WRITE | OPEN_CREATE, &h));
			file_close(h);
		}
	return 0;
}

/* ---- the clients ---- */

static int start_client(unsigned i, const char *seed)
{
	char number[16];
	const char *argv[] = { "crowd", "client", number, seed }, *why = NULL;
	struct spawn_handle give[] = {
		{ .name = "shared", .handle = frame }, { .name = "stdout", .handle = start_handle("stdout") },
		{ .name = "stderr", .handle = start_handle("stderr") },
	};
	struct spawn s = { .argc = 4, .argv = argv, .handles = give, .n_handles = ARRAY_LEN(give), .priority = PRIORITY_NORMAL, .level = 100 };
	uint64_t pid;

	snprintf(number, sizeof(number), "%u", i);
	TRY("start", "client", spawn_uri("initfs:///bin/crowd", &s, &processes[i], &pid, &why));
	return 0;
}

/* Which clients run, and whether all of those have done a round since `before` was noted. */
static bool all_moved(const unsigned before[])
{
	for (unsigned i = 0; i < clients; i++)
		if (!shared->told[i].ended && shared->told[i].rounds == before[i])
			return false;
	return true;
}

static void tell_who_hangs(const unsigned before[])
{
	for (unsigned i = 0; i < clients; i++)
		if (!shared->told[i].ended && shared->told[i].rounds == before[i])
			print_error("client %u (%s) has been in round %u for %u s: %s", i, kind_name(i), before[i], shared->patience_s, shared->told[i].at);
}

/* Waits until each has done a round more than now. */
static int wait_round(void)
{
	unsigned before[CLIENTS_MAX];
	uint64_t until = now_ms() + shared->patience_s * 1000;

	for (unsigned i = 0; i < clients; i++)
		before[i] = shared->told[i].rounds;
	/* For those who follow the log; after the noting, lest their round with this line be over before it counts. */
	log_print("a round");
	while (!all_moved(before)) {
		if (now_ms() > until) {
			tell_who_hangs(before);
			return 1;
		}
		pause_ms(LOOK_MS);
	}
	return 0;
}

static int killer_left(unsigned long *left)
{
	char *text;
	size_t size;

	TRY("read", "killer://", file_slurp("killer://", 4096, &text, &size));
	*left = strtoul(text, NULL, 10);
	free(text);
	return 0;
}

static int kill_services(const char *line)
{
	unsigned long left = 1;
	handle_t h;

	TRY("open", "killer://", file_open("killer://", OPEN_READ | OPEN_WRITE, &h));
	TRY("write", "killer://", file_write_all(h, 0, line, strlen(line)));
	while (left) {
		if (wait_round() || killer_left(&left))
			return 1;
		TRY("write", "killer://", file_write_all(h, 0, "turn", 4));
	}
	file_close(h);
	/* What the last ones did must be seen, too. */
	return wait_round();
}

static int end_clients(void)
{
	struct process_info info;
	unsigned bad = 0;
	uint64_t now;

	__atomic_store_n(&shared->stop, 1, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < clients; i++) {
		/* As above. */
		log_print("it is over");
		MUST(clock_now(&now));
		status_t st = process_wait(processes[i], now + shared->patience_s * NS_PER_SEC, &info);
		if (st < 0 || info.exit_kind != EXIT_NORMAL || info.exit_status != 0) {
			print_error("client %u (%s), round %u, at %s: %s, ended as %u with %lld", i, kind_name(i), shared->told[i].rounds,
			            shared->told[i].at, st < 0 ? error_name(st) : "ended", info.exit_kind, (long long)info.exit_status);
			bad++;
		}
		handle_close(processes[i]);
	}
	return bad != 0;
}

/* The way out when something failed. */
static void kill_clients(void)
{
	for (unsigned i = 0; i < clients; i++)
		if (processes[i])
			(void)!process_kill(processes[i], KILL_PLAIN);
}

/* ---- judgement ---- */

static int count_is(unsigned n, uint64_t want)
{
	char uri[32];
	char *text;
	size_t size;

	snprintf(uri, sizeof(uri), "count://%u", n);
	TRY("read", uri, file_slurp(uri, 64, &text, &size));
	uint64_t is = strtoul(text, NULL, 10);
	free(text);
	if (is != want)
		print_error("counter %u is at %llu, not at %llu", n, (unsigned long long)is, (unsigned long long)want);
	return is != want;
}

/* Own counters are at what their clients were told; the common one counted every addition, and told every sum once. */
static int verify_counts(void)
{
	uint64_t added = 0, sums = 0, from = shared->common_before;

	for (unsigned i = 0; i < clients; i++) {
		added += shared->told[i].counts;
		sums += shared->told[i].sums;
		if (kind_of(i) == KIND_COUNT && count_is(i + 1, shared->told[i].own))
			return 1;
	}
	if (count_is(0, from + added))
		return 1;
	/* from + 1, ..., from + added */
	uint64_t want = added * from + added * (added + 1) / 2;
	if (sums != want)
		print_error("the sums told do not fit: %llu, not %llu", (unsigned long long)sums, (unsigned long long)want);
	return sums != want;
}

static int verify_tmp(void)
{
	unsigned rounds[CLIENTS_MAX] = { 0 };

	for (unsigned i = 0; i < clients; i++)
		if (kind_of(i) == KIND_TMP)
			rounds[i] = shared->told[i].rounds;
	return verify_rounds(clients, rounds);
}

static void tell_result(void)
{
	uint64_t counts = 0, appends = 0, rounds = 0;

	for (unsigned i = 0; i < clients; i++) {
		counts += shared->told[i].counts;
		appends += kind_of(i) == KIND_TMP ? shared->told[i].rounds : 0;
		rounds += shared->told[i].rounds;
	}
	for (unsigned i = 0; i < clients; i++)
		if (kind_of(i) == KIND_TTY)
			print("crowd: client %u wrote %u lines\n", i, shared->told[i].rounds);
	print("crowd: %u clients, %llu rounds; %llu appends, %llu renames and %llu counts, each exactly once\n", clients,
	      (unsigned long long)rounds, (unsigned long long)appends, (unsigned long long)appends, (unsigned long long)counts);
}

static int crowd(const char *seed, const char *line, unsigned patience_s)
{
	handle_t log;
	char *text;
	size_t size;

	MUST(frame_create(SHARED_SIZE, 0, &frame));
	shared = map_shared(frame);
	shared->patience_s = patience_s;
	if (note_files("initfs:///bin") || note_files("initfs:///sbin") || note_files("initfs:///etc/services") || rounds_open(&log) || touch_tree())
		return 1;
	file_close(log);
	TRY("read", "count://0", file_slurp("count://0", 64, &text, &size));
	shared->common_before = strtoul(text, NULL, 10);
	free(text);
	for (unsigned i = 0; i < clients; i++)
		if (start_client(i, seed))
			return 1;
	if (wait_round())
		return 1;
	if (kill_services(line) || end_clients() || verify_counts() || verify_tmp() || rounds_clean())
		return 1;
	tell_result();
	return 0;
}

/* One request to a counter; prints its answer. */
static int ask(const char *counter, uint32_t code, const char *arg)
{
	uint64_t args[4] = { strtoul(arg, NULL, 10) }, values[3] = { 0 };
	char uri[32];
	handle_t h;

	snprintf(uri, sizeof(uri), "count://%s", counter);
	TRY("open", uri, file_open(uri, OPEN_WRITE, &h));
	status_t st = file_ctl(h, code, args, 0, values);
	print("crowd: %s answers %s, %llu\n", uri, st < 0 ? error_name(st) : "OK", (unsigned long long)values[0]);
	file_close(h);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && (!strcmp(argv[1], "die") || !strcmp(argv[1], "await")))
		return ask(argv[2], argv[1][0] == 'd' ? COUNT_DIE : COUNT_WAIT, argv[3]);
	if (argc == 4 && !strcmp(argv[1], "client") && start_handle("shared"))
		return client_run(map_shared(start_handle("shared")), (unsigned)strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
	clients = argc == 5 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	unsigned patience_s = argc == 5 ? (unsigned)strtoul(argv[4], NULL, 10) : 0;
	if (!clients || clients > CLIENTS_MAX || !patience_s) {
		print_error("usage: crowd CLIENTS SEED 'LINE FOR killer://' SECONDS");
		return 2;
	}
	print("crowd: seed %s: %s\n", argv[2], argv[3]);
	int failed_at = crowd(argv[2], argv[3], patience_s);
	if (failed_at) {
		kill_clients();
		print("crowd: FAILED with seed %s: %s\n", argv[2], argv[3]);
	}
	return failed_at;
}

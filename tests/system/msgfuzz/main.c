/*
 * msgfuzz: messages to every service, structured and then made worse, from a seed, by children with a small Budget each.
 * Afterwards all processes that ran before are still the same, each scheme answers as it did, and the kernel's account is equal.
 *
 *   msgfuzz SEED COUNT           prints the seed, what was sent where, "all N processes live", "account equal" or what is wrong
 *   msgfuzz -e SEED COUNT        the same, with all of that looked at after each child: names the first after which it is not so
 *   msgfuzz -1 HEX COUNT         one child's seed, as printed, again and again
 *   msgfuzz -l HEX COUNT         the same, and it prints its messages
 *   msgfuzz -w WHAT SEED COUNT   what must fail, to see that it does: WHAT is a scheme that is left out below, or `wait`, for children
 *                                that wait in count:// for a number that is never reached
 *
 * The schemes are those of our own Namespace. A new one is fuzzed as long as it bears to be asked anything by who may read;
 * what it would rightly do but nobody wants here is kept away by giving less (reach_of) or filtered (child.c, `harmless`).
 */
#include <abi/fb.h>
#include <gen/file.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <rt/svc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../account.h"
#include "fuzz.h"

#define OWN "msgfuzz"                   /* the children's directory in tmp:// */

enum { POLL_MS = 20, PROCESSES = 64, WARM_FILES = 600, WARM_TEXTS = 20, WARM_PTYS = 17 };
/* How long a request may take that need not wait for anybody, on a slow machine that others use too. */
enum { HANG_MS = 15000, HANG_WANTED_MS = 2000 };

static const struct { const char *scheme; enum reach reach; } reaches[] = {
	{ "svc", REACH_LOOK },          /* who may write stops services and the machine */
	{ "proc", REACH_LOOK },         /* ends processes, and turns tracing on */
	{ "tty", REACH_LOOK },          /* the root can be opened for reading only; tty://serial can be had below it by who may write */
	{ "tmp", REACH_OWN },           /* so that all can be removed again */
	{ "killer", REACH_NOT },        /* kills services: that is what it is for */
	{ "relay", REACH_NOT },         /* dies of every path but two, for tests/boot/test_trace.py */
};

static struct told *told;
static handle_t info, image, whole_ns, own_dir, child_ns, told_frame;
static uint64_t image_size;
static uint64_t hang_ns = HANG_MS * NS_PER_MS;
static unsigned children, ended, killed;

static uint64_t now(void)
{
	uint64_t ns = 0;
	MUST(clock_now(&ns));
	return ns;
}

/* ---- what must be as before ---- */

struct alive { uint64_t pid, pages; uint32_t handles; char name[PROCESS_NAME_MAX]; };

static uint32_t list_alive(struct alive *a)
{
	static struct process_info p[16];
	uint64_t from = 0;
	uint32_t got, n = 0;

	do {
		MUST(process_list(info, from, p, ARRAY_LEN(p), &got));
		for (uint32_t i = 0; i < got; i++) {
			from = p[i].pid + 1;
			if (p[i].exit_kind != EXIT_RUNNING || n == PROCESSES)
				continue;
			a[n] = (struct alive){ .pid = p[i].pid, .pages = p[i].memory_pages, .handles = p[i].handles };
			memcpy(a[n++].name, p[i].name, PROCESS_NAME_MAX);
		}
	} while (got);
	return n;
}

/* The answers of a scheme to three plain requests, and how much came of the last. */
struct sane { status_t open, stat, read; bool some; };

static struct sane ask_sanely(const char *scheme)
{
	static char buf[256];
	char uri[64];
	struct sane s = { 0 };
	struct msg m = { .op = FILE_OPEN, .flags = IPC_URI, .w = { OPEN_READ }, .in = uri, .deadline = now() + hang_ns };

	m.in_len = (size_t)snprintf(uri, sizeof(uri), "%s://%s", scheme, !strcmp(scheme, "grant") ? "info" : !strcmp(scheme, "relay") ? "fwd/x" : "");
	s.open = ipc_call(0, &m);
	if (s.open < 0)
		return s;
	handle_t h = m.handles[0];
	m = (struct msg){ .op = FILE_STAT, .deadline = now() + hang_ns };
	s.stat = ipc_call(h, &m);
	m = (struct msg){ .op = FILE_READ, .out = buf, .out_len = sizeof(buf), .deadline = now() + hang_ns };
	s.read = ipc_call(h, &m);
	s.some = s.read >= 0 && m.w[0] > 0;
	handle_close(h);
	return s;
}

static struct before {
	struct alive alive[PROCESSES], grown[PROCESSES];        /* at the very beginning; with the account */
	uint32_t n, n_grown;
	struct sane sane[SCHEMES_MAX];
	struct kstat account;
} before;

/* Who has more, or less, than when the account was taken. */
static void tell_growth(const struct alive *a, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < before.n_grown; k++)
			if (a[i].pid == before.grown[k].pid && (a[i].pages != before.grown[k].pages || a[i].handles != before.grown[k].handles))
				print("msgfuzz: %s: pages %+lld, handles %+d\n", a[i].name, (long long)(a[i].pages - before.grown[k].pages),
					(int)(a[i].handles - before.grown[k].handles));
}

/* What is not as before, once told; true: nothing. */
static bool look(bool last)
{
	static struct alive alive[PROCESSES];
	char text[ACCOUNT_TEXT];
	bool good = true;
	uint32_t n = list_alive(alive), same = 0;

	for (uint32_t i = 0; i < before.n; i++) {
		bool found = false;
		for (uint32_t k = 0; k < n; k++)
			found |= alive[k].pid == before.alive[i].pid;
		same += found;
		if (!found)
			print("FAIL msgfuzz: %s (%llu) has died\n", before.alive[i].name, (unsigned long long)before.alive[i].pid);
		good &= found;
	}
	for (uint32_t i = 0; i < told->n; i++) {
		struct sane s = ask_sanely(told->scheme[i].name), *b = &before.sane[i];
		if (s.open == b->open && s.stat == b->stat && s.read == b->read && s.some == b->some)
			continue;
		good = false;
		print("FAIL msgfuzz: %s:// answered %lld %lld %lld, now %lld %lld %lld\n", told->scheme[i].name, (long long)b->open, (long long)b->stat,
			(long long)b->read, (long long)s.open, (long long)s.stat, (long long)s.read);
	}
	if (!account_settled(info, &before.account, text)) {
		good = false;
		print("FAIL msgfuzz: left behind:%s\n", text);
		tell_growth(alive, n);
	}
	if (last && good)
		print("msgfuzz: all %u processes live, every scheme answers as before, account equal\n", same);
	return good;
}

/* ---- the directory of the children ---- */

static void empty(handle_t dir, unsigned depth)
{
	static char buf[8][1024] aligned(8);
	uint64_t cookie = 0;
	size_t got = 0;

	while (depth < 8 && file_readdir(dir, &cookie, buf[depth], sizeof(buf[depth]), &got) == OK && got) {
		for (size_t at = 0; at < got;) {
			const struct dirent *d = (const void *)(buf[depth] + at);
			handle_t sub;
			if (d->type == FILE_DIRECTORY && file_open_at(dir, d->name, OPEN_READ | OPEN_WRITE | OPEN_DIRECTORY, &sub) == OK) {
				empty(sub, depth + 1);
				file_close(sub);
			}
			struct msg m = { .op = FILE_UNLINK, .flags = IPC_PATH, .w = { d->type == FILE_DIRECTORY ? UNLINK_DIR : 0 }, .in = d->name, .in_len = d->name_len };
			(void)ipc_call(dir, &m);
			at += d->size;
		}
	}
}

/* ---- a child ---- */

/* False: it did not get on. */
static bool one_child(uint64_t seed, bool logged)
{
	static const struct budget_limits limits = { .pages = 2000, .kernel_bytes = 1 * MiB, .handles = 400, .threads = 8, .commands = 64, .processes = 2 };
	char arg[17];
	const char *argv[] = { "msgfuzz", "-c", arg };
	struct process_info p;
	handle_t process, budget;
	/* One in eight is killed somewhere on the way; others end themselves. */
	uint64_t pid, last = 0, since = now(), kill_at = seed % 8 ? UINT64_MAX : seed / 8 % SHARE;
	bool good = true, shot = false;
	status_t st;

	hex(arg, seed);
	told->sent = 0;
	told->logged = logged;
	MUST(budget_create(0, &limits, &budget));
	struct spawn_handle give[] = {
		{ "told", told_frame, RIGHT_READ | RIGHT_WRITE | RIGHT_MAP, 0 }, { "ns", whole_ns, 0, 0 }, { "budget", budget, RIGHT_INSPECT | RIGHT_TRANSFER | RIGHT_DUP, 0 },
		{ "stdout", start_handle("stdout"), 0, 0 },
	};
	struct spawn s = { .image = image, .image_size = image_size, .argc = 3, .argv = argv, .handles = give, .n_handles = ARRAY_LEN(give) - !logged,
		.budget = budget, .ns = child_ns, .priority = CHILD_PRIORITY, .level = 100 };
	MUST(spawn(&s, &process, &pid, NULL));
	while ((st = process_wait(process, now() + POLL_MS * NS_PER_MS, &p)) == ERR_TIMED_OUT) {
		uint64_t sent = told->sent;
		if (sent >= kill_at && !shot) {
			shot = true;
			MUST(process_kill(process, KILL_PLAIN));
		} else if (sent != last) {
			last = sent;
			since = now();
		} else if (now() - since > hang_ns && good) {
			good = false;
			print("FAIL msgfuzz: child %u, seed %s: no answer to message %llu (operation %u of %s://)\n", children, arg, (unsigned long long)sent, told->at_op,
				told->scheme[MIN(told->at_scheme, SCHEMES_MAX - 1u)].name);
			print_flush();
			MUST(process_kill(process, KILL_PLAIN));
			since = now();
		} else if (now() - since > hang_ns) {
			rt_panic("seed %s: a killed child does not end", arg);
		}
	}
	MUST(st);
	handle_close(process);
	handle_close(budget);
	if (good && !(shot && p.exit_kind == EXIT_KILLED) && (p.exit_kind != EXIT_NORMAL || p.exit_status != 0)) {
		print("FAIL msgfuzz: child %u, seed %s, ended by itself: kind %u, %lld\n", children, arg, p.exit_kind, (long long)p.exit_status);
		good = false;
	}
	children++;
	ended += good && told->sent >= SHARE;
	killed += good && told->sent < SHARE;
	empty(own_dir, 0);
	return good;
}

/* ---- before the first ---- */

static enum reach reach_of(const char *scheme, const char *wanted)
{
	for (size_t i = 0; i < ARRAY_LEN(reaches); i++)
		if (!strcmp(reaches[i].scheme, scheme))
			return reaches[i].reach == REACH_NOT && wanted && !strcmp(scheme, wanted) ? REACH_ROOT : reaches[i].reach;
	return REACH_ROOT;
}

static void bind(const char *scheme, enum reach reach)
{
	char uri[32];
	handle_t h = own_dir;

	snprintf(uri, sizeof(uri), "%s://", scheme);
	if (reach == REACH_LOOK)
		MUST(file_open(uri, OPEN_READ | OPEN_DIRECTORY, &h));
	MUST(ns_bind(child_ns, scheme, strlen(scheme), h));
	if (h != own_dir)
		handle_close(h);
}

static void find_schemes(const char *wanted)
{
	struct ns_entry e[NS_ENTRIES_MAX];
	uint32_t got;

	MUST(ns_list(0, e, ARRAY_LEN(e), &got));
	MUST(ns_create(&child_ns));
	for (uint32_t i = 0; i < got && told->n < SCHEMES_MAX; i++) {
		enum reach reach = reach_of(e[i].scheme, wanted);
		if (reach == REACH_NOT)
			continue;
		strcpy(told->scheme[told->n].name, e[i].scheme);
		told->scheme[told->n++].reach = reach;
		if (reach != REACH_ROOT)
			bind(e[i].scheme, reach);
	}
}

/*
 * Services grow to what they are asked for: tables of handles, pages of a heap, places in a tree, and keep that. Here they are asked for more
 * than any child does, so that what is missing afterwards is a loss.
 */
static void warm(void)
{
	static handle_t h[WARM_FILES];
	static char big[4096];
	static const char *const texts[] = { "proc://", "proc://kstat", "proc://1/handles", "proc://2/handles", "proc://1/info", "proc://1/namespace", "svc://", "svc://rngd", "pci://", "pci://00:00.0", "acpi://", "acpi://irq",
		"input://keymap", "input://devices" };
	char name[16];
	size_t done;
	unsigned n;

	for (unsigned i = 0; i < WARM_FILES; i++) {
		snprintf(name, sizeof(name), "w%u", i);
		MUST(file_open_at(own_dir, name, OPEN_READ | OPEN_WRITE | OPEN_CREATE, &h[i]));
		MUST(file_write(h[i], 0, "x", 1, &done));
	}
	for (unsigned i = 0; i < WARM_FILES; i++)
		file_close(h[i]);
	empty(own_dir, 0);
	for (size_t t = 0; t < ARRAY_LEN(texts); t++) {
		for (unsigned i = 0; i < WARM_TEXTS; i++)
			if (file_open(texts[t], OPEN_READ, &h[i]) < 0 || file_read(h[i], 0, big, sizeof(big), &done) < 0)
				rt_panic("%s cannot be read", texts[t]);
		for (unsigned i = 0; i < WARM_TEXTS; i++)
			file_close(h[i]);
	}
	/* Which makes fbd look through pci://; a machine may have no screen. */
	if (file_open("fb://modes", OPEN_READ, &h[0]) == OK) {
		MUST(file_read(h[0], 0, big, sizeof(big), &done));
		file_close(h[0]);
	}
	/* All surfaces that are left, and the screen, which is mapped when one is first shown; a machine may have none. */
	for (n = 0; n < FB_SURFACES_MAX && file_open("fb://", OPEN_READ | OPEN_WRITE, &h[n]) == OK;) {
		status_t st = file_ctl(h[n++], CTL_FB_SURFACE, (uint64_t[4]){ 1, 1 }, 0, NULL);
		if (st == ERR_LIMIT)
			break;
		MUST(st);
		MUST(file_ctl(h[n - 1], CTL_FB_SHOW, NULL, 0, NULL));
	}
	while (n > 0)
		file_close(h[--n]);
	/* All pseudo-terminals. */
	do
		MUST(file_open("tty://pty", OPEN_READ | OPEN_WRITE, &h[n++]));
	while (n < WARM_PTYS && file_ctl(h[n - 1], CTL_TTY_PTY, NULL, 0, NULL) == OK);
	while (n > 0)
		file_close(h[--n]);
}

int main(int argc, char **argv)
{
	bool each = false, single = false, logged = false, good = true;
	const char *wanted = NULL;
	uint64_t va, total = 0;
	handle_t file;

	if (argc == 3 && !strcmp(argv[1], "-c"))
		return child(strtoul(argv[2], NULL, 16));
	for (; argc > 1 && argv[1][0] == '-'; argc--, argv++) {
		each |= argv[1][1] == 'e';
		single |= argv[1][1] == '1' || argv[1][1] == 'l';
		logged |= argv[1][1] == 'l';
		if (argv[1][1] == 'w' && argc > 2) {
			wanted = argv[2];
			argc--, argv++;
		}
	}
	uint64_t seed = argc > 1 ? strtoul(argv[1], NULL, single ? 16 : 0) : 1, count = argc > 2 ? strtoul(argv[2], NULL, 0) : 100000;
	svc_commit();                   /* our own pages are no news later */
	info = account_resource();
	MUST(file_open("initfs:///bin/msgfuzz", OPEN_READ, &file));
	MUST(file_map(file, &image, &image_size));
	file_close(file);
	MUST(frame_create(PAGE_SIZE, 0, &told_frame));
	MUST(vmem_map(0, told_frame, 0, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, &va));
	told = (struct told *)va;
	MUST(namespace_self(RIGHT_INSPECT | RIGHT_DUP | RIGHT_TRANSFER, &whole_ns));
	(void)!file_mkdir("tmp://" OWN);
	MUST(file_open("tmp://" OWN, OPEN_READ | OPEN_WRITE | OPEN_DIRECTORY, &own_dir));
	find_schemes(wanted);
	if (wanted && !strcmp(wanted, "wait")) {
		told->patient = true;
		hang_ns = HANG_WANTED_MS * NS_PER_MS;
	}
	print("msgfuzz: seed %llu, %llu messages to %u schemes\n", (unsigned long long)seed, (unsigned long long)count, told->n);
	print_flush();

	/* Twice, so that what starts at its first use runs. */
	for (uint32_t i = 0; i < told->n; i++)
		for (unsigned k = 0; k < 2; k++)
			before.sane[i] = ask_sanely(told->scheme[i].name);
	before.n = list_alive(before.alive);
	/* Two children before the account is taken: services have then seen the like. */
	struct random r = { .state = seed * 0x9e3779b97f4a7c15ull | 1 };
	warm();
	for (unsigned i = 0; i < 2 && good; i++)
		good = one_child(single ? seed : draw(&r), false);
	for (uint32_t i = 0; i < told->n; i++)
		told->scheme[i].sent = told->scheme[i].good = 0;
	before.n_grown = list_alive(before.grown);
	account_rest(info, &before.account);
	children = ended = killed = 0;
	while (good && total < count) {
		uint64_t next = single ? seed : draw(&r);
		good = one_child(next, logged);
		total += MAX(told->sent, (uint64_t)1);
		if (good && (each || single) && !look(false)) {
			good = false;
			print("msgfuzz: after child %u, seed %llx\n", children - 1, (unsigned long long)next);
		}
	}
	for (uint32_t i = 0; i < told->n; i++)
		print("msgfuzz: %-8s %8llu sent, %8llu done\n", told->scheme[i].name, (unsigned long long)told->scheme[i].sent, (unsigned long long)told->scheme[i].good);
	print("msgfuzz: %llu messages by %u children: %u ended, %u left early\n", (unsigned long long)total, children, ended, killed);
	good = look(true) && good;
	file_close(own_dir);
	struct msg m = { .op = FILE_UNLINK, .flags = IPC_URI, .w = { UNLINK_DIR }, .in = "tmp://" OWN, .in_len = sizeof("tmp://" OWN) - 1 };
	if (ipc_call(0, &m) < 0)
		print("FAIL msgfuzz: tmp://" OWN " cannot be removed\n");
	return good ? 0 : 1;
}

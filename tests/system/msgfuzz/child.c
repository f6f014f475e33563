/*
 * child: sends messages. Each begins as one that the tables allow (gen/shapes.h), on a Session and a path that may well exist,
 * and one in three is then made worse in a way or three. Sessions, names and objects that come back are used further.
 *
 * The buffers lie in a Frame that is mapped twice: the child writes through one mapping, and a second thread unmaps, protects and
 * scribbles over the other while commands are under way. A third may end everything in the middle.
 *
 * Whatever a service makes of a message, it answers: calls have no deadline but for those that may rightly wait.
 */
#include <abi/fb.h>
#include <abi/input.h>
#include <gen/file.h>
#include <gen/shapes.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdio.h>
#include <string.h>
#include "../counterd/count.h"
#include "fuzz.h"

#define WINDOW      0x310000000000ull       /* what messages name */
#define WINDOW_SIZE (IPC_WINDOW_MAX + 4 * PAGE_SIZE)
#define READ_ONLY   0x320000000000ull

enum { SESSIONS = 48, OBJECTS = 24, NAMES = 48, NAME_MAX = 32, STACK = 16 * KiB, RESERVE = 12, WAIT_US = 400, TTY_BYTES = 24, FILES = 400 };

void ipc_raw(struct ipc_regs *r);

struct session { handle_t h; uint32_t scheme; };

static struct told *told;
static struct session sessions[SESSIONS];           /* roots first; they stay */
static uint32_t n_roots;
static volatile handle_t objects[OBJECTS];          /* things that are no Sessions of services: nothing says whose they would be */
static struct { uint32_t scheme; char text[NAME_MAX]; } names[NAMES];     /* what may be there, and where */
static uint32_t n_objects;                          /* so many of them stay */
static handle_t port, whole_ns, window, sender;
static char *mirror;                                /* the window, as nobody takes it away */
static uint64_t quiet;                              /* a page of text that a terminal may show */
static uint32_t files_made;
static uint64_t tokens[RESERVE * 2];                /* of what was submitted: index | scheme << 8 */
static bool unknown[SCHEMES_MAX][SVC_OPS_MAX];      /* what a service has said it does not do */
static uint8_t stacks[3][STACK] aligned(16);

static const struct { const char *scheme, *name; } first_names[] = {
	{ "initfs", "bin/ls" }, { "initfs", "bin" }, { "initfs", "etc/services/rngd" }, { "tmp", "a" }, { "tmp", "b" }, { "tmp", "dir" }, { "tmp", "dir/a" }, { "tmp", "dir/b" },
	{ "tty", "serial" }, { "proc", "kstat" }, { "proc", "1" }, { "proc", "2/info" }, { "proc", "1/handles" }, { "proc", "trace" }, { "log", "follow" }, { "count", "1" },
	{ "count", "63" }, { "svc", "rngd" }, { "svc", "tmpd" }, { "grant", "phys" }, { "grant", "info" }, { "lazy", "irq" }, { "relay", "fwd/x" }, { "relay", "y" },
	{ "time", "now" }, { "time", "zone" },
	{ "pci", "00:00.0" }, { "pci", "00:00.0/config" },
	{ "acpi", "irq" }, { "acpi", "tables" }, { "acpi", "tables/DSDT" },
	{ "kbd", "events" }, { "kbd", "aux" }, { "mouse", "events" }, { "input", "events" }, { "input", "keymap" }, { "input", "devices" },
	{ "fb", "info" }, { "fb", "mode" }, { "fb", "modes" },
};

static uint64_t now(void)
{
	uint64_t ns = 0;
	clock_now(&ns);
	return ns;
}

static bool is(uint32_t scheme, const char *name)
{
	return !strcmp(told->scheme[scheme].name, name);
}

/* ---- pieces of a message ---- */

/* A name that may be there: of this scheme, if a few tries find one. */
static const char *name(struct random *r, uint32_t scheme)
{
	size_t i = below(r, NAMES);

	for (unsigned tries = 0; tries < 20 && names[i].scheme != scheme; tries++)
		i = below(r, NAMES);
	return names[i].text;
}

static size_t part(struct random *r, char *to, uint32_t scheme)
{
	static const char *const odd[] = { "..", ".", "", "\xff\xfe", "\xc3", "x y", "\n", "%s", "\x1b[2J" };
	const char *from = one_in(r, 10) ? odd[below(r, ARRAY_LEN(odd))] : name(r, scheme);
	size_t n = one_in(r, 60) ? NAME_MAX_BYTES - 5 + below(r, 10) : strlen(from);

	if (n > NAME_MAX)
		memset(to, 'n', n);
	else
		memcpy(to, from, n);
	return n;
}

/* A path at mirror + at; its length. */
static size_t path(struct random *r, uint32_t scheme, size_t at, uint32_t limit)
{
	char *to = mirror + at;
	size_t n = 0;

	if (one_in(r, 60)) {
		n = below(r, IPC_PATH_MAX + 2);
		memset(to, one_in(r, 2) ? '/' : 'p', n);
		return n;
	}
	if (one_in(r, 12))
		to[n++] = '/';
	for (uint64_t parts = below(r, 6) ? 1 : below(r, 5); parts; parts--) {
		n += part(r, to + n, scheme);
		if (parts > 1 || one_in(r, 16))
			to[n++] = '/';
	}
	return MIN(n, (size_t)limit);
}

static uint64_t word(struct random *r, const struct word_shape *w)
{
	if (!w->high)
		return 0;
	if (w->mask)
		return below(r, 3) ? draw(r) & draw(r) & w->high : draw(r) & w->high;
	if (w->high < 1 << 16)
		return w->low + below(r, w->high - w->low + 1);
	switch (below(r, 6)) {
	case 0: return MIN(draw_awkward(r), w->high);
	case 1: return draw(r) & w->high;
	case 2: return below(r, 64 * KiB);
	case 3: return below(r, 40);
	default: return 0;
	}
}

static uint32_t length(struct random *r, uint32_t low, uint32_t high)
{
	uint32_t room = high - low;

	return low + (uint32_t)(room == 0 ? 0 : one_in(r, 100) ? below(r, room + 1) : one_in(r, 10) ? below(r, MIN(room, 16384u) + 1) : below(r, MIN(room, 600u) + 1));
}

static uint64_t bad_pointer(struct random *r)
{
	switch (below(r, 5)) {
	case 0: return WINDOW + WINDOW_SIZE - below(r, 600);    /* the next page is not there */
	case 1: return WINDOW + WINDOW_SIZE + PAGE_SIZE;
	case 2: return READ_ONLY + below(r, PAGE_SIZE);
	case 3: return draw(r);
	default: return draw_awkward(r);
	}
}

static uint32_t object(struct random *r)
{
	return one_in(r, 8) ? (uint32_t)draw(r) : one_in(r, 4) ? sessions[below(r, SESSIONS)].h : objects[below(r, OBJECTS)];
}

/* ---- a message ---- */

struct message { struct ipc_regs q; uint32_t scheme; bool submit; };

/* handle i of a call, in the registers. */
static void put_handle(struct ipc_regs *q, unsigned i, uint32_t h)
{
	uint64_t *const at[] = { &q->rdi, &q->rbx, &q->rbx, &q->rax };
	unsigned shift = i == 1 ? 0 : 32;

	*at[i] = (*at[i] & ~(0xffffffffull << shift)) | (uint64_t)h << shift;
}

static void compose(struct random *r, struct message *m, const struct session *s, const struct op_shape *shape)
{
	static const uint64_t usual[] = { OPEN_READ, OPEN_READ, OPEN_READ | OPEN_DIRECTORY, OPEN_READ | OPEN_WRITE, OPEN_READ | OPEN_WRITE | OPEN_CREATE };
	static const uint32_t codes[] = { 1, 2, 3, 4, 16, 17, 18, 19, 20, 21, 32, 33, 34, 48, 49, 50, 64, 65, 66, 67, 68, 69, 70, CTL_FB_MODE, CTL_FB_WAIT, CTL_INPUT_SOURCE, COUNT_ADD, COUNT_WAIT, COUNT_DIE };
	struct ipc_regs *q = &m->q;
	size_t at = below(r, 4) ? below(r, 2000) : PAGE_SIZE - below(r, 40);
	uint32_t in = length(r, shape->in_min, shape->in_max), out = length(r, shape->out_min, shape->out_max), flags = 0;

	memset(m, 0, sizeof(*m));
	m->scheme = s->scheme;
	q->rax = SYS_call;
	q->rdi = s->h;
	for (unsigned i = 0; i < IPC_WORDS; i++)
		q->w[i] = word(r, &shape->w[i]);
	if (shape->op == FILE_CTL && below(r, 3))
		q->w[0] = codes[below(r, ARRAY_LEN(codes))];
	if ((shape->op == FILE_OPEN || shape->op == FILE_CREATE) && below(r, 3))
		q->w[0] = usual[below(r, ARRAY_LEN(usual))];
	if (shape->path && !(shape->in_min == 0 && one_in(r, 30))) {
		size_t n = 0;
		flags = IPC_PATH;
		if (one_in(r, 4)) {
			m->scheme = (uint32_t)below(r, told->n);
			flags = IPC_URI;
			q->rdi = told->scheme[m->scheme].reach == REACH_ROOT ? whole_ns : 0;
			n = (size_t)snprintf(mirror + at, 32, one_in(r, 30) ? "%sx://" : "%s://", told->scheme[m->scheme].name);
		}
		n += path(r, m->scheme, at + n, IPC_PATH_MAX);
		if (shape->pair) {
			mirror[at + n++] = 0;
			n += path(r, m->scheme, at + n, 2000);
		}
		in = (uint32_t)n;
	} else if (shape->path) {
		in = 0;
	}
	q->r13 = WINDOW + at;
	q->r14 = WINDOW + below(r, 2 * PAGE_SIZE);
	q->r15 = IPC_META(shape->op, in, out, flags);
	q->rbp = one_in(r, 10) ? now() + below(r, 200000) : FOREVER;
	for (unsigned i = 0; i < shape->handles && one_in(r, 2); i++)
		put_handle(q, i, object(r));
}

static void make_worse(struct random *r, struct message *m)
{
	struct ipc_regs *q = &m->q;
	uint64_t x = q->r15;

	switch (below(r, 13)) {
	case 0:
	case 1:
		q->w[below(r, IPC_WORDS)] = one_in(r, 2) ? draw_awkward(r) : draw(r);
		break;
	case 2:
		q->r15 = IPC_META(IPC_META_OP(x), one_in(r, 4) ? draw(r) & 0x1fffff : below(r, 5000), IPC_META_OUT(x), IPC_META_FLAGS(x));
		break;
	case 3:
		q->r15 = IPC_META(IPC_META_OP(x), IPC_META_IN(x), one_in(r, 4) ? draw(r) & 0x1fffff : below(r, 5000), IPC_META_FLAGS(x));
		break;
	case 4:
		q->r15 = IPC_META(one_in(r, 4) ? draw(r) & 0xffff : below(r, 20), IPC_META_IN(x), IPC_META_OUT(x), IPC_META_FLAGS(x));
		break;
	case 5:
		q->r15 = IPC_META(IPC_META_OP(x), IPC_META_IN(x), IPC_META_OUT(x), below(r, 64));
		break;
	case 6:
		put_handle(q, (unsigned)below(r, IPC_HANDLES), object(r));
		break;
	case 7:
		for (unsigned i = 0; i < IPC_HANDLES; i++)
			put_handle(q, i, objects[below(r, OBJECTS)]);
		break;
	case 8:
		/* Never the Session of another scheme: `harmless` must know. */
		q->rdi = (q->rdi & ~0xffffffffull) | objects[below(r, OBJECTS)];
		q->rbp = now() + below(r, 50000);       /* one of them leads to ourselves, where nobody answers */
		break;
	case 9:
		q->r13 = bad_pointer(r);
		break;
	case 10:
		q->r14 = bad_pointer(r);
		break;
	case 11:
		q->rbp = now() + below(r, 50000);
		break;
	default:
		/* A zero byte, or any other, somewhere in the path. */
		if (IPC_META_IN(x) && q->r13 - WINDOW < WINDOW_SIZE - IPC_WINDOW_MAX)
			mirror[q->r13 - WINDOW + below(r, MIN(IPC_META_IN(x), 512u))] = one_in(r, 2) ? 0 : (char)draw(r);
		break;
	}
}

/*
 * What a service would rightly do, and this test could not bear, is not asked for; the rest of that is kept away by Sessions without rights.
 * False: not this one.
 */
static bool harmless(struct random *r, struct message *m)
{
	struct ipc_regs *q = &m->q;
	uint32_t op = IPC_META_OP(q->r15), code = (uint32_t)q->w[0];
	bool waits = false;

	/* What is to be reached with less than everybody has is not asked for through everybody's Namespace. */
	if ((uint32_t)q->rdi == whole_ns && told->scheme[m->scheme].reach != REACH_ROOT)
		return false;
	if (is(m->scheme, "tty")) {
		/* The shell's own terminal: its mode and its ^C stay, and what is written to it is short and legible. */
		if (op == FILE_CTL && (code == CTL_TTY_SET_MODE || code == CTL_TTY_SIGNAL || code == CTL_TTY_SET_SIZE))
			return false;
		if (op == FILE_WRITE) {
			q->r13 = quiet;
			q->r15 = IPC_META(op, MIN(IPC_META_IN(q->r15), (uint32_t)TTY_BYTES), IPC_META_OUT(q->r15), IPC_META_FLAGS(q->r15));
		}
		waits = op == FILE_READ || op == FILE_WRITE || op == FILE_SYNC;         /* for somebody to type, or to read what is behind a pseudo-terminal */
	}
	/* counterd dies of this one, for other tests. */
	if (is(m->scheme, "count") && op == FILE_CTL && code == COUNT_DIE)
		return false;
	waits |= is(m->scheme, "count") && op == FILE_CTL && code == COUNT_WAIT && !told->patient;
	waits |= is(m->scheme, "log") && op == FILE_READ;       /* log://follow: for the next line */
	waits |= (is(m->scheme, "kbd") || is(m->scheme, "mouse") || is(m->scheme, "input")) && op == FILE_READ;        /* for somebody to type */
	waits |= is(m->scheme, "fb") && op == FILE_CTL && code == CTL_FB_WAIT;  /* for another mode */
	if (waits)
		q->rbp = MIN(q->rbp, now() + below(r, WAIT_US) * NS_PER_US);
	return true;
}

/* ---- answers ---- */

static void keep_object(struct random *r, handle_t h)
{
	volatile handle_t *at = &objects[n_objects + below(r, OBJECTS - n_objects)];

	if (!h)
		return;
	if (*at)
		handle_close(*at);
	*at = h;
}

static void keep_session(struct random *r, handle_t h, uint32_t scheme)
{
	struct session *s = &sessions[n_roots + below(r, SESSIONS - n_roots)];
	handle_t less;

	/* The handle may do less than the Session. */
	if (one_in(r, 8) && handle_dup(h, (uint32_t)draw(r) | RIGHT_CALL, &less) == OK) {
		handle_close(h);
		h = less;
	}
	if (s->h)
		handle_close(s->h);
	*s = (struct session){ h, scheme };
}

static void learn_names(struct random *r, uint32_t scheme, uint64_t out, uint64_t done)
{
	if (out < WINDOW || out - WINDOW > 3 * PAGE_SIZE || done > WINDOW_SIZE - 3 * PAGE_SIZE)
		return;
	for (uint64_t at = out - WINDOW, end = at + done; at + sizeof(struct dirent) < end;) {
		struct dirent d;
		memcpy(&d, mirror + at, sizeof(d));
		/* The window may have been scribbled over. */
		if (d.size < sizeof(d) || d.name_len >= NAME_MAX || at + sizeof(d) + d.name_len > end)
			return;
		if (one_in(r, 4)) {
			size_t i = below(r, NAMES);
			names[i].scheme = scheme;
			memcpy(names[i].text, mirror + at + sizeof(d), d.name_len);
			names[i].text[d.name_len] = 0;
		}
		at += d.size;
	}
}

/* What came back; sent: as it went out. */
static void answered(struct random *r, const struct message *sent, const struct ipc_regs *q)
{
	uint32_t op = IPC_META_OP(sent->q.r15);
	const handle_t h[IPC_HANDLES] = { (handle_t)q->rdi, (handle_t)(q->rdi >> 32), (handle_t)q->rbx, (handle_t)(q->rbx >> 32) };

	if ((int64_t)q->rax == ERR_NOT_SUPPORTED && op < SVC_OPS_MAX && op != FILE_CTL)
		unknown[sent->scheme][op] = true;
	if ((int64_t)q->rax < 0)
		return;
	told->scheme[sent->scheme].good++;
	if (h[0] && (op == FILE_OPEN || op == FILE_CREATE))
		keep_session(r, h[0], sent->scheme);
	else
		keep_object(r, h[0]);
	for (unsigned i = 1; i < IPC_HANDLES; i++)
		keep_object(r, h[i]);
	if (op == FILE_READDIR)
		learn_names(r, sent->scheme, sent->q.r14, q->w[0]);
}

static bool is_session(handle_t h)
{
	struct handle_info i;
	return handle_info(h, &i) == OK && i.type == OBJ_SESSION;
}

static void drain(struct random *r)
{
	struct event e;

	for (unsigned i = 0; i < RESERVE && ipc_accept(port, 0, &e) == OK; i++) {
		if (e.kind == ACCEPT_COMMAND || e.kind == ACCEPT_CLOSE) {
			(void)ipc_return(e.cmd, &(struct reply){ .status = (status_t)below(r, 5) - 2 });
			continue;
		}
		for (unsigned k = 0; k < IPC_HANDLES; k++)
			if (is_session(e.handles[k]))
				keep_session(r, e.handles[k], (uint32_t)(e.cmd >> 8));
			else
				keep_object(r, e.handles[k]);
	}
}

static void log_message(const struct message *m)
{
	const struct ipc_regs *q = &m->q;
	uint32_t in = MIN(IPC_META_IN(q->r15), 60u);
	bool text = (IPC_META_FLAGS(q->r15) & (IPC_PATH | IPC_URI)) && q->r13 - WINDOW < WINDOW_SIZE - 64;

	print("%s op %u flags %u in %u out %u w %llx %llx %llx handles %x %llx %x at %llx %llx: %.*s\n", told->scheme[m->scheme].name, IPC_META_OP(q->r15),
		IPC_META_FLAGS(q->r15), IPC_META_IN(q->r15), IPC_META_OUT(q->r15), (unsigned long long)q->w[0], (unsigned long long)q->w[1], (unsigned long long)q->w[2],
		(unsigned)(q->rdi >> 32), (unsigned long long)q->rbx, (unsigned)(q->rax >> 32), (unsigned long long)q->r13, (unsigned long long)q->r14, text ? (int)in : 0,
		text ? mirror + (q->r13 - WINDOW) : "");
	print_flush();
}

static void send(struct random *r, struct message *m)
{
	struct ipc_regs q = m->q;
	uint64_t *token = &tokens[below(r, RESERVE * 2)];

	told->at_scheme = m->scheme;
	told->at_op = IPC_META_OP(q.r15);
	if (told->logged)
		log_message(m);
	if (one_in(r, 8)) {
		/* Sent, and perhaps forgotten; with luck its Session is closed while it is under way. */
		q.rax = SYS_submit | (uint64_t)port << 32;
		q.rbp = *token = (uint64_t)(token - tokens) | (uint64_t)m->scheme << 8;
		ipc_raw(&q);
		if ((int64_t)q.rax == ERR_AGAIN || one_in(r, 3))
			drain(r);
		if (one_in(r, 3))
			(void)!cancel(port, tokens[below(r, RESERVE * 2)]);
	} else {
		if (!(m->q.r15 >> 16) && m->q.rbp == FOREVER && !(m->q.rdi >> 32) && !m->q.rbx && !(m->q.rax >> 32) && one_in(r, 2))
			q.rax = SYS_call_words;
		ipc_raw(&q);
		answered(r, m, &q);
	}
	if (told->logged)
		print("  = %lld\n", (long long)q.rax);
	told->scheme[m->scheme].sent++;
	told->sent++;
}

static void ask(struct random *r, const struct session *s, const struct op_shape *shape, unsigned worse_in)
{
	struct message m;

	if (unknown[s->scheme][shape->op] && below(r, 8))
		return;
	/* tmpd has room for so many files; all of them are gone after the child. */
	if ((shape->op == FILE_CREATE || shape->op == FILE_MKDIR) && ++files_made > FILES)
		return;
	compose(r, &m, s, shape);
	if (one_in(r, worse_in))
		for (uint64_t n = 1 + below(r, 3); n; n--)
			make_worse(r, &m);
	if (harmless(r, &m))
		send(r, &m);
}

static const struct op_shape *shape_of(uint32_t op)
{
	for (size_t i = 0; i < ARRAY_LEN(file_shapes); i++)
		if (file_shapes[i].op == op)
			return &file_shapes[i];
	return file_shapes;
}

/* The life of a file, or of whatever can be opened: what one step gives, the next ones use. */
static void life(struct random *r)
{
	static const uint8_t steps[] = { FILE_WRITE, FILE_STAT, FILE_READ, FILE_MAP, FILE_TRUNCATE, FILE_READDIR, FILE_POLL, FILE_SYNC, FILE_CTL, FILE_WRITE, FILE_READ };
	struct session *root = &sessions[below(r, n_roots)], *s = NULL;

	for (uint32_t i = 0; i < n_roots && one_in(r, 2); i++)
		if (told->scheme[sessions[i].scheme].reach == REACH_OWN)
			root = &sessions[i];    /* where most can be done */
	ask(r, root, shape_of(one_in(r, 2) ? FILE_CREATE : FILE_OPEN), 8);
	for (uint32_t i = n_roots; i < SESSIONS && !s; i++)
		if (sessions[i].h && sessions[i].scheme == root->scheme && one_in(r, 3))
			s = &sessions[i];
	for (uint64_t n = 1 + below(r, 19); n && s && s->h; n--)
		ask(r, s, shape_of(steps[below(r, ARRAY_LEN(steps))]), 8);
	ask(r, root, shape_of(one_in(r, 2) ? FILE_RENAME : FILE_UNLINK), 8);
	if (s && s->h && one_in(r, 2)) {
		handle_close(s->h);
		s->h = 0;
	}
}

static void step(struct random *r)
{
	const struct session *s = &sessions[below(r, one_in(r, 2) ? n_roots : SESSIONS)];

	if (one_in(r, 20)) {
		life(r);
		return;
	}
	if (s->h)
		ask(r, s, one_in(r, 4) ? shape_of(FILE_OPEN) : &file_shapes[below(r, ARRAY_LEN(file_shapes))], 3);
}

/* ---- the other threads ---- */

static void pause(struct random *r, uint64_t us)
{
	thread_sleep(now() + below(r, us) * NS_PER_US);
}

/* Takes the buffers away, changes them, and closes what is being asked. */
static void race(uint64_t seed)
{
	struct random r = { .state = seed };
	uint64_t va;

	for (;;) {
		uint64_t page = WINDOW + below(&r, 6) * PAGE_SIZE;
		switch (below(&r, 8)) {
		case 0:
			(void)!vmem_unmap(0, page, PAGE_SIZE);
			break;
		case 1:
			(void)!vmem_protect(0, page, PAGE_SIZE, one_in(&r, 2) ? PROT_READ : PROT_READ | PROT_WRITE);
			break;
		case 2:
			(void)!vmem_map(0, window, page - WINDOW, page, PAGE_SIZE, PROT_READ | PROT_WRITE | MAP_FIXED | MAP_REPLACE, &va);
			break;
		case 3:
			mirror[below(&r, 2 * PAGE_SIZE)] = (char)draw(&r);
			break;
		case 4:
			(void)!thread_interrupt(sender);
			break;
		case 5:
			handle_close(sessions[n_roots + below(&r, SESSIONS - n_roots)].h);
			break;
		default:
			(void)!vmem_map(0, window, 0, WINDOW, WINDOW_SIZE, PROT_READ | PROT_WRITE | MAP_FIXED | MAP_REPLACE, &va);
			break;
		}
		pause(&r, 300);
	}
}

static void end_early(uint64_t seed)
{
	struct random r = { .state = seed };

	pause(&r, one_in(&r, 2) ? 3000 : 200000);
	process_exit(0);
}

/* ---- the beginning ---- */

static handle_t open_root(uint32_t scheme, const char *path_, uint32_t flags)
{
	char uri[64];
	struct msg m = { .op = FILE_OPEN, .flags = IPC_URI, .w = { flags }, .in = uri };

	m.in_len = (size_t)snprintf(uri, sizeof(uri), "%s://%s", told->scheme[scheme].name, path_);
	return ipc_call(told->scheme[scheme].reach == REACH_ROOT ? whole_ns : 0, &m) >= 0 ? m.handles[0] : 0;
}

static void open_roots(void)
{
	static const uint32_t ways[] = { OPEN_READ | OPEN_WRITE | OPEN_DIRECTORY, OPEN_READ | OPEN_DIRECTORY, OPEN_READ | OPEN_WRITE, OPEN_READ };
	static const char *const more[][2] = { { "tty", "serial" }, { "log", "follow" }, { "grant", "info" }, { "proc", "kstat" }, { "svc", "rngd" }, { "count", "3" }, };

	for (uint32_t i = 0; i < told->n; i++)
		for (size_t k = 0; k < ARRAY_LEN(ways); k++) {
			handle_t h = open_root(i, "", ways[k]);
			if (!h)
				continue;
			sessions[n_roots++] = (struct session){ h, i };
			break;
		}
	for (size_t m = 0; m < ARRAY_LEN(more); m++)
		for (uint32_t i = 0; i < told->n; i++)
			for (size_t k = 2; k < ARRAY_LEN(ways) && is(i, more[m][0]); k++) {
				handle_t h = open_root(i, more[m][1], ways[k]);
				if (!h)
					continue;
				sessions[n_roots++] = (struct session){ h, i };
				break;
			}
}

static void make_objects(void)
{
	uint64_t va;
	handle_t h;

	MUST(frame_create(WINDOW_SIZE, 0, &window));
	MUST(vmem_map(0, window, 0, WINDOW, WINDOW_SIZE, PROT_READ | PROT_WRITE | MAP_FIXED, &va));
	MUST(vmem_map(0, window, 0, 0, WINDOW_SIZE, PROT_READ | PROT_WRITE, &va));
	mirror = (char *)va;
	MUST(vmem_map(0, 0, 0, READ_ONLY, PAGE_SIZE, PROT_READ | MAP_FIXED, &va));
	MUST(vmem_map(0, 0, 0, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, &quiet));
	memset((void *)quiet, '.', PAGE_SIZE);
	MUST(port_create(0, &port));
	MUST(port_reserve(port, RESERVE));
	uint32_t n = 0;
	objects[n++] = port;
	objects[n++] = window;
	MUST(notify_create(&h));
	objects[n++] = h;
	MUST(session_create(port, 5, RIGHT_READ | RIGHT_WRITE, &h));
	objects[n++] = h;
	MUST(frame_create(3 * PAGE_SIZE, 0, &h));
	objects[n++] = h;
	MUST(handle_dup(h, RIGHT_TRANSFER, &h));
	objects[n++] = h;
	MUST(ns_create(&h));
	objects[n++] = h;
	objects[n++] = start_handle("budget");
	objects[n++] = whole_ns;
	n_objects = n;
}

static void send_all(uint64_t seed)
{
	struct random r = { .state = seed };

	while (told->sent < SHARE)
		step(&r);
	process_exit(0);
}

int child(uint64_t seed)
{
	struct random r = { .state = seed | 1 };
	uint64_t at;
	handle_t h;

	MUST(vmem_map(0, start_handle("told"), 0, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, &at));
	told = (struct told *)at;
	whole_ns = start_handle("ns");
	make_objects();
	for (size_t i = 0, n = ARRAY_LEN(first_names); i < NAMES; i++) {
		strcpy(names[i].text, first_names[i % n].name);
		for (uint32_t k = 0; k < told->n; k++)
			if (is(k, first_names[i % n].scheme))
				names[i].scheme = k;
	}
	open_roots();
	/* Not the first thread, which has no handle to itself. */
	MUST(thread_create((uint64_t)send_all, (uint64_t)stacks[0] + STACK - 8, draw(&r) | 1, CHILD_PRIORITY, &sender));
	if (one_in(&r, 2))
		MUST(thread_create((uint64_t)race, (uint64_t)stacks[1] + STACK - 8, draw(&r) | 1, CHILD_PRIORITY, &h));
	if (one_in(&r, 4))
		MUST(thread_create((uint64_t)end_early, (uint64_t)stacks[2] + STACK - 8, draw(&r) | 1, CHILD_PRIORITY, &h));
	thread_exit();
}

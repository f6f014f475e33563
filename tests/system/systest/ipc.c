/*
 * ipc: commands from send to return: words, windows, paths, URIs, handles, deadlines, CLOSE, minted Sessions, the
 * death of either side. A thread of this process serves most of them; who must die is a child.
 */
#include "test.h"

enum { OP_ECHO = 1, OP_READ_IN, OP_FILL_OUT, OP_HANDLES, OP_KEEP, OP_RELEASE, OP_MINT, OP_INFO, OP_FAIL, OP_READ_TO, OP_WRITE_FROM, OP_QUIT };
enum { BADGE = 0x5ea1, WINDOW_BYTES = 1 << 20, GRACE_MS = 200 };

static struct server {
	handle_t port, session;
	struct worker thread;
	cmd_id_t kept;
	volatile uint64_t closes, close_badge;
	unsigned cancels;               /* of the command kept */
} server;
static uint8_t served[WINDOW_BYTES] aligned(4096), sent[WINDOW_BYTES + PAGE_SIZE] aligned(4096);

static uint64_t sum(const uint8_t *p, uint64_t n)
{
	uint64_t s = n;
	for (uint64_t i = 0; i < n; i++)
		s = s * 31 + p[i];
	return s;
}

static void answer(struct event *e, struct reply *r)
{
	*r = (struct reply){ .status = OK };
	switch (e->op) {
	case OP_ECHO:
		for (unsigned i = 0; i < IPC_WORDS; i++)
			r->w[i] = e->w[i] + 1;
		r->status = 7;
		break;
	case OP_READ_IN:
		r->status = cmd_read(e->cmd, e->w[0], served, e->w[1] ? e->w[1] : sizeof(served), &r->w[0]);
		r->w[1] = sum(served, r->w[0]);
		r->w[2] = e->in_len;
		r->w[3] = e->flags;
		break;
	case OP_FILL_OUT:
		for (uint64_t i = 0; i < e->out_len; i++)
			served[i] = (uint8_t)(i * 7 + 3);
		r->status = cmd_write(e->cmd, e->w[0], served, e->w[1] ? e->w[1] : sizeof(served), &r->w[0]);
		r->w[2] = e->out_len;
		break;
	case OP_HANDLES:
		for (unsigned i = 0; i < IPC_HANDLES; i++)
			r->handles[i] = e->handles[i];
		r->w[0] = e->n_handles;
		break;
	case OP_RELEASE:
		r->status = ipc_return(server.kept, &(struct reply){ .status = 9 });
		break;
	case OP_MINT:
		r->mint = true;
		r->mint_badge = e->w[0];
		r->mint_rights = (uint32_t)e->w[1];
		r->mint_silent = e->w[2];
		break;
	case OP_INFO:
		r->w[0] = e->badge, r->w[1] = e->rights, r->w[2] = e->in_len, r->w[3] = e->out_len, r->w[4] = e->n_handles, r->w[5] = e->flags;
		break;
	case OP_FAIL:
		r->status = (status_t)e->w[0];
		break;
	case OP_READ_TO:
		r->status = cmd_read(e->cmd, 0, (void *)e->w[0], e->w[1], &r->w[0]);
		break;
	case OP_WRITE_FROM:
		r->status = cmd_write(e->cmd, 0, (const void *)e->w[0], e->w[1], &r->w[0]);
		break;
	default:
		break;
	}
}

static void serve(struct worker *w)
{
	struct event e;
	struct reply r;
	status_t st = ipc_accept(server.port, FOREVER, &e);
	while (st == OK) {
		handle_t got[IPC_HANDLES] = { 0 };
		bool quit = e.kind == ACCEPT_COMMAND && e.op == OP_QUIT;
		if (e.kind == ACCEPT_CLOSE) {
			server.close_badge = e.badge;
			server.closes++;
			r = (struct reply){ .status = OK };
		} else if (e.kind == ACCEPT_CANCEL) {   /* we go on with it all the same */
			server.cancels += e.cmd == server.kept;
			st = ipc_accept(server.port, FOREVER, &e);
			continue;
		} else if (e.op == OP_KEEP) {
			server.kept = e.cmd;
			st = ipc_accept(server.port, FOREVER, &e);
			continue;
		} else {
			answer(&e, &r);
			if (e.n_handles)
				memcpy(got, e.handles, sizeof(got));
		}
		if (quit) {
			st = ipc_return(e.cmd, &r);
			break;
		}
		cmd_id_t cmd = e.cmd;
		if (e.kind == ACCEPT_COMMAND && e.n_handles) {
			st = ipc_return(cmd, &r);
			for (unsigned i = 0; i < IPC_HANDLES; i++)
				if (got[i])
					handle_close(got[i]);
			if (st == OK)
				st = ipc_accept(server.port, FOREVER, &e);
		} else {
			st = ipc_return_accept(cmd, &r, server.port, &e);
		}
	}
	w->result = st;
}

static void server_start(void)
{
	memset(&server, 0, sizeof(server));
	DONE(port_create(0, &server.port));
	DONE(session_create(server.port, BADGE, RIGHT_READ, &server.session));
	DONE(worker_start(&server.thread, serve, NULL, PRIORITY_NORMAL));
}

/* One CLOSE for our Session has then come; the last handle goes after it. */
static void server_stop(void)
{
	uint64_t w[6] = { 0 };
	uint64_t before = server.closes;
	handle_t quit;
	DONE(session_create(server.port, BADGE + 1, 0, &quit));
	DONE(handle_close(server.session));
	for (unsigned i = 0; i < GRACE_MS && server.closes == before; i++)
		pause_ms(1);
	EQ(server.closes, before + 1);
	EQ(server.close_badge, BADGE);
	DONE(ipc_call_words(quit, OP_QUIT, w));
	DONE(worker_join(&server.thread));
	DONE(server.thread.result);
	DONE(handle_close(quit));
	DONE(handle_close(server.port));
}

static void words(void)
{
	uint64_t w[6] = { 1, 2, 3, 1ull << 63, UINT64_MAX, 6 };
	server_start();
	STILL_FINE();
	EQ(ipc_call_words(server.session, OP_ECHO, w), 7);
	EQ(w[0], 2);
	EQ(w[2], 4);
	EQ(w[3], (1ull << 63) + 1);
	EQ(w[4], 0);
	EQ(w[5], 7);
	struct msg m = { .op = OP_ECHO, .w = { 10, 20, 30, 40, 50, 60 } };
	EQ(ipc_call(server.session, &m), 7);
	for (unsigned i = 0; i < 6; i++)
		EQ(m.w[i], (i + 1) * 10 + 1);
	m = (struct msg){ .op = OP_INFO };
	DONE(ipc_call(server.session, &m));
	EQ(m.w[0], BADGE);
	EQ(m.w[1], RIGHT_READ);
	EQ(m.w[2], 0);
	EQ(m.w[4], 0);
	/* An error leaves the caller's words alone. */
	m = (struct msg){ .op = OP_FAIL, .w = { (uint64_t)ERR_IO, 5 } };
	EQ(ipc_call(server.session, &m), ERR_IO);
	EQ(m.w[1], 5);
	server_stop();
}

static void refused(void)
{
	uint64_t w[6] = { 0 };
	handle_t mute;
	server_start();
	STILL_FINE();
	EQ(ipc_call_words(0, 1, w), ERR_BAD_HANDLE);
	EQ(ipc_call_words(server.port, 1, w), ERR_WRONG_TYPE);
	DONE(handle_dup(server.session, RIGHT_READ | RIGHT_WRITE, &mute));
	EQ(ipc_call_words(mute, 1, w), ERR_DENIED);
	DONE(handle_close(mute));
	struct event e;
	EQ(ipc_accept(server.session, 0, &e), ERR_WRONG_TYPE);
	EQ(ipc_accept(0, 0, &e), ERR_BAD_HANDLE);
	DONE(handle_dup(server.port, RIGHT_MANAGE, &mute));
	EQ(ipc_accept(mute, 0, &e), ERR_DENIED);
	DONE(handle_close(mute));
	/* Flags and lengths that no stub sends. */
	for (unsigned bit = 58; bit < 64; bit++) {
		struct ipc_regs r = { .rax = SYS_call, .rdi = server.session, .r15 = OP_ECHO | 1ull << bit, .rbp = FOREVER, .r13 = (uint64_t)"initfs://" };
		if (1u << (bit - 58) == IPC_PATH)
			continue;
		ipc_raw(&r);
		CHECK((status_t)r.rax < 0);
	}
	struct ipc_regs r = { .rax = SYS_call, .rdi = server.session, .r15 = IPC_META(OP_ECHO, 0x1fffff, 0, 0), .r13 = (uint64_t)sent, .rbp = FOREVER };
	ipc_raw(&r);
	EQ((status_t)r.rax, ERR_INVALID);
	r = (struct ipc_regs){ .rax = SYS_call, .rdi = server.session, .r15 = IPC_META(OP_ECHO, 0, WINDOW_BYTES + 1, 0), .r14 = (uint64_t)sent, .rbp = FOREVER };
	ipc_raw(&r);
	EQ((status_t)r.rax, ERR_INVALID);
	server_stop();
}

static void window_sizes(void)
{
	static const uint64_t sizes[] = { 0, 1, 7, 4095, 4096, 4097, 65536, WINDOW_BYTES - 1, WINDOW_BYTES, WINDOW_BYTES + 1, WINDOW_BYTES + PAGE_SIZE };
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)(i >> 3 ^ i);
	server_start();
	STILL_FINE();
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		uint64_t n = MIN(sizes[i], (uint64_t)WINDOW_BYTES);
		uint64_t shift = n < WINDOW_BYTES ? 3 : 0;      /* not page aligned */
		struct msg m = { .op = OP_READ_IN, .in = sent + shift, .in_len = sizes[i] };
		DONE(ipc_call(server.session, &m));
		EQ(m.w[0], n);
		EQ(m.w[1], sum(sent + shift, n));
		EQ(m.w[2], n);
	}
	/* Parts, and beyond the end. */
	static const struct { uint64_t offset, len, done; } parts[] = {
		{ 10, 100, 100 }, { 9999, 5, 1 }, { 10000, 5, 0 }, { UINT64_MAX, 5, 0 }, { UINT64_MAX - 4, 16, 0 }, { 1ull << 63, WINDOW_BYTES, 0 }, { 4000, 200, 200 },
	};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		struct msg m = { .op = OP_READ_IN, .in = sent, .in_len = 10000, .w = { parts[i].offset, parts[i].len } };
		DONE(ipc_call(server.session, &m));
		EQ(m.w[0], parts[i].done);
		EQ(m.w[1], sum(sent + parts[i].offset * (parts[i].done != 0), parts[i].done));
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		uint64_t n = MIN(sizes[i], (uint64_t)WINDOW_BYTES);
		memset(sent, 0xee, sizeof(sent));
		struct msg m = { .op = OP_FILL_OUT, .out = sent, .out_len = sizes[i] };
		DONE(ipc_call(server.session, &m));
		EQ(m.w[0], n);
		EQ(m.w[2], n);
		for (uint64_t k = 0; k < n; k++)
			CHECK(sent[k] == (uint8_t)(k * 7 + 3));
		EQ(sent[n], 0xee);
	}
	server_stop();
}

/* A caller's bad memory is the caller's loss: the server hears GONE, never FAULT. */
static void windows_bad(void)
{
	server_start();
	STILL_FINE();
	uint64_t edge = edge_make(), ro = page_make(PROT_READ), none = page_make(0);
	struct msg m = { .op = OP_READ_IN, .in = (void *)(edge + PAGE_SIZE), .in_len = 100 };
	EQ(ipc_call(server.session, &m), ERR_GONE);
	m = (struct msg){ .op = OP_READ_IN, .in = (void *)(edge + PAGE_SIZE - 50), .in_len = 100 };
	EQ(ipc_call(server.session, &m), ERR_GONE);
	m = (struct msg){ .op = OP_READ_IN, .in = (void *)(edge + PAGE_SIZE - 50), .in_len = 50 };
	DONE(ipc_call(server.session, &m));
	EQ(m.w[0], 50);
	m = (struct msg){ .op = OP_READ_IN, .in = (void *)none, .in_len = 1 };
	EQ(ipc_call(server.session, &m), ERR_GONE);
	m = (struct msg){ .op = OP_READ_IN, .in = (void *)ro, .in_len = 4096 };
	DONE(ipc_call(server.session, &m));
	m = (struct msg){ .op = OP_FILL_OUT, .out = (void *)ro, .out_len = 8 };
	EQ(ipc_call(server.session, &m), ERR_GONE);
	EQ(*(volatile uint8_t *)ro, 0x5a);
	m = (struct msg){ .op = OP_FILL_OUT, .out = (void *)(edge + PAGE_SIZE - 4), .out_len = 8 };
	EQ(ipc_call(server.session, &m), ERR_GONE);
	m = (struct msg){ .op = OP_ECHO, .in = NULL, .in_len = 100 };   /* never looked at: no harm */
	EQ(ipc_call(server.session, &m), 7);
	m = (struct msg){ .op = OP_READ_IN, .in = NULL, .in_len = 100 };
	EQ(ipc_call(server.session, &m), ERR_GONE);
	for (unsigned i = 0; i < KERNEL_ADDRESS_COUNT; i++) {
		m = (struct msg){ .op = OP_READ_IN, .in = (void *)kernel_addresses[i], .in_len = 100 };
		EQ(ipc_call(server.session, &m), ERR_FAULT);
		m = (struct msg){ .op = OP_FILL_OUT, .out = (void *)kernel_addresses[i], .out_len = 100 };
		EQ(ipc_call(server.session, &m), ERR_FAULT);
		/* The server's own memory is its own mistake. */
		m = (struct msg){ .op = OP_READ_TO, .in = sent, .in_len = 64, .w = { kernel_addresses[i], 64 } };
		EQ(ipc_call(server.session, &m), ERR_FAULT);
		m = (struct msg){ .op = OP_WRITE_FROM, .out = sent, .out_len = 64, .w = { kernel_addresses[i], 64 } };
		EQ(ipc_call(server.session, &m), ERR_FAULT);
	}
	m = (struct msg){ .op = OP_READ_TO, .in = sent, .in_len = 64, .w = { ro, 64 } };
	EQ(ipc_call(server.session, &m), ERR_FAULT);
	m = (struct msg){ .op = OP_READ_TO, .in = sent, .in_len = 64, .w = { edge + PAGE_SIZE - 32, 64 } };
	EQ(ipc_call(server.session, &m), ERR_FAULT);
	m = (struct msg){ .op = OP_WRITE_FROM, .out = sent, .out_len = 64, .w = { edge + PAGE_SIZE, 64 } };
	EQ(ipc_call(server.session, &m), ERR_FAULT);
	/* An out window is not for reading, nor the other way round. */
	m = (struct msg){ .op = OP_READ_IN, .out = sent, .out_len = 64 };
	DONE(ipc_call(server.session, &m));
	EQ(m.w[0], 0);
	m = (struct msg){ .op = OP_WRITE_FROM, .in = sent, .in_len = 64, .w = { (uint64_t)served, 64 } };
	DONE(ipc_call(server.session, &m));
	EQ(m.w[0], 0);
	page_free(none);
	page_free(ro);
	edge_free(edge);
	server_stop();
}

static void paths(void)
{
	static const uint64_t sizes[] = { 0, 1, 255, 4095, 4096 };
	memset(sent, 'p', sizeof(sent));
	server_start();
	STILL_FINE();
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct msg m = { .op = OP_READ_IN, .in = sent, .in_len = sizes[i], .flags = IPC_PATH };
		DONE(ipc_call(server.session, &m));
		EQ(m.w[0], sizes[i]);
		EQ(m.w[1], sum(sent, sizes[i]));
		EQ(m.w[2], sizes[i]);
		EQ(m.w[3], IPC_PATH);
	}
	struct msg m = { .op = OP_READ_IN, .in = sent, .in_len = 4097, .flags = IPC_PATH };
	EQ(ipc_call(server.session, &m), ERR_TOO_LONG);
	uint64_t edge = edge_make();
	m = (struct msg){ .op = OP_READ_IN, .in = (void *)(edge + PAGE_SIZE - 10), .in_len = 11, .flags = IPC_PATH };
	EQ(ipc_call(server.session, &m), ERR_FAULT);
	m.in = (void *)kernel_addresses[0];
	EQ(ipc_call(server.session, &m), ERR_FAULT);
	/* A path and an out window in one. */
	m = (struct msg){ .op = OP_FILL_OUT, .in = "abc", .in_len = 3, .out = sent, .out_len = 10, .flags = IPC_PATH };
	DONE(ipc_call(server.session, &m));
	EQ(m.w[0], 10);
	edge_free(edge);
	server_stop();
}

static void uris(void)
{
	static const struct { const char *uri; status_t want; const char *path; } cases[] = {
		{ "", ERR_INVALID, NULL }, { "x", ERR_INVALID, NULL }, { "testing", ERR_INVALID, NULL }, { "testing:", ERR_INVALID, NULL },
		{ "testing:/", ERR_INVALID, NULL }, { "testing:/a/b", ERR_INVALID, NULL }, { "://", ERR_INVALID, NULL }, { "TESTING://", ERR_INVALID, NULL },
		{ "1testing://", ERR_INVALID, NULL }, { "te_sting://", ERR_INVALID, NULL }, { "abcdefghijklmnop://", ERR_INVALID, NULL },
		{ "abcdefghijklmno://", ERR_NOT_FOUND, NULL }, { "nosuch://a", ERR_NOT_FOUND, NULL }, { "testin://", ERR_NOT_FOUND, NULL },
		{ "testings://", ERR_NOT_FOUND, NULL }, { "/x", ERR_NOT_FOUND, NULL },
		{ "testing://", OK, "" }, { "testing://a/b", OK, "a/b" }, { "testing:///a", OK, "/a" }, { "testing://a://b", OK, "a://b" },
	};
	handle_t ns, blind;
	server_start();
	STILL_FINE();
	DONE(ns_create(&ns));
	DONE(ns_bind(ns, "testing", 7, server.session));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct msg m = { .op = OP_READ_IN, .in = cases[i].uri, .in_len = strlen(cases[i].uri), .flags = IPC_URI };
		status_t st = ipc_call(ns, &m);
		if (st != cases[i].want) {
			test_fail(__FILE__, __LINE__, "\"%s\": %lld %s", cases[i].uri, (long long)st, error_name(st));
			return;
		}
		if (st == OK) {
			EQ(m.w[0], strlen(cases[i].path));
			EQ(m.w[1], sum((const uint8_t *)cases[i].path, strlen(cases[i].path)));
			EQ(m.w[3], IPC_PATH);
		}
	}
	struct msg m = { .op = OP_READ_IN, .in = "testing://a", .in_len = 11, .flags = IPC_URI };
	EQ(ipc_call(0, &m), ERR_NOT_FOUND);             /* not in our own */
	EQ(ipc_call(server.session, &m), ERR_WRONG_TYPE);
	DONE(handle_dup(ns, RIGHT_MANAGE, &blind));
	EQ(ipc_call(blind, &m), ERR_DENIED);
	DONE(handle_close(blind));
	m = (struct msg){ .op = 5, .in = "initfs://etc", .in_len = 12, .flags = IPC_URI };
	DONE(ipc_call(0, &m));
	DONE(ns_unbind(ns, "testing", 7));
	m = (struct msg){ .op = OP_READ_IN, .in = "testing://a", .in_len = 11, .flags = IPC_URI };
	EQ(ipc_call(ns, &m), ERR_NOT_FOUND);
	DONE(handle_close(ns));
	server_stop();
}

static void passing(void)
{
	handle_t h[4], still, weak;
	struct handle_info info;
	server_start();
	STILL_FINE();
	for (unsigned i = 0; i < 4; i++)
		DONE(notify_create(&h[i]));
	DONE(handle_dup(h[1], RIGHT_SIGNAL | RIGHT_TRANSFER, &weak));
	for (unsigned n = 1; n <= 4; n++) {
		struct msg m = { .op = OP_HANDLES };
		for (unsigned i = 0; i < n; i++)
			m.handles[i] = i == 1 ? weak : h[i];
		DONE(ipc_call(server.session, &m));
		EQ(m.w[0], n);
		for (unsigned i = 0; i < n; i++) {
			uint64_t id;
			DONE(handle_info(h[i], &info));
			id = info.object_id;
			DONE(handle_info(m.handles[i], &info));
			EQ(info.object_id, id);
			EQ(info.rights, i == 1 ? RIGHT_SIGNAL | RIGHT_TRANSFER : RIGHT_ALL);
			DONE(handle_close(m.handles[i]));
		}
	}
	/* Holes are closed up: the server sees how many there are. */
	struct msg m = { .op = OP_HANDLES, .handles = { 0, h[0], 0, h[2] } };
	DONE(ipc_call(server.session, &m));
	EQ(m.w[0], 2);
	for (unsigned i = 0; i < 4; i++)
		if (m.handles[i])
			DONE(handle_close(m.handles[i]));
	DONE(handle_dup(h[0], RIGHT_ALL & ~RIGHT_TRANSFER, &still));
	m = (struct msg){ .op = OP_HANDLES, .handles = { h[0], still } };
	EQ(ipc_call(server.session, &m), ERR_DENIED);
	m = (struct msg){ .op = OP_HANDLES, .handles = { h[0], h[1], 0x7ffff123 } };
	EQ(ipc_call(server.session, &m), ERR_BAD_HANDLE);
	DONE(handle_close(still));
	DONE(handle_close(weak));
	for (unsigned i = 0; i < 4; i++)
		DONE(handle_close(h[i]));
	server_stop();
}

static void mint(void)
{
	struct handle_info info;
	server_start();
	STILL_FINE();
	uint64_t closes = server.closes;
	for (uint32_t rights = 0; rights < 4; rights++) {
		struct msg m = { .op = OP_MINT, .w = { 0x1000 + rights, rights } };
		DONE(ipc_call(server.session, &m));
		handle_t s = m.handles[0];
		DONE(handle_info(s, &info));
		EQ(info.type, OBJ_SESSION);
		EQ(info.rights, RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER | rights);
		m = (struct msg){ .op = OP_INFO };
		DONE(ipc_call(s, &m));
		EQ(m.w[0], 0x1000 + rights);
		EQ(m.w[1] & 3, rights);
		/* CLOSE comes once, after the last of all copies. */
		handle_t copy, third;
		DONE(handle_dup(s, RIGHT_ALL, &copy));
		DONE(handle_dup(s, RIGHT_CALL, &third));
		DONE(handle_close(s));
		DONE(handle_close(copy));
		pause_ms(1);
		EQ(server.closes, closes);
		DONE(handle_close(third));
		for (unsigned i = 0; i < GRACE_MS && server.closes == closes; i++)
			pause_ms(1);
		EQ(server.closes, ++closes);
		EQ(server.close_badge, 0x1000 + rights);
	}
	server_stop();
}

static handle_t silent;

static void keep_on_silent(struct worker *w)
{
	struct msg m = { .op = OP_KEEP };
	w->result = ipc_call(silent, &m);
}

/* No CLOSE, however it ends: at rest, with a command under way, or because nobody has room for it. */
static void silence(void)
{
	static struct worker w;
	server_start();
	STILL_FINE();
	uint64_t closes = server.closes;
	for (unsigned under_way = 0; under_way < 2; under_way++) {
		struct msg m = { .op = OP_MINT, .w = { 0x2000, RIGHT_READ, true } };
		DONE(ipc_call(server.session, &m));
		silent = m.handles[0];
		m = (struct msg){ .op = OP_INFO };
		DONE(ipc_call(silent, &m));
		EQ(m.w[0], 0x2000);
		if (under_way) {
			server.kept = 0;
			DONE(worker_start(&w, keep_on_silent, NULL, PRIORITY_NORMAL));
			for (unsigned i = 0; i < GRACE_MS && !server.kept; i++)
				pause_ms(1);
			CHECK(server.kept);
		}
		DONE(handle_close(silent));
		EQ(ipc_call(silent, &m), ERR_BAD_HANDLE);
		if (under_way) {
			m = (struct msg){ .op = OP_RELEASE };
			DONE(ipc_call(server.session, &m));
			DONE(worker_join(&w));
			EQ(w.result, 9);
		}
		pause_ms(5);
		EQ(server.closes, closes);
	}
	for (unsigned i = 0; i < 200; i++) {            /* more than the reaper lets wait */
		struct msg m = { .op = OP_MINT, .w = { i, RIGHT_READ, true } };
		DONE(ipc_call(server.session, &m));
		DONE(handle_close(m.handles[0]));
	}
	EQ(server.closes, closes);
	server_stop();
}

static void deadlines(void)
{
	server_start();
	STILL_FINE();
	struct msg m = { .op = OP_KEEP, .deadline = now_ns() + 20 * NS_PER_MS };
	uint64_t want = m.deadline;
	EQ(ipc_call(server.session, &m), ERR_TIMED_OUT);
	uint64_t late = now_ns() - want;
	CHECK(now_ns() >= want);
	CHECK(late < 100 * NS_PER_MS);
	m = (struct msg){ .op = OP_RELEASE };
	DONE(ipc_call(server.session, &m));             /* its answer is dropped, and that is no error of the server */
	EQ(server.cancels, 1);
	uint64_t w[6] = { 41 };
	EQ(ipc_call_words(server.session, OP_ECHO, w), 7);
	EQ(w[0], 42);
	m = (struct msg){ .op = OP_KEEP, .deadline = 1 };
	EQ(ipc_call(server.session, &m), ERR_TIMED_OUT);
	m = (struct msg){ .op = OP_RELEASE };
	status_t st = ipc_call(server.session, &m);     /* it may have been withdrawn before it was seen */
	CHECK(st == OK || st == ERR_NOT_FOUND);
	m = (struct msg){ .op = OP_ECHO, .deadline = now_ns() + NS_PER_SEC };
	EQ(ipc_call(server.session, &m), 7);            /* in time: and no timer stays behind */
	server_stop();
}

static void call_kept(struct worker *w)
{
	uint64_t words[6] = { (uint64_t)w->arg };
	w->result = ipc_call_words(server.session, OP_ECHO, words);
	w->value[0] = words[0];
}

/* A Port without a server: what waits in it, in which order, and what leaves it. */
static void queue(void)
{
	static const uint32_t priorities[] = { 9, 11, 10, 11, 9 };
	static const uint64_t order[] = { 1, 3, 2, 0, 4 };
	static struct worker w[ARRAY_LEN(priorities)];
	struct event e;
	DONE(port_create(0, &server.port));
	DONE(session_create(server.port, BADGE, 0, &server.session));
	EQ(ipc_accept(server.port, 1, &e), ERR_TIMED_OUT);
	EQ(ipc_accept(server.port, now_ns() + 2 * NS_PER_MS, &e), ERR_TIMED_OUT);
	struct msg m = { .op = 1, .deadline = now_ns() + 2 * NS_PER_MS };
	EQ(ipc_call(server.session, &m), ERR_TIMED_OUT);
	EQ(ipc_accept(server.port, 1, &e), ERR_TIMED_OUT);      /* withdrawn */
	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		DONE(worker_start(&w[i], call_kept, (void *)i, priorities[i]));
		pause_ms(1);
	}
	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		DONE(ipc_accept(server.port, now_ns() + NS_PER_SEC, &e));
		EQ(e.kind, ACCEPT_COMMAND);
		EQ(e.w[0], order[i]);
		DONE(ipc_return(e.cmd, &(struct reply){ .status = 3, .w = { e.w[0] * 2 } }));
		EQ(ipc_return(e.cmd, &(struct reply){ .status = 3 }), ERR_NOT_FOUND);
	}
	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		DONE(worker_join(&w[i]));
		EQ(w[i].result, 3);
		EQ(w[i].value[0], 2 * i);
	}
	DONE(handle_close(server.session));
	DONE(ipc_accept(server.port, 1, &e));
	EQ(e.kind, ACCEPT_CLOSE);
	EQ(e.badge, BADGE);
	DONE(ipc_return(e.cmd, &(struct reply){ .status = OK }));
	EQ(ipc_accept(server.port, 1, &e), ERR_TIMED_OUT);
	DONE(handle_close(server.port));
}

static void forged_ids(void)
{
	static struct worker w;
	struct event e;
	uint64_t done;
	DONE(port_create(0, &server.port));
	DONE(session_create(server.port, BADGE, 0, &server.session));
	DONE(worker_start(&w, call_kept, NULL, PRIORITY_NORMAL));
	DONE(ipc_accept(server.port, FOREVER, &e));
	for (uint64_t i = 0; i < 64; i++) {
		EQ(cmd_read(e.cmd ^ 1ull << i, 0, sent, 1, &done), ERR_NOT_FOUND);
		EQ(ipc_return(e.cmd ^ 1ull << i, &(struct reply){ .status = OK }), ERR_NOT_FOUND);
	}
	EQ(ipc_return(0, &(struct reply){ .status = OK }), ERR_NOT_FOUND);
	EQ(ipc_return(UINT64_MAX, &(struct reply){ .status = OK }), ERR_NOT_FOUND);
	/* Answers that cannot be given do not use the command up. */
	struct reply r = { .handles = { 0x7fff1234 } };
	EQ(ipc_return(e.cmd, &r), ERR_BAD_HANDLE);
	struct event next;
	r = (struct reply){ .status = 5 };
	EQ(ipc_return_accept(e.cmd, &r, server.session, &next), ERR_WRONG_TYPE);
	/* Nobody else's to answer: a child tries. */
	struct process_info info;
	struct child c;
	char id[24];
	for (unsigned i = 0; i < 16; i++)
		id[i] = "0123456789abcdef"[e.cmd >> (60 - 4 * i) & 15];
	id[16] = 0;
	DONE(child_start(&c, "return-forged", id, NULL, 0, 0, 0));
	DONE(child_wait(&c, 5000, &info));
	EQ(info.exit_status, 0);
	DONE(ipc_return(e.cmd, &r));
	DONE(worker_join(&w));
	EQ(w.result, 5);
	DONE(handle_close(server.session));
	DONE(ipc_accept(server.port, 1, &e));
	DONE(ipc_return(e.cmd, &r));
	DONE(handle_close(server.port));
}

/* ---- death ---- */

/* The server dies with three accepted: they come again, in their order, marked, to whoever accepts next. */
static void redelivered(void)
{
	static struct worker w[4];
	struct child c;
	struct event e;
	DONE(port_create(0, &server.port));
	DONE(session_create(server.port, BADGE, 0, &server.session));
	struct spawn_handle give[] = { { .name = "port", .handle = server.port } };
	DONE(child_start(&c, "accept-3", NULL, give, 1, 0, 0));
	for (size_t i = 0; i < 4; i++) {
		DONE(worker_start(&w[i], call_kept, (void *)(i + 10), PRIORITY_NORMAL));
		pause_ms(2);
	}
	pause_ms(10);
	DONE(child_kill(&c));
	for (uint64_t i = 0; i < 4; i++) {
		DONE(ipc_accept(server.port, now_ns() + NS_PER_SEC, &e));
		EQ(e.kind, ACCEPT_COMMAND);
		EQ(e.w[0], i + 10);
		EQ(e.flags & IPC_REDELIVERED, i < 3 ? IPC_REDELIVERED : 0);
		DONE(ipc_return(e.cmd, &(struct reply){ .status = (status_t)i }));
		if (i == 2) {           /* all that the dead one had accepted is here; what it never saw comes after this */
			DONE(ipc_accept(server.port, now_ns() + NS_PER_SEC, &e));
			EQ(e.kind, ACCEPT_RECOVERED);
		}
	}
	for (size_t i = 0; i < 4; i++) {
		DONE(worker_join(&w[i]));
		EQ(w[i].result, i);
	}
	DONE(handle_close(server.session));
	DONE(ipc_accept(server.port, 1, &e));
	DONE(ipc_return(e.cmd, &(struct reply){ .status = OK }));
	DONE(handle_close(server.port));
}

/* The caller dies with its command accepted: windows are gone, the answer goes nowhere. */
static void caller_killed(void)
{
	struct child c;
	struct event e;
	uint64_t done;
	DONE(port_create(0, &server.port));
	DONE(session_create(server.port, BADGE, 0, &server.session));
	struct spawn_handle give[] = { { .name = "session", .handle = server.session } };
	DONE(child_start(&c, "call-once", NULL, give, 1, 0, 0));
	DONE(ipc_accept(server.port, now_ns() + NS_PER_SEC, &e));
	EQ(e.in_len, 4096);
	EQ(e.n_handles, 1);
	DONE(cmd_read(e.cmd, 0, sent, 4096, &done));
	EQ(done, 4096);
	EQ(sent[4095], 'c');
	DONE(child_kill(&c));
	EQ(cmd_read(e.cmd, 0, sent, 1, &done), ERR_GONE);
	DONE(handle_close(e.handles[0]));
	struct reply r = { .mint = true, .mint_badge = 77 };
	DONE(ipc_return(e.cmd, &r));
	/* Minted for nobody: its CLOSE says so, and what the server keeps for it can go. */
	DONE(ipc_accept(server.port, now_ns() + NS_PER_SEC, &e));
	EQ(e.kind, ACCEPT_CLOSE);
	EQ(e.badge, 77);
	DONE(ipc_return(e.cmd, &(struct reply){ .status = OK }));
	/* Killed while it waits in the queue: nobody ever sees it. */
	DONE(child_start(&c, "call-once", NULL, give, 1, 0, 0));
	pause_ms(5);
	DONE(child_kill(&c));
	EQ(ipc_accept(server.port, now_ns() + 2 * NS_PER_MS, &e), ERR_TIMED_OUT);
	DONE(handle_close(server.session));
	DONE(ipc_accept(server.port, 1, &e));
	EQ(e.badge, BADGE);
	DONE(ipc_return(e.cmd, &(struct reply){ .status = OK }));
	DONE(handle_close(server.port));
}

static void accept_for_ever(struct worker *w)
{
	struct event e;
	w->result = ipc_accept(server.port, FOREVER, &e);
}

/* The last handle of a Port goes: callers and acceptors hear GONE. */
static void port_gone(void)
{
	static struct worker callers[3], acceptors[2];
	uint64_t words[6] = { 0 };
	DONE(port_create(0, &server.port));
	DONE(session_create(server.port, BADGE, 0, &server.session));
	for (size_t i = 0; i < ARRAY_LEN(callers); i++)
		DONE(worker_start(&callers[i], call_kept, NULL, PRIORITY_NORMAL));
	pause_ms(5);
	DONE(handle_close(server.port));
	for (size_t i = 0; i < ARRAY_LEN(callers); i++) {
		DONE(worker_join(&callers[i]));
		EQ(callers[i].result, ERR_GONE);
	}
	EQ(ipc_call_words(server.session, 1, words), ERR_GONE);
	DONE(handle_close(server.session));

	DONE(port_create(0, &server.port));
	for (size_t i = 0; i < ARRAY_LEN(acceptors); i++)
		DONE(worker_start(&acceptors[i], accept_for_ever, NULL, PRIORITY_NORMAL));
	pause_ms(5);
	DONE(handle_close(server.port));
	for (size_t i = 0; i < ARRAY_LEN(acceptors); i++) {
		DONE(worker_join(&acceptors[i]));
		EQ(acceptors[i].result, ERR_GONE);
	}
}

/* Accepted, then the Port closed, then the server dead: the caller must not wait for ever. */
static void port_gone_accepted(void)
{
	static struct worker w;
	struct child c;
	struct process_info info;
	DONE(port_create(0, &server.port));
	DONE(session_create(server.port, BADGE, 0, &server.session));
	struct spawn_handle give[] = { { .name = "port", .handle = server.port } };
	DONE(child_start(&c, "accept-close-die", NULL, give, 1, 0, 0));
	DONE(handle_close(server.port));
	DONE(worker_start(&w, call_kept, NULL, PRIORITY_NORMAL));
	DONE(child_wait(&c, 5000, &info));
	EQ(info.exit_status, 0);
	DONE(worker_join(&w));
	EQ(w.result, ERR_GONE);
	DONE(handle_close(server.session));
}

/* No room for the handles of a command or of an answer: the asker hears it, nothing is lost. */
static void no_room(void)
{
	static const struct budget_limits few = { .pages = 1000, .kernel_bytes = 1 << 20, .handles = 3, .threads = 4, .commands = 8, .processes = 1 };
	handle_t budget, n;
	struct child c;
	DONE(budget_create(0, &few, &budget));
	DONE(notify_create(&n));
	DONE(port_create(0, &server.port));
	DONE(session_create(server.port, BADGE, 0, &server.session));
	struct spawn_handle give[] = { { .name = "port", .handle = server.port } };
	DONE(child_start(&c, "accept-3", NULL, give, 1, budget, 0));
	pause_ms(5);
	struct msg m = { .op = 1, .handles = { n, n, n, n }, .deadline = now_ns() + NS_PER_SEC };
	EQ(ipc_call(server.session, &m), ERR_LIMIT);
	DONE(child_kill(&c));
	DONE(handle_close(n));
	DONE(handle_close(budget));
	DONE(handle_close(server.session));
	DONE(handle_close(server.port));
}

/* ---- what the children do ---- */

static int accept_3(int argc unused, char **argv unused)
{
	struct event e;
	for (unsigned i = 0; i < 3; i++)
		MUST(ipc_accept(start_handle("port"), FOREVER, &e));
	thread_sleep(FOREVER);
	return 1;
}

static int accept_close_die(int argc unused, char **argv unused)
{
	struct event e;
	MUST(ipc_accept(start_handle("port"), FOREVER, &e));
	MUST(handle_close(start_handle("port")));
	return 0;
}

static int call_once(int argc unused, char **argv unused)
{
	static char page[PAGE_SIZE] aligned(4096);
	handle_t n;
	memset(page, 'c', sizeof(page));
	MUST(notify_create(&n));
	struct msg m = { .op = 1, .in = page, .in_len = sizeof(page), .handles = { n } };
	(void)ipc_call(start_handle("session"), &m);
	return 1;
}

static int return_forged(int argc, char **argv)
{
	cmd_id_t cmd = 0;
	uint64_t done;
	char byte;
	for (const char *s = argc > 1 ? argv[1] : ""; *s; s++)
		cmd = cmd << 4 | (uint64_t)(*s <= '9' ? *s - '0' : *s - 'a' + 10);
	if (!cmd || ipc_return(cmd, &(struct reply){ .status = OK }) != ERR_NOT_FOUND)
		return 1;
	if (cmd_read(cmd, 0, &byte, 1, &done) != ERR_NOT_FOUND || cmd_write(cmd, 0, &byte, 1, &done) != ERR_NOT_FOUND)
		return 2;
	return 0;
}

const struct deed ipc_deeds[] = {
	{ "accept-3", accept_3 },
	{ "accept-close-die", accept_close_die },
	{ "call-once", call_once },
	{ "return-forged", return_forged },
	{ NULL, NULL },
};

const struct test ipc_tests[] = {
	{ "ipc-words", words },
	{ "ipc-refused", refused },
	{ "ipc-windows", window_sizes },
	{ "ipc-windows-bad", windows_bad },
	{ "ipc-paths", paths },
	{ "ipc-uris", uris },
	{ "ipc-handles", passing },
	{ "ipc-mint", mint },
	{ "ipc-silence", silence },
	{ "ipc-deadlines", deadlines },
	{ "ipc-queue", queue },
	{ "ipc-forged-ids", forged_ids },
	{ "ipc-redelivered", redelivered },
	{ "ipc-caller-killed", caller_killed },
	{ "ipc-port-gone", port_gone },
	{ "ipc-port-gone-accepted", port_gone_accepted },
	{ "ipc-no-room", no_room },
	{ NULL, NULL },
};

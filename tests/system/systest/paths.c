/*
 * paths: the short path of a command (kernel/arch/x86_64/fastpath.S) and the long one (call.c, port.c) cannot be told apart.
 * Every case is run once with plain threads, whose commands take the short path where there is one; with vector state owned by the
 * client, or by the servers, which it switches; and with what keeps commands off it and is seen by nobody: tracing, and answers by
 * return and accept instead of return_accept; and with the servers bound to another CPU, if there is one. All that either side sees goes into lanes of notes, which must be equal. Each
 * run proves by the kernel's counters that it took the way it was meant to take.
 */
#include <stdio.h>
#include <stdlib.h>
#include "test.h"

enum way { PLAIN, CLIENT_VECTOR, SERVER_VECTOR, TRACED, SPLIT_RETURN, FAR, WAYS };
static const char *const way_names[WAYS] = { "as it comes", "with vector state in the client", "with vector state in the servers", "traced", "with return and accept apart", "with the servers on another CPU" };

enum op { OP_ECHO = 1, OP_READ, OP_WRITE, OP_ODD_ANSWER, OP_BAD_ANSWERS, OP_STALE, OP_INFO, OP_ACCOUNT, OP_KEEP, OP_RELEASE, OP_NEST, OP_SIGNAL, OP_OVERTAKE, OP_FORWARD, OP_MINT, OP_CLOSE, OP_QUIT = 0xffff };
enum { CLIENT, SECOND, SERVER, OTHER, LANES };
enum { BADGE = 0x5ea15ea1, NOTES = 3000, SERVERS = 2, TRIES = 6 };
/* Servers above clients: on one processor a server then always waits when a client calls. */
enum { CLIENT_PRIORITY = PRIORITY_NORMAL - 2, SERVER_PRIORITY = PRIORITY_NORMAL };

/* ---- notes ---- */

static struct lane { unsigned n; struct { const char *what; uint64_t value; } at[NOTES]; } lanes[2][LANES];
static unsigned book;                   /* which of the two is being written */

static void note(unsigned lane, const char *what, uint64_t value)
{
	struct lane *l = &lanes[book][lane];
	if (l->n < NOTES) {
		l->at[l->n].what = what;
		l->at[l->n].value = value;
	}
	l->n++;
}

/* Where the second book differs from the first, as the test's failure if `tell`. True: nowhere. */
static bool compare(const char *name, enum way way, bool tell)
{
	for (unsigned i = 0; i < LANES; i++) {
		const struct lane *a = &lanes[0][i], *b = &lanes[1][i];
		for (unsigned k = 0; k < a->n && k < b->n; k++)
			if (strcmp(a->at[k].what, b->at[k].what) != 0 || a->at[k].value != b->at[k].value) {
				if (tell)
					test_fail(__FILE__, __LINE__, "%s, lane %u, note %u: %s %llx, but %s %s %llx", name, i, k, a->at[k].what,
						(unsigned long long)a->at[k].value, way_names[way], b->at[k].what, (unsigned long long)b->at[k].value);
				return false;
			}
		if (a->n != b->n || a->n > NOTES) {
			if (tell)
				test_fail(__FILE__, __LINE__, "%s, lane %u: %u notes of %u, but %s %u", name, i, a->n, NOTES, way_names[way], b->n);
			return false;
		}
	}
	return true;
}

/* ---- the scene ---- */

static enum way way;
static handle_t port, session, other_port, other_session, notify, closing;
static struct worker servers[SERVERS], other_server, clients[2], middle;
static struct { cmd_id_t id; bool held; } kept;
static struct kstat still;              /* the account before the case */
static uint64_t last_order[2];          /* accept_order, of the Port and of the other */
static volatile unsigned order;         /* who came first */
static uint8_t client_buf[3 * PAGE_SIZE] aligned(4096), server_buf[3 * PAGE_SIZE] aligned(4096);

/* A thread that has used a vector register has vector state from then on. */
static void own_vector_state(void)
{
	asm volatile("ldmxcsr %0" :: "m"((uint32_t){ 0x1f80 }));
}

/* What a thread keeps through any call: the bases of FS and GS, and a flag (ID) that no instruction changes by the way. */
struct own { uint64_t fs[2], gs[2]; uint64_t flag; };

static void own_set(struct own *o, uint64_t mark)
{
	*o = (struct own){ .fs = { mark }, .gs = { ~mark }, .flag = mark & 1 };
	MUST(thread_set_base(THREAD_FS_BASE, (uint64_t)o->fs));
	MUST(thread_set_base(THREAD_GS_BASE, (uint64_t)o->gs));
	asm volatile("pushfq; andq $~0x200000, (%%rsp); orq %0, (%%rsp); popfq" :: "r"(o->flag << 21) : "memory", "cc");
}

static bool own_kept(const struct own *o)
{
	uint64_t fs, gs, flags;
	asm volatile("mov %%fs:0, %0; mov %%gs:0, %1; pushfq; pop %2" : "=&r"(fs), "=&r"(gs), "=&r"(flags));
	return fs == o->fs[0] && gs == o->gs[0] && (flags >> 21 & 1) == o->flag && !(flags & 0x400);
}

static uint64_t sum(const uint8_t *p, uint64_t n)
{
	uint64_t s = n;
	for (uint64_t i = 0; i < n; i++)
		s = s * 31 + p[i];
	return s;
}

static void note_regs(unsigned lane, const struct ipc_regs *r)
{
	note(lane, "rax", r->rax);
	note(lane, "rdi", r->rdi);
	for (unsigned i = 0; i < IPC_WORDS; i++)
		note(lane, "word", r->w[i]);
	note(lane, "r13", r->r13);
	note(lane, "r14", r->r14);
	note(lane, "r15", r->r15);
	note(lane, "rbx", r->rbx);
	note(lane, "rbp", r->rbp);
}

/* ---- servers ---- */

/* Command ids differ from run to run; how often the same storage was delivered does not. */
static struct { uint32_t slot, first; } slots[64];
static unsigned n_slots;

static uint64_t ordinal(cmd_id_t id)
{
	uint32_t slot = (uint32_t)id, generation = (uint32_t)(id >> 32);
	unsigned i = 0;
	while (i < n_slots && slots[i].slot != slot)
		i++;
	if (i == n_slots && n_slots < ARRAY_LEN(slots) - 1) {
		slots[i].slot = slot;
		slots[i].first = generation;
		n_slots++;
	}
	return (uint64_t)i << 32 | (generation - slots[i].first);
}

static void note_event(unsigned lane, const struct ipc_regs *r)
{
	struct ipc_regs n = *r;
	if (r->rax == ACCEPT_COMMAND || r->rax == ACCEPT_CLOSE || r->rax == ACCEPT_CANCEL)
		n.rdi = ordinal(r->rdi);
	note_regs(lane, &n);
}

static void note_window(unsigned lane, const char *what, status_t st, uint64_t done, const uint8_t *buf)
{
	note(lane, what, (uint64_t)st);
	note(lane, "bytes", st == OK ? done : 0);
	note(lane, "sum", st == OK && buf ? sum(buf, done) : 0);
}

/* Identities, by the order in which they were first seen. */
static uint64_t names[64];
static unsigned n_names;

static uint64_t name_of(uint64_t op_id)
{
	unsigned i = 0;
	while (i < n_names && names[i] != op_id)
		i++;
	if (i == n_names && n_names < ARRAY_LEN(names))
		names[n_names++] = op_id;
	return i;
}

static void note_info(unsigned lane, cmd_id_t id)
{
	struct cmd_info a = { 0 }, b = { 0 };
	uint64_t *last = &last_order[lane == OTHER];
	note(lane, "cmd_info", (uint64_t)cmd_info(id, &a));
	note(lane, "again", (uint64_t)cmd_info(id, &b));
	note(lane, "named", a.op_id != 0 && a.op_id == b.op_id);
	note(lane, "name", name_of(a.op_id));
	note(lane, "order", a.accept_order - *last);
	note(lane, "hops", a.hops);
	note(lane, "faults", a.faults);
	*last = a.accept_order;
}

static void note_call(unsigned lane, struct ipc_regs *r)
{
	struct ipc_regs in = *r;
	ipc_raw(r);
	/* The kernel's own errors give back nothing but RAX: what is in the other registers is what was there, or nothing. */
	const uint64_t *was = (const uint64_t *)&in, *is = (const uint64_t *)r;
	bool answered = (status_t)r->rax >= 0;
	for (unsigned i = 0; i < IPC_WORDS; i++)
		answered |= r->w[i] != in.w[i] && r->w[i] != 0;
	if (!answered) {
		note(lane, "error", r->rax);
		for (size_t i = 1; i < sizeof(in) / 8; i++)
			note(lane, "nothing of the kernel's", is[i] == was[i] || is[i] == 0);
		return;
	}
	note_regs(lane, r);
}

static struct ipc_regs words_to(handle_t h, uint32_t op, uint64_t w0, uint64_t w1)
{
	return (struct ipc_regs){ .rax = SYS_call_words, .rdi = h, .w = { w0, w1, 3, 1ull << 63, UINT64_MAX, 6 }, .r15 = op };
}

static struct ipc_regs windows_to(handle_t h, uint32_t op, const void *in, uint64_t in_len, const void *out, uint64_t out_len)
{
	return (struct ipc_regs){ .rax = SYS_call, .rdi = h, .w = { 1, 2, 3, 4, 5, 6 }, .r13 = (uint64_t)in, .r14 = (uint64_t)out,
		.r15 = IPC_META(op, in_len, out_len, 0), .rbp = FOREVER };
}

static void try_answer(unsigned lane, const char *what, struct ipc_regs r)
{
	ipc_raw(&r);
	note(lane, what, r.rax);
}

/* Does what the command wants. False: it is not answered now. */
static bool obey(unsigned lane, const struct ipc_regs *e, struct ipc_regs *a)
{
	cmd_id_t id = e->rdi;
	uint64_t done = 0;
	status_t st;
	struct ipc_regs r;

	*a = (struct ipc_regs){ .rdi = id };
	for (unsigned i = 0; i < IPC_WORDS; i++)
		a->w[i] = e->w[i] + 1;
	switch (IPC_META_OP(e->r15)) {
	case OP_READ:
		memset(server_buf, 0, sizeof(server_buf));
		st = cmd_read(id, e->w[0], server_buf, e->w[1], &done);
		note_window(lane, "cmd_read", st, done, server_buf);
		a->w[0] = done;
		a->r13 = (uint64_t)st;
		break;
	case OP_WRITE:
		for (unsigned i = 0; i < sizeof(server_buf); i++)
			server_buf[i] = (uint8_t)(i * 7 + 3);
		st = cmd_write(id, e->w[0], server_buf, e->w[1], &done);
		note_window(lane, "cmd_write", st, done, NULL);
		a->w[0] = done;
		a->r13 = (uint64_t)st;
		break;
	case OP_ODD_ANSWER:             /* what counts only together with a flag that is not set */
		a->r13 = e->w[0];
		a->r14 = 0xdeadbeefcafe;
		a->r15 = 0xffffffff | (uint64_t)RETURN_SILENT << 32;
		break;
	case OP_BAD_ANSWERS:            /* none of them uses the command up */
		r = *a;
		r.rax = SYS_return_accept;                                      /* no Port */
		try_answer(lane, "no Port", r);
		r.rax = SYS_return_accept | (uint64_t)session << 32;
		try_answer(lane, "a Session", r);
		r.rax = SYS_return_accept | (uint64_t)(port ^ 1u << 14) << 32;
		try_answer(lane, "a stale Port", r);
		r.rax = SYS_return_accept | (uint64_t)port << 32;
		for (unsigned bit = 0; bit < 64; bit++) {
			r.rdi = id ^ 1ull << bit;
			try_answer(lane, "a forged id", r);
		}
		r.rdi = 0;
		try_answer(lane, "no id", r);
		r.rdi = id;
		r.rbx = 0x7fff1234;
		try_answer(lane, "a bad handle", r);
		r.rbx = 0;
		r.rbp = 0x7fff1234;
		try_answer(lane, "a bad handle", r);
		a->r13 = 5;
		break;
	case OP_STALE:
		a->r13 = 6;
		a->rax = SYS_return;
		try_answer(lane, "returned", *a);
		try_answer(lane, "returned again", *a);
		note(lane, "cmd_read", (uint64_t)cmd_read(id, 0, server_buf, 1, &done));
		note(lane, "cmd_write", (uint64_t)cmd_write(id, 0, server_buf, 1, &done));
		note(lane, "cmd_info", (uint64_t)cmd_info(id, &(struct cmd_info){ 0 }));
		a->rdi = 0;
		return false;
	case OP_INFO:
		note_info(lane, id);
		break;
	case OP_ACCOUNT: {
		struct kstat now;
		MUST(kstat(res_info, &now));
		note(lane, "accepted", now.commands_accepted - still.commands_accepted);
		note(lane, "queued", now.commands_queued - still.commands_queued);
		note(lane, "timers", now.timers - still.timers);
		break;
	}
	case OP_KEEP:
		kept.id = id;
		kept.held = true;
		return false;
	case OP_RELEASE:
		try_answer(lane, "released", (struct ipc_regs){ .rax = SYS_return, .rdi = kept.id, .r13 = 9, .w = { 9, 8, 7, 6, 5, 4 } });
		break;
	case OP_NEST:
		for (unsigned i = 0; i < 2; i++) {
			r = words_to(other_session, OP_INFO, e->w[0], i);
			note_call(lane, &r);
			r = windows_to(other_session, OP_INFO, server_buf, i, server_buf, i);
			note_call(lane, &r);
		}
		note_info(lane, id);
		break;
	case OP_SIGNAL:                 /* an event waits when this one is answered */
		note(lane, "signal", (uint64_t)notify_signal(notify, 6));
		break;
	case OP_OVERTAKE:               /* a thread between client and server in priority is ready: who comes first? */
		note(lane, "signal", (uint64_t)notify_signal(notify, 1));
		note(lane, "place", order++);
		break;
	case OP_FORWARD:
		st = forward(id, other_session, 0, UINT32_MAX);
		note(lane, "forward", (uint64_t)st);
		return st < 0;
	case OP_CLOSE:                  /* the Session that the command came through */
		note(lane, "closed", (uint64_t)handle_close(closing));
		break;
	case OP_MINT:
		a->r14 = 0xbadbad;
		a->r15 = (uint64_t)RETURN_MINT << 32 | RIGHT_READ;
		break;
	default:
		a->r13 = e->w[5];
		break;
	}
	return true;
}

static void serve(struct worker *w)
{
	unsigned lane = w == &other_server ? OTHER : SERVER;
	handle_t mine = lane == OTHER ? other_port : port;
	struct own own;
	struct ipc_regs e = { .rax = SYS_accept, .rdi = mine, .rbp = FOREVER };

	own_set(&own, lane == OTHER ? 0x7777 : (uint64_t)(w - servers) * 2 + 0x4444);
	if (way == SERVER_VECTOR)
		own_vector_state();
	if (way == FAR)
		MUST(thread_set_affinity(0, 2));
	ipc_raw(&e);
	while ((status_t)e.rax >= 0) {
		struct ipc_regs a = { .rdi = e.rdi };
		bool now = e.rax == ACCEPT_CLOSE, quit = e.rax == ACCEPT_COMMAND && IPC_META_OP(e.r15) == OP_QUIT;
		if (!quit) {
			note(lane, "server", (uint64_t)(w - servers));
			note(lane, "its own", own_kept(&own));
			note_event(lane, &e);
		}
		if (e.rax == ACCEPT_COMMAND && !quit)
			now = obey(lane, &e, &a);
		if (e.rax == ACCEPT_CANCEL) {
			uint64_t done = 0;
			status_t st = cmd_read(e.rdi, 0, server_buf, 16, &done);
			note_window(lane, "window", st, done, server_buf);
			a = (struct ipc_regs){ .rdi = e.rdi, .r13 = (uint64_t)ERR_CANCELLED };
			now = true;
		}
		if (quit) {
			a.rax = SYS_return;
			ipc_raw(&a);
			return;
		}
		if (now && way == SPLIT_RETURN) {
			a.rax = SYS_return;
			ipc_raw(&a);
			note(lane, "return", a.rax);
			now = false;
		} else if (now) {
			note(lane, "return", OK);       /* or the loop ends with the error */
		}
		e = (struct ipc_regs){ .rax = SYS_accept, .rdi = mine, .rbp = FOREVER };
		if (now) {
			e = a;
			e.rax = SYS_return_accept | (uint64_t)mine << 32;
		}
		ipc_raw(&e);
	}
	note(lane, "ended", e.rax);
	w->result = (status_t)e.rax;
}

/* ---- clients ---- */

struct part { unsigned lane; void (*run)(unsigned lane); };

static void client_main(struct worker *w)
{
	const struct part *p = w->arg;
	struct own own;
	own_set(&own, 0x1111 + p->lane * 2);
	if (way == CLIENT_VECTOR)
		own_vector_state();
	p->run(p->lane);
	note(p->lane, "its own", own_kept(&own));
}

/* What has ended is gone, so that its storage is the next one's in every run: kstat waits for the reaper. */
static void settle(void)
{
	DONE(kstat(res_info, &(struct kstat){ 0 }));
}

static void client_start(unsigned lane, void (*run)(unsigned), uint32_t priority)
{
	static struct part parts[2];
	settle();
	parts[lane] = (struct part){ lane, run };
	DONE(worker_start(&clients[lane], client_main, &parts[lane], priority));
}

static void client_end(unsigned lane)
{
	DONE(worker_join(&clients[lane]));
}

static void client_run(void (*run)(unsigned))
{
	client_start(CLIENT, run, CLIENT_PRIORITY);
	STILL_FINE();
	client_end(CLIENT);
}

static void send_words(unsigned lane, uint32_t op, uint64_t w0, uint64_t w1)
{
	struct ipc_regs r = words_to(session, op, w0, w1);
	note_call(lane, &r);
}

static void send_window(unsigned lane, uint32_t op, const void *in, uint64_t in_len, const void *out, uint64_t out_len, uint64_t offset, uint64_t len)
{
	struct ipc_regs r = windows_to(session, op, in, in_len, out, out_len);
	r.w[0] = offset;
	r.w[1] = len;
	note_call(lane, &r);
}

/* ---- what is sent ---- */

/* Any status that a server may think of, also those that mean something inside the kernel. */
static const int64_t statuses[] = { 0, 7, -5, INT64_MAX, INT64_MIN, INT64_MIN + 1, INT64_MIN + 2, 0x100000007, -0x100000007, -4095, -4096, -10000, -10001, -10002, -10003 };

static void words(unsigned lane)
{
	static const uint32_t ops[] = { OP_ECHO, 0, 0x7fff, 0x8000, 0xfffe };
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		struct ipc_regs r = words_to(session, OP_ECHO, i, ~i);
		r.w[5] = (uint64_t)statuses[i];
		note_call(lane, &r);
		r = windows_to(session, OP_ECHO, NULL, 0, NULL, 0);
		r.w[5] = (uint64_t)statuses[i];
		note_call(lane, &r);
	}
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		/* Registers that call_words says nothing about. */
		struct ipc_regs r = words_to(session | 0xabcdull << 32, ops[i], 1, 2);
		r.r15 |= 0xfedcba9876540000;
		r.r13 = r.r14 = r.rbx = r.rbp = 0xffffffff80001234;
		note_call(lane, &r);
		r = windows_to(session, ops[i], (void *)0x123456, 0, (void *)0x3fffffffffff, 0);
		note_call(lane, &r);
	}
}

static void windows(unsigned lane)
{
	static const uint64_t sizes[] = { 0, 1, 63, 64, 65, 4095, 4096, 4097 }, starts[] = { 0, 1, 4032, 4095 };
	for (unsigned i = 0; i < sizeof(client_buf); i++)
		client_buf[i] = (uint8_t)(i >> 3 ^ i);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		for (size_t k = 0; k < ARRAY_LEN(starts); k++)
			send_window(lane, OP_READ, client_buf + starts[k], sizes[i], NULL, 0, 0, sizes[i] + 16 * (k & 1));
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		for (size_t k = 0; k < ARRAY_LEN(starts); k++) {
			memset(client_buf, 0xee, sizeof(client_buf));
			send_window(lane, OP_WRITE, NULL, 0, client_buf + starts[k], sizes[i], 0, sizes[i] + 16 * (k & 1));
			note(lane, "sum", sum(client_buf, sizeof(client_buf)));
		}
}

/* Parts of windows, beyond their ends, the other way round. */
static void window_parts(unsigned lane)
{
	static const struct { uint64_t offset, len; } parts[] = {
		{ 10, 100 }, { 4999, 5 }, { 5000, 5 }, { UINT64_MAX, 5 }, { UINT64_MAX - 4, 16 }, { 1ull << 63, 64 }, { 4000, 200 }, { 0, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		send_window(lane, OP_READ, client_buf + 7, 5000, NULL, 0, parts[i].offset, parts[i].len);
		send_window(lane, OP_WRITE, NULL, 0, client_buf + 7, 5000, parts[i].offset, parts[i].len);
		send_window(lane, OP_READ, NULL, 0, client_buf, 5000, parts[i].offset, parts[i].len);
		send_window(lane, OP_WRITE, client_buf, 5000, NULL, 0, parts[i].offset, parts[i].len);
		send_window(lane, OP_READ, client_buf, 100, client_buf + 100, 100, parts[i].offset, parts[i].len);
		note(lane, "sum", sum(client_buf, sizeof(client_buf)));
	}
}

/* The server's memory may be bad as well: it is handed over in the other words. */
static void windows_bad(unsigned lane)
{
	uint64_t edge = edge_make(), ro = page_make(PROT_READ), none = page_make(0);
	const struct { uint64_t at, len; } bad[] = {
		{ edge + PAGE_SIZE, 100 }, { edge + PAGE_SIZE - 50, 100 }, { edge + PAGE_SIZE - 50, 50 }, { none, 1 }, { ro, 4096 }, { ro, 8 }, { ro + 4090, 10 },
		{ 0, 100 }, { 8, 8 }, { 1ull << 45, 100 }, { 1ull << 46, 100 }, { (1ull << 47) - 4096, 4096 }, { (1ull << 47) - 4096, 4097 }, { (1ull << 47) - 1, 1 },
		{ kernel_addresses[0], 100 }, { kernel_addresses[1], 100 }, { kernel_addresses[2], 100 }, { kernel_addresses[3], 100 },
		{ kernel_addresses[4], 100 }, { kernel_addresses[5], 100 }, { kernel_addresses[3], 0 }, { kernel_addresses[0], 0 },
		{ edge, IPC_WINDOW_MAX }, { edge, IPC_WINDOW_MAX + 1 }, { edge, 0x1fffff }, { (1ull << 46) - 8, 16 },
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		send_window(lane, OP_READ, (void *)bad[i].at, bad[i].len, NULL, 0, 0, 4096);
		send_window(lane, OP_WRITE, NULL, 0, (void *)bad[i].at, bad[i].len, 0, 4096);
		send_window(lane, OP_READ, client_buf, 16, (void *)bad[i].at, bad[i].len, 0, 4096);
		send_window(lane, OP_ECHO, (void *)bad[i].at, bad[i].len, (void *)bad[i].at, bad[i].len, 0, 0);
	}
	note(lane, "unharmed", *(volatile uint8_t *)ro);
	page_free(none);
	page_free(ro);
	edge_free(edge);
}

static void refused(unsigned lane)
{
	handle_t mute, gone, dead_port, dead;
	MUST(handle_dup(session, RIGHT_READ | RIGHT_WRITE, &mute));
	MUST(handle_dup(session, RIGHT_ALL, &gone));
	MUST(handle_close(gone));
	MUST(port_create(0, &dead_port));
	MUST(session_create(dead_port, 1, 0, &dead));
	MUST(handle_close(dead_port));
	const handle_t handles[] = { 0, port, notify, mute, gone, dead, session ^ 1u << 14, session ^ 1u << 31, session | 0x3fff, 0x3fff, UINT32_MAX };
	for (size_t i = 0; i < ARRAY_LEN(handles); i++) {
		struct ipc_regs r = words_to(handles[i], OP_ECHO, 1, 2);
		note_call(lane, &r);
		r = windows_to(handles[i], OP_ECHO, client_buf, 10, client_buf, 10);
		note_call(lane, &r);
	}
	MUST(handle_close(mute));
	MUST(handle_close(dead));
	/* Flags: a path is one, a URI without a scheme is not, the rest are nobody's. */
	for (unsigned bit = 57; bit < 64; bit++) {
		struct ipc_regs r = windows_to(session, OP_ECHO, "abc", 3, NULL, 0);
		r.r15 |= 1ull << bit;
		note_call(lane, &r);
	}
	/* Handles that are none. */
	for (unsigned i = 0; i < 4; i++) {
		struct ipc_regs r = windows_to(session, OP_ECHO, NULL, 0, NULL, 0);
		uint64_t *at[] = { &r.rdi, &r.rbx, &r.rbx, &r.rax };
		*at[i] |= i == 1 ? 0x7fff1234 : 0x7fff1234ull << 32;
		note_call(lane, &r);
	}
	send_words(lane, OP_ECHO, 1, 2);
}

static void rights(unsigned lane)
{
	static const uint32_t masks[] = { RIGHT_CALL, RIGHT_CALL | RIGHT_READ, RIGHT_CALL | RIGHT_WRITE, RIGHT_CALL | RIGHT_READ | RIGHT_WRITE | RIGHT_DUP, RIGHT_ALL };
	for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
		handle_t h;
		MUST(handle_dup(session, masks[i], &h));
		struct ipc_regs r = words_to(h, OP_ECHO, 1, 2);
		note_call(lane, &r);
		r = windows_to(h, OP_ECHO, client_buf, 10, client_buf, 10);
		note_call(lane, &r);
		MUST(handle_close(h));
	}
}

static void identities(unsigned lane)
{
	for (unsigned i = 0; i < 5; i++) {
		send_words(lane, OP_INFO, i, 0);
		send_window(lane, OP_INFO, client_buf, i, client_buf, i, 0, 0);
		send_words(lane, OP_ECHO, i, 0);
	}
}

static void answers(unsigned lane)
{
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		send_words(lane, OP_ODD_ANSWER, (uint64_t)statuses[i], 0);
	send_words(lane, OP_BAD_ANSWERS, 0, 0);
	send_window(lane, OP_BAD_ANSWERS, client_buf, 10, client_buf, 10, 0, 0);
	send_words(lane, OP_STALE, 0, 0);
	send_window(lane, OP_STALE, client_buf, 10, client_buf, 10, 0, 0);
	send_words(lane, OP_ECHO, 0, 0);
}

static void mint(unsigned lane)
{
	struct handle_info info;
	struct ipc_regs r = words_to(session, OP_MINT, 0, 0);
	ipc_raw(&r);
	note(lane, "status", r.rax);
	handle_t h = (handle_t)r.rdi;
	note(lane, "handle_info", (uint64_t)handle_info(h, &info));
	note(lane, "type", info.type);
	note(lane, "rights", info.rights);
	r = words_to(h, OP_ECHO, 0, 0);
	note_call(lane, &r);
	MUST(handle_close(h));          /* CLOSE */
	send_words(lane, OP_ECHO, 0, 0);
}

static void account(unsigned lane)
{
	send_words(lane, OP_ACCOUNT, 0, 0);
	send_window(lane, OP_ACCOUNT, client_buf, 10, client_buf, 10, 0, 0);
}

static void nested(unsigned lane)
{
	send_words(lane, OP_NEST, 0, 0);
	send_window(lane, OP_NEST, client_buf, 10, client_buf, 10, 0, 0);
	send_words(lane, OP_INFO, 0, 0);
}

/* More often than one command may be: each begins at none. */
static void forwarded(unsigned lane)
{
	for (unsigned i = 0; i < 10; i++)
		send_words(lane, OP_FORWARD, 1, 2);
	struct ipc_regs r = windows_to(session, OP_FORWARD, "abc", 3, NULL, 0);
	r.r15 |= (uint64_t)IPC_PATH << 58;
	note_call(lane, &r);
	send_words(lane, OP_INFO, 0, 0);
	send_window(lane, OP_FORWARD, client_buf, 10, client_buf, 10, 0, 0);
	send_words(lane, OP_ECHO, 0, 0);
}

static void event(unsigned lane)
{
	send_words(lane, OP_SIGNAL, 0, 0);
	send_words(lane, OP_ECHO, 0, 0);
	send_window(lane, OP_SIGNAL, client_buf, 10, client_buf, 10, 0, 0);
	send_words(lane, OP_ECHO, 0, 0);
}

static void echoes(unsigned lane)
{
	for (unsigned i = 0; i < 6; i++)
		send_words(lane, OP_ECHO, i, lane);
}

/* The completion that comes to `mine`, whole. */
static void note_completion(unsigned lane, handle_t mine)
{
	struct ipc_regs e = { .rax = SYS_accept, .rdi = mine, .rbp = FOREVER };
	ipc_raw(&e);
	if (e.rbx)                              /* a minted Session: its number differs from run to run */
		e.rbx = handle_close((handle_t)e.rbx) == OK;
	note_regs(lane, &e);
}

static void note_submit(unsigned lane, handle_t mine, struct ipc_regs r, uint64_t token)
{
	r.rax = SYS_submit | (uint64_t)mine << 32;
	r.rbp = token;
	ipc_raw(&r);
	note(lane, "submit", r.rax);
	if (r.rax == OK)
		note_completion(lane, mine);
}

static void submits(unsigned lane)
{
	handle_t mine, weak;
	MUST(port_create(0, &mine));
	MUST(handle_dup(session, RIGHT_READ | RIGHT_WRITE, &weak));
	note_submit(lane, mine, words_to(session, OP_ECHO, 1, 2), 1);           /* nothing in reserve */
	MUST(port_reserve(mine, 2));
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		struct ipc_regs r = windows_to(session, OP_ECHO, NULL, 0, NULL, 0);
		r.w[5] = (uint64_t)statuses[i];
		note_submit(lane, mine, r, ~i);
	}
	for (unsigned i = 0; i < 3; i++) {
		struct ipc_regs r = windows_to(session, i & 1 ? OP_WRITE : OP_READ, client_buf + i, 5000, client_buf + i, 5000);
		r.w[0] = i, r.w[1] = 64;
		note_submit(lane, mine, r, i);
		note(lane, "sum", sum(client_buf, sizeof(client_buf)));
	}
	note_submit(lane, mine, windows_to(session, OP_INFO, NULL, 0, NULL, 0), 1);
	note_submit(lane, mine, windows_to(session, OP_MINT, NULL, 0, NULL, 0), 1);
	note_submit(lane, mine, windows_to(session, OP_FORWARD, NULL, 0, NULL, 0), 1);
	note_submit(lane, mine, windows_to(session, OP_SIGNAL, NULL, 0, NULL, 0), 1);
	note_submit(lane, mine, windows_to(session, OP_BAD_ANSWERS, NULL, 0, NULL, 0), 1);
	note_submit(lane, mine, windows_to(session, OP_ECHO, "path", 4, NULL, 0), 2);
	note_submit(lane, mine, windows_to(session, OP_ECHO, client_buf, IPC_WINDOW_MAX, NULL, 0), 2);
	note_submit(lane, mine, windows_to(session, OP_ECHO, client_buf, IPC_WINDOW_MAX + 1, NULL, 0), 2);
	note_submit(lane, mine, windows_to(session, OP_ECHO, (void *)kernel_addresses[0], 10, NULL, 0), 2);
	note_submit(lane, mine, words_to(weak, OP_ECHO, 1, 2), 3);
	note_submit(lane, mine, words_to(mine, OP_ECHO, 1, 2), 3);
	note_submit(lane, session, words_to(session, OP_ECHO, 1, 2), 3);
	struct ipc_regs r = windows_to(session, OP_ECHO, "abc", 3, NULL, 0);
	r.r15 |= (uint64_t)IPC_PATH << 58;
	note_submit(lane, mine, r, 4);
	MUST(handle_close(weak));
	MUST(handle_close(mine));
}

/* ---- scenes with more than one client, or with somebody who leaves ---- */

static bool wait_until_held(void)
{
	for (unsigned i = 0; i < 2000 && !*(volatile bool *)&kept.held; i++)
		pause_ms(1);
	bool held = kept.held;
	kept.held = false;
	return held;
}

/* CLOSE comes after the last command of its Session, whichever way that one is answered. */
static void keep_on_closing(unsigned lane)
{
	struct ipc_regs r = words_to(closing, OP_KEEP, 1, 2);
	note_call(lane, &r);
}

static void release(unsigned lane)
{
	send_words(lane, OP_RELEASE, 0, 0);
	send_words(lane, OP_ECHO, 0, 0);
}

static void close_within(unsigned lane)
{
	struct ipc_regs r = words_to(closing, OP_CLOSE, 1, 2);
	note_call(lane, &r);
	send_words(lane, OP_ECHO, 0, 0);
}

static void close_order(void)
{
	DONE(session_create(port, 0xc105e, RIGHT_READ, &closing));
	client_start(CLIENT, keep_on_closing, CLIENT_PRIORITY);
	CHECK(wait_until_held());
	DONE(handle_close(closing));
	client_start(SECOND, release, CLIENT_PRIORITY);
	client_end(SECOND);
	client_end(CLIENT);
	DONE(session_create(port, 0xc106e, RIGHT_READ, &closing));
	client_run(close_within);
}

/* A server at work for somebody more urgent is not overtaken by what is in between. */
static handle_t middle_port;

static void middle_main(struct worker *w)
{
	struct event e;
	for (unsigned i = 0; i < 2 && ipc_accept(middle_port, FOREVER, &e) == OK; i++)
		note(OTHER, "middle's place", order++);
	w->result = OK;
}

static void overtaken(unsigned lane)
{
	send_words(lane, OP_OVERTAKE, 0, 0);
	note(lane, "place", order++);
}

static void priorities(void)
{
	order = 0;
	DONE(port_create(0, &middle_port));
	DONE(notify_port(notify, 0, 0));
	DONE(notify_port(notify, middle_port, 0));
	DONE(worker_start(&middle, middle_main, NULL, CLIENT_PRIORITY - 2));
	client_start(CLIENT, overtaken, CLIENT_PRIORITY);
	STILL_FINE();
	client_end(CLIENT);
	pause_ms(2);                    /* the one in between comes last */
	note(CLIENT, "place", order++);
	client_start(CLIENT, overtaken, CLIENT_PRIORITY - 5);
	STILL_FINE();
	client_end(CLIENT);
	DONE(worker_join(&middle));
	DONE(handle_close(middle_port));
}

static void keep_words(unsigned lane)
{
	send_words(lane, OP_KEEP, 1, 2);
	send_words(lane, OP_INFO, 1, 2);
}

static void keep_window(unsigned lane)
{
	send_window(lane, OP_KEEP, client_buf, 100, client_buf, 100, 0, 0);
	send_words(lane, OP_INFO, 1, 2);
}

static void interrupted_before(unsigned lane)
{
	note(lane, "interrupt", (uint64_t)thread_interrupt(clients[lane].thread));
	send_words(lane, OP_ECHO, 0, 0);
	send_words(lane, OP_ECHO, 0, 0);
}

static void interrupts(void)
{
	void (*const parts[])(unsigned) = { keep_words, keep_window };
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		client_start(CLIENT, parts[i], CLIENT_PRIORITY);
		CHECK(wait_until_held());
		DONE(thread_interrupt(clients[CLIENT].thread));
		client_end(CLIENT);
	}
	client_run(interrupted_before);
}

static void deadlines(unsigned lane)
{
	struct ipc_regs r = windows_to(session, OP_ECHO, client_buf, 10, client_buf, 10);
	r.rbp = now_ns() + 1000 * NS_PER_SEC;
	note_call(lane, &r);
	r = windows_to(session, OP_KEEP, client_buf, 10, client_buf, 10);
	r.rbp = now_ns() + 5 * NS_PER_MS;
	note_call(lane, &r);
	send_words(lane, OP_INFO, 0, 0);
}

/* What a child does: as a client, or as the server that dies. */
static int paths_client(int argc unused, char **argv)
{
	struct ipc_regs r = windows_to(start_handle("session"), OP_KEEP, client_buf, 100, client_buf, 100);
	if (argv[1][0] == 'v')
		own_vector_state();
	ipc_raw(&r);
	return 1;
}

static int paths_server(int argc unused, char **argv)
{
	struct ipc_regs e = { .rax = SYS_accept, .rdi = start_handle("port"), .rbp = FOREVER };
	handle_t other = start_handle("other");
	if (argv[1][0] == 'v')
		own_vector_state();
	ipc_raw(&e);
	if (e.rax != ACCEPT_COMMAND)
		return 1;
	for (unsigned i = 0; i < 2; i++) {      /* as OP_NEST, and no further */
		struct ipc_regs r = words_to(other, OP_INFO, e.w[0], i);
		ipc_raw(&r);
		r = windows_to(other, OP_INFO, server_buf, i, server_buf, i);
		ipc_raw(&r);
	}
	return 3;
}

const struct deed paths_deeds[] = { { "paths-client", paths_client }, { "paths-server", paths_server }, { NULL, NULL } };

static void caller_dies(void)
{
	struct child c;
	struct spawn_handle give[] = { { .name = "session", .handle = session } };
	DONE(child_start(&c, "paths-client", way == CLIENT_VECTOR ? "vector" : "plain", give, 1, 0, 0));
	CHECK(wait_until_held());
	DONE(child_kill(&c));
	pause_ms(2);
	client_run(echoes);
}

/* The first server does part of its work and dies with the command in hand; its successor finds all as it was. */
static void server_dies(void)
{
	void (*const parts[])(unsigned) = { nested, echoes };
	struct process_info info;
	struct child c;
	struct spawn_handle give[] = { { .name = "port", .handle = port }, { .name = "other", .handle = other_session } };
	DONE(child_start(&c, "paths-server", way == SERVER_VECTOR ? "vector" : "plain", give, 2, 0, 0));
	pause_ms(30);
	client_start(CLIENT, parts[0], CLIENT_PRIORITY);
	STILL_FINE();
	DONE(child_wait(&c, 5000, &info));
	EQ(info.exit_status, 3);
	settle();
	DONE(worker_start(&servers[0], serve, NULL, SERVER_PRIORITY));
	client_end(CLIENT);
	client_run(parts[1]);
}

/* ---- the stage ---- */

/*
 * calls, returns: how many take the short path where nothing keeps them off it.
 */
struct scene {
	const char *name;
	void (*client)(unsigned lane);  /* one client does this; */
	void (*drive)(void);            /* or the test thread does that */
	unsigned n_servers;             /* 0: `drive` starts the first one */
	uint32_t server_priority;       /* 0: above the clients */
	unsigned calls, returns;
	bool submitted;                 /* whether a server waits for the next one depends on how it answers */
};

static void stage_set(const struct scene *s)
{
	memset(lanes[book], 0, sizeof(lanes[book]));
	kept.id = 0;
	kept.held = false;
	n_slots = n_names = 0;
	last_order[0] = last_order[1] = 0;
	for (unsigned i = 0; i < sizeof(client_buf); i++)
		client_buf[i] = (uint8_t)(i >> 3 ^ i);
	DONE(port_create(0, &port));
	DONE(session_create(port, BADGE, RIGHT_READ | RIGHT_WRITE, &session));
	DONE(port_create(0, &other_port));
	DONE(session_create(other_port, BADGE + 1, RIGHT_READ, &other_session));
	DONE(notify_create(&notify));
	DONE(notify_port(notify, port, 0x515));
	DONE(worker_start(&other_server, serve, NULL, SERVER_PRIORITY));
	for (unsigned i = 0; i < s->n_servers; i++)
		DONE(worker_start(&servers[i], serve, NULL, s->server_priority ? s->server_priority : SERVER_PRIORITY));
	pause_ms(1);
	DONE(kstat(res_info, &still));
}

static void stage_clear(const struct scene *s)
{
	uint64_t w[IPC_WORDS] = { 0 };
	for (unsigned i = 0; i < MAX(s->n_servers, 1u); i++)
		DONE(ipc_call_words(session, OP_QUIT, w));
	for (unsigned i = 0; i < MAX(s->n_servers, 1u); i++) {
		DONE(worker_join(&servers[i]));
		EQ(servers[i].result, 1);
	}
	DONE(ipc_call_words(other_session, OP_QUIT, w));
	DONE(worker_join(&other_server));
	const handle_t all[] = { session, port, other_session, other_port, notify };
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		DONE(handle_close(all[i]));
}

/* There is no short path where FS and GS base cannot be moved without it (CPUID.7.EBX[0]), nor without XSAVE (CPUID.1.ECX[26]). */
static bool short_path_there(void)
{
	uint32_t a = 7, b, c = 0, d, xsave = 0;
	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	asm volatile("cpuid" : "=a"(a), "+c"(xsave) : "a"(1) : "ebx", "edx");
	return (b & 1) && (xsave & 1u << 26);
}

/* Plays s the given way. True: it went that way; the kernel's counters count others' commands, too, so it may be tried again. */
static bool play(const struct scene *s, enum way as, char text[128])
{
	struct kstat before, after;
	struct process_info self;
	way = as;
	book = as != PLAIN;
	stage_set(s);
	if (as == TRACED && process_info(0, &self) == OK)
		MUST(trace_control(res_info, TRACE_PROCESS, self.pid, 0));
	if (test_failed() || kstat(res_info, &before) < 0)
		return false;
	if (s->client)
		client_run(s->client);
	else
		s->drive();
	if (test_failed() || kstat(res_info, &after) < 0)
		return false;
	if (as == TRACED)
		MUST(trace_control(res_info, TRACE_OFF, 0, 0));
	stage_clear(s);
	uint64_t calls = after.calls_short - before.calls_short, returns = after.returns_short - before.returns_short;
	uint64_t want_calls = s->calls, want_returns = s->returns;
	if (as == TRACED)
		want_calls = want_returns = 0;
	else if (as == SPLIT_RETURN)
		want_returns = 0;
	if (s->submitted && as == SPLIT_RETURN)
		want_calls = calls;
	if (!short_path_there())
		want_calls = want_returns = 0;
	/* A server may not have been put down yet where it waits; an answer with a handle, or to a path, takes the long way there. */
	if (as == FAR && calls + returns) {
		want_calls = calls;
		want_returns = returns;
	}
	snprintf(text, 128, "%s %s: %llu calls and %llu answers took the short path, not %llu and %llu", s->name, way_names[as],
		(unsigned long long)calls, (unsigned long long)returns, (unsigned long long)want_calls, (unsigned long long)want_returns);
	return calls == want_calls && returns == want_returns;
}

static void show(const struct scene *s)
{
	/* What happens on both sides at the same time has no order. */
	struct kstat k;
	bool far = s->client && !s->submitted && s->n_servers == 1 && !s->server_priority && kstat(res_info, &k) == OK && k.cpus > 1;
	for (enum way as = PLAIN; as < (far ? WAYS : FAR); as++) {
		char text[128] = "";
		bool went = false, alike = false, again = s->client == account || s->drive;
		for (unsigned tries = 0; tries < TRIES && !(went && alike) && !test_failed(); tries++) {
			/* The account is that of the machine: others show in it, in either book. Of several clients one may be early on another CPU. */
			if (tries && as != PLAIN && again)
				(void)play(s, PLAIN, text);
			went = play(s, as, text);
			alike = as == PLAIN || !again || compare(s->name, as, false);
		}
		STILL_FINE();
		if (!went) {
			test_fail(__FILE__, __LINE__, "%s", text);
			return;
		}
		if (as != PLAIN)
			(void)compare(s->name, as, true);
		STILL_FINE();
	}
}

#define SCENES(X) \
	X(words, .client = words, .n_servers = 1, .calls = 40, .returns = 40) \
	X(windows, .client = windows, .n_servers = 1, .calls = 64, .returns = 64) \
	X(window_parts, .client = window_parts, .n_servers = 1, .calls = 40, .returns = 40) \
	X(windows_bad, .client = windows_bad, .n_servers = 1, .calls = 44, .returns = 52) \
	X(refused, .client = refused, .n_servers = 1, .calls = 2, .returns = 3) \
	X(rights, .client = rights, .n_servers = 1, .calls = 10, .returns = 10) \
	X(identities, .client = identities, .n_servers = 1, .calls = 15, .returns = 15) \
	X(answers, .client = answers, .n_servers = 1, .calls = 20, .returns = 18) \
	X(mint, .client = mint, .n_servers = 1, .calls = 3, .returns = 3) \
	X(account, .client = account, .n_servers = 1, .calls = 2, .returns = 2) \
	X(nested, .client = nested, .n_servers = 1, .calls = 11, .returns = 11) \
	X(forwarded, .client = forwarded, .n_servers = 1, .calls = 14, .returns = 14) \
	X(submits, .client = submits, .n_servers = 1, .calls = 24, .returns = 0, .submitted = true) \
	X(submits_waiting, .client = submits, .n_servers = 1, .server_priority = CLIENT_PRIORITY - 4, .calls = 22, .returns = 21, .submitted = true) \
	X(event, .client = event, .n_servers = 1, .calls = 4, .returns = 2) \
	X(several, .client = echoes, .n_servers = 2, .calls = 6, .returns = 6) \
	X(close_order, .drive = close_order, .n_servers = 1, .calls = 5, .returns = 2) \
	X(priorities, .drive = priorities, .n_servers = 1, .server_priority = CLIENT_PRIORITY - 4, .calls = 2, .returns = 2) \
	X(interrupts, .drive = interrupts, .n_servers = 1, .calls = 5, .returns = 3) \
	X(deadlines, .client = deadlines, .n_servers = 1, .calls = 1, .returns = 1) \
	X(caller_dies, .drive = caller_dies, .n_servers = 1, .calls = 7, .returns = 6) \
	X(server_dies, .drive = server_dies, .n_servers = 0, .calls = 21, .returns = 20)

#define PLAY(id, ...) static void show_##id(void) { static const struct scene s = { .name = #id, __VA_ARGS__ }; show(&s); }
SCENES(PLAY)
#define ROW(id, ...) { "paths-" #id, show_##id },
const struct test paths_tests[] = { SCENES(ROW) { NULL, NULL } };

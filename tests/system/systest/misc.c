/*
 * misc: clock, log, command line, account, Namespaces, Resources, I/O ports; and every pointer of every call, wrong.
 */
#include "test.h"

static void log_calls(void)
{
	static char text[4096], big[600];
	uint64_t done, next, seq = 0, end = 0;
	/* To the end of the log. */
	do {
		seq = end;
		DONE(log_read(res_info, seq, text, sizeof(text), &done, &end));
	} while (done);
	DONE(log_write("system test: one\nline\x01\x1b[31m", 27));
	DONE(log_read(res_info, end, text, sizeof(text) - 1, &done, &next));
	CHECK(done > 0 && next >= end + done);
	text[done] = 0;
	CHECK(strstr(text, "system test: one.line..[31m"));
	memset(big, 'b', sizeof(big));
	DONE(log_write(big, sizeof(big)));
	DONE(log_write(NULL, 0));
	DONE(log_read(res_info, next, text, 4, &done, &end));
	EQ(done, 4);
	DONE(log_read(res_info, UINT64_MAX, text, 16, &done, &end));
	EQ(log_read(res_phys, 0, text, 16, &done, &end), ERR_DENIED);
	EQ(log_read(0, 0, text, 16, &done, &end), ERR_BAD_HANDLE);
}

static void command_line(void)
{
	static char text[4096];
	uint64_t size, again;
	DONE(cmdline(text, sizeof(text), &size));
	DONE(cmdline(text, 0, &again));
	EQ(size, again);
	memset(text, 0x7e, 8);
	DONE(cmdline(text, 1, &again));
	EQ(text[1], 0x7e);
	DONE(cmdline(text, UINT64_MAX, &again));        /* no more is written than there is */
}

static void account(void)
{
	struct kstat a, b;
	handle_t h, weak;
	DONE(kstat(res_info, &a));
	EQ(a.size, sizeof(a));
	CHECK(a.cpus >= 1 && a.pages_total > a.pages_free);
	DONE(notify_create(&h));
	DONE(kstat(res_info, &b));
	EQ(b.objects[OBJ_NOTIFY], a.objects[OBJ_NOTIFY] + 1);
	EQ(b.handles, a.handles + 1);
	CHECK(b.slab_bytes > a.slab_bytes);
	DONE(handle_close(h));
	DONE(kstat(res_info, &b));
	EQ(b.objects[OBJ_NOTIFY], a.objects[OBJ_NOTIFY]);
	DONE(handle_dup(res_info, RIGHT_MANAGE, &weak));
	EQ(kstat(weak, &a), ERR_DENIED);
	DONE(handle_close(weak));
	EQ(kstat(res_irq, &a), ERR_DENIED);
	EQ(kstat(0, &a), ERR_BAD_HANDLE);
	/* What the free pages and those in use come to does not change. */
	CHECK(b.pages_free + b.pages_frames + b.pages_tables + b.pages_slab + b.pages_kernel <= b.pages_total + 4096);
}

static void namespaces(void)
{
	handle_t ns, port, session, weak;
	struct ns_entry e[NS_ENTRIES_MAX];
	uint32_t got;
	DONE(ns_create(&ns));
	DONE(port_create(0, &port));
	DONE(session_create(port, 1, RIGHT_READ, &session));
	DONE(ns_list(ns, e, NS_ENTRIES_MAX, &got));
	EQ(got, 0);
	static const char *const bad[] = { "", "A", "1a", "a_b", "a b", "-a", "a:", "a/", "abcdefghijklmnop", "\xc3\xa4" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		EQ(ns_bind(ns, bad[i], strlen(bad[i]), session), ERR_INVALID);
	EQ(ns_bind(ns, "a\0b", 3, session), ERR_INVALID);
	EQ(ns_bind(ns, "a", UINT64_MAX, session), ERR_INVALID);
	static const char *const good[] = { "a", "abcdefghijklmno", "a1+.-" };
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		DONE(ns_bind(ns, good[i], strlen(good[i]), session));
	DONE(ns_bind(ns, "a", 1, session));             /* replaces */
	DONE(ns_list(ns, e, NS_ENTRIES_MAX, &got));
	EQ(got, 3);
	EQ(ns_unbind(ns, "b", 1), ERR_NOT_FOUND);
	DONE(ns_unbind(ns, "a", 1));
	EQ(ns_unbind(ns, "a", 1), ERR_NOT_FOUND);
	EQ(ns_bind(ns, "a", 1, port), ERR_WRONG_TYPE);
	EQ(ns_bind(ns, "a", 1, 0), ERR_BAD_HANDLE);
	EQ(ns_bind(0, "a", 1, session), ERR_DENIED);
	EQ(ns_unbind(0, "initfs", 6), ERR_DENIED);
	EQ(proto_create(0, "a", 1, port, 0, 0), ERR_DENIED);
	DONE(namespace_self(RIGHT_ALL, &weak));
	EQ(ns_bind(weak, "a", 1, session), ERR_DENIED);
	EQ(ns_unbind(weak, "initfs", 6), ERR_DENIED);
	DONE(ns_list(weak, e, NS_ENTRIES_MAX, &got));
	CHECK(got > 0);
	DONE(handle_close(weak));
	DONE(handle_dup(port, RIGHT_SERVE, &weak));
	EQ(proto_create(ns, "p", 1, weak, 0, 0), ERR_DENIED);
	EQ(session_create(weak, 0, 0, &session), ERR_DENIED);
	DONE(handle_close(weak));
	/* It holds 64 and no more. */
	char name[3] = { 's' };
	status_t st = OK;
	unsigned n = 2;
	for (unsigned i = 0; st == OK && i < 100; i++) {
		name[1] = (char)('a' + i / 26);
		name[2] = (char)('a' + i % 26);
		st = ns_bind(ns, name, 3, session);
		n += st == OK;
	}
	EQ(st, ERR_NO_SPACE);
	EQ(n, NS_ENTRIES_MAX);
	DONE(ns_list(ns, e, NS_ENTRIES_MAX, &got));
	EQ(got, NS_ENTRIES_MAX);
	DONE(ns_list(ns, e, 0, &got));
	EQ(got, 0);
	DONE(handle_close(ns));                         /* its Sessions are still held here */
	DONE(handle_close(session));
	struct event ev;
	DONE(ipc_accept(port, now_ns() + 2 * NS_PER_SEC, &ev));
	EQ(ev.kind, ACCEPT_CLOSE);
	DONE(ipc_return(ev.cmd, &(struct reply){ .status = OK }));
	/* A scheme made directly, and its Session closed by the Namespace's end. */
	DONE(ns_create(&ns));
	DONE(proto_create(ns, "p", 1, port, 44, RIGHT_READ));
	DONE(handle_close(ns));
	DONE(ipc_accept(port, now_ns() + NS_PER_SEC, &ev));
	EQ(ev.kind, ACCEPT_CLOSE);
	EQ(ev.badge, 44);
	DONE(ipc_return(ev.cmd, &(struct reply){ .status = OK }));
	EQ(port_create(2, &weak), ERR_INVALID);
	DONE(handle_close(port));
}

/* A register of the DMA controller, which keeps what is written to it and serves no device: data and status at once. */
static void read_bytes(void)
{
	struct io_byte got[20];
	handle_t io, weak;
	uint64_t sum = 1ull << 40;
	uint32_t n = 77;
	DONE(ioports_create(res_ioports, 0x81, 1, &io));
	DONE(io_write(io, 0, 1, 0x5a));
	DONE(io_read_bytes(io, 0, IO_READY(0, 0x42), got, 3, (uint64_t)&sum, &n));
	EQ(n, 3);
	EQ(sum, (1ull << 40) + 3);
	for (unsigned i = 0; i < 3; i++)
		CHECK(got[i].byte == 0x5a && got[i].status == 0x5a);
	DONE(io_read_bytes(io, 0, IO_READY(0, 0x43), got, 3, (uint64_t)&sum, &n));      /* one of the bits is not set */
	EQ(n, 0);
	EQ(sum, (1ull << 40) + 3);
	DONE(io_read_bytes(io, 0, 0, got, UINT32_MAX, (uint64_t)&sum, &n));
	EQ(n, 16);
	EQ(sum, (1ull << 40) + 19);
	DONE(io_read_bytes(io, 0, 0, got, 0, (uint64_t)&sum, &n));
	EQ(n, 0);
	EQ(io_read_bytes(io, 1, 0, got, 3, (uint64_t)&sum, &n), ERR_INVALID);
	EQ(io_read_bytes(io, 0, IO_READY(1, 0), got, 3, (uint64_t)&sum, &n), ERR_INVALID);
	EQ(io_read_bytes(io, 0, UINT32_MAX, got, 3, (uint64_t)&sum, &n), ERR_INVALID);
	EQ(io_read_bytes(io, 0, 0, got, 3, 0, &n), ERR_FAULT);
	EQ(sum, (1ull << 40) + 19);
	DONE(handle_dup(io, RIGHT_WRITE, &weak));
	EQ(io_read_bytes(weak, 0, 0, got, 3, (uint64_t)&sum, &n), ERR_DENIED);
	DONE(handle_close(weak));
	DONE(handle_close(io));
}

static void resources(void)
{
	handle_t h, io, irq;
	uint32_t v;
	uint64_t done;
	EQ(resource_slice(res_phys, RES_ROOT, 0, 1, &h), ERR_INVALID);
	EQ(resource_slice(res_phys, 99, 0, 1, &h), ERR_INVALID);
	EQ(resource_slice(res_phys, RES_PHYS, 0, PAGE_SIZE, &h), ERR_DENIED);
	EQ(resource_slice(res_phys, RES_PHYS, 0xfee00000, PAGE_SIZE + 1, &h), ERR_DENIED);
	EQ(resource_slice(res_phys, RES_PHYS, UINT64_MAX, UINT64_MAX, &h), ERR_INVALID);
	EQ(resource_slice(res_phys, RES_IOPORTS, 0, 1, &h), ERR_DENIED);
	EQ(resource_slice(res_ioports, RES_IOPORTS, 0x80, 0x10000, &h), ERR_INVALID);
	EQ(resource_slice(res_ioports, RES_IOPORTS, 0x60, 1, &h), ERR_DENIED);
	EQ(resource_slice(res_info, RES_PHYS, 0, PAGE_SIZE, &h), ERR_DENIED);
	DONE(resource_slice(res_phys, RES_PHYS, 0xfee00000, 256, &h));
	DONE(handle_close(h));
	handle_t weak;
	DONE(handle_dup(res_phys, RIGHT_READ | RIGHT_DUP, &weak));
	EQ(resource_slice(weak, RES_PHYS, 0xfee00000, 256, &h), ERR_DENIED);
	DONE(handle_close(weak));

	EQ(ioports_create(res_ioports, 0x60, 1, &io), ERR_DENIED);
	EQ(ioports_create(res_ioports, 0x80, 3, &io), ERR_DENIED);
	CHECK(ioports_create(res_ioports, 0x80, 0, &io) < 0);
	CHECK(ioports_create(res_ioports, UINT32_MAX, 2, &io) < 0);
	EQ(ioports_create(res_phys, 0x80, 1, &io), ERR_DENIED);
	DONE(ioports_create(res_ioports, 0x80, 1, &io));
	DONE(io_write(io, 0, 1, 0x55));
	DONE(io_read(io, 0, 1, &v));
	EQ(io_read(io, 1, 1, &v), ERR_INVALID);
	EQ(io_read(io, 0, 2, &v), ERR_INVALID);         /* it would reach the next port */
	EQ(io_read(io, 0, 3, &v), ERR_INVALID);
	EQ(io_read(io, 0, 0, &v), ERR_INVALID);
	EQ(io_read(io, UINT32_MAX, 1, &v), ERR_INVALID);
	EQ(io_read(io, UINT32_MAX, 4, &v), ERR_INVALID);
	EQ(io_write(io, 1, 1, 0), ERR_INVALID);
	EQ(io_write(io, 0, 4, 0), ERR_INVALID);
	static const char text[70];
	uint64_t sum = 1ull << 40;
	DONE(io_write_bytes(io, 0, "abc", 3, 0, &done));
	EQ(done, 3);
	DONE(io_write_bytes(io, 0, "abc", 3, (uint64_t)&sum, &done));
	EQ(sum, (1ull << 40) + 3);
	DONE(io_write_bytes(io, 0, text, sizeof(text), (uint64_t)&sum, &done));
	EQ(done, 64);
	EQ(sum, (1ull << 40) + 67);
	EQ(io_write_bytes(io, 1, "abc", 3, (uint64_t)&sum, &done), ERR_INVALID);
	EQ(io_write_bytes(io, 0, (const void *)kernel_addresses[0], 3, (uint64_t)&sum, &done), ERR_FAULT);
	EQ(io_write_bytes(io, 0, "abc", 3, kernel_addresses[0], &done), ERR_FAULT);
	EQ(sum, (1ull << 40) + 67);
	DONE(handle_dup(io, RIGHT_READ, &weak));
	EQ(io_write(weak, 0, 1, 0), ERR_DENIED);
	DONE(handle_close(weak));
	DONE(handle_close(io));
	read_bytes();

	EQ(irq_create(res_irq, 22, IRQ_DEFAULT, &irq), ERR_DENIED);
	CHECK(irq_create(res_irq, UINT32_MAX, IRQ_DEFAULT, &irq) < 0);
	CHECK(irq_create(res_irq, 23, 0xff00, &irq) < 0);
	DONE(irq_create(res_irq, 23, IRQ_LEVEL | IRQ_ACTIVE_LOW, &irq));
	handle_t second, n;
	EQ(irq_create(res_irq, 23, IRQ_LEVEL, &second), ERR_BUSY);
	DONE(notify_create(&n));
	DONE(notify_bind(n, 0, irq));
	EQ(notify_bind(n, 0, irq), ERR_EXISTS);
	DONE(irq_ack(irq));
	DONE(handle_close(irq));
	DONE(handle_close(n));
}

/* Interrupts that come as messages: each a vector of its own, to a CPU that there is; authority is over the device. */
static void messages(void)
{
	enum { SOME = 40 };
	handle_t irqs[SOME], weak, irq = 0, n;
	uint64_t address;
	uint32_t data;
	bool seen[256] = { 0 };
	EQ(irq_create_msi(res_dma, 8, &irq, &address, &data), ERR_DENIED);      /* the first number that is not ours */
	EQ(irq_create_msi(res_dma, UINT32_MAX, &irq, &address, &data), ERR_DENIED);
	EQ(irq_create_msi(res_irq, 0, &irq, &address, &data), ERR_DENIED);
	EQ(irq_create_msi(res_phys, 0, &irq, &address, &data), ERR_DENIED);
	EQ(processor_reset(res_dma), ERR_DENIED);
	EQ(processor_reset(0), ERR_BAD_HANDLE);
	EQ(irq_create_msi(0, 0, &irq, &address, &data), ERR_BAD_HANDLE);
	DONE(handle_dup(res_dma, RIGHT_READ | RIGHT_WRITE, &weak));
	EQ(irq_create_msi(weak, 0, &irq, &address, &data), ERR_DENIED);
	DONE(handle_close(weak));
	EQ(irq, 0);
	DONE(notify_create(&n));
	/* A second round finds the vectors of the first one free again. */
	for (unsigned round = 0; round < 10; round++, memset(seen, 0, sizeof(seen)))
		for (unsigned i = 0; i < 2 * SOME; i++) {
			if (i >= SOME) {
				DONE(handle_close(irqs[i - SOME]));
				continue;
			}
			status_t st = ERR_NO_SPACE;
			for (unsigned ms = 0; st == ERR_NO_SPACE && ms < 5000; ms++, pause_ms(st == ERR_NO_SPACE))
				st = irq_create_msi(res_dma, i & 7, &irqs[i], &address, &data);
			DONE(st);
			EQ(address & ~0xff000ull, 0xfee00000);
			CHECK((address >> 12 & 0xff) != 0xff);
			CHECK(data >= 0x30 && data < 0xe0 && !seen[data]);
			seen[data & 0xff] = true;
			DONE(irq_ack(irqs[i]));
			if (i == 0 && round == 0) {
				DONE(notify_bind(n, 0, irqs[i]));
				EQ(notify_bind(n, 0, irqs[i]), ERR_EXISTS);
			}
		}
	DONE(handle_close(n));
}

/* The line of the 8254 goes to one CPU after the other, and from wherever it went the interrupt arrives. */
static void irq_on_every_cpu(void)
{
	enum { CHANNEL0, COMMAND = 3, ONCE = 0x30, COUNT = 1193 /* 1 ms */, WAIT_MS = 5000 };
	handle_t line = granted("irq1"), ports = granted("ioports1"), io, irq, port, n;
	struct kstat k;
	struct event e;
	DONE(kstat(res_info, &k));
	DONE(ioports_create(ports, 0x40, 4, &io));
	DONE(port_create(0, &port));
	for (unsigned round = 0; round <= 2 * k.cpus; round++) {
		status_t st = ERR_BUSY;
		for (unsigned ms = 0; st == ERR_BUSY && ms < WAIT_MS; ms++, pause_ms(st == ERR_BUSY))
			st = irq_create(line, 0, IRQ_ISA, &irq);        /* the last one is still on its way out */
		DONE(st);
		DONE(notify_create(&n));                /* it keeps what is bound to it */
		DONE(notify_port(n, port, 1));
		DONE(notify_bind(n, 0, irq));
		DONE(irq_ack(irq));
		DONE(io_write(io, COMMAND, 1, ONCE));
		DONE(io_write(io, CHANNEL0, 1, COUNT & 0xff));
		DONE(io_write(io, CHANNEL0, 1, COUNT >> 8));
		DONE(ipc_accept(port, now_ns() + WAIT_MS * NS_PER_MS, &e));
		DONE(handle_close(irq));
		DONE(handle_close(n));
	}
	DONE(handle_close(port));
	DONE(handle_close(io));
	DONE(handle_close(ports));
	DONE(handle_close(line));
}

/* ---- every pointer of every call ---- */

enum { IN, OUT };
#define P UINT64_MAX            /* where the pointer goes */

static void pointers(void)
{
	static struct kstat room;
	handle_t f, ns, port, n, io;
	DONE(frame_create(4 * PAGE_SIZE, 0, &f));
	DONE(ns_create(&ns));
	DONE(port_create(0, &port));
	DONE(notify_create(&n));
	DONE(ioports_create(res_ioports, 0x80, 1, &io));
	handle_t session;
	DONE(session_create(port, 1, 0, &session));
	const struct { uint32_t number; int way; uint32_t size; uint64_t a[6]; } calls[] = {
		{ SYS_handle_info, OUT, sizeof(struct handle_info), { n, P } },
		{ SYS_handle_list, OUT, sizeof(struct handle_info), { 0, 0, P, 1 } },
		{ SYS_process_exec, IN, sizeof(struct exec_args), { P } },
		{ SYS_process_info, OUT, sizeof(struct process_info), { 0, P } },
		{ SYS_process_list, OUT, sizeof(struct process_info), { res_info, 0, P, 1 } },
		{ SYS_process_namespace, OUT, sizeof(struct ns_entry), { 0, P, 1 } },
		{ SYS_vmem_query, OUT, sizeof(struct mapping_info), { 0, USER_MIN, P } },
		{ SYS_frame_read, OUT, 64, { f, 0, P, 64 } },
		{ SYS_frame_write, IN, 64, { f, 0, P, 64 } },
		{ SYS_frame_info, OUT, sizeof(struct frame_info), { f, P } },
		{ SYS_ns_bind, IN, 8, { ns, P, 8, session } },
		{ SYS_ns_unbind, IN, 8, { ns, P, 8 } },
		{ SYS_ns_list, OUT, sizeof(struct ns_entry), { 0, P, 1 } },
		{ SYS_proto_create, IN, 8, { ns, P, 8, port, 0, 0 } },
		{ SYS_io_write_bytes, IN, 8, { io, 0, P, 8 } },
		{ SYS_io_read_bytes, OUT, 8, { io, 0, 0, P, 4, (uint64_t)&room } }, { SYS_io_read_bytes, OUT, 8, { io, 0, 0, (uint64_t)&room, 1, P } },
		{ SYS_budget_create, IN, sizeof(struct budget_limits), { 0, P } },
		{ SYS_budget_info, OUT, sizeof(struct budget_info), { 0, P } },
		{ SYS_log_write, IN, 16, { P, 16 } },
		{ SYS_log_read, OUT, 16, { res_info, 0, P, 16 } },
		{ SYS_kstat, OUT, sizeof(room), { res_info, P } },
	};
	uint64_t edge = edge_make(), ro = page_make(PROT_READ), none = page_make(0);
	CHECK(edge && ro && none);
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		uint64_t bad[KERNEL_ADDRESS_COUNT + 12];
		size_t k = 0;
		bad[k++] = 0;
		bad[k++] = 8;
		bad[k++] = edge + PAGE_SIZE;
		bad[k++] = edge + PAGE_SIZE - calls[i].size + 1;        /* all but one byte is there */
		bad[k++] = edge + PAGE_SIZE - 1;
		bad[k++] = none;
		bad[k++] = USER_TOP - 4;
		bad[k++] = USER_TOP - calls[i].size + 1;
		bad[k++] = UINT64_MAX - calls[i].size + 2;              /* wraps */
		bad[k++] = 0x0000800000000000 - 1;
		if (calls[i].way == OUT)
			bad[k++] = ro;
		for (unsigned m = 0; m < KERNEL_ADDRESS_COUNT; m++)
			bad[k++] = kernel_addresses[m];
		for (size_t b = 0; b < k; b++) {
			uint64_t a[6];
			for (unsigned m = 0; m < 6; m++)
				a[m] = calls[i].a[m] == P ? bad[b] : calls[i].a[m];
			status_t st = sys(calls[i].number, a[0], a[1], a[2], a[3], a[4], a[5]);
			if (st != ERR_FAULT) {
				test_fail(__FILE__, __LINE__, "call %#x with pointer %#llx (number %zu): %lld %s", calls[i].number,
					(unsigned long long)bad[b], b, (long long)st, st < 0 ? error_name(st) : "");
				return;
			}
		}
	}
	/* A read-only page is good enough to read from. */
	uint64_t done;
	DONE(frame_write(f, 0, (void *)ro, 64, &done));
	page_free(none);
	page_free(ro);
	edge_free(edge);
	DONE(handle_close(session));
	DONE(handle_close(io));
	DONE(handle_close(n));
	DONE(handle_close(port));
	DONE(handle_close(ns));
	DONE(handle_close(f));
}

/* Lengths that promise more than there is memory, and counts that would overflow. */
static void lengths(void)
{
	static struct handle_info list[4];
	struct process_info *pi = (struct process_info *)page_make(PROT_READ | PROT_WRITE);
	uint32_t got, next;
	uint64_t edge = edge_make();
	EQ(handle_list(0, 0, (struct handle_info *)(edge + PAGE_SIZE - sizeof(*list)), UINT32_MAX, &got, &next), ERR_FAULT);
	DONE(handle_list(0, 0, list, 0, &got, &next));
	EQ(got, 0);
	EQ(process_list(res_info, 0, (struct process_info *)(edge + PAGE_SIZE - sizeof(*pi)), UINT32_MAX, &got), ERR_FAULT);
	DONE(process_list(res_info, 0, pi, 0, &got));
	EQ(got, 0);
	EQ(log_write((char *)edge + PAGE_SIZE - 10, UINT64_MAX), ERR_FAULT);
	EQ(log_write((char *)1, UINT64_MAX), ERR_FAULT);
	edge_free(edge);
	page_free((uint64_t)pi);
}

const struct test misc_tests[] = {
	{ "log", log_calls },
	{ "cmdline", command_line },
	{ "kstat", account },
	{ "namespaces", namespaces },
	{ "resources", resources },
	{ "irq-messages", messages },
	{ "irq-on-every-cpu", irq_on_every_cpu },
	{ "pointers", pointers },
	{ "lengths", lengths },
	{ NULL, NULL },
};

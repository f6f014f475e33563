/*
 * fpu: vector and floating-point state belongs to a thread. This file alone is compiled with SSE
 * (tests/system/systest/part.mk); the rest of the program, as every service, is not.
 */
#include <gen/syscall_numbers.h>
#include <stdlib.h>
#include "test.h"

enum { ROUNDS = 300 };

typedef uint64_t vector __attribute__((vector_size(16)));

/* The upper halves of vector registers are there (Intel SDM 1, 14.3). */
static bool have_ymm(void)
{
	uint32_t a = 1, c = 0, on = 0;
	asm volatile("cpuid" : "+a"(a), "+c"(c) :: "ebx", "edx");
	if ((c & 0x18000000) != 0x18000000)     /* OSXSAVE, AVX */
		return false;
	asm volatile("xgetbv" : "=a"(on) : "c"(0) : "edx");
	return (on & 6) == 6;
}

/* Loads all sixteen registers with a pattern, gives the processor away, and looks. */
static bool keep(uint64_t seed, void (*pass)(void))
{
	vector in[16], out[16], wide[2], wide_now[2] = { { 0 } };
	bool ymm = have_ymm();
	uint32_t control = 0x1f80 | (seed & 3) << 13, now;      /* rounding mode: part of the state */
	uint16_t x87 = (uint16_t)(0x37f | (seed & 3) << 10), x87_now;
	for (unsigned i = 0; i < 16; i++)
		in[i] = (vector){ seed * 0x9e3779b97f4a7c15 + i, ~seed + i };
	asm volatile("ldmxcsr %0; fldcw %1" :: "m"(control), "m"(x87));
#define LOAD(n) "movdqa " #n "*16(%0), %%xmm" #n ";"
#define STORE(n) "movdqa %%xmm" #n ", " #n "*16(%0);"
#define ALL(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
	wide[0] = in[15];
	wide[1] = (vector){ ~seed * 3, seed * 5 };
	asm volatile(ALL(LOAD) :: "r"(in) : "memory");
	if (ymm)
		asm volatile("vmovdqu (%0), %%ymm15" :: "r"(wide) : "memory");
	pass();
	asm volatile(ALL(STORE) :: "r"(out) : "memory");
	if (ymm)
		asm volatile("vmovdqu %%ymm15, (%0)" :: "r"(wide_now) : "memory");
	asm volatile("stmxcsr %0; fnstcw %1" : "=m"(now), "=m"(x87_now));
	asm volatile("ldmxcsr %0" :: "m"((uint32_t){ 0x1f80 }));
	return memcmp(in, out, sizeof(in)) == 0 && (!ymm || memcmp(wide, wide_now, sizeof(wide)) == 0) && now == control && x87_now == x87;
}

/*
 * What a preempted thread had is what it finds; a native call may forget vector registers, so the waiting here is
 * done without one.
 */
static volatile uint64_t spins;

static void spin_a_while(void)
{
	for (unsigned i = 0; i < 3000000; i++)
		spins++;
}

static void keep_on(struct worker *w)
{
	w->result = OK;
	for (unsigned i = 0; i < 6; i++)
		if (!keep((uint64_t)w->arg + i, spin_a_while))
			w->result = ERR_IO;
}

static void preempted(void)
{
	static struct worker w[3];
	for (size_t i = 0; i < ARRAY_LEN(w); i++)
		DONE(worker_start(&w[i], keep_on, (void *)(i * 1000 + 1), PRIORITY_NORMAL - 1));
	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		DONE(worker_join(&w[i]));
		DONE(w[i].result);
	}
}

/* Two processes that compute the same sum at once, in floating point, come to the same end. */
static double series(unsigned n)
{
	double s = 0;
	for (unsigned i = 1; i <= n; i++)
		s += 1.0 / ((double)i * (double)i);
	return s;
}

static void processes(void)
{
	struct child c[3];
	struct process_info info;
	for (size_t i = 0; i < ARRAY_LEN(c); i++)
		DONE(child_start(&c[i], "fpu-series", NULL, NULL, 0, 0, 0));
	double mine = series(400000);
	CHECK(mine > 1.64492 && mine < 1.64494);
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		DONE(child_wait(&c[i], 20000, &info));
		EQ(info.exit_kind, EXIT_NORMAL);
		EQ(info.exit_status, 0);
	}
}

/* The first use finds everything empty, whatever another process left in the registers. */
static void fresh(void)
{
	struct process_info info;
	CHECK(keep(0x1234567, spin_a_while));
	for (unsigned i = 0; i < 3; i++) {
		DONE(child_run("fpu-fresh", NULL, &info));
		EQ(info.exit_kind, EXIT_NORMAL);
		EQ(info.exit_status, 0);
	}
}

/* A call may forget vector registers; what it must not do is to let either side see the other's. */
static handle_t port, session;
static bool server_owns;

/* Does what r says with a pattern in all registers; true: none of them has `theirs` afterwards. */
static bool call_with(struct ipc_regs *r, uint64_t mine, uint64_t theirs)
{
	vector in[16], out[16];
	for (unsigned i = 0; i < 16; i++)
		in[i] = (vector){ mine, mine + i };
	asm volatile(ALL(LOAD) :: "r"(in) : "memory");
	ipc_raw(r);
	asm volatile(ALL(STORE) :: "r"(out) : "memory");
	for (unsigned i = 0; i < 16; i++)
		if (out[i][0] == theirs || out[i][1] - theirs < 16)
			return false;
	return true;
}

static void serve_with(struct worker *w)
{
	struct ipc_regs r = { .rax = SYS_accept, .rdi = port, .rbp = FOREVER };
	bool clean = true;
	while ((status_t)r.rax >= 0) {
		if (server_owns)
			clean &= call_with(&r, 0x5e55e55e, 0xc11e0000);
		else
			ipc_raw(&r);
		if (IPC_META_OP(r.r15) == 2)
			break;
		r = (struct ipc_regs){ .rax = SYS_return_accept | (uint64_t)port << 32, .rdi = r.rdi };
	}
	(void)ipc_return(r.rdi, &(struct reply){ 0 });
	w->result = clean ? OK : ERR_IO;
}

static void calls(void)
{
	static struct worker w;
	struct ipc_regs words = { .rax = SYS_call_words, .r15 = 1 }, windows = { .rax = SYS_call, .rbp = FOREVER }, r;
	static char memory[64];
	for (unsigned how = 0; how < 2; how++) {
		server_owns = how;
		DONE(port_create(0, &port));
		DONE(session_create(port, 1, RIGHT_READ, &session));
		DONE(worker_start(&w, serve_with, NULL, PRIORITY_NORMAL));
		words.rdi = windows.rdi = session;
		windows.r13 = (uint64_t)memory;
		windows.r15 = IPC_META(1, sizeof(memory), 0, 0);
		for (unsigned i = 0; i < ROUNDS; i++) {
			CHECK(call_with((r = words, &r), 0xc11e0000, 0x5e55e55e));
			CHECK(call_with((r = windows, &r), 0xc11e0000, 0x5e55e55e));
			/* What a computation keeps over calls lies in memory; its control words are as they should be. */
			CHECK(series(i + 1) >= 1.0);
		}
		DONE(ipc_call_words(session, 2, (uint64_t[IPC_WORDS]){ 0 }));
		DONE(worker_join(&w));
		DONE(w.result);
		DONE(handle_close(session));
		DONE(handle_close(port));
	}
}

static volatile uint64_t base_of_fs[2][2];

static void hold_base(struct worker *w)
{
	uint64_t *here = (uint64_t *)w->arg, value;
	w->result = thread_set_base(THREAD_FS_BASE, (uint64_t)here);
	if (w->result == OK)
		w->result = thread_set_base(THREAD_GS_BASE, (uint64_t)here);
	for (unsigned i = 0; i < ROUNDS && w->result == OK; i++) {
		asm volatile("mov %%fs:0, %0" : "=r"(value));
		if (value != here[0])
			w->result = ERR_IO;
		asm volatile("mov %%gs:8, %0" : "=r"(value));
		if (value != here[1])
			w->result = ERR_IO;
		if (i % 3)
			thread_yield();
		else
			thread_sleep(now_ns() + 1000);
	}
}

static void bases(void)
{
	static struct worker w[2];
	for (size_t i = 0; i < 2; i++) {
		base_of_fs[i][0] = 100 + i;
		base_of_fs[i][1] = 200 + i;
		DONE(worker_start(&w[i], hold_base, (void *)base_of_fs[i], PRIORITY_NORMAL));
	}
	for (size_t i = 0; i < 2; i++) {
		DONE(worker_join(&w[i]));
		DONE(w[i].result);
	}
}

static int deed_series(int argc unused, char **argv unused)
{
	double first = series(200000);
	for (unsigned i = 0; i < 3; i++)
		if (series(200000) != first)
			return 1;
	return 0;
}

static int deed_fresh(int argc unused, char **argv unused)
{
	vector out[16];
	uint32_t control;
	asm volatile(ALL(STORE) :: "r"(out) : "memory");
	asm volatile("stmxcsr %0" : "=m"(control));
	for (unsigned i = 0; i < 16; i++)
		if (out[i][0] || out[i][1])
			return 1;
	return control == 0x1f80 ? 0 : 2;
}

const struct deed fpu_deeds[] = {
	{ "fpu-series", deed_series },
	{ "fpu-fresh", deed_fresh },
	{ NULL, NULL },
};

const struct test fpu_tests[] = {
	{ "fpu-preempted", preempted },
	{ "fpu-processes", processes },
	{ "fpu-fresh", fresh },
	{ "fpu-calls", calls },
	{ "thread-bases", bases },
	{ NULL, NULL },
};

/*
 * memory: mappings and Frames: what they promise, and every way to ask for what cannot be.
 */
#include "test.h"

#define RW (PROT_READ | PROT_WRITE)

static bool all_bytes(const void *p, uint8_t value, size_t n)
{
	const uint8_t *b = p;
	for (size_t i = 0; i < n; i++)
		if (b[i] != value)
			return false;
	return true;
}

static void map_basics(void)
{
	uint64_t va, second;
	struct mapping_info m;
	DONE(vmem_map(0, 0, 0, 0, 3 * PAGE_SIZE, RW, &va));
	CHECK(va >= USER_MIN && va < USER_TOP && va % PAGE_SIZE == 0);
	CHECK(all_bytes((void *)va, 0, 3 * PAGE_SIZE));
	memset((void *)va, 0xa5, 3 * PAGE_SIZE);
	DONE(vmem_query(0, va + PAGE_SIZE + 17, &m));
	EQ(m.va, va);
	EQ(m.size, 3 * PAGE_SIZE);
	EQ(m.prot, RW);
	EQ(vmem_map(0, 0, 0, va + PAGE_SIZE, PAGE_SIZE, RW | MAP_FIXED, &second), ERR_EXISTS);
	DONE(vmem_map(0, 0, 0, va + PAGE_SIZE, PAGE_SIZE, RW | MAP_FIXED | MAP_REPLACE, &second));
	EQ(second, va + PAGE_SIZE);
	CHECK(all_bytes((void *)second, 0, PAGE_SIZE));
	CHECK(all_bytes((void *)va, 0xa5, PAGE_SIZE));
	CHECK(all_bytes((void *)(va + 2 * PAGE_SIZE), 0xa5, PAGE_SIZE));
	DONE(vmem_unmap(0, va, 3 * PAGE_SIZE));
	DONE(vmem_unmap(0, va, 3 * PAGE_SIZE));         /* nothing there is no error */
	/* A hint is taken when it is free. */
	DONE(vmem_map(0, 0, 0, va, PAGE_SIZE, RW, &second));
	EQ(second, va);
	DONE(vmem_unmap(0, second, PAGE_SIZE));
}

static void map_refused(void)
{
	static const struct { uint64_t offset, va, size; uint32_t prot; status_t want; } bad[] = {
		{ 0, 0, 0, RW, ERR_INVALID },
		{ 0, 0, 1, RW, ERR_INVALID },
		{ 0, 0, PAGE_SIZE + 1, RW, ERR_INVALID },
		{ 0, 0, UINT64_MAX, RW, ERR_INVALID },
		{ 0, 0, ALIGN_DOWN(UINT64_MAX, PAGE_SIZE), RW, ERR_INVALID },
		{ 1, 0, PAGE_SIZE, RW, ERR_INVALID },
		{ PAGE_SIZE, 0, PAGE_SIZE, RW, ERR_INVALID },
		{ 0, 0, PAGE_SIZE, RW | PROT_EXEC, ERR_DENIED },
		{ 0, 0, PAGE_SIZE, PROT_WRITE | PROT_EXEC, ERR_DENIED },
		{ 0, 0, PAGE_SIZE, 8, ERR_INVALID },
		{ 0, 0, PAGE_SIZE, RW | 1u << 31, ERR_INVALID },
		{ 0, 0, PAGE_SIZE, RW | MAP_FIXED, ERR_INVALID },
		{ 0, PAGE_SIZE, PAGE_SIZE, RW | MAP_FIXED, ERR_INVALID },
		{ 0, USER_MIN - PAGE_SIZE, PAGE_SIZE, RW | MAP_FIXED, ERR_INVALID },
		{ 0, USER_MIN + 1, PAGE_SIZE, RW | MAP_FIXED, ERR_INVALID },
		{ 0, USER_TOP, PAGE_SIZE, RW | MAP_FIXED, ERR_INVALID },
		{ 0, USER_TOP - PAGE_SIZE, 2 * PAGE_SIZE, RW | MAP_FIXED, ERR_INVALID },
		{ 0, 0x800000000000ull, PAGE_SIZE, RW | MAP_FIXED, ERR_INVALID },
		{ 0, 0xffffffff80000000ull, PAGE_SIZE, RW | MAP_FIXED, ERR_INVALID },
		{ 0, 0xffffffff80000000ull, PAGE_SIZE, RW | MAP_FIXED | MAP_REPLACE, ERR_INVALID },
		{ 0, ALIGN_DOWN(UINT64_MAX, PAGE_SIZE), PAGE_SIZE, RW | MAP_FIXED, ERR_INVALID },
	};
	uint64_t va = 1;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		status_t st = vmem_map(0, 0, bad[i].offset, bad[i].va, bad[i].size, bad[i].prot, &va);
		if (st != bad[i].want) {
			test_fail(__FILE__, __LINE__, "mistake %zu is answered %lld %s", i, (long long)st, error_name(st));
			return;
		}
		EQ(va, 1);
	}
	EQ(vmem_unmap(0, 0, 0), ERR_INVALID);
	EQ(vmem_unmap(0, 0x10000000001ull, PAGE_SIZE), ERR_INVALID);
	EQ(vmem_unmap(0, 0x10000000000ull, 100), ERR_INVALID);
	EQ(vmem_unmap(0, 0xffffffff80000000ull, PAGE_SIZE), ERR_INVALID);
	EQ(vmem_unmap(0, USER_TOP - PAGE_SIZE, 1ull << 63), ERR_INVALID);
	EQ(vmem_protect(0, USER_TOP, PAGE_SIZE, PROT_READ), ERR_INVALID);
	EQ(vmem_protect(0, 0x123456789000ull, PAGE_SIZE, PROT_READ), ERR_NOT_FOUND);
	struct mapping_info m;
	EQ(vmem_query(0, USER_TOP, &m), ERR_NOT_FOUND);
	EQ(vmem_query(0, UINT64_MAX, &m), ERR_NOT_FOUND);
}

/* Unmapping and protecting in the middle split what is there. */
static void split(void)
{
	uint64_t va;
	struct mapping_info m;
	handle_t f;
	DONE(frame_create(8 * PAGE_SIZE, 0, &f));
	DONE(vmem_map(0, f, 0, 0, 8 * PAGE_SIZE, RW, &va));
	for (uint64_t i = 0; i < 8; i++)
		memset((void *)(va + i * PAGE_SIZE), (int)i + 1, PAGE_SIZE);
	DONE(vmem_unmap(0, va + 2 * PAGE_SIZE, PAGE_SIZE));
	DONE(vmem_protect(0, va + 5 * PAGE_SIZE, PAGE_SIZE, PROT_READ));
	EQ(vmem_protect(0, va, 8 * PAGE_SIZE, PROT_READ), ERR_NOT_FOUND);
	EQ(vmem_protect(0, va, PAGE_SIZE, PROT_WRITE | PROT_EXEC), ERR_DENIED);
	DONE(vmem_query(0, va, &m));
	EQ(m.size, 2 * PAGE_SIZE);
	DONE(vmem_query(0, va + 2 * PAGE_SIZE, &m));
	EQ(m.va, va + 3 * PAGE_SIZE);
	EQ(m.offset, 3 * PAGE_SIZE);
	EQ(m.size, 2 * PAGE_SIZE);
	DONE(vmem_query(0, va + 5 * PAGE_SIZE, &m));
	EQ(m.prot, PROT_READ);
	EQ(m.size, PAGE_SIZE);
	for (uint64_t i = 0; i < 8; i++)
		CHECK(i == 2 || all_bytes((void *)(va + i * PAGE_SIZE), (uint8_t)(i + 1), PAGE_SIZE));
	/* What was unmapped is still in the Frame. */
	uint64_t done;
	uint8_t byte;
	DONE(frame_read(f, 2 * PAGE_SIZE + 9, &byte, 1, &done));
	EQ(byte, 3);
	DONE(vmem_unmap(0, va, 8 * PAGE_SIZE));
	DONE(handle_close(f));
}

/* A mapping never has more than the handle it was made with. */
static void rights(void)
{
	handle_t f, ro, nomap;
	uint64_t va = 0, done;
	char byte = 1;
	DONE(frame_create(PAGE_SIZE, 0, &f));
	DONE(handle_dup(f, RIGHT_READ | RIGHT_MAP | RIGHT_DUP, &ro));
	DONE(handle_dup(f, RIGHT_READ | RIGHT_WRITE | RIGHT_EXEC, &nomap));
	EQ(vmem_map(0, nomap, 0, 0, PAGE_SIZE, PROT_READ, &va), ERR_DENIED);
	EQ(vmem_map(0, ro, 0, 0, PAGE_SIZE, RW, &va), ERR_DENIED);
	EQ(vmem_map(0, ro, 0, 0, PAGE_SIZE, PROT_READ | PROT_EXEC, &va), ERR_DENIED);
	EQ(frame_write(ro, 0, &byte, 1, &done), ERR_DENIED);
	EQ(frame_resize(ro, PAGE_SIZE), ERR_DENIED);
	EQ(frame_decommit(ro, 0, PAGE_SIZE), ERR_DENIED);
	DONE(vmem_map(0, ro, 0, 0, PAGE_SIZE, PROT_READ, &va));
	EQ(vmem_protect(0, va, PAGE_SIZE, RW), ERR_DENIED);
	EQ(vmem_protect(0, va, PAGE_SIZE, PROT_EXEC), ERR_DENIED);
	DONE(vmem_protect(0, va, PAGE_SIZE, 0));
	DONE(vmem_protect(0, va, PAGE_SIZE, PROT_READ));
	CHECK(all_bytes((void *)va, 0, PAGE_SIZE));
	DONE(vmem_unmap(0, va, PAGE_SIZE));
	DONE(handle_close(nomap));
	DONE(handle_close(ro));
	DONE(handle_close(f));
}

static void two_places(void)
{
	handle_t f;
	uint64_t a, b, done;
	char text[8] = "skerry";
	DONE(frame_create(4 * PAGE_SIZE, 0, &f));
	DONE(vmem_map(0, f, 0, 0, 4 * PAGE_SIZE, RW, &a));
	DONE(vmem_map(0, f, PAGE_SIZE, 0, 2 * PAGE_SIZE, PROT_READ, &b));
	strcpy((char *)a + PAGE_SIZE + 100, text);
	CHECK(!strcmp((char *)b + 100, text));
	DONE(frame_write(f, PAGE_SIZE + 200, text, 7, &done));
	EQ(done, 7);
	CHECK(!strcmp((char *)b + 200, text) && !strcmp((char *)a + PAGE_SIZE + 200, text));
	DONE(handle_close(f));                          /* the mappings hold it */
	strcpy((char *)a + PAGE_SIZE + 300, text);
	CHECK(!strcmp((char *)b + 300, text));
	DONE(vmem_unmap(0, a, 4 * PAGE_SIZE));
	CHECK(!strcmp((char *)b + 300, text));
	DONE(vmem_unmap(0, b, 2 * PAGE_SIZE));
}

static void lazy(void)
{
	handle_t f;
	struct frame_info info;
	uint64_t va, done;
	char page[64];
	DONE(frame_create(1 * GiB, 0, &f));
	DONE(frame_info(f, &info));
	EQ(info.size, 1 * GiB);
	EQ(info.committed, 0);
	EQ(info.phys, 0);
	DONE(frame_read(f, 512 * MiB, page, sizeof(page), &done));
	EQ(done, sizeof(page));
	CHECK(all_bytes(page, 0, sizeof(page)));
	DONE(frame_info(f, &info));
	EQ(info.committed, 0);                          /* reading makes no page */
	DONE(vmem_map(0, f, 0, 0, 1 * GiB, RW, &va));
	*(volatile char *)(va + 7 * PAGE_SIZE) = 1;
	*(volatile char *)(va + 900 * MiB) = 1;
	DONE(frame_info(f, &info));
	EQ(info.committed, 2 * PAGE_SIZE);
	DONE(frame_decommit(f, 0, 1 * GiB));
	DONE(frame_info(f, &info));
	EQ(info.committed, 0);
	EQ(*(volatile char *)(va + 7 * PAGE_SIZE), 0);
	EQ(*(volatile char *)(va + 900 * MiB), 0);
	DONE(vmem_unmap(0, va, 1 * GiB));
	DONE(handle_close(f));
}

static void resize(void)
{
	handle_t f;
	uint64_t va, done;
	char c = 7, back = 0;
	DONE(frame_create(PAGE_SIZE, 0, &f));
	EQ(frame_write(f, PAGE_SIZE, &c, 1, &done), OK);
	EQ(done, 0);
	DONE(frame_resize(f, 600 * PAGE_SIZE));         /* from an array to a tree */
	DONE(frame_write(f, 599 * PAGE_SIZE, &c, 1, &done));
	EQ(done, 1);
	DONE(frame_write(f, 0, &c, 1, &done));
	DONE(vmem_map(0, f, 0, 0, 600 * PAGE_SIZE, RW, &va));
	EQ(*(volatile char *)(va + 599 * PAGE_SIZE), 7);
	DONE(frame_resize(f, 100 * PAGE_SIZE));
	struct frame_info info;
	DONE(frame_info(f, &info));
	EQ(info.size, 100 * PAGE_SIZE);
	EQ(info.committed, PAGE_SIZE);
	DONE(frame_read(f, 599 * PAGE_SIZE, &back, 1, &done));
	EQ(done, 0);
	EQ(*(volatile char *)va, 7);
	DONE(frame_resize(f, 600 * PAGE_SIZE));
	EQ(*(volatile char *)(va + 599 * PAGE_SIZE), 0);        /* what comes back is new */
	EQ(frame_resize(f, 0), ERR_INVALID);
	EQ(frame_resize(f, UINT64_MAX), ERR_INVALID);
	EQ(frame_resize(f, 1ull << 60), ERR_INVALID);
	DONE(vmem_unmap(0, va, 600 * PAGE_SIZE));
	DONE(handle_close(f));
}

/* So large that looking at all of it would take far longer than the second allowed, however busy the host is. */
#define HOLE_END (64ull << 40)

/* Cutting off a large hole takes no longer than a small one; what is in it goes, and what is below stays. */
static void resize_holes(void)
{
	static const uint64_t at[] = { 0, 3 * PAGE_SIZE, GiB, GiB + 100 * PAGE_SIZE, 100 * GiB, HOLE_END - PAGE_SIZE };
	struct process_info before, after;
	struct frame_info info;
	handle_t f;
	uint64_t done;
	char c = 7, back = 0;
	DONE(frame_create(HOLE_END, 0, &f));
	for (unsigned i = 0; i < ARRAY_LEN(at); i++)
		DONE(frame_write(f, at[i], &c, 1, &done));
	DONE(process_info(0, &before));
	DONE(frame_resize(f, HOLE_END - PAGE_SIZE));
	DONE(frame_resize(f, 2 * PAGE_SIZE));
	DONE(process_info(0, &after));
	CHECK(after.cpu_time_ns - before.cpu_time_ns < NS_PER_SEC);
	DONE(frame_info(f, &info));
	EQ(info.committed, PAGE_SIZE);
	DONE(frame_read(f, 0, &back, 1, &done));
	EQ(back, 7);
	DONE(frame_resize(f, HOLE_END));
	for (unsigned i = 1; i < ARRAY_LEN(at); i++) {
		DONE(frame_read(f, at[i], &back, 1, &done));
		EQ(back, 0);
	}
	DONE(handle_close(f));
}

static void frame_mistakes(void)
{
	handle_t f;
	uint64_t done, va;
	char buf[16];
	EQ(frame_create(0, 0, &f), ERR_INVALID);
	EQ(frame_create(UINT64_MAX, 0, &f), ERR_INVALID);
	EQ(frame_create(1ull << 62, 0, &f), ERR_INVALID);
	EQ(frame_create(PAGE_SIZE, 4, &f), ERR_INVALID);
	CHECK(frame_create(1ull << 46, FRAME_CONTIGUOUS, &f) < 0);
	DONE(frame_create(2 * PAGE_SIZE, 0, &f));
	EQ(frame_decommit(f, 1, PAGE_SIZE), ERR_INVALID);
	EQ(frame_decommit(f, 0, 3 * PAGE_SIZE), ERR_INVALID);
	EQ(frame_decommit(f, ALIGN_DOWN(UINT64_MAX, PAGE_SIZE), 2 * PAGE_SIZE), ERR_INVALID);
	EQ(vmem_map(0, f, PAGE_SIZE, 0, 2 * PAGE_SIZE, RW, &va), ERR_INVALID);
	EQ(vmem_map(0, f, ALIGN_DOWN(UINT64_MAX, PAGE_SIZE), 0, 2 * PAGE_SIZE, RW, &va), ERR_INVALID);
	DONE(frame_read(f, UINT64_MAX, buf, sizeof(buf), &done));
	EQ(done, 0);
	DONE(frame_read(f, 2 * PAGE_SIZE - 4, buf, sizeof(buf), &done));
	EQ(done, 4);
	DONE(frame_write(f, 2 * PAGE_SIZE - 4, buf, UINT64_MAX, &done));
	EQ(done, 4);
	DONE(handle_close(f));
}

static uint64_t faults(void)
{
	struct kstat k = { 0 };
	(void)!kstat(res_info, &k);
	return k.page_faults;
}

/* Of this process while it reads [va, va + size); another's heartbeat may add one or two. */
static uint64_t faults_reading(uint64_t va, uint64_t size)
{
	uint64_t before = faults();
	for (uint64_t at = 0; at < size; at += PAGE_SIZE)
		(void)*(volatile uint8_t *)(va + at);
	return faults() - before;
}

/* Contiguous memory takes one fault for 2 MiB; parts of it can be unmapped and protected as of any other. */
static void large(void)
{
	enum { SIZE = 4 * MiB, MANY = 64 };
	handle_t f;
	struct frame_info info;
	struct mapping_info map;
	uint64_t va, other = 0;
	DONE(frame_create(SIZE, FRAME_CONTIGUOUS, &f));
	DONE(frame_info(f, &info));
	DONE(vmem_map(0, f, 0, 0, SIZE, RW, &va));
	EQ((va ^ info.phys) % (2 * MiB), 0);
	CHECK(faults_reading(va, SIZE) < MANY);
	for (uint64_t at = 0; at < SIZE; at += PAGE_SIZE)
		*(uint64_t *)(va + at) = at;
	/* The same memory where it cannot be entered so. */
	DONE(vmem_map(0, f, 0, va + 16 * MiB + PAGE_SIZE, SIZE, RW | MAP_FIXED, &other));
	CHECK(faults_reading(other, SIZE) >= SIZE / PAGE_SIZE);
	EQ(*(uint64_t *)(other + 5 * PAGE_SIZE), 5 * PAGE_SIZE);
	DONE(vmem_unmap(0, other, SIZE));
	/* A piece from the middle, and an end of one that crosses into the next. */
	DONE(vmem_unmap(0, va + 7 * PAGE_SIZE, PAGE_SIZE));
	EQ(vmem_query(0, va + 7 * PAGE_SIZE, &map), OK);
	CHECK(map.va == va + 8 * PAGE_SIZE);
	DONE(vmem_protect(0, va + 2 * MiB - PAGE_SIZE, 2 * PAGE_SIZE, PROT_READ));
	EQ(frame_read(f, 0, (void *)(va + 2 * MiB), 8, &other), ERR_FAULT);
	EQ(frame_read(f, 0, (void *)(va + 7 * PAGE_SIZE), 8, &other), ERR_FAULT);
	for (uint64_t at = 0; at < SIZE; at += PAGE_SIZE)
		if (at != 7 * PAGE_SIZE)
			EQ(*(uint64_t *)(va + at), at);
	*(uint64_t *)(va + 8 * PAGE_SIZE) = 1;
	*(uint64_t *)(va + 2 * MiB + PAGE_SIZE) = 2;
	DONE(vmem_unmap(0, va, 2 * MiB));
	EQ(*(uint64_t *)(va + 2 * MiB + PAGE_SIZE), 2);
	DONE(vmem_unmap(0, va + 2 * MiB, 2 * MiB));
	DONE(handle_close(f));
}

static void contiguous(void)
{
	handle_t f, weak;
	struct frame_info info;
	uint64_t va;
	DONE(frame_create(64 * KiB, FRAME_CONTIGUOUS, &f));
	DONE(frame_info(f, &info));
	EQ(info.committed, 64 * KiB);
	CHECK(info.phys && info.phys % PAGE_SIZE == 0);
	DONE(handle_dup(f, RIGHT_READ | RIGHT_MAP, &weak));
	DONE(frame_info(weak, &info));
	EQ(info.phys, 0);                               /* where memory lies is not everybody's business */
	EQ(frame_resize(f, PAGE_SIZE), ERR_INVALID);
	EQ(frame_decommit(f, 0, PAGE_SIZE), ERR_INVALID);
	DONE(vmem_map(0, f, 0, 0, 64 * KiB, RW, &va));
	CHECK(all_bytes((void *)va, 0, 64 * KiB));
	memset((void *)va, 0xff, 64 * KiB);             /* the next owner must not see this */
	DONE(vmem_unmap(0, va, 64 * KiB));
	DONE(handle_close(weak));
	DONE(handle_close(f));
}

/* What is unmapped is used again, with an empty page between any two that were not asked to touch. */
static void guards(void)
{
	uint64_t first, last, at[8];
	DONE(vmem_map(0, 0, 0, 0, PAGE_SIZE, RW, &first));
	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_LEN(at); i++)
			DONE(vmem_map(0, 0, 0, 0, (i + 1) * PAGE_SIZE, RW, &at[i]));
		for (size_t i = 0; i < ARRAY_LEN(at); i++) {
			struct mapping_info m;
			uint64_t end = at[i] + (i + 1) * PAGE_SIZE;
			CHECK(vmem_query(0, end, &m) == ERR_NOT_FOUND || m.va > end);
			CHECK(vmem_query(0, at[i] - PAGE_SIZE, &m) == OK && m.va >= at[i]);
		}
		for (size_t i = 0; i < ARRAY_LEN(at); i++)
			DONE(vmem_unmap(0, at[i ^ 1], ((i ^ 1) + 1) * PAGE_SIZE));
	}
	DONE(vmem_map(0, 0, 0, 0, PAGE_SIZE, RW, &last));
	CHECK(last > first && last - first < 64 * PAGE_SIZE);
	DONE(vmem_unmap(0, last, PAGE_SIZE));
	DONE(vmem_unmap(0, first, PAGE_SIZE));
}

/* Pages that others wrote to come as zeros, whichever way they are got. */
static void no_residue(void)
{
	handle_t f;
	uint64_t va, done;
	static char copy[PAGE_SIZE];
	for (unsigned round = 0; round < 4; round++) {
		DONE(vmem_map(0, 0, 0, 0, 1 * MiB, RW, &va));
		CHECK(all_bytes((void *)va, 0, 1 * MiB));
		memset((void *)va, 0xcc, 1 * MiB);
		DONE(vmem_unmap(0, va, 1 * MiB));
		DONE(frame_create(1 * MiB, 0, &f));
		for (uint64_t at = 0; at < 1 * MiB; at += PAGE_SIZE) {
			DONE(frame_write(f, at, "x", 1, &done));
			DONE(frame_read(f, at, copy, PAGE_SIZE, &done));
			CHECK(copy[0] == 'x' && all_bytes(copy + 1, 0, PAGE_SIZE - 1));
		}
		DONE(handle_close(f));
	}
}

/* Device memory: only what the Resource covers, never RAM, never copied. */
static void device(void)
{
	handle_t f;
	uint64_t va, done;
	char buf[4];
	DONE(frame_device(res_phys, 0xfee00000, PAGE_SIZE, CACHE_UNCACHED, &f));
	EQ(frame_read(f, 0, buf, 4, &done), ERR_DENIED);
	EQ(frame_write(f, 0, buf, 4, &done), ERR_DENIED);
	EQ(frame_resize(f, 2 * PAGE_SIZE), ERR_INVALID);
	EQ(vmem_map(0, f, 0, 0, PAGE_SIZE, PROT_READ | PROT_EXEC, &va), ERR_DENIED);
	DONE(vmem_map(0, f, 0, 0, PAGE_SIZE, PROT_READ, &va));
	CHECK(*(volatile uint32_t *)(va + 0x30) != 0);  /* the local APIC's version register */
	/* It is no message either. */
	handle_t port, session;
	DONE(port_create(0, &port));
	DONE(session_create(port, 1, 0, &session));
	DONE(vmem_unmap(0, va, PAGE_SIZE));
	DONE(handle_close(session));
	DONE(handle_close(port));
	DONE(handle_close(f));
	EQ(frame_device(res_phys, 0xfee01000, PAGE_SIZE, CACHE_UNCACHED, &f), ERR_DENIED);
	EQ(frame_device(res_phys, 0xfee00000, 2 * PAGE_SIZE, CACHE_UNCACHED, &f), ERR_DENIED);
	EQ(frame_device(res_phys, 0x100000, PAGE_SIZE, CACHE_UNCACHED, &f), ERR_DENIED);
	EQ(frame_device(res_phys, 0xfee00001, PAGE_SIZE, CACHE_UNCACHED, &f), ERR_INVALID);
	EQ(frame_device(res_phys, 0xfee00000, 0, CACHE_UNCACHED, &f), ERR_INVALID);
	EQ(frame_device(res_phys, 0xfee00000, UINT64_MAX, CACHE_UNCACHED, &f), ERR_INVALID);
	EQ(frame_device(res_phys, 0xfee00000, PAGE_SIZE, 3, &f), ERR_INVALID);
	EQ(frame_device(res_info, 0xfee00000, PAGE_SIZE, 0, &f), ERR_DENIED);
}

/* Thousands of mappings, made and taken away in another order. */
static void many(void)
{
	enum { N = 1000 };
	static uint64_t at[N];
	handle_t f;
	DONE(frame_create(N * PAGE_SIZE, 0, &f));
	for (uint64_t i = 0; i < N; i++) {
		DONE(vmem_map(0, f, i * PAGE_SIZE, 0, PAGE_SIZE, RW, &at[i]));
		*(volatile uint64_t *)at[i] = i;
	}
	for (uint64_t i = 0; i < N; i++) {
		uint64_t k = i * 7919 % N;
		EQ(*(volatile uint64_t *)at[k], k);
		DONE(vmem_unmap(0, at[k], PAGE_SIZE));
	}
	DONE(handle_close(f));
}

const struct test memory_tests[] = {
	{ "map", map_basics },
	{ "map-refused", map_refused },
	{ "map-split", split },
	{ "map-rights", rights },
	{ "map-two-places", two_places },
	{ "map-many", many },
	{ "map-guards", guards },
	{ "frame-lazy", lazy },
	{ "frame-resize", resize },
	{ "frame-resize-holes", resize_holes },
	{ "frame-mistakes", frame_mistakes },
	{ "frame-contiguous", contiguous },
	{ "frame-large", large },
	{ "frame-no-residue", no_residue },
	{ "frame-device", device },
	{ NULL, NULL },
};

/*
 * handles: closing, duplicating, looking; stale, forged, wrong and weakened handles.
 */
#include "../account.h"
#include "test.h"

static void close_twice(void)
{
	handle_t n;
	DONE(notify_create(&n));
	DONE(handle_close(n));
	EQ(handle_close(n), ERR_BAD_HANDLE);
	EQ(handle_close(0), ERR_BAD_HANDLE);
	EQ(handle_close(UINT32_MAX), ERR_BAD_HANDLE);
}

/* A closed handle's value never means a later object. */
static void stale(void)
{
	handle_t old, fresh[HANDLES_MAX / 64];
	uint64_t bits;
	DONE(notify_create(&old));
	DONE(handle_close(old));
	for (size_t i = 0; i < ARRAY_LEN(fresh); i++) {
		DONE(notify_create(&fresh[i]));
		CHECK(fresh[i] != old);
	}
	EQ(notify_signal(old, 1), ERR_BAD_HANDLE);
	for (size_t i = 0; i < ARRAY_LEN(fresh); i++) {
		DONE(notify_take(fresh[i], &bits));
		EQ(bits, 0);
		DONE(handle_close(fresh[i]));
	}
	/* The same slot, over and over: its generation makes each value new. */
	handle_t first;
	DONE(notify_create(&first));
	for (unsigned i = 0; i < 1000; i++) {
		handle_t h;
		DONE(handle_dup(first, RIGHT_ALL, &h));
		DONE(handle_close(h));
		EQ(notify_signal(h, 1), ERR_BAD_HANDLE);
	}
	DONE(handle_close(first));
}

/* Values near valid ones, other generations, and a spread over all: none but our own may be found. */
static void forged(void)
{
	handle_t mine, own[256];
	struct handle_info list[256], info;
	uint32_t n = 0, got, next = 0;
	DONE(notify_create(&mine));
	do {
		DONE(handle_list(0, next, list + n, (uint32_t)ARRAY_LEN(list) - n, &got, &next));
		n += got;
	} while (next && n < ARRAY_LEN(list));
	for (uint32_t i = 0; i < n; i++)
		own[i] = list[i].handle;
	uint64_t x = 88172645463325252ull;
	for (unsigned i = 0; i < 20000; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		handle_t h = i < 4096 ? mine + i - 2048 : (handle_t)x;
		bool ours = false;
		for (uint32_t k = 0; k < n; k++)
			ours = ours || own[k] == h;
		if (!ours)
			EQ(handle_info(h, &info), ERR_BAD_HANDLE);
	}
	/* The high half of a register is not part of a handle. */
	EQ(sys(SYS_notify_signal, mine | 1ull << 32, 0, 0, 0, 0, 0), OK);
	DONE(handle_close(mine));
}

static void dup_and_rights(void)
{
	handle_t n, weak, none, again;
	struct handle_info info;
	uint64_t bits;
	DONE(notify_create(&n));
	DONE(handle_dup(n, RIGHT_SIGNAL | RIGHT_DUP, &weak));
	DONE(handle_info(weak, &info));
	EQ(info.type, OBJ_NOTIFY);
	EQ(info.rights, RIGHT_SIGNAL | RIGHT_DUP);
	uint64_t id = info.object_id;
	DONE(handle_info(n, &info));
	EQ(info.object_id, id);
	DONE(notify_signal(weak, 5));
	EQ(notify_take(weak, &bits), ERR_DENIED);
	DONE(notify_take(n, &bits));
	EQ(bits, 5);
	/* Every single right taken away stays away, whatever the copy asks for. */
	for (uint32_t r = 1; r <= RIGHT_ALL; r <<= 1) {
		DONE(handle_dup(n, (RIGHT_ALL & ~r) | RIGHT_DUP, &again));
		DONE(handle_dup(again, UINT32_MAX, &none));
		DONE(handle_info(none, &info));
		EQ(info.rights & r, r == RIGHT_DUP ? RIGHT_DUP : 0);
		EQ(info.rights & ~(uint32_t)RIGHT_ALL, 0);
		DONE(handle_close(none));
		DONE(handle_close(again));
	}
	DONE(handle_dup(n, RIGHT_ALL & ~RIGHT_DUP, &none));
	EQ(handle_dup(none, RIGHT_ALL, &again), ERR_DENIED);
	EQ(handle_dup(0, RIGHT_ALL, &again), ERR_BAD_HANDLE);
	DONE(handle_close(none));
	DONE(handle_close(weak));
	DONE(handle_close(n));
}

static void tag_and_list(void)
{
	handle_t h[8];
	struct handle_info info, list[3];
	uint32_t got, next = 0, seen = 0;
	for (unsigned i = 0; i < ARRAY_LEN(h); i++) {
		DONE(port_create(0, &h[i]));
		DONE(handle_tag(h[i], 0xbeef0000 + i));
	}
	EQ(handle_tag(0, 1), ERR_BAD_HANDLE);
	DONE(handle_info(h[3], &info));
	EQ(info.tag, 0xbeef0003);
	EQ(info.handle, h[3]);
	unsigned rounds = 0;
	do {
		DONE(handle_list(0, next, list, ARRAY_LEN(list), &got, &next));
		for (uint32_t i = 0; i < got; i++)
			if (list[i].tag >> 16 == 0xbeef) {
				EQ(list[i].type, OBJ_PORT);
				seen++;
			}
		CHECK(++rounds < 10000);
	} while (next);
	EQ(seen, ARRAY_LEN(h));
	DONE(handle_list(0, UINT32_MAX, list, ARRAY_LEN(list), &got, &next));
	EQ(got, 0);
	EQ(next, 0);
	EQ(handle_list(h[0], 0, list, 1, &got, &next), ERR_WRONG_TYPE);
	EQ(handle_list(12345678, 0, list, 1, &got, &next), ERR_BAD_HANDLE);
	for (unsigned i = 0; i < ARRAY_LEN(h); i++)
		DONE(handle_close(h[i]));
}

/* Each call that takes a handle refuses one of every other type. */
static void wrong_types(void)
{
	static const struct { uint32_t number; enum object_type type; } calls[] = {
		{ SYS_call_words, OBJ_SESSION }, { SYS_call, OBJ_SESSION }, { SYS_accept, OBJ_PORT }, { SYS_process_kill, OBJ_PROCESS },
		{ SYS_process_info, OBJ_PROCESS }, { SYS_process_list, OBJ_RESOURCE }, { SYS_process_open, OBJ_RESOURCE },
		{ SYS_process_namespace, OBJ_PROCESS }, { SYS_process_table, OBJ_PROCESS }, { SYS_thread_set_priority, OBJ_THREAD }, { SYS_thread_set_affinity, OBJ_THREAD }, { SYS_vmem_map, OBJ_VMEM },
		{ SYS_vmem_unmap, OBJ_VMEM }, { SYS_vmem_protect, OBJ_VMEM }, { SYS_vmem_query, OBJ_VMEM }, { SYS_frame_device, OBJ_RESOURCE },
		{ SYS_frame_resize, OBJ_FRAME }, { SYS_frame_decommit, OBJ_FRAME }, { SYS_frame_read, OBJ_FRAME }, { SYS_frame_write, OBJ_FRAME },
		{ SYS_frame_info, OBJ_FRAME }, { SYS_session_create, OBJ_PORT }, { SYS_ns_bind, OBJ_NAMESPACE }, { SYS_ns_unbind, OBJ_NAMESPACE },
		{ SYS_ns_list, OBJ_NAMESPACE }, { SYS_proto_create, OBJ_NAMESPACE }, { SYS_notify_signal, OBJ_NOTIFY }, { SYS_notify_take, OBJ_NOTIFY },
		{ SYS_notify_port, OBJ_NOTIFY }, { SYS_notify_bind, OBJ_NOTIFY }, { SYS_notify_timer, OBJ_NOTIFY }, { SYS_resource_slice, OBJ_RESOURCE },
		{ SYS_irq_create, OBJ_RESOURCE }, { SYS_irq_ack, OBJ_IRQ }, { SYS_irq_create_msi, OBJ_RESOURCE }, { SYS_ioports_create, OBJ_RESOURCE }, { SYS_io_read, OBJ_IOPORTS },
		{ SYS_io_write, OBJ_IOPORTS }, { SYS_io_write_bytes, OBJ_IOPORTS }, { SYS_io_read_bytes, OBJ_IOPORTS }, { SYS_budget_create, OBJ_BUDGET }, { SYS_budget_info, OBJ_BUDGET },
		{ SYS_log_read, OBJ_RESOURCE }, { SYS_kstat, OBJ_RESOURCE }, { SYS_processor_reset, OBJ_RESOURCE },
	};
	static uint64_t room[128];
	handle_t objects[] = { 0, 0, 0, 0, 0, 0, 0 };
	struct handle_info info;
	struct budget_limits limits = { 100, 100000, 10, 10, 10, 10 };
	DONE(port_create(0, &objects[0]));
	DONE(session_create(objects[0], 1, 0, &objects[1]));
	DONE(notify_create(&objects[2]));
	DONE(frame_create(PAGE_SIZE, 0, &objects[3]));
	DONE(ns_create(&objects[4]));
	DONE(budget_create(0, &limits, &objects[5]));
	DONE(handle_dup(res_info, RIGHT_ALL, &objects[6]));
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		for (size_t k = 0; k < ARRAY_LEN(objects); k++) {
			DONE(handle_info(objects[k], &info));
			if (info.type == calls[i].type)
				continue;
			status_t st = sys(calls[i].number, objects[k], (uint64_t)room, 8, 0, 0, 0);
			if (st != ERR_WRONG_TYPE) {
				test_fail(__FILE__, __LINE__, "call %#x with an object of type %u: %lld %s", calls[i].number, info.type, (long long)st, error_name(st));
				return;
			}
		}
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		EQ(sys(calls[i].number, 0x7fffffff, (uint64_t)room, 8, 0, 0, 0), ERR_BAD_HANDLE);
		EQ(sys(calls[i].number, HANDLES_MAX - 1, (uint64_t)room, 8, 0, 0, 0), ERR_BAD_HANDLE);
	}
	/* The Session's CLOSE waits in the Port, which goes next. */
	for (size_t k = ARRAY_LEN(objects); k-- > 0;)
		DONE(handle_close(objects[k]));
}

/* The table holds HANDLES_MAX, then says so, and gives all of it back. */
static void table_full(void)
{
	struct process_info info;
	DONE(child_run("fill-table", NULL, &info));
	EQ(info.exit_kind, EXIT_NORMAL);
	EQ(info.exit_status, 0);
}

static void unknown_numbers(void)
{
	EQ(sys(SYSCALL_BASE + SYSCALL_COUNT, 0, 0, 0, 0, 0, 0), ERR_BAD_SYSCALL);
	EQ(sys(SYSCALL_BASE - 1, 0, 0, 0, 0, 0, 0), ERR_BAD_SYSCALL);
	for (uint32_t n = 0; n < 512; n++)
		EQ(sys(n, 1, 2, 3, 4, 5, 6), ERR_BAD_SYSCALL);
	EQ(sys(UINT32_MAX, 0, 0, 0, 0, 0, 0), ERR_BAD_SYSCALL);
	EQ(sys(0x80000000, 0, 0, 0, 0, 0, 0), ERR_BAD_SYSCALL);
}

/* A table that had to grow is equal to itself before, but for its room; with the table that goes too. */
static int grow(int argc unused, char **argv unused)
{
	static handle_t many[3 * 64];
	struct kstat k[2];
	char text[ACCOUNT_TEXT];
	handle_t info = start_handle("info");
	memset(many, 0xff, sizeof(many));       /* pages touched below are in the account before */
	account_rest(info, &k[0]);
	for (unsigned i = 0; i < ARRAY_LEN(many); i++)
		MUST(handle_dup(info, RIGHT_ALL, &many[i]));
	for (unsigned i = 0; i < ARRAY_LEN(many); i++)
		MUST(handle_close(many[i]));
	if (!account_settled(info, &k[0], text))
		return 1;
	MUST(kstat(info, &k[1]));
	return k[1].table_bytes > k[0].table_bytes ? 0 : 2;
}

static void table_grows(void)
{
	struct spawn_handle give[] = { { .name = "info", .handle = res_info } };
	struct process_info end;
	struct kstat before, after;
	struct child c;
	bool equal = false;
	/* In the first one our own table may grow, and what others take and let go of meanwhile is in any account. */
	for (unsigned round = 0; round < 6 && !equal; round++) {
		account_rest(res_info, &before);
		DONE(child_start(&c, "grow", NULL, give, 1, 0, 0));
		DONE(child_wait(&c, 5000, &end));
		EQ(end.exit_kind, EXIT_NORMAL);
		account_rest(res_info, &after);
		equal = round > 0 && end.exit_status == 0 && after.table_bytes == before.table_bytes;
	}
	EQ(end.exit_status, 0);
	EQ(after.table_bytes, before.table_bytes);
}

const struct deed handle_deeds[] = {
	{ "grow", grow },
	{ NULL, NULL },
};

const struct test handle_tests[] = {
	{ "handle-table-grows", table_grows },
	{ "handle-close", close_twice },
	{ "handle-stale", stale },
	{ "handle-forged", forged },
	{ "handle-dup", dup_and_rights },
	{ "handle-list", tag_and_list },
	{ "handle-types", wrong_types },
	{ "handle-table-full", table_full },
	{ "syscall-unknown", unknown_numbers },
	{ NULL, NULL },
};

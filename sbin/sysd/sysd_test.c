/*
 * Expected: badges carry what they were made from and foreign ones are refused, paths lead where
 * the tree says and never above their start, tables stay one line per thing whatever the names hold.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "node.c"
#include "text.c"

static void badges_round_trip(void **state unused)
{
	for (int kind = 0; kind < NODE_KINDS; kind++) {
		bool root = kind <= NODE_ZERO;
		struct node n = { kind, root ? 0 : 0xbeef, root ? 0 : ARG_MASK - 5 }, back;
		uint64_t badge = node_badge(n);
		assert_true(root ? badge == (uint64_t)kind : badge >= 0x100);
		assert_true(node_from_badge(badge, &back));
		assert_int_equal(back.kind, n.kind);
		assert_int_equal(back.serial, n.serial);
		assert_int_equal(back.arg, n.arg);
	}
	struct node n;
	assert_false(node_from_badge(4, &n));
	assert_false(node_from_badge(0x100, &n));
	assert_false(node_from_badge((uint64_t)(NODE_KINDS + 1) << KIND_SHIFT, &n));
	assert_false(node_from_badge(UINT64_MAX, &n));
}

static void walk(enum node_kind from, const char *path, status_t st, enum node_kind kind, uint64_t arg)
{
	struct node to = { NODE_KINDS, 0, 0 };
	assert_int_equal(node_walk((struct node){ .kind = from }, path, &to), st);
	if (st == OK) {
		assert_int_equal(to.kind, kind);
		assert_int_equal(to.arg, arg);
	}
}

static void paths(void **state unused)
{
	walk(NODE_PROC, "", OK, NODE_PROC, 0);
	walk(NODE_PROC, "/", OK, NODE_PROC, 0);
	walk(NODE_PROC, "kstat", OK, NODE_KSTAT, 0);
	walk(NODE_PROC, "17", OK, NODE_PROCESS, 17);
	walk(NODE_PROC, "17/", OK, NODE_PROCESS, 17);
	walk(NODE_PROC, "17/info", OK, NODE_INFO, 17);
	walk(NODE_PROC, "17/../18/name", OK, NODE_NAME, 18);
	walk(NODE_PROC, "../../..", OK, NODE_PROC, 0);
	walk(NODE_PROC, "17/info/x", ERR_NOT_DIRECTORY, 0, 0);
	walk(NODE_PROC, "17/info/", ERR_NOT_DIRECTORY, 0, 0);
	walk(NODE_PROC, "0", ERR_NOT_FOUND, 0, 0);
	walk(NODE_PROC, "99999999999999999999", ERR_NOT_FOUND, 0, 0);
	walk(NODE_PROC, "17/nonsense", ERR_NOT_FOUND, 0, 0);
	walk(NODE_PROC, "-1", ERR_NOT_FOUND, 0, 0);
	walk(NODE_LOG, "", OK, NODE_LOG, 0);
	walk(NODE_LOG, "follow", OK, NODE_LOG_FOLLOW, 0);
	walk(NODE_NULL, "", OK, NODE_NULL, 0);
	walk(NODE_NULL, "x", ERR_NOT_DIRECTORY, 0, 0);
}

static void process_below_itself(void **state unused)
{
	struct node to;
	assert_int_equal(node_walk((struct node){ .kind = NODE_PROCESS, .arg = 9 }, "../..", &to), OK);
	assert_int_equal(to.kind, NODE_PROCESS);
	assert_int_equal(to.arg, 9);
}

static void hostile_names(void **state unused)
{
	struct process_info p = { .pid = 3, .name = "a b\n\x1b[2J" };
	struct text t = { 0 };
	text_process_row(&t, &p);
	assert_non_null(memmem(t.data, t.len, " a?b??[2J ", 10));
	assert_ptr_equal(memchr(t.data, '\n', t.len), t.data + t.len - 1);
	text_free(&t);
	char out[PROCESS_NAME_MAX];
	memset(p.name, 'x', sizeof(p.name));
	text_name(out, p.name);
	assert_int_equal(strlen(out), PROCESS_NAME_MAX - 1);
	p.name[0] = 0;
	text_name(out, p.name);
	assert_string_equal(out, "?");
}

static void grows(void **state unused)
{
	struct text t = { 0 };
	for (int i = 0; i < 5000; i++)
		text_add(&t, "%04d\n", i);
	assert_int_equal(t.len, 25000);
	assert_memory_equal(t.data + 24995, "4999\n", 5);
	text_free(&t);
}

static void kstat_is_whole(void **state unused)
{
	struct kstat k = { .cpus = 4 };
	k.objects[OBJ_PORT] = 18446744073709551615ull;
	struct text t = { 0 };
	text_kstat(&t, &k);
	assert_non_null(memmem(t.data, t.len, "objects.port 18446744073709551615\n", 34));
	assert_memory_equal(t.data + t.len - 7, "cpus 4\n", 7);
	text_free(&t);
}

static void rights(void **state unused)
{
	char out[16];
	text_rights(out, RIGHT_READ | RIGHT_CALL);
	assert_string_equal(out, "r-----c-----");
	text_rights(out, RIGHT_ALL);
	assert_string_equal(out, "rwxmdtcvgisW");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(badges_round_trip), cmocka_unit_test(paths), cmocka_unit_test(process_below_itself),
		cmocka_unit_test(hostile_names), cmocka_unit_test(grows), cmocka_unit_test(kstat_is_whole), cmocka_unit_test(rights),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * tracing_test: what records say in words; that a tree puts each command below the one it was sent for, with its own time
 * what is left of its whole; and that foreign text, lost parents and commands without end do no harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "../../abi/rt/errors.c"
#include "line.c"
#include "tree.c"

static char out[8192];

static void collect(void *arg, const char *line)
{
	(void)arg;
	size_t n = strlen(out);
	snprintf(out + n, sizeof(out) - n, "%s\n", line);
}

static const char *printed(struct trace_tree *t)
{
	out[0] = 0;
	trace_tree_print(t, collect, NULL);
	return out;
}

static void sent(struct trace_tree *t, uint64_t time, uint64_t command, uint64_t parent, uint32_t pid, uint8_t flags)
{
	trace_tree_add(t, &(struct trace_record){ .time_ns = time, .kind = TRACE_SENT, .command = command, .parent = parent, .pid = pid, .op = 3, .flags = flags });
}

static void event(struct trace_tree *t, uint64_t time, int kind, uint64_t command, const char *who, int32_t status)
{
	struct trace_record r = { .time_ns = time, .kind = (uint8_t)kind, .command = command, .status = status };
	snprintf(r.text, sizeof(r.text), "%s", who);
	trace_tree_add(t, &r);
}

static void requests(void **state)
{
	(void)state;
	char buf[96], tiny[8];
	struct trace_record r = { .op = 2, .flags = TRACE_PATH, .w = { 1, 0, 0 }, .text = "tmp://a\x1b[2J", .in_len = 11 };
	trace_request(buf, sizeof(buf), &r);
	assert_string_equal(buf, "OPEN tmp://a?[2J 1");
	r = (struct trace_record){ .op = 3, .w = { 0, 5, 1ull << 40 }, .out_len = 4096 };
	trace_request(buf, sizeof(buf), &r);
	assert_string_equal(buf, "READ 0 5 0x10000000000 out:4096");
	r = (struct trace_record){ .op = 777, .in_len = 3 };
	trace_request(buf, sizeof(buf), &r);
	assert_string_equal(buf, "op 777 in:3");
	r = (struct trace_record){ .flags = TRACE_CLOSE };
	trace_request(buf, sizeof(buf), &r);
	assert_string_equal(buf, "CLOSE");
	/* The end of a long path; text without a zero byte. */
	r = (struct trace_record){ .op = 2, .flags = TRACE_PATH };
	memset(r.text, 'x', sizeof(r.text));
	trace_request(tiny, sizeof(tiny), &r);
	assert_string_equal(tiny, "OPEN ..");
}

static void lines(void **state)
{
	(void)state;
	char buf[TRACE_LINE];
	struct trace_record r = { .time_ns = 1500000002, .request = 0xab, .command = 0xcd, .pid = 7, .tid = 9, .port = 3, .kind = TRACE_RETURNED, .status = ERR_DENIED };
	trace_line(buf, sizeof(buf), &r);
	assert_string_equal(buf, "1.500000002 00000000000000ab 00000000000000cd     7/9     port 3    returned  ERR_DENIED");
	r.status = 0;
	r.w[1] = 4;
	trace_line(buf, sizeof(buf), &r);
	assert_non_null(strstr(buf, "returned  0 0 4"));
	for (unsigned kind = 0; kind < 256; kind++) {
		r.kind = (uint8_t)kind;
		memset(r.text, 'y', sizeof(r.text));
		trace_line(buf, sizeof(buf), &r);
		trace_line(buf, 90, &r);
		assert_true(strlen(buf) < 90);
	}
}

static void words(void **state)
{
	(void)state;
	static const struct { const char *text; bool good; uint32_t what; uint64_t pid; } cases[] = {
		{ "on", true, TRACE_ALL, 0 }, { "on\n", true, TRACE_ALL, 0 }, { "off", true, TRACE_OFF, 0 }, { "stop\n", true, TRACE_STOP, 0 },
		{ "on 12", true, TRACE_PROCESS, 12 }, { "on 12\n", true, TRACE_PROCESS, 12 },
		{ "", false, 0, 0 }, { "\n", false, 0, 0 }, { "on ", false, 0, 0 }, { "on 0", false, 0, 0 }, { "on x", false, 0, 0 },
		{ "on 12x", false, 0, 0 }, { "on 99999999999999999999", false, 0, 0 }, { "offf", false, 0, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint32_t what = 99;
		uint64_t pid = 99;
		assert_int_equal(trace_parse(cases[i].text, strlen(cases[i].text), &what, &pid), cases[i].good);
		if (cases[i].good) {
			assert_int_equal(what, cases[i].what);
			assert_int_equal(pid, cases[i].pid);
		}
	}
}

static void tree(void **state)
{
	(void)state;
	struct trace_tree t = { .skip_pid = 5 };
	sent(&t, 100, 11, 0, 4, 0);
	event(&t, 110, TRACE_DELIVERED, 11, "a", 0);
	sent(&t, 120, 22, 11, 1, 0);
	event(&t, 125, TRACE_DELIVERED, 22, "b", 0);
	sent(&t, 126, 33, 11, 1, TRACE_SUBMITTED);
	event(&t, 150, TRACE_RETURNED, 22, "b", 0);
	/* Somebody else's, ours, and what ours led to. */
	sent(&t, 151, 44, 0, 9, 0);
	sent(&t, 152, 55, 0, 5, 0);
	sent(&t, 153, 66, 55, 1, 0);
	event(&t, 200, TRACE_RETURNED, 11, "a", ERR_GONE);
	event(&t, 300, TRACE_RETURNED, 33, "b", 2);
	assert_string_equal(printed(&t),
		"       100         70  a: READ = ERR_GONE\n"
		"        30         30    b: READ = ok\n"
		"       174        174    (nobody): & READ = 2\n"
		"         -          -  (nobody): READ = (no answer yet)\n");
	trace_tree_free(&t);
	assert_string_equal(printed(&t), "");
}

static void forwards_and_deaths(void **state)
{
	(void)state;
	struct trace_tree t = { 0 };
	sent(&t, 0, 1, 0, 4, 0);
	event(&t, 1, TRACE_DELIVERED, 1, "vfsd", 0);
	event(&t, 2, TRACE_FORWARDED, 1, "", 0);
	event(&t, 3, TRACE_DELIVERED, 1, "tmpd", 0);
	event(&t, 4, TRACE_REQUEUED, 1, "tmpd", 0);
	event(&t, 5, TRACE_DELIVERED, 1, "tmpd", 0);
	event(&t, 6, TRACE_CANCEL, 1, "", 0);
	event(&t, 7, TRACE_LEFT, 1, "", ERR_TIMED_OUT);
	event(&t, 9, TRACE_RETURNED, 1, "tmpd", 0);
	assert_string_equal(printed(&t), "         7          7  vfsd > tmpd! tmpd: READ (asked back) = ERR_TIMED_OUT (left)\n");
	/* However often it dies, the line stays a line. */
	for (int i = 0; i < 100; i++) {
		event(&t, 10, TRACE_REQUEUED, 1, "", 0);
		event(&t, 10, TRACE_DELIVERED, 1, "a-name-of-some-length", 0);
	}
	assert_true(strlen(printed(&t)) < TRACE_LINE);
	trace_tree_free(&t);
}

static void lost_and_many(void **state)
{
	(void)state;
	struct trace_tree t = { 0 };
	event(&t, 1, TRACE_RETURNED, 99, "x", 0);       /* of nothing that is known */
	sent(&t, 2, 7, 98, 4, 0);                       /* its parent was lost */
	assert_non_null(strstr(printed(&t), "READ"));
	/* A chain deeper than a page is wide, then more than there is room for. */
	for (uint64_t i = 8; i < 40; i++)
		sent(&t, i, i, i - 1, 4, 0);
	(void)printed(&t);
	for (uint64_t i = 0; i < TRACE_NODES_MAX + 10; i++)
		sent(&t, i, 1000 + i, 0, 4, 0);
	assert_int_equal(t.n, TRACE_NODES_MAX);
	assert_int_equal(t.dropped, 10 + 33);
	trace_tree_free(&t);
}

int main(int argc unused, char **argv unused)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests), cmocka_unit_test(lines), cmocka_unit_test(words), cmocka_unit_test(tree),
		cmocka_unit_test(forwards_and_deaths), cmocka_unit_test(lost_and_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * tree_test: names are found from any directory, ".." stops at the Session's directory, and a
 * thousand files are told apart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>
#include "tree.c"

static struct tree t;

static uint32_t add(const char *path, int type)
{
	uint32_t node;
	bool existed;
	assert_int_equal(tree_add(&t, path, type, &node, &existed), OK);
	return node;
}

static status_t find(uint32_t dir, const char *path)
{
	return tree_find(&t, dir, path, strlen(path));
}

static int setup(void **state)
{
	(void)state;
	return (int)tree_init(&t);
}

static int teardown(void **state)
{
	(void)state;
	tree_free(&t);
	return 0;
}

static void paths(void **state)
{
	(void)state;
	uint32_t rngd = add("etc/services/rngd", FILE_REGULAR);
	uint32_t motd = add("etc/motd", FILE_REGULAR);
	uint32_t etc = add("etc", FILE_DIRECTORY), services = add("etc/services", FILE_DIRECTORY);
	assert_int_equal(find(0, ""), 0);
	assert_int_equal(find(0, "/"), 0);
	assert_int_equal(find(0, "/etc/services/rngd"), rngd);
	assert_int_equal(find(0, "etc//./services/../motd"), motd);
	assert_int_equal(find(etc, "motd"), motd);
	assert_int_equal(find(etc, "services/"), services);
	assert_int_equal(find(services, "../motd"), ERR_NOT_FOUND);    /* ".." stays in services */
	assert_int_equal(find(services, "../../../rngd"), rngd);
	assert_int_equal(find(0, "../../etc"), etc);
	assert_int_equal(find(0, "etc/motd/"), ERR_NOT_DIRECTORY);
	assert_int_equal(find(0, "etc/motd/x"), ERR_NOT_DIRECTORY);
	assert_int_equal(find(0, "etc/motd/.."), ERR_NOT_DIRECTORY);
	assert_int_equal(find(0, "etc/mot"), ERR_NOT_FOUND);
	assert_int_equal(find(0, "motd"), ERR_NOT_FOUND);
	assert_int_equal(find(motd, ""), motd);
}

static void conflicts(void **state)
{
	(void)state;
	uint32_t node;
	bool existed;
	uint32_t f = add("a/f", FILE_REGULAR);
	assert_int_equal(tree_add(&t, "a/f", FILE_REGULAR, &node, &existed), OK);
	assert_true(existed);
	assert_int_equal(node, f);
	assert_int_equal(tree_add(&t, "a", FILE_REGULAR, &node, &existed), ERR_EXISTS);
	assert_int_equal(tree_add(&t, "a/f", FILE_DIRECTORY, &node, &existed), ERR_EXISTS);
	assert_int_equal(tree_add(&t, "a/f/g", FILE_REGULAR, &node, &existed), ERR_NOT_DIRECTORY);
	assert_int_equal(tree_add(&t, "", FILE_DIRECTORY, &node, &existed), OK);
	assert_int_equal(node, 0);
}

static void many(void **state)
{
	(void)state;
	char name[64];
	uint32_t node, count = 0;
	bool existed;
	for (int i = 0; t.n < TREE_NODES_MAX; i++) {
		snprintf(name, sizeof(name), "d%d/file%d", i % 10, i);
		add(name, FILE_REGULAR);
	}
	assert_int_equal(tree_add(&t, "one-more", FILE_REGULAR, &node, &existed), ERR_NO_SPACE);
	for (int i = 0; i < TREE_NODES_MAX - 11; i++) {
		snprintf(name, sizeof(name), "d%d/file%d", i % 10, i);
		status_t n = find(0, name);
		assert_true(n > 0);
		assert_string_equal(tree_name(&t, (uint32_t)n), name + 3);
	}
	for (uint32_t n = t.nodes[0].first_child; n; n = t.nodes[n].next)
		count++;
	assert_int_equal(count, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(paths, setup, teardown),
		cmocka_unit_test_setup_teardown(conflicts, setup, teardown),
		cmocka_unit_test_setup_teardown(many, setup, teardown),
	};
	return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}

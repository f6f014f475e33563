/*
 * Expected: bare names are looked up in both folders, whole URIs and paths once and as they are, too long
 * ones never; ends become statuses as shells count them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "path.c"

static void names(void **state unused)
{
	char uri[32];
	assert_true(launch_candidate("ls", 0, uri, sizeof(uri)));
	assert_string_equal(uri, "initfs:///bin/ls");
	assert_true(launch_candidate("ls", 1, uri, sizeof(uri)));
	assert_string_equal(uri, "initfs:///sbin/ls");
	assert_false(launch_candidate("ls", 2, uri, sizeof(uri)));
	assert_true(launch_candidate("/bin/x", 0, uri, sizeof(uri)));
	assert_string_equal(uri, "/bin/x");
	assert_false(launch_candidate("/bin/x", 1, uri, sizeof(uri)));
	assert_true(launch_candidate("initfs:///sbin/rngd", 0, uri, sizeof(uri)));
	assert_false(launch_candidate("", 0, uri, sizeof(uri)));
	assert_false(launch_candidate("a-name-that-is-much-too-long-for-it", 0, uri, sizeof(uri)));
}

static void statuses(void **state unused)
{
	assert_int_equal(launch_status(&(struct process_info){ .exit_kind = EXIT_NORMAL, .exit_status = 0x103 }), 3);
	assert_int_equal(launch_status(&(struct process_info){ .exit_kind = EXIT_NORMAL, .exit_status = -1 }), 255);
	assert_int_equal(launch_status(&(struct process_info){ .exit_kind = EXIT_KILLED }), 137);
	assert_int_equal(launch_status(&(struct process_info){ .exit_kind = EXIT_FAULT, .exit_status = 14 }), 139);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(names), cmocka_unit_test(statuses) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

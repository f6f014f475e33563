/*
 * reason_test: each way to end in words, and which of them are the program's own fault.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "reason.c"

static void words(void **state)
{
	(void)state;
	static const struct { struct process_info info; const char *text; bool fault; } cases[] = {
		{ { .exit_kind = EXIT_RUNNING }, "running", false },
		{ { .exit_kind = EXIT_NORMAL, .exit_status = -3 }, "exited with status -3", true },
		{ { .exit_kind = EXIT_KILLED, .exit_status = KILL_PLAIN }, "killed", false },
		{ { .exit_kind = EXIT_KILLED, .exit_status = KILL_HEARTBEAT }, "killed: no heartbeat", true },
		{ { .exit_kind = EXIT_FAULT, .exit_status = 14, .fault_address = 0x10, .fault_rip = 0x100001234 },
		  "page fault (14) at 0x10, rip 0x100001234", true },
		{ { .exit_kind = EXIT_FAULT, .exit_status = 99 }, "exception (99) at 0x0, rip 0x0", true },
	};
	char buf[128], tiny[8];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		reason_text(buf, sizeof(buf), &cases[i].info);
		assert_string_equal(buf, cases[i].text);
		assert_int_equal(reason_is_fault(&cases[i].info), cases[i].fault);
	}
	reason_text(tiny, sizeof(tiny), &cases[4].info);
	assert_string_equal(tiny, "page fa");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(words) };
	return cmocka_run_group_tests_name("reason", tests, NULL, NULL);
}

/*
 * layout: the parts of a process keep apart, the start page that spawn writes is the one that
 * start.c reads, and what does not fit is refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#define main program_main               /* rt/start.h declares the program's */
#define exit program_exit
#include "layout.c"
#include "start.c"
#undef main
#undef exit

int program_main(int argc, char **argv) { (void)argc, (void)argv; return 0; }
noreturn void process_exit(int64_t status) { (void)status; abort(); }
status_t log_write(const void *text, uint64_t len) { (void)text, (void)len; return OK; }

static void parts_keep_apart(void **state)
{
	(void)state;
	static const uint64_t spans[] = { 0x1000, 0x6000, 2 * MiB, ELF_SPAN_MAX };
	static const uint64_t stacks[] = { 0, 4096, 1 * MiB, STACK_MAX };
	static const uint64_t randoms[] = { 0, 1, IMAGE_PLACES - 1, UINT64_MAX };
	for (int i = 0; i < 64; i++) {
		struct elf_image image = { .span = spans[i & 3] };
		struct layout l;
		assert_int_equal(layout_make(&l, &image, stacks[i >> 2 & 3], randoms[i >> 4]), OK);
		assert_true(l.base >= USER_MIN && l.base % IMAGE_ALIGN == 0);
		assert_true(l.stack_low >= l.base + image.span + STACK_GUARD);
		assert_int_equal(l.stack_high - l.stack_low, stacks[i >> 2 & 3] ? stacks[i >> 2 & 3] : STACK_DEFAULT);
		assert_true(l.start_page >= l.stack_high + STACK_GUARD);
		assert_true(l.start_page + START_PAGE_MAX < USER_TOP);
		assert_true(l.stack_high % PAGE_SIZE == 0 && l.start_page % PAGE_SIZE == 0);
	}
	struct elf_image image = { .span = 0x1000 };
	struct layout l;
	assert_int_equal(layout_make(&l, &image, 4097, 0), ERR_INVALID);
	assert_int_equal(layout_make(&l, &image, STACK_MAX + 4096, 0), ERR_INVALID);
}

static void what_is_written_is_read(void **state)
{
	(void)state;
	const char *argv[] = { "bin/echo", "", "two words" }, *envp[] = { "PATH=a", "PATHS=b", "EMPTY=" };
	struct spawn_handle handles[] = { { "stdout", 77, 0, 0 }, { "none", 0, 0, 0 }, { "a-name-of-20-letters", 5, 0, 0 } };
	struct spawn s = { .argc = 3, .argv = argv, .envc = 3, .envp = envp, .handles = handles, .n_handles = 3 };
	struct layout l = { .base = 1, .stack_low = 2, .stack_high = 3 };
	size_t size = start_page_size(&s);
	void *page = malloc(size);      /* exactly, so that ASan sees a byte too far */
	start_page_fill(page, size, &s, &l);
	assert_true(page_ok(page));
	info = page;
	for (uint32_t i = 0; i < 3; i++)
		assert_string_equal(string_at(info->argv, i), argv[i]);
	assert_string_equal(env_get("PATH"), "a");
	assert_string_equal(env_get("PATHS"), "b");
	assert_string_equal(env_get("EMPTY"), "");
	assert_null(env_get("PAT"));
	assert_int_equal(start_handle("stdout"), HANDLE_FIRST(0));
	assert_int_equal(start_handle("none"), 0);
	assert_int_equal(start_handle("a-name-of-20-letters"), HANDLE_FIRST(2));
	assert_int_equal(start_handle("absent"), 0);
	assert_int_equal(start_info()->stack_high, 3);
	free(page);
	info = NULL;
}

static void an_empty_page_is_fine(void **state)
{
	(void)state;
	struct spawn s = { 0 };
	struct layout l = { 0 };
	char page[256] aligned(16);
	start_page_fill(page, start_page_size(&s), &s, &l);
	assert_true(page_ok((void *)page));
}

static void too_much_is_refused(void **state)
{
	(void)state;
	char *huge = malloc(START_PAGE_MAX + 1);
	memset(huge, 'x', START_PAGE_MAX);
	huge[START_PAGE_MAX] = 0;
	const char *argv[] = { huge };
	assert_int_equal(start_page_size(&(struct spawn){ .argc = 1, .argv = argv }), 0);
	assert_int_equal(start_page_size(&(struct spawn){ .argc = -1 }), 0);
	assert_int_equal(start_page_size(&(struct spawn){ .envc = -1 }), 0);
	assert_int_equal(start_page_size(&(struct spawn){ .n_handles = EXEC_HANDLES_MAX + 1 }), 0);
	free(huge);
}

static void a_bad_page_is_refused(void **state)
{
	(void)state;
	const char *argv[] = { "a" };
	struct spawn s = { .argc = 1, .argv = argv };
	struct layout l = { 0 };
	char good[256] aligned(16), page[256] aligned(16);
	start_page_fill(good, start_page_size(&s), &s, &l);
	struct start_info *p = (void *)page;
#define BAD(change) do { memcpy(page, good, sizeof(page)); assert_true(page_ok(p)); change; assert_false(page_ok(p)); } while (0)
	BAD(p->magic++);
	BAD(p->size = START_PAGE_MAX + 1);
	BAD(p->size = 0);
	BAD(p->size--);
	BAD(((char *)p)[p->size - 1] = 'x');
	BAD(p->envc = 1; p->envp = p->argv; ((uint32_t *)(page + p->argv))[0] = p->size - 1; page[p->size - 1] = 'x');
	BAD(p->argc = UINT32_MAX);
	BAD(p->envc = UINT32_MAX / 4);
	BAD(p->n_handles = 1000);
	BAD(p->argv = UINT32_MAX & ~3u);
	BAD(p->argv = 81);
	BAD(p->handles = p->size + 4);
	BAD(((uint32_t *)(page + p->argv))[0] = p->size);
	assert_false(page_ok(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_keep_apart),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(an_empty_page_is_fine),
		cmocka_unit_test(too_much_is_refused),
		cmocka_unit_test(a_bad_page_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

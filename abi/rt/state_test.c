/*
 * state: what is kept, what is dropped and why. Expected: state of this version survives any number of kills and two
 * faults in a row, not three; anything else begins anew, zeroed, with an empty shelf.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>
#define main unused_main         /* rt/start.h declares it otherwise */
#include "state.c"
#include "sum.c"
#undef main

enum { SIZE = 1000, VERSION = 7 };

static char memory[4096] aligned(4096);
static bool has_frame, small_frame, faulted, on_shelf[100];
static char said[256];

handle_t start_handle(const char *name) { return !strcmp(name, "state") ? has_frame : !strcmp(name, "shelf") ? 2 : 0; }
const char *env_get(const char *name) { return faulted && !strcmp(name, "FAULTED") ? "1" : NULL; }
const char *error_text(status_t st unused) { return "?"; }
status_t frame_info(handle_t frame unused, struct frame_info *info) { *info = (struct frame_info){ .size = small_frame ? 512 : sizeof(memory) }; return OK; }
status_t vmem_map(handle_t v unused, handle_t f unused, uint64_t o unused, uint64_t a unused, uint64_t s unused, uint32_t p unused, uint64_t *va)
{
	*va = (uint64_t)memory;
	return OK;
}
status_t shelf_list(handle_t shelf unused, uint32_t first, struct handle_info *buf, uint32_t count, uint32_t *got, uint32_t *next)
{
	*got = 0;
	for (*next = first; *next < ARRAY_LEN(on_shelf) && *got < count; ++*next)
		if (on_shelf[*next])
			buf[(*got)++] = (struct handle_info){ .handle = *next };
	if (*next == ARRAY_LEN(on_shelf))
		*next = 0;
	return OK;
}
status_t shelf_clear(handle_t shelf unused, uint32_t slot) { on_shelf[slot] = false; return OK; }
void log_print(const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	vsnprintf(said, sizeof(said), format, ap);
	va_end(ap);
}

static struct state open_it(bool after_fault)
{
	struct state s;
	faulted = after_fault;
	said[0] = 0;
	assert_int_equal(state_open(&s, VERSION, SIZE), OK);
	return s;
}

static int begin(void **state unused)
{
	memset(memory, 0, sizeof(memory));
	memset(on_shelf, 1, sizeof(on_shelf));
	has_frame = true;
	small_frame = false;
	struct state s = open_it(false);
	assert_true(s.fresh);
	for (size_t i = 0; i < ARRAY_LEN(on_shelf); i++)
		assert_false(on_shelf[i]);
	memset(s.memory, 0x55, SIZE);
	on_shelf[5] = on_shelf[50] = true;
	return 0;
}

static void assert_dropped(bool after_fault, const char *why)
{
	struct state s = open_it(after_fault);
	assert_true(s.fresh);
	assert_non_null(strstr(said, why));
	for (size_t i = 0; i < SIZE; i++)
		assert_int_equal(((char *)s.memory)[i], 0);
	assert_false(on_shelf[5]);
	assert_false(open_it(false).fresh);
}

static void assert_kept(bool after_fault)
{
	struct state s = open_it(after_fault);
	assert_false(s.fresh);
	assert_string_equal(said, "");
	assert_int_equal(((char *)s.memory)[SIZE - 1], 0x55);
	assert_true(on_shelf[5]);
}

static void kills_drop_nothing(void **state unused)
{
	for (int i = 0; i < 50; i++)
		assert_kept(false);
}

static void third_fault_drops(void **state unused)
{
	assert_kept(true);
	assert_kept(true);
	assert_dropped(true, "three faults");
}

static void good_service_forgives(void **state unused)
{
	for (int i = 0; i < 10; i++) {
		assert_kept(true);
		assert_kept(true);
		struct state s = open_it(false);
		state_good(&s);
	}
}

static void damaged_head(void **state unused)
{
	for (size_t byte = 0; byte < offsetof(struct state_head, faults); byte++) {
		begin(NULL);
		memory[byte] ^= 0x10;
		assert_dropped(false, "damaged");
	}
}

static void other_version(void **state unused)
{
	struct state s;
	assert_int_equal(state_open(&s, VERSION + 1, SIZE), OK);
	assert_true(s.fresh);
	assert_non_null(strstr(said, "version"));
}

static bool is_50(void *ctx unused, uint32_t slot) { return slot == 50; }

static void unrecorded_slots(void **state unused)
{
	struct state s = open_it(false);
	assert_int_equal(state_sweep(&s, is_50, NULL), OK);
	assert_true(on_shelf[50]);
	assert_false(on_shelf[5]);
}

static void no_frame(void **state unused)
{
	has_frame = false;
	struct state s = open_it(false);
	assert_true(s.fresh);
	free(s.head);
	has_frame = small_frame = true;
	s = open_it(false);
	assert_true(s.fresh);
	assert_non_null(strstr(said, "too small"));
	free(s.head);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(kills_drop_nothing, begin), cmocka_unit_test_setup(third_fault_drops, begin),
		cmocka_unit_test_setup(good_service_forgives, begin), cmocka_unit_test_setup(damaged_head, begin),
		cmocka_unit_test_setup(other_version, begin), cmocka_unit_test_setup(unrecorded_slots, begin), cmocka_unit_test_setup(no_frame, begin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

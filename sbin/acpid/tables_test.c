/*
 * tables: names of tables, looking them up, the list of them.
 */
#include "tables.c"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct tables t;
static const char header[] = "SSDT\x24\0\0\0\1\0BOCHS BXPC    \1\0\0\0BXPC\1\0\0\0";
_Static_assert(sizeof(header) == HEADER + 1, "a header");

static int empty(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	return 0;
}

static void names(void **state)
{
	(void)state;
	static const char *const signatures[] = { "DSDT", "FACP", "SSDT", "SSDT", "APIC", "SSDT" };
	static const char *const expected[] = { "DSDT", "FACP", "SSDT", "SSDT2", "APIC", "SSDT3" };
	for (size_t i = 0; i < ARRAY_LEN(signatures); i++)
		assert_true(tables_add(&t, signatures[i], header, 36));
	assert_int_equal(t.n, 6);
	for (size_t i = 0; i < ARRAY_LEN(signatures); i++) {
		assert_string_equal(t.at[i].name, expected[i]);
		assert_ptr_equal(tables_find(&t, expected[i], strlen(expected[i])), &t.at[i]);
	}
	assert_null(tables_find(&t, "SSDT4", 5));
	assert_null(tables_find(&t, "SSD", 3));
	assert_null(tables_find(&t, "", 0));
	assert_ptr_equal(tables_find(&t, "DSDT/..", 4), &t.at[0]);
}

static void hostile_names(void **state)
{
	(void)state;
	assert_true(tables_add(&t, "\0/..", header, 36));
	assert_true(tables_add(&t, "/\xff..", header, 36));
	assert_string_equal(t.at[0].name, "____");
	assert_string_equal(t.at[1].name, "____2");
}

static void full(void **state)
{
	(void)state;
	for (int i = 0; i < TABLES_MAX; i++)
		assert_true(tables_add(&t, "SSDT", header, 36));
	assert_false(tables_add(&t, "SSDT", header, 36));
	assert_string_equal(t.at[TABLES_MAX - 1].name, "SSDT128");
}

static void text(void **state)
{
	(void)state;
	char *exact = malloc(200);
	assert_true(tables_add(&t, "SSDT", header, 36));
	char *facs = malloc(8);         /* no header: nothing beyond its 8 bytes is read */
	memcpy(facs, "FACS\10\0\0", 8);
	assert_true(tables_add(&t, "FACS", facs, 8));
	size_t n = tables_text(&t, exact, 200);
	exact[n] = 0;
	assert_string_equal(exact, "SSDT             36  BOCHS BXPC\nFACS              8  \n");
	for (size_t room = 0; room < n; room++) {
		char *small = malloc(room ? room : 1);
		assert_true(tables_text(&t, small, room) <= room);
		free(small);
	}
	free(exact);
	free(facs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(names, empty), cmocka_unit_test_setup(hostile_names, empty),
		cmocka_unit_test_setup(full, empty), cmocka_unit_test_setup(text, empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

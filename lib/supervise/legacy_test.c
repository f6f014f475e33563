/*
 * legacy_test: tables of all sizes, read in batches. Expected: what is taken stays, once each; duplicates and
 * strangers are closed; handles made after the reading are never touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "legacy.c"

/* ---- a table of sorts: slot i holds table[i], or nothing (type 0) ---- */
static struct handle_info table[2000];
static uint32_t slots;
static status_t list_error;

status_t handle_list(handle_t process, uint32_t first, struct handle_info *buf, uint32_t count, uint32_t *got, uint32_t *next)
{
	uint32_t n = 0, slot = first;

	assert_int_equal(process, 0);
	if (list_error < 0)
		return list_error;
	for (; slot < slots && n < count && slot - first < 256; slot++)
		if (table[slot].type)
			buf[n++] = table[slot];
	*got = n;
	*next = slot < slots ? slot : 0;
	return OK;
}

status_t handle_close(handle_t h)
{
	for (uint32_t i = 0; i < slots; i++)
		if (table[i].type && table[i].handle == h) {
			table[i].type = 0;
			return OK;
		}
	fail_msg("handle %u closed, which nobody has", h);
	return ERR_BAD_HANDLE;
}

static handle_t put(uint32_t type, uint32_t tag)
{
	table[slots] = (struct handle_info){ .handle = HANDLE_FIRST(slots), .type = type, .tag = tag };
	return table[slots++].handle;
}

static uint32_t open_handles(void)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < slots; i++)
		n += table[i].type != 0;
	return n;
}

static int reset(void **state)
{
	(void)state;
	slots = 0;
	list_error = OK;
	return 0;
}

static void nothing_there(void **state)
{
	struct legacy l;

	(void)state;
	assert_int_equal(legacy_read(&l), OK);
	assert_null(legacy_find(&l, OBJ_PORT, 0));
	assert_int_equal(legacy_take(&l, OBJ_PORT, TAG(0, 1)), 0);
	legacy_keep(&l, 0);
	assert_int_equal(legacy_sweep(&l), 0);
}

static void taken_once_and_duplicates_go(void **state)
{
	struct legacy l;
	uint32_t owner = 0;

	(void)state;
	handle_t root = put(OBJ_RESOURCE, 0), first = put(OBJ_PORT, TAG(7, 1));
	put(OBJ_PORT, TAG(7, 1));                       /* made twice: died between making and noting */
	put(OBJ_PORT, 0);                               /* died before the tag */
	handle_t frame = put(OBJ_FRAME, TAG(7, 1)), other = put(OBJ_PORT, TAG(TAG_OWNER_MAX, 1));
	assert_int_equal(legacy_read(&l), OK);
	legacy_keep(&l, root);
	assert_int_equal(legacy_take(&l, OBJ_PORT, TAG(7, 1)), first);
	assert_int_equal(legacy_take(&l, OBJ_FRAME, TAG(7, 1)), frame);
	assert_int_equal(legacy_take(&l, OBJ_FRAME, TAG(7, 1)), 0);
	assert_int_equal(legacy_take(&l, OBJ_PORT, TAG(8, 1)), 0);
	put(OBJ_PORT, 0);                               /* made in this life */
	assert_int_equal(legacy_take_kind(&l, OBJ_PORT, 2, &owner), 0);
	assert_int_equal(legacy_take(&l, OBJ_PORT, TAG(TAG_OWNER_MAX, 1)), other);
	assert_int_equal(legacy_sweep(&l), 2);
	assert_int_equal(open_handles(), 5);
}

static void kinds_with_their_owner(void **state)
{
	struct legacy l;
	uint32_t owner = 0;

	(void)state;
	put(OBJ_PROCESS, TAG(3, 9));
	handle_t h = put(OBJ_TABLE, TAG(12, 9));
	assert_int_equal(legacy_read(&l), OK);
	assert_int_equal(legacy_take_kind(&l, OBJ_TABLE, 9, &owner), h);
	assert_int_equal(owner, 12);
	assert_int_equal(legacy_take_kind(&l, OBJ_TABLE, 9, NULL), 0);
	assert_int_equal(legacy_sweep(&l), 1);
}

/* Holes of more than one batch, and every second one taken. */
static void large_tables(void **state)
{
	struct legacy l;

	(void)state;
	for (uint32_t i = 0; i < 1500; i++) {
		handle_t h = put(OBJ_FRAME, TAG(1499 - i, 4));
		if (i > 300 && i < 900)
			handle_close(h);
	}
	uint32_t before = open_handles();
	assert_int_equal(legacy_read(&l), OK);
	assert_int_equal(l.n, before);
	uint32_t took = 0;
	for (uint32_t i = 0; i < 1500; i += 2)
		took += legacy_take(&l, OBJ_FRAME, TAG(i, 4)) != 0;
	assert_int_equal(legacy_sweep(&l), before - took);
	assert_int_equal(open_handles(), took);
}

static bool no_tag(const struct handle_info *h)
{
	return h->tag == 0;
}

static void useless_ones_first(void **state)
{
	struct legacy l;

	(void)state;
	handle_t root = put(OBJ_RESOURCE, 0), port = put(OBJ_PORT, TAG(3, 1));
	for (int i = 0; i < 100; i++)
		put(OBJ_NOTIFY, 0);
	put(OBJ_PORT, TAG(4, 1));
	assert_int_equal(legacy_read(&l), OK);
	legacy_keep(&l, root);
	legacy_discard(&l, no_tag);
	assert_int_equal(open_handles(), 3);
	assert_int_equal(legacy_take(&l, OBJ_PORT, TAG(3, 1)), port);
	assert_int_equal(legacy_sweep(&l), 1);
	assert_int_equal(open_handles(), 2);
}

static void errors_are_told(void **state)
{
	struct legacy l;

	(void)state;
	put(OBJ_PORT, 0);
	list_error = ERR_NO_MEMORY;
	assert_int_equal(legacy_read(&l), ERR_NO_MEMORY);
	assert_int_equal(legacy_sweep(&l), 0);
	assert_int_equal(open_handles(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_there, reset), cmocka_unit_test_setup(taken_once_and_duplicates_go, reset),
		cmocka_unit_test_setup(kinds_with_their_owner, reset), cmocka_unit_test_setup(large_tables, reset),
		cmocka_unit_test_setup(errors_are_told, reset), cmocka_unit_test_setup(useless_ones_first, reset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

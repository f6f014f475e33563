/*
 * memo_test: a memo finds what the tree finds, the first time and again, however many paths there are, and tells apart what differs
 * in one byte, in length or in the directory it starts from.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <abi/file.h>
#include <gen/errors.h>
#include "memo.c"
#include "tree.c"

enum { FILES = 500 };

static struct tree tree;
static struct memo memo;

/* In memory of just the size that is promised, so that reading further is noticed. */
static status_t ask(uint32_t dir, const char *path)
{
	size_t len = strlen(path);
	char *copy = malloc(len + 8);
	memset(copy, 0xa5, len + 8);
	memcpy(copy, path, len);
	status_t st = memo_find(&memo, &tree, dir, copy, len);
	free(copy);
	return st;
}

static void finds_what_the_tree_finds(void **state)
{
	(void)state;
	char name[64];
	uint32_t node;
	bool existed;
	assert_int_equal(tree_init(&tree), OK);
	for (unsigned i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "d%u/%.*s%u", i % 7, (int)(i % 45), "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", i);
		assert_int_equal(tree_add(&tree, name, FILE_REGULAR, &node, &existed), OK);
	}
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < FILES + 50; i++) {
			snprintf(name, sizeof(name), "d%u/%.*s%u", i % 7, (int)(i % 45), "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", i);
			for (unsigned again = 0; again < 2; again++)
				assert_int_equal(ask(0, name), tree_find(&tree, 0, name, strlen(name)));
			const char *inside = strchr(name, '/') + 1;
			for (uint32_t dir = 0; dir < 8; dir++)
				assert_int_equal(ask(dir, inside), tree_find(&tree, dir, inside, strlen(inside)));
		}
	static const char *const odd[] = { "", "/", "d1", "d1/", "d1//", ".", "..", "d1/..", "d1/../d2", "d1/0", "no", "d1/no", "aaaaaaa", "aaaaaaaa" };
	for (unsigned round = 0; round < 2; round++)
		for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
			assert_int_equal(ask(0, odd[i]), tree_find(&tree, 0, odd[i], strlen(odd[i])));
	tree_free(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(finds_what_the_tree_finds) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

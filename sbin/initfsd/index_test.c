/*
 * index_test: trees written and read again. Expected: the same numbers, names and figures; of anything
 * damaged, at whatever byte, an error and never a wild access.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "tree.c"
#include "../../abi/rt/sum.c"
#include "index.c"

static void build(struct tree *t)
{
	uint32_t n;
	bool existed;

	assert_int_equal(tree_init(t), OK);
	assert_int_equal(tree_add(t, "etc/services/rngd", FILE_REGULAR, &n, &existed), OK);
	t->nodes[n].size = 123;
	t->nodes[n].mtime = 77;
	t->nodes[n].sum = 0xdeadbeef;
	for (int i = 0; i < 300; i++) {
		char path[64];
		snprintf(path, sizeof(path), "bin/d%d/program-%d", i % 7, i);
		assert_int_equal(tree_add(t, path, FILE_REGULAR, &n, &existed), OK);
		t->nodes[n].size = (uint64_t)i * 1000;
	}
	assert_int_equal(tree_add(t, "empty", FILE_DIRECTORY, &n, &existed), OK);
}

static void same_after_reading(void **state)
{
	struct tree a, b;

	(void)state;
	build(&a);
	size_t size = index_size(&a);
	void *buf = malloc(size);
	index_write(&a, buf);
	assert_int_equal(tree_init(&b), OK);
	assert_int_equal(index_read(&b, buf, size), OK);
	assert_int_equal(b.n, a.n);
	for (uint32_t i = 0; i < a.n; i++) {
		const struct node *x = &a.nodes[i], *y = &b.nodes[i];
		assert_string_equal(tree_name(&a, i), tree_name(&b, i));
		assert_true(x->parent == y->parent && x->next == y->next && x->first_child == y->first_child);
		assert_true(x->size == y->size && x->mtime == y->mtime && x->mode == y->mode && x->sum == y->sum && x->type == y->type);
	}
	assert_int_equal(tree_find(&b, 0, "etc/services/rngd", 17), tree_find(&a, 0, "etc/services/rngd", 17));
	tree_free(&a);
	tree_free(&b);
	/* A Frame is longer than what it holds. */
	free(buf);
}

static status_t try(const void *data, size_t size)
{
	struct tree t;
	void *copy = malloc(size ? size : 1);       /* of its own, so that the sanitizer sees one byte too far */

	memcpy(copy, data, size);
	assert_int_equal(tree_init(&t), OK);
	status_t st = index_read(&t, copy, size);
	tree_free(&t);
	free(copy);
	return st;
}

static void damaged_anywhere(void **state)
{
	struct tree a;

	(void)state;
	build(&a);
	size_t size = index_size(&a);
	uint8_t *buf = malloc(size);
	index_write(&a, buf);
	for (size_t i = 0; i < size; i += i < 200 ? 1 : 37) {
		buf[i] ^= 0x41;
		assert_int_equal(try(buf, size), ERR_BAD_FORMAT);
		buf[i] ^= 0x41;
	}
	for (size_t cut = 0; cut < size; cut += 13)
		assert_int_equal(try(buf, cut), ERR_BAD_FORMAT);
	assert_int_equal(try(buf, size), OK);
	free(buf);
	tree_free(&a);
}

/* With a right checksum: what a wild program could have written on purpose. */
static void hostile_numbers(void **state)
{
	struct tree a;

	(void)state;
	build(&a);
	size_t size = index_size(&a);
	void *buf = malloc(size), *bad = malloc(size);
	index_write(&a, buf);
	for (int what = 0; what < 8; what++) {
		memcpy(bad, buf, size);
		struct index_head *h = bad;
		struct index_node *n = (struct index_node *)(h + 1);
		switch (what) {
		case 0: n[2].parent = 2; break;
		case 1: n[2].parent = UINT32_MAX; break;
		case 2: n[2].name = UINT32_MAX; break;
		case 3: n[2].name = h->names - 1; break;
		case 4: n[2].name_len = 0; break;
		case 5: n[2].type = 99; break;
		case 6: n[0].type = FILE_REGULAR; break;
		case 7: n[4] = n[3]; n[4].parent = n[3].parent; break;
		}
		h->sum = checksum(h, n, size - sizeof(*h));
		assert_int_equal(try(bad, size), ERR_BAD_FORMAT);
	}
	free(buf);
	free(bad);
	tree_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_after_reading), cmocka_unit_test(damaged_anywhere), cmocka_unit_test(hostile_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

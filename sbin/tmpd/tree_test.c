/*
 * tree: names against expectations, and a long random life against a plain model, with a death after any store.
 * Expected: ".." never leaves, limits answer NO_SPACE, unlinked files live until their last CLOSE, stale badges name
 * nothing, damaged inodes go and the rest stays, and deaths change nothing of what the operations answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>
#include <abi/types.h>

static long stores, die_at;
static jmp_buf death;
static void stored(void)
{
	if (++stores == die_at)
		longjmp(death, 1);
}
#define INTENT_STORED() stored()
#include "../../abi/rt/intent.c"
#include "../../abi/rt/sum.c"
#include "tree.c"
#include "tree_check.h"

enum { RECORDS = 4, FILE_MAX = 1 << 20 };

static struct kept { struct tree_image image; struct intent_record ring[RECORDS]; } kept;
static struct tree tree;
static struct intent_log intents;

static uint32_t attach(void)
{
	assert_int_equal(intent_open(&intents, kept.ring, RECORDS, &kept.image, sizeof(kept.image)), 0);
	intent_recover(&intents, NULL, NULL);
	uint32_t dropped = tree_attach(&tree, &kept.image, FILE_MAX);
	tree_check(&tree);
	return dropped;
}

static int begin(void **state unused)
{
	die_at = 0;
	memset(&kept, 0, sizeof(kept));
	assert_int_equal(attach(), 0);
	return 0;
}

/* ---- operations as main.c makes them ---- */

static const struct intent_answer no_answer;

static status_t op_create(const char *path, int type, uint32_t opens)
{
	struct place p;
	struct change c;
	status_t st = tree_place(&tree, TREE_ROOT, path, strlen(path), &p);
	if (st == OK && p.ino)
		st = ERR_EXISTS;
	if (st == OK)
		st = tree_plan_create(&tree, &c, &p, type, 0644, opens);
	if (st == OK)
		tree_commit(&tree, &intents, 1, &c, &no_answer);
	return st;
}

static status_t op_unlink(const char *path, bool directory)
{
	struct place p;
	struct change c;
	status_t st = tree_place(&tree, TREE_ROOT, path, strlen(path), &p);
	if (st == OK)
		st = tree_plan_unlink(&tree, &c, &p, directory);
	if (st == OK)
		tree_commit(&tree, &intents, 1, &c, &no_answer);
	return st;
}

static status_t op_rename(const char *from, const char *to)
{
	struct place a, b;
	struct change c;
	status_t st = tree_place(&tree, TREE_ROOT, from, strlen(from), &a);
	if (st == OK)
		st = tree_place(&tree, TREE_ROOT, to, strlen(to), &b);
	if (st == OK)
		st = tree_plan_rename(&tree, &c, &a, &b);
	if (st == OK && c.n)
		tree_commit(&tree, &intents, 1, &c, &no_answer);
	return st;
}

static status_t op_close(uint32_t ino)
{
	struct change c;
	status_t st = tree_plan_close(&tree, &c, ino);
	if (st == OK)
		tree_commit(&tree, &intents, 1, &c, &no_answer);
	return st;
}

static status_t op_append(uint32_t ino, uint64_t n)
{
	struct change c;
	tree_plan_size(&tree, &c, ino, tree_inode(&tree, ino)->size + n);
	tree_commit(&tree, &intents, 1, &c, &no_answer);
	return OK;
}

static status_t find_from(uint32_t dir, const char *path, uint32_t *ino)
{
	return tree_find(&tree, dir, path, strlen(path), ino);
}

static uint32_t at(const char *path)
{
	uint32_t ino = 0;
	return find_from(TREE_ROOT, path, &ino) == OK ? ino : 0;
}

/* ---- tests ---- */

static void names(void **state unused)
{
	char longest[NAME_MAX_BYTES + 3];
	uint32_t ino;

	assert_int_equal(op_create("d", FILE_DIRECTORY, 0), OK);
	assert_int_equal(op_create("d/e/", FILE_DIRECTORY, 0), OK);
	assert_int_equal(op_create("/d//e/./f", FILE_REGULAR, 0), OK);
	assert_int_equal(op_create("d/e/f", FILE_REGULAR, 0), ERR_EXISTS);
	assert_int_equal(op_create("x/y", FILE_REGULAR, 0), ERR_NOT_FOUND);
	assert_int_equal(op_create("d/e/f/g", FILE_REGULAR, 0), ERR_NOT_DIRECTORY);
	assert_int_equal(op_create("d/g/", FILE_REGULAR, 0), ERR_IS_DIRECTORY);
	assert_int_equal(op_create("", FILE_REGULAR, 0), ERR_INVALID);
	assert_int_equal(op_create("d/..", FILE_REGULAR, 0), ERR_INVALID);
	assert_int_equal(op_create("///", FILE_REGULAR, 0), ERR_INVALID);
	assert_int_equal(find_from(TREE_ROOT, "d/e/f/", &ino), ERR_NOT_DIRECTORY);
	assert_int_equal(find_from(TREE_ROOT, "d/e/f/..", &ino), ERR_NOT_DIRECTORY);
	assert_int_equal(at("../../d/e/../e/f"), at("d/e/f"));
	/* From a directory's Session ".." stops there. */
	uint32_t e = at("d/e");
	assert_int_equal(find_from(e, "..", &ino), OK);
	assert_int_equal(ino, e);
	assert_int_equal(find_from(e, "../../d", &ino), ERR_NOT_FOUND);
	memset(longest, 'n', sizeof(longest));
	longest[NAME_MAX_BYTES + 1] = 0;
	assert_int_equal(op_create(longest, FILE_REGULAR, 0), ERR_TOO_LONG);
	assert_int_equal(find_from(TREE_ROOT, longest, &ino), ERR_TOO_LONG);
	longest[NAME_MAX_BYTES] = 0;
	assert_int_equal(op_create(longest, FILE_REGULAR, 0), OK);
	assert_true(at(longest));
	tree_check(&tree);
	assert_int_equal(attach(), 0);
	assert_true(at(longest));
	assert_true(at("d/e/f"));
}

static void unlinking(void **state unused)
{
	assert_int_equal(op_create("d", FILE_DIRECTORY, 0), OK);
	assert_int_equal(op_create("d/f", FILE_REGULAR, 2), OK);
	uint32_t f = at("d/f");
	uint64_t badge = tree_badge(&tree, f, 5);
	assert_int_equal(tree_by_badge(&tree, badge), f);
	assert_int_equal(op_unlink("d", true), ERR_NOT_EMPTY);
	assert_int_equal(op_unlink("d", false), ERR_IS_DIRECTORY);
	assert_int_equal(op_unlink("d/f", true), ERR_NOT_DIRECTORY);
	assert_int_equal(op_unlink("d/f/", false), ERR_NOT_DIRECTORY);
	assert_int_equal(op_unlink("d/f", false), OK);
	assert_int_equal(op_unlink("d/f", false), ERR_NOT_FOUND);
	/* It lives on, through a death too. */
	assert_int_equal(attach(), 0);
	assert_int_equal(tree_by_badge(&tree, badge), f);
	assert_int_equal(op_close(f), OK);
	assert_int_equal(tree_by_badge(&tree, badge), f);
	assert_int_equal(op_close(f), OK);
	assert_int_equal(tree_by_badge(&tree, badge), 0);
	assert_int_equal(op_close(f), ERR_NOT_FOUND);
	/* The number is used again, the badge is not. */
	assert_int_equal(op_create("g", FILE_REGULAR, 0), OK);
	assert_int_equal(at("g"), f);
	assert_int_equal(tree_by_badge(&tree, badge), 0);
	assert_int_equal(tree_by_badge(&tree, 0), TREE_ROOT);
	assert_int_equal(tree_by_badge(&tree, 0xffff), 0);
	assert_int_equal(tree_by_badge(&tree, UINT64_MAX), 0);
	/* Nothing is made in a directory that is gone. */
	struct place p;
	struct change c;
	assert_int_equal(op_create("h", FILE_DIRECTORY, 1), OK);
	uint32_t h = at("h");
	assert_int_equal(op_unlink("h", true), OK);
	assert_int_equal(tree_place(&tree, h, "x", 1, &p), OK);
	assert_int_equal(tree_plan_create(&tree, &c, &p, FILE_REGULAR, 0, 0), ERR_NOT_FOUND);
	tree_check(&tree);
}

static void renaming(void **state unused)
{
	assert_int_equal(op_create("a", FILE_DIRECTORY, 0), OK);
	assert_int_equal(op_create("a/b", FILE_DIRECTORY, 0), OK);
	assert_int_equal(op_create("a/b/f", FILE_REGULAR, 0), OK);
	assert_int_equal(op_create("g", FILE_REGULAR, 1), OK);
	uint32_t f = at("a/b/f"), g = at("g");
	assert_int_equal(op_rename("a", "a/b/c"), ERR_INVALID);
	assert_int_equal(op_rename("a", "a/c"), ERR_INVALID);
	assert_int_equal(op_rename("a/b/f", "a"), ERR_IS_DIRECTORY);
	assert_int_equal(op_rename("a", "g"), ERR_NOT_DIRECTORY);
	assert_int_equal(op_rename("nobody", "g"), ERR_NOT_FOUND);
	assert_int_equal(op_rename("g", "g"), OK);
	assert_int_equal(op_rename("g", "new/"), ERR_NOT_DIRECTORY);
	assert_int_equal(op_rename("a/b/f", "g"), OK);
	assert_int_equal(at("g"), f);
	assert_int_equal(at("a/b/f"), 0);
	assert_int_equal(tree_inode(&tree, g)->parent, 0);
	assert_int_equal(tree_inode(&tree, g)->opens, 1);
	assert_int_equal(op_create("z", FILE_DIRECTORY, 0), OK);
	assert_int_equal(op_rename("z", "a"), ERR_NOT_EMPTY);
	assert_int_equal(op_rename("z", "a/b"), OK);
	assert_int_equal(op_rename("a", "moved"), OK);
	assert_true(at("moved/b"));
	tree_check(&tree);
	assert_int_equal(attach(), 0);
	assert_true(at("moved/b"));
}

/* Another Port: what Sessions of the one before named is as if they had been closed. */
static void forgotten_opens(void **state unused)
{
	assert_int_equal(op_create("d", FILE_DIRECTORY, 1), OK);
	assert_int_equal(op_create("d/kept", FILE_REGULAR, 2), OK);
	uint32_t used = tree.n_used;
	assert_int_equal(op_create("gone", FILE_REGULAR, 3), OK);
	uint32_t gone = at("gone"), generation = tree_inode(&tree, gone)->generation;
	assert_int_equal(op_unlink("gone", false), OK);
	assert_int_equal(tree.n_used, used + 1);
	tree_forget_opens(tree.image);
	assert_int_equal(attach(), 0);
	assert_int_equal(tree.n_used, used);
	assert_true(tree_inode(&tree, gone)->generation > generation);
	assert_true(at("d/kept") && tree_inode(&tree, at("d/kept"))->opens == 0 && tree_inode(&tree, at("d"))->opens == 0);
	tree_check(&tree);
}

static void limits(void **state unused)
{
	char name[16];
	unsigned n = 0;

	for (;; n++) {
		snprintf(name, sizeof(name), "f%u", n);
		status_t st = op_create(name, FILE_REGULAR, 0);
		if (st < 0) {
			assert_int_equal(st, ERR_NO_SPACE);
			break;
		}
	}
	assert_int_equal(n, TREE_INODES - 2);
	assert_int_equal(attach(), 0);
	assert_int_equal(op_create("more", FILE_REGULAR, 0), ERR_NO_SPACE);
	assert_int_equal(op_unlink("f77", false), OK);
	assert_int_equal(op_create("more", FILE_REGULAR, 0), OK);
	assert_int_equal(op_rename("more", "f0"), OK);
	unsigned seen = 0;
	for (uint32_t i = 0; (i = tree_next(&tree, TREE_ROOT, i));)
		seen++;
	assert_int_equal(seen, n - 1);
	tree_check(&tree);
}

/* Each inode in turn, each of its bytes: what is wrong goes, and never more than it and what hangs below it. */
static void damage(void **state unused)
{
	static struct kept good;

	assert_int_equal(op_create("d", FILE_DIRECTORY, 0), OK);
	assert_int_equal(op_create("d/e", FILE_DIRECTORY, 0), OK);
	assert_int_equal(op_create("d/e/f", FILE_REGULAR, 0), OK);
	assert_int_equal(op_create("g", FILE_REGULAR, 0), OK);
	uint32_t d = at("d"), e = at("d/e"), high = (uint32_t)kept.image.high;
	good = kept;
	for (uint32_t i = 1; i < high; i++)
		for (size_t byte = 0; byte < sizeof(struct inode); byte++) {
			kept = good;
			((uint8_t *)tree_inode(&tree, i))[byte] ^= 0x41;
			uint32_t dropped = attach();
			assert_true(dropped <= 5);
			if (i != TREE_ROOT && i != at("g"))
				assert_true(at("g") || i == high - 1);
		}
	/* A ring of directories, with good sums. */
	kept = good;
	tree_inode(&tree, d)->parent = e;
	tree_inode(&tree, d)->sum = inode_sum(tree_inode(&tree, d), d);
	assert_int_equal(attach(), 3);
	assert_true(at("g"));
	assert_int_equal(at("d"), 0);
	/* Two of one name. */
	kept = good;
	memcpy(tree_inode(&tree, e)->name, "g", 2);
	tree_inode(&tree, e)->parent = TREE_ROOT;
	tree_inode(&tree, e)->name_len = 1;
	tree_inode(&tree, e)->sum = inode_sum(tree_inode(&tree, e), e);
	assert_int_equal(attach(), 2);
	assert_true(at("g"));
	kept = good;
	kept.image.high = UINT64_MAX;
	assert_int_equal(attach(), 1);
	assert_true(at("d/e/f"));
	kept = good;
	kept.image.magic ^= 1;
	assert_int_equal(attach(), 1);
	assert_int_equal(at("g"), 0);
}

/* ---- a long life ---- */

static uint32_t seed;
static uint32_t dice(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static void random_path(char *path)
{
	*path = 0;
	for (uint32_t depth = 1 + dice(3); depth--;)
		sprintf(path + strlen(path), "%s%c", *path ? "/" : "", (char)('a' + dice(4)));
}

/* One operation, decided by the dice alone. */
static status_t random_op(void)
{
	char a[16], b[16];
	uint32_t what = dice(8), ino;
	random_path(a);
	random_path(b);
	switch (what) {
	case 0: return op_create(a, FILE_DIRECTORY, 0);
	case 1: case 2: return op_create(a, FILE_REGULAR, 0);
	case 3: return op_unlink(a, false);
	case 4: return op_unlink(a, true);
	case 5: case 6: return op_rename(a, b);
	default:
		ino = at(a);
		return ino && tree_inode(&tree, ino)->type == FILE_REGULAR ? op_append(ino, 7) : ERR_NOT_FOUND;
	}
}

static void list(uint32_t dir, char *text)
{
	/* By name, since inode numbers depend on the deaths. */
	for (char c = 'a'; c <= 'd'; c++) {
		uint32_t i = child(&tree, dir, &c, 1);
		if (!i)
			continue;
		sprintf(text + strlen(text), "%c:%u:%llu(", c, tree_inode(&tree, i)->type, (unsigned long long)tree_inode(&tree, i)->size);
		list(i, text);
		strcat(text, ")");
	}
}

enum { STEPS = 3000 };
static struct { status_t st; char text[4096]; } expected[STEPS];

static void a_life_with_deaths(void **state unused)
{
	static char text[4096];
	static volatile int deaths;     /* most operations fail and store nothing to die at */

	seed = 1;
	for (int i = 0; i < STEPS; i++) {
		expected[i].st = random_op();
		expected[i].text[0] = 0;
		list(TREE_ROOT, expected[i].text);
	}
	begin(NULL);
	static uint32_t before, luck;
	seed = 1;
	luck = 99;
	for (volatile int i = 0; i < STEPS; i++) {
		before = seed;
		luck = luck * 22695477u + 1;
		die_at = stores + 1 + (luck >> 16) % 120;
		status_t st;
		if (setjmp(death)) {
			/* The next instance: what was begun is done; what was not is delivered again. */
			deaths++;
			die_at = 0;
			uint64_t last = intents.sequence;
			attach();
			bool known = intents.sequence == last && intent_find(&intents, 1) && kept.ring[last % RECORDS].commit == (last << 2 | INTENT_DONE);
			seed = before;
			if (known) {
				st = OK;
				/* The dice roll on as if it had been done here. */
				char a[16];
				dice(8);
				random_path(a);
				random_path(a);
			} else {
				st = random_op();
			}
		} else {
			st = random_op();
		}
		die_at = 0;
		intent_settle(&intents);
		assert_int_equal(st, expected[i].st);
		text[0] = 0;
		list(TREE_ROOT, text);
		assert_string_equal(text, expected[i].text);
	}
	tree_check(&tree);
	assert_true(deaths > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(names, begin), cmocka_unit_test_setup(unlinking, begin), cmocka_unit_test_setup(renaming, begin),
		cmocka_unit_test_setup(forgotten_opens, begin), cmocka_unit_test_setup(limits, begin), cmocka_unit_test_setup(damage, begin), cmocka_unit_test_setup(a_life_with_deaths, begin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

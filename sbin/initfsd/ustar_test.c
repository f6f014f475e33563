/*
 * ustar_test: archives built here, whole, broken and hostile.
 * Expected: good entries come out clean and in order, bad names are refused one by one, a damaged
 * header or a cut ends the walk with a reason and the right offset, and nothing reads too far.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "ustar.c"

static uint8_t tar[64 * 1024];
static size_t tar_len, tar_at;

static size_t from_tar(void *ctx, void *buf, size_t len)
{
	(void)ctx;
	size_t n = MIN(len, tar_len - tar_at);
	memcpy(buf, tar + tar_at, n);
	tar_at += n;
	return n;
}

static void seal(uint8_t *h)
{
	unsigned sum = 0;
	memset(h + CHKSUM, ' ', CHKSUM_LEN);
	for (int i = 0; i < USTAR_BLOCK; i++)
		sum += h[i];
	snprintf((char *)h + CHKSUM, CHKSUM_LEN, "%06o", sum);
}

static uint8_t *put(const char *name, char type, const void *data, size_t size)
{
	uint8_t *h = tar + tar_len;
	memset(h, 0, USTAR_BLOCK);
	memcpy(h, name, MIN(strlen(name), (size_t)NAME_LEN));
	memcpy(h + MODE, "0000644", 8);
	snprintf((char *)h + SIZE, SIZE_LEN, "%011zo", size);
	memcpy(h + MTIME, "00000000012", 12);
	memcpy(h + MAGIC, "ustar\00000", 8);
	h[TYPEFLAG] = (uint8_t)type;
	seal(h);
	tar_len += USTAR_BLOCK;
	memcpy(tar + tar_len, data, size);
	memset(tar + tar_len + size, 0, USTAR_BLOCK);
	tar_len += ALIGN_UP(size, (size_t)USTAR_BLOCK);
	return h;
}

static void finish(void)
{
	memset(tar + tar_len, 0, 2 * USTAR_BLOCK);
	tar_len += 2 * USTAR_BLOCK;
}

static struct ustar u;
static struct ustar_entry e;

static int begin(void **state)
{
	(void)state;
	tar_len = tar_at = 0;
	ustar_init(&u, from_tar, NULL);
	return 0;
}

static void expect(int type, const char *path, uint64_t size)
{
	assert_int_equal(ustar_next(&u, &e), USTAR_ENTRY);
	assert_int_equal(e.type, type);
	if (type != USTAR_BAD)
		assert_string_equal(e.path, path);
	else
		assert_non_null(e.why);
	assert_int_equal(e.size, size);
}

static void plain(void **state)
{
	(void)state;
	char buf[1000];
	put("./", '5', "", 0);
	put("./etc/", '5', "", 0);
	put("./etc/motd", '0', "hello", 5);
	put("/sbin//initd", '0', "x", 1);
	put("empty", 0, "", 0);
	put("old-style-dir/", 0, "", 0);
	finish();
	expect(USTAR_DIRECTORY, "", 0);
	expect(USTAR_DIRECTORY, "etc", 0);
	expect(USTAR_FILE, "etc/motd", 5);
	assert_int_equal(e.mode, 0644);
	assert_int_equal(e.mtime, 10);
	assert_int_equal(ustar_data(&u, buf, 2), 2);
	assert_int_equal(ustar_data(&u, buf + 2, sizeof(buf) - 2), 3);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(ustar_data(&u, buf, 10), 0);
	expect(USTAR_FILE, "sbin/initd", 1);
	expect(USTAR_FILE, "empty", 0);
	expect(USTAR_DIRECTORY, "old-style-dir", 0);
	assert_int_equal(ustar_next(&u, &e), USTAR_END);
}

static void prefix(void **state)
{
	(void)state;
	uint8_t *h = put("name", '0', "", 0);
	memcpy(h + PREFIX, "a/b", 3);
	seal(h);
	/* A name of exactly 100 bytes has no final zero. */
	char longest[101];
	memset(longest, 'n', 100);
	longest[100] = 0;
	put(longest, '0', "", 0);
	finish();
	expect(USTAR_FILE, "a/b/name", 0);
	expect(USTAR_FILE, longest, 0);
}

static void pax(void **state)
{
	(void)state;
	static const char records[] = "20 path=long/er/name\n" "19 comment=ignored\n" "10 size=3\n";
	/* Lengths count themselves, the space and the newline. */
	char good[200];
	int n = snprintf(good, sizeof(good), "22 path=a/./long/name\n19 comment=ignored\n10 size=3\n");
	put("PaxHeaders/x", 'x', good, (size_t)n);
	put("short", '0', "abc", 3);
	put("after", '0', "", 0);
	finish();
	expect(USTAR_FILE, "a/long/name", 3);
	expect(USTAR_FILE, "after", 0);
	assert_int_equal(ustar_next(&u, &e), USTAR_END);

	begin(NULL);
	put("PaxHeaders/x", 'x', records, sizeof(records) - 1);
	put("short", '0', "abc", 3);
	assert_int_equal(ustar_next(&u, &e), USTAR_BROKEN);
	assert_string_equal(u.why, "an extended header has a malformed record");
}

static void pax_hostile(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"99999999999999999999999999 path=x\n", "0 path=x\n", "1", "5 a=b", "8 path=x", "12 size=999z\n",
		"35 size=99999999999999999999999999\n", "8 nokey\n", " 9 a=b\n", "9 size=\n\n", "-9 a=bcd\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		begin(NULL);
		put("x", 'x', bad[i], strlen(bad[i]));
		put("f", '0', "", 0);
		finish();
		assert_int_equal(ustar_next(&u, &e), USTAR_BROKEN);
	}
	/* A zero byte or ".." inside the path: that entry is refused, the next one is fine. */
	begin(NULL);
	put("x", 'x', "13 path=a\0b/\n", 13);
	put("f", '0', "abc", 3);
	put("x", 'x', "15 path=../etc\n", 15);
	put("f", '0', "", 0);
	put("g", '0', "", 0);
	finish();
	expect(USTAR_BAD, NULL, 3);
	expect(USTAR_BAD, NULL, 0);
	expect(USTAR_FILE, "g", 0);
	/* An extended header larger than we care to hold. */
	begin(NULL);
	uint8_t *h = put("x", 'x', "", 0);
	memcpy(h + SIZE, "00077777777", 12);
	seal(h);
	assert_int_equal(ustar_next(&u, &e), USTAR_BROKEN);
}

static void gnu_long_name(void **state)
{
	(void)state;
	char name[301];
	memset(name, 'd', 150);
	name[150] = '/';
	memset(name + 151, 'f', 149);
	name[300] = 0;
	put("././@LongLink", 'L', name, 301);
	put("cut", '0', "q", 1);
	finish();
	expect(USTAR_FILE, name, 1);
}

static void bad_names(void **state)
{
	(void)state;
	put("../x", '0', "abc", 3);
	put("a/../../x", '0', "", 0);
	put("", '0', "", 0);
	put("link", '2', "", 0);
	put("dev", '3', "", 0);
	put("..x/...", '0', "", 0);
	char *longer = malloc(600);
	int n = snprintf(longer, 600, "%s", "307 path=");
	memset(longer + n, 'y', 297);
	longer[n + 297] = '\n';
	put("x", 'x', longer, 307);
	put("f", '0', "", 0);
	free(longer);
	finish();
	expect(USTAR_BAD, NULL, 3);
	expect(USTAR_BAD, NULL, 0);
	expect(USTAR_BAD, NULL, 0);
	expect(USTAR_BAD, NULL, 0);
	expect(USTAR_BAD, NULL, 0);
	expect(USTAR_FILE, "..x/...", 0);
	expect(USTAR_BAD, NULL, 0);
	assert_int_equal(ustar_next(&u, &e), USTAR_END);
}

static void damage(void **state)
{
	(void)state;
	put("one", '0', "1", 1);
	uint8_t *h = put("two", '0', "2", 1);
	h[3]++;
	finish();
	expect(USTAR_FILE, "one", 1);
	assert_int_equal(ustar_next(&u, &e), USTAR_BROKEN);
	assert_int_equal(u.offset, 1024);
	assert_string_equal(u.why, "a header's checksum is wrong");

	begin(NULL);
	h = put("one", '0', "1", 1);
	memcpy(h + SIZE, "zzzzzzz", 7);
	seal(h);
	assert_int_equal(ustar_next(&u, &e), USTAR_BROKEN);

	/* A size of nearly 2^62 and no data behind it. */
	begin(NULL);
	h = put("one", '0', "1", 1);
	memset(h + SIZE, 0, SIZE_LEN);
	h[SIZE] = 0x80;
	h[SIZE + 4] = 0x3f;
	seal(h);
	expect(USTAR_FILE, "one", 0x3full << 56);
	assert_int_equal(ustar_next(&u, &e), USTAR_BROKEN);
	assert_string_equal(u.why, "it ends within a file");

	/* The same with all bits set: refused as a number. */
	begin(NULL);
	h = put("one", '0', "1", 1);
	memset(h + SIZE, 0xff, SIZE_LEN);
	seal(h);
	assert_int_equal(ustar_next(&u, &e), USTAR_BROKEN);
}

/* Cut at every length: always an end or a reason, and never more entries than there were. */
static void cut_anywhere(void **state)
{
	(void)state;
	put("./etc/", '5', "", 0);
	put("x", 'x', "18 path=some/name\n", 18);
	put("f", '0', "abc", 3);
	put("last", '0', "abc", 3);
	size_t whole = tar_len;
	for (size_t cut = 0; cut < whole; cut++) {
		tar_at = 0;
		tar_len = cut;
		ustar_init(&u, from_tar, NULL);
		int r, n = 0;
		while ((r = ustar_next(&u, &e)) == USTAR_ENTRY)
			n++;
		assert_true(n <= 3);
		if (r == USTAR_BROKEN)
			assert_non_null(u.why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(plain, begin), cmocka_unit_test_setup(prefix, begin),
		cmocka_unit_test_setup(pax, begin), cmocka_unit_test_setup(pax_hostile, begin),
		cmocka_unit_test_setup(gnu_long_name, begin), cmocka_unit_test_setup(bad_names, begin),
		cmocka_unit_test_setup(damage, begin), cmocka_unit_test_setup(cut_anywhere, begin),
	};
	return cmocka_run_group_tests_name("ustar", tests, NULL, NULL);
}

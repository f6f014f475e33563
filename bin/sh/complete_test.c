/*
 * Expected: the word before the cursor is found among signs and redirects and told apart as program, scheme or path; names that fit give what
 * they have in common, escaped, and the only one is ended; hostile names are never offered; lists fit into columns and room.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>
#include "complete.c"
#include <utf8/utf8.c>

static struct complete c;

static void words(void **state unused)
{
	static const struct { const char *text; int where; const char *folder, *begun; } want[] = {
		{ "", COMPLETE_PROGRAMS, "", "" }, { "he", COMPLETE_PROGRAMS, "", "he" }, { "  he", COMPLETE_PROGRAMS, "", "he" },
		{ "cat t", COMPLETE_SCHEMES, "", "t" }, { "cat ", COMPLETE_SCHEMES, "", "" }, { "cat tmp:", COMPLETE_SCHEMES, "", "tmp:" },
		{ "cat tmp:/", COMPLETE_SCHEMES, "", "tmp:/" }, { "cat tmp://", COMPLETE_FOLDER, "tmp://", "" },
		{ "cat tmp://a", COMPLETE_FOLDER, "tmp://", "a" }, { "cat tmp://a/b/c", COMPLETE_FOLDER, "tmp://a/b/", "c" },
		{ "cat /a/b", COMPLETE_FOLDER, "/a/", "b" }, { "/b", COMPLETE_FOLDER, "/", "b" }, { "initfs:///bin/l", COMPLETE_FOLDER, "initfs:///bin/", "l" },
		{ "tm:", COMPLETE_SCHEMES, "", "tm:" }, { "a;b", COMPLETE_PROGRAMS, "", "b" }, { "a | b", COMPLETE_PROGRAMS, "", "b" },
		{ "a && b c", COMPLETE_SCHEMES, "", "c" }, { "a& b", COMPLETE_PROGRAMS, "", "b" }, { "a >b", COMPLETE_SCHEMES, "", "b" },
		{ "a > b c", COMPLETE_SCHEMES, "", "c" }, { "<a b", COMPLETE_PROGRAMS, "", "b" }, { "<a b c", COMPLETE_SCHEMES, "", "c" },
		{ "cat tmp://a\\ b", COMPLETE_FOLDER, "tmp://", "a b" }, { "cat a\\;b", COMPLETE_SCHEMES, "", "a;b" }, { "cat a#b", COMPLETE_SCHEMES, "", "a#b" },
	};
	static const char *const nothing[] = { "cat 'a", "cat \"a", "cat $A", "$A", "cat # a", "# a", "cat a\\", "a'b' c$d" };

	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_true(complete_begin(&c, want[i].text, strlen(want[i].text)));
		assert_int_equal(c.where, want[i].where);
		assert_string_equal(c.folder, want[i].folder);
		assert_string_equal(c.begun, want[i].begun);
	}
	for (size_t i = 0; i < ARRAY_LEN(nothing); i++)
		assert_false(complete_begin(&c, nothing[i], strlen(nothing[i])));
	assert_true(complete_begin(&c, "cat tmp://abc", 11));           /* the cursor is in the middle */
	assert_string_equal(c.begun, "a");
	char text[COMPLETE_WORD + 1];
	memset(text, 'x', sizeof(text));
	assert_false(complete_begin(&c, text, COMPLETE_WORD));
	assert_true(complete_begin(&c, text, COMPLETE_WORD - 1));
}

static void inserts(const char *text, const char *const *names, uint8_t type, const char *want)
{
	char got[64];

	assert_true(complete_begin(&c, text, strlen(text)));
	for (; *names; names++)
		complete_offer(&c, *names, type);
	size_t n = complete_insert(&c, got, sizeof(got));
	assert_int_equal(n, strlen(want));
	assert_memory_equal(got, want, n);
}

#define NAMES(...) (const char *const[]){ __VA_ARGS__, NULL }

static void insertion(void **state unused)
{
	inserts("he", NAMES("head", "hexdump", "help"), FILE_REGULAR, "");
	inserts("hex", NAMES("head", "hexdump", "help"), FILE_REGULAR, "dump ");
	inserts("h", NAMES("head", "hexdump", "ls"), FILE_REGULAR, "e");
	inserts("kill", NAMES("kill", "kill"), FILE_REGULAR, " ");      /* a command of the shell and a program: one */
	inserts("x", NAMES("head"), FILE_REGULAR, "");
	inserts("cat t", NAMES("tmp://", "log://"), FILE_DIRECTORY, "mp://");
	inserts("cat tmp:", NAMES("tmp://", "tty://"), FILE_DIRECTORY, "//");
	inserts("ls tmp://d", NAMES("dir"), FILE_DIRECTORY, "ir/");
	inserts("cat tmp://", NAMES("a b;c'd"), FILE_REGULAR, "a\\ b\\;c\\'d ");
	inserts("cat tmp://", NAMES("a(b)"), FILE_REGULAR, "a\\(b\\) ");
	inserts("cat tmp://a\\ ", NAMES("a b", "a c"), FILE_REGULAR, "");
	/* two characters that begin with the same byte have nothing in common */
	inserts("cat tmp://", NAMES("x\xc3\xa4", "x\xc3\xb6"), FILE_REGULAR, "x");
	inserts("cat tmp://\xc3\xa4", NAMES("\xc3\xa4\xe2\x82\xac"), FILE_REGULAR, "\xe2\x82\xac ");
	/* what a service must not put into anybody's line */
	inserts("cat tmp://", NAMES("a\nrm", "a\x1b[2J", "\x7f", "\xc2\x9b", "a\xff", ""), FILE_REGULAR, "");
	assert_int_equal(c.n, 0);
	char tiny[3];
	assert_true(complete_begin(&c, "hex", 3));
	complete_offer(&c, "hexdump", FILE_REGULAR);
	assert_int_equal(complete_insert(&c, tiny, sizeof(tiny)), 0);
}

static void lists(void **state unused)
{
	char text[2048];

	assert_true(complete_begin(&c, "", 0));
	complete_offer(&c, "wc", FILE_REGULAR);
	complete_offer(&c, "cat", FILE_REGULAR);
	complete_offer(&c, "hexdump", FILE_REGULAR);
	assert_int_equal(complete_list(&c, 20, text, sizeof(text)), strlen("cat      hexdump\nwc\n"));
	assert_string_equal(text, "cat      hexdump\nwc\n");
	complete_list(&c, 3, text, sizeof(text));
	assert_string_equal(text, "cat\nhexdump\nwc\n");
	complete_list(&c, 80, text, 10);        /* cut where a name ends */
	assert_string_equal(text, "cat\n...\n");
	assert_true(complete_begin(&c, "", 0));
	for (int i = 0; i < 2 * COMPLETE_NAMES; i++) {
		char name[16];
		snprintf(name, sizeof(name), "n%d", i);
		complete_offer(&c, name, FILE_REGULAR);
	}
	complete_offer(&c, "other", FILE_REGULAR);      /* not kept, but it has its say */
	assert_int_equal(c.n, COMPLETE_NAMES);
	assert_int_equal(c.common, 0);
	size_t n = complete_list(&c, 80, text, sizeof(text));
	assert_string_equal(text + n - 4, "...\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(words), cmocka_unit_test(insertion), cmocka_unit_test(lists) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Expected: lists, joins and background are told apart, quotes protect every sign, errors leave nothing
 * behind (ASan watches), expansion happens word by word and an empty quoted word stays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "parse.c"

static void commands_and_joins(void **state unused)
{
	struct script s;
	assert_null(parse("ls -l initfs:///;sleep 5& a && b || 'c d' # e & f", &s));
	assert_int_equal(s.n, 5);
	assert_int_equal(s.commands[0].n_words, 3);
	assert_string_equal(s.commands[0].words[2], "initfs:///");
	assert_null(s.commands[0].words[3]);
	assert_false(s.commands[0].background);
	assert_true(s.commands[1].background);
	assert_int_equal(s.commands[2].join, JOIN_ALWAYS);
	assert_int_equal(s.commands[3].join, JOIN_AND);
	assert_int_equal(s.commands[4].join, JOIN_OR);
	assert_string_equal(s.commands[4].words[0], "'c d'");
	script_free(&s);
}

static void nothing(void **state unused)
{
	static const char *const lines[] = { "", "   ", "# all comment", "\t#" };
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct script s;
		assert_null(parse(lines[i], &s));
		assert_int_equal(s.n, 0);
		script_free(&s);
	}
}

static void quotes_protect(void **state unused)
{
	struct script s;
	assert_null(parse("a 'b;c' \"d\\\"&&\" e\\;f g#h", &s));
	assert_int_equal(s.n, 1);
	assert_int_equal(s.commands[0].n_words, 5);
	assert_string_equal(s.commands[0].words[4], "g#h");
	script_free(&s);
}

static void errors(void **state unused)
{
	static const char *const lines[] = {
		"a 'b", "a \"b", "a \\", "; a", "a ;; b", "a && ", "a || || b", "&", "(a)", "a; | b", "a & && b",
		"| a", "a |", "a | | b", "a | ; b", "a | && b", "a >", "a > ; b", "a > | b", "a < > b", "> f |", "> f | a", "a | > f", "a >> 'b",
	};
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct script s;
		assert_non_null(parse(lines[i], &s));
		assert_int_equal(s.n, 0);
	}
}

static void pipes_and_redirects(void **state unused)
{
	struct script s;
	assert_null(parse("a x|b <in >'o u t' y>>more |c & d||e>f; >only", &s));
	assert_int_equal(s.n, 6);
	assert_int_equal(s.commands[0].join, JOIN_ALWAYS);
	assert_int_equal(s.commands[0].n_words, 2);
	assert_int_equal(s.commands[1].join, JOIN_PIPE);
	assert_int_equal(s.commands[1].n_words, 2);
	assert_string_equal(s.commands[1].words[1], "y");
	assert_int_equal(s.commands[1].n_redirects, 3);
	assert_int_equal(s.commands[1].redirects[0].kind, REDIRECT_IN);
	assert_string_equal(s.commands[1].redirects[0].word, "in");
	assert_int_equal(s.commands[1].redirects[1].kind, REDIRECT_OUT);
	assert_string_equal(s.commands[1].redirects[1].word, "'o u t'");
	assert_int_equal(s.commands[1].redirects[2].kind, REDIRECT_APPEND);
	assert_int_equal(s.commands[2].join, JOIN_PIPE);
	assert_false(s.commands[1].background);
	assert_true(s.commands[2].background);
	assert_int_equal(s.commands[4].join, JOIN_OR);
	assert_int_equal(s.commands[4].n_redirects, 1);
	assert_int_equal(s.commands[5].n_words, 0);
	assert_string_equal(s.commands[5].redirects[0].word, "only");
	script_free(&s);
	assert_null(parse("echo '|' \\> \"<\" a\\|b", &s));
	assert_int_equal(s.n, 1);
	assert_int_equal(s.commands[0].n_words, 5);
	assert_int_equal(s.commands[0].n_redirects, 0);
	script_free(&s);
}

static const char *values(void *ctx unused, const char *name)
{
	return !strcmp(name, "?") ? "7" : !strcmp(name, "HOME") ? "initfs:///x" : !strcmp(name, "TWO") ? "a b" : NULL;
}

static void expands(const char *word, const char *want)
{
	char *out;
	assert_true(expand(word, values, NULL, &out));
	if (want)
		assert_string_equal(out, want);
	else
		assert_null(out);
	free(out);
}

static void expansion(void **state unused)
{
	expands("plain", "plain");
	expands("$?", "7");
	expands("a${HOME}b", "ainitfs:///xb");
	expands("$HOME/y", "initfs:///x/y");
	expands("'$HOME'", "$HOME");
	expands("\"$TWO\"'\"'", "a b\"");
	expands("\\$HOME", "$HOME");
	expands("\"\\$\\\\\\\"\\x\"", "$\\\"\\x");
	expands("$NONE", NULL);
	expands("\"$NONE\"", "");
	expands("''", "");
	expands("$", "$");
	expands("${HOME", "${HOME");
	expands("$1x", "$1x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_and_joins), cmocka_unit_test(nothing), cmocka_unit_test(quotes_protect),
		cmocka_unit_test(errors), cmocka_unit_test(pipes_and_redirects), cmocka_unit_test(expansion),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

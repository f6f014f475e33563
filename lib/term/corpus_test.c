/*
 * Every case of lib/term/corpus: what a program sends gives the cells, the cursor, the answers and the keys that the file says;
 * the same when the terminal is closed and taken up again behind every byte. The format is in corpus/README.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <utf8/utf8.c>
#include "term.c"
#include "term_cells.c"
#include "term_damage.c"
#include "term_gate.c"
#include "term_keys.c"
#include "term_text.c"
#include "term_vt.c"

enum { INPUT_MAX = 4096, CHECKS_MAX = 64, LINE_LEN = 512 };

struct wanted {
	char name[LINE_LEN];
	unsigned rows, cols;
	uint8_t input[INPUT_MAX];
	size_t len;
	char check[CHECKS_MAX][LINE_LEN];
	unsigned checks;
};

static unsigned cases, wrong;

static struct term_shape shape_of(const struct wanted *w)
{
	return (struct term_shape){ (uint16_t)w->rows, (uint16_t)w->cols, 24, 80, 10 };
}

/* \e \n \r \t \b \\ \xHH and anything else as it is. */
static size_t unescape(const char *s, uint8_t *out)
{
	size_t n = 0;

	for (; *s; s++) {
		if (*s != '\\') {
			out[n++] = (uint8_t)*s;
			continue;
		}
		static const char from[] = "enrtbs\\", to[] = "\33\n\r\t\b \\";
		const char *at = strchr(from, *++s);
		if (*s == 'x') {
			char hex[3] = { s[1], s[2], 0 };
			out[n++] = (uint8_t)strtoul(hex, NULL, 16);
			s += 2;
		} else {
			assert_true(at && *at);
			out[n++] = (uint8_t)to[at - from];
		}
	}
	return n;
}

static void colour_name(char *out, const char *what, uint32_t c)
{
	if (c & TERM_INDEXED)
		sprintf(out + strlen(out), " %s=%u", what, c & 0xff);
	else if (c & TERM_RGB)
		sprintf(out + strlen(out), " %s=#%06x", what, c & 0xffffff);
}

static void describe(const struct term_cell *c, char *out)
{
	static const struct { uint32_t bit; const char *name; } names[] = {
		{ TERM_BOLD, "bold" }, { TERM_ITALIC, "italic" }, { TERM_BLINK, "blink" }, { TERM_REVERSE, "reverse" }, { TERM_STRIKE, "strike" },
		{ TERM_PROTECTED, "protected" }, { TERM_WIDE, "wide" }, { TERM_TAIL, "tail" },
	};
	static const char *const under[] = { "", " underline", " double", " curly" };

	out[0] = 0;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (c->code & names[i].bit)
			sprintf(out + strlen(out), " %s", names[i].name);
	if (c->fg & TERM_FAINT)
		strcat(out, " faint");
	if (c->fg & TERM_CONCEALED)
		strcat(out, " concealed");
	strcat(out, under[(c->code & TERM_UNDERLINES) / TERM_UNDERLINE]);
	colour_name(out, "fg", c->fg);
	colour_name(out, "bg", c->bg);
	if (!out[0])
		strcpy(out, " plain");
}

static unsigned key_number(const char *name)
{
	static const char *const names[] = {
		"", "enter", "tab", "backspace", "escape", "up", "down", "left", "right", "insert", "delete", "home", "end", "pageup", "pagedown",
	};

	for (unsigned i = 1; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], name) == 0)
			return i;
	if (name[0] == 'f' && atoi(name + 1))
		return TERM_KEY_F1 - 1 + (unsigned)atoi(name + 1);
	assert_int_equal(strncmp(name, "kp", 2), 0);
	return TERM_KEY_KP_0 + (unsigned)atoi(name + 2);
}

static void same(const struct wanted *w, const char *check, const void *got, size_t len, const void *want, size_t want_len)
{
	if (len == want_len && memcmp(got, want, len) == 0)
		return;
	print_error("%s: %s\n  there is: ", w->name, check);
	for (size_t i = 0; i < len; i++)
		print_error(((const uint8_t *)got)[i] < 0x20 ? "\\x%02x" : "%c", ((const uint8_t *)got)[i]);
	print_error("\n");
	wrong++;
}

static void key_check(const struct wanted *w, struct term *t, const char *check)
{
	char name[32], want_text[LINE_LEN];
	uint8_t got[TERM_KEY_BYTES], want[LINE_LEN];
	unsigned modifiers;

	assert_int_equal(sscanf(check, "key %31s %u = %[^\n]", name, &modifiers, want_text), 3);
	size_t n = name[1] ? term_key(t, key_number(name), modifiers, got) : term_character(t, (uint8_t)name[0], modifiers, got);
	same(w, check, got, n, want, unescape(want_text, want));
}

static void check_all(const struct wanted *w, struct term *t)
{
	unsigned row = 0, line = 0;
	char got[LINE_LEN * 4];

	for (unsigned i = 0; i < w->checks; i++) {
		const char *check = w->check[i];
		unsigned a, b;
		int at = 0;
		if (check[0] == '|') {
			uint8_t text[LINE_LEN];
			size_t n = term_row_text(t, row++, got, sizeof(got)), want = unescape(check + 1, text);
			while (want > 0 && text[want - 1] == ' ')
				want--;
			same(w, check, got, n, text, want);
		} else if (sscanf(check, "at %u,%u%n", &a, &b, &at) == 2) {
			describe(&term_row(t, a)[b], got);
			same(w, check, got, strlen(got), check + at, strlen(check + at));
		} else if (sscanf(check, "cursor %u,%u", &a, &b) == 2) {
			struct term_cursor c = term_cursor(t);
			sprintf(got, "cursor %u,%u%s%s", c.row, c.col, c.visible ? "" : " hidden", c.shape == 1 ? "" : c.shape == 2 ? " underline" : " bar");
			same(w, check, got, strlen(got), check, strlen(check));
		} else if (strncmp(check, "reply ", 6) == 0) {
			uint8_t want[LINE_LEN], reply[TERM_REPLIES];
			same(w, check, reply, term_reply(t, reply, sizeof(reply)), want, unescape(check + 6, want));
		} else if (strncmp(check, "key ", 4) == 0) {
			key_check(w, t, check);
		} else if (check[0] == '^') {           /* lines of the history, oldest first */
			unsigned have = term_history(t);
			assert_true(line < have);
			term_view_by(t, (int)(have - line++));
			size_t n = term_row_text(t, 0, got, sizeof(got));
			term_view_by(t, -(int)have);
			same(w, check, got, n, check + 1, strlen(check + 1));
		} else {
			print_error("%s: what is %s\n", w->name, check);
			wrong++;
		}
	}
	for (; row > 0 && row < w->rows; row++)
		same(w, "| (and nothing below)", got, term_row_text(t, row, got, sizeof(got)), "", 0);
	if (line > 0)
		assert_int_equal(line, term_history(t));
}

static void write_all(struct term *t, const uint8_t *p, size_t len)
{
	for (size_t n = 0; n < len; term_commit(t, NULL))
		n += term_write(t, p + n, len - n);
}

/* At once, byte by byte, and with a new instance behind each byte. */
static void run_case(const struct wanted *w)
{
	struct term_shape shape = shape_of(w);

	for (int how = 0; how < 3 && !(how && wrong); how++) {
		void *memory = calloc(1, term_size(&shape));
		struct term *t;
		assert_int_equal(term_open(&t, memory, term_size(&shape), &shape), OK);
		if (how == 0)
			write_all(t, w->input, w->len);
		for (size_t i = 0; how > 0 && i < w->len; i++) {
			write_all(t, w->input + i, 1);
			if (how == 1)
				continue;
			term_close(t);
			assert_int_equal(term_open(&t, memory, term_size(&shape), &shape), OK);
		}
		check_all(w, t);
		term_close(t);
		free(memory);
	}
	cases++;
}

static void run_file(const char *path)
{
	static struct wanted w;
	char line[LINE_LEN];
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	w.name[0] = 0;
	for (;;) {
		bool more = fgets(line, sizeof(line), f);
		line[strcspn(line, "\n")] = 0;
		if (!more || strncmp(line, "test ", 5) == 0) {
			if (w.name[0])
				run_case(&w);
			if (!more)
				break;
			memset(&w, 0, sizeof(w));
			w.rows = 5, w.cols = 20;
			strcpy(w.name, line + 5);
		} else if (line[0] == '>') {
			w.len += unescape(line + 1, w.input + w.len);
			assert_true(w.len < INPUT_MAX - LINE_LEN);
		} else if (strncmp(line, "size ", 5) == 0) {
			assert_int_equal(sscanf(line, "size %ux%u", &w.rows, &w.cols), 2);
		} else if (line[0] && line[0] != '#') {
			assert_true(w.checks < CHECKS_MAX);
			strcpy(w.check[w.checks++], line);
		}
	}
	fclose(f);
}

static void the_corpus(void **state unused)
{
	DIR *d = opendir("lib/term/corpus");
	char path[512];

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		if (strstr(e->d_name, ".txt")) {
			snprintf(path, sizeof(path), "lib/term/corpus/%s", e->d_name);
			run_file(path);
		}
	closedir(d);
	assert_true(cases > 100);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_corpus) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * screenful: a terminal of 24 x 80 in this process's memory, drawn with the font of the initfs.
 *
 *	screenful TEXT      what the screen shows of TEXT (with \e \r \n \xHH), row by row up to the last that shows something, and then
 *	                    "drawn: P lit, cursor ROW,COLUMN, N bytes kept"; the terminal was closed and taken up again before it was drawn
 *	screenful -w URI TEXT   writes it to a terminal of outputd's
 *	screenful -a URI TEXT   and prints what that answers, up to its last letter, with \e for ESC
 */
#include <abi/file.h>
#include <font/font.h>
#include <rt/file.h>
#include <rt/io.h>
#include <rt/start.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <term/draw.h>

static const struct term_shape shape = { 24, 80, 24, 80, 100 };

static unsigned digit(char c)
{
	return c >= 'a' ? (unsigned)(c - 'a' + 10) : (unsigned)(c - '0');
}

/* In place. */
static size_t unescape(char *s)
{
	size_t n = 0;

	for (const char *p = s; *p; p++) {
		char c = *p;
		if (c == '\\' && p[1] == 'x' && p[2] && p[3]) {
			c = (char)(digit(p[2]) << 4 | digit(p[3]));
			p += 3;
		} else if (c == '\\' && p[1]) {
			p++;
			c = *p == 'e' ? 27 : *p == 'r' ? '\r' : *p == 'n' ? '\n' : *p;
		}
		s[n++] = c;
	}
	return n;
}

static void write_all(struct term *t, const char *text, size_t len)
{
	for (size_t n = 0; n < len; term_commit(t, NULL))
		n += term_write(t, text + n, len - n);
}

static void draw(struct term *t)
{
	struct term_surface s = { .width = 80 * FONT_WIDTH, .height = 24 * FONT_HEIGHT, .stride = 80 * FONT_WIDTH };
	struct term_drawn drawn = { 0 };
	struct term_rect rect[4];
	struct term_face face;
	struct font font;
	size_t size, lit = 0;
	char *file;

	MUST(file_slurp(FONT_URI, FONT_FILE_MAX, &file, &size));
	if (!font_open(&font, file, size))
		rt_panic("%s is no font", FONT_URI);
	s.pixels = malloc((size_t)s.stride * s.height * sizeof(*s.pixels));
	if (!s.pixels)
		rt_panic("no memory for the pixels");
	term_face_begin(&face, &font, 1);
	term_draw(t, &drawn, &face, &s, rect, ARRAY_LEN(rect));
	for (size_t i = 0; i < (size_t)s.stride * s.height; i++)
		lit += s.pixels[i] != face.bg;
	struct term_cursor c = term_cursor(t);
	print("drawn: %zu lit, cursor %u,%u, %zu bytes kept\n", lit, c.row, c.col, term_size(&shape));
}

/* What a terminal answers comes as if typed: raw, it is read at once. */
static void to_terminal(const char *uri, char *text, bool answers)
{
	char got[64];
	size_t n, done = 0;
	uint64_t mode[4] = { 0 };       /* as much as CTL_TTY_SET_MODE takes */
	handle_t h;

	MUST(file_open(uri, OPEN_READ | OPEN_WRITE, &h));
	MUST(file_ctl(h, CTL_TTY_GET_MODE, NULL, 0, mode));
	if (answers)
		MUST(file_ctl(h, CTL_TTY_SET_MODE, (uint64_t[4]){ 0 }, 0, NULL));
	n = unescape(text);
	MUST(file_append_all(h, text, n));
	while (answers && (done == 0 || got[done - 1] < '@' || got[done - 1] == '[')) {
		MUST(file_read(h, done, got + done, 1, &n));
		print(got[done] == 27 ? "\\e" : "%c", got[done]);
		done = MIN(done + n, sizeof(got) - 1);
	}
	if (answers) {
		MUST(file_ctl(h, CTL_TTY_SET_MODE, mode, 0, NULL));
		print("\n");
	}
}

int main(int argc, char **argv)
{
	static char row[4096];
	if (argc == 4 && (strcmp(argv[1], "-w") == 0 || strcmp(argv[1], "-a") == 0)) {
		to_terminal(argv[2], strdup(argv[3]), argv[1][1] == 'a');
		return 0;
	}
	struct term *t;
	void *memory = calloc(1, term_size(&shape));
	char *text = argc == 2 ? strdup(argv[1]) : NULL;        /* arguments may not be written */
	unsigned last = 0;

	if (!text || !memory) {
		print("usage: screenful [-w URI | -a URI] TEXT\n");
		return 2;
	}
	MUST(term_open(&t, memory, term_size(&shape), &shape));
	size_t len = unescape(text);
	write_all(t, text, len);
	term_close(t);
	MUST(term_open(&t, memory, term_size(&shape), &shape));
	for (unsigned i = 0; i < term_rows(t); i++)
		if (term_row_text(t, i, row, sizeof(row)) > 0)
			last = i + 1;
	for (unsigned i = 0; i < last; i++)
		print("|%.*s\n", (int)term_row_text(t, i, row, sizeof(row)), row);
	draw(t);
	return 0;
}
